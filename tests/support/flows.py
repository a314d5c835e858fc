"""An engine on a store of its own, and runs that are played on it step by step."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipulate import Workflow
from pipulate.events import Bus, Happening
from pipulate.jobs.local import LocalJobs
from pipulate.security.who import Who
from pipulate.storage import journal, ledger, lookups
from pipulate.storage.check import check_runs
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import State
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.testing import ManualClock
from pipulate.workflows.asking import FormView
from pipulate.workflows.engine import Engine
from pipulate.workflows.plan import Slot
from pipulate.workflows.work import RunView
from tests.support.store import with_tables

ANN = Who("owner", "tab-1")


def flow(*functions: Callable[..., Any], name: str = "flow", **options: dict[str, Any]) -> Workflow:
    """Return a workflow with a step for each function, named as the function is; options by step."""
    workflow = Workflow(name)
    for function in functions:
        workflow.step(function.__name__, **options.get(function.__name__, {}))(function)
    findings = workflow.prepare()
    assert findings == [], findings
    return workflow


class Bench:
    """An engine with what it stands on."""

    def __init__(self, db: Database, files: FileStore, clock: ManualClock) -> None:
        self.db, self.files, self.clock = db, files, clock
        self.bus = Bus()
        self.told: list[Happening] = []
        self.bus.subscribe(self.told.append)
        self.jobs = LocalJobs(db, clock)
        self.engine = Engine(db, files, self.bus, clock, self.jobs, is_only_writer=True)

    def install(self, *workflows: Workflow) -> None:
        """Make these the apps there are."""
        self.engine.catalog = {each.name: each for each in workflows}

    async def start(self, app: str = "flow", key: str = "") -> Play:
        """Start a run."""
        view = await self.engine.start(app, key, "default", ANN)
        return Play(self, view.row.id)

    async def problems(self) -> list[str]:
        """Return what is wrong with the runs of the store."""

        def check(tx: Transaction) -> list[str]:
            return list(check_runs(tx, self.files))

        return await self.db.read(check)


class Play:
    """A run, and what a person does with it; after each thing it is checked that the run is what its journal says."""

    def __init__(self, bench: Bench, run: str) -> None:
        self.bench, self.engine, self.id = bench, bench.engine, run

    async def view(self) -> RunView:
        """Return the run; what the engine holds of it has to be what the journal adds up to."""
        view, folded = await self.engine.view(self.id, ANN), await self.folded()
        while view.row.version != folded.version:  # A job wrote in between.
            view, folded = await self.engine.view(self.id, ANN), await self.folded()
        assert view.state == folded
        assert view.row == await self.bench.db.read(ledger.find, self.id)
        assert await self.bench.problems() == []
        return view

    async def folded(self) -> State:
        """Return what the journal adds up to."""

        def fold(tx: Transaction) -> State:
            return lookups.resolved(journal.fold(ledger.events(tx, self.id)), self.bench.files, self.id)

        return await self.bench.db.read(fold)

    async def version(self) -> int:
        """Return the version of the run."""
        return (await self.view()).row.version

    async def answer(
        self, step: str, *, seen: int | None = None, submit: str | None = None, who: Who = ANN, **answers: Any
    ) -> RunView:
        """Send the form of a step, made for the version there is now."""
        typed = {name: [str(value)] for name, value in answers.items()}
        if seen is None:
            seen = await self.version()
        await self.engine.submit(self.id, who, step, typed, seen=seen, submit_id=submit or uuid.uuid4().hex)
        return await self.view()

    async def go_on(self) -> RunView:
        """Let the steps run that need nobody."""
        await self.engine.advance(self.id, ANN)
        return await self.view()

    async def revert(self, step: str) -> RunView:
        """Reopen a step."""
        await self.engine.revert(self.id, ANN, step, seen=await self.version())
        return await self.view()

    async def keep(self, step: str) -> RunView:
        """Take the old value of a step again."""
        await self.engine.keep(self.id, ANN, step, seen=await self.version(), submit_id=None)
        return await self.view()

    async def slots(self) -> list[Slot]:
        """Return the steps with what they hold."""
        return await self.engine.slots(await self.view())

    async def slot(self, step: str) -> Slot:
        """Return one step with what it holds."""
        return next(each for each in await self.slots() if each.step.name == step)

    async def statuses(self) -> str:
        """Return where every step stands, in one line."""
        return " ".join(f"{each.step.name}:{each.status}" for each in await self.slots())

    async def form(self, step: str) -> FormView:
        """Return what the form of a step starts with."""
        return await self.engine.form(await self.view(), await self.slot(step))

    async def outputs(self) -> dict[str, Any]:
        """Return what the steps that count returned."""
        return {name: value.data["output"] for name, value in (await self.view()).state.steps.items()}

    async def kinds(self) -> list[str]:
        """Return the kinds of the run's events."""
        return [each.kind for each in await self.bench.db.read(ledger.events, self.id)]


@asynccontextmanager
async def bench(folder: Path, *workflows: Workflow, clock: ManualClock | None = None) -> AsyncIterator[Bench]:
    """Open the store in a folder, new or as it was left, with an engine on it."""
    with_tables(folder / "store.sqlite3")
    db = SqliteDatabase(folder / "store.sqlite3")
    made = Bench(db, FileStore(folder / "files"), clock or ManualClock())
    made.install(*workflows)
    try:
        yield made
    finally:
        await made.jobs.close()
        await made.engine.close()
        db.close()


async def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something is so; fail where it never is."""
    end = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < end, "it did not come to that"
        await asyncio.sleep(0.01)
