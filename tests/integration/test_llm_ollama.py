"""Ollama over its own protocol: what is sent, what is read, and what is known about its models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from pipulate.errors import ModelCutError, ModelError, ModelNonsenseError, ModelRefusedError, ModelUnreachableError
from pipulate.llm import wire
from pipulate.llm.ollama import Ollama as Adapter
from pipulate.llm.port import Ask, Call, Called, Ended, Known, Said, Text, Thinking
from tests.support.models import ASK, LOOK, called, parts, text
from tests.support.ollama import MODEL, STATUSES, Ollama, Turn, model

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[Ollama]:
    with Ollama() as running:
        yield running


@pytest.fixture
async def adapter(server: Ollama) -> AsyncIterator[Adapter]:
    made = Adapter(server.url)
    yield made
    await made.close()


CONVERSATION = (
    Said("system", "Be good."), Said("user", "What is in the run?"),
    Said("assistant", "I look.", calls=(Call("c1", "look", {"at": "run"}),)),
    Said("tool", '{"name": "Jo"}', call="c1", name="look"), Said("user", "Thanks."),
)  # fmt: skip


async def test_question_is_sent_with_a_fixed_context_and_is_never_cut_in_silence(
    server: Ollama, adapter: Adapter
) -> None:
    await parts(adapter.stream(Ask(MODEL, CONVERSATION, [LOOK], context=8_192, answer=300)))
    assert server.requests == [
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Be good."},
                {"role": "user", "content": "What is in the run?"},
                {
                    "role": "assistant",
                    "content": "I look.",
                    "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {"at": "run"}}}],
                },
                {"role": "tool", "content": '{"name": "Jo"}', "tool_name": "look", "tool_call_id": "c1"},
                {"role": "user", "content": "Thanks."},
            ],
            "stream": True,
            "think": False,
            "truncate": False,
            "keep_alive": "10m",
            "options": {"num_ctx": 8_192, "num_predict": 300},
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "look", "description": "Looks.", "parameters": dict(LOOK.parameters)},
                }
            ],
        }
    ]


async def test_schema_is_sent_as_the_format_and_no_tools_where_there_are_none(server: Ollama, adapter: Adapter) -> None:
    await parts(adapter.stream(replace(ASK, schema={"type": "object"})))
    assert server.requests[0]["format"] == {"type": "object"}
    assert "tools" not in server.requests[0]


async def test_text_with_half_a_character_is_sent_all_the_same(server: Ollama, adapter: Adapter) -> None:
    _, error = await parts(adapter.stream(replace(ASK, messages=[Said("user", "a\ud800 ü 😀")])))
    assert error is None
    assert server.requests[0]["messages"][0]["content"] == "a\ud800 ü 😀"


async def test_answer_comes_word_by_word_with_what_was_thought_and_counted(server: Ollama, adapter: Adapter) -> None:
    server.script(Turn("All is well.", thinking="hm so", prompt=99, answer=7))
    assert await parts(adapter.stream(ASK)) == (
        [Thinking("hm "), Thinking("so "), Text("All "), Text("is "), Text("well. "), Ended("stop", 99, 7)],
        None,
    )


async def test_first_word_is_there_before_the_second_is_said(server: Ollama, adapter: Adapter) -> None:
    server.script(Turn("one two", holds_at=1))
    answer = adapter.stream(ASK)
    assert await anext(answer) == Text("one ")
    server.go()
    assert await anext(answer) == Text("two ")
    await answer.aclose()


@pytest.mark.parametrize(
    ("turn", "end"),
    [
        (Turn("x", reason="length"), Ended("length", 10, 5)), (Turn("x", prompt=None, answer=None), Ended("stop")),
        (Turn("x", reason="load"), Ended("stop", 10, 5)), (Turn("", calls=[("look", {})]), Ended("tools", 10, 5)),
    ],
)  # fmt: skip
async def test_end_says_why_and_how_many_tokens(turn: Turn, end: Ended, server: Ollama, adapter: Adapter) -> None:
    server.script(turn)
    found, _ = await parts(adapter.stream(ASK))
    assert found[-1] == end


async def test_calls_are_read_whatever_their_arguments_are_and_get_ids(server: Ollama, adapter: Adapter) -> None:
    wanted = [
        ("look", {"at": "run"}),
        ("look", '{"at": "x"}'),
        ("unknown", None),
        ("look", "{broken"),
        (None, {"a": 1}),
    ]
    server.script(Turn("I look.", calls=wanted))
    found, error = await parts(adapter.stream(ASK))
    calls = [each.call for each in found if isinstance(each, Called)]
    assert error is None
    assert text(found) == "I look. "
    assert called(found) == [("look", {"at": "run"}), ("look", {"at": "x"}), ("unknown", {}), ("look", {}), ("", {})]
    assert [each.broken for each in calls] == ["", "", "", "{broken", "{'a': 1}"]
    assert len({each.id for each in calls}) == 5


@pytest.mark.parametrize(
    "line",
    [
        b'{"message":{"content":7,"tool_calls":[7,{"function":7},null]},"done":false}', b'{"message":{},"done":false}',
        b'{"message":{"tool_calls":{"function":{"name":"x"}}},"done":false}', b"", b"   ",
    ],
)  # fmt: skip
async def test_parts_of_other_types_are_no_reason_to_fail(line: bytes, server: Ollama, adapter: Adapter) -> None:
    server.script(Turn(raw=line + b"\n"))
    _, error = await parts(adapter.stream(ASK))
    assert error is None


@pytest.mark.parametrize("line", [b"[]", b"7", b"null", b'{"done":false}', b'{"message":7}', b"[" * 100_000, b"{" * 9])
async def test_line_that_is_no_part_of_an_answer_is_nonsense(line: bytes, server: Ollama, adapter: Adapter) -> None:
    server.script(Turn(raw=line + b"\n"))
    _, error = await parts(adapter.stream(ASK))
    assert isinstance(error, ModelNonsenseError)


async def test_last_line_needs_no_line_break_unless_it_is_half_of_one(server: Ollama, adapter: Adapter) -> None:
    whole = b'{"message":{"content":"x"},"done":true}'
    server.script(Turn(raw=whole, fault="close"), Turn(raw=whole[:-9], fault="close"))
    assert await parts(adapter.stream(ASK)) == ([Text("x"), Ended("stop")], None)
    found, error = await parts(adapter.stream(ASK))
    assert (found, type(error)) == ([], ModelCutError)


async def test_end_without_a_message_is_an_end(server: Ollama, adapter: Adapter) -> None:
    server.script(Turn(raw=b'{"done":true}\n'))
    assert await parts(adapter.stream(ASK)) == ([Ended("stop")], None)


async def test_error_of_any_length_is_told_in_short(
    server: Ollama, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STATUSES, "long", (500, b"a long line of an error\n" * 100_000))
    server.script(Turn(status="long"))
    _, error = await parts(adapter.stream(ASK))
    assert isinstance(error, ModelRefusedError)
    assert len(str(error)) < 300
    await server.until(lambda each: each.open == 0)


# What is known about its models


async def known(server: Ollama, *models: Any, loaded: Sequence[Any] = ()) -> list[Known]:
    server.models, server.loaded = list(models), list(loaded)
    adapter = Adapter(server.url)
    try:
        return list(await adapter.known())
    finally:
        await adapter.close()


async def test_models_are_known_with_all_that_the_choice_needs(server: Ollama) -> None:
    assert await known(server, model("q:4b"), loaded=("q:4b",)) == [
        Known("q:4b", 2_500_000_000, 32_768, has_tools=True, is_loaded=True, modified_at="2026-10-01T00:00:00Z")
    ]


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"capabilities": ["embedding"]}, {"can_chat": False, "has_tools": False}),
        ({"capabilities": ["completion"]}, {"has_tools": False}),
        ({"capabilities": None}, {"has_tools": None}),
        ({"remote_host": "https://ollama.com"}, {"is_remote": True}),
        ({"remote_model": "q:480b"}, {"is_remote": True}), ({"name": "q:480b-cloud"}, {"is_remote": True}),
        ({"details": None}, {"context": 0}), ({"details": {"context_length": "8"}}, {"context": 0}),
        ({"size": 10**400}, {"size_bytes": 0}), ({"details": {"context_length": 10**400}}, {"context": 0}),
        ({"size": -5}, {"size_bytes": 0}), ({"size": True}, {"size_bytes": 0}),
        ({"modified_at": 7}, {"modified_at": ""}),
    ],
)  # fmt: skip
async def test_what_a_list_says_or_does_not_say_is_read(
    more: dict[str, Any], wanted: dict[str, Any], server: Ollama
) -> None:
    (found,) = await known(server, model("q:4b") | more)
    assert {name: getattr(found, name) for name in wanted} == wanted


async def test_entries_that_name_no_model_are_left_out(server: Ollama) -> None:
    names = [
        each.name for each in await known(server, model("a"), model(""), model("x" * 500), {"name": 7, "model": ""})
    ]
    assert names == ["a"]


async def test_version_that_does_not_tell_what_is_in_memory_is_asked_all_the_same(server: Ollama) -> None:
    server.missing = ["/api/ps"]
    assert [each.name for each in await known(server, model("a"), loaded=("a",))] == ["a"]


@pytest.mark.parametrize("name", [["q:4b"], {"a": 1}, None, 7])
async def test_name_in_memory_that_is_none_is_no_model_in_memory(name: Any, server: Ollama) -> None:
    (found,) = await known(server, model("q:4b"), loaded=[name])
    assert not found.is_loaded


async def test_of_thousands_of_calls_in_one_line_a_hundred_are_read(server: Ollama, adapter: Adapter) -> None:
    line = {"message": {"tool_calls": [{"function": {"name": "look", "arguments": {}}}] * 10_000}}
    server.script(Turn(raw=json.dumps(line).encode() + b"\n"))
    found, error = await parts(adapter.stream(ASK))
    assert error is None
    assert len(called(found)) == 100


async def test_server_that_says_all_at_once_leaves_everything_else_its_turn(server: Ollama, adapter: Adapter) -> None:
    loop, most, parts_of_turn, is_over = asyncio.get_running_loop(), 0, 0, False

    def turn() -> None:
        nonlocal parts_of_turn
        parts_of_turn = 0
        if not is_over:
            loop.call_soon(turn)

    loop.call_soon(turn)
    server.script(Turn(raw=b'{"message":{"content":"a"}}\n' * 20_000))
    async for _ in adapter.stream(ASK):
        parts_of_turn += 1
        most = max(most, parts_of_turn)
    is_over = True
    assert 0 < most <= 300


async def test_counts_that_can_be_none_are_not_told(server: Ollama, adapter: Adapter) -> None:
    server.script(Turn("Hi", prompt=10**4_000, answer=10**4_000))
    found, error = await parts(adapter.stream(ASK))
    assert (found[-1], error) == (Ended("stop"), None)


async def test_server_that_is_no_ollama_is_told_so(server: Ollama) -> None:
    server.missing = ["/api/tags"]
    with pytest.raises(ModelRefusedError, match="There is nothing to ask at http://127"):
        await known(server, model("a"))


async def test_list_that_is_none_is_no_ollama(server: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b'{"models": 7}', b"[]", b"7", b"not json", b"[" * 100_000):
        monkeypatch.setitem(STATUSES, "odd", (200, body))
        server.looks = "odd"
        with pytest.raises(ModelNonsenseError):
            await known(server)


async def test_list_that_is_too_long_is_not_read_to_its_end(server: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LIST_BYTES", 1_000)
    with pytest.raises(ModelNonsenseError):
        await known(server, *[model(f"m{number}") for number in range(100)])
    await server.until(lambda each: each.connections == 0)


async def test_list_that_breaks_off_once_is_asked_for_once_more(server: Ollama) -> None:
    server.cuts = 1
    assert [each.name for each in await known(server, model("a"))] == ["a"]


async def test_question_on_a_connection_that_the_server_just_closed_is_asked_on_another_one(server: Ollama) -> None:
    adapter = Adapter(server.url)
    await adapter.known()
    used, server.drops = server.accepted, 1
    said, error = await parts(adapter.stream(ASK))
    await adapter.close()
    assert (text(said).strip(), error, server.accepted) == (ASK.messages[-1].text, None, used + 1)


async def test_question_on_a_connection_of_its_own_is_asked_once(server: Ollama) -> None:
    server.drops = 1
    adapter = Adapter(server.url)
    _, error = await parts(adapter.stream(ASK))
    await adapter.close()
    assert isinstance(error, ModelCutError)
    assert (server.accepted, server.drops, server.asked) == (1, 0, [])


async def test_question_is_asked_no_more_often_than_connections_are_kept(server: Ollama) -> None:
    tried: list[httpx2.Request] = []

    def closed(request: httpx2.Request) -> httpx2.Response:
        tried.append(request)
        raise httpx2.ReadError("closed")

    async with wire.Bounded(server.url, "") as client:
        client._transport = httpx2.MockTransport(closed)
        with pytest.raises(httpx2.ReadError):
            await client.post("api/chat")
    assert len(tried) == 3


async def test_client_reads_what_is_asked_for_as_a_whole_with_the_same_bounds(
    server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with wire.Bounded(server.url, "") as client:
        assert (await client.get("api/version")).json() == {"version": "0.33.0"}
        monkeypatch.setattr(wire, "LIST_BYTES", 5)
        with pytest.raises(ModelNonsenseError):
            await client.get("api/version")
        await server.until(lambda each: each.connections == 0)


async def test_looking_again_and_again_takes_one_connection(server: Ollama, adapter: Adapter) -> None:
    for _ in range(5):
        await adapter.known()
    assert server.connections == server.accepted == 1


# The key, and whom it is told


async def test_key_goes_to_the_server_and_into_no_error(server: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUSES, "echo", (400, b'{"error":"you sent SECRET-KEY as a key"}'))
    adapter = Adapter(server.url, "SECRET-KEY")
    server.script(Turn(status="echo"), Turn("x y", raw=b'{"error":"SECRET-KEY is wrong"}\n'))
    _, first = await parts(adapter.stream(ASK))
    _, second = await parts(adapter.stream(ASK))
    await adapter.close()
    assert [each["authorization"] for each in server.headers] == ["Bearer SECRET-KEY"] * 2
    assert (str(first), str(second)) == (
        "The server of the model refused: you sent ... as a key",
        "The server of the model refused: ... is wrong",
    )


async def test_server_of_this_machine_is_asked_without_a_key_and_past_every_proxy(
    server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    adapter = Adapter(server.url)
    _, error = await parts(adapter.stream(ASK))
    await adapter.close()
    assert error is None
    assert "authorization" not in server.headers[0]


async def test_nothing_that_listens_is_unreachable_and_says_what_to_do() -> None:
    with Ollama() as gone:
        pass
    adapter = Adapter(gone.url)
    with pytest.raises(ModelError, match=f"No language model answers at {gone.url}") as caught:
        await adapter.known()
    assert caught.value.code == "model.unreachable"
    await adapter.close()


async def test_list_that_breaks_off_is_unreachable_and_not_an_answer_that_was_cut(server: Ollama) -> None:
    server.looks = "cut"
    with pytest.raises(ModelUnreachableError, match="No language model answers"):
        await known(server, model("a"))
