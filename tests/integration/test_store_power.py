"""A power cut at any moment loses nothing that was acknowledged, and damages nothing."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pipulate._ids import new_id
from pipulate.errors import StorageError
from pipulate.storage.check import check_sqlite_file
from pipulate.storage.sqlite import SqliteDatabase
from tests.support.store import ORDER, Sqlite, Store, made
from tests.support.store_power import Disk, powered

CUTS = 60
SUBMITS = 400
CHECKPOINTS_OFTEN = {"PRAGMA journal_mode=WAL": "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=40"}


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """The file of a store with one run, and the id of that run."""
    folder = tmp_path_factory.mktemp("begun")
    with Sqlite().opened(folder / "data") as store:
        run = store.start()
    return store.layout.database.read_bytes(), run


def submitted_until_the_cut(disk: Disk, folder: Path, run: str, replaced: dict[str, str]) -> list[str]:
    """Submit until the power goes; return what was acknowledged."""
    acknowledged = list[str]()
    with powered(disk, replaced) as connect:
        try:
            db = SqliteDatabase(folder / "pipulate.sqlite3", connect=connect)
        except StorageError:
            return acknowledged
        store = Store(db, made(folder / "beside"))
        try:
            for number in range(SUBMITS):
                submit_id = new_id()
                store.submit(run, ORDER[number % len(ORDER)], "x" * (number * 997 % 12_000), submit_id=submit_id)
                acknowledged.append(submit_id)
        except StorageError:
            pass
        finally:
            disk.cut()
            db.close()
    return acknowledged


def cut(folder: Path, begun: tuple[bytes, str], seed: int, replaced: dict[str, str]) -> list[str]:
    """Cut the power at a moment that the seed says; return what is wrong when it is back."""
    chance = random.Random(seed)
    content, run = begun
    (folder / "on").mkdir(parents=True)
    disk = Disk(
        folder / "on",
        {"pipulate.sqlite3": content},
        cut_at=chance.randint(1, chance.choice([80, 3_000])),
        chance=chance,
    )
    acknowledged = submitted_until_the_cut(disk, folder / "on", run, replaced)
    assert disk.found is not None
    layout = made(folder / "back")
    for name, found in disk.found.items():
        (layout.root / name).write_bytes(found)
    return list(check_sqlite_file(layout.database)) or _lost(
        Store(SqliteDatabase(layout.database), layout), run, acknowledged
    )


def _lost(store: Store, run: str, acknowledged: list[str]) -> list[str]:
    try:
        stored = [event.submit for event in store.events(run)]
        lost = [f"{each} was acknowledged" for each in acknowledged if each not in stored]
        if not lost:
            store.submit(run, "a", "after the cut")
        return lost + store.problems()
    finally:
        store.db.close()


def test_no_acknowledged_submit_is_lost_and_nothing_damaged_by_a_power_cut(
    tmp_path: Path, begun: tuple[bytes, str]
) -> None:
    first = int.from_bytes(os.urandom(4))
    for seed in range(first, first + CUTS):
        assert cut(tmp_path / f"{seed}", begun, seed, CHECKPOINTS_OFTEN) == [], f"seed {seed}"


@pytest.mark.parametrize("mode", ["NORMAL", "OFF"])
def test_a_store_that_does_not_wait_for_the_disk_is_caught_by_this(
    tmp_path: Path, begun: tuple[bytes, str], mode: str
) -> None:
    replaced = CHECKPOINTS_OFTEN | {"PRAGMA synchronous=FULL": f"PRAGMA synchronous={mode}"}
    problems = (cut(tmp_path / f"{seed}", begun, seed, replaced) for seed in range(CUTS))
    assert any(problems)
