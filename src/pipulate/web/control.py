"""What commands of the same user ask of the running server. They carry the secret of the data folder themselves."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from pipulate.crud import fitting
from pipulate.errors import PipulateError, RecordRefusedError, ScheduleRefusedError
from pipulate.plugins.report import as_json
from pipulate.storage import lookups, profiles, schedules
from pipulate.web.errors import status_of
from pipulate.web.guard import OPEN
from pipulate.web.jobs import cancelled, retried
from pipulate.web.site import Visit
from pipulate.workflows.unattended import refuse_incomplete, sealed_answers

_LOADS_S = 20.0


def _answers(command: Callable[[Visit], Awaitable[Any]]) -> Callable[[Visit], Awaitable[Response]]:
    """Answer with JSON, errors too: commands print the reason."""

    @functools.wraps(command)
    async def answered(visit: Visit) -> Response:
        try:
            return JSONResponse(await command(visit))
        except PipulateError as error:
            return JSONResponse({"error": str(error), "code": error.code}, status_of(error))

    return answered


@_answers
async def new_link(visit: Visit) -> Any:
    """Return a new one-time link."""
    host = visit.request.headers["host"]
    return {"url": f"http://{host}{OPEN}?token={visit.site.capability.new_token()}"}


@_answers
async def list_plugins(visit: Visit) -> Any:
    """Return the state of the plugins as this server has it."""
    return {"plugins": as_json(visit.site.plugins.table)}


@_answers
async def delete_run(visit: Visit) -> Any:
    """Put a run into the bin, or erase it, so that open pages hear of it."""
    app, key = await visit.text("app"), await visit.text("key")
    purge = bool(await visit.text("purge"))
    row = await visit.site.db.read(lookups.by_key, app, key, visit.who.actor, or_bin=purge)
    if row.deleted_at is None:
        await visit.site.engine.delete(row.id, visit.who)
    if purge:
        await visit.site.engine.purge(row.id, visit.who)
    return {"deleted": row.key}


@_answers
async def import_run(visit: Visit) -> Any:
    """Take in a run from a file of this machine."""
    path = Path(await visit.text("path"))
    view = await visit.site.engine.take_in(path, await visit.text("key"), visit.who)
    return {"app": view.row.app, "key": view.row.key, "version": view.row.version}


@_answers
async def cancel_job(visit: Visit) -> Any:
    """Ask for a job to be cancelled."""
    row = await cancelled(visit, await visit.text("job"))
    return {"id": row.id, "status": row.status}


@_answers
async def retry_job(visit: Visit) -> Any:
    """Ask for a job once more, with the code there is now."""
    row = await retried(visit, await visit.text("job"))
    return {"id": row.id, "status": row.status}


@_answers
async def schedule(visit: Visit) -> Any:
    """Put an app on a schedule; the answers come as JSON: step -> field -> texts."""
    site, app = visit.site, await visit.text("app")
    workflow = site.engine.catalog.get(app)
    if workflow is None and not site.plugins.wait_loaded(0):  # Right after the start, or after its file was saved.
        await asyncio.get_running_loop().run_in_executor(None, site.plugins.wait_loaded, _LOADS_S)
        workflow = site.engine.catalog.get(app)
    if workflow is None:
        raise ScheduleRefusedError("app", f"There is no app {app!r} that steps can be answered for by itself.")
    answers = sealed_answers(workflow, json.loads(await visit.text("answers") or "{}"))
    refuse_incomplete(workflow, answers)
    row = await site.scheduler.add(
        title=await visit.text("title") or workflow.title, app=app, owner=visit.who.actor,
        profile=await _profile(visit), cron=await visit.text("cron"), zone=await visit.text("zone"), answers=answers,
        locks=bool(await visit.text("locks")),
    )  # fmt: skip
    return {"id": row.id, "title": row.title, "next_at": row.next_at}


async def _profile(visit: Visit) -> str:
    """Return the id of the profile that is named, by its name or its id."""
    wanted = await visit.text("profile") or profiles.DEFAULT_ID
    for each in await visit.site.db.read(profiles.listed):
        if wanted in (each.id, each.name):
            return each.id
    raise ScheduleRefusedError("profile", f"There is no profile {wanted!r}.")


@_answers
async def unschedule(visit: Visit) -> Any:
    """Remove a schedule."""
    return {"removed": await visit.site.scheduler.remove(await visit.text("id"), visit.who.actor)}


@_answers
async def run_now(visit: Visit) -> Any:
    """Do once more what a schedule does, now."""
    wanted = await visit.text("id")
    row = await visit.site.db.read(schedules.find, wanted)
    if row is None or row.owner != visit.who.actor or row.removed_at is not None:
        raise ScheduleRefusedError("id", f"There is no schedule {wanted!r}.")
    job = await visit.site.scheduler.run_now(row.id, visit.who.actor)
    return {"job": job.id if job else None}


@_answers
async def fit_records(visit: Visit) -> Any:
    """Bring a table of records to what its app declares, or only say what that would do."""
    site, name = visit.site, await visit.text("name")
    if not site.plugins.wait_loaded(0):
        await asyncio.get_running_loop().run_in_executor(None, site.plugins.wait_loaded, _LOADS_S)
    resource = site.records.resources.get(name)
    if resource is None:
        raise RecordRefusedError(f"No app that is loaded declares the records {name!r}.")
    renamed, dropped = json.loads(await visit.text("renamed") or "{}"), json.loads(await visit.text("dropped") or "[]")
    if await visit.text("trial"):
        looked = await site.db.read(fitting.look, resource, renamed, dropped)
    else:
        looked = await site.db.write(fitting.fit, resource, renamed, dropped)
    return {"said": looked.plan.said, "records": looked.records, "remarks": looked.remarks}
