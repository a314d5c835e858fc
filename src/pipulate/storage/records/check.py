"""Whether records are what their history adds up to."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog, files, rows
from pipulate.storage.records.rows import Record
from pipulate.storage.records.shape import Shape

_AT_ONCE: Final = 500

Event = tuple[int, str, dict[str, Any]]
"""Version, kind, and field -> what it was, what it is."""


def check_records(tx: Transaction) -> Iterator[str]:
    """Yield what is wrong with the records of a store."""
    for name in catalog.names(tx):
        try:
            shape = catalog.stored(tx, name)
        except (KeyError, TypeError, ValueError) as error:
            yield f"records {name}: how their table is made cannot be read ({error!r})"
            continue
        if shape is not None:
            yield from _check_table(tx, shape)


def _check_table(tx: Transaction, shape: Shape) -> Iterator[str]:
    after = 0
    sql = f"SELECT _id FROM {shape.table} WHERE _id > :after ORDER BY _id LIMIT {_AT_ONCE}"  # noqa: S608 - checked names
    while numbers := [int(row[0]) for row in tx.all(sql, after=after)]:
        events = _events(tx, shape, after, numbers[-1])
        for record in rows.find_all(tx, shape, numbers, deleted=True):
            problem = _problem(shape, record, events[record.id]) or _unheld(tx, shape, record, events[record.id])
            if problem:
                yield f"record {shape.name}/{record.id}: {problem}"
        after = numbers[-1]


def _unheld(tx: Transaction, shape: Shape, record: Record, events: list[Event]) -> str:
    """Return which file a record or its history names without holding it, or ""."""
    told = [now for _, _, changes in events for _, now in changes.values()]
    named = [each for value in [*record.values.values(), *told] for each in files.named_in(value)]
    held = {(each.sha256, each.name) for each in files.of_record(tx, shape, record.id)} if named else set()
    lost = [each for each in named if (each["sha256"], each["name"]) not in held]
    return f"a file that it names is not listed ({lost[0]['sha256'][:12]})" if lost else ""


def _events(tx: Transaction, shape: Shape, after: int, upto: int) -> dict[int, list[Event]]:
    found: dict[int, list[Event]] = defaultdict(list)
    for record, version, kind, data in tx.all(
        "SELECT record, version, kind, data FROM record_events WHERE resource = :name AND record > :after"
        " AND record <= :upto ORDER BY record, version",
        name=shape.name, after=after, upto=upto,
    ):  # fmt: skip
        found[record].append((version, kind, json.loads(data)))
    return found


def _problem(shape: Shape, record: Record, events: list[Event]) -> str:
    """Return what is wrong with a record, or ""."""
    if [version for version, _, _ in events] != list(range(1, record.version + 1)):
        return f"its history has {len(events)} events where version {record.version} was expected"
    values: dict[str, Any] = {}
    is_deleted = False
    for _, kind, changes in events:
        values |= {name: now for name, (_, now) in changes.items()}
        is_deleted = {rows.DELETED: True, rows.RESTORED: False}.get(kind, is_deleted)
    # A field that was added to the table since is in no event as long as nobody changed it.
    wrong = [name for name in shape.by_name if name in values and values[name] != record.values[name]]
    if wrong:
        return f"{', '.join(wrong)} are not what the history adds up to"
    return (
        "" if is_deleted == (record.deleted_at is not None) else "its history says otherwise of whether it is deleted"
    )
