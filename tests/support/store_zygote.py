"""Processes that do nothing but submit, made to be killed: one imports everything, and the others are forked from it.

Each submit that was acknowledged is written to a pipe, one line, before the next one begins. What a submit holds can be
told from its id, so that a torn one is seen.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipulate.storage import ledger, runs
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.ledger import Author
from pipulate.storage.sqlite import SqliteDatabase

WRITERS = 3
"""Threads that submit at the same time, so that submits share commits."""

ORDER = ("a", "b", "c")
_ROOT = Path(__file__).parents[2]


def expected(submit_id: str) -> dict[str, Any]:
    """Return the value a submit stores; every eighth is large and goes to a file."""
    number = int(submit_id.rsplit("-", 1)[1])
    return {"input": None, "output": f"{submit_id} " * (8_000 if number % 8 == 7 else 20), "view": "text"}


def submit(db: SqliteDatabase, files: FileStore, run: str, submit_id: str) -> None:
    """Submit once; when this returns, it is acknowledged."""

    def unit(tx: Transaction) -> None:
        author = Author("ada", f"2026-11-20T12:00:00.{ledger.find(tx, run).version:06d}Z")
        step = ORDER[int(submit_id.rsplit("-", 1)[1]) % len(ORDER)]
        runs.submit(
            tx, run, author, step=step, value=stored, short=submit_id, reads={}, order=ORDER, seen=None,
            submit_id=submit_id,
        )  # fmt: skip

    stored = files.store(run, expected(submit_id))
    db.write_now(unit)


class Zygote:
    """Forks writers, and tells what they had acknowledged when they were killed."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(write)],
            cwd=_ROOT, pass_fds=[write], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        os.close(write)
        self._left = ""

    def fork(self, layout: Layout, run: str, name: str, again: list[str]) -> int:
        """Start a writer whose submits are called `name`; it first repeats those in `again`. Return its process id."""
        return int(self._ask(f"{layout.root}\t{run}\t{name}\t{','.join(again)}"))

    def acknowledged(self, wait_s: float) -> list[str]:
        """Return what was acknowledged since the last time; wait for something for as long as that."""
        select.select([self._read], [], [], wait_s)
        with contextlib.suppress(BlockingIOError):
            self._left += os.read(self._read, 1 << 20).decode()
        *lines, self._left = self._left.split("\n")
        return lines

    def kill(self, pid: int) -> None:
        """Kill a writer without warning; when this returns, it is gone."""
        os.kill(pid, signal.SIGKILL)
        assert self._ask(f"wait\t{pid}") == str(-signal.SIGKILL), "it ended by itself"

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=20)
        os.close(self._read)


def _write_for_ever(root: Path, run: str, name: str, again: list[str], acknowledge: int) -> None:
    layout = Layout(root)
    db, files = SqliteDatabase(layout.database), FileStore(layout.files)

    def write(number: int) -> None:
        todo = iter(again[number::WRITERS])
        for count in range(1_000_000):
            submit_id = next(todo, None) or f"{name}-{number}-{count}"
            submit(db, files, run, submit_id)
            os.write(acknowledge, f"{submit_id}\n".encode())

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _serve(acknowledge: int) -> None:
    for line in sys.stdin:
        what, *words = line.rstrip("\n").split("\t")
        if what == "wait":
            _, status = os.waitpid(int(words[0]), 0)
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - it answers through its output
            continue
        pid = os.fork()
        if pid == 0:
            try:
                run, name, again = words
                _write_for_ever(Path(what), run, name, again.split(",") if again else [], acknowledge)
            finally:
                os._exit(1)
        print(pid, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
