"""The apps in the box at work: customers kept apart, what was done told to who did it, and found again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipulate.app import IN_BOX
from pipulate.storage import messages, profiles
from pipulate.storage.messages import Message
from tests.support.raw import Tab
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

APPS = ("hello.py", "hello_workflow.py", "profiles.py", "tasks.py", "notes.py", "roles.py")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The apps in the box that this is about."""
    folder = tmp_path_factory.mktemp("box")
    for name in APPS:
        (folder / name).write_bytes((IN_BOX / name).read_bytes())
    return folder


@pytest.fixture
async def browser(tmp_path: Path, box: Path) -> AsyncIterator[Browser]:
    """A browser with two more customers, Acme and Zebra; the default profile is chosen."""
    async with running(tmp_path, in_box=box) as application:
        browser = Browser(application)
        for name in ("Acme", "Zebra"):
            await add(browser, "profiles", name=name)
        yield browser


async def add(browser: Browser, resource: str, **values: str) -> None:
    """Add a record as its page does."""
    form = [*(("_field", name) for name in values), *values.items()]
    answer = await browser.post(f"/-/records/{resource}", form)
    assert answer.status == 303, answer.text


async def choose(browser: Browser, name: str) -> int:
    """Choose a profile in the menu; return the status."""
    listed = await browser.application.site.db.read(profiles.names)
    ident = next(ident for ident, each in listed.items() if each == name)
    return (await browser.post("/-/profile", {"profile": ident})).status


async def work(browser: Browser, name: str) -> str:
    """Do something for a customer; return the id of the run."""
    await choose(browser, name)
    await add(browser, "tasks", title=f"Task of {name}")
    run, _ = await browser.start("hello", f"Run of {name}")
    return run


async def told(browser: Browser) -> list[Message]:
    """Return the messages of the person beside the tasks."""
    return await browser.application.site.db.read(messages.before, messages.of_app("owner", "tasks"))


async def test_the_apps_in_the_box_load_and_show_their_lists(browser: Browser) -> None:
    for each in ("profiles", "tasks", "notes", "roles"):
        page = await browser.get(f"/{each}")
        assert (page.status, "<h1" in page.text) == (200, True)
    assert "ident" not in (await browser.get("/profiles")).text
    assert (await browser.get("/-/profiles")).headers["location"] == "/profiles"


def work_area(page: str) -> str:
    """Return what is between the menus and the messages of a page; a part of a page is all that."""
    return page.partition("<main")[2].partition("</main")[0] or page


LISTS = ("/", "/tasks", "/hello", "/-/search?find=of", "/-/history", "/-/bin")


async def test_choosing_a_profile_filters_every_list_and_is_remembered(browser: Browser) -> None:
    for name in ("Acme", "Zebra"):
        await work(browser, name)
        deleted = await browser.start("hello", f"Gone of {name}")
        await browser.post(f"/-/runs/{deleted[0]}/delete")
    for name, other in (("Acme", "Zebra"), ("Zebra", "Acme")):
        await choose(browser, name)
        for path in LISTS:
            page = work_area((await browser.get(path)).text)
            assert f"of {name}" in page, path
            assert f"of {other}" not in page, path


async def test_a_locked_profile_hides_the_others_from_every_page(browser: Browser) -> None:
    hidden = await work(browser, "Acme")
    own = await work(browser, "Zebra")
    await browser.post("/-/profile/lock")
    paths = (
        *LISTS, "/-/history?profile=all", "/-/jobs?profile=all", "/-/schedules", "/notes", "/-/search?find=prof",
        "/-/search?find=acme", "/refresh-profile-menu", f"/-/runs/{own}", "/hello/x", "/nothing", "/tasks/1",
    )  # fmt: skip
    for path in paths:
        page = (await browser.get(path)).text
        shown = re.sub(r'value="acme"|“acme”', "", page)  # What was searched for.
        assert "acme" not in shown.lower(), path
        assert "Default Profile" not in page, path
        assert "/profiles" not in page, path
    for path in (
        f"/-/runs/{hidden}",
        f"/-/runs/{hidden}/history",
        f"/-/runs/{hidden}/export",
        "/hello/Run%20of%20Acme",
    ):
        answer = await browser.get(path)
        assert (answer.status, "Profile" in answer.text) == (404, False), path
    for path in ("/profiles", "/-/records/profiles/new", "/-/records/profiles/2"):
        answer = await browser.get(path)
        assert (answer.status, "Acme" in answer.text) == (409, False), path


async def test_a_page_of_another_profile_hears_nothing_while_one_is_locked(browser: Browser) -> None:
    hidden = await work(browser, "Acme")
    own = await work(browser, "Zebra")
    await browser.post("/-/profile/lock")
    async with Tab(browser.application, f"run={hidden}") as tab:
        await tab.until(lambda tab: tab.ended)
        assert (tab.frames, tab.closed) == ([], 4004)
    async with Tab(browser.application, f"run={own}") as tab:
        await browser.post("/-/notes", {"text": "heard", "_conversation": own})
        await tab.until(lambda tab: tab.of("messages"))


async def test_a_locked_profile_is_not_left_and_a_lock_ends_with_unlocking(browser: Browser) -> None:
    await choose(browser, "Zebra")
    await browser.post("/-/profile/lock")
    assert await choose(browser, "Acme") == 409
    ident = next(iter(await browser.application.site.db.read(profiles.names)))
    assert (await browser.post("/select_profile", {"profile_id": ident})).status == 409
    assert "Unlock profile" in (await browser.get("/")).text
    await browser.post("/-/profile/unlock")
    assert await choose(browser, "Acme") == 303
    assert "Zebra" in (await browser.get("/")).text


async def test_a_profile_out_of_use_is_in_no_menu_and_cannot_be_chosen(browser: Browser) -> None:
    await work(browser, "Acme")
    await browser.post("/-/records/profiles/2/toggle?field=active&to=off")
    assert "Default Profile</span></summary>" in (await browser.get("/")).text
    assert await choose(browser, "Acme") == 404
    answer = await browser.post("/-/records/profiles/2/delete")
    assert answer.status == 422
    assert "runs 1, tasks 1" in answer.text


# Messages


async def test_what_is_done_to_a_record_is_told_to_who_did_it_with_the_way_to_it(browser: Browser) -> None:
    await add(browser, "tasks", title="Call Ann")
    await browser.post("/-/records/tasks/1/toggle?field=done&to=on")
    last = (await told(browser))[-2:]
    assert [(each.role, each.done and each.done.kind, each.actor) for each in last] == [
        ("record", "create", "owner"), ("record", "change", "owner"),
    ]  # fmt: skip
    assert last[0].done is not None
    assert (last[0].done.facts["record"], last[0].done.facts["label"]) == (1, "Call Ann")
    page = (await browser.get("/tasks")).text
    assert '<a href="/tasks/1"><span class="quote"' in page
    assert (await browser.get("/tasks/1")).status == 200


async def test_nobody_is_told_what_another_person_does(browser: Browser) -> None:
    await add(browser, "tasks", title="Call Ann")
    told_to = await browser.application.site.db.read(
        lambda tx: tx.all("SELECT DISTINCT conversation FROM messages WHERE role = 'record' ORDER BY conversation")
    )
    assert told_to == [("user:owner/profiles",), ("user:owner/tasks",)]


async def test_who_wants_no_such_lines_gets_none_and_history_has_them_all_the_same(browser: Browser) -> None:
    before = len(await told(browser))
    await browser.post("/-/look", {"record_messages": "hidden"})
    await add(browser, "tasks", title="Call Ann")
    assert len(await told(browser)) == before
    assert "Call Ann" in (await browser.get("/-/history")).text
    await browser.post("/-/look", {"record_messages": "shown"})
    await add(browser, "tasks", title="Call Ben")
    assert len(await told(browser)) == before + 1


async def test_many_records_deleted_at_once_and_taken_back_are_one_line_each(browser: Browser) -> None:
    for title in "ABC":
        await add(browser, "tasks", title=title)
    before = len(await told(browser))
    form = [("chosen", str(number)) for number in (1, 2, 3)]
    assert (await browser.post("/-/records/tasks/many/delete", form)).status == 303
    lines = (await told(browser))[before:]
    assert [(each.done.kind, each.done.records) for each in lines if each.done] == [("delete", 3)]
    assert lines[0].done is not None
    await browser.post("/-/records/tasks/undo", {"operation": lines[0].done.id})
    lines = (await told(browser))[before:]
    assert [(each.done.kind, each.done.records) for each in lines if each.done] == [("delete", 3), ("undo", 3)]
    assert "put 3 records into the bin of Tasks" in re.sub("<[^>]+>", "", (await browser.get("/tasks")).text)


# History


async def test_history_has_messages_runs_and_records_and_each_leads_to_its_place(browser: Browser) -> None:
    await work(browser, "Acme")
    await browser.post("/-/notes", {"text": "Größe is called"})
    page = (await browser.get("/-/history")).text
    for address in ("/hello/Run%20of%20Acme", "/tasks/1"):
        assert f'href="{address}"' in page, address
    assert "Größe is called" in page
    for kind, words in (("message", "Größe"), ("records", "Task of Acme"), ("run", "Run of Acme")):
        only = (await browser.get(f"/-/history?kind={kind}")).text
        only = work_area(only)
        assert [each for each in ("Größe", "Task of Acme", "Run of Acme") if each in only] == [words]


@pytest.mark.parametrize(
    ("words", "found"), [("GROSSE", "Größe is called"), ("ask acme", "Task of Acme"), ("run ACM", "Run of Acme")]
)
async def test_history_is_searched_whatever_the_case(words: str, found: str, browser: Browser) -> None:
    await work(browser, "Acme")
    await browser.post("/-/notes", {"text": "Größe is called"})
    page = (await browser.get("/-/history?find=" + words.replace(" ", "+"))).text.partition("<main")[2]
    every = ("Größe is called", "Task of Acme", "Run of Acme")
    assert [each for each in every if each in page.partition("</main")[0]] == [found]


@pytest.mark.parametrize("asked", ["kind=x", "before=x", "before=x~message~y", "before=x~records", "before=~run~\x00"])
async def test_an_address_of_history_that_nobody_made_is_no_failure(asked: str, browser: Browser) -> None:
    assert (await browser.get(f"/-/history?{asked}")).status in (200, 400)
