"""Times and people in words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipulate._clock import to_text
from pipulate.ui.words import clock_time, count, moment, person

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be somewhere where the clocks change."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def said(at: str, now: str) -> str:
    """Return how a moment is told, both given as clocks in Berlin show them."""
    return clock_time(
        to_text(datetime.fromisoformat(at).replace(tzinfo=BERLIN)), datetime.fromisoformat(now).replace(tzinfo=BERLIN)
    )


@pytest.mark.parametrize(
    ("at", "now", "words"),
    [
        ("2026-11-20 14:02", "2026-11-20 15:00", "14:02"),
        ("2026-11-20 00:00", "2026-11-20 23:59", "00:00"),
        ("2026-11-19 23:59", "2026-11-20 00:00", "Yesterday 23:59"),
        ("2026-11-19 00:00", "2026-11-20 23:59", "Yesterday 00:00"),
        ("2026-11-18 23:59", "2026-11-20 00:00", "18 Nov 23:59"),
        ("2026-01-01 09:05", "2026-11-20 00:00", "1 Jan 09:05"),
        ("2025-12-31 23:59", "2026-01-01 00:01", "Yesterday 23:59"),
        ("2025-12-30 23:59", "2026-01-01 00:01", "30 Dec 2025"),
        ("2025-11-20 14:02", "2026-11-20 14:02", "20 Nov 2025"),
        ("2026-11-20 16:00", "2026-11-20 15:00", "16:00"),
        ("2026-11-21 16:00", "2026-11-20 15:00", "21 Nov 16:00"),
    ],
)
def test_moment_is_told_as_people_say_it(at: str, now: str, words: str) -> None:
    assert said(at, now) == words


@pytest.mark.parametrize(
    ("at", "now", "words"),
    [
        ("2026-03-28 12:00", "2026-03-29 12:00", "Yesterday 12:00"),  # 23 hours ago: the clocks went forward.
        ("2026-03-28 23:30", "2026-03-29 00:15", "Yesterday 23:30"),
        ("2026-03-28 00:10", "2026-03-29 23:50", "Yesterday 00:10"),
        ("2026-10-24 12:00", "2026-10-25 12:00", "Yesterday 12:00"),  # 25 hours ago: the clocks went back.
        ("2026-10-25 00:30", "2026-10-25 23:30", "00:30"),  # 24 hours ago, and still today.
        ("2026-10-24 23:30", "2026-10-25 23:45", "Yesterday 23:30"),
    ],
)
def test_day_is_right_when_the_clocks_change(at: str, now: str, words: str) -> None:
    assert said(at, now) == words


def test_moment_is_told_in_the_time_of_this_machine() -> None:
    assert clock_time("2026-11-19T23:30:00.000000Z", datetime(2026, 11, 20, 12, tzinfo=BERLIN)) == "00:30"


def test_moment_holds_the_whole_time() -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=BERLIN)
    made = moment(to_text(now - timedelta(minutes=30)), now)
    assert made == '<time datetime="2026-11-20T10:30:00.000000Z" title="2026-11-20 11:30:00 CET">11:30</time>'


def test_person_who_looks_is_you() -> None:
    assert (person("ann", "ann"), person("ann", "bob")) == ("You", "ann")


@pytest.mark.parametrize(("number", "words"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1234, "1,234 runs")])
def test_count_has_the_right_form_of_its_noun(number: int, words: str) -> None:
    assert count(number, "run") == words


def test_count_may_have_a_plural_of_its_own() -> None:
    assert (count(1, "entry", "entries"), count(2, "entry", "entries")) == ("1 entry", "2 entries")
