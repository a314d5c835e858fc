"""What several commands need: options, settings, the store, the running server."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from pipulate._program import installing, program

if TYPE_CHECKING:
    from pipulate.settings import Settings
    from pipulate.storage.database import Database, Transaction
    from pipulate.storage.files import FileStore
    from pipulate.storage.folder import Layout
    from pipulate.storage.tables import Source

_ANSWER_S = 30
_JOINERS = "\u200c\u200d\ufe0f"  # Invisible, but emoji and many scripts need them.
F = TypeVar("F", bound=Callable[..., Any])


class Failed(click.ClickException):
    """A command was not done; the reason is the message, and none where it was printed already."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the reason."""
        if self.message:
            click.echo(printable(f"pipulate: {self.message}"), err=file is None, file=file)


class InUse(Failed):
    """Another process has the data folder."""

    exit_code = 3


class Interrupted(Failed):
    """Ctrl C came before the command was done."""

    exit_code = 130


class Group(click.Group):
    """Commands, listed in the order they were added: what one begins with comes first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(self.commands)


class Commands(Group):
    """All commands; what goes wrong in any of them becomes a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        from pipulate.errors import FolderInUseError, PipulateError  # noqa: PLC0415

        try:
            return super().invoke(ctx)
        except FolderInUseError as error:
            raise InUse(str(error)) from error
        except PipulateError as error:
            raise Failed(str(error)) from error
        except KeyboardInterrupt:
            raise Interrupted("Stopped.") from None
        except click.Abort:
            raise Failed("Nothing was changed.") from None
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in ("psycopg", "psycopg_pool"):
                raise
            raise Failed(f"PostgreSQL needs more packages: {installing('psycopg')}") from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # Whoever read our output had enough of it.
                raise
            place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
            raise Failed(f"{place}{error.strerror or error}.") from error


def data_option(command: F) -> F:
    """Add --data."""
    return click.option(
        "--data", type=click.Path(path_type=Path), help="Folder that holds everything that is stored (default: ./data)."
    )(command)


def plugins_option(command: F) -> F:
    """Add --plugins."""
    return click.option(
        "--plugins",
        type=click.Path(path_type=Path),
        help="Folder whose Python files are the apps (default: ./plugins).",
    )(command)


def port_option(help_text: str) -> Callable[[F], F]:
    """Add --port."""
    return click.option("--port", type=click.IntRange(0, 65535), metavar="NUMBER", help=help_text)


def limit_option(what: str) -> Callable[[F], F]:
    """Add --limit; `what` is listed."""
    return click.option(
        "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), metavar="NUMBER",
        help=f"Most {what} listed.",
    )  # fmt: skip


def json_option(command: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(command)


def settings_from(**given: Any) -> Settings:
    """Return the settings, with what the command line gave."""
    from pipulate.settings import read_settings  # noqa: PLC0415 - brings pydantic, which help does not need

    return read_settings(os.environ, **given)


def log_to_stderr(level: str = "warning") -> None:
    """Keep standard output free for what the command prints."""
    from pipulate import _log  # noqa: PLC0415

    _log.configure(level, stream=sys.stderr)


def layout_of(settings: Settings) -> Layout:
    """Return where things are in the data folder."""
    from pipulate.storage.folder import Layout  # noqa: PLC0415

    return Layout(settings.data.resolve())


@contextlib.contextmanager
def reading(settings: Settings) -> Iterator[tuple[Source, Transaction, FileStore]]:
    """Open the store to be looked at, whether or not a server runs on it."""
    from pipulate.storage.files import FileStore  # noqa: PLC0415
    from pipulate.storage.migrate import postgres_revision, sqlite_revision  # noqa: PLC0415
    from pipulate.storage.tables import reading_postgres, reading_sqlite  # noqa: PLC0415

    layout = layout_of(settings)
    files = FileStore(layout.files)
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        _check_readable(postgres_revision(url), "the database")
        with reading_postgres(url) as (postgres, tx):
            yield postgres, tx, files
        return
    _check_readable(sqlite_revision(layout.database), str(layout.root))
    with reading_sqlite(layout.database) as (sqlite, tx):
        yield sqlite, tx, files


def _check_readable(revision: str | None, place: str) -> None:
    from pipulate.storage.migrate import check_revision  # noqa: PLC0415

    if revision is None:
        raise Failed(f"There is nothing stored in {place} yet. Start with: {program()} run")
    if check_revision(revision):
        raise Failed("The tables are of an older version. Bring them up to date first: pipulate db migrate")


@contextlib.contextmanager
def writing(settings: Settings) -> Iterator[tuple[Database, FileStore]]:
    """Open the store to be changed; nobody else may hold the data folder."""
    from pipulate.app import open_database  # noqa: PLC0415
    from pipulate.storage.files import FileStore  # noqa: PLC0415
    from pipulate.storage.folder import FolderLock  # noqa: PLC0415
    from pipulate.storage.restore import finish_restore  # noqa: PLC0415

    layout = layout_of(settings)
    layout.make()
    with FolderLock(layout):
        finish_restore(layout)
        db = open_database(settings, layout)
        try:
            yield db, FileStore(layout.files)
        finally:
            db.close()


def ask_server(settings: Settings, what: str, form: Mapping[str, str]) -> dict[str, Any] | None:
    """Ask the server that runs on the data folder; None where none runs.

    Raises:
        Failed: If it does not do it; with its reason.
    """
    from pipulate.storage.folder import is_held  # noqa: PLC0415

    layout = layout_of(settings)
    if not is_held(layout):
        return None
    try:
        server = json.loads(layout.server.read_text())
        if int(layout.lock.read_text()) != server["pid"]:  # Left behind by one that was killed.
            return None
        port, secret = int(server["port"]), json.loads((layout.root / "capability.json").read_text())["secret"]
    except (OSError, KeyError, ValueError):
        return None  # Whoever holds the folder is no server, or not one yet.
    try:
        return _ask("127.0.0.1", port, secret, what, form)
    except ConnectionRefusedError:
        with contextlib.suppress(OSError):
            return _ask("[::1]", port, secret, what, form)
    except (OSError, ValueError) as error:
        raise Failed(f"The server that runs on {layout.root} does not answer ({error}).") from error
    raise Failed(f"The server that runs on {layout.root} does not answer.")


def _ask(host: str, port: int, secret: str, what: str, form: Mapping[str, str]) -> dict[str, Any]:
    from urllib.error import HTTPError, URLError  # noqa: PLC0415
    from urllib.parse import urlencode  # noqa: PLC0415
    from urllib.request import ProxyHandler, Request, build_opener  # noqa: PLC0415

    request = Request(
        f"http://{host}:{port}/-/control/{what}",
        data=urlencode(form).encode(),
        headers={"authorization": f"Bearer {secret}"},
    )
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=_ANSWER_S) as answer:
            result: dict[str, Any] = json.load(answer)
            return result
    except HTTPError as error:
        raise Failed(_reason(error)) from error
    except URLError as error:
        raise (error.reason if isinstance(error.reason, OSError) else error) from error


def show_json(value: Any) -> None:
    """Print a value as JSON, in ASCII: safe at a terminal, and the same whatever the terminal's encoding."""
    click.echo(json.dumps(value, indent=2, default=str))


def say(text: str) -> None:
    """Print text, control characters made visible."""
    click.echo(printable(text))


def show_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows under a head, columns aligned; the sentence `empty` where there are none."""
    if not rows:
        click.echo(empty)
        return
    cells = [[printable(cell).replace("\n", " ") for cell in row] for row in (head, *rows)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        line = "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def printable(text: str) -> str:
    """Return text in which nothing can steer a terminal or turn the direction of writing; line ends stay."""
    return "".join(each if each.isprintable() or each in _JOINERS or each == "\n" else "\ufffd" for each in text)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    seen = [each for each in text if unicodedata.category(each) not in ("Mn", "Me", "Cf")]
    return len(seen) + sum(unicodedata.east_asian_width(each) in "WF" for each in seen)


def _reason(error: Any) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, OSError):
        return f"The server refused ({error.code})."
