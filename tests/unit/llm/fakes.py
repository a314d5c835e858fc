"""A server of models in this process, for what needs no wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipulate.llm.models import Limits, Models
from pipulate.llm.port import Ask, Known, Part, Said
from pipulate.settings import Settings

ASK = Ask("q", [Said("user", "hi")])
QUICK = Limits(look_s=0.05, between_s=0.05)


@dataclass
class Server:
    """Says what it is told to; an exception in place of a part is raised, None waits for ever.

    Attributes:
        has: What it lists.
        says: What it answers.
        asked: What it was asked.
        looks: How often it was looked at.
        closed: How many answers have ended, however they did.
    """

    has: Sequence[Known] | Exception | None = ()
    says: Sequence[Part | Exception | None] = ()
    asked: list[Ask] = field(default_factory=list)
    looks: int = 0
    closed: int = 0

    async def known(self) -> Sequence[Known]:
        self.looks += 1
        if self.has is None:
            await asyncio.Event().wait()
        if isinstance(self.has, Exception):
            raise self.has
        return self.has or ()

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        self.asked.append(ask)
        try:
            for part in self.says:
                if part is None:
                    await asyncio.Event().wait()
                elif isinstance(part, Exception):
                    raise part
                else:
                    yield part
        finally:
            self.closed += 1

    async def close(self) -> None:
        self.closed += 1


def models(server: Server | None, *, free: int | None = None, **settings: Any) -> Models:
    """Return models before a server, with limits of moments."""
    given = Settings(**({"model_wait_s": 0.05} | settings))
    return Models(server, given, changed=lambda: None, limits=QUICK, free_bytes=lambda: free)
