"""The list of jobs, and the page of one: how it stands, what it said, what can be done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from pipulate._clock import from_text
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow, Line
from pipulate.storage.ledger import RunRow
from pipulate.ui.html import (
    Html,
    a,
    button,
    code,
    dd,
    div,
    dl,
    dt,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    label,
    li,
    nav,
    noscript,
    ol,
    option,
    p,
    progress,
    section,
    select,
    small,
    span,
    strong,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
)
from pipulate.ui.job import again_words, for_author, how_far, how_much, left, partial_of, silence
from pipulate.ui.schedules import ScheduleLine, schedules_section
from pipulate.ui.words import count, duration, moment

ADDRESS: Final = "/-/jobs"
SCHEDULED: Final = "scheduled"
WORDS: Final = {
    jobs.RUNNING: "Running",
    jobs.QUEUED: "Queued",
    jobs.PARKED: "Waiting for you",
    jobs.FAILED: "Failed",
    jobs.DONE: "Done",
    jobs.CANCELLED: "Cancelled",
}
_TABS: Final = {"": "All", **WORDS, SCHEDULED: "Scheduled"}
_NONE: Final = {
    "": "There are no jobs here. Steps that take long show up as jobs while they run, and stay for a while after.",
    jobs.RUNNING: "Nothing is running.",
    jobs.QUEUED: "Nothing waits for its turn.",
    jobs.PARKED: "Nothing waits for you.",
    jobs.FAILED: "Nothing has failed.",
    jobs.DONE: "Nothing is done yet.",
    jobs.CANCELLED: "Nothing was cancelled.",
    SCHEDULED: "Nothing is scheduled.",
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which jobs a list shows.

    Attributes:
        status: One of `storage.jobs.STATUSES`, `SCHEDULED`, or "" for all.
        app: Stored name of an app, or "" for all.
        is_everywhere: Whether the jobs of all profiles are shown.
        before: Moment and id of the last job of the page before, or None.
    """

    status: str = ""
    app: str = ""
    is_everywhere: bool = False
    before: tuple[str, str] | None = None

    @property
    def address(self) -> str:
        """Address of the list."""
        given = {
            "status": self.status, "app": self.app, "profile": "all" if self.is_everywhere else "",
            "before": "_".join(self.before or ()),
        }  # fmt: skip
        query = urlencode({name: text for name, text in given.items() if text})
        return f"{ADDRESS}?{query}" if query else ADDRESS


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of jobs besides their rows.

    Attributes:
        runs: Run id -> run; those of other people are left out.
        addresses: Run id -> address; those in the bin have none.
        profiles: Profile id -> name.
        apps: Stored app name -> title.
    """

    runs: Mapping[str, RunRow] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, str] = field(default_factory=dict)
    apps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobList:
    """A list of jobs to show.

    Attributes:
        chosen: Which.
        counts: Status, or `SCHEDULED` -> how many; for the chosen app and profiles.
        choices: Stored names of the apps to choose from.
        open, ended: The jobs, newest first. One list of one status stands in `ended`.
        schedules: What is done again and again, where that was chosen.
        has_older: Whether there are more than those in `ended`.
        known: What is known of them besides.
        is_alone: Whether one profile is shown alone, so that there is no way to all of them.
    """

    chosen: Chosen
    counts: Mapping[str, int]
    choices: Sequence[str] = ()
    open: Sequence[JobRow] = ()
    ended: Sequence[JobRow] = ()
    schedules: Sequence[ScheduleLine] = ()
    has_older: bool = False
    known: Known = field(default_factory=Known)
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class JobPage:
    """A job to show.

    Attributes:
        row: Its row.
        lines: The newest lines of its log, oldest first.
        parts: How many of its parts are finished.
        known: What is known of it besides.
    """

    row: JobRow
    lines: Sequence[Line]
    parts: int
    known: Known


# The list


def jobs_page(shown: JobList, now: datetime) -> Html:
    """Return the page with the list."""
    return join(
        header(
            h1("Jobs"),
            p("Work that goes on by itself, whether or not its page is open.", class_="lead"),
            class_="page-head",
        ),
        jobs_list(shown, now),
    )


def jobs_list(shown: JobList, now: datetime) -> Html:
    """Return the list itself, which the page asks for again when jobs change."""
    return div(
        _tabs(shown),
        _filters(shown),
        *_content(shown, now),
        id="jobs",
        data_jobs=shown.chosen.address,
        data_moves=any(row.status == jobs.RUNNING for row in (*shown.open, *shown.ended)),
    )


def _tabs(shown: JobList) -> Html:
    total = sum(number for status, number in shown.counts.items() if status != SCHEDULED)
    return nav(
        (
            a(
                words, " ", span(f"{shown.counts.get(status, 0) if status else total:,}", class_="number"),
                href=replace(shown.chosen, status=status, before=None).address,
                aria_current="page" if status == shown.chosen.status else None,
            )
            for status, words in _TABS.items()
        ),
        class_="tabs",
        aria_label="Jobs by status",
    )  # fmt: skip


def _filters(shown: JobList) -> Html:
    chosen = shown.chosen
    choices = sorted({*shown.choices, *([chosen.app] if chosen.app else [])})
    everywhere = replace(chosen, is_everywhere=not chosen.is_everywhere, before=None).address
    return form(
        input_(type="hidden", name="status", value=chosen.status) if chosen.status else None,
        input_(type="hidden", name="profile", value="all") if chosen.is_everywhere else None,
        label("App", for_="jobs-app"),
        select(
            option("All apps", value=""),
            (
                option(shown.known.apps.get(name, name), value=name, selected=name == chosen.app, dir="auto")
                for name in choices
            ),
            id="jobs-app",
            name="app",
        ),
        noscript(button("Show", class_="secondary")),
        a("Only this profile" if chosen.is_everywhere else "All profiles", href=everywhere, class_="button quiet")
        if not shown.is_alone
        else None,
        method="get",
        action=ADDRESS,
        class_="job-filters",
        data_sends_itself=True,
    )


def _content(shown: JobList, now: datetime) -> Iterator[Html]:
    if shown.chosen.status == SCHEDULED:
        yield schedules_section(shown.schedules, now)
        return
    if shown.open:
        yield section(h2("Open"), _table(shown, shown.open, now), class_="recent")
    if shown.ended:
        heading = None if shown.chosen.status else h2("Ended")
        yield section(heading, _table(shown, shown.ended, now), class_="recent")
    if not shown.open and not shown.ended:
        yield p(_nothing(shown), class_="none")
    newer = replace(shown.chosen, before=None)
    if shown.has_older or shown.chosen.before:
        last = shown.ended[-1] if shown.ended else None
        older = replace(shown.chosen, before=(last.asked_at, last.id)).address if last and shown.has_older else None
        yield p(
            a("Newest jobs", href=newer.address, class_="button quiet") if shown.chosen.before else None,
            a("Older jobs", href=older, class_="button quiet") if older else None,
        )


def _nothing(shown: JobList) -> str:
    words = _NONE[shown.chosen.status]
    chosen = shown.chosen
    if chosen.before:
        return "There are no older ones."
    if chosen.app:
        return f"{words.partition('. ')[0].removesuffix('.')}, of this app. Choose all apps to see the others."
    return words


def _table(shown: JobList, rows: Sequence[JobRow], now: datetime) -> Html:
    return table(
        thead(tr(th(name, scope="col") for name in ("Job", "Status", "When", ""))),
        tbody(
            table_rows(
                (
                    (_name(row, shown), _status(row, now), _when(row, now), _actions(row))
                    for row in rows
                ),
                ("job", "state", "when", "row-actions"),
            )
        ),
        class_="runs jobs",
    )  # fmt: skip


def _name(row: JobRow, shown: JobList) -> Html:
    known = shown.known
    profile = known.profiles.get(row.profile, row.profile) if shown.chosen.is_everywhere else None
    address = known.addresses.get(row.run or "")
    return div(
        a(row.title, href=address, class_="title", dir="auto") if address else span(row.title, dir="auto"),
        small(" ", _run_words(row, known), dir="auto") if row.run else None,
        small(" · ", profile, dir="auto") if profile else None,
        id=f"row-{row.id}",
    )


def _run_words(row: JobRow, known: Known) -> str:
    run = known.runs.get(row.run or "")
    if run is None:
        return "run not there any more"
    return f"{run.key} (in the bin)" if run.deleted_at else run.key


def _status(row: JobRow, now: datetime) -> Html:
    failed = " failed" if row.status == jobs.FAILED else ""
    return join(
        span(status_words(row), class_=f"job-state{failed}"),
        small(f" attempt {row.attempt}") if row.attempt > 1 else None,
        _how_far(row) if row.status == jobs.RUNNING else None,
        _reason(row),
        p(silence(row, now), class_="problem", role="alert") if silence(row, now) else None,
    )


def _how_far(row: JobRow) -> Html | None:
    """Return what a job is at; unlike on its own page it is not read aloud with every step."""
    total, done, text = row.done.get("total"), row.done.get("done", 0), str(row.done.get("text") or "")
    if not total:
        return p(text, class_="working", dir="auto") if text else None
    words = f"{how_much(row)}{left(row.done.get('left_s'))}"
    return p(
        span(f"{text}: " if text else "", dir="auto"), words,
        progress(max=total, value=min(done, total), aria_label=f"{row.title}: {words}"),
        class_="working",
    )  # fmt: skip


def status_words(row: JobRow) -> str:
    """Return how a job stands."""
    if row.stop and row.is_open:
        return "Stopping"
    return WORDS[row.status]


def _reason(row: JobRow, class_: str = "help") -> Html | None:
    """Return why a job is not done, where its status does not say that already."""
    if not row.reason or f"{WORDS[row.status]}." == row.reason:
        return None
    before = "The last attempt failed: " if row.status == jobs.QUEUED else ""
    return p(before, row.reason, class_=class_, dir="auto")


def _when(row: JobRow, now: datetime) -> Html:
    if row.ended_at is not None:
        return join(moment(row.ended_at, now), small(" took ", duration(_took(row, now))))
    if row.status == jobs.RUNNING and row.started_at is not None:
        return join("since ", moment(row.started_at, now), small(" for ", duration(_took(row, now))))
    if _next_try(row, now):
        return join("next try at " if row.attempt > 1 else "not before ", moment(row.start_at or "", now))
    return join("asked for ", moment(row.asked_at, now))


def _next_try(row: JobRow, now: datetime) -> bool:
    return row.status == jobs.QUEUED and row.start_at is not None and from_text(row.start_at) > now


def _took(row: JobRow, now: datetime) -> float:
    """Return for how many seconds a job has been at work, or was."""
    if row.started_at is None:
        return 0.0
    until = from_text(row.ended_at) if row.ended_at is not None else now
    return (until - from_text(row.started_at)) / timedelta(seconds=1)


def _actions(row: JobRow) -> Html:
    words = again_words(row)
    return join(
        _post(row, words, "retry", "quiet") if words else None,
        _post(row, "Cancel", "cancel", "quiet") if row.is_open and not row.stop else None,
        a("Details", span(f" of {row.title}", class_="visually-hidden"), href=f"{ADDRESS}/{row.id}",
          class_="button quiet"),
    )  # fmt: skip


def _post(row: JobRow, words: str, name: str, kind: str) -> Html:
    address = f"{ADDRESS}/{row.id}/{name}"
    return form(
        button(words, span(f" {row.title}", class_="visually-hidden"), class_=kind),
        method="post",
        action=address,
        hx_post=address,
        hx_swap="none",
        id=f"{name}-{row.id}",
    )


# The page of one


def job_page(page: JobPage, now: datetime) -> Html:
    """Return the page of a job."""
    row = page.row
    return join(
        header(
            p(a("Jobs", href=ADDRESS), class_="crumbs"),
            h1(row.title, dir="auto"),
            class_="page-head",
        ),
        job_part(page, now),
        section(
            h2("Log"),
            p("The newest 1,000 lines.", class_="help") if len(page.lines) >= jobs.LINES_MAX else None,
            ol(
                log_lines(page.lines, now),
                class_="job-log whole",
                tabindex="0",
                aria_label="Log",
                data_log=f"{ADDRESS}/{row.id}/log",
            ),
            p("Nothing was logged.", class_="none"),
            class_="recent",
        ),
    )


def job_part(page: JobPage, now: datetime) -> Html:
    """Return how a job stands, which its page asks for again when that changes."""
    row, words = page.row, again_words(page.row)
    return div(
        div(
            strong(
                status_words(row), class_=f"job-state{' failed' if row.status == jobs.FAILED else ''}", role="status"
            ),
            _post(row, words, "retry", "primary") if words else None,
            _post(row, "Cancel", "cancel", "secondary") if row.is_open and not row.stop else None,
            class_="job-head",
        ),
        how_far(row) if row.status in (jobs.RUNNING, jobs.QUEUED) else None,
        p(silence(row, now), class_="problem", role="alert") if silence(row, now) else None,
        _reason(row, class_="reason"),
        dl(((dt(name), dd(value)) for name, value in _facts(page, now)), class_="job-facts"),
        _so_far(row),
        _for_author(row),
        id="job",
        data_jobs=f"{ADDRESS}/{row.id}",
        data_moves=row.status == jobs.RUNNING,
    )


def _facts(page: JobPage, now: datetime) -> Iterator[tuple[str, Any]]:
    row, known = page.row, page.known
    if row.run:
        words = _run_words(row, known)
        address = known.addresses.get(row.run)
        yield "Run", a(words, href=address, dir="auto") if address else words
    if row.app:
        yield "App", span(known.apps.get(row.app, row.app), dir="auto")
    yield "Profile", span(known.profiles.get(row.profile, row.profile), dir="auto")
    yield "Asked for", moment(row.asked_at, now)
    if _next_try(row, now):
        yield "Next try" if row.attempt > 1 else "Not before", moment(row.start_at or "", now)
    if row.started_at is not None:
        yield "Started", moment(row.started_at, now)
        if row.ended_at is not None:
            yield "Ended", moment(row.ended_at, now)
        yield "Took" if row.ended_at is not None else "For", duration(_took(row, now))
    yield "Attempt", attempts(row)
    if page.parts:
        yield "Finished", f"{count(page.parts, 'part')}, not to be done again"
    yield "Id", code(row.id)


def attempts(row: JobRow) -> str:
    """Return which attempt it is, and how many are made by themselves."""
    return f"{row.attempt}, with up to {count(row.retries, 'retry', 'retries')}" if row.retries else str(row.attempt)


def _so_far(row: JobRow) -> Html | None:
    shown = partial_of(row) if row.status != jobs.DONE else None
    return section(h2("So far"), shown, class_="so-far recent") if shown is not None else None


def _for_author(row: JobRow) -> Html | None:
    if row.error_id is None:
        return None
    said = p("The server's log has this under the id ", strong(row.error_id), ".", class_="help")
    return join(said, for_author(row))


def log_lines(lines: Sequence[Line], now: datetime) -> Html:
    """Return lines of a log as items of its list; each has its number, from which the page asks for more."""
    return join(li(moment(line.at, now), " ", span(line.text, dir="auto"), data_seq=line.seq) for line in lines)
