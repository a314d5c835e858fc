"""Types of our own that a field may have."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from pipulate.errors import FieldError


class DateRange(BaseModel):
    """Two dates, of which the second is not before the first; both belong to the range.

    Attributes:
        start: The first day.
        end: The last day.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end < self.start:
            raise FieldError("end", "This is before the start.")
        return self

    @property
    def days(self) -> int:
        """How many days it has; 1 or more."""
        return (self.end - self.start).days + 1

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.start <= day <= self.end
