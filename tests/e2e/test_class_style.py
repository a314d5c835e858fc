"""Class-style apps in a browser, as a person meets them: with the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

WIDGETS = """
from collections import namedtuple
from fasthtml.common import *
from starlette.responses import Response

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Widgets:
    APP_NAME = "widgets"
    DISPLAY_NAME = "Widgets with a name that no phone has room for"

    def __init__(self, app, pipulate):
        self.app, self.pip = app, pipulate
        self.steps = [Step("step_01", "text", "Text", True), Step("finalize", "finalized", "Finalize", False)]
        pipulate.register_workflow_routes(self)

    async def landing(self, request):
        field = Input(name="word", value="offered", aria_label="Word")
        header = self.pip.display_revert_widget("step_01", "widgets", self.steps, "A message", Pre("A widget"))
        words = "Charlotte", "Representative", "Administration", "Department"
        people = Table(*[Tr(*[Td(word) for word in words])] * 2)
        amount = Div(
            Label("Amount", style="min-width: 180px;"), Input(type="range", aria_label="Amount", style="flex-grow: 1;"),
            Input(type="number", style="width: 100px;"), style="display: flex; gap: 10px;",
        )
        return Div(Form(field, Button("Load anew"), hx_post="/widgets/init"), header, Card(people), Form(amount))

    async def init(self, request):
        return Response("", headers={"HX-Refresh": "true"})
"""
"""Shows widgets, and loads its page anew whatever is sent."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("class_style")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "widgets.py").write_text(WIDGETS)
    with Server(folder) as running:
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A tab of somebody who was let in; at the end the browser must have had nothing to complain about."""
    somebody: Person = person(browser, server)
    yield somebody.page
    somebody.context.close()
    assert somebody.problems == []


@pytest.mark.parametrize("typed", ["", "  "])
def test_empty_key_brings_the_next_free_one_and_enter_begins_its_run(page: Page, server: Server, typed: str) -> None:
    page.goto(f"{server.address}/hello_workflow")
    key = page.get_by_label("Key of the run")
    offered = key.input_value()
    assert offered.startswith("Default_Profile-Hello_Workflow-0")
    key.fill(typed)
    with page.expect_navigation():
        key.press("Enter")
    expect(key).to_have_value(offered)
    expect(page.get_by_text("What you had typed is back.")).to_have_count(0)
    key.press("Enter")
    page.wait_for_url(f"**/hello_workflow/{offered}")
    key.fill(typed)
    with page.expect_navigation():
        key.press("Enter")
    expect(key).to_have_value(offered[:-1] + str(int(offered[-1]) + 1))


def test_what_was_typed_is_still_there_when_its_answer_loads_the_page_anew(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/widgets")
    page.get_by_label("Word").fill("half")
    with page.expect_navigation():
        page.get_by_role("button", name="Load anew").click()
    expect(page.get_by_label("Word")).to_have_value("half")


def test_header_of_a_widget_stands_away_from_the_line_around_it(page: Page, server: Server) -> None:
    page.goto(f"{server.address}/widgets")
    around = page.locator(".card-container").bounding_box()
    assert around is not None
    for inside in (
        page.get_by_text("A message"),
        page.get_by_role("button", name="Step 1"),
        page.get_by_text("A widget"),
    ):
        box = inside.bounding_box()
        assert box is not None
        assert box["x"] - around["x"] >= 8
        assert around["x"] + around["width"] - box["x"] - box["width"] >= 8
        assert box["y"] - around["y"] >= 8
        assert around["y"] + around["height"] - box["y"] - box["height"] >= 8


def test_widgets_have_room_on_a_phone(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.address}/widgets")
    lines = page.locator("td").evaluate_all(
        """all => all.map(each => {
            const range = document.createRange();
            range.selectNodeContents(each);
            return range.getClientRects().length;
        })"""
    )
    assert set(lines) == {1}  # No word is broken in two.
    slider = page.get_by_label("Amount").bounding_box()
    assert slider is not None
    assert slider["width"] >= 90
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_name_that_is_too_long_for_the_bar_loses_its_end(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.address}/widgets")
    name = page.locator("details.menu > summary > span", has_text="Widgets with a name")
    begins = name.evaluate(
        """each => {
            const range = document.createRange();
            range.selectNodeContents(each);
            return range.getBoundingClientRect().left - each.closest("summary").getBoundingClientRect().left;
        }"""
    )
    assert begins >= 0
    assert name.evaluate("each => each.scrollWidth > each.clientWidth")
    expect(name).to_have_css("text-overflow", "ellipsis")
