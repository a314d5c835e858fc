"""Views of results in a browser: tables, figures, diagrams, code, frames."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tests.e2e.conftest import Person, person, until
from tests.support.server import Server

SLOW_MS = 20_000
"""The first search of a long table makes an index of it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an app that has every view; its libraries take a while to import."""
    folder: Path = tmp_path_factory.mktemp("views")
    (folder / "plugins").mkdir()
    for path in (Path(__file__).parent / "data_apps").glob("*.py"):
        (folder / "plugins" / path.name).write_bytes(path.read_bytes())
    with Server(folder, env={"PIPULATE_IMPORT_LIMIT_S": "120"}) as running:
        yield running


@pytest.fixture(scope="module")
def address(browser: Browser, server: Server) -> str:
    """A run whose steps have all run, for every journey."""
    somebody = person(browser, server)
    page = somebody.page
    while True:  # The app is there once its libraries are imported; a journey that waits too long is ended by its test.
        page.goto(f"{server.address}/views")
        if page.get_by_role("button", name="Start").count():
            break
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/views/*")
    expect(page.get_by_label("Word")).to_be_visible(timeout=60_000)
    found = page.url
    somebody.context.close()
    return found


@pytest.fixture
def page(ann: Person, address: str) -> Page:
    ann.page.goto(address)
    return ann.page


def step(page: Page, name: str) -> str:
    return f"#step-{name}"


def column(page: Page, name: str, place: int) -> list[str]:
    return page.locator(f"#step-{name} tbody tr td:nth-child({place})").all_inner_texts()


def frame_in(page: Page, name: str) -> Frame:
    """Return the frame of a step, once something was drawn in it."""
    place = page.locator(f"#step-{name} [data-needs=drawing]")
    place.scroll_into_view_if_needed()
    expect(place).to_have_attribute("data-drawn", "", timeout=30_000)
    handle = place.locator("iframe").element_handle()
    assert handle is not None
    found = handle.content_frame()
    assert found is not None
    return found


def test_table_is_searched_as_one_types_and_says_how_much_was_found(page: Page) -> None:
    table = page.locator("#step-table .data-table")
    expect(table.get_by_role("status")).to_have_text("100,000 rows")
    field = table.get_by_role("searchbox")
    field.press_sequentially("needle")
    expect(table.get_by_role("status")).to_have_text("1 of 100,000 rows", timeout=SLOW_MS)
    assert column(page, "table", 1) == ["/page/4711"]
    expect(field).to_be_focused()
    field.fill("no such thing")
    expect(table.get_by_role("status")).to_contain_text("clear the search")
    field.fill("")
    expect(table.get_by_role("status")).to_have_text("100,000 rows")


def test_table_is_sorted_and_paged_by_keyboard(page: Page) -> None:
    table = page.locator("#step-table .data-table")
    head = table.get_by_role("columnheader", name="clicks")
    head.get_by_role("link").focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert column(page, "table", 2)[0] == "0"
    expect(head.get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column(page, "table", 2)[0] == "10,006"
    after = table.get_by_role("link", name="Next")
    after.focus()
    page.keyboard.press("Enter")
    expect(table.get_by_text("Page 2 of 4,000")).to_be_visible()
    expect(table.get_by_role("link", name="Next")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(table.get_by_text("Page 1 of 4,000")).to_be_visible()
    expect(table.get_by_role("link", name="Previous")).to_be_focused()


def test_missing_values_are_last_in_both_directions(page: Page) -> None:
    head = page.locator("#step-polars").get_by_role("columnheader", name="when")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    assert column(page, "polars", 2) == ["2025-01-01", "2026-01-02", "-"]
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    assert column(page, "polars", 2) == ["2026-01-02", "2025-01-01", "-"]


def test_downloads_have_exactly_what_is_shown(page: Page, tmp_path: Path) -> None:
    table = page.locator("#step-table .data-table")
    table.get_by_role("searchbox").fill("page/4711")
    expect(table.get_by_role("status")).to_have_text("11 of 100,000 rows", timeout=SLOW_MS)
    head = table.get_by_role("columnheader", name="clicks")
    head.get_by_role("link").click()
    expect(head).to_have_attribute("aria-sort", "ascending")
    with page.expect_download() as given:
        table.get_by_role("link", name="CSV", exact=True).click()
    path = tmp_path / "table.csv"
    given.value.save_as(path)
    rows = list(csv.reader(path.read_text().splitlines()))
    assert [row[0] for row in rows[1:]] == column(page, "table", 1)
    assert "'=needle(1)" in {row[4] for row in rows}
    assert re.fullmatch(r"views-.*-table\.csv", given.value.suggested_filename)
    with page.expect_download() as given:
        table.get_by_role("link", name="XLSX").click()
    given.value.save_as(tmp_path / "table.xlsx")
    assert (tmp_path / "table.xlsx").read_bytes().startswith(b"PK")


def test_wide_table_scrolls_inside_and_its_first_column_stays(ann: Person, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    scroll = page.locator("#step-table .scroll")
    scroll.evaluate("element => { element.scrollLeft = 400 }")
    box, first = scroll.bounding_box(), page.locator("#step-table tbody td").first.bounding_box()
    assert box is not None
    assert first is not None
    assert abs(box["x"] - first["x"]) < 2


def test_selecting_in_one_figure_of_bokeh_selects_in_the_other(page: Page) -> None:
    frame = frame_in(page, "bokeh")
    picked = "Bokeh.documents[0].roots()[0].children[1].renderers[0].data_source.selected.indices"
    assert frame.evaluate(picked) == []
    place = frame.evaluate(
        """() => { const view = Bokeh.index.get_one ? [...Bokeh.index][0] : Object.values(Bokeh.index)[0];
        const plot = view.child_views[0]; const at = plot.frame; const box = plot.el.getBoundingClientRect();
        return [box.x + at.x_scale.compute(2), box.y + at.y_scale.compute(1)] }"""
    )
    handle = frame.frame_element()
    box = handle.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + place[0], box["y"] + place[1])
    until(frame, f"{picked}.length === 1")
    assert frame.evaluate(picked) == [1]


def test_figure_of_matplotlib_is_a_picture_with_words(page: Page) -> None:
    image = page.locator("#step-plot img")
    image.scroll_into_view_if_needed()
    expect(image).to_have_attribute("alt", "Clicks <b>")
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("each => each.naturalWidth") > 100


def test_diagram_is_drawn_strictly(page: Page) -> None:
    frame = frame_in(page, "diagram")
    expect(frame.locator("svg")).to_be_visible()
    assert "Choice" in str(frame.locator("svg").text_content())
    assert frame.locator("svg script").count() == 0
    assert page.locator("#step-diagram pre").is_hidden()


def test_code_has_its_colours_and_can_be_copied(ann: Person, page: Page) -> None:
    ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    code = page.locator("#step-code code")
    expect(code.locator(".token.keyword").first).to_have_text("def")
    page.locator("#step-code").get_by_role("button", name="Copy").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("def greet(name: str)")


def test_tree_is_copied_as_json(ann: Person, page: Page) -> None:
    ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#step-tree").get_by_text("Copy as JSON").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert '"label": "of DataFrame"' in page.evaluate("navigator.clipboard.readText()")


def test_html_in_a_sandbox_runs_and_reaches_nothing(browser: Browser, server: Server) -> None:
    somebody = person(browser, server)
    page = somebody.start("boxed")
    expect(page.frame_locator("#step-out iframe").locator("#out")).to_have_text("alone")
    assert page.locator("#step-out iframe").get_attribute("sandbox") == "allow-scripts"
    assert page.title() != "hit"
    assert page.url.endswith("/boxed/01")
    source = page.locator("#step-out iframe").get_attribute("src")
    page.goto(f"{server.address}{source}")  # Opened alone it has no origin either.
    expect(page.locator("#out")).to_have_text("alone")
    # Its policy stopped the request, and the browser says so.
    assert [each for each in somebody.problems if "Content Security Policy" in each]
    somebody.context.close()


def test_markup_of_apps_is_cleaned(page: Page) -> None:
    markup = page.locator("#step-markup .result.parts")
    expect(markup.locator("strong").first).to_have_text("a < b")
    assert markup.locator("[hx-post], [onclick], script").count() == 0
    assert "<i>" in markup.inner_text()


def test_page_pays_only_for_what_it_shows(browser: Browser, server: Server, address: str) -> None:
    somebody = person(browser, server)
    page, asked = somebody.page, []
    page.on("request", lambda request: asked.append(request.url.removeprefix(server.address)))
    page.goto(f"{server.address}/hello")
    page.wait_for_load_state("networkidle")
    assert not [each for each in asked if re.search(r"code|drawing|mermaid|bokeh|/frame", each)]
    asked.clear()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    frame_in(page, "bokeh")
    assert len([each for each in asked if "/libraries/bokeh.min.js" in each]) == 1
    assert not [each for each in asked if re.search(r"bokeh-(tables|widgets|gl|mathjax)", each)]
    sizes = page.evaluate("performance.getEntriesByType('resource').map(each => [each.name, each.transferSize])")
    base = sum(size for name, size in sizes if re.search(r"/static/(app|icon)", name))
    assert base < 120_000
    somebody.context.close()


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_views_fit_and_are_drawn_in_any_look(
    browser: Browser, server: Server, address: str, theme: Any, width: int
) -> None:
    somebody = person(browser, server, viewport={"width": width, "height": 900}, color_scheme=theme)
    page = somebody.page
    page.goto(address)
    for name in ("bokeh", "diagram"):
        frame_in(page, name)
    page.locator("#step-sandbox iframe").scroll_into_view_if_needed()
    expect(page.frame_locator("#step-sandbox iframe").locator("#out")).to_have_text("alone")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    somebody.context.close()
