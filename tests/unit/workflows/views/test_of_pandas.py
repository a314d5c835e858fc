"""DataFrames and Series of pandas come back as they were stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.workflows.views import of_pandas, stored


def again(value: Any) -> Any:
    """Return a value as it comes back from its file."""
    return of_pandas.value_of(stored.unpacked(stored.packed(of_pandas.content_of(value))))


def same(left: Any, right: Any) -> None:
    """Compare everything: values, dtypes, kinds of index, names."""
    compare = pd.testing.assert_frame_equal if left.ndim == 2 else pd.testing.assert_series_equal
    compare(left, right, check_exact=True, check_freq=True, check_index_type="exact")


HOSTILE = ["<script>alert(1)</script>", "=1+1", "'; DROP", "\x00", "\u202eabc", "", " ", 'a\nb,"c"', "\U0001f600"]

COLUMNS: dict[str, Callable[[], Any]] = {
    **{name: partial(np.array, [0, 1, 100], dtype=name)
       for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "largest": lambda: np.array([2**64 - 1, 0], dtype="uint64"),
    "smallest": lambda: np.array([-(2**63), 2**63 - 1], dtype="int64"),
    **{name: partial(np.array, [0.1, -0.0, np.nan, np.inf, -np.inf, 1e-5], dtype=name)
       for name in ("float16", "float32", "float64")},
    "tiny": lambda: np.array([5e-324, 1.7976931348623157e308]),
    "bool": lambda: np.array([True, False]),
    "nullable": lambda: pd.array([1, None, 2**62 + 1], dtype="Int64"),
    "nullable small": lambda: pd.array([1, None], dtype="UInt8"),
    "nullable bool": lambda: pd.array([True, None, False], dtype="boolean"),
    "nullable float": lambda: pd.array([0.5, None], dtype="Float32"),
    "str": lambda: pd.array([*HOSTILE, None], dtype="str"),
    "string": lambda: pd.array([*HOSTILE, None], dtype="string"),
    "string of nan": lambda: pd.array(["a", None], dtype=pd.StringDtype("python", na_value=np.nan)),
    **{f"moment {unit}": partial(pd.array, [0, None, 10**9 + 1], dtype=f"datetime64[{unit}]")
       for unit in ("s", "ms", "us", "ns")},
    "length": lambda: pd.array([timedelta(days=1, microseconds=3), None], dtype="timedelta64[us]"),
    "zone": lambda: pd.to_datetime(["2026-03-29 00:30", "2026-10-25 00:30", None]).tz_localize("UTC").tz_convert(
        "Europe/Berlin").array,
    "utc": lambda: pd.to_datetime(["2026-01-01", None], utc=True).array,
    "offset": lambda: pd.to_datetime(["2026-01-01"]).tz_localize(timezone(timedelta(hours=5, minutes=30))).array,
    "category": lambda: pd.Categorical(["b", "a", None, "b"], categories=["b", "c", "a"], ordered=True),
    "category of dates": lambda: pd.Categorical(pd.to_datetime(["2026-01-01", "2025-01-01"])),
    "objects": lambda: np.array([None, 1, 2.5, True, "a", Decimal("1.10"), date(2026, 1, 2), time(1, 2, 3),
        datetime(2026, 1, 2, tzinfo=UTC), timedelta(seconds=1), UUID(int=7), b"\xff", pd.NA, pd.NaT,
        pd.Timestamp("2026-01-01", tz="Asia/Tokyo"), np.float32(0.5), 10**30], dtype=object),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_column_comes_back_exactly(name: str) -> None:
    array = COLUMNS[name]()
    same(again(pd.Series(array, name="x")), pd.Series(array, name="x"))
    same(again(pd.DataFrame({"x": array})), pd.DataFrame({"x": array}))


def test_not_a_number_in_a_nullable_column_is_not_missing() -> None:
    array = pd.arrays.FloatingArray(np.array([np.nan, 1.0, 0.0]), np.array([False, False, True]))
    back = again(pd.Series(array)).array
    assert back._mask.tolist() == [False, False, True]
    assert np.isnan(back._data[0])


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(3), pd.RangeIndex(5, 11, 2, name="step"), pd.Index(["a", "a", "b"], name="key"),
        pd.Index([3, 1, 2], dtype="int32"), pd.Index([1, "a", None], dtype=object),
        pd.date_range("2026-01-01", periods=3, freq="D", tz="Europe/Berlin"),
        pd.date_range("2026-01-31", periods=3, freq="ME", name="month"),
        pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["x", None]),
        pd.MultiIndex.from_product([["a"], pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"])]),
        pd.CategoricalIndex(["x", "y", "x"], name="c"),
    ],
    ids=repr,
)  # fmt: skip
def test_index_comes_back_exactly(index: pd.Index) -> None:
    frame = pd.DataFrame({"v": [1, 2, 3]}, index=index)
    same(again(frame), frame)
    across = frame.T
    same(again(across), across)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(), pd.DataFrame(index=["a", "b"]), pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame({"a": pd.array([], dtype="int8"), "b": pd.array([], dtype="datetime64[ns, UTC]")}),
        pd.DataFrame([[1, "a", 2.5]], columns=["x", "x", "x"]),
        pd.DataFrame([[1, 2]], columns=[1, ("a", "b")]),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["top", "low"])),
        pd.DataFrame([[1]], columns=pd.Index([date(2026, 1, 1)], name="day")),
    ],
    ids=lambda frame: str(frame.shape),
)  # fmt: skip
def test_shape_and_labels_come_back_exactly(frame: pd.DataFrame) -> None:
    same(again(frame), frame)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pd.array([1 + 2j]), "complex128"), (pd.period_range("2026", periods=2, freq="Y").array, "period"),
        (pd.interval_range(0, 2).array, "interval"), (pd.arrays.SparseArray([0, 1]), "Sparse"),
        (np.array([object()], dtype=object), "object"), (np.array([1 + 2j, "a"], dtype=object), "complex"),
    ],
    ids=lambda each: str(each)[:20],
)  # fmt: skip
def test_column_that_cannot_be_kept_is_named(column: Any, words: str) -> None:
    with pytest.raises(ValueError, match=rf"column 'odd': .*{words}.* cannot be kept.*astype"):
        of_pandas.content_of(pd.DataFrame({"odd": column}))


def test_half_surrogates_are_refused_with_a_reason() -> None:
    frame = pd.DataFrame({"a": pd.Series(["\ud800"], dtype=object)})
    with pytest.raises(ValueError, match="cannot be stored"):
        stored.packed(of_pandas.content_of(frame))


@given(
    st.lists(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
        | st.decimals(allow_nan=False) | st.dates() | st.datetimes() | st.lists(st.integers()) | st.binary(),
    )
)  # fmt: skip
def test_objects_of_any_kind_come_back(values: list[Any]) -> None:
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    back = again(pd.Series(cells, dtype=object)).tolist()
    assert list(map(type, back)) == list(map(type, values))
    assert list(map(repr, back)) == list(map(repr, values))


@pytest.mark.parametrize("content", [b"", b"no", stored.packed({})[:-9], b"\x1f\x8b" + b"\0" * 50])
def test_file_that_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="table"):
        stored.unpacked(content)


def test_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "UNPACKED_MAX_BYTES", 1_000)
    with pytest.raises(ValueError, match="too large"):
        stored.unpacked(stored.packed({"columns": ["a" * 2_000]}))
