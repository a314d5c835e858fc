"""What every adapter of the port does alike: the row in the store counts, and whoever works follows it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.jobs.doing import Doing
from pipulate.jobs.port import Kind, Request, row_of
from pipulate.jobs.working import Working
from pipulate.storage import jobs
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow


class StoredJobs(ABC):
    """Jobs as rows; see the port. An adapter says how one begins, and how one that waits is told to stop."""

    def __init__(self, db: Database, clock: Clock, folder: Path | None = None) -> None:
        self._db, self._clock = db, clock
        self._working = Working(db, clock, self._tell, folder)
        self._listeners: list[Callable[[JobRow], None]] = []

    def register(self, kind: str, does: Kind) -> None:
        """Say who does the jobs of a kind."""
        self._working.kinds[kind] = does

    def listen(self, listener: Callable[[JobRow], None]) -> None:
        """Call a listener, on whatever thread, when the status of a job has changed."""
        self._listeners.append(listener)

    def doing(self, job: str) -> Doing | None:
        """Return what is known of a job that this process works on just now."""
        return self._working.doing.get(job)

    async def ask(self, request: Request) -> JobRow:
        """Add a job to the store and start it."""
        row = await self._db.write(jobs.add, row_of(request, new_id(), to_text(self._clock.now())))
        self._tell(row)
        self.start(row)
        return row

    async def cancel(self, job: str, owner: str, reason: str = "") -> JobRow | None:
        """Ask for a job to be cancelled."""
        now = to_text(self._clock.now())
        row = await self._db.write(jobs.ask_to_stop, job, owner, now, reason or "Cancelled.")
        if row is None:
            return None
        doing = self._working.doing.get(job)
        if doing is not None:
            doing.stop("cancel")
        else:
            self._stop_waiting(row)
        self._tell(row)
        return row

    async def resume(self, job: str, owner: str, code: str | None = None) -> JobRow | None:
        """Ask for a job that failed, was cancelled or is parked once more."""
        row = await self._db.write(jobs.resume, job, owner, code)
        if row is not None:
            self._tell(row)
            self.start(row)
        return row

    async def forget(self, ended: list[tuple[str, int]]) -> None:
        """Remove jobs that ended."""
        for job, last in ended:  # One that was asked for again meanwhile stays.
            await self._db.write(jobs.forget, job, last)

    @abstractmethod
    def start(self, row: JobRow) -> None:
        """Do a job that was added to the store; returns at once."""

    @abstractmethod
    def _stop_waiting(self, row: JobRow) -> None:
        """Let go of a job that was asked to stop, and that this process does not work on."""

    def _tell(self, row: JobRow) -> None:
        for listener in self._listeners:
            listener(row)
