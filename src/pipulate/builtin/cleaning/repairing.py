"""What is done to each row: pure functions of a row and a plan."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from pipulate.builtin.cleaning.seen import Seen
from pipulate.sheets.kinds import DATES, NUMBERS, normal
from pipulate.sheets.reading import Row

FEW, MANY, UNREADABLE, REQUIRED = "too few columns", "too many columns", "signs that cannot be read", "is empty"
NO_NUMBER, NO_DATE = "is no number", "is no date"
EMPTY, DUPLICATE = "empty row", "the same row again"
_LOST = "\ufffd"
_AROUND = " \t\r\n\f\v\x00\u00a0\u202f\u200b\ufeff"
_FORMULA = "=@\uff1d\uff20\uff0b\uff0d"  # The last four are the wide forms, which Japanese spreadsheets take too.
_NUMBER = re.compile(r"[+-]?[\d.,]+")


@dataclass(frozen=True, slots=True)
class Column:
    """What is done with a column.

    Attributes:
        name: What it is called afterwards.
        kind: One of `kinds.KINDS`; what is of another kind is bad.
        fill: What is written where it is empty, or "".
        is_required: Whether a row without it is bad.
        is_dropped: Whether it is left out.
    """

    name: str
    kind: str = "text"
    fill: str = ""
    is_required: bool = False
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a file.

    Attributes:
        columns: Its columns, in their order.
        trim: Whether spaces around cells, and empty cells behind the last column, go.
        normalise: Whether numbers and dates are written in one way.
        keep_bad: Whether bad rows stay, as they are.
        drop_empty: Whether rows go that have nothing in the columns that are not left out.
        drop_duplicates: Whether a row that came before goes.
    """

    columns: tuple[Column, ...]
    trim: bool = True
    normalise: bool = True
    keep_bad: bool = False
    drop_empty: bool = True
    drop_duplicates: bool = False

    def settled(self) -> Plan:
        """Return the plan for what this one makes: it changes nothing there."""
        kinds = dict.fromkeys(NUMBERS, "point") | dict.fromkeys(DATES, "ymd")
        left = (each for each in self.columns if not each.is_dropped)
        new = [replace(each, kind=kinds.get(each.kind, each.kind) if self.normalise else each.kind) for each in left]
        return replace(self, columns=tuple(new))


@dataclass(slots=True)
class Outcome:
    """What became of a row.

    Attributes:
        row: The row, as it stands in the file.
        cells: What is written, or None where it is left out.
        reasons: Why it is left out or bad; empty for a good one.
        changed: Positions in `cells` whose value is another one than in the file.
    """

    row: Row
    cells: list[str] | None
    reasons: list[str] = field(default_factory=list)
    changed: frozenset[int] = frozenset()


@dataclass(slots=True)
class Counts:
    """How many rows became what. `read` is always the sum of `written`, `bad_left_out`, `empty` and `duplicates`."""

    read: int = 0
    written: int = 0
    changed: int = 0
    cells_changed: int = 0
    bad_kept: int = 0
    bad_left_out: int = 0
    empty: int = 0
    duplicates: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count a row."""
        self.read += 1
        self.written += outcome.cells is not None
        self.changed += bool(outcome.changed)
        self.cells_changed += len(outcome.changed)
        self.reasons.update(outcome.reasons)
        if outcome.reasons == [EMPTY]:
            self.empty += 1
        elif outcome.reasons == [DUPLICATE]:
            self.duplicates += 1
        elif outcome.reasons:
            self.bad_kept += outcome.cells is not None
            self.bad_left_out += outcome.cells is None


def repaired(rows: Iterable[Row], plan: Plan) -> Iterator[Outcome]:
    """Yield what becomes of each row, in order."""
    seen = Seen() if plan.drop_duplicates else None
    for row in rows:
        outcome = repair(row, plan)
        if seen is not None and outcome.cells is not None and not outcome.reasons and seen.add(outcome.cells):
            outcome = Outcome(row, None, [DUPLICATE])
        yield outcome


def repair(row: Row, plan: Plan) -> Outcome:
    """Return what becomes of one row, whatever came before it."""
    width = len(plan.columns)
    source = row.cells or [""] * width  # A line with nothing on it.
    cells = [cell.strip(_AROUND) for cell in source] if plan.trim else source
    # What stands only in a column that is left out leaves an empty row as well.
    left = [cell for index, cell in enumerate(cells) if index >= width or not plan.columns[index].is_dropped]
    if plan.drop_empty and not row.problem and not any(cell.strip(_AROUND) for cell in left):
        return Outcome(row, None, [EMPTY])
    if plan.trim and len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if reasons := list(_broken(row, cells, width)):
        return Outcome(row, list(row.cells) if plan.keep_bad else None, reasons)
    kept = [index for index, column in enumerate(plan.columns) if not column.is_dropped]
    made, reasons = _made(cells, plan)
    if reasons:
        return Outcome(row, [source[index] for index in kept] if plan.keep_bad else None, reasons)
    changed = frozenset(place for place, index in enumerate(kept) if made[index] != source[index])
    return Outcome(row, [made[index] for index in kept], [], changed)


def _broken(row: Row, cells: Sequence[str], width: int) -> Iterator[str]:
    if row.problem:
        yield row.problem
    elif len(cells) != width:
        yield MANY if len(cells) > width else FEW
    if any(_LOST in cell for cell in cells):
        yield UNREADABLE


def _made(cells: Sequence[str], plan: Plan) -> tuple[list[str], list[str]]:
    """Return the cells as they are written, and what is wrong with them."""
    made, reasons = [], []
    for column, cell in zip(plan.columns, cells, strict=True):
        value = cell
        if column.is_dropped:
            made.append(value)
            continue
        if not cell.strip(_AROUND):
            value = column.fill or cell
            if column.is_required and not value.strip(_AROUND):
                reasons.append(f"{column.name} {REQUIRED}")
        elif column.kind != "text" and cell != column.fill:  # What is written where it is empty may be of any kind.
            good = normal(column.kind, cell)
            if good is None:
                reasons.append(f"{column.name} {NO_NUMBER if column.kind in NUMBERS else NO_DATE}")
            elif plan.normalise:
                value = good
        made.append(value)
    return made, reasons


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: one that could be begins with an apostrophe."""
    start = cell.lstrip(_AROUND)[:1]
    if (
        (start and start in _FORMULA)
        or cell[:1] in ("\t", "\r")
        or (start in ("+", "-") and not _NUMBER.fullmatch(cell))
    ):
        return f"'{cell}"
    return cell
