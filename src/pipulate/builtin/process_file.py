"""Keep, replace or count the lines of a file of any size, or rows of a table, in the background, in little memory."""

from __future__ import annotations

import codecs
import io
import re
import shutil
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from pipulate import (
    Choices,
    Code,
    FieldError,
    File,
    Files,
    Job,
    Label,
    Placeholder,
    Progress,
    Radios,
    Run,
    Workflow,
)
from pipulate.builtin.lines.doing import Desk
from pipulate.builtin.lines.placing import problem_of_file, problem_of_folder
from pipulate.builtin.lines.plan import RELATIONS, Plan
from pipulate.builtin.lines.reading import Rows
from pipulate.builtin.lines.trying import TRIED_BYTES, HopelessError, beginning, tried
from pipulate.sheets.sniff import DELIMITERS, ENCODINGS, delimiter_of
from pipulate.ui import Html, join, p, pre

process_file = Workflow(
    "process_file",
    title="Process a large file",
    description="Keep, replace or count lines of a file that may be larger than memory, or rows of a large table.",
)

TASKS = {
    "keep": "Keep or leave out lines with a pattern",
    "duplicates": "Leave out lines that came before",
    "replace": "Replace a pattern",
    "count": "Count lines, words and patterns",
    "rows": "Keep some rows or columns of a table",
}
_ENDS = {"keep": "kept", "duplicates": "once", "replace": "replaced", "rows": "rows"}
_LETTERS = [(name, words) for name, words in ENCODINGS.items() if not name.startswith("utf-")]
_SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}  # A tab alone would not survive a form.
_NO_LINES = {
    b"PK\x03\x04": "an Excel workbook or a zip file",
    b"\x1f\x8b": "packed with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd",
    b"%PDF": "a PDF",
    codecs.BOM_UTF16_LE: "text in UTF-16",
    codecs.BOM_UTF16_BE: "text in UTF-16",
}
_DOWNLOAD_BYTES = 50_000_000
_NAME_BYTES = 230

Kind = Literal["text", "regular expression"]
Case = Annotated[bool, Label("Upper and lower case matter")]


class Source(BaseModel):
    """A file: where it is ("" where it was uploaded), its length, how letters are written, and its first lines."""

    path: str
    name: str
    size_bytes: int
    encoding: str
    first: list[str]


class Trial(BaseModel):
    """What becomes of the beginning of a file: lines or rows read and kept (None: only counted), and what is found."""

    read: int
    kept: int | None
    is_whole: bool
    first: list[str]


@process_file.step("source", title="Your file")
def source(
    path: Annotated[str, Label("Path on this computer"), Placeholder("~/logs/access.log")] = "",
    file: Annotated[File | None, Label("Or upload it")] = None,
    encoding: Annotated[
        str, Label("Letters"), Choices(lambda _run: [("", "Find out"), ("utf-8", "UTF-8"), *_LETTERS])
    ] = "",
) -> Source:
    """Name the file, or upload it. It stays as it is.

    Args:
        path: Of the computer Pipulate runs on. The file may be of any size; it is not copied.
        file: What is not too large for that.
        encoding: How letters are written, where what is found out is wrong.
    """
    if bool(path) is (file is not None):
        raise FieldError(
            "path", "Name a file, or upload one." if file is None else "Name a file or upload one, not both."
        )
    field, found = ("path", _typed(path)) if file is None else ("file", file.path)
    if problem := problem_of_file(found):
        raise FieldError(field, problem)
    with found.open("rb") as content:
        start = content.read(4)
    for sign, words in _NO_LINES.items():
        if start.startswith(sign):
            raise FieldError(field, f"This is {words}. Unpack it, or save it as UTF-8 text, and choose that file.")
    chosen = encoding or _letters(found)
    return Source(
        path=str(found) if file is None else "",
        name=found.name if file is None else file.name,
        size_bytes=found.stat().st_size,
        encoding=chosen,
        first=beginning(found, Plan("keep", chosen, patterns=("",)), 2_000).first[:5],
    )


@source.done
def show_source(found: Source) -> Html:
    """Show the first lines."""
    return _shown(f"{found.size_bytes:,} bytes, {ENCODINGS.get(found.encoding, 'UTF-8')}. It begins with:", found.first)


@process_file.step("what", title="What to do")
def what(task: Annotated[str, Choices(lambda _run: list(TASKS.items())), Radios()] = "keep") -> None:
    """Its lines are gone through once, from the first to the last."""


def _is(task: str) -> Any:
    return lambda run: run.answers(what).task == task


@process_file.step("keep", title="Which lines", when=_is("keep"))
def keep(
    run: Run, pattern: str, kind: Kind = "text", has_case: Case = False, lines: Literal["keep", "leave out"] = "keep"
) -> Trial:
    r"""What are you looking for?

    Args:
        run: What came before.
        pattern: Spaces at its ends do not count; in a regular expression write \s for one.
        kind: Regular expressions are those of Python.
        has_case: If not, they are the same.
        lines: What becomes of lines that have it.
    """
    return _tried(run, _plan_of("keep", run, pattern=pattern, kind=kind, has_case=has_case, lines=lines))


@process_file.step("duplicates", title="Which duplicates", when=_is("duplicates"))
def duplicates(run: Run, compared: Literal["with all before", "with the one before"] = "with all before") -> Trial:
    """A line that came before is left out; the first of them stays where it is.

    Args:
        run: What came before.
        compared: Up to 2,000,000 different lines are remembered. In a sorted file the one before is enough.
    """
    return _tried(run, _plan_of("duplicates", run, compared=compared), "compared")


@process_file.step("replace", title="Replace", when=_is("replace"))
def replaced(
    run: Run,
    pattern: str,
    replacement: Annotated[str, Label("Put in its place")] = "",
    kind: Kind = "text",
    has_case: Case = False,
) -> Trial:
    r"""What is replaced, and by what?

    Args:
        run: What came before.
        pattern: Spaces at its ends do not count; in a regular expression write \s for one.
        replacement: In a regular expression, \1 is what its first group found.
        kind: Regular expressions are those of Python, and see one line at a time.
        has_case: If not, they are the same.
    """
    plan = _plan_of("replace", run, pattern=pattern, replacement=replacement, kind=kind, has_case=has_case)
    try:
        replacement.encode(plan.encoding)
        if plan.is_regex:
            re.sub(plan.patterns[0], replacement, "")
    except UnicodeEncodeError as error:
        sign = replacement[error.start]
        raise FieldError("replacement", f"{sign} cannot be written in the encoding of this file.") from None
    except (re.error, IndexError) as error:
        if not _problem(plan):
            raise FieldError("replacement", f"This cannot be put in: {error}.") from None
    return _tried(run, plan)


@process_file.step("count", title="What to count", when=_is("count"))
def counted(
    run: Run,
    patterns: Annotated[list[str], Field(max_length=20)] = [],  # noqa: B006 - a default is never changed
    kind: Kind = "text",
    has_case: Case = False,
) -> Trial:
    """Lines and words are counted, and lines with each pattern.

    Args:
        run: What came before.
        patterns: One a line; leave it empty to count lines and words only.
        kind: Regular expressions are those of Python.
        has_case: If not, they are the same.
    """
    return _tried(run, _plan_of("count", run, patterns=patterns, kind=kind, has_case=has_case), "patterns")


def _guessed(run: Run) -> str:
    with _path(run).open(encoding=run[source].encoding, errors="replace", newline="") as file:
        sign = delimiter_of(io.StringIO(file.read(100_000), newline="").readlines())
    return next(name for name, each in _SIGNS.items() if each == sign)


@process_file.step("table", title="The table", when=_is("rows"), suggest=lambda run: {"delimiter": _guessed(run)})
def table(
    run: Run,
    delimiter: Annotated[str, Choices(lambda _run: [(name, DELIMITERS[sign]) for name, sign in _SIGNS.items()])],
    has_header: Annotated[bool, Label("The first row names the columns")] = True,
) -> list[str]:
    """How is the table written?

    Args:
        run: What came before.
        delimiter: What stands between columns.
        has_header: Untick it if the first row is data already.
    """
    path, found = _path(run), run[source]
    with path.open("rb") as file:
        end = min(found.size_bytes, TRIED_BYTES)
        rows = Rows(file, 0, end, encoding=found.encoding, delimiter=_SIGNS[delimiter])
        first = next((row.cells for row in rows if row.cells), [])
    return [_short(cell) if has_header and cell else f"Column {index}" for index, cell in enumerate(first[:500], 1)]


def _numbered(run: Run) -> list[tuple[int, str]]:
    names = run[table]
    return list(enumerate(names))


@process_file.step("rows", title="Which rows and columns", when=_is("rows"))
def rows(
    run: Run,
    columns: Annotated[list[int], Choices(_numbered)] = [],  # noqa: B006 - a default is never changed
    column: Annotated[int | None, Label("Keep rows whose"), Choices(_numbered)] = None,
    relation: Annotated[str, Label(""), Choices(lambda _run: list(RELATIONS.items()))] = "is",
    value: str = "",
) -> Trial:
    """Which columns, and which rows?

    Args:
        run: What came before.
        columns: Tick none to keep all.
        column: Leave it empty to keep all rows.
        relation: A value that is no number is neither more nor less than one.
        value: Upper and lower case are the same.
    """
    if not columns and column is None:
        raise FieldError("columns", "Choose some columns, or a column that decides about rows.")
    if relation in {"least", "most"} and column is not None and not _is_number(value):
        raise FieldError("value", "Type a number, such as 12.5.")
    return _tried(run, _plan_of("rows", run, columns=columns, column=column, relation=relation, value=value), "columns")


@keep.done
@duplicates.done
@replaced.done
@counted.done
@rows.done
def show_trial(found: Trial) -> Html:
    """Show how the result begins."""
    read = f"all {found.read:,}" if found.is_whole else f"the first {found.read:,}"
    kept = "" if found.kept is None else f"; {found.kept:,} of them go into the result"
    return _shown(f"Tried with {read}{kept}.", found.first[:8])


def _suggested(run: Run) -> dict[str, Any]:
    found, downloads = run[source], Path.home() / "Downloads"
    folder = Path(found.path).parent if found.path else downloads if downloads.is_dir() else Path.home()
    name = PurePath(found.name)
    return {
        "folder": str(folder),
        "name": f"{name.stem}-{_ENDS[run.answers(what).task]}{name.suffix}",
        "copy_for_download": found.size_bytes <= _DOWNLOAD_BYTES,
    }


@process_file.step("place", title="The result", when=lambda run: run.answers(what).task != "count", suggest=_suggested)
def place(
    run: Run,
    folder: str,
    name: str,
    copy_for_download: Annotated[bool, Label("Keep a copy with this run, for the download")] = False,
    when_stopped: Annotated[
        Literal["keep what is done", "remove it"], Label("If it is stopped"), Radios()
    ] = "keep what is done",
) -> None:
    """Where does the result go? A file that is there is never overwritten: the new one gets a number.

    Args:
        run: What came before.
        folder: On the computer Pipulate runs on.
        name: Until it is complete, ".partial" stands behind it.
        copy_for_download: It takes the room a second time.
        when_stopped: What becomes of an incomplete result.
    """
    wanted = _typed(folder)
    if problem := problem_of_folder(wanted):
        raise FieldError("folder", problem)
    if name != PurePath(name).name or name in {".", ".."} or len(name.encode()) > _NAME_BYTES:
        raise FieldError("name", "Type a name such as result.csv, without a folder.")
    free, size = shutil.disk_usage(wanted).free, run[source].size_bytes
    if free < size:
        raise FieldError("folder", f"There are {free:,} bytes free; the file has {size:,}.")


@process_file.step("work", title="The work", background=True)
def work(run: Run, job: Job, files: Files, progress: Progress) -> list[Any]:
    """Go through the file in batches. What is done stays done, whatever happens to the page or the program."""
    chosen = run.answers(place) if run.answers(what).task != "count" else None
    folder = _typed(chosen.folder) if chosen else None
    desk = Desk(job, progress, _path(run), _plan(run), folder, chosen.name if chosen else "")
    desk.removes = chosen is not None and chosen.when_stopped == "remove it"
    state, made = desk.work()
    if chosen is None or made is None:
        return [*desk.counts(state)]
    shown: list[Any] = [*desk.counts(state), "The result is here:", Code(str(made), "text")]
    if not chosen.copy_for_download:
        return [*shown, *desk.beginning(state)]
    progress.message("Copying it for the download")
    return [*shown, files.save(made.name, made)]


def _plan(run: Run) -> Plan:
    """Return what was chosen, as a plan."""
    task = run.answers(what).task
    return _plan_of(task, run, **vars(run.answers(task)))  # The step that asked is named as the task is.


def _plan_of(task: Any, run: Run, **answers: Any) -> Plan:
    plan = Plan(
        task,
        run[source].encoding,
        patterns=tuple(answers.get("patterns", [answers["pattern"]] if "pattern" in answers else [])),
        is_regex=answers.get("kind") == "regular expression",
        has_case=answers.get("has_case", False),
        is_inverse=answers.get("lines") == "leave out",
        replacement=answers.get("replacement", ""),
        only_neighbours=answers.get("compared") == "with the one before",
    )
    if task != "rows":
        return plan
    about = run.answers(table)
    return replace(
        plan,
        delimiter=_SIGNS[about.delimiter],
        has_header=about.has_header,
        columns=tuple(answers["columns"]),
        column=answers["column"],
        relation=answers["relation"],
        value=answers["value"],
    )


def _tried(run: Run, plan: Plan, field: str = "pattern") -> Trial:
    """Return what becomes of the beginning of the file; problems are told at a field."""
    path = _path(run)
    if problem := _problem(plan) or problem_of_file(path):
        raise FieldError(field, problem)
    try:
        state = tried(path, plan) if plan.is_regex else beginning(path, plan)
    except HopelessError:
        raise FieldError(field, "This takes too long for the beginning of the file already. Make it simpler.") from None
    is_whole = state.offset >= run[source].size_bytes
    if plan.task != "count":
        return Trial(read=state.lines, kept=state.kept, is_whole=is_whole, first=state.first)
    found = zip(plan.patterns, state.found, strict=True)
    first = [f"{pattern}: in {lines:,} lines, {times:,} times" for pattern, (lines, times) in found]
    return Trial(read=state.lines, kept=None, is_whole=is_whole, first=first)


def _problem(plan: Plan) -> str:
    try:
        plan.compiled()
    except (re.error, OverflowError, RecursionError) as error:
        return f"This is no regular expression: {error}."
    return ""


def _path(run: Run) -> Path:
    found = run[source]
    return Path(found.path) if found.path else run.answers(source).file.path


def _typed(text: str) -> Path:
    """Return what somebody typed or pasted as a path."""
    return Path(text.strip("\"'")).expanduser()


def _letters(path: Path) -> str:
    """Return UTF-8 where the beginning is that, else Windows-1252. Reading all of it would take too long."""
    with path.open("rb") as file:
        start = file.read(TRIED_BYTES)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip("\ufeff \t"))[:80]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _shown(sentence: str, lines: list[str]) -> Html:
    return join(p(sentence), pre("\n".join(lines), dir="auto") if lines else None)
