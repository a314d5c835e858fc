"""What is done to records within one transaction, with all that has to hold there: keys, links, versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipulate.crud.outcome import Outcome
from pipulate.crud.resource import Resource
from pipulate.errors import (
    InvalidAnswersError,
    RecordConflictError,
    RecordLinkedError,
    RecordNotFoundError,
    RecordTakenError,
)
from pipulate.storage import profiles
from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog, operations, queries, rows
from pipulate.storage.records.files import is_named
from pipulate.storage.records.operations import RecordEvent
from pipulate.storage.records.queries import Condition, Query, folded
from pipulate.storage.records.rows import Operation, Record, Values
from pipulate.storage.records.shape import Shape

DEEP: Final = 10
"""Links that a deletion follows, one behind the other."""


NEEDED: Final = "This cannot be erased, because something in the bin still belongs to it."


@dataclass(slots=True)
class Done:
    """What a transaction did.

    Attributes:
        records: The records as they are now.
        versions: Name of each table that was changed -> its version.
        kept: How many records were left as they are, because somebody changed them since.
        message: Conversation and number of the message that tells of it, or None.
    """

    records: list[Record] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    kept: int = 0
    message: tuple[str, int] | None = None

    def add(self, part: Done, most: int) -> None:
        """Add what another transaction did; of the records no more than the first `most` are held."""
        self.records += part.records[: max(most - len(self.records), 0)]
        self.kept += part.kept


def found_by(shape: Shape, search: Sequence[str], values: Values) -> str:
    """Return the text that a record is searched by."""
    return folded(*(_words(values[name]) for name in search if name in shape.by_name))


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if is_named(value):
        return str(value["name"])
    if isinstance(value, Mapping):
        return " ".join(_words(each) for each in value.values())
    return " ".join(_words(each) for each in value) if isinstance(value, list) else str(value)


def claimed(tx: Transaction, shape: Shape, done: Done) -> None:
    """Let nobody else change records of a table until the transaction ends."""
    if shape.name not in done.versions:
        done.versions[shape.name] = rows.claim(tx, shape)


def refuse_taken(tx: Transaction, shape: Shape, values: Values, profile: str | None, record: int = 0) -> None:
    """Refuse values of the key that another record has, and what the program itself cannot have in a table of its own.

    Raises:
        RecordTakenError: If one has them.
        InvalidAnswersError, RecordRefusedError: If a profile would be what none may be.
    """
    if shape.name == profiles.NAME:
        profiles.refuse_values(tx, values, record)
    if not shape.key or any(values[name] is None for name in shape.key):
        return
    conditions = tuple(Condition(name, "is", values[name]) for name in shape.key)
    found = queries.numbers(tx, shape, Query(profile, conditions=conditions))
    if any(number != record for number in found):
        raise RecordTakenError(shape.key)


def refuse_dangling(tx: Transaction, shape: Shape, values: Values, profile: str | None) -> None:
    """Refuse links that lead to no record.

    Raises:
        InvalidAnswersError: With a sentence for each.
    """
    problems = {}
    for column in shape.columns:
        wanted = values.get(column.name)
        if column.kind != "link" or wanted is None:
            continue
        other = shape if column.to == shape.name else catalog.stored(tx, column.to)
        there = rows.find_all(tx, other, [wanted]) if other is not None else []
        if not there or (there[0].profile not in (None, profile) and profile is not None):
            problems[column.name] = "This record does not exist any more. Choose another."
    if problems:
        raise InvalidAnswersError(problems)


def conflict(tx: Transaction, shape: Shape, now: Record, seen: int, values: Values) -> RecordConflictError | None:
    """Return what stands in the way of a change based on an older version; None where it touches other fields."""
    if seen >= now.version:
        return None
    since: set[str] = set()
    version = now.version + 1
    while version > seen + 1 and (events := operations.history(tx, shape, now.id, before=version)):
        since.update(*(event.changes for event in events if event.version > seen))
        version = events[-1].version
    both = [name for name, value in values.items() if name in since and now.values[name] != value]
    if not both:
        return None
    return RecordConflictError(
        resource=shape.name, record=now.id, seen=seen, version=now.version,
        theirs={name: now.values[name] for name in both}, mine={name: values[name] for name in both},
    )  # fmt: skip


def done_before(tx: Transaction, shape: Shape, submit: str) -> Outcome | None:
    """Return what came of something that was asked for before under the same id, or None."""
    row = operations.find(tx, shape, submit)
    if row is None:
        return None
    numbers = [int(row.facts["record"])] if "record" in row.facts else []
    return Outcome(row.id, rows.find_all(tx, shape, numbers, deleted=True))


def put_into_bin(
    tx: Transaction,
    shape: Shape,
    operation: Operation,
    records: Iterable[Record],
    titles: Mapping[str, str],
    done: Done,
) -> None:
    """Delete records, and what their links take along.

    Args:
        tx: The transaction, with the table claimed.
        shape: The table.
        operation: What it is noted under.
        records: The records.
        titles: What people call each resource.
        done: Takes down what was done.

    Raises:
        RecordLinkedError: If a record that is protected leads to one of them.
    """
    others = [found for name in catalog.names(tx) if (found := catalog.stored(tx, name)) is not None]
    _delete(tx, shape, operation, list(records), others, titles, done, DEEP)


def _delete(
    tx: Transaction,
    shape: Shape,
    operation: Operation,
    records: list[Record],
    others: Sequence[Shape],
    titles: Mapping[str, str],
    done: Done,
    deep: int,
) -> None:
    if not records or not deep:
        return
    claimed(tx, shape, done)
    gone = {each.id for each in records}
    for each in records if shape.name == profiles.NAME else ():
        profiles.refuse_removal(tx, each.values, titles)
    done.records += [rows.delete(tx, shape, operation, each) for each in records]
    for other, column in ((each, column) for each in others for column in each.columns if column.to == shape.name):
        query = Query(conditions=(Condition(column.name, "any", sorted(gone)),))
        linked = rows.find_all(tx, other, queries.numbers(tx, other, query))
        if not linked:
            continue
        if column.on_delete == "protect":
            raise RecordLinkedError(titles.get(other.name, other.name), len(linked))
        if column.on_delete == "cascade":
            _delete(tx, other, operation, linked, others, titles, done, deep - 1)
            continue
        claimed(tx, other, done)
        for each in linked:
            values = {column.name: None}
            rows.change(tx, other, operation, each, values, None)
            done.records.append(each)


def may_be_erased(tx: Transaction, shape: Shape, record: Record) -> bool:
    """Tell whether a record can be removed for good: it is in the bin, and nothing is left that cannot do without."""
    is_needed = shape.name == profiles.NAME and profiles.is_needed(tx, record)
    return record.deleted_at is not None and not is_needed


def take_back(
    tx: Transaction,
    shape: Shape,
    operation: Operation,
    events: Sequence[RecordEvent],
    search: Sequence[str],
    done: Done,
    *,
    is_strict: bool,
) -> None:
    """Take back what an operation did to records, where nothing was done to them since.

    Args:
        tx: The transaction.
        shape: The table.
        operation: What it is noted under.
        events: What the operation did, in the order it did it.
        search: The fields a record is searched by.
        done: Takes down what was done, and how many records were left as they are.
        is_strict: Whether a key that another record has by now stops it all; otherwise that record is left.

    Raises:
        RecordTakenError: If one has, where that stops it.
    """
    claimed(tx, shape, done)
    now = {each.id: each for each in rows.find_all(tx, shape, {each.record for each in events}, deleted=True)}
    for event in reversed(events):
        record = now.get(event.record)
        if record is None or record.version != event.version + _further(events, event):
            done.kept += 1
            continue
        try:
            now[event.record] = _reversed(tx, shape, operation, record, event, search)
        except RecordTakenError:
            if is_strict:
                raise
            done.kept += 1
            continue
        done.records.append(now[event.record])


def move_back(tx: Transaction, shape: Shape, operation: Operation, moved: Mapping[str, Any], done: Done) -> None:
    """Let a record stand where it stood, where nobody has moved it since; `moved` is what the operation noted."""
    there = rows.find_all(tx, shape, [moved["record"]], deleted=True)
    if not there or there[0].place != moved["to"]:
        done.kept += 1
        return
    rows.move(tx, shape, there[0].id, moved["from"])
    operations.describe(tx, operation, {"record": there[0].id, "from": moved["to"], "to": moved["from"]})
    operations.count(tx, operation, 1)
    done.records.append(there[0]._replace(place=moved["from"]))


def _further(events: Sequence[RecordEvent], event: RecordEvent) -> int:
    """Return how many versions were made from this event on by taking back those after it."""
    return sum(2 for each in events if each.record == event.record and each.version > event.version)


def _reversed(
    tx: Transaction, shape: Shape, operation: Operation, record: Record, event: RecordEvent, search: Sequence[str]
) -> Record:
    if event.kind in (rows.CREATED, rows.RESTORED):
        if shape.name == profiles.NAME:
            profiles.refuse_removal(tx, record.values, {})
        return rows.delete(tx, shape, operation, record)
    if event.kind == rows.DELETED:
        refuse_taken(tx, shape, record.values, record.profile, record.id)
        return rows.restore(tx, shape, operation, record)
    values = {name: before for name, (before, _) in event.changes.items() if name in shape.by_name}
    refuse_taken(tx, shape, {**record.values, **values}, record.profile, record.id)
    found = found_by(shape, search, {**record.values, **values})
    return rows.change(tx, shape, operation, record, values, found) or record


def as_it_was(tx: Transaction, shape: Shape, record: int, version: int) -> Values:
    """Return the fields of a record as they were at a version; those there were not at that time are left out.

    Raises:
        RecordNotFoundError: If it never had that version.
    """
    values: dict[str, Any] = {}
    first = 0
    events: list[RecordEvent] = []
    while part := operations.history(tx, shape, record, before=first or None):
        events += part
        first = part[-1].version
    for event in reversed(events):
        if event.version <= version:
            values |= {name: now for name, (_, now) in event.changes.items()}
    if not 1 <= version <= (events[0].version if events else 0):
        raise RecordNotFoundError(shape.name, record)
    return {name: values[name] for name in shape.by_name if name in values}


def changing(resource: Resource[Any], before: Record, values: Values) -> Callable[[Transaction, Operation, Done], None]:
    """Return what gives a record other values, where nobody has changed it since."""

    def unit(tx: Transaction, operation: Operation, done: Done) -> None:
        now = rows.find(tx, resource.shape, before.id)
        if now.version != before.version:
            done.kept = 1
            return
        refuse_taken(tx, resource.shape, values, now.profile, now.id)
        refuse_dangling(tx, resource.shape, values, now.profile)
        found = found_by(resource.shape, resource.search, values)
        changed = rows.change(tx, resource.shape, operation, now, values, found)
        if changed is not None:
            done.records.append(changed)

    return unit
