"""Steps that run as jobs, whatever people do meanwhile and whenever the program ends.

One value for one request, made from what counted when it was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pipulate.errors import PipulateError
from pipulate.jobs.doing import Job
from pipulate.storage import jobs, journal, ledger
from pipulate.storage.migrate import migrate_sqlite
from pipulate.workflows.run import Run
from tests.support.flows import ANN, Bench, Play, bench, flow

STEPS = st.sampled_from(["site", "crawl", "label"])
JOBS = st.sampled_from(["crawl", "label"])


class World:
    """What the steps meet outside."""

    def __init__(self) -> None:
        self.is_open, self.fails = True, False


WORLD = World()


def site(name: str) -> str:
    return name


async def crawl(run: Run, job: Job) -> dict[str, Any]:
    parts = [await job.checkpoint(f"{number}", part, run["site"]) for number in range(2)]
    while not WORLD.is_open:
        await job.wait(0.001)
    if WORLD.fails:
        raise OSError("no answer")
    return {"from": run["site"], "parts": parts}


def part(name: str) -> str:
    return f"part of {name}"


def label(words: str, run: Run, job: Job) -> dict[str, Any]:
    job.checkpoint_now("one", part, words)
    return {"from": run["crawl"], "words": words}


def report(run: Run) -> str:
    return f"{run['label']['words']} {run['crawl']['from']}"


class BackgroundMachine(RuleBasedStateMachine):
    """Plays one run; the loop stands still between two rules."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        WORLD.__init__()  # type: ignore[misc]
        self.folder = Path(tempfile.mkdtemp(prefix="machine-"))
        shutil.copy(type(self).template, self.folder / "store.sqlite3")
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.run_id = ""
        self.runner.run(self._open())

    async def _open(self) -> None:
        background = {"background": True}
        workflow = flow(site, crawl, label, report, crawl={**background, "retries": 1, "backoff": 0.001},
                        label=background)  # fmt: skip
        self.made: Bench = await self.stack.enter_async_context(bench(self.folder, workflow))
        self.play = Play(self.made, self.run_id) if self.run_id else await self.made.start("flow")
        self.run_id = self.play.id
        await self.made.engine.background.wake()
        for row in await self.made.db.read(jobs.unfinished):
            self.made.jobs.start(row)

    def teardown(self) -> None:
        """Let everything come to its end."""
        WORLD.is_open, WORLD.fails = True, False
        self.runner.run(self._settle())
        try:
            self.runner.run(self.play.view())
        finally:
            self.runner.run(self.stack.aclose())
            self.runner.close()
            shutil.rmtree(self.folder)

    async def _settle(self) -> None:
        for _ in range(3):
            await self.made.jobs.idle()
            await self.made.engine.advance_for(self.run_id, ANN.actor)

    def _try(self, coroutine: Any) -> None:
        async def tried() -> None:
            with contextlib.suppress(PipulateError):
                await coroutine
            await self.made.engine.advance_for(self.run_id, ANN.actor)

        self.runner.run(tried())

    async def _submit(self, step: str, **answers: str) -> None:
        typed = {name: [value] for name, value in answers.items()}
        seen = await self._version()
        await self.made.engine.submit(self.run_id, ANN, step, typed, seen=seen, submit_id=uuid.uuid4().hex)

    async def _version(self) -> int:
        return (await self.made.db.read(ledger.find, self.run_id)).version

    @rule(name=st.sampled_from(["a", "b"]))
    def submit_site(self, name: str) -> None:
        """Say what is to be crawled."""
        self._try(self._submit("site", name=name))

    @rule(words=st.sampled_from(["x", "y"]))
    def submit_label(self, words: str) -> None:
        """Ask for the job of a step with a form."""
        self._try(self._submit("label", words=words))

    @rule(step=STEPS)
    def revert(self, step: str) -> None:
        """Reopen a step."""

        async def revert() -> None:
            await self.made.engine.revert(self.run_id, ANN, step, seen=await self._version())

        self._try(revert())

    @rule(step=JOBS)
    def cancel(self, step: str) -> None:
        """Stop a job."""
        self._try(self.made.engine.background.stop(self.run_id, step, ANN))

    @rule(step=JOBS)
    def retry(self, step: str) -> None:
        """Ask once more."""
        self._try(self.made.engine.background.retry(self.run_id, step, ANN))

    @rule(locks=st.booleans())
    def lock(self, locks: bool) -> None:
        """Lock the run, or unlock it."""
        engine = self.made.engine
        self._try(engine.finalize(self.run_id, ANN) if locks else engine.unfinalize(self.run_id, ANN))

    @rule(is_open=st.booleans(), fails=st.booleans())
    def change_the_world(self, is_open: bool, fails: bool) -> None:
        """Let jobs through or hold them up, let them fail or not."""
        WORLD.is_open, WORLD.fails = is_open, fails

    @rule(seconds=st.sampled_from([0, 0.001, 0.01]))
    def time_passes(self, seconds: float) -> None:
        """Let jobs work."""
        self.runner.run(asyncio.sleep(seconds))

    @rule()
    def settle(self) -> None:
        """Let everything come to its end."""
        WORLD.is_open = True
        self.runner.run(self._settle())

    @rule()
    def crash(self) -> None:
        """End in the middle of everything, and begin again."""

        async def again() -> None:
            await self.stack.aclose()
            await self._open()

        self.runner.run(again())

    @invariant()
    def values_are_those_that_were_asked_for(self) -> None:
        """Compare journal and jobs."""
        self.runner.run(self._look())

    async def _look(self) -> None:
        def at_one_moment(tx: Any) -> tuple[list[journal.Event], journal.State, list[jobs.JobRow]]:
            state = ledger.state_of(tx, ledger.find(tx, self.run_id))
            return ledger.events(tx, self.run_id), state, jobs.listed(tx, ANN.actor, limit=10_000)

        events, state, rows = await self.made.db.read(at_one_moment)
        assert state == journal.fold(events)
        values = Counter(
            event.submit for event in events if event.kind == "computed" and event.step in {"crawl", "label"}
        )
        asked = Counter(event.data["job"] for event in events if event.kind == "requested")
        assert asked == Counter(row.id for row in rows)
        assert values == Counter(row.id for row in rows if row.status == jobs.DONE)
        for position, event in enumerate(events):
            if event.kind == "computed" and event.step in {"crawl", "label"}:
                before = journal.fold(events[:position]).steps
                source = before["site" if event.step == "crawl" else "crawl"].data["output"]
                assert event.data["value"]["output"]["from"] == source


def test_steps_that_run_as_jobs_have_one_value_for_one_request(tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "empty.sqlite3")

    class Machine(BackgroundMachine):
        template = tmp_path / "empty.sqlite3"

    how = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        print_blob=True,
    )
    run_state_machine_as_test(Machine, settings=how)
