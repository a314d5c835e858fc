"""Journeys through fields: editors, search, slider, switch, groups; by mouse, by keyboard, and without a script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import Person, person, until
from tests.e2e.test_access import findings
from tests.support.server import Server

SECRET = "hunter2-of-the-browser"


def fill(page: Page) -> None:
    """Fill in the first step, but for what has a default."""
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Site").fill("https://example.org")
    page.get_by_label("API key").fill(SECRET)
    page.get_by_label("Price").fill("0.5")


def send(page: Page, opens: str) -> None:
    """Send the open form, and wait for the next step."""
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(f"#step-{opens}.open")).to_be_visible()


def at_editors(somebody: Person, page: Page | None = None) -> Page:
    """Go to the step with the editors."""
    page = somebody.start("widgets", page)
    fill(page)
    send(page, "editors")
    expect(page.locator(".cm-content")).to_be_visible()
    return page


def code(page: Page) -> Locator:
    """Return what is typed into in the code editor."""
    return page.get_by_role("textbox", name="Code")


def place(page: Page) -> Locator:
    """Return the list to search in."""
    return page.get_by_role("combobox", name="Place")


def test_code_editor_holds_what_is_typed_and_lets_the_keyboard_out(ann: Person) -> None:
    page = at_editors(ann)
    expect(page.locator("#editors-code")).to_have_value("def f(x):\n    return x + 1\n")
    page.get_by_text("Code", exact=False).first.click()  # Its label leads into it, as that of any field does.
    code(page).press("Control+a")
    page.keyboard.type("if a:\nb = '<'")
    page.keyboard.press("Tab")
    expect(page.locator("#editors-code")).to_have_value("if a:\n        b = '<'")
    expect(code(page)).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Text", exact=False).first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(code(page)).to_be_focused()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#step-groups.open")).to_be_visible()
    expect(page.locator("#step-editors")).to_contain_text("b = '<'")


def test_half_typed_code_survives_a_reload_and_can_be_discarded(ann: Person) -> None:
    page = at_editors(ann)
    code(page).press("Control+End")
    page.keyboard.type("half")
    place(page).fill("place 4999")
    page.keyboard.press("Enter")
    page.reload()
    expect(code(page)).to_contain_text("half")
    expect(place(page)).to_have_value("Place 4999")
    page.get_by_role("button", name="Discard it").click()
    expect(code(page)).not_to_contain_text("half")
    expect(place(page)).to_have_value("Place 7")


def test_change_from_another_tab_leaves_the_editors_where_they_are(ann: Person) -> None:
    page = at_editors(ann)
    code(page).click()
    other = ann.tab()
    other.goto(page.url)
    key, version = page.url.rpartition("/")[2], int(page.locator("#run").get_attribute("data-version") or "")
    for name in ("elsewhere", key):  # Back to its key, so that this page finds it again.
        other.get_by_label("More actions for this run").click()
        other.get_by_label("New key").fill(name)
        other.get_by_role("button", name="Rename").click()
        other.wait_for_url(f"**/{name}")
    expect(page.locator("#run")).to_have_attribute("data-version", str(version + 2))
    expect(page.locator(".cm-content")).to_have_count(1)
    expect(page.locator(".preview strong")).to_be_visible()
    expect(place(page)).to_have_value("Place 7")
    code(page).press("Control+End")
    page.keyboard.type("still here")
    expect(page.locator("#editors-code")).to_have_value("def f(x):\n    return x + 1\nstill here")


def test_markdown_is_previewed_as_it_is_typed(ann: Person) -> None:
    page = at_editors(ann)
    page.locator("#editors-text").fill("## New\n\n*soft* <img src=x onerror=alert(1)>")
    expect(page.locator(".preview em")).to_have_text("soft")
    expect(page.locator(".preview img")).to_have_count(0)
    page.locator("#editors-text").fill("")
    expect(page.locator(".preview")).to_be_hidden()


def test_long_list_is_searched_by_keyboard(ann: Person) -> None:
    page = at_editors(ann)
    place(page).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option")).to_have_count(50)
    expect(page.get_by_text("4950 more; type to narrow it down.")).to_be_visible()
    page.keyboard.type("place 123")
    expect(page.get_by_role("option")).to_have_count(11)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(place(page)).to_have_value("Place 1230")
    page.keyboard.type("nothing like it")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    page.keyboard.press("Tab")
    expect(place(page)).to_have_value("Place 1230")
    expect(page.locator("#editors-place")).to_have_value("p-1230")
    page.get_by_role("combobox", name="Part").click()
    page.get_by_role("option", name="Part 3", exact=True).click()
    page.get_by_role("combobox", name="Part").fill("")
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#editors-part")).to_have_value("")
    page.get_by_role("combobox", name="Part").fill("part 150")
    page.keyboard.press("Enter")
    send(page, "groups")
    expect(page.locator("#step-editors")).to_contain_text("Place 1230 · Part 150")


def test_slider_and_its_number_say_the_same(ann: Person) -> None:
    page = ann.start("widgets")
    slider, number = page.get_by_role("slider", name="Share"), page.get_by_role("spinbutton", name="Share")
    expect(slider).to_have_value("40")
    slider.press("ArrowRight")
    expect(number).to_have_value("41")
    number.fill("90")
    expect(slider).to_have_value("90")
    page.get_by_role("switch", name="Loud").press("Space")
    page.get_by_role("radio", name="e", exact=True).check()
    page.get_by_role("checkbox", name="Olives").check()
    fill(page)
    send(page, "editors")
    page.get_by_role("button", name="Edit One of each").click()
    expect(number).to_have_value("90")
    expect(page.get_by_role("switch", name="Loud")).not_to_be_checked()
    expect(page.get_by_role("checkbox", name="Cheese")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Olives")).to_be_checked()


def test_first_wrong_field_has_the_focus_wherever_it_is(ann: Person) -> None:
    page = ann.start("widgets")
    fill(page)
    page.locator("#plain-stay-start").fill("2026-12-24")
    page.locator("#plain-numbers").fill("1\nx")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#plain-stay-end-problem")).to_have_text("This is before the start.")
    expect(page.locator("#plain-numbers-problem")).to_have_text("Line 2: Enter a whole number.")
    expect(page.locator("#plain-secret-problem")).to_contain_text("Type this again")
    expect(page.locator("#plain-secret")).to_be_focused()


@pytest.mark.parametrize(("label", "typed"), [("Ratio", "12e"), ("When", "02302026")])
def test_what_is_half_typed_into_a_number_or_a_date_is_not_taken_for_nothing(
    ann: Person, label: str, typed: str
) -> None:
    page = ann.start("fields")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    field = page.get_by_label(label, exact=True)
    field.fill("")
    field.press_sequentially(typed)
    page.get_by_role("button", name="Continue").click()
    expect(field).to_be_focused()
    until(page, "document.activeElement.validity.badInput")
    assert sent == []


def test_secret_is_kept_and_nowhere_to_be_seen(ann: Person, server: Server) -> None:
    page = ann.start("widgets")
    fill(page)
    assert SECRET not in page.evaluate("JSON.stringify(sessionStorage)")
    send(page, "editors")
    page.get_by_role("button", name="Edit One of each").click()
    expect(page.get_by_label("API key")).to_have_attribute("placeholder", "Kept; type to replace")
    expect(page.get_by_label("API key")).to_have_value("")
    page.get_by_label("Your name").fill("Bob")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#step-plain")).to_contain_text(f"Bob: h{len(SECRET)}")
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history li").first).to_be_visible()
    assert SECRET not in page.content()
    assert SECRET not in server.log()


def test_optional_group_opens_with_its_switch_and_keeps_what_was_typed(ann: Person) -> None:
    page = at_editors(ann)
    send(page, "groups")
    for name, text in (("home-street", "Main"), ("home-code", "1234"), ("home-who-name", "Ada")):
        page.locator(f"#groups-{name}").fill(text)
    expect(page.locator("#groups-work-street")).to_be_hidden()
    page.locator("#groups-work").check()
    page.locator("#groups-work-street").fill("Side")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#groups-work-code-problem")).to_have_text("Please fill this in.")
    expect(page.locator("#groups-work-code")).to_be_focused()
    expect(page.locator("#groups-work-street")).to_have_value("Side")
    page.locator("#groups-work").uncheck()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-groups.done")).to_contain_text("Ada, 1234")


def test_every_field_works_without_a_script(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, java_script_enabled=False)
    page = somebody.start("widgets")
    fill(page)
    page.get_by_label("Share").fill("77")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Code").fill("x = 1\n\ty")
    page.get_by_label("Place").select_option("Place 4998")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-editors")).to_contain_text("Place 4998")
    expect(page.locator("#groups-work-street")).to_be_hidden()
    page.locator("#groups-work").check()
    for name in ("home", "work"):
        page.locator(f"#groups-{name}-street").fill("Main")
        page.locator(f"#groups-{name}-code").fill("1234")
        page.locator(f"#groups-{name}-who-name").fill("Ada")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#step-groups.done")).to_contain_text("1234; 1234")
    assert somebody.problems == []
    somebody.context.close()


def test_page_pays_only_for_the_widgets_it_shows(ann: Person) -> None:
    page = ann.page
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url.rpartition("/")[2].rpartition("-")[0]))
    ann.start("hello")
    page.wait_for_load_state("networkidle")
    assert {"fields", "code-editor"} & set(fetched) == set()
    ann.start("widgets")
    expect(page.get_by_role("slider")).to_be_visible()
    assert fetched.count("fields") == 2  # The script and the style.
    assert "code-editor" not in fetched
    fill(page)
    send(page, "editors")
    expect(page.locator(".cm-content")).to_be_visible()
    assert fetched.count("code-editor") == 2


def test_editors_are_legible_and_reachable_for_everybody(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, bypass_csp=True)
    page = somebody.start("widgets")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".problem").first).to_be_visible()
    assert findings(page) == []
    fill(page)
    send(page, "editors")
    expect(page.locator(".cm-content")).to_be_visible()
    place(page).click()
    assert findings(page) == []
    page.keyboard.press("Escape")
    send(page, "groups")
    page.locator("#groups-work").check()
    assert findings(page) == []
    somebody.context.close()
