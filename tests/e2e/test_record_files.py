"""Files in records, as people send, see, replace and get them back: with a script, on a phone, and without one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

EMPTY = """async () => {
    const init = (body) => ({method: "POST", headers: {"HX-Request": "true"}, body: new URLSearchParams(body)});
    await fetch("/-/records/papers/many/delete", init({all: "1", query: ""}));
    await fetch("/-/records/papers/empty-bin", init({}));
}"""

Made = Callable[[str, bytes], str]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Makes files on the person's own disk."""

    def make(name: str, content: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content)
        return str(path)

    return make


def papers(page: Page, server: Server) -> Page:
    page.goto(f"{server.address}/papers")
    expect(page.locator("#records")).to_be_visible()
    return page


@pytest.fixture
def table(ann: Person) -> Page:
    papers(ann.page, ann.server).evaluate(EMPTY)
    papers(ann.page, ann.server)
    expect(ann.page.locator("#records.is-live")).to_be_visible()
    return ann.page


def scan(page: Page, row: int = 0) -> Locator:
    return page.locator("#records-rows tr").nth(row).locator("td[data-field=scan]")


def content_of(page: Page, link: Locator) -> bytes:
    with page.expect_download() as found:
        link.click()
    return Path(found.value.path()).read_bytes()


def test_record_with_a_file_is_added_replaced_taken_back_and_downloaded(table: Page, ann: Person, made: Made) -> None:
    table.locator("#add-title").fill("Lease")
    table.locator("#add-scan").set_input_files(made("first.txt", b"the first"))
    expect(table.locator("#add-row li.held")).to_have_text("first.txt, 9 bytes Remove first.txt")
    table.get_by_role("button", name="Add", exact=True).click()
    expect(scan(table)).to_have_text("first.txt 9 bytes")
    expect(table.locator("#add-row li.held")).to_have_count(0)
    assert content_of(table, scan(table).get_by_role("link")) == b"the first"

    title = table.locator("#records-rows td[data-field=title]")
    title.click()
    expect(title.locator(".cell-editor")).to_be_visible()
    table.keyboard.press("Escape")
    expect(title).to_be_focused()
    table.keyboard.press("ArrowRight")
    expect(scan(table)).to_be_focused()
    table.keyboard.press("Enter")
    editor = scan(table).locator("form.cell-editor")
    editor.locator("input[type=file]").set_input_files(made("second.txt", b"the second one"))
    expect(editor.locator("li.held")).to_have_text("second.txt, 14 bytes Remove second.txt")
    editor.get_by_role("button", name="Save").click()
    expect(scan(table)).to_have_text("second.txt 14 bytes")

    table.keyboard.press("Escape")  # From the row for a new record, where the keyboard went.
    table.keyboard.press("Control+z")
    expect(scan(table)).to_have_text("first.txt 9 bytes")
    table.keyboard.press("Control+Shift+z")
    expect(scan(table)).to_have_text("second.txt 14 bytes")
    assert content_of(table, scan(table).get_by_role("link")) == b"the second one"

    table.get_by_role("link", name="Open Lease").click()
    history = table.locator("#history")
    expect(history).to_contain_text("changed Scan from first.txt 9 bytes to second.txt 14 bytes")
    assert content_of(table, history.get_by_role("link", name="first.txt").first) == b"the first"
    history.locator("li[data-version='1']").get_by_role("button", name="Restore this version").click()
    expect(table.locator("#record li.held .name").first).to_have_text("first.txt")
    table.locator("#record .upload").first.get_by_role("button", name="Remove first.txt").click()
    table.get_by_role("button", name="Save", exact=True).click()
    expect(scan(table)).to_have_text("")


def test_file_that_cannot_be_used_says_why_and_a_form_that_comes_back_keeps_the_others(table: Page, made: Made) -> None:
    table.locator("#add-scan").set_input_files(made("bad.exe", b"x"))
    expect(table.locator("#add-row .failed")).to_contain_text("bad.exe cannot be used here.")
    table.locator("#add-scan").set_input_files(made("good.txt", b"good"))
    expect(table.locator("#add-row li.held")).to_contain_text("good.txt")
    table.locator("#add-title").fill(" ")
    table.get_by_role("button", name="Add", exact=True).click()
    expect(table.locator("#add-row .problem")).to_be_visible()
    expect(table.locator("#add-row li.held")).to_contain_text("good.txt")
    table.locator("#add-title").fill("Now")
    table.keyboard.press("Enter")
    expect(scan(table)).to_have_text("good.txt 4 bytes")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, server: Server, table: Page, made: Made) -> None:
    somebody = person(browser, server, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = papers(somebody.page, server)
    expect(page.locator("#records.is-live")).to_be_visible()
    page.locator("#add-title").fill("Phone")
    page.locator("#add-scan").set_input_files(made(f"a very long name {'of a file ' * 12}.txt", b"x"))
    expect(page.locator("#add-row li.held")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Add", exact=True).click()
    expect(scan(page)).to_contain_text("1 byte")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    somebody.context.close()
    assert somebody.problems == []


def test_without_a_script_files_are_sent_with_the_form_taken_out_and_downloaded(
    browser: Browser, server: Server, table: Page, made: Made
) -> None:
    somebody = person(browser, server, java_script_enabled=False)
    page = papers(somebody.page, server)
    page.locator("#add-title").fill("Plain")
    page.locator("#add-scan").set_input_files(made("plain.txt", b"plain"))
    page.locator("#add-row").get_by_role("button", name="Add", exact=True).click()
    expect(scan(page)).to_have_text("plain.txt 5 bytes")
    assert content_of(page, scan(page).get_by_role("link")) == b"plain"
    page.get_by_role("link", name="Open Plain").click()
    page.get_by_role("button", name="Remove plain.txt").click()
    expect(page.locator("#record li.held")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(scan(page)).to_have_text("")
    somebody.context.close()
