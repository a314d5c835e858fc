"""Large files through the real server: memory stays flat, and what is cut short leaves nothing."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.raw import Wire, exchange, forget_peak, peak, replies, request
from tests.support.server import Server

MB = 1_000_000
BLOCK = bytes(range(256)) * 3_906 + b"x" * 64
PLUGIN = """
from pipulate import File, Workflow

app = Workflow("sends")


@app.step("one")
def one(file: File) -> File:
    return file
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "sends.py").write_text(PLUGIN)
    with Server(folder) as running:
        running.get("/")
        yield running
        assert running.stop() == 0


def new_run(server: Server) -> str:
    """Start a run; return its id."""
    form = b"key=&offered="
    (answer,) = exchange(server.port, request("POST", "/sends", server.port, cookie=server.cookie(), body=form))
    return re.search(r'data-run="(\w+)"', server.get(str(answer.header("location")))[1])[1]  # type: ignore[index]


def head(server: Server, run: str, length: int, **more: str) -> bytes:
    """Return the beginning of an upload."""
    path = f"/-/runs/{run}/steps/one/uploads/file"
    return request(
        "POST", path, server.port, cookie=server.cookie(), content_length=str(length), content_type="text/csv",
        x_pipulate_name="large.csv", hx_request="true", body=b"", **more,
    )  # fmt: skip


def folder_of(server: Server, run: str) -> Path:
    return server.folder / "data" / "files" / run


def left(server: Server, run: str) -> list[str]:
    try:
        return sorted(path.name for path in folder_of(server, run).iterdir())
    except FileNotFoundError:
        return []


def comes_to(condition: Callable[[], bool], within_s: float = 20) -> bool:
    """Wait until something is so; asking the server for a page each time gives it the time it needs."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
    return condition()


def sent(server: Server, run: str, size_mb: int) -> tuple[int, str]:
    """Send a file of so many blocks; return status and text of the answer."""
    with Wire(server.port) as wire:
        wire.send(head(server, run, size_mb * len(BLOCK)))
        for _ in range(size_mb):
            wire.send(BLOCK)
        (answer,) = replies(wire.rest(60))
    return answer.status, answer.body.decode()


def body_of(wire: Wire) -> Iterator[bytes]:
    """Yield the body of an answer as it comes."""
    yield wire.until(b"\r\n\r\n").partition(b"\r\n\r\n")[2]
    while block := wire.read():
        yield block


def test_file_of_100_mb_is_taken_shown_and_sent_back_with_little_memory(server: Server) -> None:
    run = new_run(server)
    forget_peak(server.process.pid)
    before = peak(server.process.pid)
    status, text = sent(server, run, 100)
    assert status == 201, text
    upload = re.search(r'value="(\w+)"', text)[1]  # type: ignore[index]
    digest = hashlib.sha256()
    for _ in range(100):
        digest.update(BLOCK)
    assert left(server, run) == [digest.hexdigest()]
    form = f"_seen=1&_submit=form-0001&file={upload}".encode()
    path = f"/-/runs/{run}/steps/one/with-files"
    (answer,) = exchange(server.port, request("POST", path, server.port, cookie=server.cookie(), body=form), 60)
    assert answer.status == 303, answer.body
    came, size = hashlib.sha256(), 0
    path = f"/-/runs/{run}/files/{digest.hexdigest()}/large.csv"
    with Wire(server.port) as wire:
        wire.send(request("GET", path, server.port, cookie=server.cookie()))
        for block in body_of(wire):
            came.update(block)
            size += len(block)
    assert (size, came.hexdigest()) == (100 * len(BLOCK), digest.hexdigest())
    assert peak(server.process.pid) - before < 32 * MB


def test_export_and_import_of_a_large_file_need_little_memory(server: Server) -> None:
    run = new_run(server)
    status, text = sent(server, run, 200)
    assert status == 201, text
    upload = re.search(r'value="(\w+)"', text)[1]  # type: ignore[index]
    path = f"/-/runs/{run}/steps/one/with-files"
    form = f"_seen=1&_submit=form-0001&file={upload}".encode()
    exchange(server.port, request("POST", path, server.port, cookie=server.cookie(), body=form), 60)
    forget_peak(server.process.pid)
    before = peak(server.process.pid)
    target = server.folder / "run.zip"
    with Wire(server.port) as wire, target.open("wb") as out:
        wire.socket.settimeout(60)
        wire.send(request("GET", f"/-/runs/{run}/export", server.port, cookie=server.cookie()))
        for block in body_of(wire):
            out.write(block)
    secret = server.cookie().partition("=")[2]
    taken = request(
        "POST", "/-/control/import", server.port, body=f"path={target}&key=again".encode(), origin="",
        sec_fetch_site="", authorization=f"Bearer {secret}",
    )  # fmt: skip
    (answer,) = exchange(server.port, taken, 120)
    assert answer.status == 200, answer.body
    assert peak(server.process.pid) - before < 48 * MB


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_upload_that_is_cut_short_leaves_nothing(server: Server, share: float) -> None:
    run = new_run(server)
    with Wire(server.port) as wire:
        wire.send(head(server, run, 8 * MB) + b"x" * int(8 * MB * share))
        assert comes_to(lambda: len(left(server, run)) == 1)
    assert comes_to(lambda: left(server, run) == [])
    assert server.get("/")[0] == 200


def test_many_uploads_that_are_cut_short_leave_nothing(server: Server) -> None:
    run = new_run(server)
    wires = [Wire(server.port) for _ in range(30)]
    for wire in wires:
        wire.send(head(server, run, 8 * MB) + b"x" * MB)
    assert comes_to(lambda: len(left(server, run)) > 0)
    for wire in wires:
        wire.socket.close()
    assert comes_to(lambda: left(server, run) == [])


def test_file_larger_than_the_limit_is_refused_before_it_comes(server: Server) -> None:
    run = new_run(server)
    with Wire(server.port) as wire:
        wire.send(head(server, run, 600 * MB))
        (answer,) = replies(wire.rest(20))
    assert answer.status == 413
    assert left(server, run) == []


def test_upload_in_chunks_is_taken(server: Server) -> None:
    run = new_run(server)
    start = head(server, run, 0, transfer_encoding="chunked").replace(b"content-length: 0\r\n", b"")
    body = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in (b"a,b\n", b"1,2\n")) + b"0\r\n\r\n"
    (answer,) = exchange(server.port, start + body)
    assert answer.status == 201
    assert left(server, run) == [hashlib.sha256(b"a,b\n1,2\n").hexdigest()]


def test_server_that_is_killed_in_the_middle_clears_up_when_it_starts_again(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "sends.py").write_text(PLUGIN)
    with Server(tmp_path) as first:
        run = new_run(first)
        with Wire(first.port) as wire:
            wire.send(head(first, run, 8 * MB) + b"x" * 4 * MB)
            assert comes_to(lambda: len(left(first, run)) == 1)
            first.kill()
    assert len(left(first, run)) == 1
    # Only what is from well before the start counts as a leftover: clocks of disks are coarse.
    for path in folder_of(first, run).iterdir():
        os.utime(path, (1, 1))
    with Server(tmp_path) as second:
        assert comes_to(lambda: left(second, run) == [])
        assert second.get("/")[0] == 200
