"""Records as the code of other apps reads them, on every store."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pandas
import pytest

from pipulate.crud.resource import Resource
from pipulate.crud.tables import Tables
from pipulate.errors import TableDiffersError, UnknownTableError
from tests.contract.test_records import ANN, Customer, Task, World, prepared
from tests.support.store import Store

pytestmark = pytest.mark.anyio


class Reading:
    """Two profiles with tasks, and customers of no profile."""

    def __init__(self, store: Store) -> None:
        self.world = World(store)
        self.customers = prepared(Resource("customers", Customer, per_profile=False))
        self.resources: dict[str, Resource[Any]] = {"tasks": self.world.tasks, "customers": self.customers}
        self.world.records.resources = self.resources

    def tables(self, profile: str | None = "one") -> Tables:
        return Tables(self.world.store.db, lambda: self.resources, profile)

    async def add(self, resource: Resource[Any], profile: str | None = None, **values: Any) -> int:
        made = await self.world.records.create(resource, values, profile, ANN)
        return made.records[0].id


@pytest.fixture
def reading(store: Store) -> Reading:
    return Reading(store)


async def read(call: Any) -> Any:
    return await asyncio.to_thread(call)


async def test_table_that_has_no_records_yet_is_empty(reading: Reading) -> None:
    tasks = reading.tables()["tasks"]
    assert await read(lambda: (list(tasks), len(tasks), tasks.find(1))) == ([], 0, None)


async def test_rows_have_number_profile_and_the_types_of_their_fields(reading: Reading) -> None:
    number = await reading.add(reading.world.tasks, "one", text="a", due="2026-11-20", tags=["x"])
    (row,) = await read(lambda: list(reading.tables()["tasks"]))
    assert row["id"] == number
    assert row["profile"] == "one"
    assert (row["text"], row["due"], row["priority"], row["tags"]) == ("a", date(2026, 11, 20), 3, ["x"])


async def test_rows_are_those_of_the_profile_unless_others_are_asked_for(reading: Reading) -> None:
    for profile in ("one", "two"):
        await reading.add(reading.world.tasks, profile, text=profile)
    await reading.add(reading.customers, None, name="Acme")

    def texts(tables: Tables) -> list[str]:
        return [row["text"] for row in tables["tasks"]]

    assert await read(lambda: texts(reading.tables())) == ["one"]
    assert await read(lambda: texts(reading.tables().of("two"))) == ["two"]
    assert sorted(await read(lambda: texts(reading.tables().all_profiles))) == ["one", "two"]
    assert await read(lambda: len(reading.tables().of("two")["customers"])) == 1


async def test_record_of_another_profile_is_not_found(reading: Reading) -> None:
    number = await reading.add(reading.world.tasks, "two", text="theirs")
    tables = reading.tables()
    assert await read(lambda: tables["tasks"].find(number)) is None
    found = await read(lambda: tables.all_profiles["tasks"].find(number))
    assert found["text"] == "theirs"


async def test_record_in_the_bin_is_not_read(reading: Reading) -> None:
    number = await reading.add(reading.world.tasks, "one", text="gone")
    await reading.world.records.delete(reading.world.tasks, [number], ANN)
    tasks = reading.tables()["tasks"]
    assert await read(lambda: (list(tasks), len(tasks), tasks.find(number))) == ([], 0, None)


async def test_where_finds_values_one_of_several_and_none(reading: Reading) -> None:
    await reading.add(reading.world.tasks, "one", text="a", priority=1, due="2026-11-20")
    await reading.add(reading.world.tasks, "one", text="b", priority=2, done=True)
    await reading.add(reading.world.tasks, "one", text="c'; --", priority=3)
    tasks = reading.tables()["tasks"]

    async def texts(**fields: Any) -> list[str]:
        return [row["text"] for row in await read(lambda: list(tasks.where(**fields)))]

    assert await texts(priority=2) == ["b"]
    assert await texts(priority=[1, 3]) == ["a", "c'; --"]
    assert await texts(due=None) == ["b", "c'; --"]
    assert await texts(due=date(2026, 11, 20)) == ["a"]
    assert await texts(done=False, priority=[1, 2]) == ["a"]
    assert await texts(text="c'; --") == ["c'; --"]
    assert await read(lambda: tasks.where(done=True).find(1)) is None


async def test_what_is_not_there_is_named_with_what_is(reading: Reading) -> None:
    tables = reading.tables()
    with pytest.raises(UnknownTableError, match=r"'nothing'.*'customers', 'tasks'"):
        tables["nothing"]
    with pytest.raises(ValueError, match=r"no field 'colour'.*text"):
        tables["tasks"].where(colour="red")
    assert ("tasks" in tables, "nothing" in tables, list(tables)) == (True, False, ["customers", "tasks"])


async def test_table_with_other_fields_says_so(reading: Reading) -> None:
    await reading.add(reading.world.tasks, "one", text="a")
    reading.resources["tasks"] = prepared(Resource("tasks", Customer))
    with pytest.raises(TableDiffersError, match=r"Nothing was changed"):
        await read(lambda: list(reading.tables()["tasks"]))


async def test_frame_has_every_column_though_there_are_no_rows(reading: Reading) -> None:
    frame = await read(reading.tables()["tasks"].frame)
    assert [*frame.columns] == ["id", "profile", *Task.model_fields]
    assert len(frame) == 0


async def test_frame_has_dates_as_dates_of_pandas(reading: Reading) -> None:
    await reading.add(reading.world.tasks, "one", text="a", due="2026-11-20")
    await reading.add(reading.world.tasks, "one", text="b")
    frame = await read(reading.tables()["tasks"].frame)
    assert frame["due"].tolist()[0] == pandas.Timestamp("2026-11-20")
    assert frame["due"].isna().tolist() == [False, True]
