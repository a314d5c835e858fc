"""What class-style plugins say: in order, without anybody waiting for it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from tests.support.explicit import BENCH, SHAPES, Desk, explicit
from tests.support.site import Browser

pytestmark = pytest.mark.anyio

WITHIN_S = 20


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("messages"), bench=BENCH, shapes=SHAPES) as made:
        yield made


@pytest.fixture
def desk(application: Application) -> Desk:
    return Desk(application)


async def stored(desk: Desk, key: str = "") -> list[str]:
    """Return what was said once all of it is stored."""
    host = desk.application.site.explicit.host()  # type: ignore[union-attr]
    assert host.wait_written(WITHIN_S)
    return await desk.said(key, "bench" if key else "shapes")


# Every shape of what plugins call


async def say_all(plugin: Any, _: Any) -> Any:
    pip, queue = plugin.pip, plugin.pip.message_queue
    assert queue is pip.get_message_queue()
    returned = [
        await queue.add(pip, "one", verbatim=True),
        await queue.add(pip, "two", verbatim=True, spaces_before=0),
        await queue.add(pip, "three"),
        await queue.add(pip, "four", verbatim=True, role="system", spaces_before=1, spaces_after=2),
        await queue.add(pip, "five http://a.test", verbatim=True, role="assistant"),
        await queue.add(pip, "six", True, "user"),
        await pip.stream("seven", verbatim=True, spaces_after=1),
        await pip.stream("eight", True, "assistant", 0, 2, False),
    ]
    queue.mark_step_started(1)
    queue.mark_step_complete(1)
    return returned


SAID = ["one", "two", "three", "four", "five http://a.test", "six", "seven", "eight"]


async def test_every_call_shape_says_its_text_once_and_in_order(desk: Desk) -> None:
    await desk.begin("shapes")
    assert await desk.returned(say_all, "shapes") == SAID
    assert await stored(desk, "shapes") == SAID


async def test_history_for_a_model_holds_what_was_said_and_what_was_only_remembered(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        pip.append_to_history("remembered")
        pip.append_to_history("DEBUG: State = {}", role="system")
        pip.append_to_history("quietly", "user", quiet=False)
        await pip.log_api_call_details(
            pipeline_id="p", step_id="s", call_description="Ask", method="GET", url="http://a.test",
            headers={"Authorization": "secret"}, payload={"q": "secret"}, response_status=200,
            response_preview="secret",
            curl_command="curl secret", python_command="secret", estimated_rows=1, actual_rows=1, file_path="f",
            file_size="1", notes="n",
        )  # fmt: skip
        await pip.log_api_call_details(http_method="POST", url="http://b.test", response_data="secret")
        return list(pip._speaker.history)[-5:]

    found = await desk.returned(job)
    assert [(each["role"], each["content"]) for each in found] == [
        ("system", "remembered"),
        ("system", "DEBUG: State = {}"),
        ("user", "quietly"),
        ("system", "Ask: http://a.test 200"),
        ("system", "A call to another service: http://b.test"),
    ]


# Nobody waits


async def test_no_answer_waits_for_a_store_that_is_busy(application: Application, desk: Desk) -> None:
    gate, holds = threading.Event(), threading.Event()

    was_let_go: list[bool] = []

    def busy(_: Any) -> None:
        holds.set()
        was_let_go.append(gate.wait(WITHIN_S))

    browser = Browser(application)
    before = len(await stored(desk))
    writer = threading.Thread(target=application.site.db.write_now, args=(busy,))
    writer.start()
    try:
        assert holds.wait(WITHIN_S)
        first = await browser.get("/shapes/says?count=3", htmx=True)
        second = await browser.get("/shapes/element?q=after", htmx=True)
        third = await browser.get("/shapes/says?count=2", htmx=True)
        assert was_let_go == [], "an answer waited for as long as anybody would"
    finally:
        gate.set()
        writer.join()
    assert [first.status, second.status, third.status] == [200, 200, 200]
    assert (await stored(desk))[before:] == ["word 0", "word 1", "word 2", "word 0", "word 1"]


async def test_what_is_said_after_the_answer_is_stored_too(application: Application, desk: Desk) -> None:
    before = len(await stored(desk))
    assert (await Browser(application).get("/shapes/background", htmx=True)).status == 200
    assert (await Browser(application).get("/shapes/nothing", htmx=True)).status == 200  # The loop has gone round.
    assert (await stored(desk))[before:] == ["from a task"]


async def test_words_that_cannot_be_stored_keep_no_others_from_it(application: Application, desk: Desk) -> None:
    before = len(await stored(desk))

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.message_queue.add(plugin.pip, "half a sign: \ud800", verbatim=True)

    await desk.do(job)
    await Browser(application).get("/shapes/says", htmx=True)
    assert (await stored(desk))[before:][-1] == "word 0"
