"""A browser without a window: sends requests to an application in this process, through its guard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from pipulate.web.guard import App

PORT = 5001
HOST = f"127.0.0.1:{PORT}"
FORM = "application/x-www-form-urlencoded"
_REDIRECTS_MAX = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status.
        headers: Names in lower case -> text.
        body: The content.
        address: Where it came from, after redirects.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    address: str

    @property
    def text(self) -> str:
        """The content as text."""
        return self.body.decode("utf-8", "replace")


async def request(
    asgi: App, method: str, address: str, headers: Mapping[str, str], body: bytes = b"", *, follow: bool = True
) -> Answer:
    """Send a request, and follow where the answer leads, as a browser does."""
    for _ in range(_REDIRECTS_MAX):
        answer = await _once(asgi, method, address, headers, body)
        if not follow or answer.status not in (302, 303, 307):
            return answer
        where = urlsplit(answer.headers["location"])
        address = where.path + (f"?{where.query}" if where.query else "")
        method, body = ("GET", b"") if answer.status != 307 else (method, body)
    raise AssertionError(f"The application redirects in a circle: {address}")


def form_body(pairs: Sequence[tuple[str, str]]) -> bytes:
    """Return what a form sends, as a browser writes it: line breaks as CRLF."""
    lines = [(name, text.replace("\r\n", "\n").replace("\n", "\r\n")) for name, text in pairs]
    return urlencode(lines, errors="surrogatepass").encode()


async def _once(asgi: App, method: str, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
    sent = {"host": HOST, "sec-fetch-site": "same-origin", "accept": "text/html"}
    if method not in ("GET", "HEAD"):
        sent |= {"origin": f"http://{HOST}", "content-type": FORM, "content-length": str(len(body))}
    sent |= headers
    path, _, query = address.partition("?")
    start: dict[str, Any] = {}
    came, waiting = bytearray(), [body]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()  # All was sent, and nobody hangs up.
        return {"type": "http.request", "body": waiting.pop(), "more_body": False}

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            came.extend(message.get("body", b""))

    scope = {
        "type": "http", "method": method, "path": unquote(path), "raw_path": path.encode(),
        "query_string": query.encode(), "headers": [(name.encode(), text.encode()) for name, text in sent.items()],
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", PORT), "client": ("127.0.0.1", 50_000),
        "root_path": "", "state": {},
    }  # fmt: skip
    await asgi(scope, receive, send)
    got = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in start["headers"]}
    return Answer(start["status"], got, bytes(came), address)
