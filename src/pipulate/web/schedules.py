"""The pages and actions of schedules."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from zoneinfo import available_timezones

from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipulate.errors import RunNotFoundError, ScheduleRefusedError, StepFailedError
from pipulate.jobs import crons
from pipulate.storage import lookups, messages, schedules
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import RunRow
from pipulate.storage.schedules import Given, ScheduleRow
from pipulate.ui.html import Html
from pipulate.ui.schedules import (
    PRESETS,
    Repeated,
    ScheduleForm,
    ScheduleLine,
    new_schedule_page,
    schedules_page,
    when_part,
)
from pipulate.web.runpage import elsewhere
from pipulate.web.site import Visit, part
from pipulate.workflows.unattended import answers_of, missing_app
from pipulate.workflows.work import RunView

LIST = "/-/schedules"
_SHOWN = 5
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::[0-5][0-9])?")


async def listed(visit: Visit) -> Response:
    """Return the list of schedules."""
    facts = await visit.facts(messages.general(visit.who.actor))
    removed = await _removed(visit)
    notice = "It is being done already." if "busy" in visit.request.query_params else ""
    content = schedules_page(await lines(visit, facts.profile), visit.now, removed=removed, notice=notice)
    return await visit.page("Schedules", content, facts=facts)


async def lines(visit: Visit, profile: str | None = None) -> list[ScheduleLine]:
    """Return a person's schedules as lists show them."""
    rows, last, found = await visit.site.db.read(_read, visit.who.actor, profile)
    return [_line(visit, row, last.get(row.id), found.get(row.id)) for row in rows]


def _read(
    tx: Transaction, owner: str, profile: str | None
) -> tuple[list[ScheduleRow], dict[str, JobRow], dict[str, RunRow]]:
    rows = schedules.of_owner(tx, owner, profile)
    last = schedules.last_jobs(tx, rows)
    found: dict[str, RunRow] = {}
    for schedule, job in last.items():
        if job.run is not None:
            try:
                found[schedule] = lookups.by_id(tx, job.run, owner)
            except RunNotFoundError:  # It is in the bin.
                continue
    return rows, last, found


def _line(visit: Visit, row: ScheduleRow, last: JobRow | None, run: RunRow | None) -> ScheduleLine:
    try:
        cron = crons.read(row.cron, row.zone)
        words, zone = cron.in_words, cron.zone
    except ScheduleRefusedError as error:
        words, zone = str(error), None
    app = visit.site.titles_of(row.app)
    return ScheduleLine(
        row, app.title if app else row.app, words, zone, missing_app(visit.site.engine, row.app), last,
        visit.site.address_of(run) if run else None, run.key if run else "",
    )  # fmt: skip


async def _removed(visit: Visit) -> str:
    """Return the id of the schedule that the address says was removed, where it can be put back."""
    wanted = visit.request.query_params.get("removed", "")
    row = await visit.site.db.read(schedules.find, wanted) if wanted else None
    return row.id if row is not None and row.owner == visit.who.actor and row.removed_at is not None else ""


# Making one


async def new(visit: Visit) -> Response:
    """Return the page where a run is put on a schedule; do so."""
    sent = await visit.form() if visit.request.method == "POST" else visit.request.query_params
    run = _last_of(sent, "run")
    if not run:
        return await visit.page("Schedules", schedules_page([], visit.now))
    view = await visit.site.engine.view(run, visit.who)
    try:
        answers = await answers_of(visit.site.engine, view) if view.workflow else {}
        refusal = missing_app(visit.site.engine, view.row.app)
    except (ScheduleRefusedError, StepFailedError) as error:
        answers, refusal = {}, str(error)
    typed = _typed(sent, view)
    if refusal or visit.request.method != "POST" or "show" in sent:
        return await _new_page(visit, view, answers, typed, refusal)
    try:
        await visit.site.scheduler.add(
            title=typed.title, app=view.row.app, owner=visit.who.actor, profile=view.row.profile,
            cron=cron_of(typed), zone=typed.zone, answers=answers, locks=typed.locks,
        )  # fmt: skip
    except ScheduleRefusedError as error:
        typed = replace(typed, problems={error.field: error.reason})
        return await _new_page(visit, view, answers, typed, refusal, status=422)
    return elsewhere(visit, LIST)


async def when(visit: Visit) -> Response:
    """Return what the form of a new schedule means, while it is filled in."""
    content = _when(visit, _typed(visit.request.query_params, None))
    return part(content) if visit.is_htmx else await visit.page("When", content)


async def _new_page(
    visit: Visit,
    view: RunView,
    answers: Mapping[str, Given | None],
    typed: ScheduleForm,
    refusal: str,
    *,
    status: int = 200,
) -> Response:
    steps = view.workflow.steps if view.workflow else ()
    shorts = {
        step.title: "(skipped)" if answers[step.name] is None else view.state.steps[step.name].short or "(nothing)"
        for step in steps
        if step.name in answers
    }
    run = Repeated(view.row.id, view.row.key, visit.site.address_of(view.row), view.title, shorts, refusal)
    content = new_schedule_page(run, typed, _zones(), _when(visit, typed))
    return await visit.page("Repeat on a schedule", content, status=422 if refusal else status)


def _when(visit: Visit, typed: ScheduleForm) -> Html:
    try:
        cron = crons.read(cron_of(typed), typed.zone)
        return when_part(cron.in_words, typed.zone, cron.upcoming(visit.now, _SHOWN))
    except ScheduleRefusedError as error:
        return when_part("", "", (), str(error))


def cron_of(typed: ScheduleForm) -> str:
    """Return the cron text for what was chosen.

    Raises:
        ScheduleRefusedError: If the time is none.
    """
    if typed.kind == "cron":
        return typed.cron
    clock = _TIME.fullmatch(typed.time.strip())
    if clock is None:
        raise ScheduleRefusedError("time", "Give a time like 07:00.")
    if typed.kind == "month" and not re.fullmatch(r"[0-9]{1,2}", typed.day.strip()):
        raise ScheduleRefusedError("day", "Give a day of the month, 1 to 31.")
    days = {"weekdays": "* * 1-5", "week": f"* * {typed.weekday}", "month": f"{typed.day.strip()} * *"}
    return f"{int(clock[2])} {int(clock[1])} {days.get(typed.kind, '* * *')}"


def _typed(sent: Mapping[str, object], view: RunView | None) -> ScheduleForm:
    """Return what a form sent, or what it starts with."""
    start = ScheduleForm(title=_start_of(view.title) if view else "", zone=crons.local_zone())
    kind = _last_of(sent, "kind") or start.kind
    return ScheduleForm(
        title=_last_of(sent, "title", start.title),
        kind=kind if kind in PRESETS else start.kind,
        time=_last_of(sent, "time", start.time),
        weekday=_last_of(sent, "weekday", start.weekday),
        day=_last_of(sent, "day", start.day),
        cron=_last_of(sent, "cron", start.cron),
        zone=_last_of(sent, "zone", start.zone).strip(),
        locks=bool(_last_of(sent, "locks")),
        is_zone_guessed="zone" not in sent,
    )


def _last_of(sent: Mapping[str, object], name: str, otherwise: str = "") -> str:
    """Return a field of a form or of an address."""
    value = sent.get(name, otherwise)
    return str(value[-1]) if isinstance(value, list) else str(value)


def _start_of(title: str) -> str:
    return title[:60].strip()


@functools.cache
def _zones() -> Sequence[str]:
    return sorted(available_timezones())


# What is done to one


async def pause(visit: Visit) -> Response:
    """Pause a schedule."""
    return _done(visit, await visit.site.scheduler.pause(_named(visit), visit.who.actor, paused=True))


async def resume(visit: Visit) -> Response:
    """Let a schedule go on."""
    return _done(visit, await visit.site.scheduler.pause(_named(visit), visit.who.actor, paused=False))


async def run_now(visit: Visit) -> Response:
    """Do once more what a schedule does, now."""
    row = await visit.site.db.read(schedules.find, _named(visit))
    if row is None or row.owner != visit.who.actor or row.removed_at is not None:
        raise HTTPException(404)
    job = await visit.site.scheduler.run_now(row.id, visit.who.actor)
    return elsewhere(visit, LIST if job is not None else f"{LIST}?busy=1")


async def delete(visit: Visit) -> Response:
    """Remove a schedule, and offer to put it back."""
    schedule = _named(visit)
    return _done(visit, await visit.site.scheduler.remove(schedule, visit.who.actor), f"{LIST}?removed={schedule}")


async def undelete(visit: Visit) -> Response:
    """Put a schedule back."""
    return _done(visit, await visit.site.scheduler.put_back(_named(visit), visit.who.actor))


def _named(visit: Visit) -> str:
    return str(visit.request.path_params["schedule"])


def _done(visit: Visit, is_done: bool, address: str = LIST) -> Response:
    if not is_done:
        raise HTTPException(404)
    return elsewhere(visit, address)
