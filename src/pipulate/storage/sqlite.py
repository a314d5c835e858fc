"""The store on SQLite: one connection that writes, a few that only read.

All writing goes through one connection and one thread at a time, so units that waited while another was written share
one commit (and one fsync). Readers are opened read-only, so they can never write or checkpoint: that keeps clear of
the WAL-reset bug of SQLite 3.7.0 to 3.51.2 without needing a newer library. `synchronous=FULL`: acknowledged means
stored.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import quote

from pipulate._log import get_logger
from pipulate._threads import Outcome, Threads
from pipulate.errors import StorageError, StoreDamagedError, StoreFullError, StoreUnavailableError
from pipulate.storage.database import Row, Transaction

P = ParamSpec("P")
T = TypeVar("T")

FLOOR = (3, 51, 3)
"""Below this SQLite has the WAL-reset bug, so other processes must open the file read-only while we run."""

LIBRARY = sqlite3.sqlite_version_info
"""The version of SQLite this Python came with."""

Connect = Callable[..., sqlite3.Connection]
"""Opens a connection, as `sqlite3.connect` does."""

_BATCH = 64
_READERS = 4
_BUSY_MS = 5_000
_WAITING_LIMIT = 10_000
_DISK_FAILED = (
    "The disk failed while saving, so nothing more is saved until the server is restarted. What was acknowledged before"
    " is safe."
)

_log = get_logger()


class SqliteTransaction:
    """Runs statements on one connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def one(self, sql: str, /, **values: Any) -> Row | None:
        row: Row | None = self._connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, /, **values: Any) -> list[Row]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, /, **values: Any) -> int:
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, rows: Sequence[dict[str, Any]], /) -> None:
        self._connection.executemany(sql, rows)

    def is_taken(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error)

    def attempt(self, sql: str, /, **values: Any) -> bool:
        try:
            self._connection.execute(sql, values)
        except sqlite3.IntegrityError as error:
            if self.is_taken(error):
                return False
            raise
        return True


class _Unit(NamedTuple):
    work: Callable[[Transaction], Any]
    deliver: Callable[[Any, BaseException | None], None]


class _Reader(NamedTuple):
    connection: sqlite3.Connection
    busy: threading.RLock
    """Held while the connection is in use, so that it is not closed meanwhile."""


class SqliteDatabase:
    """One SQLite file, opened for this process alone to write."""

    name = "sqlite"

    def __init__(self, path: Path, *, connect: Connect = sqlite3.connect) -> None:
        """Open the file.

        Args:
            path: The database file; its tables must exist.
            connect: Opens a connection, as `sqlite3.connect` does.

        Raises:
            StorageError: If the file cannot be opened or is no database.
        """
        self._path, self._connect = path, connect
        self._waiting: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._turn = threading.Lock()  # Held by the one thread that writes just now.
        self._gate = threading.Lock()  # Held for a moment by whoever hands something in, or closes.
        self._closed = False
        self._broken = False
        try:
            self._connection = self._open_writer()
        except sqlite3.Error as error:
            raise _as_ours(error) from error
        self._writer = threading.Thread(target=self._write_for_ever, name="sqlite-writer", daemon=True)
        self._writer.start()
        self._local = threading.local()
        self._reading: list[_Reader] = []
        self._readers = Threads(_READERS, "sqlite-reader")

    async def read(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        self._refuse_if_closed()
        try:
            return await self._readers.run(self._read, unit, args, kwargs)
        except RuntimeError:
            self._refuse_if_closed()  # Between the line above and the readers' threads.
            raise

    def read_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._read(unit, args, kwargs)

    async def write(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        outcome = Outcome()
        self._enqueue(_Unit(lambda tx: unit(tx, *args, **kwargs), outcome.deliver))
        result: T = await outcome
        return result

    def write_now(self, unit: Callable[Concatenate[Transaction, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if self._turn.acquire(blocking=False):  # Nobody writes: do it here, and spare two changes of thread.
            outcomes: list[tuple[T, BaseException | None]] = []
            own = _Unit(lambda tx: unit(tx, *args, **kwargs), lambda *outcome: outcomes.append(outcome))
            try:
                self._refuse_writing()
                self._write_batch([own, *self._others(_BATCH - 1)])
            finally:
                self._turn.release()
            result, error = outcomes[0]
            if error is not None:
                raise error
            return result
        later: Future[T] = Future()

        def deliver(result: T, error: BaseException | None) -> None:
            later.set_exception(error) if error else later.set_result(result)

        self._enqueue(_Unit(lambda tx: unit(tx, *args, **kwargs), deliver))
        return later.result()

    def close(self) -> None:
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)  # Behind everything that was taken on.
        self._readers.close()
        for reader in self._reading:
            with reader.busy:
                reader.connection.close()
        self._writer.join()
        with self._turn:
            self._connection.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError("The store is closed.")

    def _refuse_writing(self) -> None:
        self._refuse_if_closed()
        if self._broken:
            raise StorageError(_DISK_FAILED)

    def _enqueue(self, unit: _Unit) -> None:
        with self._gate:
            self._refuse_writing()
            if self._waiting.qsize() >= _WAITING_LIMIT:
                raise StoreUnavailableError("Too much is waiting to be stored. Try again in a moment.")
            self._waiting.put(unit)

    # Writing: on the writer's thread, or on that of a caller who found nobody writing

    def _write_for_ever(self) -> None:
        while (unit := self._waiting.get()) is not None:
            with self._turn:
                self._write_batch([unit, *self._others(_BATCH - 1)])

    def _others(self, most: int) -> list[_Unit]:
        """Return the units that wait: no timer, so a lone write never waits for company."""
        batch: list[_Unit] = []
        while len(batch) < most:
            try:
                unit = self._waiting.get_nowait()
            except queue.Empty:
                break
            if unit is None:  # The sign to end: leave it for the writer's thread.
                self._waiting.put(None)
                break
            batch.append(unit)
        return batch

    def _open_writer(self) -> sqlite3.Connection:
        return _opened(
            self._connect,
            self._path,
            "PRAGMA journal_mode=WAL",
            "PRAGMA synchronous=FULL",
            "PRAGMA foreign_keys=ON",
            "PRAGMA secure_delete=ON",  # What is erased shall not be found in the file afterwards.
            "SELECT count(*) FROM sqlite_master",
        )

    def _write_batch(self, batch: list[_Unit]) -> None:
        """Run each unit (in a savepoint of its own where there are several), commit once, and only then answer."""
        connection = self._connection
        tx = SqliteTransaction(connection)
        outcomes: list[tuple[Any, BaseException | None]]
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                outcomes = [(batch[0].work(tx), None)]
            else:
                outcomes = [self._run(connection, tx, unit) for unit in batch]
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - whatever it is, each caller hears of it and the thread lives
            with contextlib.suppress(sqlite3.Error):  # If even that fails, the next batch fails at its BEGIN.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            ours = self._judge(_as_ours(error))
            outcomes = [(None, ours)] * len(batch)
        for unit, (result, failure) in zip(batch, outcomes, strict=True):
            unit.deliver(result, failure)

    def _run(self, connection: sqlite3.Connection, tx: Transaction, unit: _Unit) -> tuple[Any, BaseException | None]:
        connection.execute("SAVEPOINT unit")
        try:
            result = unit.work(tx)
        except BaseException as error:
            if not connection.in_transaction:  # SQLite rolled back everything by itself (disk full, I/O error).
                raise
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            return None, _as_ours(error)
        connection.execute("RELEASE unit")
        return result, None

    def _judge(self, error: BaseException) -> BaseException:
        """After a failed fsync nobody knows what is on the disk: take no more writes until a restart."""
        cause = error.__cause__
        if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorname", "") in _FSYNC_FAILED:
            self._broken = True
            _log.error("storage.disk_failed", error=str(cause))
            ours = StorageError(_DISK_FAILED)
            ours.__cause__ = cause
            return ours
        return error

    # The readers' threads

    def _read(self, unit: Callable[..., T], args: Any, kwargs: Any) -> T:
        try:
            reader = self._reader()
            with reader.busy:
                self._refuse_if_closed()
                connection = reader.connection
                connection.execute("BEGIN")
                try:
                    return unit(SqliteTransaction(connection), *args, **kwargs)
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _as_ours(error) from error

    def _reader(self) -> _Reader:
        """Return the connection of this thread."""
        reader: _Reader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = _Reader(open_read_only(self._path, connect=self._connect), threading.RLock())
            with self._gate:
                if self._closed:
                    reader.connection.close()
                    self._refuse_if_closed()
                self._reading.append(reader)
            self._local.reader = reader
        return reader


def open_read_only(path: Path, *, connect: Connect = sqlite3.connect) -> sqlite3.Connection:
    """Open a database so that this connection can neither write nor checkpoint, whatever it is asked."""
    return _opened(connect, f"file:{quote(str(path))}?mode=ro", "PRAGMA query_only=ON", uri=True)


def _opened(connect: Connect, name: str | Path, *statements: str, uri: bool = False) -> sqlite3.Connection:
    """Open a connection and say how it is to work; leave none behind where that fails."""
    connection = connect(name, uri=uri, isolation_level=None, check_same_thread=False, cached_statements=512)
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        for statement in statements:
            connection.execute(statement).fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


_FSYNC_FAILED = {"SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC", "SQLITE_IOERR_CLOSE"}
_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_TRUNCATE"}
_DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED"}


def _as_ours(error: BaseException) -> BaseException:
    """Turn an error of the driver into one of ours that keeps it as its cause; leave any other as it is."""
    if not isinstance(error, sqlite3.Error):
        return error
    name = getattr(error, "sqlite_errorname", None) or ""
    ours: StorageError
    if name in _FULL or any(name.startswith(f"{full}_") for full in _FULL):
        ours = StoreFullError()
    elif any(name.startswith(damaged) for damaged in _DAMAGED):
        ours = StoreDamagedError(
            f"The database is damaged ({error}). Nothing was changed. Restore a backup with `pipulate db restore FILE`."
        )
    elif any(name.startswith(busy) for busy in _BUSY):
        ours = StoreUnavailableError("Another program is writing to the database. Nothing was changed; try again.")
    elif name.startswith("SQLITE_READONLY"):
        ours = StorageError("The data folder is read-only, so nothing can be saved. Nothing was changed.")
    else:
        ours = StorageError(f"The database refused: {error}. Nothing was changed.")
    ours.__cause__ = error
    return ours
