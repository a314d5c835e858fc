"""Countdown and Process a large file on the real server: killed without warning, they go on where they were."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from pipulate.builtin.lines.working import BATCH_BYTES
from pipulate.security.capability import OWNER
from pipulate.storage import jobs, lookups
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.jobs import JobRow
from pipulate.storage.tables import reading_sqlite
from tests.docs.pages import ROOT, typed
from tests.support.raw import Reply, exchange, request
from tests.support.server import Server, served

WITHIN_S = 60.0
(KILL,) = [line for line in typed(ROOT / "docs" / "how-to" / "see-long-work-survive.md") if line.startswith("kill")]


@dataclass(eq=False)
class Walk:
    """A run on a server that may be another one the next time."""

    folder: Path
    server: Server
    run: str = ""
    version: int = 0
    submits: Iterator[int] = field(default_factory=lambda: iter(range(1_000)))

    def start(self, app: str, key: str = "one") -> Walk:
        """Start a run."""
        self._took(self._post(f"/{app}", {"key": key, "offered": ""}))
        return self

    def answer(self, step: str, **answers: Any) -> Walk:
        """Answer a step; it has to be taken."""
        form = {"_seen": self.version, "_submit": f"submit-{next(self.submits):08d}", **answers}
        reply = self._post(f"/-/runs/{self.run}/steps/{step}", form)
        assert reply.status == 200, reply.body
        self._took(reply)
        return self

    def press(self, step: str, what: str) -> Walk:
        """Press a button beside a step, or do what its page does by itself."""
        assert self._post(f"/-/runs/{self.run}/steps/{step}/{what}", {"_seen": self.version}).status == 200
        return self

    def job(self, step: str) -> JobRow | None:
        """Return the job of a step."""
        found: JobRow | None = self._read(lambda tx: jobs.latest_of_step(tx, self.run, step))
        return found

    def until(self, step: str, condition: Callable[[JobRow], Any]) -> JobRow:
        """Wait until something is so with the job of a step."""
        end, never = time.monotonic() + WITHIN_S, threading.Event()
        while (row := self.job(step)) is None or not condition(row):
            assert time.monotonic() < end, f"{row}\n{self.server.log()}"
            assert row is None or row.is_open, f"{row.status}: {row.reason}\n{row.trace}"
            never.wait(0.02)
        return row

    def parts(self, row: JobRow) -> dict[str, Any]:
        """Return what the checkpoints of a job recorded."""
        return dict(self._read(lambda tx: [
            (name, json.loads(result))
            for name, result in tx.all("SELECT name, result FROM job_parts WHERE job = :job", job=row.id)
        ]))  # fmt: skip

    def has_begun(self, row: JobRow) -> bool:
        """Tell whether a batch of a job was recorded."""
        return "batch 1" in self.parts(row)

    def value(self, step: str) -> Any:
        """Return what a step returned."""

        def load(tx: Transaction) -> Any:
            files = FileStore(Layout(self.folder / "data").files)
            return lookups.load(tx, files, self.run, OWNER)[1].steps[step].data["output"]

        return self._read(load)

    def said(self) -> list[str]:
        """Return what was said in the conversation beside it."""
        sql = "SELECT text FROM messages WHERE conversation = :run AND text IS NOT NULL"
        return [json.loads(text) for (text,) in self._read(lambda tx: tx.all(sql, run=self.run))]

    def _read(self, read: Callable[[Transaction], Any]) -> Any:
        with reading_sqlite(Layout(self.folder / "data").database) as (_, tx):
            return read(tx)

    def _post(self, path: str, form: dict[str, Any]) -> Reply:
        body = urlencode(form, doseq=True).encode()
        raw = request("POST", path, self.server.port, cookie=self.server.cookie(), body=body, hx_request="true")
        return exchange(self.server.port, raw)[0]

    def _took(self, reply: Reply) -> None:
        self.run, self.version = str(reply.header("x-pipulate-run")), int(reply.header("x-pipulate-version") or 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    return tmp_path


def write_large(path: Path, batches: int) -> bytes:
    """Write a file of so many batches; return the lines it has, each once."""
    lines = [f"{number:03d} {'x' * 50_000}\n".encode() for number in range(200)]
    with path.open("wb") as file:
        while file.tell() < BATCH_BYTES * (batches - 1) + 1_000_000:
            file.writelines(lines)
    return b"".join(lines)


def begin_large(walk: Walk, task: str, **answers: Any) -> Walk:
    """Have a large file worked on."""
    walk.start("process_file", task)
    walk.answer("source", path=walk.folder / "large.log", encoding="").answer("what", task=task).answer(task, **answers)
    walk.answer("place", folder=walk.folder, name=f"{task}.log", when_stopped="remove it")
    return walk.press("work", "run")


def begin_tea(walk: Walk, minutes: int, seconds: int) -> Walk:
    """Start a countdown."""
    walk.start("countdown")
    walk.answer("timer", name="Tea", minutes=minutes, seconds=seconds, until="", message="is ready")
    return walk.press("wait", "run")


def test_long_work_that_is_killed_goes_on_at_the_last_checkpoint(folder: Path) -> None:
    once = write_large(folder / "large.log", 3)
    with served(folder) as server:
        tea, keep, duplicates = (Walk(folder, server) for _ in range(3))
        begin_large(keep, "keep", pattern="X")
        begin_large(duplicates, "duplicates", compared="with all before")
        for walk in (keep, duplicates):
            walk.until("work", walk.has_begun)
        begin_tea(tea, 0, 4).until("wait", lambda row: row.progress)
        subprocess.run(KILL, shell=True, check=True, cwd=folder)  # noqa: S602 - as the page has its reader type it
        assert server.process.wait(20) == -9
    before = {walk: walk.parts(walk.until(step, bool)) for walk, step in ((tea, "wait"), (keep, "work"))}
    with served(folder) as server:
        for walk in (tea, keep, duplicates):
            walk.server = server
        row = tea.until("wait", lambda row: not row.is_open)
        begin, end = tea.parts(row)["span"]
        assert (row.status, [begin, end]) == (jobs.DONE, before[tea]["span"])
        assert time.time() >= end == begin + 4
        assert tea.value("wait").startswith(f"Tea ended at {time.strftime('%H:%M:%S', time.localtime(end))}")
        assert tea.said() == ["**Tea**: is ready"]
        for walk, name in ((keep, "keep.log"), (duplicates, "duplicates.log")):
            row = walk.until("work", lambda row: not row.is_open)
            assert row.status == jobs.DONE, row
            assert walk.parts(row).keys() == {"source", "batch 1", "batch 2", "batch 3", "finish"}
            assert str(folder / name) in json.dumps(walk.value("work"))
        assert before[keep].items() <= keep.parts(keep.until("work", bool)).items()
    assert sorted(each.name for each in folder.glob("*.log*")) == [
        "duplicates.log",
        "keep.log",
        "large.log",
        "server.log",
    ]
    assert (folder / "keep.log").read_bytes() == (folder / "large.log").read_bytes()
    assert (folder / "duplicates.log").read_bytes() == once


def test_long_work_that_is_cancelled_ends_and_leaves_what_was_chosen(folder: Path) -> None:
    write_large(folder / "large.log", 9)
    with served(folder) as server:
        tea, keep = Walk(folder, server), Walk(folder, server)
        begin_tea(tea, 9, 0).until("wait", lambda row: row.progress)
        begin_large(keep, "keep", pattern="X").until("work", keep.has_begun)
        for walk, step in ((tea, "wait"), (keep, "work")):
            walk.press(step, "stop")
            assert walk.until(step, lambda row: not row.is_open).status == jobs.CANCELLED
        assert tea.said() == []
    assert sorted(each.name for each in folder.glob("*.log*")) == ["large.log", "server.log"]
