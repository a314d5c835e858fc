"""A Chromium and a server for the browser journeys."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect, sync_playwright

from tests.e2e.explicit_host import Host
from tests.support.server import Server
from tests.support.services import chromium

if TYPE_CHECKING:
    from tests.e2e.assistant import Beside

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-features=" + ",".join((
        # The browser's own user interface draws pages too, for each new window; they cost more than ours.
        "WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "WebUIOmniboxFullPopup", "SpareRendererForSitePerProcess",
        # What Playwright switches off otherwise, as far as it concerns us: of two such switches the later one counts.
        "AimEnabled", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose",
        "HttpsFirstBalancedModeAutoEnable", "HttpsUpgrades", "LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying",
        "OptimizationHints", "PaintHolding", "PreconnectToSearch", "ThirdPartyStoragePartitioning",
    )),
)  # fmt: skip
expect.set_options(timeout=30_000)  # Long enough for a busy machine; what is true already is not waited for.


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
        # A search that goes on before the last answer came is no error; what failed otherwise has a line of its own.
        given_up = message.text.startswith(("htmx:afterRequest", "htmx:sendAbort", "Failed to load resource"))
        if refused or (message.type == "error" and not given_up):
            problems.append(f"console: {message.text}")

    def on_request(request: Any) -> None:
        if not request.url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:")):
            problems.append(f"another host: {request.url}")

    page.on("console", on_console)
    page.on("request", on_request)
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))


def until(page: Page | Frame, expression: str) -> None:
    """Wait until an expression is true in a page.

    Asked from outside each time: `wait_for_function` evaluates within the page from its second look on, which the
    policy of our pages forbids.
    """
    end = time.monotonic() + 30
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < end, f"it did not come to {expression}"
        page.wait_for_timeout(20)


def person(browser: Browser, server: Server, **look: Any) -> Person:
    """Open a fresh profile that was let in, with an empty tab."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | look)
    name, _, value = server.cookie().partition("=")
    context.add_cookies([{"name": name, "value": value, "url": server.address, "httpOnly": True, "sameSite": "Strict"}])
    problems: list[str] = []
    page = context.new_page()
    watch(page, server.address, problems)
    context.set_default_timeout(30_000)
    context.set_default_navigation_timeout(60_000)  # The first page may import what is heavy, on a busy machine.
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


@pytest.fixture
def talk(talks: Beside) -> Iterator[Beside]:
    """People who talk to the model of a file; each journey ends before the next one."""
    yield talks
    talks.end()


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser may complain about in this test, as regular expressions; a test adds what it provokes."""
    return []


@pytest.fixture
def page(browser: Browser, host: Host, complaints: list[str]) -> Iterator[Page]:
    """A tab; at the end the browser must have had nothing else to complain about."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(30_000)
    context.set_default_navigation_timeout(60_000)  # The first page may import what is heavy, on a busy machine.
    page, problems = context.new_page(), list[str]()
    watch(page, host.address, problems)
    yield page
    context.close()
    assert [each for each in problems if not any(re.search(known, each) for known in complaints)] == []
