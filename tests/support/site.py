"""The whole application in this process, behind its guard, driven like a browser does; no network."""

from __future__ import annotations

import asyncio
import atexit
import functools
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode

from pipulate._clock import Clock
from pipulate.app import IN_BOX, Application, build
from pipulate.jobs.port import Jobs
from pipulate.settings import read_settings
from pipulate.storage.database import Database
from tests.support.store import Postgres, Sqlite, made, with_tables

PORT = 5001
HOST = f"127.0.0.1:{PORT}"


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    every_header: list[tuple[str, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Browser:
    """Sends requests as a page of ours would: own host, own origin, the cookie, tab and htmx headers."""

    def __init__(self, application: Application, tab: str = "tab-1") -> None:
        self.application, self.tab = application, tab

    @property
    def cookie(self) -> str:
        """The cookie that lets it in."""
        capability = self.application.capability
        return f"{capability.cookie}={capability.secret}"

    async def get(self, path: str, *, htmx: bool = False, headers: Mapping[str, str | None] | None = None) -> Answer:
        """Open an address."""
        return await self.send("GET", path, b"", htmx=htmx, headers=headers)

    async def post(
        self,
        path: str,
        form: Mapping[str, Any] | list[tuple[str, Any]] | bytes = b"",
        *,
        htmx: bool = False,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send a form."""
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        return await self.send("POST", path, body, htmx=htmx, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        htmx: bool = False,
        headers: Mapping[str, str | None] | None = None,
    ) -> Answer:
        """Send anything; a header given as None is left out."""
        sent: dict[str, str | None] = {
            "host": HOST,
            "cookie": self.cookie,
            "sec-fetch-site": "same-origin",
            "x-pipulate-tab": self.tab,
            "accept": "text/html",
        }
        if method not in ("GET", "HEAD"):
            sent |= {"origin": f"http://{HOST}", "content-type": "application/x-www-form-urlencoded"}
            sent["content-length"] = str(len(body))
        if htmx:
            sent["hx-request"] = "true"
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items() if value is not None]
        return await self.raw(method, path, raw, body)

    async def raw(
        self,
        method: str,
        path: str,
        headers: list[tuple[bytes, bytes]],
        body: bytes = b"",
        *,
        server: tuple[str, int] = ("127.0.0.1", PORT),
    ) -> Answer:
        """Send exactly these headers to the address `server` that we listen on."""
        plain, _, query = path.partition("?")
        came: list[dict[str, Any]] = []
        chunks = [body]

        async def receive() -> dict[str, Any]:
            if not chunks:
                await asyncio.Event().wait()  # All was sent, and nobody hangs up.
            chunk = chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message: Any) -> None:
            came.append(dict(message))

        scope = {
            "type": "http", "method": method, "path": unquote(plain), "raw_path": plain.encode(),
            "query_string": query.encode(), "headers": headers, "http_version": "1.1", "scheme": "http",
            "server": server, "client": ("127.0.0.1", 50_000), "root_path": "", "state": {},
        }  # fmt: skip
        await self.application.asgi(scope, receive, send)
        start = came[0]
        every = [(name.decode().lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Answer(start["status"], dict(every), b"".join(each.get("body", b"") for each in came[1:]), every)

    async def start(self, app: str, key: str = "") -> tuple[str, str]:
        """Start a run; return its id and its address."""
        answer = await self.post(f"/{app}", {"key": key, "offered": ""})
        assert answer.status == 303, answer.text
        address = answer.headers["location"]
        return await self.run_id(address), address

    async def run_id(self, address: str) -> str:
        """Return the id of the run at an address."""
        page = await self.get(address)
        found = re.search(r'data-run="(\w+)"', page.text)
        assert found, page.text[:500]
        return found[1]

    async def version(self, address: str) -> int:
        """Return the version of the run at an address."""
        return int((await self.get(address)).headers["x-pipulate-version"])

    async def submit(self, run: str, step: str, seen: int, submit: str | None = None, **answers: Any) -> Answer:
        """Send the form of a step, as our script does."""
        form = {"_seen": seen, **({"_submit": submit} if submit else {}), **answers}
        return await self.post(f"/-/runs/{run}/steps/{step}", form, htmx=True)


_SLOW_IMPORT_S = 4.0
"""How long a plugin may take to import on a busy machine; one that is made to hang is not waited for longer."""


@asynccontextmanager
async def running(
    folder: Path,
    *,
    clock: Clock | None = None,
    jobs: Callable[[Database, Clock], Jobs] | None = None,
    in_box: Path | None = None,
    **settings: Any,
) -> AsyncIterator[Application]:
    """Run the application without a network: lifespan and all; the engine does its jobs unless something else shall.

    Of the apps in the box only the two Hello and the profiles are there unless `in_box` is `IN_BOX`: loading all takes
    longer than most tests.
    """
    given = {
        "data": folder / "data", "plugins": folder / "plugins", "log_level": "error", "reload": False,
        "model_server": "off", **settings,
    }  # fmt: skip
    (folder / "plugins").mkdir(exist_ok=True)
    chosen = read_settings({}, **given)
    with_tables(made(chosen.data).database)
    application = build(chosen, clock=clock, jobs=jobs, in_box=in_box or _small_box())
    application.answers_at(PORT)
    async with application.running():
        application.site.plugins.wait_ready(30)
        application.site.plugins.wait_loaded(_SLOW_IMPORT_S)
        yield application


def kept_in(stores: Sqlite | Postgres) -> dict[str, Any]:
    """Return the settings with which what is stored goes into a store of this kind, emptied for it."""
    if isinstance(stores, Sqlite):
        return {}
    stores.empty()
    return {"database_url": stores.url}


@functools.cache
def _small_box() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="pipulate-box-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("hello.py", "hello_workflow.py", "profiles.py"):
        (folder / name).write_bytes((IN_BOX / name).read_bytes())
    return folder
