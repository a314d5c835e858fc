"""`pipulate plugins`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipulate._program import program
from pipulate.cli.shared import (
    Failed,
    ask_server,
    data_option,
    json_option,
    layout_of,
    log_to_stderr,
    plugins_option,
    say,
    settings_from,
    show_json,
    show_table,
)

if TYPE_CHECKING:
    from pipulate.plugins.host import Table
    from pipulate.storage.database import Database


@click.command()
@data_option
@plugins_option
@json_option
@click.option(
    "--check",
    is_flag=True,
    help="Look for common mistakes in class-style plugins too; exit with 1 if there is a problem.",
)
def plugins(data: Path | None, plugins: Path | None, as_json: bool, check: bool) -> None:
    """List the plugins, their state and what is wrong with them.

    While a server runs this is what the server has loaded; otherwise, or with --plugins, the files are loaded to see.
    """
    log_to_stderr("error")
    settings = settings_from(data=data, plugins=plugins)
    answer = ask_server(settings, "plugins", {}) if plugins is None else None
    lines: list[dict[str, Any]] = answer["plugins"] if answer else _load(settings)
    if check:
        _look_for_mistakes(lines, settings)
    if as_json:
        show_json(lines)
    else:
        _show(lines)
    if check and any(line["findings"] for line in lines):
        raise Failed("")


def _show(lines: list[dict[str, Any]]) -> None:
    show_table(
        ("FILE", "APP", "STATE", "TITLE"),
        [(line["file"], line["app"] or "-", line["state"], line["title"] or "-") for line in lines],
        empty=f"There are no plugins. Write the first one with: {program()} new plugin NAME",
    )
    for line in lines:
        for finding in line["findings"]:
            where = f"{finding['file']}:{finding['line']}" if finding["line"] else finding["file"]
            say(f"\n{where}: {finding['code']} {finding['message']}")


def _look_for_mistakes(lines: list[dict[str, Any]], settings: Any) -> None:
    """Add to each plugin the mistakes that its source shows, without running it."""
    from pipulate.app import IN_BOX  # noqa: PLC0415 - help needs none of this
    from pipulate.explicit.mistakes import find  # noqa: PLC0415

    for line in lines:
        path = (IN_BOX if line["in_box"] else settings.plugins.resolve()) / line["file"]
        with contextlib.suppress(OSError):  # What cannot be read is a finding already, or in another server's folder.
            source = path.read_text(encoding="utf-8-sig", errors="replace")
            line["findings"] += [asdict(finding) for finding in find(source, str(path))]


def _load(settings: Any) -> list[dict[str, Any]]:
    from pipulate.plugins.report import as_json  # noqa: PLC0415 - help needs none of this

    with loaded(settings) as table:
        return as_json(table)


@contextlib.contextmanager
def loaded(settings: Any) -> Iterator[Table]:
    """Load the plugin files and the apps in the box, to look at what they declare."""
    from pipulate._clock import SystemClock  # noqa: PLC0415 - help needs none of this
    from pipulate.app import IN_BOX  # noqa: PLC0415
    from pipulate.explicit.entry import Explicit  # noqa: PLC0415
    from pipulate.plugins.host import PluginHost  # noqa: PLC0415
    from pipulate.storage.files import FileStore  # noqa: PLC0415
    from pipulate.storage.folder import is_held  # noqa: PLC0415

    layout = layout_of(settings)
    # An import that goes on may still write there while it is removed.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as elsewhere:
        has_memory = layout.state.is_dir() and not is_held(layout)  # A server's notes are its own.
        memory = layout.state if has_memory else Path(elsewhere)
        explicit = Explicit(
            lambda: _scratch(Path(elsewhere)), FileStore(Path(elsewhere) / "files"), SystemClock(),
            stored=lambda _: None, said=lambda *_: None, changed=lambda _: None,
        )  # fmt: skip
        host = PluginHost(
            settings.plugins, IN_BOX, memory, limit_s=settings.import_limit_s, changed=lambda _: None,
            read_class=explicit.read,
        )  # fmt: skip
        try:
            with contextlib.redirect_stdout(sys.stderr):  # for plugins that print
                table = host.load_now()
            yield table
        finally:
            host.close()
            explicit.close()


def _scratch(folder: Path) -> Database:
    """Return an empty store for plugins that look into it when they are made; the one with the data is not touched."""
    from pipulate.storage.migrate import migrate_sqlite  # noqa: PLC0415 - for class-style plugins only
    from pipulate.storage.sqlite import SqliteDatabase  # noqa: PLC0415

    migrate_sqlite(folder / "scratch.sqlite3")
    return SqliteDatabase(folder / "scratch.sqlite3")
