"""Journeys through a run: from the first start to the lock, and back."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.support.server import Server


def finish_hello(somebody: Person) -> None:
    """Answer the two questions of Hello."""
    page = somebody.start("hello")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    page.get_by_label("Deutsch").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Ada!")


def test_first_start_leads_to_a_locked_run(ann: Person) -> None:
    ann.context.clear_cookies()  # The link lets a browser in; elsewhere it has been let in already.
    ann.page.goto(ann.server.new_link())
    finish_hello(ann)
    page = ann.page
    page.get_by_role("button", name="Lock run").click()
    expect(page.locator(".bar.locked")).to_contain_text("Locked by you")
    expect(page.get_by_role("button", name="Edit Your name")).to_have_count(0)
    page.reload()
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Ada!")
    page.get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("button", name="Edit Your name")).to_have_count(1)


def test_killed_server_comes_back_with_everything(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path) as first:
        somebody = person(browser, first)
        page = somebody.start("hello")
        page.get_by_label("Name", exact=True).fill("Ada")
        page.keyboard.press("Enter")
        expect(page.locator("#step-language.open")).to_be_visible()
        address, port = page.url, first.port
        first.kill()
    with Server(tmp_path, arguments=("--port", str(port))):
        page.goto(address)
        expect(page.locator("#step-name")).to_contain_text("Ada")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#step-greeting")).to_contain_text("Hello, Ada!")
    somebody.context.close()


def test_edit_offers_what_was_answered_later(ann: Person) -> None:
    finish_hello(ann)
    page = ann.page
    page.get_by_role("button", name="Edit Your name").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada")
    expect(page.locator("#step-language")).to_contain_text("will be asked again")
    page.get_by_label("Name", exact=True).fill("Bob")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Keep as it is").click()
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Bob!")


def test_cancelled_edit_leaves_everything_as_it_was(ann: Person) -> None:
    finish_hello(ann)
    page = ann.page
    page.get_by_role("button", name="Edit Your name").click()
    page.get_by_label("Name", exact=True).fill("Nobody")
    page.get_by_role("button", name="Cancel edit").click()
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Ada!")
    page.reload()
    expect(page.locator("#step-name")).to_contain_text("Ada")
    expect(page.locator("#run")).not_to_contain_text("Nobody")


def test_history_shows_a_past_version_and_leads_back_to_it(ann: Person) -> None:
    finish_hello(ann)
    page = ann.page
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="You set Your name to Ada").click()
    expect(page.locator(".bar.past")).to_contain_text("version 2")
    expect(page.locator("#step-greeting.waiting")).to_be_visible()
    page.get_by_role("button", name="Go back to here").click()
    expect(page.locator("#step-language.open")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history li").first).to_contain_text("went back to version 2")


def test_copy_from_the_past_leaves_the_run_alone(ann: Person) -> None:
    finish_hello(ann)
    page, first = ann.page, ann.page.url
    page.goto(f"{first}?version=2")
    page.get_by_role("button", name="Copy as new run from here").click()
    page.wait_for_url("**-copy*")
    expect(page.locator("#step-language.open")).to_be_visible()
    page.goto(first)
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Ada!")


def test_wrong_answers_come_back_with_a_message_at_each_field(ann: Person) -> None:
    page = ann.start("fields")
    page.get_by_label("Name", exact=True).fill("x")
    page.get_by_label("Count").fill("99")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#all-name-problem")).to_have_text("At least 2 characters.")
    expect(page.locator("#all-text-problem")).to_have_text("Please fill this in.")
    expect(page.locator("#all-count-problem")).to_have_text("Must be 9 or less.")
    expect(page.get_by_label("Name", exact=True)).to_have_value("x")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()


def test_text_check_compares_with_an_earlier_version(ann: Person) -> None:
    page = ann.start("text_check")
    page.get_by_role("textbox", name="Text").fill("The quick brown fox. The quick brown fox again.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#step-report")).to_contain_text("quick brown fox")
    page.get_by_role("button", name="Edit Text").click()
    page.get_by_role("textbox", name="Text").fill("The quick red fox. The quick brown fox again.")
    page.keyboard.press("Control+Enter")
    page.locator("#step-compare").get_by_role("button", name="Continue").click()
    expect(page.locator("#step-compare mark")).to_contain_text("red")
    expect(page.locator("#step-compare .gone").first).to_contain_text("brown")


def test_deleted_run_is_taken_back_with_undo(ann: Person) -> None:
    page = ann.start("hello")
    address = page.url
    page.get_by_label("More actions for this run").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".bar.notice")).to_contain_text("Deleted")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_url(address)


def test_renamed_run_lives_at_its_new_address(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("More actions for this run").click()
    page.get_by_label("New key").fill("größe 🙂/a?b#c%")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("größe 🙂/a?b#c%")
    page.reload()
    expect(page.locator("h1")).to_have_text("größe 🙂/a?b#c%")


def test_answer_that_comes_late_leaves_the_focus_to_who_types_a_note(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    held = Held(page, "**/steps/name")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    held.wait()
    page.get_by_label("Note").focus()
    page.keyboard.type("Remember")
    held.arrives()
    expect(page.locator("#live")).to_have_text("Next: Your language")
    expect(page.get_by_label("Note")).to_be_focused()
