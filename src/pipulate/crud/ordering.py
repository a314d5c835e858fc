"""The order of a list by a column that is worked out: the store does not know it, so the records are looked at here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from pipulate.crud.resource import Resource
from pipulate.storage.records.queries import Query, Sort
from pipulate.storage.records.rows import Record

MOST: Final = 5_000
"""Records that are sorted by a column that is worked out; a longer list keeps its other order."""


def apart(resource: Resource[Any], query: Query) -> tuple[Query, Sort | None]:
    """Return a query as the store can answer it, and the column that is worked out which it is to be sorted by."""
    worked_out = next((each for each in query.sort if each.field in resource.computed), None)
    if worked_out is None:
        return query, None
    return replace(query, sort=tuple(each for each in query.sort if each.field not in resource.computed)), worked_out


def sorted_by(resource: Resource[Any], records: Sequence[Record], sort: Sort) -> list[int]:
    """Return the numbers of records in the order of a column; equal ones, and those without a value, as they came."""
    keys = {each.id: _key(_value(resource, each, sort.field)) for each in records}
    there = [each.id for each in records if keys[each.id] is not None]
    there.sort(key=lambda number: keys[number] or (0, ""), reverse=sort.descending)
    return [*there, *(each.id for each in records if keys[each.id] is None)]


def _value(resource: Resource[Any], record: Record, column: str) -> Any:
    try:
        return resource.computed[column].function(resource.typed(record.values))
    except Exception:  # noqa: BLE001 - plugin border: what fails at one record says so in its cell
        return None


def _key(value: Any) -> tuple[int, Any] | None:
    """Return what a value is compared by: numbers before moments before text, whatever a function returns."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | float | Decimal):
        return (0, float(value)) if value == value else None  # noqa: PLR0124 - nothing is less than NaN
    if isinstance(value, datetime | date | time):
        return 1, value.isoformat()
    return 2, str(value).casefold()
