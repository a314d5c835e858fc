"""Which tables of records there are, and bringing one to another shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from pipulate.storage.database import Transaction
from pipulate.storage.records.shape import PREFIX, Column, Shape, column_sql

_INDEXED: Final = "link"


@dataclass(frozen=True, slots=True)
class Difference:
    """What a declared table has that the stored one has not, and the other way round.

    Attributes:
        added: Columns that are new.
        gone: Columns that are no longer declared.
        changed: Columns that hold something else now: as they are stored, as they are declared.
        has_other_key: Whether what has to be unique is something else.
        has_other_owner: Whether records belong to profiles now and did not, or the other way round.
    """

    added: tuple[Column, ...] = ()
    gone: tuple[Column, ...] = ()
    changed: tuple[tuple[Column, Column], ...] = ()
    has_other_key: bool = False
    has_other_owner: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.gone or self.changed or self.has_other_key or self.has_other_owner)


def names(tx: Transaction) -> list[str]:
    """Return the names of all resources that have a table."""
    return [str(name) for (name,) in tx.all("SELECT name FROM record_tables ORDER BY name")]


def stored(tx: Transaction, name: str) -> Shape | None:
    """Return the table of a resource as it is in the store, or None where it has none."""
    row = tx.one("SELECT shape FROM record_tables WHERE name = :name", name=name)
    return Shape.from_json(name, str(row[0])) if row else None


def version(tx: Transaction, name: str) -> int:
    """Return the version of a table, which grows with each change of its records; 0 where there is none."""
    row = tx.one("SELECT version FROM record_tables WHERE name = :name", name=name)
    return int(row[0]) if row else 0


def make(tx: Transaction, shape: Shape, at: str, is_postgres: bool) -> None:
    """Make a table that is not there yet."""
    noted = tx.attempt(
        "INSERT INTO record_tables (name, shape, version, made_at) VALUES (:name, :shape, 0, :at)",
        name=shape.name, shape=shape.as_json(), at=at,
    )  # fmt: skip
    if noted:  # Otherwise another process was faster.
        for statement in shape.made_by(is_postgres=is_postgres):
            tx.run(statement)


def make_anew(tx: Transaction, shape: Shape, at: str, is_postgres: bool) -> bool:
    """Give a table that holds no record, in the bin neither, other columns; False, and nothing done, where it does."""
    if tx.one(f"SELECT 1 FROM {shape.table} LIMIT 1") is not None:  # noqa: S608 - a checked name
        return False
    tx.run(f"DROP TABLE {shape.table}")
    tx.run("DELETE FROM record_tables WHERE name = :name", name=shape.name)
    make(tx, shape, at, is_postgres)
    return True


def difference(stored: Shape, declared: Shape) -> Difference:
    """Return what is to be done to the stored table, so that it is as declared."""
    both = [name for name in declared.by_name if name in stored.by_name]
    pairs = [(stored.by_name[name], declared.by_name[name]) for name in both]
    return Difference(
        tuple(each for each in declared.columns if each.name not in stored.by_name),
        tuple(each for each in stored.columns if each.name not in declared.by_name),
        tuple((was, is_now) for was, is_now in pairs if was != is_now),
        stored.key != declared.key,
        stored.per_profile != declared.per_profile,
    )


def fit(
    tx: Transaction,
    stored: Shape,
    declared: Shape,
    renamed: Mapping[str, str],
    dropped: Collection[str],
    *,
    profile: str,
) -> None:
    """Bring a table to the shape that is declared; other tables are not touched.

    Args:
        tx: The transaction.
        stored: The table as it is.
        declared: The table as it is to be.
        renamed: Name of a column that is to stay -> what it is called from now on.
        dropped: Columns that go with what is in them; one that is declared all the same is made anew, and empty.
        profile: The profile that records belong to from now on, where they belonged to none.

    Raises:
        ValueError: If a column would have to hold something else than it does.
    """
    _drop_indexes(tx, stored)
    for name in dropped:
        tx.run(f"ALTER TABLE {stored.table} DROP COLUMN {stored.by_name[name].quoted}")
    for old, new in renamed.items():
        now = declared.by_name[new].quoted
        tx.run(f"ALTER TABLE {stored.table} RENAME COLUMN {stored.by_name[old].quoted} TO {now}")
    there = {renamed.get(each.name, each.name): each.kind for each in stored.columns if each.name not in dropped}
    for column in declared.columns:
        if column.name not in there:
            tx.run(f"ALTER TABLE {stored.table} ADD COLUMN {column_sql(column)}")
        elif there[column.name] != column.kind:
            raise ValueError(f"{column.name!r} holds {there[column.name]} and cannot become {column.kind}.")
    if stored.per_profile != declared.per_profile:
        owner = profile if declared.per_profile else None
        tx.run(f"UPDATE {stored.table} SET _profile = :owner", owner=owner)  # noqa: S608 - checked names
    _make_indexes(tx, declared)
    tx.run("UPDATE record_tables SET shape = :shape WHERE name = :name", shape=declared.as_json(), name=declared.name)


def _drop_indexes(tx: Transaction, shape: Shape) -> None:
    tx.run(f'DROP INDEX "{PREFIX}{shape.name}__in_order"')
    if shape.key:
        tx.run(f'DROP INDEX "{PREFIX}{shape.name}__key"')
    for column in shape.columns:
        if column.kind == _INDEXED:
            tx.run(f'DROP INDEX "{PREFIX}{shape.name}_{column.name}"')


def _make_indexes(tx: Transaction, shape: Shape) -> None:
    tx.run(shape.order_sql())
    for column in shape.columns:
        if column.kind == _INDEXED:
            tx.run(shape.index_sql(column))
    if shape.key:
        tx.run(shape.key_sql())
