"""`BaseCrud` over any table: what it is made with, what it registers, and the headers of its answers."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from fasthtml.common import Li

from pipulate.errors import RecordRefusedError
from pipulate.explicit.crud import BaseCrud
from pipulate.explicit.elements import NotFoundError
from pipulate.explicit.routes import Routes

pytestmark = pytest.mark.anyio


class Memory:
    """A table that is no more than the calls `BaseCrud` makes."""

    name = "things"

    def __init__(self) -> None:
        self.rows: dict[int, Any] = {1: SimpleNamespace(id=1, text="a", done=0, priority=0)}

    def __getitem__(self, number: int) -> Any:
        if number not in self.rows:
            raise NotFoundError(number)
        return SimpleNamespace(**vars(self.rows[number]))

    def insert(self, values: Mapping[str, Any]) -> Any:
        number = max(self.rows) + 1
        self.rows[number] = SimpleNamespace(id=number, **values)
        return self[number]

    def update(self, row: Any = None, **values: Any) -> Any:
        new = {**(vars(row) if row is not None else {}), **values}
        self[new["id"]]
        vars(self.rows[new["id"]]).update(new)
        return self[new["id"]]

    def delete(self, number: int) -> None:
        if self.rows.pop(number).text == "kept":
            raise RecordRefusedError("It is <needed>.")


class App(BaseCrud):
    """An app over it."""

    def __init__(self, name: str = "things", **more: Any) -> None:
        super().__init__(name, Memory(), "done", "priority", **more)

    def render_item(self, item: Any) -> Any:
        return Li(item.text, data_done=str(item.done))

    def prepare_insert_data(self, form: Any) -> Any:
        return {"text": form["text"], "done": False, "priority": 5} if form else None

    def prepare_update_data(self, form: Any) -> Any:
        return dict(form)


class Request:
    """A form."""

    def __init__(self, **fields: str) -> None:
        self.fields = fields

    async def form(self) -> dict[str, str]:
        return self.fields


def trigger(answer: Any) -> Any:
    return json.loads(answer.headers["hx-trigger"])


def test_constructor_and_attributes_are_those_of_the_contract() -> None:
    names = [*inspect.signature(BaseCrud).parameters]
    assert names == ["name", "table", "toggle_field", "sort_field", "sort_dict", "pipulate_instance"]
    table = object()
    made = BaseCrud("n", table)
    assert vars(made).items() >= {
        "name": "n", "table": table, "toggle_field": None, "sort_field": None, "item_name_field": "name",
        "pipulate_instance": None,
    }.items()  # fmt: skip
    assert made.sort_dict == {"id": "id", None: None}
    assert App().sort_dict == {"id": "id", "priority": "priority"}
    assert made.get_action_url("toggle", 3) == "/n/toggle/3"
    assert made.render_item(table) is table


def test_five_addresses_are_registered() -> None:
    routes = Routes()
    App().register_routes(routes)
    assert [(each.path, sorted(each.methods), each.handler.__name__) for each in routes.table] == [
        ("/things", ["POST"], "insert_item"),
        ("/things/{item_id}", ["POST"], "update_item"),
        ("/things/delete/{item_id}", ["DELETE"], "delete_item"),
        ("/things/toggle/{item_id}", ["POST"], "toggle_item"),
        ("/things_sort", ["POST"], "sort_items"),
    ]


async def test_hooks_of_a_subclass_are_needed() -> None:
    plain = BaseCrud("n", Memory())
    for call in (plain.insert_item(Request()), plain.update_item(Request(), 1)):
        with pytest.raises(NotImplementedError, match="Subclasses must implement prepare_"):
            await call
    assert [(await call).status_code for call in (plain.toggle_item(None, 1), plain.sort_items(Request()))] == [
        400,
        400,
    ]


async def test_answer_is_what_the_subclass_draws() -> None:
    app = App()
    assert (await app.insert_item(Request(text="b"))).children == ("b",)
    assert (await app.update_item(Request(text="c"), 2)).children == ("c",)
    assert (await app.toggle_item(Request(), 2)).attrs["data-done"] == "True"
    assert [await app.insert_item(Request()), await app.update_item(Request(), 2), await app.delete_item(None, 2)] == [
        "",
        "",
        "",
    ]
    assert (await app.create_item(text="d", done=False)).id == 2


async def test_profiles_refresh_their_menu_and_toggled_roles_that_of_apps() -> None:
    profiles, roles = App("profiles"), App("roles")
    menu: dict[str, Any] = {"refreshProfileMenu": {}}
    added = await profiles.insert_item(Request(text="<b>"))
    assert (trigger(added), added.body) == (menu, b'<li data-done="False">&lt;b&gt;</li>')
    assert trigger(await profiles.update_item(Request(text="x"), 1)) == menu
    assert trigger(await profiles.toggle_item(None, 1)) == menu
    assert trigger(await profiles.delete_item(None, 1)) == menu
    assert trigger(await roles.toggle_item(None, 1)) == {"refreshAppMenu": {}}
    assert (await roles.update_item(Request(text="x"), 1)).children == ("x",)
    items = json.dumps([{"id": "1", "priority": 7}])
    for app in (roles, App(), App("profiles")):
        assert trigger(await app.sort_items(Request(items=items))) == menu
    assert roles.table[1].priority == 7


async def test_what_the_store_refuses_is_409_in_its_words() -> None:
    app = App()
    app.table.rows[1].text = "kept"
    answer = await app.delete_item(None, 1)
    assert (answer.status_code, answer.body) == (409, b"It is &lt;needed&gt;.")


async def test_what_else_a_hook_raises_is_for_the_host() -> None:
    with pytest.raises(KeyError):
        await App().insert_item(Request(other="x"))


async def test_message_is_said_by_whom_the_app_names_and_waited_for_by_nobody() -> None:
    said: list[tuple[str, bool]] = []

    class Queue:
        async def add(self, _pip: Any, text: str, *, verbatim: bool) -> None:
            said.append((text, verbatim))

    pip = SimpleNamespace(message_queue=Queue())
    app = App(pipulate_instance=pip)
    app.item_name_field = "text"
    await app.insert_item(Request(text="milk"))
    assert said == []
    await asyncio.sleep(0)
    assert said == [("Added to things: 'milk'", True)]
    App().send_message("to nobody")
