"""How work that takes long is asked to stop, from whatever thread or loop it is waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal, TypeVar

from pipulate._threads import Threads

T = TypeVar("T")
Stop = Callable[[], bool]
"""Tells whether to stop: `threading.Event.is_set`, for one. Asked ten times a second, on any thread."""

Why = Literal["cancel", "pause", "timeout"]
"""`cancel`: somebody asked for it; `pause`: the program ends, and goes on later; `timeout`: it took too long."""

LOOK_S = 0.1  # Seconds between two looks at whether to stop.


class Stopped(BaseException):
    """A job was asked to stop. No error: `except Exception` does not take it for one."""

    def __init__(self, why: Why = "cancel") -> None:
        self.why = why
        super().__init__(f"this job was asked to stop ({why})")


def never() -> bool:
    """Tell that nothing has to stop."""
    return False


def stop_if(stop: Stop) -> None:
    """Raise `Stopped` where it is time to."""
    if stop():
        raise Stopped


async def on_a_thread(work: Callable[[Stop], T], stop: Stop, name: str) -> T:
    """Call what waits on a thread of its own, with what tells it to stop; a caller that is cancelled stops it too.

    A cancelled caller does not wait for the end, which comes within a moment.
    """
    left = threading.Event()
    threads = Threads(1, name)
    try:
        return await threads.run(work, lambda: left.is_set() or stop())
    finally:
        left.set()
        threads.close(wait=False)
