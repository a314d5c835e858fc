"""Hearing a language model out: its words go where readers follow them, its calls and its end are kept."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from pipulate._log import get_logger
from pipulate.chat.growing import Growing
from pipulate.chat.scene import Asked
from pipulate.errors import ModelCutError, ModelError, ModelNonsenseError
from pipulate.llm.port import Ask, Call, Called, Ended, Part, Text, Thinking

SAVE_EVERY_S: Final = 1.0
"""Seconds after which what came so far is put by."""

_log = get_logger()


@dataclass(slots=True)
class Heard:
    """What a model said in one answer, besides its words.

    Attributes:
        calls: What it asks for.
        ended: How it ended, or None where it did not.
        error: Why it broke off, or None.
    """

    calls: list[Call] = field(default_factory=list)
    ended: Ended | None = None
    error: ModelError | None = None

    def take(self, part: Part, growing: Growing, most_calls: int) -> None:
        """Put a part where it belongs."""
        match part:
            case Text(text):
                growing.chunks.append(text)
            case Thinking(text):
                growing.thinking.append(text)
            case Called(call) if len(self.calls) < most_calls:
                self.calls.append(call)
            case Ended():
                self.ended = part


async def hear(model: Asked, ask: Ask, growing: Growing, grew: Callable[[], None], most_calls: int) -> Heard:
    """Have a model answer; its words are added to `growing`, and `grew` is called after each.

    Of its calls no more than `most_calls` are taken. Every error is in what comes back.
    """
    heard = Heard()
    try:
        async with contextlib.aclosing(model.stream(ask)) as stream:
            async for part in stream:
                heard.take(part, growing, most_calls)
                if isinstance(part, Text | Thinking):
                    grew()
    except ModelError as error:
        heard.error = error
    except Exception as error:  # noqa: BLE001 - an adapter that fails is a model that gives no answer
        _log.error("model.failed", exc_info=error)
        heard.error = ModelNonsenseError("The answer of the model could not be read.")
    if heard.error is None and heard.ended is None:
        heard.error = ModelCutError("The answer broke off before its end.")
    if heard.error is None and not heard.calls and not growing.text.strip():
        heard.error = ModelNonsenseError("The model gave an empty answer.")
    return heard


@contextlib.asynccontextmanager
async def put_by(growing: Growing, keep: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """While the block lasts, put by what grew every second."""

    async def saving() -> None:
        kept = 0
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            if len(growing.chunks) > kept:
                kept = len(growing.chunks)
                try:
                    await keep(growing.text)
                except Exception as error:  # noqa: BLE001 - it is tried again, and the end of the answer is stored
                    _log.warning("answer.not_kept", exc_info=error)

    task = asyncio.create_task(saving())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
