"""Changing many records at once: part by part, so that others get a turn, and undone in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from pipulate.crud import writing
from pipulate.crud.engine import CHANGE, Records
from pipulate.crud.resource import Resource
from pipulate.crud.telling import tell
from pipulate.crud.writing import Done
from pipulate.errors import InvalidAnswersError, RecordError, RecordRefusedError
from pipulate.security.who import Who
from pipulate.storage.database import Transaction
from pipulate.storage.records import operations, rows
from pipulate.storage.records.rows import Operation, Record, Values

T = TypeVar("T")

IMPORT: Final = "import"

AT_ONCE: Final = 500
"""Records that are checked and written at one time."""

PROBLEMS_MAX: Final = 1_000
"""Problems that a report tells one by one; of more only how many there are."""

TAKEN_BACK: Final = "This was taken back before it was done."

Choice = Literal["skip", "update"]
"""What becomes of a row whose key a record has already."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one row, or one record.

    Attributes:
        row: Number of the row from 1, or of the record.
        field: The field it is about, or "".
        words: A sentence.
    """

    row: int
    field: str
    words: str


@dataclass(slots=True)
class Report:
    """What became of many.

    Attributes:
        operation: Id under which all of it can be taken back; "" where nothing was changed.
        created, changed, skipped, same, kept: How many were added, were changed, were left out because they were there
            already, were as they should be, were left because somebody changed them meanwhile. Of those that were to be
            deleted, restored or erased, `changed` are.
        gone: How many were not there any more when their turn came.
        wrong: How many could not be taken.
        problems: What is wrong with them, the first `PROBLEMS_MAX`.
        is_told: Whether it stands in the conversation of who does it.
        file, noted: Where all of them are noted, as `waiting.Noted` has it, and how much of that counts, in bytes.
        fresh: Those that are to be noted there yet, however many; None where they are noted nowhere.
    """

    operation: str = ""
    created: int = 0
    changed: int = 0
    skipped: int = 0
    same: int = 0
    kept: int = 0
    gone: int = 0
    wrong: int = 0
    problems: list[Problem] = field(default_factory=list)
    is_told: bool = False
    file: str = ""
    noted: int = 0
    fresh: list[Problem] | None = None

    def refuse(self, row: int, error: Exception) -> None:
        """Take down why a row cannot be taken."""
        self.wrong += 1
        told = dict(error.problems) if isinstance(error, InvalidAnswersError) else {"": str(error)}
        found = [Problem(row, name, words) for name, words in told.items()]
        self.problems += found[: max(PROBLEMS_MAX - len(self.problems), 0)]
        if self.fresh is not None:
            self.fresh += found

    def copied(self) -> Report:
        """Return one that can be changed for itself."""
        return replace(self, problems=[*self.problems], fresh=None if self.fresh is None else [*self.fresh])

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        stored = {name: value for name, value in asdict(replace(self, fresh=None)).items() if name != "fresh"}
        return stored | {"problems": [[each.row, each.field, each.words] for each in self.problems]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Report:
        """Return what `as_json` made."""
        return cls(**{**stored, "problems": [Problem(*each) for each in stored["problems"]]})


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was checked.

    Attributes:
        number: Its number, from 1.
        values: What a record made of it has.
        before: The record with its key, or None.
    """

    number: int
    values: Values
    before: Record | None


async def change_all(
    records: Records,
    resource: Resource[Any],
    chosen: Sequence[int],
    answers: Mapping[str, Any],
    who: Who,
) -> Report:
    """Give some fields of many records the same values; what cannot have them stays as it is.

    Args:
        records: What records are changed through.
        resource: Their resource.
        chosen: Their numbers.
        answers: The fields, as `forms.decode` returns them.
        who: Who does it.
    """
    report, operation = Report(), records.operation(who)
    for part in parts(chosen):
        checked: list[Row] = []
        for before in await records.find_all(resource, part):
            try:
                values = await records.changed(resource, before, answers, who)
            except (InvalidAnswersError, RecordError) as error:
                report.refuse(before.id, error)
            else:
                checked.append(Row(before.id, values, before))
        report = await write(records, resource, operation, CHANGE, checked, None, report, who)
    return report


async def write(
    records: Records,
    resource: Resource[Any],
    operation: Operation,
    kind: str,
    checked: Sequence[Row],
    profile: str | None,
    report: Report,
    who: Who,
    *,
    facts: Callable[[Report], Mapping[str, Any]] | None = None,
) -> Report:
    """Write a part in one transaction; what does not hold there is told and left out.

    Args:
        records: What records are changed through.
        resource: Their resource.
        operation: What it is noted under.
        kind: Kind of the operation.
        checked: The rows.
        profile: The profile of records that are added.
        report: What became of the parts before.
        who: Who does it.
        facts: Where it is given, what it returns for the report is noted with the operation.

    Returns:
        The report, with this part.
    """
    if not checked:
        return report

    def unit(tx: Transaction, done: Done) -> Report:
        told = report.copied()  # The unit may be run again.
        begin(tx, resource, operation, kind, told)
        write_all(tx, resource, operation, checked, profile, told, done)
        records.refuse_gone(tx, resource, operation)
        if facts is not None:
            operations.describe(tx, operation, facts(told))
        return told

    done, told = await records.written(resource, unit, who)
    before = {row.before.id: row.before for row in checked if row.before is not None}
    await records.told("after_create", resource, [(None, each) for each in done.records if each.id not in before], who)
    changed = [(before[each.id], each) for each in done.records if each.id in before]
    await records.told("after_change", resource, changed, who)
    return told


def begin(tx: Transaction, resource: Resource[Any], operation: Operation, kind: str, told: Report) -> None:
    """Note that something is done to many, where this was not noted with a part before.

    Raises:
        RecordRefusedError: If somebody took back the parts before.
    """
    if not told.operation:
        operations.begin(tx, resource.shape, operation, kind, {})
        told.operation = operation.id
        return
    found = operations.find(tx, resource.shape, operation.id)
    if found is not None and found.undone is not None:
        raise RecordRefusedError(TAKEN_BACK)


def write_all(
    tx: Transaction,
    resource: Resource[Any],
    operation: Operation,
    checked: Sequence[Row],
    profile: str | None,
    told: Report,
    done: Done,
) -> None:
    """Write rows within a transaction; those that do not hold there are told.

    Args:
        tx: The transaction, with the table claimed.
        resource: Their resource.
        operation: What it is noted under; it was begun.
        checked: The rows.
        profile: The profile of records that are added.
        told: Takes down what became of them.
        done: Takes down what was done, and the records that hooks are told of.
    """
    before = told.created + told.changed
    for row in checked:
        try:
            created, changed = _one(tx, resource, operation, row, profile, done)
        except (InvalidAnswersError, RecordError) as error:
            told.refuse(row.number, error)
        else:
            told.created, told.changed = told.created + created, told.changed + changed
    told.kept += done.kept
    written = told.created + told.changed - before
    count(tx, resource, operation, written, profile or _owner(checked), told, done)


def count(
    tx: Transaction,
    resource: Resource[Any],
    operation: Operation,
    written: int,
    profile: str | None,
    told: Report,
    done: Done,
) -> None:
    """Note that an operation changed so many more records, and tell of it the first time it did."""
    operations.count(tx, operation, written)
    if written and not told.is_told:
        done.message, told.is_told = tell(tx, resource, operation, (), profile), True


def _owner(checked: Sequence[Row]) -> str | None:
    return next((row.before.profile for row in checked if row.before is not None), None)


def _one(
    tx: Transaction, resource: Resource[Any], operation: Operation, row: Row, profile: str | None, done: Done
) -> tuple[int, int]:
    """Write one row; return how many records were added, and changed."""
    shape, owner = resource.shape, row.before.profile if row.before is not None else profile
    number = row.before.id if row.before is not None else 0
    if row.before is not None:
        now = rows.find(tx, shape, number)
        if now.version != row.before.version:
            done.kept += 1
            return 0, 0
    writing.refuse_taken(tx, shape, row.values, owner, number)
    writing.refuse_dangling(tx, shape, row.values, owner)
    found = writing.found_by(shape, resource.search, row.values)
    if row.before is not None:
        changed = rows.change(tx, shape, operation, row.before, row.values, found)
        if changed is not None and resource.hooks["after_change"]:
            done.records.append(changed)
        return 0, int(changed is not None)
    place = rows.last_place(tx, shape, owner)
    added = rows.add(tx, shape, operation, row.values, found, profile=owner, place=place)
    if resource.hooks["after_create"]:
        done.records.append(rows.find(tx, shape, added))
    return 1, 0


def parts(things: Iterable[T]) -> Iterator[list[T]]:
    """Yield things as many at a time as are checked and written together."""
    left = iter(things)
    while part := list(islice(left, AT_ONCE)):
        yield part
