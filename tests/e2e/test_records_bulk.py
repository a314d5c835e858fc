"""Five thousand records, as a person deals with them: changed, stopped, taken back, deleted, erased."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

MANY = 5_000


@pytest.fixture(scope="module")
def hold(server: Server) -> Path:
    """What holds a change up while it exists."""
    return server.folder / "hold"


@pytest.fixture
def filled(ann: Person, tmp_path: Path) -> Page:
    """The page of a table with very many records."""
    page = ann.page
    page.goto(f"{ann.server.address}/-/records/stock/import")
    table = tmp_path / "stock.csv"
    table.write_text("name\n" + "".join(f"Item {each}\n" for each in range(1, MANY + 1)))
    page.get_by_label("File").set_input_files(table)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("5,000 added.")).to_be_visible(timeout=90_000)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", name="Taken in")).to_be_visible(timeout=90_000)
    return page


def choose_all(page: Page, address: str) -> None:
    page.goto(f"{address}/stock")
    expect(page.locator("#records.is-live")).to_be_visible()
    page.locator("[data-choose-all]").check()
    page.get_by_label("all 5,000 found").check()


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return not wide


def test_five_thousand_are_changed_stopped_gone_on_with_taken_back_and_deleted(
    filled: Page, ann: Person, hold: Path, browser: Browser
) -> None:
    page, address = filled, ann.server.address
    hold.touch()
    choose_all(page, address)
    page.get_by_role("button", name="Change …").click()
    page.locator("#many-shelf").fill("3")
    page.locator("#drawer").get_by_role("button", name="Change", exact=True).click()
    page.wait_for_url("**/-/records/stock/jobs/*")
    expect(page.get_by_role("heading", name="They are being changed")).to_be_visible()
    expect(page.get_by_text("(2,500 of 5,000)")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("heading", name="It stops …")).to_be_visible()
    hold.unlink()
    expect(page.get_by_role("heading", name="Stopped: 2,999 of 5,000 records changed")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="4,999 records changed")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("cell", name="This one stays on its shelf.")).to_be_visible()
    done = page.url
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=60_000)
    page.goto(done)
    expect(page.get_by_role("heading", name="Taken back")).to_be_visible()

    choose_all(page, address)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="5,000 records deleted")).to_be_visible(timeout=60_000)
    page.goto(f"{address}/stock?bin=1")
    without_script(browser, ann.server)


def without_script(browser: Browser, server: Server) -> None:
    """Empty the bin as somebody without a script does, and look until it is done."""
    somebody = person(browser, server, java_script_enabled=False)
    page = somebody.page
    page.goto(f"{server.address}/stock?bin=1")
    page.get_by_role("button", name="Empty the bin").click()
    expect(page.get_by_role("heading", name="Erase 5,000 records")).to_be_visible()
    again = page.get_by_role("link", name="Look again")
    while again.count():
        again.click()
        page.wait_for_load_state()
    expect(page.get_by_role("heading", name="5,000 records erased")).to_be_visible()
    page.get_by_role("link", name="Back to Stock").click()
    expect(page.get_by_text("There is nothing here yet.")).to_be_visible()
    somebody.context.close()
