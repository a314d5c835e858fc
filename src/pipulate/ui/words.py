"""Times and people in words."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipulate._clock import from_text
from pipulate.ui.html import Html, time


def clock_time(at: str, now: datetime) -> str:
    """Return a stored moment as people say it: 14:02, Yesterday 14:02, 12 Nov 14:02, 12 Nov 2025."""
    moment = from_text(at).astimezone()
    today = now.astimezone()
    if moment.date() == today.date():
        return f"{moment:%H:%M}"
    if moment.date() == (today - timedelta(days=1)).date():
        return f"Yesterday {moment:%H:%M}"
    if moment.year == today.year:
        return f"{moment.day} {moment:%b %H:%M}"
    return f"{moment.day} {moment:%b %Y}"


def moment(at: str, now: datetime) -> Html:
    """Return a stored moment as an element that shows it in short and holds it in full."""
    full = from_text(at).astimezone()
    return time(clock_time(at, now), datetime=at, title=f"{full:%Y-%m-%d %H:%M:%S %Z}".strip())


def duration(seconds: float) -> str:
    """Return how long something took: `40 s`, `5 min`, `2 h 5 min`, `3 days`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min"
    if whole < 172_800:
        hours, minutes = whole // 3_600, whole % 3_600 // 60
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{whole // 86_400} days"


def person(actor: str, viewer: str, via: str | None = None) -> str:
    """Return how the person who looks should read another person's name, and through whom it was done."""
    who = "You" if actor == viewer else actor
    return f"{who}, with the {via}" if via else who


def doer(actor: str, viewer: str, via: str | None = None) -> str:
    """As `person`, as the beginning of a sentence that goes on with what was done."""
    return person(actor, viewer, via) + ("," if via else "")


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: 1 run, 2 runs."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size_in_words(size_bytes: int) -> str:
    """Return the length of a file as people read it: `2.3 MB`."""
    if size_bytes < 1_000:
        return f"{size_bytes} byte{'' if size_bytes == 1 else 's'}"
    unit, size = ("kB", 1e3) if size_bytes < 999_950 else ("MB", 1e6) if size_bytes < 999_950_000 else ("GB", 1e9)
    return f"{size_bytes / size:,.1f} {unit}"
