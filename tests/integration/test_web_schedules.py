"""Schedules in the browser: made from a run, listed, paused, done now, deleted and put back; and done by the server."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from pipulate._clock import from_text
from pipulate.storage import jobs, lookups, schedules
from pipulate.storage.ledger import RunRow
from pipulate.storage.schedules import ScheduleRow
from pipulate.testing import ManualClock
from pipulate.testing.clock import NOON
from tests.support.flows import until
from tests.support.site import Answer, Browser, running

pytestmark = pytest.mark.anyio

SECRET = "hush & hush"
AUDIT = """
from pydantic import SecretStr
from pipulate import File, Job, Run, Workflow

app = Workflow("audit", title="Audit <b>")

@app.step("site", title="Site")
def site(address: str, key: SecretStr) -> str:
    return address

@app.step("crawl", background=True)
def crawl(run: Run, job: Job) -> list[str]:
    return job.checkpoint_now("page", lambda: [run["site"]])

@app.step("report")
def report(run: Run) -> str:
    return f"{len(run['crawl'])} page"
"""
SENDS = """
from pipulate import File, Workflow

app = Workflow("sends")

@app.step("file")
def file(file: File) -> str:
    return file.name
"""


class World:
    """An application with a run that can be repeated."""

    def __init__(self, browser: Browser, clock: ManualClock) -> None:
        self.browser, self.clock, self.site = browser, clock, browser.application.site

    async def audited(self, address: str = "<b>example.com", key: str = "") -> str:
        run, _ = await self.browser.start("audit", key)
        await self.browser.submit(run, "site", 1, address=address, key=SECRET)
        return run

    async def schedule(self, run: str, **given: Any) -> Answer:
        usual = {
            "run": run,
            "title": "Weekly <b>",
            "kind": "week",
            "time": "07:00",
            "weekday": "1",
            "zone": "Europe/Berlin",
        }
        return await self.browser.post("/-/schedules/new", usual | given)

    async def rows(self) -> list[ScheduleRow]:
        return await self.site.db.read(schedules.of_owner, "owner")

    async def act(self, name: str, schedule: str) -> Answer:
        return await self.browser.post(f"/-/schedules/{schedule}/{name}")

    async def text(self, address: str = "/-/schedules") -> str:
        return (await self.browser.get(address)).text

    def runs(self) -> list[RunRow]:
        return list(self.site.db.read_now(lookups.listed, "owner", app="audit").runs)


@pytest.fixture(scope="module")
async def every_world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder, clock = tmp_path_factory.mktemp("world"), ManualClock()
    (folder / "plugins").mkdir()
    (folder / "plugins" / "audit.py").write_text(AUDIT)
    (folder / "plugins" / "sends.py").write_text(SENDS)
    async with running(folder, clock=clock) as application:
        yield World(Browser(application), clock)


@pytest.fixture
async def world(every_world: World) -> World:
    """The application, without schedules, at the moment it started."""
    every_world.clock.move(seconds=(NOON - every_world.clock.now()).total_seconds())
    await every_world.site.db.write(lambda tx: tx.run("DELETE FROM job_schedules"))
    return every_world


async def test_run_is_repeated_by_the_server_when_its_schedule_is_due(world: World) -> None:
    await world.schedule(await world.audited())
    due = from_text((await world.rows())[0].next_at)
    world.clock.move(seconds=(due - world.clock.now()) / timedelta(seconds=1))
    world.site.scheduler.wake()
    await until(lambda: any(row.key == "Weekly <b> 2026-11-23 07:00" and row.open_step is None for row in world.runs()))
    job = (await world.site.db.read(schedules.last_jobs, await world.rows()))[(await world.rows())[0].id]
    await until(lambda: world.site.db.read_now(jobs.find, job.id) is None or not _is_open(world, job.id))
    assert world.site.db.read_now(jobs.find, job.id).status == jobs.DONE  # type: ignore[union-attr]
    page = await world.text()
    assert ">done</a>" in page
    run = next(row for row in world.runs() if row.key.startswith("Weekly"))
    assert f'href="{world.site.address_of(run)}"' in page
    assert SECRET not in page


def _is_open(world: World, job: str) -> bool:
    found = world.site.db.read_now(jobs.find, job)
    return found is not None and found.is_open


async def test_menu_of_a_run_leads_to_its_schedule(world: World) -> None:
    run = await world.audited(key="menu")
    assert f'href="/-/schedules/new?run={run}"' in await world.text("/audit/menu")
    assert f'href="/-/schedules/new?run={run}"' not in await world.text("/audit/menu?version=1")


async def test_page_shows_the_answers_what_the_form_means_and_no_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    page = await world.text(f"/-/schedules/new?run={await world.audited()}")
    assert "&lt;b&gt;example.com" in page
    assert "Every Monday at 07:00" in page
    assert page.count("<time") >= 5
    assert "hush" not in page
    assert "<b>example.com" not in page
    assert 'value="Europe/Berlin"' in page
    assert "data-zone" in page


async def test_form_is_explained_while_it_is_filled_in(world: World) -> None:
    query = "kind=cron&cron=0+7+*+*+1-5&zone=Europe/Berlin&time=x"
    part = await world.browser.get(f"/-/schedules/when?{query}", htmx=True)
    assert "Every weekday at 07:00, Europe/Berlin time." in part.text
    assert "Mon 23 Nov 2026 07:00" in part.text
    assert "<html" not in part.text
    wrong = await world.browser.get("/-/schedules/when?kind=cron&cron=<b>+7+*+*+1&zone=UTC", htmx=True)
    assert "&lt;b&gt;" in wrong.text
    assert "<b>" not in wrong.text


@pytest.mark.parametrize(
    ("given", "cron"),
    [
        ({"kind": "day", "time": "06:05"}, "5 6 * * *"),
        ({"kind": "weekdays", "time": "6:05:30"}, "5 6 * * 1-5"),
        ({"kind": "week", "weekday": "3"}, "0 7 * * 3"),
        ({"kind": "month", "day": "15"}, "0 7 15 * *"),
        ({"kind": "cron", "cron": " */5  * * * mon "}, "*/5 * * * mon"),
    ],
)
async def test_preset_becomes_a_cron_text(world: World, given: Any, cron: str) -> None:
    answer = await world.schedule(await world.audited(), **given)
    assert (answer.status, answer.headers["location"]) == (303, "/-/schedules")
    row = (await world.rows())[0]
    assert (row.title, row.app, row.profile, row.cron, row.zone) == (
        "Weekly <b>", "audit", "default", cron, "Europe/Berlin",
    )  # fmt: skip
    assert row.answers == {"site": {"address": ["<b>example.com"], "key": {"$sealed": f"plain:{SECRET}"}}}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"time": "7 o'clock"}, "Give a time like 07:00."),
        ({"kind": "month", "day": "32"}, "is not between 1 and 31"),
        ({"kind": "month", "day": "x"}, "Give a day of the month"),
        ({"kind": "week", "weekday": "9"}, "is not between 0 and 7"),
        ({"kind": "cron", "cron": "0 7 * *"}, "has 4"),
        ({"zone": "Europe/Berln"}, "Did you mean Europe/Berlin?"),
        ({"title": ""}, "Give it a name."),
    ],
)
async def test_form_that_cannot_be_taken_comes_back_with_what_is_wrong(world: World, given: Any, words: str) -> None:
    answer = await world.schedule(await world.audited(), **given)
    assert answer.status == 422
    assert words in answer.text
    assert 'aria-invalid="true"' in answer.text or "alert" in answer.text
    assert await world.rows() == []


async def test_run_that_needs_somebody_is_refused_in_plain_words(world: World) -> None:
    run, _ = await world.browser.start("sends")
    page = await world.browser.get(f"/-/schedules/new?run={run}")
    assert (page.status, "asks for a file (File), and nobody would be there." in page.text) == (422, True)
    assert '<form method="post" action="/-/schedules/new"' not in page.text
    assert (await world.schedule(run)).status == 422
    unanswered, _ = await world.browser.start("audit")
    page = await world.browser.get(f"/-/schedules/new?run={unanswered}")
    assert "“Site” needs an answer for Address, which this run does not have yet" in page.text
    assert await world.rows() == []


async def test_schedule_is_paused_resumed_and_deleted_and_put_back(world: World) -> None:
    await world.schedule(await world.audited())
    row = (await world.rows())[0]
    page = await world.text()
    assert "Weekly &lt;b&gt;" in page
    assert "Every Monday at 07:00" in page
    assert "Mon 23 Nov 2026 07:00" in page
    assert (await world.act("pause", row.id)).headers["location"] == "/-/schedules"
    assert "Paused" in await world.text()
    await world.act("resume", row.id)
    assert "Paused" not in await world.text()
    deleted = await world.act("delete", row.id)
    page = await world.text(deleted.headers["location"])
    assert "Nothing is scheduled here." in page
    assert f"/-/schedules/{row.id}/undelete" in page
    await world.act("undelete", row.id)
    assert (await world.rows())[0] == row
    assert "/undelete" not in await world.text(deleted.headers["location"])


async def test_schedule_is_done_now_and_the_list_leads_to_its_run(world: World) -> None:
    await world.schedule(await world.audited())
    row = (await world.rows())[0]
    await world.act("run-now", row.id)
    await until(lambda: any(run.key == "Weekly <b> 2026-11-20 13:00" and not run.open_step for run in world.runs()))
    assert re.search(r'<a href="/audit/Weekly[^"]*" title="Weekly &lt;b&gt; 2026-11-20 13:00">', await world.text())


async def test_what_is_wrong_with_a_schedule_is_said_in_the_list(world: World) -> None:
    await world.schedule(await world.audited())
    catalog, world.site.engine.catalog = world.site.engine.catalog, {}
    assert "The app audit is not installed." in await world.text()
    world.site.engine.catalog = catalog
    await world.site.db.write(lambda tx: tx.run("UPDATE job_schedules SET zone = 'Mars<b>'"))
    assert "“Mars&lt;b&gt;” is no time zone" in await world.text()


@pytest.mark.parametrize("name", ["pause", "resume", "run-now", "delete", "undelete"])
async def test_schedule_of_somebody_else_is_not_there(world: World, name: str) -> None:
    await world.schedule(await world.audited())
    row = (await world.rows())[0]
    await world.site.db.write(lambda tx: tx.run("UPDATE job_schedules SET owner = 'eve'"))
    assert (await world.act(name, row.id)).status == 404
    assert (await world.act(name, "nothing")).status == 404
    assert "Weekly" not in await world.text()
    assert "Do a run once" in await world.text("/-/schedules/new")
    assert (await world.browser.get("/-/schedules/new?run=nothing")).status == 404
    found = await world.site.db.read(schedules.find, row.id)
    assert found == row._replace(owner="eve")
    await world.site.scheduler.remove(row.id, "eve")
    assert "/undelete" not in await world.text(f"/-/schedules?removed={row.id}")
