"""Which rows or lines came before, in 16 to 32 bytes each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from hashlib import blake2b


class Seen:
    """Remembers rows, or lines, by 64 bits of their hash.

    Two different rows out of n are taken for the same with a probability of about n * n / 2 ** 65: one in 37 million
    for a million rows.
    """

    def __init__(self) -> None:
        self._count = 0
        self._slots = array("Q", bytes(8 * 1024))

    def add(self, cells: Sequence[str]) -> bool:
        """Remember a row; tell whether it was there already."""
        text = "\x1f".join(f"{len(cell)}:{cell}" for cell in cells)
        return self.add_line(text.encode("utf-8", "replace"))

    def add_line(self, raw: bytes) -> bool:
        """Remember a line; tell whether it was there already."""
        number = _number(raw)
        place, is_there = self._find(number)
        if is_there:
            return True
        self._slots[place] = number
        self._count += 1
        if self._count * 2 > len(self._slots):
            self._grow()
        return False

    def has_line(self, raw: bytes) -> bool:
        """Tell whether a line is there."""
        return self._find(_number(raw))[1]

    def __len__(self) -> int:
        return self._count

    def _find(self, number: int) -> tuple[int, bool]:
        """Return where a number is, or where it belongs, and whether it is there."""
        slots, last = self._slots, len(self._slots) - 1
        place = number & last
        while slots[place]:
            if slots[place] == number:
                return place, True
            place = (place + 1) & last
        return place, False

    def _grow(self) -> None:
        old = self._slots
        self._slots = array("Q", bytes(8 * len(old) * 2))
        for number in old:
            if number:
                self._slots[self._find(number)[0]] = number


def _number(raw: bytes) -> int:
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big") or 1
