"""Every address there is, in one table. The tests go through it, so a new line here is tested too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pipulate.web import (
    actions,
    assistant,
    chronicle,
    control,
    conversations,
    downloads,
    jobs,
    libraries,
    oldhost,
    own,
    pages,
    profiles,
    reports,
    schedules,
    uploads,
    views,
)
from pipulate.web.errors import answered
from pipulate.web.explicit import PluginRoutes
from pipulate.web.guard import OPEN, STATIC
from pipulate.web.live import Live
from pipulate.web.records import editing, exporting, files, importing, listing, many
from pipulate.web.site import Site, Visit

Kind = Literal["page", "part", "action", "control", "public", "socket"]
Handler = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Address:
    """One address.

    Attributes:
        path: As Starlette reads it.
        methods: What it answers to.
        handler: What answers.
        kind: `page` may be opened by a link from anywhere; `part` and `action` only by our own pages; `control` only
            by commands; `public` holds no data.
    """

    path: str
    methods: tuple[str, ...]
    handler: Handler
    kind: Kind


class _Part(Convertor[str]):
    """One part of an address. Our own, because importing FastHTML changes what Starlette's `str` means."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Return the part as it is."""
        return value


class _Module(_Part):
    """The first part of a page's address; `-` is the host's own."""

    regex = "[^/-][^/]*"


class _Key(_Part):
    """The key of a run, which may have slashes in it."""

    regex = ".+"


class _Number(Convertor[int]):
    """A number of a record."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        """Return the number."""
        return int(value)


register_url_convertor("number", _Number())
register_url_convertor("part", _Part())
register_url_convertor("module", _Module())
register_url_convertor("key", _Key())

_READY_S = 5.0
_YEAR_S = 31_536_000
_RUN = "/-/runs/{run:part}"
_STEP = _RUN + "/steps/{step:part}"
_RECORDS = "/-/records/{resource:part}"
_RECORD = _RECORDS + "/{record:number}"
_JOB = "/-/jobs/{job:part}"
_REPORT = "/-/reports/{report:part}"
_SCHEDULE = "/-/schedules/{schedule:part}"

ADDRESSES = (
    Address(_STEP, ("POST",), actions.submit, "action"),
    Address(_STEP + "/skip", ("POST",), actions.skip, "action"),
    Address(_STEP + "/suggest", ("POST",), actions.suggest, "action"),
    Address(_STEP + "/suggesting", ("GET",), actions.suggesting, "part"),
    Address(_STEP + "/run", ("POST",), actions.run_step, "action"),
    Address(_STEP + "/stop", ("POST",), actions.stop, "action"),
    Address(_STEP + "/job", ("GET",), actions.job, "part"),
    Address(_STEP + "/revert", ("POST",), actions.revert, "action"),
    Address(_STEP + "/again", ("POST",), actions.again, "action"),
    Address(_STEP + "/keep", ("POST",), actions.keep, "action"),
    Address(_STEP + "/copy", ("POST",), actions.copy_with, "action"),
    Address(_STEP + "/table", ("GET",), views.table, "part"),
    Address(_STEP + "/table.csv", ("GET",), views.table_csv, "part"),
    Address(_STEP + "/table.xlsx", ("GET",), views.table_xlsx, "part"),
    Address(_STEP + "/picture", ("GET",), views.picture, "part"),
    Address(_STEP + "/drawing", ("GET",), views.drawing, "part"),
    Address(_STEP + "/html", ("GET",), views.sandboxed_html, "part"),
    Address(_STEP + "/json", ("GET",), views.as_json, "part"),
    Address("/-/libraries/{library:part}", ("GET",), views.library, "part"),
    Address("/-/frame", ("GET",), views.frame, "part"),
    Address(_STEP + "/with-files", ("POST",), uploads.submit, "action"),
    Address(_STEP + "/uploads/{field:part}", ("POST",), uploads.receive, "action"),
    Address(_STEP + "/uploads/{field:part}/remove", ("POST",), uploads.remove, "action"),
    Address(_RUN, ("GET",), pages.run_by_id, "part"),
    Address(_RUN + "/history", ("GET",), pages.history, "part"),
    Address(_RUN + "/export", ("GET",), downloads.export, "part"),
    Address(_RUN + "/files/{sha256:part}/{name:part}", ("GET",), downloads.file, "part"),
    Address(_RUN + "/files/{sha256:part}/{name:part}/preview", ("GET",), downloads.preview, "part"),
    Address(_RUN + "/cancel-edit", ("POST",), actions.cancel_edit, "action"),
    Address(_RUN + "/go-back", ("POST",), actions.go_back, "action"),
    Address(_RUN + "/lock", ("POST",), actions.lock, "action"),
    Address(_RUN + "/unlock", ("POST",), actions.unlock, "action"),
    Address(_RUN + "/copy", ("POST",), actions.copy, "action"),
    Address(_RUN + "/rename", ("POST",), actions.rename, "action"),
    Address(_RUN + "/delete", ("POST",), actions.delete, "action"),
    Address(_RUN + "/undelete", ("POST",), actions.undelete, "action"),
    Address(_RUN + "/purge", ("POST",), actions.purge, "action"),
    Address(_RECORDS, ("POST",), editing.create, "action"),
    Address(_RECORDS + "/new", ("GET",), editing.new, "part"),
    Address(_RECORDS + "/options", ("GET",), listing.options, "part"),
    Address(_RECORDS + "/export.csv", ("GET",), exporting.as_csv, "part"),
    Address(_RECORDS + "/export.xlsx", ("GET",), exporting.as_xlsx, "part"),
    Address(_RECORDS + "/export.json", ("GET",), exporting.as_json, "part"),
    Address(_RECORDS + "/import", ("GET", "POST"), importing.begin, "action"),
    Address(_RECORDS + "/import/{table:part}", ("GET", "POST"), importing.table, "action"),
    Address(_RECORDS + "/import/{table:part}/wrong.csv", ("GET",), importing.wrong_rows, "part"),
    Address(_RECORDS + "/undo", ("POST",), editing.undo, "action"),
    Address(_RECORDS + "/many", ("GET", "POST"), many.several, "action"),
    Address(_RECORDS + "/many/delete", ("POST",), many.delete, "action"),
    Address(_RECORDS + "/many/restore", ("POST",), many.restore, "action"),
    Address(_RECORDS + "/jobs/{job:part}", ("GET",), many.job, "part"),
    Address(_RECORDS + "/empty-bin", ("POST",), many.empty_bin, "action"),
    Address(_RECORD, ("GET", "POST"), editing.one, "action"),
    Address(_RECORDS + "/with-files", ("POST",), files.submit, "action"),
    Address(_RECORDS + "/uploads/{field:part}", ("POST",), files.receive, "action"),
    Address(_RECORDS + "/uploads/{field:part}/remove", ("POST",), files.remove, "action"),
    Address(_RECORD + "/with-files", ("POST",), files.submit, "action"),
    Address(_RECORD + "/uploads/{field:part}", ("POST",), files.receive, "action"),
    Address(_RECORD + "/uploads/{field:part}/remove", ("POST",), files.remove, "action"),
    Address(_RECORD + "/files/{sha256:part}/{name:part}", ("GET",), files.download, "part"),
    Address(_RECORD + "/row", ("GET",), listing.show_row, "part"),
    Address(_RECORD + "/cells/{field:part}", ("GET",), editing.cell, "part"),
    Address(_RECORD + "/toggle", ("POST",), editing.toggle, "action"),
    Address(_RECORD + "/move", ("POST",), editing.move, "action"),
    Address(_RECORD + "/delete", ("POST",), editing.delete, "action"),
    Address(_RECORD + "/restore", ("POST",), editing.restore, "action"),
    Address(_RECORD + "/erase", ("POST",), editing.erase, "action"),
    Address(_RECORD + "/go-back", ("POST",), editing.go_back, "action"),
    Address("/-/app-files/{app:part}/{name:part}", ("GET",), own.asset, "part"),
    Address("/-/apps/{app:part}/{path:key}", ("GET", "POST"), own.answer, "action"),
    Address("/-/notes", ("POST",), conversations.add_note, "action"),
    Address("/-/assistant/stop", ("POST",), assistant.stop, "action"),
    Address("/-/assistant/retry", ("POST",), assistant.retry, "action"),
    Address("/-/assistant/calls/{call:part}", ("POST",), assistant.decide, "action"),
    Address("/-/assistant/model", ("POST",), assistant.choose, "action"),
    Address("/-/assistant/look", ("POST",), assistant.look, "action"),
    Address("/-/assistant/clear", ("POST",), conversations.clear, "action"),
    Address("/-/assistant/unclear", ("POST",), conversations.unclear, "action"),
    Address("/-/assistant/messages", ("GET",), conversations.show, "part"),
    Address("/-/assistant/older", ("GET",), conversations.older, "part"),
    Address("/-/assistant/search", ("GET",), conversations.search, "part"),
    Address("/-/assistant/text", ("GET",), conversations.text, "part"),
    Address("/-/assistant/export.md", ("GET",), conversations.export, "part"),
    Address("/-/preview", ("POST",), pages.preview, "action"),
    Address("/-/search", ("GET",), pages.search, "part"),
    Address("/-/jobs", ("GET",), jobs.listed, "part"),
    Address("/-/jobs/active", ("GET",), jobs.active, "part"),
    Address(_JOB, ("GET",), jobs.show, "part"),
    Address(_JOB + "/log", ("GET",), jobs.log, "part"),
    Address(_JOB + "/cancel", ("POST",), jobs.cancel, "action"),
    Address(_JOB + "/retry", ("POST",), jobs.retry, "action"),
    Address(_REPORT + "/rows.csv", ("GET",), reports.csv, "part"),
    Address(_REPORT + "/rows.xlsx", ("GET",), reports.xlsx, "part"),
    Address(_REPORT + "/made", ("GET",), reports.made, "part"),
    Address(_REPORT + "/make/{maker:part}", ("POST",), reports.make, "action"),
    Address(_REPORT + "/files/{file:part}/delete", ("POST",), reports.delete, "action"),
    Address(_REPORT + "/files/{file:part}/undelete", ("POST",), reports.undelete, "action"),
    Address(_REPORT + "/files/{file:part}/as/{name:part}", ("GET",), reports.file, "part"),
    Address("/-/bin", ("GET",), pages.bin_, "part"),
    Address("/-/history", ("GET",), chronicle.show, "part"),
    Address("/-/plugins", ("GET",), pages.plugins, "part"),
    Address("/-/plugins/retry", ("POST",), pages.retry_plugin, "action"),
    Address("/-/schedules", ("GET",), schedules.listed, "part"),
    Address("/-/schedules/new", ("GET", "POST"), schedules.new, "action"),
    Address("/-/schedules/when", ("GET",), schedules.when, "part"),
    Address(_SCHEDULE + "/pause", ("POST",), schedules.pause, "action"),
    Address(_SCHEDULE + "/resume", ("POST",), schedules.resume, "action"),
    Address(_SCHEDULE + "/run-now", ("POST",), schedules.run_now, "action"),
    Address(_SCHEDULE + "/delete", ("POST",), schedules.delete, "action"),
    Address(_SCHEDULE + "/undelete", ("POST",), schedules.undelete, "action"),
    Address("/-/profiles", ("GET",), profiles.manage, "part"),
    Address("/-/profile", ("POST",), profiles.choose, "action"),
    Address("/-/profile/lock", ("POST",), profiles.lock, "action"),
    Address("/-/profile/unlock", ("POST",), profiles.unlock, "action"),
    Address("/-/look", ("POST",), pages.look, "action"),
    Address("/-/control/link", ("POST",), control.new_link, "control"),
    Address("/-/control/plugins", ("POST",), control.list_plugins, "control"),
    Address("/-/control/import", ("POST",), control.import_run, "control"),
    Address("/-/control/delete", ("POST",), control.delete_run, "control"),
    Address("/-/control/cancel-job", ("POST",), control.cancel_job, "control"),
    Address("/-/control/retry-job", ("POST",), control.retry_job, "control"),
    Address("/-/control/schedule", ("POST",), control.schedule, "control"),
    Address("/-/control/unschedule", ("POST",), control.unschedule, "control"),
    Address("/-/control/fit-records", ("POST",), control.fit_records, "control"),
    Address("/-/control/run-now", ("POST",), control.run_now, "control"),
    Address("/", ("GET",), pages.home, "page"),
    Address("/{module:module}", ("GET", "POST"), pages.app, "page"),
    Address("/{module:module}/{key:key}", ("GET",), pages.run, "page"),
)

# What plugins of the old host and their pages call. Nothing of ours does.
OLD_HOST = (
    Address("/redirect/{key:key}", ("GET", "POST"), oldhost.redirect, "page"),
    Address("/select_profile", ("POST",), oldhost.select_profile, "action"),
    Address("/download_file", ("GET",), oldhost.download_file, "page"),
    Address("/open-folder", ("GET",), oldhost.open_folder, "page"),
    Address("/generate-new-key/{key:key}", ("GET",), oldhost.new_key, "page"),
    Address("/refresh-app-menu", ("GET",), oldhost.app_menu, "page"),
    Address("/refresh-profile-menu", ("GET",), oldhost.profiles_menu, "page"),
    Address("/sse", ("GET",), oldhost.events, "page"),
    *(Address(path, ("GET",), libraries.library, "part") for path in libraries.OLD_PATHS),
    Address("/-/sandbox", ("GET",), oldhost.sandbox, "part"),
)


def router(site: Site, lifespan: Lifespan[Any]) -> ASGIApp:
    """Return the application behind the guard."""
    routes: list[BaseRoute] = [
        WebSocketRoute("/-/live", Live(site).serve),
        PluginRoutes(site),
        *(
            Route(each.path, _endpoint(site, each.handler), methods=list(each.methods))
            for each in (*OLD_HOST, *ADDRESSES)
        ),
        Route(STATIC + "{file:part}", site.assets.answer, methods=["GET"]),
        Route(OPEN, _opener(site), methods=["GET"]),
    ]

    async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        answer = await answered(_nowhere, Visit(site, Request(scope, receive)))
        await answer(scope, receive, send)

    routed = Router(routes, redirect_slashes=False, default=nowhere, lifespan=lifespan)

    async def prepared(scope: Scope, receive: Receive, send: Send) -> None:
        """Right after the start, give the apps a moment to load: their addresses are not known before."""
        if scope["type"] == "http" and not site.plugins.wait_ready(0) and not scope["path"].startswith(STATIC):
            await asyncio.get_running_loop().run_in_executor(None, site.plugins.wait_ready, _READY_S)
        await routed(scope, receive, send)

    return prepared


async def _nowhere(_visit: Visit) -> Response:
    raise HTTPException(404)


def _endpoint(site: Site, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # The pattern of a route ends before a last line break too, and nothing of ours has one in its name.
        wanted = _nowhere if "\n" in request.scope["path"] else profiles.kept_apart(handler)
        return await answered(wanted, Visit(site, request))

    return endpoint


def _opener(site: Site) -> Callable[[Request], Awaitable[Response]]:
    async def open_with_link(request: Request) -> Response:
        """Let a browser in: swap the one-time token of a link for the cookie."""
        if request.method == "HEAD" or not site.capability.redeem(request.query_params.get("token", "")):
            return RedirectResponse("/", 303)
        answer = RedirectResponse("/", 303, {"referrer-policy": "no-referrer"})
        answer.set_cookie(
            site.capability.cookie, site.capability.secret, max_age=_YEAR_S, httponly=True, samesite="lax"
        )
        return answer

    return open_with_link
