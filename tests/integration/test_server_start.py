"""How the server starts, and when it refuses to: a reason in one line, an exit code, and nothing touched."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.raw import exchange, request
from tests.support.server import Server

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a server has run in, with a run in it."""
    folder = tmp_path_factory.mktemp("used")
    with Server(folder) as server:
        raw = request("POST", "/hello", server.port, cookie=server.cookie(), body=b"key=kept&offered=")
        assert exchange(server.port, raw)[0].status == 303
        assert server.stop() == 0
    return folder


@pytest.fixture
def data(used: Path, tmp_path: Path) -> Path:
    """A copy of its data folder, to be spoilt."""
    subprocess.run(["cp", "-a", str(used / "data"), str(tmp_path / "data")], check=True)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("running")) as running:
        yield running
        assert running.stop() == 0


def start(
    folder: Path, *arguments: str, before: Callable[[], object] | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Start a server that is expected to end by itself."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIPULATE_", "DATABASE_URL"))}
    return subprocess.run(
        [sys.executable, "-m", "pipulate", "run", "--print-url", *(arguments or ("--port", "0"))],
        cwd=folder, env=clean | dict(env or {}), capture_output=True, text=True, timeout=60, preexec_fn=before,
        check=False,
    )  # fmt: skip


def refused(ended: subprocess.CompletedProcess[str], code: int = 1) -> str:
    """Check that a start ended with a reason in one line; return the line."""
    assert ended.returncode == code, ended.stderr
    assert ended.stdout == ""
    reasons = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert len(reasons) == 1, ended.stderr
    assert reasons[0].startswith("pipulate: ")
    return reasons[0]


def contents(folder: Path) -> dict[str, str]:
    """Return every file with its content, but for notes of who looks at what, and for empty ones."""
    notes = ("server.lock", "pipulate.sqlite3-shm")
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in notes and path.stat().st_size)
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def without_override() -> None:
    """Let permissions count for root too."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH) if os.geteuid() == 0 else ():
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


# Who can reach it


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.com", "", "0"])  # noqa: S104 - refused
def test_server_does_not_listen_for_other_machines(host: str, tmp_path: Path) -> None:
    assert "does not listen" in refused(start(tmp_path, "--host", host, "--port", "0"))
    assert not (tmp_path / "data").exists()


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses a process listens on, as the system has them."""
    own = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            (
                _,
                local,
                _,
                state,
                *_,
            ) = line.split()
            if f"socket:[{line.split()[9]}]" in own and (state == "0A" or table.startswith("udp")):
                address, port = local.split(":")
                found.add((address, int(port, 16)))
    return found


def test_server_listens_on_loopback_alone(server: Server) -> None:
    assert listening(server.process.pid) == {("0100007F", server.port)}


def test_secret_and_link_are_in_no_log_and_no_list_of_processes(server: Server) -> None:
    token, secret = server.link.rpartition("=")[2], server.cookie().rpartition("=")[2]
    assert exchange(server.port, request("GET", f"/-/open?token={token}", server.port))[0].header("set-cookie")
    exchange(server.port, request("GET", f"/-/nothing?token={token}", server.port, cookie=server.cookie()))
    server.get("/nothing")
    seen = server.log() + "".join(map(str, server.process.args))  # type: ignore[arg-type]
    assert token not in seen
    assert secret not in seen


def test_secret_is_not_shown_by_the_system_while_the_server_runs(server: Server) -> None:
    secret = server.cookie().rpartition("=")[2].encode()
    for name in ("cmdline", "environ"):
        assert secret not in Path(f"/proc/{server.process.pid}/{name}").read_bytes()


def test_new_link_is_printed_while_the_server_runs(server: Server) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "pipulate", "link"], cwd=server.folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert printed != server.link
    path = printed.removeprefix(server.address)
    for expected in (True, False):
        (reply,) = exchange(server.port, request("GET", path, server.port))
        assert bool(reply.header("set-cookie")) is expected


def test_secret_is_not_in_a_backup(used: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup.zip"
    subprocess.run([sys.executable, "-m", "pipulate", "db", "backup", str(backup)], cwd=used, check=True)
    secret = re.findall(rb'"secret": ?"([^"]+)"', (used / "data/capability.json").read_bytes())[0]
    unpacked = subprocess.run([sys.executable, "-m", "zipfile", "-e", str(backup), str(tmp_path / "out")], check=True)
    assert unpacked.returncode == 0
    packed = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert packed
    assert not any(secret in path.read_bytes() or path.name == "capability.json" for path in packed)


# What is in the way


def test_second_server_on_the_same_folder_names_the_first_and_leaves_it_alone(server: Server) -> None:
    reason = refused(start(server.folder, "--port", "0"), 3)
    assert str(server.process.pid) in reason
    assert server.get("/")[0] == 200


def test_second_server_on_the_same_folder_and_port_says_that_one_runs(server: Server) -> None:
    reason = refused(start(server.folder, "--port", str(server.port)), 3)
    assert str(server.folder / "data") in reason
    assert server.get("/")[0] == 200


def test_server_starts_after_one_that_was_killed(tmp_path: Path) -> None:
    with Server(tmp_path) as first:
        first.kill()
    with Server(tmp_path) as second:
        assert second.get("/")[0] == 200


def test_port_that_another_program_has_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"Port {port}" in refused(start(tmp_path, "--port", str(port)))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("damage", ["text", "cut off", "overwritten", "zeros", "of another program"])
def test_damaged_database_is_refused_and_left_as_it_is(damage: str, data: Path) -> None:
    path = data / "pipulate.sqlite3"
    content = path.read_bytes()
    for beside in data.glob("pipulate.sqlite3-*"):
        beside.unlink()
    spoilt = {
        "text": b"This is no database.\n" * 500, "cut off": content[:5_000], "zeros": bytes(len(content)),
        "overwritten": content[:100] + b"\xff" * 4_000 + content[4_100:], "of another program": b"",
    }  # fmt: skip
    path.write_bytes(spoilt[damage])
    if damage == "of another program":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs (x)")
        connection.close()
    before = contents(data)
    assert "pipulate.sqlite3" in refused(start(data.parent, "--port", "0"))
    assert contents(data) == before


def test_database_of_a_newer_program_is_refused_and_left_as_it_is(data: Path) -> None:
    connection = sqlite3.connect(data / "pipulate.sqlite3")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    before = contents(data)
    assert "newer version" in refused(start(data.parent, "--port", "0"))
    assert contents(data) == before


@pytest.mark.parametrize("what", [".", "pipulate.sqlite3", "files", "server.lock", "capability.json"])
def test_data_that_may_not_be_written_or_read_is_refused_and_left_as_it_is(what: str, data: Path) -> None:
    before = contents(data)
    path = data / what
    mode = path.stat().st_mode
    path.chmod(0o500 if path.is_dir() else 0o000 if what == "capability.json" else 0o400)
    try:
        assert str(data) in refused(start(data.parent, "--port", "0", before=without_override))
    finally:
        path.chmod(mode)
    assert contents(data) == before


@pytest.mark.parametrize("place", ["/dev/null/data", "/proc/data", "file"])
def test_data_folder_that_cannot_be_made_is_named(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert place in refused(start(tmp_path, "--port", "0", "--data", place))


def test_all_wrong_settings_are_named_at_once_and_nothing_is_made(tmp_path: Path) -> None:
    wrong = {"PIPULATE_PROT": "5001", "PIPULATE_NOTHING": "1", "PIPULATE_PORT": "many", "PIPULATE_BIN_DAYS": "0"}
    ended = start(tmp_path, "--no-reload", env=wrong)
    assert ended.returncode == 1
    assert all(name in ended.stderr for name in wrong)
    assert "did you mean PIPULATE_PORT?" in ended.stderr
    assert "many" not in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_outside_the_data_and_the_plugins_folder(tmp_path: Path) -> None:
    work, home, temporary = (tmp_path / name for name in ("work", "home", "tmp"))
    for folder in (work, home, temporary):
        folder.mkdir()
    with Server(work, env={"HOME": str(home), "TMPDIR": str(temporary), "XDG_CACHE_HOME": str(home)}) as server:
        raw = request("POST", "/hello", server.port, cookie=server.cookie(), body=b"key=&offered=")
        assert exchange(server.port, raw)[0].status == 303
        large = b"_conversation=&text=" + b"x" * 15_000
        assert exchange(server.port, request("POST", "/-/notes", server.port, cookie=server.cookie(), body=large))
        assert server.stop() == 0
    assert {path.name for path in work.iterdir()} == {"data", "plugins", "server.log"}
    assert list(home.iterdir()) == list(temporary.iterdir()) == []
    assert list((work / "plugins").iterdir()) == []
