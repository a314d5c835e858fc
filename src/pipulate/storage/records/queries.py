"""Which records a list shows, and in which order. What people ask for becomes values of a statement, never its text."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from pipulate.storage.database import Transaction
from pipulate.storage.records.rows import Record, columns, record_of
from pipulate.storage.records.shape import Column, Shape

Test = Literal["is", "any", "min", "max", "has", "lists", "empty", "filled"]
"""What is asked of a field: equal to a value; to one of several; at least; at most; text with; list with; nothing in
it; something in it."""

WORDS_MAX: Final = 10
"""Words a search looks at."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a field has to be.

    Attributes:
        field: Its name.
        test: What is asked.
        value: What it is compared with; a list for `any`, None for `empty` and `filled`.
    """

    field: str
    test: Test
    value: Any = None


@dataclass(frozen=True, slots=True)
class Sort:
    """A field to sort by; what has no value comes last either way.

    Attributes:
        field: Its name.
        descending: Whether the largest comes first.
        by: For a link, the table it leads to and the column there that people know its records by.
    """

    field: str
    descending: bool = False
    by: tuple[Shape, Column] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Which records, in which order.

    Attributes:
        profile: Those of a profile, or None for all.
        words: What is searched for; every word has to be somewhere in the record.
        conditions: What fields have to be.
        sort: Fields to sort by, the most important first; after them the order people gave.
        deleted: Those in the bin instead.
    """

    profile: str | None = None
    words: str = ""
    conditions: tuple[Condition, ...] = ()
    sort: tuple[Sort, ...] = ()
    deleted: bool = False


def folded(*texts: str) -> str:
    """Return text as it is searched: without case, accents and differences of spacing."""
    apart = unicodedata.normalize("NFKD", " ".join(texts).casefold())
    return " ".join("".join(sign for sign in apart if not unicodedata.combining(sign)).split())


def count(tx: Transaction, shape: Shape, query: Query) -> int:
    """Return how many records there are."""
    where, values = _where(shape, query)
    row = tx.one(f"SELECT COUNT(*) FROM {shape.table} WHERE {where}", **values)  # noqa: S608 - checked names
    return int(row[0]) if row else 0


def page(tx: Transaction, shape: Shape, query: Query, *, limit: int, offset: int = 0) -> list[Record]:
    """Return some of the records."""
    where, values = _where(shape, query)
    rows = tx.all(
        f"SELECT {columns(shape)} FROM {shape.table} WHERE {where} ORDER BY {_order(shape, query)}"  # noqa: S608
        " LIMIT :limit OFFSET :offset",
        **values, limit=limit, offset=offset,
    )  # fmt: skip
    return [record_of(shape, row) for row in rows]


def neighbour(tx: Transaction, shape: Shape, query: Query, record: Record, *, after: bool) -> Record | None:
    """Return the record of a list that stands right after, or right before, one in the order people gave; or None."""
    where, values = _where(shape, query)
    sign, way = (">", "ASC") if after else ("<", "DESC")
    row = tx.one(
        f"SELECT {columns(shape)} FROM {shape.table} WHERE {where} AND (_place, _id) {sign} (:place, :record)"  # noqa: S608
        f" ORDER BY _place {way}, _id {way} LIMIT 1",
        **values, place=record.place, record=record.id,
    )  # fmt: skip
    return record_of(shape, row) if row else None


def numbers(tx: Transaction, shape: Shape, query: Query, *, in_order: bool = False) -> list[int]:
    """Return the numbers of all the records; in no order unless that is said."""
    where, values = _where(shape, query)
    order = f" ORDER BY {_order(shape, query)}" if in_order else ""
    sql = f"SELECT _id FROM {shape.table} WHERE {where}{order}"  # noqa: S608 - checked names
    return [int(row[0]) for row in tx.all(sql, **values)]


def _where(shape: Shape, query: Query) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {}

    def given(value: Any) -> str:
        name = f"v{len(values)}"
        values[name] = value
        return f":{name}"

    parts = ["_deleted_at IS NOT NULL" if query.deleted else "_deleted_at IS NULL"]
    if query.profile is not None:
        parts.append(f"_profile = {given(query.profile)}")
    words = folded(query.words).split()[:WORDS_MAX]
    parts += [f"_found LIKE {given(f'%{_literal(word)}%')} ESCAPE '\\'" for word in words]
    for each in query.conditions:
        parts += _tested(shape.by_name[each.field], each, given)
    return " AND ".join(parts), values


def _tested(column: Column, condition: Condition, given: Any) -> Iterator[str]:
    """Yield what a condition means as parts of a statement."""
    name, value = column.quoted, condition.value
    compared = _number(column, name)
    match condition.test:
        case "empty":
            yield f"({name} IS NULL OR {name} = '' OR {name} = '[]')" if column.kind in _TEXTS else f"{name} IS NULL"
        case "filled":
            yield f"{name} <> '' AND {name} <> '[]'" if column.kind in _TEXTS else f"{name} IS NOT NULL"
        case "is":
            yield f"{name} = {given(column.stored(value))}"
        case "any":
            places = ", ".join(given(column.stored(each)) for each in value)
            yield f"{name} IN ({places})" if value else "1 = 0"
        case "min":
            yield f"{compared} >= {given(value)}"
        case "max":
            yield f"{compared} <= {given(value)}"
        case "has":
            yield f"LOWER({name}) LIKE LOWER({given(f'%{_literal(str(value))}%')}) ESCAPE '\\'"
        case "lists":
            entry = json.dumps(value, ensure_ascii=False)
            yield f"{name} LIKE {given(f'%{_literal(entry)}%')} ESCAPE '\\'"


_TEXTS: Final = ("text", "json", "decimal", "file")


def _number(column: Column, name: str) -> str:
    """Return what is compared and sorted by."""
    return f"CAST({name} AS DOUBLE PRECISION)" if column.kind == "decimal" else name


def _order(shape: Shape, query: Query) -> str:
    parts: list[str] = []
    for each in query.sort:
        column = shape.by_name[each.field]
        by = _label_of(shape, column, *each.by) if each.by is not None else _compared(column, column.quoted)
        parts += [f"({column.quoted} IS NULL)", by + (" DESC" if each.descending else "")]
    newest_first = ["_deleted_at DESC"] if query.deleted else []
    return ", ".join([*parts, *newest_first, "_place", "_id"])


def _compared(column: Column, name: str) -> str:
    return f"LOWER({name})" if column.kind == "text" else _number(column, name)


def _label_of(shape: Shape, link: Column, other: Shape, label: Column) -> str:
    """Return what people call the record a link leads to, as part of a statement."""
    shown = _compared(label, f"o.{label.quoted}")
    return f"(SELECT {shown} FROM {other.table} o WHERE o._id = {shape.table}.{link.quoted})"  # noqa: S608 - checked names


def _literal(text: str) -> str:
    """Return text so that LIKE takes every sign of it for itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def toggled(sort: Sequence[Sort], field: str) -> tuple[Sort, ...]:
    """Return the order after a click on the head of a column: up, then down, then as people ordered."""
    now = next((each for each in sort if each.field == field), None)
    if now is None:
        return (Sort(field),)
    return () if now.descending else (replace(now, descending=True),)
