"""Steps that run as jobs: asked for by an event of the run, answered by another.

The event that asks and the row of the job are written together, and so are the value and the end of the job. So after a
crash either nothing was asked for or the job is there, and a value enters the journal once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.errors import (
    InvalidAnswersError,
    RunConflictError,
    RunLockedError,
    RunNotFoundError,
    StepResultError,
)
from pipulate.events import JobChanged
from pipulate.fields.files import Files
from pipulate.jobs.doing import Doing
from pipulate.jobs.port import Jobs, Request, row_of
from pipulate.jobs.stopping import Stopped
from pipulate.storage import asked, jobs, journal, ledger, lookups
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Author, Written
from pipulate.workflows import values
from pipulate.workflows.asking import Asking, FormView, JobView
from pipulate.workflows.definition import Step
from pipulate.workflows.plan import Slot
from pipulate.workflows.progressing import Progressing
from pipulate.workflows.run import Run
from pipulate.workflows.work import RunView, Task, installed

if TYPE_CHECKING:
    from pipulate.security.who import Who
    from pipulate.workflows.engine import Engine

KIND: Final = asked.STEP
EDITED: Final = "It waits for an earlier step that is being edited: what comes of that decides whether it still fits."
CHANGED: Final = "What this was made from has changed meanwhile, so its result was not used."
DELETED: Final = "The run was deleted."
LOCKED: Final = "The run was locked meanwhile. Unlock it and try again."
NOT_INSTALLED: Final = "The app {} was not there when this was to begin. Put its file back and go on, or cancel this."
OTHER_CODE: Final = "The app was changed after this was asked for. Go on with the new code, or cancel this."


def overtaken(tx: Transaction, row: JobRow, order: Sequence[str] | None) -> str:
    """Return in words what happened to the run of a job since it was asked for, "" where its result is waited for.

    Args:
        tx: The transaction.
        row: A job of a step.
        order: Names of all steps of its app, in order; None where it is not installed.
    """
    try:
        if ledger.find(tx, row.run or "").deleted_at is not None:
            return DELETED
    except RunNotFoundError:
        return DELETED
    return CHANGED if order is not None and asked.is_overtaken(tx, row, order) else ""


class Background:
    """Asks for the jobs of steps, does them, and tells what became of them.

    Attributes:
        jobs: Runs them.
        orders: Kind of job -> returns the names of all steps of a job's app, in order; None where it is not installed.
    """

    waits_for_others = False

    def __init__(self, engine: Engine, runs_jobs: Jobs, asking: Asking, progressing: Progressing) -> None:
        self._engine, self.jobs, self._asking, self._progressing = engine, runs_jobs, asking, progressing
        self._db = engine.db
        self._at_work: dict[str, set[str]] = {}  # Runs with their open jobs: all others cost nothing.
        self.orders: dict[str, Callable[[JobRow], Sequence[str] | None]] = {KIND: self._order}
        runs_jobs.register(KIND, self)
        runs_jobs.listen(self._hear)

    # Asking

    async def ask(self, task: Task) -> bool:
        """Ask for the job of a step; False where the form had been taken before.

        Raises:
            RunNotFoundError, RunLockedError, RunConflictError: As in `runs.submit`.
        """
        view, step = task.view, task.step
        how = step.background
        assert how is not None  # noqa: S101 - only such steps come here
        request = Request(
            KIND, f"{view.title}: {step.title}", task.author.actor, view.row.profile, app=view.row.app,
            run=view.row.id, step=step.name, code=step.digest, options=how,
        )  # fmt: skip
        files = Files(self._engine.files, view.row.id, state=view.state)
        value, short = values.to_value(step, task.answers, values.NOT_YET, task.options, files)
        stored = await self._engine.apart(partial(self._engine.files.store, view.row.id, value))
        written, row = await self._db.write(
            asked.request, view.row.id, task.author, row_of(request, new_id(), task.author.at), step=step.name,
            value=stored, short=short, order=installed(view).order, seen=task.seen, submit_id=task.submit_id,
        )  # fmt: skip
        self._engine.heard(written)
        if row is None:
            return False
        self._note(row)
        self.jobs.start(row)
        return True

    async def ask_by_itself(self, view: RunView, step: Step[..., Any], author: Author) -> None:
        """Ask for the job of a step that needs nobody, unless there is one, whatever became of it."""
        if await self.current(view, step) is None:
            task = Task(view, author, step, None, {}, view.row.version, None, journal.REQUESTED)
            with contextlib.suppress(RunConflictError):  # Somebody else changed the run, and goes on with it.
                await self.ask(task)

    async def form(self, view: RunView, slot: Slot) -> FormView:
        """Return what the card of a step shows: its form, with what was answered where that came to naught, or its job.

        Raises:
            StepFailedError: As in `Asking.form`.
        """
        row = await self.current(view, slot.step)
        job = await self.view(row) if row is not None else None
        if slot.step.is_automatic or (row is not None and row.is_open):
            return FormView(slot.step, is_working=True, job=job)
        form = await self._asking.form(view, slot)
        if row is None:
            return form
        return replace(form, answers={**form.answers, **await self.answered(view, row)}, job=job)

    async def current(self, view: RunView, step: Step[..., Any]) -> JobRow | None:
        """Return the job whose result a step waits for, or would have got; None where there is none."""
        if step.background is None:
            return None
        return await self._db.read(asked.current, view.row.id, step.name, installed(view).order)

    async def view(self, row: JobRow) -> JobView:
        """Return a job, ready to be shown: with what it said last, which the store may not have yet."""
        view = await self._db.read(_view, row)
        last = self._progressing.now.get(view.row.run or "")
        if last is None or last.now is None or last.step != view.row.step:
            return view
        said = {"done": last.now.done, "total": last.now.total, "text": last.now.text, "left_s": last.left_s}
        return replace(view, row=view.row._replace(progress=json.dumps(said)))

    async def answered(self, view: RunView, row: JobRow) -> Mapping[str, Any]:
        """Return what was answered when a job was asked for, as JSON."""
        event = await self._event(row)
        whole = await self._engine.apart(partial(self._engine.work.whole, view.row.id, event))
        return whole.get("input") or {}

    async def retry(self, run: str, step: str, who: Who) -> None:
        """Ask for the job of a step once more, with the code there is now."""
        view = await self._engine.view(run, who)
        row = await self.current(view, installed(view)[step])
        if row is not None:
            await self.resume(row, who)

    async def resume(self, row: JobRow, who: Who) -> JobRow | None:
        """Ask for a job once more, with the code there is now; None where it is done or under way."""
        workflow = self._engine.catalog.get(row.app or "")
        step = workflow.find(row.step or "") if workflow is not None else None
        return await self.jobs.resume(row.id, who.actor, step.digest if step is not None else None)

    async def stop(self, run: str, step: str, who: Who) -> None:
        """Ask the job of a step to stop."""
        view = await self._engine.view(run, who)
        row = await self.current(view, installed(view)[step])
        if row is not None:
            await self.jobs.cancel(row.id, who.actor)

    def changed(self, written: Written) -> None:
        """Stop the jobs of a run that an event has overtaken, and let those go on that waited; on the event loop."""
        if written.run not in self._at_work or written.event is None:
            return
        if written.event.kind in (journal.REQUESTED, journal.COMPUTED):
            return
        self._engine.later(self._stop_overtaken(written.run, written.event.kind))

    async def _stop_overtaken(self, run: str, kind: str) -> None:
        for row in await self._db.read(jobs.open_of_run, run):
            find = self.orders.get(row.kind)
            order = find(row) if find is not None else None
            if order is None:
                continue
            if reason := await self._db.read(overtaken, row, order):
                await self.jobs.cancel(row.id, row.owner, reason)
            elif row.status == jobs.PARKED and kind == journal.EDIT_CANCELLED:
                await self.jobs.resume(row.id, row.owner, row.code)

    def _order(self, row: JobRow) -> Sequence[str] | None:
        workflow = self._engine.catalog.get(row.app or "")
        return workflow.order if workflow is not None else None

    # Doing

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done with the code there is now."""
        workflow = self._engine.catalog.get(row.app or "")
        if workflow is None:
            return NOT_INSTALLED.format(row.app)
        step = workflow.find(row.step or "")
        if step is None or step.background is None:
            return f"The app {row.app} has no such step any more. Put it back and go on, or cancel this."
        if row.code is not None and step.digest is not None and row.code != step.digest:
            return OTHER_CODE
        return ""

    def overtaken(self, tx: Transaction, row: JobRow) -> str:
        """Return in words what happened to the run since a job was asked for, "" where its result is waited for."""
        return overtaken(tx, row, self._order(row))

    async def do(self, doing: Doing) -> None:
        """Call the step of a job and store what it returns."""
        row = doing.row
        try:
            task = await self._task(doing)
            self._refuse_while_edited(task)
            run = self._engine.work.run(task.view, doing)
            arguments = await doing.threads.run(self._engine.work.arguments, task, run)
            output = await doing.call(task.step.function, **arguments)
            doing.check()
            await doing.threads.run(self._store, task, run, output)
        except InvalidAnswersError as error:
            await doing.threads.run(partial(doing.end, jobs.FAILED, reason=" ".join(error.problems.values())))
        except asked.BeingEditedError:
            await self._db.write(jobs.park, row.id, EDITED)
        except RunLockedError:
            await doing.threads.run(partial(doing.end, jobs.FAILED, reason=LOCKED))
        except RunConflictError:
            await doing.threads.run(partial(doing.end, jobs.CANCELLED, reason=CHANGED))
        except RunNotFoundError:
            await doing.threads.run(partial(doing.end, jobs.CANCELLED, reason=DELETED))
        finally:
            self._on_loop(self._progressing.ended, row.run, row.step)

    async def _task(self, doing: Doing) -> Task:
        """Return the step to be called, with the answers it was asked for with."""
        row, engine = doing.row, self._engine
        view = await engine.there(engine.view_of, row.run, row.owner)
        step = installed(view)[row.step or ""]
        question = await engine.there(self._asking.asked, view, step)
        event = await self._event(row)
        answers: BaseModel | None = None
        if question.step.fields:
            whole = await doing.threads.run(engine.work.whole, view.row.id, event)
            files = Files(engine.files, view.row.id, state=view.state)
            answers = await doing.threads.run(engine.work.checked, question.step, whole.get("input") or {}, files)
        author = Author(row.owner, to_text(engine.clock.now()))
        return Task(
            view, author, question.step, answers, question.options, event.version, row.id, journal.COMPUTED,
            question.reads, doing,
        )  # fmt: skip

    def _refuse_while_edited(self, task: Task) -> None:
        """Refuse to begin while a step that this one reads may be about to change; `asked.answer` looks once more."""
        view, order = task.view, installed(task.view).order
        if view.state.editing in order[: order.index(task.step.name)]:
            raise asked.BeingEditedError

    async def _event(self, row: JobRow) -> journal.Event:
        assert row.run is not None and row.version is not None  # noqa: PT018, S101 - jobs of steps have both
        events = await self._db.read(ledger.events, row.run, after=row.version - 1, upto=row.version)
        if not events:
            raise RunNotFoundError(row.run)
        return events[0]

    def _store(self, task: Task, run: Run, output: Any) -> None:
        """Store the result of a step and end its job, both or neither."""
        engine, doing = self._engine, task.doing
        assert doing is not None  # noqa: S101 - it was made for a job
        try:
            value, short = values.to_value(task.step, task.answers, output, task.options, run.files)
        except (TypeError, ValueError) as error:
            raise StepResultError(task.step.title, _why_not(error)) from error
        stored = engine.files.store(task.view.row.id, value)
        author = replace(task.author, at=to_text(engine.clock.now()))
        given = {
            "author": author, "step": task.step.name, "value": stored, "short": short,
            "reads": {**task.reads, **run.reads}, "order": installed(task.view).order,
            "open_step": engine.work.open_after(task.view, task.step, value),
        }  # fmt: skip
        written = self._db.write_now(asked.answer, doing.row, author.at, given)
        if written is None:
            raise Stopped
        self._on_loop(engine.heard, written)

    # Telling

    def _hear(self, row: JobRow) -> None:
        """Pass on what became of a job, from whatever thread; a run whose step is done goes on by itself."""
        self._on_loop(self._told, row)

    def _told(self, row: JobRow) -> None:
        self._note(row)
        self._engine.bus.publish(JobChanged(row.id, row.run, row.step, row.owner, row.status))
        if row.kind == KIND and row.status == jobs.DONE and row.run is not None:
            self._engine.later(self._go_on(row.run, row.owner))

    def _note(self, row: JobRow) -> None:
        """Take note whether a job is open."""
        if row.run is None:
            return
        if row.is_open:
            self._at_work.setdefault(row.run, set()).add(row.id)
        elif (others := self._at_work.get(row.run)) is not None:
            others.discard(row.id)
            if not others:
                del self._at_work[row.run]

    async def _go_on(self, run: str, owner: str) -> None:
        await self._engine.advance_for(run, owner)

    async def wake(self) -> None:
        """Take up what was left; once the apps are there."""
        self._engine.loop = asyncio.get_running_loop()
        for row in await self._db.read(jobs.open_of_runs):
            self._note(row)
        await self._engine.apart(self.jobs.wake)
        for run, owner in await self._db.read(lookups.left_after_a_job):
            await self._go_on(run, owner)

    def _on_loop(self, call: Callable[..., object], *args: object) -> None:
        loop = self._engine.loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # The loop is closing; nobody is left to tell.
            return


def _why_not(error: Exception) -> str:
    """Return in words why a result cannot be stored: of Pydantic's, what is wrong first, and where."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}" if place else first["msg"]


def _view(tx: Any, row: JobRow) -> JobView:
    fresh = jobs.find(tx, row.id) or row
    return JobView(fresh, tuple(jobs.lines(tx, row.id, limit=8)), jobs.parts(tx, row.id))
