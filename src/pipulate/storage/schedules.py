"""Schedules as rows: what is to be done again and again, when, and with what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipulate.storage import jobs, journal
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow

BUSY: Final = "the one before was still being worked on."
_COLUMNS = (
    "id, title, app, owner, profile, cron, zone, args, locks, paused, next_at, note, last_job, made_at, removed_at"
)
_WAITS = "paused = 0 AND removed_at IS NULL"

Given = Mapping[str, Any]
"""What is answered to a step: field -> the texts a form would send, or a sealed secret."""


class ScheduleRow(NamedTuple):
    """A schedule as its row says; see the migration for the columns."""

    id: str
    title: str
    app: str
    owner: str
    profile: str
    cron: str
    zone: str
    args: str
    locks: int
    paused: int
    next_at: str
    note: str
    last_job: str | None
    made_at: str
    removed_at: str | None

    @property
    def answers(self) -> Mapping[str, Given | None]:
        """What is answered, by step; None where the step is skipped."""
        found: Mapping[str, Given | None] = json.loads(self.args)
        return found


def add(tx: Transaction, row: ScheduleRow) -> None:
    """Add a schedule."""
    tx.run(
        f"INSERT INTO job_schedules ({_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (:id, :title, :app, :owner, :profile, :cron, :zone, :args, :locks, :paused, :next_at, :note,"
        " :last_job, :made_at, :removed_at)",
        **(row._asdict() | {"title": journal.storable(row.title)}),
    )


def find(tx: Transaction, schedule: str) -> ScheduleRow | None:
    """Return a schedule, one that was removed too; None where there is none."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM job_schedules WHERE id = :id",  # noqa: S608 - a constant
        id=journal.storable(schedule),
    )
    return ScheduleRow(*row) if row else None


def waiting(tx: Transaction) -> list[ScheduleRow]:
    """Return the schedules that are neither paused nor removed, the one that is due first in front."""
    sql = f"SELECT {_COLUMNS} FROM job_schedules WHERE {_WAITS} ORDER BY next_at, id"  # noqa: S608 - constants
    return [ScheduleRow(*row) for row in tx.all(sql)]


def of_owner(tx: Transaction, owner: str, profile: str | None = None) -> list[ScheduleRow]:
    """Return a person's schedules, oldest first."""
    sql = f"SELECT {_COLUMNS} FROM job_schedules WHERE owner = :owner AND removed_at IS NULL ORDER BY made_at, id"  # noqa: S608
    rows = [ScheduleRow(*row) for row in tx.all(sql, owner=owner)]
    return [row for row in rows if profile in (None, row.profile)]


def last_jobs(tx: Transaction, rows: Sequence[ScheduleRow]) -> dict[str, JobRow]:
    """Return the newest job of each schedule that has one yet, by the schedule's id."""
    found = {row.id: jobs.find(tx, row.last_job) for row in rows if row.last_job is not None}
    return {schedule: job for schedule, job in found.items() if job is not None}


# What becomes of a schedule


def move_on(
    tx: Transaction, row: ScheduleRow, next_at: str, note: str, job: Mapping[str, Any] | None = None
) -> JobRow | None:
    """Say when a schedule is due next and add the job of the moment that has come, both or neither.

    Args:
        tx: The transaction.
        row: The schedule as it was read; where it has moved on since, nothing is done.
        next_at: When it is due next.
        note: Why nothing is asked for this time, or "".
        job: The job, as `jobs.add` takes it. Its id is made from the moment, so the same moment asks for it once.

    Returns:
        The job where it was added, and has to be started; else None.
    """
    moved = tx.run(
        f"UPDATE job_schedules SET next_at = :next_at, note = :note"  # noqa: S608 - a constant
        f" WHERE id = :id AND next_at = :was AND {_WAITS}",
        id=row.id, was=row.next_at, next_at=next_at, note=journal.storable(note),
    )  # fmt: skip
    return ask(tx, row, job) if moved and job is not None else None


def ask(tx: Transaction, row: ScheduleRow, job: Mapping[str, Any]) -> JobRow | None:
    """Add a job of a schedule; None where it was added before, or the one before it is not done yet."""
    if jobs.find(tx, str(job["id"])) is not None:
        return None
    added = jobs.add(tx, job)
    if added.id != job["id"]:
        note = f"Left out “{job['title']}”: {BUSY}"
        tx.run("UPDATE job_schedules SET note = :note WHERE id = :id", id=row.id, note=journal.storable(note))
        return None
    tx.run("UPDATE job_schedules SET last_job = :job WHERE id = :id", id=row.id, job=added.id)
    return added


def pause(tx: Transaction, schedule: str, owner: str, *, paused: bool, next_at: str) -> bool:
    """Pause a schedule or let it go on; False where the person has no such schedule."""
    return bool(
        tx.run(
            "UPDATE job_schedules SET paused = :paused, next_at = :next_at, note = ''"
            " WHERE id = :id AND owner = :owner AND removed_at IS NULL",
            id=schedule, owner=owner, paused=int(paused), next_at=next_at,
        )
    )  # fmt: skip


def remove(tx: Transaction, schedule: str, owner: str, at: str) -> bool:
    """Remove a schedule; False where the person has no such schedule. The last one removed can be put back."""
    removed = tx.run(
        "UPDATE job_schedules SET removed_at = :at WHERE id = :id AND owner = :owner AND removed_at IS NULL",
        id=schedule, owner=owner, at=at,
    )  # fmt: skip
    if removed:
        tx.run(
            "DELETE FROM job_schedules WHERE owner = :owner AND id <> :id AND removed_at IS NOT NULL",
            id=schedule, owner=owner,
        )  # fmt: skip
    return bool(removed)


def put_back(tx: Transaction, schedule: str, owner: str, next_at: str) -> bool:
    """Put a schedule back that was removed; False where it is gone for good."""
    return bool(
        tx.run(
            "UPDATE job_schedules SET removed_at = NULL, next_at = :next_at"
            " WHERE id = :id AND owner = :owner AND removed_at IS NOT NULL",
            id=schedule, owner=owner, next_at=next_at,
        )
    )  # fmt: skip
