"""For everybody: keyboard alone, small screens, both themes, screen readers, no network, no script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.support.server import Server

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}


RULES = {
    "dark": "{runOnly: {type: 'rule', values: ['color-contrast']}}",  # The themes differ in nothing but colours.
    "light": "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}",
}


def findings(page: Page) -> list[str]:
    """Return what axe holds against a page in both themes by WCAG 2.2 AA, serious or worse."""
    page.evaluate(AXE.read_text())
    found: list[tuple[str, dict[str, Any]]] = []
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # No colour is on its way to another.
        found += [(theme, each) for each in page.evaluate(f"axe.run({RULES[theme]})")["violations"]]
    page.emulate_media(reduced_motion="no-preference")
    return [
        f"{theme}: {each['id']} ({each['impact']}): {each['nodes'][0]['html'][:160]}"
        for theme, each in found
        if each["impact"] in SERIOUS
    ]


@pytest.fixture
def looker(browser: Browser, server: Server) -> Iterator[Person]:
    """Somebody whose pages can be looked into."""
    somebody = person(browser, server, bypass_csp=True)
    yield somebody
    somebody.context.close()


def test_axe_finds_nothing_serious_on_the_pages(looker: Person) -> None:
    page = looker.page
    for address in ("/", "/hello", "/-/plugins", "/profiles", "/tasks", "/-/history", "/-/bin", "/nothing/here"):
        page.goto(looker.server.address + address)
        assert findings(page) == [], address


def test_axe_finds_nothing_serious_on_a_run_in_any_state(looker: Person) -> None:
    page = looker.start("fields")
    assert findings(page) == [], "open"
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#all-name-problem")).to_be_visible()
    assert findings(page) == [], "wrong answers"
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("textbox", name="Text").fill("words")
    page.get_by_role("button", name="Continue").click()
    page.locator("#step-more").get_by_role("button", name="Continue").click()
    expect(page.locator(".bar.finished")).to_be_visible()
    assert findings(page) == [], "finished"
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history")).to_be_visible()
    assert findings(page) == [], "history"
    page.get_by_role("button", name="Lock run").click()
    expect(page.locator(".bar.locked")).to_be_visible()
    assert findings(page) == [], "locked"


def test_axe_finds_nothing_serious_on_a_table_of_records_in_any_state(looker: Person) -> None:
    page = looker.page
    page.goto(f"{looker.server.address}/todo")
    expect(page.locator("#records.is-live")).to_be_visible()
    assert findings(page) == [], "empty, or as another journey left it"
    page.locator("#add-title").fill("Looked at")
    page.keyboard.press("Enter")
    cell = page.locator("td.label", has_text="Looked at").first
    expect(cell).to_be_visible()
    assert findings(page) == [], "with a record"
    cell.click()
    page.locator(".cell-editor input[name=title]").fill("")
    page.keyboard.press("Enter")
    expect(page.locator(".cell-editor .problem")).to_be_visible()
    assert findings(page) == [], "wrong answer"
    page.keyboard.press("Escape")
    page.locator("#records-filter summary").click()
    assert findings(page) == [], "filters"
    page.keyboard.press("Escape")
    page.get_by_label("Choose Looked at").first.check()
    page.get_by_role("button", name="Change …").click()
    expect(page.locator("#drawer .many-form")).to_be_visible()
    assert findings(page) == [], "many"
    page.get_by_role("link", name="Open Looked at").first.click()
    expect(page.locator("#record-title")).to_be_visible()
    assert findings(page) == [], "page of a record"
    page.goto(f"{looker.server.address}/todo?bin=1&f.priority.min=x")
    assert findings(page) == [], "bin"


def test_axe_finds_nothing_serious_on_menus_search_and_conflict(looker: Person) -> None:
    page = looker.start("hello")
    page.keyboard.press("Control+k")
    expect(page.locator(".hits")).to_be_visible()
    assert findings(page) == [], "search"
    page.keyboard.press("Escape")
    page.get_by_label("More actions for this run").click()
    assert findings(page) == [], "menu"
    page.keyboard.press("Escape")
    other = looker.tab()
    other.goto(page.url)
    page.get_by_label("Name", exact=True).fill("Mine")
    other.get_by_label("Name", exact=True).fill("Theirs")
    other.keyboard.press("Enter")
    expect(other.locator("#step-language.open")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".versus")).to_be_visible()
    assert findings(page) == [], "conflict"


def test_keyboard_alone_goes_from_the_first_page_to_a_locked_run(ann: Person) -> None:
    page = ann.page
    page.goto(ann.server.address)
    page.keyboard.press("Control+k")
    expect(page.locator("#search-words")).to_be_focused()
    page.keyboard.type("hello")
    expect(page.locator(".hits li")).not_to_have_count(0)
    expect(page.locator(".hits li").first).to_contain_text("Hello")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/hello")
    expect(page.get_by_role("textbox", name="Key")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/hello/*")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    expect(page.get_by_label("English")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#step-greeting")).to_contain_text("Hallo, Ada!")
    expect(page.locator("#run-bar")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Lock run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".bar.locked")).to_be_visible()


def test_screen_reader_hears_of_the_next_step_and_of_mistakes(ann: Person) -> None:
    page = ann.start("hello")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#live")).to_have_text("Please check Your name.")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("Next: Your language")


@pytest.mark.parametrize("width", [360, 390])
def test_nothing_is_wider_than_a_phone(browser: Browser, server: Server, width: int) -> None:
    somebody = person(
        browser, server, viewport={"width": width, "height": 780}, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = somebody.start("fields")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("textbox", name="Text").fill("long" * 300)
    page.get_by_role("button", name="Continue").click()
    page.locator("#step-more").get_by_role("button", name="Continue").click()
    expect(page.locator(".bar.finished")).to_be_visible()
    for address in (page.url, "/", "/hello", "/-/plugins", "/profiles", "/-/history"):
        page.goto(address if address.startswith("http") else server.address + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, address
    somebody.context.close()
    assert somebody.problems == []


def test_touch_targets_are_large_enough(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    page = somebody.start("hello")
    small = page.evaluate(
        """[...document.querySelectorAll("button, summary, .button")]
           .filter((each) => each.offsetParent && each.getBoundingClientRect().height < 43)
           .map((each) => each.outerHTML.slice(0, 100))"""
    )
    assert small == []
    somebody.context.close()


def test_everything_works_at_double_zoom(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, viewport={"width": 640, "height": 400})
    page = somebody.start("hello")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("#step-language.open")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    somebody.context.close()


def test_theme_and_density_are_remembered(ann: Person) -> None:
    page = ann.page
    page.goto(ann.server.address)
    page.get_by_text("Look", exact=True).click()
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("button", name="Compact").click()
    with page.expect_response(lambda answer: answer.request.post_data == "theme=light"):
        page.get_by_role("button", name="Light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.get_by_text("Look", exact=True).click()
    page.get_by_role("button", name="As the system").click()
    with page.expect_response(lambda answer: answer.request.post_data == "density=comfortable"):
        page.get_by_role("button", name="Comfortable").click()


COLOURS = """() => {
  const root = getComputedStyle(document.documentElement);
  const names = ["paper", "panel", "ink", "quiet", "line", "hover", "accent", "accent-ink", "accent-soft", "danger",
                 "danger-soft", "look", "look-soft", "mark", "gone", "shadow"];
  return [root.colorScheme, ...names.map((each) => root.getPropertyValue(`--${each}`))];
}"""


def test_theme_is_the_same_whether_the_person_or_the_system_chose_it(ann: Person) -> None:
    colours: dict[tuple[str, str], Any] = {}
    page = ann.page
    page.goto(ann.server.address)
    for chosen, words in (("light", "Light"), ("dark", "Dark"), ("auto", "As the system")):
        page.get_by_text("Look", exact=True).click()
        with page.expect_response("**/-/look"):
            page.get_by_role("button", name=words).click()
        page.reload()
        for system in ("light", "dark"):
            page.emulate_media(color_scheme=system)
            colours[system, chosen] = page.evaluate(COLOURS)
    dark, light = colours["dark", "auto"], colours["light", "auto"]
    assert dark != light
    assert colours["dark", "dark"] == colours["light", "dark"] == dark
    assert colours["dark", "light"] == colours["light", "light"] == light


def test_a_run_is_answered_without_script(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, java_script_enabled=False)
    page = somebody.start("hello")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#name-name-problem")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-greeting")).to_contain_text("Hello, Ada!")
    page.get_by_role("button", name="Lock run").click()
    expect(page.locator(".bar.locked")).to_be_visible()
    somebody.context.close()


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, reduced_motion="reduce")
    page = somebody.start("hello")
    moving = page.evaluate("document.getAnimations().length")
    assert moving == 0
    somebody.context.close()


def test_person_is_told_when_the_server_is_gone_and_keeps_what_was_typed(browser: Browser, tmp_path: Path) -> None:
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page = somebody.start("hello")
        page.get_by_label("Name", exact=True).fill("Ada")
        port = running.port
        running.kill()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ada")
    with Server(tmp_path, arguments=("--port", str(port))):
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#step-language.open")).to_be_visible()
    somebody.context.close()


def test_browser_that_was_not_let_in_is_told_how(browser: Browser, server: Server) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(server.address + "/hello")
    expect(page.locator("h1")).to_have_text("This browser has not been let in")
    expect(page.locator("code")).to_contain_text("pipulate link")
    context.close()


PAYLOAD = "\"><img src=x onerror=window.__x=1></script><script>window.__x=1</script>'{{7*7}}"


def test_payload_in_every_field_never_runs(ann: Person) -> None:
    page = ann.start("fields")
    page.get_by_role("textbox", name="Text").fill(PAYLOAD)
    page.get_by_label("Name", exact=True).fill("<b>x</b>")
    page.get_by_label("Note").first.fill(PAYLOAD)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-all.done")).to_contain_text("<b>x</b>")
    page.locator("#assistant textarea").fill(PAYLOAD)
    page.keyboard.press("Enter")
    expect(page.locator("#messages .note .text")).to_have_text(PAYLOAD)
    page.get_by_label("More actions for this run").click()
    page.get_by_label("New key").fill(PAYLOAD)
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("h1")).to_have_text(PAYLOAD)
    for address in (page.url, f"{page.url}?version=2", f"{ann.server.address}/fields", ann.server.address):
        page.goto(address)
        assert page.evaluate("window.__x") is None
