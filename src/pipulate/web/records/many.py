"""What is done to many records at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.crud.bulk import What
from pipulate.crud.cells import can_be_brought
from pipulate.crud.long import MANY
from pipulate.crud.many import Report, change_all
from pipulate.crud.outcome import Outcome
from pipulate.crud.resource import Resource
from pipulate.errors import InvalidAnswersError
from pipulate.ui.forms import again, texts_of
from pipulate.ui.records.bulk import BulkView, bulk_page, bulk_part
from pipulate.ui.records.editor import Typed, many_form
from pipulate.ui.records.many import many_report
from pipulate.ui.records.view import base
from pipulate.web.records.listing import EXTRAS
from pipulate.web.records.shared import (
    answers_of,
    asked_in,
    back_to,
    finished,
    job_of,
    landing,
    named,
    options_of,
    owner,
    resource_of,
)
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Visit, part

_CHOSEN_MAX = 1_000


async def several(visit: Visit) -> Response:
    """Return the form that changes what is chosen, or do what it says."""
    return await (_change(visit) if visit.request.method == "POST" else _ask(visit))


async def _ask(visit: Visit) -> Response:
    resource = resource_of(visit)
    given = visit.request.query_params
    chosen, query = await _chosen(visit, resource, given.getlist("chosen"), given.get("all"), given.get("query", ""))
    if not chosen:
        return RedirectResponse(landing(visit, resource), 303)
    starts = {each.key: each.default for each in resource.fields if each.default is not None}
    typed = Typed(texts_of(resource.fields, starts), options=await options_of(visit, resource.fields, {}))
    return await _asked(visit, resource, typed, chosen, query, ())


async def _change(visit: Visit) -> Response:
    """Give the ticked fields of all that is chosen what was typed."""
    resource, form = resource_of(visit), await visit.form()
    chosen, query = await _of_form(visit, resource)
    fields = [each for each in named(resource, form) if can_be_brought(each)]
    problem = "" if fields else "Tick at least one field."
    report = Report()
    if fields:
        try:
            answers = answers_of(fields, form)
            if (long := await _as_job(visit, resource, "change", chosen, answers)) is not None:
                return long
            report = await change_all(visit.site.records, resource, chosen, answers, visit.who)
        except InvalidAnswersError as error:  # For one field it is the same in every record.
            problem = " ".join(error.problems.values())
    if problem:
        texts, said = again(resource.fields, form, {})
        typed = Typed(texts, {**said, "": problem}, await options_of(visit, resource.fields, {}))
        return await _asked(visit, resource, typed, chosen, query, form.get("_field", ()), 422)
    if not report.wrong and not report.kept:
        return finished(visit, resource, Outcome(report.operation, []))
    content = many_report(resource, report, back_to(visit, resource, report.operation))
    if visit.is_htmx:
        return part(content, headers={"x-pipulate-operation": report.operation})
    return await visit.page(resource.title, content, conversation=visit.beside(resource.name), extras=EXTRAS)


async def delete(visit: Visit) -> Response:
    """Put all that is chosen into the bin."""
    resource = resource_of(visit)
    chosen, _ = await _of_form(visit, resource)
    if (long := await _as_job(visit, resource, "delete", chosen)) is not None:
        return long
    return finished(visit, resource, await visit.site.records.delete(resource, chosen, visit.who))


async def restore(visit: Visit) -> Response:
    """Take all that is chosen out of the bin."""
    resource = resource_of(visit)
    chosen, _ = await _of_form(visit, resource)
    if (long := await _as_job(visit, resource, "restore", chosen)) is not None:
        return long
    return finished(visit, resource, await visit.site.records.restore(resource, chosen, visit.who))


async def empty_bin(visit: Visit) -> Response:
    """Erase all that is in the bin of the profile that is chosen."""
    resource = resource_of(visit)
    asked = asked_in(resource, "bin=1", await visit.profile())
    chosen = sorted(await visit.site.records.numbers(resource, asked.query))
    if (long := await _as_job(visit, resource, "erase", chosen)) is not None:
        return long
    await visit.site.records.erase(resource, chosen, visit.who)
    if visit.is_htmx:
        return finished(visit, resource, Outcome("", []))
    return RedirectResponse(f"{landing(visit, resource)}?bin=1", 303)


async def job(visit: Visit) -> Response:
    """Return the page of a job that does something to many records, or to our script how it stands."""
    resource = resource_of(visit)
    row, result = await visit.site.db.read(job_of, visit.request.path_params["job"], visit.who.actor)
    is_here = row is not None and row.kind == MANY and row.app == resource.name
    if row is None or not is_here or (resource.per_profile and row.profile != await visit.profile()):
        raise HTTPException(404)
    report = Report.from_json(result) if result is not None else None
    if report is None and (state := await visit.site.long.state_of(row)) is not None:
        report = state.report
    done = report.operation if report is not None else ""
    found = await visit.site.records.operation_of(resource, done) if done else None
    view = BulkView(
        resource, row, landing(visit, resource), report, is_undone=found is not None and found.undone is not None
    )
    if visit.is_htmx:
        return part(bulk_part(view), headers={"vary": "hx-request"})
    return await visit.page(row.title, bulk_page(view), extras=EXTRAS)


async def _as_job(
    visit: Visit, resource: Resource[Any], what: What, chosen: list[int], answers: Mapping[str, Any] | None = None
) -> Response | None:
    """Ask for a job where very many records are chosen, and send the browser to its page; else return None."""
    await visit.site.records.ready(resource)
    row = await visit.site.long.many(resource, what, chosen, visit.who, await visit.profile(), answers)
    return elsewhere(visit, f"{base(resource.name)}/jobs/{row.id}") if row is not None else None


async def _of_form(visit: Visit, resource: Resource[Any]) -> tuple[list[int], str | None]:
    form = await visit.form()
    return await _chosen(
        visit, resource, form.get("chosen", []), form.get("all", [None])[-1], form.get("query", [""])[-1]
    )


async def _chosen(
    visit: Visit, resource: Resource[Any], numbers: list[str], every: str | None, query: str
) -> tuple[list[int], str | None]:
    """Return the records that are chosen, those of the profile alone; and the list where all that it finds are.

    Raises:
        HTTPException: 400 if one of them is no number, or they are more than one page can have.
    """
    records, profile = visit.site.records, await visit.profile()
    if every:
        asked = asked_in(resource, query, profile)
        return sorted(await records.numbers(resource, asked.query)), asked.text(page=1)
    if len(numbers) > _CHOSEN_MAX or not all(each.isascii() and each.isdigit() and len(each) < 19 for each in numbers):
        raise HTTPException(400, "What is chosen could not be read.")
    wanted = [int(each) for each in numbers]
    there = await records.find_all(resource, wanted, profile=await owner(visit, resource), deleted=True)
    return [each.id for each in there], None


async def _asked(
    visit: Visit,
    resource: Resource[Any],
    typed: Typed,
    chosen: list[int],
    query: str | None,
    ticked: tuple[str, ...] | list[str],
    status: int = 200,
) -> Response:
    content = many_form(
        resource, typed, number=len(chosen), chosen=chosen, query=query, changed=ticked,
        address=landing(visit, resource),
    )  # fmt: skip
    if visit.is_htmx:
        return part(content, status)
    return await visit.page(
        f"Change · {resource.title}", content, status=status, conversation=visit.beside(resource.name), extras=EXTRAS
    )
