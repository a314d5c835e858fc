"""Requests and sockets as somebody sends them who keeps to no rule, and what they left behind."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

from pipulate.app import Application
from pipulate.storage.database import Transaction
from pipulate.storage.tables import TABLES
from tests.support.site import HOST, PORT, Browser

WITHIN_S = 20.0


async def stored(application: Application) -> dict[str, Any]:
    """Return all that the store and its files hold, and the links that can be used.

    Equal before and after means that nothing happened.
    """

    def tables(tx: Transaction) -> dict[str, Any]:
        return {name: sorted(map(repr, tx.all(f"SELECT * FROM {name}"))) for name in TABLES}  # noqa: S608 - our names

    held = await application.site.db.read(tables)
    files = {str(path): _sha256(path) for path in application.layout.files.rglob("*") if path.is_file()}
    return {**held, "files": files, "links": dict(application.capability._links)}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# On the wire


@dataclass
class Reply:
    """One answer as it came over the wire."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header, None where it is missing; more than one is a mistake."""
        found = [value for each, value in self.headers if each == name]
        assert len(found) <= 1, (name, found)
        return found[0] if found else None


class Wire:
    """A TCP connection that sends what it is told, byte for byte."""

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes:  # Before it connects, so that the other side is told.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(WITHIN_S)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise

    def send(self, data: bytes) -> Self:
        """Send bytes; a server that has closed already is no failure."""
        with suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def until(self, mark: bytes) -> bytes:
        """Read until some bytes have come, or the end."""
        came = b""
        while mark not in came and (chunk := self.read()):
            came += chunk
        return came

    def rest(self, within_s: float = WITHIN_S) -> bytes:
        """Read until the server closes.

        Raises:
            TimeoutError: If it does not.
        """
        came, deadline = b"", time.monotonic() + within_s
        while True:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = self.read()
            if not chunk:
                return came
            came += chunk

    def read(self) -> bytes:
        """Return what has come, b"" at the end."""
        try:
            return self.socket.recv(65_536)
        except ConnectionError:
            return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()


def exchange(port: int, data: bytes, within_s: float = WITHIN_S) -> list[Reply]:
    """Send bytes; return all answers that come until the server closes.

    Raises:
        TimeoutError: If it does not close.
    """
    with Wire(port) as wire:
        return replies(wire.send(data).rest(within_s))


def replies(came: bytes) -> list[Reply]:
    """Return the answers in what came over a connection."""
    found = []
    while came:
        head, _, came = came.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        assert re.match(r"HTTP/1\.1 [0-9]{3}", status), came[:200]
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        size = int(next((value for name, value in headers if name == "content-length"), "0"))
        found.append(Reply(int(status[9:12]), headers, came[:size]))
        came = came[size:]
    return found


def request(method: str, path: str, port: int, *, cookie: str = "", body: bytes = b"", **more: str) -> bytes:
    """Return a request as our own page sends it; a header given as "" is left out."""
    headers = {"host": f"127.0.0.1:{port}", "connection": "close", "sec-fetch-site": "same-origin", "cookie": cookie}
    if method not in ("GET", "HEAD"):
        headers |= {"origin": f"http://127.0.0.1:{port}", "content-type": "application/x-www-form-urlencoded"}
        headers |= {"content-length": str(len(body))}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def handshake(port: int, cookie: str, query: str = "", **more: str) -> bytes:
    """Return what opens a socket, as our own page does."""
    headers = {
        "origin": f"http://127.0.0.1:{port}", "connection": "Upgrade", "upgrade": "websocket",
        "sec_websocket_version": "13", "sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    return request("GET", f"/-/live?{query}", port, cookie=cookie, body=b"", **headers | more)


def memory(pid: int) -> int:
    """Return how many bytes a process has in memory."""
    return 1_024 * int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


def forget_peak(pid: int) -> None:
    """Let `peak` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak(pid: int) -> int:
    """Return the most bytes a process has had in memory since `forget_peak`."""
    return 1_024 * int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])  # type: ignore[index]


# A socket without a network


@dataclass
class Tab:
    """The socket of a page to the application in this process.

    Attributes:
        frames: What came.
        closed: The code the server closed with, or None.
        accepted: Whether the server took it before it closed.
        ended: Whether the server is done with it.
        aborted: Whether the server dropped the connection.
        reads: Cleared, it takes nothing more until it is set again.
        news: Set whenever anything happens to it.
    """

    application: Application
    query: str = ""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    path: str = "/-/live"
    frames: list[dict[str, Any]] = field(default_factory=list)
    closed: int | None = None
    accepted: bool = False
    ended: bool = False
    aborted: bool = False
    sent: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None
    _gone: bool = False

    async def __aenter__(self) -> Self:
        self.sent.put_nowait({"type": "websocket.connect"})
        self.reads.set()
        self._task = asyncio.create_task(self._serve())
        await self.until(lambda tab: tab.accepted or tab.closed is not None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drop()

    async def drop(self) -> None:
        """Go away, as a page does whose network breaks: what is sent from now on does not arrive."""
        self._gone = True
        self.sent.put_nowait({"type": "websocket.disconnect", "code": 1006})
        assert self._task is not None
        await asyncio.wait_for(self._task, WITHIN_S)

    async def until(self, wanted: Callable[[Tab], object], within_s: float = WITHIN_S) -> Self:
        """Wait until something is true of it."""
        async with asyncio.timeout(within_s):
            while not wanted(self):
                self.news.clear()
                await self.news.wait()
        return self

    async def until_number(self, number: int) -> Self:
        """Wait until it has every message up to this one."""
        after = int(dict(parse_qsl(self.query)).get("after", "0"))
        return await self.until(lambda tab: [after, *tab.numbers][-1] >= number)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the frames of one kind."""
        return [frame for frame in self.frames if frame["type"] == kind]

    @property
    def items(self) -> list[dict[str, Any]]:
        """The messages that came, in the order they came."""
        return [item for frame in self.of("messages") for item in frame["items"]]

    @property
    def numbers(self) -> list[int]:
        """Their numbers."""
        return [item["seq"] for item in self.items]

    async def _serve(self) -> None:
        path, _, query = (f"{self.path}?{self.query}").partition("?")
        own = Browser(self.application)
        headers: dict[str, str | None] = {"host": HOST, "cookie": own.cookie, "origin": f"http://{HOST}"}
        headers |= {name.lower(): value for name, value in self.headers.items()}
        scope = {
            "type": "websocket", "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value is not None],
            "http_version": "1.1", "scheme": "ws", "server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 50_000),
            "root_path": "", "state": {}, "subprotocols": [], "extensions": {"pipulate.abort": self._abort},
        }  # fmt: skip
        await self.application.asgi(scope, self.sent.get, self._take)
        self.ended = True
        self.news.set()

    def _abort(self) -> None:
        self.aborted = True

    async def _take(self, message: Any) -> None:
        await self.reads.wait()
        if self._gone:
            raise OSError("the network is gone")
        if message["type"] == "websocket.accept":
            self.accepted = True
        elif message["type"] == "websocket.close":
            self.closed = message.get("code", 1000)
        else:
            self.frames.append(json.loads(message["text"]))
        self.news.set()
