"""Runs workflows: checks answers, calls steps, stores what they return, and goes on to the next one.

Everything that writes goes through here, whatever door it came in by, so validation, lock and conflict rules are the
same for all of them. The engine itself decides nothing about a write: the store does, in the transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate._log import get_logger
from pipulate._threads import Threads
from pipulate.errors import (
    InvalidAnswersError,
    PipulateError,
    RunConflictError,
    RunLockedError,
    StepFailedError,
    StepNotOpenError,
)
from pipulate.events import Bus, MessagesAdded, RunChanged
from pipulate.storage import journal, ledger, lifecycle, lookups, runs, transfer
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event, State
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Author, RunRow, Written
from pipulate.workflows import forms, plan, values
from pipulate.workflows.cache import Held, RunCache
from pipulate.workflows.definition import Step, Workflow
from pipulate.workflows.fields import Option, options_from
from pipulate.workflows.plan import Slot
from pipulate.workflows.run import Run
from pipulate.workflows.work import RunView, Task, Work, asks_always, failed, installed

T = TypeVar("T")

_STEP_THREADS = 16
_CHAIN_MAX = 200  # Steps that may run by themselves in one go; more is a mistake of the workflow.
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, and from which browser tab."""

    actor: str
    tab: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The code of a step raised when it ran by itself at `version`."""

    version: int
    error_id: str


@dataclass(frozen=True, slots=True)
class FormView:
    """What the form of an open step starts with.

    Attributes:
        answers: Field -> JSON value.
        options: Field -> choices, for fields whose choices depend on the run.
        is_working: The step has no fields and runs by itself.
        failure: Id under which the log has why it failed, or None.
    """

    answers: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    is_working: bool = False
    failure: str | None = None


class Engine:
    """The one place that runs are changed through.

    Attributes:
        catalog: Stored name -> workflow, of the apps that are installed now; replaced as a whole.
    """

    def __init__(self, db: Database, files: FileStore, bus: Bus, clock: Clock, *, is_only_writer: bool) -> None:
        """Wire it up.

        Args:
            db: The store.
            files: Where large values live.
            bus: Told about every change.
            clock: The time.
            is_only_writer: Whether no other process writes to the store, so that what was read once stays true.
        """
        self.db, self.files, self.bus, self.clock = db, files, bus, clock
        self.catalog: Mapping[str, Workflow] = {}
        self._trusts_cache = is_only_writer
        self._cache = RunCache()
        self._threads = Threads(_STEP_THREADS, "step")
        self._work = Work(db, files)
        self._submits: dict[tuple[str, str | None], asyncio.Future[None]] = {}
        self._chains: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[tuple[str, str], Failure] = {}

    async def close(self) -> None:
        """Stop running steps by themselves; what is being computed is computed again at the next start."""
        for task in list(self._chains.values()):
            task.cancel()
        await asyncio.gather(*self._chains.values(), return_exceptions=True)
        self._threads.close(wait=False)

    # Reading

    async def view(self, run: str, who: Who) -> RunView:
        """Return a run as it is now.

        Raises:
            RunNotFoundError: If the person has no such run.
        """
        held = self._cache.get(run)
        if held is None or held.row.owner != who.actor or not self._trusts_cache:
            held = await self._load(run, who, held)
        return RunView(held.row, held.state, self.catalog.get(held.row.app))

    async def _load(self, run: str, who: Who, known: Held | None) -> Held:
        held = await self.db.read(_load, self.files, run, who.actor, known)
        self._cache.put(held)
        return held

    async def view_at(self, run: str, who: Who, version: int) -> RunView:
        """Return a run as it was at a version.

        Raises:
            UnknownVersionError: If it never had that version.
            RunNotFoundError: As in `view`.
        """
        row, state = await self.db.read(_load_at, self.files, run, who.actor, version)
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
        step = slot.step
        if step.is_automatic:
            failure = self._failures.get((view.row.id, step.name))
            current = failure if failure and failure.version == view.row.version else None
            return FormView(is_working=current is None, failure=current.error_id if current else None)
        if step.suggest is None and not any(each.choices for each in step.fields):
            return FormView(_start_with(slot))
        return await self._threads.run(self._dynamic_form, view, slot)

    async def _planned(self, make: Callable[..., T], view: RunView, start: int = 0) -> T:
        """Work out slots; on a thread where that calls the author's code, which might wait for something."""
        workflow = installed(view)
        if not any(step.when for step in workflow.steps[start:]):
            return make(workflow, view.state, asks_always, start)
        return await self._threads.run(make, workflow, view.state, self._work.asks_of(view), start)

    def _dynamic_form(self, view: RunView, slot: Slot) -> FormView:
        assert view.workflow is not None  # noqa: S101 - there is no slot without a workflow
        run = self._work.run(view)
        step = slot.step
        try:
            options = _offered(step, run)
            suggestion = step.suggest(run) if step.suggest and slot.value is None and not _refills(slot) else {}
            given = suggestion if isinstance(suggestion, Mapping) else {step.fields[0].name: suggestion}
            suggested = {name: value for name, value in values.to_plain(given).items() if value is not None}
        except BaseException as error:
            raise failed(step, error) from error
        return FormView(_start_with(slot) | suggested, options)

    # Starting and naming

    async def start(self, app: str, key: str, profile: str, who: Who) -> RunView:
        """Begin a run; an empty key takes the next free number.

        Raises:
            BadKeyError, KeyTakenError: If the key cannot be used.
        """
        checked = check_key(key) if key.strip() else None
        workflow = self.catalog.get(app)
        first = workflow.steps[0] if workflow else None
        opened = first.name if first and first.when is None else None
        row, written = await self.db.write(
            runs.start, new_id(), app, checked, profile, self._author(who), open_step=opened
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
            if repeated is not None and await self._is_same(view, step, repeated, typed):
                return view
            if repeated is not None:  # The same form with other answers, from a page brought back: a new attempt.
                submit_id = new_id()
        await self._refuse_early(view, step, seen)
        options, reads = await self._options(view, step)
        answers = forms.decode(step.fields, typed, options)
        _refuse_unoffered(step, answers, options)
        checked = forms.validate(step.model, answers)
        task = Task(view, self._author(who), step, checked, options, seen, submit_id, journal.SUBMITTED, reads)
        if await self._perform(task) is None and submit_id is not None:
            repeated = await self.db.read(lookups.by_submit, run, submit_id)
            if repeated is not None and not await self._is_same(view, step, repeated, typed):
                return await self._submit(run, who, name, typed, seen, new_id())
        return await self.view(run, who)

    async def _is_same(self, view: RunView, step: Step[..., Any], event: Event, typed: forms.Typed) -> bool:
        """Tell whether a form that was taken before says the same again."""
        if event.step != step.name or "value" not in event.data:
            return False
        options, _ = await self._options(view, step)
        try:
            checked = forms.validate(step.model, forms.decode(step.fields, typed, options))
        except InvalidAnswersError:
            return False
        stored = await self._threads.run(self._work.whole, view.row.id, event)
        return bool(stored.get("input") == checked.model_dump(mode="json"))

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
                raise _conflict(view, step, seen, event)
        if view.row.open_step != step.name and step.name not in state.steps:
            slot = await self._planned(plan.open_step, view)
            if slot is None or slot.step is not step:
                raise StepNotOpenError(step.name, slot.step.name if slot else None)

    async def _options(
        self, view: RunView, step: Step[..., Any]
    ) -> tuple[Mapping[str, tuple[Option, ...]], Mapping[str, str]]:
        """Return the choices of fields that depend on the run, and what they were made from."""
        if not any(each.choices for each in step.fields):
            return {}, {}
        return await self._threads.run(self._choices, view, step)

    def _choices(
        self, view: RunView, step: Step[..., Any]
    ) -> tuple[Mapping[str, tuple[Option, ...]], Mapping[str, str]]:
        run = self._work.run(view)
        try:
            return _offered(step, run), run.reads
        except BaseException as error:
            raise failed(step, error) from error

    async def _perform(self, task: Task) -> Event | None:
        """Call a step and store what it returns; return the event, or None where the form had been taken before.

        It is one change of thread and back, whatever kind of function the step is.
        """
        if task.step.is_async:
            run = self._work.run(task.view)
            output = await self._work.awaited(task, run)
            done = await self._threads.run(self._work.store, task, run, output)
        else:
            done = await self._threads.run(self._work.call, task, self._work.run(task.view))
        if done.written.event is not None:
            self._cache.follow(task.view.row.id, done.written.event, done.value, done.open_step)
        self._tell(done.written)
        return done.written.event

    # Going on by itself

    def advance(self, run: str, who: Who) -> asyncio.Task[None]:
        """Run the steps that need nobody, one after another, until one asks or fails; once for all who call."""
        task = self._chains.get(run)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._advance(run, who))
            self._chains[run] = task
            task.add_done_callback(lambda _: self._chains.pop(run, None))
        return task

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
            try:
                await self._run_by_itself(view, who, slot)
            except RunConflictError:
                continue  # Somebody changed what it reads while it ran; begin again with what is there now.
            except StepFailedError as error:
                self._failures[run, slot.step.name] = Failure(view.row.version, error.error_id)
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

    async def _keep(
        self, view: RunView, who: Who, step: Step[..., Any], *, seen: int | None, submit_id: str | None
    ) -> None:
        workflow = installed(view)
        offer = view.state.offers.get(step.name)
        open_after = await self._threads.run(self._work.open_after, view, step, offer.data) if offer else None
        written = await self.db.write(
            runs.keep, view.row.id, self._author(who), step=step.name, order=workflow.order, seen=seen,
            submit_id=submit_id, open_step=open_after,
        )  # fmt: skip
        if written.event is not None:
            self._cache.follow(view.row.id, written.event, None, open_after)
        self._tell(written)

    # Lock, copies, bin

    async def finalize(self, run: str, who: Who) -> Written:
        """Lock a run; see `lifecycle.finalize`."""
        return await self._do(lifecycle.finalize, run, who)

    async def unfinalize(self, run: str, who: Who) -> Written:
        """Unlock a run; see `lifecycle.unfinalize`."""
        return await self._do(lifecycle.unfinalize, run, who)

    async def fork(self, run: str, who: Who, *, version: int | None = None, key: str = "") -> RunView:
        """Copy a run up to a version; see `lifecycle.fork`."""
        copy = new_id()
        checked = check_key(key) if key.strip() else None
        try:
            upto = await self._threads.run(self._lend_files, run, copy)
            row, written, needed = await self.db.write(
                lifecycle.fork, run, copy, self._author(who), version=upto if version is None else version, key=checked
            )
        except PipulateError:
            await self._threads.run(self.files.erase, copy)
            raise
        await self._threads.run(self.files.prune, copy, frozenset(needed))
        self._tell(written)
        return await self.view(row.id, who)

    def _lend_files(self, run: str, copy: str) -> int:
        """Put the files of a run in place for its copy before the copy names them; return the version they are of."""
        version, names = self.db.read_now(_files_of, run)
        for sha256 in names:
            self.files.copy(run, copy, sha256)
        return version

    async def take_in(self, path: Path, key: str, who: Who) -> RunView:
        """Add a run from its file; see `transfer.Incoming` and `transfer.take_in`."""
        incoming = await self._threads.run(transfer.Incoming, path)
        run = new_id()
        try:
            checked = check_key(key) if key.strip() else None
            await self._threads.run(incoming.put_files, self.files, run)
            row, written = await self.db.write(transfer.take_in, run, incoming, self._author(who), checked)
        except PipulateError:
            await self._threads.run(self.files.erase, run)
            raise
        finally:
            incoming.close()
        self._tell(written)
        return await self.view(row.id, who)

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

    # Parts

    async def _do(self, unit: Callable[..., Written], run: str, who: Who, *args: Any, **kwargs: Any) -> Written:
        """Run an operation that is not about one step's value, and forget what is held of the run."""
        written = await self.db.write(unit, run, self._author(who), *args, **kwargs)
        self._cache.note(run, written.version)
        self._cache.drop(run)
        self._tell(written)
        return written

    def _author(self, who: Who) -> Author:
        return Author(who.actor, to_text(self.clock.now()), who.tab)

    def _tell(self, written: Written) -> None:
        if written.event is None:
            return
        self.bus.publish(MessagesAdded(written.run, written.message, written.event))
        self.bus.publish(RunChanged(written.run, written.version, written.event.tab))


def _load(tx: Transaction, files: FileStore, run: str, owner: str, known: Held | None) -> Held:
    row = lookups.by_id(tx, run, owner)
    if known is not None and known.row.version == row.version and known.row.owner == owner:
        return Held(row, known.state)
    return Held(row, lookups.resolved(ledger.state_of(tx, row), files, run))


def _load_at(tx: Transaction, files: FileStore, run: str, owner: str, version: int) -> tuple[RunRow, State]:
    row = lookups.by_id(tx, run, owner)
    events = lookups.journal_upto(tx, row, version)
    return row, lookups.resolved(journal.fold(events), files, run)


def _files_of(tx: Transaction, run: str) -> tuple[int, list[str]]:
    return ledger.find(tx, run).version, lookups.files_of(tx, run)


def _offered(step: Step[..., Any], run: Run) -> dict[str, tuple[Option, ...]]:
    """Return the choices of fields that depend on the run; this calls the author's code."""
    return {each.name: options_from(each.choices.of(run)) for each in step.fields if each.choices}


def _refills(slot: Slot) -> bool:
    return slot.offer is not None and slot.step.refill


def _start_with(slot: Slot) -> dict[str, Any]:
    """Return the answers a form starts with: those the step has, else its old ones, else the defaults."""
    answers = {each.name: each.default for each in slot.step.fields if each.default is not None}
    old = slot.value or (slot.offer if slot.step.refill else None)
    return answers | dict(old.data.get("input") or {} if old else {})


def _refuse_unoffered(
    step: Step[..., Any], answers: Mapping[str, Any], options: Mapping[str, tuple[Option, ...]]
) -> None:
    """Refuse a value that is none of the choices the run offers now."""
    problems = {
        each.name: "Choose one of the options."
        for each in step.fields
        if each.choices
        and answers.get(each.name) is not None
        and answers[each.name] not in [option.value for option in options[each.name]]
    }
    if problems:
        raise InvalidAnswersError(problems)


def _conflict(view: RunView, step: Step[..., Any], seen: int, event: Event) -> RunConflictError:
    now = view.state.steps.get(step.name)
    return RunConflictError(
        step=step.name, seen=seen, version=view.row.version, kind=event.kind, changed=event.step,
        theirs=now.data if now else None, mine=None, by=event.actor, tab=event.tab, at=event.at,
    )  # fmt: skip
