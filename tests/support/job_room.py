"""Jobs on a store of their own, whose work is a function of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from pipulate.jobs.doing import Doing, Job
from pipulate.jobs.engine import Place
from pipulate.jobs.local import LocalJobs
from pipulate.jobs.port import Jobs, Options, Request
from pipulate.jobs.transact import TransactJobs
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from tests.support.store import Store

T = TypeVar("T")
OWNER = "ada"
KIND = "call"


class Calls:
    """Does jobs by calling a function with the job; what it returns is the result."""

    def __init__(self) -> None:
        self.functions: dict[str, Callable[..., Any]] = {}
        self.obstacles: dict[str, str] = {}
        self.overtakes: dict[str, str] = {}
        self.waits_for_others = False

    def obstacle(self, row: JobRow) -> str:
        return self.obstacles.get(row.id, "")

    def overtaken(self, tx: Transaction, row: JobRow) -> str:  # noqa: ARG002 - as the port has it
        return self.overtakes.get(row.id, "")

    async def do(self, doing: Doing) -> None:
        args = json.loads(doing.row.args)
        function = self.functions[args["do"]]
        result = await doing.call(function, job=Job(doing), **args["with"])
        doing.check()
        await doing.threads.run(partial(doing.end, result=result))


class Room:
    """Runs the jobs of a test, and looks at what became of them."""

    def __init__(self, store: Store, runs_jobs: Jobs) -> None:
        self.store, self.jobs, self.does = store, runs_jobs, Calls()
        self.told: list[JobRow] = []
        runs_jobs.register(KIND, self.does)
        runs_jobs.listen(self.told.append)

    async def ask(
        self, function: Callable[..., Any], options: Options | None = None, *, kind: str = KIND, app: str = "app",
        step: str = "step", **given: Any,
    ) -> JobRow:  # fmt: skip
        """Ask for a function to be called."""
        self.does.functions[function.__qualname__] = function
        args = {"do": function.__qualname__, "with": given}
        return await self.jobs.ask(
            Request(kind, "A job", OWNER, "default", args, app=app, step=step, options=options or Options())
        )

    async def row(self, job: str) -> JobRow:
        """Return a job as it stands."""
        found = await self.store.db.read(jobs.find, job)
        assert found is not None
        return found

    async def when(self, job: str, *statuses: str, seconds: float = 60) -> JobRow:
        """Wait until a job is one of these, or has ended; it has to be one of these then."""

        async def look() -> JobRow | None:
            row = await self.row(job)
            return row if row.status in statuses or not row.is_open else None

        row = await eventually(look, seconds)
        assert row.status in statuses, (row.status, row.reason, row.trace)
        return row

    async def done(self, job: str, seconds: float = 60) -> Any:
        """Wait until a job is done; return its result."""
        await self.when(job, jobs.DONE, seconds=seconds)
        return await self.store.db.read(jobs.result_of, job)

    async def all_ended(self, seconds: float = 60) -> None:
        """Wait until nothing is left to be done."""

        async def look() -> bool:
            return not await self.store.db.read(jobs.has_work)

        await eventually(look, seconds)

    async def attempts(self, job: str, at_least: int) -> JobRow:
        """Wait until so many attempts at a job were asked for."""

        async def look() -> JobRow | None:
            row = await self.row(job)
            return row if row.attempt >= at_least else None

        return await eventually(look)


async def eventually(look: Callable[[], Awaitable[T | None]], seconds: float = 60) -> T:
    """Look at the store again and again until something is there: those who work on jobs may be other processes."""
    async with asyncio.timeout(seconds):
        while not (found := await look()):  # noqa: ASYNC110 - by others
            await asyncio.sleep(0.005)
    return found


def place_of(store: Store, executor: str = "tests") -> Place:
    """Return where the engine of a store keeps its tables."""
    return Place(store.layout.jobs, store.url, executor)


@asynccontextmanager
async def room(store: Store, *, engine: str = "transact") -> AsyncIterator[Room]:
    """Run jobs for the length of a block; one engine in a process at a time."""
    runs: Jobs = LocalJobs(store.db, store.clock)
    if engine == "transact":
        runs = TransactJobs(store.db, store.clock, place_of(store))
    made = Room(store, runs)
    try:
        yield made
    finally:
        await runs.close(drain_s=2)
