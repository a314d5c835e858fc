"""Class-style apps over tables, over HTTP: their addresses, answers and errors, and which apps the menu shows."""

from __future__ import annotations

import html
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from pipulate.app import Application
from pipulate.crud import roles
from pipulate.events import RecordsChanged
from pipulate.security.capability import OWNER
from pipulate.storage import profiles
from pipulate.storage.records import catalog, operations
from pipulate.storage.records.check import check_records
from tests.support.crudstyle import ASKS, CUSTOMERS, NOTES, ROLES, TASKS, Page
from tests.support.explicit import Desk, explicit
from tests.support.site import Answer, Browser

pytestmark = pytest.mark.anyio


@pytest.fixture
async def application(tmp_path: Path) -> AsyncIterator[Application]:
    async with explicit(tmp_path, tasks=TASKS, notes=NOTES, customers=CUSTOMERS) as made:
        yield made
        assert await made.site.db.read(lambda tx: list(check_records(tx))) == []


@pytest.fixture
def tasks(application: Application) -> Page:
    return Page(application, "tasks", "tasks")


def problem(answer: Answer) -> tuple[int, str]:
    """Return status and sentence of an error, which the script of the page is told too."""
    says = html.unescape(answer.text)
    assert unquote(answer.headers["x-pipulate-notice"]) == says
    return answer.status, says


async def test_row_is_added_changed_toggled_and_deleted(tasks: Page) -> None:
    added = await tasks.post(task_text="<b>Buy</b> milk")
    assert added.status == 200
    assert re.match(r'<li[^>]* data-id="1"[^>]* id="tasks-1"', added.text)
    assert "<span>&lt;b&gt;Buy&lt;/b&gt; milk</span>" in added.text
    assert "checked" not in added.text
    toggled = await tasks.post("/toggle/1")
    assert (toggled.status, 'class="done"' in toggled.text, "checked" in toggled.text) == (200, True, True)
    changed = await tasks.post("/1", tasks_text="Buy tea", done="true")
    assert "<span>Buy tea</span>" in changed.text
    await tasks.post(task_text="second")
    assert await tasks.listed() == [1, 2]
    gone = await tasks.delete(1)
    assert (gone.status, gone.text) == (200, "")
    assert await tasks.listed() == [2]


async def test_oldest_form_works_with_its_own_store_and_table(application: Application) -> None:
    notes = Page(application, "note", "notes")
    assert (await notes.post(title="a")).text == ""
    assert (await notes.post(title="a", content="b")).text.startswith('<li data-id="1"')
    assert 'class="done"' in (await notes.post("/toggle/1")).text
    assert "a: c" in (await notes.post("/1", title="a", content="c")).text
    assert await notes.listed() == [1]


async def test_form_that_gives_nothing_is_answered_with_nothing(tasks: Page) -> None:
    await tasks.post(task_text="a")
    for answer in (await tasks.post(task_text="  "), await tasks.post("/1", tasks_text="")):
        assert (answer.status, answer.text) == (200, "")
    assert await tasks.listed() == [1]


async def test_page_of_an_app_keeps_its_frame_though_its_forms_go_to_its_address(tasks: Page) -> None:
    page = await tasks.browser.get("/tasks")
    assert "<title>Tasks" in page.text
    assert (await tasks.browser.post("/tasks", {"task_text": "without script"})).status == 200
    assert await tasks.listed() == [1]


async def test_rows_are_put_in_another_order_at_once_or_not_at_all(tasks: Page, application: Application) -> None:
    for text in "abc":
        await tasks.post(task_text=text)
    answer = await tasks.sort({3: 0, 1: 1, 2: 2})
    assert (answer.status, answer.text) == (200, "")
    assert json.loads(answer.headers["hx-trigger"]) == {"refreshProfileMenu": {}}
    assert await tasks.listed() == [3, 1, 2]
    assert (await tasks.sort({1: 0, 9: 1})).status == 404
    assert await tasks.listed() == [3, 1, 2]
    shape = await application.site.db.read(catalog.stored, "plugin_tasks")
    assert shape is not None
    latest = (await application.site.db.read(operations.latest, shape))[0]
    assert (latest.kind, latest.records, latest.actor, latest.tab) == ("change", 3, OWNER, "tab-1")


@pytest.mark.parametrize(
    "sent",
    ["", "{", "7", '{"id": 1}', "[1]", '[{"id": 1}]', '[{"id": "x", "priority": 0}]', '[{"id": 1, "priority": null}]',
     '[{"id": true, "priority": 0}]', '[{"id": 1, "priority": "0; drop"}]', "[" * 100_000],
)  # fmt: skip
async def test_order_that_cannot_be_read_changes_nothing(tasks: Page, sent: str) -> None:
    await tasks.post(task_text="a")
    if sent == "":
        assert (await tasks.sort(sent)).status in (200, 400)
    else:
        status, says = problem(await tasks.sort(sent))
        assert (status, "nothing was changed" in says) == (400, True)
    assert await tasks.listed() == [1]


@pytest.mark.parametrize("item", [99, 0, -1, 2**80])
async def test_row_that_is_not_there_is_404_with_words(tasks: Page, item: int) -> None:
    await tasks.post(task_text="a")
    answers = [
        await tasks.post(f"/{item}", tasks_text="x"),
        await tasks.post(f"/toggle/{item}"),
        await tasks.delete(item),
    ]
    for answer in answers:
        status, says = problem(answer)
        assert (status, "not there any more" in says) == (404, True)
    assert await tasks.listed() == [1]


@pytest.mark.parametrize("item", ["x", "1;drop", "1%20or%201=1", "1.5", "%27"])
async def test_number_that_is_none_is_400(tasks: Page, item: str) -> None:
    await tasks.post(task_text="a")
    for answer in (
        await tasks.post(f"/{item}", tasks_text="x"),
        await tasks.post(f"/toggle/{item}"),
        await tasks.delete(item),
    ):
        assert answer.status == 400
    assert await tasks.listed() == [1]


async def test_value_that_no_column_holds_is_400_with_its_reason(application: Application) -> None:
    customers = Page(application, "customer", "customers")
    await customers.post(profile_name="Acme")
    for name, value, says in (
        ("priority", "high", "priority holds whole numbers; 'high' is none."),
        ("bogus", "1", "has no column 'bogus'"),
        ("name = 'x' --", "1", "has no column"),
    ):
        status, reason = problem(await customers.post("/1", **{name: value}))
        assert (status, says in reason) == (400, True), reason
    assert (await customers.post("/1", _deleted_at="1", _version="9")).status == 200
    assert await customers.listed() == [1]


@pytest.mark.parametrize(
    "query",
    [
        "where=1=1 union select key, value from kv", "where=id in (select 1)", "where=name = 'x'; drop table x",
        "order=(select 1)", "order=case when 1 then name end", "order=name; drop", "where=_profile is null",
    ],
)  # fmt: skip
async def test_what_a_plugin_lets_its_user_ask_never_becomes_a_statement(application: Application, query: str) -> None:
    customers = Page(application, "customer", "customers")
    await customers.post(profile_name="Acme")
    name, _, text = query.partition("=")
    answer = await customers.browser.get(f"/customers_page/find?{name}={quote(text)}", htmx=True)
    assert answer.status == 500
    assert "Acme" not in answer.text
    fine = await customers.browser.get(f"/customers_page/find?where={quote('name is not null')}&order=name", htmx=True)
    assert fine.text == "<ul><li>Acme</li></ul>"


async def test_rows_of_another_profile_are_not_there_where_the_app_says_so(application: Application) -> None:
    customers = Page(application, "customer", "customers")
    await customers.post(profile_name="Acme")
    await customers.browser.post("/-/records/profiles", {"_field": "name", "name": "Big Client"})
    other = next(each for each in await application.site.db.read(profiles.listed) if each.name == "Big Client")
    await customers.browser.post("/select_profile", {"profile_id": other.id})
    assert await customers.listed() == []
    for answer in (await customers.post("/1", name="x"), await customers.post("/toggle/1"), await customers.delete(1)):
        assert problem(answer)[0] == 404
    assert (await customers.sort({1: 5})).status == 404
    assert 'data-id="2"' in (await customers.post(profile_name="Bolt", profile_id="1")).text
    assert await customers.listed() == [2]
    await customers.browser.post("/select_profile", {"profile_id": profiles.DEFAULT_ID})
    assert await customers.listed() == [1]


async def test_profile_of_a_row_is_the_one_that_was_chosen(tasks: Page, application: Application) -> None:
    await tasks.post(task_text="default")
    await tasks.browser.post("/-/records/profiles", {"_field": "name", "name": "Big Client"})
    other = next(each for each in await application.site.db.read(profiles.listed) if each.name == "Big Client")
    await tasks.browser.post("/select_profile", {"profile_id": other.id})
    await tasks.post(task_text="big")
    assert await tasks.listed() == [2]
    for number, shown in (("1", [1]), ("2", [2])):  # The number that plugins know a profile by, as their pages send it.
        assert (await tasks.browser.post("/select_profile", {"profile_id": number})).status == 303
        assert await tasks.listed() == shown
    for wrong in ("3", "0", "x", "9" * 30):
        assert (await tasks.browser.post("/select_profile", {"profile_id": wrong})).status == 404


async def test_what_is_done_is_said_to_who_did_it_and_told_to_open_pages(tasks: Page, application: Application) -> None:
    told: list[Any] = []
    application.site.bus.subscribe(told.append)
    await tasks.post(task_text="milk")
    await tasks.post("/toggle/1")
    await tasks.delete(1)
    await tasks.delete(1)
    explicit_host = application.site.explicit
    assert explicit_host is not None
    assert explicit_host.host().wait_written(5)
    assert await Desk(application).said(app="tasks") == [
        "Added to tasks: 'milk'", "Switched done on in tasks: 'milk'", "Deleted from tasks: 'milk'"
    ]  # fmt: skip
    await tasks.browser.post("/-/look", {"record_messages": "hidden"})
    await tasks.post(task_text="quiet")
    assert explicit_host.host().wait_written(5)
    assert len(await Desk(application).said(app="tasks")) == 3
    await tasks.browser.get("/tasks")  # What was told from the thread of plugins has come by then.
    changes = [each for each in told if isinstance(each, RecordsChanged)]
    assert changes == [RecordsChanged("plugin_tasks", version, "tab-1") for version in (1, 2, 3, 4)]


async def test_tables_outlive_the_program_and_the_plugin(tmp_path: Path) -> None:
    async with explicit(tmp_path, tasks=TASKS) as application:
        await Page(application, "tasks", "tasks").post(task_text="kept")
    (tmp_path / "plugins" / "tasks.py").unlink()
    async with explicit(tmp_path, notes=NOTES) as application:
        assert (await Browser(application).get("/tasks")).status == 404
    async with explicit(tmp_path, tasks=TASKS) as application:
        assert await Page(application, "tasks", "tasks").listed() == [1]


async def test_names_of_the_old_host_lead_to_the_same_tables(tmp_path: Path) -> None:
    async with explicit(tmp_path, asks=ASKS) as application:
        plugin: Any = application.site.plugins.table.by_module["asks"].app
        assert len(plugin.instance.same) == 1
        columns = ["id", "text", "done", "priority", "profile_id"]
        assert plugin.instance.tables == ["tasks", 0, columns, "pipeline", 0]
        assert "<p>1 Default Profile = 1 Default Profile of 1</p>" in (await Browser(application).get("/asks")).text


# Roles

SHOWN = """
ROLES = {roles!r}

class {name}:
    APP_NAME = {name!r}

    async def landing(self, request):
        return "here"
"""


def app_of(name: str, *names: str) -> str:
    """Return an app that is made for some roles."""
    return SHOWN.format(name=name, roles=list(names))


async def menu(application: Application) -> list[str]:
    """Return the apps of the menu among those of these tests."""
    text = (await Browser(application).get("/refresh-app-menu")).text
    return [each for each in re.findall(r'href="/(\w+)"', text) if each.startswith("app_")]


APPS: dict[str, Any] = {
    "app_core": app_of("Core1", "Core", "Tutorial"), "app_none": app_of("None1"),
    "app_tutorial": app_of("Tutorial1", "Tutorial", "Developer"), "app_staff": app_of("Staff1", "Botify Employee"),
    "app_wrong": app_of("Wrong1").replace("[]", "'Tutorial'"),
}  # fmt: skip


async def test_menu_shows_the_apps_of_roles_that_are_on_and_those_without(tmp_path: Path) -> None:
    async with explicit(tmp_path, roles=ROLES, **APPS) as application:
        page = Page(application, "roles", "roles")
        assert await menu(application) == ["app_core", "app_none", "app_staff", "app_wrong"]
        assert (await page.browser.get("/app_tutorial")).status == 200
        known = re.findall(r"<li[^>]*>([\w ]+)</li>", (await page.browser.get("/roles")).text)
        assert [each for each in known if each in ("Core", "Botify Employee", "Developer", "Tutorial")] == [
            "Botify Employee", "Core", "Developer", "Tutorial"
        ]  # fmt: skip
        tutorial = 4
        answer = await page.post(f"/toggle/{tutorial}")
        assert json.loads(answer.headers["hx-trigger"]) == {"refreshAppMenu": {}}
        assert await menu(application) == ["app_core", "app_none", "app_staff", "app_tutorial", "app_wrong"]
        await page.post("/toggle/1")
        await page.post("/toggle/2")
        assert await menu(application) == ["app_core", "app_none", "app_tutorial", "app_wrong"]


async def test_first_page_and_search_show_what_the_menu_shows(tmp_path: Path) -> None:
    async with explicit(tmp_path, **APPS) as application:
        browser = Browser(application)
        for address in ("/", "/-/search?find=app"):
            text = (await browser.get(address)).text
            assert 'href="/app_core"' in text
            assert 'href="/app_tutorial"' not in text


async def test_role_that_was_deleted_is_not_added_again(tmp_path: Path) -> None:
    async with explicit(tmp_path, roles=ROLES, **APPS) as application:
        page = Page(application, "roles", "roles")
        await page.delete(3)
        assert (await page.post("/4", text="Tutorial")).status == 200
        assert problem(await page.post(role_text="Core"))[0] == 409
        assert (await page.sort({4: 0, 1: 1, 2: 2})).status == 200
        assert await page.listed() == [4, 1, 2]
    async with explicit(tmp_path, roles=ROLES, **APPS) as application:
        assert await Page(application, "roles", "roles").listed() == [4, 1, 2]


async def test_nothing_is_stored_where_apps_name_no_role_but_core(tmp_path: Path) -> None:
    async with explicit(tmp_path, app_core=app_of("Core1", "Core")) as application:
        assert await application.site.db.read(catalog.stored, roles.NAME) is None
        assert await menu(application) == ["app_core"]
