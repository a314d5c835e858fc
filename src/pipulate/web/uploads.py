"""Taking in files: one by one as our script sends them, or with the whole form of a step where there is no script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate.errors import UploadRefusedError, UploadTooLargeError
from pipulate.fields import FormField, leaves
from pipulate.forms.sending import Sent
from pipulate.storage.uploads import Limits
from pipulate.ui.uploads import held_file
from pipulate.web import actions
from pipulate.web.errors import status_of
from pipulate.web.multipart import Form, Text
from pipulate.web.runpage import asked_again
from pipulate.web.site import Visit, of_run, part
from pipulate.workflows.definition import Step
from pipulate.workflows.work import RunView, installed

_NAME_BYTES = 60_000  # Of a name as it is sent; far more than any is stored with.


async def receive(visit: Visit) -> Response:
    """Take one file for a field, as our script sends it: the content alone, its name in a header."""
    run, name = visit.request.path_params["run"], visit.request.path_params["field"]
    view, step = await _asked(visit)
    field = field_for_files(step.fields, name)
    sent = sent_alone(visit, visit.site.uploads.limits_of(field))
    upload = await visit.site.uploads.receive(run, visit.who.actor, step.name, field, sent)
    line = held_file(field, upload.id, upload.named(), _address(view, step, name))
    return part(line, 201, of_run(view.row))


def sent_alone(visit: Visit, limits: Limits) -> Sent:
    """Return the file that a request brings.

    Raises:
        UploadTooLargeError: If it says itself that it is too large.
    """
    length = _length(visit)
    if length is not None and length > limits.file:  # Nobody need send it first to hear this.
        raise UploadTooLargeError(f"This file is too large. A file here can have up to {limits.file / 1e6:,.6g} MB.")
    given = visit.request.headers.get("x-pipulate-name", "")[:_NAME_BYTES]
    return Sent(
        unquote_to_bytes(given).decode("utf-8", "replace"),
        visit.request.headers.get("content-type", ""),
        _measured(visit.request.stream(), length),
    )


async def submit(visit: Visit) -> Response:
    """Take the answers of a step together with its files; without files it is what any form is."""
    if not is_with_files(visit):
        return await actions.submit(visit)
    problems, status = await _read(visit)
    if not problems:
        return await actions.submit(visit)
    view, step = await _asked(visit)
    typed = {name: texts for name, texts in (await visit.form()).items() if not name.startswith("_")}
    return await asked_again(visit, view, step.name, typed, problems, status)


async def remove(visit: Visit) -> Response:
    """Take a file out of a form before it is sent, and show the form with everything else that was typed."""
    run, name = visit.request.path_params["run"], visit.request.path_params["field"]
    view, step = await _asked(visit)
    field_for_files(step.fields, name)
    if is_with_files(visit):
        await _read(visit)
    form = await visit.form()
    unwanted = form.get("_remove", [""])[-1]
    await visit.site.uploads.remove(run, visit.who.actor, step.name, unwanted)
    if visit.request.headers.get("x-pipulate-script"):
        return Response(status_code=204, headers=of_run(view.row))
    typed = {each: texts for each, texts in form.items() if not each.startswith("_")}
    typed[name] = [text for text in typed.get(name, ()) if text != unwanted]
    return await asked_again(visit, view, step.name, typed, {}, 200)


async def _read(visit: Visit) -> tuple[Mapping[str, str], int]:
    """Read a form of a step with its files; as in `read_with_files`."""
    view, step = await _asked(visit)

    async def take(field: FormField, sent: Sent) -> str:
        upload = await visit.site.uploads.receive(view.row.id, visit.who.actor, step.name, field, sent)
        return upload.id

    return await read_with_files(visit, step.fields, take)


def is_with_files(visit: Visit) -> bool:
    """Tell whether a form came as a browser sends one with files in it."""
    return visit.request.headers.get("content-type", "").lower().startswith("multipart/form-data")


async def read_with_files(
    visit: Visit, fields: Iterable[FormField], take: Callable[[FormField, Sent], Awaitable[str]]
) -> tuple[Mapping[str, str], int]:
    """Read a form with files and take them in; return what is wrong, by field, and the status that says so.

    Args:
        visit: The request.
        fields: The fields of the form.
        take: Takes in a file for a field; returns what a form sends for it.
    """
    known = {each.name: each for each in leaves(fields) if each.widget == "upload"}
    form: dict[str, list[str]] = {}
    problems: dict[str, str] = {}
    status = 422
    stream = _measured(visit.request.stream(), _length(visit))
    content_type = visit.request.headers.get("content-type", "")
    reader = Form(content_type, stream, text_bytes=visit.site.settings.max_body_bytes)
    async for each in reader.parts():
        if isinstance(each, Text):
            form.setdefault(each.name, []).append(each.text)
        elif each.field not in known or not each.name or each.field in problems:
            await _ignored(each.blocks)  # A file field in which nothing was chosen comes as a file without a name.
        else:
            try:
                taken = await take(known[each.field], Sent(each.name, each.media_type, each.blocks))
                form.setdefault(each.field, []).append(taken)
            except UploadRefusedError as error:
                problems[each.field], status = str(error), status_of(error)
                await _ignored(each.blocks)
    visit.came(form)
    return problems, status


async def _ignored(blocks: AsyncIterator[bytes]) -> None:
    async for _ in blocks:
        pass


async def _asked(visit: Visit) -> tuple[RunView, Step[..., Any]]:
    """Return the run, and the step with the fields it has in this run."""
    engine = visit.site.engine
    view = await engine.view(visit.request.path_params["run"], visit.who)
    return view, await engine.asked(view, installed(view)[visit.request.path_params["step"]])


def field_for_files(fields: Iterable[FormField], name: str) -> FormField:
    """Return a field for files by its name.

    Raises:
        HTTPException: 404 if there is none.
    """
    for each in leaves(fields):
        if each.name == name and each.widget == "upload":
            return each
    raise HTTPException(404)


def _address(view: RunView, step: Step[..., Any], field: str) -> str:
    return f"/-/runs/{view.row.id}/steps/{step.name}/uploads/{field}"


def _length(visit: Visit) -> int | None:
    text = visit.request.headers.get("content-length", "")
    return int(text) if text.isdigit() and len(text) < 18 else None


async def _measured(stream: AsyncIterator[bytes], length: int | None) -> AsyncIterator[bytes]:
    """Pass a body on, and refuse it at its end where it was not as long as it said."""
    came = 0
    async for block in stream:
        came += len(block)
        yield block
    if length is not None and came != length:
        raise HTTPException(400, "Less or more came than was announced, so nothing was kept. Send it again.")
