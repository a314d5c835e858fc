"""Tables of class-style plugins: MiniDataAPI over records, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from pipulate.crud import roles
from pipulate.crud.engine import Records
from pipulate.crud.resource import Resource
from pipulate.errors import RecordRefusedError, RecordTakenError, TableDiffersError
from pipulate.events import Bus, RecordsChanged
from pipulate.explicit.context import CURRENT, Current
from pipulate.explicit.elements import NotFoundError
from pipulate.explicit.keeping import NoTableError
from pipulate.explicit.keeping import Store as Keeping
from pipulate.explicit.keyed import DictLikeDB
from pipulate.explicit.own_tables import Tables
from pipulate.security.who import Who
from pipulate.storage.profiles import Profile
from pipulate.storage.records import catalog, operations
from pipulate.storage.records.conditions import ConditionError
from tests.support.store import Store

COLUMNS: dict[str, Any] = {"id": int, "text": str, "done": bool, "priority": int, "profile_id": int, "hours": float}


class Task(BaseModel):
    """The same table, as a declared app has it."""

    text: str | None = None
    done: bool | None = None
    priority: int | None = None
    profile_id: int | None = None
    hours: float | None = None


class World:
    """A store, and a plugin's view of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.told: list[RecordsChanged] = []
        self.keeping = Keeping(store.db, store.clock, self.told.append)
        self.db = self.another()

    def another(self) -> Tables:
        return Tables(self.keeping)

    def tasks(self, *texts: str) -> Any:
        table = self.db.t.tasks.create(**COLUMNS, pk="id")
        for place, text in enumerate(texts):
            table.insert(text=text, priority=place, done=False, profile_id=1 + place % 2)
        return table

    def operations(self, name: str = "plugin_tasks") -> list[tuple[str, str, str | None, int]]:
        """Return what was done, the oldest first: kind, by whom, from which tab, to how many."""
        shape = self.store.db.read_now(catalog.stored, name)
        assert shape is not None
        found = self.store.db.read_now(operations.latest, shape)
        return [(each.kind, each.actor, each.tab, each.records) for each in reversed(found)]


@contextmanager
def request_of(number: int = 1, tab: str = "tab-1") -> Iterator[None]:
    """A request of a person, as the handlers of plugins run in one."""
    plugin = SimpleNamespace(name="tasks")
    token = CURRENT.set(Current("ann", "tasks", plugin, Profile("p", "P"), tab=tab, number=number))
    try:
        yield
    finally:
        CURRENT.reset(token)


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


class Flexible:
    """What a plugin's class becomes; for the type checker."""

    def __init__(self, **_: Any) -> None: ...


def texts(rows: Any) -> list[str]:
    return [getattr(row, "text", None) or row.name for row in rows]


# Rows


def test_row_comes_back_as_it_was_given_with_an_attribute_for_each_column(world: World) -> None:
    tasks = world.tasks()
    row = tasks.insert(text="Grüße <b>'; DROP TABLE--", done=True, priority="3", profile_id="2", hours=1.5)
    values = {
        "id": 1, "text": "Grüße <b>'; DROP TABLE--", "done": True, "priority": 3, "profile_id": 2, "hours": 1.5
    }  # fmt: skip
    assert asdict(row) == values
    assert vars(row) == values
    assert tasks[1] == row == tasks.get("1")
    assert tasks(as_cls=False) == [values]
    assert (tasks.name, tasks.count, tasks.columns, tasks.pks) == ("tasks", 1, list(COLUMNS), ["id"])
    assert 1 in tasks
    assert 2 not in tasks


def test_row_may_be_a_dictionary_names_an_object_or_of_the_class_of_its_table(world: World) -> None:
    tasks = world.tasks()
    kind = tasks.dataclass()
    tasks.insert({"text": "a"})
    tasks.insert(SimpleNamespace(text="b"))
    made = tasks.insert(kind(text="c"), done=True)
    assert isinstance(made, kind)
    assert texts(tasks()) == ["a", "b", "c"]
    tasks.update({"id": 1, "done": True})
    tasks.update(kind(id=2, priority=7))
    tasks.update({"done": False}, 3)
    assert [(row.text, row.done, row.priority) for row in tasks()] == [
        ("a", True, None),
        ("b", None, 7),
        ("c", False, None),
    ]


def test_row_that_was_read_leaves_alone_what_others_changed_since(world: World) -> None:
    tasks = world.tasks("a")
    row = tasks[1]
    world.another().t.tasks.update(id=1, priority=9)
    row.text = "b"
    now = tasks.update(row)
    assert (now.text, now.priority) == ("b", 9)


def test_value_that_is_changed_in_place_is_stored(world: World) -> None:
    table = world.db.t.things.create(id=int, data=dict, tags=list)
    row = table.insert(data={"a": [1]}, tags=["x"])
    row.data["a"].append(2)
    row.tags.append("ü")
    assert (table.update(row).data, table[1].tags) == ({"a": [1, 2]}, ["x", "ü"])
    assert len(table("data is not null and tags is not null")) == 1


def test_nothing_is_noted_where_nothing_changes(world: World) -> None:
    tasks = world.tasks("a")
    told = len(world.told)
    assert tasks.update(tasks[1]) == tasks[1]
    tasks.update_all([{"id": 1, "priority": 0}])
    assert len(world.operations()) == 1
    assert len(world.told) == told


@pytest.mark.parametrize("key", [9, "9", "x", None, "1 or 1=1", 2**70, (1, 2), -1])
def test_row_that_is_not_there_is_not_found(world: World, key: Any) -> None:
    tasks = world.tasks("a")
    assert tasks.get(key, None) is None
    assert key not in tasks
    acts: list[Callable[[], Any]] = [
        lambda: tasks[key],
        lambda: tasks.delete(key),
        lambda: tasks.update({"done": True}, key),
    ]
    for act in acts:
        with pytest.raises(NotFoundError):
            act()
    assert tasks[1].done is False


def test_deleted_row_is_gone_and_another_never_gets_its_number(world: World) -> None:
    tasks = world.tasks("a", "b")
    assert tasks.delete(2) is tasks
    assert texts(tasks()) == ["a"]
    assert tasks.insert(text="c").id == 3


def test_upsert_changes_what_is_there_and_adds_what_is_not(world: World) -> None:
    tasks = world.tasks("a")
    assert tasks.upsert({"id": 1, "text": "b"}).priority == 0
    assert tasks.upsert(text="new").id == 2
    with pytest.raises(ConditionError, match="gives the number"):
        tasks.upsert(id=77, text="no")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"bogus": 1}, "'tasks' has no column 'bogus'; there are id, text"),
        ({"text); DROP TABLE x": 1}, "has no column"),
        ({"_found": "x"}, "has no column"),
        ({"priority": "high"}, "priority holds whole numbers; 'high' is none"),
        ({"text": {"a": 1}}, "text holds text"),
        ({"done": "perhaps"}, "done holds yes or no"),
        ({"id": 5}, "gives the number"),
    ],
)
def test_value_that_no_column_holds_is_refused_and_nothing_is_stored(world: World, values: Any, says: str) -> None:
    tasks = world.tasks("a")
    with pytest.raises(ConditionError) as caught:
        tasks.insert({"text": "b", **values})
    assert says in str(caught.value)
    assert tasks.count == 1


# Asking


def test_conditions_orders_and_parts_of_a_list(world: World) -> None:
    tasks = world.tasks("b", "a", "Ü", "c")
    tasks.update(id=4, priority=None, done=True)
    assert texts(tasks("profile_id = ?", ["1"])) == ["b", "Ü"]
    assert texts(tasks(where="profile_id = 2 and not done")) == ["a"]
    assert texts(tasks("text in ?", (["a", "c"],))) == ["a", "c"]
    assert texts(tasks("text like :t", {"t": "A%"})) == ["a"]
    assert texts(tasks("done=?", (True,), order_by="priority")) == ["c"]
    assert texts(tasks("priority is null or priority > 1")) == ["Ü", "c"]
    assert texts(tasks(order_by="text")) == ["a", "b", "c", "Ü"]
    assert texts(tasks(order_by="priority desc")) == ["Ü", "a", "b", "c"]
    assert texts(tasks(order_by="priority", limit=2, offset=1)) == ["b", "a"]
    assert texts(tasks("text = ?", ["a' or '1'='1"])) == []


@pytest.mark.parametrize(
    "asked",
    [
        {"where": "1=1 union select value from kv"}, {"where": "id in (select 1)"}, {"where": "id = 1; drop table x"},
        {"order_by": "(select 1)"}, {"order_by": "case when 1 then id end"}, {"where": "_profile is null"},
    ],
)  # fmt: skip
def test_statement_in_a_condition_or_an_order_is_refused(world: World, asked: dict[str, str]) -> None:
    tasks = world.tasks("a")
    with pytest.raises(ConditionError):
        tasks(**asked)


def test_filter_shows_and_stores_its_rows_alone_until_the_request_ends(world: World) -> None:
    tasks = world.tasks("a", "b", "c")
    with request_of():
        tasks.xtra(profile_id=1)
        assert texts(tasks()) == ["a", "c"]
        assert texts(world.another().t.tasks("text = 'b' or 1 = 1")) == ["a", "c"]
        assert (tasks.count, 2 in tasks) == (2, False)
        acts: list[Callable[[], Any]] = [
            lambda: tasks[2], lambda: tasks.delete(2), lambda: tasks.update(id=2, done=True)
        ]  # fmt: skip
        for act in acts:
            with pytest.raises(NotFoundError):
                act()
        assert tasks.insert(text="d", profile_id=2).profile_id == 1
        assert tasks.update(id=1, profile_id=2).profile_id == 1
        with pytest.raises(ConditionError, match="gives the number"):
            tasks.upsert(id=2, text="taken")
        tasks.xtra()
        assert texts(tasks()) == ["a", "b", "c", "d"]
        tasks.xtra(profile_id=2)
    with request_of():
        assert texts(tasks()) == ["a", "b", "c", "d"]


class Elsewhere:
    """A store that works on threads of its own."""

    def __init__(self, db: Any) -> None:
        self.name, self._db = db.name, db

    def read_now(self, unit: Any, *args: Any, **more: Any) -> Any:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._db.read_now, unit, *args, **more).result()

    def write_now(self, unit: Any, *args: Any, **more: Any) -> Any:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._db.write_now, unit, *args, **more).result()


def test_filter_holds_whatever_thread_the_store_works_on(world: World) -> None:
    tasks = world.tasks("a", "b")
    db: Any = Elsewhere(world.store.db)
    elsewhere = Tables(Keeping(db, world.store.clock, world.told.append)).t.tasks
    with request_of():
        elsewhere.xtra(profile_id=2)
        assert texts(elsewhere()) == ["b"]
        assert elsewhere.insert(text="c").profile_id == 2
        assert (elsewhere.count, 1 in elsewhere) == (2, False)
        with pytest.raises(NotFoundError):
            elsewhere.delete(1)
    assert texts(tasks()) == ["a", "b", "c"]


def test_filter_of_a_constructor_counts_for_each_request_of_that_plugin(world: World) -> None:
    tasks = world.tasks("a", "b")
    tasks.xtra(profile_id=2)
    with request_of():
        assert texts(tasks()) == ["b"]
        assert texts(world.another().t.tasks()) == ["a", "b"]


# Making


def test_table_is_made_once_and_gets_the_columns_it_lacks(world: World) -> None:
    world.tasks("a")
    again = world.another().t.tasks
    assert texts(again()) == ["a"]
    again.create(id=int, note=str, done=bool)
    again.update(id=1, note="n")
    row = world.tasks()[1]
    assert (row.text, row.note) == ("a", "n")
    assert "tasks" in [name.removeprefix("plugin_") for name in world.db.names()]


def test_class_declares_a_table_and_is_what_its_rows_are(world: World) -> None:
    class UserNote(Flexible):
        id: int
        title: str
        body: str | None = None

        def shout(self) -> str:
            return self.title.upper()

    notes = world.db.create(UserNote)
    assert notes.name == "user_note"
    row = notes.insert(UserNote(title="a"))
    assert (row.shout(), isinstance(row, UserNote), row.body) == ("A", True, None)
    assert notes.update(UserNote(id=1, title="b")).shout() == "B"
    assert [each.shout() for each in world.db.t["user_note"]()] == ["B"]


def test_table_with_a_key_of_its_own_is_a_dictionary(world: World) -> None:
    store = world.db.t.store.create(key=str, value=str, pk="key")
    kept = DictLikeDB(store, store.dataclass())
    kept["a"] = 1
    kept["a"] = 2
    assert (kept["a"], kept.get("b", "none"), "a" in kept, list(kept), dict(kept.items())) == (
        "2",
        "none",
        True,
        ["a"],
        {"a": "2"},
    )
    assert list(vars(store["a"])) == ["key", "value"]
    with pytest.raises(RecordTakenError):
        store.insert(key="a", value="x")
    again = World(world.store).db.t.store
    assert again["a"].value == "2"
    del kept["a"]
    for act in (lambda: kept["a"], lambda: kept.__delitem__("a")):
        with pytest.raises(KeyError):
            act()
    assert kept.set("a", "new") == "new"
    assert (kept.keys(), list(kept.values())) == (["a"], ["new"])


def test_table_that_cannot_be_made_says_why(world: World) -> None:
    with pytest.raises(NoTableError, match=r"db\.t\.nothing\.create"):
        world.db.t.nothing()
    for name in ("Tasks", "a b", "x;drop", "", "a" * 60):
        with pytest.raises((ConditionError, ValueError)):
            world.db.t[name].create(id=int, text=str)
    wrong: list[dict[str, Any]] = [{"a b": str}, {"text": bytes}, {"text": "str"}, {"text": str, "pk": "other"}]
    for columns in wrong:
        with pytest.raises(ConditionError):
            world.db.t.tasks.create(**columns)
    with pytest.raises(NotImplementedError, match=r"create\(replace=\.\.\.\) is not served"):
        world.db.t.tasks.create(text=str, replace=True)
    with pytest.raises(NotImplementedError, match="Statements are not served"):
        world.db.q("select 1")
    assert [name for name in world.db.names() if name.startswith("plugin_")] == []


def test_table_that_holds_something_else_is_left_as_it_is(world: World) -> None:
    world.tasks("a")
    with pytest.raises(TableDiffersError, match="'text' was text and is integer now"):
        world.db.t.tasks.create(id=int, text=int, more=str)
    with pytest.raises(TableDiffersError, match="key"):
        world.db.t.tasks.create(text=str, pk="text")
    assert "more" not in world.db.t.tasks.columns


# Records


def test_every_call_is_an_operation_of_whoever_asked_and_pages_are_told(world: World) -> None:
    tasks = world.tasks()
    with request_of(tab="tab-7"):
        tasks.insert(text="a")
        tasks.insert(text="b")
        tasks.update(id=1, done=True)
        tasks.update_all([{"id": 1, "priority": 1}, {"id": 2, "priority": 0}])
        tasks.delete(2)
    by = ("ann", "tab-7")
    assert world.operations() == [
        ("create", *by, 1), ("create", *by, 1), ("change", *by, 1), ("change", *by, 2), ("delete", *by, 1)
    ]  # fmt: skip
    shape = world.store.db.read_now(catalog.stored, "plugin_tasks")
    assert shape is not None
    done = world.store.db.read_now(operations.latest, shape)
    assert [each.facts.get("label") for each in done] == ["b", None, "a", "b", "a"]
    assert world.told == [RecordsChanged("plugin_tasks", version, "tab-7") for version in range(1, 6)]


def test_several_rows_are_changed_together_or_not_at_all(world: World) -> None:
    tasks = world.tasks("a", "b")
    with pytest.raises(NotFoundError):
        tasks.update_all([{"id": 1, "priority": 5}, {"id": 9, "priority": 6}])
    assert [row.priority for row in tasks()] == [0, 1]


def test_declared_app_reads_the_same_records_and_takes_back_what_a_plugin_did(world: World) -> None:
    tasks = world.tasks("a", "b")
    tasks.update(id=1, text="changed")
    tasks.delete(2)
    resource = Resource("plugin_tasks", Task, per_profile=False)
    assert resource.prepare() == []

    async def undone() -> None:
        records = Records(world.store.db, Bus(), world.store.clock, asyncio.to_thread, world.store.files)
        for operation in (await records.done_lately(resource))[:2]:
            await records.undo(resource, operation.id, Who("ben", None))
        history = await records.history(resource, 1)
        assert [event.kind for event in history] == ["changed", "changed", "created"]

    asyncio.run(undone())
    assert texts(tasks()) == ["a", "b"]


# The host's own tables


def test_roles_of_a_plugin_are_those_of_the_menu(world: World) -> None:
    table = world.db.t.roles.create(id=int, text=str, done=bool, priority=int, profile_id=int, pk="id")
    with request_of(number=4):
        for place, name in enumerate(("Core", "Tutorial", "Developer")):
            row = table.insert(text=name, done=name == "Core", priority=place, profile_id=9)
            assert (row.priority, row.profile_id) == (place, 4)
        assert texts(table("profile_id = ?", [4])) == ["Core", "Tutorial", "Developer"]
        table.update_all([{"id": 3, "priority": 0}, {"id": 1, "priority": 1}, {"id": 2, "priority": 2}])
        assert texts(table()) == texts(table(order_by="priority")) == ["Developer", "Core", "Tutorial"]
        assert [row.priority for row in table()] == [0, 1, 2]
        table.update(id=2, done=True)
        with pytest.raises(RecordTakenError):
            table.insert(text="Core")
    assert world.store.db.read_now(roles.active) == {"Core", "Tutorial"}
    with pytest.raises(RecordRefusedError, match="is Pipulate's own and has no colour"):
        table.create(id=int, text=str, colour=str)


def test_profiles_have_a_place_and_hide_what_runs_know_them_by(world: World) -> None:
    table = world.db.t.profile
    before = table.count
    acme = table.insert(name="Acme", address="Street 1", active=True, priority=7)
    table.insert({"name": "Bolt"})
    last = table(order_by="priority")[-2:]
    assert [(row.name, row.priority) for row in last] == [("Acme", before), ("Bolt", before + 1)]
    assert (acme.code, last[1].active) == ("", True)
    assert list(vars(acme)) == ["id", "name", "real_name", "address", "code", "active", "priority"]
    with pytest.raises(ConditionError, match="no column 'ident'"):
        table.insert(name="C", ident="default")
    with pytest.raises(ConditionError, match="no column 'ident'"):
        table("ident = 'default'")
    table.update(id=acme.id, priority=before + 1)
    assert texts(table(order_by="priority")[-2:]) == ["Bolt", "Acme"]
