"""Passes on what a plugin answers bit by bit, from the plugins' loop to the one that serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from typing import Any

from pipulate._log import get_logger

_AHEAD = 8
_log = get_logger()


class Relay:
    """A response of a plugin that is sent on the plugins' loop and taken on ours, as fast as it is taken.

    Attributes:
        status, headers: What it begins with, once `begun`.
    """

    def __init__(self, response: Any, scope: Mapping[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        self.status, self.headers = 200, list[tuple[bytes, bytes]]()
        self._response, self._scope, self._loop = response, {**scope, "extensions": {}}, loop
        self._ours = asyncio.get_running_loop()
        self._parts: asyncio.Queue[dict[str, Any] | BaseException | None] = asyncio.Queue(_AHEAD)
        self._task: Future[None] | None = None

    async def begin(self) -> None:
        """Have it sent, and wait until it says how it begins.

        Raises:
            Exception: Whatever it raises before that; a file that is not there, for example.
        """
        self._task = asyncio.run_coroutine_threadsafe(self._work(), self._loop)
        start = await self._next()
        if start is None:
            raise RuntimeError("The response of the handler ended before it began.")
        self.status, self.headers = start["status"], list(start["headers"])

    async def body(self) -> AsyncIterator[bytes]:
        """Yield its parts.

        Raises:
            Exception: Whatever it raises on the way, so that nobody takes what came for the whole.
        """
        assert self._task is not None  # noqa: S101 - `begin` comes first
        try:
            while (message := await self._next()) is not None:
                if message.get("body"):
                    yield message["body"]
        except RuntimeError as error:
            _log.error("plugin.stream_failed", path=self._scope["path"], exc_info=error)
            raise
        finally:
            self._task.cancel()

    async def _next(self) -> dict[str, Any] | None:
        part = await self._parts.get()
        if not isinstance(part, BaseException):
            return part
        raise RuntimeError("What a plugin was sending ended with an error.") from part

    async def _work(self) -> None:
        last: BaseException | None = None
        try:
            await self._response(self._scope, _never, self._send)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - plugin border: handed to whoever waits for it
            last = error
        asyncio.run_coroutine_threadsafe(self._parts.put(last), self._ours)

    async def _send(self, message: Any) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._parts.put(dict(message)), self._ours))


async def _never() -> Any:
    """Wait: whoever goes away cancels all of this."""
    return await asyncio.get_running_loop().create_future()
