"""Does jobs, or the same work on the bare engine, and prints what it took: a process of its own for each.

The bare engine has the same settings, the same store and the same threads; its workflow calls one step, because what a
job returns is kept.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.support.job_room import Room, place_of
from tests.support.jobs_driver import opened

from pipulate.jobs.doing import Job
from pipulate.jobs.engine import Transact, refuse_pickle
from pipulate.jobs.transact import AT_ONCE, TransactJobs
from pipulate.storage.folder import Layout
from pipulate.storage.jobs import DONE, JobRow

JOBS, ONE_BY_ONE, PARTS = 300, 60, 150

Measured = dict[str, float]


async def nothing(job: Job | None = None) -> int:  # noqa: ARG001 - whoever calls it gives it
    """Do what a job does at least."""
    return 1


async def parts(job: Job, count: int) -> int:
    """Do so many parts."""
    for number in range(count):
        await job.checkpoint(f"{number}", nothing)
    return count


async def measured(one: Callable[[], Awaitable[Any]], many: Callable[[int], Awaitable[Any]], of_parts: Any) -> Measured:
    """Return jobs a second, seconds from asked to done of one, and seconds a part."""
    await many(20)
    times = []
    for _ in range(ONE_BY_ONE):
        began = time.perf_counter()
        await one()
        times.append(time.perf_counter() - began)
    began = time.perf_counter()
    await many(JOBS)
    rate = JOBS / (time.perf_counter() - began)
    each = []
    for _ in range(3):
        began = time.perf_counter()
        await of_parts(PARTS)
        each.append((time.perf_counter() - began) / PARTS)
    return {"rate": rate, "latency": statistics.median(times), "part": min(each)}


class Ends:
    """Waits for jobs to be done, on whatever thread that is told."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done: dict[str, asyncio.Event] = {}

    def hear(self, row: JobRow) -> None:
        """Take note of a job."""
        if row.status == DONE:
            self._loop.call_soon_threadsafe(lambda: self._of(row.id).set())

    async def wait(self, job: str) -> None:
        """Wait for a job."""
        await self._of(job).wait()

    def _of(self, job: str) -> asyncio.Event:
        return self._done.setdefault(job, asyncio.Event())


async def ours(layout: Layout, url: str | None) -> Measured:
    """Measure jobs."""
    with opened(layout, url) as store:
        runs, ends = TransactJobs(store.db, store.clock, place_of(store)), Ends()
        room = Room(store, runs)
        runs.listen(ends.hear)

        async def one(function: Callable[..., Any] = nothing, **given: Any) -> None:
            await ends.wait((await room.ask(function, **given)).id)

        async def many(count: int) -> None:
            await asyncio.gather(*(one() for _ in range(count)))

        try:
            return await measured(one, many, lambda count: one(parts, count=count))
        finally:
            await runs.close()


async def bare(layout: Layout, url: str | None) -> Measured:
    """Measure the engine with the same settings and nothing around it."""
    from dbos import DBOS

    with opened(layout, url) as store:
        refuse_pickle()
        DBOS(config=Transact(place_of(store), None).config())  # type: ignore[arg-type]

        @DBOS.step(name="nothing")
        async def step() -> int:
            return 1

        @DBOS.workflow(name="one")
        async def workflow(count: int) -> int:
            for _ in range(count):
                await step()
            return count

        DBOS.launch()
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(count: int = 1) -> None:
            async with turns:
                await (await DBOS.start_workflow_async(workflow, count)).get_result()

        async def many(count: int) -> None:
            await asyncio.gather(*(one() for _ in range(count)))

        try:
            return await measured(one, many, one)
        finally:
            await asyncio.to_thread(DBOS.destroy)


if __name__ == "__main__":
    which, folder, address = sys.argv[1:]
    work = ours if which == "ours" else bare
    print(json.dumps(asyncio.run(work(Layout(Path(folder)), address or None))))
