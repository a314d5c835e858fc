"""The page of a run and the parts of it that change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from pipulate._ids import new_id
from pipulate.actions.proposing import STEP
from pipulate.chat.turn import WANTED
from pipulate.errors import StepFailedError
from pipulate.fields import leaves
from pipulate.forms.sending import Offers, started_with
from pipulate.storage import calls, messages, profiles
from pipulate.storage.ledger import RunRow
from pipulate.ui.forms import again, texts_of
from pipulate.ui.html import Html, join
from pipulate.ui.run import OpenForm, RunPage, bar, progress_words, run_section, step_item
from pipulate.ui.suggesting import Suggesting
from pipulate.ui.uploads import UploadForm
from pipulate.web import explicit
from pipulate.web.own import assets_of
from pipulate.web.site import Visit, of_run, part
from pipulate.workflows import plan
from pipulate.workflows.definition import Step
from pipulate.workflows.plan import Slot
from pipulate.workflows.uploads import offered
from pipulate.workflows.work import RunView

WAIT_S = 0.06
"""How long an answer waits for steps that run by themselves, so that quick ones need no second request."""


async def described(
    visit: Visit, view: RunView, *, opened: OpenForm | None = None, notice: str = "", start: int | None = None
) -> RunPage:
    """Return what the page of a run shows.

    Args:
        visit: The request.
        view: The run.
        opened: What the form of the open step holds, where it is not to start afresh.
        notice: What the person should know about what they just tried.
        start: Only the steps from this position to the open one, for an answer that shows no more.
    """
    engine = visit.site.engine
    problems: Mapping[str, str] = {}
    is_unknown = False
    try:
        slots = await (engine.slots(view) if start is None else engine.reached(view, start))
        asked = next((slot for slot in slots if slot.status in ("open", "editing")), None)
        if view.state.lock is None and asked is not None:
            asked, form = await _opened(visit, view, asked)
            slots = [asked if slot.step.name == asked.step.name else slot for slot in slots]
            opened = opened or form
        elif view.state.lock is None and view.workflow is not None:
            problems = await engine.problems(view)
    except StepFailedError as error:  # The author's condition or suggestion raised: show what there is, and say so.
        slots, asked, notice, is_unknown = _without_asking(view), None, str(error), True
    page = RunPage(
        view, slots, asked, opened, "", None, "", visit.who.actor, visit.now, notice=notice, problems=problems,
        is_unknown=is_unknown,
        run=engine.run_of(view) if view.workflow is not None and view.workflow.draws_itself else None,
    )  # fmt: skip
    if start is not None:
        return page
    profile = await visit.site.db.read(profiles.find, view.row.profile)
    return replace(
        page,
        profile=profile.name if profile else "",
        landing=visit.site.landing_of(view.row.app),
        address=visit.site.address_of(view.row),
    )


async def _opened(visit: Visit, view: RunView, asked: Slot) -> tuple[Slot, OpenForm]:
    """Return the open step with the fields it has in this run, and what its form starts with."""
    form = await visit.site.engine.form(view, asked)
    fields = form.step.fields
    uploads, offers = await _uploads(visit, view, form.step)
    return replace(asked, step=form.step), OpenForm(
        texts_of(fields, form.answers) | started_with(fields, form.answers, offers),
        options=form.options,
        submit_id=new_id(),
        is_working=form.is_working,
        failure=form.failure,
        uploads=uploads,
        job=form.job,
        model=await suggesting_now(visit, view, form.step),
    )


async def suggesting_now(visit: Visit, view: RunView, step: Step[..., Any]) -> Suggesting:
    """Tell whether a language model can fill in a step now, is at it, or has suggested something already."""
    if step.model_prompt is None:
        return "none"
    questions = await visit.site.db.read(messages.open_questions, view.row.id)
    asked = await visit.site.db.read(calls.waiting, view.row.id, "submit_step")
    if any(isinstance(each.arguments, Mapping) and each.arguments.get("step") == step.name for each in asked):
        return "suggested"
    if any(each.data.get(WANTED, {}).get(STEP) == step.name for each in questions):
        return "working"
    return "offered" if (await visit.site.assistant.status(visit.who)).condition in ("up", "loading") else "away"


async def drawn(visit: Visit, page: RunPage, draw: Callable[..., Html], *args: Any, **kwargs: Any) -> Html:
    """Draw something of a run; on a thread where the author's views take part, which may be slow."""
    if page.run is None:
        return draw(page, *args, **kwargs)
    return await visit.site.engine.apart(partial(draw, page, *args, **kwargs))


async def whole(visit: Visit, page: RunPage, status: int = 200) -> Response:
    """Return the page of a run, or only its inside to our own script."""
    headers = of_run(page.view.row)
    if visit.is_htmx:
        headers |= {"hx-retarget": "#run", "hx-reswap": "outerHTML"}
        return part(await drawn(visit, page, run_section), status, headers)
    row = page.view.row
    return await visit.page(
        f"{row.key} · {page.view.title}",
        await drawn(visit, page, run_section),
        conversation=row.id,
        workflow=page.view.workflow,
        status=status,
        headers=headers,
        own=assets_of(page.view.workflow) if page.view.workflow is not None else (),
    )


async def refreshed(visit: Visit, view: RunView, *, notice: str = "", status: int = 200) -> Response:
    """Return the run anew after something was done to it: in place, or by a redirect where there is no script."""
    app = visit.site.explicit_app(view.row.app)
    if visit.is_htmx and app is not None:
        if notice:
            return Response(status_code=status, headers={"x-pipulate-notice": quote(notice)})
        if visit.request.headers.get("hx-target") == "explicit" and app.steps:
            return await explicit.anew(visit, app, view.row)
        return elsewhere(visit, visit.site.address_of(view.row), view.row)
    if not visit.is_htmx and not notice:
        return RedirectResponse(visit.site.address_of(view.row), 303, of_run(view.row))
    return await whole(visit, await described(visit, view, notice=notice), status)


async def gone_on(visit: Visit, view: RunView, step: str) -> Response:
    """Return what changes on the page when a step was answered: that step, those that ran, and the open one."""
    if not visit.is_htmx:
        return RedirectResponse(visit.site.address_of(view.row), 303, of_run(view.row))
    if visit.replaces_run:
        return await refreshed(visit, view)
    workflow = view.workflow
    assert workflow is not None  # noqa: S101 - a step was just answered
    page = await described(visit, view, start=workflow.position[step])
    if page.is_unknown:  # Why is said above the steps.
        return await whole(visit, await described(visit, view))
    return part(await drawn(visit, page, _changed), headers=of_run(view.row))


def _changed(page: RunPage) -> Html:
    first, *others = page.slots
    return join(
        step_item(page, first),
        [step_item(page, slot, oob=True) for slot in others],
        progress_words(page, oob=True),
        bar(page, oob=True),
    )


async def asked_again(
    visit: Visit, view: RunView, step: str, typed: Mapping[str, list[str]], problems: Mapping[str, str], status: int
) -> Response:
    """Return the form with what was typed and a message at each field that is wrong."""
    engine = visit.site.engine
    page = await described(visit, view)
    asked = page.asked
    if asked is None or asked.step.name != step:
        return await whole(visit, replace(page, notice=" ".join(problems.values())), status)
    form = await engine.form(view, asked)
    texts, said = again(asked.step.fields, typed, form.answers)
    uploads, _ = await _uploads(visit, view, asked.step)
    opened = OpenForm(
        texts, {**said, **problems}, form.options, new_id(), uploads=uploads, job=form.job,
        model=await suggesting_now(visit, view, asked.step),
    )  # fmt: skip
    page = replace(page, open=opened)
    if visit.is_htmx and not visit.replaces_run:
        return part(await drawn(visit, page, step_item, asked), status, of_run(view.row))
    return await whole(visit, page, status)


def elsewhere(visit: Visit, address: str, row: RunRow | None = None) -> Response:
    """Send the browser to another page."""
    headers = of_run(row) if row else {}
    if visit.is_htmx:
        return Response(status_code=204, headers={**headers, "hx-redirect": address})
    return RedirectResponse(address, 303, headers)


async def _uploads(visit: Visit, view: RunView, step: Step[..., Any]) -> tuple[UploadForm | None, Offers]:
    """Return what the form of a step needs where it asks for files, and the files it may name."""
    fields = [each for each in leaves(step.fields) if each.widget == "upload"]
    if not fields:
        return None, {}
    offers = await visit.site.db.read(offered, view.row.id, visit.who.actor, step.name)
    limits = {each.name: visit.site.uploads.limits_of(each) for each in fields}
    address = f"/-/runs/{view.row.id}/steps/{step.name}/uploads"
    return UploadForm(address, {text: offer.named for text, offer in offers.items()}, limits), offers


def _without_asking(view: RunView) -> list[Slot]:
    if view.workflow is None:
        return []
    return [slot for slot in plan.slots(view.workflow, view.state, plan.ALWAYS) if slot.status == "done"]
