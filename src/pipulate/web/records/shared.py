"""What the pages and actions of records have in common: which table, which record, what the list asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate import forms
from pipulate.crud.asked import Asked, asked
from pipulate.crud.links import options_for
from pipulate.crud.outcome import Outcome
from pipulate.crud.resource import Resource
from pipulate.fields import FormField, Option, leaves
from pipulate.fields.files import Files
from pipulate.forms.sending import Offers
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.records.rows import Record
from pipulate.storage.records.uploads import Place
from pipulate.ui.forms import KEPT
from pipulate.ui.records.view import base
from pipulate.ui.uploads import UploadForm
from pipulate.web.site import Visit

T = TypeVar("T")

_NUMBER_MAX = 2**63 - 1
_PAIRS_MAX = 200


def resource_of(visit: Visit) -> Resource[Any]:
    """Return the resource that an address names.

    Raises:
        HTTPException: 404 if no app of that name keeps records.
    """
    found = visit.site.records.resources.get(visit.request.path_params["resource"])
    if found is None:
        raise HTTPException(404)
    return found


def field_of(resource: Resource[Any], name: str) -> FormField:
    """Return a field.

    Raises:
        HTTPException: 404 if there is none of that name.
    """
    found = next((each for each in resource.fields if each.name == name and each.widget != "hidden"), None)
    if found is None:
        raise HTTPException(404)
    return found


async def record_of(visit: Visit, resource: Resource[Any], *, deleted: bool = False) -> Record:
    """Return the record that an address names, where it is of the profile that is chosen.

    Raises:
        RecordNotFoundError: If there is none, or it is in the bin and that was not asked for.
    """
    return await numbered(visit, resource, visit.request.path_params["record"], deleted=deleted)


async def numbered(visit: Visit, resource: Resource[Any], number: int, *, deleted: bool = False) -> Record:
    """Return a record by its number; as in `record_of`."""
    return await visit.site.records.find(
        resource, min(number, _NUMBER_MAX), profile=await owner(visit, resource), deleted=deleted
    )


async def owner(visit: Visit, resource: Resource[Any]) -> str | None:
    """Return the profile whose records the person sees; None where the resource has none of their own."""
    return await visit.profile() if resource.per_profile else None


async def asked_by(visit: Visit, resource: Resource[Any]) -> Asked:
    """Return what the address asks of the list."""
    return asked(resource, visit.request.query_params.multi_items(), await visit.profile())


def asked_in(resource: Resource[Any], query: str, profile: str) -> Asked:
    """Return what the query of an address asks of the list: `?find=milk`."""
    try:
        pairs = parse_qsl(query.removeprefix("?"), max_num_fields=_PAIRS_MAX)
    except ValueError as error:
        raise HTTPException(400, "This list could not be read.") from error
    return asked(resource, pairs, profile)


def landing(visit: Visit, resource: Resource[Any]) -> str:
    """Return the page of a list."""
    return visit.site.landing_of(resource.name) or "/"


def named(resource: Resource[Any], form: Mapping[str, list[str]]) -> list[FormField]:
    """Return the fields that a form says it asks for; a box that is not ticked is sent by no browser."""
    names = set(form.get("_field", ()))
    return [each for each in resource.fields if each.name in names and each.widget != "hidden"]


def answers_of(fields: Iterable[FormField], form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return what was typed into a form as answers; no text of a browser stands for a secret that is kept."""
    typed = {name: [text for text in texts if text != KEPT] for name, texts in form.items()}
    return forms.decode(list(fields), typed, {})


def place_of(visit: Visit, resource: Resource[Any], record: int, profile: str | None) -> Place:
    """Return where a form with files stands; `record` is 0 for a new one."""
    return Place(resource.name, record, profile, visit.who.actor)


async def files_of(
    visit: Visit,
    resource: Resource[Any],
    record: Record | None,
    fields: Sequence[FormField],
    form: Mapping[str, list[str]],
) -> Files | None:
    """Return the files that a form for a record may name; None where it asks for none.

    Raises:
        InvalidAnswersError: If a field names a file that was sent for another one, or too many.
    """
    place = place_of(visit, resource, record.id if record else 0, await owner(visit, resource))
    return await visit.site.record_uploads.named(resource, place, record, fields, form)


async def uploads_of(
    visit: Visit, resource: Resource[Any], record: Record | None, fields: Iterable[FormField]
) -> tuple[UploadForm | None, Offers]:
    """Return what a form needs where it asks for files, and the files it may name."""
    asked = [each for each in leaves(fields) if each.widget == "upload"]
    if not asked:
        return None, {}
    uploads = visit.site.record_uploads
    place = place_of(visit, resource, record.id if record else 0, await owner(visit, resource))
    offers = await uploads.offered(resource, place, record)
    limits = {each.name: uploads.limits_of(each) for each in asked}
    held = {each: offer.named for each, offer in offers.items()}
    downloads = f"{base(resource.name)}/{place.record}/files" if place.record else ""
    return UploadForm(uploads_address(resource, place.record), held, limits, downloads), offers


def uploads_address(resource: Resource[Any], record: int) -> str:
    """Return where files for a form go: this, a slash, the name of the field."""
    return f"{base(resource.name)}{f'/{record}' if record else ''}/uploads"


async def options_of(
    visit: Visit, fields: Iterable[FormField], values: Mapping[str, Any]
) -> dict[str, tuple[Option, ...]]:
    """Return what the links among some fields offer."""
    return await options_for(visit.site.records, fields, await visit.profile(), values)


async def drawn(visit: Visit, resource: Resource[Any], draw: Callable[..., T], *args: Any) -> T:
    """Draw something of records; on a thread where the author's functions take part, which may be slow."""
    if resource.computed or resource.cells:
        made: T = await visit.site.engine.apart(partial(draw, *args))
        return made
    return draw(*args)


def job_of(tx: Transaction, job: str, actor: str) -> tuple[JobRow | None, Any]:
    """Return a job of a person's, None where they have none of that id, and, where it is done, its result."""
    row = jobs.of_owner(tx, job, actor) if job else None
    if row is None or row.status != jobs.DONE:
        return row, None
    return row, jobs.result_of(tx, job)


def finished(visit: Visit, resource: Resource[Any], outcome: Outcome) -> Response:
    """Return the answer to an action: to our script what was done, to a form the list with a word about it."""
    if visit.is_htmx:
        return Response(status_code=204, headers=told(outcome))
    return RedirectResponse(back_to(visit, resource, outcome.operation), 303)


def told(outcome: Outcome) -> dict[str, str]:
    """Return the headers that tell our script what was done."""
    headers = {"x-pipulate-operation": outcome.operation} if outcome.operation else {}
    return headers | ({"x-pipulate-kept": str(outcome.kept)} if outcome.kept else {})


def back_to(visit: Visit, resource: Resource[Any], operation: str = "") -> str:
    """Return the address of the list as it was when a form on it was sent, with what to say about it."""
    address = landing(visit, resource)
    try:
        came = urlsplit(visit.request.headers.get("referer", ""))
        pairs = parse_qsl(came.query, max_num_fields=_PAIRS_MAX) if came.path == address else []
    except ValueError:
        pairs = []
    pairs = [(name, text) for name, text in pairs if name != "done"]
    pairs += [("done", operation)] if operation else []
    return f"{address}?{urlencode(pairs)}" if pairs else address
