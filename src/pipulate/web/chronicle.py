"""The page with all that a person did and was told."""

from __future__ import annotations

import re

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate.storage import chronicle, messages, profiles
from pipulate.storage.chronicle import KINDS, Line, Place, Said, Wanted
from pipulate.storage.database import Transaction
from pipulate.storage.journal import storable
from pipulate.storage.ledger import RunRow
from pipulate.ui.chronicle import Chosen, Chronicle, chronicle_page
from pipulate.web.site import Facts, Site, Visit

_WORDS_MAX = 200
_NUMBER = re.compile(r"[0-9]{10}")


async def show(visit: Visit) -> Response:
    """Return a page of it: what the address asks for."""
    chosen, before = _asked(visit)
    facts = await visit.facts(messages.general(visit.who.actor))
    if facts.is_locked:
        chosen = Chosen(chosen.kind, chosen.words)
    (lines, older), names = await visit.site.db.read(_read, visit.who.actor, _wanted(visit.site, chosen, facts, before))
    site = visit.site
    runs = [run for line in lines if (run := _run_of(line)) is not None]
    shown = Chronicle(
        chosen, lines, older, {run.id: site.address_of(run) for run in runs}, site.workflows(), site.names().tables,
        names, facts.is_locked,
    )  # fmt: skip
    return await visit.page("History", chronicle_page(shown, visit.who.actor, visit.now), facts=facts)


def _asked(visit: Visit) -> tuple[Chosen, Place | None]:
    query = visit.request.query_params
    kind = next((each for each in KINDS if each == query.get("kind")), None)
    if query.get("kind", "") != (kind or ""):
        raise HTTPException(400, "There is no such list.")
    chosen = Chosen(kind, storable(query.get("find", "")[:_WORDS_MAX]), query.get("profile") == "all")
    return chosen, _place(query["before"]) if "before" in query else None


def _place(text: str) -> Place:
    """Return where a page ended, as the address of the next one says it."""
    at, _, rest = storable(text).partition("~")
    named, _, id_ = rest.partition("~")
    kind = next((each for each in KINDS if each == named), None)
    number = id_.rpartition(" ")[2]
    if kind is None or (kind == "message" and not _NUMBER.fullmatch(number)):
        raise HTTPException(400, "There is no such list.")
    return Place(at, kind, id_)


def _wanted(site: Site, chosen: Chosen, facts: Facts, before: Place | None) -> Wanted:
    words = chosen.words.casefold()
    tables = [each.name for each in site.records.resources.values() if words and words in each.title.casefold()]
    profile = None if chosen.is_everywhere else facts.profile
    return Wanted(chosen.kind, profile, chosen.words, tables, facts.is_locked, before)


def _read(tx: Transaction, user: str, wanted: Wanted) -> tuple[tuple[list[Line], Place | None], dict[str, str]]:
    return chronicle.listed(tx, user, wanted), profiles.names(tx)


def _run_of(line: Line) -> RunRow | None:
    of = line.of
    return of if isinstance(of, RunRow) else of.run if isinstance(of, Said) else None
