"""The protocol of OpenAI: what is sent, what is known about models, and the real server of llama.cpp behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pipulate.errors import (
    ModelLoadingError,
    ModelMissingError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelTooLongError,
)
from pipulate.llm.openai import OpenAI
from pipulate.llm.port import Ask, Call, Called, Ended, Known, Said, Text, Tool
from tests.support import gguf
from tests.support.flows import until
from tests.support.models import ASK, LOOK, called, parts, text
from tests.support.ollama import MODEL, STATUSES, Ollama, Turn

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[Ollama]:
    with Ollama() as running:
        yield running


@pytest.fixture
async def adapter(server: Ollama) -> AsyncIterator[OpenAI]:
    made = OpenAI(server.v1)
    yield made
    await made.close()


async def test_conversation_tools_and_limits_are_sent_as_every_server_reads_them(
    server: Ollama, adapter: OpenAI
) -> None:
    conversation = [
        Said("system", "Be good."), Said("user", "What is in the run?"),
        Said("assistant", "I look.", calls=(Call("c1", "look", {"at": "run"}),)),
        Said("tool", "Jo", call="c1", name="look"), Said("user", "Thanks."),
    ]  # fmt: skip
    await parts(adapter.stream(Ask(MODEL, conversation, [LOOK], answer=300)))
    (sent,) = server.requests
    said = sent.pop("messages")
    assert [(each["role"], each.get("content")) for each in said] == [
        ("system", "Be good."), ("user", "What is in the run?"), ("assistant", "I look."), ("tool", "Jo"),
        ("user", "Thanks."),
    ]  # fmt: skip
    (asked,) = said[2]["tool_calls"]
    assert (asked["id"], asked["function"]["name"], json.loads(asked["function"]["arguments"])) == (
        "c1", "look", {"at": "run"},
    )  # fmt: skip
    assert said[3]["tool_call_id"] == "c1"
    (tool,) = sent.pop("tools")
    assert {name: tool["function"][name] for name in ("name", "description")} == {
        "name": "look",
        "description": "Looks.",
    }
    assert tool["function"]["parameters"]["properties"] == LOOK.parameters["properties"]
    assert tool["function"].get("strict") is not True
    assert sent == {
        "model": MODEL, "stream": True, "stream_options": {"include_usage": True}, "tool_choice": "auto",
        "max_tokens": 300,
    }  # fmt: skip


async def test_schema_is_sent_as_the_format_of_the_answer(server: Ollama, adapter: OpenAI) -> None:
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
    await parts(adapter.stream(replace(ASK, schema=schema)))
    wanted = server.requests[0]["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["schema"]["properties"] == schema["properties"]


async def test_nothing_of_the_environment_is_sent_and_no_key_where_there_is_none(
    server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "BASE_URL", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "http://127.0.0.1:9/SECRET" if name == "BASE_URL" else "SECRET")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-more: SECRET")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    adapter = OpenAI(server.v1)
    _, error = await parts(adapter.stream(ASK))
    await adapter.close()
    assert error is None
    assert set(server.headers[0]) == {
        "host", "accept", "accept-encoding", "connection", "content-length", "content-type", "user-agent",
    }  # fmt: skip
    assert server.headers[0]["user-agent"] == "pipulate"


async def test_key_goes_to_the_server_and_into_no_error(server: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUSES, "echo", (400, b'{"error":{"message":"you sent SECRET-KEY as a key"}}'))
    adapter = OpenAI(server.v1, "SECRET-KEY")
    server.script(Turn(status="echo"), Turn("x y", raw=b'{"error":{"message":"SECRET-KEY is wrong"}}\n\n'))
    found = [await parts(adapter.stream(ASK)) for _ in range(2)]
    await adapter.close()
    assert [each["authorization"] for each in server.headers] == ["Bearer SECRET-KEY"] * 2
    assert "you sent ... as a key" in str(found[0][1])
    assert "... is wrong" in str(found[1][1])


@pytest.mark.parametrize("status", ["busy", "full", "wrong", "html"])
async def test_question_is_asked_once_and_not_again_where_it_fails(
    status: str, server: Ollama, adapter: OpenAI
) -> None:
    server.script(Turn(status=status))
    _, error = await parts(adapter.stream(ASK))
    assert error is not None
    assert len(server.requests) == 1


async def test_first_word_is_there_before_the_second_is_said(server: Ollama, adapter: OpenAI) -> None:
    server.script(Turn("one two", holds_at=1))
    answer = adapter.stream(ASK)
    assert await anext(answer) == Text("one ")
    server.go()
    assert await anext(answer) == Text("two ")
    await answer.aclose()


async def test_calls_come_whole_with_ids_and_broken_ones_as_text(server: Ollama, adapter: OpenAI) -> None:
    server.script(Turn("I look.", calls=[("look", {"at": "run"}), ("other", "{broken")]))
    found, error = await parts(adapter.stream(replace(ASK, tools=[LOOK])))
    assert error is None
    assert called(found) == [("look", {"at": "run"}), ("other", {})]
    calls = [each.call for each in found if isinstance(each, Called)]
    assert [(each.id, each.broken) for each in calls] == [("id_0", ""), ("id_1", "{broken")]
    assert found[-1] == Ended("tools", 10, 5)


async def test_answer_that_a_filter_stopped_says_so(server: Ollama, adapter: OpenAI) -> None:
    server.script(Turn("I must", reason="content_filter"))
    found, error = await parts(adapter.stream(ASK))
    assert text(found) == "I must "
    assert isinstance(error, ModelRefusedError)
    assert "filter" in str(error)


# What is known about its models


async def known(server: Ollama, *listed: Any, named: str = "") -> list[Known]:
    server.listed = list(listed)
    adapter = OpenAI(server.v1, model=named)
    try:
        return list(await adapter.known())
    finally:
        await adapter.close()


async def test_list_is_read_with_whatever_else_it_says(server: Ollama) -> None:
    llama = {"id": "wired", "meta": {"n_ctx": 4_096, "n_ctx_train": 32_768, "size": 5_000_000}}
    vllm = {"id": "q", "max_model_len": 8_192}
    router = {"id": "far/q", "context_length": 200_000}
    assert await known(server, llama, vllm, router, {"id": "text-embedding-3"}, {"id": 7}, {"id": ""}, 7) == [
        Known("wired", 5_000_000, 4_096, is_loaded=True), Known("q", context=8_192), Known("far/q", context=200_000),
        Known("text-embedding-3", can_chat=False),
    ]  # fmt: skip


async def test_numbers_of_a_list_that_can_be_none_are_left_out(server: Ollama) -> None:
    huge = {"id": "q", "size": 10**400, "n_ctx": 10**400, "max_model_len": True, "context_length": 8_192}
    assert await known(server, huge) == [Known("q", context=8_192)]


async def test_model_that_was_named_is_known_whether_it_is_listed_or_not(server: Ollama) -> None:
    assert [each.name for each in await known(server, {"id": "a"}, named="b")] == ["a", "b"]
    assert [each.name for each in await known(server, {"id": "a"}, named="a")] == ["a"]


async def test_server_without_a_list_has_the_model_that_was_named(server: Ollama) -> None:
    server.missing = ["/v1/models"]
    assert await known(server, named="b") == [Known("b")]
    with pytest.raises(ModelRefusedError, match="ends with /v1"):
        await known(server)


@pytest.mark.parametrize(("looks", "kind"), [("key", ModelRefusedError), ("loading", ModelLoadingError)])
async def test_list_that_is_refused_is_not_taken_for_none(looks: str, kind: type[Exception], server: Ollama) -> None:
    server.looks = looks
    with pytest.raises(kind):
        await known(server, named="b")


async def test_list_that_is_none_is_nonsense(server: Ollama, monkeypatch: pytest.MonkeyPatch) -> None:
    for body in (b"{}", b"[]", b'{"data": {}}', b"not json", b"[" * 100_000):
        monkeypatch.setitem(STATUSES, "odd", (200, body))
        server.looks = "odd"
        with pytest.raises(ModelNonsenseError):
            await known(server)


# The real server of llama.cpp

READ = Tool(
    "read_run",
    "Reads a run.",
    {"type": "object", "properties": {"run": {"type": "string"}}, "required": ["run"], "additionalProperties": False},
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gguf.Llama]:
    with gguf.llama(tmp_path_factory.mktemp("llama"), gguf.routes(gguf.call("read_run", {"run": "demo"}))) as running:
        yield running


@pytest.fixture
async def real(llama: gguf.Llama) -> AsyncIterator[OpenAI]:
    made = OpenAI(llama.url)
    yield made
    await made.close()


def question(words: str, *more: Said, **options: Any) -> Ask:
    return Ask(gguf.MODEL, [Said("system", "Be good."), Said("user", words), *more], **options)


async def test_real_server_lists_its_model_with_its_context(real: OpenAI) -> None:
    (found,) = await real.known()
    assert (found.name, found.is_loaded, found.context > 0, found.size_bytes > 1_000_000) == (
        gguf.MODEL,
        True,
        True,
        True,
    )


async def test_real_server_streams_an_answer_in_pieces(real: OpenAI) -> None:
    found, error = await parts(real.stream(question("hi")))
    assert error is None
    assert text(found) == gguf.HELLO
    assert len(found) > 5
    end = found[-1]
    assert isinstance(end, Ended)
    assert end.reason == "stop"
    assert (end.prompt or 0) > 5
    assert (end.answer or 0) > 5


async def test_real_server_calls_a_tool_and_answers_after_its_result(real: OpenAI) -> None:
    found, error = await parts(real.stream(question("please read_run", tools=[READ])))
    assert error is None
    assert called(found) == [("read_run", {"run": "demo"})]
    assert isinstance(found[-1], Ended)
    assert found[-1].reason == "tools"
    call = next(each.call for each in found if isinstance(each, Called))
    then = [Said("assistant", "", calls=(call,)), Said("tool", '{"name": "Jo"}', call=call.id, name="read_run")]
    found, error = await parts(real.stream(question("please read_run", *then, tools=[READ])))
    assert error is None
    assert text(found) == gguf.DONE


async def test_real_server_keeps_to_a_schema(real: OpenAI) -> None:
    schema = {
        "type": "object", "properties": {"colour": {"enum": ["red", "green"]}, "ok": {"type": "boolean"}},
        "required": ["colour", "ok"], "additionalProperties": False,
    }  # fmt: skip
    found, error = await parts(real.stream(question("hi", schema=schema)))  # It would say hello, were it let.
    assert error is None
    read = json.loads(text(found))
    assert read["colour"] in ("red", "green")
    assert read["ok"] in (True, False)


async def test_real_server_says_a_long_answer_to_its_end(real: OpenAI) -> None:
    found, error = await parts(real.stream(question("something long")))
    assert error is None
    assert text(found) == gguf.LONG


async def test_real_server_stops_at_the_most_tokens(real: OpenAI) -> None:
    found, _ = await parts(real.stream(question("something long", answer=20)))
    end = found[-1]
    assert isinstance(end, Ended)
    assert (end.reason, end.answer) == ("length", 20)


async def test_real_server_hears_within_a_second_that_nobody_waits(real: OpenAI, llama: gguf.Llama) -> None:
    def stopped() -> int:
        return llama.log.read_text(errors="replace").count("cancel task")

    before = stopped()
    answer = real.stream(question("endless", answer=30_000))
    assert text([await anext(answer) for _ in range(20)]).startswith("round and around it goes, round")
    async with asyncio.timeout(1):
        await answer.aclose()
    await until(lambda: stopped() > before)


async def test_real_server_says_that_a_prompt_is_too_long(real: OpenAI) -> None:
    found, error = await parts(real.stream(question("hi " * 30_000)))
    assert found == []
    assert isinstance(error, ModelTooLongError)


async def test_model_that_is_not_there_is_missing(server: Ollama, adapter: OpenAI) -> None:
    _, error = await parts(adapter.stream(replace(ASK, model="gone")))
    assert isinstance(error, ModelMissingError)
