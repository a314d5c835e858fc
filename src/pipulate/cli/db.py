"""`pipulate db`."""

from __future__ import annotations

from pathlib import Path

import click

from pipulate._program import program
from pipulate.cli.shared import (
    Failed,
    Group,
    data_option,
    json_option,
    layout_of,
    log_to_stderr,
    reading,
    say,
    settings_from,
    show_json,
    writing,
)


@click.group(cls=Group)
def db() -> None:
    """Back up, restore, check and migrate what is stored."""
    log_to_stderr()


@db.command()
@data_option
def migrate(data: Path | None) -> None:
    """Bring the tables up to date. `pipulate run` does this by itself."""
    with writing(settings_from(data=data)):
        click.echo("The tables are up to date.")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_option
@json_option
def backup(file: Path, data: Path | None, as_json: bool) -> None:
    """Write everything that is stored to FILE.

    Works while the server runs; the backup is of one moment. The secret that lets browsers in is not in it.
    """
    from pipulate._clock import SystemClock  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.archive import backup as write_backup  # noqa: PLC0415

    with reading(settings_from(data=data)) as (source, _, files):
        summary = write_backup(source, files, file, SystemClock())
    if as_json:
        show_json({"file": str(file), "rows": dict(summary.rows), "files": summary.files, "made_at": summary.made_at})
    else:
        rows = summary.rows
        say(f"{file}: {rows['runs']} runs, {rows['run_events']} events, {summary.files} files of {summary.made_at}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@data_option
@json_option
def restore(file: Path, data: Path | None, as_json: bool) -> None:
    """Put a backup in place of what is stored.

    What is there now is kept aside, and where is said. Refused with exit code 3 while a server runs. A backup of SQLite
    can be restored into PostgreSQL, and the other way round: what DATABASE_URL says is where it goes.
    """
    from pipulate._clock import SystemClock  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.archive import Archive  # noqa: PLC0415
    from pipulate.storage.folder import FolderLock  # noqa: PLC0415
    from pipulate.storage.restore import restore_postgres, restore_sqlite  # noqa: PLC0415

    settings = settings_from(data=data)
    layout = layout_of(settings)
    archive = Archive(file)
    try:
        if settings.database_url is not None:
            layout.make()
            with FolderLock(layout):
                url = settings.database_url.get_secret_value()
                aside = f"the schema {restore_postgres(url, layout, archive, SystemClock())} of the database"
        else:
            aside = str(restore_sqlite(layout, archive, SystemClock()))
    finally:
        archive.close()
    runs, made_at = archive.summary.rows["runs"], archive.summary.made_at
    if as_json:
        show_json({"runs": runs, "files": archive.summary.files, "made_at": made_at, "aside": aside})
    else:
        say(f"Restored {runs} runs as of {made_at}. What was there before is in {aside}.")


@db.command()
@data_option
@json_option
def check(data: Path | None, as_json: bool) -> None:
    """Check that everything holds together.

    Looks at the database, at every run and record against its history, and at every file. Exits with 1 and a line for
    each problem if there is one. Works while the server runs.
    """
    from pipulate.storage import report_files  # noqa: PLC0415
    from pipulate.storage.check import check_runs, check_sqlite_file  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.records.check import check_records  # noqa: PLC0415
    from pipulate.storage.records.files import check_files  # noqa: PLC0415

    settings = settings_from(data=data)
    problems: list[str] = []
    if settings.database_url is None and layout_of(settings).database.exists():
        problems += check_sqlite_file(layout_of(settings).database)
    if not problems:
        with reading(settings) as (_, tx, files):
            problems += [
                *check_runs(tx, files),
                *check_records(tx),
                *report_files.check(tx, files),
                *check_files(tx, files),
            ]
    if as_json:
        show_json({"ok": not problems, "problems": problems})
    else:
        for problem in problems:
            say(problem)
    if problems:
        count = "One problem was" if len(problems) == 1 else f"{len(problems)} problems were"
        raise Failed(f"{count} found. A backup can be put in place with: {program()} db restore FILE")
    if not as_json:
        click.echo("Everything holds together.")
