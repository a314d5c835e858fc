"""The job of a step, as the page of its run shows it: how far it is, what it has said, and what can be done with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

from pipulate._clock import from_text
from pipulate._program import program
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow, Line
from pipulate.ui.html import Html, code, div, join, li, ol, p, progress, strong
from pipulate.ui.results import result
from pipulate.ui.words import count, moment
from pipulate.workflows.asking import JobView

_PLACE = re.compile(r'File "([^"]+)", line ([0-9]+)')
SILENT = timedelta(seconds=45)
"""Time without a sign of life after which people are told."""


def working(job: JobView, now: datetime) -> Html:
    """Return how an open job stands."""
    return join(how_far(job.row), news(job, now))


def how_far(row: JobRow) -> Html:
    """Return what a job is at, with a bar; the page moves it as it goes."""
    done = row.done
    total, text = done.get("total"), str(done.get("text") or "")
    if row.status == jobs.QUEUED:
        words = "Waits for its turn …"
    elif total:
        words = f"{text or 'Working'} ({how_much(row)}){left(done.get('left_s'))}"
    else:
        words = text or "Working …"
    bar = progress(max=total, value=min(done.get("done", 0), total)) if total else progress()
    shows_bar = row.status == jobs.RUNNING
    return p(words, bar if shows_bar else None, class_="working", role="status", data_progress=row.step or "")


def how_much(row: JobRow) -> str:
    """Return how much of a job is done that said how much there is."""
    return f"{number(row.done.get('done', 0))} of {number(row.done['total'])}"


def again_words(row: JobRow) -> str:
    """Return what the button says that asks for a job once more, "" where it cannot be asked for."""
    if row.status == jobs.PARKED:
        return "Go on"
    return "Try again" if row.status in (jobs.FAILED, jobs.CANCELLED) else ""


def standing(job: JobView, now: datetime) -> Html:
    """Return in one line since when, which attempt, how much is finished, and whether it still gives signs of life."""
    row = job.row
    said: list[Any] = ["Asked for at ", moment(row.asked_at, now)]
    if row.status == jobs.QUEUED and row.start_at is not None and from_text(row.start_at) > now:
        said += [", next attempt ", moment(row.start_at, now)]
    if row.attempt > 1:
        said += [f", attempt {row.attempt}"]
    if job.parts:
        said += [", ", count(job.parts, "part"), " finished"]
    trouble = row.reason if row.status == jobs.QUEUED else ""
    return join(
        p(*said, ".", class_="help"),
        p(f"The last attempt failed: {trouble}", class_="help") if trouble else None,
        p(silence(row, now), role="alert") if silence(row, now) else None,
    )


def silence(row: JobRow, now: datetime) -> str:
    """Return in words that a job has given no sign of life, "" where it has."""
    if row.status != jobs.RUNNING or row.beat_at is None:
        return ""
    since = now - from_text(row.beat_at)
    if since < SILENT:
        return ""
    minutes = count(max(1, round(since / timedelta(minutes=1))), "minute")
    return f"No sign of life for {minutes}. It may still be at work; stop it if it should not take so long."


def news(job: JobView, now: datetime) -> Html:
    """Return what a job has said and what there is so far; the page asks for it again when there is more."""
    shown = partial_of(job.row)
    return div(
        standing(job, now),
        div(shown, class_="so-far") if shown is not None else None,
        lines(job.lines, now) if job.lines else None,
        id=f"job-{job.row.id}",
        class_="job-news",
        data_job=job.row.id,
        data_status=job.row.status,
        hx_get=f"/-/runs/{job.row.run}/steps/{job.row.step}/job",
        hx_trigger="pipulate:news throttle:700ms",
        hx_swap="outerHTML",
        hx_disinherit="*",
    )


def partial_of(row: JobRow) -> Html | None:
    """Return what there is so far, or None."""
    found: Mapping[str, Any] = json.loads(row.partial) if row.partial else {}
    return result(str(found["view"]), found["output"]) if found else None


def lines(said: tuple[Line, ...] | list[Line], now: datetime) -> Html:
    """Return lines of a log."""
    listed = [li(moment(line.at, now), " ", line.text, dir="auto") for line in said]
    return ol(listed, class_="job-log", aria_label="Log", tabindex="0")


def ended(job: JobView) -> Html:
    """Return why a job came to nothing."""
    row = job.row
    kept = f" What was finished is kept ({count(job.parts, 'part')})." if job.parts else ""
    if row.status == jobs.FAILED:
        return join(
            p(row.reason or "This step failed.", kept, role="alert"),
            p("The server's log has the details under the id ", strong(row.error_id), ".", class_="help")
            if row.error_id
            else None,
            for_author(row),
        )
    if row.status == jobs.PARKED:
        return p(row.reason, kept, role="alert")
    return p(f"Stopped. {row.reason}".removesuffix(" Cancelled."), kept, class_="help", role="status")


def for_author(row: JobRow) -> Html | None:
    """Return where the code of an app raised, and the command that prints the traceback: it has no place on a page."""
    if not row.trace:
        return None
    places = _PLACE.findall(row.trace)
    kind = row.trace.rstrip().rsplit("\n", 1)[-1].partition(":")[0].strip()
    where = f"{PurePath(places[-1][0]).name}, line {places[-1][1]}" if places else "the app"
    told = f"For the author: {where} ({kind if kind.replace('.', '').isidentifier() else 'an error'}). "
    return p(told, "The traceback: ", code(f"{program()} jobs show {row.id}"), class_="help", dir="auto")


def left(seconds: float | None) -> str:
    """Return how long something will take yet, as the page says it too."""
    if seconds is None:
        return ""
    if seconds < 60:
        return ", less than a minute left" if seconds > 10 else ", a few seconds left"
    minutes = round(seconds / 60)
    return (
        f", about {count(minutes, 'minute')} left"
        if minutes < 90
        else f", about {count(round(minutes / 60), 'hour')} left"
    )


def number(value: float) -> str:
    """Return a number as people read it."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"
