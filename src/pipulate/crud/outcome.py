"""What comes of asking for records, and of changing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipulate.storage.records.rows import Record


@dataclass(frozen=True, slots=True)
class Listing:
    """A part of a list.

    Attributes:
        records: Its records.
        total: How many there are in all.
        version: Version of the table that this is the state of.
    """

    records: Sequence[Record]
    total: int
    version: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of something that was asked for.

    Attributes:
        operation: Id under which it can be taken back; "" where there was nothing to do.
        records: The records as they are now.
        kept: How many were left as they are, because somebody changed them since.
    """

    operation: str
    records: Sequence[Record]
    kept: int = 0
