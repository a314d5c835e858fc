"""The files that come out: the cleaned one, the rows that were left out, and a report."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipulate.builtin.cleaning.looking import TOLD_EVERY, Tell, opened
from pipulate.builtin.cleaning.repairing import Counts, Outcome, Plan, repaired, safe
from pipulate.sheets.kinds import KINDS
from pipulate.sheets.sniff import DELIMITERS, ENCODINGS, Layout

_TITLES = {
    "read": "Rows in the file",
    "written": "Rows in the cleaned file",
    "changed": "of these changed",
    "bad_kept": "of these bad, and kept as they were",
    "bad_left_out": "Bad rows left out",
    "empty": "Empty rows left out",
    "duplicates": "Rows left out because they came before",
}


class Out(Protocol):
    """What text is written to."""

    def write(self, text: str, /) -> Any:
        """Add text."""


@dataclass(frozen=True, slots=True)
class Style:
    """How the files are written.

    Attributes:
        delimiter: What stands between columns.
        with_mark: Whether they begin with a byte order mark, without which Excel misreads UTF-8.
        is_safe: Whether cells that a spreadsheet would run as a formula begin with an apostrophe.
    """

    delimiter: str = ","
    with_mark: bool = True
    is_safe: bool = True


def clean(path: Path, layout: Layout, plan: Plan, style: Style, cleaned: Out, left_out: Out, tell: Tell) -> Counts:
    """Write the cleaned rows and those that are bad or left out; return how many there are of each."""
    counts = Counts()
    reader, rows, _ = opened(path, layout)
    good, bad = _writer(cleaned, style), _writer(left_out, style)
    names = [column.name for column in plan.columns]
    good([each.name for each in plan.columns if not each.is_dropped])
    bad(["Line", "Reason", "In the cleaned file", *names])
    for outcome in repaired(rows, plan):
        counts.add(outcome)
        if outcome.cells is not None:
            good(outcome.cells)
        if outcome.reasons:
            kept = "yes" if outcome.cells is not None else "no"
            bad([str(outcome.row.line), "; ".join(outcome.reasons), kept, *outcome.row.cells])
        if counts.read % TOLD_EVERY == 0:
            tell(reader.bytes_done, counts.read)
    return counts


def _writer(out: Out, style: Style) -> Any:
    if style.with_mark:
        out.write("\ufeff")
    writer = csv.writer(out, delimiter=style.delimiter, lineterminator="\r\n")

    def write(cells: list[str]) -> None:
        writer.writerow([safe(cell) for cell in cells] if style.is_safe else cells)

    return write


def preview(path: Path, layout: Layout, plan: Plan, *, rows_max: int, shown: int) -> tuple[Counts, list[Outcome]]:
    """Return the counts of the first rows, and those among them that show best what is done: changed or bad first."""
    counts, telling, plain = Counts(), list[Outcome](), list[Outcome]()
    _, rows, _ = opened(path, layout)
    for outcome in repaired(rows, plan):
        counts.add(outcome)
        into = telling if outcome.changed or outcome.reasons else plain
        if len(into) < shown:
            into.append(outcome)
        if counts.read == rows_max:
            break
    chosen = [*telling, *plain][:shown]
    return counts, sorted(chosen, key=lambda outcome: outcome.row.line)


def report(name: str, size_bytes: int, layout: Layout, plan: Plan, style: Style, counts: Counts) -> str:
    """Return the report, as Markdown."""
    return "\n".join(_lines(name, size_bytes, layout, plan, style, counts)) + "\n"


def summary(counts: Counts) -> list[tuple[str, int]]:
    """Return what became of the rows, in words; what there is none of is left out, but for the first two."""
    pairs = [(title, getattr(counts, field)) for field, title in _TITLES.items()]
    return [pair for index, pair in enumerate(pairs) if pair[1] or index < 2]


def _lines(name: str, size_bytes: int, layout: Layout, plan: Plan, style: Style, counts: Counts) -> Iterator[str]:
    yield f"# {escaped(name)}, cleaned"
    yield ""
    yield "| Rows | |"
    yield "| --- | ---: |"
    yield from (f"| {title} | {number:,} |" for title, number in summary(counts))
    if counts.reasons:
        yield from ("", "## Why rows are bad or left out", "", "| Reason | Rows |", "| --- | ---: |")
        yield from (f"| {escaped(reason)} | {number:,} |" for reason, number in counts.reasons.most_common())
        yield from (
            "",
            "A row can have several reasons. Each row is listed with its line in the file of rows left out.",
        )
    yield from ("", "## Columns", "", "| Column | Kind | If empty | |", "| --- | --- | --- | --- |")
    for column in plan.columns:
        remark = "left out, for it is empty" if column.is_dropped else "required" if column.is_required else ""
        yield f"| {escaped(column.name)} | {escaped(KINDS[column.kind])} | {escaped(column.fill)} | {remark} |"
    yield from ("", "## What was done", "")
    yield from (f"- {each}" for each in _done(size_bytes, layout, plan, style))


def _done(size_bytes: int, layout: Layout, plan: Plan, style: Style) -> Iterator[str]:
    yield f"Read {size_bytes:,} bytes as {ENCODINGS[layout.encoding]}, columns by {DELIMITERS[layout.delimiter]}."
    if plan.trim:
        yield "Spaces around cells were removed."
    if plan.normalise:
        yield "Numbers were written with a decimal point, dates as year-month-day."
    if plan.drop_empty:
        yield "Empty rows were left out."
    if plan.drop_duplicates:
        yield "Rows that came before were left out."
    yield "Bad rows were kept as they were." if plan.keep_bad else "Bad rows were left out."
    yield f"Written as UTF-8, columns by {DELIMITERS[style.delimiter]}."
    if style.is_safe:
        yield "Cells that a spreadsheet would run as a formula begin with an apostrophe."


def escaped(text: str) -> str:
    """Return text as it stands in a table of Markdown, whatever it holds."""
    plain = " ".join(text.split())
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]()<>#+!|~&" else sign for sign in plain)
