"""`pipulate jobs`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipulate._program import program
from pipulate.cli.shared import (
    Failed,
    Group,
    ask_server,
    data_option,
    json_option,
    limit_option,
    log_to_stderr,
    reading,
    say,
    settings_from,
    show_json,
    show_table,
    writing,
)

if TYPE_CHECKING:
    from pipulate.settings import Settings
    from pipulate.storage.jobs import JobRow, Line

STATUSES = ("running", "queued", "parked", "failed", "cancelled", "done")
_LOOK_EVERY_S = 0.5


@click.group(cls=Group)
def jobs() -> None:
    """List and look at jobs, cancel them, try them again.

    A job is work that goes on by itself, as a background step does. It is named by its id, as `pipulate jobs list`
    shows it.
    """
    log_to_stderr()


@jobs.command(name="list")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only jobs of this status; repeatable."
)
@click.option("--app", help="Only jobs of this app, named as in the column APP.")
@limit_option("jobs")
@data_option
@json_option
def list_(statuses: tuple[str, ...], app: str | None, limit: int, data: Path | None, as_json: bool) -> None:
    """List jobs, newest first."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import jobs as stored  # noqa: PLC0415

    with reading(settings_from(data=data)) as (_, tx, _files):
        found = stored.listed(tx, OWNER, statuses=statuses, app=app, limit=limit + 1)
    rows = found[:limit]
    if as_json:
        show_json([_brief(row) for row in rows])
        return
    show_table(
        ("ID", "STATUS", "ASKED FOR (UTC)", "APP", "TITLE", "REASON"),
        [(row.id, row.status, _moment(row.asked_at), row.app or "", row.title, row.reason) for row in rows],
        empty="No job matches." if statuses or app else "There are no jobs.",
    )
    if len(found) > limit:
        click.echo(f"These are the newest {limit}; --limit shows more.")


@jobs.command()
@click.argument("job")
@data_option
@json_option
def show(job: str, data: Path | None, as_json: bool) -> None:
    """Show a job: how it stands, and its log."""
    from pipulate.storage import jobs as stored  # noqa: PLC0415 - help needs none of this

    with reading(settings_from(data=data)) as (_, tx, _files):
        row = _own(tx, job)
        lines, parts = stored.lines(tx, job), stored.parts(tx, job)
    if as_json:
        told = {**_brief(row), "trace": row.trace, "parts": parts, "log": [line._asdict() for line in lines]}
        show_json(told)
        return
    say(f"{row.title}  {row.status}{_how_far(row)}\n")
    show_table(("WHAT", "VALUE"), list(_facts(row, parts)), empty="")
    if lines:
        click.echo("")
    _say_lines(lines)
    if row.trace:
        say(f"\nFor the author:\n{row.trace}")


@jobs.command()
@click.argument("job")
@click.option("--follow", is_flag=True, help="Go on printing until the job has ended.")
@data_option
def log(job: str, follow: bool, data: Path | None) -> None:
    """Print the newest 1,000 lines a job has logged."""
    from pipulate.storage import jobs as stored  # noqa: PLC0415 - help needs none of this

    settings = settings_from(data=data)
    last = 0
    while True:
        with reading(settings) as (_, tx, _files):
            row = _own(tx, job)
            lines = stored.lines(tx, job, after=last)
        _say_lines(lines)
        last = lines[-1].seq if lines else last
        if not follow or not row.is_open:
            break
        time.sleep(_LOOK_EVERY_S)
    if follow:
        click.echo(f"The job is {row.status}.", err=True)


@jobs.command()
@click.argument("job")
@data_option
def cancel(job: str, data: Path | None) -> None:
    """Cancel a job that has not ended.

    One under way stops at its next checkpoint; what it has finished is kept.
    """
    settings = settings_from(data=data)
    answer = ask_server(settings, "cancel-job", {"job": job})
    status = answer["status"] if answer is not None else _cancel(settings, job)
    click.echo("Cancelled." if status == "cancelled" else "It stops at its next checkpoint.")


@jobs.command()
@click.argument("job")
@data_option
def retry(job: str, data: Path | None) -> None:
    """Ask once more for a job that failed, was cancelled or is parked.

    It is done with the code there is now; what it has finished is not done again.
    """
    settings = settings_from(data=data)
    if ask_server(settings, "retry-job", {"job": job}) is not None:
        click.echo("Queued.")
        return
    _retry(settings, job)
    say(f"Queued. It begins at the next start: {program()} run")


def _cancel(settings: Settings, job: str) -> str:
    from pipulate._clock import SystemClock, to_text  # noqa: PLC0415 - help needs none of this
    from pipulate.security.capability import OWNER  # noqa: PLC0415
    from pipulate.storage import jobs as stored  # noqa: PLC0415
    from pipulate.storage.database import Transaction  # noqa: PLC0415

    def unit(tx: Transaction) -> str:
        row, at = _own(tx, job), to_text(SystemClock().now())
        if stored.ask_to_stop(tx, job, OWNER, at, "Cancelled.") is None:
            raise Failed(f"This job is {row.status}. Only one that has not ended can be cancelled.")
        stored.end(tx, job, row.attempt, stored.CANCELLED, at, reason="Cancelled.")  # Nothing works on it now.
        return _own(tx, job).status

    with writing(settings) as (store, _):
        return store.write_now(unit)


def _retry(settings: Settings, job: str) -> None:
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import jobs as stored  # noqa: PLC0415
    from pipulate.storage.database import Transaction  # noqa: PLC0415

    def unit(tx: Transaction) -> None:
        row = _own(tx, job)
        if stored.resume(tx, job, OWNER, None) is None:  # None: with whatever code there is then.
            raise Failed(f"This job is {row.status}. Only one that failed, was cancelled or is parked can be retried.")

    with writing(settings) as (store, _):
        store.write_now(unit)


def _own(tx: Any, job: str) -> JobRow:
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import jobs as stored  # noqa: PLC0415

    row = stored.of_owner(tx, job, OWNER)
    if row is None:
        raise Failed(f"There is no job {job!r}. What there is says: {program()} jobs list")
    return row


def _brief(row: JobRow) -> dict[str, Any]:
    """Return a job without what it was asked for with, which may hold secrets."""
    hidden = ("args", "trace", "partial", "progress")
    return {name: value for name, value in row._asdict().items() if name not in hidden} | {"progress": row.done}


def _facts(row: JobRow, parts: int) -> list[tuple[str, str]]:
    said = {
        "Id": row.id, "App": row.app, "Step": row.step, "Profile": row.profile, "Attempt": str(row.attempt),
        "Parts finished": str(parts) if parts else None, "Reason": row.reason, "Error id": row.error_id,
        "Asked for (UTC)": _moment(row.asked_at), "Not before": _moment(row.start_at),
        "Started": _moment(row.started_at), "Ended": _moment(row.ended_at), "Last sign of life": _moment(row.beat_at),
    }  # fmt: skip
    return [(name, text) for name, text in said.items() if text]


def _how_far(row: JobRow) -> str:
    done = row.done
    if not done or not row.is_open:
        return ""
    numbers = f"  {done.get('done', 0):g} of {done['total']:g}" if done.get("total") else ""
    return f"{numbers}  {done.get('text') or ''}".rstrip()


def _say_lines(lines: Sequence[Line]) -> None:
    for line in lines:
        say(f"{_moment(line.at)}  {line.text}")


def _moment(text: str | None) -> str:
    return text[:19].replace("T", " ") if text else ""
