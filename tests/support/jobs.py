"""Jobs in whatever state, put into a store as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pipulate._ids import new_id
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.folder import Layout
from pipulate.storage.jobs import JobRow
from pipulate.storage.sqlite import SqliteDatabase

AT: Final = "2026-11-20T11:00:00.000000Z"
OWNER: Final = "owner"


def a_row(**changes: Any) -> JobRow:
    """Return the row of a job as it is right after it was asked for, but for the changes."""
    plain = JobRow(
        id="j" * 32, kind="step", title="Crawl: Pages", app="crawl", run=None, step="pages", version=None, owner=OWNER,
        profile="default", args="{}", code=None, dedup=None, at_once=None, retries=0, backoff_s=1.0, timeout_s=None,
        status=jobs.QUEUED, reason="", trace=None, error_id=None, attempt=1, starts=0, failures=0, stop=0, asked_at=AT,
        start_at=None, started_at=None, ended_at=None, beat_at=None, progress=None, partial=None,
    )  # fmt: skip
    return plain._replace(**changes)


def put(tx: Transaction, *rows: JobRow) -> None:
    """Store jobs."""
    names = JobRow._fields
    tx.many(
        f"INSERT INTO jobs ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})",  # noqa: S608
        [row._asdict() for row in rows],
    )


def put_one(tx: Transaction, /, **changes: Any) -> str:
    """Store a job; return its id. One of a status that ends it has ended."""
    row = a_row(**{"id": new_id(), **changes})
    if row.status not in jobs.OPEN and row.ended_at is None:
        row = row._replace(started_at=row.asked_at, ended_at=row.asked_at)
    put(tx, row)
    return row.id


def store(folder: Path, *rows: JobRow, lines: Sequence[str] = ()) -> None:
    """Store jobs in `data` of a folder, which has to have a store; each has logged the lines."""
    db = SqliteDatabase(Layout(folder / "data").database)
    try:
        db.write_now(put, *rows)
        for row in rows:
            db.write_now(jobs.note, row.id, AT, None, None, [(AT, line) for line in lines])
    finally:
        db.close()
