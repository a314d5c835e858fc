"""The same form sent twice, an old page sent again, two tabs at once: one effect, never a silent overwrite."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from pipulate import Run, Workflow
from tests.support.raw import stored
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

PLUGIN = """
import asyncio
import threading

from pipulate import Workflow

app = Workflow("counts")
calls = []


@app.step("plain")
def plain(text: str) -> str:
    calls.append(text)
    threading.Event().wait(0.05)
    return text


@app.step("waiting")
async def waiting(text: str) -> str:
    calls.append(text)
    await asyncio.sleep(0.05)
    return text


@app.step("last")
def last(text: str) -> str:
    return text
"""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "counts.py").write_text(PLUGIN)
    async with running(tmp_path) as application:
        yield Browser(application)


def calls(browser: Browser) -> list[str]:
    """Return what the steps were called with."""
    plugin = browser.application.site.plugins.table.by_app["counts"]
    assert plugin.workflow is not None
    found: list[str] = plugin.workflow["plain"].function.__globals__["calls"]
    return found


async def form(browser: Browser, run: str, step: str, seen: int, submit: str, text: str) -> Answer:
    return await browser.submit(run, step, seen, submit=submit, text=text)


async def test_form_sent_ten_times_at_once_calls_its_step_once(browser: Browser) -> None:
    run, address = await browser.start("counts")
    for seen, step in ((1, "plain"), (2, "waiting")):
        submit = str(uuid4())
        sent = await asyncio.gather(*(form(browser, run, step, seen, submit, step) for _ in range(10)))
        assert {answer.status for answer in sent} == {200}
    assert calls(browser) == ["plain", "waiting"]
    assert await browser.version(address) == 3


async def test_form_sent_again_later_changes_nothing_and_shows_the_run_as_it_is(browser: Browser) -> None:
    run, _ = await browser.start("counts")
    first, second = str(uuid4()), str(uuid4())
    await form(browser, run, "plain", 1, first, "one")
    await form(browser, run, "waiting", 2, second, "two")
    before = await stored(browser.application)
    answer = await form(browser, run, "plain", 1, first, "one")
    assert (answer.status, answer.headers["x-pipulate-version"]) == (200, "3")
    assert await stored(browser.application) == before
    assert calls(browser) == ["one", "two"]


async def test_old_page_sent_with_another_answer_overwrites_nothing(browser: Browser) -> None:
    run, _ = await browser.start("counts")
    submit = str(uuid4())
    await form(browser, run, "plain", 1, submit, "alpha")
    before = await stored(browser.application)
    for again in (submit, str(uuid4())):
        answer = await form(browser, run, "plain", 1, again, "77777")
        assert answer.status == 409
        assert "<mark>alpha</mark>" in answer.text
        assert "<mark>77777</mark>" in answer.text
    assert await stored(browser.application) == before
    assert calls(browser) == ["alpha"]


async def test_answer_to_a_run_that_was_locked_meanwhile_can_go_on_in_a_copy_alone(browser: Browser) -> None:
    run, _ = await browser.start("counts")
    await browser.post(f"/-/runs/{run}/lock")
    before = await stored(browser.application)
    answer = await form(browser, run, "plain", 1, str(uuid4()), "77777")
    assert answer.status == 409
    assert "77777" in answer.text
    assert "Continue in a copy" in answer.text
    assert "Keep mine" not in answer.text
    assert await stored(browser.application) == before


async def test_two_tabs_that_answer_at_once_never_overwrite_each_other(browser: Browser) -> None:
    tabs = [Browser(browser.application, f"tab-{number}") for number in range(6)]
    run, address = await browser.start("counts")
    sent = await asyncio.gather(*(form(tab, run, "plain", 1, str(uuid4()), tab.tab) for tab in tabs))
    won = [tab.tab for tab, answer in zip(tabs, sent, strict=True) if answer.status == 200]
    assert len(won) == 1
    assert sorted(answer.status for answer in sent) == [200, 409, 409, 409, 409, 409]
    assert await browser.version(address) == 2
    assert won[0] in (await browser.get(address)).text


async def test_tabs_on_two_runs_do_not_meet(browser: Browser) -> None:
    runs = [await browser.start("counts") for _ in range(6)]
    sent = await asyncio.gather(*(form(browser, run, "plain", 1, str(uuid4()), address) for run, address in runs))
    assert {answer.status for answer in sent} == {200}
    for _, address in runs:
        assert address in (await browser.get(address)).text


async def test_key_that_several_start_at_once_is_one_run(browser: Browser) -> None:
    sent = await asyncio.gather(*(browser.post("/counts", {"key": "same", "offered": ""}) for _ in range(10)))
    assert {(answer.status, answer.headers["location"]) for answer in sent} == {(303, "/counts/same")}
    assert len({answer.headers["x-pipulate-run"] for answer in sent}) == 1


async def test_offered_key_that_several_take_at_once_gives_each_a_run(browser: Browser) -> None:
    sent = await asyncio.gather(*(browser.post("/counts", {"key": "01", "offered": "01"}) for _ in range(10)))
    assert len({answer.headers["location"] for answer in sent}) == 10


async def test_page_without_script_waits_for_a_step_that_needs_nobody(tmp_path: Path) -> None:
    """With the script it is shown as working, and told when it is done."""
    go = threading.Event()
    app = Workflow("slow")

    @app.step("name")
    def name(name: str) -> str:
        return name

    @app.step("slowly")
    def slowly(run: Run) -> str:
        go.wait(20)
        return f"{run['name']} at last"

    async with running(tmp_path) as application:
        assert app.prepare() == []
        application.site.plugins.add(app, "slow")
        browser = Browser(application)
        run, address = await browser.start("slow")
        sending = asyncio.create_task(browser.post(f"/-/runs/{run}/steps/name", {"_seen": 1, "name": "Ada"}))
        done, _ = await asyncio.wait({sending}, timeout=0.3)
        assert done == set()
        assert "Working" in (await browser.get(address)).text
        go.set()
        assert (await sending).status == 303
        assert "Ada at last" in (await browser.get(address)).text
