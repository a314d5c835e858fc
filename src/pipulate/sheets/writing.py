"""Tables as files for spreadsheets: CSV piece by piece, XLSX with little memory. No cell of them runs as a formula."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from pipulate._program import installing
from pipulate.errors import PipulateError

XLSX_ROWS: Final = 1_048_576
XLSX_COLUMNS: Final = 16_384
XLSX_TEXT: Final = 32_767
"""What fits on a sheet: rows with the heading, columns, and characters in a cell."""

BOM: Final = "\ufeff".encode()
"""What Excel knows UTF-8 by."""

# Spreadsheets take what begins so for a formula, the wide forms in Japan; some take off blanks before they look, and an
# apostrophe that stands there already would be taken for ours on the way back.
_FORMULA: Final = re.compile("'* *[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_EXACT_INT: Final = 2**53


class XlsxError(PipulateError, ValueError):
    """A table cannot become an XLSX file; says why."""

    code = "sheets.xlsx_failed"


def harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula: one that could be begins with an apostrophe."""
    return "'" + text if _FORMULA.match(text) else text


def as_written(text: str) -> str:
    """Return what `harmless` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_rows(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV (RFC 4180, UTF-8). Texts are `harmless`; numbers are as they are."""
    buffer = io.StringIO()
    csv.writer(buffer).writerows([_csv_cell(each) for each in row] for row in rows)
    return buffer.getvalue().encode("utf-8", "replace")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat(" ") if isinstance(value, datetime) else "" if value is None else value


class Sheet:
    """An XLSX file with one sheet, written row by row; complete when the block ends. Text is text, whatever it is."""

    def __init__(self, path: Path, head: Sequence[str]) -> None:
        """Begin with the heading.

        Raises:
            XlsxError: If the writer is not installed, or there are too many columns.
        """
        try:
            import xlsxwriter  # noqa: PLC0415 - an extra
        except ImportError:
            raise XlsxError(
                f"XLSX files need the package xlsxwriter. Install it with: {installing('xlsxwriter')}. CSV works"
                " without."
            ) from None
        refuse_large(1, len(head))
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        self._sheet = self._book.add_worksheet("Table")
        self._formats: dict[type, Any] = {
            datetime: self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            date: self._book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        self._sheet.freeze_panes(1, 0)
        self._rows = 0
        self.add([head])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Write the end of the file."""
        self._book.close()

    def add(self, rows: Iterable[Iterable[Any]]) -> None:
        """Add rows.

        Raises:
            XlsxError: If the sheet is full.
        """
        for row in rows:
            if self._rows >= XLSX_ROWS:
                refuse_large(self._rows + 1, 1)
            self._write(self._rows, row)
            self._rows += 1

    def _write(self, number: int, row: Iterable[Any]) -> None:
        for place, value in enumerate(row):
            if value is None:
                continue
            if isinstance(value, bool):
                self._sheet.write_boolean(number, place, value)
            elif isinstance(value, date) and value.year >= 1900:
                kind = datetime if isinstance(value, datetime) else date
                self._sheet.write_datetime(number, place, value, self._formats[kind])
            elif _is_number(value):
                self._sheet.write_number(number, place, value)
            else:
                self._sheet.write_string(number, place, str(value)[:XLSX_TEXT])


def refuse_large(rows: int, columns: int) -> None:
    """Refuse what does not fit on a sheet; `rows` with the heading.

    Raises:
        XlsxError: If it does not.
    """
    if rows > XLSX_ROWS or columns > XLSX_COLUMNS:
        raise XlsxError(
            "This is too large for an XLSX file (1,048,575 rows, 16,384 columns). Take CSV, or search first."
        )


def _is_number(value: Any) -> bool:
    """Tell whether a spreadsheet, which has 64-bit floats only, can hold a number as it is."""
    if isinstance(value, int):
        return abs(value) <= _EXACT_INT
    return isinstance(value, float) and math.isfinite(value)


def in_pieces(rows: Iterable[Sequence[Any]], at_once: int) -> Iterator[list[Sequence[Any]]]:
    """Yield rows some at a time."""
    piece: list[Sequence[Any]] = []
    for row in rows:
        piece.append(row)
        if len(piece) == at_once:
            yield piece
            piece = []
    if piece:
        yield piece
