"""A server that asks a scripted model, and people who talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.ollama import Ollama, Turn
from tests.support.server import Server


@dataclass
class Beside:
    """A server with its model.

    Attributes:
        server: The server.
        ollama: The model, which says what it is told.
        browser: For people.
        people: Who was there.
    """

    server: Server
    ollama: Ollama
    browser: Browser
    people: list[Person] = field(default_factory=list)

    def person(self, **look: Any) -> Person:
        """Let somebody in."""
        self.people.append(person(self.browser, self.server, **look))
        return self.people[-1]

    def start(self, somebody: Person, app: str = "hello") -> Page:
        """Start a run, and wait until its page knows the model."""
        page = somebody.start(app)
        expect(page.locator("#assistant .send")).to_have_text("Send")
        return page

    def end(self) -> None:
        """End a journey: no browser had anything to complain about, and the model said all it was to say."""
        people, self.people = self.people, []
        for each in people:
            each.context.close()
        unasked = self.ollama.unasked()  # They would be said in the next journey.
        assert [problem for each in people for problem in each.problems] == []
        assert unasked == []

    def ask(self, page: Page, text: str, *turns: Turn) -> None:
        """Have the model say something to a question."""
        self.ollama.script(*turns)
        page.locator("#assistant textarea[name=text]").fill(text)
        page.keyboard.press("Enter")


@contextmanager
def beside(folder: Path, browser: Browser, **env: str) -> Iterator[Beside]:
    """Run a server with its model."""
    (folder / "plugins").mkdir(exist_ok=True)
    with Ollama() as ollama:
        known = {"PIPULATE_MODEL_SERVER": "ollama", "PIPULATE_MODEL_URL": ollama.url}
        with Server(folder, env=known | env) as server:
            made = Beside(server, ollama, browser)
            yield made
            made.end()


def answers(page: Page) -> Locator:
    """Return the answers that are shown."""
    return page.locator("#messages > .answer")


def done(page: Page, count: int = 1) -> Locator:
    """Wait for so many whole answers; return the last one."""
    expect(page.locator("#messages > .answer[data-state=done]")).to_have_count(count)
    return page.locator("#messages > .answer[data-state=done]").last


def fills(name: str, version: int = 1) -> Turn:
    """Return the turn of a model that wants to fill in the first step of Hello."""
    given = {"step": "name", "values": {"name": name}, "version": version}
    return Turn("I fill this in.", calls=[("submit_step", given)])


def own(talk: Beside) -> dict[str, str]:
    """Return the headers that our own pages send."""
    return {"HX-Request": "true", "Origin": talk.server.address, "Sec-Fetch-Site": "same-origin"}
