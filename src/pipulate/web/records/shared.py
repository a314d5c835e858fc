"""What the pages and actions of records have in common: which table, which record, what the list asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
from pipulate.fields import FormField, Option
from pipulate.storage.records.rows import Record
from pipulate.ui.forms import KEPT
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
