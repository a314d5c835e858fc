"""How the server ends: asked to, killed, or short of something; what was acknowledged is there afterwards."""

from __future__ import annotations

import json
import resource
import signal
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from pipulate.web import server as limits
from tests.support.raw import Wire, exchange, request
from tests.support.server import Server

PLUGIN = """
import threading

from pipulate import Run, Workflow

app = Workflow("waits")


@app.step("one")
def one(text: str) -> str:
    if text == "for ever":
        threading.Event().wait()
    return text


@app.step("two")
def two(run: Run) -> str:
    threading.Event().wait()
    return "never"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "waits.py").write_text(PLUGIN)
    return tmp_path


def run_of(server: Server, app: str = "waits") -> str:
    """Start a run; return its id."""
    raw = request("POST", f"/{app}", server.port, cookie=server.cookie(), body=f"key={uuid.uuid4()}&offered=".encode())
    return str(exchange(server.port, raw)[0].header("x-pipulate-run"))


def sent(server: Server, run: str, text: str, submit: str) -> bytes:
    body = f"_seen=1&_submit={submit}&text={text}".encode()
    path = f"/-/runs/{run}/steps/one"
    return request("POST", path, server.port, cookie=server.cookie(), body=body, hx_request="true")


@dataclass
class Submitting(threading.Thread):
    """Submits one run after another until the server is gone."""

    server: Server
    acknowledged: set[str] = field(default_factory=set)
    began: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with suppress(OSError, IndexError):
            while True:
                submit = str(uuid.uuid4())
                answers = exchange(self.server.port, sent(self.server, run_of(self.server), "quick", submit))
                if answers and answers[0].status == 200:
                    self.acknowledged.add(submit)
                    self.began.set()


def stored(folder: Path) -> list[str]:
    """Return the forms the store has taken, each as often as it is there."""
    with closing(sqlite3.connect(f"file:{folder}/data/pipulate.sqlite3?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute("SELECT submit FROM run_events WHERE submit IS NOT NULL")]


def page_of(server: Server, run: str, last: int = 1) -> ClientConnection:
    """Open the socket of a page that has messages up to a number."""
    address = f"ws://127.0.0.1:{server.port}/-/live?run={run}&version=1&after={last}"
    headers, origin = {"Cookie": server.cookie()}, Origin(server.address)
    return connect(address, origin=origin, compression=None, additional_headers=headers, ping_interval=None)


def came_until(page: ClientConnection, text: str) -> list[int]:
    """Read until a text comes; return the numbers of all messages that came."""
    came: list[int] = []
    while True:
        frame = json.loads(page.recv(timeout=20))
        came += [item["seq"] for item in frame.get("items", ())]
        if text in str(frame):
            return came


def close_code(page: ClientConnection) -> int | None:
    """Read until the server closes; return its code."""
    try:
        while True:
            page.recv(timeout=20)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_server_that_is_asked_to_end_finishes_what_it_can_and_loses_nothing(folder: Path) -> None:
    """With requests coming in, pages open, and a step under way that will never end."""
    assert limits._GRACE_S <= 10
    before = "from pipulate.web import server; server._GRACE_S = 3"
    with Server(folder, before=before) as server, ExitStack() as stack:
        run = run_of(server)
        stuck = stack.enter_context(Wire(server.port))
        stuck.send(sent(server, run, "for ever", str(uuid.uuid4())))
        pages = [stack.enter_context(page_of(server, run)) for _ in range(50)]
        submitting = [Submitting(server) for _ in range(4)]
        for each in submitting:
            each.start()
        for each in submitting:
            assert each.began.wait(20)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 30
        for each in submitting:
            each.join()
        assert {close_code(page) for page in pages} == {1012}
        log = server.log()
    acknowledged = set().union(*(each.acknowledged for each in submitting))
    held = stored(folder)
    assert len(acknowledged) >= 4
    assert acknowledged <= set(held)
    assert len(held) == len(set(held))
    assert "Traceback" not in log


def test_ctrl_c_ends_the_server_without_a_complaint(folder: Path) -> None:
    with Server(folder) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0
        assert "Traceback" not in server.log()
        assert not (folder / "data/server.json").exists()


def test_second_ctrl_c_ends_the_server_at_once(folder: Path) -> None:
    with Server(folder) as server, Wire(server.port) as stuck:
        stuck.send(sent(server, run_of(server), "for ever", str(uuid.uuid4())))
        server.process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 0


def test_second_request_to_end_is_no_reason_to_hurry(folder: Path) -> None:
    with Server(folder) as server, Wire(server.port) as stuck:
        stuck.send(sent(server, run_of(server), "for ever", str(uuid.uuid4())))
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                server.process.wait(0.7)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 0


def test_server_ends_at_once_while_a_step_runs_by_itself(folder: Path) -> None:
    with Server(folder) as server:
        submit = str(uuid.uuid4())
        assert exchange(server.port, sent(server, run_of(server), "quick", submit))[0].status == 200
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 8
        log = server.log()
    assert stored(folder) == [submit]
    assert [line for line in log.splitlines() if '"level": "error"' in line or "Traceback" in line] == []


def test_killed_server_has_lost_nothing_it_acknowledged(folder: Path) -> None:
    with Server(folder) as server:
        submitting = [Submitting(server) for _ in range(4)]
        for each in submitting:
            each.start()
        for each in submitting:
            assert each.began.wait(20)
        server.kill()
        for each in submitting:
            each.join()
    acknowledged = set().union(*(each.acknowledged for each in submitting))
    with Server(folder) as server:
        assert server.get("/")[0] == 200
    held = stored(folder)
    assert acknowledged <= set(held)
    assert len(held) == len(set(held))


def note(server: Server, run: str, text: str) -> None:
    body = f"_conversation={run}&text={text}".encode()
    (answer,) = exchange(server.port, request("POST", "/-/notes", server.port, cookie=server.cookie(), body=body))
    assert answer.status == 303


def test_page_goes_on_after_a_restart_where_it_was(folder: Path) -> None:
    with Server(folder) as server:
        run = run_of(server)
        with page_of(server, run) as page:
            note(server, run, "before")
            assert came_until(page, "before") == [2]
        note(server, run, "unseen")
        server.kill()
    with Server(folder) as server, page_of(server, run, 2) as page:
        note(server, run, "after")
        assert came_until(page, "after") == [3, 4]


@pytest.fixture
def short_of_files(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        server.get("/")
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, 64))
        yield server


def test_server_short_of_file_handles_recovers_when_they_come_back(short_of_files: Server) -> None:
    server = short_of_files
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(Wire(server.port))
        with suppress(AssertionError):
            exchange(server.port, request("GET", "/", server.port, cookie=server.cookie()), 3)
    deadline = time.monotonic() + 20
    status = 0
    while status != 200 and time.monotonic() < deadline:
        with suppress(OSError):
            status = server.get("/")[0]
    assert status == 200
    assert len(server.log()) < 100_000
    assert server.stop() == 0
