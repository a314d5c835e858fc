"""The list of records, and what links may lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from starlette.responses import JSONResponse, Response

from pipulate.crud.asked import Asked
from pipulate.crud.links import labels, offered
from pipulate.crud.resource import Resource
from pipulate.errors import TableDiffersError
from pipulate.plugins.host import Plugin
from pipulate.storage.records import operations
from pipulate.storage.records.operations import OperationRow
from pipulate.storage.records.rows import Record
from pipulate.ui.html import Html, join
from pipulate.ui.records.differs import differs
from pipulate.ui.records.page import list_part, records_page
from pipulate.ui.records.rows import add_row, asked_in_row, problem_row, row
from pipulate.ui.records.view import PAGE, ListView
from pipulate.web.records.shared import asked_by, drawn, landing, options_of, record_of, resource_of, uploads_of
from pipulate.web.site import Visit, part

EXTRAS = ("records.css",)
"""Front-end files that pages of records need besides."""

_FIND_MAX = 200


async def page(visit: Visit, plugin: Plugin) -> Response:
    """Return the page of a table of records, or to our script only the list."""
    resource = plugin.resource
    assert resource is not None  # noqa: S101 - checked by the caller
    try:
        view = await listed(visit, resource)
    except TableDiffersError as error:
        content = differs(resource.title, error)
        return await visit.page(resource.title, content, conversation=visit.beside(resource.name), status=503)
    if visit.is_htmx:
        return part(await drawn(visit, resource, list_part, view), headers={"vary": "hx-request"})
    content = await drawn(visit, resource, records_page, view)
    return await visit.page(resource.title, content, conversation=visit.beside(resource.name), extras=EXTRAS)


async def listed(visit: Visit, resource: Resource[Any]) -> ListView:
    """Return the part of the list that the address asks for; the last page where it asks for one behind that."""
    records, asked = visit.site.records, await asked_by(visit, resource)
    found = await records.page(resource, asked.query, limit=PAGE, offset=(asked.page - 1) * PAGE)
    if not found.records and found.total:
        asked = replace(asked, page=-(-found.total // PAGE))
        found = await records.page(resource, asked.query, limit=PAGE, offset=(asked.page - 1) * PAGE)
    everything = found.total
    if asked.is_narrowed:
        everything = (await records.page(resource, asked.everything, limit=0)).total
    view = await viewed(visit, asked, found.records)
    done = await _done(visit, resource)
    return replace(view, total=found.total, everything=everything, version=found.version, done=done)


async def viewed(visit: Visit, asked: Asked, shown: Sequence[Record]) -> ListView:
    """Return what is needed to draw some records of a list."""
    records, resource = visit.site.records, asked.resource
    chosen = {
        each.field.name: each.value[0] for each in asked.filters if each.field.to and isinstance(each.value, list)
    }
    uploads, _ = await uploads_of(visit, resource, None, () if asked.deleted else resource.fields)
    return ListView(
        asked, landing(visit, resource), shown, 0, 0, 0,
        await labels(records, resource, [each.values for each in shown]),
        await options_of(visit, resource.fields, chosen), visit.who.actor, visit.now, uploads=uploads,
    )  # fmt: skip


async def row_of(visit: Visit, resource: Resource[Any], record: Record) -> Html:
    """Return the row of a record, as the list that the address asks for has it."""
    view = await viewed(visit, await asked_by(visit, resource), [record])
    return await drawn(visit, resource, row, view, record)


async def add_row_again(
    visit: Visit, resource: Resource[Any], typed: Mapping[str, list[str]], wrong: Mapping[str, str]
) -> Html:
    """Return the row for a new record with what was typed, and what is wrong with it."""
    view = replace(await viewed(visit, await asked_by(visit, resource), []), typed=typed, problems=wrong)
    return join(problem_row(view, [each.name for each in asked_in_row(view)]), add_row(view))


async def show_row(visit: Visit) -> Response:
    """Return the row of a record as it is now."""
    resource = resource_of(visit)
    return part(await row_of(visit, resource, await record_of(visit, resource)))


async def options(visit: Visit) -> Response:
    """Return records that a link may lead to, found by what is typed."""
    resource, words = resource_of(visit), visit.request.query_params.get("find", "")[:_FIND_MAX]
    found = await offered(visit.site.records, resource.name, words.replace("\0", ""), await visit.profile())
    return JSONResponse([{"value": each.text, "label": each.label} for each in found])


async def _done(visit: Visit, resource: Resource[Any]) -> OperationRow | None:
    """Return what the person has just done, where the address names it."""
    wanted = visit.request.query_params.get("done", "")
    found = await visit.site.db.read(operations.find, resource.shape, wanted.replace("\0", "")) if wanted else None
    return found if found is not None and found.actor == visit.who.actor else None
