"""Notices a handler that holds up the loop of all class-style plugins, and says in the log which line it is at."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Callable
from types import FrameType

from pipulate._log import get_logger

LIMIT_S = 0.25
"""Seconds that a handler may keep the loop to itself before that is logged."""

_log = get_logger()


class Watch:
    """Asks the loop for a sign of life while it has something to do, on a thread of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, watched: threading.Thread, works: Callable[[], bool]) -> None:
        """Begin; `works` tells whether the loop has anything to do."""
        self._loop, self._watched, self._works = loop, watched, works
        self._busy, self._alive, self._over = threading.Event(), threading.Event(), threading.Event()
        threading.Thread(target=self._look, name="explicit-watch", daemon=True).start()

    def begin(self) -> None:
        """Take down that there is something to watch."""
        if not self._busy.is_set():
            self._busy.set()

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._busy.set()
        self._alive.set()

    def _look(self) -> None:
        while self._busy.wait() and not self._over.is_set():
            self._busy.clear()
            self._alive.clear()
            try:
                self._loop.call_soon_threadsafe(self._alive.set)
            except RuntimeError:  # It is closed.
                return
            if not self._alive.wait(LIMIT_S):
                self._tell()
                self._alive.wait()  # Once is enough, however long it takes.
            self._over.wait(LIMIT_S)
            if self._works():
                self._busy.set()

    def _tell(self) -> None:
        frame = sys._current_frames().get(self._watched.ident or 0)  # noqa: SLF001 - there is no other way to it
        if frame is None:
            return
        at = _in_plugin(frame)
        _log.warning(
            "plugin.holds_up", plugin=at.f_globals.get("__name__"), file=at.f_code.co_filename, line=at.f_lineno,
            stack="".join(traceback.format_stack(frame)[-8:]),
        )  # fmt: skip


def _in_plugin(frame: FrameType) -> FrameType:
    """Return the innermost frame that is code of a plugin, else the innermost of all."""
    found: FrameType | None = frame
    while found is not None:
        if str(found.f_globals.get("__name__", "")).startswith("plugins."):
            return found
        found = found.f_back
    return frame
