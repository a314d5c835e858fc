"""Who did something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something, from where, and when.

    Attributes:
        actor: Id of the person.
        at: Moment, as `_clock.to_text` writes it.
        tab: The browser tab, or None.
    """

    actor: str
    at: str
    tab: str | None = None
