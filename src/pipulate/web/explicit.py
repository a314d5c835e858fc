"""Class-style apps over HTTP: their pages, the addresses they register, and what the store refuses them."""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.datastructures import FormData, UploadFile
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
from pipulate.plugins.host import Plugin
from pipulate.storage import keyvalue, lookups, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import RunRow
from pipulate.storage.profiles import Profile
from pipulate.ui.explicit import Refused, explicit_page, head_of
from pipulate.ui.explicit import refused as refused_part
from pipulate.ui.html import EMPTY, Html, join
from pipulate.ui.run import RunPage
from pipulate.web.errors import answered
from pipulate.web.guard import policy
from pipulate.web.site import Site, Visit, of_run

_RUN, _SUBMIT = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-zA-Z-]{8,64}")
_NONCE, _VERSION = re.compile(r"[A-Za-z0-9_-]{16,64}"), re.compile(r"[0-9]{1,9}")
_LIBRARIES = ("marked.js", "mermaid.js", "prism.js")


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
        if not isinstance(plugin.app, ExplicitApp) or (path == f"/{module}" and module in site.plugins.table.by_module):
            continue  # The page of an app keeps its frame, whatever the plugin registers under its name.
        found = find(plugin.app.routes, method, path)
        if found is not None:
            return plugin.app, *found
    return None


async def page(visit: Visit, plugin: Plugin, key: str | None = None) -> Response:
    """Return the page of a class-style app, with a run where one is named."""
    app = plugin.app
    assert isinstance(app, ExplicitApp)  # noqa: S101 - checked by the caller
    now, row, _ = await _current(visit, app, key)
    if key is not None and row is None:
        raise RunNotFoundError(key)
    now.key = key  # The address says what a page is about, whatever the tab did before.
    request = await _for_plugin(visit)
    nonce: str = visit.request.scope.get("nonce", "")
    made = await _explicit(visit.site).host().page(app, request, now, nonce)
    if made.response is not None:
        return _passed_on(visit, made.response, _run_headers(made.row), EMPTY)
    facts: dict[str, Any] = {}
    if row is not None:
        facts = {"data_run": row.id, "data_version": row.version, "data_key": row.key}
    head = head_of(await _run_page(visit, app, row)) if row is not None else None
    content = explicit_page(app.name, head, made.content, facts, _libraries(visit.site))
    return await visit.page(
        f"{row.key} · {app.title}" if row is not None else app.title,
        content,
        conversation=row.id if row is not None else None,
        workflow=app,
        headers=_headers(nonce) | (of_run(row) if row is not None else {}),
        extras=("explicit.js", "explicit.css"),
    )


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
    return await _answer(visit, app, made, row)


async def _answer(
    visit: Visit, app: ExplicitApp, made: Answered, before: RunRow | None, *, retarget: bool = False
) -> Response:
    headers, head = _run_headers(made.row), EMPTY
    if visit.is_htmx and made.row is not None and _is_another(before, made.row):
        head = head_of(await _run_page(visit, app, made.row), oob=True)
        if before is None or before.id != made.row.id:
            headers["hx-push-url"] = visit.site.address_of(made.row)
    if made.response is not None:
        return _passed_on(visit, made.response, headers, head)
    if not visit.is_htmx:
        return await visit.page(
            app.title, explicit_page(app.name, None, made.content, {}, _libraries(visit.site)),
            headers=headers | _headers(visit.request.scope.get("nonce", "")), extras=("explicit.js", "explicit.css"),
        )  # fmt: skip
    if retarget:
        headers |= {"hx-retarget": f"#{app.name}-container", "hx-reswap": "outerHTML"}
    content = join(made.content, head)
    return Response(content.encode("utf-8", "replace"), 200, headers, "text/html; charset=utf-8")


def _is_another(before: RunRow | None, now: RunRow) -> bool:
    """Tell whether the head of the run has to be drawn anew: it is another run, or it was locked or unlocked."""
    return before is None or before.id != now.id or (before.locked_at is None) != (now.locked_at is None)


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
    headers = _run_headers(row) | {
        "hx-retarget": f"#{app.name}-container", "hx-reswap": "outerHTML", "x-pipulate-swap": "1",
    }  # fmt: skip
    content = refused_part(what, now.actor, visit.now)
    if visit.is_htmx:
        return Response(content.encode("utf-8", "replace"), 409, headers, "text/html; charset=utf-8")
    return await visit.page("Not saved", content, status=409, headers=headers)


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
    profile, row, was_taken = await visit.site.db.read(
        _asked, visit.who.actor, app.name, run if key is None and _RUN.fullmatch(run) else None, wanted, form
    )
    now = Current(
        actor=visit.who.actor,
        app=app.name,
        instance=app.instance,
        profile=profile,
        key=row.key if row is not None else None,
        seen=int(seen) if row is not None and _VERSION.fullmatch(seen) else None,
        tab=visit.who.tab,
        submit=form,
        nonce=_nonce(visit),
    )
    return now, row, was_taken


def _asked(
    tx: Transaction, actor: str, app: str, run: str | None, key: str | None, form: str | None
) -> tuple[Profile, RunRow | None, bool]:
    try:
        chosen = keyvalue.get(tx, "user", actor, "profile")
    except KeyError:
        chosen = profiles.DEFAULT_ID
    profile = profiles.find(tx, str(chosen)) or profiles.find(tx, profiles.DEFAULT_ID)
    row = None
    try:
        if run is not None:
            row = lookups.by_id(tx, run, actor)
        elif key is not None:
            row = lookups.by_key(tx, app, key, actor)
    except RunNotFoundError:
        row = None
    if row is not None and row.app != app:
        row = None
    was_taken = row is not None and form is not None and lookups.by_submit(tx, row.id, form) is not None
    return profile or Profile(profiles.DEFAULT_ID, profiles.DEFAULT_NAME), row, was_taken


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


class PluginRequest(Request):
    """A request as a plugin gets it: its whole body, no cookies of ours, and file names that lead nowhere."""

    async def form(self, **options: Any) -> FormData:  # type: ignore[override]
        """Return the form; each file has a name without a folder."""
        form = await super().form(**options)
        for _, value in form.multi_items():
            if isinstance(value, UploadFile) and value.filename:
                value.filename = plain_name(value.filename)
        return form


def plain_name(name: str) -> str:
    """Return the last part of a file name, without what a file system could take for something else."""
    last = PurePosixPath(name.replace("\\", "/")).name
    kept = "".join(sign for sign in last if sign.isprintable() and sign not in '<>:"|?*').strip(". ")
    return kept[:200] or "file"


async def _for_plugin(visit: Visit) -> PluginRequest:
    body, over = await visit.request.body(), False

    async def receive() -> Any:
        nonlocal over
        if over:
            return {"type": "http.disconnect"}
        over = True
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(name, value) for name, value in visit.request.scope["headers"] if name != b"cookie"]
    return PluginRequest({**visit.request.scope, "headers": headers, "session": {}}, receive)


def _passed_on(visit: Visit, given: Any, ours: dict[str, str], head: Html) -> Response:
    """Return what a handler answered itself, with the run named beside it."""
    is_markup = "html" in given.headers.get("content-type", "")
    named = {name.encode() for name in ours} | {b"set-cookie", b"content-length"}
    headers = [(name, value) for name, value in given.raw_headers if name not in named]
    if hasattr(given, "body_iterator") or not hasattr(given, "body"):
        stream = _explicit(visit.site).host().relay(given, visit.request.scope)
        answer: Response = StreamingResponse(stream, given.status_code)
    else:
        body = given.body + (head.encode("utf-8", "replace") if is_markup else b"")
        answer = Response(body, given.status_code)
        headers.append((b"content-length", str(len(body)).encode()))
    answer.raw_headers = headers
    for name, value in ours.items():
        answer.headers[name] = value
    return answer


def _run_headers(row: RunRow | None) -> dict[str, str]:
    return of_run(row) | {"x-pipulate-key": quote(row.key, safe="")} if row is not None else {}


def _headers(nonce: str) -> dict[str, str]:
    """Return the policy of a page that shows markup of plugins: it may bring its own looks, but no code."""
    return {"content-security-policy": policy(nonce).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")}


def _nonce(visit: Visit) -> str:
    """Return the nonce of the page that asked, which an answer's scripts need to run there."""
    sent = visit.request.headers.get("x-pipulate-nonce", "") if visit.is_htmx else visit.request.scope.get("nonce", "")
    return sent if _NONCE.fullmatch(sent) else ""


async def _run_page(visit: Visit, app: ExplicitApp, row: RunRow) -> RunPage:
    view = await visit.site.engine.view(row.id, visit.who)
    profile = await visit.site.db.read(profiles.find, row.profile)
    return RunPage(
        view, (), None, None, profile.name if profile else "", visit.site.landing_of(row.app),
        visit.site.address_of(row), visit.who.actor, visit.now, title=app.title,
    )  # fmt: skip


def _libraries(site: Site) -> str:
    return json.dumps({name: site.assets.addresses[name] for name in _LIBRARIES if name in site.assets.addresses})


def _explicit(site: Site) -> Explicit:
    assert site.explicit is not None  # noqa: S101 - there is no class-style app without it
    return site.explicit
