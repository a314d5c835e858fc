"""Whatever dies, and whenever: the job ends, each of its effects is there once, and no finished part is repeated."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from benchmarks.client import Client
from psycopg import sql

from pipulate.errors import StoreUnavailableError
from pipulate.jobs import transact
from pipulate.jobs.doing import Job
from pipulate.jobs.port import Options, Request, row_of
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.folder import Layout
from pipulate.storage.tables import reading_sqlite
from tests.support import flows
from tests.support.job_room import KIND, OWNER, eventually, room
from tests.support.jobs_driver import PARTS, POINTS, Drivers, Ledger, opened
from tests.support.server import Server, served
from tests.support.services import POSTGRES, postgres_database
from tests.support.store import Postgres, Sqlite, Store

pytestmark = pytest.mark.anyio
CHAINS = 3


@pytest.fixture(scope="module")
def sqlite() -> Sqlite:
    return Sqlite()


def killed_at(layout: Layout, url: str | None, points: tuple[str, ...]) -> None:
    """Have a job done by processes that die, each a bit further on, and look at what there is in the end."""
    with Drivers() as drivers:
        for point in points:
            assert drivers.run(layout, url, point) == -signal.SIGKILL, point
        assert drivers.run(layout, url) == 0
    with opened(layout, url) as store:
        ((job, status, reason),) = store.db.read_now(lambda tx: tx.all("SELECT id, status, reason FROM jobs"))
        result = store.db.read_now(jobs.result_of, job)
    assert (status, reason, result) == (jobs.DONE, "", list(range(PARTS)))
    ledger, keys = Ledger(layout.root), [f"{job}:part {number}" for number in range(PARTS)]
    assert sorted(ledger.effects()) == keys
    again = [f"{job}:part {each.split()[-1]}" for each in points if "before" in each]
    assert Counter(ledger.calls()) == Counter(keys + again)


def test_killed_at_any_point_on_sqlite_a_job_goes_on_from_its_last_part(sqlite: Sqlite, tmp_path: Path) -> None:
    layouts = [sqlite.make(tmp_path / f"{number}") for number in range(CHAINS)]
    with ThreadPoolExecutor(CHAINS) as pool:
        list(pool.map(lambda number: killed_at(layouts[number], None, POINTS[number::CHAINS]), range(CHAINS)))


def test_killed_at_any_point_on_postgresql_a_job_goes_on_from_its_last_part(tmp_path: Path) -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(postgres_database()) for _ in range(2)]
        layouts = [stack.enter_context(Postgres(url).opened(tmp_path / url[-8:])).layout for url in urls]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: killed_at(layouts[number], urls[number], POINTS[number::2]), range(2)))


def test_job_that_ends_the_program_each_time_is_given_up_with_a_reason(sqlite: Sqlite, tmp_path: Path) -> None:
    layout = sqlite.make(tmp_path / "data")
    with Drivers() as drivers:
        assert [drivers.run(layout, None, "always") for _ in range(3)] == [3, 3, 3]
        assert drivers.run(layout) == 0
    with opened(layout, None) as store:
        ((status, reason),) = store.db.read_now(lambda tx: tx.all("SELECT status, reason FROM jobs"))
    assert (status, reason) == (jobs.FAILED, "The program ended 3 times while it worked on this.")
    assert len(Ledger(layout.root).calls()) == 3


# The real server

SLOW = """
import os, time
from pathlib import Path
from pipulate import Job, Run, Workflow
app = Workflow("slow")

@app.step("go", background=True)
def go(word: str, job: Job) -> str:
    return " ".join(job.checkpoint_now(f"part {number}", part, number) for number in range(3))

def part(number: int) -> str:
    with open("calls", "a") as file:
        file.write(f"{number}\\n")
    while number == 1 and not Path("go").exists():
        time.sleep(0.01)
    return f"{number}"
"""


def called(folder: Path) -> list[str]:
    return (folder / "calls").read_text().split() if (folder / "calls").exists() else []


def until(condition: Callable[[], Any], server: Server) -> None:
    """Wait until something is so."""
    never, end = threading.Event(), time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, server.log()
        never.wait(0.02)


def test_asked_to_end_the_server_ends_after_the_part_under_way_and_goes_on_later(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "slow.py").write_text(SLOW)
    layout = Layout(tmp_path / "data")
    with served(tmp_path) as server:
        client = Client(server.port, server.cookie())
        until(lambda: server.get("/slow")[0] == 200, server)
        run, _, version = client.start("slow")
        client.ask("POST", f"/-/runs/{run}/steps/go", {"_seen": version, "_submit": "form-0001", "word": "x"})
        client.close()
        until(lambda: called(tmp_path) == ["0", "1"], server)
        server.process.send_signal(signal.SIGTERM)
        threading.Timer(0.3, (tmp_path / "go").touch).start()
        assert server.process.wait(30) == 0, server.log()
    assert called(tmp_path) == ["0", "1"]
    assert found(layout) == ("running", 2)
    with served(tmp_path) as server:
        until(lambda: found(layout)[0] == "done", server)
        assert server.stop() == 0
    assert called(tmp_path) == ["0", "1", "2"]


def found(layout: Layout) -> tuple[str, int]:
    """Return status and finished parts of the one job."""
    with reading_sqlite(layout.database) as (_, tx):
        ((job, status),) = tx.all("SELECT id, status FROM jobs")
        return status, jobs.parts(tx, job)


# The database goes away

EFFECTS: Counter[str] = Counter()
_LOCK = threading.Lock()


async def three(job: Job) -> list[str]:
    found = []
    for number in range(3):
        found.append(await job.checkpoint(f"{number}", effect, job))
        await job.wait(0.1)
    return found


def effect(job: Job) -> str:
    with _LOCK:
        EFFECTS[job.key] += 1
    return "done"


def sent_away(url: str) -> None:
    """Let the database throw everybody out, again and again, and let nobody in meanwhile."""
    name = sql.Identifier(url.rsplit("/", 1)[1])
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    never = threading.Event()
    with psycopg.connect(POSTGRES, autocommit=True) as admin:
        for seconds in (0.2, 1.5):
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            for _ in range(3):
                admin.execute(end, (url.rsplit("/", 1)[1],))
                never.wait(seconds / 3)
            admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
            never.wait(0.3)


async def test_database_that_restarts_under_two_hundred_jobs_loses_none(postgres_url: str, tmp_path: Path) -> None:
    EFFECTS.clear()
    with Postgres(postgres_url).opened(tmp_path / "data") as store:
        async with room(store) as made:
            rows = [await made.ask(three) for _ in range(200)]
            await flows.until(lambda: len(EFFECTS) >= 20)
            await asyncio.to_thread(sent_away, postgres_url)
            await eventually(lambda: _all_ended(store), 60)
            for row in rows:
                assert await made.done(row.id) == ["done"] * 3
                assert (await made.row(row.id)).attempt == 1
    assert len(EFFECTS) == 600


async def _all_ended(store: Store) -> bool:
    try:
        return not await store.db.read(jobs.has_work)
    except StoreUnavailableError:
        return False


# Time, and numbers


def fails_once(job: Job) -> int:
    if job.attempt == 1:
        raise OSError("no answer")
    return job.attempt


@pytest.mark.parametrize("hours", [1000, -1000])
async def test_clock_that_jumps_harms_no_job(
    sqlite: Sqlite, tmp_path: Path, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transact, "_LOOK_EVERY_S", 0.1)
    with sqlite.opened(tmp_path / "data") as store:
        async with room(store) as made:
            under_way = await made.ask(three)
            tried_again = await made.ask(fails_once, Options(retries=1, backoff_s=0.05, timeout_s=30))
            store.clock.move(hours=hours)
            assert await made.done(under_way.id) == ["done"] * 3
            assert await made.done(tried_again.id) == 2
            late = await made.ask(fails_once, Options(retries=1, backoff_s=100))
            await made.attempts(late.id, 2)
            store.clock.move(hours=hours)  # Whether it is due by now or was put off by weeks.
            assert await made.done(late.id) == 2


def counts(job: Job) -> None:
    with _LOCK:
        EFFECTS[job.key] += 1


async def test_a_thousand_queued_jobs_are_all_done_once(sqlite: Sqlite, tmp_path: Path) -> None:
    EFFECTS.clear()
    request = Request(KIND, "A job", OWNER, "default", {"do": "counts", "with": {}})

    def add(tx: Transaction) -> None:
        for number in range(1000):
            jobs.add(tx, row_of(request, f"{number:032d}", "2026-01-01T00:00:00.000000Z"))

    with sqlite.opened(tmp_path / "data") as store:
        store.db.write_now(add)
        async with room(store) as made:
            made.does.functions["counts"] = counts
            made.jobs.wake()
            await made.all_ended()
        rows = store.db.read_now(lambda tx: tx.all("SELECT status, attempt, count(*) FROM jobs GROUP BY 1, 2"))
    assert rows == [("done", 1, 1000)]
    assert len(EFFECTS) == sum(EFFECTS.values()) == 1000
