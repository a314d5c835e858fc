"""What the value of a table keeps beside its file, so that a page can be drawn without reading it: its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.workflows.views import cells, tagged
from pipulate.workflows.views.cells import Column

PAGE = 25
"""Rows a page of a table has."""

COLUMNS_MAX = 200
"""Columns that are shown; downloads have all of them."""


def preview(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return size, columns and first page of a table, from what is stored of it."""
    columns, leading = columns_of(content)
    shown = columns[:COLUMNS_MAX]
    rows = min(content["rows"], PAGE)
    return {
        "rows": content["rows"],
        "width": len(columns),
        "leading": leading,
        "columns": [{"name": each.name, "kind": each.kind} for each in shown],
        "page": [[text_of(each, row) for each in shown] for row in range(rows)],
    }


def columns_of(content: Mapping[str, Any]) -> tuple[list[Column], int]:
    """Return the columns that people see, and how many of them are the index. Plain row numbers are not shown."""
    index = _index_columns(content.get("index") or {"type": "range", "name": None, "range": [0, 0, 1]}, content["rows"])
    return [*index, *(cells.column(each["name"], each) for each in content["columns"])], len(index)


def _index_columns(index: Mapping[str, Any], rows: int) -> list[Column]:
    if index["type"] == "multi":
        return [column for level in index["levels"] for column in _named(level)]
    if index["type"] != "range":
        return _named(index)
    start, stop, step = index["range"]
    if index["name"] is None and (start, step) == (0, 1):
        return []
    return [cells.column(_heading(index), {"type": "int", "values": list(range(start, stop, step))[:rows]})]


def _named(index: Mapping[str, Any]) -> list[Column]:
    if index["type"] == "range":
        return [cells.column(_heading(index), {"type": "int", "values": list(range(*index["range"]))})]
    return [cells.column(_heading(index), index)]


def _heading(index: Mapping[str, Any]) -> str:
    name = tagged.shown(index["name"])
    return "" if name is None else str(name)


def text_of(column: Column, row: int) -> str | None:
    """Return what a cell says, None where it has no value."""
    value = column.values[row]
    return None if value is None or value != value else column.text(value)  # noqa: PLR0124 - NaN is not itself
