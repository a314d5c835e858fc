"""Who asks for something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, from which browser tab, and through whom.

    Attributes:
        actor: Id of the person, with whose rights it is done.
        tab: The browser tab, or None.
        via: What did it for them, `assistant`; None where they did it themselves.
    """

    actor: str
    tab: str | None = None
    via: str | None = None
