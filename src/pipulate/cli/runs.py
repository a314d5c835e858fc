"""`pipulate runs`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
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
    printable,
    reading,
    say,
    settings_from,
    show_json,
    show_table,
    writing,
)

if TYPE_CHECKING:
    from pipulate.storage.files import FileStore
    from pipulate.storage.transfer import Outgoing


@click.group(cls=Group)
def runs() -> None:
    """List, look at, copy out, take in and delete runs.

    A run is named by its APP, as `pipulate runs list` shows it, and its KEY.
    """
    log_to_stderr()


@runs.command(name="list")
@click.option("--app", help="Only runs of this app, named as in the column APP.")
@click.option("--find", default="", help="Only runs whose key contains this.")
@click.option("--deleted", is_flag=True, help="The bin instead.")
@limit_option("runs")
@data_option
@json_option
def list_(
    app: str | None,
    find: str,
    deleted: bool,
    limit: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """List runs, newest change first."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import lookups  # noqa: PLC0415

    with reading(settings_from(data=data)) as (_, tx, _files):
        page = lookups.listed(tx, OWNER, app=app, words=find, deleted=deleted, limit=limit)
    if as_json:
        show_json([row._asdict() for row in page.runs])
        return
    show_table(
        ("APP", "KEY", "VERSION", "STATE", "LAST CHANGE (UTC)"),
        [(row.app, row.key, str(row.version), _state(row), _moment(row.updated_at)) for row in page.runs],
        empty="The bin is empty." if deleted else "No run matches." if app or find else "There are no runs yet.",
    )
    if page.older:
        click.echo(f"These are the newest {limit}; --limit shows more.")


@runs.command()
@click.argument("app")
@click.argument("key")
@data_option
@json_option
def show(app: str, key: str, data: Path | None, as_json: bool) -> None:
    """Show a run: its values now, and its history."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import ledger, lookups  # noqa: PLC0415

    with reading(settings_from(data=data)) as (_, tx, files):
        with _named(app, key):
            row = lookups.by_key(tx, app, key, OWNER)
        state = lookups.resolved(ledger.state_of(tx, row), files, row.id)
        events = ledger.events(tx, row.id)
    if as_json:
        values = {name: asdict(value) for name, value in state.steps.items()}
        show_json({"run": row._asdict(), "values": values, "events": [asdict(event) for event in events]})
        return
    say(f"{row.app} / {row.key}  version {row.version}  {_state(row)}\n")
    ordered = sorted(state.steps.items(), key=lambda item: item[1].version)
    show_table(
        ("STEP", "VALUE"),
        [(name, value.short or "(see --json)") for name, value in ordered],
        empty="No step has a value.",
    )
    click.echo("")
    show_table(
        ("VERSION", "AT (UTC)", "WHO", "WHAT", "STEP", "VALUE"),
        [
            (
                str(event.version), _moment(event.at), event.actor, event.kind, event.step or "",
                str(event.data.get("short", "")),
            )
            for event in events
        ],
        empty="",
    )  # fmt: skip


@runs.command()
@click.argument("app")
@click.argument("key")
@click.argument("file", type=click.Path(path_type=Path))
@data_option
@json_option
def export(app: str, key: str, file: Path, data: Path | None, as_json: bool) -> None:
    """Write a run with its whole history to FILE."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - help needs none of this
    from pipulate.storage import lookups, transfer  # noqa: PLC0415

    with reading(settings_from(data=data)) as (_, tx, files):
        with _named(app, key):
            row = lookups.by_key(tx, app, key, OWNER)
        outgoing = transfer.export(tx, files, row.id, OWNER)
        _write(outgoing, files, file)
    if as_json:
        show_json({"file": str(file), "app": row.app, "key": row.key, "version": row.version})
    else:
        say(f"{file}: {row.app} / {row.key}, version {row.version}")


def _write(outgoing: Outgoing, files: FileStore, file: Path) -> None:
    """Write the file of a run; nothing of it stays where that fails."""
    try:
        out = file.open("xb")
    except FileExistsError:
        raise Failed(f"{file} exists already. Choose another name.") from None
    except OSError as error:
        raise Failed(f"{file} could not be written: {error.strerror}.") from error
    is_whole = False
    try:
        with out:
            outgoing.write(files, out)
        is_whole = True
    except OSError as error:
        raise Failed(f"{file} could not be written: {error.strerror}.") from error
    finally:
        if not is_whole:
            file.unlink(missing_ok=True)


@runs.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", default="", help="Key to give it, where its own is in use.")
@data_option
@json_option
def import_(file: Path, key: str, data: Path | None, as_json: bool) -> None:
    """Take in a run from a FILE that `runs export` wrote."""
    settings = settings_from(data=data)
    answer = ask_server(settings, "import", {"path": str(file.resolve()), "key": key})
    if answer is None:
        answer = _import(settings, file, key)
    if as_json:
        show_json(answer)
    else:
        say(f"{answer['app']} / {answer['key']}, version {answer['version']}")


@runs.command()
@click.argument("app")
@click.argument("key")
@click.option("--purge", is_flag=True, help="Erase it for good, with its history and files.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
@data_option
def delete(app: str, key: str, purge: bool, yes: bool, data: Path | None) -> None:
    """Put a run into the bin, or erase it with --purge, also from there."""
    settings = settings_from(data=data)
    if purge and not yes:
        question = f"Erase {app} / {key} with its whole history? This cannot be undone."
        click.confirm(printable(question), abort=True)
    answer = ask_server(settings, "delete", {"app": app, "key": key, "purge": "1" if purge else ""})
    if answer is None:
        with _named(app, key):
            _delete(settings, app, key, purge=purge)
    click.echo("Erased." if purge else "Put into the bin.")


def _import(settings: Any, file: Path, key: str) -> dict[str, Any]:
    from pipulate._clock import SystemClock, to_text  # noqa: PLC0415 - help needs none of this
    from pipulate._ids import new_id  # noqa: PLC0415
    from pipulate.security.capability import OWNER  # noqa: PLC0415
    from pipulate.storage import transfer  # noqa: PLC0415
    from pipulate.storage.keys import check_key  # noqa: PLC0415
    from pipulate.storage.ledger import Author  # noqa: PLC0415

    incoming = transfer.Incoming(file)
    try:
        with writing(settings) as (store, files):
            run = new_id()
            incoming.put_files(files, run)
            author = Author(OWNER, to_text(SystemClock().now()))
            row, _ = store.write_now(transfer.take_in, run, incoming, author, check_key(key) if key else None)
    finally:
        incoming.close()
    return {"app": row.app, "key": row.key, "version": row.version}


def _delete(settings: Any, app: str, key: str, *, purge: bool) -> None:
    from pipulate._clock import SystemClock, to_text  # noqa: PLC0415 - help needs none of this
    from pipulate.security.capability import OWNER  # noqa: PLC0415
    from pipulate.storage import lifecycle, lookups  # noqa: PLC0415
    from pipulate.storage.ledger import Author  # noqa: PLC0415

    with writing(settings) as (store, files):
        row = store.read_now(lookups.by_key, app, key, OWNER, or_bin=purge)
        author = Author(OWNER, to_text(SystemClock().now()))
        if row.deleted_at is None:
            store.write_now(lifecycle.delete, row.id, author)
        if purge:
            store.write_now(lifecycle.purge, row.id, author)
            files.erase(row.id)


@contextlib.contextmanager
def _named(app: str, key: str) -> Iterator[None]:
    """Say which app a run was looked for in, and how to find out what there is."""
    from pipulate.errors import RunNotFoundError  # noqa: PLC0415 - help needs none of this

    try:
        yield
    except RunNotFoundError as error:
        raise Failed(f"The app {app!r} has no run {key!r}. What there is says: {program()} runs list") from error


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _state(row: Any) -> str:
    if row.deleted_at:
        return "in the bin"
    if row.locked_at:
        return "locked"
    return f"at {row.open_step}" if row.open_step else "finished" if row.version > 1 else "started"
