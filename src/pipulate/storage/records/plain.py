"""Tables of records as class-style plugins ask for them: by a condition and an order of their own writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipulate.storage.database import Transaction
from pipulate.storage.records.conditions import Compiled, Term, ordered
from pipulate.storage.records.rows import Record, columns, record_of
from pipulate.storage.records.shape import Shape


class Wanted(NamedTuple):
    """Which records, and what is wanted of them besides their own columns.

    Attributes:
        conditions: All of them hold; no two have parameters of one name.
        order: Columns to sort by, as the author wrote them; else the order people gave.
        limit, offset: How many, after how many; None for all.
        positions: Whether each one's place in the order people gave is wanted, counted from 0.
    """

    conditions: Sequence[Compiled] = ()
    order: str = ""
    limit: int | None = None
    offset: int = 0
    positions: bool = False


def terms(shape: Shape, *, position: str = "", hidden: Sequence[str] = ()) -> Mapping[str, Term]:
    """Return what names in a condition stand for: the number, each column, and the place under a name of its own."""
    found = {"id": Term("_id", "integer")}
    found |= {each.name: Term(each.quoted, each.kind) for each in shape.columns if each.name not in hidden}
    return found | ({position: Term(_position(shape), "integer")} if position else {})


def select(
    tx: Transaction, shape: Shape, named: Mapping[str, Term], wanted: Wanted, *, is_postgres: bool
) -> list[tuple[Record, int]]:
    """Return records, each with its position, which is 0 where it is not wanted.

    Raises:
        ConditionError: If the order names something that is no column.
    """
    where, values = _where(wanted.conditions)
    place = _position(shape) if wanted.positions else "0"
    order = f"{ordered(wanted.order, named, is_postgres=is_postgres)}, _id" if wanted.order else "_place, _id"
    limit = wanted.limit if wanted.limit is not None else 2**62
    found = tx.all(
        f"SELECT {columns(shape)}, {place} FROM {shape.table} WHERE {where} ORDER BY {order}"  # noqa: S608
        " LIMIT :limit OFFSET :offset",
        **values, limit=limit, offset=wanted.offset,
    )  # fmt: skip
    return [(record_of(shape, row[:-1]), int(row[-1])) for row in found]


def count(tx: Transaction, shape: Shape, conditions: Sequence[Compiled]) -> int:
    """Return how many records there are."""
    where, values = _where(conditions)
    row = tx.one(f"SELECT COUNT(*) FROM {shape.table} WHERE {where}", **values)  # noqa: S608 - checked names
    return int(row[0]) if row else 0


def _where(conditions: Sequence[Compiled]) -> tuple[str, dict[str, Any]]:
    """Return several conditions as one."""
    parts = ["_deleted_at IS NULL", *(f"({each.sql})" for each in conditions)]
    return " AND ".join(parts), {name: value for each in conditions for name, value in each.values.items()}


def _position(shape: Shape) -> str:
    """Return what counts the records that stand before one; for short lists, for it looks at all of them."""
    table = shape.table
    return (
        f"(SELECT COUNT(*) FROM {table} AS o WHERE o._deleted_at IS NULL AND (o._place < {table}._place"  # noqa: S608
        f" OR (o._place = {table}._place AND o._id < {table}._id)))"
    )
