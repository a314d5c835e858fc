"""Changing, deleting, restoring and erasing very many records: part by part, each in a transaction of its own.

All parts are one operation, so that all of it is taken back at once. What the app or the store refuses of a record is
told, and the record stays as it is. How far it came is noted in the transaction of each part: what was cut short goes
on with the next part, and does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipulate.crud import many, writing
from pipulate.crud.chosen import Chosen, Part, State, part_done
from pipulate.crud.engine import CHANGE, DELETE, ERASE, RESTORE, Records
from pipulate.crud.many import Report, Row
from pipulate.crud.resource import Moment, Resource
from pipulate.crud.writing import Done
from pipulate.errors import InvalidAnswersError, RecordError, RecordLinkedError, RecordRefusedError
from pipulate.security.who import Who
from pipulate.storage.database import Transaction, as_a_whole
from pipulate.storage.records import operations, rows
from pipulate.storage.records.rows import Operation, Record

What = Literal["change", "delete", "restore", "erase"]
"""What is done to them, as stored."""

GONE: Final = "What was chosen is not known any more. Choose it again."
_Changed = list[tuple[Record, Record | None]]
_AFTER: Final[Mapping[str, Moment]] = {CHANGE: "after_change", DELETE: "after_delete"}


@dataclass(frozen=True, slots=True)
class Bulk:
    """What is done to many records.

    Attributes:
        resource: Their resource.
        what: What is done.
        choice: The records, as `Chosen.keep` returned them.
        who: Who does it.
        operation: What it is noted under.
        answers: For a change the fields, as `forms.decode` returns them.
    """

    resource: Resource[Any]
    what: What
    choice: str
    who: Who
    operation: Operation
    answers: Mapping[str, Any]

    @property
    def is_in_bin(self) -> bool:
        """Whether it is about records in the bin."""
        return self.what in (RESTORE, ERASE)


@dataclass(frozen=True, slots=True)
class _Became:
    """What became of a part within its transaction: how far it is, the records hooks are told of, the files let go."""

    state: State
    changed: Sequence[tuple[Record, Record | None]]
    let_go: Collection[str] = ()


async def do_all(records: Records, chosen: Chosen, bulk: Bulk, progress: Callable[[State], None]) -> Report:
    """Do something to all the records of a choice; where a part of it was done before, to the others.

    Args:
        records: What records are changed through.
        chosen: Where the choice is kept.
        bulk: What is done.
        progress: Told how far it is, first and after each part; it may raise to stop in between.

    Raises:
        RecordRefusedError: If the choice is not known any more, or what was done before was taken back.
    """
    await records.ready(bulk.resource)
    state = await chosen.state(bulk.choice)
    if state is None:
        raise RecordRefusedError(GONE)
    progress(state)
    while not state.is_done:
        state = await _do_part(records, bulk, state, await chosen.next(bulk.choice, state))
        progress(state)
    return state.report


async def _do_part(records: Records, bulk: Bulk, state: State, part: Part) -> State:
    report = state.report.copied()
    asked = await _allowed(records, bulk, part, await _there(records, bulk, part, report), report)
    titles = {name: found.title for name, found in records.resources.items()}

    def unit(tx: Transaction, done: Done) -> _Became:
        told = report.copied()  # The unit may be run again.
        if bulk.what != ERASE:
            many.begin(tx, bulk.resource, bulk.operation, bulk.what, told)
        put_off, changed, let_go = list[int](), _Changed(), set[str]()
        match bulk.what:
            case "change":
                changed = _change(tx, bulk, asked, told, done)
            case "delete":
                changed, put_off = _delete(tx, bulk, part, asked, titles, told, done)
            case "restore":
                changed = _restore(tx, bulk, asked, told, done)
            case "erase":
                let_go = _erase(tx, bulk, asked, told)
        if told.operation and not told.changed:  # So far there is nothing that could be taken back.
            operations.forget(tx, bulk.operation)
            told.operation = ""
        return _Became(part_done(tx, bulk.choice, state, part, told, put_off), changed, let_go)

    _, became = await records.written(bulk.resource, unit, bulk.who)
    await records.clear_files(bulk.resource, became.let_go)
    if (moment := _AFTER.get(bulk.what)) is not None:
        await records.told(moment, bulk.resource, became.changed, bulk.who)
    return became.state


async def _there(records: Records, bulk: Bulk, part: Part, report: Report) -> list[Record]:
    """Return the records of a part that are where they were; the others are counted."""
    found = await records.find_all(bulk.resource, part.records, deleted=True)
    there = [each for each in found if (each.deleted_at is not None) is bulk.is_in_bin]
    # A link may have taken some along with a part before.
    taken_along = sum(each.deleted_at == bulk.operation.author.at for each in found) if bulk.what == DELETE else 0
    report.changed += taken_along
    report.gone += len(part.records) - len(there) - taken_along
    return there


async def _allowed(records: Records, bulk: Bulk, part: Part, there: Sequence[Record], report: Report) -> list[Row]:
    """Return those that the app allows, with what a change makes of them; the others are told."""
    if bulk.what == CHANGE:
        given = [(each, bulk.answers) for each in there]
        found: Sequence[Any] = await records.all_checked(bulk.resource, given, None, bulk.who)
    elif part.is_first_turn:
        found = [await records.refusal(bulk.resource, bulk.what, each, bulk.who) or {} for each in there]
    else:  # They were asked about when they were put off.
        found = [{}] * len(there)
    asked = []
    for each, values in zip(there, found, strict=True):
        if isinstance(values, Exception):
            report.refuse(each.id, values)
        else:
            asked.append(Row(each.id, values, each))
    return asked


# Within the transaction of a part


def _change(tx: Transaction, bulk: Bulk, asked: Sequence[Row], told: Report, done: Done) -> _Changed:
    others = told.changed + told.kept + told.wrong
    many.write_all(tx, bulk.resource, bulk.operation, asked, None, told, done)
    told.same += len(asked) - (told.changed + told.kept + told.wrong - others)
    before = {row.number: row.before for row in asked if row.before is not None}
    return [(before[each.id], each) for each in done.records]


def _delete(
    tx: Transaction,
    bulk: Bulk,
    part: Part,
    asked: Sequence[Row],
    titles: Mapping[str, str],
    told: Report,
    done: Done,
) -> tuple[_Changed, list[int]]:
    """Put records into the bin; return them, and those to be tried again once others are gone that belong to them."""
    now = rows.find_all(tx, bulk.resource.shape, [row.number for row in asked])
    refused = dict(_put_into_bin(tx, bulk, [each.id for each in now], titles, done))
    told.gone += len(asked) - len(now)
    told.changed += len(now) - len(refused)
    put_off = []
    for number, error in refused.items():
        if isinstance(error, RecordLinkedError) and told.changed > part.after:
            put_off.append(number)
        else:
            told.refuse(number, error)
    profile = now[0].profile if now else None
    many.count(tx, bulk.resource, bulk.operation, len(done.records), profile, told, done)
    return [(each, None) for each in now if each.id not in refused], put_off


def _put_into_bin(
    tx: Transaction, bulk: Bulk, numbers: Sequence[int], titles: Mapping[str, str], done: Done
) -> list[tuple[int, RecordError]]:
    """Delete records; return those that cannot be, with why. They are found by halves: mostly there are none."""
    shape, tried = bulk.resource.shape, Done(versions=dict(done.versions))
    there = rows.find_all(tx, shape, numbers)  # Some may have gone along with those of the other half.

    def delete() -> None:
        writing.put_into_bin(tx, shape, bulk.operation, there, titles, tried)

    try:
        as_a_whole(tx, delete, RecordError)
    except RecordError as error:
        if len(there) == 1:
            return [(there[0].id, error)]
        middle = len(numbers) // 2
        halves = (numbers[:middle], numbers[middle:])
        return [each for half in halves for each in _put_into_bin(tx, bulk, half, titles, done)]
    done.records += tried.records
    done.versions = tried.versions
    return []


def _restore(tx: Transaction, bulk: Bulk, asked: Sequence[Row], told: Report, done: Done) -> _Changed:
    shape = bulk.resource.shape
    for each in _in_bin(tx, bulk, asked, told):
        try:
            writing.refuse_taken(tx, shape, each.values, each.profile, each.id)
        except (InvalidAnswersError, RecordError) as error:
            told.refuse(each.id, error)
        else:
            done.records.append(rows.restore(tx, shape, bulk.operation, each))
    told.changed += len(done.records)
    profile = done.records[0].profile if done.records else None
    many.count(tx, bulk.resource, bulk.operation, len(done.records), profile, told, done)
    return []


def _erase(tx: Transaction, bulk: Bulk, asked: Sequence[Row], told: Report) -> set[str]:
    """Erase records; return the files that nobody may hold any more."""
    gone = []
    for each in _in_bin(tx, bulk, asked, told):
        if writing.may_be_erased(tx, bulk.resource.shape, each):
            gone.append(each.id)
        else:
            told.refuse(each.id, RecordRefusedError(writing.NEEDED))
    told.changed += len(gone)
    return rows.erase(tx, bulk.resource.shape, gone)


def _in_bin(tx: Transaction, bulk: Bulk, asked: Sequence[Row], told: Report) -> list[Record]:
    """Return those that are still in the bin; the others are counted."""
    found = rows.find_all(tx, bulk.resource.shape, [row.number for row in asked], deleted=True)
    there = [each for each in found if each.deleted_at is not None]
    told.gone += len(asked) - len(there)
    return there
