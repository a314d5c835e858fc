"""Moments as they are stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate._clock import SystemClock, from_text, to_text

MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - the zone is drawn
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
)


@given(MOMENTS)
def test_moment_comes_back_as_it_was_stored(moment: datetime) -> None:
    assert from_text(to_text(moment)) == moment


@given(MOMENTS, MOMENTS)
def test_stored_moments_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    assert (to_text(one) < to_text(other)) == (one < other)


def test_moment_is_stored_in_utc_with_microseconds() -> None:
    moment = datetime(2026, 3, 29, 3, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
    assert to_text(moment) == "2026-03-29T01:00:00.000005Z"


def test_text_that_is_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="isoformat"):
        from_text("yesterday")


def test_system_clock_tells_the_time_in_utc() -> None:
    before = datetime.now(UTC)
    assert before <= SystemClock().now() <= datetime.now(UTC)
    assert SystemClock().now().tzinfo is UTC
