"""Answers that come late, in a table of records: whoever went on in the meantime is not held up by them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Person
from tests.e2e.late import followed, late
from tests.e2e.todo import add, cell, cleared, shows, stand

RECORD, FIELD, TICK = (re.compile(r"/-/records/todo/\w+" + end) for end in (r"(\?|$)", "/cells/priority", "/toggle"))


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
    routes = late(table, "POST", RECORD)
    with table.expect_request(RECORD):
        table.keyboard.press(key)
    field = search(table)
    followed(table, routes)
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    expect(field).to_be_focused()
    expect(table.locator(".cell-editor")).to_have_count(0)


def test_tick_that_is_late_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    add(table, "Milk")
    cell(table, "Milk", "done").locator("button").focus()
    routes = late(table, "POST", TICK)
    with table.expect_request(TICK):
        table.keyboard.press("Enter")
    field = search(table)
    followed(table, routes)
    expect(cell(table, "Milk", "done").get_by_role("checkbox")).to_be_checked()
    expect(field).to_be_focused()


@pytest.mark.parametrize("typed", ["", "4"])
def test_field_that_comes_late_opens_for_nobody_and_keeps_what_was_typed(table: Page, typed: str) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    routes = late(table, "GET", FIELD)
    with table.expect_request(FIELD):
        table.keyboard.press(typed or "Enter")
    field = search(table)
    followed(table, routes)
    expect(table.locator(".cell-editor")).to_have_count(0)
    expect(field).to_be_focused()
    expect(cell(table, "Milk", "priority")).to_have_text(typed or "3")


def test_order_that_was_asked_for_is_not_lost_when_news_come_before_it(table: Page) -> None:
    add(table, "Milk", "Bread", "Bank")
    stand(table, "Bank", "priority")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    routes = late(table, "POST", RECORD)
    with table.expect_request(RECORD):
        table.keyboard.press("Enter")
    table.get_by_role("link", name="Title").click()
    news = "{resource: 'todo', version: 1e9, tab: 'another'}"
    table.evaluate(f"document.dispatchEvent(new CustomEvent('pipulate:records', {{detail: {news}}}))")
    routes[0].continue_()
    shows(table, "Bank", "Bread", "Milk")


def test_what_is_refused_late_says_so_and_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    table.keyboard.type("9")
    expect(table.locator(".cell-editor")).to_be_visible()
    routes = late(table, "POST", RECORD)
    with table.expect_request(RECORD):
        table.keyboard.press("Enter")
    field = search(table)
    followed(table, routes)
    expect(table.locator(".cell-editor")).to_contain_text("5")
    expect(table.locator(".cell-editor input[name=priority]")).to_have_value("9")
    expect(field).to_be_focused()


def test_record_that_is_refused_late_comes_back_and_takes_the_focus_from_nobody_who_went_on(table: Page) -> None:
    table.locator("#add-size").select_option("large")
    table.locator("#add-priority").fill("5")
    table.locator("#add-title").fill("Milk")
    routes = late(table, "POST", re.compile(r"/-/records/todo(\?|$)"))
    with table.expect_request(re.compile(r"/-/records/todo(\?|$)")):
        table.keyboard.press("Enter")
    field = search(table)
    followed(table, routes)
    expect(table.locator("#add-row .problem")).to_be_visible()
    expect(table.locator("#add-title")).to_have_value("Milk")
    expect(field).to_be_focused()
