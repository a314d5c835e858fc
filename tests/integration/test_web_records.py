"""Tables of records over HTTP: what each address answers, and what it must not do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import keyvalue, profiles
from pipulate.storage.records.rows import Record
from tests.integration.test_web_escaping import PAYLOADS, only_text
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

WHO = Who(OWNER)
TODO = """
from typing import Annotated, Any

from pydantic import BaseModel

from pipulate import Link, Range, Resource
from pipulate.ui import strong


class Todo(BaseModel):
    title: str
    done: bool = False
    priority: Annotated[int, Range(1, 5)] = 3
    room: Annotated[int | None, Link("rooms")] = None
    lines: list[str] = []


todo = Resource("todo", Todo, title="Things to do", toggle="done", key="title")


@todo.column("loud")
def loud(item: Todo) -> str:
    if item.title == "fails":
        raise RuntimeError("<b>cannot</b>")
    return item.title.upper()


@todo.cell("priority")
def priority(value: int) -> Any:
    return strong(value)


@todo.before_delete
def refuse(change: Any) -> None:
    if change.before.title == "stays":
        raise ValueError("This one stays.")
"""
ROOMS = """
from pydantic import BaseModel

from pipulate import Resource


class Room(BaseModel):
    name: str


rooms = Resource("rooms", Room, per_profile=False)
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Application]:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "todo.py").write_text(TODO)
    (plugins / "rooms.py").write_text(ROOMS)
    async with running(tmp_path) as application:
        yield application


@pytest.fixture
def browser(site: Application) -> Browser:
    return Browser(site)


async def added(site: Application, *titles: str, profile: str = "default", **more: Any) -> list[int]:
    records = site.site.records
    made = [await records.create(records.resources["todo"], {"title": each} | more, profile, WHO) for each in titles]
    return [each.records[0].id for each in made]


async def kept(site: Application, number: int) -> Record:
    records = site.site.records
    return await records.find(records.resources["todo"], number, deleted=True)


def titles(answer: Answer) -> list[str]:
    return re.findall(r'data-field="title"[^>]*>(?:<[^>]*>)*([^<]*)', answer.text)


def work_area(answer: Answer) -> str:
    """Return a page without the panel beside it, which tells a person what they did themselves."""
    return answer.text.partition("<main")[2].partition("</main>")[0]


# Adding and changing


async def test_record_is_added_and_its_row_comes_back(site: Application, browser: Browser) -> None:
    answer = await browser.post("/-/records/todo", {"_field": "title", "title": "Milk"}, htmx=True)
    assert (answer.status, titles(answer)) == (200, ["Milk"])
    assert answer.headers["x-pipulate-operation"]
    assert (await kept(site, 1)).values == {"title": "Milk", "done": False, "priority": 3, "room": None, "lines": []}


async def test_form_without_a_script_leads_back_to_its_list_with_a_way_to_undo(
    site: Application, browser: Browser
) -> None:
    referer = {"referer": "http://127.0.0.1:5001/todo?find=mi&page=2"}
    answer = await browser.post("/-/records/todo", {"_field": "title", "title": "Milk"}, headers=referer)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/todo?find=mi&page=2&done=")
    page = await browser.get(answer.headers["location"])
    operation = re.search(r'name="operation" value="(\w+)"', page.text)
    assert operation is not None
    assert "Added 1 record." in page.text
    assert (await browser.post("/-/records/todo/undo", {"operation": operation[1]})).status == 303
    assert (await kept(site, 1)).deleted_at is not None


async def test_what_is_wrong_changes_nothing_and_comes_back_with_a_sentence_at_its_field(
    site: Application, browser: Browser
) -> None:
    form = {"_field": "priority", "title": "", "priority": "9"}
    answer = await browser.post("/-/records/todo", [*form.items(), ("_field", "title")], htmx=True)
    assert answer.status == 422
    assert 'value="9"' in answer.text
    assert 'id="add-priority-problem"' in answer.text
    assert 'id="add-title-problem"' in answer.text
    assert titles(await browser.get("/todo")) == []


async def test_key_that_is_taken_is_said_at_its_field(site: Application, browser: Browser) -> None:
    await added(site, "Milk")
    answer = await browser.post("/-/records/todo", {"_field": "title", "title": "Milk"}, htmx=True)
    assert answer.status == 422
    assert 'id="add-title-problem"' in answer.text


async def test_field_is_changed_in_its_cell_and_nothing_else_with_it(site: Application, browser: Browser) -> None:
    await added(site, "Milk")
    editor = await browser.get("/-/records/todo/1/cells/priority")
    assert 'name="_seen" value="1"' in editor.text
    sent = {"_seen": "1", "_field": "priority", "priority": "5", "title": "Not asked for", "done": "on"}
    answer = await browser.post("/-/records/todo/1", sent, htmx=True)
    assert answer.status == 200
    assert "<strong>5</strong>" in answer.text
    assert ((await kept(site, 1)).values["title"], (await kept(site, 1)).values["done"]) == ("Milk", False)


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(site: Application, browser: Browser) -> None:
    await added(site, "Milk")
    await browser.post("/-/records/todo/1", {"_seen": "1", "_field": "title", "title": "Theirs"}, htmx=True)
    answer = await browser.post("/-/records/todo/1", {"_seen": "1", "_field": "title", "title": "Mine"}, htmx=True)
    assert answer.status == 409
    assert "Theirs" in only_text(answer)
    assert 'value="Mine"' in answer.text
    assert 'name="_seen" value="2"' in answer.text
    assert (await kept(site, 1)).values["title"] == "Theirs"
    page = await browser.post("/-/records/todo/1", {"_seen": "1", "_field": "title", "title": "Mine"})
    assert (page.status, "Take theirs" in page.text) == (409, True)


async def test_box_is_ticked_once_however_often_it_is_sent(site: Application, browser: Browser) -> None:
    await added(site, "Milk")
    for _ in range(2):
        assert (await browser.post("/-/records/todo/1/toggle?field=done&to=on", htmx=True)).status == 200
    assert ((await kept(site, 1)).values["done"], (await kept(site, 1)).version) == (True, 2)


@pytest.mark.parametrize("query", ["field=title&to=on", "field=nothing&to=on", "field=done&to=maybe", ""])
async def test_only_boxes_are_ticked(site: Application, browser: Browser, query: str) -> None:
    await added(site, "Milk")
    assert (await browser.post(f"/-/records/todo/1/toggle?{query}", htmx=True)).status == 404
    assert (await kept(site, 1)).version == 1


async def test_app_that_refuses_is_heard(site: Application, browser: Browser) -> None:
    await added(site, "stays")
    answer = await browser.post("/-/records/todo/1/delete", htmx=True)
    assert (answer.status, answer.headers["x-pipulate-notice"]) == (422, "This%20one%20stays.")
    assert (await kept(site, 1)).deleted_at is None


async def test_move_goes_by_what_the_list_shows(site: Application, browser: Browser) -> None:
    await added(site, "a1", "b1", "a2")
    assert (await browser.post("/-/records/todo/3/move?find=a", {"to": "up"}, htmx=True)).status == 204
    assert titles(await browser.get("/todo")) == ["a2", "a1", "b1"]
    before = await browser.post("/-/records/todo/3/move", {"to": "up"}, htmx=True)
    assert (before.status, "x-pipulate-operation" in before.headers) == (204, False)
    await browser.post("/-/records/todo/3/move", {"beside": "2", "after": "1"}, htmx=True)
    assert titles(await browser.get("/todo")) == ["a1", "b1", "a2"]


async def test_only_what_is_in_the_bin_is_erased(site: Application, browser: Browser) -> None:
    await added(site, "Milk", "Bread")
    assert (await browser.post("/-/records/todo/1/erase", htmx=True)).status == 422
    await browser.post("/-/records/todo/1/delete", htmx=True)
    assert titles(await browser.get("/todo?bin=1")) == ["Milk"]
    assert (await browser.post("/-/records/todo/1/erase", htmx=True)).status == 204
    assert titles(await browser.get("/todo?bin=1")) == []
    assert (await browser.get("/todo/1")).status == 404


async def test_older_version_comes_back(site: Application, browser: Browser) -> None:
    await added(site, "Milk")
    await browser.post("/-/records/todo/1", {"_seen": "1", "_field": "title", "title": "Bread"}, htmx=True)
    page = await browser.get("/todo/1")
    assert "changed <strong>Title</strong> from" in page.text
    assert (await browser.post("/-/records/todo/1/go-back", {"version": "1"})).headers["location"] == "/todo/1"
    assert (await kept(site, 1)).values["title"] == "Milk"
    assert (await browser.post("/-/records/todo/1/go-back", {"version": "9"})).status == 404


# Many at once


async def test_all_that_a_list_finds_are_changed_and_no_other(site: Application, browser: Browser) -> None:
    await added(site, "a1", "b1", "a2")
    form = {"all": "1", "query": "?find=a", "_field": "priority", "priority": "5", "title": "x"}
    assert (await browser.post("/-/records/todo/many", form, htmx=True)).status == 204
    assert [(await kept(site, number)).values["priority"] for number in (1, 2, 3)] == [5, 3, 5]


async def test_what_many_cannot_be_changed_to_is_told_for_each(site: Application, browser: Browser) -> None:
    await added(site, "a1", "b1")
    form = [("chosen", "1"), ("chosen", "2"), ("_field", "title"), ("title", "a1")]
    answer = await browser.post("/-/records/todo/many", form, htmx=True)
    assert answer.status == 200
    assert "0 records changed, 1 not" in answer.text
    answer = await browser.post("/-/records/todo/many", {"chosen": "1", "priority": "2"}, htmx=True)
    assert (answer.status, "Tick at least one field." in answer.text) == (422, True)


@pytest.mark.parametrize("chosen", ["x", "-1", "1; DROP TABLE", "9" * 30, "٣"])
async def test_what_is_no_number_is_not_chosen(site: Application, browser: Browser, chosen: str) -> None:
    await added(site, "Milk")
    assert (await browser.post("/-/records/todo/many/delete", {"chosen": chosen}, htmx=True)).status == 400
    assert (await kept(site, 1)).deleted_at is None


# Of whom


async def test_records_of_another_profile_are_not_there(site: Application, browser: Browser) -> None:
    """By no address and in no list: the profile that is chosen is the one that is worked in."""
    await site.site.db.write(profiles.add, "other", "Other", "2026-01-01T00:00:00Z")
    [theirs] = await added(site, "A secret of theirs", profile="other")
    [gone] = await added(site, "Deleted by them", profile="other")
    records = site.site.records
    done = (await records.delete(records.resources["todo"], [gone], WHO)).operation
    [own] = await added(site, "Ours")
    before = [await kept(site, theirs), await kept(site, gone)]
    for address in ("/todo", "/todo?bin=1", "/todo?find=the", "/-/search?find=the"):
        page = work_area(await browser.get(address))
        assert "of theirs" not in page
        assert "by them" not in page
    for what in ("", "/row", "/cells/title"):
        assert (await browser.get(f"/-/records/todo/{theirs}{what}")).status == 404
    assert (await browser.get(f"/todo/{theirs}")).status == 404
    form = {
        "_seen": "1",
        "_field": "title",
        "title": "Taken",
        "to": "up",
        "version": "1",
        "beside": str(own),
        "after": "1",
    }
    for what in ("", "/toggle?field=done&to=on", "/move", "/delete", "/restore", "/erase", "/go-back"):
        assert (await browser.post(f"/-/records/todo/{theirs}{what}", form, htmx=True)).status == 404, what
        assert (await browser.post(f"/-/records/todo/{gone}{what}", form, htmx=True)).status == 404, what
    assert (
        await browser.post(f"/-/records/todo/{own}/move", {"beside": theirs, "after": "1"}, htmx=True)
    ).status == 404
    for what in ("", "/delete", "/restore"):
        chosen = [("chosen", str(theirs)), ("chosen", str(gone)), ("_field", "priority"), ("priority", "1")]
        await browser.post(f"/-/records/todo/many{what}", chosen, htmx=True)
    await browser.post("/-/records/todo/empty-bin", htmx=True)
    assert (await browser.post("/-/records/todo/undo", {"operation": done}, htmx=True)).status == 422
    assert [await kept(site, theirs), await kept(site, gone)] == before
    await site.site.db.write(keyvalue.put, "user", OWNER, "profile", "other")
    assert titles(await browser.get("/todo")) == ["A secret of theirs"]


async def test_search_of_everything_finds_records_and_leads_to_their_pages(site: Application, browser: Browser) -> None:
    await added(site, "Milk", "Bread")
    answer = await browser.get("/-/search?find=milk", htmx=True)
    assert 'href="/todo/1"' in answer.text
    assert "Things to do" in answer.text
    assert "Bread" not in answer.text


async def test_link_offers_records_by_what_is_typed(site: Application, browser: Browser) -> None:
    records = site.site.records
    for name in ("Kitchen", "Cellar", "<b>"):
        await records.create(records.resources["rooms"], {"name": name}, "default", WHO)
    answer = await browser.get("/-/records/rooms/options?find=KIT")
    assert answer.body == b'[{"value":"1","label":"Kitchen"}]'
    assert (await browser.get("/-/records/nothing/options")).status == 404


# What people type is text


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_markup_in_a_record_stays_text_everywhere(site: Application, browser: Browser, payload: str) -> None:
    records = site.site.records
    await records.create(records.resources["rooms"], {"name": payload}, "default", WHO)
    answer = await browser.post(
        "/-/records/todo", [("_field", "title"), ("title", payload), ("_field", "room"), ("room", "1"),
                            ("_field", "lines"), ("lines", payload)], htmx=True,
    )  # fmt: skip
    assert answer.status == 200, answer.text
    only_text(answer)
    await browser.post("/-/records/todo/1", {"_seen": "1", "_field": "title", "title": payload + "!"}, htmx=True)
    for address in ("/todo", "/todo?bin=1", "/todo/1", "/-/records/todo/1/cells/title", "/-/records/todo/1/cells/room",
                    "/-/records/todo/1/row", "/-/records/todo/many?chosen=1", "/-/records/todo/new"):  # fmt: skip
        page = await browser.get(address)
        assert page.status == 200
        only_text(page)
    for name in ("find", "f.title.has", "f.priority.min", "sort", "done"):
        only_text(await browser.get(f"/todo?{name}={quote(payload)}"))


async def test_what_fails_at_one_cell_leaves_the_others(site: Application, browser: Browser) -> None:
    await added(site, "Milk", "fails")
    page = await browser.get("/todo")
    assert (titles(page), "MILK" in page.text) == (["Milk", "fails"], True)
    assert "RuntimeError: &lt;b&gt;cannot&lt;/b&gt;" in page.text


@pytest.mark.parametrize(
    "query",
    ["find=%00", "find=%27%3B%20DROP%20TABLE%20rec_todo--", "sort=title;--", "sort=%22", "f.title.has=%25%27",
     'f.title") OR 1=1--.has=a', "page=999999999", "f.priority.min=1)--", "done=%00", "done=nothing",
     "find=" + "a" * 5_000],
)  # fmt: skip
async def test_nothing_in_an_address_becomes_part_of_a_statement(
    site: Application, browser: Browser, query: str
) -> None:
    await added(site, "Milk")
    assert (await browser.get(f"/todo?{query}")).status == 200
    assert titles(await browser.get("/todo")) == ["Milk"]


async def test_list_is_sorted_by_a_column_that_is_worked_out(site: Application, browser: Browser) -> None:
    await added(site, "b", "C", "a")
    page = await browser.get("/todo?sort=-loud")
    assert titles(page) == ["C", "b", "a"]
    assert 'aria-sort="descending"' in page.text
    lines = (await browser.get("/-/records/todo/export.csv?sort=loud")).text.splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == ["a", "b", "C"]


# The app


async def test_app_whose_table_differs_says_so_and_the_others_work(
    site: Application, browser: Browser, tmp_path: Path
) -> None:
    await added(site, "Milk")
    path = tmp_path / "plugins" / "todo.py"
    path.write_text(TODO.replace("    lines: list[str] = []", "    more: str = ''"))
    site.site.plugins.refresh([path])
    page = await browser.get("/todo")
    assert page.status == 503
    assert "lines" in only_text(page)
    assert (await browser.get("/rooms")).status == 200
    assert (await browser.post("/-/records/todo", {"_field": "title", "title": "x"}, htmx=True)).status == 409
    path.write_text(TODO)
    site.site.plugins.refresh([path])
    assert titles(await browser.get("/todo")) == ["Milk"]
