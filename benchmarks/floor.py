"""The floor: a bare Starlette handler that parses the same form and does the same statements in one transaction.

Run as a program it serves on the port it is given. The statements are those of a real submit, recorded from the store,
done by the driver without anything of ours in between, on a thread of Starlette's own, as in any handler that does not
want to hold up the others. `/loop` does them on the event loop itself, for comparison.
"""

from __future__ import annotations

import sqlite3
import sys
import threading
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from benchmarks.data import author
from pipulate._ids import new_id
from pipulate.storage import runs
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.sqlite import SqliteTransaction

Statement = tuple[str, dict[str, Any]]


class Recorder(SqliteTransaction):
    """Runs statements and remembers them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.statements: list[Statement] = []

    def one(self, sql: str, /, **values: Any) -> Any:
        """Run and remember."""
        self.statements.append((sql, values))
        return super().one(sql, **values)

    def all(self, sql: str, /, **values: Any) -> Any:
        """Run and remember."""
        self.statements.append((sql, values))
        return super().all(sql, **values)

    def run(self, sql: str, /, **values: Any) -> int:
        """Run and remember."""
        self.statements.append((sql, values))
        return super().run(sql, **values)


class Floor:
    """Does what a submit does to the store, and nothing else."""

    def __init__(self, folder: Path) -> None:
        layout = Layout(folder)
        self._connection = sqlite3.connect(
            layout.database, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._lock = threading.Lock()
        self._run, self._version = new_id(), 3
        tx = Recorder(self._connection)
        runs.start(tx, self._run, "many", None, "default", author())
        files = FileStore(layout.files)
        for position in (0, 1):
            tx.statements.clear()
            value = files.store(self._run, {"input": {"answer": "answer"}, "output": "answer", "view": "text"})
            runs.submit(
                tx, self._run, author(), step=f"question_{position:02d}", value=value, short="answer", reads={},
                order=("question_00", "question_01"), seen=position + 1, submit_id=new_id(),
            )  # fmt: skip
        self.statements = tx.statements

    def work(self, submit_id: str) -> None:
        """Do the statements of one submit in one transaction."""
        with self._lock:
            self._version += 1
            changed = {"version": self._version, "seq": self._version + 2, "event": self._version, "submit": submit_id}
            self._connection.execute("BEGIN IMMEDIATE")
            for sql, values in self.statements:
                used = {name: changed.get(name, value) for name, value in values.items()}
                if "step" in used and sql.startswith("INSERT INTO run_steps"):
                    used["step"] = f"question_{self._version}"
                cursor = self._connection.execute(sql, used)
                if cursor.description is not None:
                    cursor.fetchall()
            self._connection.execute("COMMIT")


def application(folder: Path) -> Starlette:
    """Return the floor as an application."""
    floor = Floor(folder)

    async def on_thread(request: Request) -> HTMLResponse:
        form = await request.form()
        await run_in_threadpool(floor.work, str(form["_submit"]))
        return HTMLResponse("<li>done</li>")

    async def on_loop(request: Request) -> HTMLResponse:
        form = await request.form()
        floor.work(str(form["_submit"]))
        return HTMLResponse("<li>done</li>")

    return Starlette(routes=[Route("/thread", on_thread, methods=["POST"]), Route("/loop", on_loop, methods=["POST"])])


if __name__ == "__main__":
    uvicorn.run(
        application(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False
    )
