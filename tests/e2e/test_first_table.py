"""The tutorial about tables is followed to the letter: its files, its keys, its commands."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.docs.pages import ROOT, blocks, typed
from tests.e2e.conftest import Person, person
from tests.support.server import Server

TUTORIAL = ROOT / "docs" / "tutorials" / "first-table.md"
FIRST, OVERDUE, STAYS, MORE, PROJECTS, WHOLE = blocks(TUTORIAL, "python")
CHORE = re.compile(r"class Chore\(BaseModel\):\n(?: +.*\n)+")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server whose reader has saved the first file."""
    (tmp_path / "plugins").mkdir()
    save(tmp_path, "010_chores.py", FIRST)
    with Server(tmp_path) as running:
        yield running


@pytest.fixture
def ann(browser: Browser, server: Server) -> Iterator[Person]:
    somebody = person(browser, server)
    yield somebody
    somebody.context.close()
    assert somebody.problems == []


def save(folder: Path, name: str, text: str) -> None:
    assert f"`plugins/{name}`" in TUTORIAL.read_text()
    (folder / "plugins" / name).write_text(text)


def saved(ann: Person, text: str) -> None:
    """Save the file of the chores, and reload the page where it says that the app was updated."""
    save(ann.server.folder, "010_chores.py", text)
    expect(ann.page.get_by_text("This app was updated.")).to_be_visible()
    with ann.page.expect_navigation():  # What is waited for next may be true of the old page already.
        ann.page.get_by_role("button", name="Reload").click()


def fit(ann: Person, said: str) -> None:
    """Type the command of the tutorial, and answer its question."""
    assert "pipulate records fit chores" in list(typed(TUTORIAL))
    command = [sys.executable, "-m", "pipulate", "records", "fit", "chores"]
    done = subprocess.run(command, cwd=ann.server.folder, input="y\n", capture_output=True, text=True, check=True)
    assert said in done.stdout


def opened(ann: Person, name: str) -> None:
    ann.page.goto(f"{ann.server.address}/{name}")
    expect(ann.page.locator("#records.is-live")).to_be_visible()


def cell(page: Page, title: str, field: str = "title") -> Locator:
    row = page.locator("#records-rows tr", has=page.locator("td.label", has_text=title))
    return row.locator(f"td[data-field={field}]")


def add(page: Page, *titles: str) -> None:
    page.keyboard.press("Control+Enter")
    for title in titles:
        page.keyboard.type(title)
        page.keyboard.press("Enter")
        expect(page.locator("td.label", has_text=title)).to_be_visible()
        expect(page.locator("#add-row input[type=text]").first).to_have_value("")


def delete(page: Page, at: Locator) -> None:
    """Go to a cell, and press Delete there."""
    at.click()
    expect(page.locator(".cell-editor")).to_be_visible()
    page.keyboard.press("Escape")
    expect(at).to_be_focused()
    page.keyboard.press("Delete")


def shows(page: Page, *titles: str) -> None:
    expect(page.locator("#records-rows td.label")).to_have_text(list(titles))


def test_tutorial_is_worked_through_with_the_keys_it_names(ann: Person) -> None:
    page, press = ann.page, ann.page.keyboard.press
    opened(ann, "chores")
    add(page, "Water the plants", "Call Ada", "Buy milk")
    press("Escape")
    expect(cell(page, "Buy milk")).to_be_focused()
    press("ArrowUp")
    press("F2")
    expect(page.locator(".cell-editor input[name=title]")).to_be_focused()
    page.keyboard.type("Call Bob")
    press("Escape")
    expect(cell(page, "Call Ada")).to_be_focused()
    press("Enter")
    expect(page.locator(".cell-editor input[name=title]")).to_be_focused()
    page.keyboard.type("Call Ada back")
    press("Tab")
    expect(page.locator(".cell-editor input[name=due]")).to_be_focused()
    page.keyboard.type("11302026")
    press("Enter")
    expect(cell(page, "Call Ada back", "due")).to_have_text("2026-11-30")
    expect(cell(page, "Buy milk", "due")).to_be_focused()
    press("Space")
    expect(cell(page, "Buy milk", "done").get_by_role("checkbox")).to_be_checked()
    press("Space")
    expect(cell(page, "Buy milk", "done").get_by_role("checkbox")).not_to_be_checked()
    press("Alt+ArrowUp")
    shows(page, "Water the plants", "Buy milk", "Call Ada back")
    press("Delete")
    shows(page, "Water the plants", "Call Ada back")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    press("Control+z")
    shows(page, "Water the plants", "Buy milk", "Call Ada back")

    cell(page, "Buy milk", "done").get_by_role("checkbox").click()
    page.get_by_role("button", name="Filter").click()
    page.locator("select[name='f.done.is']").select_option("No")
    shows(page, "Water the plants", "Call Ada back")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="Due", exact=True).click()
    shows(page, "Call Ada back", "Water the plants")
    assert page.url.endswith("/chores?f.done.is=off&sort=due")
    assert "`/chores?f.done.is=off&sort=due`" in TUTORIAL.read_text()


def test_tutorial_lets_the_table_grow_as_it_says(ann: Person) -> None:
    page = ann.page
    opened(ann, "chores")
    add(page, "Water the plants")
    saved(ann, f"{FIRST}\n\n{OVERDUE}")
    expect(page.locator("th", has_text="Overdue")).to_be_visible()
    expect(page.locator("#records.is-live")).to_be_visible()
    cell(page, "Water the plants", "due").click()
    expect(page.locator(".cell-editor input[name=due]")).to_be_focused()
    page.keyboard.type("01012020")
    page.keyboard.press("Enter")
    expect(page.locator("td.computed")).to_contain_text("days")

    saved(ann, f"{FIRST}\n\n{OVERDUE}\n\n{STAYS}")
    expect(page.locator("#records.is-live")).to_be_visible()
    delete(page, cell(page, "Water the plants"))
    expect(page.get_by_text("This is not done yet. Tick it before you delete it.").first).to_be_visible()
    shows(page, "Water the plants")

    saved(ann, CHORE.sub(MORE, f"{FIRST}\n\n{OVERDUE}\n\n{STAYS}"))
    expect(page.get_by_role("heading", name="Chores waits for a decision")).to_be_visible()
    assert "*Chores waits for a decision*" in TUTORIAL.read_text()
    fit(ann, "'hours' comes.")
    page.reload()
    expect(page.locator("th", has_text="Hours")).to_be_visible()
    shows(page, "Water the plants")


def test_tutorial_leads_from_tasks_to_projects_and_back(ann: Person) -> None:
    page, folder = ann.page, ann.server.folder
    opened(ann, "chores")
    add(page, "Water the plants")
    save(folder, "020_projects.py", PROJECTS)
    saved(ann, WHOLE)
    fit(ann, "'project' comes.")
    opened(ann, "projects")
    add(page, "Garden")
    page.keyboard.type("Garden")
    page.keyboard.press("Enter")
    expect(page.locator("#add-row .problem")).to_have_text("There is a record with this name already.")

    opened(ann, "chores")
    page.locator("td[data-field=project]").click()
    expect(page.locator(".cell-editor [role=combobox]")).to_be_focused()
    page.keyboard.type("ga")
    expect(page.locator(".cell-editor [role=option]")).to_have_text(["Garden"])
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.locator("td[data-field=project]").get_by_role("link")).to_have_text("Garden")

    other = ann.tab()
    other.goto(f"{ann.server.address}/projects")
    expect(other.locator("#records.is-live")).to_be_visible()
    delete(other, cell(other, "Garden", "name"))
    expect(page.locator("td[data-field=project]")).to_have_text("")
    other.get_by_role("button", name="Undo").click()
    expect(page.locator("td[data-field=project]")).to_have_text("Garden")
