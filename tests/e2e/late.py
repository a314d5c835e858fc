"""Answers that come late."""

from __future__ import annotations

import re
import time

from playwright.sync_api import APIResponse, Page, Route


def late(page: Page, method: str, address: re.Pattern[str]) -> list[Route]:
    """Hold back what is asked of an address; return what is held."""
    routes: list[Route] = []
    page.route(address, lambda route: routes.append(route) if route.request.method == method else route.continue_())
    return routes


def followed(page: Page, routes: list[Route]) -> None:
    """Let the answer that is held come, and wait until the page has dealt with it."""
    route = routes.pop(0)
    with page.expect_response(lambda answer: answer.request == route.request) as coming:
        route.continue_()
    coming.value.finished()
    page.evaluate("new Promise((done) => setTimeout(done))")


class Held:
    """Answers that were given already, and have not arrived."""

    def __init__(self, page: Page, method: str, address: re.Pattern[str]) -> None:
        """Hold back what is answered from now on."""
        self._page, self._method = page, method
        self._answers: list[tuple[Route, APIResponse]] = []
        self.is_over = False  # Whether what is asked from now on is answered at once.
        page.route(address, self._take)

    def _take(self, route: Route) -> None:
        if route.request.method == self._method and not self.is_over:
            self._answers.append((route, route.fetch()))
        else:
            route.continue_()

    def wait(self) -> None:
        """Wait until an answer is held."""
        end = time.monotonic() + 30
        while not self._answers:
            assert time.monotonic() < end, "nothing was asked"
            self._page.evaluate("0")  # Playwright hands over requests while it does something.

    def arrives(self) -> None:
        """Let the first answer that is held arrive, and wait until the page has dealt with it."""
        route, answer = self._answers.pop(0)
        with self._page.expect_response(lambda each: each.request == route.request) as coming:
            route.fulfill(response=answer)
        coming.value.finished()
        self._page.evaluate("new Promise((done) => setTimeout(done))")
