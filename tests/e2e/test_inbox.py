"""The apps in the box, as somebody works with them: customers kept apart, one shown alone."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import person
from tests.support.server import Server


def choose(page: Page, before: str, name: str) -> None:
    """Choose a profile in the menu."""
    page.locator(".bar-top summary", has_text=before).click()
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator(".bar-top")).to_contain_text(name)


def add(page: Page, address: str, field: str, text: str) -> None:
    """Add a record on its page."""
    page.goto(address)
    page.get_by_role("textbox", name=field, exact=True).fill(text)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("main table")).to_contain_text(text)


def test_customers_are_kept_apart_and_one_is_shown_alone(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page, root = somebody.page, running.address
        for name in ("Acme", "Zebra"):
            add(page, f"{root}/-/records/profiles/new", "Name", name)
        before = "Default Profile"
        for name in ("Acme", "Zebra"):
            choose(page, before, name)
            add(page, f"{root}/-/records/tasks/new", "Title", f"Task of {name}")
            page.goto(f"{root}/hello")
            page.get_by_role("textbox", name="Key").fill(f"Run of {name}")
            page.get_by_role("button", name="Start").click()
            page.wait_for_url("**/hello/*")
            before = name
        page.goto(f"{root}/tasks")
        expect(page.locator("main")).to_contain_text("Task of Zebra")
        expect(page.locator("main")).not_to_contain_text("Task of Acme")
        page.locator(".bar-top summary", has_text="Zebra").click()
        page.get_by_role("button", name="Lock profile").click()
        expect(page.locator(".bar-top")).to_contain_text("Zebra locked")
        for path in ("/", "/tasks", "/hello", "/-/history", "/-/search?find=acme"):
            page.goto(root + path)
            expect(page.locator("body")).not_to_contain_text("of Acme")
            expect(page.locator(".bar-top")).not_to_contain_text("Acme")
        page.locator(".bar-top summary", has_text="Zebra").click()
        page.get_by_role("button", name="Unlock profile").click()
        choose(page, "Zebra", "Acme")
        page.goto(f"{root}/tasks")
        expect(page.locator("main")).to_contain_text("Task of Acme")
        somebody.context.close()


def test_a_change_of_a_record_is_a_line_in_the_messages_at_once_and_leads_to_it(
    browser: Browser, tmp_path: Path
) -> None:
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page = somebody.page
        add(page, f"{running.address}/-/records/tasks/new", "Title", "Call <b>Ann</b>")
        line = page.locator("#messages .events")
        expect(line).to_contain_text("added Call <b>Ann</b> to Tasks")
        page.get_by_role("switch").or_(page.get_by_role("checkbox", name=re.compile("Done"))).first.click()
        expect(line).to_contain_text("2 things happened: changed Call <b>Ann</b> in Tasks")
        line.locator("summary").click()
        line.get_by_role("link", name="Call <b>Ann</b>").first.click()
        page.wait_for_url("**/tasks/1")
        page.locator(".bar-top summary", has_text="Look").click()
        page.get_by_role("button", name="Not shown").click()
        page.goto(f"{running.address}/-/history")
        expect(page.locator("main")).to_contain_text("changed Call <b>Ann</b> in Tasks")
        somebody.context.close()
