"""DataFrames and Series of pandas as stored columns, and back: values, dtypes, index, names, all as they were.

Exact are: bool, integers, floats up to 64 bits, their nullable kinds, `str` and `string`, dates and lengths of time of
every unit, with a zone or without, categories, and objects of the types that `tagged` knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.workflows.views.tagged import tag, untag

_NAT = -(2**63)
_NUMPY = {"b": "bool", "i": "int", "u": "int", "f": "float"}
_MASKED = {"boolean": "bool", "Int": "int", "UInt": "int", "Float": "float"}


def content_of(value: Any) -> dict[str, Any]:
    """Return a DataFrame or Series as it is stored.

    Raises:
        ValueError: If a column has a type that cannot be kept; says which.
    """
    is_series = value.ndim == 1
    columns = [value] if is_series else [value.iloc[:, place] for place in range(value.shape[1])]
    labels = [value.name] if is_series else list(value.columns)
    return {
        "made_by": "pandas.Series" if is_series else "pandas.DataFrame",
        "rows": len(value),
        "index": _index(value.index, "the index"),
        "labels": {"type": "name", "name": tag(value.name)} if is_series else _index(value.columns, "the columns"),
        "columns": [
            {"name": _label(label), **_array(each, f"column {label!r}")}
            for label, each in zip(labels, columns, strict=True)
        ],
    }


def value_of(content: Mapping[str, Any]) -> Any:
    """Return the DataFrame or Series that was stored."""
    import pandas as pd  # noqa: PLC0415 - an extra

    index = _read_index(content["index"])
    # Objects are said to be objects: a column of text and None would be taken for one of the type `str`.
    columns = [
        pd.Series(_read(each), index=index, dtype=object if each["type"] == "object" else None)
        for each in content["columns"]
    ]
    if content["made_by"] == "pandas.Series":
        return columns[0].rename(untag(content["labels"]["name"]))
    frame = pd.DataFrame(dict(enumerate(columns)), index=index)
    frame.columns = _read_index(content["labels"])
    return frame


def _label(label: Any) -> str:
    if isinstance(label, tuple):
        return " / ".join(str(each) for each in label)
    return "" if label is None else str(label)


def _index(index: Any, where: str) -> dict[str, Any]:
    kind = type(index).__name__
    if kind == "RangeIndex":
        return {"type": "range", "range": [index.start, index.stop, index.step], "name": tag(index.name)}
    if kind == "MultiIndex":
        levels = [_index(index.get_level_values(level), where) for level in range(index.nlevels)]
        return {"type": "multi", "levels": levels}
    freq = getattr(index, "freqstr", None) if kind in ("DatetimeIndex", "TimedeltaIndex") else None
    return {"name": tag(index.name), "freq": freq, **_array(index, where)}


def _read_index(stored: Mapping[str, Any]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an extra

    if stored["type"] == "range":
        return pd.RangeIndex(*stored["range"], name=untag(stored["name"]))
    if stored["type"] == "multi":
        levels = [_read_index(each) for each in stored["levels"]]
        return pd.MultiIndex.from_arrays(levels, names=[each.name for each in levels])
    array = _read(stored)
    dtype = object if stored["type"] == "object" else array.dtype
    index = pd.Index(array, dtype=dtype, name=untag(stored["name"]), tupleize_cols=False)
    if stored["freq"]:
        index = type(index)(index, freq=stored["freq"])
    return index


def _array(values: Any, where: str) -> dict[str, Any]:
    """Return a column, or an index, as it is stored."""
    dtype = values.dtype
    name = str(dtype)
    if type(dtype).__name__ == "CategoricalDtype":
        codes = values.cat.codes if hasattr(values, "cat") else values.codes
        categories = _array(dtype.categories, where)
        return {"type": "category", "ordered": bool(dtype.ordered), "categories": categories, "values": codes.tolist()}
    if type(dtype).__name__ == "StringDtype":
        na = "NA" if type(dtype.na_value).__name__ == "NAType" else "nan"
        found = [None if missing else each for each, missing in zip(values.tolist(), values.isna(), strict=True)]
        return {"type": "text", "dtype": [dtype.storage, na], "values": found}
    if type(dtype).__name__ == "DatetimeTZDtype":
        plain = (values.dt if hasattr(values, "dt") else values).tz_convert("UTC")
        plain = (plain.dt if hasattr(plain, "dt") else plain).tz_localize(None)
        return {"type": "datetime", "unit": dtype.unit, "zone": _zone(dtype.tz, where), "values": _numbers(plain)}
    masked = name.rstrip("0123456789")
    if masked in _MASKED and hasattr(dtype, "numpy_dtype"):
        found = [None if missing else each for each, missing in zip(values.tolist(), values.isna(), strict=True)]
        return {"type": _MASKED[masked], "dtype": name, "values": found}
    return _numpy(values, where)


def _numpy(values: Any, where: str) -> dict[str, Any]:
    dtype = values.dtype
    kind = getattr(dtype, "kind", "")
    is_own = type(dtype).__module__.partition(".")[0] == "numpy"
    if is_own and kind in _NUMPY and dtype.itemsize <= 8:
        return {"type": _NUMPY[kind], "dtype": str(dtype), "values": values.tolist()}
    if is_own and kind in "Mm":
        unit = str(dtype).partition("[")[2].rstrip("]")
        return {"type": "datetime" if kind == "M" else "duration", "unit": unit, "values": _numbers(values)}
    if is_own and kind == "O":
        try:
            return {"type": "object", "values": [tag(each) for each in values.tolist()]}
        except ValueError as error:
            raise ValueError(f"{where}: {error}. Convert it first, for example with .astype(str).") from error
    raise ValueError(f"{where}: the type {dtype} cannot be kept. Convert it first, for example with .astype(str).")


def _numbers(values: Any) -> list[int | None]:
    return [None if each == _NAT else each for each in values.to_numpy().view("i8").tolist()]


def _zone(zone: Any, where: str) -> str:
    """Return the name of a zone, one that pandas finds it by."""
    import pandas as pd  # noqa: PLC0415 - an extra

    name = str(zone)
    try:
        pd.Timestamp(0).tz_localize("UTC").tz_convert(name)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: the time zone {name} has no name it could be found by. Use .tz_convert.") from error
    return name


def _read(stored: Mapping[str, Any]) -> Any:
    """Return an array of pandas or numpy."""
    import numpy as np  # noqa: PLC0415 - an extra
    import pandas as pd  # noqa: PLC0415 - an extra

    kind, values = stored["type"], stored["values"]
    if kind == "category":
        categories = _read(stored["categories"])
        dtype = object if stored["categories"]["type"] == "object" else categories.dtype
        found = pd.CategoricalDtype(pd.Index(categories, dtype=dtype), ordered=stored["ordered"])
        return pd.Categorical.from_codes(np.array(values, dtype="int64"), dtype=found)
    if kind == "text":
        storage, na = stored["dtype"]
        if storage == "pyarrow" and not _has_arrow():
            storage = "python"
        return pd.array(values, dtype=pd.StringDtype(storage, na_value=pd.NA if na == "NA" else np.nan))
    if kind in ("datetime", "duration"):
        unit, sign = stored["unit"], "M" if kind == "datetime" else "m"
        numbers = np.array([_NAT if each is None else each for each in values], dtype="int64")
        found = numbers.view(f"{sign}8[{unit}]")
        if not stored.get("zone"):
            return pd.array(found, dtype=found.dtype)
        return pd.DatetimeIndex(found).tz_localize("UTC").tz_convert(stored["zone"]).array
    if kind == "object":
        cells = np.empty(len(values), dtype=object)
        for place, each in enumerate(values):
            cells[place] = untag(each)
        return cells
    return _read_numbers(stored["dtype"], values)


def _read_numbers(dtype: str, values: list[Any]) -> Any:
    import numpy as np  # noqa: PLC0415 - an extra
    import pandas as pd  # noqa: PLC0415 - an extra

    if dtype[0].islower() and dtype != "boolean":
        return np.array(values, dtype=dtype)
    missing = np.array([each is None for each in values], dtype=bool)
    filled = np.array(
        [0 if each is None else each for each in values], dtype=pd.api.types.pandas_dtype(dtype).numpy_dtype
    )
    if dtype == "boolean":
        return pd.arrays.BooleanArray(filled, missing)
    kind = pd.arrays.FloatingArray if dtype.startswith("Float") else pd.arrays.IntegerArray
    return kind(filled, missing)


def _has_arrow() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - only for tables made with it

    return find_spec("pyarrow") is not None
