"""What goes with a table that is brought to another shape: its rows read and filled, its history told in new names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pipulate.storage.database import Transaction
from pipulate.storage.records import rows
from pipulate.storage.records.rows import Record
from pipulate.storage.records.shape import Shape

_AT_ONCE: Final = 1_000


def every(tx: Transaction, shape: Shape) -> Iterator[list[Record]]:
    """Yield all records of a table, those in the bin too, some at a time."""
    after = 0
    sql = (
        f"SELECT {rows.columns(shape)} FROM {shape.table} WHERE _id > :after"  # noqa: S608 - checked names
        f" ORDER BY _id LIMIT {_AT_ONCE}"
    )
    while found := [rows.record_of(shape, row) for row in tx.all(sql, after=after)]:
        yield found
        after = found[-1].id


def count(tx: Transaction, shape: Shape) -> int:
    """Return how many records a table has, those in the bin too."""
    row = tx.one(f"SELECT COUNT(*) FROM {shape.table}")  # noqa: S608 - checked names
    return int(row[0]) if row else 0


def fill(
    tx: Transaction, shape: Shape, names: Sequence[str], given: Sequence[tuple[int, Mapping[str, Any], str]]
) -> None:
    """Put values into some columns of records, and the text they are searched by.

    It is no change of the records: their versions stay, and their history says nothing of a field before it was there.

    Args:
        tx: The transaction, with the table claimed.
        shape: The table, with these columns.
        names: The columns.
        given: Number, values of these columns, text to be found by; of each record.
    """
    sets = [f'"{name}" = :c{index}' for index, name in enumerate(names)]
    sql = f"UPDATE {shape.table} SET {', '.join([*sets, '_found = :found'])} WHERE _id = :record"  # noqa: S608
    columns = [shape.by_name[name] for name in names]
    tx.many(
        sql,
        [
            {f"c{index}": rows.cell(each, values[each.name]) for index, each in enumerate(columns)}
            | {"found": found, "record": number}
            for number, values, found in given
        ],
    )


def rename_in_history(tx: Transaction, shape: Shape, renamed: Mapping[str, str]) -> None:
    """Let the history of a table call fields by other names, so that what was done under the old ones can be undone."""
    if not renamed:
        return
    mentions = {f"m{index}": f'%"{name}":%' for index, name in enumerate(renamed)}
    where = " OR ".join(f"data LIKE :{each}" for each in mentions)
    sql = (
        "SELECT record, version, data FROM record_events WHERE resource = :name"  # noqa: S608 - a constant
        f" AND (record > :record OR (record = :record AND version > :version)) AND ({where})"
        f" ORDER BY record, version LIMIT {_AT_ONCE}"
    )
    last = (0, 0)
    while found := tx.all(sql, name=shape.name, record=last[0], version=last[1], **mentions):
        told = [
            {"name": shape.name, "record": record, "version": version, "data": _renamed(data, renamed)}
            for record, version, data in found
        ]
        tx.many(
            "UPDATE record_events SET data = :data WHERE resource = :name AND record = :record AND version = :version",
            told,
        )
        last = (found[-1][0], found[-1][1])


def _renamed(data: str, renamed: Mapping[str, str]) -> str:
    changes = {renamed.get(name, name): pair for name, pair in json.loads(data).items()}
    return json.dumps(changes, ensure_ascii=True, separators=(",", ":"))
