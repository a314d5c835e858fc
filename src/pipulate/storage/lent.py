"""A SQLite file of its own for a library that brings its own tables, with the settings ours has."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from pipulate.storage.sqlite import FLOOR, LIBRARY


def sqlite_engine(file: Path, connections: int) -> Any:
    """Return a SQLAlchemy engine on a file, made where it is not there, readable by this user alone.

    With a library that has the WAL-reset bug one connection does everything, so that no other can be reset.
    """
    import sqlalchemy as sa  # noqa: PLC0415 - half a second

    file.touch(mode=0o600, exist_ok=True)
    has_bug = LIBRARY < FLOOR
    engine = sa.create_engine(
        f"sqlite:///{file}", pool_size=1 if has_bug else connections, max_overflow=0, pool_timeout=60,
        connect_args={"timeout": 30, "check_same_thread": False},
    )  # fmt: skip

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()

    return engine
