"""Very many records changed, deleted, restored and erased part by part, however often it is cut short."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from pipulate.crud import many
from pipulate.crud.bulk import Bulk, What, do_all
from pipulate.crud.change import Change
from pipulate.crud.chosen import Chosen, State
from pipulate.crud.many import Report
from pipulate.crud.resource import Resource
from pipulate.crud.taking import Line, Taking, take_in
from pipulate.errors import RecordRefusedError
from pipulate.events import MessagesAdded
from pipulate.fields.hints import Link
from pipulate.storage import keyvalue
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Record
from tests.contract.test_records import ANN, BEN, HOME, World, prepared
from tests.support.store import Store

pytestmark = pytest.mark.anyio

AT_ONCE, PROBLEMS_MAX = 20, 30
"""Small, so that few records are several parts."""
SOME = AT_ONCE + 5
EVERY: tuple[What, ...] = ("change", "delete", "restore", "erase")


class Part(BaseModel):
    """Something that may belong to another, and keeps it from being deleted."""

    code: str
    name: str = Field("", max_length=10)
    of: Annotated[int | None, Link("parts", on_delete="protect")] = None


class Branch(BaseModel):
    """Something that goes with what it belongs to."""

    code: str
    of: Annotated[int | None, Link("branches", on_delete="cascade")] = None


class CutShortError(Exception):
    """Somebody pulls the plug."""


class Shed(World):
    """A store with many parts."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.parts = prepared(Resource("parts", Part, key="code"))
        self.branches = prepared(Resource("branches", Branch))
        self.records = self.another(self.parts, self.branches)
        self.chosen = Chosen(store.db, store.clock)
        self.messages: list[MessagesAdded] = []
        self.bus.subscribe(self._hear_message)

    def _hear_message(self, happening: object) -> None:
        if isinstance(happening, MessagesAdded):
            self.messages.append(happening)

    async def fill(self, number: int, resource: Resource[Any] | None = None, **more: str) -> list[int]:
        """Add so many; return their numbers."""
        of = resource or self.parts
        before = set(await self.records.numbers(of, Query()))
        lines = [Line(each, {"code": f"c{len(before) + each}", **more}) for each in range(1, number + 1)]
        await take_in(self.records, Taking(of, HOME, ANN, "skip"), lines)
        self.told.clear()
        self.messages.clear()
        return sorted(set(await self.records.numbers(of, Query())) - before)

    async def prepare(self, what: What, number: int) -> list[int]:
        """Add so many that this can be done to; return their numbers."""
        made = await self.fill(number)
        if what in ("restore", "erase"):
            await self.records.delete(self.parts, made, ANN)
        self.told.clear()
        self.messages.clear()
        return made

    async def bulk(
        self, what: What, numbers: Sequence[int], resource: Resource[Any] | None = None, **answers: str
    ) -> Bulk:
        if what == "change" and not answers:
            answers = {"name": "New"}
        self.store.clock.move(seconds=1)
        choice, operation = await self.chosen.keep(numbers), self.records.operation(ANN)
        self.store.clock.move(seconds=1)
        return Bulk(resource or self.parts, what, choice, ANN, operation, answers)

    async def do(self, bulk: Bulk, progress: Callable[[State], None] = lambda _: None) -> Report:
        return await do_all(self.records, self.chosen, bulk, progress)

    async def done(self, what: What, numbers: Sequence[int], **answers: str) -> Report:
        return await self.do(await self.bulk(what, numbers, None, **answers))

    async def cut_short(self, bulk: Bulk) -> None:
        """Do the first part alone."""
        with pytest.raises(CutShortError):
            await self.do(bulk, after_a_part)

    async def all(self, numbers: Sequence[int], resource: Resource[Any] | None = None) -> dict[int, Record]:
        found = await self.records.find_all(resource or self.parts, numbers, deleted=True)
        return {each.id: each for each in found}


def after_a_part(state: State) -> None:
    if state.upto:
        raise CutShortError


@pytest.fixture
def shed(store: Store, monkeypatch: pytest.MonkeyPatch) -> Shed:
    monkeypatch.setattr(many, "AT_ONCE", AT_ONCE)
    monkeypatch.setattr(many, "PROBLEMS_MAX", PROBLEMS_MAX)
    return Shed(store)


def is_done(what: What, record: Record | None, version: int) -> bool:
    """Tell whether something was done to a record that had this version, once."""
    if what == "erase":
        return record is None
    if record is None or record.version != version + 1:
        return False
    return record.values["name"] == "New" if what == "change" else (record.deleted_at is not None) is (what == "delete")


@pytest.mark.parametrize("what", EVERY)
async def test_all_parts_are_done_once_though_it_is_cut_short(shed: Shed, what: What) -> None:
    numbers = await shed.prepare(what, SOME)
    versions = {number: each.version for number, each in (await shed.all(numbers)).items()}
    bulk = await shed.bulk(what, numbers)
    await shed.cut_short(bulk)
    there = await shed.all(numbers)
    assert sum(is_done(what, there.get(each), versions[each]) for each in numbers) == AT_ONCE
    report = await shed.do(bulk)
    there = await shed.all(numbers)
    assert [each for each in numbers if not is_done(what, there.get(each), versions[each])] == []
    assert (report.changed, report.wrong, report.gone, report.same, report.kept) == (SOME, 0, 0, 0, 0)
    assert await shed.do(bulk) == report


@pytest.mark.parametrize("what", ["change", "delete", "restore"])
async def test_all_parts_are_one_operation_told_once_and_taken_back_at_once(shed: Shed, what: What) -> None:
    numbers = await shed.prepare(what, SOME)
    before = await shed.all(numbers)
    bulk = await shed.bulk(what, numbers)
    await shed.cut_short(bulk)
    await shed.do(bulk)
    latest = (await shed.records.done_lately(shed.parts))[0]
    assert (latest.id, latest.kind, latest.records) == (bulk.operation.id, what, SOME)
    assert len(shed.messages) == 1
    await shed.records.undo(shed.parts, bulk.operation.id, ANN)
    for number, record in (await shed.all(numbers)).items():
        was = before[number]
        assert (record.values, record.deleted_at is None) == (was.values, was.deleted_at is None)


@pytest.mark.parametrize("what", EVERY)
async def test_pages_hear_of_it_once_a_part_not_once_a_record(shed: Shed, what: What) -> None:
    numbers = await shed.prepare(what, SOME)
    await shed.done(what, numbers)
    assert [each.resource for each in shed.told] == ["parts", "parts"]


async def test_records_are_those_of_the_moment_it_was_asked_for(shed: Shed) -> None:
    numbers = await shed.fill(4)
    bulk = await shed.bulk("change", numbers, name="New")
    (later,) = await shed.fill(1)
    await shed.records.delete(shed.parts, numbers[:1], BEN)
    await shed.records.change(shed.parts, numbers[1], {"name": "New"}, BEN, seen=1)
    report = await shed.do(bulk)
    assert (report.changed, report.gone, report.same) == (2, 1, 1)
    there = await shed.all([*numbers, later])
    assert [each.values["name"] for each in there.values()] == ["", "New", "New", "New", ""]


@pytest.mark.parametrize(("what", "gone"), [("delete", 1), ("restore", 1), ("erase", 2)])
async def test_what_is_done_already_is_counted_and_nothing_more(shed: Shed, what: What, gone: int) -> None:
    numbers = await shed.prepare(what, 3)
    bulk = await shed.bulk(what, numbers)
    if what == "delete":
        await shed.records.delete(shed.parts, numbers[:1], BEN)
    else:
        await shed.records.restore(shed.parts, numbers[:1], BEN)
    if what == "erase":
        await shed.records.erase(shed.parts, numbers[1:2], BEN)
    versions = {number: each.version for number, each in (await shed.all(numbers)).items()}
    report = await shed.do(bulk)
    assert (report.changed, report.gone) == (3 - gone, gone)
    assert (await shed.all(numbers))[numbers[0]].version == versions[numbers[0]]


async def test_record_that_somebody_changes_at_that_very_moment_is_left_as_it_is(shed: Shed) -> None:
    numbers = await shed.fill(2)

    @shed.parts.before_change
    async def somebody_else(change: Change[Part]) -> None:
        if change.record == numbers[0] and change.user == ANN.actor:
            await shed.records.change(shed.parts, numbers[0], {"name": "Mine"}, BEN, seen=1)

    report = await shed.done("change", numbers, name="New")
    assert (report.changed, report.kept, report.same) == (1, 1, 0)
    assert [each.values["name"] for each in (await shed.all(numbers)).values()] == ["Mine", "New"]


# What is refused


async def test_what_a_rule_the_key_and_the_app_refuse_is_told_for_each_and_the_others_are_changed(shed: Shed) -> None:
    @shed.parts.before_change
    def not_the_first(change: Change[Part]) -> None:
        if change.record == 1:
            raise ValueError("Not this one.")

    numbers = await shed.fill(4)
    report = await shed.done("change", numbers, code="same")
    assert [(each.row, each.words) for each in report.problems] == [
        (1, "Not this one."), (3, "There is a record with this code already."),
        (4, "There is a record with this code already."),
    ]  # fmt: skip
    assert (report.changed, report.wrong) == (1, 3)
    report = await shed.done("change", numbers[1:], name="much too long")
    assert (report.operation, report.changed, report.wrong, {each.field for each in report.problems}) == (
        "", 0, 3, {"name"},
    )  # fmt: skip


@pytest.mark.parametrize("what", EVERY)
async def test_what_the_app_does_not_allow_is_told_for_each_and_the_others_are_done(shed: Shed, what: What) -> None:
    numbers = await shed.prepare(what, 3)
    asked: list[tuple[str, str]] = []

    def may(_user: str, action: str, part: Part | None) -> bool:
        asked.append((action, part.code if part else ""))
        return part is None or part.code != "c2"

    shed.parts.may = may
    report = await shed.done(what, numbers)
    assert (report.changed, report.wrong) == (2, 1)
    assert [(each.row, each.words) for each in report.problems] == [(numbers[1], "You may not do this.")]
    assert asked == [(what, "c1"), (what, "c2"), (what, "c3")]
    there = await shed.all(numbers)
    assert numbers[1] in there


async def test_record_the_app_wants_to_keep_stays_and_the_others_are_deleted(shed: Shed) -> None:
    @shed.parts.before_delete
    def not_the_second(change: Change[Part]) -> None:
        if change.before is not None and change.before.code == "c2":
            raise ValueError("This one stays.")

    report = await shed.done("delete", await shed.fill(3))
    assert [(each.row, each.words) for each in report.problems] == [(2, "This one stays.")]
    assert await shed.texts(shed.parts) == ["c2"]


async def test_record_whose_key_another_has_by_now_stays_in_the_bin(shed: Shed) -> None:
    numbers = await shed.prepare("restore", 3)
    await shed.records.create(shed.parts, {"code": "c2"}, HOME, BEN)
    report = await shed.done("restore", numbers)
    assert [(each.row, each.words) for each in report.problems] == [(2, "There is a record with this code already.")]
    assert sorted(await shed.texts(shed.parts)) == ["c1", "c2", "c3"]


async def test_of_more_problems_than_are_listed_all_are_counted(shed: Shed) -> None:
    numbers = await shed.fill(PROBLEMS_MAX + 5)
    bulk = await shed.bulk("change", numbers, name="much too long")
    await shed.cut_short(bulk)
    report = await shed.do(bulk)
    assert (report.wrong, len(report.problems)) == (PROBLEMS_MAX + 5, PROBLEMS_MAX)


# Links


async def of(shed: Shed, resource: Resource[Any], links: Mapping[int, int]) -> None:
    for number, to in links.items():
        record = (await shed.all([number], resource))[number]
        await shed.records.change(resource, number, {"of": to}, ANN, seen=record.version)


async def test_record_that_others_belong_to_stays_and_the_rest_of_its_part_is_deleted(shed: Shed) -> None:
    numbers = await shed.fill(6)
    await of(shed, shed.parts, {6: 3})
    report = await shed.done("delete", numbers[:5])
    assert [(each.row, each.words) for each in report.problems] == [
        (3, "This cannot be deleted: A record in Parts belongs to it.")
    ]
    assert (report.changed, await shed.texts(shed.parts)) == (4, ["c3", "c6"])
    await shed.records.undo(shed.parts, report.operation, ANN)
    assert len(await shed.texts(shed.parts)) == 6


async def test_order_of_the_parts_does_not_keep_what_goes_together(shed: Shed) -> None:
    numbers = await shed.fill(2 * AT_ONCE + 5)
    asked: list[int | None] = []
    shed.parts.before_delete(lambda change: asked.append(change.record))
    first, second, third = numbers[0], numbers[AT_ONCE], numbers[2 * AT_ONCE]
    await of(shed, shed.parts, {second: first, third: second})
    progress: list[int] = []
    bulk = await shed.bulk("delete", numbers)
    report = await shed.do(bulk, lambda state: progress.append(state.records))
    assert (report.changed, report.wrong) == (len(numbers), 0)
    assert await shed.texts(shed.parts) == []
    assert asked == numbers
    assert [len(numbers) - each for each in progress[-4:]] == [2, 2, 1, 0]  # The first is put off twice.


async def test_two_that_belong_to_each_other_go_together(shed: Shed) -> None:
    numbers = await shed.fill(3)
    await of(shed, shed.parts, {1: 2, 2: 1})
    report = await shed.done("delete", numbers)
    assert (report.changed, report.problems) == (3, [])


async def test_record_that_goes_along_with_another_is_counted_once_and_comes_back_with_it(shed: Shed) -> None:
    numbers = await shed.fill(SOME, shed.branches)
    await of(shed, shed.branches, {numbers[-1]: numbers[0], numbers[1]: numbers[0]})
    bulk = await shed.bulk("delete", numbers, shed.branches)
    report = await shed.do(bulk)
    assert (report.changed, report.gone, report.wrong) == (SOME, 0, 0)
    assert {each.version for each in (await shed.all(numbers[2:-1], shed.branches)).values()} == {2}
    await shed.records.undo(shed.branches, bulk.operation.id, ANN)
    assert all(each.deleted_at is None for each in (await shed.all(numbers, shed.branches)).values())


# Taking back, and the rest


@pytest.mark.parametrize("what", ["change", "delete", "restore"])
async def test_what_was_taken_back_before_it_was_done_does_not_go_on(shed: Shed, what: What) -> None:
    numbers = await shed.prepare(what, SOME)
    before = {number: each.values for number, each in (await shed.all(numbers)).items()}
    bulk = await shed.bulk(what, numbers)
    await shed.cut_short(bulk)
    await shed.records.undo(shed.parts, bulk.operation.id, ANN)
    with pytest.raises(RecordRefusedError, match="taken back"):
        await shed.do(bulk)
    there = await shed.all(numbers)
    assert {number: each.values for number, each in there.items()} == before
    assert {each.deleted_at is None for each in there.values()} == {what != "restore"}


async def test_import_that_is_taken_back_while_it_is_at_work_ends_there(shed: Shed) -> None:
    operation = shed.records.operation(ANN)
    lines = [Line(number, {"code": f"c{number}"}) for number in range(1, SOME + 1)]

    @shed.parts.before_create
    async def somebody_takes_it_back(change: Change[Part]) -> None:
        if change.after is not None and change.after.code == f"c{SOME}":
            await shed.records.undo(shed.parts, operation.id, BEN)

    with pytest.raises(RecordRefusedError, match="taken back"):
        await take_in(shed.records, Taking(shed.parts, HOME, ANN, "skip", operation=operation), lines)
    assert (await shed.records.page(shed.parts, Query(), limit=1)).total == 0


async def test_app_is_told_of_each_once_it_is_done(shed: Shed) -> None:
    told: list[tuple[str, int | None, str]] = []
    shed.parts.after_change(lambda change: told.append(("changed", change.record, change.after.name)))
    shed.parts.after_delete(lambda change: told.append(("deleted", change.record, change.before.name)))
    numbers = await shed.fill(SOME)
    bulk = await shed.bulk("change", numbers, name="New")
    await shed.cut_short(bulk)
    await shed.do(bulk)
    assert told == [("changed", number, "New") for number in numbers]
    told.clear()
    await of(shed, shed.parts, {numbers[1]: numbers[0]})
    told.clear()
    await shed.done("delete", [*numbers[:1], *numbers[2:]])
    assert told == [("deleted", number, "New") for number in numbers[2:]]


async def test_choice_that_is_forgotten_is_said_to_be(shed: Shed) -> None:
    bulk = await shed.bulk("delete", await shed.fill(2))
    await shed.chosen.forget(bulk.choice)
    with pytest.raises(RecordRefusedError, match="Choose it again"):
        await shed.do(bulk)
    assert await shed.store.db.read(keyvalue.names_under, "temporary", "chosen/") == set()


async def test_choice_of_nothing_is_nothing_to_do(shed: Shed) -> None:
    report = await shed.done("delete", [])
    assert (report, await shed.records.done_lately(shed.parts)) == (Report(), [])
