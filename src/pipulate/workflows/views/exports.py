"""Tables as files for spreadsheets: CSV piece by piece, XLSX with little memory. No cell of them runs as a formula."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipulate.workflows.views.tables import Query, Table

XLSX_ROWS, XLSX_COLUMNS, XLSX_TEXT = 1_048_576, 16_384, 32_767
"""What fits on a sheet: rows with the heading, columns, and characters in a cell."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_ROWS_AT_ONCE = 2_000
_EXACT_INT = 2**53


class XlsxError(ValueError):
    """The table cannot become an XLSX file; says why."""


def csv_pieces(table: Table, query: Query, *, has_bom: bool) -> Iterator[bytes]:
    """Yield a table as CSV (RFC 4180, UTF-8): what the query finds, in its order, all pages.

    A text that a spreadsheet would take for a formula begins with an apostrophe; numbers are as they are.
    """
    if has_bom:
        yield "\ufeff".encode()
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([_harmless(each.name) for each in table.columns])
    for number, row in enumerate(table.native(table.rows(query)), 1):
        writer.writerow([_csv_cell(each) for each in row])
        if number % _ROWS_AT_ONCE == 0:
            yield buffer.getvalue().encode("utf-8", "replace")
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode("utf-8", "replace")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        return _harmless(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat(" ") if isinstance(value, datetime) else "" if value is None else value


def _harmless(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


def write_xlsx(table: Table, query: Query, path: Path) -> None:
    """Write a table as XLSX, as `csv_pieces` does. Text is text, whatever it begins with.

    Raises:
        XlsxError: If the writer is not installed, or the table is too large for a sheet.
    """
    try:
        import xlsxwriter  # noqa: PLC0415 - an extra
    except ImportError:
        raise XlsxError(
            "XLSX files need the package xlsxwriter. Install it with: pip install 'pipulate[data]'. CSV works without."
        ) from None
    rows = table.rows(query)
    if len(rows) >= XLSX_ROWS or len(table.columns) > XLSX_COLUMNS:
        raise XlsxError(
            "This is too large for an XLSX file (1,048,575 rows, 16,384 columns). Take CSV, or search first."
        )
    options = {"constant_memory": True, "tmpdir": str(path.parent)}
    with xlsxwriter.Workbook(str(path), options) as book:
        sheet = book.add_worksheet("Table")
        formats: dict[type, Any] = {
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
            date: book.add_format({"num_format": "yyyy-mm-dd"}),
        }
        sheet.freeze_panes(1, 0)
        _write_row(sheet, 0, [each.name for each in table.columns], formats)
        for number, row in enumerate(table.native(rows), 1):
            _write_row(sheet, number, row, formats)


def _write_row(sheet: Any, number: int, row: Iterable[Any], formats: dict[type, Any]) -> None:
    for place, value in enumerate(row):
        if value is None:
            continue
        if isinstance(value, bool):
            sheet.write_boolean(number, place, value)
        elif isinstance(value, date) and value.year >= 1900:
            sheet.write_datetime(number, place, value, formats[datetime if isinstance(value, datetime) else date])
        elif _is_number(value):
            sheet.write_number(number, place, value)
        else:
            sheet.write_string(number, place, str(value)[:XLSX_TEXT])


def _is_number(value: Any) -> bool:
    """Tell whether a spreadsheet, which has 64-bit floats only, can hold a number as it is."""
    if isinstance(value, int):
        return abs(value) <= _EXACT_INT
    return isinstance(value, float) and math.isfinite(value)


def file_name(app: str, key: str, step: str, ending: str) -> Sequence[str]:
    """Return the name of a download: plain for old programs, and whole."""
    whole = f"{app}-{key}-{step}.{ending}"
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in whole)
    return plain.strip("-."), whole
