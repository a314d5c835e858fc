"""Answers that come late, in a table of records: whoever went on in the meantime is not held up by them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Person
from tests.e2e.late import Held
from tests.e2e.todo import add, cell, cleared, shows, stand

RECORD, FIELD, TICK, ROW = (
    re.compile(r"/-/records/todo/\w+" + end) for end in (r"(\?|$)", "/cells/priority", "/toggle", "/row")
)


@pytest.fixture
def table(ann: Person) -> Page:
    """The page of a table that is empty."""
    return cleared(ann)


def search(page: Page) -> Locator:
    """Go on to the search while something is under way."""
    page.locator("#records-find").focus()
    return page.locator("#records-find")


@pytest.mark.parametrize("key", ["Enter", "Tab", "Shift+Tab"])
def test_answer_that_comes_late_takes_the_focus_from_nobody_who_went_on(table: Page, key: str) -> None:
    add(table, "Milk", "Bread")
    stand(table, "Milk", "priority")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press(key)
    held.wait()
    field = search(table)
    held.arrives()
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    expect(field).to_be_focused()
    expect(table.locator(".cell-editor")).to_have_count(0)


def test_tick_that_is_late_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    add(table, "Milk")
    cell(table, "Milk", "done").locator("button").focus()
    held = Held(table, TICK, "POST")
    table.keyboard.press("Enter")
    held.wait()
    field = search(table)
    held.arrives()
    expect(cell(table, "Milk", "done").get_by_role("checkbox")).to_be_checked()
    expect(field).to_be_focused()


@pytest.mark.parametrize("typed", ["", "4"])
def test_field_that_comes_late_opens_for_nobody_and_keeps_what_was_typed(table: Page, typed: str) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    held = Held(table, FIELD, "GET")
    table.keyboard.press(typed or "Enter")
    held.wait()
    field = search(table)
    held.arrives()
    expect(table.locator(".cell-editor")).to_have_count(0)
    expect(field).to_be_focused()
    expect(cell(table, "Milk", "priority")).to_have_text(typed or "3")


def test_order_that_was_asked_for_is_not_lost_when_news_come_before_it(table: Page) -> None:
    add(table, "Milk", "Bread", "Bank")
    stand(table, "Bank", "priority")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press("Enter")
    held.wait()
    table.get_by_role("link", name="Title").click()
    news = "{resource: 'todo', version: 1e9, tab: 'another'}"
    table.evaluate(f"document.dispatchEvent(new CustomEvent('pipulate:records', {{detail: {news}}}))")
    held.arrives()
    shows(table, "Bank", "Bread", "Milk")


def test_what_is_refused_late_says_so_and_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    table.keyboard.type("9")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press("Enter")
    held.wait()
    field = search(table)
    held.arrives()
    expect(table.locator(".cell-editor")).to_contain_text("5")
    expect(table.locator(".cell-editor input[name=priority]")).to_have_value("9")
    expect(field).to_be_focused()


def test_record_that_is_refused_late_comes_back_and_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    table.locator("#add-size").select_option("large")
    table.locator("#add-priority").fill("5")
    table.locator("#add-title").fill("Milk")
    held = Held(table, re.compile(r"/-/records/todo(\?|$)"), "POST")
    table.keyboard.press("Enter")
    held.wait()
    field = search(table)
    held.arrives()
    expect(table.locator("#add-row .problem")).to_be_visible()
    expect(table.locator("#add-title")).to_have_value("Milk")
    expect(field).to_be_focused()


def types_notes(page: Page) -> Locator:
    """Type into the notes of the only record, and return the field."""
    cell(page, "Milk", "notes").click()
    field = page.locator(".cell-editor textarea")
    field.press_sequentially("two litres")
    return field


def keeps_notes(page: Page, field: Locator) -> None:
    expect(field).to_have_value("two litres")
    expect(field).to_be_focused()
    with page.expect_response(RECORD):
        page.keyboard.press("Control+Enter")
    expect(page.locator(".cell-editor")).to_have_count(0)
    expect(cell(page, "Milk", "notes")).to_have_text("two litres")


def test_what_is_typed_into_a_record_stays_when_another_field_of_it_was_stored_meanwhile(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor input[name=priority]")).to_be_focused()
    held = Held(table, RECORD, "POST")
    field = types_notes(table)
    held.wait()
    held.arrives()
    held.let_go()
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    expect(table.locator("#records-rows td.computed")).to_have_text("now")
    keeps_notes(table, field)
    expect(cell(table, "Milk", "priority")).to_have_text("5")


def test_what_is_typed_into_a_record_stays_when_it_was_ticked_meanwhile(table: Page) -> None:
    add(table, "Milk")
    cell(table, "Milk", "done").locator("button").focus()
    held = Held(table, TICK, "POST")
    table.keyboard.press("Enter")
    held.wait()
    field = types_notes(table)
    held.arrives()
    held.let_go()
    expect(cell(table, "Milk", "done").get_by_role("checkbox")).to_be_checked()
    keeps_notes(table, field)


def test_what_is_typed_into_a_record_stays_when_what_others_did_to_it_is_shown_meanwhile(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    table.keyboard.press("Enter")
    expect(table.locator(".cell-editor input[name=priority]")).to_be_focused()
    changes = """async (record) => {
        const body = new URLSearchParams({_seen: "1", _field: "size", size: "large"});
        await fetch(`/-/records/todo/${record}`, {method: "POST", headers: {"HX-Request": "true"}, body});
    }"""
    table.evaluate(changes, table.locator("#records-rows tr").get_attribute("data-record"))
    expect(table.locator("#records-rows tr[data-stale]")).to_have_count(1)
    held = Held(table, ROW, "GET")
    table.keyboard.press("Escape")
    held.wait()
    field = types_notes(table)
    held.arrives()
    held.let_go()
    expect(cell(table, "Milk", "size")).to_have_text("large")
    keeps_notes(table, field)
    expect(cell(table, "Milk", "size")).to_have_text("large")


def test_field_that_is_left_shows_what_was_stored_of_its_record_meanwhile(table: Page) -> None:
    add(table, "Milk")
    cell(table, "Milk", "done").locator("button").focus()
    held = Held(table, TICK, "POST")
    table.keyboard.press("Enter")
    held.wait()
    types_notes(table)
    held.arrives()
    table.keyboard.press("Escape")
    expect(table.locator("#records-rows tr[data-stale]")).to_have_count(0)
    expect(cell(table, "Milk", "notes")).to_have_text("")
    expect(cell(table, "Milk", "notes")).to_be_focused()
