"""Steps that are skipped or lead past others, checks before the lock, and what steps are handed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pipulate import Files, Messages, Profile, Progress, Run, User, Workflow
from pipulate.errors import RunLockedError, RunNotReadyError, StepFailedError, StepNotOpenError, StoreUnavailableError
from pipulate.events import StepProgressed
from pipulate.storage import keyvalue, messages, runs
from pipulate.storage.ledger import Author
from pipulate.testing import ManualClock
from pipulate.workflows.run import SKIPPED
from pipulate.workflows.temporary import Temporary
from tests.support.flows import ANN, Bench, Play, flow, until
from tests.support.flows import bench as a_bench
from tests.support.site import running

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with a_bench(tmp_path) as made:
        yield made


async def playing(bench: Bench, workflow: Workflow) -> Play:
    bench.install(workflow)
    return await bench.start()


async def skipped(play: Play, step: str, submit: str | None = None) -> None:
    await play.engine.skip(play.id, ANN, step, seen=await play.version(), submit_id=submit)


async def opened(play: Play) -> str | None:
    """Return the open step, as lists show it; what the steps themselves say has to be the same."""
    view = await play.view()
    slots = await play.engine.slots(view)
    asked = next((slot.step.name for slot in slots if slot.status in ("open", "editing")), None)
    assert view.row.open_step == asked
    return asked


def first(x: int) -> int:
    return x


def second(x: int) -> int:
    return x


def third(run: Run) -> str:
    return f"{run.get('second')} {'second' in run}"


# Optional


async def test_optional_step_can_be_skipped_and_then_has_no_value(bench: Bench) -> None:
    play = await playing(bench, flow(first, second, third, second={"optional": True}))
    await play.answer("first", x=1)
    await skipped(play, "second")
    view = await play.go_on()
    assert view.state.steps["second"].data["view"] == SKIPPED
    assert view.state.steps["third"].data["output"] == "None False"


async def test_skipped_step_can_be_answered_after_all(bench: Bench) -> None:
    play = await playing(bench, flow(first, second, third, second={"optional": True}))
    await play.answer("first", x=1)
    await skipped(play, "second")
    await play.go_on()
    await play.revert("second")
    await play.answer("second", x=7)
    assert (await play.go_on()).state.steps["third"].data["output"] == "7 True"


async def test_skipping_follows_the_rules_of_submitting(bench: Bench) -> None:
    play = await playing(bench, flow(first, second, third, second={"optional": True}))
    with pytest.raises(StepNotOpenError):
        await skipped(play, "second")
    with pytest.raises(StepNotOpenError):
        await skipped(play, "first")
    await play.answer("first", x=1)
    await skipped(play, "second", "same-form")
    version = await play.version()
    await play.engine.skip(play.id, ANN, "second", seen=version - 1, submit_id="same-form")
    assert await play.version() == version
    await play.engine.finalize(play.id, ANN)
    with pytest.raises(RunLockedError):
        await skipped(play, "second")


# Leading past steps


async def test_goto_leads_past_steps_by_what_was_answered(bench: Bench) -> None:
    workflow = flow(first, second, third, first={"goto": lambda run: "third" if run["first"] > 10 else None})
    play = await playing(bench, workflow)
    await play.answer("first", x=11)
    assert (await play.go_on()).state.steps.keys() == {"first", "third"}
    await play.revert("first")
    await play.answer("first", x=1)
    assert await opened(play) == "second"


async def test_goto_that_names_no_later_step_fails_without_a_trace(bench: Bench) -> None:
    play = await playing(bench, flow(first, second, first={"goto": lambda _: "first"}))
    with pytest.raises(StepFailedError):
        await play.answer("first", x=1)
    assert (await play.view()).state.steps == {}


# Checks


async def test_run_whose_steps_do_not_fit_together_is_not_locked(bench: Bench) -> None:
    workflow = flow(first, second)

    @workflow["second"].check
    def is_larger(run: Run) -> str | None:
        return None if run["second"] > run["first"] else f"{run['second']} is not more than {run['first']}."

    play = await playing(bench, workflow)
    await play.answer("first", x=5)
    with pytest.raises(RunNotReadyError) as missing:
        await play.engine.finalize(play.id, ANN)
    assert missing.value.problems == {"Second": "This step is not done."}
    await play.answer("second", x=3)
    with pytest.raises(RunNotReadyError) as wrong:
        await play.engine.finalize(play.id, ANN)
    assert wrong.value.problems == {"Second": "3 is not more than 5."}
    await play.revert("second")
    await play.answer("second", x=6)
    await play.engine.finalize(play.id, ANN)
    assert (await play.view()).state.lock is not None


async def test_check_may_raise_what_is_wrong_and_its_own_mistakes_are_told_apart(bench: Bench) -> None:
    workflow = flow(first)
    mistakes: list[Exception] = [ValueError("Too small."), ZeroDivisionError()]

    @workflow["first"].check
    def strict(run: Run) -> str | None:
        raise mistakes[0]

    play = await playing(bench, workflow)
    view = await play.answer("first", x=1)
    assert await play.engine.problems(view) == {"First": "Too small."}
    mistakes.pop(0)
    with pytest.raises(StepFailedError):
        await play.engine.finalize(play.id, ANN)


async def test_lock_is_only_set_on_the_version_that_was_checked(bench: Bench) -> None:
    workflow = flow(first, second)
    play = await playing(bench, workflow)
    changed = threading.Event()

    @workflow["first"].check
    def slow(run: Run) -> str | None:
        if not changed.is_set():  # Somebody answers while the first check is made.
            changed.set()
            author = Author(ANN.actor, "2026-11-20T12:00:00.000000Z")
            stored = play.bench.files.store(play.id, {"input": {"x": 99}, "output": 99, "view": "number"})
            play.bench.db.write_now(
                runs.submit, play.id, author, step="second", value=stored, short="99", reads={},
                order=("first", "second"), seen=None, submit_id=None,
            )  # fmt: skip
        return "99 is too much." if run["second"] == 99 else None

    await play.answer("first", x=1)
    await play.answer("second", x=2)
    with pytest.raises(RunNotReadyError, match="99 is too much"):
        await play.engine.finalize(play.id, ANN)


# Handed in


async def test_step_is_handed_what_its_parameters_ask_for(bench: Bench) -> None:
    seen: list[Any] = []

    def asking(x: int, run: Run, files: Files, profile: Profile, user: User) -> None:
        seen.extend([run.files is files, profile, user.id])

    play = await playing(bench, flow(asking))
    await play.answer("asking", x=1)
    assert seen == [True, Profile("default", "Default Profile"), ANN.actor]


async def said(play: Play) -> list[str]:
    found = await play.bench.db.read(messages.after, play.id, 0)
    return [each.text for each in found if each.role == "system"]


def speaking(x: int, messages: Messages) -> None:
    messages.say("One.")
    messages.say("  ")
    messages.say("Two.")


async def speaking_later(x: int, messages: Messages) -> None:
    messages.say("One.")
    messages.say("Two.")


async def test_what_a_step_says_stands_in_the_conversation_in_order(bench: Bench) -> None:
    play = await playing(bench, flow(speaking, speaking_later))
    await play.answer("speaking", x=1)
    assert await said(play) == ["One.", "Two."]
    await play.answer("speaking_later", x=1)
    assert await said(play) == ["One.", "Two.", "One.", "Two."]


async def test_what_a_step_says_is_in_order_and_stored_before_its_result_though_the_store_is_slow(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = bench.db.write

    async def slow(unit: Any, *args: Any, **kwargs: Any) -> Any:
        for _ in range(20 if unit is messages.add and args[-1] == "One." else 10):
            await bench.db.read(messages.after, play.id, 0)
        return await write(unit, *args, **kwargs)

    async def giving_up(x: int, messages: Messages) -> None:
        await speaking_later(x, messages)
        raise OSError

    play = await playing(bench, flow(speaking_later, giving_up))
    monkeypatch.setattr(bench.db, "write", slow)
    await play.answer("speaking_later", x=1)
    assert await said(play) == ["One.", "Two."]
    with pytest.raises(StepFailedError):
        await play.answer("giving_up", x=1)
    assert await said(play) == ["One.", "Two."] * 2


async def test_a_step_whose_words_could_not_be_stored_is_not_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*args: Any, **kwargs: Any) -> Any:
        raise StoreUnavailableError

    play = await playing(bench, flow(speaking_later))
    monkeypatch.setattr(bench.db, "write", gone)
    with pytest.raises(StoreUnavailableError):
        await play.answer("speaking_later", x=1)
    monkeypatch.undo()
    assert await opened(play) == "speaking_later"
    await play.answer("speaking_later", x=1)
    assert await said(play) == ["One.", "Two."]


async def test_progress_is_told_while_the_step_runs_and_gone_afterwards(bench: Bench) -> None:
    def counting(x: int, progress: Progress) -> None:
        progress.total(2)
        progress.message("Reading")
        progress.advance(text="Writing")

    play = await playing(bench, flow(counting))
    await play.answer("counting", x=1)
    told = [each.now for each in bench.told if isinstance(each, StepProgressed)]
    assert [(now.done, now.total, now.text) if now else None for now in told[-2:]] == [(1, 2, "Writing"), None]
    assert play.engine.progress_of(play.id) is None


async def test_step_that_reports_without_end_is_told_now_and_then(bench: Bench) -> None:
    def counting(x: int, progress: Progress) -> None:
        for _ in range(50_000):
            progress.advance()

    play = await playing(bench, flow(counting))
    await play.answer("counting", x=1)
    told = [each.now for each in bench.told if isinstance(each, StepProgressed)]
    assert len(told) < 500
    assert (told[-2].done, told[-1]) == (50_000, None)


# Temporary values


async def test_temporary_values_are_apart_from_the_journal_and_expire(bench: Bench) -> None:
    def asking(x: int, run: Run) -> list[Any]:
        kept = run.temporary("asking")
        before = [dict(kept), kept.get("tries"), len(kept)]
        kept["tries"] = kept.get("tries", 0) + 1
        return before

    play = await playing(bench, flow(asking))
    results: list[Any] = []
    for days in (0, 1, 8):
        bench.clock.move(days=days)
        if results:
            await play.revert("asking")
        results.append((await play.answer("asking", x=1)).state.steps["asking"].data["output"])
    assert results == [[{}, None, 0], [{"tries": 1}, 1, 1], [{}, None, 0]]


async def test_temporary_values_go_with_their_run_and_with_time(bench: Bench) -> None:
    def asking(x: int, run: Run) -> None:
        run.temporary("asking")["a"] = x

    plays = [await playing(bench, flow(asking)), await bench.start()]
    for play in plays:
        await play.answer("asking", x=1)
    await plays[0].engine.delete(plays[0].id, ANN)
    await plays[0].engine.purge(plays[0].id, ANN)
    left = [dict(await bench.db.read(keyvalue.items, "temporary", f"{play.id}/asking")) for play in plays]
    assert [set(each) for each in left] == [set(), {"a"}]
    assert await bench.db.write(keyvalue.forget_old, "9999") == 1


async def test_running_program_removes_temporary_values_whose_time_is_over(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock) as application:
        kept = Temporary(application.site.db, clock, "a" * 32, "step")
        await asyncio.to_thread(kept.update, {"old": 1})
        clock.move(days=6)
        await asyncio.to_thread(kept.update, {"new": 2})
    clock.move(days=2)
    async with running(tmp_path, clock=clock) as application:

        def left() -> list[str]:
            found = application.site.db.read_now(keyvalue.items, "temporary", f"{'a' * 32}/step")
            return [name for name, _ in found]

        await until(lambda: left() == ["new"])


# Cached results


async def test_cached_result_is_made_once_and_again_when_what_it_read_changed(bench: Bench) -> None:
    workflow = flow(first, second)
    calls = []

    @workflow.cached
    def heavy(run: Run, times: int) -> int:
        calls.append(times)
        return int(run["first"]) * times

    def use(x: int, run: Run) -> int:
        return heavy(run, 2) + heavy(run, 2)

    workflow.step("use")(use)
    assert workflow.prepare() == []
    play = await playing(bench, workflow)
    await play.answer("first", x=5)
    await play.answer("second", x=1)
    view = await play.answer("use", x=1)
    assert (view.state.steps["use"].data["output"], calls) == (20, [2])
    assert set(view.state.steps["use"].reads) == {"first"}
    await play.revert("second")
    await play.answer("second", x=2)
    await play.answer("use", x=1)
    assert calls == [2]
    await play.revert("first")
    await play.answer("first", x=6)
    await play.answer("second", x=2)
    view = await play.answer("use", x=1)
    assert (view.state.steps["use"].data["output"], calls) == (24, [2, 2])


async def test_cached_results_of_two_runs_are_apart(bench: Bench) -> None:
    workflow = flow(first)
    heavy = workflow.cached(lambda run: run.key)  # Nothing it reads could tell the two apart.

    def use(x: int, run: Run) -> str:
        return str(heavy(run))

    workflow.step("use")(use)
    assert workflow.prepare() == []
    plays = [await playing(bench, workflow), await bench.start()]
    for number, play in enumerate(plays):
        await play.answer("first", x=number)
    outputs = [(await play.answer("use", x=1)).state.steps["use"].data["output"] for play in plays]
    assert outputs == ["01", "02"]
