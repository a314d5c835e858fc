"""Reports over HTTP: filters in the address, what is shown, downloads of the same, and files made as jobs."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from pipulate._clock import from_text, to_text
from pipulate._program import installing
from pipulate.storage import jobs, report_files
from pipulate.storage.jobs import JobRow
from pipulate.storage.report_files import ReportFile
from tests.support.customers import add_customer, add_some, write_apps
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

PAGE = "/customer_tasks"
MADE = "/-/reports/customer_tasks"
OWN = """
import os
import sys
from pathlib import Path
from pipulate import Job, Report, Tables

report = Report("own", title="Own <b>", empty="Nothing here. [Add](/x)")

@report.table
def rows(tables: Tables, mode: str = "") -> list:
    if mode == "raises":
        raise KeyError("secret detail")
    if mode == "lacks":
        import bokeh_that_is_not_there
    if mode == "unknown":
        return list(tables["nothing"])
    if mode == "number":
        return 7
    return [{"name": "<i>x</i>", "n": 1}] if mode else []

@report.figure
def plot(source):
    raise ValueError("no figure")

@report.make("note")
def note(job: Job) -> Path:
    folder = Path(os.environ["PIPULATE_TEST_FOLDER"])
    if (folder / "fail").exists():
        raise RuntimeError("secret detail")
    while (folder / "hold").exists():
        job.wait_now(0.05)
    (folder / "a note.txt").write_text("kept")
    return folder / "a note.txt"

@report.make("wrong")
def wrong() -> Path:
    return 7

@report.make("lacking")
def lacking() -> Path:
    import typst_that_is_not_there
"""


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until something is so; fail where it never is."""
    end = asyncio.get_running_loop().time() + seconds
    while not await condition():
        assert asyncio.get_running_loop().time() < end, "it did not come to that"
        await asyncio.sleep(0)


class World:
    """An application with the report of the box and one of a test."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser, self.folder, self.application = browser, folder, browser.application
        self.reports = browser.application.site.reports

    async def made(self, report: str = "customer_tasks") -> list[ReportFile]:
        return await self.application.site.db.read(report_files.listed, report, "owner")

    async def make(self, maker: str, subject: Any = "", report: str = "own") -> JobRow:
        """Ask for a file, and return the job once it has ended."""
        asked = await self.browser.post(f"/-/reports/{report}/make/{maker}", {"for": subject}, htmx=True)
        assert asked.status == 204, asked.text
        found: list[JobRow] = []

        async def has_ended() -> bool:
            found[:] = await self.jobs(report)
            return bool(found) and not found[0].is_open

        await eventually(has_ended)
        return found[0]

    async def jobs(self, report: str = "own") -> list[JobRow]:
        return await self.application.site.db.read(jobs.listed, "owner", app=report)

    async def part(self, report: str = "customer_tasks") -> str:
        return (await self.browser.get(f"/-/reports/{report}/made", htmx=True)).text


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("PIPULATE_TEST_FOLDER", str(tmp_path))
    write_apps(tmp_path / "plugins", tmp_path / "box")
    (tmp_path / "plugins" / "030_own.py").write_text(OWN)
    async with running(tmp_path, in_box=tmp_path / "box") as application:
        yield World(Browser(application), tmp_path)


def rows_of(page: Answer) -> list[list[str]]:
    """Return the cells of the plain table of a page."""
    shown = re.search(r"<tbody>(.*?)</tbody>", page.text, re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", shown[1], re.DOTALL) if shown else []
    return [[unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def csv_rows(answer: Answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.body.decode("utf-8-sig"))))


def xlsx_cells(answer: Answer) -> list[str]:
    """Return the texts of the cells of a sheet, row by row; there must be no formula in it."""
    with zipfile.ZipFile(io.BytesIO(answer.body)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
        names = [name for name in book.namelist() if "sharedStrings" in name]
        shared = [re.sub("<[^>]+>", "", each) for name in names
                  for each in re.findall(r"<si>(.*?)</si>", book.read(name).decode())]  # fmt: skip
    assert "<f>" not in sheet
    found = []
    for kind, content in re.findall(r'<c r="[A-Z]+[0-9]+"(.*?)>(.*?)</c>', sheet):
        text = re.sub("<[^>]+>", "", content)
        found.append(unescape(shared[int(text)] if 't="s"' in kind else text))
    return found


def drawing_of(page: Answer) -> Any:
    found = re.search(r'<script type="application/json">(.*?)</script>', page.text, re.DOTALL)
    return json.loads(found[1]) if found else None


# What is shown


async def test_page_shows_active_customers_with_their_tasks(world: World) -> None:
    await add_some(world.application)
    page = await world.browser.get(PAGE)
    assert page.status == 200
    found = rows_of(page)
    assert [row[:3] for row in found[:3]] == [["Acme", "Task 1", "1"], ["Acme", "Task 2", "2"], ["Acme", "Task 3", "3"]]
    assert found[-1] == ["New", "-", "-", "-", "no tasks"]
    assert found[1][-1] == "done"
    assert "Gone" not in {row[0] for row in found}
    assert 'project plan<span class="visually-hidden"> for Gone' not in page.text
    assert 'href="/customer_tasks"' in (await world.browser.get("/")).text


async def test_page_table_csv_and_xlsx_show_the_same_rows(world: World) -> None:
    await add_some(world.application)
    query = "?priority=1&priority=3"
    page, file = await world.browser.get(PAGE + query), await world.browser.get(f"{MADE}/rows.csv{query}")
    sheet = await world.browser.get(f"{MADE}/rows.xlsx{query}")
    shown = [["" if cell == "-" else cell for cell in row] for row in rows_of(page)]
    head, *rows = csv_rows(file)
    assert head == ["Customer", "Task", "Priority", "Due", "State"]
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == shown
    assert {row[2] for row in shown} == {"1", "2", "3"}
    cells = xlsx_cells(sheet)
    assert cells[:5] == head
    assert [row[1] for row in shown] == [cell for cell in cells[5:] if cell.startswith(("Task", "="))]
    assert file.headers["content-disposition"].startswith('attachment; filename="customer_tasks_report.csv"')
    assert "4 rows, priority 1 to 3" in page.text


async def test_text_like_a_formula_is_text_in_every_download(world: World) -> None:
    await add_some(world.application)
    file, sheet = await world.browser.get(f"{MADE}/rows.csv"), await world.browser.get(f"{MADE}/rows.xlsx")
    assert "'=HYPERLINK(1)" in file.text
    assert "=HYPERLINK(1)" in xlsx_cells(sheet)
    excel = await world.browser.get(f"{MADE}/rows.csv?bom=1")
    assert excel.body.startswith("\ufeff".encode())


async def test_filter_of_one_tab_is_nothing_to_another(world: World) -> None:
    await add_some(world.application)
    await world.browser.get(f"{PAGE}?priority=1&priority=1", htmx=True)
    other = Browser(world.application, "tab-2")
    assert len(rows_of(await other.get(PAGE))) == 7
    assert len(rows_of(await world.browser.get(f"{PAGE}?priority=1&priority=1"))) == 1


async def test_open_tasks_only_and_priority_narrow_together(world: World) -> None:
    await add_some(world.application)
    page = await world.browser.get(f"{PAGE}?priority=1&priority=2&only_open=on")
    assert [row[1] for row in rows_of(page)] == ["Task 1"]
    assert csv_rows(await world.browser.get(f"{MADE}/rows.csv?priority=1&priority=2&only_open=on"))[1][1] == "Task 1"


async def test_script_gets_what_is_shown_alone(world: World) -> None:
    await add_some(world.application)
    part = await world.browser.get(f"{PAGE}?priority=3&priority=3", htmx=True)
    assert part.text.startswith('<section id="report-shown"')
    assert "<html" not in part.text
    assert "2 rows, priority 3." in part.text


async def test_page_draws_the_same_rows_in_one_document(world: World) -> None:
    await add_some(world.application)
    page = await world.browser.get(f"{PAGE}?priority=1&priority=3")
    text = json.dumps(drawing_of(page))
    assert text.count('"name": "ColumnDataSource"') == 1
    assert '"name": "DataTable"' in text
    assert '"name": "Scatter"' in text
    assert ("Task 3" in text, "Task 4" in text) == (True, False)


async def test_without_records_the_page_says_what_to_do(world: World) -> None:
    page = await world.browser.get(PAGE)
    assert page.status == 200
    assert "There are no active customers yet" in page.text
    assert drawing_of(page) is None
    assert csv_rows(await world.browser.get(f"{MADE}/rows.csv")) == [["Customer", "Task", "Priority", "Due", "State"]]
    assert (await world.browser.get(f"{MADE}/rows.xlsx")).status == 200


async def test_customer_without_tasks_is_shown_and_drawn(world: World) -> None:
    await add_customer(world.application, "Lonely")
    page = await world.browser.get(PAGE)
    assert rows_of(page) == [["Lonely", "-", "-", "-", "no tasks"]]
    assert drawing_of(page) is not None


async def test_filters_that_find_nothing_say_how_to_clear_them(world: World) -> None:
    await add_customer(world.application, "Acme", [{"title": "a", "priority": 1}])
    page = await world.browser.get(f"{PAGE}?priority=5&priority=5")
    assert "No row fits these filters" in page.text
    assert f'href="{PAGE}"' in page.text


@pytest.mark.parametrize("query", ["priority=4&priority=2", "priority=9", "priority=x&priority=2", "priority=1e9"])
async def test_filters_that_break_a_rule_are_said_at_the_field(world: World, query: str) -> None:
    page = await world.browser.get(f"{PAGE}?{query}")
    assert page.status == 422
    assert 'aria-invalid="true"' in page.text
    assert "Nothing is shown until the filters are right" in page.text
    assert (await world.browser.get(f"{MADE}/rows.csv?{query}")).status == 422


async def test_what_people_wrote_is_text_on_the_page_and_in_what_is_drawn(world: World) -> None:
    nasty = "</script><img src=x onerror=alert(1)>"
    await add_customer(world.application, nasty, [{"title": nasty, "due": "2026-11-20"}])
    page = await world.browser.get(PAGE)
    assert "<img src=x" not in page.text
    assert nasty in json.dumps(drawing_of(page))


async def test_plain_table_is_another_address_without_a_drawing(world: World) -> None:
    await add_some(world.application)
    page = await world.browser.get(f"{PAGE}?priority=1&priority=3&plain=1")
    assert drawing_of(page) is None
    assert len(rows_of(page)) == 4
    assert f"{PAGE}?priority=1&amp;priority=3" in page.text


async def test_report_that_needs_tables_that_are_not_there_says_so(tmp_path: Path) -> None:
    write_apps(tmp_path / "plugins", tmp_path / "box")
    (tmp_path / "box" / "profiles.py").unlink()
    async with running(tmp_path, in_box=tmp_path / "box") as application:
        page = await Browser(application).get(PAGE)
    assert page.status == 200
    assert "There is no table of records &#x27;profiles&#x27;; there are: &#x27;tasks&#x27;." in page.text


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("raises", "The app made an error in this report (KeyError)"),
        ("lacks", "pip install bokeh_that_is_not_there"),
        ("unknown", "There is no table of records"),
        ("number", "a DataFrame or a list of dicts"),
    ],
)
async def test_report_that_fails_says_why_on_its_page(world: World, mode: str, words: str) -> None:
    page = await world.browser.get(f"/own?mode={mode}")
    assert page.status == 200
    assert words in page.text
    assert "secret detail" not in page.text
    assert 'id="report-filters"' in page.text


async def test_figure_that_fails_leaves_the_table(world: World) -> None:
    page = await world.browser.get("/own?mode=rows")
    assert "The figure could not be drawn (ValueError)" in page.text
    assert rows_of(page) == [["<i>x</i>", "1"]]


async def test_without_bokeh_the_page_says_how_to_get_it_and_shows_the_table(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_some(world.application)
    monkeypatch.setitem(sys.modules, "bokeh.layouts", None)
    page = await world.browser.get(PAGE)
    assert installing("bokeh") in unescape(page.text)
    assert len(rows_of(page)) == 7


async def test_download_comes_in_the_order_it_is_asked_for(world: World) -> None:
    await add_some(world.application)
    whole = csv_rows(await world.browser.get(f"{MADE}/rows.csv"))[1:]
    down = csv_rows(await world.browser.get(f"{MADE}/rows.csv?sort=-2,1&priority=1&priority=3"))[1:]
    assert [row[1] for row in down] == ["'=HYPERLINK(1)", "Task 3", "Task 2", "Task 1"]
    sheet = xlsx_cells(await world.browser.get(f"{MADE}/rows.xlsx?sort=-2,1&priority=1&priority=3"))
    assert [each for each in sheet if each.startswith(("Task ", "="))] == [
        "=HYPERLINK(1)",
        "Task 3",
        "Task 2",
        "Task 1",
    ]
    for wrong in ("", "5", "--1", "1,", "due", "1 or 1", "٣", "99999", ",".join("1" * 9)):
        assert csv_rows(await world.browser.get(f"{MADE}/rows.csv?sort={quote(wrong)}"))[1:] == whole


async def test_without_pandas_the_rows_are_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await add_some(world.application)
    query = "?priority=1&priority=4"
    before = csv_rows(await world.browser.get(f"{MADE}/rows.csv{query}"))
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert csv_rows(await world.browser.get(f"{MADE}/rows.csv{query}")) == before


async def test_there_is_no_download_of_what_is_no_report(world: World) -> None:
    for address in ("/-/reports/tasks/rows.csv", "/-/reports/nothing/rows.xlsx", "/-/reports/nothing/made"):
        assert (await world.browser.get(address)).status == 404


# What is made


async def test_plan_is_made_as_a_job_and_kept_with_date_size_and_hash(world: World) -> None:
    customers = await add_some(world.application)
    row = await world.make("plan", customers["Acme"], "customer_tasks")
    assert row.status == jobs.DONE
    (made,) = await world.made()
    assert (made.id, made.subject_label, made.name) == (row.id, "Acme", "Project plan Acme.pdf")
    part = await world.part()
    assert made.sha256[:8] in part
    got = await world.browser.get(f"{MADE}/files/{made.id}/as/{made.name.replace(' ', '%20')}")
    assert got.body.startswith(b"%PDF-")
    assert len(got.body) == made.size_bytes
    assert got.headers["content-disposition"].startswith("attachment")
    shown = await world.browser.get(f"{MADE}/files/{made.id}/as/plan.pdf?show=1")
    assert shown.headers["content-type"] == "application/pdf"


async def test_unknown_customer_gets_a_clear_message(world: World) -> None:
    await add_some(world.application)
    for subject in ("77", "", "1; DROP"):
        answer = await world.browser.post(f"{MADE}/make/plan", {"for": subject})
        assert answer.status == 404
        assert "to be made for. They may have been removed meanwhile" in answer.text
    assert (await world.browser.post(f"{MADE}/make/nothing", {"for": "1"})).status == 404
    assert await world.jobs("customer_tasks") == []


async def test_customer_who_is_not_active_any_more_gets_no_plan(world: World) -> None:
    customers = await add_some(world.application)
    assert (await world.browser.post(f"{MADE}/make/plan", {"for": customers["Gone"]})).status == 404


async def test_second_press_asks_for_nothing_new_while_the_first_is_under_way(world: World) -> None:
    (world.folder / "hold").touch()
    for _ in range(2):
        await world.browser.post("/-/reports/own/make/note", {"for": ""}, htmx=True)
    assert len(await world.jobs()) == 1
    part = await world.part("own")
    assert "disabled" in part
    (world.folder / "hold").unlink()
    row = await world.make("note")
    assert row.status == jobs.DONE
    assert (await world.made("own"))[0].name == "a note.txt"


async def test_job_can_be_stopped_and_tried_again(world: World) -> None:
    (world.folder / "hold").touch()
    await world.browser.post("/-/reports/own/make/note", {"for": ""}, htmx=True)

    async def stands(status: str) -> bool:
        return [row.status for row in await world.jobs()] == [status]

    await eventually(lambda: stands(jobs.RUNNING))
    (row,) = await world.jobs()
    assert f"/-/jobs/{row.id}/cancel" in await world.part("own")
    await world.browser.post(f"/-/jobs/{row.id}/cancel", htmx=True)
    await eventually(lambda: stands(jobs.CANCELLED))
    assert await world.made("own") == []
    (world.folder / "hold").unlink()
    assert f"/-/jobs/{row.id}/retry" in await world.part("own")
    await world.browser.post(f"/-/jobs/{row.id}/retry", htmx=True)
    await eventually(lambda: stands(jobs.DONE))
    assert [each.id for each in await world.made("own")] == [row.id]


async def test_failure_is_told_with_its_reason_and_without_its_details(world: World) -> None:
    (world.folder / "fail").touch()
    row = await world.make("note")
    assert row.status == jobs.FAILED
    part = await world.part("own")
    assert "The app made an error in this step." in part
    assert "secret detail" not in part
    assert f"/-/jobs/{row.id}/retry" in part


@pytest.mark.parametrize(
    ("maker", "words"),
    [("wrong", "It has to return the Path of a file"), ("lacking", "pip install typst_that_is_not_there")],
)
async def test_what_cannot_be_kept_fails_with_what_to_do(world: World, maker: str, words: str) -> None:
    row = await world.make(maker)
    assert (row.status, words in row.reason) == (jobs.FAILED, True)
    assert await world.made("own") == []


async def test_deleted_file_can_be_put_back_and_is_erased_after_a_while(world: World) -> None:
    await world.make("note")
    (made,) = await world.made("own")
    address = f"/-/reports/own/files/{made.id}"
    await world.browser.post(f"{address}/delete", htmx=True)
    assert await world.made("own") == []
    part = await world.part("own")
    assert "Deleted " in part
    assert "Undo" in part
    await world.browser.post(f"{address}/undelete", htmx=True)
    assert [each.id for each in await world.made("own")] == [made.id]
    await world.browser.post(f"{address}/delete", htmx=True)
    late = from_text(made.made_at) + timedelta(days=1)
    await world.reports.purge(to_text(late))
    assert (await world.browser.get(f"{address}/as/a.txt")).status == 404
    assert not world.application.site.engine.files.has(made.id, made.sha256)


async def test_file_of_another_report_or_nobody_is_not_found(world: World) -> None:
    await world.make("note")
    (made,) = await world.made("own")
    assert (await world.browser.get(f"/-/reports/own/files/{made.id}/as/x.txt")).body == b"kept"
    for address in (
        f"{MADE}/files/{made.id}/as/x",
        "/-/reports/own/files/nothing/as/x",
        "/-/reports/own/files/../as/x",
    ):
        assert (await world.browser.get(address)).status == 404


async def test_job_of_a_report_whose_file_is_gone_waits_for_a_person(world: World) -> None:
    (world.folder / "fail").touch()
    row = await world.make("note")
    plugins = world.application.site.plugins
    path = world.folder / "plugins" / "030_own.py"
    path.rename(path.with_suffix(".txt"))
    plugins.refresh([path])
    await world.browser.post(f"/-/jobs/{row.id}/retry", htmx=True)

    async def parked() -> bool:
        return (await world.jobs())[0].status == jobs.PARKED

    await eventually(parked)
    assert "was not there when this was to begin" in (await world.jobs())[0].reason


async def test_step_of_a_workflow_is_handed_the_tables_too(tmp_path: Path) -> None:
    write_apps(tmp_path / "plugins", tmp_path / "box")
    (tmp_path / "plugins" / "030_names.py").write_text(
        "from pipulate import Tables, Workflow\n"
        "app = Workflow('names')\n"
        "@app.step('names')\n"
        "def names(tables: Tables) -> list[str]:\n"
        "    return [row['name'] for row in tables['profiles']]\n"
    )
    async with running(tmp_path, in_box=tmp_path / "box") as application:
        await add_customer(application, "Acme")
        browser = Browser(application)
        run, _ = await browser.start("names", "one")
        done = await browser.post(f"/-/runs/{run}/steps/names/run", {"_seen": 1}, htmx=True)
    assert "Acme" in done.text
