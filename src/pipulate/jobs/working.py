"""One attempt at a job from its beginning to what came of it, whatever engine calls for it."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate._threads import Threads
from pipulate.errors import JobError, ModelError, StoreUnavailableError
from pipulate.jobs.doing import Doing
from pipulate.jobs.loops import Loop
from pipulate.jobs.port import Kind
from pipulate.jobs.processes import Processes
from pipulate.jobs.stopping import Stopped
from pipulate.storage import jobs
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow

STARTS_MAX: Final = 3
"""Times a process may begin the same attempt. One that ends the program each time is not tried for ever."""
BACKOFF_MAX_S: Final = 600.0
SILENT_S: Final = 45.0
"""Seconds without a sign of life after which a job is said to be silent."""
_WRITE_EVERY_S = 0.5
_BEAT_EVERY_S = 10.0
_SHOW_LIFE_S = 5.0
_STORE_AGAIN_S = 0.5
_TRACE_MAX = 20_000
_OURS, _IN_BOX = str(Path(__file__).parents[1]), "builtin"
_log = get_logger()


class Working:
    """Does attempts; on the loop of the jobs.

    Attributes:
        kinds: Name -> who does jobs of that kind.
        doing: The jobs under way, by id.
        threads: For the code of jobs that waits or computes.
        processes: For code that has a process of its own.
        is_closing: Whether the program is about to end, so that nothing new begins.
    """

    def __init__(self, db: Database, clock: Clock, tell: Callable[[JobRow], None], folder: Path | None = None) -> None:
        self.kinds: dict[str, Kind] = {}
        self.doing: dict[str, Doing] = {}
        self.threads = Threads(64, "job")
        self.processes = Processes(max(2, os.cpu_count() or 1), folder)
        self.is_closing = False
        self._db, self._clock, self._tell = db, clock, tell
        self._authors: Loop | None = None
        self._lock = threading.Lock()

    async def call(self, doing: Doing, function: Callable[..., Any], /, **given: Any) -> Any:
        """Call the code of an author: a plain function on a thread, an `async` one on a loop for all of these."""
        if not inspect.iscoroutinefunction(inspect.unwrap(function)):
            return await self.threads.run(function, **given)
        with self._lock:
            if self._authors is None:
                self._authors = Loop("jobs-async")
                self._authors.submit(self._show_life())
            under_way = self._authors.submit(function(**given))
        doing.is_async = True

        def stop() -> None:
            if doing.why != "pause":  # Before a pause it may come to its next checkpoint.
                under_way.cancel()

        forget = doing.when_stopped(stop)
        try:
            return await asyncio.wrap_future(under_way)
        except asyncio.CancelledError:
            doing.check()  # Where it was asked to stop, this says so.
            raise
        finally:
            forget()
            doing.is_async = False

    async def attempt(self, job: str, attempt: int) -> JobRow | None:
        """Do an attempt; return the job where another attempt is to follow, else None. It waits for the store."""
        counts = True
        while True:
            try:
                return await self._attempt(job, attempt, counts=counts)
            except StoreUnavailableError as error:  # Whatever it did, its finished parts are kept; nobody is to blame.
                _log.warning("job.store_unavailable", job=job, reason=str(error))
                counts = False
                await asyncio.sleep(_STORE_AGAIN_S)

    async def _attempt(self, job: str, attempt: int, *, counts: bool) -> JobRow | None:
        if self.is_closing:
            await _for_ever()
        row = await self._db.write(jobs.begin, job, attempt, self._now(), counts=counts)
        if row is None:
            return None
        kind = self.kinds.get(row.kind)
        if row.starts > STARTS_MAX:
            await self._end(row, jobs.FAILED, f"The program ended {STARTS_MAX} times while it worked on this.")
            await self._told(job)
            return None
        obstacle = kind.obstacle(row) if kind is not None else "Nothing installed can do this."
        if obstacle:
            await self._db.write(jobs.park, job, obstacle)
            await self._told(job)
            return None
        assert kind is not None  # noqa: S101 - it has no obstacle
        doing = Doing(row, self._db, self._clock, self.threads, self.processes, self.call)
        self.doing[job] = doing
        if self.is_closing:
            doing.stop("pause")
        if row.attempt > 1 or row.starts > 1:
            doing.log(f"Attempt {row.attempt}" if row.starts == 1 else "Taken up again after the program ended")
        if row.stop:
            doing.stop("cancel")
        self._tell(row)
        writing = asyncio.create_task(self._write_down(doing))
        try:
            return await self._do(kind, doing)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._last_words(doing)
            if self.doing.get(job) is doing:  # Not that of an attempt which somebody has asked for meanwhile.
                del self.doing[job]
            await self._told(job)

    async def _do(self, kind: Kind, doing: Doing) -> JobRow | None:
        """Call for the work itself, and judge how it ended."""
        row = doing.row
        try:
            doing.check()
            async with asyncio.timeout(row.timeout_s) as limit:
                await kind.do(doing)
        except Stopped:
            if self.is_closing or doing.why == "pause":
                await self._last_words(doing)
                doing.is_at_rest = True
                await _for_ever()
            if doing.why == "timeout":
                return await self._failed(doing, _TooLongError(row.timeout_s or 0))
            await self._end(row, jobs.CANCELLED, "Cancelled.")
        except TimeoutError as error:
            if not limit.expired() or doing.stopped.is_set():  # The code's own.
                return await self._failed(doing, error)
            doing.stop("timeout")
            return await self._failed(doing, _TooLongError(row.timeout_s or 0))
        except StoreUnavailableError:
            raise
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - plugin border: `sys.exit()` in a job must not end the program
            return await self._failed(doing, error)
        return None

    async def _failed(self, doing: Doing, error: BaseException) -> JobRow | None:
        """Write down that an attempt failed; return the job where another one is to follow.

        What code comes to that nobody waits for any more, or that was asked to stop, is no failure: what it worked on
        may have been taken from under it.
        """
        await self._last_words(doing)
        row, reference = doing.row, error_id()
        if overtaken := await self._db.read(self.kinds[row.kind].overtaken, row):
            await self._cancelled(row, overtaken)
            return None
        trace = traced(error)
        reason = str(error) if isinstance(error, JobError | ModelError) else "The app made an error in this step."
        next_one = None
        if row.failures < row.retries:
            wait_s = backoff_s(row.backoff_s, row.failures)
            start_at = to_text(self._clock.now() + timedelta(seconds=wait_s))
            next_one = await self._db.write(jobs.again, row.id, row.attempt, start_at, reason, trace, reference)
            has_failed = next_one is not None
        else:
            has_failed = await self._end(row, jobs.FAILED, reason, trace=trace, error_id=reference, unless_stopped=True)
        if has_failed:
            _log.error("job.failed", job=row.id, step=row.step, app=row.app, attempt=row.attempt, error_id=reference,
                       exc_info=error)  # fmt: skip
        else:
            await self._cancelled(row, "Cancelled.")
        return next_one

    async def _cancelled(self, row: JobRow, reason: str) -> None:
        """Write down that an attempt came to nothing, and was not to come to anything any more."""
        _log.info("job.failed_too_late", job=row.id, step=row.step, app=row.app, reason=reason)
        await self._end(row, jobs.CANCELLED, reason)

    async def _end(self, row: JobRow, status: str, reason: str, **what: Any) -> bool:
        return await self._db.write(jobs.end, row.id, row.attempt, status, self._now(), reason=reason, **what)

    async def _write_down(self, doing: Doing) -> None:
        """Keep what a job says, and hear from other processes that it is to stop."""
        waited, was_silent = _BEAT_EVERY_S, False  # Soon after it began: somebody may have asked it to stop just then.
        while True:
            await asyncio.sleep(_WRITE_EVERY_S)
            waited += _WRITE_EVERY_S
            is_silent = doing.silent_s > SILENT_S
            if not doing.has_news and waited < _BEAT_EVERY_S and is_silent == was_silent:
                continue
            waited = 0.0
            try:
                has_news = doing.has_lines
                await doing.write_down()
                if has_news or is_silent != was_silent:
                    was_silent = is_silent
                    self._tell(doing.row)
            except StoreUnavailableError as error:
                _log.warning("job.not_written", job=doing.row.id, reason=str(error))

    async def _last_words(self, doing: Doing) -> None:
        try:
            if doing.has_news:
                await doing.write_down()
        except StoreUnavailableError as error:
            _log.warning("job.not_written", job=doing.row.id, reason=str(error))

    async def _told(self, job: str) -> None:
        """Tell everybody how a job stands."""
        row = await self._db.read(jobs.find, job)
        if row is not None:
            self._tell(row)

    async def _show_life(self) -> None:
        """Take note that the jobs which share this loop are alive: it turns."""
        while True:
            for doing in tuple(self.doing.values()):
                if doing.is_async:
                    doing.shows_life()
            await asyncio.sleep(_SHOW_LIFE_S)

    def pause(self) -> None:
        """Ask all jobs to come to their next checkpoint and stop there, to go on at the next start."""
        self.is_closing = True
        for doing in tuple(self.doing.values()):
            doing.stop("pause")

    def close(self) -> None:
        """Let go of loop, threads and processes."""
        if self._authors is not None:
            self._authors.close()
        self.processes.close()
        self.threads.close(wait=False)

    def _now(self) -> str:
        return to_text(self._clock.now())


class _TooLongError(JobError):
    code = "job.timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"This took longer than {seconds:g} seconds, which is all it may take, and was stopped.")


def backoff_s(first_s: float, failures: int) -> float:
    """Return the wait before the next attempt after so many others had failed before the last one."""
    return min(first_s * float(2 ** min(failures, 20)), BACKOFF_MAX_S)


def is_theirs(file: str) -> bool:
    """Tell whether code is of an author, and not of this package; the apps in the box are written as theirs are."""
    return not file.startswith(_OURS) or _IN_BOX in file


def traced(error: BaseException) -> str:
    """Return the traceback of an error, without the frames of this package."""
    told = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = told
    while each is not None:
        theirs = [frame for frame in each.stack if is_theirs(frame.filename)]
        if theirs:
            each.stack[:] = theirs
        each = each.__cause__ or each.__context__
    return "".join(told.format())[-_TRACE_MAX:]


async def _for_ever() -> None:
    """Wait to be cancelled with the loop: for the engine the attempt is under way, and goes on at the next start."""
    await asyncio.Event().wait()
