"""How far running steps are: told as they go, but no more often than anybody could see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from pipulate.events import StepProgressed

EVERY_S = 1 / 20
"""Shortest time between two reports of a run; of those in between only the last is told."""


class Progressing:
    """The last report of each run whose step is running. Steps report from any thread, as often as they like.

    Attributes:
        now: Run -> its last report that was told.
    """

    def __init__(self, publish: Callable[[StepProgressed], None]) -> None:
        """Wire it up; `publish` is called on the event loop."""
        self.now: dict[str, StepProgressed] = {}
        self._publish = publish
        self._waiting: dict[str, StepProgressed] = {}
        self._lock = threading.Lock()

    def report(self, loop: asyncio.AbstractEventLoop, report: StepProgressed) -> None:
        """Take a report, from any thread."""
        with self._lock:
            is_first = report.run not in self._waiting
            self._waiting[report.run] = report
        if is_first:
            loop.call_soon_threadsafe(self._tell, loop, report.run)

    def ended(self, run: str, step: str) -> None:
        """Say that a step has ended, on the event loop; nothing is told where it had reported nothing."""
        with self._lock:
            last = self._waiting.pop(run, None)
        if last is not None and self.now.get(run) is not last:
            self.now[run] = last
            self._publish(last)
        if self.now.pop(run, None) is not None:
            self._publish(StepProgressed(run, step, None))

    def _tell(self, loop: asyncio.AbstractEventLoop, run: str) -> None:
        """Tell the last report of a run, and look again a little later; it stays until there is nothing new."""
        with self._lock:
            last = self._waiting.get(run)
            if last is not None and self.now.get(run) is last:
                del self._waiting[run]
                return
        if last is not None:
            self.now[run] = last
            self._publish(last)
            loop.call_later(EVERY_S, self._tell, loop, run)
