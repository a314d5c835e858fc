"""Class-style apps over tables in a browser: a list that is added to, ticked off, put in order; roles and the menu."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.docs.pages import ROOT, blocks
from tests.e2e.conftest import Person, person
from tests.e2e.test_access import findings
from tests.support.crudstyle import ROLES
from tests.support.server import Server

SPECIAL = """
ROLES = ["Special"]

class Special:
    APP_NAME = "special"

    async def landing(self, request):
        return "here"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("crud")
    (folder / "plugins").mkdir()
    (books,) = blocks(ROOT / "docs" / "how-to" / "write-a-crud-app-as-a-class.md", "py")
    toggled = 'hx_post=self.get_action_url("toggle", item.id), hx_target="this", hx_swap="outerHTML"'
    shown = ROLES.replace("return Li(item.text,", f"return Li(Button(item.text, {toggled}),")
    for name, source in (("books", books), ("roles", shown), ("special", SPECIAL)):
        (folder / "plugins" / f"{name}.py").write_text(source)
    with Server(folder) as running:
        yield running


@pytest.fixture
def ann(browser: Browser, server: Server) -> Iterator[Person]:
    somebody = person(browser, server)
    yield somebody
    somebody.context.close()
    assert [each for each in somebody.problems if "404" not in each] == []


def titles(page: Page) -> list[str]:
    """Return the books of the page, in their order."""
    return page.locator("#book-list li > span").all_text_contents()


def listed(page: Page, address: str, *books: str) -> None:
    """Open the list, and let it hold these books alone."""
    page.goto(f"{address}/books")
    while left := page.locator("#book-list li").count():
        page.get_by_text("🗑").first.click()
        expect(page.locator("#book-list li")).to_have_count(left - 1)
    for book in books:
        page.get_by_label("Title").fill(book)
        page.get_by_role("button", name="Add", exact=True).click()
        expect(page.locator("#book-list li > span", has_text=book)).to_be_visible()


def test_list_is_added_to_ticked_off_put_in_order_and_stays_so(ann: Person) -> None:
    page = ann.page
    listed(page, ann.server.address, "Emma", "Dune", "Ubik")
    page.get_by_label("Read: Dune").click()
    expect(page.locator("li.done")).to_have_text("⠿Dune🗑")
    with page.expect_response("**/books_sort") as sorted_:
        page.get_by_role("button", name="Move Ubik").press("ArrowUp")
    assert sorted_.value.status == 200
    grip = page.get_by_role("button", name="Move Emma")
    expect(page.get_by_role("button", name="Move Ubik")).to_be_focused()
    box, last = grip.bounding_box(), page.locator("#book-list li").last.bounding_box()
    assert box is not None
    assert last is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, last["y"] + last["height"] - 3, steps=5)
    with page.expect_response("**/books_sort"):
        page.mouse.up()
    assert titles(page) == ["Ubik", "Dune", "Emma"]
    assert findings(page) == []
    page.reload()
    assert titles(page) == ["Ubik", "Dune", "Emma"]
    expect(page.get_by_label("Read: Dune")).to_be_checked()


def test_what_another_tab_deleted_is_said_and_the_order_goes_back(ann: Person) -> None:
    page, other = ann.page, ann.tab()
    listed(page, ann.server.address, "Solaris", "Roadside Picnic")
    before = titles(page)
    other.goto(f"{ann.server.address}/books")
    row = other.locator("#book-list li", has_text="Roadside Picnic")
    row.get_by_text("🗑").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Move Roadside Picnic").press("ArrowUp")
    expect(page.get_by_text("not there any more")).to_be_visible()
    assert titles(page) == before


def test_role_that_is_switched_on_brings_its_apps_into_the_menu_of_this_page(ann: Person) -> None:
    page = ann.page
    page.goto(f"{ann.server.address}/roles")
    menu = page.locator("#apps-list")
    assert "Special" not in (menu.text_content() or "")
    page.get_by_role("button", name="Special", exact=True).click()
    expect(menu).to_contain_text("Special")
