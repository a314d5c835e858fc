"""Tables with search, sort and pages. They work as plain links and forms; with our script they answer in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipulate.ui.html import (
    Element,
    Html,
    a,
    button,
    div,
    form,
    input_,
    join,
    label,
    nav,
    noscript,
    p,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
)
from pipulate.ui.place import Place
from pipulate.workflows.views.preview import PAGE
from pipulate.workflows.views.tables import Found, Query

_caption = Element("caption")
_FEW = 5
"""Tables of no more rows need no search."""


@dataclass(frozen=True, slots=True)
class TableView:
    """A table as it is shown.

    Attributes:
        columns: Heading and kind of each column that is shown.
        width: How many there are in all.
        found: The page.
        query: What was asked for.
        place: Where the result stands, or None where it cannot be asked for more.
        part: Number of the table in the result.
    """

    columns: Sequence[tuple[str, str]]
    width: int
    found: Found
    query: Query
    place: Place | None
    part: int = 0

    @property
    def base(self) -> str:
        """What the ids begin with."""
        return self.place.anchor(self.part) if self.place else "part"

    def address(self, what: str = "table", **changed: Any) -> str:
        """Return the address of this table with something else asked for."""
        asked = {
            "find": self.query.find, "sort": _sort_text(self.query.sort, is_down=self.query.is_down),
            "page": self.query.page if self.query.page > 1 else "",
        } | changed  # fmt: skip
        return self.place.address(what, self.part, **asked) if self.place else ""


def first_page(stored: Mapping[str, Any], place: Place | None, part: int) -> TableView:
    """Return a table as the page of its run begins with it, from what is stored in the value."""
    rows, total = stored["page"], int(stored["rows"])
    found = Found(rows, total, total, 1, max(1, -(-total // PAGE)))
    columns = [(str(each["name"]), str(each["kind"])) for each in stored["columns"]]
    return TableView(columns, int(stored["width"]), found, Query(), place, part)


def data_table(view: TableView) -> Html:
    """Return a table with everything around it."""
    return div(
        _tools(view) if view.place is not None else None,
        div(table_page(view), id=f"{view.base}-rows"),
        class_="data-table",
        id=view.base,
        data_table=True,
    )


def table_page(view: TableView) -> Html:
    """Return what changes when something else is asked for: rows, pages, downloads."""
    return join(
        input_(
            type="hidden", name="sort", form=f"{view.base}-form",
            value=_sort_text(view.query.sort, is_down=view.query.is_down),
        ) if view.place else None,
        _grid(view),
        p(f"The first {len(view.columns)} of {view.width:,} columns; downloads have all of them.", class_="none")
        if len(view.columns) < view.width
        else None,
        div(_pager(view), _downloads(view), class_="table-foot") if view.place else None,
    )  # fmt: skip


def count_line(view: TableView, *, oob: bool = False) -> Html:
    """Return how many rows there are, in words; screen readers hear when it changes."""
    found = view.found
    rows = "1 row" if found.total == 1 else f"{found.total:,} rows"
    text = f"{found.count:,} of {rows}" if view.query.find else rows
    if view.query.find and not found.count:
        text += ". No row has all of these words; clear the search to see them all"
    return p(text, id=f"{view.base}-count", class_="count", role="status", hx_swap_oob="innerHTML" if oob else None)


def _tools(view: TableView) -> Html:
    if view.found.total <= _FEW:
        return div(count_line(view), class_="table-tools")
    place, base = view.place, view.base
    assert place is not None  # noqa: S101 - the caller looked
    address = place.address("table").partition("?")[0]
    search = form(
        input_(type="hidden", name="version", value=place.version),
        input_(type="hidden", name="part", value=view.part),
        label("Search this table", for_=f"{base}-find", class_="visually-hidden"),
        input_(
            type="search", name="find", id=f"{base}-find", value=view.query.find, placeholder="Search",
            autocomplete="off", dir="auto", aria_controls=f"{base}-rows",
        ),
        noscript(button("Search", class_="secondary")),
        method="get",
        action=address,
        id=f"{base}-form",
        class_="find",
        role="search",
        hx_get=address,
        hx_target=f"#{base}-rows",
        hx_trigger=f"input changed delay:150ms from:#{base}-find, submit",
        hx_sync=f"#{base}:replace",
    )  # fmt: skip
    return div(search, count_line(view), class_="table-tools")


def _grid(view: TableView) -> Html:
    classes = ["number" if kind == "number" else "" for _, kind in view.columns]
    heads = [_head(view, place, name, kind) for place, (name, kind) in enumerate(view.columns)]
    none = span("-", class_="none")
    rows = ([none if each is None else span(each, dir="auto") for each in row[: len(heads)]] for row in view.found.rows)
    return div(
        table(
            _caption(f"Table with {view.found.total:,} rows and {view.width:,} columns", class_="visually-hidden"),
            thead(tr(heads)),
            tbody(table_rows(rows, classes)),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Table",
    )


def _head(view: TableView, place: int, name: str, kind: str) -> Html:
    is_sorted = view.query.sort == place
    state = ("descending" if view.query.is_down else "ascending") if is_sorted else None
    words: Any = name or span("Row", class_="visually-hidden")
    if view.place is not None and view.found.total > 1:
        # Up, down, and as the table came.
        wanted = _sort_text(place, is_down=False)
        if is_sorted:
            wanted = "" if view.query.is_down else _sort_text(place, is_down=True)
        mark = {"ascending": "▲", "descending": "▼"}.get(state or "", "")
        words = _link(
            view, f"sort-{place}", join(words, span(mark, aria_hidden="true", class_="mark")),
            view.address(sort=wanted, page=""),
        )  # fmt: skip
    return th(words, scope="col", class_="number" if kind == "number" else None, aria_sort=state)


def _link(view: TableView, name: str, words: Any, address: str | None, **attributes: Any) -> Html:
    """Return a link that answers in place. It has an id, so that it keeps the focus when it is drawn anew."""
    if address is None:
        return a(words, id=f"{view.base}-{name}", role="link", aria_disabled="true", tabindex="-1", **attributes)
    return a(
        words, id=f"{view.base}-{name}", href=address, hx_get=address, hx_target=f"#{view.base}-rows",
        hx_sync=f"#{view.base}:replace", **attributes,
    )  # fmt: skip


def _pager(view: TableView) -> Html | None:
    found = view.found
    if found.pages == 1:
        return None
    before = view.address(page=found.page - 1 if found.page > 2 else "") if found.page > 1 else None
    after = view.address(page=found.page + 1) if found.page < found.pages else None
    return nav(
        _link(view, "before", "Previous", before, class_="button quiet"),
        span(f"Page {found.page:,} of {found.pages:,}"),
        _link(view, "after", "Next", after, class_="button quiet"),
        aria_label="Pages of the table",
        class_="pager",
    )


def _downloads(view: TableView) -> Html:
    return div(
        a("CSV", href=view.address("table.csv", page=""), download=True, class_="button quiet"),
        a("CSV for Excel", href=view.address("table.csv", page="", bom=1), download=True, class_="button quiet"),
        a("XLSX", href=view.address("table.xlsx", page=""), download=True, class_="button quiet"),
        class_="downloads",
        role="group",
        aria_label="Download what is found",
    )


def _sort_text(sort: int | None, *, is_down: bool) -> str:
    return "" if sort is None else f"{'-' if is_down else ''}{sort}"
