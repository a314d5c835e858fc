"""What was done to records: one line for each thing a person did at once, however many records it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipulate.storage import journal
from pipulate.storage.author import Author
from pipulate.storage.database import Transaction
from pipulate.storage.records.queries import folded
from pipulate.storage.records.rows import Operation
from pipulate.storage.records.shape import Shape

PAGE: Final = 50
"""Operations, and events of a record, read at one time."""

COLUMNS: Final = ("id", "resource", "at", "actor", "tab", "kind", "records", "about", "undoes", "undone", "profile")
"""As `OperationRow` has them."""

_COLUMNS = ", ".join(COLUMNS)
LABEL_MAX: Final = 200
"""Most characters that are noted of what people call a record."""


class OperationRow(NamedTuple):
    """Something that was done at once; see the migration for the columns."""

    id: str
    resource: str
    at: str
    actor: str
    tab: str | None
    kind: str
    records: int
    about: str
    undoes: str | None
    undone: str | None
    profile: str | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What it was about; depends on its kind."""
        found: Mapping[str, Any] = json.loads(self.about)
        return found


class RecordEvent(NamedTuple):
    """A line of a record's history.

    Attributes:
        record: Number of the record.
        version: The version it made.
        kind: What happened.
        changes: Field -> what it was, what it is.
        operation: Id of what it was part of.
        at, actor: When, and who.
        done: Kind of that operation.
        via: What did it for that person; see `Author`. Known of what `history` returns only.
    """

    record: int
    version: int
    kind: str
    changes: Mapping[str, tuple[Any, Any]]
    operation: str
    at: str
    actor: str
    done: str
    via: str | None = None


def begin(
    tx: Transaction, shape: Shape, operation: Operation, kind: str, about: Mapping[str, Any], undoes: str | None = None
) -> None:
    """Note that something is done."""
    author = operation.author
    tx.run(
        f"INSERT INTO record_operations ({_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (:id, :resource, :at, :actor, :tab, :kind, 0, :about, :undoes, NULL, NULL)",
        id=operation.id, resource=shape.name, at=author.at, actor=author.actor, tab=author.tab, kind=kind,
        about=json.dumps({**about, **author.noted}, separators=(",", ":")), undoes=undoes,
    )  # fmt: skip


def forget(tx: Transaction, operation: Operation) -> None:
    """Remove the line of something that turned out to be nothing."""
    tx.run("DELETE FROM record_operations WHERE id = :id", id=operation.id)


def describe(tx: Transaction, operation: Operation, about: Mapping[str, Any]) -> None:
    """Note what it is about, besides what was noted before."""
    row = tx.one("SELECT about FROM record_operations WHERE id = :id", id=operation.id)
    told = json.dumps({**(json.loads(row[0]) if row else {}), **about}, separators=(",", ":"))
    tx.run("UPDATE record_operations SET about = :about WHERE id = :id", about=told, id=operation.id)


def sum_up(tx: Transaction, operation: Operation, record: int | None, label: str, profile: str | None) -> None:
    """Note which record it was about, where it was one, and the profile that this belongs to."""
    row = tx.one("SELECT about FROM record_operations WHERE id = :id", id=operation.id)
    assert row is not None  # noqa: S101 - it was begun in the same transaction
    label = journal.storable(label[:LABEL_MAX])
    about = {**json.loads(row[0]), **({"record": record, "label": label} if record is not None else {})}
    tx.run(
        "UPDATE record_operations SET about = :about, profile = :profile, found = :found WHERE id = :id",
        about=json.dumps(about, separators=(",", ":")), profile=profile, found=folded(label), id=operation.id,
    )  # fmt: skip


def count(tx: Transaction, operation: Operation, records: int) -> None:
    """Note that it changed so many more records."""
    tx.run("UPDATE record_operations SET records = records + :records WHERE id = :id", records=records, id=operation.id)


def undone_by(tx: Transaction, operation: str, by: str) -> bool:
    """Note what took an operation back; False where something else did already."""
    return (
        tx.run("UPDATE record_operations SET undone = :by WHERE id = :id AND undone IS NULL", by=by, id=operation) > 0
    )


def find(tx: Transaction, shape: Shape, operation: str) -> OperationRow | None:
    """Return an operation on a table, or None."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM record_operations WHERE id = :id AND resource = :resource",  # noqa: S608 - a constant
        id=operation, resource=shape.name,
    )  # fmt: skip
    return OperationRow(*row) if row else None


def latest(tx: Transaction, shape: Shape, *, before: str | None = None) -> list[OperationRow]:
    """Return the newest operations on a table, or those before one of them."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM record_operations WHERE resource = :resource"  # noqa: S608 - a constant
        + (" AND id < :before" if before else "")
        + f" ORDER BY id DESC LIMIT {PAGE}",
        resource=shape.name, **({"before": before} if before else {}),
    )  # fmt: skip
    return [OperationRow(*row) for row in rows]


def events_of(tx: Transaction, shape: Shape, operation: str, *, after: int = 0, limit: int = 500) -> list[RecordEvent]:
    """Return what an operation did to records, by their numbers, those after one."""
    return _events(
        tx, "e.operation = :operation AND e.resource = :resource AND e.record > :after",
        f"e.record, e.version LIMIT {int(limit)}",
        operation=operation, resource=shape.name, after=after,
    )  # fmt: skip


def history(tx: Transaction, shape: Shape, record: int, *, before: int | None = None) -> list[RecordEvent]:
    """Return the newest events of a record, or those before a version."""
    return _events(
        tx, "e.resource = :resource AND e.record = :record AND e.version < :before", f"e.version DESC LIMIT {PAGE}",
        about="o.about", resource=shape.name, record=record, before=before if before is not None else 2**31 - 1,
    )  # fmt: skip


def _events(tx: Transaction, where: str, order: str, *, about: str = "'{}'", **values: Any) -> list[RecordEvent]:
    rows = tx.all(
        f"SELECT e.record, e.version, e.kind, e.data, e.operation, o.at, o.actor, o.kind, {about} FROM record_events e"  # noqa: S608
        f" JOIN record_operations o ON o.id = e.operation WHERE {where} ORDER BY {order}",
        **values,
    )
    found = []
    for record, version, kind, data, operation, at, actor, done, noted in rows:
        changes = {name: tuple(pair) for name, pair in json.loads(data).items()}
        via = json.loads(noted).get("via")
        found.append(RecordEvent(record, version, kind, changes, operation, at, actor, done, via))
    return found


def as_operation(row: OperationRow) -> Operation:
    """Return what further changes of an operation are noted under."""
    return Operation(row.id, Author(row.actor, row.at, row.tab, row.facts.get("via")))
