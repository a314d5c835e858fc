"""Bringing a table of records to other fields: what is asked first, what stays, what is refused, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from pipulate.crud import fitting
from pipulate.crud.engine import Records
from pipulate.crud.fitting import Looked
from pipulate.crud.resource import Resource
from pipulate.errors import FitRefusedError, TableDiffersError
from pipulate.events import Bus
from pipulate.fields.hints import Link
from pipulate.security.who import Who
from pipulate.storage.records.check import check_records
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Record
from tests.support.store import Store

pytestmark = pytest.mark.anyio

ANN = Who("ann", None)
HOME = "default"


class Task(BaseModel):
    """As it was first."""

    text: str
    hours: int = 1


class Renamed(BaseModel):
    """`text` is called something else."""

    title: str
    hours: int = 1


class Grown(BaseModel):
    """One field more, with a default."""

    text: str
    hours: int = 1
    priority: Annotated[int, Field(ge=1, le=5)] = 3
    tags: list[str] = []


class Demanding(BaseModel):
    """One field more, without a default."""

    text: str
    hours: int = 1
    owner: str


class Shrunk(BaseModel):
    """One field less."""

    text: str


class Other(BaseModel):
    """Hours are words now."""

    text: str
    hours: str = "one"


class Strict(BaseModel):
    """A renamed field with a stricter rule."""

    title: Annotated[str, Field(max_length=3)]
    hours: int = 1


class World:
    """A store with tasks in it, and programs that declare them in one way or another."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def program(self, model: type[BaseModel], **options: Any) -> tuple[Records, Resource[Any]]:
        """A program that declares the tasks so."""

        async def apart(call: Callable[[], Any]) -> Any:
            return await asyncio.to_thread(call)

        resource: Resource[Any] = Resource("tasks", model, **options)
        assert resource.prepare() == []
        records = Records(self.store.db, Bus(), self.store.clock, apart, self.store.files)
        records.resources = {"tasks": resource}
        return records, resource

    async def add(self, *texts: str, **options: Any) -> list[Record]:
        records, resource = self.program(Task, **options)
        return [(await records.create(resource, {"text": text}, HOME, ANN)).records[0] for text in texts]

    async def fit(
        self, model: type[BaseModel], renamed: Mapping[str, str] = {}, dropped: Collection[str] = (), **options: Any
    ) -> Looked:
        _, resource = self.program(model, **options)
        return await self.store.db.write(fitting.fit, resource, renamed, dropped)

    async def values(self, model: type[BaseModel], **options: Any) -> list[dict[str, Any]]:
        """What a program that declares them so finds."""
        records, resource = self.program(model, **options)
        listing = await records.page(resource, Query(), limit=100)
        return [dict(each.values) for each in listing.records]

    async def problems(self) -> list[str]:
        return await self.store.db.read(lambda tx: [*check_records(tx)])


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def reasons(world: World, model: type[BaseModel], *given: Any, **options: Any) -> str:
    """Why a table is not brought to that; it is as it was."""
    before = await world.values(Task)
    with pytest.raises(FitRefusedError) as refused:
        await world.fit(model, *given, **options)
    assert await world.values(Task) == before
    return "\n".join(refused.value.reasons)


async def test_renamed_field_keeps_its_values(world: World) -> None:
    await world.add("Write", "Read")
    await world.fit(Renamed, {"text": "title"})
    assert [each["title"] for each in await world.values(Renamed)] == ["Write", "Read"]
    assert await world.problems() == []


async def test_new_field_has_its_default_in_every_record(world: World) -> None:
    await world.add("Write")
    await world.fit(Grown)
    assert await world.values(Grown) == [{"text": "Write", "hours": 1, "priority": 3, "tags": []}]
    assert await world.problems() == []


async def test_new_field_without_default_is_refused_where_there_are_records(world: World) -> None:
    await world.add("Write", "Read")
    told = await reasons(world, Demanding)
    assert "'owner' is new and has no default, and there are 2 records that need one" in told


async def test_new_field_without_default_may_come_to_an_empty_table(world: World) -> None:
    await world.values(Task)
    await world.fit(Demanding)
    assert await world.values(Demanding) == []


async def test_field_that_may_be_another_under_a_new_name_is_never_guessed(world: World) -> None:
    await world.add("Write")
    told = await reasons(world, Renamed)
    assert "'text' is gone: say --rename text=title" in told
    assert "or --drop text" in told


async def test_field_that_can_be_no_other_is_dropped(world: World) -> None:
    await world.add("Write")
    looked = await world.fit(Shrunk)
    assert looked.plan.said == ("'hours' goes, with its values; they stay in the backup and in the history.",)
    assert await world.values(Shrunk) == [{"text": "Write"}]


async def test_dropped_field_stays_in_the_history(world: World) -> None:
    (record,) = await world.add("Write")
    await world.fit(Shrunk)
    records, resource = world.program(Shrunk)
    (event,) = await records.history(resource, record.id)
    assert event.changes["hours (gone)"] == (None, 1)


async def test_field_that_comes_back_begins_anew_and_its_history_adds_up(world: World) -> None:
    records, resource = world.program(Task)
    await records.create(resource, {"text": "Write", "hours": 8}, HOME, ANN)
    await world.fit(Shrunk)
    await world.fit(Task)
    assert await world.values(Task) == [{"text": "Write", "hours": 1}]
    assert await world.problems() == []


async def test_field_of_another_kind_is_refused_until_it_is_dropped(world: World) -> None:
    await world.add("Write")
    assert "'hours' was integer and is text now" in await reasons(world, Other)
    for _ in range(20):  # Often enough for a driver that prepares what it is asked often.
        await world.values(Task)
    await world.fit(Other, {}, ["hours"])
    assert await world.values(Other) == [{"text": "Write", "hours": "one"}]
    assert await world.problems() == []


async def test_change_from_before_a_renaming_can_be_undone(world: World) -> None:
    records, resource = world.program(Task)
    made = (await records.create(resource, {"text": "Write"}, HOME, ANN)).records[0]
    changed = await records.change(resource, made.id, {"text": "Other"}, ANN, seen=1)
    await world.fit(Renamed, {"text": "title"})
    records, resource = world.program(Renamed)
    await records.undo(resource, changed.operation, ANN)
    assert [each["title"] for each in await world.values(Renamed)] == ["Write"]


async def test_version_from_before_a_field_came_can_be_gone_back_to(world: World) -> None:
    records, resource = world.program(Task)
    made = (await records.create(resource, {"text": "Write"}, HOME, ANN)).records[0]
    await records.change(resource, made.id, {"text": "Other"}, ANN, seen=1)
    await world.fit(Grown)
    records, resource = world.program(Grown)
    await records.go_back(resource, made.id, 1, ANN)
    assert await world.values(Grown) == [{"text": "Write", "hours": 1, "priority": 3, "tags": []}]


async def test_records_in_the_bin_are_brought_along(world: World) -> None:
    (record,) = await world.add("Write")
    records, resource = world.program(Task)
    await records.delete(resource, [record.id], ANN)
    await world.fit(Grown)
    records, resource = world.program(Grown)
    await records.restore(resource, [record.id], ANN)
    assert [each["priority"] for each in await world.values(Grown)] == [3]


async def test_records_that_would_break_a_rule_of_a_touched_field_are_named(world: World) -> None:
    (record, *_) = await world.add("Write", "Reading", "No")
    told = await reasons(world, Strict, {"text": "title"})
    assert told.startswith("title: ")
    assert told.endswith(f"(record {record.id}, and 1 more)")


async def test_records_that_break_a_rule_of_another_field_are_told_and_stay(world: World) -> None:
    class Late(BaseModel):
        text: Annotated[str, Field(max_length=3)]
        hours: int = 1
        more: str = ""

    await world.add("Write")
    looked = await world.fit(Late)
    assert [line.partition(":")[0] for line in looked.remarks] == ["text"]


async def test_key_that_several_records_would_share_is_refused(world: World) -> None:
    await world.add("Write", "Write", "Read")
    assert "'text': 1 values are those of several records" in await reasons(world, Task, key="text")


async def test_key_that_no_two_records_share_is_taken_on(world: World) -> None:
    await world.add("Write", "Read")
    await world.fit(Task, key="text")
    assert len(await world.values(Task, key="text")) == 2


async def test_records_come_to_belong_to_a_profile_and_to_none_again(world: World) -> None:
    await world.add("Write", per_profile=False)
    await world.fit(Task)
    records, resource = world.program(Task)
    assert (await records.page(resource, Query(HOME), limit=9)).total == 1
    await world.fit(Task, per_profile=False)
    assert len(await world.values(Task, per_profile=False)) == 1


async def test_new_value_is_found_by_search(world: World) -> None:
    class Named(BaseModel):
        text: str
        hours: int = 1
        place: str = "Zürich"

    await world.add("Write")
    await world.fit(Named)
    records, resource = world.program(Named)
    assert (await records.page(resource, Query(words="zurich"), limit=9)).total == 1


@pytest.mark.parametrize(
    ("renamed", "dropped", "sentence"),
    [
        ({"nothing": "title"}, [], "'nothing' is no field that is gone"),
        ({"text": "nothing"}, [], "'nothing' is no field that is new"),
        ({"text": "title"}, ["text"], "it is renamed as well"),
        ({"text": "title"}, ["hours"], "'hours' is no field that is gone"),
    ],
)
async def test_decision_that_makes_no_sense_is_refused(
    world: World, renamed: dict[str, str], dropped: list[str], sentence: str
) -> None:
    await world.add("Write")
    assert sentence in await reasons(world, Renamed, renamed, dropped)


async def test_only_the_table_that_differs_stops_and_says_the_command(world: World) -> None:
    await world.add("Write")
    records, resource = world.program(Grown)
    other: Resource[Any] = Resource("others", Task)
    assert other.prepare() == []
    records.command = "pipulate records fit {} --data elsewhere".format
    with pytest.raises(
        TableDiffersError, match=r"'priority' is new.* run: pipulate records fit tasks --data elsewhere"
    ):
        await records.page(resource, Query(), limit=1)
    assert (await records.page(other, Query(), limit=1)).total == 0


async def test_app_that_was_stopped_goes_on_once_its_table_fits(world: World) -> None:
    await world.add("Write")
    records, resource = world.program(Grown)
    with pytest.raises(TableDiffersError):
        await records.page(resource, Query(), limit=1)
    await world.fit(Grown)
    assert (await records.page(resource, Query(), limit=1)).total == 1


async def test_link_that_leads_elsewhere_is_refused_where_it_would_lead_to_nothing(world: World) -> None:
    class First(BaseModel):
        text: str
        of: Annotated[int | None, Link("tasks")] = None

    class Second(BaseModel):
        text: str
        of: Annotated[int | None, Link("people")] = None

    records, resource = world.program(First)
    made = (await records.create(resource, {"text": "a"}, HOME, ANN)).records[0]
    await records.create(resource, {"text": "b", "of": made.id}, HOME, ANN)
    with pytest.raises(FitRefusedError, match="It leads to no record of 'people'"):
        await world.fit(Second)
