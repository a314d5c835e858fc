"""Two tabs, one person: right every time, and nothing typed is lost."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.support.server import Server


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
    page.get_by_role("button", name="Edit Your name").click()
    expect(page.locator("#live")).to_have_text("Next: Your name")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Theirs")
    expect(page.locator(".restored")).to_have_count(0)


def test_conflict_page_continues_in_a_copy(ann: Person) -> None:
    page = in_conflict(ann)
    original = page.url
    page.get_by_role("button", name="Continue in a copy").click()
    page.wait_for_url("**-copy*")
    expect(page.locator("#step-name.done")).to_contain_text("Mine")
    page.goto(original)
    page.get_by_role("button", name="Edit Your name").click()
    expect(page.locator("#live")).to_have_text("Next: Your name")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Theirs")
    expect(page.locator(".restored")).to_have_count(0)  # It went along.


def test_answer_of_a_click_is_shown_though_the_page_was_about_to_follow_another_tab(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    asked, sent = Held(second, first.url), Held(second, "**/steps/name")
    first.get_by_label("Name", exact=True).fill("Theirs")
    first.keyboard.press("Enter")
    asked.wait()
    second.get_by_label("Name", exact=True).fill("Mine")
    second.keyboard.press("Enter")
    sent.wait()
    asked.arrives()
    asked.let_go()
    sent.arrives()
    expect(second.locator(".versus")).to_contain_text("Mine")
    expect(second.locator(".versus")).to_contain_text("Theirs")


def test_conflict_page_stays_when_the_run_changes_once_more(ann: Person) -> None:
    page, other = in_conflict(ann), ann.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    other.get_by_role("button", name="Continue").click()
    expect(other.locator("#step-greeting")).to_contain_text("Hello, Theirs!")
    for number, text in enumerate(("one", "two")):  # A change is told between the note before it and the one after it.
        other.get_by_label("Note").fill(text)
        other.keyboard.press("Enter")
        expect(other.get_by_label("Note")).to_have_value("")
        expect(page.locator("#messages .note .text").nth(number)).to_have_text(text)
    assert asked == []
    expect(page.locator(".versus")).to_contain_text("Mine")


def test_draft_of_a_step_that_was_changed_elsewhere_overwrites_nothing_after_a_reload(ann: Person) -> None:
    first = ann.start("hello")
    second = opened(ann, first.url)
    second.get_by_label("Name", exact=True).fill("Mine")
    first.get_by_label("Name", exact=True).fill("Theirs")
    first.keyboard.press("Enter")
    first.get_by_role("button", name="Edit Your name").click()
    expect(first.get_by_label("Name", exact=True)).to_have_value("Theirs")
    second.reload()
    expect(second.get_by_label("Name", exact=True)).to_have_value("Mine")
    second.get_by_role("button", name="Save").click()
    expect(second.locator(".versus")).to_contain_text("Theirs")
    expect(second.locator(".versus")).to_contain_text("Mine")


def test_duplicated_tab_is_a_tab_of_its_own(ann: Person) -> None:
    """It starts with a copy of what the first tab keeps, its name included."""
    first, second = ann.start("hello"), ann.tab()
    kept = first.evaluate("JSON.stringify(sessionStorage)")
    second.add_init_script(f"if (!sessionStorage.length) Object.assign(sessionStorage, {kept})")
    second.goto(first.url)
    first.get_by_label("Name", exact=True).fill("Ada")
    first.keyboard.press("Enter")
    expect(second.locator("#step-name.done")).to_contain_text("Ada")
    expect(second.locator("#step-language.open")).to_be_visible()


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


EVENTS = 55  # More than a page of a history.
RENAMED = """async ([run, key, times]) => {
    for (let each = times; each > 0; each -= 1) {
        const body = new URLSearchParams({key: each % 2 ? key : `${key} anew`});
        await fetch(`/-/runs/${run}/rename`, {method: "POST", headers: {"HX-Request": "true"}, body});
    }
}"""


def test_history_that_was_asked_for_before_an_answer_came_shows_the_answer_too(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    held = Held(page, "**/steps/name")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history li")).to_have_text([re.compile("version 1")])
    held.arrives()
    expect(page.locator(".history li")).to_have_text([re.compile("Your name to Ada"), re.compile("version 1")])


def test_history_that_comes_after_the_answer_shows_the_answer(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    held = Held(page, re.compile("/history"), is_answered=True)
    page.get_by_role("link", name="History").click()
    held.wait()
    held.stop()
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    held.arrives()
    expect(page.locator(".history li")).to_have_text([re.compile("Your name to Ada"), re.compile("version 1")])


def test_history_that_is_open_follows_and_keeps_what_was_opened_below(ann: Person) -> None:
    page = ann.start("hello")
    run = page.locator("#run").get_attribute("data-run")
    page.evaluate(RENAMED, [run, page.url.rpartition("/")[2], EVENTS - 1])
    page.reload()
    page.get_by_label("Name", exact=True).fill("Mine")  # The run itself is left as it is then.
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="Older").click()
    lines = page.locator(".history li")
    expect(lines).to_have_count(EVENTS)
    second = opened(ann, page.url)
    second.get_by_label("Name", exact=True).fill("Ada")
    second.keyboard.press("Enter")
    expect(lines).to_have_count(EVENTS + 1)
    expect(lines.first).to_contain_text("Your name to Ada")
    lines.first.get_by_role("link").click()
    expect(page.locator(".bar.past")).to_contain_text(f"version {EVENTS + 1}")


def test_back_button_leads_from_a_look_at_the_past_to_the_run_as_it_is_now(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="History").click()
    page.get_by_role("link", name="You set Your name to Ada").click()
    expect(page.locator(".bar.past")).to_contain_text("version 2")
    other = opened(ann, page.url.partition("?")[0])
    other.get_by_role("button", name="Continue").click()
    expect(other.locator("#step-greeting")).to_contain_text("Hello, Ada!")
    page.go_back()
    expect(page.locator("#step-greeting")).to_contain_text("Hello, Ada!")
    expect(page.locator(".bar.past")).to_have_count(0)
    expect(page.locator(".bar-top")).to_have_count(1)


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
    other = opened(ann, page.url)
    other.get_by_role("button", name="Edit Your name").click()
    other.get_by_label("Name", exact=True).fill("Bob")
    other.keyboard.press("Enter")
    expect(page.locator("#step-name.done")).to_contain_text("Bob")
    page.get_by_role("button", name="Edit Your name").click()
    expect(page.locator("#live")).to_have_text("Next: Your name")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Bob")
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
    expect(first.get_by_label("Note")).to_have_value("")


def test_page_about_a_run_as_it_was_hears_of_its_notes_and_of_no_others(ann: Person) -> None:
    first = ann.start("hello")
    run = first.locator("#run").get_attribute("data-run")
    past = [
        opened(ann, address) for address in (f"{first.url}?version=1", f"{ann.server.address}/-/runs/{run}/history")
    ]
    home = opened(ann, ann.server.address)
    for page, text in (
        (home, "one for none"),
        (home, "two for none"),
        (home, "three for none"),
        (first, "for the run"),
    ):
        page.get_by_label("Note").fill(text)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Note")).to_have_value("")
    for page in past:
        expect(page.locator("#messages .note .text")).to_have_text(["for the run"])


def test_note_may_have_several_lines(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_label("Note").fill("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    expect(page.locator("#messages .note .text")).to_have_text("one\ntwo", use_inner_text=True)


def test_note_that_is_refused_says_why_and_stays_where_it_was_typed(browser: Browser, server: Server) -> None:
    somebody = person(browser, server)
    page = somebody.start("hello")
    page.get_by_label("Note").fill("x" * 20_001)
    page.keyboard.press("Enter")
    expect(page.locator("#assistant").get_by_role("alert")).to_contain_text("20,000")
    expect(page.get_by_label("Note")).to_have_value("x" * 20_001)
    page.get_by_label("Note").fill("short enough")
    page.keyboard.press("Enter")
    expect(page.locator("#messages .note .text")).to_have_text("short enough")
    expect(page.locator("#assistant").get_by_role("alert")).to_have_count(0)
    somebody.context.close()


def test_going_back_from_a_version_that_is_no_longer_the_newest_says_so_beside_the_button(
    browser: Browser, server: Server
) -> None:
    somebody = person(browser, server)
    page = somebody.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    address = page.url
    page.goto(f"{address}?version=1")
    other = somebody.tab()
    other.goto(address)
    other.get_by_role("button", name="Continue").click()
    expect(other.locator("#step-greeting")).to_contain_text("Hello, Ada!")
    page.get_by_role("button", name="Go back to here").click()
    expect(page.get_by_role("alert")).to_contain_text("This run changed since you opened it")
    expect(page.locator("#run .bar.past")).to_contain_text("version 1")
    somebody.context.close()


def test_page_of_a_run_that_was_deleted_in_another_tab_says_so_and_asks_no_more(ann: Person) -> None:
    page = ann.start("hello")
    other = opened(ann, page.url)
    other.get_by_label("More actions for this run").click()
    other.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This run was deleted.")).to_be_visible()
    page.reload()
    expect(page.locator("h1")).to_have_text("There is nothing here")


PAYLOAD = "<img src=x onerror=window.__x=1>"


def test_reason_of_a_refusal_is_shown_as_text(browser: Browser, server: Server) -> None:
    somebody = person(browser, server)
    page = somebody.page
    page.goto(f"{server.address}/hello")
    page.get_by_role("textbox", name="Key").fill(PAYLOAD)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("h1")).to_have_text(PAYLOAD)
    other = somebody.tab()
    other.goto(page.url)
    other.get_by_label("More actions for this run").click()
    other.get_by_role("button", name="Delete").click()
    expect(other.locator(".bar.notice")).to_contain_text("Deleted")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text(PAYLOAD)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada")
    somebody.context.close()


def test_page_whose_server_was_away_misses_nothing_and_shows_nothing_twice(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page = somebody.start("hello")
        page.get_by_label("Note").fill("before")
        page.keyboard.press("Enter")
        expect(page.locator("#messages .note .text")).to_have_text(["before"])
        port = running.port
        running.kill()
        away = page.get_by_text("The server does not answer. Trying again")
        expect(away).to_be_visible(timeout=20_000)
    with Server(tmp_path, arguments=("--port", str(port))):
        other = somebody.tab()
        other.goto(page.url)
        other.get_by_label("Note").fill("after")
        other.keyboard.press("Enter")
        expect(page.locator("#messages .note .text")).to_have_text(["before", "after"], timeout=20_000)
        expect(away).to_have_count(0)
        page.get_by_label("Note").fill("last")
        page.keyboard.press("Enter")
        expect(page.locator("#messages .note .text")).to_have_text(["before", "after", "last"])
    somebody.context.close()
