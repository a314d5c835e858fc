"""Having a model answer in a given form: what does not fit is sent back to it once, with the mistakes named."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from pipulate.chat.answering import hear
from pipulate.chat.growing import Growing
from pipulate.chat.scene import Asked
from pipulate.errors import ModelTooLongError, ModelUnfitError
from pipulate.llm.port import Ask, Said

T = TypeVar("T")

TRIES: Final = 2

_SHOWN_MAX: Final = 4_000  # characters of an answer that did not fit, as the model is shown it again
_MISTAKES_MAX: Final = 1_000
_FENCE: Final = re.compile(r"\A\s*```\w*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_CUT: Final = "it was cut off, because it was longer than an answer may be; be shorter"


@dataclass(slots=True)
class Used:
    """Tokens of all tries together, as the server counted them; where it did not, 0."""

    prompt: int = 0
    answer: int = 0


async def formed(models: Asked, ask: Ask, read: Callable[[str], Awaitable[T]]) -> tuple[T, Used]:
    """Have a model answer until it fits, twice at most.

    Args:
        models: The model.
        ask: What it is asked.
        read: Returns what an answer means; raises ValueError with the mistakes, for the model, where it does not fit.

    Raises:
        ModelUnfitError: If neither answer fits.
        ModelError: If there is no answer.
    """
    used, said, mistakes = Used(), list(ask.messages), ""
    for _ in range(TRIES):
        growing = Growing(0)
        heard = await hear(models, replace(ask, messages=said), growing, _nobody, 0)
        if heard.error is not None:
            raise heard.error
        used.prompt += (heard.ended and heard.ended.prompt) or 0
        used.answer += (heard.ended and heard.ended.answer) or 0
        text = growing.text
        try:
            if heard.ended is not None and heard.ended.reason == "length" and ask.schema is not None:
                raise ValueError(_CUT)  # noqa: TRY301 - one of the mistakes an answer can have
            return await read(text), used
        except ValueError as error:
            mistakes = str(error)[:_MISTAKES_MAX]
        said += [Said("assistant", text[:_SHOWN_MAX]), Said("user", f"This cannot be used: {mistakes}\n{_AGAIN}")]
    raise ModelUnfitError(mistakes)


_AGAIN: Final = "Answer again: the whole answer, with this put right, and nothing besides."


def json_of(text: str) -> Any:
    """Return the JSON that an answer is, whether or not it stands in a block of code.

    Raises:
        ValueError: If it is none; says so, for the model.
    """
    inner = _FENCE.match(text)
    try:
        return json.loads(inner[1] if inner else text)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not the JSON object that was asked for") from None


def refuse_too_long(estimated: int, room: int) -> None:
    """Refuse to ask what a model cannot take in.

    Args:
        estimated: Tokens of all that it is given.
        room: Tokens that it takes, without those of its answer.

    Raises:
        ModelTooLongError: If it is too much; says how much there is room for.
    """
    if estimated > room:
        raise ModelTooLongError(
            f"What the model would have to read has about {estimated:,} tokens, and there is room for {room:,}. Give"
            " it less, choose a model that takes more, or raise PIPULATE_MODEL_CONTEXT."
        )


def _nobody() -> None:
    """Tell nobody that the answer grew: what it is worth is known at its end."""
