"""Actions on runs: look at them, start one, go back to a step, begin or repeat the work of a step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from pipulate.actions import class_style
from pipulate.actions.results import kind_and_size
from pipulate.actions.told import ROWS_MAX, cut, field_told, fitted, shown_fields, texts_told
from pipulate.actions.world import World, acting
from pipulate.errors import CallError, PipulateError, StepNotOpenError
from pipulate.forms import KEPT, texts_of
from pipulate.storage import lookups
from pipulate.storage.ledger import RunRow
from pipulate.tools.action import Action, Difference, Doing, Result
from pipulate.workflows.asking import FormView
from pipulate.workflows.plan import Slot
from pipulate.workflows.work import RunView, installed

WAIT_S: Final = 5.0
"""How long an action waits for steps that run by themselves, before it says that they are at work."""

_RUN = "Id of the run; leave it out for the one this conversation is about."
_STEP = "Stored name of the step, as the run's steps have it."
_VERSION = "Version of the run that you have read; it says which changes you know of."


class RunGiven(BaseModel):
    """Which run."""

    model_config = ConfigDict(extra="forbid")

    run: str = Field("", description=_RUN)


class RunsGiven(BaseModel):
    """Which runs."""

    model_config = ConfigDict(extra="forbid")

    app: str = Field("", description="Stored name of the app; leave it out for the runs of all apps.")
    words: str = Field("", max_length=200, description="Only runs whose name has this in it.")
    older: str = Field("", max_length=200, description="Where the list before ended, as it says; empty to begin.")


class StartGiven(BaseModel):
    """Which app, and what the run is called."""

    model_config = ConfigDict(extra="forbid")

    app: str = Field("", description="Stored name of the app; leave it out for the one this conversation is beside.")
    name: str = Field("", max_length=200, description="What the run is called; leave it out for the next free number.")


class StepGiven(BaseModel):
    """Which step of which run."""

    model_config = ConfigDict(extra="forbid")

    step: str = Field(description=_STEP)
    version: int = Field(ge=0, description=_VERSION)
    run: str = Field("", description=_RUN)


def actions(world: World) -> list[Action]:
    """Return the actions on runs."""
    runs = _Runs(world)
    return [
        Action(
            "read_run", "Read a run",
            "Read how a run stands: its steps with what was filled in, the step that is open now with its fields, its"
            " version, and whether it is locked. Results are named with kind and size; read_result reads them.",
            RunGiven, "read", runs.read,
        ),
        Action(
            "list_runs", "List runs",
            "List the person's runs in the profile they have chosen, the newest change first: id, app, name, step that"
            " is open.",
            RunsGiven, "read", runs.listed,
        ),
        Action(
            "start_run", "Start a run", "Begin a new run of an app with steps, and read how it stands.", StartGiven,
            "write", runs.start, runs.would_start,
        ),
        Action(
            "revert_step", "Go back to a step",
            "Reopen a step that is done, so that it can be filled in again. Later steps are cleared; the history keeps"
            " what they held.",
            StepGiven, "write", runs.revert, runs.would_revert,
        ),
        Action(
            "start_job", "Run a step, or run it again",
            "Begin the work of a step that asks for nothing, or repeat it where it failed or is to be worked out anew.",
            StepGiven, "write", runs.work, runs.would_work,
        ),
    ]  # fmt: skip


class _Runs:
    def __init__(self, world: World) -> None:
        self._world, self._engine = world, world.engine

    async def read(self, given: RunGiven, doing: Doing) -> Result:
        view = await self._world.run(doing, given.run)
        return await told(self._world, view)

    async def listed(self, given: RunsGiven, doing: Doing) -> Result:
        profile = await self._world.chosen(doing)
        page = await self._world.db.read(
            lookups.listed, doing.who.actor, app=given.app.strip() or None, profile=profile, words=given.words,
            older=given.older or None, limit=ROWS_MAX,
        )  # fmt: skip
        lines = fitted([self._line(row) for row in page.runs])
        data: dict[str, Any] = {"runs": lines}
        if len(lines) < len(page.runs):
            last = page.runs[len(lines) - 1]
            data["older"] = f"{last.updated_at}_{last.id}"
        elif page.older:
            data["older"] = page.older
        return Result(data, untrusted=True)  # A run may have come from a file, with a name that somebody else wrote.

    def _line(self, row: RunRow) -> dict[str, Any]:
        app = self._world.app(row.app)
        line = {
            "run": row.id, "app": row.app, "app title": app.title if app else None, "name": cut(row.key),
            "open step": row.open_step, "locked": row.locked_at is not None, "changed": row.updated_at,
        }  # fmt: skip
        return {name: value for name, value in line.items() if value is not None}

    async def start(self, given: StartGiven, doing: Doing) -> Result:
        app, profile = self._app(given, doing), await self._world.chosen(doing)
        if app not in self._engine.catalog:
            view, words = await class_style.started(self._world, app, given.name, doing)
            made = await told(self._world, view)
            return Result(made.data, words, made.link, made.untrusted)
        view = await self._engine.start(app, given.name, profile, acting(doing), run=doing.submit)
        made = await told(self._world, await went_by_itself(self._world, view, doing))
        return Result(made.data, f"The run “{view.row.key}” was started.", made.link, made.untrusted)

    async def would_start(self, given: StartGiven, doing: Doing) -> Sequence[Difference]:
        name = self._app(given, doing)
        app = self._world.app(name)
        title = app.title if app is not None else self._engine.catalog[name].title
        return [Difference(f"Run of {title}", None, given.name.strip() or "the next free number")]

    def _app(self, given: StartGiven, doing: Doing) -> str:
        """Return the stored name of an app with steps.

        Raises:
            CallError: If there is none of that name.
        """
        wanted = given.app.strip() or doing.app or ""
        if wanted in self._engine.catalog:
            return wanted
        app = self._world.app(wanted)
        if app is not None and app.kind == "own pages" and app.steps:
            return wanted
        there = ", ".join(sorted(self._engine.catalog)) or "none"
        raise CallError(f"There is no app {wanted!r} with steps. There are: {there}.")

    async def revert(self, given: StepGiven, doing: Doing) -> Result:
        view, title = await self._step(given, doing)
        if class_style.is_of_own_pages(self._world, view):
            await class_style.reverted(self._world, view, given.step, given.version, doing)
        else:
            await self._engine.revert(view.row.id, acting(doing), given.step, seen=given.version)
        made = await told(self._world, await self._engine.view(view.row.id, doing.who))
        return Result(made.data, f"“{title}” is open again.", made.link, made.untrusted)

    async def would_revert(self, given: StepGiven, doing: Doing) -> Sequence[Difference]:
        view, title = await self._step(given, doing)
        if given.step not in view.state.steps:
            raise StepNotOpenError(given.step, view.row.open_step)
        return [Difference(title, "done", "open to be filled in again"), *cleared(self._world, view, given.step)]

    async def work(self, given: StepGiven, doing: Doing) -> Result:
        view, title = await self._step(given, doing)
        class_style.refuse_own_pages(self._world, view)
        run, step, who = view.row.id, installed(view)[given.step], acting(doing)
        job = await self._engine.background.current(view, step)
        if job is not None:
            asked = None if job.is_open else await self._engine.background.resume(job, who)
            if asked is None and given.step not in view.state.steps:
                raise CallError(f"“{title}” is at work already.")
        if not step.is_automatic and job is None:
            raise CallError(f"“{title}” asks for something first: fill it in and submit it.")
        if given.step not in view.state.steps and view.row.open_step != given.step:
            raise StepNotOpenError(given.step, view.row.open_step)
        if given.step in view.state.steps and step.is_automatic:
            await self._engine.revert(run, who, given.step, seen=given.version)
        self._engine.retry(run, given.step)
        now = await went_by_itself(self._world, await self._engine.view(run, doing.who), doing)
        made = await told(self._world, now)
        return Result(made.data, f"“{title}” was started.", made.link, made.untrusted)

    async def would_work(self, given: StepGiven, doing: Doing) -> Sequence[Difference]:
        view, title = await self._step(given, doing)
        class_style.refuse_own_pages(self._world, view)
        value = view.state.steps.get(given.step)
        before = kind_and_size(value) if value is not None else None
        return [Difference(title, before, "worked out anew"), *cleared(self._world, view, given.step)]

    async def _step(self, given: StepGiven, doing: Doing) -> tuple[RunView, str]:
        view = await self._world.run(doing, given.run)
        if class_style.is_of_own_pages(self._world, view):
            return view, class_style.title_of(self._world, view, given.step)
        return view, installed(view)[given.step].title


def cleared(world: World, view: RunView, step: str) -> list[Difference]:
    """Return what leaves a run where a step that is done is done again."""
    if class_style.is_of_own_pages(world, view):
        return class_style.cleared(world, view, step)
    if step not in view.state.steps or view.state.editing == step:
        return []
    workflow = installed(view)
    later = workflow.steps[workflow.position[step] + 1 :]
    held = [(each, view.state.steps[each.name]) for each in later if each.name in view.state.steps]
    return [Difference(each.title, cut(value.short or kind_and_size(value)), None) for each, value in held]


async def went_by_itself(world: World, view: RunView, doing: Doing) -> RunView:
    """Let steps that need nobody run for a moment; return the run as it is then."""
    open_step = view.workflow.find(view.row.open_step) if view.workflow and view.row.open_step else None
    if open_step is not None and open_step.is_automatic:
        await asyncio.wait({world.engine.advance(view.row.id, doing.who)}, timeout=WAIT_S)
    return await world.engine.view(view.row.id, doing.who)


async def told(world: World, view: RunView) -> Result:
    """Return how a run stands, for a model."""
    row, app = view.row, world.app(view.row.app)
    data: dict[str, Any] = {
        "run": row.id, "app": app.title if app else row.app, "name": row.key, "version": row.version,
    }  # fmt: skip
    if row.locked_at is not None:
        data["locked"] = "Nothing can be changed until the person unlocks the run."
    if view.workflow is None:
        return Result(data | class_style.steps_told(world, view), link=world.address_of(row), untrusted=True)
    try:
        slots = await world.engine.slots(view)
        data["steps"] = [slot_told(each) for each in slots]
        asked = next((each for each in slots if each.status in ("open", "editing")), None)
        if asked is not None and row.locked_at is None:
            data["open"] = await open_told(world, view, asked)
    except PipulateError as error:  # What the author's conditions fail at is said, beside what there is.
        data["problem"] = str(error)
    return Result(data, link=world.address_of(row), untrusted=await is_foreign(world, view))


def slot_told(slot: Slot) -> dict[str, Any]:
    """Return a step in a line: what people typed in short, of what was worked out kind and size."""
    line: dict[str, Any] = {"step": slot.step.name, "title": slot.step.title, "status": slot.status}
    if slot.value is not None:
        if slot.value.data.get("input") is not None:
            line["filled in"] = slot.value.short
        if result := kind_and_size(slot.value):
            line["result"] = result
    return line


async def open_told(world: World, view: RunView, slot: Slot) -> dict[str, Any]:
    """Return what a model has to know of the step that is open; errors as in `Engine.form`."""
    form = await world.engine.form(view, slot)
    told: dict[str, Any] = {"step": slot.step.name, "title": slot.step.title, "help": slot.step.help}
    if form.is_working:
        told["note"] = "It is being worked out."
    elif form.failure is not None:
        told["note"] = f"It failed. {form.failure.where}".strip()
    else:
        told["fields"] = _fields(form)
    if form.job is not None and form.job.row.reason:
        told["note"] = form.job.row.reason
    return {name: value for name, value in told.items() if value}


def _fields(form: FormView) -> list[dict[str, Any]]:
    texts = texts_of(form.step.fields, form.answers)
    found = []
    for each in shown_fields(form.step.fields):
        options = form.options.get(each.name, ())
        now = texts_told(each, [text for text in texts.get(each.name, ()) if text != KEPT], options)
        found.append(field_told(each, options) | ({"in the form now": cut(now)} if now not in ("", "No") else {}))
    return found


async def is_foreign(world: World, view: RunView) -> bool:
    """Tell whether what is told of a run has words in it that the person did not type into its forms."""
    if view.workflow is None or await world.db.read(lookups.was_imported, view.row.id):
        return True
    asked = [
        each for each in view.workflow.steps if each.suggest or any(one.choices or one.asks for one in each.fields)
    ]
    return bool(asked)
