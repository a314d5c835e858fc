"""Where a result stands, so that its parts know their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class Place:
    """The step of a run, at the version that gave it its value. An address made from it keeps its meaning.

    Attributes:
        run: Id of the run.
        step: Name of the step.
        version: Version of the run that gave the step this value.
    """

    run: str
    step: str
    version: int

    def address(self, what: str, part: int = 0, **query: Any) -> str:
        """Return the address of a part of the result; parts of a query that are empty are left out."""
        asked = {"version": self.version, "part": part} | {name: each for name, each in query.items() if each}
        return f"/-/runs/{self.run}/steps/{quote(self.step, safe='')}/{what}?{urlencode(asked)}"

    def anchor(self, part: int) -> str:
        """Return what the ids of a part's elements begin with."""
        return f"part-{self.step}-{part}"
