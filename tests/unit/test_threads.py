"""Threads for work that waits: outcomes come back, the loop goes on, the end comes."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from functools import partial

import pytest

from pipulate._threads import Outcome, Threads
from tests.support.flows import until

pytestmark = pytest.mark.anyio
WAIT_S = 10


async def test_function_runs_on_another_thread_and_its_result_comes_back() -> None:
    threads = Threads(1, "t")
    assert await threads.run(lambda a, b: (a + b, threading.current_thread().name), 1, b=2) == (3, "t")
    threads.close()


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(3)])
async def test_whatever_a_function_raises_reaches_who_waits(error: BaseException) -> None:
    threads, caught = Threads(1, "t"), None

    def fail() -> None:
        raise error

    async def wait() -> BaseException | None:
        try:
            await threads.run(fail)
        except BaseException as came:  # noqa: BLE001 - that is what is looked at
            return came
        return None

    caught = await wait()
    assert caught is error
    threads.close()


async def test_stop_iteration_of_a_function_reaches_who_waits() -> None:
    threads = Threads(1, "t")
    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        await asyncio.wait_for(threads.run(lambda: next(iter(()))), WAIT_S)
    assert isinstance(caught.value.__cause__, StopIteration)
    threads.close()


async def test_thread_survives_what_a_function_raises() -> None:
    threads = Threads(1, "t")
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 / 0)
    assert await threads.run(lambda: 1) == 1
    threads.close()


async def test_loop_goes_on_while_a_function_waits() -> None:
    threads, begun, go = Threads(1, "t"), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> bool:
        loop.call_soon_threadsafe(begun.set)
        return go.wait(WAIT_S)

    waiting = asyncio.create_task(threads.run(work))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    assert not waiting.done()
    go.set()
    assert await waiting
    threads.close()


async def test_threads_are_started_when_they_are_needed_and_no_more_than_allowed() -> None:
    threads, go, arrived = Threads(2, "few"), threading.Event(), threading.Barrier(3)
    assert not threads._started

    def meet() -> bool:
        arrived.wait(WAIT_S)
        return go.wait(WAIT_S)

    tasks = [asyncio.create_task(threads.run(meet)) for _ in range(2)]
    more = [asyncio.create_task(threads.run(lambda: True)) for _ in range(8)]
    await asyncio.to_thread(arrived.wait, WAIT_S)
    assert len(threads._started) == 2
    go.set()
    assert await asyncio.gather(*tasks, *more) == [True] * 10
    threads.close()


async def test_idle_thread_is_used_again() -> None:
    threads = Threads(8, "t")
    for _ in range(20):
        await threads.run(lambda: None)
        await until(lambda: threads._idle == 1)
    assert len(threads._started) == 1
    threads.close()


async def test_idle_thread_is_counted_on_once() -> None:
    threads, meeting = Threads(4, "t"), threading.Barrier(3)
    await threads.run(lambda: None)
    await threads.run(lambda: None)  # By now at least one has reported back.
    together = [threads.run(meeting.wait, WAIT_S) for _ in range(3)]
    assert sorted(await asyncio.gather(*together)) == [0, 1, 2]
    threads.close()


async def test_context_of_the_caller_goes_along() -> None:
    variable = contextvars.ContextVar("variable", default="")
    threads = Threads(1, "t")
    variable.set("mine")
    assert await threads.run(variable.get) == "mine"
    threads.close()


async def test_caller_who_went_away_does_not_stop_the_work() -> None:
    threads, begun, go, done = Threads(1, "t"), threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(WAIT_S)
        done.set()

    task = asyncio.create_task(threads.run(work))
    assert await asyncio.to_thread(begun.wait, WAIT_S)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await asyncio.to_thread(done.wait, WAIT_S)
    assert await threads.run(lambda: 1) == 1
    threads.close()


def test_close_waits_for_what_was_taken_on() -> None:
    threads, order = Threads(1, "t"), list[int]()
    threads._give(lambda: None)
    for n in range(5):
        threads._give(partial(order.append, n))
    threads.close()
    assert order == [0, 1, 2, 3, 4]
    assert not any(thread.is_alive() for thread in threads._started)


def test_close_without_waiting_leaves_the_busy_to_themselves() -> None:
    threads, begun, go = Threads(1, "t"), threading.Event(), threading.Event()
    threads._give(begun.set)
    threads._give(partial(go.wait, WAIT_S))  # type: ignore[arg-type] # what it returns is of no concern
    assert begun.wait(WAIT_S)
    threads.close(wait=False)
    assert threads._started[0].is_alive()
    go.set()
    threads._started[0].join(WAIT_S)
    assert not threads._started[0].is_alive()


async def test_closed_threads_take_nothing_on() -> None:
    threads = Threads(1, "t")
    threads.close()
    with pytest.raises(RuntimeError, match="t is closed"):
        await threads.run(lambda: None)


async def test_threads_do_not_keep_the_program_from_ending() -> None:
    threads = Threads(1, "t")
    await threads.run(lambda: None)
    assert threads._started[0].daemon
    threads.close()


def test_outcome_for_a_loop_that_has_ended_is_dropped() -> None:
    async def make() -> Outcome:
        return Outcome()

    outcome = asyncio.run(make())
    outcome.deliver(1, None)
    del outcome
    gc.collect()  # A future that nobody awaited would complain here.
