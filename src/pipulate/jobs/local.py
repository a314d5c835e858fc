"""Jobs in this process and loop, without an engine: what the test kit for authors plays apps with.

They end with the process, so nothing is taken up again; everything else is as with the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from pipulate._clock import Clock, from_text
from pipulate.jobs.stored import StoredJobs
from pipulate.storage import jobs
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow


class LocalJobs(StoredJobs):
    """Runs jobs on the loop it is first used on; see the port."""

    def __init__(self, db: Database, clock: Clock) -> None:
        super().__init__(db, clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._attempts: dict[str, int] = {}
        self._waits: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}

    def wake(self) -> None:
        """Do nothing: nothing can have been left."""

    def start(self, row: JobRow) -> None:
        """Do a job that was added to the store; on the event loop."""
        if self._attempts.get(row.id) == row.attempt or row.status not in (jobs.QUEUED, jobs.RUNNING):
            return
        self._attempts[row.id] = row.attempt
        task = asyncio.get_running_loop().create_task(self._do(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _stop_waiting(self, row: JobRow) -> None:
        if row.id in self._waits:
            self._waits[row.id].cancel()

    async def idle(self) -> None:
        """Wait until no job is under way or about to be."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self, drain_s: float = 20.0) -> None:
        """End what runs."""
        del drain_s
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._working.close()

    async def _do(self, row: JobRow) -> None:
        following: JobRow | None = row
        while following is not None:
            self._attempts[row.id] = following.attempt
            if following.start_at is not None and not await self._waited(following):
                return
            async with self._turn(following):
                following = await self._working.attempt(following.id, following.attempt)

    async def _waited(self, row: JobRow) -> bool:
        """Wait until a job may begin; False where it was cancelled meanwhile."""
        wait = from_text(row.start_at or "") - self._clock.now()
        waiting = asyncio.create_task(asyncio.sleep(max(0.0, wait / timedelta(seconds=1))))
        self._waits[row.id] = waiting
        try:
            await asyncio.wait([waiting])
            return not waiting.cancelled()
        finally:
            waiting.cancel()
            self._waits.pop(row.id, None)

    def _turn(self, row: JobRow) -> contextlib.AbstractAsyncContextManager[object]:
        """Return what waits until so few of its like run that it may."""
        if row.at_once is None:
            return contextlib.nullcontext()
        return self._turns.setdefault(f"{row.app}.{row.step}.{row.at_once}", asyncio.Semaphore(row.at_once))
