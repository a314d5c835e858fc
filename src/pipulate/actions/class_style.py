"""Runs of class-style apps: looked at, begun, filled in and gone back in through their own pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from pipulate.actions.guarded import guarded
from pipulate.actions.own_pages import Filled, OwnPages, filled, form_told, opened
from pipulate.actions.results import kind_and_size
from pipulate.actions.told import cut
from pipulate.actions.world import World
from pipulate.errors import AppMissingError, CallError, RunLockedError, UnknownStepError
from pipulate.storage import lookups
from pipulate.tools.action import Action, Difference, Doing, Result
from pipulate.workflows.work import RunView

REVERT: Final = "/{}/revert"


class FormGiven(BaseModel):
    """Nothing: it is the run this conversation is about."""

    model_config = ConfigDict(extra="forbid")


def actions(world: World) -> list[Action]:
    """Return the action that reads what a page asks for."""

    async def read(_given: FormGiven, doing: Doing) -> Result:
        view = await world.run(doing, "")
        if not is_of_own_pages(world, view):
            raise CallError("read_run tells the fields of this run's open step.")
        pages = pages_of(world)
        step = pages.open_step(view)
        if step is None:
            return Result({"run": view.row.id, "note": "All steps are done."}, untrusted=True)
        title = title_of(world, view, step)
        form = await guarded(view.row.app, step, opened(pages, view, step, title, doing))
        data = {"run": view.row.id, "version": view.row.version, "step": step, "title": title}
        return Result(data | {"fields": form_told(form)}, link=world.address_of(view.row), untrusted=True)

    def offered(doing: Doing) -> bool:
        app = world.app(doing.app)
        return doing.run is not None and app is not None and app.kind == "own pages"

    return [
        Action(
            "read_form", "Read a form",
            "Read what the open step of this run asks for, as its page has it now: its fields, what is in them, and"
            " the version of the run. submit_step takes the values.",
            FormGiven, "read", read, offered=offered,
        )
    ]  # fmt: skip


def is_of_own_pages(world: World, view: RunView) -> bool:
    """Tell whether only its own pages know the steps of a run, and its app is there."""
    app = world.app(view.row.app)
    return view.workflow is None and app is not None and app.kind == "own pages"


def refuse_own_pages(world: World, view: RunView) -> None:
    """Refuse what the pages of class-style apps alone can do.

    Raises:
        CallError: If it is a run of one.
    """
    if is_of_own_pages(world, view):
        where = world.address_of(view.row)
        raise CallError(f"This can only be done on the page of the run, {where}. Tell the person what to do there.")


def pages_of(world: World) -> OwnPages:
    """Return what uses the pages of class-style apps.

    Raises:
        CallError: If there is nothing that does.
    """
    if world.own_pages is None:
        raise CallError("This can only be done on the page of the app. Ask the person to open it.")
    return world.own_pages


def title_of(world: World, view: RunView, step: str) -> str:
    """Return what people call a step.

    Raises:
        AppMissingError: If the app is not there.
        UnknownStepError: If the app has no such step.
    """
    app = world.app(view.row.app)
    if app is None:
        raise AppMissingError(view.row.app)
    titles = dict(app.steps)
    if step not in titles:
        raise UnknownStepError(view.row.app, step, list(titles))
    return titles[step]


def steps_told(world: World, view: RunView) -> dict[str, Any]:
    """Return the steps of a run; what they hold is read as a result, what they ask for off the page."""
    app = world.app(view.row.app)
    titles = dict(app.steps) if app is not None else {}
    names = [*titles, *(each for each in view.state.steps if each not in titles)]
    can_be_filled = world.own_pages is not None and is_of_own_pages(world, view) and view.state.lock is None
    asked = pages_of(world).open_step(view) if can_be_filled else None
    steps = [{"step": name, "title": titles.get(name, name), "status": _status(view, name, asked)} for name in names]
    note = "read_result reads what its steps hold."
    if asked is not None:
        note += " read_form reads what the open one asks for."
    return {"steps": steps, "note": note}


def _status(view: RunView, step: str, asked: str | None) -> str:
    if step == asked:
        return "open"
    return "done" if step in view.state.steps else "waiting"


async def form_with(world: World, view: RunView, step: str, values: Mapping[str, Any], doing: Doing) -> Filled:
    """Return the form of a step with values in it; errors as in `own_pages.filled`."""
    work = filled(pages_of(world), view, step, title_of(world, view, step), values, doing)
    return await guarded(view.row.app, step, work)


async def submitted(world: World, view: RunView, step: str, form: Filled, seen: int, doing: Doing) -> RunView:
    """Send the form of a step; return the run as it is then.

    Raises:
        RunConflictError, RunLockedError: If the run was changed since, or is locked.
        CallError: If the page stored nothing; with what it says.
    """
    return await _sent(world, view, step, form.form.post, form.form.sent(form.after), seen, doing)


async def reverted(world: World, view: RunView, step: str, seen: int, doing: Doing) -> RunView:
    """Go back to a step; errors as in `submitted`."""
    if view.state.lock is not None:
        raise RunLockedError(view.state.lock.by, view.state.lock.at)
    return await _sent(world, view, step, REVERT.format(view.row.app), {"step_id": [step]}, seen, doing)


def cleared(world: World, view: RunView, step: str) -> list[Difference]:
    """Return what leaves a run when somebody goes back to a step, as the contract of these apps has it."""
    app = world.app(view.row.app)
    names = [name for name, _ in app.steps] if app is not None else []
    later = names[names.index(step) + 1 :] if step in names else []
    values = view.state.steps
    return [
        Difference(title_of(world, view, name), cut(values[name].short or kind_and_size(values[name])), None)
        for name in later
        if name in values and app is not None and name not in app.kept
    ]


async def started(world: World, app: str, name: str, doing: Doing) -> tuple[RunView, str]:
    """Begin a run; return it, and in words what came of it.

    Raises:
        CallError: If the page of the app begins none; with what it says.
    """
    made = await guarded(app, "init", pages_of(world).start(app, name, doing))
    view = await world.engine.view(made.run, doing.who)
    what = "was started" if made.is_new else "was there already"
    return view, f"The run “{view.row.key}” {what}."


async def _sent(
    world: World, view: RunView, step: str, post: str, texts: Mapping[str, list[str]], seen: int, doing: Doing
) -> RunView:
    said = await guarded(view.row.app, step, pages_of(world).send(view, post, dict(texts), seen, doing))
    now = await world.engine.view(view.row.id, doing.who)
    if now.row.version == view.row.version and not await _was_taken(world, view, doing):
        raise CallError(f"“{title_of(world, view, step)}” stored nothing. Its page says: {said or 'nothing'}")
    return now


async def _was_taken(world: World, view: RunView, doing: Doing) -> bool:
    if doing.submit is None:
        return False
    return await world.db.read(lookups.by_submit, view.row.id, doing.submit) is not None
