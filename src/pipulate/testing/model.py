"""A language model that answers what a test says, in the place of a real one."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter

from pipulate.errors import ModelRefusedError
from pipulate.llm.port import Ask, Ended, Known, Part, Text

NAME: Final = "scripted"


class ScriptedModel:
    """Gives one answer after another: texts, anything that has a form in JSON, or errors, which are raised.

        with RunningApp(letter, model=ScriptedModel("Dear Jo", Letter(subject="Hello"))) as app:
            ...

    Attributes:
        asked: What it was asked, the oldest first: the text of each prompt.
        schemas: The JSON schema each answer was to have; None for plain text.
    """

    def __init__(self, *answers: Any, context: int = 16_384) -> None:
        """Take the answers.

        Args:
            answers: A text is given word for word; a pydantic model, a dataclass, a dict or a list as JSON; an error is
                raised.
            context: Most tokens of a prompt and its answer.
        """
        self._answers, self._context = list(answers), context
        self.asked: list[str] = []
        self.schemas: list[Mapping[str, Any] | None] = []

    def script(self, *answers: Any) -> None:
        """Add answers."""
        self._answers.extend(answers)

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield the next answer.

        Raises:
            ModelRefusedError: If there is none left.
        """
        self.asked.append(next((each.text for each in reversed(ask.messages) if each.role == "user"), ""))
        self.schemas.append(ask.schema)
        if not self._answers:
            raise ModelRefusedError("The script of this test has no further answer.")
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        for word in _words(answer if isinstance(answer, str) else _as_json(answer)):
            yield Text(word)
        yield Ended("stop")

    async def known(self) -> Sequence[Known]:
        """Return the one model there is."""
        return [Known(NAME, context=self._context, has_tools=True, is_loaded=True)]

    async def close(self) -> None:
        """Let go of nothing."""


def _as_json(answer: Any) -> str:
    return json.dumps(TypeAdapter(type(answer)).dump_python(answer, mode="json"))


def _words(text: str) -> list[str]:
    """Return the pieces a text comes in: after each space."""
    return [each for each in text.replace(" ", " \0").split("\0") if each]
