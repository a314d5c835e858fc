"""What is in a file: its columns with their kinds, and the rows that are bad. One pass, whatever the size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from pipulate.builtin.cleaning.repairing import Column, Counts, Outcome, Plan, repair
from pipulate.sheets.kinds import kind_of
from pipulate.sheets.reading import Reader, Row
from pipulate.sheets.sniff import Layout

SAMPLE_ROWS = 5_000
"""The kinds of columns are decided by so many rows."""

SHOWN = 50
TOLD_EVERY = 20_000
_SAMPLE_SIGNS = 8_000_000
_EXAMPLES = 3

Tell = Callable[[int, int], None]
"""Is told how many bytes and rows are done, now and then."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a column holds: what it is called, its kind, how many rows have a value, and some values."""

    name: str
    kind: str
    filled: int
    examples: tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """What is in a file.

    Attributes:
        columns: Its columns.
        counts: Rows by what is wrong with them.
        bad: The first bad rows.
    """

    columns: list[Found] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    bad: list[Outcome] = field(default_factory=list)


def opened(path: Path, layout: Layout) -> tuple[Reader, Iterator[Row], list[str]]:
    """Return the reader of a file, its rows without the header, and the names in the header (none without one)."""
    reader = Reader(path, layout)
    rows = iter(reader)
    if not layout.has_header:
        return reader, rows, []
    first = next((row for row in rows if any(cell.strip() for cell in row.cells)), None)
    return reader, rows, [cell.strip("\ufeff \t") for cell in first.cells] if first else []


def has_rows(path: Path, layout: Layout) -> bool:
    """Tell whether anything stands in a file, beside its header."""
    _, rows, _ = opened(path, layout)
    return any(cell.strip() for row in rows for cell in row.cells)


def names_for(names: list[str], width: int) -> list[str]:
    """Return a name for each column, each once: those of the header, `Column 3` where there is none."""
    made: list[str] = []
    for index in range(width):
        wanted = (names[index] if index < len(names) else "") or f"Column {index + 1}"
        name, number = wanted, 2
        while name in made:
            name, number = f"{wanted} {number}", number + 1
        made.append(name)
    return made


def look(path: Path, layout: Layout, tell: Tell) -> Findings:
    """Go through a whole file."""
    reader, rows, names = opened(path, layout)
    sample = list(_sample(rows))
    widths = Counter(len(row.cells) for row in sample if not row.problem)
    width = len(names) or (widths.most_common(1)[0][0] if widths else 0)
    kinds = [kind_of(row.cells[index] for row in sample if len(row.cells) == width) for index in range(width)]
    plan = Plan(tuple(Column(name, kind) for name, kind in zip(names_for(names, width), kinds, strict=True)))
    found, filled = Findings(), [0] * width
    examples: list[dict[str, None]] = [{} for _ in range(width)]
    for outcome in counted(chain(sample, rows), plan, found.counts, reader, tell):
        for index, cell in enumerate(outcome.row.cells[:width]):
            if cell and not cell.isspace():
                filled[index] += 1
                if len(examples[index]) < _EXAMPLES:
                    examples[index].setdefault(cell)
        if outcome.cells is None and len(found.bad) < SHOWN and not _is_empty(outcome):
            found.bad.append(outcome)
    found.columns = [
        Found(column.name, column.kind, filled[index], tuple(examples[index]))
        for index, column in enumerate(plan.columns)
    ]
    return found


def counted(rows: Iterable[Row], plan: Plan, counts: Counts, reader: Reader, tell: Tell) -> Iterator[Outcome]:
    """Yield what becomes of each row, count it, and tell how far it is."""
    for row in rows:
        outcome = repair(row, plan)
        counts.add(outcome)
        if counts.read % TOLD_EVERY == 0:
            tell(reader.bytes_done, counts.read)
        yield outcome


def _is_empty(outcome: Outcome) -> bool:
    return not any(cell.strip() for cell in outcome.row.cells)


def _sample(rows: Iterator[Row]) -> Iterator[Row]:
    signs = 0
    for number, row in enumerate(rows, 1):
        yield row
        signs += sum(map(len, row.cells))
        if number == SAMPLE_ROWS or signs > _SAMPLE_SIGNS:
            return
