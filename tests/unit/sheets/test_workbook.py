"""Spreadsheet files, as programs write them: their first sheet becomes rows of text."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from pipulate.sheets import tables, workbook
from pipulate.sheets.tables import TableError


def written(path: Path, rows: list[list[Any]]) -> Path:
    """Write a spreadsheet file with an empty sheet, one that is hidden, and one that has rows."""
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd", "strings_to_formulas": False})
    book.add_worksheet("Empty")
    hidden = book.add_worksheet("Hidden")
    hidden.write(0, 0, "not to be seen")
    hidden.hide()
    sheet = book.add_worksheet("Rows")
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return path


def read(path: Path) -> list[tuple[int, list[str]]]:
    form = tables.form_of(path)
    assert form == "csv"
    return [(each.number, list(each.cells)) for each in tables.rows(path, form, tables.layout_of(path))]


def test_first_sheet_that_is_shown_becomes_rows_of_text(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["Title", "Priority", "Price", "Due", "Done"],
        ['Milk; "fresh"', 3, 1.5, date(2026, 11, 30), True],
        ["=SUM(A1)", 12, 0.25, datetime.fromisoformat("2026-12-01T14:30"), False],
    ]
    assert read(written(tmp_path / "a", rows)) == [
        (2, ['Milk; "fresh"', "3", "1.5", "2026-11-30", "yes"]),
        (3, ["'=SUM(A1)", "12", "0.25", "2026-12-01T14:30:00", "no"]),
    ]


def test_rows_are_counted_as_the_sheet_counts_them(tmp_path: Path) -> None:
    path = written(tmp_path / "a", [["Title", "Size"], [], ["Milk", "s"]])
    assert read(path) == [(3, ["Milk", "s"])]


@pytest.mark.parametrize("content", [b"PK\x03\x04nothing", b"\xd0\xcf\x11\xe0nothing", b"PK\x03\x04" + bytes(5_000)])
def test_file_that_only_begins_like_one_is_refused_and_nothing_is_left_behind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with pytest.raises(TableError, match="no spreadsheet"):
        tables.form_of(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_archive_of_something_else_and_an_empty_book_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.txt", "text")
    with pytest.raises(TableError, match="no spreadsheet"):
        tables.form_of(path)
    with pytest.raises(TableError, match="nothing in this file"):
        tables.form_of(written(tmp_path / "b", []))


def test_file_that_would_fill_the_memory_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "UNPACKED_MAX", 100_000)
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 200_000)
    assert path.stat().st_size < 1_000
    with pytest.raises(TableError, match="too large once it is unpacked"):
        tables.form_of(path)
