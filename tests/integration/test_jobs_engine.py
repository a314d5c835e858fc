"""Every default of the engine that would not do here is set otherwise, and the engine is where it has to be."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import pickle
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipulate.jobs import engine, transact
from pipulate.jobs.doing import Job
from pipulate.jobs.engine import Transact, name_of
from pipulate.jobs.port import Options
from pipulate.jobs.transact import TransactJobs
from pipulate.storage import jobs, lent
from pipulate.storage.lent import sqlite_engine
from pipulate.storage.sqlite import FLOOR, LIBRARY
from tests.support.job_room import OWNER, Room, place_of, room
from tests.support.site import running
from tests.support.store import Postgres, Sqlite, Store

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sqlite() -> Sqlite:
    return Sqlite()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, sqlite: Sqlite, tmp_path: Path) -> Iterator[Store]:
    """A store of each kind."""
    kind = sqlite if request.param == "sqlite" else Postgres(request.getfixturevalue("postgres_url"))
    with kind.opened(tmp_path / "data") as store:
        yield store


@pytest.fixture
def store(sqlite: Sqlite, tmp_path: Path) -> Iterator[Store]:
    with sqlite.opened(tmp_path / "data") as store:
        yield store


class Gate:
    """Where a job is held up."""

    def __init__(self) -> None:
        self.go, self.reached = threading.Event(), threading.Event()
        self.threads: list[str] = []


GATE = Gate()


@pytest.fixture(autouse=True)
def gate() -> Iterator[Gate]:
    GATE.__init__()  # type: ignore[misc]
    yield GATE
    GATE.go.set()


def quick(job: Job) -> str:
    GATE.threads.append(threading.current_thread().name)
    return "done"


async def quick_async(job: Job) -> str:
    GATE.threads.append(threading.current_thread().name)
    return "done"


def held(job: Job) -> str:
    GATE.reached.set()
    while not GATE.go.wait(0.005):
        job.check()
    return "done"


def dbos() -> Any:
    """Return the engine itself, which is one for the process."""
    from dbos._dbos import _get_dbos_instance

    return _get_dbos_instance()


async def begun(made: Room, options: Options | None = None) -> str:
    """Ask for a job and wait until it is under way; leave it there."""
    row = await made.ask(held, options)
    assert await asyncio.to_thread(GATE.reached.wait, 20)
    return row.id


def told(store: Store, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Do a statement in the engine's own tables."""
    if store.url is None:
        with closing(sqlite3.connect(store.layout.jobs, timeout=20)) as connection, connection:
            return connection.execute(sql, values).fetchall()
    with psycopg.connect(store.url) as there:
        there.execute(f"SET search_path TO {engine.SCHEMA}")
        cursor = there.execute(sql.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []


# SQLite


def test_every_connection_of_the_engine_is_durable_patient_and_writes_ahead(tmp_path: Path) -> None:
    file = tmp_path / "jobs.sqlite3"
    made = sqlite_engine(file, 5)
    with closing(made.raw_connection()) as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        }
        assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 30_000, "foreign_keys": 1}
        assert connection.driver_connection.isolation_level == "IMMEDIATE"
    made.dispose()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(("library", "size"), [((3, 51, 2), 1), (FLOOR, 5)])
def test_below_the_floor_one_connection_does_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: tuple[int, ...], size: int
) -> None:
    monkeypatch.setattr(lent, "LIBRARY", library)
    made = sqlite_engine(tmp_path / "jobs.sqlite3", 5)
    assert (made.pool.size(), made.pool._max_overflow) == (size, 0)
    made.dispose()


async def test_engine_uses_that_connection_and_leaves_nothing_elsewhere(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    async with room(store) as made:
        assert await made.done((await made.ask(quick)).id) == "done"
        pool = dbos()._sys_db.engine.pool
        assert (pool.size(), pool._max_overflow) == (1 if LIBRARY < FLOOR else 5, 0)
    assert list(elsewhere.iterdir()) == []
    assert stat.S_IMODE(store.layout.jobs.stat().st_mode) == 0o600


async def test_whoever_reads_the_engines_tables_holds_no_job_up(store: Store) -> None:
    async with room(store) as made:
        await made.done((await made.ask(quick)).id)
        with closing(sqlite3.connect(store.layout.jobs)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM workflow_status").fetchone()
            assert await made.done((await made.ask(quick)).id, seconds=10) == "done"


# What is told it


async def test_settings_are_these(either: Store) -> None:
    from dbos._utils import GlobalParams

    async with room(either) as made:
        job = (await made.ask(quick)).id
        await made.done(job)
        it = dbos()
        assert GlobalParams.app_version == engine.VERSION == "1"
        assert GlobalParams.executor_id == "tests"
        assert it._executor._max_workers == engine.THREADS == 32
        assert it._notification_listener_polling_interval_sec == 0.05
        assert type(it._serializer).__name__ == "DBOSPortableJSONSerializer"
        assert not any((it.conductor_key, it._config.get("auto_upgrade"), it._config.get("sharding")))
        assert logging.getLogger("dbos").level == logging.WARNING
    sql = "SELECT name, executor_id, application_version, serialization FROM workflow_status WHERE workflow_uuid = ?"
    assert told(either, sql, name_of(job, 1)) == [("pipulate.job", "tests", "1", "portable_json")]


async def test_queue_of_a_step_is_looked_at_ten_times_a_second(either: Store) -> None:
    async with room(either) as made:
        for most in (2, 3):  # An author may change it while the server runs.
            await made.done((await made.ask(quick, Options(at_once=most), app="a", step=f"s-{either.url is None}")).id)
            sql = "SELECT worker_concurrency, polling_interval_sec FROM queues WHERE name = ?"
            assert told(either, sql, f"a.s-{either.url is None}") == [(most, 0.1)]


async def test_tables_on_postgresql_are_in_a_schema_of_their_own(postgres_url: str, tmp_path: Path) -> None:
    with Postgres(postgres_url).opened(tmp_path / "data") as store:
        async with room(store) as made:
            await made.done((await made.ask(quick)).id)
        with psycopg.connect(postgres_url) as connection:
            found = connection.execute("SELECT schemaname, tablename FROM pg_tables").fetchall()
    where = {schema for schema, table in found if table in {"workflow_status", "queues", "operation_outputs"}}
    assert where == {"pipulate_jobs"}
    assert not {schema for schema, _ in found} & {"dbos"}
    assert not store.layout.jobs.exists()


async def test_id_of_this_process_is_that_of_its_data_folder(tmp_path: Path) -> None:
    found = []
    for folder in ("one", "one", "two"):
        (tmp_path / folder).mkdir(exist_ok=True)
        async with running(tmp_path / folder) as application:
            runs = application.site.engine.background.jobs
            assert isinstance(runs, TransactJobs)
            place = runs._engine._place
            assert place.file == application.layout.root / place.file.name
            assert place.file.is_absolute()
            found.append(place.executor)
    assert found[0] == found[1] != found[2]


# What was left is taken up


@pytest.mark.parametrize("how", ["as it was", "begun very often", "with other code"])
async def test_job_that_was_left_goes_on(either: Store, how: str) -> None:
    async with room(either) as made:
        job = await begun(made)
    assert told(either, "SELECT status FROM workflow_status WHERE workflow_uuid = ?", name_of(job, 1)) == [("PENDING",)]
    if how == "begun very often":
        sql = "UPDATE workflow_status SET recovery_attempts = 5000 WHERE workflow_uuid = ?"
        told(either, sql, name_of(job, 1))
    async with room(either) as made:
        made.does.functions["held"] = quick if how == "with other code" else held
        GATE.go.set()
        made.jobs.wake()
        assert await made.done(job) == "done"
        assert (await made.row(job)).attempt == 1


async def test_job_whose_turn_had_not_come_goes_on(either: Store) -> None:
    options = Options(at_once=1)
    async with room(either) as made:
        first = await begun(made, options)
        waiting = [(await made.ask(held, options)).id for _ in range(3)]
    async with room(either) as made:
        made.does.functions["held"] = held
        GATE.go.set()
        made.jobs.wake()
        for job in (first, *waiting):
            assert await made.done(job) == "done"


async def test_job_the_engine_knows_nothing_of_is_begun(either: Store) -> None:
    from pipulate.jobs.port import Request, row_of

    args = {"do": "quick", "with": {}}
    row = row_of(Request("call", "A job", OWNER, "default", args), "j" * 32, "2026-01-01T00:00:00.000000Z")
    either.db.write_now(jobs.add, row)
    async with room(either) as made:
        made.does.functions["quick"] = quick
        made.jobs.wake()
        assert await made.done("j" * 32) == "done"


async def test_job_is_paused_any_number_of_times(store: Store) -> None:
    async with room(store) as made:
        job = await begun(made)
    for _ in range(4):
        GATE.reached.clear()
        async with room(store) as made:
            made.does.functions["held"] = held
            made.jobs.wake()
            assert await asyncio.to_thread(GATE.reached.wait, 20)
    async with room(store) as made:
        made.does.functions["held"] = held
        GATE.go.set()
        made.jobs.wake()
        assert await made.done(job) == "done"


# Pickles


class Evil:
    """Runs a command when it is read."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


async def test_pickles_in_the_engines_tables_are_never_read(
    either: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transact, "_LOOK_EVERY_S", 0.3)
    marker = tmp_path / "marker"
    evil = base64.b64encode(pickle.dumps(Evil(marker))).decode()
    async with room(either) as made:
        left = await begun(made)
        ended = (await made.ask(quick)).id
        await made.done(ended)
    for name, status in ((name_of(left, 1), "PENDING"), (name_of(ended, 1), "SUCCESS")):
        told(
            either, "UPDATE workflow_status SET serialization = 'py_pickle', status = ?, inputs = ?, output = ?"
            " WHERE workflow_uuid = ?", status, evil, evil, name,
        )  # fmt: skip
        told(either, "UPDATE workflow_input SET inputs = ? WHERE workflow_uuid = ?", evil, name)
        told(either, "DELETE FROM workflow_output WHERE workflow_uuid = ?", name)
        told(either, "INSERT INTO workflow_output (workflow_uuid, output, error) VALUES (?, ?, ?)", name, evil, evil)
        told(
            either, "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, serialization)"
            " VALUES (?, 1, 'x', ?, 'py_pickle')", name, evil,
        )  # fmt: skip
    either.db.write_now(lambda tx: tx.run("UPDATE jobs SET status = 'running', ended_at = NULL"))
    async with room(either) as made:
        made.does.functions |= {"held": held, "quick": quick}
        GATE.go.set()
        made.jobs.wake()
        assert await made.done(left) == "done"
        assert await made.done(ended) == "done"
        with pytest.raises(engine.PickleRefusedError):
            await asyncio.to_thread(_read_all)
    assert not marker.exists()
    await asyncio.to_thread(pickle.loads, base64.b64decode(evil))
    assert marker.exists(), "the test would not have seen it"


def _read_all() -> None:
    from dbos import DBOS
    from dbos._serialization import deserialize_value

    for status in DBOS.list_workflows(load_input=True, load_output=True):
        DBOS.list_workflow_steps(status.workflow_id)
    evil = base64.b64encode(pickle.dumps(1)).decode()
    deserialize_value(evil, "py_pickle", dbos()._serializer)


def test_nothing_is_written_as_a_pickle(tmp_path: Path) -> None:
    from dbos import _serialization

    engine.refuse_pickle()
    with pytest.raises(engine.PickleRefusedError):
        _serialization.DBOSDefaultSerializer.serialize({1, 2})


# Where it runs


async def test_loop_of_the_server_keeps_its_threads(store: Store) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(int)
    before = loop._default_executor  # type: ignore[attr-defined]
    async with room(store) as made:
        for function in (quick, quick_async):
            await made.done((await made.ask(function)).id)
        assert loop._default_executor is before  # type: ignore[attr-defined]
        assert await asyncio.to_thread(int) == 0
        assert dbos()._background_event_loop.target_loop() is not loop
    assert loop._default_executor is before  # type: ignore[attr-defined]
    assert await asyncio.to_thread(int) == 0
    assert threading.current_thread().name not in GATE.threads


async def test_engine_is_ended_on_a_thread(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_on: list[threading.Thread] = []
    close = Transact.close

    def noted(self: Transact) -> None:
        ended_on.append(threading.current_thread())
        close(self)

    monkeypatch.setattr(Transact, "close", noted)
    async with room(store) as made:
        await made.done((await made.ask(quick)).id)
    assert ended_on
    assert ended_on[0] is not threading.current_thread()


async def test_engine_that_cannot_begin_is_tried_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transact, "_LOOK_EVERY_S", 0.05)
    tries, config = [], Transact.config

    def fails(self: Transact) -> Any:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("the database is away")
        return config(self)

    monkeypatch.setattr(Transact, "config", fails)
    async with room(store) as made:
        assert await made.done((await made.ask(quick)).id) == "done"
    assert len(tries) == 3


@pytest.mark.parametrize("at_once", [1, 16])
async def test_job_the_engine_does_not_take_is_begun_again_and_keeps_no_place(
    store: Store, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(transact, "_LOOK_EVERY_S", 0.1)
    monkeypatch.setattr(transact, "AT_ONCE", at_once)
    start, refused = Transact.start, list[str]()

    async def fails_once(self: Transact, job: str, attempt: int, **how: Any) -> None:
        if job not in refused:
            refused.append(job)
            raise OSError("the engine is away")
        await start(self, job, attempt, **how)

    monkeypatch.setattr(Transact, "start", fails_once)
    async with room(store) as made:
        asked = [await made.ask(quick) for _ in range(4)]
        assert [await made.done(row.id) for row in asked] == ["done"] * 4
    assert sorted(refused) == sorted(row.id for row in asked)


async def test_two_engines_in_one_process_are_refused(store: Store) -> None:
    async with room(store) as made:
        await made.done((await made.ask(quick)).id)
        other = Transact(place_of(store, "other"), None)  # type: ignore[arg-type]
        with pytest.raises(RuntimeError, match="two engines"):
            other.open()


# In a process of its own

SEEN = """
import asyncio, json, os, pathlib, sys
calls = []
sys.addaudithook(lambda name, args: calls.append([name, repr(args[1:])])
    if name in ("socket.bind", "socket.connect", "socket.getaddrinfo", "urllib.Request") else None)
from pipulate._log import configure
configure("debug", stream=sys.stderr)
from tests.support.job_room import room
from tests.support.store import Sqlite
def quick(job):
    return "done"
def sockets():
    names = [f"/proc/self/fd/{each}" for each in os.listdir("/proc/self/fd")]
    nodes = {os.readlink(each) for each in names if os.path.lexists(each)}
    lines = [line.split() for name in ("tcp", "tcp6", "udp", "udp6") for line in open(f"/proc/self/net/{name}")]
    return [line[1:4] for line in lines if len(line) > 9 and f"socket:[{line[9]}]" in nodes]
async def main():
    folder = pathlib.Path(sys.argv[1])
    with Sqlite().opened(folder / "data") as store:
        async with room(store) as made:
            assert await made.done((await made.ask(quick)).id) == "done"
            found = sockets()
    print(json.dumps({"calls": calls, "sockets": found}))
asyncio.run(main())
"""

WHEN_LOADED = """
import asyncio, json, pathlib, sys, threading, time
from tests.support.site import running
from pipulate.storage import jobs
from pipulate.jobs.scheduling import Scheduler
heavy = ("dbos", "psycopg", "sqlalchemy.orm")
run = Scheduler.run
async def main():
    folder, found, looked = pathlib.Path(sys.argv[1]), [], asyncio.Event()
    async def looks(scheduler):
        looked.set()  # Jobs that were left have been taken up by now, or there were none.
        await run(scheduler)
    async with running(folder) as application:
        pass
    for name in heavy:
        sys.modules.pop(name, None)
    Scheduler.run = looks
    async with running(folder) as application:
        await looked.wait()
        found.append([name for name in heavy if name in sys.modules])
        row = {"id": "j" * 32, "kind": "step", "title": "t", "app": "gone", "owner": "owner", "profile": "default",
               "args": "{}", "asked_at": "2026-01-01T00:00:00.000000Z"}
        await application.site.db.write(jobs.add, row)
    async with running(folder) as application:
        while (await application.site.db.read(jobs.find, "j" * 32)).status != "parked":
            await asyncio.sleep(0.02)
        found.append([name for name in heavy if name in sys.modules])
    print(json.dumps(found))
asyncio.run(asyncio.wait_for(main(), 50))
"""


def python(source: str, *arguments: str) -> tuple[Any, str]:
    """Run a program; return what it printed at last, and all it said."""
    done = subprocess.run(
        [sys.executable, "-c", source, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stdout + done.stderr


def test_engine_listens_nowhere_calls_nobody_and_praises_nothing(tmp_path: Path) -> None:
    found, said = python(SEEN, str(tmp_path))
    assert found == {"calls": [], "sockets": []}
    for word in ("dbos.dev", "Conductor", "development and testing", "DBOS"):
        assert word.lower() not in said.lower(), said


def test_engine_is_loaded_when_there_is_something_to_do(tmp_path: Path) -> None:
    found, _ = python(WHEN_LOADED, str(tmp_path))
    assert "dbos" not in found[0]
    assert "dbos" in found[1]
