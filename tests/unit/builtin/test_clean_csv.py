"""Clean a CSV, as people use it: from the upload to the clean file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from pipulate.builtin.clean_csv import COLUMNS_ASKED, clean_csv
from pipulate.testing import Play, play

SALES = (
    """name;amount;day
Ada ;1.234,50;31.12.2025
Bob;x;01.02.2026
;;
Eve;3;31.02.2026
Zoë;7;05.06.2026
Too;1
=cmd();2,5;05.06.2026
"open;1;2
"two
lines";9;05.06.2026
"""
    + "Ann;1,5;05.06.2026\n" * 6
)


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_bytes(SALES.encode("cp1252"))
    return path


def looked(path: Path) -> Play:
    """Upload a file and take what was found out about it."""
    return play(clean_csv).fill(file=path).fill()


def table(run: Play, name: str) -> list[list[str]]:
    """Return a file that came out, as rows."""
    (file,) = [each for each in run.files if each.name == name]
    return list(csv.reader(io.StringIO(file.read_text(), newline="")))


def test_app_is_in_order() -> None:
    assert clean_csv.prepare() == []


def test_file_is_clean_when_everything_is_taken_as_it_is_offered(sales: Path) -> None:
    run = looked(sales).fill().fill().fill()
    assert table(run, "sales-cleaned.csv")[:4] == [
        ["name", "amount", "day"],
        ["Ada", "1234.50", "2025-12-31"],
        ["Zoë", "7", "2026-06-05"],
        ["'=cmd()", "2.5", "2026-06-05"],
    ]
    assert [row[:2] for row in table(run, "sales-left-out.csv")[1:]] == [
        ["3", "amount is no number"], ["4", "empty row"], ["5", "day is no date"], ["7", "too few columns"],
        ["9", "a quote is not closed"],
    ]  # fmt: skip
    (report,) = [each for each in run.files if each.name == "sales-report.md"]
    assert "| Bad rows left out | 4 |" in report.read_text()
    run.finalize()


def test_layout_is_found_and_shown_with_the_first_rows(sales: Path) -> None:
    run = play(clean_csv).fill(file=sales)
    assert {name: field.text for name, field in run.fields.items()} == {
        "encoding": "cp1252", "delimiter": "semicolon", "has_header": "on"
    }  # fmt: skip
    assert "31.12.2025" in run.text_of("layout")


def test_bad_rows_are_shown_with_line_and_reason(sales: Path) -> None:
    found = looked(sales)["look"]
    assert [(row.line, row.reasons) for row in found.bad] == [
        (3, ["amount is no number"]), (5, ["day is no date"]), (7, ["too few columns"]), (9, ["a quote is not closed"])
    ]  # fmt: skip
    assert [(column.name, column.kind) for column in found.columns] == [
        ("name", "text"), ("amount", "comma"), ("day", "dmy")
    ]  # fmt: skip


def test_preview_marks_what_changes_and_changes_with_what_is_chosen(sales: Path) -> None:
    run = looked(sales).fill().fill(bad_rows="keep as they are", drop_duplicates=True)
    assert "<mark>1234.50</mark>" in run.html
    assert "kept as it is" in run.text_of("preview")
    assert run["preview"].counts == [
        ("Rows in the file", 15), ("Rows in the cleaned file", 9), ("of these changed", 5),
        ("of these bad, and kept as they were", 4), ("Empty rows left out", 1),
        ("Rows left out because they came before", 5),
    ]  # fmt: skip
    run.revert("fixes").fill(required=["0"], drop_duplicates=False)
    assert run["preview"].counts[1] == ("Rows in the cleaned file", 14)


def test_columns_are_renamed_and_filled(sales: Path) -> None:
    run = (
        looked(sales)
        .fill_step("columns", {"about.name_0": "Who", "about.fill_0": "nobody"})
        .fill(drop_empty_rows=False)
        .fill()
    )
    cleaned = table(run, "sales-cleaned.csv")
    assert cleaned[0] == ["Who", "amount", "day"]
    assert cleaned[2] == ["nobody", "", ""]


def test_two_columns_of_one_name_are_refused_at_the_second(sales: Path) -> None:
    run = looked(sales).fill_step("columns", {"about.name_1": "name"}, expect_problems=["about.name_1"])
    assert run.errors["about.name_1"] == "Another column is called name already."


def test_formulas_stay_as_they_are_when_that_is_wanted(sales: Path) -> None:
    run = looked(sales).fill().fill().fill(safe_for_spreadsheets=False, delimiter="semicolon", byte_order_mark=False)
    (file,) = [each for each in run.files if each.name == "sales-cleaned.csv"]
    assert file.read_bytes().startswith(b"name;amount;day\r\n")
    assert b"\r\n=cmd();" in file.read_bytes()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "This file is empty."),
        (b"PK\x03\x04rest", "This is an Excel workbook or a zip file. Save the table as CSV, and choose that file."),
    ],
)
def test_file_that_is_no_table_is_refused_at_the_field(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    play(clean_csv).fill(file=tmp_path / "a.csv", expect_problems={"file": problem})


@pytest.mark.parametrize("content", [b"\n\n", b"a,b\n", b"\xef\xbb\xbf\r\n"])
def test_file_without_rows_is_refused_before_it_is_looked_at(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    run = play(clean_csv).fill(file=tmp_path / "a.csv").fill(has_header=True, expect_problems="has_header")
    assert "no rows below the header" in run.errors["has_header"]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n\x00,\xff\n1,2\n", b'a\n"', "a\tb\n\u202ex\t\u2028\n".encode(), b"x" * 50_000 + b"\ny\n", b"1,2\n3,4\n",
        b"<script>alert(1)</script>,b\n<b>,2\n", b",,\n,,\n1,,\n", "sep=|\na|b\n1|2\n".encode("utf-16"),
    ],
)  # fmt: skip
def test_whatever_is_in_the_file_the_way_to_the_end_is_open(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.csv").write_bytes(content)
    run = looked(tmp_path / "odd.csv").fill().fill().fill()
    assert "<script>alert" not in run.html
    assert run.is_finished


def test_wide_table_is_asked_about_its_first_columns_only(tmp_path: Path) -> None:
    wide = COLUMNS_ASKED + 5
    (tmp_path / "wide.csv").write_text("\n".join([",".join(f"c{n}" for n in range(wide)), ",".join("1" * wide)]))
    run = looked(tmp_path / "wide.csv")
    assert len(run.fields) == 3 * COLUMNS_ASKED
    assert len(table(run.fill().fill().fill(), "wide-cleaned.csv")[0]) == wide
