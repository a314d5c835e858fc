"""What commands of the same user ask of the running server. They carry the secret of the data folder themselves."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse, Response

from pipulate.errors import PipulateError
from pipulate.plugins.report import as_json
from pipulate.storage import lookups
from pipulate.web.errors import status_of
from pipulate.web.guard import OPEN
from pipulate.web.site import Visit


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
