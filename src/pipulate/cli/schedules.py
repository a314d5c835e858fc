"""The commands of `pipulate jobs` that are about schedules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from pipulate._program import program
from pipulate.cli.shared import (
    Failed,
    ask_server,
    data_option,
    json_option,
    reading,
    say,
    settings_from,
    show_json,
    show_table,
    writing,
)


@click.command()
@click.argument("app")
@click.option("--cron", required=True, metavar="TEXT", help="When, as five-field cron: '0 7 * * 1' is Mondays at 7:00.")
@click.option("--zone", metavar="NAME", help="Time zone, for example Europe/Berlin (default: this computer's).")
@click.option("--title", default="", help="What its runs are named after (default: the title of the app).")
@click.option("--profile", default="", help="Name of the profile its runs belong to (default: the first one).")
@click.option(
    "--input", "inputs", multiple=True, metavar="STEP.FIELD=VALUE", help="Answer to a field of a step; repeatable."
)
@click.option("--lock", is_flag=True, help="Lock each run when it is finished.")
@data_option
@json_option
def schedule(
    app: str,
    cron: str,
    zone: str | None,
    title: str,
    profile: str,
    inputs: tuple[str, ...],
    lock: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Run an APP again and again, without anybody there.

    The APP is named as in the column APP of `pipulate runs list`. Fields that get no answer keep their defaults. The
    server has to be running.
    """
    from pipulate.jobs import crons  # noqa: PLC0415 - help needs none of this

    form = {
        "app": app, "cron": cron, "zone": zone or crons.local_zone(), "title": title, "profile": profile,
        "answers": json.dumps(_answers(inputs)), "locks": "1" if lock else "",
    }  # fmt: skip
    made = _asked(data, "schedule", form)
    if as_json:
        show_json(made)
        return
    when = crons.read(cron, form["zone"])
    say(f"{made['id']}: {made['title']}. {when.in_words}, {form['zone']} time.")


@click.command()
@data_option
@json_option
def schedules(data: Path | None, as_json: bool) -> None:
    """List schedules: what, when, and when next."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import schedules as rows  # noqa: PLC0415

    with reading(settings_from(data=data)) as (_, tx, _files):
        found = rows.of_owner(tx, OWNER)
        last = rows.last_jobs(tx, found)
    if as_json:
        show_json([_shown(row) | {"last": last[row.id].status if row.id in last else None} for row in found])
        return
    show_table(
        ("ID", "TITLE", "APP", "WHEN", "ZONE", "NEXT (UTC)", "LAST"),
        [
            (
                row.id, row.title, row.app, row.cron, row.zone,
                "paused" if row.paused else row.next_at[:16].replace("T", " "),
                last[row.id].status if row.id in last else "-",
            )
            for row in found
        ],
        empty=f"Nothing is scheduled. {program()} jobs schedule --help says how.",
    )  # fmt: skip
    for row in found:
        if row.note:
            say(f"\n{row.title}: {row.note}")


@click.command()
@click.argument("id", metavar="ID")
@data_option
def unschedule(id: str, data: Path | None) -> None:  # noqa: A002 - the word of the command
    """Remove the schedule ID. Its runs stay."""
    settings = settings_from(data=data)
    answer = ask_server(settings, "unschedule", {"id": id})
    if answer is None:
        answer = _remove(settings, id)
    if not answer["removed"]:
        raise Failed(_unknown(id))
    click.echo("Removed.")


@click.command(name="run-now")
@click.argument("id", metavar="ID")
@data_option
@json_option
def run_now(id: str, data: Path | None, as_json: bool) -> None:  # noqa: A002
    """Do now what the schedule ID does, once more. The server has to be running."""
    answer = _asked(data, "run-now", {"id": id})
    if as_json:
        show_json(answer)
    else:
        say("Begun." if answer["job"] else "It is being done already.")


SCHEDULING: Sequence[click.Command] = (schedule, schedules, unschedule, run_now)
"""The commands, in the order they are listed."""


def _answers(inputs: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return what was given for each field; a field that is named several times has several texts."""
    found: dict[str, dict[str, list[str]]] = {}
    for given in inputs:
        name, is_there, value = given.partition("=")
        step, has_field, field = name.partition(".")
        if not (is_there and has_field and step and field):
            raise click.BadParameter(f"{given!r} is not STEP.FIELD=VALUE.", param_hint="--input")
        found.setdefault(step, {}).setdefault(field, []).append(value)
    return found


def _asked(data: Path | None, what: str, form: dict[str, str]) -> dict[str, Any]:
    """Ask the server, which has to be there: it has the apps, and does the work."""
    settings = settings_from(data=data)
    answer = ask_server(settings, what, form)
    if answer is None:
        raise Failed(f"No server runs on {settings.data.resolve()}. Start it first: {program()} run")
    return answer


def _remove(settings: Any, schedule: str) -> dict[str, Any]:
    from pipulate._clock import SystemClock, to_text  # noqa: PLC0415 - help needs none of this
    from pipulate.security.capability import OWNER  # noqa: PLC0415
    from pipulate.storage import schedules as rows  # noqa: PLC0415

    with writing(settings) as (store, _):
        return {"removed": store.write_now(rows.remove, schedule, OWNER, to_text(SystemClock().now()))}


def _shown(row: Any) -> dict[str, Any]:
    """Return a schedule without its answers: there may be secrets among them."""
    return {name: value for name, value in row._asdict().items() if name not in ("args", "owner", "removed_at")}


def _unknown(schedule: str) -> str:
    return f"There is no schedule {schedule!r}. What there is says: {program()} jobs schedules"
