"""A class-style app from end to end, in a browser: the one in the box, with one tab and with two."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.e2e.test_access import findings
from tests.support.server import Server

HELLO = "/hello_workflow"


def begun(somebody: Person, page: Page | None = None, key: str | None = None) -> Page:
    """Open the app and begin a run, under a key or under the one that is offered."""
    page = page or somebody.page
    page.goto(somebody.server.address + HELLO)
    if key is not None:
        page.get_by_label("Key of the run").fill(key)
    page.get_by_role("button", name="Enter").click()
    expect(name(page)).to_be_visible()
    return page


def name(page: Page) -> Locator:
    """Return the field of the first step."""
    return page.get_by_role("textbox", name="Your name", exact=True)


def greeting(page: Page) -> Locator:
    """Return the field of the second step."""
    return page.get_by_role("textbox", name="Greeting", exact=True)


def cells(page: Page) -> Locator:
    """Return what the run stands in; what `init` answers with stands inside the element of the same name."""
    return page.locator("#hello-container").first


def answered(page: Page, text: str) -> None:
    """Answer the first step."""
    name(page).fill(text)
    name(page).press("Enter")
    expect(greeting(page)).to_be_visible()


def done(page: Page, text: str = "Ada") -> None:
    """Answer both steps."""
    answered(page, text)
    greeting(page).press("Enter")
    expect(page.get_by_role("button", name="Finalize")).to_be_visible()


def in_conflict(somebody: Person) -> Page:
    """Type into one tab what another has changed meanwhile, and send it."""
    page = begun(somebody)
    other = somebody.tab()
    other.goto(page.url)
    name(page).fill("Mine")
    answered(other, "Theirs")
    expect(page.get_by_text("This run was changed in another tab.")).to_be_visible()
    name(page).press("Enter")
    expect(page.get_by_role("heading", name="Not saved: Your name")).to_be_visible()
    return page


def test_run_from_its_key_to_its_lock_and_back(ann: Person) -> None:
    page = begun(ann)
    key = page.locator("h1").inner_text()
    assert re.search(r"-\d\d$", key)
    assert page.url.endswith(f"{HELLO}/{key}")
    done(page)
    page.reload()
    expect(cells(page)).to_contain_text("Greeting: Hello Ada!")
    page.get_by_role("button", name="Finalize").click()
    expect(page.locator("#run-bar")).to_contain_text("Locked by you")
    expect(cells(page)).to_contain_text("🔒 Your name: Ada")
    expect(page.locator(".button-revert")).to_have_count(0)
    cells(page).get_by_role("button", name="Unlock").click()
    expect(page.locator("#run-bar")).to_have_count(0)
    page.get_by_role("button", name="Step 1").click()
    expect(name(page)).to_have_value("Ada")
    expect(cells(page)).not_to_contain_text("Hello Ada!")


def test_empty_key_brings_the_next_free_one(ann: Person) -> None:
    page = begun(ann)
    last = int(page.locator("h1").inner_text()[-2:])
    page.get_by_label("Key of the run").fill("")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_label("Key of the run")).to_have_value(re.compile(rf"-{last + 1:02}$"))


def test_back_button_leads_through_the_runs_one_opened(ann: Person) -> None:
    first = begun(ann, key="first").url
    page = begun(ann, key="second")
    page.go_back()
    expect(page.locator("h1")).to_have_count(0)  # The page of the app, without a run.
    expect(page.get_by_label("Key of the run")).to_be_focused()
    page.go_back()
    expect(page).to_have_url(first)
    expect(page.locator("h1")).to_contain_text("first")
    answered(page, "Ada")  # It works on the run it shows, not on the one that was open last.
    page.goto(ann.server.address + HELLO + "/" + page.url.rpartition("/")[2])
    expect(cells(page)).to_contain_text("Your name: Ada")


def test_untouched_page_shows_what_another_tab_did(ann: Person) -> None:
    page = begun(ann)
    other = ann.tab()
    other.goto(page.url)
    answered(page, "Ada")
    expect(greeting(other)).to_have_value("Hello Ada!")
    expect(other.locator("#explicit #explicit-head")).to_have_count(1)
    greeting(page).press("Enter")
    page.get_by_role("button", name="Finalize").click()
    expect(other.locator("#run-bar")).to_contain_text("Locked by you")
    cells(other).get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("button", name="Finalize")).to_be_visible()
    for tab in (page, other):
        expect(tab.locator(".notice-line")).to_have_count(0)


def test_answer_of_a_click_is_shown_though_the_page_was_about_to_follow_another_tab(ann: Person) -> None:
    page = begun(ann)
    other = ann.tab()
    other.goto(page.url)
    asked, sent = Held(page, "**/-/runs/*"), Held(page, "**/step_01_submit*")
    answered(other, "Theirs")
    asked.wait()
    name(page).fill("Mine")
    name(page).press("Enter")
    sent.wait()
    asked.arrives()
    asked.let_go()
    sent.arrives()
    expect(page.locator(".versus")).to_contain_text("Mine")
    expect(page.locator(".versus")).to_contain_text("Theirs")


def test_page_that_is_brought_up_to_date_leaves_the_focus_where_it_was(ann: Person) -> None:
    page = begun(ann)
    other = ann.tab()
    other.goto(page.url)
    page.get_by_label("Note").fill("half a note")
    answered(other, "Ada")
    expect(greeting(page)).to_be_visible()
    expect(page.get_by_label("Note")).to_be_focused()


def test_typed_text_stays_when_the_change_is_shown(ann: Person) -> None:
    page = begun(ann)
    other = ann.tab()
    other.goto(page.url)
    answered(page, "Ada")
    greeting(page).fill("Typed, not sent")
    expect(greeting(other)).to_be_visible()
    greeting(other).fill("Another greeting")
    greeting(other).press("Enter")
    expect(page.get_by_text("This run was changed in another tab. What you typed is kept.")).to_be_visible()
    expect(greeting(page)).to_have_value("Typed, not sent")
    page.get_by_role("button", name="Show the change").click()
    expect(cells(page)).to_contain_text("Greeting: Another greeting")
    expect(page.locator(".notice-line")).to_have_count(0)
    page.get_by_role("button", name="Step 2").click()
    expect(greeting(page)).to_have_value("Typed, not sent")


def test_keeping_mine_goes_on_with_mine(ann: Person) -> None:
    page = in_conflict(ann)
    expect(page.locator(".versus .card").nth(0)).to_contain_text("Theirs")
    expect(page.locator(".versus .card").nth(1)).to_contain_text("Mine")
    page.get_by_role("button", name="Keep mine").click()
    expect(greeting(page)).to_have_value("Hello Mine!")
    greeting(page).press("Enter")
    page.get_by_role("button", name="Finalize").click()
    expect(page.locator("#run-bar")).to_contain_text("Locked by you")
    expect(cells(page)).to_contain_text("Your name: Mine")
    expect(page.locator(".notice-line")).to_have_count(0)


def test_taking_theirs_goes_on_with_theirs_and_without_the_draft(ann: Person) -> None:
    page = in_conflict(ann)
    page.get_by_role("link", name="Take theirs").click()
    expect(greeting(page)).to_have_value("Hello Theirs!")
    page.get_by_role("button", name="Step 1").click()
    expect(name(page)).to_have_value("Theirs")
    expect(page.get_by_text("What you had typed is back.")).to_have_count(0)


def test_copy_of_what_was_refused_has_what_was_typed(ann: Person) -> None:
    page = in_conflict(ann)
    original = page.url
    page.get_by_role("button", name="Continue in a copy").click()
    expect(page).not_to_have_url(original)
    expect(name(page)).to_have_value("Mine")
    expect(page.get_by_text("What you had typed is back.")).to_be_visible()
    name(page).press("Enter")
    expect(greeting(page)).to_have_value("Hello Mine!")
    expect(cells(page)).to_contain_text("Your name: Mine")
    page.goto(original)
    expect(greeting(page)).to_have_value("Hello Theirs!")
    page.get_by_role("button", name="Step 1").click()
    expect(name(page)).to_have_value("Theirs")
    expect(page.get_by_text("What you had typed is back.")).to_have_count(0)  # It went along.


def test_copy_of_a_run_that_was_locked_meanwhile_has_what_was_typed(ann: Person) -> None:
    page = begun(ann)
    done(page)
    page.get_by_role("button", name="Step 2").click()
    other = ann.tab()
    other.goto(page.url)
    greeting(page).fill("Typed, not sent")
    other.get_by_label("More actions for this run").click()
    other.get_by_role("button", name="Lock run").click()
    expect(page.get_by_text("This run was changed in another tab. What you typed is kept.")).to_be_visible()
    greeting(page).press("Enter")
    expect(page.get_by_text("This run is locked, so nothing was saved.")).to_be_visible()
    page.get_by_role("button", name="Continue in a copy").click()
    expect(greeting(page)).to_have_value("Typed, not sent")
    page.reload()
    expect(greeting(page)).to_have_value("Typed, not sent")
    greeting(page).press("Enter")
    expect(cells(page)).to_contain_text("Greeting: Typed, not sent")


def test_copy_that_cannot_be_made_loses_nothing_that_was_typed(ann: Person) -> None:
    page = in_conflict(ann)
    held = Held(page, "**/copy")
    page.get_by_role("button", name="Continue in a copy").click()
    held.breaks()
    held.stop()
    expect(page.locator(".send-problem")).to_contain_text("What you typed is still here")
    page.get_by_role("button", name="Continue in a copy").click()
    expect(name(page)).to_have_value("Mine")
    assert [each for each in ann.problems if not any(word in each for word in ("ERR_FAILED", "htmx:"))] == []
    ann.problems.clear()


def test_two_tabs_on_two_keys_never_meet(ann: Person) -> None:
    page, other = begun(ann, key="north"), begun(ann, ann.tab(), key="south")
    answered(page, "Nora")
    answered(other, "Sven")
    greeting(page).press("Enter")
    greeting(other).press("Enter")
    for tab, own in ((page, "Nora"), (other, "Sven")):
        expect(cells(tab)).to_contain_text(f"Greeting: Hello {own}!")
        tab.reload()
        expect(cells(tab)).to_contain_text(f"Your name: {own}")


def test_later_value_may_be_kept_where_nothing_before_it_changed(ann: Person) -> None:
    page = begun(ann)
    answered(page, "Ada")
    greeting(page).fill("Good day, Ada")
    greeting(page).press("Enter")
    expect(page.get_by_role("button", name="Finalize")).to_be_visible()  # Until then the button may make way for it.
    page.get_by_role("button", name="Step 1").click()
    name(page).press("Enter")
    offer = page.locator("#explicit-head .bar")
    expect(offer).to_contain_text("Greeting was Good day, Ada before.")
    offer.get_by_role("button", name="Keep it").click()
    expect(cells(page)).to_contain_text("Greeting: Good day, Ada")
    expect(offer).to_have_count(0)
    page.get_by_role("button", name="Step 1").click()
    answered(page, "Grace")
    expect(offer).to_have_count(0)


def test_head_locks_renames_copies_and_deletes(ann: Person) -> None:
    page = begun(ann)
    done(page)
    more = page.get_by_label("More actions for this run")
    more.click()
    page.get_by_role("button", name="Lock run").click()
    expect(cells(page)).to_contain_text("🔒 Your name: Ada")
    page.locator("#run-bar").get_by_role("button", name="Unlock").click()
    expect(page.get_by_role("button", name="Finalize")).to_be_visible()
    more.click()
    page.get_by_label("New key").fill("")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator(".send-problem")).to_be_visible()
    assert [each for each in ann.problems if "Error Code 422" not in each] == []
    ann.problems.clear()
    page.get_by_label("New key").fill("Renamed / ä")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text("Renamed / ä")
    expect(cells(page)).to_contain_text("Your name: Ada")
    more.click()
    page.get_by_role("button", name="Copy as new run").click()
    expect(page.locator("h1")).not_to_have_text("Renamed / ä")
    copy = page.locator("h1").inner_text()
    more.click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".bar.notice")).to_contain_text(f"Deleted {copy}.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("h1")).to_have_text(copy)


def test_history_shows_a_version_and_leads_back(ann: Person) -> None:
    page = begun(ann)
    done(page)
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="You set Your name to Ada").click()
    expect(page.locator("#run-bar")).to_contain_text("You are looking at version 2")
    expect(page.locator(".crumbs")).to_contain_text("Hello Workflow")
    expect(page.locator(".orphan")).to_have_count(1)
    expect(page.locator(".orphan")).to_contain_text("Your name")
    page.get_by_role("link", name="Back to now").click()
    expect(cells(page)).to_contain_text("Greeting: Hello Ada!")
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="You set Your name to Ada").click()
    page.get_by_role("button", name="Go back to here").click()
    expect(greeting(page)).to_be_visible()


def test_server_that_stops_loses_nothing_that_was_typed(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page = begun(somebody)
        answered(page, "Ada")
        greeting(page).fill("Kept through all of it")
        running.stop()
        expect(page.get_by_text("The server does not answer. Trying again")).to_be_visible(timeout=20_000)
        page.get_by_role("button", name="Next").click()
        expect(page.locator(".send-problem")).to_contain_text("What you typed is still here")
        port = str(running.port)
        with Server(tmp_path, arguments=("--port", port)):
            expect(page.get_by_text("The server does not answer. Trying again")).to_have_count(0)
            page.get_by_role("button", name="Next").click()
            expect(cells(page)).to_contain_text("Greeting: Kept through all of it")
            somebody.context.close()
        refused = ("ERR_CONNECTION_REFUSED", "WebSocket", "htmx:")
        assert [each for each in somebody.problems if not any(word in each for word in refused)] == []


def test_keyboard_alone_is_enough(ann: Person) -> None:
    page = ann.page
    page.goto(ann.server.address + HELLO)
    expect(page.get_by_label("Key of the run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(name(page)).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(greeting(page)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Finalize")).to_be_visible()
    page.get_by_role("button", name="Step 1").focus()
    page.keyboard.press("Enter")
    expect(name(page)).to_be_focused()


def test_every_phase_fits_a_phone_and_can_be_read_by_everybody(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, bypass_csp=True, viewport={"width": 390, "height": 844}, has_touch=True)
    page = somebody.page

    def checked(phase: str) -> None:
        assert findings(page) == [], phase
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, phase

    page.goto(server.address + HELLO)
    checked("landing")
    begun(somebody)
    checked("step 1")
    done(page)
    checked("done")
    page.get_by_role("button", name="Step 1").click()
    name(page).press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_visible()
    checked("offer")
    greeting(page).press("Enter")
    page.get_by_role("button", name="Finalize").click()
    expect(page.locator("#run-bar.locked")).to_be_visible()
    checked("locked")
    in_conflict(somebody)
    checked("conflict")
    somebody.context.close()
    assert somebody.problems == []
