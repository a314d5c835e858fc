"""Jobs on DBOS Transact: the adapter of the port.

The engine runs on a thread with a loop of its own, so that nothing it does (it takes over the loop's threads, and waits
for its own when it ends) touches the loop of the server. The code of authors runs on neither: plain functions on
threads, `async` ones on a third loop, where one that blocks holds up only others of its kind.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Future
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from pipulate._clock import Clock, from_text
from pipulate._log import get_logger
from pipulate.errors import PipulateError
from pipulate.jobs.engine import Place, Transact, name_of
from pipulate.jobs.loops import Loop
from pipulate.jobs.stored import StoredJobs
from pipulate.jobs.working import backoff_s
from pipulate.storage import jobs
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow

T = TypeVar("T")
_LOOK_EVERY_S: Final = 5.0
_OPEN_S: Final = 5.0
_LAST_WRITES_S: Final = 10.0  # What a job has said is written before its loop ends, on slow disks too.
AT_ONCE: Final = 16
"""Most jobs at one time of those that have no limit of their own; the others wait here, in the order they came."""
_log = get_logger()


class TransactJobs(StoredJobs):
    """Runs jobs on the engine; see the port."""

    def __init__(self, db: Database, clock: Clock, place: Place, folder: Path | None = None) -> None:
        """Wire it up; nothing is loaded until there is a job. `folder` is that of the plugins."""
        super().__init__(db, clock, folder)
        self._engine = Transact(place, self._attempt)
        self._lock = threading.Lock()
        self._loop: Loop | None = None
        self._opened: Future[None] | None = None
        self._started: set[str] = set()
        self._direct: set[str] = set()
        self._attempting: set[str] = set()
        self._waiting: deque[JobRow] = deque()
        self._closed = False

    # The port

    def wake(self) -> None:
        """Begin: take up what was left."""
        if self._db.read_now(jobs.has_work):
            self._ensure()

    def start(self, row: JobRow) -> None:
        """Do a job that was added to the store."""
        if row.is_open and row.status == jobs.QUEUED:
            self._soon(self._begin(row))

    def _stop_waiting(self, row: JobRow) -> None:
        if not row.is_open and self._opened is not None:
            self._soon(self._engine.cancel(row.id, row.attempt))

    async def forget(self, ended: list[tuple[str, int]]) -> None:
        """Remove jobs that ended; from the engine's own tables too where it runs."""
        await super().forget(ended)
        names = [name_of(job, number) for job, last in ended for number in range(1, last + 1)]
        if names and self._opened is not None:
            await asyncio.wrap_future(self._soon(self._engine.forget(names)))

    async def close(self, drain_s: float = 20.0) -> None:
        """Let running jobs come to their next checkpoint, at most so long, then end."""
        with self._lock:
            self._closed = True
            loop, opened = self._loop, self._opened
        if loop is not None and opened is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_OPEN_S):
                    await asyncio.wrap_future(opened)
            if not opened.cancelled():
                await self._drain(drain_s)
                self._engine.be_quiet()
                await asyncio.get_running_loop().run_in_executor(None, self._engine.close)
        await asyncio.get_running_loop().run_in_executor(None, self._end, loop)

    async def _drain(self, drain_s: float) -> None:
        self._working.pause()
        doing = tuple(self._working.doing.values())
        with contextlib.suppress(PipulateError):
            await self._db.write(jobs.rest, [(each.row.id, each.row.attempt) for each in doing])
        end = asyncio.get_running_loop().time() + drain_s
        while any(not doing.is_at_rest for doing in tuple(self._working.doing.values())):
            if asyncio.get_running_loop().time() > end:
                _log.warning("jobs.not_drained", jobs=sorted(self._working.doing))
                return
            await asyncio.sleep(0.02)

    def _end(self, loop: Loop | None) -> None:
        self._working.close()
        if loop is not None:
            loop.close(_LAST_WRITES_S)

    # On the engine's loop

    def _ensure(self) -> Loop:
        """Have the engine running, or about to."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the jobs are closed")
            if self._loop is None:
                self._loop = Loop("jobs")
                self._opened = self._loop.submit(self._open())
            return self._loop

    def _soon(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        try:
            return self._ensure().submit(self._after_opening(coroutine))
        except RuntimeError:  # The program ends; the row is there, and the next start finds it.
            coroutine.close()
            done: Future[Any] = Future()
            done.set_result(None)
            return done

    async def _after_opening(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        assert self._opened is not None  # noqa: S101 - `_ensure` has seen to it
        try:
            await asyncio.shield(asyncio.wrap_future(self._opened))
        except asyncio.CancelledError:  # The program ends; the row is there, and the next start finds it.
            coroutine.close()
            raise
        try:
            return await coroutine
        except Exception as error:  # noqa: BLE001 - what an engine raises has no common root
            _log.error("jobs.not_started", exc_info=error)
            return None

    async def _open(self) -> None:
        while True:
            try:
                self._engine.open()
                break
            except Exception as error:  # noqa: BLE001 - what an engine raises has no common root
                _log.error("jobs.engine_failed", reason=str(error), exc_info=error)
            await asyncio.sleep(_LOOK_EVERY_S)
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Find jobs that nothing works on: asked for just before the program ended, or while the engine was away."""
        suspects = frozenset[str]()
        while not self._closed:
            try:
                suspects = await self._take_up(suspects)
            except PipulateError as error:
                _log.warning("jobs.not_looked", reason=str(error))
            except Exception as error:  # noqa: BLE001 - what an engine raises has no common root
                _log.warning("jobs.not_looked", exc_info=error)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _take_up(self, suspects: frozenset[str]) -> frozenset[str]:
        """Begin what nothing works on; return the attempts that the engine says are under way, but no code is.

        One of those that is among `suspects`, those of the last time, is lost: what the engine knows of it was damaged,
        or belongs to a process that is no more. Another attempt is safe: no more comes of the one before.
        """
        rows = {
            name_of(row.id, row.attempt): row
            for row in await self._db.read(jobs.unfinished)
            if name_of(row.id, row.attempt) not in self._attempting
        }
        states = await self._engine.states([name for name, row in rows.items() if self._delay_s(row) <= 0])
        found = set[str]()
        for name, row in rows.items():
            state = states.get(name)
            if state == "under way" and name not in suspects:
                found.add(name)
            elif state == "waits":
                if queue := queue_of(row):
                    await self._engine.provide(queue, row.at_once or 1)
            elif state is None:
                if name not in self._started:
                    self._soon(self._begin(row))
            elif name not in self._attempting:  # For the engine it ended, for us it did not: that is what counts.
                revived = await self._db.write(jobs.revive, row.id, row.attempt)
                if revived is not None:
                    self._soon(self._begin(revived))
        return frozenset(found)

    async def _begin(self, row: JobRow) -> None:
        name = name_of(row.id, row.attempt)
        delay_s = self._delay_s(row)
        if name in self._started or delay_s > _LOOK_EVERY_S:  # Whoever looks next begins it when it is time.
            return
        self._started.add(name)
        try:
            await asyncio.sleep(max(delay_s, 0))
        except BaseException:
            self._started.discard(name)
            raise
        if self._takes_a_place(row):
            if len(self._direct) >= AT_ONCE:
                self._waiting.append(row)
                return
            self._direct.add(name)
        await self._launch(row)

    async def _launch(self, row: JobRow) -> None:
        """Hand a job to the engine; where it does not take it, whoever looks next begins it again."""
        try:
            await self._engine.start(row.id, row.attempt, queue=queue_of(row), limit=row.at_once or 1)
        except BaseException:
            self._ended(name_of(row.id, row.attempt))
            raise

    def _takes_a_place(self, row: JobRow) -> bool:
        """Tell whether a job is one of those that run `AT_ONCE`, and not limited in its own way."""
        kind = self._working.kinds.get(row.kind)
        return queue_of(row) is None and not (kind is not None and kind.waits_for_others)

    def _ended(self, name: str) -> None:
        """Take note that no more comes of an attempt, and let another job begin where it had kept that waiting."""
        self._started.discard(name)
        self._direct.discard(name)
        while self._waiting and len(self._direct) < AT_ONCE:
            row = self._waiting.popleft()
            self._direct.add(name_of(row.id, row.attempt))
            self._soon(self._launch(row))

    def _delay_s(self, row: JobRow) -> float:
        """Return how long a job is not to begin yet, in seconds."""
        if row.start_at is None or row.status != jobs.QUEUED:
            return 0.0
        delay_s = (from_text(row.start_at) - self._clock.now()) / timedelta(seconds=1)
        if row.failures and delay_s > backoff_s(row.backoff_s, row.failures - 1):  # The clock was put back meanwhile.
            return 0.0
        return delay_s

    async def _attempt(self, job: str, attempt: int) -> None:
        name = name_of(job, attempt)
        self._attempting.add(name)
        try:
            next_one = await self._working.attempt(job, attempt)
        finally:
            self._attempting.discard(name)
            self._ended(name)
        if next_one is not None:
            self.start(next_one)


def queue_of(row: JobRow) -> str | None:
    """Return the queue a job has to itself and its like, or None."""
    return f"{row.app}.{row.step}" if row.at_once is not None else None
