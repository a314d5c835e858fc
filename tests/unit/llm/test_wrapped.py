"""Models of pydantic-ai, asked as ours: what they are given, and what is made of whatever they answer."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import APIConnectionError
from pydantic_ai import exceptions as library
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, DeltaThinkingCalls, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.models.test import TestModel

from pipulate.errors import (
    ModelCutError,
    ModelError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelTooLongError,
    ModelUnreachableError,
)
from pipulate.llm import words
from pipulate.llm.port import Ask, Call, Called, Ended, Part, Said, Text, Thinking, Tool
from pipulate.llm.wrapped import answer, messages
from tests.support.models import parts

pytestmark = pytest.mark.anyio

LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
ASK = Ask("m", [Said("system", "Be good."), Said("user", "hi")])


def refused(status: int, body: bytes, model: str) -> ModelError:
    return words.refused(status, body, model=model, server="http://x", is_ollama=False)


async def said(model: Model, ask: Ask = ASK, *, tells: bool = False) -> tuple[list[Part], Exception | None]:
    return await parts(answer(model, ask, refused=refused, down="Down.", tells_its_end=tells))


def function(*says: Any, seen: list[Any] | None = None) -> FunctionModel:
    """Return a model that says what it is told to; an exception is raised."""

    async def stream(given: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        if seen is not None:
            seen.append((given, info))
        for each in says:
            if isinstance(each, Exception):
                raise each
            yield each

    return FunctionModel(stream_function=stream)


async def test_text_comes_piece_by_piece_and_then_the_end() -> None:
    found, error = await said(function("Hel", "lo", "!"))
    assert error is None
    assert found[:-1] == [Text("Hel"), Text("lo"), Text("!")]
    end = found[-1]
    assert isinstance(end, Ended)
    assert end.reason == "stop"
    assert end.prompt
    assert end.answer


async def test_what_is_thought_comes_apart_from_what_is_said() -> None:
    thinking: DeltaThinkingCalls = {0: DeltaThinkingPart(content="hm")}
    found, _ = await said(function(thinking, {0: DeltaThinkingPart(content=" so")}, "Yes"))
    assert found[:-1] == [Thinking("hm"), Thinking(" so"), Text("Yes")]


async def test_calls_come_whole_before_the_end_with_their_ids() -> None:
    begun = {0: DeltaToolCall(name="look", json_args='{"at"', tool_call_id="a")}
    rest = {0: DeltaToolCall(json_args=': "run"}')}
    more = {1: DeltaToolCall(name="other", json_args="{broken", tool_call_id="b")}
    found, _ = await said(function(begun, rest, more), Ask("m", ASK.messages, [LOOK]))
    assert found[:-1] == [Called(Call("a", "look", {"at": "run"})), Called(Call("b", "other", broken="{broken"))]
    assert isinstance(found[-1], Ended)
    assert found[-1].reason == "tools"


async def test_model_is_given_tools_and_most_tokens_and_schema() -> None:
    seen: list[Any] = []
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
    await said(function("x", seen=seen), Ask("m", ASK.messages, [LOOK], answer=77, schema=schema))
    given, info = seen[0]
    assert [(each.name, each.description, each.parameters_json_schema) for each in info.function_tools] == [
        ("look", "Looks.", LOOK.parameters)
    ]
    assert info.model_settings["max_tokens"] == 77
    assert info.model_request_parameters.output_mode == "native"
    assert info.model_request_parameters.output_object.json_schema == schema
    assert isinstance(given[0], ModelRequest)


async def test_the_librarys_own_test_model_answers_and_calls_every_tool() -> None:
    found, error = await said(TestModel(custom_output_text="All is well."))
    assert error is None
    assert "".join(each.text for each in found if isinstance(each, Text)) == "All is well."
    found, _ = await said(TestModel(call_tools=["look"]), Ask("m", ASK.messages, [LOOK]))
    assert [each.call.name for each in found if isinstance(each, Called)] == ["look"]


def test_conversation_becomes_messages_in_their_order() -> None:
    made = messages(
        [
            Said("system", "s"), Said("user", "u"), Said("assistant", "a", calls=(Call("1", "look", {"at": "x"}),)),
            Said("tool", "r", call="1", name="look"), Said("user", "v"), Said("assistant", "b"),
        ]
    )  # fmt: skip
    assert [type(each) for each in made] == [ModelRequest, ModelResponse, ModelRequest, ModelResponse]
    shown = [
        (type(part), getattr(part, "tool_call_id", None), getattr(part, "content", None) or part.args)  # type: ignore[union-attr]
        for each in made
        for part in each.parts
    ]
    assert shown == [
        (SystemPromptPart, None, "s"), (UserPromptPart, None, "u"), (TextPart, None, "a"),
        (ToolCallPart, "1", {"at": "x"}), (ToolReturnPart, "1", "r"), (UserPromptPart, None, "v"),
        (TextPart, None, "b"),
    ]  # fmt: skip


def test_half_characters_are_not_sent() -> None:
    assert messages([Said("user", "a\ud800")])[0].parts[0].content == "a\ufffd"  # type: ignore[union-attr]


async def test_answer_that_ends_without_saying_why_is_cut_where_the_server_says_so_always() -> None:
    found, error = await said(function("Hel"), tells=True)
    assert found == [Text("Hel")]
    assert isinstance(error, ModelCutError)


def http(status: int, body: object) -> library.ModelHTTPError:
    return library.ModelHTTPError(status_code=status, model_name="m", body=body)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (http(401, {"message": "no"}), ModelRefusedError), (http(429, None), ModelRefusedError),
        (http(400, {"message": "prompt too long; exceeded context length"}), ModelTooLongError),
        (http(502, "<html>"), ModelUnreachableError),
        (library.ModelContextWindowExceededError("m", "no"), ModelTooLongError),
        (library.ModelConnectionError("m", "no"), ModelUnreachableError),
        (library.ModelAPIError("m", "no", body={"message": "broken"}, in_stream=True), ModelRefusedError),
        (library.ModelAPIError("m", "<b>no"), ModelNonsenseError),
        (library.ContentFilterError("no"), ModelRefusedError), (library.UserError("no schemas"), ModelRefusedError),
        (library.UnexpectedModelBehavior("no"), ModelNonsenseError), (KeyError("choices"), ModelNonsenseError),
        (ModelTooLongError("ours"), ModelTooLongError),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
async def test_whatever_the_library_raises_is_an_error_of_a_model(raised: Exception, kind: type[ModelError]) -> None:
    found, error = await said(function(raised))
    assert found == []
    assert type(error) is kind
    assert error.__cause__ is None


async def test_connection_that_ends_after_the_first_word_is_cut_and_not_unreachable() -> None:
    found, error = await said(function("Hel", library.ModelConnectionError("m", "no")))
    assert found == [Text("Hel")]
    assert isinstance(error, ModelCutError)


async def test_error_of_ours_comes_through_what_the_library_wraps_it_in() -> None:
    wrapping = APIConnectionError(request=None)  # type: ignore[arg-type]
    wrapping.__cause__ = ModelNonsenseError(words.TOO_MUCH)
    outer = library.ModelConnectionError("m", "no")
    outer.__cause__ = wrapping
    _, error = await said(function(outer))
    assert isinstance(error, ModelNonsenseError)
    assert str(error) == words.TOO_MUCH


async def test_tokens_are_never_counted_with_a_table_that_would_be_fetched() -> None:
    await said(function("x"))
    assert "tiktoken" not in sys.modules
