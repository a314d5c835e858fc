"""The page with all that a person did and was told: runs, messages, records; newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from pipulate.storage.chronicle import Kind, Line, Place, Said
from pipulate.storage.ledger import RunRow
from pipulate.storage.records.operations import OperationRow
from pipulate.ui.done import Tables, told_with_link
from pipulate.ui.html import (
    Html,
    a,
    button,
    div,
    form,
    h1,
    header,
    input_,
    join,
    label,
    option,
    p,
    select,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
)
from pipulate.ui.lists import state_words
from pipulate.ui.story import Titles
from pipulate.ui.words import moment, person

ADDRESS: Final = "/-/history"
SHORT: Final = 160
"""Characters of a message in the list."""

_KINDS: Final[Mapping[Kind | None, str]] = {
    None: "Everything", "message": "Messages", "records": "Records", "run": "Runs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page was asked for; `is_everywhere` says that all profiles are shown."""

    kind: Kind | None = None
    words: str = ""
    is_everywhere: bool = False

    def address(self, before: Place | None = None) -> str:
        """Return the address of the page with this choice, from a line on."""
        asked = {
            "find": self.words, "kind": self.kind or "", "profile": "all" if self.is_everywhere else "",
            "before": "~".join(before) if before is not None else "",
        }  # fmt: skip
        query = urlencode({name: text for name, text in asked.items() if text})
        return f"{ADDRESS}?{query}" if query else ADDRESS


@dataclass(frozen=True, slots=True)
class Chronicle:
    """A page of it.

    Attributes:
        chosen: What was asked for.
        lines: Newest first.
        older: Where the next page begins, or None.
        addresses: Run id -> address.
        workflows: Stored app name -> app.
        tables: The tables of records.
        profiles: Profile id -> name, of those that may be shown.
        is_alone: Whether one profile is shown alone.
    """

    chosen: Chosen
    lines: Sequence[Line]
    older: Place | None
    addresses: Mapping[str, str]
    workflows: Mapping[str, Titles]
    tables: Tables
    profiles: Mapping[str, str]
    is_alone: bool = False


def chronicle_page(shown: Chronicle, viewer: str, now: datetime) -> Html:
    """Return the page."""
    return join(
        header(
            h1("History"),
            p("What you did and were told: runs, messages and records, the newest first.", class_="lead"),
            class_="page-head",
        ),
        _filters(shown),
        _lines(shown, viewer, now)
        if shown.lines
        else p("Nothing has these words." if shown.chosen.words else "Nothing has happened yet.", class_="none"),
        p(a("Older", href=shown.chosen.address(shown.older), class_="button quiet")) if shown.older else None,
    )


def _filters(shown: Chronicle) -> Html:
    chosen = shown.chosen
    return form(
        div(
            input_(
                type="search",
                name="find",
                value=chosen.words,
                placeholder="Search",
                aria_label="Search the history",
                dir="auto",
                autocomplete="off",
            ),
            class_="find",
        ),
        label("Show", for_="history-kind"),
        select(
            (option(words, value=kind or "", selected=kind == chosen.kind) for kind, words in _KINDS.items()),
            id="history-kind",
            name="kind",
        ),
        None if shown.is_alone else label("Profile", for_="history-profile"),
        None
        if shown.is_alone
        else select(
            option("The chosen one", value="", selected=not chosen.is_everywhere),
            option("All", value="all", selected=chosen.is_everywhere),
            id="history-profile",
            name="profile",
        ),
        button("Show", class_="secondary"),
        method="get",
        action=ADDRESS,
        class_="job-filters",
        data_sends_itself=True,
    )


def _lines(shown: Chronicle, viewer: str, now: datetime) -> Html:
    has_profile = shown.chosen.is_everywhere
    head = ["What", *(["Profile"] if has_profile else []), "When", "By"]
    cells = (
        [
            _what(shown, line.of),
            *([span(shown.profiles.get(_profile_of(line.of) or "", ""), dir="auto")] if has_profile else []),
            moment(line.place.at, now),
            _by(line.of, viewer),
        ]
        for line in shown.lines
    )
    names = ("what", *(["profile"] if has_profile else []), "when", "who")
    return div(
        table(thead(tr(th(name, scope="col") for name in head)), tbody(table_rows(cells, names)), class_="runs"),
        class_="scroll",
    )


def _by(of: RunRow | Said | OperationRow, viewer: str) -> str:
    if isinstance(of, OperationRow):
        return person(of.actor, viewer, of.facts.get("via"))
    return person(of.updated_by if isinstance(of, RunRow) else of.actor, viewer)


def _profile_of(of: RunRow | Said | OperationRow) -> str | None:
    if isinstance(of, Said):
        return of.run.profile if of.run is not None else None
    return of.profile


def _what(shown: Chronicle, of: RunRow | Said | OperationRow) -> Html:
    if isinstance(of, OperationRow):
        return told_with_link(of, shown.tables)
    if isinstance(of, RunRow):
        return join(_run(shown, of), ": ", state_words(of, shown.workflows.get(of.app)))
    text = of.text if len(of.text) <= SHORT else of.text[: SHORT - 1].rstrip() + "…"
    place = join(" in ", _run(shown, of.run)) if of.run is not None else None
    return join(span(text, class_="quote", dir="auto"), place) if place else a(text, href="/", dir="auto")


def _run(shown: Chronicle, row: RunRow) -> Html:
    app = shown.workflows.get(row.app)
    return join(a(row.key, href=shown.addresses.get(row.id), dir="auto"), f" of {app.title if app else row.app}")
