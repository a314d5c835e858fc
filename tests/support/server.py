"""The real server in a process of its own, as a person starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.store import made, with_tables


class Server:
    """`pipulate run` on a free port, in a folder.

    `before` is code that the process runs first: to shorten how long the server waits for something. Its tables are
    there already unless `env` says where they are to be: making them is most of a first start.
    """

    def __init__(
        self, folder: Path, *, env: dict[str, str] | None = None, arguments: tuple[str, ...] = (), before: str = ""
    ) -> None:
        self.folder = folder
        if not {"PIPULATE_DATA", "DATABASE_URL", "PIPULATE_DATABASE_URL"} & set(env or {}):
            with_tables(made(folder / "data").database)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PIPULATE_")}
        clean.pop("DATABASE_URL", None)
        program = ["-c", f"{before}\nfrom pipulate.cli import main\nmain()"] if before else ["-m", "pipulate"]
        self._log = (folder / "server.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, *program, "run", "--port", "0", "--print-url", "--no-browser", *arguments],
            cwd=folder,
            env={**clean, "PIPULATE_LOG_LEVEL": "info", "PIPULATE_MODEL_SERVER": "off", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        assert self.link.startswith("http://"), f"the server did not start:\n{self.log()}"
        self.address = re.match(r"http://[^/]+", self.link)[0]  # type: ignore[index]

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.address.rsplit(":", 1)[1])

    def log(self) -> str:
        """Return what it logged."""
        return (self.folder / "server.log").read_text()

    def cookie(self) -> str:
        """Return the cookie that lets a browser in, read where the server keeps it."""
        data = next(iter(self.folder.glob("**/capability.json")))
        content = json.loads(data.read_text())
        return f"pipulate_{content['instance']}={content['secret']}"

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Open an address with the cookie; return status and text."""
        request = urllib.request.Request(self.address + path, headers={"Cookie": self.cookie(), **headers})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def new_link(self) -> str:
        """Ask for another one-time link, as `pipulate link` does."""
        content = json.loads(next(iter(self.folder.glob("**/capability.json"))).read_text())
        request = urllib.request.Request(  # noqa: S310 - always http and this machine
            f"{self.address}/-/control/link",
            data=b"",
            headers={
                "Authorization": f"Bearer {content['secret']}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return str(json.load(answer)["url"])

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        self._log.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def served(folder: Path, **options: dict[str, str]) -> Iterator[Server]:
    """Run a server for the length of a block."""
    with Server(folder, **options) as server:  # type: ignore[arg-type]
        yield server
