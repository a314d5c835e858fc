"""A clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Starts at noon of 20 November 2026, UTC."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the moment it stands at."""
        return self._now

    def move(self, **by: float) -> None:
        """Move it on, or back: `move(hours=-2)`."""
        self._now += timedelta(**by)
