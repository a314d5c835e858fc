"""Records: what is added, changed, moved and deleted, and what is taken back, on every store."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from pipulate.crud import ordering
from pipulate.crud.change import Change
from pipulate.crud.engine import Records
from pipulate.crud.resource import Resource
from pipulate.errors import (
    FieldError,
    InvalidAnswersError,
    RecordConflictError,
    RecordLinkedError,
    RecordNotFoundError,
    RecordRefusedError,
    RecordTakenError,
    TableDiffersError,
)
from pipulate.events import Bus, RecordsChanged
from pipulate.fields.hints import Link
from pipulate.security.who import Who
from pipulate.storage.records.queries import Condition, Query, Sort
from pipulate.storage.records.rows import Record
from tests.support.store import Store

pytestmark = pytest.mark.anyio

ANN, BEN = Who("ann", "tab-a"), Who("ben", "tab-b")
HOME = "default"


class Task(BaseModel):
    """One of each kind of column."""

    text: Annotated[str, Field(min_length=1, max_length=80)]
    done: bool = False
    priority: Annotated[int, Field(ge=1, le=5)] = 3
    hours: float | None = None
    cost: Decimal | None = None
    due: date | None = None
    mood: Literal["good", "bad"] = "good"
    tags: list[str] = []
    customer: Annotated[int | None, Link("customers")] = None


class Customer(BaseModel):
    """What tasks lead to."""

    name: str
    code: str | None = None


def prepared(resource: Resource[Any]) -> Resource[Any]:
    assert resource.prepare() == []
    return resource


class World:
    """A store with records in it."""

    def __init__(self, store: Store) -> None:
        self.store, self.bus = store, Bus()
        self.told: list[RecordsChanged] = []
        self.bus.subscribe(self._hear)
        self.tasks = prepared(Resource("tasks", Task, toggle="done"))
        self.customers = prepared(Resource("customers", Customer, key="code"))
        self.records = self.another()

    def _hear(self, happening: object) -> None:
        if isinstance(happening, RecordsChanged):
            self.told.append(happening)

    def another(self, *resources: Resource[Any]) -> Records:
        """Another process, with its own idea of what is declared."""

        async def apart(call: Callable[[], Any]) -> Any:
            return await asyncio.to_thread(call)

        records = Records(self.store.db, self.bus, self.store.clock, apart, self.store.files)
        records.resources = {each.name: each for each in resources or (self.tasks, self.customers)}
        return records

    async def add(self, text: str = "Write", profile: str = HOME, **more: Any) -> Record:
        outcome = await self.records.create(self.tasks, {"text": text, **more}, profile, ANN)
        return outcome.records[0]

    async def customer(self, name: str = "Acme", code: str | None = None) -> Record:
        outcome = await self.records.create(self.customers, {"name": name, "code": code}, HOME, ANN)
        return outcome.records[0]

    async def texts(self, resource: Resource[Any] | None = None, **asked: Any) -> list[str]:
        chosen = resource or self.tasks
        listing = await self.records.page(chosen, Query(**asked), limit=100)
        assert listing.total == len(listing.records)
        return [each.values[chosen.label] for each in listing.records]

    async def now(self, record: Record, *, deleted: bool = False) -> Record:
        return await self.records.find(self.tasks, record.id, deleted=deleted)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_record_comes_back_as_it_was_given(world: World) -> None:
    values: dict[str, Any] = {
        "text": "Grüße <b>'; --", "done": True, "priority": 5, "hours": 1.5, "cost": "10.10", "due": "2026-11-30",
        "mood": "bad", "tags": ["a", "b"], "customer": (await world.customer()).id,
    }  # fmt: skip
    record = await world.add(**values)
    assert record.values == values
    assert await world.now(record) == record
    assert (record.version, record.profile, record.made_by, record.changed_by) == (1, HOME, "ann", "ann")
    typed = world.tasks.typed(record.values)
    assert (typed.cost, typed.due, typed.tags) == (Decimal("10.10"), date(2026, 11, 30), ["a", "b"])


async def test_dataclass_declares_a_record_as_a_model_does(world: World) -> None:
    @dataclass
    class Note:
        title: str
        words: list[str] = field(default_factory=list)

    notes = prepared(Resource("notes", Note))
    records = world.another(notes)
    made = (await records.create(notes, {"title": "One"}, HOME, ANN)).records[0]
    assert notes.typed(made.values) == Note("One", [])


async def test_what_breaks_a_rule_is_not_stored(world: World) -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        await world.add("", priority=9)
    assert set(refused.value.problems) == {"text", "priority"}
    with pytest.raises(InvalidAnswersError) as refused:
        await world.add("A", owner="me")
    assert refused.value.problems == {"owner": "There is no such field."}
    record = await world.add("A")
    with pytest.raises(InvalidAnswersError):
        await world.records.change(world.tasks, record.id, {"priority": 0}, ANN, seen=1)
    assert await world.now(record) == record


async def test_rule_about_several_fields_holds_for_a_change_of_one(world: World) -> None:
    @world.tasks.validate
    def urgent(priority: int, due: date | None) -> None:
        if priority == 5 and due is None:
            raise FieldError("due", "What is urgent needs a date.")

    record = await world.add("A", due="2026-11-30", priority=5)
    with pytest.raises(InvalidAnswersError) as refused:
        await world.records.change(world.tasks, record.id, {"due": None}, ANN, seen=1)
    assert refused.value.problems == {"due": "What is urgent needs a date."}


async def test_records_of_another_profile_are_not_in_the_list(world: World) -> None:
    await world.add("Home")
    await world.add("Away", profile="away")
    assert await world.texts(profile=HOME) == ["Home"]
    assert await world.texts(profile="away") == ["Away"]
    assert await world.texts() == ["Home", "Away"]


async def test_change_of_other_fields_is_no_conflict_and_one_of_the_same_is(world: World) -> None:
    record = await world.add("A")
    await world.records.change(world.tasks, record.id, {"text": "Theirs"}, BEN, seen=1)
    outcome = await world.records.change(world.tasks, record.id, {"priority": 1}, ANN, seen=1)
    assert {"text": "Theirs", "priority": 1}.items() <= outcome.records[0].values.items()
    with pytest.raises(RecordConflictError) as refused:
        await world.records.change(world.tasks, record.id, {"text": "Mine", "priority": 1}, ANN, seen=1)
    assert (refused.value.theirs, refused.value.mine) == ({"text": "Theirs"}, {"text": "Mine"})
    assert (refused.value.seen, refused.value.version) == (1, 3)
    kept = await world.records.change(world.tasks, record.id, {"text": "Mine"}, ANN, seen=refused.value.version)
    assert kept.records[0].values["text"] == "Mine"


async def test_change_is_a_conflict_however_many_others_there_were_since(world: World) -> None:
    record = await world.add("A")
    await world.records.change(world.tasks, record.id, {"text": "Theirs"}, BEN, seen=1)
    for number in range(2, 60):
        await world.records.change(world.tasks, record.id, {"hours": float(number)}, BEN, seen=number)
    with pytest.raises(RecordConflictError):
        await world.records.change(world.tasks, record.id, {"text": "Mine"}, ANN, seen=1)


async def test_two_who_change_different_fields_at_once_both_do(world: World) -> None:
    record = await world.add("A")
    changes: list[dict[str, Any]] = [{"text": "B"}, {"priority": 1}, {"done": True}, {"hours": 2.0}, {"mood": "bad"}]
    await asyncio.gather(*(world.records.change(world.tasks, record.id, each, ANN, seen=1) for each in changes))
    now = await world.now(record)
    assert all(each.items() <= now.values.items() for each in changes)
    assert now.version == 6


async def test_change_to_what_it_is_already_is_none(world: World) -> None:
    record = await world.add("A")
    outcome = await world.records.change(world.tasks, record.id, {"text": "A"}, ANN, seen=1)
    assert (outcome.operation, outcome.records) == ("", [record])
    assert len(await world.records.done_lately(world.tasks)) == 1


async def test_bin_holds_what_was_deleted_until_it_is_restored_or_erased(world: World) -> None:
    first, second = await world.add("A"), await world.add("B")
    await world.records.delete(world.tasks, [first.id, second.id, 999], ANN)
    assert await world.texts() == []
    assert set(await world.texts(deleted=True)) == {"A", "B"}
    with pytest.raises(RecordNotFoundError):
        await world.now(first)
    with pytest.raises(RecordNotFoundError):
        await world.records.change(world.tasks, first.id, {"text": "C"}, ANN, seen=1)
    await world.records.restore(world.tasks, [first.id], ANN)
    assert await world.texts() == ["A"]
    await world.records.erase(world.tasks, [first.id, second.id], ANN)
    assert (await world.texts(), await world.texts(deleted=True)) == (["A"], [])
    assert await world.records.history(world.tasks, second.id) == []


async def test_number_of_an_erased_record_is_not_given_again(world: World) -> None:
    record = await world.add("A")
    await world.records.delete(world.tasks, [record.id], ANN)
    await world.records.erase(world.tasks, [record.id], ANN)
    assert (await world.add("B")).id > record.id


async def test_every_operation_can_be_taken_back_and_that_too(world: World) -> None:
    record, other = await world.add("A"), await world.add("B")
    changed = await world.records.change(world.tasks, record.id, {"text": "C", "done": True}, ANN, seen=1)
    undone = await world.records.undo(world.tasks, changed.operation, ANN)
    assert (await world.now(record)).values == record.values
    await world.records.undo(world.tasks, undone.operation, ANN)
    assert (await world.now(record)).values["text"] == "C"
    moved = await world.records.move(world.tasks, record.id, other.id, ANN, after=True)
    assert await world.texts() == ["B", "C"]
    undone = await world.records.undo(world.tasks, moved.operation, ANN)
    assert await world.texts() == ["C", "B"]
    await world.records.undo(world.tasks, undone.operation, ANN)
    assert await world.texts() == ["B", "C"]
    gone = await world.records.delete(world.tasks, [record.id, other.id], ANN)
    assert (await world.records.undo(world.tasks, gone.operation, ANN)).kept == 0
    assert await world.texts() == ["B", "C"]
    added = (await world.records.done_lately(world.tasks))[-1]
    assert added.kind == "create"
    with pytest.raises(RecordRefusedError):
        await world.records.undo(world.tasks, changed.operation, ANN)
    with pytest.raises(RecordRefusedError):
        await world.records.undo(world.customers, gone.operation, ANN)


async def test_undo_leaves_what_was_changed_since(world: World) -> None:
    first, second = await world.add("A"), await world.add("B")
    gone = await world.records.delete(world.tasks, [first.id, second.id], ANN)
    await world.records.restore(world.tasks, [second.id], BEN)
    outcome = await world.records.undo(world.tasks, gone.operation, ANN)
    assert (outcome.kept, [each.id for each in outcome.records]) == (1, [first.id])
    assert (await world.now(second)).version == 3


async def test_history_tells_who_changed_what_and_any_version_can_be_had_again(world: World) -> None:
    record = await world.add("A")
    await world.records.change(world.tasks, record.id, {"text": "B", "priority": 5}, BEN, seen=1)
    await world.records.change(world.tasks, record.id, {"text": "C"}, ANN, seen=2)
    told = await world.records.history(world.tasks, record.id)
    assert [(each.version, each.actor, each.kind, each.done) for each in told] == [
        (3, "ann", "changed", "change"), (2, "ben", "changed", "change"), (1, "ann", "created", "create"),
    ]  # fmt: skip
    assert told[1].changes == {"text": ("A", "B"), "priority": (3, 5)}
    await world.records.go_back(world.tasks, record.id, 2, ANN)
    now = await world.now(record)
    assert (now.values["text"], now.values["priority"], now.version) == ("B", 5, 4)
    with pytest.raises(RecordNotFoundError):
        await world.records.go_back(world.tasks, record.id, 9, ANN)


async def test_order_is_as_people_put_it(world: World) -> None:
    a, b, c = [await world.add(text) for text in "ABC"]
    await world.records.move(world.tasks, c.id, a.id, ANN, after=False)
    assert await world.texts() == ["C", "A", "B"]
    await world.records.move(world.tasks, c.id, a.id, ANN, after=True)
    assert await world.texts() == ["A", "C", "B"]
    await world.records.move(world.tasks, a.id, a.id, ANN, after=True)
    assert await world.texts() == ["A", "C", "B"]
    away = await world.add("D", profile="away")
    with pytest.raises(RecordNotFoundError):
        await world.records.move(world.tasks, b.id, away.id, ANN, after=True)
    assert (await world.now(c)).version == 1  # Whoever edits it meanwhile is not disturbed.


async def test_moves_at_the_same_moment_leave_every_record_in_one_place(world: World) -> None:
    records = [await world.add(str(number)) for number in range(6)]
    first, last = records[0], records[-1]
    await asyncio.gather(*(world.records.move(world.tasks, each.id, first.id, ANN, after=True) for each in records[1:]))
    await asyncio.gather(*(world.records.move(world.tasks, each.id, last.id, BEN, after=False) for each in records[:5]))
    listing = await world.records.page(world.tasks, Query(), limit=10)
    places = [each.place for each in listing.records]
    assert (len(set(places)), sorted(places)) == (6, places)


async def test_list_is_sorted_by_any_field_and_what_has_no_value_comes_last(world: World) -> None:
    await world.add("b", hours=2.0, cost="9.5", due="2026-01-02")
    await world.add("C", hours=None, cost="10", due=None)
    await world.add("a", hours=1.0, cost=None, due="2025-12-31")
    for field_name, expected in {"text": "abC", "hours": "abC", "cost": "bCa", "due": "abC"}.items():
        assert "".join(await world.texts(sort=(Sort(field_name),))) == expected, field_name
    assert "".join(await world.texts(sort=(Sort("cost", descending=True),))) == "Cba"
    assert "".join(await world.texts(sort=(Sort("mood"), Sort("text", descending=True)))) == "Cba"


async def test_links_are_sorted_by_what_they_lead_to(world: World) -> None:
    """By its name, not by its number; a record that leads nowhere comes last."""
    zeta, acme = await world.customer("Zeta", "z"), await world.customer("acme", "a")
    for text, customer in (("1", zeta.id), ("2", None), ("3", acme.id)):
        await world.add(text, customer=customer)
    assert await world.texts(sort=(Sort("customer"),)) == ["3", "1", "2"]
    assert await world.texts(sort=(Sort("customer", descending=True),)) == ["1", "3", "2"]


@pytest.mark.parametrize(
    ("words", "found"),
    [("zurich", ["Zürich trip"]), ("TRIP z", ["Zürich trip"]), ("100%", ["100% sure"]), ("_", []), ("trip sure", []),
     ("'; drop", []), ("", ["Zürich trip", "100% sure"]), ("2026-11", ["100% sure"])],
)  # fmt: skip
async def test_search_finds_words_anywhere_whatever_their_case_and_accents(
    world: World, words: str, found: list[str]
) -> None:
    await world.add("Zürich trip", tags=["holiday"])
    await world.add("100% sure", due="2026-11-30")
    assert await world.texts(words=words) == found


async def test_search_follows_a_change(world: World) -> None:
    record = await world.add("Old")
    await world.records.change(world.tasks, record.id, {"text": "New"}, ANN, seen=1)
    assert (await world.texts(words="old"), await world.texts(words="new")) == ([], ["New"])


@pytest.mark.parametrize(
    ("condition", "found"),
    [(Condition("done", "is", True), "B"), (Condition("done", "is", False), "AC"),
     (Condition("priority", "min", 3), "BC"), (Condition("priority", "max", 1), "A"),
     (Condition("cost", "min", "9.9"), "B"), (Condition("cost", "empty"), "C"), (Condition("cost", "filled"), "AB"),
     (Condition("due", "min", "2026-01-01"), "B"), (Condition("mood", "any", ["bad"]), "C"),
     (Condition("mood", "any", []), ""), (Condition("tags", "lists", "x"), "A"), (Condition("tags", "lists", "x%"), ""),
     (Condition("tags", "empty"), "BC"), (Condition("text", "has", "b"), "B"), (Condition("text", "has", "%"), ""),
     (Condition("hours", "is", 0.5), "C")],
    ids=lambda each: f"{each.field} {each.test}" if isinstance(each, Condition) else each or "none",
)  # fmt: skip
async def test_list_is_filtered_by_any_field(world: World, condition: Condition, found: str) -> None:
    await world.add("A", priority=1, cost="9.5", tags=["x", "y"])
    await world.add("B", done=True, cost="10", due="2026-05-01")
    await world.add("C", mood="bad", hours=0.5)
    assert "".join(await world.texts(conditions=(condition,))) == found


async def test_key_is_unique_within_a_profile_and_the_bin_does_not_count(world: World) -> None:
    first = await world.customer("A", "x")
    with pytest.raises(RecordTakenError):
        await world.customer("B", "x")
    await world.records.create(world.customers, {"name": "B", "code": "x"}, "away", ANN)
    await world.customer("C")
    await world.customer("D")
    gone = await world.records.delete(world.customers, [first.id], ANN)
    second = await world.customer("E", "x")
    for again in (
        world.records.restore(world.customers, [first.id], ANN),
        world.records.undo(world.customers, gone.operation, ANN),
    ):
        with pytest.raises(RecordTakenError):
            await again
    await world.records.change(world.customers, second.id, {"code": "y"}, ANN, seen=1)
    await world.records.undo(world.customers, gone.operation, ANN)
    assert set(await world.texts(world.customers, profile=HOME)) == {"A", "C", "D", "E"}


async def test_same_key_at_the_same_moment_is_taken_once(world: World) -> None:
    await world.customer("A")
    made = await asyncio.gather(*(world.customer(name, "x") for name in "BCDE"), return_exceptions=True)
    assert [type(each) for each in made].count(RecordTakenError) == 3


async def test_link_leads_to_a_record_that_is_there(world: World) -> None:
    customer = await world.customer()
    away = (await world.records.create(world.customers, {"name": "B"}, "away", ANN)).records[0]
    for wanted in (customer.id + 99, away.id):
        with pytest.raises(InvalidAnswersError) as refused:
            await world.add(customer=wanted)
        assert list(refused.value.problems) == ["customer"]
    await world.add(customer=customer.id)
    with pytest.raises(RecordLinkedError, match="A record in Tasks belongs to it"):
        await world.records.delete(world.customers, [customer.id], ANN)
    assert await world.texts(world.customers, profile=HOME) == ["Acme"]


@pytest.mark.parametrize("on_delete", ["cascade", "clear"])
async def test_link_takes_along_or_lets_go(world: World, on_delete: Literal["cascade", "clear"]) -> None:
    class Visit(BaseModel):
        note: str
        of: Annotated[int | None, Link("customers", on_delete=on_delete)] = None

    visits = prepared(Resource("visits", Visit))
    records = world.another(world.customers, visits)
    customer = (await records.create(world.customers, {"name": "A"}, HOME, ANN)).records[0]
    visit = (await records.create(visits, {"note": "Long", "of": customer.id}, HOME, ANN)).records[0]
    gone = await records.delete(world.customers, [customer.id], ANN)
    now = await records.find(visits, visit.id, deleted=True)
    assert (now.deleted_at is not None, now.values["of"]) == {"cascade": (True, customer.id), "clear": (False, None)}[
        on_delete
    ]
    assert (await records.page(visits, Query(words="long", deleted=on_delete == "cascade"), limit=5)).total == 1
    await records.undo(world.customers, gone.operation, ANN)
    now = await records.find(visits, visit.id)
    assert now.values["of"] == customer.id
    assert (await records.find(world.customers, customer.id)).values["name"] == "A"


async def test_hooks_look_at_changes_before_and_hear_of_them_after(world: World) -> None:
    heard: list[tuple[str, Change[Task]]] = []
    tasks = world.tasks

    @tasks.before_create
    def cut(change: Change[Task]) -> Task:
        assert change.after is not None
        if change.after.text == "no":
            raise ValueError("Not that one.")
        return change.after.model_copy(update={"text": change.after.text.upper()})

    @tasks.before_change
    async def stays(change: Change[Task]) -> None:
        if change.before is not None and change.before.done:
            raise FieldError("done", "What is done stays.")

    @tasks.after_change
    async def changed(change: Change[Task]) -> None:
        heard.append(("changed", change))

    @tasks.before_delete
    def kept(change: Change[Task]) -> None:
        if change.before is not None and change.before.priority == 5:
            raise ValueError("Priority 5 stays.")

    @tasks.after_delete
    def deleted(change: Change[Task]) -> None:
        heard.append(("deleted", change))

    record = await world.add("a")
    assert record.values["text"] == "A"
    with pytest.raises(RecordRefusedError, match="Not that one"):
        await world.add("no")
    await world.records.change(tasks, record.id, {"done": True}, BEN, seen=1)
    with pytest.raises(InvalidAnswersError) as refused:
        await world.records.change(tasks, record.id, {"done": False}, BEN, seen=2)
    assert refused.value.problems == {"done": "What is done stays."}
    urgent = await world.add("b", priority=5)
    with pytest.raises(RecordRefusedError, match="Priority 5 stays"):
        await world.records.delete(tasks, [record.id, urgent.id], ANN)
    assert await world.texts() == ["A", "B"]
    await world.records.delete(tasks, [record.id], ANN)
    assert [(kind, change.record, change.user) for kind, change in heard] == [
        ("changed", record.id, "ben"), ("deleted", record.id, "ann"),
    ]  # fmt: skip
    before, after = heard[0][1].before, heard[0][1].after
    assert before is not None
    assert after is not None
    assert (before.done, after.done) == (False, True)


@pytest.mark.parametrize("moment", ["after_create", "after_change", "after_delete"])
async def test_change_is_stored_and_said_to_be_although_what_follows_it_fails(
    world: World, moment: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = prepared(Resource("tasks", Task))

    @getattr(tasks, moment)  # type: ignore[untyped-decorator]
    def fails(change: Change[Task]) -> None:
        raise RuntimeError("no mail today")

    made = (await world.records.create(tasks, {"text": "A"}, HOME, ANN)).records[0]
    done = await world.records.change(tasks, made.id, {"done": True}, ANN, seen=1)
    assert done.records[0].values["done"]
    assert (await world.records.delete(tasks, [made.id], ANN)).operation
    said = capsys.readouterr().out
    assert "record.hook_failed" in said
    assert "no mail today" in said


async def test_who_may_not_is_refused(world: World) -> None:
    def may(user: str, action: str, record: Task | None) -> bool:
        return user == "ann" or action == "create"

    tasks = prepared(Resource("tasks", Task, may=may))
    made = (await world.records.create(tasks, {"text": "A"}, HOME, BEN)).records[0]
    for refused in (
        world.records.change(tasks, made.id, {"text": "B"}, BEN, seen=1), world.records.delete(tasks, [made.id], BEN)
    ):  # fmt: skip
        with pytest.raises(RecordRefusedError):
            await refused
    await world.records.change(tasks, made.id, {"text": "B"}, ANN, seen=1)


async def test_what_says_who_may_gets_the_record_as_it_was_declared(world: World) -> None:
    asked: list[tuple[str, Task | None]] = []

    def may(user: str, action: str, record: Task | None) -> bool:
        asked.append((action, record))
        return True

    tasks = prepared(Resource("tasks", Task, may=may))
    made = (await world.records.create(tasks, {"text": "A"}, HOME, ANN)).records[0]
    await world.records.change(tasks, made.id, {"done": True}, ANN, seen=1)
    await world.records.delete(tasks, [made.id], ANN)
    task = Task(text="A")
    assert asked == [("create", None), ("change", task), ("delete", task.model_copy(update={"done": True}))]


async def test_whoever_listens_hears_of_every_change_once_it_is_stored(world: World) -> None:
    record = await world.add("A")
    await world.records.change(world.tasks, record.id, {"text": "B"}, BEN, seen=1)
    await world.records.change(world.tasks, record.id, {"text": "B"}, BEN, seen=2)
    assert [(each.resource, each.version, each.tab) for each in world.told] == [
        ("tasks", 1, "tab-a"),
        ("tasks", 2, "tab-b"),
    ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [("UPDATE rec_tasks SET text = 'x'", "text are not what"), ("UPDATE rec_tasks SET _version = 3", "1 events where"),
     ("UPDATE rec_tasks SET _deleted_at = '1'", "says otherwise"),
         ("DELETE FROM record_events WHERE resource = 'tasks'", "0 events where"),
     ("UPDATE record_tables SET shape = '{}' WHERE name = 'tasks'", "cannot be read")],
)  # fmt: skip
async def test_damage_is_named(world: World, damage: str, said: str) -> None:
    record = await world.add("A")
    assert world.store.problems() == []
    await world.store.db.write(lambda tx: tx.run(damage))
    (problem,) = world.store.problems()
    assert said in problem
    assert f"tasks/{record.id}" in problem or "tasks:" in problem
    world.store.is_damaged = True


async def test_table_with_other_fields_stops_its_app_and_no_other(world: World) -> None:
    await world.add("A")
    await world.customer()

    class Other(BaseModel):
        title: str
        done: int = 0

    other = prepared(Resource("tasks", Other))
    records = world.another(other, world.customers)
    with pytest.raises(TableDiffersError) as refused:
        await records.page(other, Query(), limit=10)
    assert "'title' is new" in refused.value.differences
    assert "'text' is gone" in refused.value.differences
    assert "'done' was flag and is integer now" in refused.value.differences
    assert (await records.page(world.customers, Query(), limit=10)).total == 1
    assert await world.texts() == ["A"]


async def walk(world: World, seen: list[list[Record]], until: asyncio.Event) -> None:
    """Read page after page, round after round, as long as others work."""
    while not until.is_set():
        for number in range(6):
            listing = await world.records.page(world.tasks, Query(HOME), limit=7, offset=number * 7)
            seen.append(list(listing.records))


async def work(world: World, who: Who, chance: random.Random) -> None:
    """Add, move, delete and take back, in an order of chance."""
    for step in range(15):
        listing = await world.records.page(world.tasks, Query(HOME), limit=100)
        one, other = (chance.choice(listing.records) for _ in range(2))
        try:
            match chance.choice(["add", "move", "move", "delete", "undo"]):
                case "add":
                    await world.records.create(world.tasks, {"text": f"{who.actor} {step}"}, HOME, who)
                case "move":
                    await world.records.move(world.tasks, one.id, other.id, who, after=chance.random() < 0.5)
                case "delete":
                    await world.records.delete(world.tasks, [one.id], who)
                case _:
                    lately = await world.records.done_lately(world.tasks)
                    await world.records.undo(world.tasks, chance.choice(lately).id, who)
        except (RecordNotFoundError, RecordRefusedError):
            continue  # The other one was faster.


@pytest.mark.parametrize("seed", range(4))
async def test_pages_are_in_order_and_add_up_whatever_is_done_meanwhile(world: World, seed: int) -> None:
    """Two people work at once while a third turns the pages: none has a record twice, nor one out of its order."""
    for number in range(30):
        await world.add(f"{number}")
    seen: list[list[Record]] = []
    ended = asyncio.Event()
    reader = asyncio.create_task(walk(world, seen, ended))
    await asyncio.gather(*(work(world, who, random.Random(f"{seed} {who.actor}")) for who in (ANN, BEN)))
    ended.set()
    await reader
    for page in seen:
        assert [(each.place, each.id) for each in page] == sorted({(each.place, each.id) for each in page})
    whole = await world.records.page(world.tasks, Query(HOME), limit=1_000)
    pages = [
        (await world.records.page(world.tasks, Query(HOME), limit=7, offset=start)).records
        for start in range(0, whole.total + 7, 7)
    ]
    assert [each for page in pages for each in page] == list(whole.records)
    assert len(whole.records) == whole.total


async def test_who_may_not_do_something_can_do_it_by_no_other_door(world: World) -> None:
    """Restoring, erasing, moving and taking back are asked for as adding, changing and deleting are."""
    asked: list[tuple[str, str | None]] = []
    refused: set[str] = set()

    def may(user: str, action: str, task: Task | None) -> bool:
        asked.append((action, task.text if task is not None else None))
        return action not in refused

    tasks = prepared(Resource("tasks", Task, may=may))
    records = world.another(tasks, world.customers)
    one, other = [(await records.create(tasks, {"text": text}, HOME, ANN)).records[0] for text in "ab"]
    gone = await records.delete(tasks, [one.id], ANN)
    refused |= {"restore", "erase", "move", "undo"}
    for door in (
        records.restore(tasks, [one.id], BEN),
        records.erase(tasks, [one.id], BEN),
        records.move(tasks, other.id, other.id, BEN, after=True),
        records.undo(tasks, gone.operation, BEN),
    ):
        with pytest.raises(RecordRefusedError):
            await door
    assert asked[-4:] == [("restore", "a"), ("erase", "a"), ("move", "b"), ("undo", None)]
    assert (await records.find(tasks, one.id, deleted=True)).deleted_at is not None


async def test_table_that_holds_nothing_takes_the_fields_that_are_declared_now(world: World) -> None:
    await world.texts()
    another = prepared(Resource("tasks", Customer))
    records = world.another(another)
    assert (await records.page(another, Query(), limit=1)).total == 0
    await records.create(another, {"name": "Acme"}, HOME, ANN)
    with pytest.raises(TableDiffersError):
        await world.another().page(prepared(Resource("tasks", Task)), Query(), limit=1)


async def test_list_is_sorted_by_what_is_worked_out_and_so_is_what_is_taken_out_of_it(world: World) -> None:
    tasks = prepared(Resource("tasks", Task))

    @tasks.column("weight")
    def weight(task: Task) -> Any:
        if task.text == "fails":
            raise RuntimeError("cannot be worked out")
        return None if task.hours is None else task.hours * task.priority

    records = world.another(tasks, world.customers)
    for text, hours in (("a", 3.0), ("fails", 1.0), ("b", None), ("c", 1.0), ("d", 2.0)):
        await records.create(tasks, {"text": text, "hours": hours}, HOME, ANN)
    for descending, expected in ((False, ["c", "d", "a"]), (True, ["a", "d", "c"])):
        query = Query(HOME, sort=(Sort("weight", descending=descending), Sort("text")))
        pages = [await records.page(tasks, query, limit=2, offset=start) for start in (0, 2, 4)]
        found = [each for page in pages for each in page.records]
        # What has no value comes last, in the order of what else is asked for.
        assert [each.values["text"] for each in found] == [*expected, "b", "fails"]
        assert {page.total for page in pages} == {5}
        assert await records.numbers(tasks, query, in_order=True) == [each.id for each in found]


async def test_list_that_is_too_long_to_be_worked_out_keeps_its_other_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "MOST", 2)
    tasks = prepared(Resource("tasks", Task))
    tasks.column("weight")(lambda task: -task.priority)
    records = world.another(tasks, world.customers)
    for text, priority in (("b", 1), ("c", 3), ("a", 2)):
        await records.create(tasks, {"text": text, "priority": priority}, HOME, ANN)
    listing = await records.page(tasks, Query(HOME, sort=(Sort("weight"), Sort("text"))), limit=10)
    assert [each.values["text"] for each in listing.records] == ["a", "b", "c"]


async def test_hook_reads_a_secret_as_it_was_typed(world: World) -> None:
    class Login(BaseModel):
        name: str
        word: SecretStr | None = None

    logins, seen = prepared(Resource("logins", Login)), list[str | None]()

    @logins.before_change
    def look(change: Change[Login]) -> None:
        for each in (change.before, change.after):
            assert each is not None
            seen.append(each.word.get_secret_value() if each.word else None)

    records = world.another(logins)
    made = (await records.create(logins, {"name": "Ann", "word": "first"}, HOME, ANN)).records[0]
    await records.change(logins, made.id, {"word": "second"}, ANN, seen=1)
    assert seen == ["first", "second"]
