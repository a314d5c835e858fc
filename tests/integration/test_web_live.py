"""The socket of a page: what it is told, in which order, and what it never hears."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipulate.app import Application
from pipulate.errors import StoreUnavailableError
from pipulate.events import AppsChanged, Bus, Happening, MessagesAdded
from pipulate.web import live
from tests.support.raw import WITHIN_S, Tab
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with running(tmp_path_factory.mktemp("live"), max_sockets=60) as made:
        yield made


@pytest.fixture
def browser(application: Application) -> Browser:
    return Browser(application)


async def write(browser: Browser, run: str, *notes: str) -> None:
    for note in notes:
        assert (await browser.post("/-/notes", {"text": note, "_conversation": run}, htmx=True)).status == 204


def said(tab: Tab) -> list[str]:
    return [
        item["html"].partition('dir="auto">')[2].partition("</div>")[0] for item in tab.items if item["role"] == "user"
    ]


def _has(note: str, tab: Tab) -> bool:
    return note in said(tab)


async def test_note_appears_in_every_tab_of_its_run_and_nowhere_else(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    other, _ = await browser.start("hello")
    before = re.search(r'data-last="(\d+)"', (await browser.get("/")).text)
    assert before is not None
    queries = (f"run={run}", f"run={run}&tab=b", f"run={other}", f"after={before[1]}")
    tabs = [await Tab(browser.application, query).__aenter__() for query in queries]
    await write(browser, run, "for this run")
    await write(browser, other, "for the other run")
    await write(browser, "", "for none")
    for tab, note in zip(tabs, ("for this run", "for this run", "for the other run", "for none"), strict=True):
        await tab.until(partial(_has, note))
        await tab.drop()
        assert [text for text in said(tab) if text.startswith("for ")] == [note]


async def test_messages_come_in_order_without_gaps(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}&after=1") as tab:
        await asyncio.gather(
            *(write(browser, run, f"{writer}.{number}") for writer in range(5) for number in range(20))
        )
        await tab.until_number(101)
    assert tab.numbers == list(range(2, 102))
    assert [frame["last"] for frame in tab.of("messages")] == [
        frame["items"][-1]["seq"] for frame in tab.of("messages")
    ]


async def test_page_that_was_away_gets_what_it_missed_and_nothing_twice(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    await write(browser, run, *(f"note {number}" for number in range(450)))
    async with Tab(browser.application, f"run={run}&after=101") as tab:
        await tab.until_number(451)
    assert tab.numbers == list(range(102, 452))


async def test_page_dropped_fifty_times_at_random_misses_nothing_and_gets_nothing_twice(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    chance = random.Random(7)
    got: list[int] = [1]
    writing = asyncio.create_task(write(browser, run, *(f"note {number}" for number in range(400))))
    drops = 0
    while drops < 50 or got[-1] < 401:
        wanted = min(got[-1] + chance.randrange(12), 401)
        async with Tab(browser.application, f"run={run}&after={got[-1]}") as tab:
            await tab.until_number(wanted)
        got += tab.numbers
        drops += 1
    await writing
    assert got == list(range(1, 402))


async def test_change_of_a_run_names_the_tab_that_made_it(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    other, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}&version=1&tab=tab-9") as tab:
        await browser.submit(other, "name", 1, name="Bob")
        await browser.submit(other, "language", 2, language="English")
        await browser.submit(run, "name", 1, name="Ada")
        await tab.until(lambda tab: tab.of("run"))
    assert tab.of("run") == [{"type": "run", "run": run, "version": 2, "tab": browser.tab}]


@pytest.mark.parametrize("name", ["", "<b>", "x" * 41, "a b", "\xe4"])
async def test_tab_with_a_name_that_is_none_of_ours_is_told_as_nobodys(name: str, browser: Browser) -> None:
    run, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}&version=1") as tab:
        await Browser(browser.application, name).submit(run, "name", 1, name="Ada")
        await tab.until(lambda tab: tab.of("run"))
    assert [frame["tab"] for frame in tab.of("run")] == [None]


async def test_changes_told_together_are_nobodys_own_unless_all_of_one_tab(browser: Browser) -> None:
    """A page leaves its own changes alone, as it shows them already; it must not take those of others for its own."""
    second = Browser(browser.application, "tab-2")
    for author, named in ((browser, None), (second, "tab-2")):
        run, _ = await browser.start("hello")
        async with Tab(browser.application, f"run={run}&version=1&after=1") as tab:
            tab.reads.clear()
            await write(browser, run, "so that it is busy")
            await author.submit(run, "name", 1, name="Ada")
            await second.post(f"/-/runs/{run}/steps/name/revert", {"_seen": "2"})
            tab.reads.set()
            await tab.until(lambda tab: tab.of("run"))
        assert tab.of("run") == [{"type": "run", "run": run, "version": 3, "tab": named}]


async def test_page_that_was_away_hears_of_a_newer_version(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    await browser.submit(run, "name", 1, name="Ada")
    async with Tab(browser.application, f"run={run}&version=1&tab={browser.tab}") as tab:
        await tab.until(lambda tab: tab.of("run"))
    assert tab.of("run") == [{"type": "run", "run": run, "version": 2, "tab": None}]
    async with Tab(browser.application, f"run={run}&version=2") as tab:
        await tab.until(lambda tab: tab.numbers)
    assert tab.of("run") == []


async def test_answer_does_not_wait_for_a_page_that_does_not_read(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}") as tab:
        tab.reads.clear()
        await write(browser, run, *(f"note {number}" for number in range(20)))
        assert (await browser.submit(run, "name", 1, name="Ada")).status == 200
        tab.reads.set()
        await tab.until_number(22)


async def test_page_that_stops_reading_is_dropped(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live._SEND_S <= 9
    monkeypatch.setattr(live, "_SEND_S", 0.05)
    run, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}&after=1") as tab:
        tab.reads.clear()
        await write(browser, run, "note")
        await tab.until(lambda tab: tab.ended)
    assert tab.aborted


async def test_much_at_once_is_sent_in_small_frames(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    await write(browser, run, *("<" * 20_000 for _ in range(20)))
    async with Tab(browser.application, f"run={run}&after=1") as tab:
        await tab.until_number(21)
    assert tab.numbers == list(range(2, 22))
    assert max(len(json.dumps(frame)) for frame in tab.frames) < 200_000


async def test_apps_that_changed_are_told_to_every_page(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    async with Tab(browser.application) as first, Tab(browser.application, f"run={run}") as second:
        browser.application.site.bus.publish(AppsChanged(frozenset({"b", "a"})))
        for tab in (first, second):
            await tab.until(lambda tab: tab.of("apps"))
            assert tab.of("apps") == [{"type": "apps", "modules": ["a", "b"]}]


async def test_plugin_file_that_is_saved_is_told_to_open_pages(tmp_path: Path) -> None:
    async with running(tmp_path, reload=True) as application:
        async with Tab(application) as tab:
            async with asyncio.timeout(20):
                while not tab.of("apps"):  # The watching begins a moment after the start.
                    (tmp_path / "plugins" / "fresh.py").write_text("from pipulate import Workflow\nx = Workflow('x')\n")
                    await asyncio.wait([asyncio.create_task(tab.news.wait())], timeout=0.2)
        assert {"fresh"} == {module for frame in tab.of("apps") for module in frame["modules"]}


@pytest.mark.parametrize(
    "query",
    ["after=x", "after=-1", "after=1.5", "after=", f"after={'9' * 40}", f"after={'9' * 5_000}", "version=x",
     f"version={'9' * 40}", "after=%D9%A1", "run=nothing", "run=%00", "run=../x", "run=user:owner", "run=user:other"],
    ids=lambda query: query[:20],
)  # fmt: skip
async def test_socket_with_an_address_that_makes_no_sense_is_refused(query: str, browser: Browser) -> None:
    async with Tab(browser.application, query) as tab:
        assert (tab.accepted, tab.closed) == (False, 1008)


async def test_socket_of_a_deleted_run_ends_and_does_not_come_back(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    async with Tab(browser.application, f"run={run}&after=1&version=1") as tab:
        await browser.post(f"/-/runs/{run}/delete")
        await tab.until(lambda tab: tab.ended)
        assert (tab.closed, tab.aborted) == (4004, False)
    async with Tab(browser.application, f"run={run}") as tab:
        await tab.until(lambda tab: tab.ended)
        assert (tab.frames, tab.closed) == ([], 4004)


async def test_socket_that_talks_too_much_is_closed(browser: Browser) -> None:
    async with Tab(browser.application) as tab:
        for _ in range(21):
            tab.sent.put_nowait({"type": "websocket.receive", "text": "x"})
        await tab.until(lambda tab: tab.closed)
    assert tab.closed == 1008


async def test_socket_that_talks_now_and_then_stays_open(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(step=0.1)
    monkeypatch.setattr(live, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    async with Tab(browser.application) as tab:
        for _ in range(100):
            tab.sent.put_nowait({"type": "websocket.receive", "text": "x"})
        await write(browser, "", "heard all of it")
        await tab.until(lambda tab: tab.sent.empty() and said(tab))
        assert tab.closed is None


async def test_socket_is_refused_while_the_store_does_not_answer(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await browser.start("hello")
    monkeypatch.setattr(browser.application.site.engine, "view", unavailable)
    async with Tab(browser.application, f"run={run}") as tab:
        assert (tab.accepted, tab.closed) == (False, 1013)


async def test_socket_ends_when_the_store_stops_answering(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Tab(browser.application) as tab:
        monkeypatch.setattr(browser.application.site.db, "read", unavailable)
        browser.application.site.bus.publish(MessagesAdded("user:owner", 999_999))
        await tab.until(lambda tab: tab.ended)
    assert tab.aborted


async def unavailable(*_: object, **__: object) -> None:
    raise StoreUnavailableError("The database does not answer.")


async def test_only_so_many_sockets_are_open_at_once(browser: Browser) -> None:
    tabs = [await Tab(browser.application).__aenter__() for _ in range(60)]
    async with Tab(browser.application) as tab:
        assert (tab.accepted, tab.closed) == (False, 1013)
    await tabs.pop().drop()
    async with Tab(browser.application) as tab:
        assert tab.accepted
    for tab in tabs:
        await tab.drop()


async def test_socket_that_went_away_leaves_nothing_behind(browser: Browser) -> None:
    run, _ = await browser.start("hello")
    tasks, listeners = asyncio.all_tasks(), len(browser.application.site.bus._listeners)
    for _ in range(20):
        async with Tab(browser.application, f"run={run}"):
            pass
    left = asyncio.all_tasks() - tasks  # A reading that others may share ends by itself.
    assert left == set() or (await asyncio.wait(left, timeout=WITHIN_S))[1] == set()
    assert len(browser.application.site.bus._listeners) == listeners


async def test_apps_that_a_start_loads_are_no_news_to_a_page_that_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Happening] = []
    publish = Bus.publish

    def noted(bus: Bus, happening: Happening) -> None:
        told.append(happening)
        publish(bus, happening)

    monkeypatch.setattr(Bus, "publish", noted)
    async with running(tmp_path) as application:
        await Browser(application).start("hello")
        assert not [each for each in told if isinstance(each, AppsChanged)]
