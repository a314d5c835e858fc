"""A report in a browser: the slider narrows table, figure and downloads alike, in this tab alone; a plan is made."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from pipulate.app import IN_BOX
from tests.e2e.conftest import Person, person, until
from tests.support.customers import add_customer, add_some, write_apps
from tests.support.server import Server
from tests.support.site import running

PAGE = "customer_tasks"
NASTY = "<img src=x onerror=alert(1)>"


async def _fill(folder: Path) -> None:
    async with running(folder, in_box=IN_BOX) as application:
        await add_some(application)
        await add_customer(application, NASTY, [{"title": NASTY, "priority": 5, "due": "2026-12-09"}])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with customers and their tasks."""
    folder = tmp_path_factory.mktemp("reports")
    write_apps(folder / "plugins", folder / "box")
    with ThreadPoolExecutor(1) as elsewhere:  # Playwright has a loop of its own in this thread.
        elsewhere.submit(asyncio.run, _fill(folder)).result()
    with Server(folder, env={"PIPULATE_IMPORT_LIMIT_S": "120"}) as found:
        yield found


def opened(page: Page, server: Server, query: str = "") -> Frame:
    """Open the report; return the frame once its figure is drawn."""
    page.goto(f"{server.address}/{PAGE}{query}")
    page.wait_for_selector("#report-figure[data-drawn]", state="attached", timeout=60_000)
    return next(each for each in page.frames if each.url.endswith("/-/frame"))


def drawn_tasks(frame: Frame) -> list[str]:
    """Return the tasks in what is drawn."""
    until(frame, "window.Bokeh && Bokeh.documents.length === 1")
    tasks: list[str] = frame.evaluate(
        "[...Bokeh.documents[0].roots()[0].references()].find((each) => each.type === 'ColumnDataSource').data.task"
    )
    return tasks


def count_of(page: Page) -> str:
    return page.locator("#report-count").inner_text()


def csv_tasks(page: Page) -> list[str]:
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV", exact=True).click()
    return [row["Task"] for row in csv.DictReader(io.StringIO(got.value.path().read_text()))]


def xlsx_rows(page: Page) -> int:
    with page.expect_download() as got:
        page.get_by_role("link", name="XLSX").click()
    with zipfile.ZipFile(got.value.path()) as book:
        return book.read("xl/worksheets/sheet1.xml").decode().count("<row ") - 1


def test_slider_at_three_equals_the_csv(ann: Person, server: Server) -> None:
    page = ann.page
    frame = opened(page, server)
    assert count_of(page) == "8 rows"
    upper = page.get_by_role("slider", name="Priority to")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url) if f"/{PAGE}?" in request.url else None)
    upper.focus()
    upper.press("ArrowLeft")
    upper.press("ArrowLeft")
    expect(page.locator("#report-count")).to_have_text("4 rows, priority 1 to 3. Show all")
    assert len(requests) == 1  # One for where it came to rest.
    tasks = ["Task 1", "Task 2", "Task 3", "=HYPERLINK(1)"]
    until(frame, "Bokeh.documents.length === 1")
    assert drawn_tasks(frame) == tasks
    assert [task.removeprefix("'") for task in csv_tasks(page)] == tasks
    assert xlsx_rows(page) == len(tasks)
    assert page.url.endswith("?priority=1&priority=3")
    assert page.get_by_label("to", exact=True).input_value() == "3"


def test_second_tab_has_its_own_filter_and_back_goes_back(ann: Person, server: Server) -> None:
    page, other = ann.page, ann.tab()
    opened(page, server, "?priority=1&priority=1")
    opened(other, server)
    assert (count_of(page), count_of(other)) == ("1 row, priority 1. Show all", "8 rows")
    other.get_by_label("from", exact=True).fill("5")
    expect(other.locator("#report-count")).to_have_text("2 rows, priority 5. Show all")
    assert count_of(page) == "1 row, priority 1. Show all"
    other.go_back()
    expect(other.locator("#report-count")).to_have_text("8 rows")
    assert other.get_by_label("from", exact=True).input_value() == "1"
    assert other.get_by_role("slider", name="Priority from").input_value() == "1"


def test_handles_do_not_pass_each_other(ann: Person, server: Server) -> None:
    page = ann.page
    opened(page, server, "?priority=3&priority=3")
    lower = page.get_by_role("slider", name="Priority from")
    lower.focus()
    lower.press("ArrowRight")
    assert page.get_by_label("from", exact=True).input_value() == "3"
    upper = page.get_by_role("slider", name="Priority to")
    upper.focus()
    upper.press("ArrowLeft")
    assert page.get_by_label("to", exact=True).input_value() == "3"


def test_each_new_drawing_lets_go_of_the_last_one(ann: Person, server: Server) -> None:
    page = ann.page
    frame = opened(page, server)
    for number in (4, 3, 2, 1):
        page.get_by_label("to", exact=True).fill(str(number))
        expect(page.locator("#report-count")).to_contain_text("priority 1")
        until(page, f"location.search.endsWith('priority={number}')")
    until(frame, "Bokeh.documents.length === 1 && document.querySelectorAll('.bk-Column').length === 1")
    assert drawn_tasks(frame) == ["Task 1"]


def test_rows_chosen_in_the_figure_are_chosen_in_the_table(ann: Person, server: Server) -> None:
    frame = opened(ann.page, server)
    frame.evaluate(
        "[...Bokeh.documents[0].roots()[0].references()].find((each) => each.type === 'ColumnDataSource')"
        ".selected.indices = [1]"
    )
    chosen = frame.locator(".slick-row .slick-cell.selected").first
    expect(chosen).to_be_visible()
    expect(frame.locator(".slick-row:has(.selected)").first).to_contain_text("Task 2")
    frame.locator(".slick-header-column", has_text="Task").click()
    expect(frame.locator(".slick-row").first).to_contain_text(NASTY)


def sort_by(frame: Frame, name: str, *, also: bool = False) -> None:
    frame.locator(".slick-header-column", has_text=name).click(modifiers=["Shift"] if also else [])


def drawn_rows(frame: Frame) -> list[list[str]]:
    """Return the cells of the drawn table as they stand, from the top."""
    rows: list[list[str]] = frame.evaluate(
        """() => {
            const within = (root) => [...root.querySelectorAll("*")].flatMap((each) => each.shadowRoot
                ? [...each.shadowRoot.querySelectorAll(".slick-row"), ...within(each.shadowRoot)] : []);
            const top = (row) => parseFloat(row.style.top);
            return within(document).sort((one, two) => top(one) - top(two))
                .map((row) => [...row.querySelectorAll(".slick-cell")].map((each) => each.innerText.trim()));
        }"""
    )
    return rows


def csv_rows(page: Page) -> list[list[str]]:
    """Return the rows of the CSV file, from the top; the sign before what would be a formula is taken away."""
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV", exact=True).click()
    rows = list(csv.reader(io.StringIO(got.value.path().read_text())))[1:]
    return [[cell.removeprefix("'") for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("clicks", "sort"),
    [
        (["Due", "Due"], "-3"),  # Some have none.
        (["Task", "State"], "4"),  # What is the same in both keeps the order of the report, not that of the last sort.
        (["State", "+Priority", "+Priority"], "4,-2"),
    ],
)
def test_downloads_follow_the_order_that_was_clicked(ann: Person, server: Server, clicks: list[str], sort: str) -> None:
    page = ann.page
    frame = opened(page, server)
    before = drawn_rows(frame)
    assert before == csv_rows(page)
    for each in clicks:
        sort_by(frame, each.removeprefix("+"), also=each.startswith("+"))
    expect(page.get_by_role("link", name="CSV", exact=True)).to_have_attribute(
        "href", f"/-/reports/customer_tasks/rows.csv?sort={sort.replace(',', '%2C')}"
    )
    after = drawn_rows(frame)
    assert after == csv_rows(page)
    assert (after != before, sorted(after)) == (True, sorted(before))
    expect(page.get_by_role("link", name="XLSX")).to_have_attribute("href", re.compile(r"rows\.xlsx\?sort="))


def test_other_filters_begin_in_the_order_of_the_report_again(ann: Person, server: Server) -> None:
    page = ann.page
    frame = opened(page, server)
    sort_by(frame, "Task")
    link = page.get_by_role("link", name="CSV", exact=True)
    expect(link).to_have_attribute("href", re.compile("sort=1"))
    page.get_by_label("to", exact=True).fill("3")
    expect(page.locator("#report-count")).to_contain_text("priority 1 to 3")
    until(frame, "Bokeh.documents.length === 1")
    expect(link).not_to_have_attribute("href", re.compile("sort="))
    sort_by(frame, "Task")
    expect(link).to_have_attribute("href", re.compile(r"priority=3&sort=1$"))


def test_text_of_people_runs_nowhere(ann: Person, server: Server) -> None:
    frame = opened(ann.page, server, "?priority=5&priority=5")
    expect(frame.locator(".slick-row", has_text=NASTY).first).to_be_visible()
    assert frame.locator("img[src=x]").count() == 0
    assert ann.page.locator("img[src=x]").count() == 0


def test_without_a_script_the_form_and_the_plain_table_do(browser: Browser, server: Server) -> None:
    somebody = person(browser, server, java_script_enabled=False)
    page = somebody.page
    page.goto(f"{server.address}/{PAGE}")
    page.get_by_label("to", exact=True).fill("3")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#report-count")).to_have_text("4 rows, priority 1 to 3. Show all")
    assert page.locator("#report-figure tbody tr").count() == 4
    somebody.context.close()


def test_filters_that_find_nothing_and_wrong_ones_leave_the_page_whole(ann: Person, server: Server) -> None:
    page = ann.page
    opened(page, server, "?priority=2&priority=2")
    page.get_by_label("Open tasks only").check()
    expect(page.get_by_text("No row fits these filters.")).to_be_visible()
    page.get_by_label("Open tasks only").uncheck()
    expect(page.locator("#report-figure[data-drawn]")).to_be_attached(timeout=60_000)
    page.get_by_label("from", exact=True).fill("4")
    expect(page.get_by_text("Nothing is shown until the filters are right.")).to_be_visible()
    page.get_by_label("from", exact=True).fill("1")
    expect(page.locator("#report-count")).to_have_text("2 rows, priority 1 to 2. Show all")


def test_plan_is_made_shown_deleted_and_put_back(ann: Person, server: Server) -> None:
    page = ann.page
    opened(page, server)
    page.get_by_role("button", name="Generate project plan for Acme").click()
    link = page.get_by_role("link", name="Project plan Acme.pdf", exact=True)
    expect(link.first).to_be_visible(timeout=60_000)
    with page.expect_download() as got:
        page.get_by_role("link", name="Download Project plan Acme.pdf").first.click()
    assert got.value.path().read_bytes().startswith(b"%PDF-")
    page.get_by_role("button", name="Delete Project plan Acme.pdf").click()
    expect(link).to_have_count(0)
    page.get_by_role("button", name="Undo Project plan Acme.pdf").click()
    expect(link.first).to_be_visible()
