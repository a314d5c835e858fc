"""`pipulate doctor`."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import socket
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from pipulate._program import installing, program
from pipulate._version import __version__
from pipulate.cli.shared import (
    Failed,
    data_option,
    json_option,
    layout_of,
    log_to_stderr,
    plugins_option,
    port_option,
    say,
    settings_from,
    show_json,
)

if TYPE_CHECKING:
    from pipulate.settings import Settings

_ROOM_BYTES = 200_000_000
_DATA = "Data folder"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: `ok`, `warn` or `fail`, what was found, and how to mend it."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    mend: str = ""


@click.command()
@data_option
@plugins_option
@port_option("Port to look at (default: 5001).")
@json_option
def doctor(data: Path | None, plugins: Path | None, port: int | None, as_json: bool) -> None:
    """Look for what is missing or wrong, and say how to mend it.

    Looks at versions, folders, the database, the front-end files and the port. Exits with 1 if something fails;
    warnings do not count.
    """
    log_to_stderr("error")
    settings = settings_from(data=data, plugins=plugins, port=port)
    checks = [*_versions(), *_assets(), *_folders(settings)]
    if all(check.state != "fail" for check in checks if check.name == _DATA):  # Otherwise there is no looking into it.
        checks += [*_files(settings), *_store(settings), *_port(settings)]
    if as_json:
        show_json([asdict(check) for check in checks])
    else:
        for check in checks:
            _show(check)
    if any(check.state == "fail" for check in checks):
        raise Failed("" if as_json else "Something has to be mended; see the lines marked fail.")


def _show(check: Check) -> None:
    """Print a check on a line of its own, and how to mend it below, as wide as the terminal is."""
    indent = " " * 23
    width = max(60, shutil.get_terminal_size().columns)
    say(f"{check.state:<5} {check.name:<16} {check.found}")
    if check.mend:
        say(textwrap.fill(check.mend, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))


def _versions() -> Iterator[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    good = sys.version_info >= (3, 11)
    yield Check("Python", "ok" if good else "fail", found, "" if good else "Install Python 3.11 or newer.")
    yield Check("Pipulate", "ok", __version__)
    yield Check("Libraries", "ok", ", ".join(f"{name} {metadata.version(name)}" for name in ("starlette", "uvicorn")))
    from pipulate.storage.sqlite import FLOOR, LIBRARY  # noqa: PLC0415 - help needs none of this

    floor = ".".join(map(str, FLOOR))
    version = ".".join(map(str, LIBRARY))
    if LIBRARY >= FLOOR:
        yield Check("SQLite", "ok", version)
    else:
        yield Check(
            "SQLite",
            "warn",
            f"{version}, older than {floor}: a rare bug can damage a database that two connections write",
            "Pipulate writes through one only, so it is safe. Other programs must open the file read-only while it"
            f" runs. A Python with SQLite {floor} or newer lifts this.",
        )


def _assets() -> Iterator[Check]:
    from pipulate.web.assets import Assets, AssetsMissingError  # noqa: PLC0415 - help needs none of this

    try:
        yield Check("Front-end files", "ok", f"{len(Assets().addresses)} files")
    except AssetsMissingError as error:
        yield Check("Front-end files", "fail", "not built", str(error))


def _folders(settings: Settings) -> Iterator[Check]:
    data = layout_of(settings).root
    for name, folder, option in ((_DATA, data, "--data"), ("Plugin folder", settings.plugins.resolve(), "--plugins")):
        place = _nearest(folder)
        if not place.is_dir():
            yield Check(name, "fail", f"{place} is a file, no folder", f"Choose another: {option}")
        elif not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            yield Check(name, "fail", f"{place} cannot be written", f"Make it writable, or choose another: {option}")
        else:
            yield Check(name, "ok", f"{folder}" + ("" if place == folder else " (made at the first start)"))
    room = os.statvfs(_nearest(data))
    free = room.f_bavail * room.f_frsize
    state: Literal["ok", "warn"] = "ok" if free > _ROOM_BYTES else "warn"
    yield Check("Room", state, f"{free / 1e9:,.1f} GB free", "" if state == "ok" else "Free some room on this disk.")


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that can be found."""
    return next(each for each in (folder, *folder.parents) if os.access(each, os.F_OK))


def _files(settings: Settings) -> Iterator[Check]:
    layout = layout_of(settings)
    secret = layout.root / "capability.json"
    for path in (layout.database, layout.files, layout.state, layout.lock, secret):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)):
            mend = f"Make it yours: chmod u+rwX {shlex.quote(str(path))}"
            yield Check("Stored files", "fail", f"{path} cannot be read and written", mend)
    if secret.exists() and secret.stat().st_mode & 0o077:
        yield Check("Secret", "fail", f"{secret} can be read by others", f"chmod 600 {shlex.quote(str(secret))}")


def _store(settings: Settings) -> Iterator[Check]:
    from pipulate.errors import StorageError, StoreUnavailableError  # noqa: PLC0415 - help needs none of this
    from pipulate.storage.migrate import REVISION, check_revision, postgres_revision, sqlite_revision  # noqa: PLC0415

    layout = layout_of(settings)
    name = "Database" if settings.database_url is None else "PostgreSQL"
    try:
        if settings.database_url is not None:
            found = postgres_revision(settings.database_url.get_secret_value())
        else:
            found = sqlite_revision(layout.database)
        needs = check_revision(found)
    except StoreUnavailableError as error:
        yield Check(name, "fail", str(error), "Check DATABASE_URL, and that the server runs.")
        return
    except StorageError as error:
        yield Check(name, "fail", str(error), f"Restore a backup: {program()} db restore FILE")
        return
    except ImportError as error:
        yield Check(name, "fail", str(error), installing("psycopg"))
        return
    if found is None:
        yield Check(name, "ok", "empty (tables are made at the first start)")
    else:
        yield Check(name, "ok", f"schema {found}" + (f", brought up to {REVISION} at the next start" if needs else ""))


def _port(settings: Settings) -> Iterator[Check]:
    from pipulate.storage.folder import is_held  # noqa: PLC0415 - help needs none of this

    layout = layout_of(settings)
    if is_held(layout):
        yield Check("Server", "ok", f"running on this data folder; {program()} link prints a link to it")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError as error:
            found = f"{settings.port} cannot be used ({error.strerror})"
            yield Check("Port", "warn", found, f"Choose another: {program()} run --port 5002")
        else:
            yield Check("Port", "ok", f"{settings.port} is free" if settings.port else "any that is free")
