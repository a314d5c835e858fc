"""The pages: home, an app, a run, the bin, plugins, search."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate._program import program
from pipulate.crud import roles
from pipulate.errors import BadKeyError, KeyTakenError, RunNotFoundError
from pipulate.explicit.loading import ExplicitApp
from pipulate.plugins.host import Plugin
from pipulate.storage import keyvalue, ledger, lookups, messages, profiles, runs
from pipulate.storage.database import Transaction
from pipulate.storage.journal import Event
from pipulate.storage.ledger import RunRow
from pipulate.storage.lookups import Page
from pipulate.ui import errors as problems
from pipulate.ui.frame import DENSITIES, RECORD_MESSAGES, THEMES
from pipulate.ui.history import History, history_drawer, history_lines
from pipulate.ui.html import Html, a, button, form, join, span
from pipulate.ui.lists import AppLink, Runs, bin_page, found, landing
from pipulate.ui.lists import home as home_page
from pipulate.ui.markdown import markdown
from pipulate.ui.settings import BROKEN, PluginLine, finding_line, plugins_page
from pipulate.web import explicit, reports
from pipulate.web.records import editing, listing
from pipulate.web.records.searching import records_with
from pipulate.web.runpage import described, elsewhere, whole
from pipulate.web.site import Site, Visit, app_address, part

PROFILES = "/profiles"
"""The page of the app that profiles are kept with."""

COMMANDS = (
    AppLink("All apps", "", "/"),
    AppLink("History", "", "/-/history"),
    AppLink("Jobs", "", "/-/jobs"),
    AppLink("Plugins", "", "/-/plugins"),
    AppLink("Profiles", "", PROFILES),
    AppLink("Schedules", "", "/-/schedules"),
    AppLink("Bin", "", "/-/bin"),
)


async def home(visit: Visit) -> Response:
    """Return the first page."""
    facts = await visit.facts(messages.general(visit.who.actor))
    page = await visit.site.db.read(lookups.listed, visit.who.actor, profile=facts.profile, limit=10)
    broken = [each.file.name for each in visit.site.plugins.table.plugins if each.state in BROKEN]
    apps = visit.site.app_links(facts.roles, is_locked=facts.is_locked)
    content = home_page(apps, _runs(visit.site, page), visit.who.actor, visit.now, broken=broken)
    return await visit.page("Pipulate", content, facts=facts)


async def app(visit: Visit) -> Response:
    """Return the page of an app, or start a run of it."""
    plugin = _plugin(visit)
    if isinstance(plugin.app, ExplicitApp):
        deleted = await visit.site.db.read(_deleted, visit.who.actor, visit.request.query_params.get("deleted"))
        return await explicit.page(visit, plugin, notice=_undo(deleted) if deleted else None)
    if plugin.report is not None:
        return await reports.page(visit, plugin.report)
    if plugin.resource is not None:
        if visit.request.method == "POST":
            raise HTTPException(405, "Records are added at another address.")
        return await listing.page(visit, plugin)
    if plugin.workflow is None:
        return await _not_ready(visit, plugin)
    if visit.request.method == "POST":
        return await _start(visit, plugin)
    return await _landing(visit, plugin)


async def _landing(visit: Visit, plugin: Plugin, *, typed: str = "", problem: str | None = None) -> Response:
    assert plugin.workflow is not None  # noqa: S101 - checked by the caller
    name, actor = plugin.workflow.name, visit.who.actor
    query, conversation = visit.request.query_params, visit.beside(name)
    facts = await visit.facts(conversation)
    offered, page, binned, deleted = await visit.site.db.read(
        _landing_facts, name, actor, facts.profile, query.get("find", ""), query.get("older"), query.get("deleted")
    )
    address = app_address(plugin.file.module)
    link = AppLink(plugin.workflow.title, plugin.workflow.description, address)
    shown = _runs(visit.site, page, address, query.get("find", ""))
    content = landing(link, offered, typed, problem, shown, actor, visit.now, binned=binned)
    content = join(_undo(deleted) if deleted else None, content)
    return await visit.page(
        plugin.workflow.title, content, conversation=conversation, status=422 if problem else 200, facts=facts
    )


def _landing_facts(
    tx: Transaction, name: str, actor: str, profile: str, words: str, older: str | None, deleted: str | None
) -> tuple[str, Page, int, RunRow | None]:
    offered = runs.offered_key(tx, name, actor).text
    page = lookups.listed(tx, actor, app=name, profile=profile, words=words[:200], older=older)
    return offered, page, lookups.in_bin(tx, actor, profile), _deleted(tx, actor, deleted)


def _deleted(tx: Transaction, actor: str, run: str | None) -> RunRow | None:
    """Return a run that is in the bin, or None."""
    try:
        row = lookups.by_id(tx, run, actor, deleted=True) if run else None
    except RunNotFoundError:
        return None
    return row if row is not None and row.deleted_at else None


def _undo(row: RunRow) -> Html:
    return form(
        span("Deleted ", row.key, ". "),
        button("Undo", class_="secondary"),
        method="post",
        action=f"/-/runs/{row.id}/undelete",
        class_="bar notice",
        role="status",
    )


async def _start(visit: Visit, plugin: Plugin) -> Response:
    """Start a run; a key that exists opens its run, unless it is only the offered one and somebody was faster."""
    assert plugin.workflow is not None  # noqa: S101 - checked by the caller
    engine, name = visit.site.engine, plugin.workflow.name
    key, offered = (await visit.text("key")).strip(), await visit.text("offered")
    facts = await visit.facts(messages.general(visit.who.actor))
    try:
        view = await engine.start(name, "" if key == offered else key, facts.profile, visit.who)
    except KeyTakenError as error:
        row = await visit.site.db.read(lookups.by_key, name, error.key, visit.who.actor)
        return elsewhere(visit, visit.site.address_of(row), row)
    except BadKeyError as error:
        return await _landing(visit, plugin, typed=key, problem=str(error))
    return elsewhere(visit, visit.site.address_of(view.row), view.row)


async def run(visit: Visit) -> Response:
    """Return the page of a run, as it is or as it was at a version."""
    if visit.request.path_params["module"] not in visit.site.plugins.table.by_module:
        return await _without_app(visit)
    plugin = _plugin(visit)
    if plugin.resource is not None:
        return await editing.show(visit, plugin.resource, visit.request.path_params["key"])
    if isinstance(plugin.app, ExplicitApp) and visit.query_number("version") is None:
        return await explicit.page(visit, plugin, visit.request.path_params["key"])
    if plugin.app is None:
        return await _not_ready(visit, plugin)
    row = await visit.site.db.read(lookups.by_key, plugin.app.name, visit.request.path_params["key"], visit.who.actor)
    return await _show(visit, row.id)


async def _without_app(visit: Visit) -> Response:
    """Send an old address on to the run it was of: its app is gone, it is not."""
    key = visit.request.path_params["key"]
    row = await visit.site.db.read(lookups.newest_with_key, key, visit.who.actor)
    if visit.site.landing_of(row.app) is not None:
        raise HTTPException(404)  # Another app has a run of this name.
    return RedirectResponse(visit.site.address_of(row), 303)


async def run_by_id(visit: Visit) -> Response:
    """Return the page of a run whose app is not installed; send others to their own address."""
    view = await visit.site.engine.view(visit.request.path_params["run"], visit.who)
    if view.workflow is not None or visit.site.is_explicit(view.row.app):
        return RedirectResponse(visit.site.address_of(view.row), 303)
    return await _show(visit, view.row.id)


async def _show(visit: Visit, run_id: str) -> Response:
    engine = visit.site.engine
    version = visit.query_number("version")
    if version is None:
        return await whole(visit, await described(visit, await engine.view(run_id, visit.who)))
    view = await engine.view_at(run_id, visit.who, version)
    event = await visit.site.db.read(_event, run_id, version)
    page = await described(visit, view)
    if (explicit_app := visit.site.explicit_app(view.row.app)) is not None:
        page = dataclasses.replace(page, title=explicit_app.title, titles=explicit_app)
    return await whole(visit, dataclasses.replace(page, shown=(version, event.actor, event.at)))


def _event(tx: Transaction, run_id: str, version: int) -> Event:
    return ledger.events(tx, run_id, after=version - 1, upto=version)[0]


async def history(visit: Visit) -> Response:
    """Return the drawer with the history of a run, or the next lines of it."""
    run_id = visit.request.path_params["run"]
    before = visit.query_number("before")
    view = await visit.site.engine.view(run_id, visit.who)
    events, shorts = await visit.site.db.read(_history, run_id, before)
    more = len(events) > lookups.HISTORY_PAGE
    shown = History(
        run_id,
        visit.site.address_of(view.row),
        events[: lookups.HISTORY_PAGE],
        shorts,
        events[lookups.HISTORY_PAGE - 1].version if more else None,
        view.row.version if before is None else None,
        visit.site.titles_of(view.row.app),
        visit.site.is_explicit(view.row.app),
    )
    if before is not None and visit.is_htmx:
        return part(join(history_lines(shown, visit.who.actor, visit.now)))
    drawer = history_drawer(shown, visit.who.actor, visit.now)
    if visit.is_htmx:
        return part(drawer)
    return await visit.page(
        f"History of {view.row.key}", drawer, conversation=run_id, workflow=visit.site.titles_of(view.row.app)
    )


def _history(tx: Transaction, run_id: str, before: int | None) -> tuple[list[Event], dict[int, str]]:
    """Return a page of events and one more, and what each answered step held before it."""
    events = lookups.history(tx, run_id, before=before, limit=lookups.HISTORY_PAGE + 1)
    shorts: dict[int, str] = {}
    last: dict[str, int] = {}
    for event in events:  # Newest first: the next older answer of a step is what this one changed.
        if event.kind == "submitted" and event.step is not None:
            if event.step in last:
                shorts[last[event.step]] = str(event.data.get("short", ""))
            last[event.step] = event.version
    return events, shorts


async def bin_(visit: Visit) -> Response:
    """Return the bin."""
    facts, older = await visit.facts(messages.general(visit.who.actor)), visit.request.query_params.get("older")
    page = await visit.site.db.read(
        lookups.listed, visit.who.actor, profile=facts.profile, deleted=True, older=older, limit=50
    )
    content = bin_page(_runs(visit.site, page, "/-/bin"), visit.now, visit.site.settings.bin_days)
    return await visit.page("Bin", content, facts=facts)


async def search(visit: Visit) -> Response:
    """Return what a few letters find: apps, runs, records, places."""
    words = visit.request.query_params.get("find", "").strip()[:200]
    folded = words.casefold()
    page, active, is_locked = await visit.site.db.read(_found, visit.who.actor, words)
    apps = [each for each in visit.site.app_links(active, is_locked=is_locked) if folded in each.title.casefold()][:10]
    commands = [
        each for each in COMMANDS if folded in each.title.casefold() and not (is_locked and each.address == PROFILES)
    ]
    records = await records_with(visit, words, is_locked=is_locked)
    content = found(apps, _runs(visit.site, page), records, commands, words)
    return part(content) if visit.is_htmx else await visit.page("Search", content)


def _found(tx: Transaction, actor: str, words: str) -> tuple[Page, Collection[str], bool]:
    page = lookups.listed(tx, actor, profile=profiles.chosen(tx, actor), words=words, limit=10)
    return page, roles.active(tx), profiles.is_locked(tx, actor)


async def preview(visit: Visit) -> Response:
    """Return Markdown as it will be shown; nothing is stored."""
    text = await visit.text("text")
    return part(await asyncio.get_running_loop().run_in_executor(None, markdown, text))


async def plugins(visit: Visit) -> Response:
    """Return the list of plugin files."""
    lines = [
        PluginLine(
            each.file.name,
            each.file.module,
            each.app.title if each.app else "",
            each.state,
            each.file.is_in_box,
            each.findings,
            each.is_old,
        )
        for each in visit.site.plugins.table.plugins
    ]
    return await visit.page("Plugins", plugins_page(lines, str(visit.site.plugins.folder), program()))


async def retry_plugin(visit: Visit) -> Response:
    """Load a plugin file again."""
    name = await visit.text("file")
    if not await asyncio.get_running_loop().run_in_executor(None, visit.site.plugins.retry, name):
        raise HTTPException(404)
    return elsewhere(visit, "/-/plugins")


async def look(visit: Visit) -> Response:
    """Choose theme, density, whether the panel is shown, and what messages tell."""
    allowed = {
        "theme": THEMES, "density": DENSITIES, "assistant": ("shown", "hidden"), messages.WANTED: RECORD_MESSAGES,
    }  # fmt: skip
    sent = await visit.form()
    if not sent or any(name not in allowed or texts[-1] not in allowed[name] for name, texts in sent.items()):
        raise HTTPException(400, "There is no such choice.")
    for name, texts in sent.items():
        await visit.site.db.write(keyvalue.put, "user", visit.who.actor, name, texts[-1])
    return Response(status_code=204) if visit.is_htmx else elsewhere(visit, visit.back())


def _plugin(visit: Visit) -> Plugin:
    plugin = visit.site.plugins.table.by_module.get(visit.request.path_params["module"])
    if plugin is None:
        raise HTTPException(404)
    return plugin


async def _not_ready(visit: Visit, plugin: Plugin) -> Response:
    reason = "It is still being imported; try again in a moment." if plugin.state == "loading" else "It has a problem."
    content = problems.problem(
        f"{plugin.file.name} cannot be used just now",
        reason,
        *(finding_line(each) for each in plugin.findings),
        join(a("Plugins", href="/-/plugins"), " can load it again." if plugin.state in BROKEN else " says more."),
    )
    return await visit.page("Not ready", content, status=503)


def _runs(site: Site, page: Page, address: str = "", words: str = "") -> Runs:
    older = None
    if page.older:
        older = f"{address}?older={page.older}"
    return Runs(page.runs, {row.id: site.address_of(row) for row in page.runs}, site.workflows(), older, words)
