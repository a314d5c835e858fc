"""The assistant with the real server of llama.cpp behind it: words, a step that is filled in, and the end of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.assistant import answers, done
from tests.e2e.conftest import Person, person
from tests.support.gguf import DONE, Llama, call, llama, routes
from tests.support.server import Server

FILLS = call("submit_step", {"step": "name", "values": {"name": "Ada"}, "version": 1}, word="form")


@dataclass
class Talk:
    """A server, the model's server, and somebody who talks to it."""

    server: Server
    llama: Llama
    person: Person

    def ask(self, page: Page, text: str) -> None:
        """Ask the model."""
        page.locator("#assistant textarea[name=text]").fill(text)
        page.keyboard.press("Enter")


@pytest.fixture(scope="module")
def talk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    folder = tmp_path_factory.mktemp("llama")
    (folder / "plugins").mkdir()
    with llama(folder, routes(FILLS)) as model:
        # Each letter of a question is a token to it, so it is given as much room as others need for four.
        env = {"PIPULATE_MODEL_SERVER": "openai", "PIPULATE_MODEL_URL": model.url, "PIPULATE_MODEL_CONTEXT": "65536"}
        with Server(folder, env=env) as server:
            somebody = person(browser, server)
            yield Talk(server, model, somebody)
            somebody.context.close()
            assert somebody.problems == []


def test_real_model_answers_fills_in_a_step_that_is_allowed_and_says_so(talk: Talk) -> None:
    page = talk.person.start("hello")
    expect(page.locator("#assistant .send")).to_have_text("Send")
    talk.ask(page, "Who are you?")
    # A real model reads the whole prompt first, and a busy machine takes its time for that.
    expect(page.locator("#messages > .answer[data-state=done]")).to_have_count(1, timeout=90_000)
    expect(done(page).locator(".prose strong")).to_have_text("very small")
    talk.ask(page, "Take the form")
    card = page.locator("#messages > .call.asks")
    expect(card).to_contain_text("Ada")
    expect(page.locator("#steps, main")).not_to_contain_text("Hello, Ada")
    card.get_by_role("button", name="Allow", exact=True).click()
    expect(answers(page).last).to_contain_text(DONE)
    expect(page.locator("main")).to_contain_text("Ada")
    expect(answers(page).last.locator(".answer-foot")).to_contain_text("of 65,536 tokens")


def test_real_model_that_never_ends_is_stopped(talk: Talk) -> None:
    page = talk.person.start("hello")
    talk.ask(page, "Say something endless")
    expect(answers(page).last).to_contain_text("goes, round and around")
    page.get_by_role("button", name="Stop").click()
    expect(answers(page).last).to_have_attribute("data-state", "stopped")
    talk.ask(page, "Still there?")
    expect(done(page)).to_contain_text("It knows nothing, and says it well.")
