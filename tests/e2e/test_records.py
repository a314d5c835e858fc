"""A table of records, worked in by keyboard, by mouse, by finger, in two tabs, and without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.e2e.todo import EMPTY, add, cell, cleared, opened, shows, stand
from tests.support.server import Server


@pytest.fixture
def table(ann: Person) -> Page:
    """The page of a table that is empty."""
    return cleared(ann)


# By keyboard alone


def test_a_day_of_work_by_keyboard_alone(table: Page, ann: Person) -> None:
    table.keyboard.press("Control+Enter")
    for title in ("Milk", "Bread", "Bank", "Desk", "Plants"):
        table.keyboard.type(title)
        table.keyboard.press("Enter")
        expect(cell(table, title)).to_be_visible()
        expect(table.locator("#add-title")).to_be_focused()
    expect(table.locator("#records-count")).to_have_text("5 records")

    table.keyboard.press("Escape")  # From the row for a new one to the last record.
    expect(cell(table, "Plants")).to_be_focused()
    table.keyboard.press("Alt+ArrowUp")
    table.keyboard.press("Alt+ArrowUp")
    shows(table, "Milk", "Bread", "Plants", "Bank", "Desk")
    expect(cell(table, "Plants")).to_be_focused()

    table.keyboard.press("ArrowUp")
    table.keyboard.press("F2")
    expect(table.locator(".cell-editor input[name=title]")).to_be_focused()
    table.keyboard.type("Rye bread")
    table.keyboard.press("Enter")
    shows(table, "Milk", "Rye bread", "Plants", "Bank", "Desk")
    expect(cell(table, "Plants")).to_be_focused()

    table.keyboard.press("Space")
    expect(cell(table, "Plants", "done").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    table.keyboard.press("ArrowDown")
    table.keyboard.press("Delete")
    shows(table, "Milk", "Rye bread", "Plants", "Desk")
    expect(cell(table, "Desk")).to_be_focused()
    table.keyboard.press("Control+z")
    shows(table, "Milk", "Rye bread", "Plants", "Bank", "Desk")

    opened(table, ann.server)
    shows(table, "Milk", "Rye bread", "Plants", "Bank", "Desk")
    expect(cell(table, "Plants", "done").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")


def test_typing_into_a_cell_replaces_it_and_tab_goes_on(table: Page) -> None:
    add(table, "Milk", "Bread")
    stand(table, "Milk")
    table.keyboard.type("Oat milk")  # Quicker than the field comes.
    table.keyboard.press("Tab")
    expect(cell(table, "Oat milk")).to_be_visible()
    expect(table.locator(".cell-editor input[name=priority]")).to_be_focused()
    table.keyboard.type("5")
    table.keyboard.press("Tab")
    expect(cell(table, "Oat milk", "priority")).to_have_text("5")
    expect(table.locator(".cell-editor input[name=due]")).to_be_focused()
    table.keyboard.press("Shift+Tab")
    expect(table.locator(".cell-editor input[name=priority]")).to_be_focused()
    table.keyboard.press("Escape")
    expect(cell(table, "Oat milk", "priority")).to_be_focused()


def test_escape_restores_and_asks_nothing(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk")
    table.keyboard.press("F2")
    table.locator(".cell-editor input[name=title]").fill("Something else")
    table.keyboard.press("Escape")
    shows(table, "Milk")
    expect(cell(table, "Milk")).to_be_focused()


def test_what_was_taken_back_can_be_done_again(table: Page) -> None:
    add(table, "Milk", "Bread")
    stand(table, "Milk")
    table.keyboard.press("Delete")
    shows(table, "Bread")
    table.keyboard.press("Control+z")
    shows(table, "Milk", "Bread")
    table.keyboard.press("Control+Shift+z")
    shows(table, "Bread")
    table.get_by_role("link", name="Bin").click()
    expect(table.locator("td.label")).to_have_text(["Milk"])
    table.get_by_role("button", name="Restore Milk").click()
    expect(table.get_by_text("The bin is empty.")).to_be_visible()


# What is wrong is said where it is


def test_what_is_wrong_is_said_in_the_cell_and_what_was_typed_stays(table: Page) -> None:
    add(table, "Milk")
    stand(table, "Milk", "priority")
    table.keyboard.press("Enter")
    table.locator(".cell-editor input[name=priority]").fill("9")
    table.keyboard.press("Enter")
    expect(table.locator(".cell-editor .problem")).to_contain_text("5")
    expect(table.locator(".cell-editor input[name=priority]")).to_have_value("9")
    expect(table.locator(".cell-editor input[name=priority]")).to_be_focused()
    table.keyboard.press("Escape")
    expect(cell(table, "Milk", "priority")).to_have_text("3")


def test_rule_about_several_fields_is_said_in_the_row_for_a_new_one(table: Page) -> None:
    table.locator("#add-title").fill("Move house")
    table.locator("#add-priority").fill("5")
    table.locator("#add-size").select_option("large")
    table.locator("#add-row").get_by_role("button", name="Add").click()
    expect(table.locator("#add-row .problem")).to_have_text("What is large cannot be that urgent.")
    expect(table.locator("#add-title")).to_have_value("Move house")
    table.locator("#add-size").select_option("small")
    table.locator("#add-title").press("Enter")
    shows(table, "Move house")
    expect(table.locator("#add-row .problem")).to_have_count(0)
    expect(table.locator("#add-title")).to_have_value("")


def test_next_record_can_be_typed_while_the_last_one_is_still_sent(table: Page) -> None:
    held = Held(table, "**/-/records/todo*", "POST")
    table.locator("#add-title").fill("Milk")
    table.keyboard.press("Enter")
    expect(table.locator("#add-title")).to_have_value("")
    table.keyboard.type("Bread")
    held.arrives()
    shows(table, "Milk")
    expect(table.locator("#add-title")).to_have_value("Bread")
    held.stop()
    table.keyboard.press("Enter")
    shows(table, "Milk", "Bread")


def test_record_that_was_not_added_comes_back_and_what_was_typed_after_it_is_not_lost(table: Page) -> None:
    held = Held(table, "**/-/records/todo*", "POST")
    table.locator("#add-title").fill("Milk")
    table.keyboard.press("Enter")
    expect(table.locator("#add-title")).to_have_value("")
    table.keyboard.type("Bread")
    held.refused("The disk is full.")
    expect(table.locator("#notices")).to_contain_text("Milk: this was not added. The disk is full.")
    expect(table.locator("#add-title")).to_have_value("Bread")
    table.get_by_role("button", name="Put it back").click()
    expect(table.locator("#add-title")).to_have_value("Milk")


def test_what_is_half_typed_for_a_new_record_survives_a_reload(table: Page, ann: Person) -> None:
    table.locator("#add-title").fill("Half a tho")
    opened(table, ann.server)
    expect(table.locator("#add-title")).to_have_value("Half a tho")
    table.locator("#add-title").press("Enter")
    shows(table, "Half a tho")
    opened(table, ann.server)
    expect(table.locator("#add-title")).to_have_value("")


# Two tabs


def edit_title(page: Page, title: str, typed: str) -> None:
    cell(page, title).click()
    page.locator(".cell-editor input[name=title]").fill(typed)


def in_conflict(table: Page, ann: Person) -> Page:
    add(table, "Milk")
    other = opened(ann.tab(), ann.server)
    edit_title(other, "Milk", "Mine")
    edit_title(table, "Milk", "Theirs")
    table.keyboard.press("Enter")
    shows(table, "Theirs")
    other.keyboard.press("Enter")
    expect(other.locator(".record-conflict")).to_contain_text("Theirs")
    expect(other.locator(".record-conflict")).to_contain_text("Mine")
    return other


def test_two_tabs_that_edit_one_cell_lose_nothing_and_mine_can_be_kept(table: Page, ann: Person) -> None:
    other = in_conflict(table, ann)
    shows(table, "Theirs")
    other.get_by_role("button", name="Keep mine").click()
    shows(other, "Mine")
    shows(table, "Mine")


def test_two_tabs_that_edit_one_cell_lose_nothing_and_theirs_can_be_taken(table: Page, ann: Person) -> None:
    other = in_conflict(table, ann)
    other.get_by_role("button", name="Take theirs").click()
    shows(other, "Theirs")
    shows(table, "Theirs")


def test_click_elsewhere_decides_no_conflict(table: Page, ann: Person) -> None:
    other = in_conflict(table, ann)
    other.locator("h1").click()
    expect(other.locator(".record-conflict")).to_be_visible()
    opened(table, ann.server)
    shows(table, "Theirs")
    expect(other.locator(".cell-editor input[name=title]")).to_have_value("Mine")


def test_two_tabs_that_edit_different_fields_of_a_row_are_both_right(table: Page, ann: Person) -> None:
    add(table, "Milk")
    other = opened(ann.tab(), ann.server)
    edit_title(other, "Milk", "Oat milk")
    stand(table, "Milk", "priority")
    table.keyboard.type("5")
    table.keyboard.press("Enter")
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    other.keyboard.press("Enter")
    shows(other, "Oat milk")
    expect(cell(other, "Oat milk", "priority")).to_have_text("5")


def test_another_tab_sees_what_is_added_changed_and_deleted_and_what_is_typed_there_stays(
    table: Page, ann: Person
) -> None:
    add(table, "Milk", "Bread")
    other = opened(ann.tab(), ann.server)
    edit_title(other, "Bread", "Half a")
    add(table, "Bank")
    expect(cell(other, "Bank")).to_be_visible()
    stand(table, "Milk")
    table.keyboard.press("Delete")
    expect(cell(other, "Milk")).to_have_count(0)
    expect(other.locator(".cell-editor input[name=title]")).to_have_value("Half a")
    other.keyboard.press("Enter")
    shows(table, "Half a", "Bank")


def test_row_that_is_typed_into_stays_though_another_tab_deleted_it(table: Page, ann: Person) -> None:
    add(table, "Milk", "Bread")
    other = opened(ann.tab(), ann.server)
    edit_title(other, "Milk", "Typed for ten minutes")
    stand(table, "Milk")
    table.keyboard.press("Delete")
    expect(other.locator("#notices")).to_contain_text("What you typed is still there")
    expect(other.locator(".cell-editor input[name=title]")).to_have_value("Typed for ten minutes")


# Looking for something


def test_search_filters_and_order_are_in_the_address(table: Page, ann: Person) -> None:
    add(table, "Milk", "Bread", "Bank")
    stand(table, "Bank", "priority")
    table.keyboard.type("5")
    table.keyboard.press("Enter")
    expect(cell(table, "Bank", "urgent")).to_have_count(0)
    table.locator("#records-find").fill("b")
    shows(table, "Bread", "Bank")
    expect(table.locator("#records-count")).to_have_text("2 of 3 records")
    table.get_by_role("link", name="Title").click()
    shows(table, "Bank", "Bread")
    table.locator("#records-filter summary").click()
    table.get_by_label("Priority: From").fill("4")
    shows(table, "Bank")
    expect(table.locator(".chips")).to_contain_text("Priority from 4")
    address = table.url
    table.keyboard.press("Escape")
    expect(table.locator("#records-filter")).not_to_have_attribute("open", "")

    other = ann.tab()
    other.goto(address)
    shows(other, "Bank")
    table.get_by_role("link", name="Take away: Priority from 4").click()
    shows(table, "Bank", "Bread")
    expect(table.get_by_label("Priority: From")).to_have_value("")
    table.go_back()
    shows(table, "Bank")
    expect(table.get_by_label("Priority: From")).to_have_value("4")


def test_filter_without_a_hit_says_how_to_see_everything(table: Page) -> None:
    add(table, "Milk")
    table.locator("#records-find").fill("nothing like it")
    expect(table.get_by_text("Nothing here fits what you look for.")).to_be_visible()
    table.locator(".nothing").get_by_role("link", name="Show all").click()
    shows(table, "Milk")
    expect(table.locator("#records-find")).to_have_value("")


def test_list_has_pages_and_a_new_record_is_seen_where_it_was_typed(table: Page, ann: Person) -> None:
    lines = "&".join(f"l={number}" for number in range(60))
    table.evaluate(
        """async (lines) => {
            for (const [, number] of new URLSearchParams(lines)) {
                await fetch("/-/records/todo", {method: "POST", body: new URLSearchParams(
                    {_field: "title", title: `Thing ${number}`})});
            }
        }""",
        lines,
    )
    opened(table, ann.server)
    expect(table.locator("#records-rows tr")).to_have_count(50)
    add(table, "The last one")
    expect(table.locator("#records-rows tr").last).to_contain_text("The last one")
    expect(table.locator("#records-count")).to_have_text("61 records")
    table.get_by_role("link", name="Next").click()
    expect(table.locator("#records-rows tr")).to_have_count(11)
    expect(table.locator("#records-rows tr").last).to_contain_text("The last one")
    assert "page=2" in table.url


# Mouse and finger


def test_row_is_dragged_to_another_place(table: Page, ann: Person) -> None:
    add(table, "Milk", "Bread", "Bank")
    grip = table.locator("#records-rows tr", has_text="Bank").locator(".grip")
    grip.hover()
    table.mouse.down()
    box = cell(table, "Milk").bounding_box()
    assert box is not None
    table.mouse.move(box["x"] + 20, box["y"] + 20, steps=3)
    table.mouse.move(box["x"] + 20, box["y"] + 2, steps=3)
    table.mouse.up()
    shows(table, "Bank", "Milk", "Bread")
    opened(table, ann.server)
    shows(table, "Bank", "Milk", "Bread")


def test_several_are_chosen_changed_and_deleted_at_once(table: Page) -> None:
    add(table, "Milk", "Bread", "Bank")
    table.get_by_label("Choose Milk").check()
    table.get_by_label("Choose Bank").click(modifiers=["Shift"])
    expect(table.locator("#records-chosen .number")).to_have_text("3 chosen")
    table.get_by_label("Choose Bread").uncheck()
    table.get_by_role("button", name="Change …").click()
    drawer = table.locator("#drawer")
    drawer.locator("#many-priority").fill("5")
    drawer.get_by_role("button", name="Change", exact=True).click()
    expect(cell(table, "Milk", "priority")).to_have_text("5")
    expect(cell(table, "Bank", "priority")).to_have_text("5")
    expect(cell(table, "Bread", "priority")).to_have_text("3")
    table.get_by_label("Choose all on this page").check()
    table.locator("#records-chosen").get_by_role("button", name="Delete").click()
    expect(table.get_by_text("There is nothing here yet.")).to_be_visible()
    table.locator("#notices").get_by_role("button", name="Undo").click()
    shows(table, "Milk", "Bread", "Bank")


def test_click_elsewhere_saves(table: Page) -> None:
    add(table, "Milk", "Bread")
    edit_title(table, "Milk", "Oat milk")
    cell(table, "Bread", "priority").click()
    shows(table, "Oat milk", "Bread")


def test_link_is_found_by_typing_and_followed(table: Page, ann: Person) -> None:
    for name in ("Kitchen", "Cellar", "Office"):
        table.evaluate(
            'name => fetch("/-/records/rooms", {method: "POST", body: new URLSearchParams({_field: "name", name})})',
            name,
        )
    add(table, "Milk")
    stand(table, "Milk", "room")
    table.keyboard.press("Enter")
    field = table.locator(".cell-editor [role=combobox]")
    expect(field).to_be_focused()
    field.fill("cel")
    expect(table.locator(".cell-editor [role=option]")).to_have_text(["Cellar"])
    table.keyboard.press("Enter")
    table.keyboard.press("Enter")
    link = cell(table, "Milk", "room").get_by_role("link")
    expect(link).to_have_text("Cellar")
    link.click()
    expect(table.locator("h1")).to_contain_text("Cellar")


def test_record_has_a_page_with_its_history_and_an_older_version_comes_back(table: Page, ann: Person) -> None:
    add(table, "Milk")
    cell(table, "Milk").hover()
    table.get_by_role("link", name="Open Milk").click()
    table.locator("#record-title").fill("Oat milk")
    table.locator("#record-notes").fill("Two of them")
    table.get_by_role("button", name="Save").click()
    expect(cell(table, "Oat milk", "notes")).to_have_text("Two of them")
    table.get_by_role("link", name="Open Oat milk").click()
    expect(table.locator("#record-title")).to_have_value("Oat milk")  # No draft is left over.
    expect(table.locator(".restored")).to_have_count(0)
    expect(table.locator("#history")).to_contain_text("changed Title from Milk to Oat milk")
    table.get_by_role("button", name="Restore this version").last.click()
    expect(table.locator("#record-title")).to_have_value("Milk")


def test_on_a_phone_nothing_is_wider_than_the_screen_and_a_tap_edits(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, viewport={"width": 360, "height": 740}, has_touch=True)
    page = opened(somebody.page, server)
    page.evaluate(EMPTY)
    opened(page, server)
    add(page, "A thing with a name that is longer than the screen of a phone is wide")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    cell(page, "A thing", "priority").tap()
    field = page.locator(".cell-editor input[name=priority]")
    field.fill("4")
    page.locator(".cell-editor").get_by_role("button", name="Save").tap()
    expect(cell(page, "A thing", "priority")).to_have_text("4")
    somebody.context.close()
    assert somebody.problems == []


def test_on_a_phone_what_a_record_is_called_stands_above_all_else_of_it(browser: Browser, server: Server) -> None:
    """Of Tasks the first column is a box to tick; above the title it would look as if it were of another task."""
    somebody = person(browser, server, viewport={"width": 390, "height": 844}, has_touch=True)
    page = somebody.page
    page.goto(f"{server.address}/tasks")
    title = page.locator("#add-row [name=title]")
    assert top(title) < top(page.locator("#add-row input[name=done][type=checkbox]"))
    title.fill("Buy milk")
    page.locator("#add-row").get_by_role("button", name="Add").tap()
    expect(title).to_be_focused()
    row = page.locator("#records-rows tr", has_text="Buy milk")
    assert top(row.locator("td.label")) < top(row.locator("[data-field=done]"))
    choose, label = row.locator("[name=chosen]"), row.locator("td.label")
    assert top(label) <= middle(choose) <= top(label) + 28  # The box that chooses it is on its line.
    somebody.context.close()
    assert somebody.problems == []


def test_row_for_a_new_record_shows_its_box_to_tick(ann: Person) -> None:
    ann.page.goto(f"{ann.server.address}/tasks")
    box = ann.page.locator("#add-row").get_by_role("checkbox", name="Done")
    expect(box).to_be_visible()
    box.click()  # A box that is clipped away cannot be hit.
    expect(box).to_be_checked()


def top(element: Locator) -> float:
    """Return how far down the page something begins, in pixels."""
    box = element.bounding_box()
    assert box is not None
    return box["y"]


def middle(element: Locator) -> float:
    """Return how far down the page the middle of something is, in pixels."""
    box = element.bounding_box()
    assert box is not None
    return box["y"] + box["height"] / 2


# Without a script


@pytest.fixture
def plain(browser: Browser, server: Server, table: Page) -> Iterator[Page]:
    somebody = person(browser, server, java_script_enabled=False)
    somebody.page.goto(f"{server.address}/todo")
    yield somebody.page
    somebody.context.close()


def test_without_a_script_everything_can_be_done_with_links_and_forms(plain: Page) -> None:
    for title in ("Milk", "Bread"):
        plain.locator("#add-title").fill(title)
        plain.locator("#add-row").get_by_role("button", name="Add").click()
        expect(plain.locator("#records-done")).to_contain_text("Added 1 record.")
    cell(plain, "Milk", "done").get_by_role("checkbox").click()
    expect(cell(plain, "Milk", "done").get_by_role("checkbox")).to_have_attribute("aria-checked", "true")
    plain.get_by_role("link", name="Open Bread").click()
    plain.locator("#record-title").fill("")
    plain.get_by_role("button", name="Delete").click()
    expect(plain.locator("#records-done")).to_contain_text("Deleted 1 record.")
    shows(plain, "Milk")
    plain.locator("#records-done").get_by_role("button", name="Undo").click()
    shows(plain, "Milk", "Bread")
    plain.locator("#records-find").fill("milk")
    plain.locator("#records-find").press("Enter")
    shows(plain, "Milk")
    plain.get_by_role("link", name="Take away: with “milk”").click()
    plain.get_by_label("Choose Milk").check()
    plain.locator("#records-chosen").get_by_role("button", name="Change …").click()
    plain.locator("input[name=_field][value=priority]").check()
    plain.locator("#many-priority").fill("9")
    plain.get_by_role("button", name="Change", exact=True).click()
    expect(plain.locator("main")).to_contain_text("0 records changed, 1 not")
