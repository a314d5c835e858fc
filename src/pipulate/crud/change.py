"""What hooks of a resource are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Change(Generic[M]):
    """Something that is done to a record.

    Attributes:
        record: Number of the record; None for one that is not there yet.
        before: What it was, or None.
        after: What it is to be, or is; None where it goes.
        profile: Id of the profile it belongs to, or None.
        user: Id of who does it.
    """

    record: int | None
    before: M | None
    after: M | None
    profile: str | None
    user: str
