"""Tables of results as files for spreadsheets: what a query finds of one, in its order, all pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipulate.sheets.writing import BOM, Sheet, csv_rows, in_pieces, refuse_large
from pipulate.workflows.views.tables import Query, Table

_ROWS_AT_ONCE = 2_000


def csv_pieces(table: Table, query: Query, *, has_bom: bool) -> Iterator[bytes]:
    """Yield a table as CSV: what the query finds."""
    if has_bom:
        yield BOM
    yield csv_rows([[each.name for each in table.columns]])
    for rows in in_pieces(table.native(table.rows(query)), _ROWS_AT_ONCE):
        yield csv_rows(rows)


def write_xlsx(table: Table, query: Query, path: Path) -> None:
    """Write a table as XLSX: what the query finds.

    Raises:
        XlsxError: If the writer is not installed, or the table is too large for a sheet.
    """
    rows = table.rows(query)
    refuse_large(len(rows) + 1, len(table.columns))
    with Sheet(path, [each.name for each in table.columns]) as sheet:
        sheet.add(table.native(rows))


def file_name(app: str, key: str, step: str, ending: str) -> Sequence[str]:
    """Return the name of a download: plain for old programs, and whole."""
    whole = f"{app}-{key}-{step}.{ending}"
    plain = "".join(sign if sign.isascii() and (sign.isalnum() or sign in "._-") else "-" for sign in whole)
    return plain.strip("-."), whole
