"""What is done to one record: added, changed, ticked, moved, deleted, gone back to; and its page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.crud.links import labels
from pipulate.crud.outcome import Outcome
from pipulate.crud.resource import Resource
from pipulate.errors import (
    FileGoneError,
    InvalidAnswersError,
    RecordConflictError,
    RecordError,
    RecordRefusedError,
    RecordTakenError,
)
from pipulate.fields import FormField
from pipulate.forms.sending import started_with
from pipulate.storage.records import operations
from pipulate.storage.records.rows import Record
from pipulate.ui.forms import again, texts_of
from pipulate.ui.html import Html
from pipulate.ui.records.editor import Typed, cell_editor, record_page
from pipulate.ui.records.history import record_history
from pipulate.web.records.listing import EXTRAS, add_row_again, row_of
from pipulate.web.records.shared import (
    answers_of,
    asked_by,
    back_to,
    field_of,
    files_of,
    finished,
    landing,
    named,
    numbered,
    options_of,
    owner,
    record_of,
    resource_of,
    told,
    uploads_of,
)
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Visit, part

_REFUSALS = (InvalidAnswersError, RecordTakenError, RecordRefusedError, FileGoneError)


async def new(visit: Visit) -> Response:
    """Return the page with all fields of a new record."""
    resource = resource_of(visit)
    await visit.site.records.ready(resource)
    return await _page(visit, resource, None, await _fresh(visit, resource))


async def create(visit: Visit) -> Response:
    """Add a record."""
    resource, form = resource_of(visit), await visit.form()
    fields = named(resource, form)
    try:
        files = await files_of(visit, resource, None, fields, form)
        outcome = await visit.site.records.create(
            resource, answers_of(fields, form), await visit.profile(), visit.who, files=files
        )
    except _REFUSALS as error:
        wrong = _wrong(error)
        if visit.is_htmx and not _is_page(visit):
            return part(await add_row_again(visit, resource, form, wrong), 422)
        return await _page(visit, resource, None, await _again(visit, resource, form, None, wrong), 422)
    if visit.is_htmx and not _is_page(visit):
        return part(await row_of(visit, resource, outcome.records[0]), headers=told(outcome))
    if await visit.text("_another"):
        return elsewhere(visit, f"/-/records/{resource.name}/new")
    return elsewhere(visit, back_to(visit, resource, outcome.operation))


async def one(visit: Visit) -> Response:
    """Give some fields of a record what was typed, or lead to its page."""
    if visit.request.method == "POST":
        return await _change(visit)
    resource = resource_of(visit)
    record = await record_of(visit, resource, deleted=True)
    return RedirectResponse(f"{landing(visit, resource)}/{record.id}", 303)


async def show(visit: Visit, resource: Resource[Any], number: str) -> Response:
    """Return the page of a record, with its history."""
    if not re.fullmatch(r"[0-9]{1,18}", number):
        raise HTTPException(404)
    record = await numbered(visit, resource, int(number), deleted=True)
    return await _page(visit, resource, record, await _typed(visit, resource, record, record.values))


async def cell(visit: Visit) -> Response:
    """Return the form that stands in a cell while it is edited."""
    resource = resource_of(visit)
    record = await record_of(visit, resource)
    field = field_of(resource, visit.request.path_params["field"])
    uploads, offers = await uploads_of(visit, resource, record, [field])
    texts = texts_of([field], record.values) | started_with([field], record.values, offers)
    typed = Typed(texts, options=await options_of(visit, [field], record.values), uploads=uploads)
    return part(cell_editor(resource, record, field, typed))


async def _change(visit: Visit) -> Response:
    resource, form, seen = resource_of(visit), await visit.form(), await visit.number("_seen")
    record = await record_of(visit, resource)
    fields = named(resource, form)
    try:
        files = await files_of(visit, resource, record, fields, form)
        outcome = await visit.site.records.change(
            resource, record.id, answers_of(fields, form), visit.who, seen=seen, files=files
        )
    except RecordConflictError as error:
        return await _asked_again(visit, resource, record, fields, 409, {}, error)
    except _REFUSALS as error:
        return await _asked_again(visit, resource, record, fields, 422, _wrong(error))
    if visit.is_htmx and not _is_page(visit):
        return part(await row_of(visit, resource, outcome.records[0]), headers=told(outcome))
    return elsewhere(visit, back_to(visit, resource, outcome.operation))


async def toggle(visit: Visit) -> Response:
    """Tick a box of a record, or take the tick away; `to` says which, so that twice is once."""
    resource, asked = resource_of(visit), visit.request.query_params
    field, to = field_of(resource, asked.get("field", "")), asked.get("to")
    if field.kind != "bool" or to not in ("on", "off"):
        raise HTTPException(404)
    record = await record_of(visit, resource)
    try:
        outcome = await visit.site.records.change(
            resource, record.id, {field.name: to == "on"}, visit.who, seen=record.version
        )
    except InvalidAnswersError as error:  # A rule about several fields; there is no form that could show where.
        raise RecordRefusedError(" ".join(error.problems.values())) from error
    if visit.is_htmx:
        return part(await row_of(visit, resource, outcome.records[0]), headers=told(outcome))
    return RedirectResponse(back_to(visit, resource, outcome.operation), 303)


async def delete(visit: Visit) -> Response:
    """Put a record into the bin."""
    resource = resource_of(visit)
    record = await record_of(visit, resource)
    return finished(visit, resource, await visit.site.records.delete(resource, [record.id], visit.who))


async def restore(visit: Visit) -> Response:
    """Take a record out of the bin."""
    resource = resource_of(visit)
    record = await record_of(visit, resource, deleted=True)
    return finished(visit, resource, await visit.site.records.restore(resource, [record.id], visit.who))


async def erase(visit: Visit) -> Response:
    """Remove a record for good that is in the bin."""
    resource = resource_of(visit)
    record = await record_of(visit, resource, deleted=True)
    if record.deleted_at is None:
        raise RecordRefusedError("Only what is in the bin can be erased.")
    await visit.site.records.erase(resource, [record.id], visit.who)
    return finished(visit, resource, Outcome("", [])) if visit.is_htmx else _to_bin(visit, resource)


async def move(visit: Visit) -> Response:
    """Let a record stand beside another one, or one place further up or down in the list."""
    resource, to = resource_of(visit), await visit.text("to")
    record = await record_of(visit, resource)
    if to in ("up", "down"):
        asked = await asked_by(visit, resource)
        beside = await visit.site.records.neighbour(resource, asked.query, record, after=to == "down")
        if beside is None:
            return finished(visit, resource, Outcome("", [record]))
        number, after = beside.id, to == "down"
    else:
        number, after = await visit.number("beside"), await visit.text("after") == "1"
    outcome = await visit.site.records.move(resource, record.id, number, visit.who, after=after)
    return finished(visit, resource, outcome)


async def go_back(visit: Visit) -> Response:
    """Give a record the values it had at a version."""
    resource = resource_of(visit)
    record = await record_of(visit, resource)
    try:
        await visit.site.records.go_back(resource, record.id, await visit.number("version"), visit.who)
    except InvalidAnswersError as error:
        words = " ".join(error.problems.values())
        raise RecordRefusedError(f"This version breaks a rule that holds now: {words}") from error
    return RedirectResponse(f"{landing(visit, resource)}/{record.id}", 303)


async def undo(visit: Visit) -> Response:
    """Take back what was done."""
    resource = resource_of(visit)
    operation = (await visit.text("operation")).replace("\0", "")
    found = await visit.site.records.operation_of(resource, operation)
    if found is not None and found.profile not in (None, await owner(visit, resource)):
        raise RecordRefusedError("This was done in another profile. Choose that one to undo it.")
    job = await visit.site.long.undo(resource, operation, visit.who, await visit.profile())
    if job is not None:
        return elsewhere(visit, f"/-/jobs/{job.id}")
    return finished(visit, resource, await visit.site.records.undo(resource, operation, visit.who))


# What the pages show


async def asked_again(
    visit: Visit, resource: Resource[Any], record: Record | None, wrong: Mapping[str, str], status: int
) -> Response:
    """Return the form with all fields of a record, or of a new one, with what was typed."""
    typed = await _again(visit, resource, await visit.form(), record, wrong)
    return await _page(visit, resource, record, typed, status)


def _is_page(visit: Visit) -> bool:
    """Tell whether the form with all fields of a record was sent, rather than a cell or the row for a new one."""
    return visit.request.headers.get("hx-target") == "record"


def _to_bin(visit: Visit, resource: Resource[Any]) -> Response:
    return RedirectResponse(f"{landing(visit, resource)}?bin=1", 303)


def _wrong(error: RecordError | InvalidAnswersError | FileGoneError) -> dict[str, str]:
    """Return what is wrong by field; "" is the record as a whole."""
    if isinstance(error, InvalidAnswersError):
        return dict(error.problems)
    if isinstance(error, RecordTakenError):
        return {error.fields[0]: str(error)}
    return {"": str(error)}


async def _asked_again(
    visit: Visit,
    resource: Resource[Any],
    record: Record,
    fields: list[FormField],
    status: int,
    wrong: Mapping[str, str],
    conflict: RecordConflictError | None = None,
) -> Response:
    """Return the form with what was typed: in its cell where one field was asked for by our script, else the page."""
    typed = await _again(visit, resource, await visit.form(), record, wrong, conflict)
    if visit.is_htmx and len(fields) == 1 and not _is_page(visit):
        return part(cell_editor(resource, record, fields[0], typed), status)
    return await _page(visit, resource, record, typed, status)


async def _again(
    visit: Visit,
    resource: Resource[Any],
    form: Mapping[str, list[str]],
    record: Record | None,
    wrong: Mapping[str, str],
    conflict: RecordConflictError | None = None,
) -> Typed:
    values = record.values if record is not None else {}
    texts, said = again(resource.fields, form, values)
    typed = await _typed(visit, resource, record, {**values, **_chosen(resource, form)}, texts)
    met = labels(visit.site.records, resource, _two(resource, conflict)) if conflict is not None else None
    return Typed(texts, {**said, **wrong}, typed.options, conflict, await met if met is not None else {},
                 typed.uploads)  # fmt: skip


def _two(resource: Resource[Any], conflict: RecordConflictError) -> list[dict[str, Any]]:
    """Return both versions of what two people changed, as records that hold nothing else."""
    none = dict.fromkeys((each.name for each in resource.fields), None)
    return [none | dict(conflict.theirs), none | dict(conflict.mine)]


def _chosen(resource: Resource[Any], form: Mapping[str, list[str]]) -> dict[str, int]:
    """Return the records that links in a form lead to."""
    texts = {each.name: form.get(each.name, [""])[-1] for each in resource.fields if each.to}
    return {name: int(text) for name, text in texts.items() if text.isascii() and text.isdigit() and len(text) < 19}


async def _fresh(visit: Visit, resource: Resource[Any]) -> Typed:
    starts = {each.key: each.default for each in resource.fields if each.default is not None}
    return await _typed(visit, resource, None, starts)


async def _typed(
    visit: Visit,
    resource: Resource[Any],
    record: Record | None,
    values: Mapping[str, Any],
    texts: Mapping[str, list[str]] | None = None,
) -> Typed:
    """Return what a form holds: some texts, else the values."""
    uploads, offers = await uploads_of(visit, resource, record, resource.fields)
    if texts is None:
        texts = texts_of(resource.fields, values) | started_with(resource.fields, values, offers)
    return Typed(texts, options=await options_of(visit, resource.fields, values), uploads=uploads)


async def _page(
    visit: Visit, resource: Resource[Any], record: Record | None, typed: Typed, status: int = 200
) -> Response:
    history = await _history(visit, resource, record) if record is not None else None
    address = landing(visit, resource)
    content = record_page(resource, record, typed, address, history, visit.who.actor, visit.now)
    if visit.is_htmx:
        return part(content, status)
    heading = resource.label_of(record.values) if record is not None else "New"
    return await visit.page(
        f"{heading} · {resource.title}",
        content,
        conversation=visit.beside(resource.name),
        view=f"{resource.name}/{record.id}" if record is not None else "",
        status=status,
        extras=EXTRAS,
    )


async def _history(visit: Visit, resource: Resource[Any], record: Record) -> Html:
    before = visit.query_number("before")
    events = await visit.site.records.history(resource, record.id, before=before)
    sides = [{name: pair[index] for name, pair in each.changes.items()} for each in events for index in (0, 1)]
    none = dict.fromkeys((each.name for each in resource.fields), None)
    names = await labels(visit.site.records, resource, [none | each for each in sides])
    is_all = len(events) < operations.PAGE
    return record_history(resource, record, events, names, visit.who.actor, visit.now, is_all=is_all)
