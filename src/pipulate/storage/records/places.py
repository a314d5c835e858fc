"""Places in an order that can always be put between two others: text that sorts byte by byte.

A place is a count of ten hexadecimal digits and, where something was put between two neighbours, a fraction of further
digits that never ends in 0. Moving one record so changes that record alone, however long the list is.
"""

from __future__ import annotations

from typing import Final

_DIGITS: Final = 10
_FIRST: Final = 0x80_0000_0000
_BASE: Final = 16


def between(before: str | None, after: str | None) -> str:
    """Return a place between two others; None is the beginning, or the end.

    Raises:
        ValueError: If `before` does not stand before `after`.
    """
    if before is None and after is None:
        return f"{_FIRST:0{_DIGITS}x}"
    if after is None:
        return f"{int((before or '')[:_DIGITS], _BASE) + 1:0{_DIGITS}x}"
    if before is None:
        count = int(after[:_DIGITS], _BASE)
        return f"{count:0{_DIGITS}x}" if len(after) > _DIGITS else f"{count - 1:0{_DIGITS}x}"
    if not before < after:
        raise ValueError(f"Nothing stands between {before!r} and {after!r}.")
    count = int(before[:_DIGITS], _BASE) + 1
    whole = f"{count:0{_DIGITS}x}"
    return whole if whole < after else before[:_DIGITS] + _fraction(before[_DIGITS:], _end(before, after))


def _end(before: str, after: str) -> str | None:
    """Return the fraction that must not be reached, or None where that is the next count."""
    return after[_DIGITS:] if before[:_DIGITS] == after[:_DIGITS] else None


def _fraction(low: str, high: str | None) -> str:
    """Return a fraction between two others; "" is 0 and None is 1."""
    made = ""
    while True:
        place = len(made)
        under = int(low[place], _BASE) if place < len(low) else 0
        over = int(high[place], _BASE) if high is not None and place < len(high) else (0 if high is not None else _BASE)
        if over - under > 1:
            return made + f"{(under + over) // 2:x}"
        made += f"{under:x}"
        if over - under == 1:
            high = None  # Whatever follows now is below the upper end.
