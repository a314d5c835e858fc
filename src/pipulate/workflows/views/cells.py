"""Columns of a stored table, for people: what each cell says and how a column is sorted. Needs no library of tables."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipulate.workflows.views import tagged

PER_S = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
CELL = 300
"""Most characters that a cell shows."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone of a column is put on afterwards
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Column:
    """A column as people see it.

    Attributes:
        name: Its heading.
        kind: `number`, `date`, `bool` or `text`; a spreadsheet takes the first three as what they are.
        values: What it is sorted by, None where there is none; numbers as numbers, dates as numbers since 1970.
        text: Value -> what its cell says; "" for None.
        native: Value -> what a spreadsheet gets.
    """

    name: str
    kind: str
    values: Sequence[Any]
    text: Callable[[Any], str]
    native: Callable[[Any], Any]


def column(name: str, stored: Mapping[str, Any]) -> Column:
    """Return a column from how it is stored (`type` and `values`)."""
    kind, values = stored["type"], stored["values"]
    if kind in ("int", "float"):
        return Column(name, "number", _compact(kind, values), number, lambda value: value)
    if kind == "bool":
        return Column(name, "bool", values, lambda value: "yes" if value else "no", bool)
    if kind == "category":
        inner = column(name, stored["categories"])
        found = [None if code < 0 else inner.values[code] for code in values]
        return Column(name, inner.kind, found, inner.text, inner.native)
    if kind in ("datetime", "duration"):
        return _moments(name, stored, is_moment=kind == "datetime")
    if kind == "object":
        return _objects(name, [tagged.shown(each) for each in values])
    return Column(name, "text", values, _cut, str)


def _compact(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    """Return numbers packed, where they fit; a tenth of the memory."""
    try:
        return array("q" if kind == "int" else "d", values)
    except (TypeError, OverflowError):
        return values


def number(value: Any) -> str:
    """Return a number with its thousands apart where it has five digits or more: 2026 is most often a year."""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, Decimal):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if not -1e16 < value < 1e16 or 0 < abs(value) < 1e-4:
        return f"{value:g}"
    text = f"{value:,.6f}" if abs(value) >= 10_000 else f"{value:.6f}"
    return text.rstrip("0").rstrip(".")


def _moments(name: str, stored: Mapping[str, Any], *, is_moment: bool) -> Column:
    unit, zone, values = stored["unit"], stored.get("zone") or "", stored["values"]
    day = PER_S[unit] * _DAY_S
    are_days = is_moment and not zone and all(each is None or each % day == 0 for each in values)

    def text(value: int) -> str:
        return moment_text(value, unit, zone, is_moment)[: 10 if are_days else None]

    def native(value: int) -> Any:
        found = _moment(value, unit) if is_moment and not zone else None
        return found.date() if found is not None and are_days else found or text(value)

    return Column(name, "date" if is_moment else "text", values, text, native)


def _moment(value: int, unit: str) -> datetime | None:
    try:
        return _EPOCH + timedelta(microseconds=value * 1_000_000 // PER_S[unit])
    except OverflowError:
        return None


def moment_text(value: int, unit: str, zone: str | None, is_moment: bool) -> str:
    """Return a moment, or a length of time, from its number of units."""
    if not is_moment:
        try:
            return str(timedelta(microseconds=value * 1_000_000 // PER_S[unit]))
        except OverflowError:
            return f"{value} {unit}"
    found = _moment(value, unit)
    if found is None:
        return f"{value} {unit}"
    if zone:
        try:
            found = found.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError, OverflowError):
            found = found.replace(tzinfo=UTC)
    return found.isoformat(" ")


_RANKS: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (bool, 0),
    ((int, float, Decimal), 1),
    (datetime, 3),
    (date, 2),
    (time, 4),
)


class _Any:
    """A cell of a column whose cells have different types: it can be compared with every other."""

    __slots__ = ("key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        rank = next((rank for kinds, rank in _RANKS if isinstance(value, kinds)), 9)
        plain = value.astimezone(UTC).replace(tzinfo=None) if rank == 3 and value.tzinfo else value
        self.key = (rank, str(plain).casefold() if rank in (4, 9) else plain)

    def __lt__(self, other: _Any) -> bool:
        return bool(self.key < other.key)


def _objects(name: str, values: list[Any]) -> Column:
    present = [each for each in values if each is not None and each == each]  # noqa: PLR0124 - NaN is not itself
    if all(isinstance(each, str) for each in present):
        return Column(name, "text", [each if isinstance(each, str) else None for each in values], _cut, str)
    if all(isinstance(each, int | float | Decimal) and not isinstance(each, bool) for each in present):
        return Column(name, "number", values, number, lambda value: value)
    mixed = [None if each is None or each != each else _Any(each) for each in values]  # noqa: PLR0124 - as above
    return Column(name, "text", mixed, lambda each: _any_text(each.value), lambda each: _any_text(each.value))


def _any_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int | float | Decimal) else _cut(value)


def _cut(value: Any) -> str:
    text = str(value)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"
