"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Where the clock of a test starts."""


class ManualClock:
    """Stands at a moment until a test moves it; by default noon of 20 November 2026, UTC.

    It keeps Pipulate's time: events, the bin, what people read as "2 hours ago". `datetime.now()` in the code of a
    step is the computer's.
    """

    def __init__(self, start: datetime = NOON) -> None:
        """Set it.

        Raises:
            ValueError: If `start` names no time zone.
        """
        if start.tzinfo is None:
            raise ValueError(f"A clock needs to know its time zone; {start!r} has none.")
        self._now = start.astimezone(UTC)

    def __repr__(self) -> str:
        return f"<ManualClock {self._now.isoformat()}>"

    def now(self) -> datetime:
        """Return the moment it stands at, aware, in UTC."""
        return self._now

    def move(self, **by: float) -> None:
        """Move it on, or back: `move(hours=2)`, `move(days=-1)`, in the words of `timedelta`."""
        self._now += timedelta(**by)
