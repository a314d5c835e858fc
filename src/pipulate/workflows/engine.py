"""Runs workflows: checks answers, calls steps, stores what they return, and goes on to the next one.

Everything that writes goes through here, whatever door it came in by, so validation, lock and conflict rules are the
same for all of them. The engine itself decides nothing about a write: the store does, in the transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from pipulate import forms
from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate._log import get_logger
from pipulate._threads import Threads
from pipulate.errors import (
    InvalidAnswersError,
    PipulateError,
    RunConflictError,
    RunLockedError,
    RunNotReadyError,
    StepFailedError,
    StepNotOpenError,
    StoreUnavailableError,
    UnknownStepError,
)
from pipulate.events import Bus, Happening, MessagesAdded, RunChanged, StepProgressed
from pipulate.fields.files import Files
from pipulate.forms.sending import asks_for_files, checked
from pipulate.jobs.port import Jobs
from pipulate.security.who import Who
from pipulate.storage import journal, ledger, lifecycle, lookups, runs
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Author, Written
from pipulate.workflows import copying, plan, reading, uploads
from pipulate.workflows.asking import Asking, FormView
from pipulate.workflows.background import Background
from pipulate.workflows.cache import Held, RunCache
from pipulate.workflows.definition import Step, Workflow
from pipulate.workflows.plan import ALWAYS, Slot
from pipulate.workflows.progressing import Progressing
from pipulate.workflows.run import Run
from pipulate.workflows.work import Done, Failure, RunView, Task, Work, installed

T = TypeVar("T")

_STEP_THREADS = 16
_TRIES = 20
_CHAIN_MAX = 200  # Steps that may run by themselves in one go; more is a mistake of the workflow.
_log = get_logger()


class Engine:
    """The one place that runs are changed through.

    Attributes:
        catalog: Stored name -> workflow, of the apps that are installed now; replaced as a whole.
        work: Calls the code of steps.
        background: Runs steps as jobs.
        loop: The event loop it is used on, once it was.
    """

    def __init__(
        self, db: Database, files: FileStore, bus: Bus, clock: Clock, jobs: Jobs, *, is_only_writer: bool
    ) -> None:
        """Wire it up.

        Args:
            db: The store.
            files: Where large values live.
            bus: Told about every change.
            clock: The time.
            jobs: Runs the steps that are jobs.
            is_only_writer: Whether no other process writes to the store, so that what was read once stays true.
        """
        self.db, self.files, self.bus, self.clock = db, files, bus, clock
        self.catalog: Mapping[str, Workflow] = {}
        self._trusts_cache = is_only_writer
        self._cache = RunCache()
        self._threads = Threads(_STEP_THREADS, "step")
        self.work = Work(db, files, clock, self._tell_from_anywhere)
        self._asking = Asking(self.work, self._threads)
        self._later: set[asyncio.Task[None]] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._progressing = Progressing(bus.publish)
        self.background = Background(self, jobs, self._asking, self._progressing)
        self._submits: dict[tuple[str, str | None], asyncio.Future[None]] = {}
        self._chains: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[tuple[str, str], Failure] = {}

    async def close(self) -> None:
        """Stop running steps by themselves; what is being computed is computed again at the next start."""
        tasks = [*self._chains.values(), *self._later]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.close(wait=False)

    # Reading

    async def view(self, run: str, who: Who) -> RunView:
        """Return a run as it is now.

        Raises:
            RunNotFoundError: If the person has no such run.
        """
        self.loop = asyncio.get_running_loop()
        held = self._cache.get(run)
        if held is None or held.row.owner != who.actor or not self._trusts_cache:
            held = await self._load(run, who, held)
        return RunView(held.row, held.state, self.catalog.get(held.row.app))

    async def _load(self, run: str, who: Who, known: Held | None) -> Held:
        held = await self.db.read(reading.load, self.files, run, who.actor, known)
        self._cache.put(held)
        return held

    async def view_at(self, run: str, who: Who, version: int) -> RunView:
        """Return a run as it was at a version.

        Raises:
            UnknownVersionError: If it never had that version.
            RunNotFoundError: As in `view`.
        """
        row, state = await self.db.read(reading.load_at, self.files, run, who.actor, version)
        return RunView(row, state, self.catalog.get(row.app))

    async def slots(self, view: RunView) -> list[Slot]:
        """Return all steps of a run with what they hold."""
        if view.workflow is None:
            return []
        return await self._planned(plan.slots, view)

    async def reached(self, view: RunView, start: int) -> list[Slot]:
        """Return the steps from position `start` to the one that is open; all before `start` are done or skipped."""
        if view.workflow is None:
            return []
        return await self._planned(plan.upto_open, view, start)

    async def form(self, view: RunView, slot: Slot) -> FormView:
        """Return what the form of an open step starts with.

        Raises:
            StepFailedError: If the author's `suggest` or choices raise.
        """
        if slot.step.background is not None:
            return await self.background.form(view, slot)
        if slot.step.is_automatic:
            failure = self._failures.get((view.row.id, slot.step.name))
            current = failure if failure and failure.version == view.row.version else None
            return FormView(slot.step, is_working=current is None, failure=current)
        return await self._asking.form(view, slot)

    async def asked(self, view: RunView, step: Step[..., Any]) -> Step[..., Any]:
        """Return a step with the fields it has in a run; errors as in `form`."""
        return (await self._asking.asked(view, step)).step

    def progress_of(self, run: str) -> StepProgressed | None:
        """Return how far the step of a run is that is running now, where it says so."""
        return self._progressing.now.get(run)

    def run_of(self, view: RunView) -> Run:
        """Return a run as the code of its steps sees it, for views of the author's."""
        return self.work.run(view)

    async def apart(self, call: Callable[[], T]) -> T:
        """Run the author's code on a thread, so that nothing waits for it but who asks."""
        return await self._threads.run(call)

    async def _planned(self, make: Callable[..., T], view: RunView, start: int = 0) -> T:
        """Work out slots; on a thread where that calls the author's code, which might wait for something."""
        workflow = installed(view)
        rules = self.work.rules_of(view)
        if rules is ALWAYS:
            return make(workflow, view.state, rules, start)
        return await self._threads.run(make, workflow, view.state, rules, start)

    # Starting and naming

    async def start(self, app: str, key: str, profile: str, who: Who, *, run: str | None = None) -> RunView:
        """Begin a run; an empty key takes the next free number. With the id of a run that there is, it is that one.

        Raises:
            BadKeyError, KeyTakenError: If the key cannot be used.
        """
        checked = check_key(key) if key.strip() else None
        workflow = self.catalog.get(app)
        first = workflow.steps[0] if workflow else None
        opened = first.name if first and first.when is None else None
        row, written = await self.db.write(
            runs.start, run or new_id(), app, checked, profile, self._author(who), open_step=opened
        )
        self._tell(written)
        return await self.view(row.id, who)

    async def rename(self, run: str, who: Who, key: str) -> Written:
        """Give a run another key; errors as in `runs.rename`."""
        return await self._do(runs.rename, run, who, check_key(key))

    # Answering

    async def submit(
        self, run: str, who: Who, step: str, typed: forms.Typed, *, seen: int, submit_id: str | None
    ) -> RunView:
        """Take what was typed for a step: check it, call the step, store the result.

        The same form sent twice, even at the same moment, calls the step once.

        Args:
            run: Id of the run.
            who: Who asks.
            step: Name of the step.
            typed: What was typed.
            seen: Version of the run the form was made for.
            submit_id: Id of the form.

        Raises:
            InvalidAnswersError: If it breaks the rules of its fields.
            StepFailedError: If the code of the step raises.
            StepNotOpenError: If the step is not the one that is asked for.
            RunNotFoundError, RunLockedError, RunConflictError: As in `runs.submit`.
        """
        key = (run, submit_id)
        while key in self._submits:  # The same form is being taken just now; afterwards the store knows it.
            await asyncio.shield(self._submits[key])
        if submit_id is None:
            return await self._submit(run, who, step, typed, seen, None)
        done = self._submits[key] = asyncio.get_running_loop().create_future()
        try:
            return await self._submit(run, who, step, typed, seen, submit_id)
        finally:
            del self._submits[key]
            done.set_result(None)

    async def _submit(
        self, run: str, who: Who, name: str, typed: forms.Typed, seen: int, submit_id: str | None
    ) -> RunView:
        view = await self.view(run, who)
        workflow = installed(view)
        step = workflow[name]
        if submit_id is not None and seen != view.row.version:
            repeated = await self.db.read(lookups.by_submit, run, submit_id)
            if repeated is not None and await self._is_same(view, who, step, repeated, typed):
                return view
            if repeated is not None:  # The same form with other answers, from a page brought back: a new attempt.
                submit_id = new_id()
        await self._refuse_early(view, step, seen)
        asked = await self._asking.asked(view, step)
        answers = forms.taken(asked.step, typed, asked.options, reading.given_before(asked.step, view.state))
        forms.refuse_unoffered(asked.step.fields, answers, asked.options)
        checked = await self._checked(asked.step, answers, await self._sent_files(view, who, asked.step, typed))
        task = Task(
            view, self._author(who), asked.step, checked, asked.options, seen, submit_id, journal.SUBMITTED, asked.reads
        )
        is_new = await (self._perform(task) if step.background is None else self.background.ask(task))
        if not is_new and submit_id is not None:
            repeated = await self.db.read(lookups.by_submit, run, submit_id)
            if repeated is not None and not await self._is_same(view, who, step, repeated, typed):
                return await self._submit(run, who, name, typed, seen, new_id())
        return await self.view(run, who)

    async def _sent_files(self, view: RunView, who: Who, step: Step[..., Any], typed: forms.Typed) -> Files:
        """Return the files of a run with those that a form for a step may name.

        Raises:
            InvalidAnswersError: If it names one that was uploaded for another field.
        """
        if not asks_for_files(step.fields):
            return Files(self.files, view.row.id)
        offers = await self.db.read(uploads.offered, view.row.id, who.actor, step.name)
        return Files(self.files, view.row.id, offers=checked(step.fields, typed, offers))

    async def _is_same(self, view: RunView, who: Who, step: Step[..., Any], event: Event, typed: forms.Typed) -> bool:
        """Tell whether a form that was taken before says the same again."""
        if event.step != step.name or "value" not in event.data:
            return False
        asked = await self._asking.asked(view, step)
        try:
            answers = forms.taken(asked.step, typed, asked.options, reading.given_before(asked.step, view.state))
            checked = await self._checked(asked.step, answers, await self._sent_files(view, who, asked.step, typed))
        except InvalidAnswersError:
            return False
        stored = await self._threads.run(self.work.whole, view.row.id, event)
        return bool(stored.get("input") == forms.stored(asked.step, checked))

    async def _checked(self, step: Step[..., Any], answers: Mapping[str, Any], files: Files) -> BaseModel:
        """Check answers; on a thread where that calls the author's code."""
        if not step.has_own_rules:
            return forms.validate(step, answers, files)
        return await self._threads.run(self.work.checked, step, answers, files)

    async def _refuse_early(self, view: RunView, step: Step[..., Any], seen: int) -> None:
        """Refuse what the store would refuse, before the step's code runs and does something outside."""
        state = view.state
        if state.lock is not None:
            raise RunLockedError(state.lock.by, state.lock.at)
        if step.is_automatic:  # It asks for nothing, whoever sends a form for it.
            raise StepNotOpenError(step.name, view.row.open_step if view.row.open_step != step.name else None)
        if seen != view.row.version:
            workflow = installed(view)
            events = await self.db.read(ledger.events, view.row.id, after=min(seen, view.row.version - 1))
            earlier = workflow.order[: workflow.position[step.name]]
            event = journal.standing_in_the_way(events, step.name, earlier) if seen < view.row.version else events[-1]
            if event is not None:
                raise reading.conflict(view, step, seen, event)
        job = await self.background.current(view, step)
        if job is not None and job.is_open:
            raise StepNotOpenError(step.name, None)
        if view.row.open_step != step.name and step.name not in state.steps:
            slot = await self._planned(plan.open_step, view)
            if slot is None or slot.step is not step:
                raise StepNotOpenError(step.name, slot.step.name if slot else None)

    async def _perform(self, task: Task) -> Event | None:
        """Call a step and store what it returns; return the event, or None where the form had been taken before.

        It is one change of thread and back, whatever kind of function the step is.
        """
        run = self.work.run(task.view)
        try:
            if task.step.is_async:
                arguments = await self._threads.run(self.work.arguments, task, run)
                output = await self.work.awaited(task, arguments)
                done = await self._threads.run(self.work.store, task, run, output)
            else:
                done = await self._threads.run(self.work.call, task, run)
        finally:
            self._progressing.ended(task.view.row.id, task.step.name)
        return self._followed(task, done)

    def _followed(self, task: Task, done: Done) -> Event | None:
        if done.written.event is not None:
            self._cache.follow(task.view.row.id, done.written.event, done.value, done.open_step)
        self._tell(done.written)
        return done.written.event

    async def skip(self, run: str, who: Who, name: str, *, seen: int, submit_id: str | None) -> RunView:
        """Leave out a step that is optional; errors as in `submit`."""
        view = await self.view(run, who)
        step = installed(view)[name]
        if submit_id is not None and await self.db.read(lookups.by_submit, run, submit_id) is not None:
            return view
        await self._refuse_early(view, step, seen)
        if not step.optional:
            raise StepNotOpenError(name, name)
        task = Task(view, self._author(who), step, None, {}, seen, submit_id, journal.SUBMITTED)
        self._followed(task, await self._threads.run(self.work.skip, task))
        return await self.view(run, who)

    # Going on by itself

    def advance(self, run: str, who: Who) -> asyncio.Task[None]:
        """Run the steps that need nobody, one after another, until one asks or fails; once for all who call."""
        task = self._chains.get(run)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._advance(run, who))
            self._chains[run] = task
            task.add_done_callback(lambda _: self._chains.pop(run, None))
        return task

    async def advance_for(self, run: str, owner: str) -> None:
        """As `advance`, for nobody who waits; a run that is gone is none of its business."""
        with contextlib.suppress(PipulateError):
            await asyncio.shield(self.advance(run, Who(owner)))

    def retry(self, run: str, step: str) -> None:
        """Forget that a step failed, so that `advance` runs it again."""
        self._failures.pop((run, step), None)

    async def _advance(self, run: str, who: Who) -> None:
        for _ in range(_CHAIN_MAX):
            view = await self.view(run, who)
            if view.workflow is None or view.state.lock is not None:
                return
            slot = await self._planned(plan.open_step, view)
            if slot is None or not slot.step.is_automatic or self._has_failed(view, slot.step):
                await self._note_open(view, slot)
                return
            if slot.step.background is not None and not slot.is_unchanged:
                await self.background.ask_by_itself(view, slot.step, self._author(Who(who.actor)))
                return
            try:
                await self._run_by_itself(view, who, slot)
            except RunConflictError:
                continue  # Somebody changed what it reads while it ran; begin again with what is there now.
            except StepFailedError as error:
                words = "" if error.error_id else str(error)
                self._failures[run, slot.step.name] = Failure(view.row.version, error.error_id, error.where, words)
                return

    async def _run_by_itself(self, view: RunView, who: Who, slot: Slot) -> None:
        by_app = Who(who.actor)
        if slot.is_unchanged:
            await self._keep(view, by_app, slot.step, seen=view.row.version, submit_id=None)
            return
        task = Task(view, self._author(by_app), slot.step, None, {}, view.row.version, None, journal.COMPUTED)
        await self._perform(task)

    def _has_failed(self, view: RunView, step: Step[..., Any]) -> bool:
        failure = self._failures.get((view.row.id, step.name))
        return failure is not None and failure.version == view.row.version

    async def _note_open(self, view: RunView, slot: Slot | None) -> None:
        name = slot.step.name if slot else None
        if view.row.open_step != name:
            await self.db.write(runs.note_open_step, view.row.id, view.row.version, name)
            self._cache.drop(view.row.id)

    # Going back

    async def revert(self, run: str, who: Who, step: str, *, seen: int | None) -> Written:
        """Reopen a step; see `runs.revert`."""
        workflow = installed(await self.view(run, who))
        return await self._do(runs.revert, run, who, step=workflow[step].name, order=workflow.order, seen=seen)

    async def cancel_edit(self, run: str, who: Who) -> Written:
        """Put the run back as it was before the edit; see `runs.cancel_edit`."""
        return await self._do(runs.cancel_edit, run, who)

    async def go_back(self, run: str, who: Who, version: int, *, seen: int | None) -> Written:
        """Bring back an earlier version; see `runs.go_back`."""
        return await self._do(runs.go_back, run, who, version=version, seen=seen)

    async def keep(self, run: str, who: Who, step: str, *, seen: int | None, submit_id: str | None) -> RunView:
        """Take the old value of a step again; see `runs.keep`."""
        view = await self.view(run, who)
        await self._keep(view, who, installed(view)[step], seen=seen, submit_id=submit_id)
        return await self.view(run, who)

    async def keep_of(self, run: str, who: Who, step: str, order: Sequence[str], *, seen: int | None) -> Written:
        """Take the old value of a step again, in a run whose steps are no workflow's but have these names, in order.

        Raises:
            UnknownStepError: If there is no such step.
            KeepChangedError, RunNotFoundError, RunLockedError, RunConflictError: As in `runs.keep`.
        """
        if step not in order:
            raise UnknownStepError(run, step, order)
        held = (await self.view(run, who)).state.steps
        after = next((name for name in order if name != step and name not in held), None)
        return await self._do(runs.keep, run, who, step=step, order=order, seen=seen, open_step=after)

    async def _keep(
        self, view: RunView, who: Who, step: Step[..., Any], *, seen: int | None, submit_id: str | None
    ) -> None:
        workflow = installed(view)
        offer = view.state.offers.get(step.name)
        open_after = await self._threads.run(self.work.open_after, view, step, offer.data) if offer else None
        written = await self.db.write(
            runs.keep, view.row.id, self._author(who), step=step.name, order=workflow.order, seen=seen,
            submit_id=submit_id, open_step=open_after,
        )  # fmt: skip
        if written.event is not None:
            self._cache.follow(view.row.id, written.event, None, open_after)
        self._tell(written)

    # Lock, copies, bin

    async def finalize(self, run: str, who: Who) -> Written:
        """Lock a run; see `lifecycle.finalize`.

        Raises:
            RunNotReadyError: If its app has checks, and they find something, or steps are missing.
        """
        for _ in range(_TRIES):
            view = await self.view(run, who)
            if view.workflow is None or view.state.lock or not any(step.checks for step in view.workflow.steps):
                return await self._do(lifecycle.finalize, run, who)
            await self._refuse_unready(view)
            written = await self.db.write(lifecycle.finalize_at, run, self._author(who), view.row.version)
            if written is not None:
                self.heard(written)
                return written
            self._cache.drop(run)  # Somebody changed it after it was checked; look again.
        raise StoreUnavailableError("This run is being changed all the time. Try again in a moment.")

    async def problems(self, view: RunView) -> dict[str, str]:
        """Return what the app's checks find wrong in a run as a whole: title of a step -> sentence."""
        workflow = installed(view)
        if not any(step.checks for step in workflow.steps):
            return {}
        found = await self._threads.run(self.work.problems, view)
        return {workflow[name].title: problem for name, problem in found.items()}

    async def _refuse_unready(self, view: RunView) -> None:
        missing = await self._planned(plan.open_step, view)
        problems = {missing.step.title: "This step is not done."} if missing is not None else await self.problems(view)
        if problems:
            raise RunNotReadyError(problems)

    async def unfinalize(self, run: str, who: Who) -> Written:
        """Unlock a run; see `lifecycle.unfinalize`."""
        return await self._do(lifecycle.unfinalize, run, who)

    async def fork(self, run: str, who: Who, *, version: int | None = None, key: str = "") -> RunView:
        """Copy a run up to a version; see `lifecycle.fork`."""
        copy = new_id()
        checked = check_key(key) if key.strip() else None
        return await self._added(copying.fork(self, run, copy, self._author(who), version, checked), copy, who)

    async def take_in(self, path: Path, key: str, who: Who) -> RunView:
        """Add a run from its file; see `transfer.Incoming` and `transfer.take_in`."""
        run = new_id()
        return await self._added(copying.take_in(self, path, run, key, self._author(who)), run, who)

    async def _added(self, adding: Awaitable[Written], run: str, who: Who) -> RunView:
        """Add a run that has files; where that fails nothing of it stays."""
        try:
            written = await adding
        except PipulateError:
            await self._threads.run(self.files.erase, run)
            raise
        self._tell(written)
        return await self.view(run, who)

    async def delete(self, run: str, who: Who) -> Written:
        """Put a run into the bin; see `lifecycle.delete`."""
        return await self._do(lifecycle.delete, run, who)

    async def undelete(self, run: str, who: Who) -> Written:
        """Take a run out of the bin; see `lifecycle.undelete`."""
        return await self._do(lifecycle.undelete, run, who)

    async def purge(self, run: str, who: Who) -> None:
        """Erase a run in the bin, with its files; see `lifecycle.purge`."""
        await self.db.write(lifecycle.purge, run, self._author(who))
        self._cache.drop(run)
        await self._threads.run(self.files.erase, run)

    # Beside the engine

    def heard(self, written: Written) -> None:
        """Take note of what was written to a run without the engine, and tell everybody; on the event loop."""
        self._cache.note(written.run, written.version)
        self._cache.drop(written.run)
        self._tell(written)

    async def there(self, call: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
        """Call something on the event loop of the server, from that of the jobs."""
        loop = self.loop
        if loop is None or loop is asyncio.get_running_loop():
            return await call(*args)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(*args), loop))

    def later(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Do something that nobody waits for."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def view_of(self, run: str, owner: str) -> RunView:
        """As `view`, for its owner."""
        return await self.view(run, Who(owner))

    # Parts

    async def _do(self, unit: Callable[..., Written], run: str, who: Who, *args: Any, **kwargs: Any) -> Written:
        """Run an operation that is not about one step's value, and forget what is held of the run."""
        written = await self.db.write(unit, run, self._author(who), *args, **kwargs)
        self.heard(written)
        return written

    def _author(self, who: Who) -> Author:
        return Author(who.actor, to_text(self.clock.now()), who.tab, who.via)

    def _tell(self, written: Written) -> None:
        if written.event is None:
            return
        self.background.changed(written)
        self.bus.publish(MessagesAdded(written.run, written.message, written.event))
        self.bus.publish(RunChanged(written.run, written.version, written.event.tab))

    def _tell_from_anywhere(self, happening: Happening) -> None:
        """Tell everybody, on the event loop, what happens while a step runs on some thread."""
        loop = self.loop
        if loop is None:
            return
        with contextlib.suppress(RuntimeError):  # The loop is closing; nobody is left to tell.
            if isinstance(happening, StepProgressed):
                self._progressing.report(loop, happening)
            else:
                loop.call_soon_threadsafe(self.bus.publish, happening)
