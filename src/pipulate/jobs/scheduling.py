"""Asks for the jobs of schedules when they are due.

What is due is a row of the store; that it was asked for and when it is due next are written together. The job's id is
made from the schedule and the moment, so one moment asks for one job however the clock jumps and whenever the process
ends. Moments that were missed are made good by one job, for the latest of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pipulate._clock import Clock, from_text, to_text
from pipulate._ids import new_id
from pipulate._log import get_logger
from pipulate.errors import BadKeyError, BadNameError, PipulateError, ScheduleRefusedError
from pipulate.events import Bus, JobChanged
from pipulate.jobs import crons
from pipulate.jobs.crons import Cron
from pipulate.jobs.port import Jobs, Options, Request, row_of
from pipulate.storage import keys, schedules
from pipulate.storage.database import Database
from pipulate.storage.jobs import JobRow
from pipulate.storage.schedules import Given, ScheduleRow

KIND: Final = "scheduled"
LOOK_EVERY_S: Final = 5.0
"""Longest time until a clock that jumped, or a computer that slept, is noticed."""
_BROKEN_AGAIN: Final = timedelta(hours=1)
_log = get_logger()


class Scheduler:
    """Looks after the schedules; on the event loop."""

    def __init__(self, db: Database, clock: Clock, jobs: Jobs, bus: Bus, obstacle: Callable[[str], str]) -> None:
        """Wire it up.

        Args:
            db: The store.
            clock: The time.
            jobs: Does what is asked for.
            bus: Told about jobs that were asked for.
            obstacle: Returns in words why an app cannot be run now, "" where it can.
        """
        self._db, self._clock, self._jobs, self._bus, self._obstacle = db, clock, jobs, bus, obstacle
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Ask for what is due, until cancelled; sleeps while there is nothing to wait for."""
        while True:
            self._changed.clear()
            try:
                soonest = await self.look()
            except PipulateError as error:
                _log.warning("schedules.not_read", reason=str(error))
                soonest = self._clock.now() + timedelta(seconds=LOOK_EVERY_S)
            await self._until(soonest)

    def wake(self) -> None:
        """Look again: a schedule was added or changed."""
        self._changed.set()

    async def look(self) -> datetime | None:
        """Ask for everything that is due; return when to look again, None where there is nothing to wait for."""
        rows = await self._db.read(schedules.waiting)
        return min([await self._see_to(row) for row in rows], default=None)

    async def _until(self, soonest: datetime | None) -> None:
        """Wait for a moment, or until the clock was put back, or something was changed."""
        seen = self._clock.now()
        while not self._changed.is_set():
            now = self._clock.now()
            if soonest is not None and (now >= soonest or now < seen):
                return
            seen = now
            wait_s = None if soonest is None else min(LOOK_EVERY_S, (soonest - now) / timedelta(seconds=1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def _see_to(self, row: ScheduleRow) -> datetime:
        """Ask for the job of a schedule where it is due; return when to look at it again."""
        now = self._clock.now()
        try:
            cron = crons.read(row.cron, row.zone)
        except ScheduleRefusedError as error:  # It was right once: this computer may know other zones.
            await self._db.write(schedules.move_on, row, row.next_at, str(error))
            return now + _BROKEN_AGAIN
        following, due = cron.after(now), from_text(row.next_at)
        if due > now:
            if due > following:  # The clock was put back.
                await self._db.write(schedules.move_on, row, to_text(following), row.note)
            return min(due, following)
        due = cron.latest(due, now)
        obstacle = self._obstacle(row.app)
        note = f"Left out “{key_at(row, cron, due)}”: {obstacle}" if obstacle else ""
        job = None if obstacle else self._job(row, cron, due, id_of(row.id, due))
        self._begin(await self._db.write(schedules.move_on, row, to_text(following), note, job))
        return following

    def _job(self, row: ScheduleRow, cron: Cron, due: datetime, job: str) -> Mapping[str, object]:
        request = Request(
            KIND, key_at(row, cron, due), row.owner, row.profile, {"schedule": row.id, "due": to_text(due)},
            app=row.app, options=Options(dedup=f"schedule {row.id}"),
        )  # fmt: skip
        return row_of(request, job, to_text(self._clock.now()))

    def _begin(self, job: JobRow | None) -> None:
        if job is not None:
            self._bus.publish(JobChanged(job.id, None, None, job.owner, job.status))
            self._jobs.start(job)

    # What a person does

    async def add(
        self,
        *,
        title: str,
        app: str,
        owner: str,
        profile: str,
        cron: str,
        zone: str,
        answers: Mapping[str, Given | None],
        locks: bool = False,
    ) -> ScheduleRow:
        """Add a schedule.

        Raises:
            ScheduleRefusedError: If its title, cron or zone cannot be used.
        """
        when, now = crons.read(cron, zone), self._clock.now()
        row = ScheduleRow(
            new_id(), checked_title(title, when, now), app, owner, profile, when.text, zone, json.dumps(dict(answers)),
            int(locks), 0, to_text(when.after(now)), "", None, to_text(now), None,
        )  # fmt: skip
        await self._db.write(schedules.add, row)
        self.wake()
        return row

    async def pause(self, schedule: str, owner: str, *, paused: bool) -> bool:
        """Pause a schedule or let it go on, from now; False where the person has no such schedule."""
        row = await self._own(schedule, owner)
        if row is None:
            return False
        done = await self._db.write(schedules.pause, row.id, owner, paused=paused, next_at=self._next(row))
        self.wake()
        return done

    async def run_now(self, schedule: str, owner: str) -> JobRow | None:
        """Do what a schedule does once more, now; None where it is being done, or the person has no such schedule."""
        row = await self._own(schedule, owner)
        if row is None:
            return None
        now = self._clock.now()
        job = await self._db.write(schedules.ask, row, self._job(row, crons.read(row.cron, row.zone), now, new_id()))
        self._begin(job)
        return job

    async def remove(self, schedule: str, owner: str) -> bool:
        """Remove a schedule; False where the person has no such schedule."""
        return await self._db.write(schedules.remove, schedule, owner, to_text(self._clock.now()))

    async def put_back(self, schedule: str, owner: str) -> bool:
        """Put back the schedule that was removed last, to go on from now; False where it is gone."""
        row = await self._db.read(schedules.find, schedule)
        if row is None or row.owner != owner:
            return False
        done = await self._db.write(schedules.put_back, row.id, owner, self._next(row))
        self.wake()
        return done

    async def _own(self, schedule: str, owner: str) -> ScheduleRow | None:
        row = await self._db.read(schedules.find, schedule)
        return row if row is not None and row.owner == owner and row.removed_at is None else None

    def _next(self, row: ScheduleRow) -> str:
        return to_text(crons.read(row.cron, row.zone).after(self._clock.now()))


def id_of(schedule: str, due: datetime) -> str:
    """Return the id of the job for a moment of a schedule: always the same."""
    return hashlib.sha256(f"{schedule} {to_text(due)}".encode()).hexdigest()[:32]


def key_at(row: ScheduleRow, cron: Cron, due: datetime) -> str:
    """Return the key of the run for a moment of a schedule: its title and what the clocks of its zone show."""
    return f"{row.title} {cron.local(due)}"


def checked_title(title: str, cron: Cron, now: datetime) -> str:
    """Return a title in its one spelling.

    Raises:
        ScheduleRefusedError: If runs cannot be named after it.
    """
    try:
        name = keys.check_name(title)
        keys.check_key(f"{name} {cron.local(now)}")
    except (BadNameError, BadKeyError) as error:
        raise ScheduleRefusedError("title", str(error)) from None
    return name
