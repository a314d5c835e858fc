"""Which profile a person works in, and keeping apart what belongs to the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from pipulate.errors import JobNotFoundError, ProfileLockedError, RunNotFoundError
from pipulate.storage import jobs, lookups, profiles
from pipulate.storage.database import Transaction
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Site, Visit

Handler = Callable[[Visit], Awaitable[Response]]

_NAMED = frozenset({"run", "key", "module", "job", "resource"})
"""Parts of addresses by which something of another profile could be named."""


async def manage(visit: Visit) -> Response:
    """Lead to the app that profiles are kept with."""
    del visit
    return RedirectResponse(f"/{profiles.NAME}", 303)


async def choose(visit: Visit) -> Response:
    """Choose the profile whose runs and records lists show."""
    await take(visit, await visit.text("profile"))
    return elsewhere(visit, visit.back())


async def take(visit: Visit, profile: str) -> None:
    """Take another profile from now on.

    Raises:
        HTTPException: 404 if there is none that is in use.
        ProfileLockedError: If another one is locked.
    """
    if not await visit.site.db.write(_take, visit.who.actor, profile):
        raise HTTPException(404)


def _take(tx: Transaction, user: str, profile: str) -> bool:
    if profile not in [each.id for each in profiles.listed(tx)]:
        return False
    profiles.choose(tx, user, profile)
    return True


async def lock(visit: Visit) -> Response:
    """Show the chosen profile alone from now on."""
    await visit.site.db.write(profiles.lock, visit.who.actor, is_on=True)
    return elsewhere(visit, visit.back())


async def unlock(visit: Visit) -> Response:
    """Show all profiles again."""
    await visit.site.db.write(profiles.lock, visit.who.actor, is_on=False)
    return elsewhere(visit, visit.back())


def kept_apart(handler: Handler) -> Handler:
    """Return a handler that, while a profile is locked, knows nothing of what belongs to another."""

    async def answer(visit: Visit) -> Response:
        named = {name: text for name, text in visit.request.path_params.items() if name in _NAMED}
        if named:
            await visit.site.db.read(refuse_others, visit.site, visit.who.actor, named)
        return await handler(visit)

    return answer


def refuse_others(tx: Transaction, site: Site, user: str, named: Mapping[str, str]) -> None:
    """Refuse what belongs to another profile than the locked one, as if it were not there.

    Raises:
        ProfileLockedError: If it is the list of profiles.
        RunNotFoundError, JobNotFoundError: If it is of another profile.
    """
    if not profiles.is_locked(tx, user):
        return
    if profiles.NAME in (named.get("module"), named.get("resource")):
        raise ProfileLockedError
    chosen = profiles.chosen(tx, user)
    if (job := named.get("job")) is not None:
        found = jobs.of_owner(tx, job, user)
        if found is not None and found.profile != chosen:
            raise JobNotFoundError(job)
    run = named.get("run")
    plugin = site.plugins.table.by_module.get(named.get("module", ""))
    try:
        if run is not None:
            row = lookups.by_id(tx, run, user, deleted=True)
        elif plugin is not None and plugin.app is not None and "key" in named:
            row = lookups.by_key(tx, plugin.app.name, named["key"], user)
        else:
            return
    except RunNotFoundError:
        return  # The page itself says so, in its own way.
    if row.profile != chosen:
        raise RunNotFoundError(row.key)
