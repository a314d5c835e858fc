"""When a schedule is due: five-field cron in a time zone, what it means in words, and what is wrong with it.

Where clocks are put forward, a time that does not exist becomes the first moment after the gap. Where they are put
back, a time that exists twice counts once, unless the hour is `*`: then every hour counts.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pipulate.errors import ScheduleRefusedError

DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_FIELDS: Final = (
    ("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day of the month", 1, 31, ()), ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)  # fmt: skip
_ITEM = re.compile(r"(?:\*|([0-9A-Za-z]{1,9})(?:-([0-9A-Za-z]{1,9}))?)(?:/([0-9]{1,2}))?")
_RULE = "Cron has five parts with a space between them: minute, hour, day of the month, month, day of the week"
_CRON_MAX = 200


@dataclass(frozen=True, slots=True)
class Cron:
    """Moments that come again and again; made with `read`."""

    text: str
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime:
        """Return the first of the moments that is later than another one, in UTC.

        Raises:
            ScheduleRefusedError: If there is none.
        """
        return self.upcoming(moment, 1)[0]

    def upcoming(self, moment: datetime, count: int) -> list[datetime]:
        """Return the next few; errors as in `after`."""
        from croniter import CroniterBadDateError, croniter  # noqa: PLC0415 - only schedules need it

        steps = croniter(self.text, moment.astimezone(self.zone))
        found: list[datetime] = []
        try:
            while len(found) < count:
                local: datetime = steps.get_next(datetime)
                if not local.fold or self._is_every_hour:
                    found.append(local.astimezone(UTC))
        except CroniterBadDateError:
            raise ScheduleRefusedError("cron", f"“{self.text}” never comes: no month has such a day.") from None
        return found

    def latest(self, first: datetime, now: datetime) -> datetime:
        """Return the last of the moments from `first`, which is one of them, up to `now`."""
        window = timedelta(hours=1)
        while (
            True
        ):  # From a short time ago to longer ones, so that few moments are gone through however many there are.
            begin = max(first, now - window)
            found, following = None, self.after(begin)
            while following <= now:
                found, following = following, self.after(following)
            if found is not None or begin == first:
                return found or first
            window *= 4

    def local(self, moment: datetime) -> str:
        """Return a moment as the clocks of the zone show it: `2026-11-23 07:00`."""
        return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"

    @property
    def in_words(self) -> str:
        """What it means, as a sentence without its full stop: `Every Monday at 07:00`."""
        minutes, hours, days, months, weekdays = self.text.lower().split()
        when = _days_in_words(days, weekdays)
        if months != "*":
            when += f" in {_listed(_named(months, MONTHS, 1))}"
        time = _time_in_words(minutes, hours)
        return f"{when} {time}" if time.startswith("at ") else f"{when}, {time}"

    @property
    def _is_every_hour(self) -> bool:
        return self.text.split()[1].startswith("*")


def read(cron: str, zone: str) -> Cron:
    """Return when a schedule is due.

    Raises:
        ScheduleRefusedError: If that cannot be understood, or never comes; says why.
    """
    parts = cron[:_CRON_MAX].split()
    if len(parts) != len(_FIELDS) or len(cron) > _CRON_MAX:
        raise ScheduleRefusedError("cron", f"{_RULE}. “{_cut(cron)}” has {len(parts)}. Example: 0 7 * * 1")
    for part, (name, lowest, highest, names) in zip(parts, _FIELDS, strict=True):
        _check(part, name, lowest, highest, names)
    found = Cron(" ".join(parts), _zone(zone))
    found.after(datetime(2000, 1, 1, tzinfo=UTC))
    return found


def local_zone() -> str:
    """Return the name of this computer's time zone, UTC where it does not say."""
    found = os.environ.get("TZ", "").removeprefix(":")
    if not found:
        with contextlib.suppress(OSError):
            _, _, found = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    try:
        _zone(found)
    except ScheduleRefusedError:
        return "UTC"
    return found


def _check(part: str, name: str, lowest: int, highest: int, names: tuple[str, ...]) -> None:
    """Refuse a part of a cron text that is none, saying which and why."""
    for item in part.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ScheduleRefusedError(
                "cron",
                f"The {name} “{_cut(item)}” cannot be understood. Write a number, *, a list 1,3, a range 1-5 or */2.",
            )
        start, end = (_number(text, name, lowest, highest, names) for text in match.group(1, 2))
        if start is not None and end is not None and start > end:
            raise ScheduleRefusedError("cron", f"The {name} “{item}” goes backwards; write it as a list instead.")
        if match[3] is not None and int(match[3]) == 0:
            raise ScheduleRefusedError("cron", f"The {name} “{item}” has steps of 0.")


def _number(text: str | None, name: str, lowest: int, highest: int, names: tuple[str, ...]) -> int | None:
    if text is None:
        return None
    short = [each[:3].lower() for each in names]
    if text.lower() in short:
        return short.index(text.lower()) + (1 if names is MONTHS else 0)
    if not text.isdigit():
        raise ScheduleRefusedError("cron", f"The {name} “{text}” is neither a number nor a name.")
    if not lowest <= int(text) <= highest:
        raise ScheduleRefusedError("cron", f"The {name} “{text}” is not between {lowest} and {highest}.")
    return int(text)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name[:60], sorted(available_timezones()), n=1)
        hint = f" Did you mean {near[0]}?" if near else " Write it like Europe/Berlin."
        raise ScheduleRefusedError("zone", f"“{_cut(name)}” is no time zone.{hint}") from None


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


# In words


def _days_in_words(days: str, weekdays: str) -> str:
    if days == "*" and weekdays == "*":
        return "Every day"
    if days == "*":
        return _weekdays_in_words(weekdays)
    of_month = f"On day {_listed(_named(days, (), 0))} of the month"
    return of_month if weekdays == "*" else f"{of_month}, and e{_weekdays_in_words(weekdays)[1:]}"


def _weekdays_in_words(weekdays: str) -> str:
    if weekdays in ("1-5", "mon-fri"):
        return "Every weekday"
    return f"Every {_listed(_named(weekdays, DAYS, 0))}"


def _time_in_words(minutes: str, hours: str) -> str:
    if minutes.isdigit() and all(hour.isdigit() for hour in hours.split(",")):
        return "at " + _listed([f"{int(hour):02d}:{int(minutes):02d}" for hour in hours.split(",")])
    at_minute = _minutes_in_words(minutes)
    if hours == "*":
        return f"{at_minute} of every hour" if minutes.isdigit() or "," in minutes else at_minute
    return (
        f"{at_minute}, in the hours {hours}" if not hours.startswith("*/") else f"{at_minute}, every {hours[2:]} hours"
    )


def _minutes_in_words(minutes: str) -> str:
    if minutes == "*":
        return "every minute"
    if re.fullmatch(r"\*/[0-9]+", minutes):
        return f"every {minutes[2:]} minutes"
    return f"minute {_listed(minutes.split(','))}"


def _named(part: str, names: tuple[str, ...], first: int) -> list[str]:
    """Return the items of a part with numbers by their names."""

    def name(text: str) -> str:
        short = [each[:3].lower() for each in names]
        if text in short:
            return names[short.index(text)]
        return names[(int(text) - first) % len(names)] if names and text.isdigit() else text

    return [" to ".join(name(text) for text in item.split("-")) for item in part.split(",")]


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
