"""A model of pydantic-ai, asked as one of ours.

Only its layer of models is used, which knows the wire of each provider; not its agents, whose loop would be a second
one beside ours over the log. See docs/adr/0019-the-loop-is-ours.md. Importing this takes more than a second.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from pipulate.errors import (
    ModelCutError,
    ModelError,
    ModelNonsenseError,
    ModelRefusedError,
    ModelTooLongError,
    ModelUnreachableError,
)
from pipulate.llm import words
from pipulate.llm.port import Ask, Called, Ended, Part, Said, Text, Thinking, Tool
from pipulate.llm.reading import Calls, clean, count

Refused = Callable[[int, bytes, str], ModelError]
"""From a status, what came with it, and the name of the model, to the error that this is."""

_SCHEMA: Final = "answer"  # Name of the schema of an answer; some servers want one.


async def answer(
    model: Model, ask: Ask, *, refused: Refused, down: str, tells_its_end: bool = True
) -> AsyncGenerator[Part, None]:
    """Yield the answer of a model, part by part; the last is `Ended`. Closing it closes the connection.

    Args:
        model: What is asked.
        ask: The question.
        refused: Makes an error of an answer with an error status.
        down: What people are told where the server does not answer.
        tells_its_end: Whether its server says why an answer ended. Where one does that says nothing has broken off.

    Raises:
        ModelError: If there is no answer, or it breaks off.
    """
    calls, has_begun = Calls(), False
    with _mapped(ask.model, refused, down, lambda: has_begun):
        async with model.request_stream(
            messages(ask.messages), ModelSettings(max_tokens=ask.answer), _parameters(ask)
        ) as stream:
            async for event in stream:
                part = _part(event)
                if part is not None:
                    has_begun = True
                    yield part
            whole = stream.get()
        if tells_its_end and "finish_reason" not in (whole.provider_details or {}):
            raise ModelCutError(words.CUT)
        if whole.finish_reason == "content_filter":
            raise ModelRefusedError(words.FILTERED)
        for each in whole.parts:
            if isinstance(each, ToolCallPart):
                yield Called(calls.read(each.tool_call_id, each.tool_name, each.args))
        yield _end(whole, has_called=bool(calls.count))


def messages(said: Sequence[Said]) -> list[ModelMessage]:
    """Return what was said as the messages of the library."""
    found: list[ModelMessage] = []
    asked: list[ModelRequestPart] = []
    for each in said:
        if each.role == "assistant":
            if asked:
                found.append(ModelRequest(asked))
                asked = []
            found.append(ModelResponse(_response(each)))
        elif each.role == "system":
            asked.append(SystemPromptPart(clean(each.text)))
        elif each.role == "user":
            asked.append(UserPromptPart(clean(each.text)))
        else:
            asked.append(ToolReturnPart(tool_name=each.name, content=clean(each.text), tool_call_id=each.call))
    return [*found, ModelRequest(asked)] if asked else found


def _response(said: Said) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = [TextPart(clean(said.text))] if said.text else []
    return parts + [ToolCallPart(each.name, dict(each.arguments), tool_call_id=each.id) for each in said.calls]


def _parameters(ask: Ask) -> ModelRequestParameters:
    tools = [_tool(each) for each in ask.tools]
    if ask.schema is None:
        return ModelRequestParameters(function_tools=tools)
    wanted = OutputObjectDefinition(json_schema=dict(ask.schema), name=_SCHEMA)
    return ModelRequestParameters(function_tools=tools, output_mode="native", output_object=wanted)


def _tool(tool: Tool) -> ToolDefinition:
    return ToolDefinition(
        name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters), strict=False
    )


def _part(event: ModelResponseStreamEvent) -> Part | None:
    """Return what an event adds to the answer; its kinds grow with each version, so those unknown add nothing."""
    added = event.part if isinstance(event, PartStartEvent) else None
    delta = event.delta if isinstance(event, PartDeltaEvent) else None
    if isinstance(added, TextPart) and added.content:
        return Text(added.content)
    if isinstance(delta, TextPartDelta) and delta.content_delta:
        return Text(delta.content_delta)
    if isinstance(added, ThinkingPart) and added.content:
        return Thinking(added.content)
    if isinstance(delta, ThinkingPartDelta) and delta.content_delta:
        return Thinking(delta.content_delta)
    return None


def _end(whole: ModelResponse, *, has_called: bool) -> Ended:
    prompt, said = count(whole.usage.input_tokens) or None, count(whole.usage.output_tokens) or None
    if has_called:
        return Ended("tools", prompt, said)
    return Ended("length" if whole.finish_reason == "length" else "stop", prompt, said)


@contextmanager
def _mapped(model: str, refused: Refused, down: str, has_begun: Callable[[], bool]) -> Iterator[None]:
    """Raise whatever the library raises as a `ModelError`."""
    try:
        yield
    except ModelError:
        raise
    except UserError as error:  # What this kind of model cannot do, such as a schema or tools.
        raise ModelRefusedError(words.said_no(words.told(str(error)))) from None
    except AgentRunError as error:
        raise _error(error, model, refused, down, has_begun=has_begun()) from None
    except Exception as error:  # noqa: BLE001 - library border: what a server sends may break it in any place
        raise _own(error) or ModelNonsenseError(words.NONSENSE) from None


def _error(error: AgentRunError, model: str, refused: Refused, down: str, *, has_begun: bool) -> ModelError:
    own = _own(error)
    if own is not None:
        return own
    if isinstance(error, ModelContextWindowExceededError):
        return ModelTooLongError(words.TOO_LONG)
    if isinstance(error, ModelHTTPError):
        return refused(error.status_code, _bytes(error.body), model)
    if isinstance(error, ModelConnectionError):
        return ModelCutError(words.CUT) if has_begun else ModelUnreachableError(down)
    if isinstance(error, ContentFilterError):
        return ModelRefusedError(words.FILTERED)
    if isinstance(error, ModelAPIError) and error.in_stream:
        return refused(200, _bytes(error.body or error.message), model)
    return ModelNonsenseError(words.NONSENSE)


def _own(error: BaseException | None) -> ModelError | None:
    """Return the error of ours that the library wrapped in one of its own, or None."""
    while error is not None and not isinstance(error, ModelError):
        error = error.__cause__ or error.__context__
    return error


def _bytes(body: object) -> bytes:
    return (body if isinstance(body, str) else json.dumps(body, default=str)).encode()
