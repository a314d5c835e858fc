"""Lists of runs and apps: the home page, the page of an app, the bin, the search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipulate.storage.ledger import RunRow
from pipulate.ui.html import (
    Html,
    a,
    button,
    div,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    label,
    li,
    p,
    section,
    small,
    span,
    strong,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
    ul,
)
from pipulate.ui.story import Titles
from pipulate.ui.words import moment, person


@dataclass(frozen=True, slots=True)
class AppLink:
    """An app as menus and lists show it.

    Attributes:
        title, description, address: What it is called, what it is for in a sentence, where it is.
        has_line_above: Whether the menu has a line above it.
        icon: A sign before the title, or "".
    """

    title: str
    description: str
    address: str
    has_line_above: bool = False
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Runs:
    """A list of runs to show.

    Attributes:
        rows: The runs.
        addresses: Run id -> address; runs of apps that are not installed have one too.
        workflows: Stored app name -> workflow.
        older: Address of the next page, or None.
        words: What was searched for.
    """

    rows: Sequence[RunRow]
    addresses: Mapping[str, str]
    workflows: Mapping[str, Titles]
    older: str | None = None
    words: str = ""


def _icon(app: AppLink) -> Html | None:
    return span(app.icon, class_="icon", aria_hidden="true") if app.icon else None


def home(apps: Sequence[AppLink], runs: Runs, viewer: str, now: datetime, *, broken: Sequence[str] = ()) -> Html:
    """Return the first page: the apps, the plugin files that are no app for a mistake, what was worked on last."""
    return join(
        header(
            h1("Apps"), p("Pick what you want to do. Everything you do is kept.", class_="lead"), class_="page-head"
        ),
        ul(
            (li(a(_icon(app), strong(app.title), span(app.description), href=app.address)) for app in apps),
            class_="apps",
        )
        if apps
        else p("No app is installed. ", a("See why", href="/-/plugins"), ".", class_="none"),
        p("There is a mistake in ", ", ".join(broken), ". ", a("See what it is", href="/-/plugins"), ".", class_="none")
        if broken
        else None,
        section(h2("Recent runs"), runs_table(runs, viewer, now, with_app=True), class_="recent")
        if runs.rows
        else None,
    )


def landing(
    app: AppLink, offered: str, typed: str, problem: str | None, runs: Runs, viewer: str, now: datetime, *, binned: int
) -> Html:
    """Return the page of an app: what it does, one field with the offered key, what was done lately."""
    return join(
        header(
            h1(_icon(app), app.title),
            p(app.description, class_="lead") if app.description else None,
            class_="page-head",
        ),
        form(
            label("Key", for_="key"),
            div(
                input_(
                    id="key", name="key", value=typed or offered, autofocus=True, autocomplete="off", dir="auto",
                    aria_invalid="true" if problem else None,
                    aria_describedby="key-problem key-help" if problem else "key-help",
                ),
                button("Start", class_="primary"),
                class_="inline",
            ),
            small(problem, id="key-problem", class_="problem", role="alert") if problem else None,
            small("How you find the run again. A key that exists opens its run.", id="key-help", class_="help"),
            input_(type="hidden", name="offered", value=offered),
            method="post",
            action=app.address,
            class_="start",
        ),
        section(
            header(
                h2("Recent runs"),
                _search(app.address, runs.words) if runs.rows or runs.words else None,
                class_="list-head",
            ),
            div(runs_part(runs, viewer, now), id="runs"),
            p(a("Bin", href="/-/bin"), f" ({binned})", class_="help") if binned else None,
            class_="recent",
        )
        if runs.rows or runs.words or binned
        else p("No runs yet. Start the first one above.", class_="none"),
    )  # fmt: skip


def runs_part(runs: Runs, viewer: str, now: datetime) -> Html:
    """Return the table of runs with its way to older ones, or what to do where nothing was found."""
    if not runs.rows and runs.words:
        return p(f"No key contains “{runs.words}”. Clear the search to see all runs.", class_="none")
    return join(
        runs_table(runs, viewer, now),
        p(a("Older runs", href=runs.older, class_="button quiet")) if runs.older else None,
    )


def runs_table(runs: Runs, viewer: str, now: datetime, *, with_app: bool = False) -> Html:
    """Return runs as a table: key, state, last change, by whom."""
    head = ["Key", *(["App"] if with_app else []), "State", "Last change", "By"]
    return table(
        thead(tr(th(name, scope="col") for name in head)),
        tbody(
            table_rows(
                (
                    [
                        a(row.key, href=runs.addresses.get(row.id), dir="auto"),
                        *([_title(runs, row)] if with_app else []),
                        state_words(row, runs.workflows.get(row.app)),
                        moment(row.updated_at, now),
                        person(row.updated_by, viewer),
                    ]
                    for row in runs.rows
                ),
                ("key", *(["app"] if with_app else []), "state", "when", "who"),
            )
        ),
        class_="runs",
    )


def state_words(row: RunRow, workflow: Titles | None) -> str:
    """Return where a run stands."""
    if row.locked_at is not None:
        return "Locked"
    if row.open_step is None:
        return "Finished" if row.version > 1 else "Started"
    step = workflow.find(row.open_step) if workflow else None
    return f"At {step.title if step else row.open_step}"


def bin_page(runs: Runs, now: datetime, days: int) -> Html:
    """Return what was deleted, with the way back and the way out."""
    return join(
        header(
            h1("Bin"),
            p(f"Deleted runs stay here for {days} days and can be taken back.", class_="lead"),
            class_="page-head",
        ),
        table(
            thead(tr(th(name, scope="col") for name in ("Key", "App", "Deleted", ""))),
            tbody(
                table_rows(
                    (
                        [
                            span(row.key, dir="auto"),
                            _title(runs, row),
                            moment(row.deleted_at or row.updated_at, now),
                            join(
                                _post(row, "Take back", "undelete"), _post(row, "Erase for good", "purge", danger=True)
                            ),
                        ]
                        for row in runs.rows
                    ),
                    ("key", "app", "when", "row-actions"),
                )
            ),
            class_="runs",
        )
        if runs.rows
        else p("The bin is empty.", class_="none"),
        p(a("Older", href=runs.older, class_="button quiet")) if runs.older else None,
    )


@dataclass(frozen=True, slots=True)
class Hit:
    """Something a search found: what it is, what people call it, its address."""

    kind: str
    text: str
    address: str


def found(apps: Sequence[AppLink], runs: Runs, records: Sequence[Hit], commands: Sequence[AppLink], words: str) -> Html:
    """Return what a search found, as one list the arrow keys walk through."""
    items = [
        *[_hit("App", app.title, app.address) for app in apps],
        *[_hit(_title(runs, row), row.key, runs.addresses[row.id]) for row in runs.rows],
        *[_hit(each.kind, each.text, each.address) for each in records],
        *[_hit("Go to", each.title, each.address) for each in commands],
    ]
    if not items:
        return p(f"Nothing has “{words}” in its name.", class_="none")
    return ul(items, class_="hits")


def _hit(kind: str, text: str, address: str) -> Html:
    return li(a(span(text, class_="hit", dir="auto"), span(kind, class_="kind"), href=address))


def _title(runs: Runs, row: RunRow) -> str:
    workflow = runs.workflows.get(row.app)
    return workflow.title if workflow else row.app


def _search(address: str, words: str) -> Html:
    return form(
        input_(
            type="search", name="find", value=words, placeholder="Find a key", aria_label="Find a key", dir="auto",
            hx_get=address, hx_trigger="input changed delay:150ms, search", hx_target="#runs", hx_select="#runs",
            hx_swap="outerHTML", hx_sync="this:replace", hx_push_url="false",
        ),
        method="get",
        action=address,
        role="search",
        class_="find",
    )  # fmt: skip


def _post(row: RunRow, words: str, name: str, *, danger: bool = False) -> Html:
    return form(
        button(words, span(f" {row.key}", class_="visually-hidden"), class_="quiet danger" if danger else "quiet"),
        method="post",
        action=f"/-/runs/{row.id}/{name}",
        data_confirm=f"Erase {row.key} with its whole history? This cannot be undone." if danger else None,
    )
