"""Threads for work that waits: the store, and the code of steps.

Unlike those of `concurrent.futures` they are daemons, so code that never ends does not keep the program from ending;
and handing them something costs half as much, which counts where it is done for every request.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable, Generator
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Task = Callable[[], None]


class Outcome:
    """Carries the outcome of something from the thread that did it to the coroutine that waits for it."""

    __slots__ = ("_future", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[Any] = self._loop.create_future()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._future.__await__()

    def deliver(self, result: Any, error: BaseException | None) -> None:
        """Take the outcome, from any thread. A caller that has gone away is no reason to fail."""
        try:
            self._loop.call_soon_threadsafe(self._settle, result, error)
        except RuntimeError:  # The loop is closed: nobody waits any more, and what was done is done all the same.
            return

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self._future.done():  # Cancelled meanwhile.
            return
        if error is None:
            self._future.set_result(result)
        elif isinstance(error, StopIteration):  # The one thing a future refuses; whoever waits would wait for ever.
            meant = RuntimeError("StopIteration was raised")
            meant.__cause__ = error
            self._future.set_exception(meant)
        else:
            self._future.set_exception(error)


class Threads:
    """A few threads that do one thing after another; started when they are first needed."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    async def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function on one of the threads and return what it returns."""
        outcome = Outcome()
        context = contextvars.copy_context()

        def task() -> None:
            try:
                result = context.run(function, *args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
                outcome.deliver(None, error)
            else:
                outcome.deliver(result, None)

        self._give(task)
        returned: T = await outcome
        return returned

    def close(self, *, wait: bool = True) -> None:
        """Do what was taken on, then end the threads; without `wait`, leave those that are busy to themselves."""
        with self._lock:  # Nothing can be given after the signs to end, where nobody would take it.
            self._closed = True
            for _ in self._started:
                self._tasks.put(None)
        if wait:
            for thread in self._started:
                thread.join()

    def _give(self, task: _Task) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self._name} is closed")
            if self._idle == 0 and len(self._started) < self._most:
                thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._started.append(thread)
                thread.start()
            else:
                self._idle -= 1
            self._tasks.put(task)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            with self._lock:
                self._idle += 1
