"""A Chromium and a server for the browser journeys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.server import Server
from tests.support.services import chromium

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the journeys of a file; each gets a profile of its own.

    Not for the whole session: Playwright keeps an event loop in this thread, which no other test could then have.
    """
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield found
        found.close()


@dataclass
class Person:
    """Somebody with a browser that was let in.

    Attributes:
        server: The server.
        context: The browser's profile: tabs opened in it share the cookie.
        page: The first tab.
        problems: What the browser complained about: scripts, policy, requests that failed or left this machine.
    """

    server: Server
    context: BrowserContext
    page: Page
    problems: list[str]

    def tab(self) -> Page:
        """Open another tab."""
        page = self.context.new_page()
        watch(page, self.server.address, self.problems)
        return page

    def start(self, app: str, page: Page | None = None) -> Page:
        """Start a run of an app, in a tab."""
        page = page or self.page
        page.goto(f"{self.server.address}/{app}")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url(f"**/{app}/*")
        return page


def watch(page: Page, address: str, problems: list[str]) -> None:
    """Note everything a journey must not cause."""

    def on_console(message: Any) -> None:
        refused = "Content Security Policy" in message.text or "Refused" in message.text
        if refused or (message.type == "error" and "Failed to load resource" not in message.text):
            problems.append(f"console: {message.text}")

    def on_request(request: Any) -> None:
        if not request.url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:")):
            problems.append(f"another host: {request.url}")

    page.on("console", on_console)
    page.on("request", on_request)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))


def person(browser: Browser, server: Server, **look: Any) -> Person:
    """Open a fresh profile and let it in through the one-time link."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | look)
    problems: list[str] = []
    page = context.new_page()
    watch(page, server.address, problems)
    context.set_default_timeout(10_000)
    page.goto(server.new_link())
    return Person(server, context, page, problems)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the apps in the box and the journeys' own."""
    folder: Path = tmp_path_factory.mktemp("journey")
    (folder / "plugins").mkdir()
    for path in (Path(__file__).parent / "apps").glob("*.py"):
        (folder / "plugins" / path.name).write_bytes(path.read_bytes())
    with Server(folder) as running:
        yield running


@pytest.fixture
def ann(browser: Browser, server: Server) -> Iterator[Person]:
    """Somebody at the keyboard; at the end the browser must have had nothing to complain about."""
    somebody = person(browser, server)
    yield somebody
    somebody.context.close()
    assert somebody.problems == []
