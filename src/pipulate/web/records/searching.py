"""Records among what the search of the whole application finds."""

from __future__ import annotations

from pipulate.crud.links import called
from pipulate.errors import TableDiffersError
from pipulate.storage import profiles
from pipulate.storage.records.queries import Query
from pipulate.ui.lists import Hit
from pipulate.web.records.shared import landing, owner
from pipulate.web.site import Visit

EACH = 3
"""Records of one table; the list itself finds more."""

MOST = 10


async def records_with(visit: Visit, words: str, *, is_locked: bool) -> list[Hit]:
    """Return records of the profile that is chosen which have some words in them; while it is locked, no profiles."""
    found: list[Hit] = []
    if not words:
        return found
    for resource in sorted(visit.site.records.resources.values(), key=lambda each: each.order_in_menu):
        if len(found) >= MOST:
            break
        if is_locked and resource.name == profiles.NAME:
            continue
        try:
            query = Query(await owner(visit, resource), words.replace("\0", ""))
            listing = await visit.site.records.page(resource, query, limit=EACH)
        except TableDiffersError:
            continue  # Its own page says what to do about it.
        address = landing(visit, resource)
        found += [Hit(resource.title, called(resource, each), f"{address}/{each.id}") for each in listing.records]
    return found[:MOST]
