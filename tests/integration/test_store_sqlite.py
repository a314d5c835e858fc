"""What SQLite's one writer promises: batches, order, an end that loses nobody, readers that cannot write."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipulate.errors import StorageError, StoreFullError, StoreUnavailableError
from pipulate.storage import keyvalue, lifecycle
from pipulate.storage.database import Transaction
from pipulate.storage.sqlite import _BATCH, SqliteDatabase, open_read_only
from tests.support.store import LARGE, Sqlite, Store
from tests.support.store_faults import failing

pytestmark = pytest.mark.anyio


def put(tx: Transaction, key: str) -> str:
    """Store something."""
    keyvalue.put(tx, "global", "", key, 1)
    return key


def keys(tx: Transaction) -> list[str]:
    """Return the keys of what is stored."""
    return [key for key, _ in keyvalue.items(tx, "global", "")]


@pytest.fixture(scope="module")
def sqlite() -> Sqlite:
    """What makes stores."""
    return Sqlite()


@pytest.fixture
def store(sqlite: Sqlite, tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with sqlite.opened(tmp_path / "data") as store:
        yield store


class Busy:
    """A unit that holds the writer until it is let go."""

    def __init__(self, db: SqliteDatabase) -> None:
        self.db, self._began, self._release = db, threading.Event(), threading.Event()

    def _unit(self, _tx: Transaction) -> None:
        self._began.set()
        assert self._release.wait(20)

    async def begin(self) -> asyncio.Task[None]:
        """Take the writer."""
        task = asyncio.create_task(self.db.write(self._unit))
        await asyncio.to_thread(self._began.wait, 10)
        return task

    def end(self) -> None:
        """Let it go."""
        self._release.set()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        await asyncio.sleep(0)


async def after_waiting(db: SqliteDatabase, units: list[Callable[..., Any]]) -> list[Any]:
    """Submit units while the writer is busy, so that they are taken together; return what came of them."""
    busy = Busy(db)
    first = await busy.begin()
    tasks = [asyncio.create_task(db.write(unit)) for unit in units]
    await until(lambda: db._waiting.qsize() == len(units))
    busy.end()
    await first
    return await asyncio.gather(*tasks, return_exceptions=True)


def counting(commits: list[str]) -> Callable[..., sqlite3.Connection]:
    """Return what opens connections that count their commits."""

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql in ("COMMIT", "BEGIN IMMEDIATE"):
                commits.append(sql)
            return super().execute(sql, *parameters)

    return lambda *arguments, **options: sqlite3.connect(*arguments, factory=Counting, **options)


async def test_units_that_wait_share_one_commit(sqlite: Sqlite, tmp_path: Path) -> None:
    commits = list[str]()
    db = SqliteDatabase(sqlite.make(tmp_path).database, connect=counting(commits))
    await after_waiting(db, [lambda tx, number=number: put(tx, f"{number:02d}") for number in range(10)])
    assert commits.count("COMMIT") == 2  # One for the unit that held the writer, one for all the others.
    db.close()


@pytest.mark.parametrize(("units", "most"), [(2 * _BATCH, 3), (2 * _BATCH + 1, 4)])
async def test_no_commit_takes_more_than_its_share(sqlite: Sqlite, tmp_path: Path, units: int, most: int) -> None:
    commits = list[str]()
    db = SqliteDatabase(sqlite.make(tmp_path).database, connect=counting(commits))
    await after_waiting(db, [lambda tx, number=number: put(tx, f"{number}") for number in range(units)])
    assert commits.count("COMMIT") == most
    db.close()


async def test_in_one_commit_the_failing_unit_alone_leaves_nothing(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        put(tx, "failed")
        raise LookupError

    units: list[Callable[..., Any]] = [lambda tx, number=number: put(tx, f"{number}") for number in range(9)]
    outcomes = await after_waiting(_sqlite(store), [*units[:4], fail, *units[4:]])
    assert [type(each) for each in outcomes].index(LookupError) == 4
    assert await store.db.read(keys) == [f"{number}" for number in range(9)]


async def test_a_commit_that_fails_fails_all_units_in_it(sqlite: Sqlite, tmp_path: Path) -> None:
    fails = dict[str, str]()
    db = SqliteDatabase(sqlite.make(tmp_path).database, connect=failing(fails))

    def last(tx: Transaction) -> None:
        put(tx, "last")
        fails["COMMIT"] = "SQLITE_IOERR_WRITE"

    outcomes = await after_waiting(db, [lambda tx: put(tx, "a"), lambda tx: put(tx, "b"), last])
    assert [type(each) for each in outcomes] == [StoreFullError] * 3
    assert await db.read(keys) == []
    db.close()


async def test_a_unit_that_fills_the_disk_fails_all_units_in_its_commit(sqlite: Sqlite, tmp_path: Path) -> None:
    db = SqliteDatabase(sqlite.make(tmp_path).database)

    def fills(tx: Transaction) -> None:
        error = sqlite3.OperationalError("full")
        error.sqlite_errorname = "SQLITE_FULL"
        tx._connection.execute("ROLLBACK")  # type: ignore[attr-defined]  # As SQLite does by itself then.
        raise error

    outcomes = await after_waiting(db, [lambda tx: put(tx, "a"), fills, lambda tx: put(tx, "b")])
    assert [type(each) for each in outcomes] == [StoreFullError] * 3
    assert await db.read(keys) == []
    assert db.write_now(put, "c") == "c"
    db.close()


def test_units_of_waiting_threads_are_done_by_whoever_has_the_turn(store: Store) -> None:
    with ThreadPoolExecutor(16) as pool:
        done = list(pool.map(lambda number: store.db.write_now(put, f"{number:03d}"), range(200)))
    assert store.db.read_now(keys) == sorted(done)


async def test_more_than_can_wait_is_refused_and_the_rest_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipulate.storage.sqlite._WAITING_LIMIT", 3)
    busy = Busy(_sqlite(store))
    first = await busy.begin()
    tasks = [asyncio.create_task(store.db.write(put, f"{number}")) for number in range(5)]
    await until(tasks[-1].done)
    busy.end()
    outcomes = await asyncio.gather(first, *tasks, return_exceptions=True)
    assert [isinstance(each, StoreUnavailableError) for each in outcomes] == [False, False, False, False, True, True]
    assert await store.db.read(keys) == ["0", "1", "2"]


# The end


async def test_what_waits_when_the_store_is_closed_is_done_before(store: Store) -> None:
    busy = Busy(_sqlite(store))
    first = await busy.begin()
    tasks = [asyncio.create_task(store.db.write(put, f"{number:03d}")) for number in range(100)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(asyncio.to_thread(store.db.close))
    await until(lambda: _sqlite(store)._closed)
    with pytest.raises(StoreUnavailableError):
        await store.db.write(put, "late")
    busy.end()
    await asyncio.wait_for(asyncio.gather(first, closing, *tasks), 20)


def test_everybody_is_answered_whenever_the_store_is_closed(sqlite: Sqlite, tmp_path: Path) -> None:
    for number in range(25):
        db = SqliteDatabase(sqlite.make(tmp_path / f"{number}").database)
        barrier = threading.Barrier(7)

        def use(way: int, db: SqliteDatabase = db, barrier: threading.Barrier = barrier) -> int:
            barrier.wait(10)
            done = 0
            try:
                for each in range(1_000):
                    db.write_now(put, f"{way}-{each}") if way % 2 else db.read_now(keys)
                    done += 1
            except StoreUnavailableError:
                return done
            raise AssertionError("the store was never closed")

        with ThreadPoolExecutor(6) as pool:
            using = [pool.submit(use, way) for way in range(6)]
            barrier.wait(10)
            db.close()
            for each in using:
                each.result(20)


def test_closing_leaves_one_file_with_everything_in_it(sqlite: Sqlite, tmp_path: Path) -> None:
    with sqlite.opened(tmp_path) as store:
        store.db.write_now(put, "a")
        store.db.read_now(keys)
    assert [path.name for path in tmp_path.glob("pipulate.sqlite3*")] == ["pipulate.sqlite3"]


def test_a_store_that_was_closed_lets_go_of_every_file(sqlite: Sqlite, tmp_path: Path) -> None:
    psutil = pytest.importorskip("psutil")
    with sqlite.opened(tmp_path / "data") as store, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: store.db.read_now(keys), range(20)))
    opened = [each.path for each in psutil.Process().open_files() if str(tmp_path) in each.path]
    assert opened == []


# Readers


def test_a_reader_can_neither_write_nor_checkpoint_whatever_it_is_asked(store: Store) -> None:
    store.db.write_now(put, "a")
    reader = open_read_only(store.layout.database)
    log = store.layout.database.with_name("pipulate.sqlite3-wal").stat().st_size
    for sql in (
        "INSERT INTO conversations (id, last) VALUES ('x', 0)",
        "DROP TABLE runs",
        "VACUUM",
        "PRAGMA query_only=OFF",
    ):
        try:
            reader.execute(sql)
        except sqlite3.Error:
            continue
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM conversations")
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    reader.close()
    assert store.layout.database.with_name("pipulate.sqlite3-wal").stat().st_size == log
    assert store.db.read_now(keys) == ["a"]


def test_a_reading_unit_inside_a_reading_unit_is_refused_not_stuck(store: Store) -> None:
    with pytest.raises(StorageError):
        store.db.read_now(lambda _: store.db.read_now(keys))
    assert store.db.read_now(keys) == []


def test_what_is_acknowledged_is_synced(store: Store) -> None:
    connection = _sqlite(store)._connection
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_what_is_erased_is_not_found_in_the_files_afterwards(sqlite: Sqlite, tmp_path: Path) -> None:
    with sqlite.opened(tmp_path / "data") as store:
        kept, run = store.start("kept"), store.start("erased")
        store.submit(kept, "a", "canary-that-stays")
        store.submit(run, "a", "canary-of-a-value")
        store.submit(run, "b", LARGE + "canary-of-a-file")
        for number in range(20):
            store.submit(run, "c", f"canary-of-a-value {number} " * 300)
        store.do(lifecycle.delete, run)
        store.do(lifecycle.purge, run)
        store.files.erase(run)
    content = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert (b"canary-that-stays" in content, b"canary-of-a" in content) == (True, False)


def _sqlite(store: Store) -> SqliteDatabase:
    assert isinstance(store.db, SqliteDatabase)
    return store.db
