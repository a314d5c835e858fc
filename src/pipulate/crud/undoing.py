"""Taking back what an operation did, part by part, with a note how far that came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pipulate.crud import writing
from pipulate.crud.resource import Resource
from pipulate.crud.telling import tell
from pipulate.crud.writing import Done
from pipulate.errors import RecordRefusedError
from pipulate.storage.database import Transaction
from pipulate.storage.records import operations
from pipulate.storage.records.operations import OperationRow, RecordEvent
from pipulate.storage.records.rows import Operation

UNDO: Final = "undo"
"""Kind of an operation that takes another back."""

NOTHING: Final = "There is nothing to undo any more."


def taking_back(
    resource: Resource[Any], made: Operation, events: Sequence[RecordEvent], first: OperationRow | None, kept: int
) -> Callable[[Transaction], Done]:
    """Return what takes events back, and notes how far it came.

    Args:
        resource: The resource of the records.
        made: What it is noted under.
        events: The events.
        first: The operation they are of, where it is still to be noted as undone.
        kept: How many records were left as they are before.
    """

    def unit(tx: Transaction) -> Done:
        done = Done()
        writing.claimed(tx, resource.shape, done)
        if first is not None:
            operations.begin(tx, resource.shape, made, UNDO, {}, undoes=first.id)
            if not operations.undone_by(tx, first.id, made.id):
                raise RecordRefusedError(NOTHING)
            if "to" in first.facts:
                writing.move_back(tx, resource.shape, made, first.facts, done)
        writing.take_back(tx, resource.shape, made, events, resource.search, done, is_strict=first is not None)
        operations.count(tx, made, len(done.records))
        if events:
            about = {"of": resource.name, "after": events[-1].record, "kept": kept + done.kept}
            operations.describe(tx, made, about)
        if first is not None and done.records:
            done.message = tell(tx, resource, made, done.records, done.records[0].profile)
        return done

    return unit


def left_to_do(own: str, installed: Iterable[str], begun: OperationRow | None) -> tuple[list[str], int, int]:
    """Return the resources that are still to be gone through, the record to begin behind, and how many were kept.

    Args:
        own: The resource of the operation that is taken back; it comes first.
        installed: The resources there are.
        begun: The operation that takes back, where it was begun before.
    """
    names = [own, *sorted(name for name in installed if name != own)]
    if begun is None or "of" not in begun.facts:
        return names, 0, 0
    of, kept = begun.facts["of"], begun.facts["kept"]
    if of in names:
        return names[names.index(of) :], begun.facts["after"], kept
    return [name for name in names[1:] if name > of], 0, kept
