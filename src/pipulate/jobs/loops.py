"""Threads with an event loop, for what must not run on the server's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Loop:
    """A thread with an event loop."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine there; what the caller has in its context is none of its business."""
        return contextvars.Context().run(asyncio.run_coroutine_threadsafe, coroutine, self._loop)

    def close(self, within_s: float = 2.0) -> None:
        """Cancel what runs there, and end the thread; what is held up for longer than that is left to itself."""
        with contextlib.suppress(RuntimeError):
            asyncio.run_coroutine_threadsafe(self._cancel(within_s), self._loop)
        self._thread.join(within_s + 3)

    async def _cancel(self, within_s: float) -> None:
        tasks = asyncio.all_tasks(self._loop) - {asyncio.current_task(self._loop)}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=within_s) if tasks else None
        self._closing = True
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            while not self._closing:
                with contextlib.suppress(SystemExit, KeyboardInterrupt):  # Of code that runs here; others go on.
                    self._loop.run_forever()
        finally:
            self._loop.close()
