"""Processes that do jobs and are killed at a chosen point: one imports everything, and the others are forked from it.

What a job does to the world goes to a ledger, a service that knows repeats by their key, in a SQLite file of its own.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from pipulate._ids import new_id
from pipulate.jobs.doing import Job
from pipulate.jobs.port import Request, row_of
from pipulate.storage import jobs
from pipulate.storage.folder import Layout
from pipulate.storage.jobs import JobRow
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.sqlite import SqliteDatabase
from tests.support.job_room import KIND, OWNER, room
from tests.support.store import Store

PARTS = 10
POINTS = (
    "asked", "begun",
    *(f"{where} {number}" for number in range(PARTS) for where in ("before the record of", "after the record of")),
    "ended",
)  # fmt: skip
"""Where a process can die: the job is in the store and not begun, its code is called, around the record of each part,
and when it has ended but the engine does not know yet."""
_ROOT = Path(__file__).parents[2]


class Ledger:
    """What jobs did to the world: each key once, and how often they tried."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite3"
        with closing(self._open()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS effects (key TEXT PRIMARY KEY)")
            connection.execute("CREATE TABLE IF NOT EXISTS calls (key TEXT)")

    def put(self, key: str) -> None:
        """Do something once for a key."""
        with closing(self._open()) as connection, connection:
            connection.execute("INSERT INTO calls VALUES (?)", (key,))
            connection.execute("INSERT INTO effects VALUES (?) ON CONFLICT DO NOTHING", (key,))

    def effects(self) -> list[str]:
        """Return the keys."""
        with closing(self._open()) as connection:
            return [key for (key,) in connection.execute("SELECT key FROM effects")]

    def calls(self) -> list[str]:
        """Return the keys, one for each time it was tried."""
        with closing(self._open()) as connection:
            return [key for (key,) in connection.execute("SELECT key FROM calls ORDER BY rowid")]

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=20)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Driver:
    def __init__(self, store: Store, point: str) -> None:
        self._store, self._point = store, point
        self._ledger = Ledger(store.layout.root)

    async def run(self) -> None:
        """Do what there is to do, or a new job; die at the point."""
        async with room(self._store) as made:
            made.does.functions |= {"ten": self._ten, "dies": self._dies}
            made.jobs.listen(self._told)
            if not self._store.db.read_now(lambda tx: tx.one("SELECT 1 FROM jobs")):
                self._add("dies" if self._point == "always" else "ten")
                self._at("asked")
            made.jobs.wake()
            await made.all_ended()

    def _add(self, function: str) -> None:
        request = Request(KIND, "A job", OWNER, "default", {"do": function, "with": {}})
        self._store.db.write_now(jobs.add, row_of(request, new_id(), "2026-01-01T00:00:00.000000Z"))

    def _at(self, point: str) -> None:
        if point == self._point:
            _die()

    def _told(self, row: JobRow) -> None:
        if row.status == jobs.DONE:
            self._at("ended")

    async def _ten(self, job: Job) -> list[int]:
        self._at("begun")
        found = []
        for number in range(PARTS):
            found.append(await job.checkpoint(f"part {number}", self._part, job, number))
            self._at(f"after the record of {number}")
        return found

    def _part(self, job: Job, number: int) -> int:
        self._ledger.put(job.key)
        self._at(f"before the record of {number}")
        return number

    def _dies(self, job: Job) -> None:
        self._ledger.put(job.key)
        os._exit(3)


class Drivers:
    """Forks drivers, one after another."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1,
        )  # fmt: skip

    def run(self, layout: Layout, url: str | None = None, point: str = "") -> int:
        """Let a process do the jobs of a store until all have ended or it dies; return how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{layout.root}\t{url or ''}\t{point}\n")
        return int(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)


def _drive(root: str, url: str, point: str) -> None:
    with opened(Layout(Path(root)), url or None) as store:
        asyncio.run(_Driver(store, point).run())


@contextmanager
def opened(layout: Layout, url: str | None) -> Iterator[Store]:
    """Open a store as it was left."""
    db = PostgresDatabase(url) if url else SqliteDatabase(layout.database)
    try:
        yield Store(db, layout, url)
    finally:
        db.close()


def _serve() -> None:
    import dbos  # noqa: F401 - so that those who are forked have it

    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                sys.stdout = sys.stderr
                _drive(*line.rstrip("\n").split("\t"))
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - it answers through its output


if __name__ == "__main__":
    _serve()
