"""Records as rows: added, changed, moved, put into the bin. Each change is noted in the history at the same time.

Every unit that changes records claims their table first, so that versions, places and the history follow one order.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pipulate.errors import RecordNotFoundError
from pipulate.storage import journal
from pipulate.storage.author import Author
from pipulate.storage.database import Row, Transaction
from pipulate.storage.records import files
from pipulate.storage.records.places import between
from pipulate.storage.records.shape import Column, Shape

CREATED: Final = "created"
CHANGED: Final = "changed"
DELETED: Final = "deleted"
RESTORED: Final = "restored"

Values = Mapping[str, Any]
"""The fields of a record as JSON knows them."""

# As `Record` has them.
_OWN = "_id, _profile, _place, _version, _made_at, _made_by, _changed_at, _changed_by, _deleted_at"


class Record(NamedTuple):
    """A record as its row says.

    Attributes:
        id: Its number, never given twice within a table.
        profile: The profile it belongs to, or None where the resource has none.
        place: Where it stands in the order people gave it; see `places`.
        version: How often it was changed, from 1.
        made_at, made_by, changed_at, changed_by: Who and when.
        deleted_at: When it went into the bin, or None.
        values: Its fields.
    """

    id: int
    profile: str | None
    place: str
    version: int
    made_at: str
    made_by: str
    changed_at: str
    changed_by: str
    deleted_at: str | None
    values: Values


@dataclass(frozen=True, slots=True)
class Operation:
    """What a change is noted under; all that was done at once can be taken back at once.

    Attributes:
        id: Its id.
        author: Who does it, from where, when.
    """

    id: str
    author: Author


def columns(shape: Shape) -> str:
    """Return what is selected to make a `Record`, as part of a statement."""
    return ", ".join((_OWN, *(column.quoted for column in shape.columns)))


def record_of(shape: Shape, row: Row) -> Record:
    """Return the record a row is of, selected with `columns`."""
    own = len(Record._fields) - 1
    values = {each.name: each.loaded(cell) for each, cell in zip(shape.columns, row[own:], strict=True)}
    return Record._make([*row[:own], values])


def claim(tx: Transaction, shape: Shape) -> int:
    """Make everybody else wait who wants to change records of this table; return its version, which grows by that."""
    row = tx.one("UPDATE record_tables SET version = version + 1 WHERE name = :name RETURNING version", name=shape.name)
    assert row is not None  # noqa: S101 - a table is noted before anything is put into it
    return int(row[0])


def find(tx: Transaction, shape: Shape, record: int, *, profile: str | None = None, deleted: bool = False) -> Record:
    """Return a record.

    Args:
        tx: The transaction.
        shape: Its table.
        record: Its number.
        profile: The profile it has to belong to, or None for any.
        deleted: Whether it may be in the bin.

    Raises:
        RecordNotFoundError: If there is none.
    """
    found = {each.id: each for each in find_all(tx, shape, [record], profile=profile, deleted=deleted)}
    if record not in found:
        raise RecordNotFoundError(shape.name, record)
    return found[record]


def find_all(
    tx: Transaction, shape: Shape, records: Collection[int], *, profile: str | None = None, deleted: bool = False
) -> list[Record]:
    """Return those of some records that there are, by their numbers."""
    given = sorted(set(records))
    found: list[Record] = []
    for start in range(0, len(given), _AT_ONCE):
        some = given[start : start + _AT_ONCE]
        named = {f"r{index}": number for index, number in enumerate(some)}
        where = f"_id IN ({', '.join(f':{name}' for name in named)})"
        where += "" if deleted else " AND _deleted_at IS NULL"
        where += "" if profile is None else " AND _profile = :profile"
        sql = f"SELECT {columns(shape)} FROM {shape.table} WHERE {where} ORDER BY _id"  # noqa: S608 - checked names
        found += [record_of(shape, row) for row in tx.all(sql, **named, **_given(profile))]
    return found


_AT_ONCE: Final = 500


def _given(profile: str | None) -> dict[str, Any]:
    return {} if profile is None else {"profile": profile}


def add(
    tx: Transaction, shape: Shape, operation: Operation, values: Values, found: str, *, profile: str | None, place: str
) -> int:
    """Add a record; return its number.

    Args:
        tx: The transaction, with the table claimed.
        shape: The table.
        operation: What it is noted under.
        values: All its fields.
        found: The text it is searched by.
        profile: The profile it belongs to, or None.
        place: Where it stands.
    """
    names = ["_profile", "_place", "_version", "_made_at", "_made_by", "_changed_at", "_changed_by", "_found"]
    cells: dict[str, Any] = {
        "c0": profile, "c1": place, "c2": 1, "c3": operation.author.at, "c4": operation.author.actor,
        "c5": operation.author.at, "c6": operation.author.actor, "c7": found,
    }  # fmt: skip
    for index, column in enumerate(shape.columns, len(names)):
        cells[f"c{index}"] = cell(column, values[column.name])
    quoted = ", ".join([*names, *(column.quoted for column in shape.columns)])
    row = tx.one(
        f"INSERT INTO {shape.table} ({quoted}) VALUES ({', '.join(f':{name}' for name in cells)}) RETURNING _id",  # noqa: S608
        **cells,
    )
    assert row is not None  # noqa: S101 - an insert returns its row
    number = int(row[0])
    note(tx, shape, operation, number, 1, CREATED, {name: [None, value] for name, value in values.items()})
    return number


def cell(column: Column, value: Any) -> Any:
    """Return a value as it goes into the store."""
    stored = column.stored(value)
    return journal.storable(stored) if isinstance(stored, str) else stored


def change(
    tx: Transaction, shape: Shape, operation: Operation, before: Record, values: Values, found: str | None
) -> Record | None:
    """Give a record other values; return it, or None where they are those it has.

    Args:
        tx: The transaction, with the table claimed.
        shape: The table.
        operation: What it is noted under.
        before: The record as it is.
        values: The fields that become something else.
        found: The text it is searched by from now on; None where that stays.
    """
    changed = {name: value for name, value in values.items() if before.values[name] != value}
    if not changed:
        return None
    data = {name: [before.values[name], value] for name, value in changed.items()}
    cells = {name: cell(shape.by_name[name], value) for name, value in changed.items()}
    _update(tx, shape, before, operation, cells, {} if found is None else {"_found": found})
    note(tx, shape, operation, before.id, before.version + 1, CHANGED, data)
    return _after(before, operation, values={**before.values, **changed})


def delete(tx: Transaction, shape: Shape, operation: Operation, before: Record) -> Record:
    """Put a record into the bin; return it as it is there."""
    _update(tx, shape, before, operation, {}, {"_deleted_at": operation.author.at})
    note(tx, shape, operation, before.id, before.version + 1, DELETED, {})
    return _after(before, operation, deleted_at=operation.author.at)


def restore(tx: Transaction, shape: Shape, operation: Operation, before: Record) -> Record:
    """Take a record out of the bin; return it."""
    _update(tx, shape, before, operation, {}, {"_deleted_at": None})
    note(tx, shape, operation, before.id, before.version + 1, RESTORED, {})
    return _after(before, operation, deleted_at=None)


def _after(before: Record, operation: Operation, **changed: Any) -> Record:
    author = operation.author
    return before._replace(version=before.version + 1, changed_at=author.at, changed_by=author.actor, **changed)


def _update(tx: Transaction, shape: Shape, before: Record, operation: Operation, fields: Values, own: Values) -> None:
    cells: dict[str, Any] = {f"f{index}": cell for index, cell in enumerate(fields.values())}
    cells |= {f"o{index}": cell for index, cell in enumerate(own.values())}
    named = [*(f'"{name}"' for name in fields), *own]
    sets = ", ".join(f"{name} = :{cell}" for name, cell in zip(named, cells, strict=True))
    tx.run(
        f"UPDATE {shape.table} SET {sets}, _version = :version, _changed_at = :at, _changed_by = :by"  # noqa: S608
        " WHERE _id = :record",
        **cells, version=before.version + 1, at=operation.author.at, by=operation.author.actor, record=before.id,
    )  # fmt: skip


def move(tx: Transaction, shape: Shape, record: int, place: str) -> None:
    """Let a record stand somewhere else. Its version stays: whoever edits it meanwhile is in nobody's way."""
    tx.run(f"UPDATE {shape.table} SET _place = :place WHERE _id = :record", place=place, record=record)  # noqa: S608


def erase(tx: Transaction, shape: Shape, records: Sequence[int]) -> set[str]:
    """Remove records and their history for good; return the files that may be held by nobody now."""
    given = [{"record": number, "name": shape.name} for number in records]
    tx.many("DELETE FROM record_events WHERE resource = :name AND record = :record", given)
    tx.many(f"DELETE FROM {shape.table} WHERE _id = :record", [{"record": number} for number in records])  # noqa: S608
    return files.forget(tx, shape, records)


def last_place(tx: Transaction, shape: Shape, profile: str | None) -> str:
    """Return the place behind all others, in the bin or not."""
    where = "" if profile is None else " WHERE _profile = :profile"
    row = tx.one(f"SELECT MAX(_place) FROM {shape.table}{where}", **_given(profile))  # noqa: S608 - checked names
    return between(row[0] if row else None, None)


def place_beside(tx: Transaction, shape: Shape, beside: Record, *, after: bool) -> str:
    """Return a place right before or right after a record, of its profile."""
    sign, last = (">", "MIN") if after else ("<", "MAX")
    where = "" if beside.profile is None else " AND _profile = :profile"
    row = tx.one(
        f"SELECT {last}(_place) FROM {shape.table} WHERE _place {sign} :place{where}",  # noqa: S608 - checked names
        place=beside.place, **_given(beside.profile),
    )  # fmt: skip
    other = row[0] if row else None
    return between(beside.place, other) if after else between(other, beside.place)


def note(
    tx: Transaction, shape: Shape, operation: Operation, record: int, version: int, kind: str, data: Values
) -> None:
    """Write a line of the history; the files it names stay as long as it does."""
    files.hold(tx, shape, record, {name: now for name, (_, now) in data.items()}, operation.id, operation.author)
    tx.run(
        "INSERT INTO record_events (resource, record, version, operation, kind, data)"
        " VALUES (:resource, :record, :version, :operation, :kind, :data)",
        resource=shape.name, record=record, version=version, operation=operation.id, kind=kind,
        data=json.dumps(data, ensure_ascii=True, separators=(",", ":")),
    )  # fmt: skip
