"""The servers that are measured, each a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.client import Client

ROOT = Path(__file__).parent.parent


@dataclass
class Process:
    """A running server: its process id, its port, and the cookie it knows us by."""

    pid: int
    port: int
    cookie: str = ""

    def client(self) -> Client:
        """Open a connection."""
        return Client(self.port, self.cookie)

    def cpu_s(self) -> float:
        """Return the CPU time it has used, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        """Return the memory it has in use, in megabytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024


@contextmanager
def product(
    folder: Path, *, plugins: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run Pipulate on a data folder, with settings besides."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "pipulate", "run", "--port", "0", "--print-url", "--no-browser",
            "--data", str(folder / "data"), "--plugins", str(plugins or folder / "plugins"),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder,
        env=_clean() | dict(settings or {}),
    )  # fmt: skip
    assert process.stdout is not None
    link = process.stdout.readline().strip()
    port = int(link.split("/")[2].rsplit(":", 1)[1])
    try:
        client = Client(port)
        client.let_in(link)
        client.ask("GET", "/")
        client.close()
        yield Process(process.pid, port, client.cookie)
    finally:
        _end(process)


@contextmanager
def floor(folder: Path) -> Iterator[Process]:
    """Run the floor on a copy of the same data."""
    copy = folder / "floor"
    shutil.copytree(folder / "data", copy)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.floor", str(copy), str(port)], cwd=ROOT, env=_clean())
    try:
        _wait_for(port)
        yield Process(process.pid, port)
    finally:
        _end(process)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < ends, "the server did not start"
            time.sleep(0.05)
        else:
            return


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PIPULATE_", "DATABASE_URL"))}


def _end(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    if process.stdout is not None:
        process.stdout.close()
