"""The pages of jobs: who sees what, what can be done, and what is forgotten."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from pipulate._clock import to_text
from pipulate.app import Application
from pipulate.storage import jobs
from pipulate.testing import ManualClock
from tests.support.flows import until
from tests.support.jobs import AT, OWNER, a_row, put, put_one
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

PLUGIN = """
import threading

from pipulate import Job, Progress, Run, Workflow

app = Workflow("crawl", title="Crawl")
GO = threading.Event()


@app.step("pages", title="Pages", background=True)
def pages(run: Run, job: Job, progress: Progress) -> str:
    progress.log("began")
    if not GO.is_set():
        job.wait_now(60)
    return "found"
"""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "crawl.py").write_text(PLUGIN)
    async with running(folder) as application:
        yield application


@pytest.fixture
async def browser(application: Application) -> Browser:
    def clear(tx: Any) -> None:
        for (job,) in tx.all("SELECT id FROM jobs"):
            jobs.forget(tx, job)

    await application.site.db.write(clear)
    return Browser(application)


def add(browser: Browser, **changes: Any) -> str:
    return browser.application.site.db.write_now(put_one, **changes)


def status(browser: Browser, job: str) -> str:
    row = browser.application.site.db.read_now(jobs.find, job)
    assert row is not None
    return row.status


async def test_list_shows_open_jobs_before_those_that_ended(browser: Browser) -> None:
    add(browser, title="Long ago", status=jobs.DONE, asked_at="2026-11-21T00:00:00.000000Z")
    add(browser, title="Still open", asked_at=AT)
    text = (await browser.get("/-/jobs")).text
    assert (
        text.index("<h2>Open</h2>") < text.index("Still open") < text.index("<h2>Ended</h2>") < text.index("Long ago")
    )


async def test_list_of_one_status_holds_no_others(browser: Browser) -> None:
    for each in jobs.STATUSES:
        add(browser, title=f"It is {each}", status=each)
    for each in jobs.STATUSES:
        text = (await browser.get(f"/-/jobs?status={each}")).text
        assert [other for other in jobs.STATUSES if f"It is {other}" in text] == [each]


async def test_list_is_of_this_profile_unless_all_are_asked_for(browser: Browser) -> None:
    add(browser, title="Of another profile", profile="gone")
    assert "Of another profile" not in (await browser.get("/-/jobs")).text
    assert "Of another profile" in (await browser.get("/-/jobs?profile=all")).text


async def test_list_can_be_of_one_app_and_offers_those_that_have_jobs(browser: Browser) -> None:
    add(browser, title="Of the audit", app="audit")
    add(browser, title="Of the crawl")
    text = (await browser.get("/-/jobs?app=audit")).text
    assert "Of the audit" in text
    assert "Of the crawl" not in text
    assert ">Crawl</option>" in text


async def test_list_goes_on_where_its_page_ended(browser: Browser) -> None:
    rows = [
        a_row(id=f"{each:032x}", title=f"Number {each}.", status=jobs.DONE, ended_at=AT, started_at=AT)
        for each in range(120)
    ]
    await browser.application.site.db.write(put, *rows)
    seen, address = list[str](), "/-/jobs"
    for _ in range(3):
        assert address
        text = (await browser.get(address)).text
        seen += [row.id for row in rows[::-1] if f">{row.title}<" in text]
        older = re.search(r'href="([^"]*)" class="button quiet">Older jobs', text)
        address = unescape(older[1]) if older else ""
    assert address == ""
    assert seen == [row.id for row in rows[::-1]]


@pytest.mark.parametrize("query", ["status=nothing", "before=x", "before=2026-11-20T11:00:00Z", "before=_"])
async def test_list_that_is_none_of_ours_is_refused(query: str, browser: Browser) -> None:
    assert (await browser.get(f"/-/jobs?{query}")).status == 400


async def test_script_gets_the_parts_it_shows_anew_alone(browser: Browser) -> None:
    job = add(browser)
    for path, part in (("/-/jobs", "jobs"), (f"/-/jobs/{job}", "job"), ("/-/jobs/active", "jobs-link")):
        text = (await browser.get(path, htmx=True)).text
        assert f'id="{part}"' in text
        assert "<html" not in text


async def test_bar_of_every_page_counts_what_is_under_way(browser: Browser) -> None:
    assert 'id="jobs-link" class="button quiet" hidden' in (await browser.get("/")).text
    add(browser)
    add(browser, status=jobs.PARKED)
    text = (await browser.get("/")).text
    assert '<span class="number">2</span>' in text.partition('id="jobs-link"')[2][:200]


async def test_job_of_somebody_else_is_not_there(browser: Browser) -> None:
    job = add(browser, owner="somebody else", title="Their secret", status=jobs.PARKED)
    own = [await browser.get(f"/-/jobs/{job}{path}") for path in ("", "/log")]
    own += [
        await browser.post(f"/-/jobs/{job}/{what}", htmx=htmx) for what in ("cancel", "retry") for htmx in (False, True)
    ]
    missing = await browser.get("/-/jobs/nothing")
    assert {each.status for each in (*own, missing)} == {404}
    assert not any("Their secret" in each.text for each in (*own, await browser.get("/-/jobs?profile=all")))
    assert status(browser, job) == jobs.PARKED


async def test_queued_job_is_cancelled_by_its_owner(browser: Browser) -> None:
    job = add(browser)
    answer = await browser.post(
        f"/-/jobs/{job}/cancel", headers={"referer": "http://127.0.0.1:5001/-/jobs?status=queued"}
    )
    assert (answer.status, answer.headers["location"]) == (303, "/-/jobs")
    assert status(browser, job) == jobs.CANCELLED


async def test_script_hears_that_jobs_changed_and_what_to_say(browser: Browser) -> None:
    answer = await browser.post(f"/-/jobs/{add(browser)}/cancel", htmx=True)
    assert answer.status == 204
    assert json.loads(answer.headers["hx-trigger"]) == {"pipulate:job": {"said": "Cancelled."}}


@pytest.mark.parametrize(("what", "stands"), [("cancel", jobs.DONE), ("retry", jobs.DONE), ("retry", jobs.RUNNING)])
async def test_job_that_stands_otherwise_says_why_it_was_not_done(what: str, stands: str, browser: Browser) -> None:
    job = add(browser, status=stands)
    answer = await browser.post(f"/-/jobs/{job}/{what}", htmx=True)
    assert answer.status == 409
    assert f"This job is {stands}." in unquote(answer.headers["x-pipulate-notice"])
    assert status(browser, job) == stands


async def test_job_is_cancelled_and_tried_again_with_the_code_there_is_now(browser: Browser) -> None:
    run, address = await browser.start("crawl")
    await browser.post(f"/-/runs/{run}/steps/pages/run", htmx=True)
    (row,) = await browser.application.site.db.read(jobs.open_of_run, run)
    async with asyncio.timeout(20):
        await until(lambda: "began" in [each.text for each in browser.application.site.db.read_now(jobs.lines, row.id)])
        assert address in (await browser.get("/-/jobs")).text
        await browser.post(f"/-/jobs/{row.id}/cancel")
        await until(lambda: status(browser, row.id) == jobs.CANCELLED)
        plugin = browser.application.site.plugins.table.by_app["crawl"].workflow
        assert plugin is not None
        plugin["pages"].function.__globals__["GO"].set()

        def of_old_code(tx: Any) -> None:
            tx.run("UPDATE jobs SET code = 'old' WHERE id = :job", job=row.id)

        await browser.application.site.db.write(of_old_code)
        await browser.post(f"/-/jobs/{row.id}/retry")
        await until(lambda: status(browser, row.id) == jobs.DONE)
    assert "found" in (await browser.get(address)).text


async def test_log_comes_line_by_line_from_a_number_on(browser: Browser) -> None:
    job = add(browser, status=jobs.RUNNING)
    lines = [(AT, f"line {number}") for number in range(1, 4)]
    await browser.application.site.db.write(jobs.note, job, AT, None, None, lines)
    assert (await browser.get(f"/-/jobs/{job}")).text.count("data-seq=") == 3
    rest = (await browser.get(f"/-/jobs/{job}/log?after=2", htmx=True)).text
    assert "line 3" in rest
    assert "line 2" not in rest
    assert (await browser.get(f"/-/jobs/{job}/log?after=x")).status == 400


async def test_job_whose_run_is_in_the_bin_says_so_and_leads_nowhere(browser: Browser) -> None:
    run, address = await browser.start("hello", "binned")
    job = add(browser, run=run, status=jobs.DONE)
    await browser.post(f"/-/runs/{run}/delete")
    text = (await browser.get(f"/-/jobs/{job}")).text
    assert "binned (in the bin)" in text
    assert address not in text


async def test_command_cancels_and_tries_again_through_the_server(browser: Browser) -> None:
    job = add(browser, kind="nobody's")
    headers = {"authorization": f"Bearer {browser.application.capability.secret}"}
    plain = {"cookie": None, "origin": None, "sec-fetch-site": None, **headers}
    answer = await browser.post("/-/control/cancel-job", {"job": job}, headers=plain)
    assert json.loads(answer.text) == {"id": job, "status": "cancelled"}
    answer = await browser.post("/-/control/retry-job", {"job": job}, headers=plain)
    assert json.loads(answer.text) == {"id": job, "status": "queued"}
    answer = await browser.post("/-/control/cancel-job", {"job": "nothing"}, headers=plain)
    assert (answer.status, json.loads(answer.text)["code"]) == (404, "job.not_found")


async def test_ended_jobs_are_forgotten_after_the_days_that_are_set(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, jobs_days=30) as application:

        def ended(**ago: float) -> str:
            at = to_text(clock.now() - timedelta(**ago))
            return application.site.db.write_now(put_one, status=jobs.DONE, asked_at=at)

        old, kept = ended(days=31), ended(days=29)
        still = application.site.db.write_now(
            put_one, status=jobs.PARKED, asked_at=to_text(clock.now() - timedelta(days=99))
        )
    async with running(tmp_path, clock=clock, jobs_days=30) as application:
        await until(lambda: application.site.db.read_now(jobs.find, old) is None)
        found = {row.id for row in application.site.db.read_now(jobs.listed, OWNER)}
    assert found == {kept, still}
