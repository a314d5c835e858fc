"""What the panel shows of a conversation that is cleared in another tab, where the answers come late."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.e2e.conftest import Person
from tests.e2e.late import Held

ANEW = re.compile("/-/assistant/messages")
CLEAR = re.compile("/-/assistant/clear")


@pytest.fixture
def page(ann: Person) -> Page:
    """A page with a note in its conversation."""
    page = ann.start("hello")
    note(page, "one")
    expect(notes(page)).to_have_text(["one"])
    return page


@pytest.fixture
def other(ann: Person, page: Page) -> Page:
    """Another tab with the same conversation."""
    other = ann.tab()
    other.goto(page.url)
    expect(notes(other)).to_have_text(["one"])
    return other


def note(page: Page, words: str) -> None:
    page.get_by_label("Note").fill(words)
    page.get_by_role("button", name="Add note").click()


def notes(page: Page) -> Locator:
    return page.locator("#messages .note .text")


def clear(page: Page) -> None:
    page.locator("#assistant .panel-head summary").click()
    page.get_by_role("button", name="Clear this conversation").click()


def undo(page: Page) -> Locator:
    return page.locator(".cleared").get_by_role("button", name="Undo")


def test_what_another_tab_brought_back_is_not_hidden_again_by_a_late_answer(page: Page, other: Page) -> None:
    held = Held(page, ANEW, "GET", is_answered=True)
    clear(other)
    held.wait()
    undo(other).click()
    expect(notes(other)).to_have_text(["one"])
    note(other, "two")
    expect(notes(page)).to_have_text(["one", "two"])
    held.arrives()
    held.wait()
    held.arrives()
    expect(notes(page)).to_have_text(["one", "two"])


def test_what_is_written_while_the_answer_is_on_its_way_is_shown(page: Page, other: Page) -> None:
    held = Held(page, CLEAR, "POST", is_answered=True)
    clear(page)
    held.wait()
    expect(notes(page)).to_have_count(0)  # The other way around would do as well: each tab is told, too.
    note(other, "two")
    expect(notes(page)).to_have_text(["two"])
    held.arrives()
    expect(notes(page)).to_have_text(["two"])
    note(other, "three")
    expect(notes(page)).to_have_text(["two", "three"])


def test_a_page_that_could_not_ask_anew_does_so_when_it_is_back(page: Page, other: Page) -> None:
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(re.compile("/-/live"), through)
    with page.expect_websocket():
        page.reload()
    held = Held(page, ANEW)
    clear(other)
    with page.expect_event("requestfailed"):
        held.breaks()
    held.stop()
    expect(notes(page)).to_have_text(["one"])
    sockets[-1].close(code=1012)
    expect(notes(page)).to_have_count(0)


def test_an_answer_about_a_conversation_that_was_left_is_not_shown(ann: Person) -> None:
    page, other = ann.page, ann.tab()
    for each in (page, other):
        each.goto(f"{ann.server.address}/hello_workflow")
    note(page, "beside the app")
    expect(notes(other)).to_have_text(["beside the app"])
    held = Held(page, ANEW, "GET", is_answered=True)
    clear(other)
    held.wait()
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("textbox", name="Your name", exact=True)).to_be_visible()
    note(page, "in the run")
    expect(notes(page)).to_have_text(["in the run"])
    held.arrives()
    expect(notes(page)).to_have_text(["in the run"])
    note(page, "again")
    expect(notes(page)).to_have_text(["in the run", "again"])
