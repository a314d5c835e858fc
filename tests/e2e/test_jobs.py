"""The jobs page with ten thousand jobs in the store: it is quick, follows by itself, and what it offers works."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipulate._clock import to_text
from pipulate.storage import jobs
from pipulate.storage.folder import Layout
from pipulate.storage.migrate import migrate_sqlite
from pipulate.storage.sqlite import SqliteDatabase
from tests.e2e.conftest import Person, person
from tests.e2e.test_access import findings
from tests.support.jobs import a_row, put
from tests.support.server import Server

MANY = 10_000
PLUGIN = """
from pipulate import Job, Progress, Run, Workflow

app = Workflow("crawl", title="Crawl")


@app.step("site", title="Site")
def site(url: str = "example.com") -> str:
    return url


@app.step("pages", title="Pages", background=True)
async def pages(run: Run, job: Job, progress: Progress) -> list[str]:
    progress.total(2_000)
    progress.partial(["first page"])
    for number in range(2_000):
        progress.advance(1, f"page {number}")
        progress.log(f"got page {number}")
        await job.wait(0.05)
    return []
"""


def fill(layout: Layout) -> None:
    """Store ten thousand jobs that are done, a second apart, and one of each other kind."""
    layout.make()
    migrate_sqlite(layout.database)
    now = datetime.now(UTC)

    def at(seconds: int) -> str:
        return to_text(now - timedelta(seconds=seconds))

    done = [
        a_row(id=f"{number:032x}", status=jobs.DONE, asked_at=at(number + 90), started_at=at(number + 80),
              ended_at=at(number + 60), profile="default")
        for number in range(MANY)
    ]  # fmt: skip
    trace = 'Traceback (most recent call last):\n  File "crawl.py", line 7\nOSError: no answer from the host'
    failed = a_row(
        id="f" * 32, title="Crawl: Everything", status=jobs.FAILED, reason="The app made an error in this step.",
        trace=trace, error_id="1a2b3c4d", asked_at=at(50), started_at=at(49), ended_at=at(40), attempt=3, retries=2,
    )  # fmt: skip
    parked = a_row(id="e" * 32, title="Audit: Report", app="audit", status=jobs.PARKED, asked_at=at(30),
                   reason="The app audit is not installed.",
                   )  # fmt: skip
    db = SqliteDatabase(layout.database)
    try:
        db.write_now(put, *done, failed, parked)
    finally:
        db.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("jobs")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "crawl.py").write_text(PLUGIN)
    fill(Layout(folder / "data"))
    with Server(folder) as running:
        yield running


@pytest.fixture
def ann(browser: Browser, filled: Server) -> Iterator[Person]:
    somebody = person(browser, filled)
    yield somebody
    somebody.context.close()
    assert somebody.problems == []


def opened(ann: Person, path: str) -> Page:
    page = ann.tab()
    page.goto(ann.server.address + path)
    return page


def test_running_job_is_followed_in_three_tabs_and_cancelled_in_one(ann: Person) -> None:
    lists, failed = opened(ann, "/-/jobs"), opened(ann, "/-/jobs?status=failed")
    expect(lists.get_by_role("link", name="Done 10,000")).to_be_visible()
    # For a person, until another test cancels it.
    waiting = int(lists.locator("#jobs-link .number").text_content() or 0)
    cancelled = failed.get_by_role("link", name="Cancelled", exact=False).text_content() or ""
    run = ann.start("crawl")
    run.get_by_role("button", name="Continue").click()
    row = lists.get_by_role("row", name=re.compile("Crawl: Pages.*Running"))
    expect(row).to_contain_text("of 2,000")
    expect(failed.locator("#jobs-link .number")).to_have_text(str(waiting + 1))
    before = row.text_content() or ""
    expect(row).not_to_have_text(before)
    row.get_by_role("link", name="Details").click()
    expect(lists.locator(".job-log li").first).to_contain_text("got page 0")
    seen = lists.locator(".job-log li").count()
    expect(lists.locator(".job-log li").nth(seen + 5)).to_be_visible()
    expect(lists.locator("#job")).to_contain_text("first page")
    lists.get_by_role("button", name="Cancel").click()
    expect(lists.locator("#job")).to_contain_text("Cancelled")
    expect(failed.locator("#jobs-link .number")).to_have_text(str(waiting))
    expect(failed.get_by_role("link", name="Cancelled", exact=False)).not_to_have_text(cancelled)
    expect(run.get_by_text("Stopped.")).to_be_visible()
    lists.get_by_role("button", name="Try again").click()
    expect(lists.locator("#job")).to_contain_text("Running")
    lists.get_by_role("button", name="Cancel").click()
    expect(lists.locator("#job")).to_contain_text("Cancelled")


def test_list_is_paged_filtered_and_worked_with_by_keyboard_alone(ann: Person) -> None:
    page = opened(ann, "/-/jobs")
    page.get_by_role("link", name="Failed 1").press("Enter")
    page.wait_for_url("**/-/jobs?status=failed")
    expect(page.locator("table.jobs tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Done 10,000").press("Enter")
    expect(page.locator("table.jobs tbody tr")).to_have_count(50)
    page.get_by_role("link", name="Older jobs").press("Enter")
    expect(page.get_by_role("link", name="Newest jobs")).to_be_visible()
    expect(page.locator(f"#row-{50:032x}")).to_be_visible()
    page.get_by_label("App", exact=True).select_option("audit")
    page.wait_for_url("**app=audit**")
    expect(page.locator("#jobs")).to_contain_text("of this app")
    page.goto(f"{ann.server.address}/-/jobs?status=parked")
    page.get_by_role("button", name="Go on").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("Cancelled.")
    expect(page.locator("#jobs")).to_contain_text("Nothing waits for you.")
    assert page.evaluate("document.activeElement.closest('#jobs') !== null")  # Not thrown back to the top.


def test_axe_finds_nothing_serious_on_the_pages_of_jobs(browser: Browser, filled: Server) -> None:
    looker = person(browser, filled, bypass_csp=True)
    page, run = looker.page, looker.start("crawl", looker.tab())
    run.get_by_role("button", name="Continue").click()
    page.goto(f"{filled.address}/-/jobs?status=failed")
    assert findings(page) == [], "list"
    page.goto(f"{filled.address}/-/jobs/{'f' * 32}")
    assert findings(page) == [], "one that failed"
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(f"{filled.address}/-/jobs?status=running")
    expect(page.locator("progress")).to_be_visible()
    assert findings(page) == [], "small and dark"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("link", name="Details").first.click()
    expect(page.locator(".job-log li").first).to_be_visible()
    assert findings(page) == [], "one at work"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#job")).to_contain_text("Cancelled")
    looker.context.close()
