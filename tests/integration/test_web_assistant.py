"""An answer on its way to pages: exactly what is in the store, whatever the network does, and little of it."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.events import MessageChanged
from pipulate.security.capability import OWNER
from pipulate.storage import messages
from pipulate.ui.assistant.prose import prose
from pipulate.web.feed import Feed, Place
from tests.contract.conftest import stores  # noqa: F401 - both kinds of store
from tests.support.ollama import Ollama, Turn
from tests.support.raw import Tab
from tests.support.site import Browser, kept_in, running
from tests.support.store import Postgres, Sqlite

pytestmark = pytest.mark.anyio

AT = "2026-11-20T11:00:00.000000Z"
WORDS = "Ein 🙂 Satz mit 👩‍👩‍👧 und “Zeichen” aus مرحبا vielen Schriften"
PARAGRAPHS = "\n\n".join(f"## Part {number}\n\n{WORDS} *number* {number}.\n\n- a\n- b\n" for number in range(12))


@pytest.fixture(scope="module")
async def ollama() -> AsyncIterator[Ollama]:
    with Ollama() as started:
        yield started


@pytest.fixture(scope="module")
async def application(
    ollama: Ollama,
    stores: Sqlite | Postgres,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("assistant")
    async with running(folder, model_server="ollama", model_url=ollama.url, max_sockets=60, **kept_in(stores)) as made:
        async with asyncio.timeout(20):
            while made.site.models.status().condition != "up":
                await made.site.models.look()
        yield made


@pytest.fixture
def browser(application: Application) -> Browser:
    return Browser(application)


class Page:
    """What a page makes of the frames it gets, as our script does; it lives on when its socket does not."""

    def __init__(self, run: str) -> None:
        self.run, self.last, self.changes = run, 1, 0
        self.blocks, self.tail, self.thinking = "", "", ""
        self.seq, self.chunks, self.thoughts = 0, 0, 0
        self.state, self.final, self.frames = "", "", 0

    @property
    def query(self) -> str:
        """What the address of its socket says."""
        grown = f"&grown={self.seq}.{self.chunks}.{self.thoughts}" if self.state == "open" else ""
        return f"run={self.run}&version=1&after={self.last}&changes={self.changes}{grown}"

    def take(self, frame: dict[str, Any]) -> None:
        """Take in a frame."""
        if frame["type"] == "messages":
            for each in frame["items"]:
                self._shown(each)
            self.last = frame["last"]
        elif frame["type"] == "changed":
            self.changes = frame["change"]
            for each in frame["items"]:
                self._shown(each)
        elif frame["type"] == "grows":
            assert (frame["seq"], frame["from"]) == (self.seq, self.chunks)
            self.frames += 1
            self.blocks += frame.get("blocks", "")
            self.tail = frame["text"] if "blocks" in frame else self.tail + frame["text"]
            self.thinking += frame.get("thinking", "")
            self.chunks, self.thoughts = frame["to"], frame.get("thoughts", self.thoughts)

    def _shown(self, item: dict[str, Any]) -> None:
        if 'class="answer"' not in item["html"]:
            return
        state = re.search(r'data-state="(\w+)"', item["html"])
        assert state is not None
        self.state, self.final = state[1], item["html"]
        if item["seq"] != self.seq:
            self.seq, self.chunks, self.thoughts, self.blocks, self.tail = item["seq"], 0, 0, "", ""


async def ask(browser: Browser, run: str, text: str = "Say it") -> None:
    assert (await browser.post("/-/notes", {"text": text, "_conversation": run}, htmx=True)).status == 204


async def follow(browser: Browser, page: Page, until: int) -> None:
    """Let a page read some frames, or to the end of the answer."""
    async with Tab(browser.application, page.query) as tab:
        taken = 0
        while page.state in ("", "open") and taken < until:
            await tab.until(lambda tab: len(tab.frames) > taken)  # noqa: B023 - asked at once
            page.take(tab.frames[taken])
            taken += 1


async def stored(browser: Browser, run: str) -> str:
    def read(tx: Any) -> str:
        return messages.before(tx, run, limit=1)[0].text

    return await browser.application.site.db.read(read)


@pytest.mark.parametrize("text", [WORDS * 20, PARAGRAPHS], ids=["one line", "many blocks"])
@pytest.mark.parametrize("seed", range(3))
async def test_page_that_is_dropped_again_and_again_shows_what_is_stored(
    browser: Browser, ollama: Ollama, text: str, seed: int
) -> None:
    run, _ = await browser.start("hello")
    chance, page = random.Random(seed), Page(run)
    ollama.script(Turn(text, thinking="Let me 🙂 think of it", pace_s=0.004))
    await ask(browser, run)
    drops = 0
    while page.state != "done":
        await follow(browser, page, chance.randrange(1, 6))
        drops += 1
    assert drops > 5
    written = await stored(browser, run)
    assert page.frames > 5
    shown = page.blocks + (prose(page.tail) if page.tail.strip() else "")
    whole = prose(written).replace("\n", "")
    assert whole.startswith(shown.replace("\n", "")[: len(page.blocks.replace("\n", ""))])
    if "\n" not in text:
        assert page.blocks == ""
        assert written.startswith(page.tail)
    assert page.thinking == "Let me 🙂 think of it "
    assert whole in page.final.replace("\n", "")


async def test_page_that_reads_all_has_every_piece_before_the_end(browser: Browser, ollama: Ollama) -> None:
    run, _ = await browser.start("hello")
    page = Page(run)
    ollama.script(Turn(WORDS * 10, holds_at=60))
    await ask(browser, run)
    async with Tab(browser.application, page.query) as tab:
        await tab.until(lambda tab: sum(len(each["text"].split()) for each in tab.of("grows")) >= 60)
        for frame in tab.frames:
            page.take(frame)
        growing = browser.application.site.assistant.growing(run)
        assert growing is not None
        assert page.tail == growing.text
        ollama.go()
        await tab.until(lambda tab: any('data-state="done"' in json.dumps(each["items"]).replace("\\", "")
                                        for each in tab.of("changed")))  # fmt: skip


async def test_page_that_is_opened_in_the_middle_has_the_text_so_far(browser: Browser, ollama: Ollama) -> None:
    run, address = await browser.start("hello")
    ollama.script(Turn("**Whole** block.\n\nThe rest goes on", holds_at=4))
    await ask(browser, run)
    async with Tab(browser.application, Page(run).query) as tab:
        await tab.until(lambda tab: any("The" in each["text"] for each in tab.of("grows")))
    html = (await browser.get(address)).text
    assert "<strong>Whole</strong> block." in html
    assert re.search(r'data-grown="\d+\.0"', html)
    ollama.go()


async def test_slow_reader_does_not_hold_up_another(browser: Browser, ollama: Ollama) -> None:
    run, _ = await browser.start("hello")
    page = Page(run)
    ollama.script(Turn(PARAGRAPHS))
    async with Tab(browser.application, page.query) as slow:
        slow.reads.clear()
        await ask(browser, run)
        await follow(browser, page, 10_000)
        slow.reads.set()
    assert page.state == "done"


def ends(frame: dict[str, Any], paragraphs: int) -> bool:
    return any(item["html"].count("ordinary") == paragraphs for item in frame["items"])


async def test_answer_of_two_thousand_words_costs_few_bytes(browser: Browser, ollama: Ollama) -> None:
    run, _ = await browser.start("hello")
    page = Page(run)
    paragraph = "Here are some ordinary words of an answer that goes on for a while and says this and that about it."
    ollama.script(Turn("\n\n".join([paragraph] * 100), pace_s=0.002))
    await ask(browser, run)
    async with Tab(browser.application, page.query) as tab:
        began = asyncio.get_running_loop().time()
        await tab.until(lambda tab: any(ends(each, 100) for each in tab.of("changed")))
        took = asyncio.get_running_loop().time() - began
        sent = sum(len(json.dumps(frame, ensure_ascii=False).encode()) for frame in tab.frames)
    assert len((await stored(browser, run)).split()) >= 2_000
    assert sent <= 100_000, sent
    assert len(tab.of("grows")) < 10 + took / 0.035  # What comes in quick succession is sent together.


@pytest.mark.parametrize(
    "query",
    ["grown=x", "grown=1.2", "grown=1.2.-3", "changes=x", "talk=user:mallory", "talk=" + "x" * 300, "talk=user:"],
)
async def test_socket_that_our_script_did_not_open_is_refused(query: str, browser: Browser) -> None:
    async with Tab(browser.application, query) as tab:
        assert tab.closed == 1008
        assert not tab.accepted


async def test_conversations_of_others_are_not_there(browser: Browser) -> None:
    db = browser.application.site.db
    for conversation in ("user:mallory", "user:mallory/hello"):
        await db.write(messages.add, conversation, AT, "mallory", "answer", "x", state="done")
    for path in ("messages", "older", "search?find=x", "export.md", "text?seq=1"):
        address = f"/-/assistant/{path}{'&' if '?' in path else '?'}conversation="
        for conversation in ("user:mallory", "user:mallory/hello", "0" * 32):
            assert (await browser.get(address + conversation)).status == 404
    for action in ("stop", "clear", "unclear", "retry"):
        form = {"_conversation": "user:mallory", "answer": "1", "upto": "0"}
        assert (await browser.post(f"/-/assistant/{action}", form)).status == 404


async def test_export_and_copied_text_are_never_a_page(browser: Browser, ollama: Ollama) -> None:
    run, _ = await browser.start("hello")
    ollama.script(Turn("<script>alert(1)</script>"))
    await ask(browser, run)
    page = Page(run)
    await follow(browser, page, 10_000)
    exported = await browser.get(f"/-/assistant/export.md?conversation={run}")
    copied = await browser.get(f"/-/assistant/text?conversation={run}&seq={page.seq}")
    assert exported.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in exported.headers["content-security-policy"]
    assert copied.headers["content-type"] == "text/plain; charset=utf-8"
    for answer in (exported, copied):
        assert "<script>alert(1)</script>" in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_change_that_is_made_while_a_page_reads_the_changes_reaches_it(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await browser.start("hello")
    site, read = browser.application.site, Feed.changed
    data = {"question": 1, "model": "tiny:4b"}
    seq = await site.db.write(messages.add, run, AT, OWNER, messages.ANSWER, "x", state=messages.OPEN, data=data)

    async def meanwhile(feed: Feed, place: Place, change: int, last: int) -> Any:
        found = await read(feed, place, change, last)
        monkeypatch.undo()
        changed = await site.db.write(messages.change, run, seq, state=messages.DONE, data=data)
        site.bus.publish(MessageChanged(run, changed))
        return found

    monkeypatch.setattr(Feed, "changed", meanwhile)
    async with Tab(browser.application, f"run={run}&version=1&after={seq}&changes=0") as tab:
        await tab.until(lambda tab: tab.of("changed"), within_s=5)
    assert 'data-state="done"' in tab.of("changed")[0]["items"][0]["html"]


async def test_page_hears_that_all_was_cleared_though_something_changed_after_it(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await browser.start("hello")
    site = browser.application.site
    numbers = [
        await site.db.write(
            messages.add, run, AT, OWNER, messages.ANSWER, "x", state=messages.OPEN, data={"question": 1}
        )
        for _ in range(2)
    ]
    async with Tab(browser.application, f"run={run}&version=1&after={numbers[1]}&changes=0") as tab:
        await tab.until(lambda tab: tab.of("model"))
        await site.db.write(messages.clear, run, numbers[0])
        changed = await site.db.write(messages.change, run, numbers[1], state=messages.DONE)
        site.bus.publish(MessageChanged(run, changed))
        await tab.until(lambda tab: tab.of("cleared"), within_s=5)
    assert tab.of("cleared")[0] == {"type": "cleared", "change": changed, "upto": numbers[0]}
