"""Runs of schedules: started once, answered with what the schedule gives, and ended where somebody is needed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from pipulate import File, Range, Workflow
from pipulate._clock import to_text
from pipulate.errors import ScheduleRefusedError
from pipulate.events import JobChanged, RunChanged
from pipulate.jobs.doing import Job
from pipulate.jobs.scheduling import KIND, Scheduler
from pipulate.storage import jobs, ledger, lookups, scheduled, schedules
from pipulate.storage.jobs import JobRow
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import RunRow
from pipulate.workflows.run import Run
from pipulate.workflows.unattended import (
    Unattended,
    answers_of,
    missing_app,
    refuse_incomplete,
    sealed_answers,
)
from tests.support.flows import ANN, Bench, Play, bench, flow, until

pytestmark = pytest.mark.anyio

SECRET = "hush hush"


class Gate:
    """Where a test holds a step up, what steps were called with, and what goes wrong."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self.calls: list[Any] = []
        self.fails = False


GATE = Gate()


@pytest.fixture(autouse=True)
def gate() -> Gate:
    GATE.__init__()  # type: ignore[misc]
    GATE.go.set()
    return GATE


class Place(BaseModel):
    city: str
    street: str = ""


def site(address: str, pages: Annotated[int, Range(1, 9)] = 3, key: SecretStr | None = None) -> str:
    GATE.calls.append(f"{address} {pages} {key.get_secret_value() if key else ''}")
    return address


def crawl(run: Run, job: Job) -> list[str]:
    GATE.calls.append("crawl")
    GATE.reached.set()
    GATE.go.wait(20)
    job.check()
    if GATE.fails:
        raise OSError("no answer")
    return [run["site"]]


def count(run: Run) -> int:
    GATE.calls.append("count")
    if GATE.fails:
        raise OSError("broken")
    return len(run["crawl"])


def report(words: str = "done", is_short: bool = True, place: Place | None = None) -> str:
    return f"{words} {is_short} {place.city if place else ''}"


def last(run: Run) -> str:
    return str(run["report"])


AUDIT = {"crawl": {"background": True}}


class Made:
    """A bench with a scheduler on it."""

    def __init__(self, on: Bench) -> None:
        self.bench, self.db, self.engine = on, on.db, on.engine
        on.jobs.register(KIND, Unattended(on.engine))
        self.scheduler = Scheduler(on.db, on.clock, on.jobs, on.bus, lambda app: missing_app(on.engine, app))

    async def schedule(self, answers: Any = None, *, app: str = "audit", locks: bool = False) -> str:
        made = await self.scheduler.add(
            title="Audit", app=app, owner="owner", profile="default", cron="0 7 * * 1", zone="Europe/Berlin",
            answers=answers or {"site": {"address": ["example.com"]}}, locks=locks,
        )  # fmt: skip
        return made.id

    async def begin(self, schedule: str) -> JobRow:
        job = await self.scheduler.run_now(schedule, "owner")
        assert job is not None
        return job

    async def ends(self, job: JobRow) -> JobRow:
        await self.bench.jobs.idle()
        found = await self.db.read(jobs.find, job.id)
        assert found is not None
        return found

    async def done(self, answers: Any = None, **given: Any) -> tuple[JobRow, Play]:
        """Do a schedule once; return the job as it ended, and its run."""
        job = await self.ends(await self.begin(await self.schedule(answers, **given)))
        assert job.run is not None
        return job, Play(self.bench, job.run)

    def was_told(self, what: str, now: str | int) -> bool:
        """Tell whether a job was said to have a status, or a run to have a version."""
        told = [(each.job, each.status) for each in self.bench.told if isinstance(each, JobChanged)]
        return (what, now) in [*told, *((e.run, e.version) for e in self.bench.told if isinstance(e, RunChanged))]

    async def runs(self) -> list[RunRow]:
        return list((await self.db.read(lookups.listed, "owner")).runs)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    audit = flow(site, crawl, count, report, last, name="audit", **AUDIT)
    async with asyncio.timeout(60), bench(tmp_path, audit) as on:
        yield Made(on)


async def test_run_goes_through_fields_background_and_automatic_steps_to_its_end(made: Made) -> None:
    job, play = await made.done()
    assert (job.status, job.reason) == (jobs.DONE, "")
    assert await play.outputs() == {
        "site": "example.com", "crawl": ["example.com"], "count": 1, "report": "done True ", "last": "done True ",
    }  # fmt: skip
    row = (await play.view()).row
    assert (row.app, row.key, row.owner, row.profile) == ("audit", "Audit 2026-11-20 13:00", "owner", "default")
    assert row.locked_at is None
    assert await play.kinds() == ["started", "submitted", "requested", "computed", "computed", "submitted", "computed"]


async def test_answers_of_the_schedule_go_before_defaults(made: Made) -> None:
    given = {
        "site": {"address": ["a.org"], "pages": ["5"]},
        "report": {"is_short": [], "place": ["on"], "place.city": ["Ulm"]},
    }
    _, play = await made.done(given)
    assert GATE.calls[0] == "a.org 5 "
    assert (await play.outputs())["report"] == "done False Ulm"


async def test_key_that_is_taken_gets_a_number(made: Made) -> None:
    await made.engine.start("audit", "Audit 2026-11-20 13:00", "default", ANN)
    _, play = await made.done()
    assert (await play.view()).row.key == "Audit 2026-11-20 13:00 (2)"


async def test_run_is_locked_at_its_end_where_that_is_asked_for(made: Made) -> None:
    job, play = await made.done(locks=True)
    assert (job.status, job.reason) == (jobs.DONE, "")
    assert (await play.view()).row.locked_at is not None


async def test_answer_that_breaks_a_rule_ends_the_job_with_the_reason_and_leaves_the_run(made: Made) -> None:
    job, play = await made.done({"site": {"address": ["a.org"], "pages": ["10"]}})
    assert job.status == jobs.FAILED
    assert job.reason.startswith("“Site” did not take its answers. Pages: ")
    assert await play.statuses() == "site:open crawl:waiting count:waiting report:waiting last:waiting"
    await play.answer("site", address="a.org")
    assert (await play.view()).row.open_step == "crawl"


async def test_answer_that_nobody_gave_ends_the_job_with_the_step_and_the_field(made: Made) -> None:
    job, play = await made.done({"report": {"words": ["x"]}})
    assert (job.status, job.reason) == (
        jobs.FAILED, "“Site” needs an answer for Address, and the schedule gives none.",
    )  # fmt: skip
    assert await play.kinds() == ["started"]


async def test_automatic_step_that_fails_ends_the_job_and_goes_on_when_asked_again(made: Made) -> None:
    made.bench.install(flow(site, count_site := _failing(), name="audit"))
    GATE.fails = True
    job, play = await made.done()
    assert job.status == jobs.FAILED
    assert job.reason.startswith("“Counted” failed. The server's log has why")
    GATE.fails = False
    await made.bench.jobs.resume(job.id, "owner")
    assert (await made.ends(job)).status == jobs.DONE
    assert (await play.outputs())["counted"] == 1
    assert count_site.__name__ == "counted"
    assert len(await made.runs()) == 1


def _failing() -> Any:
    def counted(run: Run) -> int:
        del run
        if GATE.fails:
            raise OSError("broken")
        return 1

    return counted


async def test_background_step_that_fails_ends_the_job_and_goes_on_when_asked_again(made: Made) -> None:
    GATE.fails = True
    job, play = await made.done()
    assert job.status == jobs.FAILED
    assert job.reason == "“Crawl” was not done: The app made an error in this step."
    GATE.fails = False
    await made.bench.jobs.resume(job.id, "owner")
    assert (await made.ends(job)).status == jobs.DONE
    assert (await play.outputs())["last"] == "done True "
    assert GATE.calls.count("example.com 3 ") == 1


async def test_job_that_is_cancelled_ends_while_it_waits(made: Made) -> None:
    GATE.go.clear()
    job = await made.begin(await made.schedule())
    await asyncio.to_thread(GATE.reached.wait, 20)
    await made.bench.jobs.cancel(job.id, "owner")
    await until(lambda: made.was_told(job.id, jobs.CANCELLED))
    GATE.go.set()
    await made.bench.jobs.idle()
    found = await made.db.read(jobs.find, job.id)
    assert found is not None
    child = await made.db.read(jobs.latest_of_step, str(found.run), "crawl")
    assert child is not None
    assert (child.status, child.reason) == (jobs.CANCELLED, "Cancelled.")  # What worked for it is stopped too.


async def test_run_that_is_deleted_meanwhile_ends_the_job(made: Made) -> None:
    GATE.go.clear()
    job = await made.begin(await made.schedule())
    await asyncio.to_thread(GATE.reached.wait, 20)
    found = await made.db.read(jobs.find, job.id)
    assert found is not None
    assert found.run is not None
    await made.engine.delete(found.run, ANN)
    GATE.go.set()
    ended = await made.ends(job)
    assert (ended.status, ended.reason) == (jobs.CANCELLED, "The run was deleted.")


async def test_step_that_somebody_opens_again_is_left_to_them(made: Made) -> None:
    GATE.go.clear()
    job = await made.begin(await made.schedule())
    await asyncio.to_thread(GATE.reached.wait, 20)
    found = await made.db.read(jobs.find, job.id)
    assert found is not None
    assert found.run is not None
    play = Play(made.bench, found.run)
    await play.revert("site")
    GATE.go.set()
    ended = await made.ends(job)
    assert (ended.status, ended.reason) == (
        jobs.FAILED, "Somebody opened “Site” again, so it is theirs to answer.",
    )  # fmt: skip
    assert GATE.calls.count("example.com 3 ") == 1


async def test_run_is_started_once_however_often_the_process_ends(tmp_path: Path) -> None:
    """The job is taken up at every point where the process may have ended; each part is done once."""
    audit = flow(site, crawl, count, report, last, name="audit", **AUDIT)
    async with asyncio.timeout(60), bench(tmp_path, audit) as on:
        made = Made(on)
        schedule = await made.schedule()
        row = await made.db.read(schedules.find, schedule)
        assert row is not None
        job = {
            "id": "job-1", "kind": KIND, "title": "Audit", "app": "audit", "owner": "owner", "profile": "default",
            "args": json.dumps({"schedule": schedule, "due": to_text(on.clock.now())}),
            "asked_at": to_text(on.clock.now()),
        }  # fmt: skip
        asked = await made.db.write(schedules.ask, row, job)
        assert asked is not None
        author = ledger.Author("owner", to_text(on.clock.now()))
        key = "Audit 2026-11-20 13:00"
        begun = [
            (await made.db.write(scheduled.begin, asked, f"run-{number}", key, author, open_step="site"))[0]
            for number in range(3)
        ]
        assert begun == ["run-0", "run-0", "run-0"]
        await made.engine.submit("run-0", ANN, "site", {"address": ["example.com"]}, seen=1, submit_id="job-1-site")
    async with asyncio.timeout(60), bench(tmp_path, audit) as on:
        made = Made(on)
        on.jobs.start(asked)
        ended = await made.ends(asked)
        assert (ended.status, ended.run) == (jobs.DONE, "run-0")
        assert len(await made.runs()) == 1
        assert GATE.calls.count("example.com 3 ") == 1
        assert GATE.calls.count("crawl") == 1
        assert check_key(key).text == (await made.runs())[0].key


async def test_schedule_that_was_removed_for_good_begins_nothing(made: Made) -> None:
    first, second = await made.schedule(), await made.schedule()
    row = await made.db.read(schedules.find, first)
    assert row is not None
    job = {
        "id": "job-1", "kind": KIND, "title": "Audit", "app": "audit", "owner": "owner", "profile": "default",
        "args": json.dumps({"schedule": first, "due": row.next_at}), "asked_at": row.made_at,
    }  # fmt: skip
    asked = await made.db.write(schedules.ask, row, job)
    assert asked is not None
    await made.scheduler.remove(first, "owner")
    await made.scheduler.remove(second, "owner")
    made.bench.jobs.start(asked)
    ended = await made.ends(asked)
    assert (ended.status, ended.reason) == (jobs.FAILED, "The schedule was removed before this began.")
    assert await made.runs() == []


# What a schedule takes over from a run


async def test_answers_of_a_run_are_given_again_with_its_secrets_sealed(made: Made) -> None:
    play = await made.bench.start("audit")
    await play.answer("site", address="a.org", pages="4", key=SECRET)
    await play.go_on()
    await until(lambda: made.was_told(play.id, 5))  # The version that the automatic step after the job makes.
    await play.answer("report", words="short", is_short="")
    taken = await answers_of(made.engine, await play.view())
    assert taken["site"] == {"address": ["a.org"], "pages": ["4"], "key": {"$sealed": f"plain:{SECRET}"}}
    GATE.calls.clear()
    job, again = await made.done(taken)
    assert job.status == jobs.DONE
    assert GATE.calls[0] == f"a.org 4 {SECRET}"
    assert (await again.outputs())["report"] == "short False "
    assert SECRET not in f"{job}"


async def test_run_that_lacks_an_answer_cannot_be_repeated(made: Made) -> None:
    play = await made.bench.start("audit")
    with pytest.raises(ScheduleRefusedError, match="“Site” needs an answer for Address, which this run does not have"):
        await answers_of(made.engine, await play.view())


async def test_skipped_step_is_skipped_again(made: Made) -> None:
    made.bench.install(flow(site, report, last, name="audit", report={"optional": True}))
    play = await made.bench.start("audit")
    await play.answer("site", address="a.org")
    await play.engine.skip(play.id, ANN, "report", seen=await play.version(), submit_id=None)
    taken = await answers_of(made.engine, await play.view())
    assert taken["report"] is None
    _, again = await made.done(taken)
    assert (await again.view()).state.steps["report"].data["view"] == "skipped"


def send(name: str, file: File) -> str:
    return f"{name} {file.name}"


def maybe(file: File | None = None) -> str:
    return file.name if file else "none"


async def test_step_that_takes_a_file_cannot_be_repeated_unless_it_may_be_empty(made: Made) -> None:
    made.bench.install(flow(send, name="sends"), flow(maybe, name="maybe"))
    for app in ("sends", "maybe"):
        workflow = made.engine.catalog[app]
        if app == "maybe":
            refuse_incomplete(workflow, {})
            continue
        with pytest.raises(ScheduleRefusedError, match=r"“Send” asks for a file \(File\), and nobody would be there"):
            refuse_incomplete(workflow, {"send": {"name": ["a"]}})
    job, play = await made.done({"maybe": {}}, app="maybe")
    assert job.status == jobs.DONE
    assert (await play.outputs())["maybe"] == "none"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({}, "“Site” needs an answer for Address, and none is given"),
        ({"site": {"pages": ["1"]}}, "needs an answer for Address"),
        ({"sight": {"address": ["a"]}}, "no step 'sight' to answer; it has: site, report"),
        ({"site": {"address": ["a"], "page": ["1"]}}, "no field 'page'"),
        ({"site": {"address": ["a"], "pages": ["many"]}}, "“Site” would not take its answers. Pages: "),
        ({"site": {"address": ["a"], "pages": ["10"]}}, "“Site” would not take its answers. Pages: "),
    ],
)
async def test_schedule_without_what_every_run_asks_for_is_refused(made: Made, answers: Any, words: str) -> None:
    workflow: Workflow = made.engine.catalog["audit"]
    with pytest.raises(ScheduleRefusedError, match=words):
        refuse_incomplete(workflow, answers)
    refuse_incomplete(workflow, {"site": {"address": ["a"]}})


async def test_secrets_that_are_typed_are_sealed(made: Made) -> None:
    workflow = made.engine.catalog["audit"]
    sealed = sealed_answers(workflow, {"site": {"address": ["a"], "key": [SECRET]}})
    assert sealed == {"site": {"address": ["a"], "key": {"$sealed": f"plain:{SECRET}"}}}
    await made.done(sealed)
    assert GATE.calls[0] == f"a 3 {SECRET}"
