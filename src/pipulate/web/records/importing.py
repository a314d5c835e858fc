"""Taking in a table, in steps that each have an address: choose, map, check, take, undo. All of it works with forms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response, StreamingResponse

from pipulate.crud.cells import can_be_brought
from pipulate.crud.many import Report
from pipulate.crud.resource import Resource
from pipulate.crud.waiting import Room, Waiting, layout_from
from pipulate.errors import UploadTooLargeError
from pipulate.sheets.tables import TableError
from pipulate.sheets.writing import csv_rows
from pipulate.ui.records.importing import FIRST, ImportView, choose, import_page, state_part
from pipulate.ui.records.view import base
from pipulate.web.downloads import HARMLESS, disposition
from pipulate.web.multipart import Form, Text
from pipulate.web.records.listing import EXTRAS
from pipulate.web.records.shared import job_of, landing, resource_of
from pipulate.web.site import Visit, part

_NOTHING: Final = "Choose a file, or paste a table."
_NO_FIELD: Final = "Choose a field for at least one column."
_TWICE: Final = "Two columns are for the same field. Choose one of them."


async def begin(visit: Visit) -> Response:
    """Return the page where a table is chosen; or take in what was chosen there."""
    resource = resource_of(visit)
    await visit.site.records.ready(resource)
    return await (_receive if visit.request.method == "POST" else _choose)(visit, resource)


async def table(visit: Visit) -> Response:
    """Return the page of a table that was brought; or take what was decided there."""
    resource = resource_of(visit)
    await visit.site.records.ready(resource)
    waiting = await _waiting(visit, resource)
    return await (_decide if visit.request.method == "POST" else _shown)(visit, resource, waiting)


async def _receive(visit: Visit, resource: Resource[Any]) -> Response:
    """Take in a file, or what was pasted, and go on to its page."""
    kind = visit.request.headers.get("content-type", "").lower()
    pasted = ""
    try:
        if kind.startswith("multipart/form-data"):
            waiting, pasted = await _sent(visit, resource)
        else:
            pasted = await visit.text("paste")
            waiting = await _pasted(visit, resource, pasted)
    except TableError as error:
        return await _choose(visit, resource, str(error), pasted, 422)
    except UploadTooLargeError as error:
        return await _choose(visit, resource, str(error), pasted, 413)
    if waiting is None:
        return await _choose(visit, resource, _NOTHING, pasted, 422)
    return RedirectResponse(f"{base(resource.name)}/import/{waiting.id}", 303)


async def _decide(visit: Visit, resource: Resource[Any], waiting: Waiting) -> Response:
    """Take what was decided: read the file in another way, try it, or take it in."""
    room, actor = visit.site.long.room, visit.who.actor
    here = f"{base(resource.name)}/import/{waiting.id}"
    if waiting.job or waiting.operation:  # Nothing about it can be decided any more.
        if not waiting.job:
            await visit.site.long.take_in(resource, waiting, visit.who, is_trial=False)
        return RedirectResponse(here, 303)
    do = await visit.text("do")
    if do == "read":
        layout = layout_from(
            await visit.text("encoding"), await visit.text("delimiter"), has_header=bool(await visit.text("head")),
            otherwise=waiting.layout,
        )  # fmt: skip
        try:
            await room.read_as(actor, waiting, layout, resource)
        except TableError as error:
            return await _shown(visit, resource, waiting, str(error), 422)
        return RedirectResponse(here, 303)
    decided = await _decided(visit, resource, waiting)
    problem = _problem(decided)
    if problem:
        return await _shown(visit, resource, decided, problem, 422)
    waiting = await room.keep(actor, decided)
    await visit.site.long.take_in(resource, waiting, visit.who, is_trial=do != "take")
    return RedirectResponse(here, 303)


async def wrong_rows(visit: Visit) -> Response:
    """Return the rows that cannot be taken as CSV: as they came, with the reasons behind them."""
    resource = resource_of(visit)
    waiting = await _waiting(visit, resource)
    view = await _reported(visit, resource, waiting)
    report = view.outcome or view.report
    if report is None:
        raise HTTPException(404)
    pieces = _wrong(visit.site.long.room, resource, waiting, report)

    async def content() -> AsyncIterator[bytes]:
        yield csv_rows([[*waiting.columns, "Row", "What is wrong"]])
        while (piece := await visit.site.long.room.run(lambda: next(pieces, None))) is not None:
            yield piece

    name = f"{(waiting.name or resource.title).rpartition('.')[0] or waiting.name or resource.title} wrong rows.csv"
    headers = {"content-disposition": disposition(name), "content-security-policy": HARMLESS}
    return StreamingResponse(content(), headers=headers, media_type="text/csv; charset=utf-8")


def _wrong(room: Room, resource: Resource[Any], waiting: Waiting, report: Report) -> Iterator[bytes]:
    """Yield a line for each row that is wrong; both files are read side by side, and neither is held."""
    labels = {each.name: each.label for each in resource.fields}
    problems = room.problems(waiting, report)
    problem = next(problems, None)
    for row in room.rows(waiting):
        reasons = []
        while problem is not None and problem.row <= row.number:
            name = labels.get(problem.field, "")
            reasons.append(f"{name}: {problem.words}" if name else problem.words)
            problem = next(problems, None)
        if reasons:
            cells = [*row.cells][: len(waiting.columns)]
            yield csv_rows([[*cells, row.number, " ".join(reasons)]])
        if problem is None:
            return


# What was sent


async def _sent(visit: Visit, resource: Resource[Any]) -> tuple[Waiting | None, str]:
    """Return what came of a form with a file and a text; the file comes first where there are both."""
    settings, form = visit.site.settings, dict[str, str]()
    found: Waiting | None = None
    reader = Form(
        visit.request.headers.get("content-type", ""), visit.request.stream(), text_bytes=settings.max_body_bytes
    )
    async for each in reader.parts():
        if isinstance(each, Text):
            form[each.name] = each.text
        elif each.name and found is None:
            found = await _kept(visit, resource, each.name, each.blocks)
        else:  # A file field in which nothing was chosen comes as a file without a name.
            async for _ in each.blocks:
                pass
    pasted = form.get("paste", "")
    return (found if found is not None else await _pasted(visit, resource, pasted)), pasted


async def _pasted(visit: Visit, resource: Resource[Any], text: str) -> Waiting | None:
    async def blocks() -> AsyncIterator[bytes]:
        yield text.encode("utf-8", "replace")

    return await _kept(visit, resource, "", blocks()) if text.strip() else None


async def _kept(visit: Visit, resource: Resource[Any], name: str, blocks: AsyncIterator[bytes]) -> Waiting:
    most = visit.site.settings.upload_file_mb * 1_000_000
    return await visit.site.long.room.receive(
        visit.who.actor, await visit.profile(), resource, name.replace("\0", ""), blocks, most
    )


async def _decided(visit: Visit, resource: Resource[Any], waiting: Waiting) -> Waiting:
    """Return a table with what a form decided; what a trial found is of no interest any more where that is else."""
    form, known = await visit.form(), {each.name for each in resource.fields if can_be_brought(each)}
    chosen = [form.get(f"column.{place}", [""])[-1] for place in range(len(waiting.columns))]
    mapping = tuple(name if name in known else "" for name in chosen)
    choice = form.get("choice", [""])[-1]
    decided = replace(waiting, mapping=mapping, choice="update" if choice == "update" and resource.key else "skip")
    return decided if decided == waiting else replace(decided, report=None, trial="")


def _problem(waiting: Waiting) -> str:
    taken = [name for name in waiting.mapping if name]
    return _NO_FIELD if not taken else _TWICE if len(set(taken)) < len(taken) else ""


# What is shown


async def _choose(
    visit: Visit, resource: Resource[Any], problem: str = "", pasted: str = "", status: int = 200
) -> Response:
    most = visit.site.settings.upload_file_mb
    content = choose(resource, landing(visit, resource), most, problem, pasted)
    return await visit.page(
        f"Import into {resource.title}", content, status=status, conversation=visit.beside(resource.name), extras=EXTRAS
    )


async def _waiting(visit: Visit, resource: Resource[Any]) -> Waiting:
    """Return the table that an address names.

    Raises:
        HTTPException: 404 if the person has none of that id, or it was chosen in another profile.
    """
    table = visit.request.path_params["table"]
    found = await visit.site.long.room.find(visit.who.actor, resource.name, table)
    if found is None or (resource.per_profile and found.profile != await visit.profile()):
        raise HTTPException(404)
    return found


async def _shown(
    visit: Visit, resource: Resource[Any], waiting: Waiting, problem: str = "", status: int = 200
) -> Response:
    view = replace(await _reported(visit, resource, waiting), problem=problem)
    if visit.is_htmx:
        return part(state_part(view), headers={"vary": "hx-request"})
    return await visit.page(
        f"Import into {resource.title}",
        import_page(view),
        status=status,
        conversation=visit.beside(resource.name),
        extras=EXTRAS,
    )


async def _reported(visit: Visit, resource: Resource[Any], waiting: Waiting) -> ImportView:
    """Return a table with the jobs that work on it, and what they found."""
    actor = visit.who.actor
    trial, tried = await visit.site.db.read(job_of, waiting.trial, actor)
    job, taken = await visit.site.db.read(job_of, waiting.job, actor)
    found = await visit.site.records.operation_of(resource, waiting.operation) if waiting.operation else None
    report = waiting.report if waiting.report is not None else tried
    if job is not None and taken is None and found is not None:  # What it took before it ended.
        report = found.facts["report"]
    outcome = waiting.outcome if waiting.outcome is not None else taken
    return ImportView(
        resource, waiting, landing(visit, resource), await visit.site.long.room.first(waiting, FIRST), trial, job,
        Report.from_json(report) if report is not None else None,
        Report.from_json(outcome) if outcome is not None else None,
        is_undone=found is not None and found.undone is not None,
    )  # fmt: skip
