"""Who asks for something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks, and from which browser tab."""

    actor: str
    tab: str | None = None
