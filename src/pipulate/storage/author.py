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
        via: What did it for them, `assistant`; None where they did it themselves. Kept with what was done.
    """

    actor: str
    at: str
    tab: str | None = None
    via: str | None = None

    @property
    def noted(self) -> dict[str, str]:
        """What is kept of `via` with what was done; nothing where the person did it themselves."""
        return {"via": self.via} if self.via is not None else {}
