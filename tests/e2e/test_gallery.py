"""The gallery in a browser: every entry shows what it promises, in both themes, on a phone, and for few bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from pipulate.builtin import gallery_fields, gallery_live, gallery_results
from tests.e2e.conftest import Person, person
from tests.e2e.test_access import findings
from tests.support.server import Server

GALLERY = {module.gallery.name: module.gallery for module in (gallery_fields, gallery_results, gallery_live)}
HEAVY = re.compile(r"code-editor|drawing|mermaid|bokeh|fields-|upload|/frame")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with nothing but the apps in the box."""
    folder: Path = tmp_path_factory.mktemp("gallery")
    (folder / "plugins").mkdir()
    assert [gallery.prepare() for gallery in GALLERY.values()] == [[], [], []]
    with Server(folder) as running:
        yield running


def choose(page: Page, title: str) -> None:
    """Choose an entry in the list, once it can be searched."""
    field = page.locator("input[role=combobox]")
    field.fill(title)
    field.press("Enter")
    expect(field).to_have_value(title)


def go_to(somebody: Person, app: str, title: str) -> Page:
    """Start a run of a gallery and go to an entry, as a person does."""
    page = somebody.start(app)
    if app == "gallery_live":
        page.get_by_label("Entry", exact=True).select_option(title)
    else:
        choose(page, title)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-entry.done")).to_be_visible()
    return page


def press(page: Page, step: str) -> None:
    """Press the button of an entry, and wait for its result."""
    if step == "markdown_editor":  # The preview of what is there moves the button as it comes.
        expect(page.locator(f"#step-{step} .preview")).not_to_be_empty()
    page.locator(f"#step-{step}").get_by_role("button", name="Continue").last.click()
    expect(page.locator(f"#step-{step}.done")).to_be_visible(timeout=60_000)


def all_drawn(page: Page, width: int) -> None:
    """Have everything drawn that is drawn by a script, and see that nothing is too wide or fails."""
    for place in page.locator("[data-needs=drawing]").all():
        place.scroll_into_view_if_needed()
        expect(place).to_have_attribute("data-drawn", "", timeout=60_000)
    page.evaluate("scrollTo(0, 0)")  # The bar at the top covers what it stands over, and that is not looked for here.
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#steps, .steps")).not_to_contain_text("cannot be shown")


@pytest.mark.parametrize("app", GALLERY)
def test_every_entry_shows_in_any_look(browser: Browser, server: Server, app: str) -> None:
    somebody = person(browser, server, viewport={"width": 1440, "height": 900})
    page = somebody.start(app)
    for step in GALLERY[app].steps:
        press(page, step.name)
    all_drawn(page, 1440)
    for step in GALLERY[app].steps:
        code = page.locator(f"#step-{step.name} details.code-of-step code")
        assert f'@gallery.step("{step.name}"' in str(code.text_content())
    address = page.url
    somebody.context.close()
    assert somebody.problems == []
    looker = person(browser, server, viewport={"width": 390, "height": 844}, color_scheme="dark", bypass_csp=True)
    looker.page.goto(address)
    all_drawn(looker.page, 390)
    expect(looker.page.locator(".token").first).to_be_attached()
    assert findings(looker.page) == []
    looker.page.set_viewport_size({"width": 1440, "height": 900})
    looker.page.reload()
    all_drawn(looker.page, 1440)
    expect(looker.page.locator(".token").first).to_be_attached()
    assert findings(looker.page) == []
    looker.context.close()
    assert looker.problems == []


def test_code_stands_beside_the_form_where_there_is_room_and_below_it_on_a_phone(ann: Person) -> None:
    page = go_to(ann, "gallery_fields", "Switch")
    form, code = page.locator("#step-switch .of-step"), page.locator("#step-switch .code-of-step")
    page.set_viewport_size({"width": 1440, "height": 900})
    left, right = form.bounding_box(), code.bounding_box()
    assert left is not None
    assert right is not None
    assert right["x"] >= left["x"] + left["width"]
    page.set_viewport_size({"width": 390, "height": 844})
    above, below = form.bounding_box(), code.bounding_box()
    assert above is not None
    assert below is not None
    assert below["y"] >= above["y"] + above["height"]
    code.locator("summary").click()
    expect(code.locator("pre")).to_be_hidden()


def test_code_is_highlighted_and_copied_as_it_stands_in_the_file(ann: Person) -> None:
    ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = go_to(ann, "gallery_fields", "Colour")
    expect(page.locator("#step-colour .token.keyword").first).to_be_visible()
    page.locator("#step-colour").get_by_role("button", name="Copy").click()
    expect(page.locator("#live")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").strip() == GALLERY["gallery_fields"]["colour"].code


def test_person_goes_to_another_entry_and_back(ann: Person) -> None:
    page = go_to(ann, "gallery_results", "Picture")
    press(page, "picture")
    expect(page.locator("#step-picture img")).to_have_attribute("alt", "A blue circle")
    page.locator("#step-entry").hover()
    page.locator("#step-entry").get_by_role("button", name="Edit").click()
    choose(page, "Tree")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#step-tree.open")).to_be_visible()


def test_dial_follows_its_field_and_is_only_an_extra(browser: Browser, server: Server, ann: Person) -> None:
    page = go_to(ann, "gallery_live", "JavaScript widget")
    arc = page.locator("gallery-dial path:last-child")
    expect(arc).to_have_attribute("stroke-dasharray", "35 100")
    page.get_by_label("Tempo").fill("120")
    expect(arc).to_have_attribute("stroke-dasharray", "50 100")
    somebody = person(browser, server, java_script_enabled=False)
    somebody.page.goto(page.url)
    expect(somebody.page.get_by_label("Tempo")).to_have_value("96")
    somebody.page.get_by_label("Tempo").fill("60")
    somebody.page.get_by_role("button", name="Continue").click()
    expect(somebody.page.locator("#step-javascript_widget")).to_contain_text("60 beats a minute")
    somebody.context.close()


def test_counter_moves_by_itself(ann: Person) -> None:
    page = go_to(ann, "gallery_live", "Live counter")
    page.get_by_label("Step", exact=True).fill("7")
    press(page, "live_counter")
    expect(page.locator("[data-live=counter] b")).to_have_text("7")
    expect(page.locator("[data-live=counter] b")).to_have_text("14")


def test_link_brings_a_part_from_an_address_of_the_app(ann: Person) -> None:
    page = go_to(ann, "gallery_live", "Own address")
    press(page, "own_address")
    page.get_by_role("link", name="And the next").click()
    expect(page.locator("#step-own_address .of-step b")).to_have_text("2")


def frame_of(page: Page, step: str) -> Frame:
    """Return the frame that the result of an entry is drawn in."""
    place = page.locator(f"#step-{step} [data-needs=drawing]")
    place.scroll_into_view_if_needed()
    expect(place).to_have_attribute("data-drawn", "", timeout=60_000)
    frame = place.locator("iframe").element_handle().content_frame()
    assert frame is not None
    return frame


def test_selection_in_one_figure_of_bokeh_is_that_of_the_other(ann: Person) -> None:
    page = go_to(ann, "gallery_results", "Linked figures of Bokeh")
    press(page, "bokeh")
    frame = frame_of(page, "bokeh")
    roots = "Bokeh.documents[0].roots()[0].children"
    frame.evaluate(f"{roots}[0].renderers[0].data_source.selected.indices = [3, 4]")
    assert frame.evaluate(f"{roots}[1].renderers[0].data_source.selected.indices") == [3, 4]


def test_diagram_and_sandbox_are_drawn(ann: Person) -> None:
    page = go_to(ann, "gallery_results", "Mermaid diagram")
    press(page, "diagram")
    expect(frame_of(page, "diagram").locator("svg")).to_contain_text("Show")
    page = go_to(ann, "gallery_results", "HTML with scripts of its own")
    press(page, "sandbox")
    button = page.frame_locator("#step-sandbox iframe").get_by_role("button")
    button.click()
    expect(button).to_have_text("1")


def test_page_of_a_text_entry_loads_nothing_heavy(ann: Person) -> None:
    page = go_to(ann, "gallery_fields", "Text")
    address, asked = page.url, list[str]()
    page.goto(f"{ann.server.address}/")
    page.on("response", lambda response: asked.append(response.url))
    page.goto(address)
    expect(page.locator("#step-text .token").first).to_be_visible()
    assert not [each for each in asked if HEAVY.search(each)]
    sizes = page.evaluate("performance.getEntriesByType('resource').map(each => each.encodedBodySize)")
    assert sum(sizes) < 120_000
