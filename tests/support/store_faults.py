"""Disks that fail, and processes that may not do everything: for what a store has to bear."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CAN = {"dac_override": 1, "dac_read_search": 2}


def script(code: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Run a few lines of Python in a process of their own; end it with `kill` where it does not end by itself."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def output(code: str, *arguments: str | Path) -> str:
    """Run a few lines of Python in a process of their own; return what they print."""
    process = script(code, *arguments)
    out, problems = process.communicate(timeout=60)
    assert process.returncode == 0, problems
    return out


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process without warning, and wait until it is gone."""
    process.kill()
    process.communicate(timeout=20)


def obey_permissions() -> None:
    """Make this process obey the permissions of files even where it belongs to root; for subprocesses only."""
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # Version 3, this thread.
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    for bit in _CAN.values():
        data[0] &= ~(1 << bit)  # effective
        data[1] &= ~(1 << bit)  # permitted
    assert libc.capset(header, data) == 0


class Failing(sqlite3.Connection):
    """A connection that fails at the statements it is told to, with the error it is told."""

    fails: dict[str, str] = {}  # noqa: RUF012 - shared by all connections of a test on purpose

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, or fail."""
        name = self.fails.get(sql)
        if name is not None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorname = name
            if sql == "COMMIT":
                super().execute("ROLLBACK")  # As SQLite does by itself.
            raise error
        return super().execute(sql, *parameters)


def failing(fails: dict[str, str]) -> Callable[..., sqlite3.Connection]:
    """Return what opens connections that fail as `fails` says: statement -> name of SQLite's error."""
    kind = type("Failing", (Failing,), {"fails": fails})
    return lambda *arguments, **options: sqlite3.connect(*arguments, factory=kind, **options)


def small_disk(pages: list[int]) -> Callable[..., sqlite3.Connection]:
    """Return what opens connections to a database that may have as many pages as `pages` says."""

    class Small(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql.startswith("BEGIN IMMEDIATE"):
                super().execute(f"PRAGMA max_page_count={pages[0]}")
            return super().execute(sql, *parameters)

    return lambda *arguments, **options: sqlite3.connect(*arguments, factory=Small, **options)
