"""Addresses of the old host that start something: folders are opened on this machine, from its own pages, inside."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pipulate.app import Application
from pipulate.explicit.loading import ExplicitApp
from pipulate.web import oldhost
from pipulate.web.desktop import opener
from tests.support.explicit import explicit
from tests.support.flows import until
from tests.support.site import HOST, PORT, Browser

pytestmark = pytest.mark.anyio

OPENS = """
from fasthtml.common import Div

class Opens:
    APP_NAME = "opens"

    def __init__(self, app, pipulate):
        self.pip = pipulate

    async def landing(self, request):
        return Div(self.pip.create_folder_button("downloads/a <b>"))
"""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("oldhost"), opens=OPENS, endless=ENDLESS) as made:
        yield made


@dataclass
class Desktop:
    """A desktop whose program for folders writes down what it is given, in a working folder of its own."""

    parent: Path

    def told(self) -> list[str]:
        """Return the folders that were opened."""
        file = self.parent / "told"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desktop:
    """A desktop."""
    programs, told = tmp_path / "bin", tmp_path / "told"
    programs.mkdir()
    (programs / "xdg-open").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{told}"\n')
    (programs / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.chdir(tmp_path)
    return Desktop(tmp_path)


async def asked(application: Application, path: Path | str, *, htmx: bool = True, **headers: str | None) -> int:
    """Ask for a folder to be opened; return the status."""
    address = f"/open-folder?path={quote(str(path), safe='')}"
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return (await Browser(application).get(address, htmx=htmx, headers=sent)).status


async def test_folder_below_the_data_or_the_downloads_is_opened(application: Application, opened: Desktop) -> None:
    inside = application.layout.files / "a b; touch evil"
    inside.mkdir(parents=True, exist_ok=True)
    downloads = opened.parent / "downloads" / "app"
    downloads.mkdir(parents=True)
    assert await asked(application, inside) == 200
    assert await asked(application, downloads) == 200
    assert await asked(application, "downloads/app") == 200
    assert opened.told() == [str(inside), str(downloads), str(downloads)]


async def test_button_of_a_plugin_asks_for_its_folder(application: Application, opened: Desktop) -> None:
    (opened.parent / "downloads" / "a <b>").mkdir(parents=True)
    page = (await Browser(application).get("/opens")).text
    address = "/open-folder?path=downloads%2Fa%20%3Cb%3E"
    assert f'hx-get="{address}"' in page
    assert (await Browser(application).get(address, htmx=True)).status == 200
    assert opened.told() == [str(opened.parent / "downloads" / "a <b>")]


async def test_nothing_outside_and_nothing_but_folders_is_opened(application: Application, opened: Desktop) -> None:
    downloads = opened.parent / "downloads"
    downloads.mkdir()
    (downloads / "file.sh").write_text("#!/bin/sh")
    (downloads / "out").symlink_to(opened.parent / "bin")
    (opened.parent / "downloads-evil").mkdir()
    for path in (
        "", "/", "..", "downloads/..", "downloads/../bin", downloads / "file.sh", downloads / "out", downloads / "none",
        opened.parent / "downloads-evil", application.site.plugins.folder, "a\x00b", "file:///", "x" * 5_000,
    ):  # fmt: skip
        assert await asked(application, path) == 404, path
    assert opened.told() == []


async def test_folder_is_opened_from_our_own_pages_on_this_machine_only(
    application: Application, opened: Desktop
) -> None:
    (opened.parent / "downloads").mkdir()
    for htmx, sent in (
        (False, {"sec_fetch_site": "none"}),
        (False, {"sec_fetch_site": None}),
        (False, {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}),
        (True, {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}),
        (True, {"sec_fetch_site": "same-site"}),
        (True, {"cookie": None}),
    ):
        assert await asked(application, "downloads", htmx=htmx, **sent) in (401, 403), sent
    application._hosts.add("tunnel.test:5001")
    assert await asked(application, "downloads", host="tunnel.test:5001") == 403
    assert opened.told() == []
    assert await asked(application, "downloads", host=HOST) == 200


async def test_link_without_htmx_leads_back_to_its_page(application: Application, opened: Desktop) -> None:
    (opened.parent / "downloads").mkdir()
    answer = await Browser(application).get("/open-folder?path=downloads", headers={"referer": f"http://{HOST}/opens"})
    assert (answer.status, answer.headers["location"]) == (303, "/opens")


@pytest.mark.parametrize("lacks", ["DISPLAY", "program", "success"])
async def test_server_without_a_desktop_says_so_and_names_the_folder(
    application: Application, opened: Desktop, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    folder = opened.parent / "downloads"
    folder.mkdir()
    program = opened.parent / "bin" / "xdg-open"
    if lacks == "DISPLAY":
        monkeypatch.delenv("DISPLAY")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    elif lacks == "program":
        monkeypatch.setenv("PATH", str(folder))
    else:
        program.write_text("#!/bin/sh\nexit 3\n")
    answer = await Browser(application).get("/open-folder?path=downloads", htmx=True)
    assert answer.status == 501
    assert str(folder) in answer.text
    assert ("no desktop" in answer.text) is (lacks != "success")
    assert quote(str(folder)) in answer.headers["x-pipulate-notice"]


def test_each_system_has_its_program(opened: Desktop) -> None:
    programs = opened.parent / "bin"
    for name in ("open", "explorer"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    there = {"PATH": str(programs)}
    assert opener("darwin", there) == (f"{programs}/open", "-R")
    assert opener("win32", there) == (f"{programs}/explorer",)
    assert opener("linux", there) is None
    assert opener("linux", there | {"WAYLAND_DISPLAY": "w"}) == (f"{programs}/xdg-open",)
    assert opener("linux", {"PATH": "", "DISPLAY": ":0"}) is None


# Server-sent events


ENDLESS = """
import asyncio
from fasthtml.common import Div, EventStream

class Endless:
    APP_NAME = "endless"
    ended = 0

    def __init__(self, app):
        app.route("/endless/stream", methods=["GET"])(self.stream)

    async def landing(self, request):
        return Div()

    async def stream(self, request):
        async def ticks():
            try:
                for number in range(10**9):
                    yield f"data: {number}\\n\\n"
                    await asyncio.sleep(0.01)
            finally:
                Endless.ended += 1
        return EventStream(ticks())
"""


async def streamed(application: Application, path: str, parts: int) -> list[bytes]:
    """Ask for a stream, and go away after so many parts; return them once the server is done with it."""
    came, left, body = list[bytes](), asyncio.Event(), [b""]
    cookie = f"{application.capability.cookie}={application.capability.secret}"

    async def receive() -> dict[str, Any]:
        if body:
            return {"type": "http.request", "body": body.pop(), "more_body": False}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            assert (b"content-type", b"text/event-stream; charset=utf-8") in message["headers"]
        elif message["body"]:
            came.append(message["body"])
        if len(came) >= parts:
            left.set()

    headers = [(b"host", HOST.encode()), (b"cookie", cookie.encode()), (b"sec-fetch-site", b"same-origin")]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": headers, "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", PORT),
        "client": ("127.0.0.1", 50_000), "root_path": "", "state": {},
    }  # fmt: skip
    async with asyncio.timeout(10):
        await application.asgi(scope, receive, send)
    return came


async def test_pings_of_the_old_host_come_until_the_page_goes_away(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oldhost, "_PING_S", 0.01)
    came = await streamed(application, "/sse", 3)
    assert len(came) < 10
    assert all(re.fullmatch(rb"data: Test ping at \d\d:\d\d:\d\d\n\n", each) for each in came)


async def test_stream_of_a_plugin_ends_when_the_page_goes_away(application: Application) -> None:
    came = await streamed(application, "/endless/stream", 3)
    assert came[:3] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    plugin = application.site.plugins.table.by_module["endless"].app
    assert isinstance(plugin, ExplicitApp)
    await until(lambda: plugin.instance.ended == 1)
