"""Files of records: sent for a field of one, or together with its form, and downloaded again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate.crud.resource import Resource
from pipulate.fields import FormField
from pipulate.fields.files import plain_name
from pipulate.forms.sending import Sent
from pipulate.storage.records.files import of_record
from pipulate.storage.records.rows import Record
from pipulate.storage.records.uploads import Place
from pipulate.ui.uploads import held_file
from pipulate.web import downloads
from pipulate.web.records import editing
from pipulate.web.records.shared import owner, place_of, record_of, resource_of, uploads_address
from pipulate.web.site import Visit, part
from pipulate.web.uploads import field_for_files, is_with_files, read_with_files, sent_alone


async def receive(visit: Visit) -> Response:
    """Take one file for a field, as our script sends it: the content alone, its name in a header."""
    resource, _, place = await _asked(visit)
    field = field_for_files(resource.fields, visit.request.path_params["field"])
    uploads = visit.site.record_uploads
    upload = await uploads.receive(place, field, sent_alone(visit, uploads.limits_of(field)))
    address = f"{uploads_address(resource, place.record)}/{field.name}"
    return part(held_file(field, upload.id, upload.named(), address), 201)


async def submit(visit: Visit) -> Response:
    """Take a form together with its files; without files it is what any form is."""
    resource, record, place = await _asked(visit)
    if is_with_files(visit):
        problems, status = await _read(visit, resource, place)
        if problems:
            return await editing.asked_again(visit, resource, record, problems, status)
    return await (editing.create(visit) if record is None else editing.one(visit))


async def remove(visit: Visit) -> Response:
    """Take a file out of a form before it is sent, and show the form with everything else that was typed."""
    resource, record, place = await _asked(visit)
    field = field_for_files(resource.fields, visit.request.path_params["field"])
    if is_with_files(visit):
        await _read(visit, resource, place)
    form = await visit.form()
    unwanted = form.get("_remove", [""])[-1]
    await visit.site.record_uploads.remove(place, unwanted)
    if visit.request.headers.get("x-pipulate-script"):
        return Response(status_code=204)
    visit.came({**form, field.name: [text for text in form.get(field.name, ()) if text != unwanted]})
    return await editing.asked_again(visit, resource, record, {}, 200)


async def download(visit: Visit) -> Response:
    """Return a file that a record, or its history, names, to be kept."""
    resource = resource_of(visit)
    record = await record_of(visit, resource, deleted=True)
    sha256, name = visit.request.path_params["sha256"], plain_name(visit.request.path_params["name"])
    held = await visit.site.db.read(of_record, resource.shape, record.id)
    found = next((each for each in held if each.sha256 == sha256 and each.name == name), None)
    if found is None:
        raise HTTPException(404)
    path = visit.site.engine.files.path(found.folder, found.sha256)
    return await downloads.sent(visit, path, found.sha256, found.name)


async def _asked(visit: Visit) -> tuple[Resource[Any], Record | None, Place]:
    """Return the table, the record or None for a new one, and where its form stands."""
    resource = resource_of(visit)
    await visit.site.records.ready(resource)
    record = await record_of(visit, resource) if "record" in visit.request.path_params else None
    profile = await owner(visit, resource)
    return resource, record, place_of(visit, resource, record.id if record is not None else 0, profile)


async def _read(visit: Visit, resource: Resource[Any], place: Place) -> tuple[Mapping[str, str], int]:
    async def take(field: FormField, sent: Sent) -> str:
        return (await visit.site.record_uploads.receive(place, field, sent)).id

    return await read_with_files(visit, resource.fields, take)
