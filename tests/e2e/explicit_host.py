"""A host that answers from a table, for the second script of pages of class-style apps in a browser."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Page, expect

from pipulate.security.capability import OWNER
from pipulate.ui.assistant.panel import Talk, assistant
from pipulate.ui.frame import Frame as Look
from pipulate.ui.frame import page as whole_page
from pipulate.ui.html import raw
from pipulate.web.assets import FOLDER
from pipulate.web.guard import STATIC, policy

NONCE = "bm9uY2Utb2YtdGhlLXBhZ2U"
RUN_A, RUN_B = "a" * 32, "b" * 32
FILES: dict[str, str] = json.loads((FOLDER / "manifest.json").read_text())
ADDRESSES = {name: STATIC + file for name, file in FILES.items()}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

STRICT = policy(NONCE).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
NONE_AT_ALL = "script-src 'self' 'unsafe-inline' 'unsafe-eval'"
SANDBOX = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
SANDBOX_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Code</title></head><body><script>'
    f"{(FOLDER / FILES['explicit-sandbox.js']).read_text()}</script></body></html>"
)


@dataclass
class Asked:
    """A request that came.

    Attributes:
        method, path: As sent.
        headers, body: As sent.
    """

    method: str
    path: str
    headers: Message
    body: str

    def told(self) -> tuple[str | None, ...]:
        """Return what it says about the run: its id, its key, and the version that was seen."""
        return tuple(self.headers[f"X-Pipulate-{name}"] for name in ("Run", "Key", "Seen"))


@dataclass
class Answer:
    """What the host says.

    Attributes:
        body: Markup.
        status: HTTP status.
        headers: Besides the content type.
    """

    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Host(ThreadingHTTPServer):
    """A server on a free port that answers from a table: address -> answer, or a function that makes it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {
            "/-/sandbox": Answer(SANDBOX_PAGE, headers={"Content-Security-Policy": SANDBOX})
        }

    def to(self, path: str) -> list[Asked]:
        """Return the requests to an address, in the order in which they came."""
        return [each for each in self.asked if each.path == path]


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = Asked(self.command, path, self.headers, body)
        self.server.asked.append(asked)
        if path.startswith(STATIC):
            file = FOLDER / path.removeprefix(STATIC)
            self._send(200, {"Content-Type": TYPES[file.suffix]}, file.read_bytes())
            return
        known = self.server.answers.get(path, Answer("Nothing is here.", 404))
        answer = known if isinstance(known, Answer) else known(asked)
        self._send(answer.status, {"Content-Type": "text/html; charset=utf-8"} | answer.headers, answer.body.encode())

    do_POST = do_GET  # noqa: N815 - the library's name

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        headers = {"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"} | headers
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def app_page(
    markup: str, *, run: str = "", version: int = 0, key: str = "", csp: str = STRICT, panel: str | None = None
) -> Answer:
    """Return a page of a class-style app, as the server sends it.

    Args:
        markup: What the plugin made.
        run: Id of the run of the page; empty for none.
        version: Its version.
        key: Its key.
        csp: Its policy.
        panel: The conversation of its assistant panel; None for none.
    """
    data = f'data-run="{run}" data-version="{version}" data-key="{key}"' if run else ""
    content = (
        f'<div id="explicit" {data}>{markup}</div>'
        f'<link rel="stylesheet" href="{ADDRESSES["explicit.css"]}">'
        f'<script type="application/json" id="explicit-libraries">{json.dumps(ADDRESSES)}</script>'
        f'<script src="{ADDRESSES["explicit.js"]}" defer nonce="{NONCE}"></script>'
    )
    beside = None if panel is None else assistant(Talk(panel), OWNER, datetime.now(UTC))
    html = whole_page(Look(ADDRESSES, NONCE), "App", raw(content), beside)
    return Answer(html, headers={"Content-Security-Policy": csp})


def named(run: str, version: int, key: str) -> dict[str, str]:
    """Return the headers in which an answer names its run."""
    return {"X-Pipulate-Run": run, "X-Pipulate-Version": str(version), "X-Pipulate-Key": quote(key, safe="")}


def step(name: str = "step_01", *, attributes: str = "", fields: str = '<input name="text" aria-label="Text">') -> str:
    """Return the input phase of a step, as plugins write it."""
    return (
        f'<div id="{name}"><article><form hx-post="/app/{name}_submit" hx-target="#{name}"'
        f' enctype="multipart/form-data" {attributes}>{fields}<button type="submit">Next</button></form></article>'
        f'<div id="after-{name}"></div></div>'
    )


BUTTON = '<button hx-post="/app/go" hx-target="#out">Go</button><div id="out"></div>'


def opened(page: Page, host: Host, answer: Answer, path: str = "/app") -> Page:
    """Open a page of an app."""
    host.answers[path] = answer
    page.goto(host.address + path)
    return page


def pressed(page: Page, name: str = "Go", shows: str | None = None) -> None:
    """Press a button, and wait for its answer."""
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name=name).click()
    if shows is not None:
        expect(page.locator("#out")).to_have_text(shows)
