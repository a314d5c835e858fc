"""Bad days of a server of language models, over both protocols: a clear error in time, and nothing left open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from pipulate.errors import (
    ModelCutError,
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelStalledError,
    ModelTooLongError,
    ModelUnreachableError,
)
from pipulate.llm.models import Limits, Models
from pipulate.llm.port import Ended, Text
from tests.support.flows import until
from tests.support.models import ASK, KINDS, models, parts, text
from tests.support.ollama import STATUSES, Fault, Ollama, Turn

pytestmark = pytest.mark.anyio

QUICK = Limits(look_s=20, between_s=0.5)
IN_TIME_S = 1.0

FAULTS: dict[Fault, type[ModelError] | None] = {
    "silent": ModelStalledError, "stall": ModelStalledError, "blank": ModelStalledError,
    "close": ModelCutError, "cut": ModelCutError, "reset": ModelCutError,
    "bad_json": ModelNonsenseError, "no_object": ModelNonsenseError, "utf8": ModelNonsenseError,
    "packed": ModelNonsenseError, "long_line": ModelNonsenseError, "endless": ModelNonsenseError,
    "thinking": ModelNonsenseError, "error": ModelRefusedError, "too_long_inside": ModelTooLongError,
    "after_done": None,
}  # fmt: skip
FROM_THE_START: dict[str, type[ModelError]] = {
    "missing": ModelMissingError, "key": ModelRefusedError, "busy": ModelRefusedError, "full": ModelRefusedError,
    "loading": ModelLoadingError, "html": ModelUnreachableError, "too_long": ModelTooLongError,
    "no_tools": ModelRefusedError, "wrong": ModelRefusedError,
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Ollama]:
    with Ollama() as running:
        yield running


@pytest.fixture(params=KINDS)
async def asked(request: pytest.FixtureRequest, server: Ollama) -> AsyncIterator[Models]:
    """Models that have answered once, so that all is imported and a first word comes at once."""
    made = models(request.param, server, limits=QUICK)
    while made.status().condition in ("looking", "loading"):
        await made.look()
    found, error = await parts(made.stream(ASK))
    assert (text(found), error) == ("hi there ", None)
    await server.until(lambda each: each.open == 0)
    server.aborted = server.ended = 0
    made._settings = made._settings.model_copy(update={"model_wait_s": 1.0})
    yield made
    await made.close()
    await server.until(lambda each: each.open == each.connections == 0)
    await until(lambda: [each for each in asyncio.all_tasks() if "TestRunner" not in repr(each)] == [])


@pytest.mark.parametrize("fault", FAULTS)
async def test_fault_in_an_answer_is_told_and_what_came_before_stands(
    fault: Fault, server: Ollama, asked: Models
) -> None:
    server.script(Turn("one two three", fault=fault))
    found, error = await parts(asked.stream(ASK))
    expected = FAULTS[fault]
    assert type(error) is (expected or type(None))
    assert found[:1] == ([Text("one ")] if fault not in ("silent", "packed") else [])
    if expected is None:
        assert [type(each) for each in found] == [Text, Ended]
    await server.until(lambda each: each.open == 0)


@pytest.mark.parametrize("status", FROM_THE_START)
async def test_error_instead_of_an_answer_is_told_in_plain_words(status: str, server: Ollama, asked: Models) -> None:
    server.script(Turn(status=status))
    found, error = await parts(asked.stream(ASK))
    assert found == []
    assert type(error) is FROM_THE_START[status]
    assert not {"<", "SECRET", "\x07"} & set(str(error).split())
    assert "<" not in str(error)
    assert len(str(error)) < 300


async def test_server_that_sends_elsewhere_is_not_followed(server: Ollama, asked: Models) -> None:
    with Ollama() as other:
        server.moved_to = other.url
        server.script(Turn(status="moved"))
        found, error = await parts(asked.stream(ASK))
        assert found == []
        assert isinstance(error, ModelError)
        assert other.accepted == 0


@pytest.mark.parametrize("fault", ["silent", "stall", "endless", "blank", "thinking"])
async def test_stopping_is_heard_by_the_server_within_a_second(fault: Fault, server: Ollama, asked: Models) -> None:
    asked._limits = Limits()
    asked._settings = asked._settings.model_copy(update={"model_wait_s": 60.0})
    server.script(Turn("one two three", fault=fault))
    asking = asyncio.create_task(parts(asked.stream(ASK)))
    await server.until(lambda each: each.open == 1)
    asking.cancel()
    async with asyncio.timeout(IN_TIME_S):
        await asyncio.wait({asking})
        await server.until(lambda each: (each.open, each.aborted) == (0, 1))


async def test_closing_in_the_middle_is_heard_by_the_server_within_a_second(server: Ollama, asked: Models) -> None:
    server.script(Turn("one two three four", holds_at=2))
    answer = asked.stream(ASK)
    assert [await anext(answer), await anext(answer)] == [Text("one "), Text("two ")]
    async with asyncio.timeout(IN_TIME_S):
        await answer.aclose()
        await server.until(lambda each: (each.open, each.aborted) == (0, 1))


async def test_line_of_a_hundred_million_bytes_is_not_read_to_its_end(server: Ollama, asked: Models) -> None:
    server.script(Turn("one two", fault="long_line"))
    await parts(asked.stream(ASK))
    await server.until(lambda each: (each.open, each.aborted, each.ended) == (0, 1, 0))


async def test_after_every_fault_the_next_answer_is_whole(server: Ollama, asked: Models) -> None:
    short, patient = asked._settings, asked._settings.model_copy(update={"model_wait_s": 60.0})
    for fault in FAULTS:
        server.script(Turn("one two three", fault=fault), Turn("all is well"))
        asked._settings, asked._limits = short, QUICK
        await parts(asked.stream(ASK))
        asked._settings, asked._limits = patient, Limits()
        found, error = await parts(asked.stream(ASK))
        assert (text(found), error) == ("all is well ", None), fault


async def test_fifty_questions_at_once_are_answered_each_whole(server: Ollama, asked: Models) -> None:
    asked._settings = asked._settings.model_copy(update={"model_wait_s": 60.0})
    asked._limits = Limits()
    wanted = [f"question {number} of many" for number in range(50)]
    asks = [replace(ASK, messages=[replace(ASK.messages[-1], text=each)]) for each in wanted]
    answers = await asyncio.gather(*(parts(asked.stream(each)) for each in asks))
    assert [text(found).strip() for found, _ in answers] == wanted


async def test_server_that_dies_in_the_middle_and_comes_back_is_down_and_up_again(
    server: Ollama, asked: Models
) -> None:
    server.script(Turn("one two three", holds_at=1))
    asked._limits = Limits(look_s=20)
    answer = asked.stream(ASK)
    assert await anext(answer) == Text("one ")
    server.stop()
    with pytest.raises(ModelCutError):
        await anext(answer)
    found, error = await parts(asked.stream(ASK))
    assert (found, type(error)) == ([], ModelUnreachableError)
    assert asked.status().condition == "down"
    with Ollama(port=server.port) as again:
        await asked.look()
        assert asked.status().condition == "up"
        assert (await parts(asked.stream(ASK)))[1] is None
        await again.until(lambda each: each.ended == 1)


@pytest.mark.parametrize("looks", ["silent", *(each for each in STATUSES if each not in ("moved", "loading"))])
async def test_list_that_cannot_be_had_is_down_with_words_and_soon(looks: str, server: Ollama, asked: Models) -> None:
    asked._limits = Limits()
    server.looks = looks
    async with asyncio.timeout(5):
        await asked.look()
        await asked.look()
    status = asked.status()
    assert status.condition == "down"
    assert "<" not in status.words
    server.looks = ""
    async with asyncio.timeout(20):  # One look may be late on a busy machine.
        while asked.status().condition != "up":
            await asked.look()


async def test_list_of_a_server_that_loads_is_loading(server: Ollama, asked: Models) -> None:
    server.looks = "loading"
    await asked.look()
    assert asked.status().condition == "loading"
