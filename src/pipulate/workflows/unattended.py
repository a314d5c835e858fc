"""Runs that nobody watches: a job that starts a run, answers its steps with what a schedule gives, and waits for them.

Answers go the way a person's do, so the same rules hold for them. Where a step needs somebody the job ends with a
reason, and the run stays as it is for a person to go on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from pipulate import forms
from pipulate._clock import from_text, to_text
from pipulate._ids import new_id
from pipulate.errors import InvalidAnswersError, JobError, RunError, RunNotFoundError, ScheduleRefusedError
from pipulate.events import Happening, JobChanged, RunChanged
from pipulate.fields import FormField, labels, leaves
from pipulate.jobs import crons
from pipulate.jobs.doing import Doing
from pipulate.jobs.scheduling import key_at
from pipulate.jobs.stopping import Stopped
from pipulate.security.sealing import seal, unseal
from pipulate.security.who import Who
from pipulate.storage import jobs, lookups, scheduled, schedules
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Author
from pipulate.storage.schedules import Given, ScheduleRow
from pipulate.storage.sealed import MARK, is_sealed
from pipulate.workflows import background
from pipulate.workflows.definition import Step, Workflow
from pipulate.workflows.engine import Engine
from pipulate.workflows.plan import Slot
from pipulate.workflows.run import SKIPPED
from pipulate.workflows.work import RunView, installed

_LOOK_EVERY_S: Final = 10.0


class _NeedsSomebodyError(JobError):
    """A run cannot go on by itself; the message says where it stands and why."""


class Unattended:
    """Does the jobs of schedules.

    Attributes:
        waits_for_others: The jobs of the steps do the work; this one takes no place among them.
    """

    waits_for_others = True

    def __init__(self, engine: Engine) -> None:
        self._engine, self._db = engine, engine.db

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done with the code there is now."""
        return missing_app(self._engine, row.app or "")

    def overtaken(self, tx: Transaction, row: JobRow) -> str:  # noqa: ARG002 - as the port has it
        """Return "": what comes of it is waited for to the end."""
        return ""

    async def do(self, doing: Doing) -> None:
        """Start the run of a schedule, or take up the one that was started, and go on to its end."""
        try:
            await self._engine.there(self._play, doing)
        except RunNotFoundError:
            await doing.threads.run(partial(doing.end, jobs.CANCELLED, reason=background.DELETED))
        except RunError as error:
            await doing.threads.run(partial(doing.end, jobs.FAILED, reason=str(error)))
        except _NeedsSomebodyError as error:
            await doing.threads.run(partial(doing.end, jobs.FAILED, reason=str(error)))
        else:
            await doing.threads.run(doing.end)

    async def _play(self, doing: Doing) -> None:
        schedule = await self._db.read(schedules.find, doing.row.payload["schedule"])
        if schedule is None:
            raise _NeedsSomebodyError("The schedule was removed before this began.")
        who = Who(schedule.owner)
        run = await self._begun(doing, schedule)
        with _News(self._engine, doing, run) as news:
            player = _Player(self._engine, doing, schedule, run, who, news)
            try:
                await player.go_on()
            except Stopped:
                if doing.why == "cancel":
                    await self._stop_all(run, doing.row)
                raise
        if schedule.locks:
            await self._engine.finalize(run, who)

    async def _stop_all(self, run: str, scheduled_job: JobRow) -> None:
        """Stop what works for a run whose own job was cancelled."""
        for row in await self._db.read(jobs.open_of_run, run):
            if row.id != scheduled_job.id:
                await self._engine.background.jobs.cancel(row.id, row.owner, "The scheduled run was cancelled.")

    async def _begun(self, doing: Doing, schedule: ScheduleRow) -> str:
        """Return the run of the job; it is started once, with the note of it in the job's row."""
        engine, due = self._engine, from_text(doing.row.payload["due"])
        first = engine.catalog[schedule.app].steps[0]
        author = Author(schedule.owner, to_text(engine.clock.now()))
        run, written = await self._db.write(
            scheduled.begin, doing.row, new_id(), key_at(schedule, crons.read(schedule.cron, schedule.zone), due),
            author, open_step=first.name if first.when is None else None,
        )  # fmt: skip
        if written is not None:
            engine.heard(written)
        return run


class _News:
    """Wakes whoever waits for something to happen to a run, or for its job to be stopped."""

    def __init__(self, engine: Engine, doing: Doing, run: str) -> None:
        self._doing, self._run, self._event = doing, run, asyncio.Event()
        self._engine, self._loop = engine, asyncio.get_running_loop()

    def __enter__(self) -> _News:
        self._leave = self._engine.bus.subscribe(self._hear)
        self._forget = self._doing.when_stopped(self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        self._forget()

    async def wait(self, also: asyncio.Future[None] | None = None) -> None:
        """Wait for something new since the last time, or for a task too, or until it is time to look anyway.

        Raises:
            Stopped: If the job is to stop.
        """
        self._doing.shows_life()
        if also is not None:
            also.add_done_callback(self._ended)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._event.wait()
        self._event.clear()
        self._doing.check()

    def _stop(self) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closing, and whoever waits ends with it.
            self._loop.call_soon_threadsafe(self._event.set)

    def _ended(self, _: object) -> None:
        self._event.set()

    def _hear(self, happening: Happening) -> None:
        if isinstance(happening, RunChanged | JobChanged) and happening.run == self._run:
            self._event.set()


class _Player:
    """Answers the steps of one run."""

    def __init__(self, engine: Engine, doing: Doing, schedule: ScheduleRow, run: str, who: Who, news: _News) -> None:
        self._engine, self._doing, self._schedule = engine, doing, schedule
        self._run, self._who, self._news = run, who, news
        self._may_retry = doing.row.attempt > 1  # Somebody asked for this to go on after it had failed.

    async def go_on(self) -> None:
        """Answer every step; return when the run is finished.

        Raises:
            _NeedsSomebodyError: If a step asks for what the schedule does not give, or fails.
            RunError: If the run cannot be changed.
            Stopped: If the job is to stop.
        """
        while (slot := await self._open()) is not None:
            if slot.step.background is not None and await self._is_in_a_job(slot.step):
                await self._news.wait()
            elif slot.step.is_automatic:
                await self._go_by_itself(slot)
            else:
                await self._answer(slot.step)

    async def _open(self) -> Slot | None:
        """Return the step that is asked for; None where there is none left."""
        view = await self._engine.view(self._run, self._who)
        if (missing := missing_app(self._engine, view.row.app)) != "":
            raise _NeedsSomebodyError(missing)
        reached = await self._engine.reached(view, 0)
        slot = reached[-1] if reached and reached[-1].status in ("editing", "open") else None
        if slot is None:
            return None
        if view.state.lock is not None:
            raise _NeedsSomebodyError(f"The run was locked before “{slot.step.title}”.")
        order = installed(view).order
        self._doing.say(order.index(slot.step.name), len(order), slot.step.title)
        return slot

    async def _is_in_a_job(self, step: Step[..., Any]) -> bool:
        """Tell whether a job works on a step, or has just given it its value."""
        view = await self._engine.view(self._run, self._who)
        job = await self._engine.background.current(view, step)
        if job is None:
            return False
        if job.status in (jobs.FAILED, jobs.CANCELLED) and self._may_retry:
            self._may_retry = False
            await self._engine.background.retry(self._run, step.name, self._who)
            return True
        if job.status in (jobs.FAILED, jobs.CANCELLED, jobs.PARKED):
            raise _NeedsSomebodyError(f"“{step.title}” was not done: {job.reason}")
        return True

    async def _go_by_itself(self, slot: Slot) -> None:
        """Let the steps run that need nobody, and find out whether this one failed."""
        if self._may_retry:
            self._may_retry = False
            self._engine.retry(self._run, slot.step.name)
        before = (await self._engine.view(self._run, self._who)).row.version
        going = self._engine.advance(self._run, self._who)
        while not going.done():
            await self._news.wait(going)
        await going
        view = await self._engine.view(self._run, self._who)
        failure = (await self._engine.form(view, slot)).failure if slot.step.background is None else None
        if failure is not None:
            raise _NeedsSomebodyError(f"“{slot.step.title}” failed. The server's log has why, under the id {failure}.")
        if view.row.version == before:
            await self._news.wait()

    async def _answer(self, step: Step[..., Any]) -> None:
        """Answer a step as a form would, or skip it; each step once."""
        submit = f"{self._doing.row.id}-{step.name}"
        if await self._engine.db.read(lookups.by_submit, self._run, submit) is not None:
            raise _NeedsSomebodyError(f"Somebody opened “{step.title}” again, so it is theirs to answer.")
        view = await self._engine.view(self._run, self._who)
        answers = self._schedule.answers
        given = answers.get(step.name, {})
        seen = view.row.version
        slot = (await self._engine.reached(view, 0))[-1]
        form = await self._engine.form(view, slot)
        typed = forms.texts_of(form.step.fields, form.answers) | texts_from(given)
        lacking = [] if given is None else list(unanswered(form.step.fields, typed))
        if given is None or (lacking and step.optional and step.name not in answers):
            await self._engine.skip(self._run, self._who, step.name, seen=seen, submit_id=submit)
            return
        if lacking:
            raise _NeedsSomebodyError(f"“{step.title}” needs an answer for {lacking[0]}, and the schedule gives none.")
        try:
            await self._engine.submit(self._run, self._who, step.name, typed, seen=seen, submit_id=submit)
        except InvalidAnswersError as error:
            said = _in_words(form.step, error)
            raise _NeedsSomebodyError(f"“{step.title}” did not take its answers. {said}") from None


def missing_app(engine: Engine, app: str) -> str:
    """Return in words that an app cannot be run by itself, "" where it can."""
    return "" if app in engine.catalog else f"The app {app} is not installed."


# What a schedule gives


async def answers_of(engine: Engine, view: RunView) -> dict[str, Given | None]:
    """Return what was answered in a run, as a schedule keeps it: secrets stay sealed.

    Raises:
        ScheduleRefusedError: If a step of it needs a person.
    """
    found: dict[str, Given | None] = {}
    for slot in await engine.slots(view):
        if slot.step.is_automatic or slot.status == "skipped":
            continue
        if slot.value is not None and slot.value.data.get("view") == SKIPPED:
            found[slot.step.name] = None
            continue
        step = await engine.asked(view, slot.step)
        answered = (slot.value.data.get("input") or {}) if slot.value is not None else {}
        found[slot.step.name] = _given(step.fields, answered) if slot.value is not None else {}
        _refuse(step, found[slot.step.name] or {}, "which this run does not have yet. Answer it there first")
        if slot.value is None:
            del found[slot.step.name]
    return found


def refuse_incomplete(workflow: Workflow, answers: Mapping[str, Given | None]) -> None:
    """Refuse answers that leave out what every run of a workflow asks for.

    Raises:
        ScheduleRefusedError: If a step of it needs a person, or is none of the workflow's.
    """
    for name in answers:
        if workflow.find(name) is None:
            known = ", ".join(each.name for each in workflow.steps if not each.is_automatic) or "none"
            raise ScheduleRefusedError("input", f"The app has no step {name!r} to answer; it has: {known}.")
    for step in workflow.steps:
        given = answers.get(step.name, {})
        if given is None:
            continue
        names = {each.name for each in leaves(step.fields)} | {each.name for each in step.fields}
        asks = tuple(f"{each.name}." for each in step.fields if each.asks)
        for field in given:
            if field not in names and not field.startswith(asks or "\0"):
                raise ScheduleRefusedError("input", f"The step {step.name!r} has no field {field!r}.")
        if step.name in answers or (step.when is None and not step.optional and step.suggest is None):
            _refuse(step, given, "and none is given")
        if given:
            _refuse_wrong(step, given)
        if step.goto is not None:  # What follows may be passed over.
            return


def _refuse_wrong(step: Step[..., Any], given: Given) -> None:
    """Refuse answers that break a rule of their fields; what only the run or the app's own code knows is seen then."""
    if step.has_own_rules or any(each.asks or each.choices for each in step.fields):
        return
    defaults = {each.name: each.default for each in step.fields if each.default is not None}
    typed = forms.texts_of(step.fields, defaults) | texts_from(given)
    try:
        forms.validate(step, forms.taken(step, typed, {}, None))
    except InvalidAnswersError as error:
        said = _in_words(step, error)
        raise ScheduleRefusedError("input", f"“{step.title}” would not take its answers. {said}") from None


def _in_words(step: Step[..., Any], error: InvalidAnswersError) -> str:
    """Return what is wrong with answers, by the labels of their fields."""
    names = labels(step.fields)
    return " ".join(f"{names.get(name, step.title)}: {words}" for name, words in error.problems.items())


def sealed_answers(workflow: Workflow, typed: Mapping[str, Mapping[str, list[str]]]) -> dict[str, Given | None]:
    """Return answers that were typed as a schedule keeps them, with secrets sealed."""
    found: dict[str, Given | None] = {}
    for name, given in typed.items():
        step = workflow.find(name)
        secret = {each.name for each in leaves(step.fields) if each.kind == "secret"} if step else set()
        found[name] = {
            field: {MARK: seal(texts[-1])} if field in secret else list(texts) for field, texts in given.items()
        }
    return found


def texts_from(given: Given | None) -> dict[str, list[str]]:
    """Return what a schedule gives as the texts a form would send."""
    return {
        field: [unseal(value[MARK])] if is_sealed(value) else list(value)
        for field, value in (given or {}).items()
        if not is_sealed(value) or value[MARK] is not None
    }


def unanswered(fields: tuple[FormField, ...], given: Mapping[str, Any]) -> Iterator[str]:
    """Yield the labels of fields that must be answered and are not."""
    names = labels(fields)
    for each in fields:
        if each.asks:
            continue  # What it asks for is only known in a run.
        if each.parts:
            if any(given.get(each.name, ())) or not (each.optional or each.default is not None):
                yield from unanswered(each.parts, given)
        elif each.name not in given and each.required and each.default is None and each.kind != "bool":
            yield names.get(each.name, each.label)


def _given(fields: tuple[FormField, ...], answered: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored answers as a schedule keeps them."""
    given: dict[str, Any] = dict(forms.texts_of(fields, answered))
    for each in leaves(fields):
        if given.get(each.name) == [forms.KEPT]:
            given[each.name] = _at(answered, each.name)
    return given


def _at(answered: Mapping[str, Any], name: str) -> Any:
    value: Any = answered
    for part in name.split("."):
        value = value[part]
    return value


def _refuse(step: Step[..., Any], given: Given, why: str) -> None:
    """Refuse a step that needs a person: to send a file, or to answer."""
    for each in leaves(step.fields):
        if each.kind == "file" and (each.required or any(given.get(each.name, ()))):
            raise ScheduleRefusedError("", f"“{step.title}” asks for a file ({each.label}), and nobody would be there.")
    for label in unanswered(step.fields, given):
        raise ScheduleRefusedError("", f"“{step.title}” needs an answer for {label}, {why}.")
