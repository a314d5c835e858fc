"""Addresses of the old host that class-style plugins and their pages call."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response, StreamingResponse

from pipulate.explicit import profiles as numbers
from pipulate.explicit.loading import ExplicitApp
from pipulate.storage import lookups, profiles
from pipulate.storage.database import Transaction
from pipulate.ui.frame import apps_menu, profile_menu
from pipulate.ui.html import body, head, html, input_, meta, raw, script, title
from pipulate.web import desktop, explicit
from pipulate.web import profiles as own_profiles
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Visit, part

DOWNLOADS = "downloads"
"""Folder, in the one the server was started in, that files may be fetched from."""

_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PING_S = 5.0


async def redirect(visit: Visit) -> Response:
    """Lead to the page of an app."""
    return elsewhere(visit, "/" + quote(visit.request.path_params["key"].lstrip("/\\"), safe="/"))


async def select_profile(visit: Visit) -> Response:
    """Choose a profile."""
    sent = await visit.text("profile_id")
    wanted = await visit.site.db.read(_profile, sent)
    if wanted is None:
        raise HTTPException(404)
    await own_profiles.take(visit, wanted)
    return elsewhere(visit, visit.back())


def _profile(tx: Transaction, sent: str) -> str | None:
    """Return the profile that is meant: by its id, or by the number that plugins know it by."""
    if profiles.find(tx, sent) is not None:
        return sent
    return numbers.ident(tx, int(sent)) if re.fullmatch(r"[0-9]{1,9}", sent) else None


async def download_file(visit: Visit) -> Response:
    """Return a file from the folder for downloads, or one uploaded to a run, to be kept and not to be shown."""
    asked = visit.request.query_params
    if "run" in asked:
        return await _uploaded(visit, asked["run"], asked.get("file", ""))
    path = await asyncio.to_thread(_downloadable, asked.get("file", ""))
    if path is None:
        raise HTTPException(404)
    return _to_keep(path, path.name)


async def _uploaded(visit: Visit, run: str, sha256: str) -> Response:
    """Return a file that was uploaded to a run of the person who asks."""
    name = await visit.site.db.read(lookups.upload, run, visit.who.actor, sha256)
    if name is None:
        raise HTTPException(404)
    return _to_keep(visit.site.engine.files.path(run, sha256), name)


def _to_keep(path: Path, name: str) -> Response:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "private, no-store"}
    return FileResponse(path, media_type=kind, filename=name, headers=headers)


def _downloadable(name: str) -> Path | None:
    """Return a file of the folder for downloads, or None; neither dots nor links lead out of it."""
    root = Path(DOWNLOADS).resolve()
    try:
        path = (root / name.lstrip("/")).resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError):
        return None


async def open_folder(visit: Visit) -> Response:
    """Show a folder on the desktop of this machine: one of the data folder or of the one for downloads."""
    if not _is_asked_here(visit):
        raise HTTPException(403, "A folder is opened from a page on the same machine, and in no other way.")
    roots = [visit.site.settings.data, Path(DOWNLOADS)]
    folder = await asyncio.to_thread(_openable, visit.request.query_params.get("path", ""), roots)
    if folder is None:
        raise HTTPException(404)
    try:
        await desktop.show(folder)
    except desktop.NoDesktopError as error:
        raise HTTPException(501, f"The folder could not be opened, for {error}. It is {folder}") from error
    return Response() if visit.is_htmx else elsewhere(visit, visit.back())


def _is_asked_here(visit: Visit) -> bool:
    """Tell whether a page of ours asks, and by the address of this machine itself: not by a tunnel from another."""
    sent = visit.request.headers
    is_ours = visit.is_htmx or sent.get("sec-fetch-site") == "same-origin"
    return (
        is_ours
        and sent.get("sec-fetch-site") in (None, "same-origin")
        and sent.get("host", "").rpartition(":")[0] in _OWN_NAMES
    )


def _openable(path: str, roots: Iterable[Path]) -> Path | None:
    """Return a folder below one of the roots, or None; neither dots nor links lead out of them."""
    try:
        folder = Path(path).resolve()
        is_inside = any(folder.is_relative_to(root.resolve()) for root in roots)
        return folder if path and is_inside and folder.is_dir() else None
    except (OSError, ValueError):
        return None


async def new_key(visit: Visit) -> Response:
    """Return the field for a key with the next free one in it."""
    wanted = visit.request.path_params["key"]
    plugins = visit.site.plugins.table
    plugin = plugins.by_app.get(wanted) or plugins.by_module.get(wanted)
    if plugin is None or not isinstance(plugin.app, ExplicitApp):
        raise HTTPException(404)
    key = await explicit.next_key(visit, plugin.app)
    return part(input_(name="pipeline_id", type="search", list="pipeline-ids", value=key, class_="contrast"))


async def app_menu(visit: Visit) -> Response:
    """Return the menu of apps."""
    facts = await visit.facts("")
    return part(apps_menu(visit.frame(facts)))


async def profiles_menu(visit: Visit) -> Response:
    """Return the menu of profiles."""
    facts = await visit.facts("")
    return part(profile_menu(visit.frame(facts)))


async def sandbox(visit: Visit) -> Response:
    """Return the page that code typed by people runs in: of no origin, with no network, in a frame of ours alone."""
    nonce = visit.request.scope.get("nonce", "")
    code = visit.site.assets.text("explicit-sandbox.js").replace("</", "<\\/")
    page = html(
        head(meta(charset="utf-8"), title("Code")), body(script(raw(code), nonce=nonce)), lang="en",
    )  # fmt: skip
    policy = (
        f"sandbox allow-scripts; default-src 'none'; script-src 'nonce-{nonce}' 'unsafe-eval';"
        " style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    return Response(
        "<!doctype html>" + page,
        headers={"content-security-policy": policy, "x-frame-options": "SAMEORIGIN"},
        media_type="text/html; charset=utf-8",
    )


async def events(visit: Visit) -> Response:
    """Send a sign of life every few seconds, to whoever listens."""

    async def pings() -> AsyncIterator[bytes]:
        while True:
            moment = visit.site.clock.now()
            yield f"data: Test ping at {moment:%H:%M:%S}\n\n".encode()
            await asyncio.sleep(_PING_S)

    return StreamingResponse(pings(), media_type="text/event-stream", headers={"cache-control": "no-store"})
