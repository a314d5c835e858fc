"""The list of jobs, the page of one, and what a person does with them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate.errors import JobNotFoundError, JobStatusError
from pipulate.storage import jobs, lookups, messages, profiles, schedules
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow, Line
from pipulate.storage.ledger import RunRow
from pipulate.storage.schedules import ScheduleRow
from pipulate.ui.frame import jobs_link
from pipulate.ui.jobs import SCHEDULED, Chosen, JobList, JobPage, Known, job_page, job_part, jobs_list, jobs_page
from pipulate.ui.jobs import log_lines as drawn_lines
from pipulate.web.runpage import elsewhere
from pipulate.web.schedules import lines
from pipulate.web.site import Facts, Visit, part

PAGE = 50
"""Jobs on a page of the list."""

_ENDED = tuple(each for each in jobs.STATUSES if each not in jobs.OPEN)
_BEFORE = re.compile(r"([0-9TZ:.-]{20,32})_([0-9a-zA-Z-]{1,64})")


async def listed(visit: Visit) -> Response:
    """Return the list of jobs with its page, or the list alone where our own script brings it up to date."""
    chosen = _chosen(visit)
    facts = await visit.facts(messages.general(visit.who.actor))
    if facts.is_locked:
        chosen = replace(chosen, is_everywhere=False)
    found = await visit.site.db.read(_found, visit.who.actor, chosen, facts.profile)
    shown = _shown(visit, chosen, found, facts)
    if chosen.status == SCHEDULED:
        every = await lines(visit, None if chosen.is_everywhere else facts.profile)
        shown = replace(shown, schedules=[line for line in every if chosen.app in ("", line.row.app)])
    if visit.is_htmx:
        return visit.packed(jobs_list(shown, visit.now))
    return await visit.page("Jobs", jobs_page(shown, visit.now), facts=facts)


async def active(visit: Visit) -> Response:
    """Return the way to the jobs with how many are under way, as it stands in the bar of every page."""
    return part(jobs_link(await visit.site.db.read(jobs.active, visit.who.actor)))


async def show(visit: Visit) -> Response:
    """Return the page of a job, or how it stands alone where our own script brings it up to date."""
    job, actor = visit.request.path_params["job"], visit.who.actor
    row, lines, parts, runs, names = await visit.site.db.read(_job, job, actor, with_lines=not visit.is_htmx)
    facts = await visit.facts(messages.general(actor))
    page = JobPage(row, lines, parts, _known(visit, runs, names, [row.app] if row.app else []))
    if visit.is_htmx:
        return visit.packed(job_part(page, visit.now))
    return await visit.page(row.title, job_page(page, visit.now), facts=facts)


async def log(visit: Visit) -> Response:
    """Return the lines of a job's log after a number."""
    after = visit.query_number("after") or 0
    lines = await visit.site.db.read(_lines, visit.request.path_params["job"], visit.who.actor, after)
    return part(drawn_lines(lines, visit.now))


async def cancel(visit: Visit) -> Response:
    """Ask for a job to be cancelled; one under way stops at its next checkpoint."""
    row = await cancelled(visit, visit.request.path_params["job"])
    return _done(visit, "It stops at its next checkpoint." if row.is_open else "Cancelled.")


async def retry(visit: Visit) -> Response:
    """Ask for a job that failed, was cancelled or waits for a person once more, with the code there is now."""
    await retried(visit, visit.request.path_params["job"])
    return _done(visit, "Queued.")


async def cancelled(visit: Visit, job: str) -> JobRow:
    """Ask for a job to be cancelled.

    Raises:
        JobNotFoundError: If the person has no such job.
        JobStatusError: If it has ended.
    """
    row = await visit.site.db.read(own, job, visit.who.actor)
    asked = await visit.site.engine.background.jobs.cancel(row.id, visit.who.actor)
    if asked is None:
        raise JobStatusError(row.status, "Only one that has not ended can be cancelled.")
    return asked


async def retried(visit: Visit, job: str) -> JobRow:
    """Ask for a job once more.

    Raises:
        JobNotFoundError: If the person has no such job.
        JobStatusError: If it is not one to be tried again.
    """
    row = await visit.site.db.read(own, job, visit.who.actor)
    asked = await visit.site.engine.background.resume(row, visit.who)
    if asked is None:
        raise JobStatusError(row.status, "Only one that failed, was cancelled or waits for you can be tried again.")
    return asked


def own(tx: Transaction, job: str, owner: str) -> JobRow:
    """Return a job of a person's.

    Raises:
        JobNotFoundError: If they have no such job.
    """
    row = jobs.of_owner(tx, job, owner)
    if row is None:
        raise JobNotFoundError(job)
    return row


def _done(visit: Visit, said: str) -> Response:
    if visit.is_htmx:  # The page brings up to date what it shows of jobs, and reads out what was done.
        return Response(status_code=204, headers={"hx-trigger": json.dumps({"pipulate:job": {"said": said}})})
    return elsewhere(visit, visit.back())


def _chosen(visit: Visit) -> Chosen:
    query = visit.request.query_params
    status, before = query.get("status", ""), _BEFORE.fullmatch(query.get("before", ""))
    if status not in ("", SCHEDULED, *jobs.STATUSES) or ("before" in query and before is None):
        raise HTTPException(400, "There is no such list of jobs.")
    return Chosen(status, query.get("app", "")[:200], query.get("profile") == "all", before and (before[1], before[2]))


class _Found(NamedTuple):
    """What the store has for a list: how many by app and status, the jobs, their runs, the schedules."""

    counts: Mapping[tuple[str | None, str], int]
    open: list[JobRow]
    ended: list[JobRow]
    runs: Mapping[str, RunRow]
    schedules: list[ScheduleRow]
    profiles: Mapping[str, str]


def _found(tx: Transaction, actor: str, chosen: Chosen, profile: str) -> _Found:
    of = None if chosen.is_everywhere else profile
    planned = [row for row in schedules.of_owner(tx, actor, of) if chosen.app in ("", row.app)]
    counts = jobs.counted(tx, actor, profile=of)
    app = chosen.app or None
    is_first = not chosen.status and chosen.before is None
    still, ended = list[JobRow](), list[JobRow]()
    if is_first:
        still = jobs.listed(tx, actor, profile=of, statuses=jobs.OPEN, app=app, limit=PAGE)
    if chosen.status != SCHEDULED:
        statuses = (chosen.status,) if chosen.status else _ENDED
        ended = jobs.listed(
            tx, actor, profile=of, statuses=statuses, app=app, before=chosen.before, limit=PAGE + 1
        )  # fmt: skip
    runs = lookups.by_ids(tx, {row.run for row in (*still, *ended) if row.run}, actor)
    return _Found(counts, still, ended, runs, planned, profiles.names(tx))


def _shown(visit: Visit, chosen: Chosen, found: _Found, facts: Facts) -> JobList:
    counts = {SCHEDULED: len(found.schedules)}
    for (app, status), number in found.counts.items():
        if chosen.app in ("", app):
            counts[status] = counts.get(status, 0) + number
    apps = sorted({app for app, _ in found.counts if app})
    named = {*apps, *(row.app for row in found.schedules)}
    return JobList(
        chosen, counts, apps, found.open, found.ended[:PAGE], has_older=len(found.ended) > PAGE,
        known=_known(visit, found.runs, found.profiles, named), is_alone=facts.is_locked,
    )  # fmt: skip


def _known(visit: Visit, runs: Mapping[str, RunRow], names: Mapping[str, str], apps: Collection[str]) -> Known:
    site = visit.site
    titles = {name: titled.title for name in apps if (titled := site.titles_of(name)) is not None}
    addresses = {run: site.address_of(row) for run, row in runs.items() if row.deleted_at is None}
    return Known(runs, addresses, names, titles)


def _job(
    tx: Transaction, job: str, actor: str, *, with_lines: bool
) -> tuple[JobRow, list[Line], int, dict[str, RunRow], dict[str, str]]:
    row = own(tx, job, actor)
    lines = jobs.lines(tx, row.id) if with_lines else []
    runs = lookups.by_ids(tx, [row.run] if row.run else [], actor)
    return row, lines, jobs.parts(tx, row.id), runs, profiles.names(tx)


def _lines(tx: Transaction, job: str, actor: str, after: int) -> list[Line]:
    return jobs.lines(tx, own(tx, job, actor).id, after=after)
