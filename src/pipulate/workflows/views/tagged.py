"""Single Python values as JSON, of the same type when they come back: labels, and cells of columns of any type."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

_PLAIN = (bool, int, float, str)
_US = timedelta(microseconds=1)


def tag(value: Any) -> Any:
    """Return a value as JSON: plain ones as they are, others as `[type, ...]`.

    Raises:
        ValueError: If its type is none that can be kept.
    """
    kind = type(value)
    if value is None or kind in _PLAIN:
        return value
    if kind in _TAGS:
        name, write = _TAGS[kind]
        return [name, write(value)]
    root = kind.__module__.partition(".")[0]
    if root == "pandas":
        return _tag_pandas(value)
    if root == "numpy" and getattr(value, "dtype", None) is not None and value.dtype.kind in "biuf" and value.ndim == 0:
        return ["numpy", [value.dtype.str, value.item()]]
    raise ValueError(f"a value of the type {kind.__name__} cannot be kept")


def _tag_pandas(value: Any) -> Any:
    name = type(value).__name__
    if name in ("NaTType", "NAType"):
        return [name, None]
    if name == "Timestamp":
        zone = str(value.tz) if value.tz is not None else None
        naive = value.tz_convert("UTC").tz_localize(None) if zone else value
        return ["Timestamp", [int(naive.asm8.view("i8")), value.unit, zone]]
    if name == "Timedelta":
        return ["Timedelta", [int(value.asm8.view("i8")), value.unit]]
    raise ValueError(f"a value of the type {name} cannot be kept")


def untag(stored: Any) -> Any:
    """Return a value as it was before `tag`. Those of pandas import it."""
    if not isinstance(stored, list):
        return stored
    name, content = stored
    return _READ[name](content)


def _zone_of(value: datetime | time) -> str | None:
    zone = value.tzinfo
    if zone is None or isinstance(zone, ZoneInfo):
        return zone.key if zone else None
    return ""  # A fixed offset, which the text has.


def _write_datetime(value: datetime) -> list[Any]:
    return [value.isoformat(), _zone_of(value), value.fold]


def _read_datetime(content: list[Any]) -> datetime:
    text, zone, fold = content
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=ZoneInfo(zone) if zone else found.tzinfo, fold=fold)


def _read_numpy(content: list[Any]) -> Any:
    import numpy as np  # noqa: PLC0415 - an extra

    return np.dtype(content[0]).type(content[1])


def _read_timestamp(content: list[Any]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an extra

    number, unit, zone = content
    found = pd.Timestamp(number, unit=unit).as_unit(unit)
    return found.tz_localize("UTC").tz_convert(zone) if zone else found


def _read_timedelta(content: list[Any]) -> Any:
    import pandas as pd  # noqa: PLC0415 - an extra

    return pd.Timedelta(content[0], unit=content[1]).as_unit(content[1])


def _missing(name: str) -> Callable[[Any], Any]:
    def read(_content: Any) -> Any:
        import pandas as pd  # noqa: PLC0415 - an extra

        return getattr(pd, name)

    return read


_TAGS: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Decimal: ("Decimal", str),
    datetime: ("datetime", _write_datetime),
    date: ("date", date.isoformat),
    time: ("time", lambda value: [value.isoformat(), value.fold]),
    timedelta: ("timedelta", lambda value: value // _US),
    UUID: ("UUID", str),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
    list: ("list", lambda value: [tag(each) for each in value]),
    tuple: ("tuple", lambda value: [tag(each) for each in value]),
    set: ("set", lambda value: [tag(each) for each in value]),
    dict: ("dict", lambda value: [[tag(name), tag(each)] for name, each in value.items()]),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "Decimal": Decimal,
    "datetime": _read_datetime,
    "date": date.fromisoformat,
    "time": lambda content: time.fromisoformat(content[0]).replace(fold=content[1]),
    "timedelta": lambda content: content * _US,
    "UUID": UUID,
    "bytes": base64.b64decode,
    "list": lambda content: [untag(each) for each in content],
    "tuple": lambda content: tuple(untag(each) for each in content),
    "set": lambda content: {untag(each) for each in content},
    "dict": lambda content: {untag(name): untag(each) for name, each in content},
    "numpy": _read_numpy,
    "Timestamp": _read_timestamp,
    "Timedelta": _read_timedelta,
    "NaTType": _missing("NaT"),
    "NAType": _missing("NA"),
}


def shown(stored: Any) -> Any:
    """Return a tagged value for people: plain values and dates as they are, all else as text. Imports nothing."""
    if not isinstance(stored, list):
        return stored
    name, content = stored
    if name in ("NaTType", "NAType"):
        return None
    if name == "numpy":
        return content[1]
    if name in ("list", "tuple", "set"):
        return ", ".join(_text(shown(each)) for each in content)
    if name == "dict":
        return ", ".join(f"{_text(shown(key))}: {_text(shown(each))}" for key, each in content)
    if name in ("Timestamp", "Timedelta"):
        from pipulate.workflows.views import cells  # noqa: PLC0415 - the two need each other

        return cells.moment_text(content[0], content[1], content[2] if name == "Timestamp" else "", name == "Timestamp")
    if name == "bytes":
        return f"{len(base64.b64decode(content)):,} bytes"
    return _READ[name](content)


def _text(value: Any) -> str:
    return "none" if value is None else str(value)
