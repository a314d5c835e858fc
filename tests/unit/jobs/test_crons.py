"""When schedules are due: cron in a time zone, over the nights that clocks are changed, and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipulate.errors import ScheduleRefusedError
from pipulate.jobs import crons

BERLIN = "Europe/Berlin"
MORNING = datetime(2026, 11, 21, 9, tzinfo=UTC)


def upcoming(cron: str, start: datetime, count: int, zone: str = BERLIN) -> list[str]:
    """Return the next moments as the clocks of the zone show them, with their distance from UTC."""
    found = crons.read(cron, zone)
    return [f"{each.astimezone(found.zone):%d %H:%M%z}" for each in found.upcoming(start, count)]


def test_moments_are_those_of_the_clocks_in_the_zone() -> None:
    assert upcoming("0 7 * * 1", MORNING, 2) == ["23 07:00+0100", "30 07:00+0100"]
    assert upcoming("0 7 * * 1", datetime(2027, 3, 25, tzinfo=UTC), 2) == ["29 07:00+0200", "05 07:00+0200"]
    assert upcoming("0 7 * * 1", MORNING, 1, "America/New_York") == ["23 07:00-0500"]


def test_time_that_does_not_exist_becomes_the_first_moment_after_the_gap() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert upcoming("30 2 * * *", start, 2) == ["29 03:00+0200", "30 02:30+0200"]


def test_time_that_exists_twice_counts_once() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert upcoming("30 2 * * *", start, 2) == ["25 02:30+0200", "26 02:30+0100"]
    between = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45, the first time.
    assert upcoming("30 2 * * *", between, 1) == ["26 02:30+0100"]


def test_every_hour_counts_in_the_night_that_has_25() -> None:
    start = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    assert upcoming("0 * * * *", start, 3) == ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(["0 7 * * 1", "30 2 * * *", "*/20 1-3 * * *", "0 * * * *", "0 0 29 2 *", "5 4 1 1-3 *"]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 30)),  # noqa: DTZ001 - made aware below
    days=st.floats(0, 40),
)
def test_latest_moment_is_the_last_one_that_going_on_from_the_first_finds(
    cron: str, start: datetime, days: float
) -> None:
    found = crons.read(cron, BERLIN)
    first = found.after(start.replace(tzinfo=UTC))
    now = first + timedelta(days=days)
    expected = first
    while (following := found.after(expected)) <= now:
        expected = following
    assert found.latest(first, now) == expected


def test_latest_moment_is_found_at_once_after_a_year_off() -> None:
    found = crons.read("* * * * *", BERLIN)
    assert found.latest(MORNING, MORNING + timedelta(days=365, seconds=30)) == MORNING + timedelta(days=365)


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * *", "has 4"),
        ("0 7 * * * *", "has 6"),
        ("", "has 0"),
        ("60 7 * * 1", "minute “60” is not between 0 and 59"),
        ("0 24 * * 1", "hour “24”"),
        ("0 7 0 * *", "day of the month “0”"),
        ("0 7 * 13 *", "month “13”"),
        ("0 7 * * 8", "day of the week “8”"),
        ("0 7 * * moon", "“moon” is neither"),
        ("0 7 L * *", "“L” is neither"),
        ("H 7 * * *", "“H” is neither"),
        ("0 7 * * 1#2", "cannot be understood"),
        ("@daily", "has 1"),
        ("*/0 * * * *", "steps of 0"),
        ("0 9-7 * * *", "goes backwards"),
        ("0 7 30 2 *", "never comes"),
        ("0 7 * * " + "1," * 200 + "1", "five parts"),
    ],
)
def test_cron_that_cannot_be_used_is_refused_in_plain_words(cron: str, words: str) -> None:
    with pytest.raises(ScheduleRefusedError, match=words) as caught:
        crons.read(cron, BERLIN)
    assert caught.value.field == "cron"


@pytest.mark.parametrize(
    "zone", ["Europe/Berln", "", "../../etc/passwd", "/etc/localtime", "Mars", "a\0b", "Europe", "x" * 999]
)
def test_unknown_zone_is_refused_in_plain_words(zone: str) -> None:
    with pytest.raises(ScheduleRefusedError, match="is no time zone") as caught:
        crons.read("0 7 * * 1", zone)
    assert caught.value.field == "zone"
    assert len(str(caught.value)) < 200


def test_near_miss_of_a_zone_is_answered_with_its_name() -> None:
    with pytest.raises(ScheduleRefusedError, match="Did you mean Europe/Berlin"):
        crons.read("0 7 * * 1", "Europe/Berln")


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 7 * * 1", "Every Monday at 07:00"),
        ("0 7 * * mon", "Every Monday at 07:00"),
        ("30 18 * * 1-5", "Every weekday at 18:30"),
        ("0 7,19 * * *", "Every day at 07:00 and 19:00"),
        ("0 7 * * 0,6", "Every Sunday and Saturday at 07:00"),
        ("0 7 * * 7", "Every Sunday at 07:00"),
        ("0 9 1 * *", "On day 1 of the month at 09:00"),
        ("0 9 1,15 jan,7 *", "On day 1 and 15 of the month in January and July at 09:00"),
        ("0 9 13 * 5", "On day 13 of the month, and every Friday at 09:00"),
        ("*/15 * * * *", "Every day, every 15 minutes"),
        ("* * * * *", "Every day, every minute"),
        ("5 * * * *", "Every day, minute 5 of every hour"),
        ("0 */6 * * *", "Every day, minute 0, every 6 hours"),
        ("0 9-17 * * 2-4", "Every Tuesday to Thursday, minute 0, in the hours 9-17"),
    ],
)
def test_cron_is_said_in_words(cron: str, words: str) -> None:
    assert crons.read(cron, BERLIN).in_words == words
