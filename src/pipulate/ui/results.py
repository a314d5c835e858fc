"""What a step returned, as people see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipulate.ui.html import (
    Html,
    button,
    code,
    dd,
    div,
    dl,
    dt,
    join,
    li,
    p,
    span,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
    ul,
)
from pipulate.ui.markdown import markdown

_LONG_TEXT = 1_500  # characters; longer results are folded
_LONG_TREE = 24  # lines
_DEEP = 12  # levels; deeper ones are shown as text
_ROWS = 500
_INLINE = 12  # plain values; longer lists get a line each


def result(view: str, output: Any) -> Html | None:
    """Return a result drawn by its kind; None where there is nothing to show."""
    if view == "none" or output is None:
        return None
    if view == "number":
        return p(number(output), class_="result number")
    if view == "bool":
        return p("Yes" if output else "No", class_="result")
    if view == "markdown":
        return fold(div(markdown(str(output)), class_="prose"), is_long=len(str(output)) > _LONG_TEXT)
    if view == "tree":
        return fold(tree(output), is_long=_lines(output) > _LONG_TREE)
    return fold(div(str(output), class_="text", dir="auto"), is_long=len(str(output)) > _LONG_TEXT)


def fold(content: Html, *, is_long: bool) -> Html:
    """Return a result that shows its beginning and opens on request, where it is long."""
    if not is_long:
        return div(content, class_="result")
    return div(
        div(content, class_="folded"),
        button("Show all", type="button", class_="quiet", data_unfold=True, aria_expanded="false"),
        class_="result",
    )


def number(value: Any) -> str:
    """Return a number with its thousands apart, and at most six digits behind the point."""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        text = f"{value:,.6f}".rstrip("0").rstrip(".")
        return text if abs(value) >= 1e-6 or value == 0 else f"{value:g}"
    return str(value)


def tree(value: Any, depth: int = 0) -> Html:
    """Return any JSON value as a readable tree; a list of alike rows becomes a table."""
    if depth > _DEEP:
        return code(str(value)[:200])
    if isinstance(value, Mapping):
        if not value:
            return span("(empty)", class_="none")
        return dl([(dt(str(name)), dd(tree(each, depth + 1))) for name, each in value.items()], class_="tree")
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if not value:
            return span("(empty)", class_="none")
        if len(value) <= _INLINE and all(not isinstance(each, Mapping | list | tuple) for each in value):
            return span(join(*(join(", " if index else "", _leaf(each)) for index, each in enumerate(value))))
        columns = _columns(value)
        return _rows(value, columns) if columns else _list(value, depth)
    return _leaf(value)


def _list(values: Sequence[Any], depth: int) -> Html:
    more = p(f"The first {_ROWS} of {len(values):,}.", class_="none") if len(values) > _ROWS else None
    return join(ul([li(tree(each, depth + 1)) for each in values[:_ROWS]], class_="tree"), more)


def _leaf(value: Any) -> Html:
    if value is None:
        return span("none", class_="none")
    if isinstance(value, bool):
        return span("yes" if value else "no")
    if isinstance(value, int | float):
        return span(number(value), class_="number")
    return span(str(value), class_="text", dir="auto")


def _columns(rows: Sequence[Any]) -> list[str]:
    """Return the columns of a list of alike mappings of plain values, or nothing where it is no table."""
    if not all(isinstance(row, Mapping) and row for row in rows):
        return []
    columns = list(rows[0])
    plain = all(not isinstance(each, Mapping | list) for row in rows for each in row.values())
    return columns if plain and all(list(row) == columns for row in rows) else []


def _rows(rows: Sequence[Mapping[str, Any]], columns: list[str]) -> Html:
    shown = rows[:_ROWS]
    numeric = ["number" if all(_is_number(row[name]) for row in shown) else "" for name in columns]
    return div(
        table(
            thead(
                tr([th(name, scope="col", class_=kind or None) for name, kind in zip(columns, numeric, strict=True)])
            ),
            tbody(table_rows(([_leaf(row[name]) for name in columns] for row in shown), numeric)),
        ),
        p(f"The first {_ROWS} of {len(rows):,} rows.", class_="none") if len(rows) > _ROWS else None,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Table",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(1 + _lines(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return sum(max(1, _lines(each)) for each in value)
    return 1
