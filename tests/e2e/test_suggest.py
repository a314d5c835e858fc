"""A step that the assistant suggests the answers of: from the button to the history."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.assistant import Beside, beside, done, own
from tests.e2e.test_access import findings
from tests.support.ollama import MODEL, Turn, model

APP = '''"""Letters: reply to one."""

from typing import Annotated, Literal

from pydantic import Field

from pipulate import Run, TextArea, Workflow

letters = Workflow("letters", title="Letters")


@letters.step("letter")
def letter(text: str) -> str:
    return text


@letters.step("reply", title="The reply")
def reply(
    subject: Annotated[str, Field(max_length=40)],
    tone: Literal["kind", "firm"],
    text: Annotated[str, TextArea()],
) -> str:
    """What do you answer?"""
    return f"{subject} ({tone}): {text}"


def without(run: Run) -> dict[str, str]:
    return {"subject": f"Re: {run['letter']}"}


@reply.suggest_with_model(fallback=without)
def prompt(run: Run) -> str:
    return f"Reply to: {run['letter']}"
'''
GOOD = {"subject": "Your cup", "tone": "kind", "text": "A <b>new</b> one is on its way."}
LOOKS = os.environ.get("PIPULATE_TEST_LOOKS")


@pytest.fixture(scope="module")
def talks(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("suggest")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "letters.py").write_text(APP)
    with beside(folder, browser) as made:
        yield made


def reply(talk: Beside, **look: object) -> Page:
    """Start a run and fill in its first step."""
    page = talk.start(talk.person(**look), "letters")
    page.get_by_label("Text").fill("My cup came broken.")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-reply.open")).to_be_visible()
    return page


def card(page: Page) -> Locator:
    asked = page.locator("#messages > .call.asks")
    expect(asked).to_have_count(1)
    return asked


def seen(page: Page, name: str) -> None:
    """Keep what is shown, where somebody wants to look at it."""
    if LOOKS:
        page.screenshot(path=Path(LOOKS) / f"{name}.png", full_page=True)


def test_suggestion_is_a_card_that_is_edited_and_allowed_and_the_history_names_both(talk: Beside) -> None:
    page, before = reply(talk), len(talk.ollama.requests)
    talk.ollama.script(Turn(json.dumps(GOOD), holds_at=1))
    seen(page, "button")
    page.get_by_role("button", name="Suggest with the assistant").click()
    expect(page.locator("#step-reply .suggests")).to_contain_text("The assistant is at it")
    expect(page.locator("#messages > .answer[aria-busy=true]")).to_have_count(1)
    seen(page, "working")
    talk.ollama.go()
    expect(card(page).locator(".differences")).to_contain_text("Your cup")
    expect(page.locator("#step-reply.done")).to_have_count(0)
    seen(page, "card")
    assert findings(page) == []
    page.reload()
    expect(page.locator("#step-reply .suggests")).to_contain_text("Look at them in the panel")
    seen(page, "waits")
    card(page).locator(".edit > summary").click()
    card(page).get_by_label("Values").fill(json.dumps(GOOD | {"tone": "firm"}))
    card(page).get_by_role("button", name="Allow as edited").click()
    expect(page.locator("#step-reply.done")).to_contain_text("Your cup (firm): A <b>new</b> one is on its way.")
    page.get_by_role("button", name="History").or_(page.get_by_role("link", name="History")).click()
    expect(page.locator(".history li").first).to_contain_text("assistant")
    assert len(talk.ollama.requests) == before + 1
    seen(page, "done")


def test_suggestion_that_is_stopped_leaves_the_form_as_it_was(talk: Beside) -> None:
    page = reply(talk)
    page.get_by_label("Subject").fill("My own words")
    talk.ollama.script(Turn(json.dumps(GOOD), holds_at=1))
    page.get_by_role("button", name="Suggest with the assistant").click()
    expect(page.locator("#messages > .answer[aria-busy=true]")).to_have_count(1)
    talk.ollama.wait(lambda ollama: ollama.open)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#messages > .answer[data-state=stopped]")).to_have_count(1)
    talk.ollama.wait(lambda ollama: not ollama.open)
    expect(page.locator("#messages > .call")).to_have_count(0)
    expect(page.get_by_label("Subject")).to_have_value("My own words")


def test_suggestion_that_fits_no_rule_is_told_in_words(talk: Beside) -> None:
    page = reply(talk)
    wrong = Turn(json.dumps(GOOD | {"subject": "x" * 41}))
    talk.ollama.script(wrong, wrong)
    page.get_by_role("button", name="Suggest with the assistant").click()
    failed = page.locator("#messages > .answer[data-state=failed]")
    expect(failed).to_contain_text("cannot be used")
    expect(failed).to_contain_text("Subject")
    seen(page, "failed")


def test_without_a_model_the_form_starts_with_the_fallback_and_has_no_button(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "letters.py").write_text(APP)
    with beside(tmp_path, browser, PIPULATE_MODEL_SERVER="off") as made:
        page = made.person().start("letters")
        page.get_by_label("Text").fill("My cup")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_label("Subject")).to_have_value("Re: My cup")
        expect(page.get_by_role("button", name="Suggest with the assistant")).to_have_count(0)


def test_suggestion_is_asked_for_and_allowed_without_a_script(talk: Beside) -> None:
    page = reply(talk)
    address = page.url
    talk.ollama.script(Turn(json.dumps(GOOD)))
    plain = talk.browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state()).new_page()
    plain.goto(address)
    plain.get_by_role("button", name="Suggest with the assistant").click()
    expect(card(page).locator(".differences")).to_contain_text("Your cup")
    done(page)
    plain.reload()
    plain.get_by_role("button", name="Allow", exact=True).click()
    expect(page.locator("#step-reply.done")).to_contain_text("Your cup (kind)")
    plain.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_button_and_card_are_there_on_a_phone(talk: Beside, theme: str) -> None:
    page = reply(talk, viewport={"width": 390, "height": 780}, color_scheme=theme)
    talk.ollama.script(Turn(json.dumps(GOOD)))
    button = page.get_by_role("button", name="Suggest with the assistant")
    expect(button).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    seen(page, f"phone-{theme}")
    button.click()
    expect(page.locator("#step-reply .suggests")).to_contain_text("Look at them")
    seen(page, f"phone-{theme}-after")


def test_line_below_the_form_follows_what_the_model_does(talk: Beside) -> None:
    page = reply(talk)
    line, button = page.locator("#step-reply .suggests"), page.get_by_role("button", name="Suggest with the assistant")
    page.get_by_label("Subject").fill("My own words")
    talk.ollama.script(Turn(json.dumps(GOOD), holds_at=1), Turn(json.dumps(GOOD), holds_at=1))
    button.click()
    expect(line).to_contain_text("The assistant is at it")
    talk.ollama.wait(lambda ollama: ollama.open)
    page.get_by_role("button", name="Stop").click()
    expect(button).to_be_visible()
    button.click()
    expect(line).to_contain_text("The assistant is at it")
    page.reload()
    expect(line).to_contain_text("The assistant is at it")
    talk.ollama.go()
    expect(line).to_contain_text("Look at them in the panel")
    card(page).get_by_role("button", name="Deny").click()
    expect(button).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("My own words")


def test_button_comes_and_goes_with_the_model(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "letters.py").write_text(APP)
    with beside(tmp_path, browser) as made:
        page = reply(made)
        button = page.get_by_role("button", name="Suggest with the assistant")
        expect(button).to_be_visible()
        made.ollama.models.clear()
        page.request.post(f"{made.server.address}/-/assistant/look", headers=own(made))
        expect(button).to_have_count(0)
        made.ollama.models.append(model(MODEL))
        page.request.post(f"{made.server.address}/-/assistant/look", headers=own(made))
        expect(button).to_be_visible()


def test_way_to_what_is_suggested_is_under_the_fingers_with_keys_and_on_a_phone(talk: Beside) -> None:
    page = reply(talk)
    talk.ollama.script(Turn(json.dumps(GOOD), holds_at=1))
    page.get_by_role("button", name="Suggest with the assistant").press("Enter")
    expect(page.locator("#step-reply .suggests a")).to_be_focused()
    talk.ollama.go()
    way = page.get_by_role("link", name="Look at them in the panel")
    expect(way).to_be_visible()
    if page.locator("#messages > .call :focus").count() == 0:
        expect(way).to_be_focused()
    page.set_viewport_size({"width": 390, "height": 780})
    expect(page.locator("#assistant")).not_to_be_in_viewport()
    way.press("Enter")
    expect(card(page).locator(".differences")).to_be_in_viewport()
    expect(page.locator("#messages > .call :focus")).to_have_count(1)
    seen(page, "phone-way")
    card(page).get_by_role("button", name="Deny").click()
