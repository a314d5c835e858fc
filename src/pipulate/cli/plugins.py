"""`pipulate plugins`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

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


@click.command()
@data_option
@plugins_option
@json_option
@click.option("--check", is_flag=True, help="Exit with 1 if any plugin has a problem.")
def plugins(data: Path | None, plugins: Path | None, as_json: bool, check: bool) -> None:
    """List the plugins, their state and what is wrong with them.

    While a server runs this is what the server has loaded; otherwise, or with --plugins, the files are loaded to see.
    """
    log_to_stderr("error")
    settings = settings_from(data=data, plugins=plugins)
    answer = ask_server(settings, "plugins", {}) if plugins is None else None
    lines: list[dict[str, Any]] = answer["plugins"] if answer else _load(settings)
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


def _load(settings: Any) -> list[dict[str, Any]]:
    from pipulate.app import IN_BOX  # noqa: PLC0415 - help needs none of this
    from pipulate.plugins.host import PluginHost  # noqa: PLC0415
    from pipulate.plugins.report import as_json  # noqa: PLC0415
    from pipulate.storage.folder import is_held  # noqa: PLC0415

    layout = layout_of(settings)
    with tempfile.TemporaryDirectory() as elsewhere, contextlib.redirect_stdout(sys.stderr):  # for plugins that print
        has_memory = layout.state.is_dir() and not is_held(layout)  # A server's notes are its own.
        memory = layout.state if has_memory else Path(elsewhere)
        host = PluginHost(settings.plugins, IN_BOX, memory, limit_s=settings.import_limit_s, changed=lambda _: None)
        return as_json(host.load_now())
