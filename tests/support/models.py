"""What the tests of models share: both kinds of servers, behind the same scripted one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from pipulate.llm.models import Limits, Models
from pipulate.llm.opening import Later, opened
from pipulate.llm.port import Ask, Called, Part, Said, Text, Tool
from pipulate.settings import Settings
from tests.support.ollama import MODEL, Ollama

KINDS = ("ollama", "openai")
LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
ASK = Ask(MODEL, [Said("system", "Be good."), Said("user", "hi there")])


def models(kind: str, server: Ollama, *, limits: Limits | None = None, **settings: Any) -> Models:
    """Return models before the scripted server, as the program makes them, with limits of moments where wanted."""
    url = server.url if kind == "ollama" else server.v1
    usual: dict[str, Any] = {"model_server": kind, "model_url": url, "model_wait_s": 30.0}
    given = Settings(**usual | settings)
    return Models(Later(lambda: opened(given)), given, changed=lambda: None, limits=limits or Limits(look_s=20))


async def parts(answer: AsyncGenerator[Part, None]) -> tuple[list[Part], Exception | None]:
    """Return what came of an answer, and the error it ended with."""
    found: list[Part] = []
    try:
        async for part in answer:
            found.append(part)  # noqa: PERF401 - what came before an error counts
    except Exception as error:  # noqa: BLE001 - whatever it is, the test says what it must be
        return found, error
    return found, None


def text(found: list[Part]) -> str:
    """Return what was said."""
    return "".join(each.text for each in found if isinstance(each, Text))


def called(found: list[Part]) -> list[tuple[str, Any]]:
    """Return name and arguments of each call."""
    return [(each.call.name, each.call.arguments) for each in found if isinstance(each, Called)]
