"""A browser reduced to what costs nothing: one connection that is kept, and no more parsing than has to be."""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
from urllib.parse import urlencode, urlsplit

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_VERSION = re.compile(rb"x-pipulate-version: (\d+)", re.IGNORECASE)
_RUN_NAMED = re.compile(rb"x-pipulate-run: (\w+)", re.IGNORECASE)
_RUN = re.compile(rb'data-run="(\w+)"')


def request(
    method: str, port: int, path: str, form: dict[str, object] | None, cookie: str, more: dict[str, str] | None = None
) -> bytes:
    """Return a request as our own pages send it."""
    body = urlencode(form).encode() if form is not None else b""
    head = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "accept: text/html", "accept-encoding: gzip"]
    if cookie:
        head += [f"cookie: {cookie}", "sec-fetch-site: same-origin", "hx-request: true", "x-pipulate-tab: bench"]
    head += [f"{name}: {value}" for name, value in (more or {}).items()]
    if form is not None:
        head += [
            f"origin: http://127.0.0.1:{port}", "content-type: application/x-www-form-urlencoded",
            f"content-length: {len(body)}",
        ]  # fmt: skip
    return "\r\n".join([*head, "", ""]).encode() + body


def length_of(head: bytes) -> int:
    """Return how long the body after a head is."""
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def version_of(head: bytes) -> int:
    """Return the version of the run that an answer names."""
    found = _VERSION.search(head)
    assert found, head
    return int(found[1])


def run_of(head: bytes) -> str:
    """Return the id of the run that an answer names."""
    found = _RUN_NAMED.search(head)
    assert found, head
    return found[1].decode()


class Client:
    """Asks one question after another."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.port, self.cookie = port, cookie
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""

    def ask(
        self, method: str, path: str, form: dict[str, object] | None = None, more: dict[str, str] | None = None
    ) -> tuple[bytes, bytes]:
        """Send a request, with `more` headers; return head and body of the answer."""
        self._socket.sendall(request(method, self.port, path, form, self.cookie, more))
        while b"\r\n\r\n" not in self._rest:
            self._rest += self._more()
        head, _, rest = self._rest.partition(b"\r\n\r\n")
        length = length_of(head)
        while len(rest) < length:
            rest += self._more()
        self._rest = rest[length:]
        return head, rest[:length]

    def let_in(self, link: str) -> None:
        """Take the cookie that a one-time link gives."""
        parts = urlsplit(link)
        head, _ = self.ask("GET", f"{parts.path}?{parts.query}")
        found = re.search(rb"set-cookie: ([^;]+)", head)
        assert found, head
        self.cookie = found[1].decode()

    def start(self, app: str) -> tuple[str, str, int]:
        """Start a run; return its id, its address and its version."""
        head, _ = self.ask("POST", f"/{app}", {"key": "", "offered": ""})
        found = re.search(rb"(?:hx-redirect|location): (\S+)", head)
        assert found, head
        address = found[1].decode()
        run, version = self.run_at(address)
        return run, address, version

    def run_at(self, address: str) -> tuple[str, int]:
        """Return id and version of the run at an address."""
        head, body = self.ask("GET", address)
        if b"content-encoding: gzip" in head.lower():
            body = gzip.decompress(body)
        found = _RUN.search(body)
        assert found, head
        return found[1].decode(), version_of(head)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _more(self) -> bytes:
        more = self._socket.recv(65_536)
        assert more, "the server hung up"
        return more


async def ask_async(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> tuple[bytes, bytes]:
    """Send a request on an open connection; return head and body of the answer."""
    writer.write(question)
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(length_of(head))
