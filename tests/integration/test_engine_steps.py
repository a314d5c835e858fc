"""The engine calls steps: in order, once, off the loop; what fails changes nothing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from pipulate import Run
from pipulate.errors import InvalidAnswersError, RunNotFoundError, StepFailedError, StepNotOpenError, UnknownStepError
from pipulate.events import MessagesAdded, RunChanged
from pipulate.security.who import Who
from pipulate.storage import ledger
from tests.support.flows import ANN, bench, flow

pytestmark = pytest.mark.anyio
WAIT_S = 20


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the engine puts into the log."""
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr("pipulate.workflows.work._log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


def site(url: str) -> str:
    return url.upper()


def length(run: Run) -> int:
    return len(run["site"])


async def double(run: Run) -> int:
    await asyncio.get_running_loop().run_in_executor(None, int)
    return int(run["length"]) * 2


def last(run: Run, note: str) -> str:
    return f"{note}: {run['double']}"


async def test_run_goes_from_step_to_step_by_answers_and_by_itself(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, length, double, last)) as made:
        play = await made.start()
        assert await play.statuses() == "site:open length:waiting double:waiting last:waiting"
        await play.answer("site", url="a.com")
        assert await play.statuses() == "site:done length:open double:waiting last:waiting"
        await play.go_on()
        assert await play.statuses() == "site:done length:done double:done last:open"
        await play.answer("last", note="x")
        assert await play.outputs() == {"site": "A.COM", "length": 5, "double": 10, "last": "x: 10"}
        assert await play.kinds() == ["started", "submitted", "computed", "computed", "submitted"]


async def test_run_that_begins_with_steps_of_its_own_goes_on_at_once(tmp_path: Path) -> None:
    def first() -> int:
        return 1

    def second(run: Run) -> int:
        return int(run["first"]) + 1

    async with bench(tmp_path, flow(first, second)) as made:
        play = await made.start()
        await play.go_on()
        assert await play.outputs() == {"first": 1, "second": 2}


async def test_value_knows_what_it_was_made_from(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, length, double, last)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        view = await play.go_on()
        steps = view.state.steps
        assert steps["length"].reads == {"site": steps["site"].digest}
        assert steps["double"].reads == {"length": steps["length"].digest}


async def test_computed_value_has_no_tab(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, length)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.go_on()
        tabs = [each.tab for each in made.told if isinstance(each, RunChanged)]
        assert tabs == ["tab-1", "tab-1", None]


async def test_everybody_is_told_of_every_change_after_it_is_stored(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site)) as made:
        play = await made.start()
        made.told.clear()
        await play.answer("site", url="a")
        written = (await made.db.read(ledger.events, play.id))[-1]
        assert made.told == [MessagesAdded(play.id, 2, written), RunChanged(play.id, 2, "tab-1")]


# Waiting


async def test_step_that_waits_does_not_stop_the_loop(tmp_path: Path) -> None:
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(x: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return go.wait(WAIT_S)

    async with bench(tmp_path, flow(slow, site, name="slow"), flow(site)) as made:
        waiting, other = await made.start("slow"), await made.start()
        answer = asyncio.create_task(waiting.answer("slow", x="1"))
        await asyncio.wait_for(begun.wait(), WAIT_S)
        await other.answer("site", url="meanwhile")  # Nothing of this would happen if the loop stood still.
        go.set()
        await answer
        assert await waiting.outputs() == {"slow": True}


async def test_step_that_runs_by_itself_does_not_stop_the_loop(tmp_path: Path) -> None:
    go = threading.Event()

    def slow() -> bool:
        return go.wait(WAIT_S)

    async with bench(tmp_path, flow(slow)) as made:
        play = await made.start()
        chain = play.engine.advance(play.id, ANN)
        assert (await play.form("slow")).is_working
        go.set()
        await chain
        assert await play.outputs() == {"slow": True}


async def test_conditions_and_suggestions_may_wait_too(tmp_path: Path) -> None:
    threads = set[str]()

    def noted(run: Run) -> Any:
        threads.add(threading.current_thread().name)
        return True

    async with bench(tmp_path, flow(site, site_two, site_two={"when": noted, "suggest": noted})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.form("site_two")
        assert threads == {"step"}


def site_two(url: str) -> str:
    return url


# Once


@pytest.mark.parametrize("step", ["plain", "waits"])
async def test_form_sent_ten_times_at_once_calls_its_step_once(tmp_path: Path, step: str) -> None:
    calls = list[str]()

    def plain(x: str) -> str:
        calls.append(x)
        return x

    async def waits(x: str) -> str:
        calls.append(x)
        await asyncio.get_running_loop().run_in_executor(None, int)
        return x

    async with bench(tmp_path, flow({"plain": plain, "waits": waits}[step])) as made:
        play = await made.start()
        await asyncio.gather(*[play.answer(step, seen=1, submit="same-form", x="1") for _ in range(10)])
        assert calls == ["1"]
        assert await play.version() == 2


async def test_form_sent_again_later_changes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, site_two)) as made:
        play = await made.start()
        await play.answer("site", seen=1, submit="form-one", url="a")
        await play.answer("site_two", url="b")
        view = await play.answer("site", seen=1, submit="form-one", url="a")
        assert view.row.version == 3
        assert await play.outputs() == {"site": "A", "site_two": "b"}


async def test_form_of_a_page_brought_back_with_other_answers_is_a_new_attempt(tmp_path: Path) -> None:
    from pipulate.errors import RunConflictError

    async with bench(tmp_path, flow(site)) as made:
        play = await made.start()
        await play.answer("site", seen=1, submit="form-one", url="a")
        with pytest.raises(RunConflictError):
            await play.answer("site", seen=1, submit="form-one", url="b")
        assert await play.outputs() == {"site": "A"}


async def test_known_form_with_other_answers_for_the_newest_version_is_not_dropped(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site)) as made:
        play = await made.start()
        await play.answer("site", seen=1, submit="form-one", url="a")
        await play.answer("site", seen=2, submit="form-one", url="b")
        assert await play.outputs() == {"site": "B"}


async def test_form_is_forgotten_when_its_step_fails_so_that_it_can_be_sent_again(tmp_path: Path) -> None:
    fails = iter([True, False])

    def fragile(x: str) -> str:
        if next(fails):
            raise ValueError("not yet")
        return x

    async with bench(tmp_path, flow(fragile)) as made:
        play = await made.start()
        with pytest.raises(StepFailedError):
            await play.answer("fragile", seen=1, submit="form-one", x="1")
        await play.answer("fragile", seen=1, submit="form-one", x="1")
        assert await play.outputs() == {"fragile": "1"}


async def test_chain_runs_once_for_all_who_ask(tmp_path: Path) -> None:
    calls = list[int]()

    def counted() -> int:
        calls.append(1)
        return len(calls)

    async with bench(tmp_path, flow(counted)) as made:
        play = await made.start()
        await asyncio.gather(*[play.engine.advance(play.id, ANN) for _ in range(10)])
        await play.go_on()
        assert calls == [1]


# Mistakes of an author


def fail_plain(x: str) -> None:
    raise ValueError("plain <secret>")


async def fail_waiting(x: str) -> None:
    raise ValueError("waiting <secret>")


def exits(x: str) -> None:
    sys.exit(3)


async def exits_waiting(x: str) -> None:
    sys.exit(3)


def interrupts(x: str) -> None:
    raise KeyboardInterrupt


def stops(x: str) -> str:
    return next(iter(()))


def recurses(x: str) -> None:
    recurses(x)


def cannot_be_stored(x: str) -> object:
    return object()


def not_json(x: str) -> list[Any]:
    return [object()]


def wrong_type(x: str) -> int:
    return "many"  # type: ignore[return-value] # the mistake


@pytest.mark.parametrize(
    "step",
    [fail_plain, fail_waiting, exits, exits_waiting, interrupts, stops, recurses, cannot_be_stored, not_json,
     wrong_type],
    ids=lambda step: step.__name__,
)  # fmt: skip
async def test_step_that_fails_changes_nothing_and_its_id_is_in_the_log(
    tmp_path: Path, step: Callable[..., Any], logged: list[Any]
) -> None:
    async with bench(tmp_path, flow(step)) as made:
        play = await made.start()
        made.told.clear()
        with pytest.raises(StepFailedError) as caught:
            await play.answer(step.__name__, x="1")
        assert (await play.version(), await play.outputs(), made.told) == (1, {}, [])
        assert caught.value.error_id in str(caught.value)
        assert "secret" not in str(caught.value)
        (entry,) = logged
        assert (entry["event"], entry["error_id"], entry["step"]) == (
            "step.failed",
            caught.value.error_id,
            step.__name__,
        )
        assert (entry["file"], entry["exc_info"] is not None) == (__file__, True)


async def test_step_may_refuse_answers_in_its_own_words(tmp_path: Path, logged: list[Any]) -> None:
    def picky(x: str) -> None:
        raise InvalidAnswersError({"x": "Not this one."})

    async with bench(tmp_path, flow(picky)) as made:
        play = await made.start()
        with pytest.raises(InvalidAnswersError, match="Not this one"):
            await play.answer("picky", x="1")
        assert logged == []


@pytest.mark.parametrize("step", [fail_plain, exits, stops], ids=lambda step: step.__name__)
async def test_step_of_its_own_that_fails_is_shown_and_can_be_tried_again(
    tmp_path: Path, step: Callable[..., Any], logged: list[Any]
) -> None:
    doing = [step]

    def alone(run: Run) -> str:
        doing[0](run["site"])
        return "done"

    async with bench(tmp_path, flow(site, alone)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.go_on()
        failure = (await play.form("alone")).failure
        assert failure is not None
        assert (failure.error_id, await play.statuses()) == (logged[0]["error_id"], "site:done alone:open")
        await play.go_on()
        assert len(logged) == 1  # It is not tried again by itself.
        doing[0] = site
        play.engine.retry(play.id, "alone")
        assert (await play.form("alone")).is_working
        await play.go_on()
        assert await play.outputs() == {"site": "A", "alone": "done"}


async def test_step_of_its_own_that_failed_is_tried_again_after_a_change(tmp_path: Path) -> None:
    def alone(run: Run) -> int:
        return int(run["site"])

    async with bench(tmp_path, flow(site, alone)) as made:
        play = await made.start()
        await play.answer("site", url="x")
        await play.go_on()
        await play.answer("site", url="7")
        await play.go_on()
        assert await play.outputs() == {"site": "7", "alone": 7}


async def test_step_of_its_own_that_refuses_answers_is_shown_as_failed(tmp_path: Path, logged: list[Any]) -> None:
    def confused() -> None:
        raise InvalidAnswersError({"x": "Nobody was asked."})

    async with bench(tmp_path, flow(confused)) as made:
        play = await made.start()
        await play.go_on()
        failure = (await play.form("confused")).failure
        assert failure is not None
        assert failure.error_id == logged[0]["error_id"]


async def test_condition_that_fails_names_the_step_it_belongs_to(tmp_path: Path, logged: list[Any]) -> None:
    for mistake in (fail_plain, exits):
        async with bench(tmp_path, flow(site, site_two, site_two={"when": mistake})) as made:
            play = await made.start()
            with pytest.raises(StepFailedError) as caught:
                await play.answer("site", url="a")
            assert caught.value.step == "site_two"
            assert caught.value.error_id == logged[-1]["error_id"]
            assert await play.outputs() == {}


# Refusals


async def test_unknown_step_run_or_person_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site)) as made:
        play = await made.start()
        with pytest.raises(UnknownStepError):
            await play.answer("nothing", url="a")
        with pytest.raises(RunNotFoundError):
            await made.engine.view("0" * 32, ANN)
        with pytest.raises(RunNotFoundError):
            await made.engine.view(play.id, Who("somebody else"))


async def test_step_that_is_not_open_is_refused_before_its_code_runs(tmp_path: Path) -> None:
    called = list[str]()

    def later(x: str) -> None:
        called.append(x)

    async with bench(tmp_path, flow(site, later)) as made:
        play = await made.start()
        with pytest.raises(StepNotOpenError, match="The step that is open now is 'site'"):
            await play.answer("later", x="1")
        assert called == []


async def test_step_without_fields_takes_no_answers(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, length)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        with pytest.raises(StepNotOpenError):
            await play.answer("length")
        await play.go_on()
        assert await play.outputs() == {"site": "A", "length": 1}


async def test_wrong_answers_are_refused_before_the_code_of_the_step_runs(tmp_path: Path) -> None:
    called = list[int]()

    def whole(x: int) -> None:
        called.append(x)

    async with bench(tmp_path, flow(whole)) as made:
        play = await made.start()
        with pytest.raises(InvalidAnswersError):
            await play.answer("whole", x="one")
        assert (called, await play.version()) == ([], 1)


async def test_closing_leaves_what_is_computed_for_the_next_start(tmp_path: Path) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow() -> bool:
        begun.set()
        return go.wait(WAIT_S)

    app = flow(slow)
    async with bench(tmp_path, app) as made:
        play = await made.start()
        made.engine.advance(play.id, ANN)
        assert await asyncio.to_thread(begun.wait, WAIT_S)
    go.set()
    async with bench(tmp_path, app) as made:
        view = await made.engine.view(play.id, ANN)
        assert view.state.steps == {}
        await made.engine.advance(play.id, ANN)
        assert "slow" in (await made.engine.view(play.id, ANN)).state.steps
