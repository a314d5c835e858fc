"""Steps that run as jobs: asked for at once, done by themselves, and the run goes on."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest

from pipulate.errors import FieldError, RunConflictError, RunNotReadyError, StepFailedError, StepNotOpenError
from pipulate.jobs.doing import Job
from pipulate.storage import jobs, ledger
from pipulate.storage.jobs import JobRow
from pipulate.workflows.definition import Workflow
from pipulate.workflows.handed import Progress
from pipulate.workflows.run import Run
from tests.support.flows import ANN, Bench, Play, bench, flow, until

pytestmark = pytest.mark.anyio


class Gate:
    """Where a test holds a job up, and what it counts."""

    def __init__(self) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        self.calls: list[str] = []
        self.fail = 0


GATE = Gate()


@pytest.fixture(autouse=True)
def gate() -> Gate:
    GATE.__init__()  # type: ignore[misc]
    GATE.go.set()
    return GATE


def site(pages: int = 3) -> int:
    return pages


async def crawl(run: Run, progress: Progress, job: Job) -> list[str]:
    progress.total(run["site"])
    found = []
    for number in range(run["site"]):
        found.append(await job.checkpoint(f"page {number}", page, number))
        progress.advance(1, f"page {number}")
        progress.log(f"got page {number}")
        progress.partial(found)
    return found


async def page(number: int) -> str:
    GATE.calls.append(f"page {number}")
    if len(GATE.calls) == GATE.fail:
        raise OSError("no answer from the host")
    GATE.reached.set()
    await asyncio.get_running_loop().run_in_executor(None, GATE.go.wait, 20)
    return f"page {number}"


def report(run: Run) -> str:
    return f"{len(run['crawl'])} pages"


def work(words: str, times: Annotated[int, "how often"] = 2, *, job: Job) -> str:
    for number in range(times):
        job.checkpoint_now(f"part {number}", GATE.calls.append, words)
        GATE.reached.set()
        GATE.go.wait(20)
        job.check()
    if words == "wrong":
        raise FieldError("words", "That word is not allowed.")
    return words * times


async def _crawls(made: Bench) -> Play:
    play = await made.start("flow")
    await play.answer("site", pages="3")
    await play.engine.advance(play.id, ANN)
    return play


async def _job(play: Play, step: str) -> JobRow:
    row = await play.bench.db.read(jobs.latest_of_step, play.id, step)
    assert row is not None
    return row


async def _has(play: Play, step: str, status: str) -> JobRow:
    await until(lambda: play.bench.db.read_now(jobs.latest_of_step, play.id, step).status == status)  # type: ignore[union-attr]
    return await _job(play, step)


async def _has_value(play: Play, step: str) -> None:
    await until(lambda: play.bench.db.read_now(ledger.is_present, play.id, step))


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Bench]:
    typed = flow(work, site, name="typed", work={"background": True})
    crawls = flow(site, crawl, report, crawl={"background": True, "retries": 1, "backoff": 0.01})
    async with asyncio.timeout(60), bench(tmp_path, crawls, typed) as made:
        yield made


async def test_step_runs_as_a_job_and_the_run_goes_on_by_itself(made: Bench) -> None:
    play = await _crawls(made)
    await _has(play, "crawl", jobs.DONE)
    await _has_value(play, "report")
    assert (await play.outputs())["crawl"] == ["page 0", "page 1", "page 2"]
    assert (await play.outputs())["report"] == "3 pages"
    assert await play.kinds() == ["started", "submitted", "requested", "computed", "computed"]


async def test_submit_of_a_job_returns_before_it_is_done(made: Bench) -> None:
    GATE.go.clear()
    play = await made.start("typed")
    view = await play.answer("work", words="ab")
    assert "work" not in view.state.steps
    await asyncio.to_thread(GATE.reached.wait, 20)
    form = await play.form("work")
    assert form.is_working
    assert form.job is not None
    assert form.job.row.status == jobs.RUNNING
    GATE.go.set()
    await _has(play, "work", jobs.DONE)
    value = (await play.view()).state.steps["work"]
    assert (value.data["input"], value.data["output"]) == ({"words": "ab", "times": 2}, "abab")


async def test_what_a_job_says_is_kept_with_it(made: Bench) -> None:
    play = await _crawls(made)
    row = await _has(play, "crawl", jobs.DONE)
    assert (row.done["done"], row.done["total"], row.done["text"]) == (3, 3, "page 2")
    lines = await made.db.read(jobs.lines, row.id)
    assert [line.text for line in lines] == ["got page 0", "got page 1", "got page 2"]
    assert row.partial is not None
    assert '"page 2"' in row.partial


async def test_parts_that_are_done_are_not_done_again_by_the_next_attempt(made: Bench) -> None:
    GATE.fail = 3
    play = await _crawls(made)
    row = await _has(play, "crawl", jobs.DONE)
    assert row.attempt == 2
    assert GATE.calls == ["page 0", "page 1", "page 2", "page 2"]


async def test_job_that_fails_says_why_and_goes_on_from_the_failed_part(made: Bench) -> None:
    made.install(flow(site, crawl, crawl={"background": True}))
    GATE.fail = 2
    play = await _crawls(made)
    row = await _has(play, "crawl", jobs.FAILED)
    assert row.reason == "The app made an error in this step."
    assert row.trace is not None
    assert "no answer from the host" in row.trace
    form = await play.form("crawl")
    assert form.job is not None
    assert form.job.row.error_id == row.error_id
    assert form.job.parts == 1
    await play.engine.background.retry(play.id, "crawl", ANN)
    await _has(play, "crawl", jobs.DONE)
    assert GATE.calls == ["page 0", "page 1", "page 1", "page 2"]


async def test_cancelled_job_stops_at_its_next_checkpoint_and_asks_again(made: Bench) -> None:
    GATE.go.clear()
    play = await made.start("typed")
    await play.answer("work", words="ab", times="5")
    await asyncio.to_thread(GATE.reached.wait, 20)
    await made.jobs.cancel((await _job(play, "work")).id, ANN.actor)
    GATE.go.set()
    await _has(play, "work", jobs.CANCELLED)
    assert GATE.calls == ["ab"]
    form = await play.form("work")
    assert not form.is_working
    assert form.answers == {"words": "ab", "times": 5}
    await play.answer("work", words="cd")
    await _has_value(play, "work")
    assert (await play.outputs())["work"] == "cdcd"


async def test_async_job_stops_at_its_next_await(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await made.jobs.cancel((await _job(play, "crawl")).id, ANN.actor)
    await _has(play, "crawl", jobs.CANCELLED)
    assert GATE.calls == ["page 0"]


async def test_job_is_nobody_elses_to_stop(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    job = await _job(play, "crawl")
    assert await made.jobs.cancel(job.id, "somebody else") is None
    assert await made.jobs.resume(job.id, "somebody else") is None
    GATE.go.set()
    await _has(play, "crawl", jobs.DONE)


async def test_the_same_form_sent_twice_asks_for_one_job(made: Bench) -> None:
    play = await made.start("typed")
    seen = await play.version()
    await play.answer("work", words="ab", seen=seen, submit="form-one")
    await play.answer("work", words="ab", seen=seen, submit="form-one")
    await _has(play, "work", jobs.DONE)
    assert GATE.calls == ["ab", "ab"]
    assert (await play.kinds()).count("requested") == 1


async def test_other_answers_are_refused_while_the_job_works(made: Bench) -> None:
    GATE.go.clear()
    play = await made.start("typed")
    seen = await play.version()
    await play.answer("work", words="ab")
    with pytest.raises(StepNotOpenError):
        await play.answer("work", words="cd")
    with pytest.raises(RunConflictError):
        await play.answer("work", words="cd", seen=seen)
    with pytest.raises(RunNotReadyError):
        await play.engine.finalize(play.id, ANN)
    GATE.go.set()
    await _has(play, "work", jobs.DONE)


async def test_change_of_an_earlier_step_stops_the_job_and_its_result_is_not_used(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    first = await _job(play, "crawl")
    await play.revert("site")
    await play.answer("site", pages="1")
    await until(lambda: made.db.read_now(jobs.find, first.id).status == jobs.CANCELLED)  # type: ignore[union-attr]
    GATE.go.set()
    await play.engine.advance(play.id, ANN)
    await _has_value(play, "report")
    assert (await play.outputs())["report"] == "1 pages"


async def test_edit_that_is_cancelled_leaves_a_job_alone(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await play.revert("site")
    assert (await _job(play, "crawl")).status == jobs.RUNNING
    await play.engine.cancel_edit(play.id, ANN)
    assert (await play.form("crawl")).is_working
    GATE.go.set()
    await _has_value(play, "report")
    assert GATE.calls == ["page 0", "page 1", "page 2"]
    assert (await play.kinds()).count("requested") == 1


async def test_job_that_is_done_during_an_edit_waits_for_what_comes_of_it(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await play.revert("site")
    GATE.go.set()
    row = await _has(play, "crawl", jobs.PARKED)
    assert "being edited" in row.reason
    await play.engine.cancel_edit(play.id, ANN)
    await _has_value(play, "report")
    assert GATE.calls == ["page 0", "page 1", "page 2"]


async def test_job_taken_up_during_an_edit_waits_without_calling_the_step(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await made.jobs.cancel((await _job(play, "crawl")).id, ANN.actor)
    stopped = await _has(play, "crawl", jobs.CANCELLED)
    await play.revert("site")
    GATE.go.set()
    calls = list(GATE.calls)
    await made.jobs.resume(stopped.id, ANN.actor, stopped.code)
    assert "being edited" in (await _has(play, "crawl", jobs.PARKED)).reason
    assert GATE.calls == calls
    await play.engine.cancel_edit(play.id, ANN)
    await _has_value(play, "report")


async def test_job_that_was_stopped_stays_so_over_an_edit_that_is_cancelled(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await made.jobs.cancel((await _job(play, "crawl")).id, ANN.actor)
    await _has(play, "crawl", jobs.CANCELLED)
    await play.revert("site")
    await play.engine.cancel_edit(play.id, ANN)
    await play.go_on()
    assert (await _job(play, "crawl")).status == jobs.CANCELLED
    assert (await play.kinds()).count("requested") == 1


async def test_answer_that_the_code_refuses_is_a_sentence_for_people(made: Bench) -> None:
    play = await made.start("typed")
    await play.answer("work", words="wrong")
    row = await _has(play, "work", jobs.FAILED)
    assert row.reason == "That word is not allowed."


async def test_job_of_an_app_that_is_gone_waits_for_a_person(made: Bench) -> None:
    play = await made.start("typed")
    row = await made.db.write(jobs.add, {**_request(play), "id": "a" * 32})
    made.engine.catalog = {}
    made.jobs.start(row)
    row = await _has(play, "work", jobs.PARKED)
    assert "was not there" in row.reason


async def test_job_of_an_app_that_was_changed_waits_for_a_person(made: Bench) -> None:
    play = await made.start("typed")
    row = await made.db.write(jobs.add, {**_request(play), "id": "a" * 32, "code": "another"})
    made.jobs.start(row)
    row = await _has(play, "work", jobs.PARKED)
    assert "was changed" in row.reason


async def test_erased_run_takes_its_jobs_along(made: Bench) -> None:
    play = await _crawls(made)
    row = await _has(play, "crawl", jobs.DONE)
    await until(lambda: not made.jobs._tasks)
    await play.engine.delete(play.id, ANN)
    await play.engine.purge(play.id, ANN)
    assert await made.db.read(jobs.find, row.id) is None
    assert await made.db.read(jobs.lines, row.id) == []


async def test_deleted_run_stops_its_job(made: Bench) -> None:
    GATE.go.clear()
    play = await _crawls(made)
    await asyncio.to_thread(GATE.reached.wait, 20)
    await play.engine.delete(play.id, ANN)
    row = await _has(play, "crawl", jobs.CANCELLED)
    assert row.reason


def test_what_makes_no_sense_is_a_finding() -> None:
    workflow = Workflow("flow")
    workflow.step("crawl")(crawl)
    workflow.step("work", background=True, retries=-1)(work)
    assert [each.code for each in workflow.prepare()] == ["W041", "W042"]


def _request(play: Play) -> dict[str, object]:
    return {
        "kind": "step", "title": "t", "app": "typed", "run": play.id, "step": "work", "version": 1, "owner": ANN.actor,
        "profile": "default", "args": "{}", "asked_at": "2026-01-01T00:00:00.000000Z",
    }  # fmt: skip


async def test_author_is_told_where_a_step_raised_and_nobody_elses_code(made: Bench, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("def work(x: int) -> int:\n    return int('<b>')\n\ndef alone() -> int:\n    return 1 // 0\n")
    spec = importlib.util.spec_from_file_location("broken", broken)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    made.install(flow(module.work, name="asks"), flow(module.alone, name="alone"))
    play = await made.start("asks")
    with pytest.raises(StepFailedError) as raised:
        await play.answer("work", x="1")
    assert raised.value.where == "broken.py, line 2 (ValueError)."
    play = await made.start("alone")
    await play.go_on()
    failure = (await play.form("alone")).failure
    assert failure is not None
    assert failure.where == "broken.py, line 5 (ZeroDivisionError)."


async def test_result_that_cannot_be_stored_says_so(made: Bench) -> None:
    def odd() -> object:
        return object()

    made.install(flow(odd, name="odd", odd={"background": True}))
    play = await made.start("odd")
    await play.engine.advance(play.id, ANN)
    row = await _has(play, "odd", jobs.FAILED)
    assert row.reason.startswith("What “Odd” returned cannot be kept: ")


async def test_result_that_is_not_what_the_step_says_is_refused_where_it_was_made(made: Bench) -> None:
    def late() -> str:
        return None  # type: ignore[return-value]

    made.install(flow(late, name="late", late={"background": True}))
    play = await made.start("late")
    await play.engine.advance(play.id, ANN)
    row = await _has(play, "late", jobs.FAILED)
    assert row.reason.endswith("returned cannot be kept: Input should be a valid string.")
