"""What is to be done with the lines of a file, and how far that is. Both are plain data, to be stored and sent."""

from __future__ import annotations

import csv
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

SEEN_MAX = 2_000_000
"""So many different lines are remembered, in 32 MB; later ones are compared with these only."""

Decide = Callable[[str], str | None]
"""Gets a line without its ending; returns what is written in its place, or None where it is left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done.

    Attributes:
        task: What becomes of the lines; "rows" of a table may go over several lines.
        encoding: How letters are written, by its name in Python.
        patterns: What is looked for; for "keep" and "replace" there is one.
        is_regex: Whether these are regular expressions.
        has_case: Whether upper and lower case matter.
        is_inverse: Whether lines with the pattern are left out.
        replacement: What is put in the place of the pattern.
        only_neighbours: Whether a line is compared with the one before it only.
        delimiter: What stands between columns.
        has_header: Whether the first row names the columns.
        columns: The columns that are kept, by number from 0; none means all.
        column: The column that decides about a row, or None.
        relation: One of `RELATIONS`.
        value: What the column is compared with.
    """

    task: Literal["keep", "duplicates", "replace", "count", "rows"]
    encoding: str = "utf-8"
    patterns: tuple[str, ...] = ()
    is_regex: bool = False
    has_case: bool = False
    is_inverse: bool = False
    replacement: str = ""
    only_neighbours: bool = False
    delimiter: str = ","
    has_header: bool = True
    columns: tuple[int, ...] = ()
    column: int | None = None
    relation: str = "is"
    value: str = ""

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Plan:
        """Return a plan that was stored as JSON."""
        values: dict[str, Any] = {
            name: tuple(each) if isinstance(each, list) else each for name, each in stored.items()
        }
        return cls(**values)

    def compiled(self) -> list[re.Pattern[str]]:
        """Return the patterns, ready to search with; `re.error` where one is none."""
        flags = re.NOFLAG if self.has_case else re.IGNORECASE
        return [re.compile(each if self.is_regex else re.escape(each), flags) for each in self.patterns]


@dataclass(slots=True)
class State:
    """How far it is, and what was found until then. A batch goes from one state to the next.

    Attributes:
        offset: How many bytes of the source are done.
        written: How many bytes of the result are.
        lines: Lines done; rows, for a table.
        kept: Lines written.
        changed: Times something was replaced.
        words: Words counted.
        found: For each pattern, lines with it, and times it was found.
        odd: Lines with bytes that are no letters in the encoding.
        long: Lines longer than `LINE_MAX`.
        bad: Rows that could not be read.
        uncompared: Lines that came when `SEEN_MAX` were remembered already, and were none of these.
        inside: What becomes of the rest of a long line: "keep", "drop", or "" where no line is unfinished.
        previous: The line before, by its hash.
        first: The beginning of the result.
        notes: What was odd, for the log; not more than `NOTES_MAX` altogether.
        seconds: How long the batch took that led here.
    """

    offset: int = 0
    written: int = 0
    lines: int = 0
    kept: int = 0
    changed: int = 0
    words: int = 0
    found: list[list[int]] = field(default_factory=list)
    odd: int = 0
    long: int = 0
    bad: int = 0
    uncompared: int = 0
    inside: str = ""
    previous: str = ""
    first: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0


RELATIONS = {
    "is": "is",
    "is not": "is not",
    "contains": "contains",
    "lacks": "does not contain",
    "least": "is at least (number)",
    "most": "is at most (number)",
}
_NUMBERS = {"least": operator.ge, "most": operator.le}


def decision(plan: Plan) -> Decide:
    """Return what decides about a line that is kept or left out by a pattern."""
    wanted = not plan.is_inverse
    if not plan.is_regex and plan.has_case:
        text = plan.patterns[0]
        return lambda line: line if (text in line) is wanted else None
    search = plan.compiled()[0].search
    return lambda line: line if (search(line) is not None) is wanted else None


def fits(plan: Plan, cells: list[str]) -> bool:
    """Tell whether a row is kept. A cell that is not there is empty, and what is no number fits no comparison."""
    if plan.column is None:
        return True
    cell = cells[plan.column].strip() if plan.column < len(cells) else ""
    value = plan.value.strip()
    if compare := _NUMBERS.get(plan.relation):
        try:
            return bool(compare(float(cell), float(value)))
        except ValueError:
            return False
    if not plan.has_case:
        cell, value = cell.casefold(), value.casefold()
    has = value in cell if plan.relation in {"contains", "lacks"} else value == cell
    return has is (plan.relation in {"contains", "is"})


class _Echo:
    """Hands back what a csv.writer writes."""

    def write(self, text: str) -> str:
        return text


def row_writer(plan: Plan) -> Callable[[list[str]], str]:
    """Return what makes a line, without its ending, of the columns that are kept."""
    writer = csv.writer(_Echo(), delimiter=plan.delimiter, lineterminator="\r\n")  # What it ends lines with it quotes.

    def write(cells: list[str]) -> str:
        return str(writer.writerow([cells[index] if index < len(cells) else "" for index in plan.columns]))[:-2]

    return write
