"""The page of a run and the parts of it that change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from pipulate._ids import new_id
from pipulate.errors import StepFailedError
from pipulate.storage import profiles
from pipulate.storage.ledger import RunRow
from pipulate.ui.forms import texts_of
from pipulate.ui.html import join
from pipulate.ui.run import OpenForm, RunPage, bar, progress_words, run_section, step_item
from pipulate.web.site import Visit, of_run, part
from pipulate.workflows import plan
from pipulate.workflows.plan import Slot
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
    try:
        slots = await (engine.slots(view) if start is None else engine.reached(view, start))
        asked = next((slot for slot in slots if slot.status in ("open", "editing")), None)
        if asked is not None and opened is None and view.state.lock is None:
            form = await engine.form(view, asked)
            opened = OpenForm(
                texts_of(asked.step.fields, form.answers),
                options=form.options,
                submit_id=new_id(),
                is_working=form.is_working,
                failure=form.failure,
            )
    except StepFailedError as error:  # The author's condition or suggestion raised: show what there is, and say so.
        slots, asked, notice = _without_asking(view), None, str(error)
    if start is not None:
        return RunPage(view, slots, asked, opened, "", None, "", visit.who.actor, visit.now, notice=notice)
    profile = await visit.site.db.read(profiles.find, view.row.profile)
    return RunPage(
        view,
        slots,
        asked,
        opened,
        profile.name if profile else "",
        visit.site.landing_of(view.row.app),
        visit.site.address_of(view.row),
        visit.who.actor,
        visit.now,
        notice=notice,
    )


async def whole(visit: Visit, page: RunPage, status: int = 200) -> Response:
    """Return the page of a run, or only its inside to our own script."""
    headers = of_run(page.view.row)
    if visit.is_htmx:
        headers |= {"hx-retarget": "#run", "hx-reswap": "outerHTML"}
        return part(run_section(page), status, headers)
    row = page.view.row
    return await visit.page(
        f"{row.key} · {page.view.title}",
        run_section(page),
        conversation=row.id,
        workflow=page.view.workflow,
        status=status,
        headers=headers,
    )


async def refreshed(visit: Visit, view: RunView, *, notice: str = "", status: int = 200) -> Response:
    """Return the run anew after something was done to it: in place, or by a redirect where there is no script."""
    if visit.is_htmx and visit.site.is_explicit(view.row.app):
        if notice:
            return Response(status_code=status, headers={"x-pipulate-notice": quote(notice)})
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
    first, *others = page.slots
    items = join(
        step_item(page, first),
        [step_item(page, slot, oob=True) for slot in others],
        progress_words(page, oob=True),
        bar(page, oob=True),
    )
    return part(items, headers=of_run(view.row))


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
    opened = OpenForm(typed, problems, form.options, new_id())
    page = replace(page, open=opened)
    if visit.is_htmx and not visit.replaces_run:
        return part(step_item(page, asked), status, of_run(view.row))
    return await whole(visit, page, status)


def elsewhere(visit: Visit, address: str, row: RunRow | None = None) -> Response:
    """Send the browser to another page."""
    headers = of_run(row) if row else {}
    if visit.is_htmx:
        return Response(status_code=204, headers={**headers, "hx-redirect": address})
    return RedirectResponse(address, 303, headers)


def _without_asking(view: RunView) -> list[Slot]:
    if view.workflow is None:
        return []
    return [slot for slot in plan.slots(view.workflow, view.state, lambda _: True) if slot.status == "done"]
