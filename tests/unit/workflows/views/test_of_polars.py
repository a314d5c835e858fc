"""DataFrames and Series of polars come back as they were stored."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from pipulate.workflows.views import of_polars, stored

AT = datetime(2026, 3, 29, 1, 30, 3)  # noqa: DTZ001 - columns without a zone are tested
SERIES = [
    *(pl.Series("x", [1, None, 100], dtype=kind) for kind in (
        pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)),
    pl.Series("x", [0.1, None, float("nan"), float("inf")], dtype=pl.Float64),
    pl.Series("x", [0.1, None], dtype=pl.Float32),
    pl.Series("x", [True, None, False]),
    pl.Series("x", ["<b>", None, "=1", ""]),
    pl.Series("x", [None, None]),
    pl.Series("x", [date(1066, 10, 14), None]),
    *(pl.Series("x", [AT, None], dtype=pl.Datetime(unit)) for unit in ("ms", "us", "ns")),
    pl.Series("x", [AT, None]).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    *(pl.Series("x", [timedelta(seconds=5), None], dtype=pl.Duration(unit)) for unit in ("ms", "us", "ns")),
    pl.Series("x", [time(1, 2, 3, 4), None]),
    pl.Series("x", [Decimal("1.10"), None], dtype=pl.Decimal(12, 2)),
    pl.Series("x", ["a", "b", None], dtype=pl.Categorical),
    pl.Series("x", ["a", None], dtype=pl.Enum(["b", "a"])),
    pl.Series("x", [b"\xff\x00", None]),
    pl.Series("x", [[1, 2], None, []], dtype=pl.List(pl.Int16)),
    pl.Series("x", [{"a": 1, "b": ["x"]}, {"a": None, "b": None}]),
    pl.Series("x", [[1.5, 2.5]], dtype=pl.Array(pl.Float32, 2)),
    pl.Series("x", [], dtype=pl.Datetime("us", "UTC")),
]  # fmt: skip


def again(value: Any) -> Any:
    return of_polars.value_of(stored.unpacked(stored.packed(of_polars.content_of(value))))


@pytest.mark.parametrize("series", SERIES, ids=lambda series: str(series.dtype))
def test_column_comes_back_exactly(series: pl.Series) -> None:
    assert_series_equal(again(series), series, check_exact=True)
    assert_frame_equal(again(pl.DataFrame([series])), pl.DataFrame([series]), check_exact=True)


@pytest.mark.parametrize(
    "frame", [pl.DataFrame(), pl.DataFrame({"a": [], "b": []}), pl.DataFrame({"": [1], " ": ["x"]})]
)
def test_shape_comes_back_exactly(frame: pl.DataFrame) -> None:
    assert_frame_equal(again(frame), frame)


@pytest.mark.parametrize(
    "series",
    [pl.Series("odd", [object()], dtype=pl.Object), pl.Series("odd", [[date(2026, 1, 1)]])],
    ids=lambda each: str(each.dtype),
)
def test_column_that_cannot_be_kept_is_named(series: pl.Series) -> None:
    with pytest.raises(ValueError, match=r"column 'odd': .* cannot be kept"):
        of_polars.content_of(series)
