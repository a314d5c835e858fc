"""Profiles: records whose names are unique whatever their case, which go only where nothing belongs to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipulate.builtin.profiles import profiles as resource
from pipulate.builtin.tasks import tasks
from pipulate.crud.engine import Records
from pipulate.crud.taking import Line, Taking, take_in
from pipulate.errors import (
    BadNameError,
    InvalidAnswersError,
    ProfileLockedError,
    RecordError,
    RecordRefusedError,
    RecordTakenError,
)
from pipulate.events import Bus
from pipulate.security.who import Who
from pipulate.storage import lifecycle, messages, profiles
from pipulate.storage.profiles import Profile
from pipulate.storage.records import operations
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Record
from tests.support.store import Store

ADA = Who("ada")


def names(store: Store) -> list[str]:
    """Return the names of all profiles, as listed."""
    return [each.name for each in store.db.read_now(profiles.listed)]


def add(store: Store, profile: str, name: str) -> Profile:
    """Add a profile."""
    return store.db.write_now(profiles.add, profile, name, store.author().at)


def rename(store: Store, profile: str, name: str) -> Profile:
    """Give a profile another name."""
    return store.db.write_now(profiles.rename, profile, name, store.author().at)


def test_there_is_a_default_profile_from_the_start(store: Store) -> None:
    assert store.db.read_now(profiles.listed) == [Profile("default", "Default Profile")]


def test_profiles_are_listed_in_the_order_of_their_making(store: Store) -> None:
    add(store, "z", "Zebra")
    add(store, "a", "Ant")
    assert names(store) == ["Default Profile", "Zebra", "Ant"]
    assert store.db.read_now(profiles.find, "a") == Profile("a", "Ant")
    assert store.db.read_now(profiles.find, "nobody") is None


@pytest.mark.parametrize("name", ["Größe", "GRÖSSE", " größe ", "Gro\u0308ße"])
def test_a_name_in_use_is_refused_whatever_its_case_and_spelling(store: Store, name: str) -> None:
    add(store, "1", "Größe")
    with pytest.raises(BadNameError, match="already"):
        add(store, "2", name)
    assert names(store) == ["Default Profile", "Größe"]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\0b", "a\nb", "\u202eevil", "\ud800"])
def test_a_name_that_cannot_be_seen_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BadNameError):
        add(store, "1", name)
    with pytest.raises(BadNameError):
        rename(store, "default", name)
    assert names(store) == ["Default Profile"]


def test_a_profile_is_renamed(store: Store) -> None:
    rename(store, "default", "Home")
    rename(store, "default", "HOME")
    assert names(store) == ["HOME"]


def test_renaming_refuses_a_name_in_use_and_a_profile_that_is_gone(store: Store) -> None:
    add(store, "1", "Acme")
    with pytest.raises(BadNameError, match="already"):
        rename(store, "1", "default profile")
    with pytest.raises(BadNameError, match="not exist"):
        rename(store, "2", "New")
    assert names(store) == ["Default Profile", "Acme"]


# As records


class World:
    """The apps in the box, on a store."""

    def __init__(self, store: Store) -> None:
        async def apart(call: Callable[[], Any]) -> Any:
            return await asyncio.to_thread(call)

        for each in (resource, tasks):
            assert each.prepare() == []
        self.store = store
        self.records = Records(store.db, Bus(), store.clock, apart, store.files)
        self.records.resources = {each.name: each for each in (resource, tasks)}

    async def add(self, name: str, **values: Any) -> Record:
        """Add a profile as its page does."""
        return (await self.records.create(resource, {"name": name, **values}, None, ADA)).records[0]

    async def change(self, record: Record, **values: Any) -> Record:
        """Change a profile as its page does."""
        return (await self.records.change(resource, record.id, values, ADA, seen=record.version)).records[0]

    async def default(self) -> Record:
        """Return the profile that is there from the start."""
        return await self.records.find(resource, 1)


@pytest.fixture
def world(store: Store) -> World:
    """The apps in the box, on a store."""
    return World(store)


@pytest.mark.anyio
async def test_the_app_in_the_box_takes_the_table_as_the_migration_made_it(world: World) -> None:
    (record,) = (await world.records.page(resource, Query(), limit=9)).records
    assert (record.values["name"], record.values["ident"]) == ("Default Profile", "default")
    (event,) = await world.records.history(resource, record.id)
    assert (event.kind, event.actor) == ("created", "system")


@pytest.mark.anyio
async def test_a_profile_added_in_its_app_can_be_chosen_and_one_added_otherwise_is_in_the_app(world: World) -> None:
    made = await world.add("Acme")
    add(world.store, "beta", "Beta")
    assert names(world.store) == ["Default Profile", "Acme", "Beta"]
    assert len(made.values["ident"]) == 32
    found = await world.records.page(resource, Query(words="bet"), limit=9)
    assert [each.values["ident"] for each in found.records] == ["beta"]
    assert [each.name for each in resource.fields] == ["name", "real_name", "address", "code", "active"]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["GRÖSSE", "Gro\u0308ße", " größe "])
async def test_a_name_in_use_is_refused_in_the_app_too(world: World, name: str) -> None:
    await world.add("Größe")
    with pytest.raises(RecordTakenError):
        await world.add(name)
    report = await take_in(
        world.records, Taking(resource, None, ADA, "skip"), [Line(2, {"name": name}), Line(3, {"name": "New"})]
    )
    assert (report.created, report.wrong + report.skipped) == (1, 1)
    assert names(world.store) == ["Default Profile", "Größe", "New"]


@pytest.mark.anyio
async def test_what_runs_know_a_profile_by_stays_whatever_is_sent(world: World) -> None:
    made = await world.add("Acme")
    with pytest.raises(RecordError):
        await world.change(made, ident="default")
    with pytest.raises(RecordError):
        await world.add("Other", ident=made.values["ident"])
    with pytest.raises(InvalidAnswersError):
        await world.add("a\tb")
    renamed = await world.change(made, name="Acme Ltd")
    assert renamed.values["ident"] == made.values["ident"]
    assert world.store.db.read_now(profiles.find, made.values["ident"]) == Profile(made.values["ident"], "Acme Ltd")


@pytest.mark.anyio
async def test_the_menu_follows_the_order_and_leaves_out_what_is_out_of_use(world: World) -> None:
    first, second = await world.add("First"), await world.add("Second")
    await world.records.move(resource, second.id, 1, ADA, after=False)
    assert names(world.store) == ["Second", "Default Profile", "First"]
    await world.change(first, active=False)
    assert names(world.store) == ["Second", "Default Profile"]
    assert world.store.db.read_now(profiles.find, first.values["ident"]) is not None


@pytest.mark.anyio
async def test_a_profile_that_has_anything_is_not_deleted_and_the_sentence_says_what_it_has(world: World) -> None:
    acme = await world.add("Acme")
    ident = acme.values["ident"]
    run = world.store.start("01", profile=ident)
    for title in ("A", "B"):
        await world.records.create(tasks, {"title": title}, ident, ADA)
    with pytest.raises(RecordRefusedError, match=r"Acme .*runs 1, tasks 2.*inactive"):
        await world.records.delete(resource, [acme.id], ADA)
    found = await world.records.page(tasks, Query(profile=ident), limit=9)
    await world.records.delete(tasks, [each.id for each in found.records], ADA)
    world.store.do(lifecycle.delete, run)
    await world.records.delete(resource, [acme.id], ADA)
    assert names(world.store) == ["Default Profile"]
    assert world.store.db.read_now(profiles.find, ident) == Profile(ident, "Acme")
    with pytest.raises(RecordRefusedError, match="cannot be erased"):
        await world.records.erase(resource, [acme.id], ADA)
    await world.records.restore(resource, [acme.id], ADA)
    assert names(world.store) == ["Default Profile", "Acme"]


@pytest.mark.anyio
async def test_adding_a_profile_is_not_taken_back_once_it_has_runs(world: World) -> None:
    outcome = await world.records.create(resource, {"name": "Acme"}, None, ADA)
    world.store.start("01", profile=outcome.records[0].values["ident"])
    with pytest.raises(RecordRefusedError, match="runs 1"):
        await world.records.undo(resource, outcome.operation, ADA)
    assert names(world.store) == ["Default Profile", "Acme"]


@pytest.mark.anyio
async def test_the_default_profile_stays_in_use_and_can_be_renamed(world: World) -> None:
    with pytest.raises(RecordRefusedError, match="stays in use"):
        await world.change(await world.default(), active=False)
    with pytest.raises(RecordRefusedError, match="cannot be deleted"):
        await world.records.delete(resource, [1], ADA)
    (first,) = await world.records.done_lately(resource)
    with pytest.raises(RecordRefusedError):
        await world.records.undo(resource, first.id, ADA)
    await world.change(await world.default(), name="Home")
    assert names(world.store) == ["Home"]


@pytest.mark.anyio
async def test_who_had_chosen_a_profile_that_goes_out_of_use_is_in_the_default_one(world: World) -> None:
    acme = await world.add("Acme")
    world.store.db.write_now(profiles.choose, "ada", acme.values["ident"])
    assert world.store.db.read_now(profiles.chosen, "ada") == acme.values["ident"]
    assert world.store.db.read_now(profiles.chosen, "ben") == "default"
    await world.change(acme, active=False)
    assert world.store.db.read_now(profiles.chosen, "ada") == "default"


def test_a_locked_profile_is_not_left_until_it_is_unlocked(store: Store) -> None:
    add(store, "acme", "Acme")
    store.db.write_now(profiles.choose, "ada", "acme")
    store.db.write_now(profiles.lock, "ada", is_on=True)
    with pytest.raises(ProfileLockedError, match="Unlock"):
        store.db.write_now(profiles.choose, "ada", "default")
    assert store.db.read_now(profiles.chosen, "ada") == "acme"
    store.db.write_now(profiles.choose, "ben", "acme")
    assert not store.db.read_now(profiles.is_locked, "ben")
    store.db.write_now(profiles.lock, "ada", is_on=False)
    store.db.write_now(profiles.choose, "ada", "default")


def test_adding_and_renaming_are_in_the_history(store: Store) -> None:
    add(store, "acme", "Acme")
    rename(store, "acme", "Acme Ltd")
    rename(store, "acme", "Acme Ltd")
    assert resource.prepare() == []
    events = store.db.read_now(operations.history, resource.shape, 2)
    assert [(each.kind, each.changes["name"]) for each in events] == [
        ("changed", ("Acme", "Acme Ltd")), ("created", (None, "Acme")),
    ]  # fmt: skip
    assert store.problems() == []


# What is told of it


@pytest.mark.anyio
async def test_an_import_in_many_parts_is_one_line_with_how_many_there_were(world: World) -> None:
    table = (Line(number, {"title": f"Task {number}"}) for number in range(1, 1_201))
    await take_in(world.records, Taking(tasks, "default", ADA, "skip"), table)
    told = world.store.db.read_now(messages.before, messages.of_app("ada", tasks.name))
    assert [(each.done.kind, each.done.records) for each in told if each.done] == [("import", 1_200)]
    assert [each.done.profile for each in told if each.done] == ["default"]


@pytest.mark.anyio
async def test_what_changes_nothing_is_not_told(world: World) -> None:
    made = await world.add("Acme")
    await world.records.change(resource, made.id, {"name": "Acme"}, ADA, seen=made.version)
    await take_in(world.records, Taking(resource, None, ADA, "update"), [Line(2, {"name": "Acme"})])
    told = world.store.db.read_now(messages.before, messages.of_app("ada", resource.name))
    assert [each.done.kind for each in told if each.done] == ["create"]


@pytest.mark.anyio
async def test_a_line_is_told_with_the_change_or_not_at_all(world: World) -> None:
    with pytest.raises(RecordTakenError):
        await world.add("default profile")
    assert world.store.db.read_now(messages.before, messages.of_app("ada", resource.name)) == []


def test_a_run_whose_profile_is_lost_is_named_by_the_check(store: Store) -> None:
    run = store.start("01")
    assert store.problems() == []
    store.is_damaged = True
    store.db.write_now(lambda tx: tx.run("UPDATE rec_profiles SET ident = 'x'"))
    assert any(run in each and "its profile default is not there" in each for each in store.problems())
