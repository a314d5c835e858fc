"""Two tabs, one person: right every time, and nothing typed is lost."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.conftest import Person


def opened(ann: Person, address: str) -> Page:
    """Open an address in another tab."""
    page = ann.tab()
    page.goto(address)
    return page


def test_two_tabs_on_two_runs_do_not_touch_each_other(ann: Person) -> None:
    first, second = ann.start("hello"), ann.start("hello", ann.tab())
    second.get_by_label("Name", exact=True).fill("Second")
    first.bring_to_front()
    first.get_by_label("Name", exact=True).fill("First")
    first.keyboard.press("Enter")
    expect(first.locator("#step-name")).to_contain_text("First")
    second.get_by_role("button", name="Continue").click()
    expect(second.locator("#step-name")).to_contain_text("Second")
    expect(first.locator("#step-name")).to_contain_text("First")


def test_another_tab_on_the_same_run_follows_by_itself(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    first.get_by_label("Name", exact=True).fill("Ada")
    first.keyboard.press("Enter")
    expect(second.locator("#step-name.done")).to_contain_text("Ada")
    expect(second.locator("#step-language.open")).to_be_visible()
    second.get_by_role("button", name="Continue").click()
    expect(first.locator("#step-greeting")).to_contain_text("Hello, Ada!")


def test_tab_with_something_typed_is_told_and_not_overwritten(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    second.get_by_label("Name", exact=True).fill("Mine")
    first.get_by_label("Name", exact=True).fill("Theirs")
    first.keyboard.press("Enter")
    expect(second.get_by_text("changed in another tab")).to_be_visible()
    expect(second.get_by_label("Name", exact=True)).to_have_value("Mine")


def in_conflict(ann: Person) -> Page:
    """Bring a tab to the conflict page."""
    first = ann.start("hello")
    second = opened(ann, first.url)
    second.get_by_label("Name", exact=True).fill("Mine")
    first.get_by_label("Name", exact=True).fill("Theirs")
    first.keyboard.press("Enter")
    expect(first.locator("#step-language.open")).to_be_visible()
    second.get_by_role("button", name="Continue").click()
    expect(second.locator(".versus")).to_contain_text("Theirs")
    expect(second.locator(".versus")).to_contain_text("Mine")
    expect(second.locator(".versus")).to_contain_text("in another tab")
    return second


def test_conflict_page_keeps_mine(ann: Person) -> None:
    page = in_conflict(ann)
    page.get_by_role("button", name="Keep mine").click()
    expect(page.locator("#step-name.done")).to_contain_text("Mine")


def test_conflict_page_takes_theirs(ann: Person) -> None:
    page = in_conflict(ann)
    page.get_by_role("link", name="Take theirs").click()
    expect(page.locator("#step-name.done")).to_contain_text("Theirs")
    expect(page.locator("#step-language.open")).to_be_visible()


def test_conflict_page_continues_in_a_copy(ann: Person) -> None:
    page = in_conflict(ann)
    page.get_by_role("button", name="Continue in a copy").click()
    page.wait_for_url("**-copy*")
    expect(page.locator("#step-name.done")).to_contain_text("Mine")


def test_locked_meanwhile_keeps_what_was_typed(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    second.get_by_label("Name", exact=True).fill("Mine")
    run = first.locator("#run").get_attribute("data-run")
    first.evaluate(
        """run => fetch(`/-/runs/${run}/lock`, {method: "POST",
        headers: {"Content-Type": "application/x-www-form-urlencoded"}, body: "_seen=1"})""",
        run,
    )
    expect(second.get_by_text("changed in another tab")).to_be_visible()
    second.get_by_role("button", name="Continue").click()
    expect(second.locator("#run")).to_contain_text("was locked while you were typing")
    expect(second.locator(".versus")).to_contain_text("Mine")


def test_double_click_answers_once(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Continue").dblclick()
    expect(page.locator("#step-language.open")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history li")).to_have_count(2)


def test_back_button_shows_the_run_as_it_is(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    page.goto(f"{ann.server.address}/-/plugins")
    page.go_back()
    expect(page.locator("#step-name.done")).to_contain_text("Ada")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-greeting")).to_contain_text("Hello, Ada!")


def test_draft_survives_a_reload_and_can_be_discarded(ann: Person) -> None:
    page = ann.start("fields")
    page.get_by_label("Name", exact=True).fill("half typ")
    page.get_by_label("bad").check()
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("half typ")
    expect(page.get_by_label("bad")).to_be_checked()
    page.get_by_role("button", name="Discard it").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")
    page.reload()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")


def test_draft_goes_when_the_answer_is_taken(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    page.get_by_role("button", name="Edit Your name").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada")
    expect(page.locator(".restored")).to_have_count(0)


def test_note_appears_in_every_tab_of_the_run_and_in_no_other(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    other = ann.start("hello", ann.tab())
    first.get_by_label("Note").fill("Remember <b>this</b>")
    first.keyboard.press("Enter")
    expect(second.locator("#messages .note .text")).to_have_text("Remember <b>this</b>")
    expect(first.locator("#messages .note .text")).to_have_text("Remember <b>this</b>")
    expect(other.locator("#messages .note")).to_have_count(0)
