"""The condition of the model, the choice for each person, and the limits of an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from pipulate.errors import (
    ModelCutError,
    ModelError,
    ModelLoadingError,
    ModelMissingError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelStalledError,
    ModelUnreachableError,
)
from pipulate.llm import words
from pipulate.llm.models import Limits, Models, until_next_look
from pipulate.llm.port import Ask, Call, Called, Ended, Known, Part, Said, Text, Thinking
from pipulate.settings import Settings
from tests.support.models import parts
from tests.unit.llm.fakes import ASK, QUICK, Server, models

pytestmark = pytest.mark.anyio

Q = Known("q", size_bytes=2_000_000_000, context=8_192, has_tools=True, is_loaded=True)
BIG = replace(Q, name="big", size_bytes=9_000_000_000, context=262_144, is_loaded=False)
FAR = replace(Q, name="far:120b-cloud", size_bytes=400, is_remote=True, is_loaded=False)
END = Ended("stop", 3, 2)
ELSEWHERE: dict[str, Any] = {"model_server": "openai", "model_url": "https://api.example.com/v1"}


# How it stands with it


async def test_switched_off_it_is_off_and_asks_nobody() -> None:
    made = models(None, model_server="off")
    await made.look()
    assert (made.status().condition, made.status().words) == ("off", words.OFF)
    assert isinstance((await parts(made.stream(ASK)))[1], ModelMissingError)
    await made.run()
    await made.close()


async def test_status_before_the_first_look_is_looking_and_asks_nobody() -> None:
    server = Server([Q])
    assert models(server).status().condition == "looking"
    assert server.looks == 0


async def test_server_that_answers_is_up_with_its_model() -> None:
    made = models(Server([Q]))
    await made.look()
    status = made.status()
    assert (status.condition, status.model, status.context, status.has_tools, status.leaves) == (
        "up", "q", 8_192, True, False,
    )  # fmt: skip
    assert list(status.known) == [Q]


@pytest.mark.parametrize(
    ("error", "condition"),
    [(ModelUnreachableError("No."), "down"), (ModelRefusedError("No key."), "down"),
     (ModelLoadingError("Soon."), "loading"), (ModelNonsenseError("What?"), "down")],
)  # fmt: skip
async def test_look_that_fails_says_why(error: ModelError, condition: str) -> None:
    made = models(Server(error))
    await made.look()
    assert (made.status().condition, made.status().words) == (condition, str(error))


async def test_list_that_no_adapter_can_read_is_told_and_looked_for_again() -> None:
    server = Server(TypeError("unhashable type"))
    looks: list[float] = []

    async def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise asyncio.CancelledError
        assert (made.status().condition, made.status().words) == ("down", words.UNREADABLE)
        server.has = [Q]

    made = Models(server, Settings(), changed=lambda: None, limits=QUICK, free_bytes=lambda: None, pause=pause)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    assert made.status().condition == "up"


async def test_server_that_says_nothing_is_down_after_the_first_look() -> None:
    made = models(Server(None))
    await made.look()
    assert made.status().condition == "down"
    assert "Start Ollama" in made.status().words


async def test_one_late_look_is_not_down_and_two_are() -> None:
    server = Server([Q])
    made = models(server)
    await made.look()
    server.has = None
    await made.look()
    assert made.status().condition == "up"
    await made.look()
    assert made.status().condition == "down"


async def test_server_that_is_too_busy_with_our_answer_to_be_looked_at_stays_up() -> None:
    server = Server([Q], [Text("a"), None])
    made = models(server)
    await made.look()
    answer = made.stream(ASK)
    await anext(answer)
    server.has = None
    for _ in range(3):
        await made.look()
    assert made.status().condition == "up"
    await answer.aclose()
    await made.look()
    assert made.status().condition == "down"


async def test_server_without_a_model_that_chats_says_how_to_get_one() -> None:
    made = models(Server([replace(Q, can_chat=False), FAR]))
    await made.look()
    assert (made.status().condition, made.status().words) == ("no_model", words.no_model(is_ollama=True))


async def test_everybody_hears_of_a_change_once() -> None:
    heard: list[str] = []
    server = Server([Q])
    made = Models(server, Settings(), changed=lambda: heard.append("x"), limits=QUICK, free_bytes=lambda: None)
    for has in ([Q], [replace(Q)], ModelUnreachableError("No."), ModelUnreachableError("No."), [Q], [Q, BIG]):
        server.has = has
        await made.look()
    assert len(heard) == 4


# The choice


async def status_of(*known: Known, choice: str = "", free: int | None = None, **settings: Any) -> tuple[str, str]:
    made = models(Server(known), free=free, **settings)
    await made.look()
    status = made.status(choice)
    return status.condition, status.model


async def test_choice_of_a_person_goes_before_the_setting_and_that_before_the_best() -> None:
    assert await status_of(Q, BIG) == ("up", "q")
    assert await status_of(Q, BIG, model="big") == ("up", "big")
    assert await status_of(Q, BIG, model="big", choice="q") == ("up", "q")


async def test_model_that_was_chosen_and_is_gone_is_told_and_another_one_answers() -> None:
    made = models(Server([Q]))
    await made.look()
    assert made.status("gone").model == "q"
    assert made.status("gone").words == "The model you chose, gone, is not there any more. q answers."


async def test_model_of_the_setting_that_is_not_there_is_not_replaced_by_another() -> None:
    assert await status_of(Q, model="other") == ("no_model", "")
    assert await status_of(Q, model="other", choice="q") == ("up", "q")


async def test_model_elsewhere_is_used_only_where_the_setting_allows_it() -> None:
    assert await status_of(FAR) == ("no_model", "")
    assert await status_of(Q, FAR, choice=FAR.name) == ("up", "q")
    assert await status_of(Q, FAR, choice=FAR.name, model_remote=True) == ("up", FAR.name)


async def test_provider_with_many_models_asks_for_a_choice() -> None:
    made = models(Server([Known("a"), Known("b")]), **ELSEWHERE)
    await made.look()
    assert (made.status().condition, made.status().words) == ("no_model", words.choose(2))
    assert [each.name for each in made.status().known] == ["a", "b"]
    assert made.status("b").model == "b"


@pytest.mark.parametrize(
    ("known", "more", "leaves"), [(Q, {}, False), (Q, ELSEWHERE, True), (FAR, {"model_remote": True}, True)]
)
async def test_status_tells_whether_what_is_said_leaves_this_machine(
    known: Known, more: dict[str, Any], leaves: bool
) -> None:
    made = models(Server([known]), **more)
    await made.look()
    assert made.status().leaves is leaves
    assert ("leaves this machine" in made.status().words) is leaves


async def test_choice_does_not_change_with_what_else_runs() -> None:
    free = [20_000_000_000]
    server = Server([replace(Q, is_loaded=False), BIG])
    made = Models(server, Settings(), changed=lambda: None, limits=QUICK, free_bytes=lambda: free[0])
    await made.look()
    assert made.status().model == "big"
    free[0] = 5_000_000_000
    await made.look()
    assert made.status().model == "big"
    server.has = [replace(Q, is_loaded=False), BIG, replace(BIG, name="new")]
    await made.look()
    assert made.status().model == "q"


async def test_context_is_the_smaller_of_the_setting_and_the_model() -> None:
    server = Server([Q, BIG], [END])
    made = models(server)
    await made.look()
    assert [made.status(name).context for name in ("q", "big")] == [8_192, 16_384]
    for name in ("q", "big"):
        await parts(made.stream(replace(ASK, model=name, context=2_000_000)))
    assert [each.context for each in server.asked] == [8_192, 16_384]


# Looking again and again


async def test_looks_come_again_and_again_and_slow_down_where_nothing_answers() -> None:
    waits: list[float] = []
    server = Server([Q])

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            server.has = ModelUnreachableError("No.")
        if len(waits) == 9:
            raise asyncio.CancelledError

    made = Models(server, Settings(), changed=lambda: None, limits=QUICK, free_bytes=lambda: None, pause=pause)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    assert waits == [15.0, 15.0, 15.0, 18.75, 23.4375, pytest.approx(29.3, abs=0.1), 30.0, 30.0, 30.0]


async def test_late_look_is_followed_by_one_soon() -> None:
    waits: list[float] = []
    server = Server([Q])

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        server.has = None
        if len(waits) == 3:
            raise asyncio.CancelledError

    made = Models(server, Settings(), changed=lambda: None, limits=QUICK, free_bytes=lambda: None, pause=pause)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    assert waits == [15.0, 1.0, 15.0]


async def test_server_that_is_late_again_and_again_because_it_is_busy_stays_up() -> None:
    waits: list[float] = []
    server = Server([Q])
    here = asyncio.Event()

    async def known() -> Sequence[Known]:
        await here.wait()
        return [Q]

    async def pause(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            server.known = known  # type: ignore[method-assign]
        if len(waits) == 2:
            asyncio.get_running_loop().call_later(0.4, here.set)
        if len(waits) == 3:
            raise asyncio.CancelledError

    limits = Limits(look_s=0.2)
    made = Models(server, Settings(), changed=lambda: None, limits=limits, free_bytes=lambda: None, pause=pause)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    assert (waits, made.status().condition) == ([15.0, 1.0, 15.0], "up")


def test_looks_come_soon_while_a_model_loads() -> None:
    waits = [0.0]
    for _ in range(6):
        waits.append(until_next_look(ModelLoadingError("Soon."), waits[-1]))
    assert waits[1:] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert until_next_look(None, 8.0) == 15.0
    assert until_next_look(ModelLoadingError("Soon."), 15.0) == 1.0


# Limits of an answer


async def ask(
    *says: Part | Exception | None, limits: Limits = QUICK, ask: Ask = ASK
) -> tuple[list[Part], Exception | None]:
    server = Server([Q], says)
    made = Models(server, Settings(model_wait_s=0.05), changed=lambda: None, limits=limits, free_bytes=lambda: None)
    async with asyncio.timeout(10):
        found = await parts(made.stream(ASK))
    assert server.closed == len(server.asked)
    return found


async def test_whole_answer_comes_as_it_is() -> None:
    said: list[Part] = [Thinking("hm"), Text("a"), Called(Call("1", "look")), END]
    assert await ask(*said) == (said, None)


async def test_model_that_does_not_begin_is_stalled() -> None:
    found, error = await ask(None)
    assert found == []
    assert isinstance(error, ModelStalledError)
    assert "0.05 seconds" in str(error)
    assert "PIPULATE_MODEL_WAIT_S" in str(error)


async def test_model_that_stops_in_the_middle_is_stalled_and_what_came_stands() -> None:
    found, error = await ask(Text("a"), None)
    assert found == [Text("a")]
    assert isinstance(error, ModelStalledError)
    assert "in the middle" in str(error)


async def test_time_to_the_first_word_and_between_words_are_two_limits() -> None:
    slow_start = Limits(between_s=30)
    found, error = await ask(None, limits=slow_start)
    assert isinstance(error, ModelStalledError)
    assert found == []


async def test_nothing_comes_after_the_end() -> None:
    assert await ask(Text("a"), END, Text("b")) == ([Text("a"), END], None)


async def test_answer_without_an_end_is_cut() -> None:
    found, error = await ask(Text("a"))
    assert found == [Text("a")]
    assert isinstance(error, ModelCutError)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (Text("é" * 60), words.TOO_MUCH), (Thinking("x" * 60), words.THOUGHT_TOO_LONG),
        (Called(Call("1", "look", {"a": "x" * 120})), words.TOO_MUCH),
        (Called(Call("1", "look", broken="x" * 120)), words.TOO_MUCH),
    ],
)  # fmt: skip
async def test_answer_that_is_too_long_is_stopped_and_what_came_before_stands(part: Part, says: str) -> None:
    found, error = await ask(Text("ok"), part, END, limits=replace(QUICK, answer_bytes=100, thinking_bytes=50))
    assert found == [Text("ok")]
    assert isinstance(error, ModelNonsenseError)
    assert str(error) == says


async def test_answer_of_just_the_most_is_let_through() -> None:
    said: list[Part] = [Text("é" * 50), Thinking("x" * 50), END]
    assert await ask(*said, limits=replace(QUICK, answer_bytes=100, thinking_bytes=50)) == (said, None)


async def test_half_characters_and_nulls_are_replaced() -> None:
    assert (await ask(Text("a\ud800\0"), Thinking("\udfff"), END))[0] == [
        Text("a\ufffd\ufffd"),
        Thinking("\ufffd"),
        END,
    ]


async def test_closing_an_answer_closes_the_one_of_the_server() -> None:
    server = Server([Q], [Text("a"), None])
    answer = models(server).stream(ASK)
    assert await anext(answer) == Text("a")
    await answer.aclose()
    assert server.closed == 1


async def test_server_that_went_away_is_down_at_once_for_everybody() -> None:
    server = Server([Q], [ModelUnreachableError("Gone.")])
    made = models(server)
    await made.look()
    await parts(made.stream(ASK))
    assert (made.status().condition, made.status().words) == ("down", "Gone.")


async def test_model_that_turns_out_to_have_no_tools_is_asked_without_from_then_on() -> None:
    server = Server([Q], [ModelRefusedError(words.NO_TOOLS)])
    made = models(server)
    await made.look()
    assert made.status().has_tools
    await parts(made.stream(ASK))
    assert not made.status().has_tools


@pytest.mark.parametrize("name", [FAR.name, "unknown:1b-cloud", ""])
async def test_model_that_is_not_there_or_not_allowed_is_never_asked(name: str) -> None:
    server = Server([Q, FAR], [END])
    found, error = await parts(models(server).stream(replace(ASK, model=name)))
    assert isinstance(error, ModelMissingError)
    assert (found, server.asked) == ([], [])


async def test_question_before_the_first_look_looks_and_says_what_is_wrong() -> None:
    server = Server(ModelUnreachableError("No."), [END])
    assert str((await parts(models(server).stream(ASK)))[1]) == "No."


async def test_question_is_asked_though_the_last_look_failed() -> None:
    server = Server([Q], [END])
    made = models(server)
    await made.look()
    server.has = ModelUnreachableError("No.")
    await made.look()
    assert await parts(made.stream(ASK)) == ([END], None)


async def test_closing_lets_go_of_the_server() -> None:
    server = Server([Q])
    await models(server).close()
    assert server.closed == 1


async def test_messages_and_tools_reach_the_server_as_they_are() -> None:
    server = Server([Q], [END])
    asked = Ask("q", [Said("system", "s"), Said("user", "u")], context=8_192, answer=7, schema={"type": "object"})
    await parts(models(server).stream(asked))
    assert server.asked == [asked]
