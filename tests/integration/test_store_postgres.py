"""PostgreSQL that goes away, comes back, hangs, or was never there."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest

from pipulate.errors import StorageError, StoreUnavailableError
from pipulate.storage import keyvalue, postgres
from pipulate.storage.database import Transaction
from pipulate.storage.keyvalue import KeyValues
from pipulate.storage.migrate import migrate_postgres
from pipulate.storage.postgres import PostgresDatabase
from tests.support.store import Postgres, Store
from tests.support.store_proxy import Proxy

pytestmark = pytest.mark.anyio


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    """The network in front of an empty store."""
    Postgres(postgres_url).empty()
    with Proxy(postgres_url) as proxy:
        yield proxy


@pytest.fixture
def db(proxy: Proxy) -> Iterator[PostgresDatabase]:
    """The store by way of that network."""
    db = PostgresDatabase(proxy.url)
    yield db
    db.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after two seconds instead of nine."""
    monkeypatch.setattr(postgres, "_ANSWER_S", 1.0)
    monkeypatch.setattr(postgres, "_FIRST_ANSWER_S", 0.5)
    monkeypatch.setattr(postgres, "_GIVE_UP_S", 2.0)


def put(tx: Transaction, key: str) -> None:
    """Store something."""
    keyvalue.put(tx, "global", "", key, 1)


def keys(tx: Transaction) -> list[str]:
    """Return the keys of what is stored."""
    return [key for key, _ in keyvalue.items(tx, "global", "")]


def use_every_connection(db: PostgresDatabase, size: int = postgres._POOL) -> None:
    """Make the pool as large as it gets."""
    barrier = threading.Barrier(size)
    with ThreadPoolExecutor(size) as pool:
        list(pool.map(lambda _: db.read_now(lambda _tx: barrier.wait(20)), range(size)))


def works_again(db: PostgresDatabase, within_s: float) -> None:
    """Try until the store answers, as people do."""
    end = time.monotonic() + within_s
    while True:
        try:
            return db.write_now(put, "again")
        except StoreUnavailableError:
            assert time.monotonic() < end, f"still no answer after {within_s} s"


def test_connections_that_broke_while_nobody_used_them_are_not_noticed(proxy: Proxy, db: PostgresDatabase) -> None:
    use_every_connection(db)
    assert proxy.open() == postgres._POOL
    proxy.cut()
    db.write_now(put, "a")
    assert db.read_now(keys) == ["a"]


@pytest.mark.usefixtures("impatient")
def test_connections_that_hang_for_good_are_replaced(proxy: Proxy, db: PostgresDatabase) -> None:
    use_every_connection(db, 2)
    proxy.strand()
    db.write_now(put, "a")
    assert db.read_now(keys) == ["a"]


def test_a_connection_that_breaks_in_the_middle_leaves_nothing_and_says_so(proxy: Proxy, db: PostgresDatabase) -> None:
    def unit(tx: Transaction) -> None:
        put(tx, "half")
        proxy.cut()
        put(tx, "other half")

    with pytest.raises(StoreUnavailableError, match="sending it again is safe"):
        db.write_now(unit)
    assert db.read_now(keys) == []


def test_a_server_that_ends_the_session_is_unavailable_once(postgres_url: str, db: PostgresDatabase) -> None:
    def unit(tx: Transaction) -> None:
        put(tx, "half")
        (pid,) = tx.one("SELECT pg_backend_pid()") or (0,)
        with psycopg.connect(postgres_url) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (pid,))
        put(tx, "other half")

    with pytest.raises(StoreUnavailableError):
        db.write_now(unit)
    db.write_now(put, "a")
    assert db.read_now(keys) == ["a"]


@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_down_is_unavailable_and_used_again_once_it_is_back(
    proxy: Proxy, db: PostgresDatabase
) -> None:
    proxy.set("refuse")
    proxy.cut()
    with pytest.raises(StoreUnavailableError):
        db.write_now(put, "a")
    proxy.set("pass")
    works_again(db, 5)


@pytest.mark.usefixtures("impatient")
def test_after_a_longer_outage_it_is_used_again_at_once(proxy: Proxy, db: PostgresDatabase) -> None:
    proxy.set("refuse")
    proxy.cut()
    end = time.monotonic() + 2 * postgres._ANSWER_S  # After that long it no longer tries by itself.
    while time.monotonic() < end:
        with pytest.raises(StoreUnavailableError):
            db.read_now(keys)
    proxy.set("pass")
    works_again(db, 5)


def test_a_person_waits_less_than_ten_seconds_for_a_database_that_says_nothing() -> None:
    assert postgres._GIVE_UP_S + 0.5 < 10  # Half a second more for those who wait for a thread.


@pytest.mark.usefixtures("impatient")
async def test_a_database_that_says_nothing_is_given_up_in_time_whoever_waits_for_it(
    proxy: Proxy, db: PostgresDatabase
) -> None:
    use_every_connection(db)
    proxy.set("silent")
    began = time.monotonic()
    outcomes = await asyncio.gather(
        *(db.read(keys) for _ in range(10)), *(db.write(put, "x") for _ in range(10)),
        asyncio.to_thread(db.read_now, keys), asyncio.to_thread(db.write_now, put, "x"),
        return_exceptions=True,
    )  # fmt: skip
    assert time.monotonic() - began < postgres._GIVE_UP_S + 3
    assert {type(outcome) for outcome in outcomes} == {StoreUnavailableError}
    proxy.set("pass")
    works_again(db, 10)


@pytest.mark.usefixtures("impatient")
async def test_what_was_given_up_before_it_began_is_not_done_later(proxy: Proxy, db: PostgresDatabase) -> None:
    proxy.set("silent")
    await asyncio.gather(*(db.write(put, f"{number}") for number in range(30)), return_exceptions=True)
    proxy.set("pass")
    works_again(db, 10)
    assert await db.read(keys) == ["again"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("moment", ["statement", "commit"])
def test_a_database_that_falls_silent_in_the_middle_is_given_up(
    proxy: Proxy, db: PostgresDatabase, moment: str
) -> None:
    def unit(tx: Transaction) -> None:
        put(tx, "half")
        proxy.set("silent")
        if moment == "statement":
            put(tx, "other half")

    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        db.write_now(unit)
    assert time.monotonic() - began < 4
    proxy.set("pass")
    works_again(db, 5)
    assert db.read_now(keys) in (["again"], ["again", "half"])  # Both or neither half, and the commit may have arrived.


def test_the_same_form_sent_again_after_silence_has_one_effect(
    proxy: Proxy, db: PostgresDatabase, tmp_path: Path, impatient: None
) -> None:
    from pipulate.storage.folder import Layout

    layout = Layout(tmp_path)
    layout.make()
    store = Store(db, layout, proxy.url)
    run = store.start()
    author = store.author()

    def submit(tx: Transaction) -> None:
        store.submitting(tx, run, "a", "mine", 1, "form-1", (), author)
        if not hushed:
            hushed.append(True)
            proxy.set("silent")

    hushed = list[bool]()
    with pytest.raises(StoreUnavailableError):
        db.write_now(submit)
    proxy.set("pass")
    works_again(db, 5)
    db.write_now(submit)
    assert (store.outputs(run), store.row(run).version) == ({"a": "mine"}, 2)


def test_units_that_stand_in_each_others_way_are_run_again(db: PostgresDatabase) -> None:
    barrier, values = threading.Barrier(2), KeyValues(db)
    values.update(a=0, b=0)

    def cross(first: str, second: str) -> None:
        met = list[bool]()

        def unit(tx: Transaction) -> None:
            for key in (first, second):
                sql = "UPDATE key_values SET value = :value WHERE key = :key"
                tx.run("UPDATE key_values SET key = key WHERE key = :key", key=key)
                tx.run(sql, key=key, value=str(keyvalue.get(tx, "global", "", key) + 1))
                if not met:
                    met.append(True)
                    barrier.wait(10)  # Both hold one row now and want the other's.

        db.write_now(unit)

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(cross, "a", "b"), pool.submit(cross, "b", "a")]:
            each.result(30)
    assert dict(values) == {"a": 2, "b": 2}


def test_units_that_always_stand_in_the_way_are_given_up(db: PostgresDatabase) -> None:
    tries = list[int]()

    def unit(_tx: Transaction) -> None:
        tries.append(1)
        raise psycopg.errors.SerializationFailure("again")

    with pytest.raises(StoreUnavailableError, match="too busy"):
        db.write_now(unit)
    assert len(tries) == postgres._ATTEMPTS


def test_a_read_only_server_says_so(postgres_url: str, db: PostgresDatabase) -> None:
    def unit(tx: Transaction) -> None:
        tx.run("SET LOCAL transaction_read_only = on")
        put(tx, "x")

    with pytest.raises(StorageError, match="read-only"):
        db.write_now(unit)
    assert db.read_now(keys) == []


def nobody(port: int) -> str:
    """Return the address of a database that is not there."""
    return f"postgresql://ada:hidden-secret@127.0.0.1:{port}/x"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("use", [PostgresDatabase, migrate_postgres])
def test_a_database_that_is_not_there_is_named_without_its_password(use: Callable[[str], object]) -> None:
    with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1:1\b") as caught:
        use(nobody(1))
    assert "hidden" not in str(caught.value)


@pytest.mark.usefixtures("impatient")
def test_a_database_that_says_nothing_at_the_start_is_unavailable(proxy: Proxy) -> None:
    proxy.set("silent")
    for use in (PostgresDatabase, migrate_postgres):
        with pytest.raises(StoreUnavailableError):
            use(proxy.url)


@pytest.mark.parametrize("url", ["postgresql://[::1/c", "postgresql://a:hidden@b/c?nonsense=1"])
def test_an_address_that_cannot_be_read_says_so(url: str) -> None:
    for use in (migrate_postgres, partial(PostgresDatabase, size=1)):
        with pytest.raises(StorageError, match="DATABASE_URL") as caught:
            use(url)
        assert "hidden" not in str(caught.value)
