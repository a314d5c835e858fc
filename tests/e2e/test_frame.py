"""What is around the work: search, menus, panel, apps that change while they are open."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Dialog, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.support.server import Server

APP = '''"""An app that is changed while it is open."""
from pipulate import Workflow

shifting = Workflow("shifting", title="{title}")


@shifting.step("one", title="{title} asks")
def one(answer: str) -> str:
    return answer
'''


def test_open_page_is_told_that_its_app_was_updated(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    file = tmp_path / "plugins" / "010_shifting.py"
    file.write_text(APP.format(title="Before"))
    with Server(tmp_path) as running:
        somebody = person(browser, running)
        page = somebody.start("shifting")
        page.get_by_label("Answer").fill("kept")
        file.write_text(APP.format(title="After"))
        expect(page.get_by_text("This app was updated.")).to_be_visible()
        expect(page.get_by_label("Answer")).to_have_value("kept")
        page.get_by_role("button", name="Reload").click()
        expect(page.locator("h2").first).to_have_text("After asks")
        expect(page.get_by_label("Answer")).to_have_value("kept")
        file.write_text("this is no Python")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#step-one.done")).to_contain_text("kept")
        page.goto(f"{running.address}/-/plugins")
        expect(page.locator("main")).to_contain_text("010_shifting.py:1")
        expect(page.locator("main")).to_contain_text("the version before is still in use")
        somebody.context.close()


def test_search_finds_a_run_by_a_part_of_its_key(ann: Person) -> None:
    page = ann.page
    page.goto(f"{ann.server.address}/hello")
    page.get_by_role("textbox", name="Key").fill("Überprüfung Süd 2026")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/hello/*")
    page.keyboard.press("Control+k")
    page.keyboard.type("prüfung sü")
    page.get_by_role("link", name="Überprüfung Süd 2026").click()
    expect(page.locator("h1")).to_have_text("Überprüfung Süd 2026")


def test_list_of_an_app_is_searched_as_one_types(ann: Person) -> None:
    page = ann.page
    for key in ("north", "south"):
        page.goto(f"{ann.server.address}/text_check")
        page.get_by_role("textbox", name="Key").fill(key)
        page.get_by_role("button", name="Start").click()
        page.wait_for_url(f"**/{key}")
    page.goto(f"{ann.server.address}/text_check")
    page.get_by_role("searchbox", name="Find a key").fill("sou")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    page.get_by_role("searchbox", name="Find a key").fill("nowhere")
    expect(page.locator("#runs")).to_contain_text("No key contains")


def test_assistant_is_hidden_and_stays_hidden(ann: Person) -> None:
    page = ann.start("hello")
    with page.expect_response(lambda answer: answer.url.endswith("/-/look")):
        page.keyboard.press("Control+j")
    expect(page.locator("#assistant")).to_be_hidden()
    page.reload()
    expect(page.locator("#assistant")).to_be_hidden()
    with page.expect_response(lambda answer: answer.url.endswith("/-/look")):
        page.keyboard.press("Control+j")
    expect(page.locator("#assistant")).to_be_visible()


def test_assistant_is_made_wider_with_the_keyboard_and_stays_so(ann: Person) -> None:
    page = ann.start("hello")
    handle = page.get_by_role("separator", name="Width of the assistant")
    before = page.locator("#assistant").bounding_box()
    handle.press("ArrowLeft")
    handle.press("ArrowLeft")
    page.reload()
    after = page.locator("#assistant").bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] == before["width"] + 40


def test_long_result_is_folded_until_it_is_asked_for(ann: Person) -> None:
    page = ann.start("fields")
    page.get_by_label("Name", exact=True).fill("Ada")
    page.get_by_role("textbox", name="Text").fill("words")
    page.get_by_role("button", name="Continue").click()
    show = page.locator("#step-all").get_by_role("button", name="Show all")
    expect(show).to_have_attribute("aria-expanded", "false")
    show.click()
    less = page.locator("#step-all").get_by_role("button", name="Show less")
    expect(less).to_be_visible()
    other = ann.tab()
    other.goto(page.url)
    other.locator("#step-more").get_by_role("button", name="Continue").click()
    expect(page.locator("#step-more")).to_contain_text("No")
    expect(less).to_have_attribute("aria-expanded", "true")  # A change elsewhere folds nothing together.
    less.click()
    expect(show).to_be_visible()


def test_who_walks_through_what_was_found_stays_there_when_more_is_found(ann: Person) -> None:
    page = ann.page
    page.goto(ann.server.address)
    page.keyboard.press("Control+k")
    page.keyboard.type("hel")
    expect(page.locator("#hits li").first).to_contain_text("Hello")
    held = Held(page, "**/-/search*hello")
    page.keyboard.type("lo")
    held.wait()
    page.keyboard.press("ArrowDown")
    held.arrives()
    expect(page.locator("#hits a").first).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/hello")


def test_profile_keeps_its_runs_to_itself(ann: Person) -> None:
    page = ann.page
    page.goto(f"{ann.server.address}/-/records/profiles/new")
    page.get_by_role("textbox", name="Name", exact=True).fill("Müller & Söhne <b>")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("main table")).to_contain_text("Müller & Söhne <b>")
    page.locator(".bar-top summary", has_text="Default Profile").click()
    page.get_by_role("button", name="Müller & Söhne <b>").click()
    expect(page.locator(".bar-top")).to_contain_text("Müller & Söhne <b>")
    page.goto(f"{ann.server.address}/hello")
    page.get_by_role("textbox", name="Key").fill("Theirs alone")
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".crumbs")).to_contain_text("Müller & Söhne <b>")
    page.goto(f"{ann.server.address}/hello")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    expect(page.locator("table.runs")).to_contain_text("Theirs alone")
    page.locator(".bar-top summary", has_text="Müller & Söhne <b>").click()
    page.get_by_role("button", name="Default Profile").click()
    expect(page.locator(".bar-top")).to_contain_text("Default Profile")
    page.goto(f"{ann.server.address}/hello")
    expect(page.get_by_role("button", name="Start")).to_be_visible()
    expect(page.get_by_text("Theirs alone")).to_have_count(0)


def test_erased_run_is_gone_for_good(ann: Person) -> None:
    page = ann.start("hello")
    address = page.url
    page.get_by_label("More actions for this run").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".bar.notice")).to_contain_text("Deleted")
    page.get_by_role("link", name="Bin", exact=True).last.click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Erase for good").first.click()
    page.wait_for_load_state()
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == 404


def test_run_is_not_erased_when_the_question_is_answered_with_no(ann: Person) -> None:
    page = ann.page
    page.goto(f"{ann.server.address}/hello")
    page.get_by_role("textbox", name="Key").fill("not to be erased")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/hello/*")
    page.get_by_label("More actions for this run").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".bar.notice")).to_contain_text("Deleted")
    page.goto(f"{ann.server.address}/-/bin")
    asked: list[str] = []

    def no(question: Dialog) -> None:
        asked.append(question.message)
        question.dismiss()

    page.on("dialog", no)
    page.get_by_role("button", name="Erase for good not to be erased").click()
    assert len(asked) == 1
    page.goto(f"{ann.server.address}/-/bin")
    expect(page.get_by_role("button", name="Take back not to be erased")).to_be_visible()


def test_menu_closes_with_escape_and_with_a_click_beside_it(ann: Person) -> None:
    page = ann.start("hello")
    menu, summary = page.locator(".run-actions .menu-body"), page.get_by_label("More actions for this run")
    summary.click()
    expect(menu).to_be_visible()
    page.get_by_label("New key").press("Escape")
    expect(menu).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    expect(menu).to_be_visible()
    page.locator("h2").first.click()
    expect(menu).to_be_hidden()


def test_menu_of_apps_is_filtered_as_one_types(ann: Person) -> None:
    page = ann.start("hello")
    page.locator(".bar-top summary", has_text="Hello").click()
    page.get_by_role("searchbox", name="Filter apps").fill("ALL f")
    expect(page.locator("#apps-list li:visible")).to_have_text(["All fields"])
    page.keyboard.press("ArrowDown")
    expect(page.locator("#apps-list").get_by_role("link", name="All fields")).to_be_focused()
