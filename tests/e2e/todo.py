"""The table that journeys work in, and what one does in it."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.e2e.conftest import Person
from tests.support.server import Server

EMPTY = """async () => {
    const init = (body) => ({method: "POST", headers: {"HX-Request": "true"}, body: new URLSearchParams(body)});
    for (const name of ["todo", "rooms"]) {
        await fetch(`/-/records/${name}/many/delete`, init({all: "1", query: ""}));
        await fetch(`/-/records/${name}/empty-bin`, init({}));
    }
}"""


def cleared(ann: Person) -> Page:
    """Return the page of a table that is empty."""
    ann.page.goto(f"{ann.server.address}/todo")
    ann.page.evaluate(EMPTY)
    return opened(ann.page, ann.server)


def opened(page: Page, server: Server, query: str = "") -> Page:
    page.goto(f"{server.address}/todo{query}")
    expect(page.locator("#records.is-live")).to_be_visible()
    return page


def add(page: Page, *titles: str) -> None:
    for title in titles:
        page.locator("#add-title").fill(title)
        page.keyboard.press("Enter")
        expect(cell(page, title)).to_be_visible()


def cell(page: Page, title: str, field: str = "title") -> Locator:
    row = page.locator("#records-rows tr", has=page.locator("td.label", has_text=title))
    return row.locator(f"td[data-field={field}]")


def stand(page: Page, title: str, field: str = "title") -> None:
    """Go to a cell without editing it."""
    cell(page, title, field).click()
    expect(page.locator(".cell-editor")).to_be_visible()
    page.keyboard.press("Escape")
    expect(cell(page, title, field)).to_be_focused()


def shows(page: Page, *wanted: str) -> None:
    expect(page.locator("#records-rows td.label")).to_have_text(list(wanted))
