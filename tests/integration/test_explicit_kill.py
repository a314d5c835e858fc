"""A server that is killed between two calls of a class-style handler: each call is whole or never was."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from pipulate.explicit.context import as_plugin_sees
from pipulate.security.capability import OWNER
from pipulate.storage import keyvalue, lookups
from pipulate.storage.check import check_runs, check_sqlite_file
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.tables import reading_sqlite
from tests.support.explicit import DIARY, DIARY_CALLS, diary_after
from tests.support.longwork import SURVIVOR
from tests.support.server import Server, served

KILLS = 4


def folder_of(tmp_path: Path) -> Path:
    """Return a folder with the diary in it."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "diary.py").write_text(DIARY)
    return tmp_path


def write(server: Server) -> int:
    """Have the diary write until it ends or dies; return the status of its answer, or 0."""
    return post(server, "/diary/write")


def post(server: Server, path: str, seconds: float = 60) -> int:
    """Send an empty form; return the status of the answer, or 0 where none came."""
    request = urllib.request.Request(  # noqa: S310 - always http and this machine
        f"{server.address}{path}", data=b"", headers={"Cookie": server.cookie(), "Origin": server.address}
    )
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            return int(answer.status)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return 0


def loaded(server: Server, page: str = "/diary") -> None:
    """Wait until the server has its plugins."""
    end = time.monotonic() + 30
    while server.get(page)[0] != 200:
        assert time.monotonic() < end, server.log()


def marks(folder: Path) -> int:
    """Return how many calls have returned."""
    with contextlib.suppress(FileNotFoundError):
        return (folder / "marks").stat().st_size
    return 0


def kill_after(server: Server, folder: Path, calls: int, more_s: float) -> None:
    """Kill the server when so many calls have returned, and a moment more has passed."""
    never, end = threading.Event(), time.monotonic() + 30
    while marks(folder) < calls and not never.wait(0.0005):
        assert time.monotonic() < end, server.log()
    never.wait(more_s)
    server.kill()


def found(folder: Path) -> dict[str, Any]:
    """Return the state that whoever opens the store first after a kill finds; nothing in it is torn."""
    layout = Layout(folder / "data")
    files = FileStore(layout.files)
    assert list(check_sqlite_file(layout.database)) == []
    with reading_sqlite(layout.database) as (_, tx):
        assert list(check_runs(tx, files)) == []
        row, state = lookups.load(tx, files, lookups.by_key(tx, "diary", "diary", OWNER).id, OWNER)
        seen = as_plugin_sees(state, row.created_at, row.updated_at)
        with contextlib.suppress(KeyError):
            seen["half"] = keyvalue.get(tx, "user", OWNER, "explicit.temporary.diary.half")
    return {name: value for name, value in seen.items() if name not in ("created", "updated")}


def state_of(folder: Path, app: str) -> dict[str, Any]:
    """Return the values of the one run of an app, in a store that is whole."""
    layout = Layout(folder / "data")
    files = FileStore(layout.files)
    with reading_sqlite(layout.database) as (_, tx):
        assert list(check_runs(tx, files)) == []
        _, state = lookups.load(tx, files, lookups.by_key(tx, app, "k", OWNER).id, OWNER)
    return {name: value.data["output"] for name, value in state.steps.items()}


def test_kill_between_two_calls_leaves_the_state_between_them_and_the_run_goes_on(tmp_path: Path) -> None:
    folder, state = folder_of(tmp_path), dict[str, Any]()
    for number in range(1, DIARY_CALLS + 2):
        calls = number - 1
        with served(folder, env={"FIRST": str(number), "DIES_AFTER": str(calls)}) as server:
            loaded(server)
            assert write(server) == 0
            assert server.process.wait(20) == -9
        state = diary_after(state, number, calls)
        assert found(folder) == state, f"killed after {calls} calls"
    with served(folder, env={"FIRST": "100", "LAST": "101"}) as server:
        loaded(server)
        assert write(server) == 200
        assert server.get("/diary/diary")[0] == 200
        assert server.stop() == 0
    assert found(folder) == diary_after(state, 100, 2 * DIARY_CALLS)


def test_kill_at_any_moment_leaves_the_call_that_was_under_way_whole_or_undone(tmp_path: Path) -> None:
    seed = int.from_bytes(os.urandom(4))
    chance, folder, state = random.Random(seed), folder_of(tmp_path), dict[str, Any]()
    for kill in range(KILLS):
        first, before = 1_000 * (kill + 1), marks(folder)
        with served(folder, env={"FIRST": str(first)}) as server:
            loaded(server)
            enough = before + chance.randrange(1, 60)
            writing = threading.Thread(target=write, args=(server,))
            writing.start()
            kill_after(server, folder, enough, chance.uniform(0, 0.01))
            writing.join()
        calls = marks(folder) - before
        candidates = [diary_after(state, first, each) for each in (calls, calls + 1)]
        state = found(folder)
        assert state in candidates, f"seed {seed}, kill {kill}, {calls} calls"


def test_long_work_goes_on_after_a_kill_with_the_part_it_was_at(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "survivor.py").write_text(SURVIVOR)
    with served(tmp_path, env={"DIES_IN": "3"}) as server:
        loaded(server, "/survivor")
        post(server, "/survivor/begin")
        assert server.process.wait(30) == -9
    assert state_of(tmp_path, "survivor") == {}
    with served(tmp_path) as server:
        loaded(server, "/survivor")
        end, never = time.monotonic() + 30, threading.Event()
        while "The step after" not in (text := server.get("/survivor/long")[1]) and not never.wait(0.1):
            assert time.monotonic() < end, server.log() + text
        assert server.stop() == 0
    assert (tmp_path / "parts").read_text().split() == ["0", "1", "2", "3", "3", "4"]
    assert state_of(tmp_path, "survivor") == {"long": {"parts": [0, 10, 20, 30, 40]}}
