"""Searching, sorting and paging tables, and what their cells say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.workflows.views import cells, of_pandas, of_polars, stored
from pipulate.workflows.views.preview import PAGE, preview
from pipulate.workflows.views.tables import Query, Table, TableCache


def table(value: Any) -> Table:
    module = of_polars if type(value).__module__.startswith("polars") else of_pandas
    return Table(stored.unpacked(stored.packed(module.content_of(value))))


def column(table: Table, place: int = 0, **query: Any) -> list[str | None]:
    """Return a column of all pages."""
    return [cells[place] for page in range(1, table.page(Query(**query)).pages + 1)
            for cells in table.page(Query(**query, page=page)).rows]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "up"),
    [
        ([10, 9, 100], ["9", "10", "100"]),
        ([1.5, np.nan, -2.0, np.inf], ["-2", "1.5", "inf", None]),
        (["b", "A", None, "a"], ["A", "a", "b", None]),
        (pd.to_datetime(["2026-02-01", None, "2025-03-01"]), ["2025-03-01", "2026-02-01", None]),
        ([True, False, True], ["no", "yes", "yes"]),
        (pd.array([3, None, 1], dtype="Int64"), ["1", "3", None]),
        (np.array([2, "a", None, date(2026, 1, 1), Decimal("1.5"), True, datetime(2026, 1, 1, tzinfo=UTC),
                   datetime.fromisoformat("2025-01-01")], dtype=object),
         ["yes", "1.5", "2", "2026-01-01", "2025-01-01 00:00:00", "2026-01-01 00:00:00+00:00", "a", None]),
        (pd.Categorical(["b", "a", None], categories=["b", "a"]), ["a", "b", None]),
    ],
)  # fmt: skip
def test_column_is_sorted_by_what_it_holds_and_missing_ones_are_last(values: Any, up: list[str | None]) -> None:
    found = table(pd.DataFrame({"x": values}))
    assert column(found, sort=0) == up
    present = [each for each in up if each is not None]
    down = column(found, sort=0, is_down=True)
    assert sorted(map(str, down[: len(present)])) == sorted(map(str, present))
    assert down[len(present) :] == [None] * (len(up) - len(present))


def test_rows_that_are_the_same_are_sorted_by_further_columns() -> None:
    found = table(pd.DataFrame({"x": [2, 1, 2, 1], "y": ["a", "b", None, "c"], "row": range(4)}))
    assert column(found, 2, sort=0, then=((1, True),)) == ["3", "1", "0", "2"]
    assert column(found, 2, sort=0, is_down=True, then=((1, False), (9, True))) == ["0", "2", "1", "3"]
    assert column(found, 2, sort=9, then=((2, True),)) == ["3", "2", "1", "0"]


@given(st.lists(st.none() | st.integers(0, 3), max_size=80), st.booleans())
def test_sorting_is_stable_in_both_directions(values: list[int | None], is_down: bool) -> None:
    found = table(pd.DataFrame({"x": pd.array(values, dtype="Int64"), "row": range(len(values))}))
    present = [row for row, each in enumerate(values) if each is not None]
    sign = -1 if is_down else 1
    wanted = sorted(present, key=lambda row: sign * (values[row] or 0))
    wanted += [row for row, each in enumerate(values) if each is None]
    assert list(found.rows(Query(sort=0, is_down=is_down))) == wanted


@pytest.mark.parametrize(
    ("find", "rows"),
    [
        ("", 4), ("hay", 2), ("HAY", 2), ("hay 2026", 1), ("nothing", 0), ("12,345", 1), ("12345", 1), ("2026-01", 2),
        ("yes", 2), ("\\", 0), (".*", 0), ("ß", 1), ("SS", 1), ("<b>", 1), ("   ", 4), ("nan", 0),
    ],
)  # fmt: skip
def test_search_finds_rows_that_have_all_words(find: str, rows: int) -> None:
    frame = pd.DataFrame(
        {
            "text": ["Hay", "hay stack", "Straße <b>", None],
            "number": [12345, 2, 3, 4],
            "when": pd.to_datetime(["2026-01-05", "2025-01-01", "2026-01-07", None]),
            "is": [True, False, True, False],
            "share": [np.nan, 1, 2, 3],
        }
    )
    assert table(frame).page(Query(find=find)).count == rows


def test_pages_hold_25_rows_and_a_page_behind_the_last_is_the_last() -> None:
    found = table(pd.DataFrame({"x": range(60)}))
    sizes = [
        (len(page.rows), page.page, page.pages) for page in (found.page(Query(page=each)) for each in (1, 3, 9, 0))
    ]
    assert sizes == [(25, 1, 3), (10, 3, 3), (10, 3, 3), (25, 1, 3)]
    assert found.page(Query(sort=7)).count == 60
    empty = table(pd.DataFrame({"x": []})).page(Query(find="a", sort=0))
    assert (empty.rows, empty.pages) == ([], 1)


def test_first_page_is_kept_in_the_value_and_says_the_same() -> None:
    frame = pd.DataFrame(
        {"x": range(60), "y": [f"<{each}>" for each in range(60)]}, index=pd.Index(range(60, 0, -1), name="i")
    )
    content = of_pandas.content_of(frame)
    kept = preview(content)
    assert kept["page"] == table(frame).page(Query()).rows
    assert (kept["rows"], kept["width"], kept["leading"]) == (60, 3, 1)
    assert [each["name"] for each in kept["columns"]] == ["i", "x", "y"]


def test_wide_table_keeps_its_first_columns_only() -> None:
    kept = preview(of_pandas.content_of(pd.DataFrame(np.zeros((30, 300)))))
    assert (kept["width"], len(kept["columns"]), len(kept["page"]), len(kept["page"][0])) == (300, 200, PAGE, 200)


@pytest.mark.parametrize(
    ("index", "names", "first"),
    [
        (None, ["v"], ["1"]),
        (pd.RangeIndex(1, 3), ["", "v"], ["1", "1"]),
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]), ["x", "", "v"], ["a", "1", "1"]),
        (pd.date_range("2026-01-01", periods=2, tz="Europe/Berlin"), ["", "v"], ["2026-01-01 00:00:00+01:00", "1"]),
    ],
)
def test_index_is_shown_unless_it_only_counts(index: Any, names: list[str], first: list[str]) -> None:
    kept = preview(of_pandas.content_of(pd.DataFrame({"v": [1, 2]}, index=index)))
    assert [each["name"] for each in kept["columns"]] == names
    assert kept["page"][0] == first


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2026, "2026"), (12345, "12,345"), (-10000, "-10,000"), (0.1 + 0.2, "0.3"), (1234567.5, "1,234,567.5"),
        (1e-9, "1e-09"), (1e300, "1e+300"), (-0.0, "-0"), (float("inf"), "inf"), (Decimal("10000.10"), "10,000.10"),
    ],
)  # fmt: skip
def test_number_in_a_cell_is_easy_to_read(value: Any, text: str) -> None:
    assert cells.number(value) == text


def test_columns_of_polars_are_shown() -> None:
    frame = pl.DataFrame(
        {"d": [date(2026, 1, 2)], "l": [[1, 2]], "s": [{"a": 1}], "b": [b"\xff"], "n": [Decimal("1.10")]}
    )
    assert table(frame).page(Query()).rows == [["2026-01-02", "1, 2", "a: 1", "1 bytes", "1.10"]]


def test_moments_beyond_the_calendar_and_lengths_of_time_are_shown() -> None:
    frame = pd.DataFrame({"far": pd.array([2**60], dtype="datetime64[s]"), "long": pd.to_timedelta([90], unit="s")})
    assert table(frame).page(Query()).rows == [[f"{2**60} s", "0:01:30"]]


def test_long_text_in_a_cell_is_cut() -> None:
    (row,) = table(pd.DataFrame({"a": ["x" * 5_000]})).page(Query()).rows
    assert row[0] == "x" * (cells.CELL - 1) + "…"


def test_cache_holds_what_was_used_last_within_its_bound() -> None:
    cache, reads = TableCache(cells_max=250), []

    def read(name: str, rows: int = 100) -> Table:
        def content() -> bytes:
            reads.append(name)
            return stored.packed(of_pandas.content_of(pd.DataFrame({"x": range(rows)})))

        return cache.get(name, content)

    for name in ("a", "b", "a", "c", "a", "b"):
        read(name)
    assert reads == ["a", "b", "c", "b"]
    read("huge", 300)
    read("huge", 300)
    assert reads[-2:] == ["huge", "huge"]
    assert read("b").total == 100
    assert reads[-1] == "huge"
