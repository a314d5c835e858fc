"""How what was found is shown on the page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pipulate.sheets.kinds import KINDS
from pipulate.ui import (
    Html,
    dd,
    details,
    div,
    dl,
    dt,
    h3,
    join,
    mark,
    p,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
)

if TYPE_CHECKING:
    from pipulate.builtin.clean_csv import InTheFile, Preview

COLUMNS_SHOWN = 30
_SIGNS = 120
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def shown(text: str) -> str:
    """Return text of a file as it may stand on a page and in the store: short, on one line, no control characters."""
    plain = _CONTROL.sub("\ufffd", text.replace("\r\n", " ").replace("\n", " ").replace("\t", " "))
    return plain if len(plain) <= _SIGNS else f"{plain[: _SIGNS - 1]}…"


def shown_row(cells: Sequence[str]) -> list[str]:
    """Return the cells of a row in the same way, not more than `COLUMNS_SHOWN`."""
    return [shown(cell) for cell in cells[:COLUMNS_SHOWN]]


def first_rows(rows: list[list[str]], title: str) -> Html:
    """Draw the header and some rows."""
    names, *others = rows or [[]]
    width = max((len(row) for row in rows), default=0)
    if not others:
        return p("There are no rows below the header.")
    return join(
        h3(title), div(_table(_padded(names, width), [_padded(row, width) for row in others]), class_="csv-rows")
    )


def findings(found: InTheFile) -> Html:
    """Draw what is in a file."""
    counts = [("Rows", found.rows), ("Columns", len(found.columns)), ("Bad rows", found.bad_rows)]
    if found.empty_rows:
        counts.append(("Empty rows", found.empty_rows))
    columns = [
        [span(each.name, dir="auto"), KINDS[each.kind], _filled(each.filled, found.rows), ", ".join(each.examples)]
        for each in found.columns[:100]
    ]
    more = len(found.columns) - len(columns)
    return join(
        _tiles(counts),
        h3("Columns"),
        _table(["Name", "Kind", "Filled", "For example"], columns),
        p(f"And {more} more columns.") if more > 0 else None,
        _bad_rows(found),
    )


def _bad_rows(found: InTheFile) -> Html:
    if not found.bad_rows:
        return p("No bad rows: every row has the same columns, and every value is of the kind of its column.")
    reasons = [[span(reason, dir="auto"), f"{number:,}"] for reason, number in found.reasons.items()]
    rows = [[each.line, "; ".join(each.reasons), " │ ".join(each.cells)] for each in found.bad]
    more = found.bad_rows - len(rows)
    return join(
        h3("What is wrong"),
        _table(["Reason", "Rows"], reasons),
        details(
            summary(f"The first {len(rows)} bad rows" if more > 0 else "The bad rows"),
            _table(["Line", "Reason", "What stands there"], rows),
            p(f"And {more:,} more. All of them are in the file of rows left out, at the end.") if more > 0 else None,
        ),
    )


def before_and_after(found: Preview) -> Html:
    """Draw rows before and after, with what changed marked."""
    whole = "all rows" if found.is_whole else "the first 2,000 rows"
    if not found.rows:
        return p("There are no rows.")
    columns = found.columns[:COLUMNS_SHOWN]
    rows = [row for each in found.rows for row in _two(each, len(columns))]
    is_same = not any(each.changed or each.reasons for each in found.rows)
    return join(
        _tiles(found.counts),
        p(f"Counted in {whole}. ", "Nothing changes in them." if is_same else "What changes is marked."),
        div(
            table(thead(tr(th(name, scope="col") for name in ("Line", "", *columns))), tbody(rows)),
            class_="scroll csv-rows",
        ),
    )


def _two(row: Any, width: int) -> Iterable[Html]:
    """Yield a row as it was and as it is; one that stays as it is, once."""
    if not row.changed and not row.reasons:
        yield tr(td(row.line, class_="number"), td("as it is"), [td(cell, dir="auto") for cell in row.before])
        return
    yield tr(td(row.line, class_="number"), td("before"), [td(cell, dir="auto") for cell in row.before])
    if row.reasons:
        what = "left out" if row.after is None else "kept as it is"
        yield tr(td(), td(what), td(mark("; ".join(row.reasons)), colspan=max(1, width)))
        return
    cells = [mark(cell or "(empty)") if place in row.changed else cell for place, cell in enumerate(row.after or ())]
    yield tr(td(), td("after"), [td(cell, dir="auto") for cell in cells])


def _filled(filled: int, rows: int) -> str:
    return "all" if filled >= rows else "none" if not filled else f"{filled:,} of {rows:,}"


def _tiles(counts: Iterable[tuple[str, int]]) -> Html:
    return dl((div(dt(title), dd(f"{number:,}")) for title, number in counts), class_="tiles")


def _table(names: Sequence[Any], rows: Iterable[Sequence[Any]]) -> Html:
    body = [tr(td(cell, dir="auto") for cell in row) for row in rows]
    return div(table(thead(tr(th(name, scope="col", dir="auto") for name in names)), tbody(body)), class_="scroll")


def _padded(cells: list[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]
