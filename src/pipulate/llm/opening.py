"""The server that the settings name. What it needs is imported when it is first asked, and on a thread."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from importlib.util import find_spec
from typing import Final

from pipulate._threads import Threads
from pipulate.errors import ModelError, ModelLoadingError
from pipulate.llm import words
from pipulate.llm.address import address, host, is_here
from pipulate.llm.models import Models
from pipulate.llm.port import Ask, Known, Model, Part
from pipulate.settings import Settings

_SERVICE: Final = "pipulate"
_READY_S: Final = 0.3  # A look waits this long for what is being imported, and says that it is, afterwards.


def open_models(settings: Settings, *, changed: Callable[[], None]) -> Models:
    """Return the models of the server that the settings name; nothing heavy is imported, nothing asked yet."""
    server = None if settings.model_server == "off" else Later(lambda: opened(settings))
    return Models(server, settings, changed=changed)


def opened(settings: Settings) -> Model:
    """Return a server that can be asked. Takes seconds, and may wait for a person to unlock a keyring.

    Raises:
        ModelError: If the packages it needs are not installed.
    """
    url = address(settings)
    if settings.model_server == "openai":
        if find_spec("pydantic_ai") is None:
            raise ModelError(words.not_installed())
        from pipulate.llm.openai import OpenAI  # noqa: PLC0415 - heavy, and not for everybody

        return OpenAI(url, key_of(settings), model=settings.model)
    from pipulate.llm.ollama import Ollama  # noqa: PLC0415 - the first look needs it, the start does not

    return Ollama(url, "" if is_here(url) else key_of(settings))


def key_of(settings: Settings) -> str:
    """Return the key for the server, "" where there is none."""
    if settings.model_key is not None:
        return settings.model_key.get_secret_value()
    if find_spec("keyring") is None:
        return ""
    try:
        keyring = importlib.import_module("keyring")
        found: str | None = keyring.get_password(_SERVICE, host(address(settings)))
    except Exception:  # noqa: BLE001 - library border: there are many kinds of keyrings, and no key is a key as well
        return ""
    found = (found or "").strip()
    return found if found.isascii() and found.isprintable() else ""


class Later:
    """A server that is made on a thread when it is first asked."""

    def __init__(self, make: Callable[[], Model]) -> None:
        self._make = make
        self._threads = Threads(1, "model")  # Daemons: a keyring that nobody unlocks keeps no program from ending.
        self._made: asyncio.Task[Model] | None = None

    async def known(self) -> Sequence[Known]:
        """Return what the server has.

        Raises:
            ModelLoadingError: If it is not made yet.
            ModelError: As the server does.
        """
        made = self._begun()
        await asyncio.wait({made}, timeout=_READY_S)
        if not made.done():
            raise ModelLoadingError(words.GETTING_READY)
        return await made.result().known()

    async def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part."""
        server = await asyncio.shield(self._begun())
        async with aclosing(server.stream(ask)) as parts:
            async for part in parts:
                yield part

    async def close(self) -> None:
        """Let go of the server, where it was made."""
        self._threads.close(wait=False)
        if self._made is None:
            return
        if not self._made.done():
            self._made.cancel()
            await asyncio.wait({self._made})
        elif self._made.exception() is None:
            await self._made.result().close()

    def _begun(self) -> asyncio.Task[Model]:
        if self._made is None:
            self._made = asyncio.create_task(self._threads.run(self._make))
        return self._made
