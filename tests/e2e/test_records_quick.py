"""Whoever types quicker than answers come, in a table of records: each key counts, for the cell it was meant for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Person
from tests.e2e.late import Held
from tests.e2e.todo import add, cell, cleared, stand

RECORD, FIELD = re.compile(r"/-/records/todo/\w+(\?|$)"), re.compile(r"/-/records/todo/\w+/cells/")


@pytest.fixture
def table(ann: Person) -> Page:
    """The page of a table with two records, at the priority of the first."""
    page = cleared(ann)
    add(page, "Milk", "Bread")
    stand(page, "Milk", "priority")
    return page


def has(page: Page, field: str, *texts: str) -> None:
    """See what is stored, as a page that is opened anew shows it."""
    expect(page.locator(".cell-editor")).to_have_count(0)
    page.reload()
    expect(page.locator(f"#records-rows td[data-field={field}]")).to_have_text(list(texts))


def test_value_that_is_typed_while_the_one_before_is_stored_goes_into_the_next_record(table: Page) -> None:
    held = Held(table, RECORD, "POST")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    table.keyboard.press("Enter")
    held.wait()
    expect(cell(table, "Bread", "priority")).to_be_focused()
    table.keyboard.type("4")
    expect(cell(table, "Bread", "priority").locator("input[name=priority]")).to_have_value("4")
    table.keyboard.press("Enter")
    held.let_go()
    has(table, "priority", "5", "4")


def test_keys_that_come_before_any_field_does_go_where_they_were_meant_to(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    for keys in ("5", "Enter", "4", "1", "Backspace", "Enter"):
        table.keyboard.press(keys)
    expect(table.locator("#add-title")).to_be_focused()
    held.let_go()
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    expect(cell(table, "Bread", "priority")).to_have_text("4")
    expect(table.locator("#add-title")).to_be_focused()
    has(table, "priority", "5", "4")


def test_tab_leads_on_before_any_field_has_come(table: Page) -> None:
    stand(table, "Milk")
    held = Held(table, FIELD, "GET")
    for key in ("T", "e", "a", "Tab", "4", "Tab"):
        table.keyboard.press(key)
    held.let_go()
    expect(cell(table, "Tea", "priority")).to_have_text("4")
    expect(cell(table, "Tea", "due").locator("input[name=due]")).to_be_focused()
    table.keyboard.press("Escape")
    has(table, "title", "Tea", "Bread")


def test_cell_that_is_left_by_escape_before_its_field_came_stays_as_it_was(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    for key in ("5", "Escape", "ArrowDown"):
        table.keyboard.press(key)
    held.arrives()
    expect(cell(table, "Bread", "priority")).to_be_focused()
    has(table, "priority", "3", "3")


def test_what_is_typed_goes_into_the_cell_that_was_clicked_last(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    cell(table, "Milk", "priority").click()
    cell(table, "Bread", "priority").click()
    table.keyboard.type("5")
    held.let_go()
    expect(cell(table, "Bread", "priority").locator("input[name=priority]")).to_be_focused()
    table.keyboard.press("Enter")
    has(table, "priority", "3", "5")


def test_keys_that_are_meant_for_another_cell_are_not_typed_into_a_field_that_is_late(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    cell(table, "Milk", "priority").click()
    cell(table, "Bread", "done").locator("button").focus()
    table.keyboard.press("Space")
    expect(cell(table, "Bread", "done").get_by_role("checkbox")).to_be_checked()
    held.arrives()
    has(table, "priority", "3", "3")


def test_cell_that_is_typed_into_again_while_it_is_stored_has_the_last_word(table: Page) -> None:
    held = Held(table, RECORD, "POST")
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    table.keyboard.press("Enter")
    held.wait()
    table.keyboard.press("ArrowUp")
    with table.expect_response(FIELD):
        table.keyboard.type("4")
    held.let_go()
    expect(cell(table, "Milk", "priority").locator("input[name=priority]")).to_have_value("4")
    expect(cell(table, "Milk", "priority").locator("input[name=priority]")).to_be_focused()
    table.keyboard.press("Enter")
    has(table, "priority", "4", "3")


def test_what_is_typed_early_into_a_long_text_is_added_to_it(table: Page) -> None:
    stand(table, "Milk", "notes")
    table.keyboard.type("two litres")
    table.keyboard.press("Control+Enter")
    expect(cell(table, "Milk", "notes")).to_have_text("two litres")
    stand(table, "Milk", "notes")
    held = Held(table, FIELD, "GET")
    table.keyboard.press("Enter")
    table.keyboard.type("!")
    held.let_go()
    expect(table.locator(".cell-editor textarea")).to_have_value("two litres!")


@pytest.mark.parametrize("key", ["Enter", "Tab"])
def test_who_did_nothing_since_is_called_back_to_what_was_refused(table: Page, key: str) -> None:
    table.keyboard.type("9")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press(key)
    held.wait()
    held.let_go()
    field = cell(table, "Milk", "priority").locator("input[name=priority]")
    expect(cell(table, "Milk", "priority")).to_contain_text("5")
    expect(field).to_have_value("9")
    expect(field).to_be_focused()
    expect(table.locator(".cell-editor")).to_have_count(1)


def test_who_was_quicker_than_the_field_is_called_back_to_what_was_refused(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    table.keyboard.press("9")
    table.keyboard.press("Enter")
    expect(cell(table, "Bread", "priority")).to_be_focused()
    held.let_go()
    field = cell(table, "Milk", "priority").locator("input[name=priority]")
    expect(cell(table, "Milk", "priority")).to_contain_text("5")
    expect(field).to_have_value("9")
    expect(field).to_be_focused()


def test_who_types_on_is_not_called_back_to_what_was_refused(table: Page) -> None:
    table.keyboard.type("9")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press("Enter")
    held.wait()
    table.keyboard.type("4")
    field = cell(table, "Bread", "priority").locator("input[name=priority]")
    expect(field).to_be_focused()
    held.arrives()
    expect(cell(table, "Milk", "priority").locator("input[name=priority]")).to_have_value("9")
    expect(field).to_have_value("4")
    expect(field).to_be_focused()


def test_what_could_not_be_sent_stays_in_its_field_and_is_sent_again(table: Page) -> None:
    table.keyboard.type("5")
    expect(table.locator(".cell-editor")).to_be_visible()
    held = Held(table, RECORD, "POST")
    table.keyboard.press("Enter")
    held.wait()
    held.breaks()
    held.stop()
    field = cell(table, "Milk", "priority").locator("input[name=priority]")
    expect(cell(table, "Milk", "priority").get_by_role("alert")).to_contain_text("still here")
    expect(field).to_be_focused()
    table.keyboard.press("Enter")
    has(table, "priority", "5", "3")


def test_field_that_did_not_come_says_what_was_not_stored(table: Page) -> None:
    held = Held(table, FIELD, "GET")
    table.keyboard.type("5")
    table.keyboard.press("Enter")
    expect(cell(table, "Bread", "priority")).to_be_focused()
    held.breaks()
    held.stop()
    expect(table.locator("#notices")).to_contain_text("“5” was not stored.")
    has(table, "priority", "3", "3")
