"""Any table somebody brings as columns and rows of text: a CSV or spreadsheet file, what was copied from one, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pipulate.sheets import workbook
from pipulate.sheets.reading import Reader
from pipulate.sheets.sniff import Layout, sniff
from pipulate.sheets.writing import harmless

Form = Literal["csv", "json"]

JSON_MAX: Final = 50_000_000
"""Longest JSON, in bytes: unlike CSV it is read as a whole."""


class TableError(ValueError):
    """A file is no table that can be read; says why, and what to do."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table.

    Attributes:
        number: Where it is in the file: the line it begins on, or its number in a list of objects; from 1.
        cells: A text for each column.
        problem: Why it could not be read as it should, or "".
    """

    number: int
    cells: Sequence[str]
    problem: str = ""


def form_of(path: Path) -> Form:
    """Return how a file is written; the first sheet of a spreadsheet file takes its place, as CSV.

    Raises:
        TableError: If it cannot be read.
    """
    if workbook.is_workbook(path):
        try:
            workbook.to_csv(path)
        except workbook.WorkbookError as error:
            raise TableError(str(error)) from error
        return "csv"
    with path.open("rb") as file:
        start = file.read(4096)
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    return "json" if plain[:1] in (b"[", b"{") else "csv"


def layout_of(path: Path) -> Layout:
    """Return how a CSV file is probably written."""
    return sniff(path)


def columns(path: Path, form: Form, layout: Layout) -> list[str]:
    """Return the names of the columns; those of a file without a first row of names are numbered.

    Raises:
        TableError: If it cannot be read.
    """
    if form == "json":
        return list(dict.fromkeys(name for each in _objects(path) for name in each))
    first = next((row for row in Reader(path, layout) if any(cell.strip() for cell in row.cells)), None)
    if first is None:
        raise TableError("There is nothing in this file.")
    if not layout.has_header:
        return [f"Column {number}" for number, _ in enumerate(first.cells, 1)]
    return [cell.strip() or f"Column {number}" for number, cell in enumerate(first.cells, 1)]


def rows(path: Path, form: Form, layout: Layout) -> Iterator[TableRow]:
    """Yield the rows below the heading; those with nothing in them are left out.

    Raises:
        TableError: If it cannot be read.
    """
    if form == "json":
        names = columns(path, form, layout)
        for number, each in enumerate(_objects(path), 1):
            yield TableRow(number, [_text(each.get(name)) for name in names])
        return
    width, has_head = len(columns(path, form, layout)), layout.has_header
    for row in Reader(path, layout):
        if not any(cell.strip() for cell in row.cells):
            continue
        if has_head:
            has_head = False
            continue
        problem = f"This row cannot be read: {row.problem}." if row.problem else ""
        if not problem and len(row.cells) > width:
            problem = f"This row has {len(row.cells):,} cells, and there are {width:,} columns."
        yield TableRow(row.line, [*row.cells, *[""] * (width - len(row.cells))], problem)


def _objects(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > JSON_MAX:
        raise TableError(f"JSON can have up to {JSON_MAX // 1_000_000:,} MB here. CSV can have more.")
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise TableError(f"This is no JSON that can be read: {error}.") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TableError("JSON has to be a list of objects: [{...}, {...}].")
    if not found:
        raise TableError("There is nothing in this file.")
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return harmless(value)  # As a cell of a file, so that what reads cells leaves it as it is.
    return json.dumps(value, ensure_ascii=False)
