"""Every address there is, in one table. The tests go through it, so a new line here is tested too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import Lifespan, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from pipulate.web import actions, control, conversations, oldhost, pages
from pipulate.web.errors import answered
from pipulate.web.explicit import PluginRoutes
from pipulate.web.guard import OPEN, STATIC
from pipulate.web.live import Live
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


register_url_convertor("part", _Part())
register_url_convertor("module", _Module())
register_url_convertor("key", _Key())

_YEAR_S = 31_536_000
_RUN = "/-/runs/{run:part}"
_STEP = _RUN + "/steps/{step:part}"

ADDRESSES = (
    Address(_STEP, ("POST",), actions.submit, "action"),
    Address(_STEP + "/run", ("POST",), actions.run_step, "action"),
    Address(_STEP + "/revert", ("POST",), actions.revert, "action"),
    Address(_STEP + "/again", ("POST",), actions.again, "action"),
    Address(_STEP + "/keep", ("POST",), actions.keep, "action"),
    Address(_STEP + "/copy", ("POST",), actions.copy_with, "action"),
    Address(_RUN, ("GET",), pages.run_by_id, "part"),
    Address(_RUN + "/history", ("GET",), pages.history, "part"),
    Address(_RUN + "/export", ("GET",), pages.export, "part"),
    Address(_RUN + "/cancel-edit", ("POST",), actions.cancel_edit, "action"),
    Address(_RUN + "/go-back", ("POST",), actions.go_back, "action"),
    Address(_RUN + "/lock", ("POST",), actions.lock, "action"),
    Address(_RUN + "/unlock", ("POST",), actions.unlock, "action"),
    Address(_RUN + "/copy", ("POST",), actions.copy, "action"),
    Address(_RUN + "/rename", ("POST",), actions.rename, "action"),
    Address(_RUN + "/delete", ("POST",), actions.delete, "action"),
    Address(_RUN + "/undelete", ("POST",), actions.undelete, "action"),
    Address(_RUN + "/purge", ("POST",), actions.purge, "action"),
    Address("/-/notes", ("POST",), conversations.add_note, "action"),
    Address("/-/search", ("GET",), pages.search, "part"),
    Address("/-/bin", ("GET",), pages.bin_, "part"),
    Address("/-/plugins", ("GET",), pages.plugins, "part"),
    Address("/-/plugins/retry", ("POST",), pages.retry_plugin, "action"),
    Address("/-/profiles", ("GET", "POST"), pages.profile_list, "action"),
    Address("/-/profile", ("POST",), pages.choose_profile, "action"),
    Address("/-/look", ("POST",), pages.look, "action"),
    Address("/-/control/link", ("POST",), control.new_link, "control"),
    Address("/-/control/plugins", ("POST",), control.list_plugins, "control"),
    Address("/-/control/import", ("POST",), control.import_run, "control"),
    Address("/-/control/delete", ("POST",), control.delete_run, "control"),
    Address("/", ("GET",), pages.home, "page"),
    Address("/{module:module}", ("GET", "POST"), pages.app, "page"),
    Address("/{module:module}/{key:key}", ("GET",), pages.run, "page"),
)

# What plugins of the old host and their pages call. Nothing of ours does.
OLD_HOST = (
    Address("/redirect/{key:key}", ("GET", "POST"), oldhost.redirect, "page"),
    Address("/select_profile", ("POST",), oldhost.select_profile, "action"),
    Address("/download_file", ("GET",), oldhost.download_file, "page"),
    Address("/generate-new-key/{key:key}", ("GET",), oldhost.new_key, "page"),
    Address("/refresh-app-menu", ("GET",), oldhost.app_menu, "page"),
    Address("/refresh-profile-menu", ("GET",), oldhost.profiles_menu, "page"),
    Address("/sse", ("GET",), oldhost.events, "page"),
    Address("/-/sandbox", ("GET",), oldhost.sandbox, "part"),
)


def router(site: Site, lifespan: Lifespan[Any]) -> Router:
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

    return Router(routes, redirect_slashes=False, default=nowhere, lifespan=lifespan)


async def _nowhere(_visit: Visit) -> Response:
    raise HTTPException(404)


def _endpoint(site: Site, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        # The pattern of a route ends before a last line break too, and nothing of ours has one in its name.
        wanted = _nowhere if "\n" in request.scope["path"] else handler
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
