"""What is written in the panel while what was written before is still on its way."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Person
from tests.e2e.late import Held

NOTES = re.compile("/-/notes")


@pytest.fixture
def page(ann: Person) -> Page:
    """A page with a panel."""
    return ann.start("hello")


@pytest.fixture
def field(page: Page) -> Locator:
    return page.get_by_label("Note")


@pytest.fixture
def held(page: Page, field: Locator) -> Held:
    """Two notes of which none has arrived, and words for a third one."""
    held = Held(page, NOTES, "POST")
    write(page, field, "one")
    held.wait()
    write(page, field, "two")
    page.keyboard.type("three")
    expect(unsent(page)).to_have_text(["one", "two"])
    assert [(each.post_data_json or {})["text"] for each in held.requests] == ["one"]
    return held


def write(page: Page, field: Locator, words: str) -> None:
    field.focus()
    page.keyboard.type(words)
    page.keyboard.press("Enter")
    expect(field).to_have_value("")


def unsent(page: Page) -> Locator:
    return page.get_by_role("list", name="Being sent").get_by_role("listitem")


def notes(page: Page) -> Locator:
    return page.locator("#messages .note .text")


def test_field_is_empty_at_once_and_notes_arrive_one_after_the_other(page: Page, field: Locator, held: Held) -> None:
    held.arrives()
    held.wait()
    expect(notes(page)).to_have_text(["one"])
    expect(unsent(page)).to_have_text(["two"])
    held.arrives()
    expect(notes(page)).to_have_text(["one", "two"])
    expect(unsent(page)).to_have_count(0)
    expect(field).to_have_value("three")
    expect(field).to_be_focused()
    held.stop()
    page.reload()
    expect(field).to_have_value("three")
    expect(unsent(page)).to_have_count(0)


def test_notes_that_cannot_be_sent_are_back_in_the_field_before_what_is_typed(
    ann: Person, page: Page, field: Locator, held: Held
) -> None:
    held.breaks()
    expect(field).to_have_value("one\ntwo\nthree")
    expect(page.locator("#assistant").get_by_role("alert")).to_contain_text("The server does not answer")
    expect(unsent(page)).to_have_count(0)
    held.stop()
    page.reload()
    expect(field).to_have_value("one\ntwo\nthree")
    page.keyboard.press("Tab")
    field.press("Enter")
    expect(notes(page)).to_have_text("one\ntwo\nthree", use_inner_text=True)
    expect(page.locator("#assistant").get_by_role("alert")).to_have_count(0)
    ann.problems.clear()  # The browser says of a request that failed that it failed.


def test_notes_that_are_on_their_way_as_the_page_goes_are_not_lost(page: Page, field: Locator, held: Held) -> None:
    page.reload()
    expect(field).to_have_value("one\ntwo\nthree")
    assert len(held.requests) == 1


def test_notes_that_are_on_their_way_are_known_to_the_next_page_of_a_tab_that_died(
    ann: Person, page: Page, held: Held
) -> None:
    with ann.context.expect_page() as opened:
        page.evaluate("window.open(location.href)")  # It begins with what the tab would have left behind.
    expect(opened.value.get_by_label("Note")).to_have_value("one\ntwo\nthree")
    assert len(held.requests) == 1


def test_nothing_is_sent_where_nothing_is_written(page: Page, field: Locator) -> None:
    held = Held(page, NOTES, "POST")
    field.press("Enter")
    page.get_by_role("button", name="Add note").click()
    expect(unsent(page)).to_have_count(0)
    assert held.requests == []
