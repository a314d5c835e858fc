"""Schedules: the list of them, and the page where one is made from a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pipulate.jobs.crons import DAYS
from pipulate.storage.jobs import JobRow
from pipulate.storage.schedules import ScheduleRow
from pipulate.ui.html import (
    Element,
    Html,
    a,
    button,
    div,
    fieldset,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    label,
    legend,
    li,
    ol,
    option,
    p,
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
    time,
    tr,
)
from pipulate.ui.words import moment

datalist = Element("datalist")

PRESETS: Final = {
    "day": "Every day",
    "weekdays": "Every weekday",
    "week": "Every week",
    "month": "Every month",
    "cron": "By a cron text",
}
_LAST: Final = {
    "queued": "begins soon",
    "running": "under way",
    "done": "done",
    "failed": "not done",
    "cancelled": "cancelled",
    "parked": "waits for you",
}


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A schedule as the list shows it.

    Attributes:
        row: The schedule.
        app: What people call its app.
        words: When it is due, or what is wrong with that.
        zone: Its zone, or None where this computer does not know it.
        obstacle: Why its app cannot be run now, or "".
        last: Its newest job, or None.
        address: Address of the run of that job, or None.
        key: Key of that run, or "".
    """

    row: ScheduleRow
    app: str
    words: str
    zone: ZoneInfo | None
    obstacle: str = ""
    last: JobRow | None = None
    address: str | None = None
    key: str = ""


def schedules_page(lines: Sequence[ScheduleLine], now: datetime, *, removed: str = "", notice: str = "") -> Html:
    """Return the page with the list; `removed` is the id of a schedule that can be put back."""
    return join(
        _undo(removed) if removed else None,
        p(notice, class_="bar notice", role="status") if notice else None,
        header(
            h1("Schedules"),
            p("What is done again and again, without anybody there. ", a("All jobs", href="/-/jobs"), class_="lead"),
            class_="page-head",
        ),
        schedules_section(lines, now),
    )


def schedules_section(lines: Sequence[ScheduleLine], now: datetime) -> Html:
    """Return the list of schedules, with what can be done to each."""
    if not lines:
        return p(
            "Nothing is scheduled here. Do a run once, then choose “Repeat on a schedule” in its menu “More”.",
            class_="none",
        )
    return div(
        table(
            thead(tr(th(name, scope="col") for name in ("Schedule", "When", "Next", "Last", ""))),
            tbody(table_rows((_row(line, now) for line in lines), ("key", "", "when", "when", "row-actions"))),
            class_="runs schedules",
        ),
        class_="scroll schedules-list",
    )


def _row(line: ScheduleLine, now: datetime) -> list[Html | str | None]:
    row = line.row
    return [
        join(span(row.title, dir="auto"), small(f" {line.app}")),
        join(
            span(line.words),
            small(f" {row.zone}"),
            p(line.obstacle or row.note, class_="problem") if line.obstacle or row.note else None,
        ),
        "Paused" if row.paused else _clock(row.next_at, line.zone),
        _last(line, now) if line.last else "never",
        join(
            _act(row, "Resume", "resume") if row.paused else _act(row, "Pause", "pause"),
            _act(row, "Run now", "run-now"),
            _act(row, "Delete", "delete", danger=True),
        ),
    ]


def _last(line: ScheduleLine, now: datetime) -> Html:
    assert line.last is not None  # noqa: S101 - looked at by the caller
    words = _LAST.get(line.last.status, line.last.status)
    return join(
        a(words, href=line.address, title=line.key or None) if line.address else words,
        " ",
        moment(line.last.ended_at or line.last.asked_at, now),
        p(line.last.reason, class_="problem") if line.last.reason else None,
    )


def _clock(at: str, zone: ZoneInfo | None) -> Html:
    """Return a moment as the clocks of a zone show it."""
    local = datetime.fromisoformat(at).astimezone(zone)
    return time(f"{local:%a} {local.day} {local:%b %Y %H:%M}", datetime=at)


def _act(row: ScheduleRow, words: str, name: str, *, danger: bool = False) -> Html:
    return form(
        button(words, span(f" {row.title}", class_="visually-hidden"), class_="quiet danger" if danger else "quiet"),
        method="post",
        action=f"/-/schedules/{row.id}/{name}",
    )


def _undo(schedule: str) -> Html:
    return form(
        span("Deleted. "),
        button("Undo", class_="secondary"),
        method="post",
        action=f"/-/schedules/{schedule}/undelete",
        class_="bar notice",
        role="status",
    )


# Making one


@dataclass(frozen=True, slots=True)
class ScheduleForm:
    """What the form of a new schedule holds.

    Attributes:
        title, kind, time, weekday, day, cron, zone, locks: What was typed; `kind` is one of `PRESETS`.
        is_zone_guessed: Whether the zone may be replaced by that of the browser.
        problems: Field -> what is wrong with it.
    """

    title: str = ""
    kind: str = "week"
    time: str = "07:00"
    weekday: str = "1"
    day: str = "1"
    cron: str = "0 7 * * 1"
    zone: str = "UTC"
    locks: bool = False
    is_zone_guessed: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repeated:
    """The run that is to be repeated.

    Attributes:
        run, key, address: Which it is.
        app: What people call its app.
        answers: Title of a step -> its answer in short.
        refusal: Why it cannot be repeated, or "".
    """

    run: str
    key: str
    address: str
    app: str
    answers: Mapping[str, str]
    refusal: str = ""


def new_schedule_page(run: Repeated, typed: ScheduleForm, zones: Sequence[str], when: Html) -> Html:
    """Return the page where a run is put on a schedule.

    Args:
        run: The run.
        typed: What the form holds.
        zones: Names of all time zones.
        when: What `when_part` says of what the form holds.
    """
    return join(
        header(
            h1("Repeat on a schedule"),
            p(f"{run.app}, with the answers of ", a(run.key, href=run.address, dir="auto"), ".", class_="lead"),
            class_="page-head",
        ),
        p(run.refusal, class_="bar problem", role="alert")
        if run.refusal
        else join(_answers(run), _form(run, typed, zones, when)),
    )


def _answers(run: Repeated) -> Html:
    if not run.answers:
        return p("It asks for nothing.", class_="help")
    return section(
        h2("Answers"),
        table(
            thead(tr(th(name, scope="col") for name in ("Step", "Answer"))),
            tbody(table_rows(([title, span(short, dir="auto")] for title, short in run.answers.items()), ("key", ""))),
            class_="runs answers",
        ),
        p("Other answers: change them in the run, or in a copy of it, and schedule that.", class_="help"),
    )


def _form(run: Repeated, typed: ScheduleForm, zones: Sequence[str], when: Html) -> Html:
    return form(
        input_(type="hidden", name="run", value=run.run),
        _field(
            "Title", "title", typed, maxlength="80", autofocus=True, dir="auto",
            help_="Its runs are named after it, with day and time behind.",
        ),
        fieldset(
            legend("When"),
            div(
                label("Repeat", for_="schedule-kind"),
                _select("kind", PRESETS, typed.kind),
                class_="field select",
            ),
            _field("Time", "time", typed, for_="preset", type="time"),
            div(
                label("Day of the week", for_="schedule-weekday"),
                _select("weekday", {str(number): name for number, name in enumerate(DAYS)}, typed.weekday),
                class_="field select for-week",
            ),
            _field("Day of the month", "day", typed, for_="month", type="number", min="1", max="31"),
            _field(
                "Cron text", "cron", typed, for_="cron", spellcheck="false", dir="ltr",
                help_="Minute, hour, day of the month, month, day of the week.",
            ),
            _field(
                "Time zone", "zone", typed, list="schedule-zones", spellcheck="false", dir="ltr",
                data_zone=typed.is_zone_guessed, help_="Type a part of its name, for example Berlin.",
            ),
            datalist((option(value=name) for name in zones), id="schedule-zones"),
            div(when, id="schedule-when", aria_live="polite"),
            button("Show when", name="show", value="1", class_="secondary"),
            hx_get="/-/schedules/when", hx_trigger="input delay:200ms", hx_target="#schedule-when",
            hx_include="closest form", hx_sync="this:replace", hx_push_url="false",
        ),
        div(
            label(
                input_(type="checkbox", name="locks", value="on", checked=typed.locks),
                "Lock each run when it is finished",
            ),
            class_="field",
        ),
        button("Schedule", class_="primary"),
        method="post",
        action="/-/schedules/new",
        class_="schedule",
    )  # fmt: skip


def when_part(words: str, zone: str, moments: Sequence[datetime], problem: str = "") -> Html:
    """Return what a form means: a sentence and the next moments, in the zone; or what is wrong with it."""
    if problem:
        return p(problem, class_="problem", role="alert")
    return join(
        p(strong(f"{words}, {zone} time.")),
        p("Next: "),
        ol(li(_clock(each.isoformat(), ZoneInfo(zone))) for each in moments),
    )


def _field(
    words: str, name: str, typed: ScheduleForm, *, help_: str = "", for_: str = "", **attributes: object
) -> Html:
    """Return a field; `for_` is what has to be chosen for it to be seen."""
    id_, problem = f"schedule-{name}", typed.problems.get(name)
    described = " ".join(each for each in (f"{id_}-problem" if problem else "", f"{id_}-help" if help_ else "") if each)
    return div(
        label(words, for_=id_),
        input_(
            id=id_, name=name, value=getattr(typed, name), autocomplete="off",
            aria_invalid="true" if problem else None, aria_describedby=described or None, **attributes,
        ),
        small(problem, id=f"{id_}-problem", class_="problem", role="alert") if problem else None,
        small(help_, id=f"{id_}-help", class_="help") if help_ else None,
        class_=f"field text for-{for_}" if for_ else "field text",
    )  # fmt: skip


def _select(name: str, options: Mapping[str, str], chosen: str) -> Html:
    return select(
        (option(words, value=value, selected=value == chosen) for value, words in options.items()),
        id=f"schedule-{name}",
        name=name,
    )
