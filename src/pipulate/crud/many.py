"""Changing and taking in many records at once: part by part, so that others get a turn, and undone in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal, TypeVar

from pipulate.crud import writing
from pipulate.crud.cells import answers_of
from pipulate.crud.engine import CHANGE, Records
from pipulate.crud.resource import Resource
from pipulate.crud.telling import tell
from pipulate.crud.writing import Done
from pipulate.errors import InvalidAnswersError, RecordError, RecordTakenError
from pipulate.security.who import Who
from pipulate.storage.database import Transaction
from pipulate.storage.records import operations, rows
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.rows import Operation, Record, Values

T = TypeVar("T")

IMPORT: Final = "import"

AT_ONCE: Final = 500
"""Records that are checked and written at one time."""

PROBLEMS_MAX: Final = 1_000
"""Problems that are told one by one; of more only how many there are."""

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
            already, were as they should be, were left because somebody changed them meanwhile.
        wrong: How many could not be taken.
        problems: What is wrong with them, the first `PROBLEMS_MAX`.
        is_told: Whether it stands in the conversation of who does it.
    """

    operation: str = ""
    created: int = 0
    changed: int = 0
    skipped: int = 0
    same: int = 0
    kept: int = 0
    wrong: int = 0
    problems: list[Problem] = field(default_factory=list)
    is_told: bool = False

    def refuse(self, row: int, error: Exception) -> None:
        """Take down why a row cannot be taken."""
        self.wrong += 1
        told = dict(error.problems) if isinstance(error, InvalidAnswersError) else {"": str(error)}
        room = PROBLEMS_MAX - len(self.problems)
        self.problems += [Problem(row, name, words) for name, words in list(told.items())[:room]]


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
    for part in _parts(chosen):
        checked: list[Row] = []
        for before in await records.find_all(resource, part):
            try:
                values = await records.changed(resource, before, answers, who)
            except (InvalidAnswersError, RecordError) as error:
                report.refuse(before.id, error)
            else:
                checked.append(Row(before.id, values, before))
        await _write(records, resource, operation, CHANGE, checked, None, report, who)
    return report


async def take_in(
    records: Records,
    resource: Resource[Any],
    table: Iterable[Mapping[str, str]],
    profile: str | None,
    who: Who,
    *,
    choice: Choice,
    is_trial: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Make records of the rows of a table.

    A row whose key a record has already is left out, or changes that record. A row that breaks a rule is told and left
    out; the others are taken.

    Args:
        records: What records are changed through.
        resource: Their resource.
        table: The rows: field -> what stands in its cell.
        profile: The profile that is chosen.
        who: Who does it.
        choice: What becomes of rows that are there already.
        is_trial: Only find out what would become of them.
        progress: Told how many rows are done.
    """
    report, operation = Report(), records.operation(who)
    owner = profile if resource.per_profile else None
    number, seen = 0, set[tuple[Any, ...]]()
    await records.ready(resource)
    for part in _parts(table):
        numbered = list(enumerate(part, number + 1))
        number += len(part)
        checked = _chosen(await _sound(records, resource, numbered, seen, owner, report, who), choice, report)
        if is_trial:
            report.created += sum(row.before is None for row in checked)
            report.changed += sum(row.before is not None for row in checked)
        else:
            await _write(records, resource, operation, IMPORT, checked, owner, report, who)
        if progress is not None:
            progress(number)
    return report


async def _sound(
    records: Records,
    resource: Resource[Any],
    numbered: Iterable[tuple[int, Mapping[str, str]]],
    seen: set[tuple[Any, ...]],
    profile: str | None,
    report: Report,
    who: Who,
) -> list[Row]:
    """Return the rows that break no rule; `seen` are the keys of the rows before."""
    found = []
    for number, cells in numbered:
        try:
            row = await _checked(records, resource, number, cells, profile, who)
            _refuse_twice(resource, row, seen)
        except (InvalidAnswersError, RecordError) as error:
            report.refuse(number, error)
        else:
            found.append(row)
    return found


async def _checked(
    records: Records, resource: Resource[Any], number: int, cells: Mapping[str, str], profile: str | None, who: Who
) -> Row:
    answers = answers_of(resource.fields, cells)
    wanted = key_query(resource, answers, profile)
    before = await records.first(resource, wanted) if wanted is not None else None
    if before is None:
        return Row(number, await records.created(resource, answers, profile, who), None)
    return Row(number, await records.changed(resource, before, answers, who), before)


def _refuse_twice(resource: Resource[Any], row: Row, seen: set[tuple[Any, ...]]) -> None:
    """Refuse a key that a row before has; a record made of that is not stored yet.

    Raises:
        RecordTakenError: If one has.
    """
    key = tuple(row.values[name] for name in resource.key)
    if key and None not in key:
        if key in seen:
            raise RecordTakenError(resource.key)
        seen.add(key)


def _chosen(rows_: list[Row], choice: Choice, report: Report) -> list[Row]:
    there = [row for row in rows_ if row.before is not None]
    if choice == "skip":
        report.skipped += len(there)
        return [row for row in rows_ if row.before is None]
    same = [row for row in there if row.before is not None and row.before.values == row.values]
    report.same += len(same)
    return [row for row in rows_ if row not in same]


async def _write(
    records: Records,
    resource: Resource[Any],
    operation: Operation,
    kind: str,
    checked: Sequence[Row],
    profile: str | None,
    report: Report,
    who: Who,
) -> None:
    """Write a part in one transaction; what does not hold there is told and left out."""
    refused: list[tuple[int, Exception]] = []

    def unit(tx: Transaction, done: Done) -> tuple[int, int]:
        created = changed = 0
        refused.clear()  # It may be run again.
        if not report.operation and checked:
            operations.begin(tx, resource.shape, operation, kind, {})
        for row in checked:
            try:
                created_one, changed_one = _one(tx, resource, operation, row, profile, done)
            except (InvalidAnswersError, RecordError) as error:
                refused.append((row.number, error))
            else:
                created, changed = created + created_one, changed + changed_one
        operations.count(tx, operation, created + changed)
        if created + changed and not report.is_told:
            done.message = tell(tx, resource, operation, (), profile or _owner(checked))
        return created, changed

    done, (created, changed) = await records.written(resource, unit, who)
    for number, error in refused:
        report.refuse(number, error)
    report.created, report.changed = report.created + created, report.changed + changed
    report.kept += done.kept
    report.operation = operation.id if checked else report.operation
    report.is_told = report.is_told or created + changed > 0


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
        return 0, int(rows.change(tx, shape, operation, row.before, row.values, found) is not None)
    place = rows.last_place(tx, shape, owner)
    rows.add(tx, shape, operation, row.values, found, profile=owner, place=place)
    return 1, 0


def key_query(resource: Resource[Any], answers: Mapping[str, Any], profile: str | None) -> Query | None:
    """Return what finds the record with the key of these answers; None where they have none."""
    if not resource.key or any(answers.get(name) in (None, "") for name in resource.key):
        return None
    typed = {name: _as_stored(resource, name, answers[name]) for name in resource.key}
    if None in typed.values():
        return None  # What is no number is the number of no record; the check of the field says so.
    return Query(profile, conditions=tuple(Condition(name, "is", value) for name, value in typed.items()))


def _as_stored(resource: Resource[Any], name: str, value: Any) -> Any:
    kind = resource.shape.by_name[name].kind
    if kind not in ("integer", "link", "real") or not isinstance(value, str):
        return value
    try:
        return float(value) if kind == "real" else int(value)
    except ValueError:
        return None


def _parts(things: Iterable[T]) -> Iterator[list[T]]:
    left = iter(things)
    while part := list(islice(left, AT_ONCE)):
        yield part
