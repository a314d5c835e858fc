"""One attempt at a job, while it is under way: what it says, what it has finished, and whether it is to stop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
import json
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, ParamSpec, TypeVar, TypeVarTuple, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

from pipulate._clock import Clock, to_text
from pipulate._threads import Threads
from pipulate.errors import PartRefusedError, StoreUnavailableError
from pipulate.jobs.processes import Processes
from pipulate.jobs.stopping import Stopped, Why
from pipulate.storage import jobs
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PART_MAX_BYTES: Final = 1_000_000
"""Largest result of a checkpoint; what is larger belongs into a file."""
LINE_MAX: Final = 2_000
_LINES_WAITING = 1_000

_part: contextvars.ContextVar[str] = contextvars.ContextVar("part", default="")


class Doing:
    """What is known of an attempt. Its code runs on any thread; signs of life and words are written down in between.

    Attributes:
        row: The job, as it was when the attempt began.
        is_async: Whether its code shares a loop with others, which shows by itself that it is alive.
        is_at_rest: Whether it has paused, so that the program can end.
    """

    def __init__(
        self,
        row: JobRow,
        db: Database,
        clock: Clock,
        threads: Threads,
        processes: Processes,
        calls: Callable[..., Coroutine[Any, Any, Any]],
    ) -> None:
        self.row, self.db, self.clock, self.threads, self.processes = row, db, clock, threads, processes
        self._calls = calls
        self.is_async = False
        self.is_at_rest = False
        self.stopped = threading.Event()
        self._why: Why = "cancel"
        self._lock = threading.Lock()
        self._progress: dict[str, Any] | None = None
        self._partial: str | None = None
        self._lines: list[tuple[str, str]] = []
        self._alive = time.monotonic()
        self._is_new = False
        self._on_stop: list[Callable[[], None]] = []

    # What its code says

    def check(self) -> None:
        """Show that it is alive, and end it here where it is to stop.

        Raises:
            Stopped: If it is.
        """
        self._alive = time.monotonic()
        if self.stopped.is_set():
            raise Stopped(self._why)

    def say(self, done: float, total: float | None, text: str, left_s: float | None = None) -> None:
        """Say how far it is; errors as in `check`."""
        self.check()
        with self._lock:
            self._progress = {"done": done, "total": total, "text": text[:LINE_MAX], "left_s": left_s}
            self._is_new = True

    def log(self, line: str) -> None:
        """Add a line to the log; errors as in `check`."""
        self.check()
        with self._lock:
            self._lines.append((to_text(self.clock.now()), str(line)[:LINE_MAX]))
            del self._lines[:-_LINES_WAITING]
            self._is_new = True

    def partial(self, shown: str) -> None:
        """Show what is there so far, as JSON; errors as in `check`."""
        self.check()
        with self._lock:
            self._partial = shown
            self._is_new = True

    async def call(self, function: Callable[..., Any], /, **given: Any) -> Any:
        """Call the code of an author where it holds nobody up; errors as in `check`."""
        result = await self._calls(self, function, **given)
        if self.has_news:  # What it said is there when it is done.
            with contextlib.suppress(StoreUnavailableError):
                await self.write_down()
        return result

    # What becomes of it

    def stop(self, why: Why) -> None:
        """Ask it to stop, from any thread."""
        with self._lock:
            if not self.stopped.is_set():
                self._why = why
                self.stopped.set()
            listeners = tuple(self._on_stop)
        for each in listeners:
            each()

    def is_over(self) -> bool:
        """Tell whether what works for it elsewhere has to end at once; before a pause it may finish."""
        return self.stopped.is_set() and self._why != "pause"

    @property
    def why(self) -> Why:
        """Why it is to stop."""
        return self._why

    def when_stopped(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a listener when it is asked to stop, on whatever thread, at once where it was already.

        Call what comes back when that is of no interest any more.
        """
        with self._lock:
            self._on_stop.append(listener)
            is_late = self.stopped.is_set()
        if is_late:
            listener()

        def forget() -> None:
            with self._lock:
                if listener in self._on_stop:
                    self._on_stop.remove(listener)

        return forget

    def end(self, status: str = jobs.DONE, *, result: Any = None, reason: str = "") -> bool:
        """Say what came of it; False where it had ended already. It waits for the store."""
        text = None if result is None else json.dumps(result)
        return self.db.write_now(
            jobs.end, self.row.id, self.row.attempt, status, to_text(self.clock.now()), result=text, reason=reason
        )

    async def write_down(self) -> None:
        """Write down what is new since the last time, and hear whether somebody wants it to stop."""
        with self._lock:
            progress = json.dumps(self._progress) if self._is_new and self._progress else None
            partial, self._partial = self._partial, None
            lines, self._lines = self._lines, []
            self._is_new = False
        try:
            is_to_stop = await self.db.write(jobs.note, self.row.id, self._beat(), progress, partial, lines)
        except StoreUnavailableError:
            self._take_back(partial, lines)
            raise
        if is_to_stop:
            self.stop("cancel")

    def _take_back(self, partial: str | None, lines: list[tuple[str, str]]) -> None:
        """Keep what could not be written down for the next time."""
        with self._lock:
            self._lines[:0] = lines
            del self._lines[:-_LINES_WAITING]
            self._partial = self._partial or partial
            self._is_new = True

    @property
    def silent_s(self) -> float:
        """Seconds since it last showed that it is alive."""
        return time.monotonic() - self._alive

    def shows_life(self) -> None:
        """Take note that it is alive although it said nothing."""
        self._alive = time.monotonic()

    @property
    def has_news(self) -> bool:
        """Whether it said anything since that was last written down."""
        return self._is_new

    @property
    def has_lines(self) -> bool:
        """Whether it logged or showed anything since that was last written down."""
        return bool(self._lines) or self._partial is not None

    def _beat(self) -> str:
        return to_text(self.clock.now() - timedelta(seconds=self.silent_s))


class Job:
    """The job a step runs in, for its code: parts that are not done twice, waiting, work outside the process.

    Every call ends the step here where it is to stop. In an `async` step use the calls that are awaited, in a plain one
    those that end in `_now`.
    """

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    @property
    def id(self) -> str:
        """Its id: the same over restarts and attempts."""
        return self._doing.row.id

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._doing.row.attempt

    @property
    def key(self) -> str:
        """A key for services that know repeats by one: the same whenever this part of this job is done again.

        Outside of parts it is that of the job: what hands it to a part as an argument wants `key_for`.
        """
        part = _part.get()
        return self.key_for(part) if part else self.id

    def key_for(self, name: str) -> str:
        """Return what `key` is within the part of that name."""
        return f"{self.id}:{name}"

    def check(self) -> None:
        """End the step here if it is to stop."""
        self._doing.check()

    async def checkpoint(self, name: str, function: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Do a part once: call a function and record what it returns; where that was recorded before, return that.

        A process that dies in between does the part again, so it runs at least once and its result counts once.

        Args:
            name: What it is known by in this job, whatever order parts come in.
            function: Does the part; a plain function runs on a thread.
            *args: What it is called with.
            **kwargs: What it is called with.

        Raises:
            PartRefusedError: If the result has no form in JSON, or is too large.
        """
        self._doing.check()
        known = await self._doing.db.read(jobs.part, self.id, name)
        if known is None:
            token = _part.set(name)
            try:
                called = functools.partial(function, *args, **kwargs)
                is_async = inspect.iscoroutinefunction(inspect.unwrap(function))
                result = await (called() if is_async else self._doing.threads.run(called))
                if inspect.isawaitable(result):
                    result = await result
            finally:
                _part.reset(token)
            row, at = self._doing.row, to_text(self._doing.clock.now())
            known = await self._doing.db.write(jobs.put_part, row.id, row.attempt, name, _json_of(name, result), at)
            if known is None:
                raise Stopped
        self._doing.check()
        return _read(known, function)

    def checkpoint_now(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """As `checkpoint`, for plain steps."""
        self._doing.check()
        known = self._doing.db.read_now(jobs.part, self.id, name)
        if known is None:
            token = _part.set(name)
            try:
                result = function(*args, **kwargs)
            finally:
                _part.reset(token)
            row, at = self._doing.row, to_text(self._doing.clock.now())
            known = self._doing.db.write_now(jobs.put_part, row.id, row.attempt, name, _json_of(name, result), at)
            if known is None:
                raise Stopped
        self._doing.check()
        read: T = _read(known, function)
        return read

    async def wait(self, seconds: float) -> None:
        """Wait; it ends at once when the job is to stop."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(woken.set)

        forget = self._doing.when_stopped(wake)
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            pass
        finally:
            forget()
        self._doing.check()

    def wait_now(self, seconds: float) -> None:
        """As `wait`, for plain steps."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0 and not self._doing.stopped.wait(min(left, 10.0)):
            self._doing.shows_life()
        self._doing.check()

    async def in_process(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Call a function of a module in a process of its own, which is killed when the job is to stop.

        Raises:
            ProcessDiedError: If the process ends before the function does.
            TypeError: If the function or what it is given cannot go there.
        """
        self._doing.check()
        with Living(self._doing):
            return await self._doing.processes.call(function, *args, stop=self._doing.is_over)

    def in_process_now(self, function: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """As `in_process`, for plain steps."""
        self._doing.check()
        with Living(self._doing):
            return self._doing.processes.call_now(function, *args, stop=self._doing.is_over)

    async def program(self, *args: str, **options: Any) -> int:
        """Run another program, without a shell; its lines go to the log. It is killed when the job is to stop.

        Returns:
            Its exit code.

        Raises:
            ProgramMissingError: If there is none of that name.
        """
        from pipulate.jobs import programs  # noqa: PLC0415 - few jobs run one

        self._doing.check()
        with Living(self._doing):
            return await programs.run(args, stop=self._doing.is_over, line=self._doing.log, **options)

    def program_now(self, *args: str, **options: Any) -> int:
        """As `program`, for plain steps."""
        from pipulate.jobs import programs  # noqa: PLC0415

        self._doing.check()
        with Living(self._doing):
            return programs.run_now(args, stop=self._doing.is_over, line=self._doing.log, **options)


class Living:
    """Shows that a job is alive while something else works for it; that has its own ways to end."""

    def __init__(self, doing: Doing) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        self._was = self._doing.is_async
        self._doing.is_async = True

    def __exit__(self, *_: object) -> None:
        self._doing.is_async = self._was
        if self._doing.stopped.is_set():
            self._doing.check()


def _json_of(name: str, result: Any) -> str:
    try:
        raw = to_json(result)
    except PydanticSerializationError as error:
        raise PartRefusedError(name, f"what it returned has no form in JSON ({error})") from None
    if len(raw) > PART_MAX_BYTES:
        raise PartRefusedError(name, f"what it returned has {len(raw):,} bytes; put it into a file and return its name")
    return raw.decode()


def _read(text: str, function: Callable[..., Any]) -> Any:
    """Return a recorded result as the function's annotation says, or as plain JSON."""
    adapter = _adapter_of(getattr(function, "__func__", function))  # Nothing that a method is bound to is held.
    return json.loads(text) if adapter is None else adapter.validate_json(text)


@functools.lru_cache(maxsize=256)
def _adapter_of(function: Callable[..., Any]) -> TypeAdapter[Any] | None:
    try:
        returns = get_type_hints(inspect.unwrap(function)).get("return", Any)
        return None if returns in (Any, type(None)) else TypeAdapter(returns)
    except Exception:  # noqa: BLE001 - plugin border: an annotation is the author's code; plain JSON will do
        return None
