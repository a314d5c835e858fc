"""Results that are heavy to make and needed more than once: made once for each run, and anew when out of date.

They live in memory, so a restart makes them anew; what has to outlive one is the result of a step.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from pipulate.workflows.run import Run

P = ParamSpec("P")
R = TypeVar("R")
KEPT_MAX = 256
"""Most results kept for one function, of all runs together; the one that was not used longest goes first."""


@dataclass(slots=True)
class _Kept:
    """One result, what it was made from, and the lock that lets one thread make it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    reads: Mapping[str, str] | None = None
    result: Any = None


class Cached(Generic[P, R]):
    """A function of the run whose results are kept. Calling it with the same arguments calls the function once.

    It is called again when a step that it read has another value. What it reads counts as read by the step that asks.
    """

    def __init__(self, function: Callable[Concatenate[Run, P], R]) -> None:
        update_wrapper(self, function)
        self._function = function
        self._kept: OrderedDict[Any, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, run: Run, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result for a run and these arguments, which have to be hashable."""
        kept = self._find((run.id, args, tuple(sorted(kwargs.items()))))
        with kept.lock:  # Whoever asks for it at the same moment waits and finds it made.
            if kept.reads is None or not run.is_as_read(kept.reads):
                own = run.anew()
                kept.result = self._function(own, *args, **kwargs)
                kept.reads = dict(own.reads)
            run.reads.update(kept.reads)
            result: R = kept.result
            return result

    def _find(self, key: Any) -> _Kept:
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return kept
