"""Tables as CSV and XLSX: whole, in the order that was asked for, and without formulas."""

from __future__ import annotations

import csv
import io
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipulate._program import installing
from pipulate.sheets import writing
from pipulate.sheets.writing import XlsxError
from pipulate.workflows.views import exports, of_pandas, stored
from pipulate.workflows.views.tables import Query, Table

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1", '=HYPERLINK("http://evil","x")']


def table(value: Any) -> Table:
    return Table(stored.unpacked(stored.packed(of_pandas.content_of(value))))


def rows_of(value: Any, query: Query = Query(), *, has_bom: bool = False) -> list[list[str]]:  # noqa: B008 - frozen
    raw = b"".join(exports.csv_pieces(table(value), query, has_bom=has_bom))
    assert raw.startswith(b"\xef\xbb\xbf") == has_bom
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_csv_has_every_row_that_is_found_in_order() -> None:
    frame = pd.DataFrame({"n": range(5_000), "t": ["even" if each % 2 == 0 else "odd" for each in range(5_000)]})
    rows = rows_of(frame, Query(find="even", sort=0, is_down=True, page=7), has_bom=True)
    assert rows[0] == ["n", "t"]
    assert rows[1:] == [[str(each), "even"] for each in range(4_998, -1, -2)]


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_looks_like_a_formula_is_made_harmless(text: str) -> None:
    rows = rows_of(pd.DataFrame({text: [text, "a=b"]}))
    assert rows == [["'" + text], ["'" + text], ["a=b"]]


def test_csv_keeps_numbers_dates_and_missing_ones_as_they_are() -> None:
    frame = pd.DataFrame(
        {"i": [-5, 2**62], "f": [0.1, np.nan], "b": [True, False], "d": pd.to_datetime(["2026-01-02 03:04:05", None])}
    )
    assert rows_of(frame)[1:] == [["-5", "0.1", "true", "2026-01-02 03:04:05"], [str(2**62), "", "false", ""]]


def cells_of(path: Path) -> dict[str, str]:
    """Return the cells of a sheet: their place and their raw XML."""
    with zipfile.ZipFile(path) as file:
        sheet = file.read("xl/worksheets/sheet1.xml").decode()
    return dict(re.findall(r'<c r="(\w+)"(.*?)</c>', sheet, re.DOTALL))


def test_xlsx_holds_values_of_their_types_and_no_formula(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "t": [*FORMULAS[:2], "http://x.test"], "i": [1, 2**60, 3], "f": [1.5, np.inf, np.nan],
            "b": [True, False, True], "d": pd.to_datetime(["2026-01-02 03:00", None, "1800-01-01 00:00"]),
        }
    )  # fmt: skip
    path = tmp_path / "x.xlsx"
    exports.write_xlsx(table(frame), Query(sort=1, is_down=True), path)
    cells = cells_of(path)
    assert "<f>" not in "".join(cells.values())
    assert "inlineStr" in cells["A2"]
    assert "+1" in cells["A2"]
    assert str(2**60) in cells["B2"] and "inlineStr" in cells["B2"]  # noqa: PT018 - no spreadsheet holds it as a number
    assert "<v>1.5</v>" in cells["C4"]
    assert "inlineStr" in cells["C2"]
    assert "C3" not in cells
    assert 't="b"' in cells["D4"]
    assert "<v>46024.125</v>" in cells["E4"]
    assert "1800-01-01" in cells["E3"]


def test_xlsx_without_its_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(XlsxError, match=re.escape(installing("xlsxwriter"))):
        exports.write_xlsx(table(pd.DataFrame({"a": [1]})), Query(), tmp_path / "x.xlsx")


def test_xlsx_of_more_than_a_sheet_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "XLSX_ROWS", 3)
    with pytest.raises(XlsxError, match="too large"):
        exports.write_xlsx(table(pd.DataFrame({"a": [1, 2, 3]})), Query(), tmp_path / "x.xlsx")
    exports.write_xlsx(table(pd.DataFrame({"a": [1, 2, 3]})), Query(find="2"), tmp_path / "x.xlsx")


def test_name_of_a_download_is_plain_for_old_programs_and_whole() -> None:
    assert exports.file_name("app", "a/ü\r\n", "step", "csv") == ("app-a-----step.csv", "app-a/ü\r\n-step.csv")
