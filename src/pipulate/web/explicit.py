"""Class-style apps over HTTP: their pages, the addresses they register, and what the store refuses them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from pipulate.errors import RunConflictError, RunNotFoundError
from pipulate.explicit.context import Current
from pipulate.explicit.entry import Explicit
from pipulate.explicit.host import Answered
from pipulate.explicit.loading import ExplicitApp
from pipulate.explicit.routes import BadRequestError, PluginRoute, find
from pipulate.explicit.sent import PluginRequest, plugin_request
from pipulate.explicit.standing import standing
from pipulate.plugins.host import Plugin
from pipulate.storage import lookups
from pipulate.storage.ledger import RunRow
from pipulate.ui.explicit import Refused, explicit_page
from pipulate.ui.explicit import refused as refused_part
from pipulate.ui.html import EMPTY, Html, div, join
from pipulate.web.errors import answered
from pipulate.web.explicit_run import head as head_of
from pipulate.web.libraries import listed, page_headers
from pipulate.web.site import Site, Visit, of_run

_RUN, _SUBMIT = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-zA-Z-]{8,64}")
_NONCE, _VERSION = re.compile(r"[A-Za-z0-9_-]{16,64}"), re.compile(r"[0-9]{1,9}")
_HEADER, _CONTROLS = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+"), re.compile(rb"[\x00-\x1f\x7f]+")
_OF_BODY = ("content-", "transfer-", "connection")


class PluginRoutes(BaseRoute):
    """Whatever class-style plugins have registered just now; it comes before the pages of apps."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match what a plugin in use answers to."""
        if scope["type"] != "http" or scope["path"].startswith("/-/"):
            return Match.NONE, {}
        found = _route(self._site, scope["method"], scope["path"])
        return (Match.FULL, {"explicit": found}) if found is not None else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the plugin that is in use now."""
        app, route, given = scope["explicit"]

        async def handler(visit: Visit) -> Response:
            return await _called(visit, app, route, given)

        answer = await answered(handler, Visit(self._site, Request(scope, receive)))
        await answer(scope, receive, send)


def _route(site: Site, method: str, path: str) -> tuple[ExplicitApp, PluginRoute, dict[str, str]] | None:
    module = path.split("/")[1]
    for plugin in site.plugins.table.plugins:
        if not isinstance(plugin.app, ExplicitApp):
            continue
        found = find(plugin.app.routes, method, path)
        is_page = path == f"/{module}" and module in site.plugins.table.by_module
        if found is not None and not (is_page and "GET" in found[0].methods):
            # The page of an app keeps its frame, whatever a plugin registers under its name to be looked at.
            return plugin.app, *found
    return None


async def page(visit: Visit, plugin: Plugin, key: str | None = None, *, notice: Html | None = None) -> Response:
    """Return the page of a class-style app, with a run where one is named; a notice stands in place of a run's head."""
    app = plugin.app
    assert isinstance(app, ExplicitApp)  # noqa: S101 - checked by the caller
    now, row, _ = await _current(visit, app, key)
    if key is not None and row is None:
        raise RunNotFoundError(key)
    if row is not None and visit.is_htmx and visit.request.headers.get("hx-target") == f"{app.name}-container":
        return await anew(visit, app, row)
    now.key = key  # The address says what a page is about, whatever the tab did before.
    request = await _for_plugin(visit)
    nonce: str = visit.request.scope.get("nonce", "")
    made = await _explicit(visit.site).host().page(app, request, now, nonce)
    if made.response is not None:
        return await _passed_on(visit, made.response, _run_headers(made.row), EMPTY)
    facts: dict[str, Any] = {}
    if row is not None:
        facts = {"data_run": row.id, "data_version": row.version, "data_key": row.key}
    head = await head_of(visit, app, row) if row is not None else None
    content = explicit_page(app.name, head or notice, made.content, facts, listed(visit.site))
    return await visit.page(
        f"{row.key} · {app.title}" if row is not None else app.title,
        content,
        conversation=row.id if row is not None else visit.beside(app.name),
        workflow=app,
        headers=page_headers(visit) | (of_run(row) if row is not None else {}),
        extras=("explicit.js", "explicit.css"),
    )


def _is_markup(response: Any) -> bool:
    """Tell whether an answer is a part of a page, and does not lead to another."""
    leads = {"hx-redirect", "hx-location", "hx-refresh"} & set(response.headers)
    return not leads and response.status_code == 200 and "html" in response.headers.get("content-type", "")


async def anew(visit: Visit, app: ExplicitApp, row: RunRow) -> Response:
    """Return the cells of a run as they are now, in place of those that a page shows, with the head above them."""
    now, _, _ = await _current(visit, app, row.key)
    now.key, now.submit = row.key, None  # What was sent has been done; showing it is no part of that.
    made = await _explicit(visit.site).host().anew(app, await _for_plugin(visit), now, _nonce(visit))
    row = made.row or row
    headers = _run_headers(row) | _in_place(app) | {"hx-replace-url": visit.site.address_of(row)}
    content = join(made.content, await head_of(visit, app, row, oob=True))
    return Response(content.encode("utf-8", "replace"), 200, headers, "text/html; charset=utf-8")


def _in_place(app: ExplicitApp) -> dict[str, str]:
    return {"hx-retarget": f"#{app.name}-container", "hx-reswap": "outerHTML"}


async def next_key(visit: Visit, app: ExplicitApp) -> str:
    """Return the next free key of an app, for the profile the person chose."""
    now, _, _ = await _current(visit, app, None)
    return await _explicit(visit.site).host().next_key(app, now)


async def _called(visit: Visit, app: ExplicitApp, route: PluginRoute, given: dict[str, str]) -> Response:
    """Call a handler of a plugin and answer with what it returns, unless the store refused what it wrote."""
    if visit.request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        raise HTTPException(403, "This address answers our own pages only.")
    now, row, was_taken = await _current(visit, app, None)
    request, host = await _for_plugin(visit), _explicit(visit.site).host()
    nonce = _nonce(visit)
    if row is not None and was_taken:  # The same form again: its handler is not called twice.
        return await _answer(visit, app, await host.anew(app, request, now, nonce), row, retarget=True)
    try:
        made = await host.call(app, route.handler, request, given, now, nonce)
    except BadRequestError as error:
        raise HTTPException(400, str(error)) from error
    except Exception:
        if now.refusal is None:
            raise
        made = Answered()
    if now.refusal is not None:
        return await _refused(visit, app, now, request)
    if now.failure is not None:
        raise now.failure  # The handler may think that it was stored; whoever sent it must not.
    if row is not None and visit.is_htmx and visit.request.headers.get("x-pipulate-anew") == "1":
        return await _resumed(visit, app, made, row)
    return await _answer(visit, app, made, row)


async def _resumed(visit: Visit, app: ExplicitApp, made: Answered, before: RunRow) -> Response:
    """Answer a form that stands in place of all cells: with all cells, whatever part its handler answers with.

    Where the handler stored nothing, what it says stands there instead.
    """
    response = made.response
    if response is not None and not _is_markup(response):
        return await _answer(visit, app, made, before)
    if made.row is not None and made.row.version != before.version and app.steps:
        return await anew(visit, app, made.row)
    said = made.content if response is None else Html(response.body.decode("utf-8", "replace"))
    content = div(said, id=f"{app.name}-container")
    return Response(content.encode("utf-8", "replace"), 200, _run_headers(made.row), "text/html; charset=utf-8")


async def _answer(
    visit: Visit, app: ExplicitApp, made: Answered, before: RunRow | None, *, retarget: bool = False
) -> Response:
    headers, head = _run_headers(made.row), EMPTY
    if visit.is_htmx and made.row is not None and _is_shown(before) != _is_shown(made.row):
        head = await head_of(visit, app, made.row, oob=True)
        if before is None or before.id != made.row.id:
            headers["hx-push-url"] = visit.site.address_of(made.row)
    if made.response is not None:
        return await _passed_on(visit, made.response, headers, head)
    headers = _beside(made, headers) | headers
    if not visit.is_htmx:
        return await visit.page(
            app.title, explicit_page(app.name, None, made.content, {}, listed(visit.site)),
            conversation=visit.beside(app.name), headers=headers | page_headers(visit),
            extras=("explicit.js", "explicit.css"),
        )  # fmt: skip
    if retarget:
        headers |= _in_place(app)
    content = join(made.content, head)
    return Response(content.encode("utf-8", "replace"), 200, headers, "text/html; charset=utf-8")


def _is_shown(row: RunRow | None) -> tuple[str, int] | None:
    """Return what the head of a run depends on."""
    return (row.id, row.version) if row is not None else None


async def _refused(visit: Visit, app: ExplicitApp, now: Current, request: Request) -> Response:
    """Say that the store refused a write, whatever the handler made of it: both sides, and the ways on."""
    error = now.refusal
    assert error is not None and now.refused is not None  # noqa: S101, PT018 - checked by the caller
    row = await visit.site.db.read(lookups.by_id, now.refused, now.actor)
    form = await request.form()
    typed = {name: [text for text in form.getlist(name) if isinstance(text, str)] for name in form}
    is_conflict = isinstance(error, RunConflictError)
    step = next((each for each in app.steps if is_conflict and each.id == error.step), None)  # type: ignore[union-attr]
    theirs = error.theirs.get("output") if isinstance(error, RunConflictError) and error.theirs else None
    what = Refused(
        reason=_reason(error),
        by=error.by,
        at=error.at,
        step=str(getattr(step, "show", "")) if step is not None else "",
        theirs=theirs,
        typed=typed,
        post=visit.request.url.path if is_conflict and visit.request.method == "POST" else "",
        address=visit.site.address_of(row),
        run=row.id,
        seen=now.seen if now.seen is not None else row.version,
        version=row.version,
        container=f"{app.name}-container",
    )
    headers = _run_headers(row) | _in_place(app) | {"x-pipulate-swap": "1"}
    content = refused_part(what, now.actor, visit.now)
    if visit.is_htmx:
        content = join(content, await head_of(visit, app, row, oob=True))
        return Response(content.encode("utf-8", "replace"), 409, headers, "text/html; charset=utf-8")
    return await visit.page("Not saved", content, conversation=row.id, status=409, headers=headers)


def _reason(error: Any) -> str:
    if isinstance(error, RunConflictError):
        return "This was changed after you opened it. Nothing was overwritten; choose what counts."
    return "This run is locked, so nothing was saved. Unlock it, or go on in a copy of it."


async def _current(visit: Visit, app: ExplicitApp, key: str | None) -> tuple[Current, RunRow | None, bool]:
    """Return what a request works on: the run its tab names, else the one in the address it came from.

    And that run's row, and whether the form was taken before.
    """
    sent = visit.request.headers
    run = sent.get("x-pipulate-run", "")
    wanted = key if key is not None else _key_of_page(visit, app)
    seen, submit = sent.get("x-pipulate-seen", ""), sent.get("x-pipulate-submit", "")
    form = submit if visit.request.method == "POST" and _SUBMIT.fullmatch(submit) else None
    known = run if key is None and _RUN.fullmatch(run) else None
    there = await visit.site.db.read(standing, visit.who.actor, app.name, run=known, key=wanted, form=form)
    row = there.row
    now = Current(
        actor=visit.who.actor,
        app=app.name,
        instance=app.instance,
        profile=there.profile,
        key=row.key if row is not None else None,
        seen=int(seen) if row is not None and _VERSION.fullmatch(seen) else None,
        tab=visit.who.tab,
        submit=form,
        is_page=not visit.is_htmx,
        nonce=_nonce(visit),
        number=there.number,
        is_told=there.is_told,
    )
    return now, row, there.was_taken


def _key_of_page(visit: Visit, app: ExplicitApp) -> str | None:
    """Return the key in the address of the page a request comes from, or None."""
    for name in ("hx-current-url", "referer"):
        try:
            where = urlsplit(visit.request.headers.get(name, ""))
        except ValueError:
            continue
        beginning = f"/{quote(app.module, safe='')}/"
        if where.netloc == visit.request.headers.get("host") and where.path.startswith(beginning):
            return unquote(where.path.removeprefix(beginning)) or None
    return None


async def _for_plugin(visit: Visit) -> PluginRequest:
    return plugin_request(visit.request.scope, await visit.request.body())


async def _passed_on(visit: Visit, given: Any, ours: dict[str, str], head: Html) -> Response:
    """Return what a handler answered itself, with the run named beside it."""
    if hasattr(given, "body_iterator") or not hasattr(given, "body"):
        relay = await _explicit(visit.site).host().relay(given, visit.request.scope)
        status, headers = relay.status, relay.headers
        answer: Response = StreamingResponse(relay.body(), status)
    else:
        is_markup = "html" in given.headers.get("content-type", "")
        body = given.body + (head.encode("utf-8", "replace") if is_markup else b"")
        status, headers = given.status_code, [each for each in given.raw_headers if each[0] != b"content-length"]
        answer = Response(body, status)
        headers.append((b"content-length", str(len(body)).encode()))
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no status of an answer")
    answer.raw_headers = _plain_headers(headers, ours)
    for name, value in ours.items():
        answer.headers[name] = value
    return answer


def _plain_headers(headers: Iterable[tuple[bytes, bytes]], ours: Collection[str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a plugin that can be sent: no cookies, none that are ours, and none that end a line."""
    taken = {name.encode() for name in ours} | {b"set-cookie"}
    return [
        (name, _CONTROLS.sub(b" ", value))
        for name, value in ((each[0].lower(), each[1]) for each in headers)
        if _HEADER.fullmatch(name) and name not in taken
    ]


def _beside(made: Answered, ours: Collection[str]) -> dict[str, str]:
    """Return the headers that a handler put beside its elements, without those that say what the answer is."""
    given = [(name.encode("ascii", "replace"), value.encode("latin-1", "replace")) for name, value in made.headers]
    kept = _plain_headers(given, ours)
    return {name.decode(): value.decode("latin-1") for name, value in kept if not name.decode().startswith(_OF_BODY)}


def _run_headers(row: RunRow | None) -> dict[str, str]:
    return of_run(row) | {"x-pipulate-key": quote(row.key, safe="")} if row is not None else {}


def _nonce(visit: Visit) -> str:
    """Return the nonce of the page that asked, which an answer's scripts need to run there."""
    sent = visit.request.headers.get("x-pipulate-nonce", "") if visit.is_htmx else visit.request.scope.get("nonce", "")
    return sent if _NONCE.fullmatch(sent) else ""


def _explicit(site: Site) -> Explicit:
    assert site.explicit is not None  # noqa: S101 - there is no class-style app without it
    return site.explicit
