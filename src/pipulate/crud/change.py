"""What hooks of a resource are told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipulate.fields.files import Files

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
        files: Keeps a file that the hook makes for the record: `change.files.save("note.txt", "Hello")`.
    """

    record: int | None
    before: M | None
    after: M | None
    profile: str | None
    user: str
    files: Files = field(default=None, compare=False, repr=False)  # type: ignore[assignment] # the engine gives it
