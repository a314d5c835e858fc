"""The page about plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipulate.findings import Finding
from pipulate.ui.html import (
    Html,
    a,
    button,
    code,
    div,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    li,
    p,
    section,
    small,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
    ul,
)

BROKEN = ("skipped", "failed", "hanging")
"""The states of a plugin file that somebody has to do something about."""


@dataclass(frozen=True, slots=True)
class PluginLine:
    """A plugin file as its page shows it.

    Attributes:
        file: Name of the file.
        module: Its page address without the slash.
        title: Title of its app, or "".
        state: `loaded`, `failed`, `hanging`, `skipped`, `replaced`, `loading`.
        is_in_box: Whether it came with the program.
        findings: What is wrong with it.
        is_old: Whether an older version of the file is still in use because the new one fails.
    """

    file: str
    module: str
    title: str
    state: str
    is_in_box: bool
    findings: Sequence[Finding]
    is_old: bool


def plugins_page(lines: Sequence[PluginLine], folder: str, program: str) -> Html:
    """Return the list of plugin files with what is wrong with each."""
    return join(
        header(
            h1("Plugins"),
            p("Every Python file in ", code(folder), " is an app. Changes take effect when you save.", class_="lead"),
            class_="page-head",
        ),
        div(
            table(
                thead(tr(th(name, scope="col") for name in ("File", "App", "State", "What to know"))),
                tbody(table_rows((_row(line) for line in lines), ("file", "app", "state", "what"))),
                class_="runs plugins",
            ),
            class_="scroll",
        ),
        section(
            h2("Add an app"),
            p(
                "In a terminal: ",
                code(f"{program} new plugin my_app"),
                ". It writes a small app you can change at once.",
            ),
        ),
    )


def _row(line: PluginLine) -> list[Html | str]:
    retry = None
    if line.state in BROKEN:
        retry = form(
            input_(type="hidden", name="file", value=line.file),
            button("Try again", span(f" {line.file}", class_="visually-hidden"), class_="quiet"),
            method="post",
            action="/-/plugins/retry",
        )
    what = p("A file of yours has its address or its name.", class_="help") if line.state == "replaced" else None
    return [
        join(line.file, small(" in the box") if line.is_in_box else None),
        a(line.title, href=f"/{line.module}") if line.state == "loaded" else line.title,
        join(
            span(line.state.capitalize(), class_=f"plugin-state {line.state}"),
            small(" the version before is still in use") if line.is_old else None,
        ),
        join(what, ul(li(finding_line(each)) for each in line.findings) if line.findings else None, retry),
    ]


def finding_line(finding: Finding) -> Html:
    """Return one thing that is wrong with a plugin: its code, a sentence, the place."""
    place = f" {finding.file}:{finding.line}" if finding.line else ""
    return join(code(finding.code), " ", finding.message, small(place, class_="where"))
