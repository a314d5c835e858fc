"""Answers of steps that the chain asked for and could not fill in: kept for the browser, which asks for them next.

Without this the handler of such a step would be called twice for one look at the page, and what it does besides
answering would be done twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

LASTS_S = 10.0
"""Seconds an answer is kept; a browser asks at once."""

_MOST = 50


class KeptAnswers:
    """Answers by what they were made for; each is handed out once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with none; `clock` returns seconds that only go forward."""
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[Hashable, tuple[float, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._held)

    def keep(self, made_for: Hashable, answer: Any) -> None:
        """Keep an answer, or an exception; the oldest goes where there are too many."""
        now = self._clock()
        with self._lock:
            self._held.pop(made_for, None)
            self._held[made_for] = now + LASTS_S, answer
            over = max(0, len(self._held) - _MOST)
            for each in [name for at, (name, (ends, _)) in enumerate(self._held.items()) if at < over or ends <= now]:
                del self._held[each]

    def take(self, made_for: Hashable) -> tuple[Any] | None:
        """Return the answer that was kept, alone in a tuple, and forget it; None where there is none."""
        with self._lock:
            found = self._held.pop(made_for, None)
        return (found[1],) if found is not None and found[0] > self._clock() else None
