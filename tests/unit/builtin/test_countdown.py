"""Countdown: it ends when it said it would."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pipulate import Messages, Progress
from pipulate.builtin import countdown as app
from pipulate.builtin.countdown import countdown
from pipulate.testing import play


def test_app_is_in_order() -> None:
    assert countdown.prepare() == []


def test_countdown_of_no_time_is_refused() -> None:
    play(countdown).fill(minutes=0, seconds=0, expect_problems={"seconds": "A second at least."})


@pytest.mark.parametrize("hours", [-1, 1])
def test_time_on_the_clock_is_the_next_one(hours: int) -> None:
    now = datetime.now().astimezone()
    wanted = (now + timedelta(hours=hours)).time().replace(microsecond=0)
    began, end = app._span(5, 0, wanted)
    assert 0 < end - began <= 25 * 3600
    assert datetime.fromtimestamp(end).astimezone().time() == wanted


class AlreadyRecorded:
    """A job whose end was recorded before the program died."""

    def __init__(self, span: list[float]) -> None:
        self._span, self.parts = span, list[str]()

    async def checkpoint(self, name: str, function: Any, /, *args: Any) -> Any:
        """Return the span, and do anything else."""
        self.parts.append(name)
        return self._span if name == "span" else function(*args)

    async def wait(self, seconds: float) -> None:
        """Nobody waits for what is over."""
        raise AssertionError(seconds)


@pytest.mark.anyio
async def test_countdown_whose_end_passed_while_nothing_ran_ends_at_once_and_says_how_late_it_is() -> None:
    end, said = datetime.now().astimezone().timestamp() - 90, list[str]()
    job: Any = AlreadyRecorded([end - 60, end])
    run: Any = SimpleNamespace(answers=lambda _step: SimpleNamespace(
        name="Tea", minutes=1, seconds=0, until=None, message="ready"
    ))  # fmt: skip
    told = await app.wait.function(run, job, Progress(lambda _: None), Messages(said.append))
    assert told.endswith("while nothing ran; it is 90 s late.")
    assert (said, job.parts) == (["**Tea**: ready"], ["span", "message"])


def test_minutes_and_seconds_add_up() -> None:
    began, end = app._span(2, 3, None)
    assert end - began == 123
    assert app._span(2, 3, time(12))[1] != end
