"""What comes late: requests on their way to the server, and answers on their way back."""

from __future__ import annotations

import re
import time

from playwright.sync_api import APIResponse, Page, Request, Route


def intercept(page: Page) -> None:
    """Make sure that the browser tells us of each request of a page, from now to its end.

    For a moment after the first route of a page is set, and after its last one is taken away, what is asked passes by
    unseen or is never answered.
    """
    seen = list[str]()

    def see(route: Route) -> None:
        seen.append(route.request.url)
        route.continue_()

    script = page.evaluate("document.querySelector('script[src]').src")
    page.route(script, see)
    while not seen:
        page.evaluate("address => fetch(address).then((answer) => answer.text())", script)


class Held:
    """Holds back what a page asks of an address, one after the other, until it may arrive."""

    def __init__(
        self, page: Page, address: str | re.Pattern[str], method: str = "", *, is_answered: bool = False
    ) -> None:
        """Hold back what is asked from now on.

        Args:
            page: The page that asks.
            address: Of what is held.
            method: Of what is held, or "" for any.
            is_answered: Whether the server has answered it already, and the answer is held.
        """
        self._page, self._method, self._is_answered = page, method, is_answered
        self._routes: list[tuple[Route, APIResponse | None]] = []
        self._is_over = False
        intercept(page)
        page.route(address, self._take)

    @property
    def requests(self) -> list[Request]:
        """What is held."""
        return [route.request for route, _ in self._routes]

    def wait(self) -> None:
        """Wait until something is held."""
        end = time.monotonic() + 30
        while not self._routes:
            assert time.monotonic() < end, "nothing was asked"
            self._page.evaluate("0")  # Playwright hands over requests while it does something.

    def arrives(self) -> None:
        """Let the first that is held arrive, and wait until the page has dealt with the answer."""
        self.wait()
        route, answer = self._routes.pop(0)
        with self._page.expect_response(lambda each: each.request == route.request) as coming:
            _let(route, answer)
        coming.value.finished()
        self._page.evaluate("new Promise((done) => setTimeout(done))")

    def breaks(self) -> None:
        """Let the connection of the first that is held break."""
        self.wait()
        self._routes.pop(0)[0].abort()

    def refused(self, words: str) -> None:
        """Answer the first that is held with an error."""
        self.wait()
        self._routes.pop(0)[0].fulfill(status=503, content_type="text/plain", body=words)

    def stop(self) -> None:
        """Hold back nothing that is asked from now on."""
        self._is_over = True

    def let_go(self) -> None:
        """Let all that is held arrive, and hold back nothing any more."""
        self.stop()
        while self._routes:
            _let(*self._routes.pop(0))

    def _take(self, route: Route) -> None:
        if self._is_over or (self._method and route.request.method != self._method):
            route.continue_()
        else:
            self._routes.append((route, route.fetch() if self._is_answered else None))


def _let(route: Route, answer: APIResponse | None) -> None:
    if answer is None:
        route.continue_()
    else:
        route.fulfill(response=answer)
