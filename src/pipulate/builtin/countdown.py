"""A timer that goes on to the same end whatever happens meanwhile to the page, the program or the computer."""

import time as clock
from datetime import datetime, time, timedelta
from typing import Annotated

from pipulate import FieldError, Job, Label, Messages, Progress, Range, Run, Workflow

countdown = Workflow(
    "countdown",
    title="Countdown",
    description="A timer that survives closed pages and restarts, and says something when it ends.",
)


@countdown.step("timer", title="Timer")
def timer(
    name: str = "Timer",
    minutes: Annotated[int, Range(0, 10_000)] = 5,
    seconds: Annotated[int, Range(0, 59)] = 0,
    until: Annotated[time | None, Label("Or until")] = None,
    message: str = "",
) -> None:
    """How long?

    Args:
        name: What it is for.
        minutes: At most a week.
        seconds: Beside the minutes.
        until: A time on the clock, today or tomorrow; minutes and seconds then do not count.
        message: Is said in the conversation beside the run when it ends.
    """
    if until is None and not minutes + seconds:
        raise FieldError("seconds", "A second at least.")


def _span(minutes: int, seconds: int, until: time | None) -> list[float]:
    """Return when it begins and ends, in seconds since 1970."""
    now = datetime.now().astimezone()
    end = now + timedelta(minutes=minutes, seconds=seconds)
    if until is not None:
        end = datetime.combine(now, until).astimezone()
        end = end if end > now else datetime.combine(now + timedelta(days=1), until).astimezone()
    return [now.timestamp(), end.timestamp()]


@countdown.step("wait", title="Running", background=True)
async def wait(run: Run, job: Job, progress: Progress, messages: Messages) -> str:
    """Wait for the end, which is worked out once and recorded: after a restart it is still the same."""
    chosen = run.answers(timer)
    began, end = await job.checkpoint("span", _span, chosen.minutes, chosen.seconds, chosen.until)
    at = f"{datetime.fromtimestamp(end).astimezone():%H:%M:%S}"
    progress.total(round(end - began))
    tenth = -1
    while (left := end - clock.time()) > 0:
        words = f"{timedelta(seconds=round(left))} left, until {at}"
        progress.advance(round(end - began - left) - progress.now.done, words)
        if int(10 * (1 - left / (end - began))) != tenth:
            tenth = int(10 * (1 - left / (end - began)))
            progress.log(words)
        await job.wait(min(left, 0.5))
    if chosen.message:
        await job.checkpoint("message", messages.say, f"**{chosen.name}**: {chosen.message}")
    return f"{chosen.name} ended at {at}" + (f", while nothing ran; it is {-left:,.0f} s late." if left < -5 else ".")
