"""Jobs against the bare engine: the same store, the same settings, in turns, each in a process of its own."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from tests.support.services import POSTGRES, postgres_database
from tests.support.store import Postgres, Sqlite

from benchmarks.servers import ROOT
from benchmarks.table import Row
from pipulate.storage.folder import Layout

ROUNDS = 4
Figures = dict[str, dict[str, float]]


def everything(folder: Path) -> Iterator[Row]:
    """Yield the rows of each store that is there."""
    sqlite = Sqlite()
    layouts = iter(range(1_000))
    yield from rows("SQLite", measure(lambda: (sqlite.make(folder / f"jobs-{next(layouts)}"), None)))
    try:
        psycopg.connect(POSTGRES, connect_timeout=2).close()
    except psycopg.OperationalError:
        return
    with postgres_database() as url:
        stores = Postgres(url)

        def fresh() -> tuple[Layout, str | None]:
            with stores.opened(folder / f"jobs-{next(layouts)}") as store:
                return store.layout, url

        yield from rows("PostgreSQL", measure(fresh))


def measure(fresh: Callable[[], tuple[Layout, str | None]]) -> Figures:
    """Measure both in turns, each time on an empty store; return the medians."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "bare": []}
    for _ in range(ROUNDS):
        for which, measured in found.items():
            layout, url = fresh()
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.jobs_worker", which, str(layout.root), url or ""],
                cwd=ROOT, capture_output=True, text=True, check=True, timeout=300,
            )  # fmt: skip
            measured.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        which: {name: statistics.median(each[name] for each in measured) for name in measured[0]}
        for which, measured in found.items()
    }


def rows(store: str, found: Figures) -> Iterator[Row]:
    """Yield what the figures of a store say."""
    ours, bare = found["ours"], found["bare"]
    ratio = ours["rate"] / bare["rate"]
    how = f"ours {ours['rate']:,.0f}/s, bare {bare['rate']:,.0f}/s"
    yield Row(f"jobs, {store}", f"{ratio:.2f} x the bare engine's rate", ">= 0.8 x", ratio >= 0.8, how)
    for name, what in (("latency", "job, asked to done"), ("part", "part of a job")):
        ratio = ours[name] / bare[name]
        how = f"ours {ours[name] * 1e3:.2f} ms, bare {bare[name] * 1e3:.2f} ms"
        yield Row(f"{what}, {store}", f"{ratio:.2f} x the bare engine", "<= 1.25 x", ratio <= 1.25, how)
