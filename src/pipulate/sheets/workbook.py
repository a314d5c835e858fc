"""Spreadsheet files: their first sheet as a CSV file, so that everything behind it reads one kind of file."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from pipulate._program import installing
from pipulate.sheets.writing import harmless

UNPACKED_MAX: Final = 500_000_000
"""Most bytes that what is packed in a spreadsheet file may have; it is read as a whole."""

_STARTS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_NO_READER: Final = "Spreadsheet files need one more package: {}. Or save the sheet as CSV."
_NO_WORKBOOK: Final = "This is no spreadsheet that can be read. Save the sheet as CSV, or copy its cells."
_TOO_LARGE: Final = "This file is too large once it is unpacked. Save the sheet as CSV, which can be larger."


class WorkbookError(ValueError):
    """A file is no spreadsheet that can be read; says why, and what to do."""


def is_workbook(path: Path) -> bool:
    """Tell whether a file begins as spreadsheet files do."""
    with path.open("rb") as file:
        return file.read(4) in _STARTS


def to_csv(path: Path) -> None:
    """Put the first sheet that is shown and has something in it into the place of a file, as CSV in UTF-8.

    Raises:
        WorkbookError: If it cannot be read.
    """
    written = path.with_name(f"{path.name}.part")
    try:
        with written.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(_rows(path))
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        from python_calamine import (  # noqa: PLC0415 - an extra, needed for this only
            CalamineError,
            CalamineWorkbook,
            SheetTypeEnum,
            SheetVisibleEnum,
        )
    except ImportError:
        raise WorkbookError(_NO_READER.format(installing("python_calamine"))) from None
    _refuse_large(path)
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            shown = [
                each.name
                for each in book.sheets_metadata
                if each.typ == SheetTypeEnum.WorkSheet and each.visible == SheetVisibleEnum.Visible
            ]
            for name in shown:
                found = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                if any(cell != "" for row in found for cell in row):
                    yield from ([_text(cell) for cell in row] for row in found)
                    return
    except (CalamineError, ValueError, OSError) as error:
        raise WorkbookError(_NO_WORKBOOK) from error
    raise WorkbookError("There is nothing in this file.")


def _refuse_large(path: Path) -> None:
    """Refuse what would fill the memory once it is unpacked."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as packed:
        if sum(each.file_size for each in packed.infolist()) > UNPACKED_MAX:
            raise WorkbookError(_TOO_LARGE)


def _text(cell: Any) -> str:
    """Return a cell as people would write it."""
    match cell:
        case str():
            return harmless(cell)  # As a cell of a file, so that what reads cells leaves it as it is.
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return str(cell)
