"""Hello Workflow, the class-style app in the box: the whole way through it, as its page sends it."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.explicit import Desk, Tab
from tests.support.site import Answer, running

pytestmark = pytest.mark.anyio

KEY = "Default_Profile-Hello_Workflow-ada"
PAGE = f"/hello_workflow/{KEY}"
ASKS_NAME, ASKS_GREETING = 'hx-post="/hello/step_01_submit"', 'hx-post="/hello/step_02_submit"'
OFFERS_LOCK, OFFERS_UNLOCK = 'hx-post="/hello/finalize"', 'hx-post="/hello/unfinalize"'
OFFERS = (ASKS_NAME, ASKS_GREETING, OFFERS_LOCK, OFFERS_UNLOCK)


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """A tab at the page of the app, in an empty store."""
    async with running(tmp_path) as application:
        yield Tab(application, "hello")


@pytest.fixture
async def begun(tab: Tab) -> Tab:
    """The same with a run that has no answers yet."""
    await tab.post("init", pipeline_id="ada")
    return tab


@pytest.fixture
async def done(begun: Tab) -> Tab:
    """The same with both steps done."""
    await begun.post("step_01_submit", name="Ada")
    await begun.post("step_02_submit", greeting="Good day, Ada!")
    return begun


@pytest.fixture
async def locked(done: Tab) -> Tab:
    """The same with the run locked."""
    await done.post("finalize")
    return done


async def desk_state(tab: Tab) -> dict[str, Any]:
    """Return the values in the journal's sum, by step."""
    desk = Desk(tab.browser.application)
    row = await desk.row(KEY, "hello")
    return {event.step: event.data for event in await desk.journal(KEY, "hello") if event.step} | {"v": row.version}


async def said(tab: Tab) -> list[str]:
    """Return what the app said in the conversation of the run, once all of it is stored."""
    explicit = tab.browser.application.site.explicit
    assert explicit is not None
    assert await asyncio.to_thread(explicit.host().wait_written, 10)
    return await Desk(tab.browser.application).said(KEY, "hello")


def offered(answer: Answer) -> list[str]:
    """Return the forms of the app that an answer shows."""
    return [each for each in OFFERS if each in answer.text]


async def shown(tab: Tab) -> list[str]:
    """Return the forms of the app on the page of the run, loaded anew."""
    return offered(await tab.browser.get(PAGE))


def typed_in(answer: Answer, field: str) -> str:
    """Return what stands in a field of an answer."""
    (tag,) = re.findall(rf'<input[^>]*\bname="{field}"[^>]*>', answer.text)
    found = re.search(r'\bvalue="([^"]*)"', tag)
    return html.unescape(found[1]) if found else ""


# The way through


async def test_page_offers_the_next_free_key_and_those_there_are(tab: Tab) -> None:
    assert typed_in(await tab.browser.get("/hello_workflow"), "pipeline_id").endswith("Hello_Workflow-01")
    await tab.post("init", pipeline_id=KEY.replace("ada", "01"))
    page = await tab.browser.get("/hello_workflow")
    assert typed_in(page, "pipeline_id").endswith("Hello_Workflow-02")
    assert '<option value="Default_Profile-Hello_Workflow-01">' in page.text


async def test_empty_key_loads_the_page_anew_and_begins_nothing(tab: Tab) -> None:
    for typed in ("", "  \t"):
        answer = await tab.post("init", pipeline_id=typed)
        assert (answer.status, answer.text, answer.headers["hx-refresh"]) == (200, "", "true")
    assert (await tab.post("init")).headers["hx-refresh"] == "true"
    assert typed_in(await tab.browser.get("/hello_workflow"), "pipeline_id").endswith("-01")


@pytest.mark.parametrize("typed", ["ada", KEY, "  ada "])
async def test_run_begins_with_its_first_question_whether_the_key_has_its_prefix_or_not(tab: Tab, typed: str) -> None:
    answer = await tab.post("init", pipeline_id=typed)
    assert answer.headers["hx-push-url"] == PAGE
    assert offered(answer) == [ASKS_NAME]
    assert await shown(tab) == [ASKS_NAME]


async def test_name_leads_to_a_greeting_made_of_it(begun: Tab) -> None:
    answer = await begun.post("step_01_submit", name="  Ada ")
    assert "Your name: Ada" in answer.text
    assert typed_in(answer, "greeting") == "Hello Ada!"


async def test_greeting_leads_to_the_lock(done: Tab) -> None:
    assert offered(await done.get("finalize")) == [OFFERS_LOCK]


async def test_locked_run_shows_its_values_and_nothing_to_change(locked: Tab) -> None:
    page = await locked.browser.get(PAGE)
    assert "🔒 Your name: Ada" in page.text
    assert "🔒 Greeting: Good day, Ada!" in page.text
    assert offered(page) == [OFFERS_UNLOCK]
    assert "button-revert" not in page.text


async def test_unlocking_opens_it_again_with_all_it_had(locked: Tab) -> None:
    answer = await locked.post("unfinalize")
    assert offered(answer) == [OFFERS_LOCK]
    assert "Greeting: Good day, Ada!" in answer.text
    assert answer.text.count("button-revert") == 2
    assert await shown(locked) == [OFFERS_LOCK]


async def test_conversation_tells_the_way_in_order(locked: Tab) -> None:
    await locked.post("unfinalize")
    await locked.post("revert", step_id="step_02")
    assert await said(locked) == [
        f"Workflow ID: {KEY}",
        "Choose this key on the page to return to the run.",
        "Begin with your name.",
        "The name is Ada.",
        "The greeting is: Good day, Ada!",
        "Both steps are done. You can finalize now.",
        "Locked. 🔓 Unlock makes it possible to change it again.",
        "Unlocked. You can go back to each step and change it.",
        "The greeting is: Good day, Ada!",
    ]


async def test_returning_to_a_run_opens_it_where_it_is_and_says_how_far(done: Tab) -> None:
    answer = await done.post("init", pipeline_id="ada")
    assert offered(answer) == [OFFERS_LOCK]
    assert (await said(done))[-1] == "Both steps are done. You can finalize now."
    await done.post("finalize")
    assert offered(await done.post("init", pipeline_id=KEY)) == [OFFERS_UNLOCK]
    assert (await said(done))[-1].startswith("Locked.")


async def test_page_loaded_anew_is_where_the_run_is_at_each_step(begun: Tab) -> None:
    way = [await shown(begun)]
    for path, form in (
        ("step_01_submit", {"name": "Ada"}),
        ("step_02_submit", {"greeting": "Hi"}),
        ("finalize", {}),
        ("unfinalize", {}),
        ("revert", {"step_id": "step_01"}),
    ):
        await begun.post(path, **form)
        way.append(await shown(begun))
    assert way == [[ASKS_NAME], [ASKS_GREETING], [OFFERS_LOCK], [OFFERS_UNLOCK], [OFFERS_LOCK], [ASKS_NAME]]


# Going back


async def test_going_back_to_the_name_keeps_it_in_its_field_and_forgets_the_greeting(done: Tab) -> None:
    answer = await done.post("revert", step_id="step_01")
    assert offered(answer) == [ASKS_NAME]
    assert typed_in(answer, "name") == "Ada"
    await done.post("step_01_submit", name="Grace")
    assert typed_in(await done.get("step_02"), "greeting") == "Hello Grace!"


async def test_going_back_to_the_greeting_keeps_the_name(done: Tab) -> None:
    answer = await done.post("revert", step_id="step_02")
    assert offered(answer) == [ASKS_GREETING]
    assert "Your name: Ada" in answer.text
    assert typed_in(answer, "greeting") == "Good day, Ada!"
    await done.post("step_02_submit", greeting="Hi")
    assert "Greeting: Hi" in (await done.browser.get(PAGE)).text


# What is refused


@pytest.mark.parametrize("typed", ["", "   ", "\u00a0\t"])
async def test_empty_answer_says_so_above_the_form_and_stores_nothing(begun: Tab, typed: str) -> None:
    answer = await begun.post("step_01_submit", name=typed)
    assert "Your name cannot be empty" in answer.text
    assert offered(answer) == [ASKS_NAME]
    await begun.post("step_01_submit", name="Ada")
    before = await desk_state(begun)
    answer = await begun.post("step_02_submit", greeting=typed)
    assert "Greeting cannot be empty" in answer.text
    assert offered(answer) == [ASKS_GREETING]
    assert await desk_state(begun) == before


async def test_what_is_typed_is_shown_as_text_wherever_it_stands(begun: Tab) -> None:
    name = '<b onclick="f()">{0} & "Ada"</b>'
    answer = await begun.post("step_01_submit", name=name)
    assert "<b onclick" not in answer.text
    assert typed_in(await begun.get("step_02"), "greeting") == f"Hello {name}!"
    await begun.post("step_02_submit", greeting=name)
    await begun.post("finalize")
    page = await begun.browser.get(PAGE)
    assert "<b onclick" not in page.text
    assert f"🔒 Greeting: {name}" in html.unescape(page.text)
    assert f"The name is {name}." in await said(begun)


@pytest.mark.parametrize("step", [None, "", "step_99", "finalize", "<b>", "step_01\0"])
async def test_going_back_to_no_step_says_so_and_changes_nothing(done: Tab, step: str | None) -> None:
    before, words = await desk_state(done), await said(done)
    answer = await done.post("revert", **({} if step is None else {"step_id": step}))
    assert offered(answer) == [OFFERS_LOCK]
    assert await desk_state(done) == before
    assert await said(done) == [*words, "There is no such step to go back to."]


@pytest.mark.parametrize("answered", [0, 1])
async def test_unfinished_run_cannot_be_locked(begun: Tab, answered: int) -> None:
    if answered:
        await begun.post("step_01_submit", name="Ada")
    before = await desk_state(begun)
    answer = await begun.post("finalize")
    assert offered(answer) == [(ASKS_NAME, ASKS_GREETING)[answered]]
    assert await desk_state(begun) == before
    assert (await said(begun))[-1] == "Not every step is done yet."


async def test_locked_run_refuses_every_change(locked: Tab) -> None:
    before = await desk_state(locked)
    for path, form in (
        ("step_01_submit", {"name": "Eve"}),
        ("step_02_submit", {"greeting": "Eve"}),
        ("revert", {"step_id": "step_01"}),
    ):
        answer = await locked.post(path, **form)
        assert answer.status == 409
        assert "This run is locked, so nothing was saved." in answer.text
    assert await desk_state(locked) == before


async def test_locking_and_unlocking_twice_is_once(locked: Tab) -> None:
    before = await desk_state(locked)
    assert offered(await locked.post("finalize")) == [OFFERS_UNLOCK]
    assert await desk_state(locked) == before
    await locked.post("unfinalize")
    before = await desk_state(locked)
    assert offered(await locked.post("unfinalize")) == [OFFERS_LOCK]
    assert await desk_state(locked) == before


@pytest.mark.parametrize("typed", ["a/../b", "x" * 300, "two\nlines", "<script>"])
async def test_key_that_breaks_the_rules_or_is_hard_to_write_is_no_error_of_ours(tab: Tab, typed: str) -> None:
    answer = await tab.post("init", pipeline_id=typed)
    assert answer.status == 200
    assert "<script>" not in answer.text
    assert ("x-pipulate-run" in answer.headers) == (ASKS_NAME in answer.text)


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "step_01_submit"), ("POST", "finalize"), ("POST", "revert"), ("POST", "unfinalize")]
)
async def test_without_a_run_nothing_is_written(tab: Tab, method: str, path: str) -> None:
    answer = await tab.browser.send(
        method, f"/hello/{path}", b"name=Ada&step_id=step_01", htmx=True, headers={"x-pipulate-run": None}
    )
    assert answer.status in (200, 404)
    assert "x-pipulate-run" not in answer.headers
