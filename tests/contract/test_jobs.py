"""The contract of the port `Jobs`, whoever runs them and wherever they are kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.errors import PartRefusedError
from pipulate.jobs import doing, working
from pipulate.jobs.doing import Job
from pipulate.jobs.port import Options
from pipulate.storage import jobs
from tests.support.flows import until
from tests.support.job_room import OWNER, Calls, Room, eventually, room
from tests.support.services import postgres_database
from tests.support.store import Postgres, Sqlite

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["local on sqlite", "engine on sqlite", "engine on postgresql"])
async def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """What runs jobs: one for all tests, because an engine takes its time to begin."""
    folder: Path = tmp_path_factory.mktemp("jobs")
    with contextlib.ExitStack() as stack:
        kind, _, where = request.param.partition(" on ")
        stores = Sqlite() if where == "sqlite" else Postgres(stack.enter_context(postgres_database()))
        store = stack.enter_context(stores.opened(folder / "data"))
        async with room(store, engine="local" if kind == "local" else "transact") as made:
            yield made


@pytest.fixture(autouse=True)
def gate() -> Iterator[Gate]:
    """Where a test holds jobs up; opened at the end, so that nothing waits for ever."""
    GATE.reset()
    yield GATE
    GATE.go.set()


class Gate:
    """Where jobs are held up, and what they were seen doing."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the test before."""
        self.go, self.reached = threading.Event(), threading.Event()
        self.calls: list[str] = []
        self.times: list[float] = []
        self.fails = 0

    def came(self, what: str = "call") -> None:
        """Take note of a call, and fail where that is wanted."""
        self.calls.append(what)
        self.times.append(time.monotonic())
        self.reached.set()
        if self.fails > 0:
            self.fails -= 1
            raise OSError("no answer from the host")


GATE = Gate()


def plain(job: Job, answer: Any = 1) -> Any:
    GATE.came(job.id)
    return answer


async def awaits(job: Job, answer: Any = 1) -> Any:
    GATE.came(job.id)
    await asyncio.sleep(0)
    return answer


def held(job: Job) -> str:
    GATE.came()
    while not GATE.go.wait(0.005):
        job.check()
    return "went on"


async def held_async(job: Job) -> str:
    GATE.came()
    await until(GATE.go.is_set)
    return "went on"


async def reached() -> None:
    assert await asyncio.to_thread(GATE.reached.wait, 20)


def later(made: Room, seconds: float) -> str:
    return to_text(made.store.clock.now() + timedelta(seconds=seconds))


# What comes of a job


@pytest.mark.parametrize("function", [plain, awaits])
async def test_what_a_job_returns_is_kept(made: Room, function: Any) -> None:
    row = await made.ask(function, answer={"pages": [1, 2], "title": "ä"})
    assert row.status == jobs.QUEUED
    assert await made.done(row.id) == {"pages": [1, 2], "title": "ä"}
    row = await made.row(row.id)
    assert (row.attempt, row.reason, row.trace, row.error_id) == (1, "", None, None)
    assert row.started_at is not None
    assert row.ended_at is not None


async def test_everybody_is_told_when_a_job_begins_and_ends(made: Room) -> None:
    row = await made.ask(plain)
    await made.done(row.id)
    await until(lambda: [each.status for each in made.told if each.id == row.id] == ["queued", "running", "done"])


@pytest.mark.parametrize("function", [plain, awaits])
async def test_job_that_fails_has_words_for_people_and_a_traceback_for_authors(made: Room, function: Any) -> None:
    GATE.fails = 1
    row = await made.when((await made.ask(function)).id, jobs.FAILED)
    assert row.reason == "The app made an error in this step."
    assert row.trace is not None
    assert 'raise OSError("no answer from the host")' in row.trace
    assert row.error_id is not None
    assert await made.store.db.read(jobs.result_of, row.id) is None


def leaves(job: Job) -> None:
    sys.exit(3)


async def leaves_async(job: Job) -> None:
    sys.exit(3)


@pytest.mark.parametrize("function", [leaves, leaves_async])
async def test_job_that_leaves_the_program_fails_and_others_go_on(made: Room, function: Any) -> None:
    first = await made.ask(function)
    await made.when(first.id, jobs.FAILED)
    for other in (plain, awaits):
        assert await made.done((await made.ask(other)).id) == 1


def unstorable(job: Job) -> Any:
    return object()


async def test_job_whose_result_has_no_form_in_json_fails(made: Room) -> None:
    row = await made.when((await made.ask(unstorable)).id, jobs.FAILED)
    assert row.trace is not None
    assert "JSON" in row.trace


async def test_job_of_a_kind_nobody_does_waits_for_a_person(made: Room) -> None:
    row = await made.ask(plain, kind=f"kind {new_id()}")
    row = await made.when(row.id, jobs.PARKED)
    assert row.is_open
    assert row.reason == "Nothing installed can do this."
    assert GATE.calls == []


# Attempts


async def test_job_is_tried_again_after_waits_that_grow(made: Room) -> None:
    GATE.fails = 2
    row = await made.ask(plain, Options(retries=2, backoff_s=0.1))
    assert await made.done(row.id) == 1
    assert (await made.row(row.id)).attempt == 3
    waits = {each.attempt: each.start_at for each in made.told if each.id == row.id and each.status == jobs.QUEUED}
    assert waits == {1: None, 2: later(made, 0.1), 3: later(made, 0.2)}
    assert GATE.times[2] - GATE.times[1] >= 0.19


async def test_job_that_always_fails_is_tried_so_often_and_then_failed(made: Room) -> None:
    GATE.fails = 100
    row = await made.when((await made.ask(plain, Options(retries=2, backoff_s=0.01))).id, jobs.FAILED)
    assert (row.attempt, len(GATE.calls)) == (3, 3)
    assert row.trace is not None


async def test_job_that_waits_to_be_tried_again_says_why(made: Room) -> None:
    GATE.fails = 1
    row = await made.ask(plain, Options(retries=1, backoff_s=500))
    await reached()
    row = await made.attempts(row.id, 2)
    assert (row.status, row.reason) == (jobs.QUEUED, "The app made an error in this step.")
    assert row.trace is not None
    assert row.start_at == later(made, 500)
    await made.jobs.cancel(row.id, OWNER)


@pytest.mark.parametrize("function", [held, held_async])
async def test_job_that_takes_too_long_is_given_up(made: Room, function: Any) -> None:
    row = await made.when((await made.ask(function, Options(timeout_s=0.1))).id, jobs.FAILED)
    assert row.reason == "This took longer than 0.1 seconds, which is all it may take, and was stopped."


def gives_up(job: Job) -> None:
    raise TimeoutError("the host did not answer")


async def gives_up_async(job: Job) -> None:
    raise TimeoutError("the host did not answer")


@pytest.mark.parametrize("function", [gives_up, gives_up_async])
async def test_time_limit_of_an_apps_own_is_not_the_jobs(made: Room, function: Any) -> None:
    row = await made.when((await made.ask(function, Options(timeout_s=3600))).id, jobs.FAILED)
    assert row.reason == "The app made an error in this step."


# Cancel and go on


async def test_cancelled_while_queued_is_never_begun(made: Room) -> None:
    row = await made.ask(plain, Options(start_at=later(made, 0.15)))
    cancelled = await made.jobs.cancel(row.id, OWNER)
    assert cancelled is not None
    assert (cancelled.status, cancelled.reason) == (jobs.CANCELLED, "Cancelled.")
    after = await made.ask(awaits, Options(start_at=later(made, 0.3)))
    await made.done(after.id)
    assert GATE.calls == [after.id]


@pytest.mark.parametrize("function", [held, held_async])
async def test_cancelled_while_running_stops_at_its_next_call(made: Room, function: Any) -> None:
    row = await made.ask(function)
    await reached()
    assert await made.jobs.cancel(row.id, OWNER) is not None
    row = await made.when(row.id, jobs.CANCELLED)
    assert row.trace is None
    assert row.stop == 0


def breaks(job: Job) -> None:
    GATE.came(job.id)
    assert GATE.go.wait(20)
    raise OSError("what it worked on is gone")


@pytest.mark.parametrize("retries", [0, 2])
async def test_what_fails_after_it_was_asked_to_stop_is_cancelled_and_has_not_failed(made: Room, retries: int) -> None:
    row = await made.ask(breaks, Options(retries=retries))
    await reached()
    assert await made.jobs.cancel(row.id, OWNER) is not None
    GATE.go.set()
    row = await made.when(row.id, jobs.CANCELLED)
    assert (row.reason, row.trace, row.error_id, row.stop) == ("Cancelled.", None, None, 0)
    assert GATE.calls == [row.id]


@pytest.mark.parametrize("retries", [0, 2])
async def test_what_fails_when_nobody_waits_for_it_any_more_is_cancelled_and_says_why(made: Room, retries: int) -> None:
    row = await made.ask(breaks, Options(retries=retries))
    await reached()
    made.does.overtakes[row.id] = "The run was deleted."
    GATE.go.set()
    row = await made.when(row.id, jobs.CANCELLED)
    assert (row.reason, row.trace, row.error_id) == ("The run was deleted.", None, None)
    assert GATE.calls == [row.id]


async def test_cancelled_while_it_waits_to_be_tried_again_is_not_tried_again(made: Room) -> None:
    GATE.fails = 1
    row = await made.ask(plain, Options(retries=3, backoff_s=0.2))
    row = await made.attempts(row.id, 2)
    assert (await made.jobs.cancel(row.id, OWNER)) is not None
    assert (await made.row(row.id)).status == jobs.CANCELLED
    await made.done((await made.ask(awaits, Options(start_at=later(made, 0.4)))).id)
    assert GATE.calls.count(row.id) == 1


async def test_cancel_of_what_has_ended_changes_nothing(made: Room) -> None:
    row = await made.ask(plain)
    await made.done(row.id)
    assert await made.jobs.cancel(row.id, OWNER) is None
    assert (await made.row(row.id)).status == jobs.DONE
    assert await made.jobs.resume(row.id, OWNER) is None


async def three_parts(job: Job) -> list[str]:
    found = []
    for number in range(3):
        found.append(await job.checkpoint(f"part {number}", part, number))
        await until(GATE.go.is_set)
    return found


def part(number: int) -> str:
    GATE.came(f"part {number}")
    return f"part {number}"


async def test_resumed_after_it_failed_it_keeps_finished_parts(made: Room) -> None:
    GATE.go.set()
    row = await made.ask(two_parts)
    await made.when(row.id, jobs.FAILED)
    resumed = await made.jobs.resume(row.id, OWNER)
    assert resumed is not None
    assert (resumed.status, resumed.reason, resumed.trace) == (jobs.QUEUED, "", None)
    assert await made.done(row.id) == ["part 0", "part 1"]
    assert GATE.calls == ["part 0", "part 1", "part 1"]


def two_parts(job: Job) -> list[str]:
    return [job.checkpoint_now("part 0", part, 0), job.checkpoint_now("part 1", second_part)]


def second_part() -> str:
    GATE.fails = 1 - GATE.calls.count("part 1")
    return part(1)


async def test_resumed_after_it_was_cancelled_it_keeps_finished_parts(made: Room) -> None:
    row = await made.ask(three_parts)
    await eventually(lambda: made.store.db.read(jobs.parts, row.id))
    await made.jobs.cancel(row.id, OWNER)
    await made.when(row.id, jobs.CANCELLED)
    GATE.go.set()
    assert await made.jobs.resume(row.id, OWNER) is not None
    assert await made.done(row.id) == ["part 0", "part 1", "part 2"]
    assert GATE.calls == ["part 0", "part 1", "part 2"]


async def test_resumed_after_it_was_parked_it_is_done_with_the_code_there_is(made: Room) -> None:
    GATE.go.set()
    row = await made.ask(three_parts, Options(start_at=later(made, 0.1)))
    made.does.obstacles[row.id] = "The app was changed."
    row = await made.when(row.id, jobs.PARKED)
    assert row.reason == "The app was changed."
    made.does.obstacles.clear()
    resumed = await made.jobs.resume(row.id, OWNER, "the new code")
    assert resumed is not None
    assert resumed.code == "the new code"
    assert await made.done(row.id) == ["part 0", "part 1", "part 2"]


async def test_job_is_nobody_elses(made: Room) -> None:
    row = await made.ask(held)
    await reached()
    assert await made.jobs.cancel(row.id, "eve") is None
    assert (await made.row(row.id)).stop == 0
    await made.jobs.cancel(row.id, OWNER)
    await made.when(row.id, jobs.CANCELLED)
    assert await made.jobs.resume(row.id, "eve") is None
    assert (await made.row(row.id)).status == jobs.CANCELLED


# One, a few, many


async def test_two_asked_for_at_the_same_moment_with_one_key_are_one(made: Room) -> None:
    options = Options(dedup=new_id())
    rows = await asyncio.gather(*(made.ask(held, options) for _ in range(5)))
    assert len({row.id for row in rows}) == 1
    await reached()
    again = await made.ask(held, options)
    assert again.id == rows[0].id
    await made.done((await made.ask(awaits)).id)
    GATE.go.set()
    assert await made.done(again.id) == "went on"
    assert GATE.calls.count("call") == 1
    another = await made.ask(held, options)
    assert another.id != again.id
    await made.done(another.id)


async def test_job_is_not_resumed_while_another_has_its_key(made: Room) -> None:
    options = Options(dedup=new_id())
    GATE.fails = 1
    first = await made.ask(plain, options)
    await made.when(first.id, jobs.FAILED)
    second = await made.ask(held, options)
    assert await made.jobs.resume(first.id, OWNER) is None
    GATE.go.set()
    await made.done(second.id)


async def test_job_does_not_begin_before_its_time(made: Room) -> None:
    began = time.monotonic()
    row = await made.ask(plain, Options(start_at=later(made, 0.2)))
    now = await made.ask(awaits)
    await made.done(row.id)
    assert GATE.calls == [now.id, row.id]
    assert GATE.times[1] - began >= 0.19


UNDER_WAY: Counter[str] = Counter()
_LOCK = threading.Lock()


def counted(job: Job, what: str) -> int:
    with _LOCK:
        UNDER_WAY[what] += 1
        UNDER_WAY[f"most {what}"] = max(UNDER_WAY[f"most {what}"], UNDER_WAY[what])
        if UNDER_WAY[what] == 2:
            GATE.reached.set()
    GATE.reached.wait(2)  # For another one.
    GATE.go.wait(0.02)  # For a third one, which must not come.
    with _LOCK:
        UNDER_WAY[what] -= 1
        UNDER_WAY[f"calls {what}"] += 1
    if UNDER_WAY[f"calls {what}"] == 1:
        raise OSError("the first one fails")
    return 1


async def test_no_more_than_so_many_run_at_once_retries_included(made: Room) -> None:
    UNDER_WAY.clear()
    options = Options(at_once=2, retries=1, backoff_s=0.01)
    rows = [await made.ask(counted, options, step="few", what="few") for _ in range(8)]
    for row in rows:
        await made.done(row.id)
    assert UNDER_WAY["most few"] == 2
    assert UNDER_WAY["calls few"] == 9


async def test_two_hundred_jobs_are_all_done_once(made: Room) -> None:
    functions = [plain, awaits]
    rows = await asyncio.gather(*(made.ask(functions[number % 2], answer=number) for number in range(200)))
    for number, row in enumerate(rows):
        assert await made.done(row.id) == number
    assert Counter(GATE.calls) == Counter(row.id for row in rows)


async def test_waiting_jobs_of_one_step_hold_up_no_others(made: Room) -> None:
    rows = [await made.ask(held, Options(at_once=1), step="slow") for _ in range(5)]
    assert await made.done((await made.ask(plain)).id) == 1
    GATE.go.set()
    for row in rows:
        await made.done(row.id)


async def test_jobs_that_wait_for_others_take_none_of_their_places(made: Room) -> None:
    light = Calls()
    light.functions, light.waits_for_others = made.does.functions, True
    made.jobs.register("light", light)
    waiting = [await made.ask(held_async, kind="light") for _ in range(17)]
    assert await made.done((await made.ask(plain)).id) == 1
    GATE.go.set()
    for row in waiting:
        await made.done(row.id)


# Parts


def shapes(job: Job) -> Any:
    GATE.came()
    first = job.checkpoint_now("shapes", tuple_with_numbers)
    again = job.checkpoint_now("shapes", tuple_with_numbers)
    return [repr(first), repr(again)]


def tuple_with_numbers() -> Any:
    GATE.came("part")
    return ("x", {1: 2.0}, None)


async def test_result_of_a_part_is_the_same_the_first_time_and_later(made: Room) -> None:
    row = await made.ask(shapes)
    first, again = await made.done(row.id)
    assert first == again == "['x', {'1': 2.0}, None]"
    assert GATE.calls.count("part") == 1


async def same_name(job: Job) -> list[str]:
    return list(await asyncio.gather(*(job.checkpoint("one", slow_part, f"{number}", 3) for number in range(3))))


async def slow_part(number: str, others: int) -> str:
    GATE.came(number)
    await until(lambda: len(GATE.calls) == others)
    return number


async def test_parts_of_one_name_have_one_result_even_at_the_same_moment(made: Room) -> None:
    row = await made.ask(same_name)
    found = await made.done(row.id)
    assert len(set(found)) == 1
    stored = await made.store.db.read(jobs.part, row.id, "one")
    assert stored == json.dumps(found[0])


async def parallel(job: Job) -> list[str]:
    return list(
        await asyncio.gather(*(job.checkpoint(f"p{number}", slow_part, f"{number}", 10) for number in range(10)))
    )


async def test_parts_run_at_the_same_time(made: Room) -> None:
    row = await made.ask(parallel)
    assert await made.done(row.id) == [f"{number}" for number in range(10)]
    assert await made.store.db.read(jobs.parts, row.id) == 10


async def refused(job: Job, size: int) -> str:
    try:
        await job.checkpoint("large", "x".__mul__, size)
    except PartRefusedError as error:
        return str(error)
    return "taken"


async def test_result_of_a_part_that_is_too_large_is_refused_in_words(made: Room) -> None:
    fits, over = doing.PART_MAX_BYTES - 2, doing.PART_MAX_BYTES - 1
    assert await made.done((await made.ask(refused, size=fits)).id) == "taken"
    row = await made.ask(refused, size=over)
    said = await made.done(row.id)
    assert "large" in said
    assert "file" in said
    assert await made.store.db.read(jobs.parts, row.id) == 0


def no_json(job: Job) -> None:
    job.checkpoint_now("odd", object)


async def test_result_of_a_part_that_is_no_json_is_refused_in_words(made: Room) -> None:
    row = await made.when((await made.ask(no_json)).id, jobs.FAILED)
    assert "odd" in row.reason
    assert "JSON" in row.reason


async def keys(job: Job) -> list[str]:
    GATE.came()
    found = [job.key, await job.checkpoint("a", key_of, job), await job.checkpoint("b", key_async, job)]
    if job.attempt == 1:
        KEYS.extend(found)
        raise OSError("again")
    return [job.key_for("a"), job.key, *found]


KEYS: list[str] = []


def key_of(job: Job) -> str:
    KEYS.append(job.key)
    return job.key


async def key_async(job: Job) -> str:
    return job.key


async def test_key_of_a_part_is_the_same_in_every_attempt(made: Room) -> None:
    KEYS.clear()
    row = await made.ask(keys, Options(retries=1, backoff_s=0.01))
    found = await made.done(row.id)
    assert found == [f"{row.id}:a", row.id, row.id, f"{row.id}:a", f"{row.id}:b"]
    assert KEYS[1:4] == found[2:]


# What it says


def says(job: Job) -> None:
    for number in range(jobs.LINES_MAX + 50):
        job._doing.log(f"line {number}")
    job._doing.say(3, 7, "three of seven", 1.5)
    job._doing.partial('{"so": "far"}')


async def test_what_a_job_says_is_kept_and_its_log_capped(made: Room) -> None:
    row = await made.ask(says)
    await made.done(row.id)
    row = await made.row(row.id)
    assert row.done == {"done": 3, "total": 7, "text": "three of seven", "left_s": 1.5}
    assert row.partial == '{"so": "far"}'
    lines = await made.store.db.read(jobs.lines, row.id)
    assert len(lines) == jobs.LINES_MAX
    assert lines[-1].text == f"line {jobs.LINES_MAX + 49}"


def says_and_fails(job: Job) -> None:
    job._doing.log("the last thing it did")
    raise OSError("no answer")


async def test_what_a_job_said_before_it_failed_is_there_when_it_has_failed(made: Room) -> None:
    row = await made.when((await made.ask(says_and_fails)).id, jobs.FAILED)
    assert [line.text for line in await made.store.db.read(jobs.lines, row.id)] == ["the last thing it did"]


async def test_job_resumed_at_once_can_be_stopped_at_once(made: Room) -> None:
    for _ in range(5):
        GATE.reached.clear()
        row = await made.when((await made.ask(fails_then_held)).id, jobs.FAILED)
        await made.jobs.resume(row.id, OWNER)
        await reached()
        began = time.monotonic()
        await made.jobs.cancel(row.id, OWNER)
        await made.when(row.id, jobs.CANCELLED)
        assert time.monotonic() - began < 5


def fails_then_held(job: Job) -> None:
    if job.attempt == 1:
        raise OSError("no answer")
    held(job)


def says_and_waits(job: Job, first: int) -> None:
    for number in range(first, first + 700):
        job._doing.log(f"line {number}")
    GATE.came()
    while not GATE.go.wait(0.005):
        job.check()


async def test_log_is_capped_over_attempts(made: Room) -> None:
    GATE.fails = 1
    GATE.go.set()
    row = await made.ask(says_and_waits, Options(retries=1, backoff_s=0.01), first=0)
    await made.done(row.id)
    lines = await made.store.db.read(jobs.lines, row.id)
    assert len(lines) == jobs.LINES_MAX
    assert lines[-1].text == "line 699"
    assert lines[0].seq > 400


async def test_what_a_job_says_is_there_while_it_runs(made: Room) -> None:
    row = await made.ask(says_and_waits, first=10)
    lines = await eventually(lambda: made.store.db.read(jobs.lines, row.id))
    assert lines[0].text == "line 10"
    assert (await made.row(row.id)).status == jobs.RUNNING


def sleeps(job: Job) -> None:
    GATE.came()
    GATE.go.wait(20)


async def sleeps_async(job: Job) -> None:
    GATE.came()
    GATE.go.wait(20)  # What no `async` function should do.


@pytest.mark.parametrize("function", [sleeps, sleeps_async])
async def test_job_that_says_nothing_for_long_is_told(
    made: Room, monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    monkeypatch.setattr(working, "SILENT_S", 0.3)
    row = await made.ask(function)
    await reached()
    await until(lambda: [each.id for each in made.told].count(row.id) == 3)  # Asked for, began, is silent.
    under_way = made.jobs.doing(row.id)
    assert under_way is not None
    assert under_way.silent_s > 0.3
    GATE.go.set()
    await made.done(row.id)


async def test_async_job_that_blocks_holds_up_neither_this_loop_nor_plain_jobs(made: Room) -> None:
    row = await made.ask(sleeps_async)
    await reached()
    began = time.monotonic()
    assert await made.done((await made.ask(plain)).id) == 1
    assert await made.done((await made.ask(plain, Options(at_once=1), step="few")).id) == 1
    assert time.monotonic() - began < 5
    assert (await made.row(row.id)).status == jobs.RUNNING
    GATE.go.set()
    await made.done(row.id)


async def test_jobs_that_ended_are_forgotten_with_everything_they_left(made: Room) -> None:
    GATE.go.set()
    row = await made.ask(three_parts)
    await made.done(row.id)
    await made.jobs.forget([(row.id, 1)])
    assert await made.store.db.read(jobs.find, row.id) is None
    assert await made.store.db.read(jobs.parts, row.id) == 0
