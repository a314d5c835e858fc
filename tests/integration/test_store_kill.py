"""A process that is killed at any moment has lost nothing it acknowledged, and left nothing torn."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from pipulate.storage.check import check_runs, check_sqlite_file
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.ledger import events
from pipulate.storage.tables import reading_sqlite
from tests.support.store import Sqlite
from tests.support.store_zygote import WRITERS, Zygote, expected

KILLS = 120
STORES = 6  # Each takes its share of the kills, so that looking through one stays quick.


def test_no_acknowledged_submit_is_lost_or_torn_by_kill_9(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance, stores, found = random.Random(seed), Sqlite(), 0
    with Zygote() as zygote:
        for number in range(STORES):
            layout = stores.make(tmp_path / f"{number}")
            found += kill_again_and_again(zygote, layout, chance, f"seed {seed}, store {number}")
    assert found > KILLS, "they hardly got to write anything"


def kill_again_and_again(zygote: Zygote, layout: Layout, chance: random.Random, where: str) -> int:
    """Let writers work on a store and kill them; return how many submits were acknowledged."""
    run = started(layout)
    acknowledged, last = set[str](), list[str]()
    for kill in range(KILLS // STORES):
        pid = zygote.fork(layout, run, f"k{kill}", again=_last_and_next(last))
        last = work(zygote, chance)
        zygote.kill(pid)
        last += zygote.acknowledged(0)
        acknowledged.update(last)
        verify(layout, run, acknowledged, f"{where}, kill {kill}")
    return len(acknowledged)


def started(layout: Layout) -> str:
    """Start a run in a store; return its id."""
    from pipulate.storage.sqlite import SqliteDatabase
    from tests.support.store import Store

    db = SqliteDatabase(layout.database)
    try:
        return Store(db, layout).start()
    finally:
        db.close()


def work(zygote: Zygote, chance: random.Random) -> list[str]:
    """Wait until a writer has done something, sometimes nothing yet, and then for a moment more."""
    enough, last = chance.choice([0, 1, 1, 4, 10, 25]), list[str]()
    end = time.monotonic() + 20
    while len(last) < enough:
        assert time.monotonic() < end, "it does not write"
        last += zygote.acknowledged(1.0)
    moment = time.monotonic() + chance.uniform(0, 0.03 if enough == 0 else 0.004)
    while (left := moment - time.monotonic()) > 0:
        last += zygote.acknowledged(left)
    return last


def _last_and_next(last: list[str]) -> list[str]:
    """Return what a person might send again: the last that were answered, and those that may have been on their way."""
    again = []
    for number in range(WRITERS):
        mine = [each for each in last if each.split("-")[1] == f"{number}"]
        again += mine[-2:]
        if mine:
            name, _, count = mine[-1].split("-")
            again += [f"{name}-{number}-{int(count) + more}" for more in (1, 2)]
    return again


def verify(layout: Layout, run: str, acknowledged: set[str], where: str) -> None:
    """Look at a store as whoever opens it first after the kill."""
    assert list(check_sqlite_file(layout.database)) == [], where
    with reading_sqlite(layout.database) as (_, tx):
        files = FileStore(layout.files)
        assert list(check_runs(tx, files)) == [], where
        journal = events(tx, run)
        messages = tx.one("SELECT count(*), max(seq) FROM messages WHERE conversation = :run", run=run)
    stored = [event.submit for event in journal if event.submit is not None]
    assert len(stored) == len(set(stored)), where
    assert acknowledged <= set(stored), where
    assert messages == (len(journal), len(journal)), where
    for event in journal[1:]:
        assert files.resolve(run, event.data["value"]) == expected(str(event.submit)), where
