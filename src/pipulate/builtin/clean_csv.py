"""See what is wrong with a table in a file, choose what to do about it, and take the clean file and a report."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel

from pipulate import Accept, Choices, FieldError, FieldsOf, File, Files, Label, Markdown, Progress, Run, Workflow
from pipulate.builtin.cleaning import drawing
from pipulate.builtin.cleaning.looking import Tell, has_rows, look, opened
from pipulate.builtin.cleaning.repairing import Column, Outcome, Plan
from pipulate.builtin.cleaning.writing import Style, clean, preview, report, summary
from pipulate.sheets.kinds import KINDS
from pipulate.sheets.sniff import DELIMITERS, ENCODINGS, Layout, sniff
from pipulate.ui import FormParts, Html, p, section

clean_csv = Workflow(
    "clean_csv",
    title="Clean a CSV",
    description="Find bad rows in a table, repair what can be repaired, and take the clean file with a report.",
    assets=["clean_csv.css"],
)

COLUMNS_ASKED = 60
PREVIEW_ROWS = 2_000
_SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}  # A tab alone would not survive a form.
_BETWEEN = [(name, DELIMITERS[sign]) for name, sign in _SIGNS.items()]
_PREVIEW_SHOWN = 25
_FIRST_ROWS = 8
_NO_TABLES = {b"PK\x03\x04": "an Excel workbook or a zip file", b"%PDF": "a PDF", b"\xd0\xcf\x11\xe0": "an Excel file"}


class ColumnFound(BaseModel):
    """A column: its name, its kind, how many rows have a value, and some values."""

    name: str
    kind: str
    filled: int
    examples: list[str]


class BadRow(BaseModel):
    """A bad row: the line it begins on, why it is bad, what stands in it."""

    line: int
    reasons: list[str]
    cells: list[str]


class InTheFile(BaseModel):
    """What is in a file; `reasons` are what is wrong -> how many rows."""

    rows: int
    bad_rows: int
    empty_rows: int
    reasons: dict[str, int]
    columns: list[ColumnFound]
    bad: list[BadRow]


class Changed(BaseModel):
    """What becomes of a row: the line, its cells before and after (None: left out), which changed, and why."""

    line: int
    before: list[str]
    after: list[str] | None
    changed: list[int]
    reasons: list[str]


class Preview(BaseModel):
    """What becomes of the first rows: how many of what, the columns, and the rows that show it best."""

    counts: list[tuple[str, int]]
    is_whole: bool
    columns: list[str]
    rows: list[Changed]


@clean_csv.step("upload", title="Your file")
def upload(file: Annotated[File, Accept(".csv", ".tsv", ".tab", ".txt", "text/csv", max_mb=500)]) -> File:
    """Choose the table to clean. The file stays as it is; you get a new one.

    Args:
        file: Columns by commas, semicolons, tabs or bars, in any encoding. Workbooks of Excel: save them as CSV first.
    """
    with file.open() as content:
        start = content.read(4)
    if not start:
        raise FieldError("file", "This file is empty.")
    if start in _NO_TABLES:
        raise FieldError("file", f"This is {_NO_TABLES[start]}. Save the table as CSV, and choose that file.")
    return file


@upload.done
def show_upload(file: File) -> Html:
    """Name the file. What is in it is shown by the steps that know how to read it."""
    return p(f"{file.size_bytes:,} bytes. It stays as it is; the clean file is a new one.")


@clean_csv.cached
def guess(run: Run) -> Layout:
    """Return how the file is probably written."""
    return sniff(run[upload].path)


def guessed(run: Run) -> dict[str, Any]:
    """Return the same as answers."""
    found = guess(run)
    name = next(name for name, sign in _SIGNS.items() if sign == found.delimiter)
    return {"encoding": found.encoding, "delimiter": name, "has_header": found.has_header}


@clean_csv.step("layout", title="How it is written", suggest=guessed)
def layout(
    run: Run,
    encoding: Annotated[str, Choices(lambda _run: list(ENCODINGS.items()))],
    delimiter: Annotated[str, Choices(lambda _run: _BETWEEN)],
    has_header: Annotated[bool, Label("The first row names the columns")] = True,
) -> list[list[str]]:
    """This is what was found out. If letters or columns look wrong below, change it.

    Args:
        run: What came before.
        encoding: Wrong letters, such as Ã¼ in place of ü, mean another one.
        delimiter: What stands between columns.
        has_header: Untick it if the first row is data already.
    """
    chosen = Layout(encoding, _SIGNS[delimiter], has_header)
    if not has_rows(run[upload].path, chosen):
        below = " below the header" if has_header else ""
        raise FieldError("has_header", f"There are no rows{below} in this file. Go back and choose another one.")
    return _beginning(run[upload], chosen)


@layout.form
def layout_form(fields: FormParts, run: Run) -> Html:
    """Draw the form with the first rows below, read as it was found out."""
    return section(fields.rest(), drawing.first_rows(_beginning(run[upload], guess(run)), "First rows, read like this"))


@layout.done
def show_layout(rows: list[list[str]]) -> Html:
    """Draw the first rows."""
    return drawing.first_rows(rows[:4], "First rows")


@clean_csv.step("look", title="What is in it")
def look_at(run: Run, progress: Progress) -> InTheFile:
    """Read all of it: the kind of each column, and the rows that do not fit."""
    file = run[upload]
    found = look(file.path, _layout(run), _telling(progress, file))
    return InTheFile(
        rows=found.counts.read,
        bad_rows=found.counts.bad_left_out,
        empty_rows=found.counts.empty,
        reasons={drawing.shown(reason): number for reason, number in found.counts.reasons.most_common(40)},
        columns=[
            ColumnFound(
                name=drawing.shown(each.name),
                kind=each.kind,
                filled=each.filled,
                examples=[drawing.shown(example) for example in each.examples],
            )
            for each in found.columns
        ],
        bad=[
            BadRow(
                line=each.row.line,
                reasons=[drawing.shown(reason) for reason in each.reasons],
                cells=drawing.shown_row(each.row.cells),
            )
            for each in found.bad
        ],
    )


@look_at.done
def show_look(found: InTheFile) -> Html:
    """Draw the columns and the bad rows."""
    return drawing.findings(found)


def columns_of(run: Run) -> list[dict[str, Any]]:
    """Return the fields about each column."""
    return [field for index, each in enumerate(run[look_at].columns[:COLUMNS_ASKED]) for field in _asked(index, each)]


@clean_csv.step("columns", title="Columns")
def columns(about: Annotated[dict[str, Any], FieldsOf(columns_of), Label("Each column")]) -> None:
    """What is each column called, and what belongs into it? A value of another kind makes a row bad.

    Args:
        about: The kinds were found by the first 5,000 rows.
    """
    names: dict[str, str] = {}
    for field, name in about.items():
        if field.startswith("name_"):
            if name in names:
                raise FieldError(f"about.{field}", f"Another column is called {name} already.")
            names[name] = field


@columns.form
def columns_form(fields: FormParts) -> Html:
    """Draw the three fields of a column side by side."""
    return section(fields.rest(), class_="csv-columns")


def numbered(run: Run) -> list[tuple[int, str]]:
    """Return each column by its number and the name it gets."""
    about = run.answers(columns).about
    return [(index, about.get(f"name_{index}") or each.name) for index, each in enumerate(run[look_at].columns)]


@clean_csv.step("fixes", title="What to repair")
def fixes(
    trim: Annotated[bool, Label("Remove spaces")] = True,
    normalise: Annotated[bool, Label("Write numbers and dates in one way")] = True,
    drop_empty_rows: Annotated[bool, Label("Leave out empty rows")] = True,
    drop_empty_columns: Annotated[bool, Label("Leave out empty columns")] = False,
    drop_duplicates: Annotated[bool, Label("Leave out rows that came before")] = False,
    bad_rows: Literal["leave out", "keep as they are"] = "leave out",
    required: Annotated[list[int], Choices(numbered)] = [],  # noqa: B006 - a default is never changed
) -> None:
    """Nothing is lost: what is left out stands in a file of its own, with its line and the reason.

    Args:
        trim: Removes spaces around values, and empty cells at the end of a row.
        normalise: Writes numbers with a decimal point and dates as year-month-day.
        drop_empty_rows: Leaves out rows without any value.
        drop_empty_columns: Leaves out columns without any value.
        drop_duplicates: Once repaired, it is the same as a row before it.
        bad_rows: What becomes of rows that cannot be repaired.
        required: A row without a value in one of these columns is bad.
    """


@clean_csv.step("preview", title="Before and after")
def show_before(run: Run) -> Preview:
    """Try it with the first 2,000 rows."""
    file, plan = run[upload], plan_of(run)
    counts, rows = preview(file.path, _layout(run), plan, rows_max=PREVIEW_ROWS, shown=_PREVIEW_SHOWN)
    return Preview(
        counts=summary(counts),
        is_whole=counts.read < PREVIEW_ROWS,
        columns=[drawing.shown(each.name) for each in plan.columns if not each.is_dropped],
        rows=[_changed(each, plan) for each in rows],
    )


@show_before.done
def draw_preview(found: Preview) -> Html:
    """Draw rows before and after."""
    return drawing.before_and_after(found)


@clean_csv.step("save", title="Save")
def save(
    delimiter: Annotated[str, Choices(lambda _run: _BETWEEN)] = "comma",
    byte_order_mark: Annotated[bool, Label("Mark it as UTF-8")] = True,
    safe_for_spreadsheets: Annotated[bool, Label("Make it safe for spreadsheets")] = True,
) -> None:
    """How shall the new file be written? It is always UTF-8.

    Args:
        delimiter: What stands between columns. Excel in many European countries expects a semicolon.
        byte_order_mark: A sign at the beginning that Excel needs to read letters such as é rightly.
        safe_for_spreadsheets: Puts an apostrophe before values that a spreadsheet would run as a formula, such as
            =1+1. Untick it if a program reads the file, for it then gets the apostrophe too.
    """


@clean_csv.step("clean", title="Your clean file")
def cleaned(run: Run, files: Files, progress: Progress) -> list[Any]:
    """Repair the whole file."""
    file, plan, chosen = run[upload], plan_of(run), run.answers(save)
    style = Style(_SIGNS[chosen.delimiter], with_mark=chosen.byte_order_mark, is_safe=chosen.safe_for_spreadsheets)
    stem = PurePath(file.name).stem or "table"
    names = [f"{stem}-cleaned.csv", f"{stem}-left-out.csv"]
    with files.open(names[0], "w") as good, files.open(names[1], "w") as bad:
        counts = clean(file.path, _layout(run), plan, style, good, bad, _telling(progress, file))
    text = report(file.name, file.size_bytes, _layout(run), plan, style, counts)
    told = "\n".join(f"- {title}: **{number:,}**" for title, number in summary(counts))
    listed = [files.get(names[1])] if counts.reasons else []
    return [Markdown(told), files.get(names[0]), *listed, files.save(f"{stem}-report.md", text, "text/markdown")]


def plan_of(run: Run) -> Plan:
    """Return what was chosen, as a plan."""
    found, about, chosen = run[look_at], run.answers(columns).about, run.answers(fixes)
    made = [
        Column(
            name=about.get(f"name_{index}") or each.name,
            kind=about.get(f"kind_{index}") or each.kind,
            fill=about.get(f"fill_{index}") or "",
            is_required=index in chosen.required,
            is_dropped=chosen.drop_empty_columns and each.filled == 0 and not about.get(f"fill_{index}"),
        )
        for index, each in enumerate(found.columns)
    ]
    return Plan(
        tuple(made),
        trim=chosen.trim,
        normalise=chosen.normalise,
        keep_bad=chosen.bad_rows == "keep as they are",
        drop_empty=chosen.drop_empty_rows,
        drop_duplicates=chosen.drop_duplicates,
    )


def _layout(run: Run) -> Layout:
    chosen = run.answers(layout)
    return Layout(chosen.encoding, _SIGNS[chosen.delimiter], chosen.has_header)


def _beginning(file: File, layout: Layout) -> list[list[str]]:
    _, rows, names = opened(file.path, layout)
    first = [drawing.shown_row(row.cells) for _, row in zip(range(_FIRST_ROWS), rows, strict=False)]
    return [drawing.shown_row(names), *first]


def _asked(index: int, column: ColumnFound) -> list[dict[str, Any]]:
    label = f"Column {index + 1}"
    kinds = [{"value": kind, "label": words} for kind, words in KINDS.items()]
    return [
        {"name": f"name_{index}", "label": f"{label}: name", "default": column.name, "max_length": 300},
        {"name": f"kind_{index}", "type": "select", "label": "Kind", "options": kinds, "default": column.kind},
        {"name": f"fill_{index}", "label": "Where it is empty, write", "required": False, "max_length": 300},
    ]


def _changed(outcome: Outcome, plan: Plan) -> Changed:
    cells = outcome.row.cells
    if outcome.cells is not None and not outcome.reasons:
        cells = [cells[index] for index, column in enumerate(plan.columns) if not column.is_dropped]
    return Changed(
        line=outcome.row.line,
        before=drawing.shown_row(cells),
        after=drawing.shown_row(outcome.cells) if outcome.cells is not None else None,
        changed=sorted(place for place in outcome.changed if place < drawing.COLUMNS_SHOWN),
        reasons=[drawing.shown(reason) for reason in outcome.reasons],
    )


def _telling(progress: Progress, file: File) -> Tell:
    """Return what shows how far it is: in millions of bytes, and rows in words."""
    progress.total(max(0.1, round(file.size_bytes / 1e6, 1)))

    def tell(bytes_done: int, rows: int) -> None:
        progress.advance(round(bytes_done / 1e6, 1) - progress.now.done, f"{rows:,} rows read")

    return tell
