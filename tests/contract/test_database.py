"""The port: units of work, each in a transaction of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from pipulate.errors import StorageError, StoreUnavailableError
from pipulate.storage import keyvalue
from pipulate.storage.database import Transaction
from tests.support.store import Store

pytestmark = pytest.mark.anyio


def put(tx: Transaction, key: str, value: Any = 1) -> str:
    """Store something; return its key."""
    keyvalue.put(tx, "global", "", key, value)
    return key


def keys(tx: Transaction) -> list[str]:
    """Return the keys of what is stored."""
    return [key for key, _ in keyvalue.items(tx, "global", "")]


def put_and_fail(tx: Transaction, key: str) -> None:
    """Store something and then raise."""
    put(tx, key)
    raise LookupError(key)


def seen_from_outside(store: Store) -> set[str]:
    """Return the keys that a program of somebody else's sees now."""
    sql = "SELECT key FROM key_values"
    if store.url is not None:
        with psycopg.connect(store.url) as postgres:
            return {row[0] for row in postgres.execute(sql)}
    sqlite = sqlite3.connect(f"file:{store.layout.database}?mode=ro", uri=True)
    try:
        return {row[0] for row in sqlite.execute(sql)}
    finally:
        sqlite.close()


# One unit


async def test_what_a_unit_returns_comes_back(store: Store) -> None:
    assert await store.db.write(put, "a", value=2) == "a"
    assert store.db.write_now(put, "b") == "b"
    assert await store.db.read(keys) == store.db.read_now(keys) == ["a", "b"]


async def test_the_error_of_a_unit_comes_back_as_it_is_and_nothing_is_stored(store: Store) -> None:
    for call in (store.db.write, store.db.read):
        with pytest.raises(LookupError) as caught:
            await call(put_and_fail if call == store.db.write else _raise, "x")
        assert (type(caught.value), caught.value.args) == (LookupError, ("x",))
    with pytest.raises(LookupError):
        store.db.write_now(put_and_fail, "x")
    with pytest.raises(LookupError):
        store.db.read_now(_raise, "x")
    assert await store.db.read(keys) == []


def _raise(_tx: Transaction, name: str) -> None:
    raise LookupError(name)


async def test_after_the_error_of_a_unit_everything_goes_on(store: Store) -> None:
    for number in range(20):
        with pytest.raises(LookupError):
            await store.db.write(put_and_fail, "x")
        await store.db.write(put, f"{number:02d}")
    assert await store.db.read(keys) == [f"{number:02d}" for number in range(20)]


async def test_a_unit_the_database_refuses_is_a_storage_error(store: Store) -> None:
    def wrong(tx: Transaction) -> None:
        put(tx, "x")
        tx.run("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(StorageError, match="Nothing was changed"):
        await store.db.write(wrong)
    assert await store.db.read(keys) == []


async def test_a_unit_that_reads_cannot_write(store: Store) -> None:
    with pytest.raises(StorageError):
        await store.db.read(put, "x")
    with pytest.raises(StorageError):
        store.db.read_now(put, "x")
    assert await store.db.read(keys) == []


# Units at the same moment


async def test_of_ten_units_at_once_the_failing_one_alone_leaves_nothing(store: Store) -> None:
    release = threading.Event()
    units = [put_and_fail if number == 4 else put for number in range(10)]
    first = asyncio.create_task(store.db.write(lambda _: release.wait(10)))
    await asyncio.sleep(0)  # The first has the turn; what follows waits, and is taken together where that is done.
    rest = [asyncio.create_task(store.db.write(unit, f"{number}")) for number, unit in enumerate(units)]
    await asyncio.sleep(0)
    release.set()
    outcomes = await asyncio.gather(first, *rest, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[1:]].count(LookupError) == 1
    assert await store.db.read(keys) == [f"{number}" for number in range(10) if number != 4]


async def test_nobody_is_answered_before_others_can_see_what_was_written(store: Store) -> None:
    async def write(number: int) -> bool:
        key = await store.db.write(put, f"{number}")
        return key in await asyncio.to_thread(seen_from_outside, store)

    assert all(await asyncio.gather(*(write(number) for number in range(40))))


def test_units_of_many_threads_are_all_done_once(store: Store) -> None:
    store.db.write_now(put, "count", 0)

    def count(_: int) -> None:
        store.db.write_now(add_one)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(80)))
    assert store.db.read_now(keyvalue.get, "global", "", "count") == 80


def add_one(tx: Transaction) -> None:
    """Read and write, as one: who reads has to wait for who writes."""
    tx.run("UPDATE key_values SET key = key WHERE key = 'count'")
    put(tx, "count", keyvalue.get(tx, "global", "", "count") + 1)


def test_a_reading_unit_sees_one_moment(store: Store) -> None:
    began, written = threading.Event(), threading.Event()

    def look(tx: Transaction) -> tuple[list[str], list[str]]:
        first = keys(tx)
        began.set()
        assert written.wait(10)
        return first, keys(tx)

    with ThreadPoolExecutor(1) as pool:
        looking = pool.submit(store.db.read_now, look)
        assert began.wait(10)
        store.db.write_now(put, "x")
        written.set()
        assert looking.result(10) == ([], [])
    assert store.db.read_now(keys) == ["x"]


async def test_readers_do_not_wait_for_a_unit_that_writes(store: Store) -> None:
    began, release = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        put(tx, "x")
        began.set()
        release.wait(10)

    writing = asyncio.create_task(store.db.write(slow))
    await asyncio.to_thread(began.wait, 10)
    assert await store.db.read(keys) == []
    release.set()
    await writing
    assert await store.db.read(keys) == ["x"]


# Callers that go away, and the end


async def test_a_caller_that_goes_away_does_no_harm(store: Store) -> None:
    began, release = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        put(tx, "x")
        began.set()
        release.wait(10)

    task = asyncio.create_task(store.db.write(slow))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    assert await store.db.write(put, "y") == "y"
    assert set(await store.db.read(keys)) >= {"y"}


async def test_after_closing_every_call_is_refused(store: Store) -> None:
    store.is_damaged = True  # Nobody can look at it any more.
    store.db.read_now(keys)
    store.db.close()
    store.db.close()
    for call in (store.db.read, store.db.write):
        with pytest.raises(StoreUnavailableError):
            await call(keys)
    for call_now in (store.db.read_now, store.db.write_now):
        with pytest.raises(StoreUnavailableError):
            call_now(keys)
        with pytest.raises(StoreUnavailableError):
            await asyncio.to_thread(call_now, keys)


async def test_what_was_acknowledged_before_closing_is_there(store: Store) -> None:
    store.is_damaged = True
    tasks = [asyncio.create_task(store.db.write(put, f"{number:02d}")) for number in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.db.close)
    outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
    assert all(isinstance(each, str | StoreUnavailableError) for each in outcomes)
    assert seen_from_outside(store) >= {each for each in outcomes if isinstance(each, str)}


# Statements


def test_an_insert_that_meets_a_unique_value_changes_nothing_and_the_unit_goes_on(store: Store) -> None:
    sql = "INSERT INTO key_values (scope, owner, key, value) VALUES ('global', '', :key, :value)"

    def unit(tx: Transaction) -> list[bool]:
        tried = [tx.attempt(sql, key="a", value="1"), tx.attempt(sql, key="a", value="2")]
        return [*tried, tx.attempt(sql, key="b", value="3")]

    assert store.db.write_now(unit) == [True, False, True]
    assert store.db.read_now(keyvalue.items, "global", "") == [("a", 1), ("b", 3)]


def test_an_attempt_that_fails_for_another_reason_is_an_error(store: Store) -> None:
    sql = "INSERT INTO key_values (scope, owner, key, value) VALUES ('global', '', :key, NULL)"
    with pytest.raises(StorageError):
        store.db.write_now(lambda tx: tx.attempt(sql, key="a"))
    assert store.db.read_now(keys) == []


def test_an_error_of_a_unique_value_is_told_from_others(store: Store) -> None:
    def told(tx: Transaction, sql: str) -> bool:
        try:
            tx.run(sql)
        except Exception as error:  # noqa: BLE001 - the drivers' errors have no common root
            raise LookupError(tx.is_taken(error)) from None
        return False

    store.db.write_now(lambda tx: tx.run("INSERT INTO conversations (id, last) VALUES ('default', 0)"))
    double = "INSERT INTO conversations (id, last) VALUES ('default', 0)"
    for sql, taken in ((double, True), ("INSERT INTO conversations (id, last) VALUES ('x', NULL)", False)):
        with pytest.raises(LookupError, match=str(taken)):
            store.db.write_now(told, sql)


def test_statements_tell_how_many_rows_they_changed(store: Store) -> None:
    store.db.write_now(lambda tx: [put(tx, key) for key in "abc"])
    changed = store.db.write_now(lambda tx: tx.run("DELETE FROM key_values WHERE key <> :key", key="b"))
    assert changed == 2


def test_a_statement_for_many_rows_takes_none_too(store: Store) -> None:
    sql = "INSERT INTO key_values (scope, owner, key, value) VALUES ('user', :o, :k, '1')"
    store.db.write_now(lambda tx: tx.many(sql, []))
    store.db.write_now(lambda tx: tx.many(sql, [{"o": "x", "k": f"{number}"} for number in range(3)]))
    assert store.count("key_values") == 3


def test_signs_of_both_databases_stand_for_themselves(store: Store) -> None:
    sql = "SELECT '100%', '%s', '12:30', :value_1, :v2x, key FROM key_values WHERE key LIKE '%a%'"
    store.db.write_now(put, "cat")
    row = store.db.read_now(lambda tx: tx.one(sql, value_1="one", v2x="two"))
    assert row is not None
    assert list(row) == ["100%", "%s", "12:30", "one", "two", "cat"]


def test_no_row_is_none_and_no_rows_are_an_empty_list(store: Store) -> None:
    sql = "SELECT key FROM key_values WHERE key = :key"
    assert store.db.read_now(lambda tx: (tx.one(sql, key="x"), tx.all(sql, key="x"))) == (None, [])
