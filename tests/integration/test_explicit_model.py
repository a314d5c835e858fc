"""What class-style plugins say to the language model, and what it is told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.security.capability import OWNER
from pipulate.storage import messages
from pipulate.storage.messages import Message
from tests.support.explicit import BENCH, Desk, explicit
from tests.support.ollama import Ollama, Turn

pytestmark = pytest.mark.anyio

WITHIN_S = 20
TRAINED = BENCH.replace("APP_NAME = ", 'TRAINING_PROMPT = "Herbs grow in pots."; APP_NAME = ', 1)
BESIDE = messages.of_app(OWNER, "bench")


@pytest.fixture
def ollama() -> Any:
    with Ollama() as made:
        yield made


@pytest.fixture
async def application(tmp_path: Any, ollama: Ollama) -> AsyncIterator[Application]:
    settings = {"model_server": "ollama", "model_url": ollama.url}
    async with explicit(tmp_path, settings=settings, bench=TRAINED) as made:
        await made.site.models.look()
        yield made


@pytest.fixture
def desk(application: Application) -> Desk:
    return Desk(application)


async def log(desk: Desk, conversation: str = BESIDE) -> list[Message]:
    """Return a conversation once all that was said is stored and answered."""
    site = desk.application.site
    assert site.explicit is not None
    assert site.explicit.host().wait_written(WITHIN_S)
    await desk.do(nothing)  # The loop has heard of it by then.
    await site.assistant.idle(conversation)
    return await site.db.read(messages.after, conversation, 0)


async def nothing(_: Any, __: Any) -> None:
    """Do nothing."""


def asked(ollama: Ollama, number: int = -1) -> str:
    """Return all that the model was given for an answer."""
    return "\n".join(str(each["content"]) for each in ollama.requests[number]["messages"])


async def test_what_is_not_said_verbatim_is_answered_in_the_conversation_of_the_run(desk: Desk, ollama: Ollama) -> None:
    await desk.begin("talk")
    ollama.script(Turn("In pots."))

    async def job(plugin: Any, _: Any) -> Any:
        returned = await plugin.pip.message_queue.add(plugin.pip, "Where do herbs grow?")
        await plugin.pip.message_queue.add(plugin.pip, "said after it", verbatim=True)
        return returned

    assert await desk.returned(job, "talk") == "Where do herbs grow?"
    row = await desk.row("talk")
    told = [(each.role, each.text.strip(), each.state) for each in await log(desk, row.id) if each.event is None]
    assert told == [
        ("user", "Where do herbs grow?", "done"),
        ("system", "said after it", None),
        ("answer", "In pots.", "done"),
    ]


@pytest.mark.parametrize("name", ["stream", "chatq", "stream_chat"])
async def test_other_ways_to_ask_are_answered_too(desk: Desk, ollama: Ollama, name: str) -> None:
    ollama.script(Turn("Yes."))

    async def job(plugin: Any, _: Any) -> Any:
        import server  # type: ignore[import-not-found]

        ask = plugin.pip.stream if name == "stream" else getattr(server, name)
        return await ask("Do you hear me?")

    returned = await desk.returned(job)
    assert returned == ("Do you hear me?" if name == "stream" else None)
    assert [(each.role, each.text.strip()) for each in (await log(desk))[-2:]] == [
        ("user", "Do you hear me?"), ("answer", "Yes."),
    ]  # fmt: skip


async def test_what_is_verbatim_or_said_by_others_is_no_question(desk: Desk, ollama: Ollama) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        queue = plugin.pip.message_queue
        await queue.add(plugin.pip, "one", verbatim=True)
        await queue.add(plugin.pip, "two", role="system")
        await queue.add(plugin.pip, "three", role="assistant")
        await plugin.pip.stream("four", verbatim=True)
        await plugin.pip.stream("five", role="system")

    await desk.returned(job)
    assert [each.text for each in await log(desk)][-5:] == ["one", "two", "three", "four", "five"]
    assert ollama.requests == []


async def test_nothing_is_asked_without_a_model_and_what_was_said_is_kept(desk: Desk, ollama: Ollama) -> None:
    ollama.models.clear()
    await desk.application.site.models.look()

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.message_queue.add(plugin.pip, "Is anybody there?")

    await desk.returned(job)
    last = (await log(desk))[-1]
    assert (last.role, last.text, last.state) == ("system", "Is anybody there?", None)
    assert ollama.requests == []


async def test_the_model_is_given_the_training_text_and_what_it_was_told_and_no_page_shows_that(
    desk: Desk, ollama: Ollama
) -> None:
    await desk.begin("talk")
    ollama.script(Turn("Yes."))

    async def job(plugin: Any, _: Any) -> Any:
        plugin.pip.append_to_history("The <b>soil</b> is dry.")
        plugin.pip.append_to_history("The soil is wet.", "user", quiet=False)
        await plugin.pip.message_queue.add(plugin.pip, "Shall I water?")

    await desk.returned(job, "talk")
    row = await desk.row("talk")
    shown = [each.text for each in await log(desk, row.id)]
    given = asked(ollama)
    assert "Herbs grow in pots." in given
    assert "The <b>soil</b> is dry.\nThe soil is wet." in given
    assert "The <b>soil</b> is dry." not in shown
    found = await desk.application.site.assistant.conversations.search(row.id, OWNER, "soil")
    assert found == []


async def test_words_for_how_far_a_run_is_reach_the_model(desk: Desk, ollama: Ollama) -> None:
    await desk.begin("talk")
    ollama.script(Turn("Yes."))

    async def job(plugin: Any, _: Any) -> Any:
        words = await plugin.pip.get_state_message("talk", [], {"new": "Nothing is planted yet."})
        await plugin.pip.message_queue.add(plugin.pip, "How far am I?")
        return words

    assert await desk.returned(job, "talk") == "Nothing is planted yet."
    await log(desk, (await desk.row("talk")).id)
    assert "Nothing is planted yet." in asked(ollama)


async def test_a_request_asks_no_more_than_a_few_questions(desk: Desk, ollama: Ollama) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        for number in range(20):
            await plugin.pip.message_queue.add(plugin.pip, f"question {number}")

    await desk.returned(job)
    found = await log(desk)
    assert [each.text for each in found if each.role != "answer"][-20:] == [f"question {each}" for each in range(20)]
    assert len(ollama.requests) == 5


async def test_plugins_can_tell_whether_there_is_a_model(desk: Desk, ollama: Ollama) -> None:
    async def job(_: Any, __: Any) -> Any:
        from imports.crud import check_ollama_availability  # type: ignore[import-not-found]

        return check_ollama_availability()

    assert await desk.returned(job) is True
    ollama.models.clear()
    await desk.application.site.models.look()
    assert await desk.returned(job) is False


async def test_a_training_text_that_is_too_long_is_found_and_the_plugin_works(tmp_path: Any) -> None:
    long = BENCH.replace("APP_NAME = ", 'TRAINING_PROMPT = "herbs " * 3_000; APP_NAME = ', 1)
    async with explicit(tmp_path, bench=long) as application:
        (finding,) = application.site.plugins.table.by_module["bench"].findings
        assert finding.code == "W038"
        assert finding.file.endswith("bench.py")
