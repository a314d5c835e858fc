"""Jobs as rows: what was asked for, how far it is, what came of it.

These rows are what counts. The engine that runs jobs has tables of its own, which say who does what just now and can
be made anew from these. Every change of a job's status names the status it comes from, so that of two who want to
change it at the same moment only one does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipulate.storage import journal
from pipulate.storage.database import Transaction

# What a job can be, as stored.
QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
PARKED: Final = "parked"
"""Its code is gone or was changed: a person decides whether it goes on."""

STATUSES: Final = (RUNNING, QUEUED, PARKED, FAILED, CANCELLED, DONE)
OPEN: Final = (QUEUED, RUNNING, PARKED)
LINES_MAX = 1_000
"""Most lines of log kept for one job; the oldest go first."""

_COLUMNS = (
    "id, kind, title, app, run, step, version, owner, profile, args, code, dedup, at_once, retries, backoff_s,"
    " timeout_s, status, reason, trace, error_id, attempt, starts, failures, stop, asked_at, start_at, started_at,"
    " ended_at, beat_at, progress, partial"
)

_LISTED = _COLUMNS.replace(" args,", " '{}',").replace(" trace,", " NULL,").replace(", partial", ", NULL")
"""The same without what may be long."""


class JobRow(NamedTuple):
    """A job as its row says; see the migration for the columns. The result is apart: it may be long."""

    id: str
    kind: str
    title: str
    app: str | None
    run: str | None
    step: str | None
    version: int | None
    owner: str
    profile: str
    args: str
    code: str | None
    dedup: str | None
    at_once: int | None
    retries: int
    backoff_s: float
    timeout_s: float | None
    status: str
    reason: str
    trace: str | None
    error_id: str | None
    attempt: int
    starts: int
    failures: int
    stop: int
    asked_at: str
    start_at: str | None
    started_at: str | None
    ended_at: str | None
    beat_at: str | None
    progress: str | None
    partial: str | None

    @property
    def is_open(self) -> bool:
        """Whether it may still be done."""
        return self.ended_at is None

    @property
    def payload(self) -> Mapping[str, Any]:
        """What was handed to whoever does it."""
        found: Mapping[str, Any] = json.loads(self.args)
        return found

    @property
    def done(self) -> Mapping[str, Any]:
        """How far it was when it last said so: `done`, `total`, `text`, `left_s`; empty where it never did."""
        found: Mapping[str, Any] = json.loads(self.progress) if self.progress else {}
        return found


class Line(NamedTuple):
    """One line of a job's log; `seq` counts from 1."""

    seq: int
    at: str
    text: str


def add(tx: Transaction, row: Mapping[str, Any]) -> JobRow:
    """Add a job, or return the open one that has the same `dedup`.

    `row` has the columns of `JobRow`; those that say how far it is may be left out.
    """
    given = {
        "app": None, "run": None, "step": None, "version": None, "code": None, "dedup": None, "at_once": None,
        "retries": 0, "backoff_s": 1.0, "timeout_s": None, "start_at": None, **row,
        "title": journal.storable(row["title"]),
    }  # fmt: skip
    if given["dedup"] is not None:
        there = tx.one(
            f"SELECT {_COLUMNS} FROM jobs WHERE dedup = :dedup AND ended_at IS NULL",  # noqa: S608 - a constant
            dedup=given["dedup"],
        )
        if there is not None:
            return JobRow(*there)
    added = tx.attempt(
        "INSERT INTO jobs (id, kind, title, app, run, step, version, owner, profile, args, code, dedup, at_once,"
        " retries, backoff_s, timeout_s, status, reason, attempt, starts, failures, stop, asked_at, start_at)"
        " VALUES (:id, :kind, :title, :app, :run, :step, :version, :owner, :profile, :args, :code, :dedup, :at_once,"
        " :retries, :backoff_s, :timeout_s, 'queued', '', 1, 0, 0, 0, :asked_at, :start_at)",
        **given,
    )
    if not added:  # Somebody else was faster: with the same id, or with the same `dedup`.
        there = tx.one(
            f"SELECT {_COLUMNS} FROM jobs WHERE id = :id OR (dedup = :dedup AND ended_at IS NULL)",  # noqa: S608
            id=given["id"], dedup=given["dedup"],
        )  # fmt: skip
        assert there is not None  # noqa: S101 - the store has just said so
        return JobRow(*there)
    found = find(tx, str(given["id"]))
    assert found is not None  # noqa: S101 - it was added in this transaction
    return found


def find(tx: Transaction, job: str) -> JobRow | None:
    """Return a job, or None where there is none."""
    row = tx.one(f"SELECT {_COLUMNS} FROM jobs WHERE id = :job", job=journal.storable(job))  # noqa: S608
    return JobRow(*row) if row else None


def of_owner(tx: Transaction, job: str, owner: str) -> JobRow | None:
    """Return a job of a person's, or None where they have no such job."""
    found = find(tx, job)
    return found if found is not None and found.owner == owner else None


def result_of(tx: Transaction, job: str) -> Any:
    """Return what a job returned, None where it returned nothing or is not done."""
    row = tx.one("SELECT result FROM jobs WHERE id = :job", job=job)
    return json.loads(row[0]) if row and row[0] else None


def unfinished(tx: Transaction) -> list[JobRow]:
    """Return the jobs that are to be done or under way, oldest first; those that wait for a person are not."""
    return [
        JobRow(*row)
        for row in tx.all(
            f"SELECT {_COLUMNS} FROM jobs WHERE ended_at IS NULL AND status <> 'parked' ORDER BY asked_at, id"  # noqa: S608
        )
    ]


def open_of_runs(tx: Transaction) -> list[JobRow]:
    """Return the open jobs of all runs, those that wait for a person too."""
    return [
        JobRow(*row)
        for row in tx.all(f"SELECT {_COLUMNS} FROM jobs WHERE ended_at IS NULL AND run IS NOT NULL")  # noqa: S608
    ]


def has_work(tx: Transaction) -> bool:
    """Tell whether any job is to be done."""
    return tx.one("SELECT 1 FROM jobs WHERE ended_at IS NULL AND status <> 'parked' LIMIT 1") is not None


def latest_of_step(tx: Transaction, run: str, step: str) -> JobRow | None:
    """Return the newest job of a step of a run, or None."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM jobs WHERE run = :run AND step = :step ORDER BY version DESC, id DESC LIMIT 1",  # noqa: S608
        run=run, step=step,
    )  # fmt: skip
    return JobRow(*row) if row else None


def open_of_run(tx: Transaction, run: str) -> list[JobRow]:
    """Return the open jobs of a run."""
    rows = tx.all(f"SELECT {_COLUMNS} FROM jobs WHERE run = :run AND ended_at IS NULL", run=run)  # noqa: S608
    return [JobRow(*row) for row in rows]


def listed(
    tx: Transaction,
    owner: str,
    *,
    profile: str | None = None,
    statuses: Sequence[str] = (),
    app: str | None = None,
    before: tuple[str, str] | None = None,
    limit: int = 50,
) -> list[JobRow]:
    """Return a person's jobs, newest first, without their arguments, tracebacks and partial results.

    `before` is moment and id of the last one of the page before.
    """
    conditions, values = _conditions(owner, profile, statuses, app)
    if before is not None:
        conditions += " AND (asked_at < :at OR (asked_at = :at AND id < :last))"
        values |= {"at": before[0], "last": before[1]}
    rows = tx.all(
        f"SELECT {_LISTED} FROM jobs WHERE {conditions} ORDER BY asked_at DESC, id DESC LIMIT :limit",  # noqa: S608
        limit=limit, **values,
    )  # fmt: skip
    return [JobRow(*row) for row in rows]


def counted(tx: Transaction, owner: str, *, profile: str | None = None) -> dict[tuple[str | None, str], int]:
    """Return how many jobs a person has by app and status; pairs there are none of are left out."""
    conditions, values = _conditions(owner, profile, (), None)
    rows = tx.all(
        f"SELECT app, status, count(*) FROM jobs WHERE {conditions} GROUP BY app, status",  # noqa: S608
        **values,
    )
    return {(app, status): count for app, status, count in rows}


def active(tx: Transaction, owner: str) -> int:
    """Return how many jobs of a person are under way, or wait for their turn or for the person."""
    row = tx.one("SELECT count(*) FROM jobs WHERE ended_at IS NULL AND owner = :owner", owner=owner)
    return row[0] if row else 0


def _conditions(
    owner: str, profile: str | None, statuses: Sequence[str], app: str | None
) -> tuple[str, dict[str, Any]]:
    conditions, values = "owner = :owner", dict[str, Any](owner=owner)
    if profile is not None:
        conditions += " AND profile = :profile"
        values["profile"] = profile
    if app is not None:
        conditions += " AND app = :app"
        values["app"] = app
    if statuses:
        names = [f"status{number}" for number in range(len(statuses))]
        conditions += f" AND status IN ({', '.join(':' + name for name in names)})"
        values |= dict(zip(names, statuses, strict=True))
    return conditions, values


# What becomes of a job


def begin(tx: Transaction, job: str, attempt: int, at: str, *, counts: bool = True) -> JobRow | None:
    """Say that a process begins an attempt; None where there is nothing to do: it ended, or it is another's turn.

    `counts` is False where the same process begins it once more.
    """
    changed = tx.run(
        "UPDATE jobs SET status = 'running', starts = starts + :counts, beat_at = :at, reason = '',"
        " started_at = coalesce(started_at, :at)"
        " WHERE id = :job AND attempt = :attempt AND ended_at IS NULL AND status IN ('queued', 'running')",
        job=job, attempt=attempt, at=at, counts=int(counts),
    )  # fmt: skip
    return find(tx, job) if changed else None


def rest(tx: Transaction, doing: Sequence[tuple[str, int]]) -> None:
    """Say that the process ends because somebody wants it to, so that these attempts, begun again, count once."""
    tx.many(
        "UPDATE jobs SET starts = starts - 1 WHERE id = :job AND attempt = :attempt AND ended_at IS NULL",
        [{"job": job, "attempt": attempt} for job, attempt in doing],
    )


def end(
    tx: Transaction,
    job: str,
    attempt: int,
    status: str,
    at: str,
    *,
    result: str | None = None,
    reason: str = "",
    trace: str | None = None,
    error_id: str | None = None,
    unless_stopped: bool = False,
) -> bool:
    """Say what came of an attempt; False, and nothing changed, where the job has ended or another attempt runs.

    With `unless_stopped` also where somebody has asked it to stop.
    """
    return bool(
        tx.run(
            "UPDATE jobs SET status = :status, ended_at = :at, result = :result, reason = :reason, trace = :trace,"
            " error_id = :error_id, stop = 0"
            " WHERE id = :job AND attempt = :attempt AND ended_at IS NULL AND stop <= :most",
            job=job, attempt=attempt, status=status, at=at, result=result, reason=journal.storable(reason),
            trace=journal.storable(trace) if trace else None, error_id=error_id, most=int(not unless_stopped),
        )
    )  # fmt: skip


def again(
    tx: Transaction, job: str, attempt: int, start_at: str, reason: str, trace: str | None, error_id: str | None
) -> JobRow | None:
    """Ask for another attempt after one that failed, not before a moment; None where it must not be made any more."""
    changed = tx.run(
        "UPDATE jobs SET status = 'queued', attempt = attempt + 1, starts = 0, failures = failures + 1,"
        " start_at = :start_at, reason = :reason, trace = :trace, error_id = :error_id"
        " WHERE id = :job AND attempt = :attempt AND ended_at IS NULL AND stop = 0",
        job=job, attempt=attempt, start_at=start_at, reason=journal.storable(reason),
        trace=journal.storable(trace) if trace else None, error_id=error_id,
    )  # fmt: skip
    return find(tx, job) if changed else None


def park(tx: Transaction, job: str, reason: str) -> bool:
    """Let a job wait for a person, because its code is gone or was changed."""
    return bool(
        tx.run(
            "UPDATE jobs SET status = 'parked', reason = :reason WHERE id = :job AND ended_at IS NULL",
            job=job, reason=journal.storable(reason),
        )
    )  # fmt: skip


def revive(tx: Transaction, job: str, attempt: int) -> JobRow | None:
    """Ask for another attempt at an open job whose attempt was lost; None where it is not that attempt's turn."""
    changed = tx.run(
        "UPDATE jobs SET status = 'queued', attempt = attempt + 1, starts = 0"
        " WHERE id = :job AND attempt = :attempt AND ended_at IS NULL AND status <> 'parked'",
        job=job, attempt=attempt,
    )  # fmt: skip
    return find(tx, job) if changed else None


def resume(tx: Transaction, job: str, owner: str, code: str | None) -> JobRow | None:
    """Ask for a job that failed, was cancelled or is parked once more, with the code there is now.

    What it has done stays done. None where it is a person's own no longer, or is done or under way.
    """
    changed = tx.run(
        "UPDATE jobs SET status = 'queued', attempt = attempt + 1, starts = 0, failures = 0, stop = 0,"
        " start_at = NULL, ended_at = NULL, reason = '', trace = NULL, error_id = NULL, code = :code"
        " WHERE id = :job AND owner = :owner AND status IN ('failed', 'cancelled', 'parked') AND NOT EXISTS"
        " (SELECT 1 FROM jobs other WHERE other.dedup = jobs.dedup AND other.id <> jobs.id AND other.ended_at IS NULL)",
        job=job, owner=owner, code=code,
    )  # fmt: skip
    return find(tx, job) if changed else None


def ask_to_stop(tx: Transaction, job: str, owner: str, at: str, reason: str) -> JobRow | None:
    """Ask for an open job to be cancelled; one that nothing works on is cancelled at once. None where there is none."""
    if not tx.run(
        "UPDATE jobs SET stop = 1 WHERE id = :job AND owner = :owner AND ended_at IS NULL", job=job, owner=owner
    ):
        return None
    tx.run(
        "UPDATE jobs SET status = 'cancelled', ended_at = :at, reason = :reason, stop = 0"
        " WHERE id = :job AND ended_at IS NULL AND status IN ('queued', 'parked')",
        job=job, at=at, reason=reason,
    )  # fmt: skip
    return find(tx, job)


# How far it is


def note(
    tx: Transaction,
    job: str,
    at: str,
    progress: str | None,
    partial: str | None,
    lines: Sequence[tuple[str, str]],
) -> bool:
    """Write down a sign of life and what a job has said since the last one; tell whether it is to stop."""
    row = tx.one(
        "UPDATE jobs SET beat_at = :at, progress = coalesce(:progress, progress), partial = coalesce(:partial, partial)"
        " WHERE id = :job RETURNING stop",
        job=job, at=at, progress=progress, partial=partial,
    )  # fmt: skip
    if lines and row is not None:
        last = tx.one("SELECT max(seq) FROM job_lines WHERE job = :job", job=job)
        first = ((last[0] if last else None) or 0) + 1
        tx.many(
            "INSERT INTO job_lines (job, seq, at, text) VALUES (:job, :seq, :at, :text)",
            [
                {"job": job, "seq": seq, "at": moment, "text": journal.storable(text)}
                for seq, (moment, text) in enumerate(lines, first)
            ],
        )
        tx.run(
            "DELETE FROM job_lines WHERE job = :job AND seq <= :seq", job=job, seq=first + len(lines) - 1 - LINES_MAX
        )
    return bool(row and row[0])


def lines(tx: Transaction, job: str, *, after: int = 0, limit: int = LINES_MAX) -> list[Line]:
    """Return the newest lines of a job's log after a number, oldest first."""
    rows = tx.all(
        "SELECT seq, at, text FROM job_lines WHERE job = :job AND seq > :after ORDER BY seq DESC LIMIT :limit",
        job=job, after=after, limit=limit,
    )  # fmt: skip
    return [Line(*row) for row in reversed(rows)]


def part(tx: Transaction, job: str, name: str) -> str | None:
    """Return the recorded result of a part, as JSON, or None where it was not finished."""
    row = tx.one("SELECT result FROM job_parts WHERE job = :job AND name = :name", job=job, name=name)
    return row[0] if row else None


def put_part(tx: Transaction, job: str, attempt: int, name: str, result: str, at: str) -> str | None:
    """Record the result of a part; None where the job has ended or another attempt runs, so that it does not count.

    The first result counts and is returned: a second one for the same name changes nothing. A job that comes on may
    have been begun any number of times: only a part that never ends is not tried for ever.
    """
    if not tx.run(
        "UPDATE jobs SET starts = 1 WHERE id = :job AND attempt = :attempt AND ended_at IS NULL",
        job=job, attempt=attempt,
    ):  # fmt: skip
        return None
    is_first = tx.run(
        "INSERT INTO job_parts (job, name, result, at) VALUES (:job, :name, :result, :at)"
        " ON CONFLICT (job, name) DO NOTHING",
        job=job, name=name, result=result, at=at,
    )  # fmt: skip
    return result if is_first else part(tx, job, name)


def parts(tx: Transaction, job: str) -> int:
    """Return how many parts of a job are finished."""
    row = tx.one("SELECT count(*) FROM job_parts WHERE job = :job", job=job)
    return row[0] if row else 0


# Forgetting


def ended_before(tx: Transaction, at: str, limit: int = 500) -> list[tuple[str, int]]:
    """Return jobs that ended before a moment: id, attempts."""
    rows = tx.all(
        "SELECT id, attempt FROM jobs WHERE ended_at IS NOT NULL AND ended_at < :at ORDER BY ended_at LIMIT :limit",
        at=at, limit=limit,
    )  # fmt: skip
    return [(job, attempt) for job, attempt in rows]


def forget(tx: Transaction, job: str, attempt: int | None = None) -> None:
    """Remove a job with everything it left; where an attempt is given, only while that one is the last."""
    found = find(tx, job) if attempt is not None else None
    if found is not None and found.attempt != attempt:
        return
    for table, column in (("job_parts", "job"), ("job_lines", "job"), ("jobs", "id")):
        tx.run(f"DELETE FROM {table} WHERE {column} = :job", job=job)  # noqa: S608 - names from the tuple above


def forget_run(tx: Transaction, run: str) -> None:
    """Remove the jobs of a run."""
    for (job,) in tx.all("SELECT id FROM jobs WHERE run = :run", run=run):
        forget(tx, job)
