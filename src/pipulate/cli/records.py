"""`pipulate records`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from pipulate._program import program
from pipulate.cli.plugins import loaded
from pipulate.cli.shared import (
    Failed,
    Group,
    ask_server,
    data_option,
    json_option,
    layout_of,
    log_to_stderr,
    plugins_option,
    reading,
    say,
    settings_from,
    show_json,
    show_table,
    writing,
)

if TYPE_CHECKING:
    from pipulate.crud.resource import Resource
    from pipulate.storage.database import Database
    from pipulate.storage.files import FileStore

NO_APP: Final = "no app declares it"


@click.group(cls=Group)
def records() -> None:
    """List the tables of records; bring one to what its app declares."""
    log_to_stderr("error")


@records.command(name="list")
@data_option
@plugins_option
@json_option
def list_(data: Path | None, plugins: Path | None, as_json: bool) -> None:
    """List the tables, and what is different from what apps declare."""
    from pipulate.crud import fitting  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.records import catalog  # noqa: PLC0415
    from pipulate.storage.records.fitting import count  # noqa: PLC0415

    settings = settings_from(data=data, plugins=plugins)
    with loaded(settings) as table:
        declared = {name: each.resource for name, each in table.by_app.items() if each.resource is not None}
    lines: list[dict[str, Any]] = []
    with reading(settings) as (_, tx, _files):
        for name in catalog.names(tx):
            stored = catalog.stored(tx, name)
            assert stored is not None  # noqa: S101 - its name was just read
            app = declared.get(name)
            differences = fitting.in_words(catalog.difference(stored, app.shape)) if app is not None else [NO_APP]
            lines.append({"name": name, "records": count(tx, stored), "differences": differences})
    if as_json:
        show_json(lines)
        return
    show_table(
        ("NAME", "RECORDS", "FITS"),
        [(each["name"], f"{each['records']:,}", "; ".join(each["differences"]) or "yes") for each in lines],
        empty="There are no records yet.",
    )
    if any(each["differences"] not in ([], [NO_APP]) for each in lines):
        say(f"\nTo bring a table to what its app declares: {program()} records fit NAME")


@records.command()
@click.argument("name")
@click.option("--rename", "renames", multiple=True, metavar="OLD=NEW", help="This field is called NEW now. Repeatable.")
@click.option("--drop", "drops", multiple=True, metavar="FIELD", help="This field goes, with its values. Repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
@plugins_option
@json_option
def fit(
    name: str,
    renames: tuple[str, ...],
    drops: tuple[str, ...],
    yes: bool,
    data: Path | None,
    plugins: Path | None,
    as_json: bool,
) -> None:
    """Bring the table NAME to what its app declares.

    Says what that means, and asks; then makes a backup of everything in the folder `backups` of the data folder, and
    changes this one table. Other tables are not touched. Works while the server runs.

    A field that is gone may be a new one under another name: --rename or --drop says which. New fields get the default
    they have in the file. Records that would break a rule of it are named, and nothing is changed.
    """
    settings = settings_from(data=data, plugins=plugins)
    renamed = dict(_pair(each) for each in renames)
    fitted = _Fitting(settings, name, renamed, drops)
    planned = fitted.done(is_trial=True)
    if not as_json:
        _show(name, planned)
    if not yes:
        click.confirm(f"Do this to {planned['records']:,} records, after a backup?", abort=True, err=as_json)
    file = _backup(settings, name)
    answer = fitted.done(is_trial=False)
    if as_json:
        show_json({"name": name, "backup": str(file), **answer})
    else:
        say(f"Done. As it was before, everything is in {file}.")


def _show(name: str, planned: Mapping[str, Any]) -> None:
    say(f"The table of {name!r}, {planned['records']:,} records:")
    for line in planned["said"]:
        say(f"  {line}")
    if planned["remarks"]:
        say("Not right today, and left as it is:")
        for line in planned["remarks"]:
            say(f"  {line}")


class _Fitting:
    """Brings a table to what is declared: through the server where one runs, else by itself."""

    def __init__(self, settings: Any, name: str, renamed: Mapping[str, str], dropped: Sequence[str]) -> None:
        self._settings, self._name, self._renamed, self._dropped = settings, name, renamed, dropped
        self._resource: Resource[Any] | None = None

    def done(self, *, is_trial: bool) -> dict[str, Any]:
        """Do it, or only say what it means."""
        form = {
            "name": self._name, "renamed": json.dumps(self._renamed), "dropped": json.dumps(self._dropped),
            "trial": "1" if is_trial else "",
        }  # fmt: skip
        answer = ask_server(self._settings, "fit-records", form)
        if answer is not None:
            return answer
        with writing(self._settings) as (db, files):
            return self._here(db, files, is_trial=is_trial)

    def _here(self, db: Database, files: FileStore, *, is_trial: bool) -> dict[str, Any]:
        from pipulate.crud import fitting  # noqa: PLC0415 - help needs none of this
        from pipulate.crud.resource import install  # noqa: PLC0415

        self._resource = self._resource or _declared(self._settings, self._name)
        install(self._resource, files)
        if is_trial:
            looked = db.read_now(fitting.look, self._resource, self._renamed, self._dropped)
        else:
            looked = db.write_now(fitting.fit, self._resource, self._renamed, self._dropped)
        return {"said": list(looked.plan.said), "records": looked.records, "remarks": list(looked.remarks)}


def _declared(settings: Any, name: str) -> Resource[Any]:
    with loaded(settings) as table:
        found = table.by_app.get(name)
        if found is not None and found.resource is not None and not found.is_old:
            return found.resource
        broken = [each.file.name for each in table.plugins if each.findings]
    also = f" What is wrong with {', '.join(broken)} says: {program()} plugins" if broken else ""
    raise Failed(f"No app in {settings.plugins} declares the records {name!r}.{also}")


def _backup(settings: Any, name: str) -> Path:
    """Write a backup of everything; return where it is."""
    from pipulate._clock import SystemClock  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.archive import backup  # noqa: PLC0415

    clock = SystemClock()
    folder = layout_of(settings).backups
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{clock.now():%Y%m%dT%H%M%S%f}-before-fit-{name}.zip"
    with reading(settings) as (source, _, files):
        backup(source, files, file, clock)
    return file


def _pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        raise click.BadParameter(f"{text!r} is not of the form OLD=NEW.", param_hint="--rename")
    return old, new
