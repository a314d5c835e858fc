"""Ollama by its own protocol, because the other one it speaks cannot set how much a model may read.

`/api/chat` takes `num_ctx`; without it Ollama reads 4,096 tokens on most machines and cuts the rest without a word.
See docs/adr/0019-the-loop-is-ours.md.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from pipulate.errors import ModelCutError, ModelNonsenseError, ModelRefusedError
from pipulate.llm import words
from pipulate.llm.port import Ask, Called, Ended, Known, Part, Said, Text, Thinking
from pipulate.llm.reading import Calls, count
from pipulate.llm.wire import Wire

_KEPT: Final = "10m"  # How long a model stays in memory after an answer.
_MODELS_MAX: Final = 1_000
_NAME_MAX: Final = 200
_CALLS_MAX: Final = 100  # Of one line; more than any turn may have.


class Ollama:
    """A server of Ollama."""

    def __init__(self, url: str, key: str = "") -> None:
        self._wire = Wire(url, key, is_ollama=True)

    async def known(self) -> Sequence[Known]:
        """Return its models, and which of them are in memory now."""
        tags = await self._wire.json("api/tags")
        try:
            running = _list(await self._wire.json("api/ps"))
        except ModelRefusedError:  # A version that does not tell.
            running = []
        loaded = {_text(each, "name") for each in running}
        return [_known(each, loaded) for each in _list(tags) if _text(each, "name")]

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part."""
        calls, ended = Calls(), False
        async with self._wire.lines("api/chat", _body(ask), model=ask.model) as lines, aclosing(lines):
            async for line in lines:
                content = _read(line)
                if "error" in content:  # Which comes under a status that says all is well.
                    raise self._wire.refused(200, line, ask.model)
                for part in _parts(content, calls):
                    yield part
                if content.get("done"):
                    ended = True
                    break
        if not ended:
            raise ModelCutError(words.CUT)
        yield _end(content, has_called=bool(calls.count))

    async def close(self) -> None:
        """Let go of its connections."""
        await self._wire.close()


def _body(ask: Ask) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": ask.model,
        "messages": [_message(each) for each in ask.messages],
        "stream": True,
        "think": False,
        "truncate": False,  # An error rather than a prompt that lost its beginning.
        "keep_alive": _KEPT,
        "options": {"num_ctx": ask.context, "num_predict": ask.answer},
    }
    if ask.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": each.name, "description": each.description, "parameters": dict(each.parameters)},
            }
            for each in ask.tools
        ]
    if ask.schema is not None:
        body["format"] = dict(ask.schema)
    return body


def _message(said: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": said.role, "content": said.text}
    if said.calls:
        message["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}} for call in said.calls
        ]
    if said.role == "tool":
        message |= {"tool_name": said.name, "tool_call_id": said.call}
    return message


def _read(line: bytes) -> dict[str, Any]:
    """Return what a line says.

    Raises:
        ModelNonsenseError: If it is no object of JSON.
    """
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        raise ModelNonsenseError(words.NONSENSE) from None
    if not isinstance(content, dict):
        raise ModelNonsenseError(words.NONSENSE)
    return content


def _parts(content: Mapping[str, Any], calls: Calls) -> Iterator[Part]:
    message = content.get("message")
    if not isinstance(message, Mapping):
        if content.get("done"):
            return
        raise ModelNonsenseError(words.NONSENSE)
    if thinking := _text(message, "thinking"):
        yield Thinking(thinking)
    if text := _text(message, "content"):
        yield Text(text)
    wanted = message.get("tool_calls") or []
    for each in wanted[:_CALLS_MAX] if isinstance(wanted, list) else [wanted]:
        function = each.get("function") if isinstance(each, Mapping) else None
        if not isinstance(function, Mapping):
            yield Called(calls.read(None, None, each))
        else:
            yield Called(calls.read(each.get("id"), function.get("name"), function.get("arguments")))


def _end(content: Mapping[str, Any], *, has_called: bool) -> Ended:
    reason = content.get("done_reason")
    prompt, answer = _number(content, "prompt_eval_count"), _number(content, "eval_count")
    if has_called:
        return Ended("tools", prompt, answer)
    return Ended("length" if reason == "length" else "stop", prompt, answer)


def _known(model: Mapping[str, Any], loaded: set[str]) -> Known:
    details = model.get("details")
    able = model.get("capabilities")
    is_remote = bool(_text(model, "remote_host") or _text(model, "remote_model"))
    return Known(
        name=_text(model, "name"),
        size_bytes=_number(model, "size") or 0,
        context=(_number(details, "context_length") or 0) if isinstance(details, Mapping) else 0,
        has_tools="tools" in able if isinstance(able, list) else None,
        is_loaded=_text(model, "name") in loaded,
        is_remote=is_remote or _text(model, "name").endswith("-cloud"),
        can_chat="completion" in able if isinstance(able, list) else True,
        modified_at=_text(model, "modified_at")[:_NAME_MAX],
    )


def _list(content: Any) -> list[Mapping[str, Any]]:
    models = content.get("models") if isinstance(content, Mapping) else None
    if not isinstance(models, list):
        raise ModelNonsenseError(words.NOT_OLLAMA)
    return [
        each for each in models[:_MODELS_MAX] if isinstance(each, Mapping) and len(_text(each, "name")) <= _NAME_MAX
    ]


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ""


def _number(content: Mapping[str, Any], name: str) -> int | None:
    return count(content.get(name))
