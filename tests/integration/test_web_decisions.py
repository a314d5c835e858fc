"""Deciding over the web: on both kinds of store, with forms that no page of ours sends."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.storage import calls, messages, profiles
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Transaction
from tests.contract.conftest import stores  # noqa: F401 - both kinds of store
from tests.support.ollama import Ollama, Turn
from tests.support.raw import Tab
from tests.support.site import Browser, kept_in, running
from tests.support.store import Postgres, Sqlite

pytestmark = pytest.mark.anyio

AT = "2030-01-01T00:00:00.000000Z"


@pytest.fixture(scope="module")
def ollama() -> Iterator[Ollama]:
    with Ollama() as started:
        yield started


@pytest.fixture
async def application(
    ollama: Ollama,
    stores: Sqlite | Postgres,  # noqa: F811
    tmp_path: Path,
) -> AsyncIterator[Application]:
    """The application before a model that is there."""
    async with running(tmp_path, model_server="ollama", model_url=ollama.url, **kept_in(stores)) as made:
        while made.site.models.status().condition != "up":
            await made.site.models.look()
        yield made


@pytest.fixture
def browser(application: Application) -> Browser:
    return Browser(application)


async def asked(browser: Browser, ollama: Ollama, talk: str, name: str, given: object) -> CallRow:
    """Have the model ask for something; return its call."""
    ollama.script(Turn("I would.", calls=[(name, given)]))
    assistant = browser.application.site.assistant
    answer = await browser.post("/-/notes", {"text": "Do it", "_conversation": talk}, htmx=True)
    assert answer.status == 204, answer.text
    await assistant.idle(talk)

    def newest(tx: Transaction) -> CallRow:
        ids = [each.text for each in messages.before(tx, talk) if each.role == messages.CALL]
        row = calls.find(tx, ids[-1])
        assert row is not None
        return row

    return await browser.application.site.db.read(newest)


async def test_step_is_filled_in_from_its_card_and_pages_are_told(browser: Browser, ollama: Ollama) -> None:
    run, address = await browser.start("hello")
    given = {"step": "name", "values": {"name": "Ada"}, "version": 1}
    call = await asked(browser, ollama, run, "submit_step", given)
    page = (await browser.get(address)).text
    shown = re.search(r'name="shown"[^>]*value="(\w+)"', page)
    assert shown, page
    query = f"run={run}&version=1&after=0&changes=0"
    async with Tab(browser.application, query) as tab:
        answer = await browser.post(
            f"/-/assistant/calls/{call.id}", {"decision": "allow", "shown": shown[1]}, htmx=True
        )
        assert answer.status == 204
        await tab.until(lambda tab: any('data-state="done"' in each["html"] for frame in tab.of("changed")
                                        for each in frame["items"] if "You allowed" in each["html"]))  # fmt: skip
    await browser.application.site.assistant.idle(run)
    assert "Ada" in (await browser.get(address)).text
    again = await browser.post(f"/-/assistant/calls/{call.id}", {"decision": "allow", "shown": shown[1]}, htmx=True)
    assert again.status == 409


@pytest.mark.parametrize("given", ['{"step":', {"step": 7}], ids=["no object", "breaks the rules"])
async def test_form_of_a_call_that_was_refused_is_told_that_it_waits_for_nobody(
    given: object, browser: Browser, ollama: Ollama
) -> None:
    run, _ = await browser.start("hello")
    call = await asked(browser, ollama, run, "submit_step", given)
    assert call.state == "refused"
    form = {"decision": "allow", "shown": "x", "edited": "1", "given.step": "name"}
    answer = await browser.post(f"/-/assistant/calls/{call.id}", form, htmx=True)
    assert answer.status == 409
    assert "Was not done" in answer.text


async def test_in_a_locked_profile_a_card_of_another_says_nothing(browser: Browser, ollama: Ollama) -> None:
    talk, db = messages.of_app(OWNER, "profiles"), browser.application.site.db
    call = await asked(browser, ollama, talk, "create_record", {"table": "profiles", "values": {"name": "Canary"}})
    assert call.state == "asked"
    await db.write(profiles.add, "acme", "Acme", AT)
    await db.write(profiles.choose, OWNER, "acme")
    await db.write(lambda tx: profiles.lock(tx, OWNER, is_on=True))
    for form in ({"decision": "deny"}, {"decision": "allow", "edited": "1", "given.table": "profiles"}):
        answer = await browser.post(f"/-/assistant/calls/{call.id}", {"shown": "x", **form}, htmx=True)
        assert answer.status == 404
        assert "Canary" not in answer.text


async def test_in_a_locked_profile_the_conversations_of_runs_of_another_are_not_there(browser: Browser) -> None:
    run, address = await browser.start("hello")
    await browser.post("/-/notes", {"text": "Canary", "_conversation": run}, htmx=True)
    reads = [f"/-/assistant/{each}conversation={run}" for each in
             ("messages?", "older?", "search?find=Canary&", "export.md?", "text?seq=2&")]  # fmt: skip
    writes: dict[str, dict[str, Any]] = {"/-/notes": {"text": "x"}, "/-/assistant/stop": {}, "/-/assistant/clear": {},
              "/-/assistant/unclear": {"upto": 0}, "/-/assistant/retry": {"answer": 2}}  # fmt: skip
    assert "Canary" in (await browser.get(reads[0])).text
    db = browser.application.site.db
    await db.write(profiles.add, "acme", "Acme", AT)
    await db.write(profiles.choose, OWNER, "acme")
    assert (await browser.get(reads[0])).status == 200  # Where none is locked, a run is reached whatever is chosen.
    await db.write(lambda tx: profiles.lock(tx, OWNER, is_on=True))
    for each in (address, *reads):
        answer = await browser.get(each)
        assert (each, answer.status) == (each, 404)
        assert "Canary" not in answer.text
    for each, form in writes.items():
        assert (each, (await browser.post(each, {"_conversation": run, **form}, htmx=True)).status) == (each, 404)
    async with Tab(browser.application, f"run={run}&version=1&after=0&changes=0") as tab:
        assert not any("Canary" in str(frame) for frame in tab.frames)
        assert tab.closed is not None
    await db.write(lambda tx: profiles.lock(tx, OWNER, is_on=False))
    assert "Canary" in (await browser.get(reads[0])).text
