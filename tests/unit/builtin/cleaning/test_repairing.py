"""Repairing loses nothing, and has nothing to do a second time."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipulate.builtin.cleaning.looking import look, names_for
from pipulate.builtin.cleaning.repairing import Column, Counts, Outcome, Plan, repair, repaired, safe
from pipulate.builtin.cleaning.writing import Style, clean, escaped, report
from pipulate.sheets.kinds import KINDS, kind_of, normal
from pipulate.sheets.reading import Row
from pipulate.sheets.sniff import Layout

SIGN = st.characters(exclude_categories=["Cs"])
CELL = st.one_of(
    st.sampled_from(["", " ", "1", "1,5", "1.234,50", "0,5", "1 000", "x", "2026-02-28", "31.12.2025", "12/31/2025",
                     "2026-02-30", "=1+1", "-3", " a ", "\ufffd", '"', "a\nb", "+1.5", "\x00"]),
    st.text(SIGN, max_size=6),
)  # fmt: skip
ROWS = st.lists(st.lists(CELL, max_size=5), max_size=12)
COLUMN = st.builds(
    Column, st.sampled_from(["a", "b"]), st.sampled_from(list(KINDS)), fill=st.sampled_from(["", "n/a"]),
    is_required=st.booleans(), is_dropped=st.booleans(),
)  # fmt: skip
PLAN = st.builds(
    Plan, st.lists(COLUMN, min_size=1, max_size=4).map(tuple), trim=st.booleans(), normalise=st.booleans(),
    keep_bad=st.booleans(), drop_empty=st.booleans(), drop_duplicates=st.booleans(),
)  # fmt: skip


def outcomes(rows: list[list[str]], plan: Plan) -> list[Outcome]:
    return list(repaired((Row(line, cells) for line, cells in enumerate(rows, 1)), plan))


@given(ROWS, PLAN)
def test_each_row_is_written_or_reported(rows: list[list[str]], plan: Plan) -> None:
    counts, found = Counts(), outcomes(rows, plan)
    for outcome in found:
        counts.add(outcome)
    assert [outcome.row.cells for outcome in found] == rows
    assert all(outcome.cells is not None or outcome.reasons for outcome in found)
    assert counts.read == len(rows) == counts.written + counts.bad_left_out + counts.empty + counts.duplicates


@given(ROWS, PLAN)
@example([["", "x"]], Plan((Column("a"), Column("b", is_dropped=True))))
def test_what_was_repaired_stays_as_it_is_the_second_time(rows: list[list[str]], plan: Plan) -> None:
    first = [outcome.cells for outcome in outcomes(rows, plan) if outcome.cells is not None and not outcome.reasons]
    second = outcomes([row for row in first if row], plan.settled())
    assert [outcome.cells for outcome in second] == [row for row in first if row]
    assert not any(outcome.changed or outcome.reasons for outcome in second)


@given(ROWS, PLAN.filter(lambda plan: plan.keep_bad))
def test_rows_that_are_kept_though_bad_are_not_touched(rows: list[list[str]], plan: Plan) -> None:
    kept = [index for index, column in enumerate(plan.columns) if not column.is_dropped]
    for outcome in outcomes([row for row in rows if row], plan):
        if outcome.reasons and outcome.cells is not None:
            source = outcome.row.cells
            assert outcome.cells == source or outcome.cells == [source[index] for index in kept]


@given(st.sampled_from(["point", "comma"]), st.decimals(-(10**9), 10**9, places=3))
def test_numbers_keep_their_value(kind: str, number: Any) -> None:
    text = f"{number:,}" if kind == "point" else f"{number:,}".translate(str.maketrans(",.", ".,"))
    assert normal(kind, text) == str(number).replace("+", "")


@pytest.mark.parametrize(
    ("kind", "cell", "clean"),
    [
        ("point", "1,234.50", "1234.50"), ("point", "1'234", "1234"), ("point", ".5", "0.5"), ("point", "+7", "7"),
        ("point", "1,23", None), ("point", "12,34,567", None), ("point", "1e5", None), ("point", "٣", None),
        ("point", "1.", None), ("point", "NaN", None), ("point", "$5", None), ("comma", "1.234,50", "1234.50"),
        ("comma", "1 234,5", "1234.5"), ("comma", "1.5", None), ("comma", "-0,5", "-0.5"), ("dmy", "1/2/26", None),
        ("mdy", "1/2/2026", "2026-01-02"), ("dmy", "30/02/2026", None), ("dmy", "1.2.2026", "2026-02-01"),
        ("ymd", "2026/2/1", "2026-02-01"), ("ymd", "1.2.2026", None),
        ("ymd", "2026-02-01T08:05", "2026-02-01 08:05:00"),
        ("dmy", "1/2.2026", None), ("mdy", "12/31/2025 8:05", "2025-12-31 08:05:00"),
        ("dmy", "2026-02-01", "2026-02-01"), ("ymd", "2026-02-01 24:00", None), ("ymd", "0000-01-01", None),
        ("text", " x ", " x "),
    ],
)  # fmt: skip
def test_cell_is_written_in_one_way_or_refused(kind: str, cell: str, clean: str | None) -> None:
    assert normal(kind, cell) == clean


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2.5", "", "x", "3", "4", "5"], "point"), (["1,5", "2,25"], "comma"), (["1.234,5", "1,5"], "comma"),
        (["1,234", "1,500"], "point"), (["00123", "45", "6"], "text"), (["4111111111111111"] * 3, "text"), ([], "text"),
        (["1.2.2026", "31.12.2025"], "dmy"), (["12/31/2025", "1/2/2026"], "mdy"), (["1/2/2026"], "dmy"),
        (["2026-01-02"], "ymd"), (["a", "1"], "text"), (["", " "], "text"),
    ],
)  # fmt: skip
def test_kind_of_a_column_is_found(cells: list[str], kind: str) -> None:
    assert kind_of(cells) == kind


def test_reasons_say_what_is_wrong() -> None:
    plan = Plan((Column("a", "point"), Column("b", "dmy"), Column("c", is_required=True)))

    def reasons(*cells: str, problem: str = "") -> list[str]:
        return repair(Row(1, list(cells), problem), plan).reasons

    assert reasons("x", "y", "") == ["a is no number", "b is no date", "c is empty"]
    assert reasons("1", "1.2.2026") == ["too few columns"]
    assert reasons("1", "1.2.2026", "z", "more") == ["too many columns"]
    assert reasons("1", "1.2.2026", "z", "", " ") == []
    assert reasons("1", "1.2.2026", "\ufffd") == ["signs that cannot be read"]
    assert reasons("1", "1.2.2026", "z", problem="a quote is not closed") == ["a quote is not closed"]
    assert reasons("", " ", "") == ["empty row"]


def test_same_row_again_is_found_once_it_is_repaired() -> None:
    plan = Plan((Column("a"), Column("b", "comma")), drop_duplicates=True)
    found = outcomes([["x", "1,5"], [" x ", "1.5"], ["x ", "+1,5"], ["x", "1,50"]], plan)
    assert [outcome.reasons for outcome in found] == [[], ["b is no number"], ["the same row again"], []]


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "@SUM(A1)", "+1+cmd", "-2+3", "\t=1", " =1", "\r=1", "\uff1d1", "\x00=1", "+cmd|' /C calc'!A0"],
)
def test_cell_that_a_spreadsheet_would_run_gets_an_apostrophe_once(cell: str) -> None:
    assert safe(cell) == f"'{cell}"
    assert safe(safe(cell)) == safe(cell)


@pytest.mark.parametrize("cell", ["-5", "+1.5", "-1.234,50", "a=b", "", "'=1", "x-y"])
def test_other_cells_stay_as_they_are_for_spreadsheets(cell: str) -> None:
    assert safe(cell) == cell


def test_names_of_columns_are_there_and_different() -> None:
    assert names_for(["a", "", "a", "a 2"], 5) == ["a", "Column 2", "a 2", "a 2 2", "Column 5"]


@given(ROWS, st.booleans())
def test_files_hold_all_rows_of_the_source(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], is_safe: bool
) -> None:
    path = tmp_path_factory.mktemp("clean") / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["one", "two"], *rows])
    layout, good, bad = Layout("utf-8-sig"), io.StringIO(), io.StringIO()
    found = look(path, layout, lambda _bytes, _rows: None)
    plan = Plan(tuple(Column(each.name, each.kind) for each in found.columns), drop_duplicates=True)
    style = Style(is_safe=is_safe, with_mark=False)
    counts = clean(path, layout, plan, style, good, bad, lambda _bytes, _rows: None)
    written = list(csv.reader(io.StringIO(good.getvalue(), newline="")))
    reported = list(csv.reader(io.StringIO(bad.getvalue(), newline="")))
    assert (len(written), len(reported)) == (counts.written + 1, counts.read - counts.written + 1)
    assert len(written) + len(reported) - 2 == counts.read == found.counts.read == len(rows)
    assert report("x.csv", 1, layout, plan, style, counts).startswith("# x.csv")


def test_name_of_a_column_breaks_no_table_of_the_report() -> None:
    assert escaped("a|b\n# <script>") == r"a\|b \# \<script\>"
