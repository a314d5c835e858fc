"""Addresses of the apps' own: what their handlers answer, and the scripts and style sheets beside their files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response

from pipulate.fields.files import File, Files
from pipulate.forms import in_words
from pipulate.security.capability import OWNER
from pipulate.storage import profiles
from pipulate.ui.html import Html, join
from pipulate.web.site import Visit
from pipulate.workflows.definition import Workflow
from pipulate.workflows.handed import Profile, User
from pipulate.workflows.own import OwnRoute
from pipulate.workflows.run import Run
from pipulate.workflows.work import RunView

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_FOR_GOOD = "private, max-age=31536000, immutable"


async def answer(visit: Visit) -> Response:
    """Answer an address that an app declared with `get` or `post`."""
    workflow = _workflow(visit)
    wanted = visit.request.path_params["path"]
    method = "GET" if visit.request.method == "HEAD" else visit.request.method
    for route in workflow.routes:
        parts = route.match(wanted) if route.method == method else None
        if parts is not None:
            return await _called(visit, workflow, route, parts)
    raise HTTPException(404)


async def asset(visit: Visit) -> Response:
    """Return a script or style sheet of an app."""
    workflow, name = _workflow(visit), visit.request.path_params["name"]
    if name not in workflow.assets:
        raise HTTPException(404)
    path = workflow.folder / name
    try:
        content = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise HTTPException(404) from error
    is_named = visit.request.query_params.get("v") == _version(content)
    headers = {"cache-control": _FOR_GOOD if is_named else "no-cache"}
    return Response(content, headers=headers, media_type=_TYPES[path.suffix])


def assets_of(workflow: Workflow) -> list[str]:
    """Return the addresses of the scripts and style sheets of an app, each with the version of its content."""
    found = []
    for name in workflow.assets:
        try:
            version = _version((workflow.folder / name).read_bytes())
        except OSError:
            continue
        found.append(f"/-/app-files/{quote(workflow.name)}/{quote(name)}?v={version}")
    return found


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _workflow(visit: Visit) -> Workflow:
    found = visit.site.engine.catalog.get(visit.request.path_params["app"])
    if found is None:
        raise HTTPException(404)
    return found


async def _called(visit: Visit, workflow: Workflow, route: OwnRoute, parts: Mapping[str, str]) -> Response:
    given = await _sent(visit, route)
    run = await _run(visit, workflow)
    checked = _checked(route, {**given, **parts})
    arguments = {name: getattr(checked, name) for name in route.model.model_fields}
    engine = visit.site.engine

    def handed_in() -> dict[str, Any]:
        return {name: _handed_in(visit, kind, run) for name, kind in route.handed_in.items()}

    if asyncio.iscoroutinefunction(route.function):
        made = await route.function(**arguments, **await engine.apart(handed_in))
    else:
        made = await engine.apart(lambda: route.function(**arguments, **handed_in()))
    return _response(made)


async def _sent(visit: Visit, route: OwnRoute) -> dict[str, Any]:
    """Return what came with a request: the query of a GET, the form of a POST; the last of several alike."""
    if route.method == "GET":
        return dict(visit.request.query_params)
    return {name: texts[-1] for name, texts in (await visit.form()).items()}


async def _run(visit: Visit, workflow: Workflow) -> RunView | None:
    """Return the run a request is about: named in its address, or by the page it comes from."""
    named = visit.request.query_params.get("_run") or visit.request.headers.get("x-pipulate-run")
    if not named:
        return None
    view = await visit.site.engine.view(named, visit.who)
    if view.row.app != workflow.name:
        raise HTTPException(404)
    return view


def _checked(route: OwnRoute, given: Mapping[str, Any]) -> BaseModel:
    try:
        return route.model.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{name}: {in_words(first)}") from error


def _handed_in(visit: Visit, kind: type, view: RunView | None) -> Any:
    if kind is User:
        return User(visit.who.actor, "You" if visit.who.actor == OWNER else visit.who.actor)
    if view is None:
        raise HTTPException(400, "This address is about a run, and the request names none.")
    run: Run = visit.site.engine.run_of(view)
    if kind is Run:
        return run
    if kind is Files:
        return run.files
    found = visit.site.db.read_now(profiles.find, view.row.profile)
    return Profile(view.row.profile, found.name if found else "")


def _response(made: Any) -> Response:
    if made is None:
        return Response(status_code=204)
    if isinstance(made, Response):
        return made
    if isinstance(made, File):
        return FileResponse(made.path, filename=made.name, media_type="application/octet-stream")
    if isinstance(made, dict) or (isinstance(made, list) and not any(isinstance(each, Html) for each in made)):
        return JSONResponse(made)
    return Response(join(made).encode("utf-8", "replace"), media_type="text/html; charset=utf-8")
