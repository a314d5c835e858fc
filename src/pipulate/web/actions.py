"""What a person does to a run. Every action is a POST; each names the version of the run it was made for."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate._ids import new_id
from pipulate.actions import proposing
from pipulate.errors import (
    BadKeyError,
    BadNameError,
    FileGoneError,
    InvalidAnswersError,
    KeyTakenError,
    ModelMissingError,
    RunConflictError,
    RunError,
    RunLockedError,
    RunNotFoundError,
    StepFailedError,
    UnknownStepError,
)
from pipulate.explicit.steps import order
from pipulate.fields import labels
from pipulate.forms.sending import Offers, asks_for_files, started_with
from pipulate.ui.conflict import Conflict, conflict_section
from pipulate.ui.forms import open_texts, texts_of
from pipulate.ui.html import join
from pipulate.ui.job import news
from pipulate.ui.suggesting import not_asked, with_model
from pipulate.web.errors import status_of
from pipulate.web.explicit_run import class_style_job
from pipulate.web.runpage import WAIT_S, asked_again, described, elsewhere, gone_on, refreshed, suggesting_now, whole
from pipulate.web.site import Visit, of_run, part
from pipulate.workflows.definition import Step
from pipulate.workflows.uploads import offered
from pipulate.workflows.work import RunView, installed

_UNSCRIPTED_WAIT_S = 5.0  # A page without our script does not hear when a step is done.
_SUBMIT = re.compile(r"[0-9a-zA-Z-]{8,64}")


async def submit(visit: Visit) -> Response:
    """Take the answers of a step."""
    run, step, seen, submit_id, typed = await _sent(visit)
    engine = visit.site.engine
    try:
        view = await engine.submit(run, visit.who, step, typed, seen=seen, submit_id=submit_id)
    except InvalidAnswersError as error:
        view = await engine.view(run, visit.who)
        return await asked_again(visit, view, step, typed, error.problems, 422)
    except (StepFailedError, FileGoneError) as error:
        view = await engine.view(run, visit.who)
        return await asked_again(visit, view, step, typed, {"": str(error)}, status_of(error))
    except (RunConflictError, RunLockedError) as error:
        return await _in_conflict(visit, run, step, typed, seen, error)
    return await gone_on(visit, await _went_by_itself(visit, view), step)


async def suggest(visit: Visit) -> Response:
    """Have the assistant suggest what a step is filled in with; it is put before the person in the panel."""
    run, name = _named(visit)
    view = await visit.site.engine.view(run, visit.who)
    step = installed(view)[name]
    try:
        await visit.site.assistant.propose(
            run, visit.who, f"Suggest what to fill in for “{step.title}”.", {proposing.STEP: name}
        )
    except (ModelMissingError, BadNameError) as error:
        if visit.is_htmx:
            return part(not_asked(str(error), visit.request.url.path), status_of(error))
        return await refreshed(visit, view, notice=str(error), status=status_of(error))
    if visit.is_htmx:
        return part(with_model("working", visit.request.url.path) or join())
    return await refreshed(visit, view)


async def suggesting(visit: Visit) -> Response:
    """Return how far a suggestion for a step is, for a page that shows its form."""
    run, name = _named(visit)
    view = await visit.site.engine.view(run, visit.who)
    state = await suggesting_now(visit, view, installed(view)[name])
    return part(with_model(state, visit.request.url.path.removesuffix("ing")) or join())


async def skip(visit: Visit) -> Response:
    """Leave out a step that is optional."""
    run, step, seen, submit_id, typed = await _sent(visit)
    engine = visit.site.engine
    try:
        view = await engine.skip(run, visit.who, step, seen=seen, submit_id=submit_id)
    except (RunConflictError, RunLockedError) as error:
        return await _in_conflict(visit, run, step, typed, seen, error)
    return await gone_on(visit, await _went_by_itself(visit, view), step)


async def run_step(visit: Visit) -> Response:
    """Run the steps that need nobody; answer when one asks, or fails, or all are done."""
    run, step = _named(visit)
    engine = visit.site.engine
    if (its := await class_style_job(visit, run, step)) is not None:
        await its.retry()
        return await refreshed(visit, await engine.view(run, visit.who))
    declared = installed(await engine.view(run, visit.who))[step]  # Whoever may not see the run cannot start its steps.
    if await visit.text("_retry"):
        if declared.background is not None:
            await engine.background.retry(run, step, visit.who)
        engine.retry(run, step)
    await asyncio.shield(engine.advance(run, visit.who))
    return await refreshed(visit, await engine.view(run, visit.who))


async def stop(visit: Visit) -> Response:
    """Ask the job of a step to stop; it does at its next checkpoint, and the page hears of that."""
    run, step = _named(visit)
    engine = visit.site.engine
    if (its := await class_style_job(visit, run, step)) is not None:
        await its.stop()
    else:
        await engine.background.stop(run, step, visit.who)
    return await refreshed(visit, await engine.view(run, visit.who))


async def job(visit: Visit) -> Response:
    """Return what the job of a step has said since."""
    run, step = _named(visit)
    engine = visit.site.engine
    view = await engine.view(run, visit.who)
    row = await engine.background.current(view, installed(view)[step])
    if row is None:
        return Response(status_code=204)
    return part(news(await engine.background.view(row), visit.now))


async def revert(visit: Visit) -> Response:
    """Reopen a step."""
    run, step = _named(visit)
    seen = await visit.number("_seen")
    return await _done(visit, run, visit.site.engine.revert(run, visit.who, step, seen=seen))


async def again(visit: Visit) -> Response:
    """Run a step that needs nobody once more."""
    run, step = _named(visit)
    seen = await visit.number("_seen")
    return await _done(visit, run, visit.site.engine.revert(run, visit.who, step, seen=seen), goes_on=True)


async def keep(visit: Visit) -> Response:
    """Take the old value of a step again, as it is."""
    run, step, seen, submit_id, _ = await _sent(visit)
    engine = visit.site.engine
    app = visit.site.explicit_app((await engine.view(run, visit.who)).row.app)
    if app is not None:
        return await _done(visit, run, engine.keep_of(run, visit.who, step, order(app), seen=seen))
    return await _done(visit, run, engine.keep(run, visit.who, step, seen=seen, submit_id=submit_id), goes_on=True)


async def copy_with(visit: Visit) -> Response:
    """Continue in a copy: of the version that was seen, with what was typed."""
    run, step, seen, _, typed = await _sent(visit)
    engine = visit.site.engine
    _ = installed(await engine.view(run, visit.who))[step]  # Before there is a copy: it would stay.
    copy = await engine.fork(run, visit.who, version=seen)
    try:
        typed = await visit.site.uploads.lend(run, copy.row.id, visit.who.actor, step, typed)
        view = await engine.submit(copy.row.id, visit.who, step, typed, seen=copy.row.version, submit_id=new_id())
    except InvalidAnswersError as error:
        return await asked_again(visit, copy, step, typed, error.problems, 422)
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def cancel_edit(visit: Visit) -> Response:
    """Leave the step as it was before it was reopened."""
    run = visit.request.path_params["run"]
    return await _done(visit, run, visit.site.engine.cancel_edit(run, visit.who))


async def go_back(visit: Visit) -> Response:
    """Bring back an earlier version."""
    run = visit.request.path_params["run"]
    version, seen = await visit.number("version"), await visit.number("_seen")
    engine = visit.site.engine
    await engine.go_back(run, visit.who, version, seen=seen)
    view = await engine.view(run, visit.who)
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def lock(visit: Visit) -> Response:
    """Lock the run."""
    run = visit.request.path_params["run"]
    return await _done(visit, run, visit.site.engine.finalize(run, visit.who))


async def unlock(visit: Visit) -> Response:
    """Unlock the run."""
    run = visit.request.path_params["run"]
    return await _done(visit, run, visit.site.engine.unfinalize(run, visit.who))


async def copy(visit: Visit) -> Response:
    """Copy the run, up to a version where one is named."""
    run = visit.request.path_params["run"]
    version = await visit.number("version") if await visit.text("version") else None
    view = await visit.site.engine.fork(run, visit.who, version=version)
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def rename(visit: Visit) -> Response:
    """Give the run another key."""
    run, key = visit.request.path_params["run"], await visit.text("key")
    engine = visit.site.engine
    try:
        await engine.rename(run, visit.who, key)
    except (BadKeyError, KeyTakenError) as error:
        view = await engine.view(run, visit.who)
        if visit.site.is_explicit(view.row.app):
            return await _not_done(visit, run, error)
        page = replace(await described(visit, view), renaming=(key, str(error)))
        return await whole(visit, page, status_of(error))
    except RunError as error:
        return await _not_done(visit, run, error)
    view = await engine.view(run, visit.who)
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def delete(visit: Visit) -> Response:
    """Put the run into the bin, and offer to take it back."""
    run = visit.request.path_params["run"]
    engine = visit.site.engine
    view = await engine.view(run, visit.who)
    try:
        await engine.delete(run, visit.who)
    except RunError as error:
        return await _not_done(visit, run, error)
    landing = visit.site.landing_of(view.row.app)
    return elsewhere(visit, f"{landing or '/-/bin'}?deleted={run}")


async def undelete(visit: Visit) -> Response:
    """Take the run out of the bin."""
    run = visit.request.path_params["run"]
    engine = visit.site.engine
    await engine.undelete(run, visit.who)
    view = await engine.view(run, visit.who)
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def purge(visit: Visit) -> Response:
    """Erase a run that is in the bin."""
    await visit.site.engine.purge(visit.request.path_params["run"], visit.who)
    return elsewhere(visit, "/-/bin")


# Parts


def _named(visit: Visit) -> tuple[str, str]:
    return visit.request.path_params["run"], visit.request.path_params["step"]


async def _sent(visit: Visit) -> tuple[str, str, int, str, dict[str, list[str]]]:
    """Return what every form of a step sends: run, step, version seen, id of the form, answers."""
    run, step = _named(visit)
    form = await visit.form()
    submit_id = form.get("_submit", [""])[-1]
    if submit_id and not _SUBMIT.fullmatch(submit_id):
        raise HTTPException(400, "_submit is not an id of a form.")
    typed = {name: texts for name, texts in form.items() if not name.startswith("_")}
    return run, step, await visit.number("_seen"), submit_id or new_id(), typed


async def _went_by_itself(visit: Visit, view: RunView) -> RunView:
    """Let steps that need nobody run for a moment; what takes longer is shown as working."""
    engine = visit.site.engine
    open_step = view.workflow.find(view.row.open_step) if view.workflow and view.row.open_step else None
    if open_step is None or not open_step.is_automatic:
        return view
    waits_s = WAIT_S if visit.is_htmx else _UNSCRIPTED_WAIT_S
    await asyncio.wait({engine.advance(view.row.id, visit.who)}, timeout=waits_s)
    return await engine.view(view.row.id, visit.who)


async def _done(visit: Visit, run: str, action: Awaitable[object], *, goes_on: bool = False) -> Response:
    """Do something to a run and show it as it is then; say so where it could not be done."""
    try:
        await action
    except RunNotFoundError:
        raise
    except RunError as error:
        return await _not_done(visit, run, error)
    view = await visit.site.engine.view(run, visit.who)
    if goes_on:
        view = await _went_by_itself(visit, view)
    return await refreshed(visit, view)


async def _not_done(visit: Visit, run: str, error: RunError) -> Response:
    if isinstance(error, RunNotFoundError | UnknownStepError):
        raise error
    view = await visit.site.engine.view(run, visit.who)
    return await refreshed(visit, view, notice=str(error), status=status_of(error))


async def _in_conflict(
    visit: Visit,
    run: str,
    name: str,
    typed: Mapping[str, list[str]],
    seen: int,
    error: RunConflictError | RunLockedError,
) -> Response:
    view = await visit.site.engine.view(run, visit.who)
    step = view.workflow[name] if view.workflow else None
    if step is None:
        raise error
    with contextlib.suppress(StepFailedError):  # What its fields are called is less than what was typed.
        step = await visit.site.engine.asked(view, step)
    offers: Offers = {}
    if asks_for_files(step.fields):
        offers = await visit.site.db.read(offered, run, visit.who.actor, name)
    section = conflict_section(_conflict(visit, view, step, typed, seen, error, offers), visit.who.actor, visit.now)
    headers = of_run(view.row) | {"hx-retarget": "#run", "hx-reswap": "outerHTML"}
    if visit.is_htmx:
        return part(section, 409, headers)
    return await visit.page(
        "Two versions", section, conversation=run, workflow=view.workflow, status=409, headers=headers
    )


def _in_lines(texts: Sequence[str], offers: Offers) -> str:
    """Return what a field holds, one under the other; files by their names."""
    return "\n".join(str(offers[text].named["name"]) if text in offers else text for text in texts)


def _conflict(
    visit: Visit,
    view: RunView,
    step: Step[..., object],
    typed: Mapping[str, Sequence[str]],
    seen: int,
    error: RunConflictError | RunLockedError,
    offers: Offers,
) -> Conflict:
    now = view.state.steps.get(step.name)
    given = (now.data.get("input") if now else None) or {}
    held = texts_of(step.fields, given) | started_with(step.fields, given, {}) if now else {}
    theirs = open_texts(step.fields, held)
    typed = open_texts(step.fields, typed)  # A secret is never sent back, not even to whoever has just typed it.
    names = {name: title for name, title in labels(step.fields).items() if name in typed or name in theirs}
    if isinstance(error, RunLockedError):
        reason = "This run was locked while you were typing, so yours was not saved. You can go on in a copy of it."
        by, at, tab = error.by, error.at, None
    else:
        what = f"“{step.title}” was changed" if error.changed == step.name else "Something before this step was changed"
        reason = f"{what} after you opened it, so yours was not saved. Nothing was overwritten; choose what counts."
        by, at, tab = error.by, error.at, error.tab
    is_open = view.row.open_step == step.name or step.name in view.state.steps
    return Conflict(
        title=step.title,
        labels=names,
        mine={name: _in_lines(typed.get(name, ()), offers) for name in names},
        theirs={name: _in_lines(texts, offers) for name, texts in theirs.items()},
        reason=reason,
        by=by,
        at=at,
        is_other_tab=by == visit.who.actor and tab != visit.who.tab,
        can_keep_mine=is_open and view.state.lock is None,
        address=visit.site.address_of(view.row),
        run=view.row.id,
        step=step.name,
        seen=min(seen, view.row.version),
        version=view.row.version,
        submit_id=new_id(),
        typed=typed,
    )
