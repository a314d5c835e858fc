"""DataFrames and Series of polars as stored columns, and back: values and dtypes as they were.

Exact are: booleans, integers, floats, text, bytes, decimals, dates, times, moments and lengths of time, categories,
enums, empty columns, and lists, arrays and structs of plain ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.workflows.views.tagged import tag, untag

_INTS = frozenset({"Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"})
_SIMPLE = {"Float32": "float", "Float64": "float", "Boolean": "bool", "String": "text", "Null": "text"}
_NESTED_LEAVES = _INTS | {"Float32", "Float64", "Boolean", "String"}
_DAY_US = 86_400_000_000


def content_of(value: Any) -> dict[str, Any]:
    """Return a DataFrame or Series as it is stored.

    Raises:
        ValueError: If a column has a type that cannot be kept; says which.
    """
    is_series = type(value).__name__ == "Series"
    columns = [value] if is_series else value.get_columns()
    return {
        "made_by": "polars.Series" if is_series else "polars.DataFrame",
        "rows": len(value),
        "columns": [{"name": each.name, **_array(each)} for each in columns],
    }


def value_of(content: Mapping[str, Any]) -> Any:
    """Return the DataFrame or Series that was stored."""
    import polars as pl  # noqa: PLC0415 - an extra

    columns = [_read(each) for each in content["columns"]]
    if content["made_by"] == "polars.Series":
        return columns[0]
    if not columns:
        return pl.DataFrame(height=content["rows"])
    return pl.DataFrame({each.name: each for each in columns})  # A list of them would give the nameless one a name.


def _array(values: Any) -> dict[str, Any]:
    dtype = values.dtype
    name = type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
    spec = _spec(dtype, values.name)
    if name in _INTS:
        return {"type": "int", "dtype": spec, "values": values.to_list()}
    if name in _SIMPLE:
        return {"type": _SIMPLE[name], "dtype": spec, "values": values.to_list()}
    if name in ("Datetime", "Duration"):
        kind = "datetime" if name == "Datetime" else "duration"
        zone = getattr(dtype, "time_zone", None)
        return {
            "type": kind,
            "dtype": spec,
            "unit": dtype.time_unit,
            "zone": zone,
            "values": values.to_physical().to_list(),
        }
    if name == "Date":
        days = values.to_physical().to_list()
        return {
            "type": "datetime",
            "dtype": spec,
            "unit": "us",
            "values": [None if each is None else each * _DAY_US for each in days],
        }
    if name in ("Categorical", "Enum"):
        import polars as pl  # noqa: PLC0415 - the series is of it

        return {"type": "text", "dtype": spec, "values": values.cast(pl.String).to_list()}
    if name == "Time":
        return {
            "type": "object",
            "dtype": spec,
            "values": [tag(each) for each in values.to_list()],
            "physical": values.to_physical().to_list(),
        }
    return {"type": "object", "dtype": spec, "values": [tag(each) for each in values.to_list()]}


def _spec(dtype: Any, column: str, *, is_inner: bool = False) -> list[Any]:
    """Return a type as JSON: its name and what else it is made of."""
    name = type(dtype).__name__ if not isinstance(dtype, type) else dtype.__name__
    if is_inner and name not in _NESTED_LEAVES | {"List", "Array", "Struct"}:
        raise ValueError(f"column {column!r}: {name} inside a list or a struct cannot be kept. Convert it first.")
    if name in ("Datetime", "Duration"):
        return [name, dtype.time_unit, getattr(dtype, "time_zone", None)]
    if name == "Decimal":
        return [name, dtype.precision, dtype.scale]
    if name == "Enum":
        return [name, dtype.categories.to_list()]
    if name == "List":
        return [name, _spec(dtype.inner, column, is_inner=True)]
    if name == "Array":
        return [name, _spec(dtype.inner, column, is_inner=True), dtype.size]
    if name == "Struct":
        return [name, [[each.name, _spec(each.dtype, column, is_inner=True)] for each in dtype.fields]]
    if name in _INTS or name in _SIMPLE or name in ("Date", "Time", "Categorical", "Binary"):
        return [name]
    raise ValueError(f"column {column!r}: the type {name} cannot be kept. Convert it first, for example to String.")


def _dtype(spec: list[Any]) -> Any:
    import polars as pl  # noqa: PLC0415 - an extra

    name, *rest = spec
    if name == "Datetime":
        return pl.Datetime(rest[0], rest[1])
    if name == "Duration":
        return pl.Duration(rest[0])
    if name == "List":
        return pl.List(_dtype(rest[0]))
    if name == "Array":
        return pl.Array(_dtype(rest[0]), rest[1])
    if name == "Struct":
        return pl.Struct({field: _dtype(inner) for field, inner in rest[0]})
    return getattr(pl, name)(*rest) if rest else getattr(pl, name)


def _read(stored: Mapping[str, Any]) -> Any:
    import polars as pl  # noqa: PLC0415 - an extra

    name, values, dtype = stored["name"], stored["values"], _dtype(stored["dtype"])
    kind = stored["dtype"][0]
    if kind in ("Datetime", "Duration"):
        return pl.Series(name, values, dtype=pl.Int64).cast(dtype)
    if kind == "Date":
        days = [None if each is None else each // _DAY_US for each in values]
        return pl.Series(name, days, dtype=pl.Int32).cast(dtype)
    if kind == "Time":
        return pl.Series(name, stored["physical"], dtype=pl.Int64).cast(dtype)
    if stored["type"] == "object":
        values = [untag(each) for each in values]
    return pl.Series(name, values, dtype=dtype)
