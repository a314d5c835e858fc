"""What is printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Row:
    """A line of the table: what, the figure, the budget, whether it is kept, and how it came about."""

    what: str
    figure: str
    budget: str
    is_kept: bool
    how: str
