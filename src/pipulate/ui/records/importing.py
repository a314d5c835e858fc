"""Taking in a table: choosing it, saying what its columns are, what would come of it, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipulate.crud.cells import can_be_brought
from pipulate.crud.many import Report
from pipulate.crud.resource import Resource
from pipulate.crud.waiting import Waiting
from pipulate.sheets.sniff import DELIMITERS, ENCODINGS
from pipulate.sheets.tables import TableRow
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow
from pipulate.ui.html import (
    Html,
    a,
    button,
    details,
    div,
    fieldset,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    label,
    legend,
    option,
    p,
    section,
    select,
    small,
    span,
    summary,
    table,
    tbody,
    td,
    textarea,
    th,
    thead,
    tr,
)
from pipulate.ui.job import how_far
from pipulate.ui.records.view import base
from pipulate.ui.words import count

FIRST: Final = 5
"""Rows of the table that are shown."""

SHOWN: Final = 200
"""Problems that are shown; the file of the wrong rows has all."""

_CELL: Final = 80


@dataclass(frozen=True, slots=True)
class ImportView:
    """What is known of a table that waits.

    Attributes:
        resource: What it is for.
        waiting: The table.
        address: The list of the records.
        first: Its first rows.
        trial, job: The jobs that try it and take it in, where there are any.
        report: What a trial found, or None.
        outcome: What became of it, or None.
        is_undone: Whether it was taken back.
        problem: What is wrong with what was decided, or "".
    """

    resource: Resource[Any]
    waiting: Waiting
    address: str
    first: Sequence[TableRow]
    trial: JobRow | None = None
    job: JobRow | None = None
    report: Report | None = None
    outcome: Report | None = None
    is_undone: bool = False
    problem: str = ""

    @property
    def here(self) -> str:
        """The address of its page."""
        return f"{base(self.resource.name)}/import/{self.waiting.id}"


def choose(resource: Resource[Any], address: str, most_mb: int, problem: str = "", pasted: str = "") -> Html:
    """Return the page where a table is chosen or pasted.

    Args:
        resource: What it is for.
        address: The list of the records.
        most_mb: How large a file may be, in megabytes.
        problem: What was wrong with the last one.
        pasted: What was pasted.
    """
    fields = ", ".join(each.label for each in resource.fields if can_be_brought(each))
    return join(
        _head(resource, address),
        p(problem, class_="problem", role="alert") if problem else None,
        form(
            div(
                label("File", for_="import-file"),
                input_(type="file", id="import-file", name="file", accept=".csv,.tsv,.txt,.json,.xlsx,.xls,.xlsb,.ods",
                       aria_describedby="import-file-help"),
                small(f"XLSX or ODS (its first sheet), CSV, TSV, or JSON with a list of objects; up to {most_mb:,} MB.",
                      id="import-file-help", class_="help"),
                class_="field",
            ),
            div(
                label("Or paste a table", for_="import-paste"),
                textarea(pasted, id="import-paste", name="paste", rows=8, dir="auto", spellcheck="false",
                         aria_describedby="import-paste-help"),
                small(f"Copied from a spreadsheet, with its heading. The fields are: {fields}.",
                      id="import-paste-help", class_="help"),
                class_="field",
            ),
            div(
                button("Next", class_="primary"),
                a("Cancel", href=address, class_="button quiet"),
                class_="actions",
            ),
            method="post",
            action=f"{base(resource.name)}/import",
            enctype="multipart/form-data",
        ),
    )  # fmt: skip


def import_page(view: ImportView) -> Html:
    """Return the page of a table that waits, is being taken in, or was."""
    waiting = view.waiting
    what = f"{waiting.name or 'Pasted table'}: {count(waiting.rows, 'row')}"
    return join(_head(view.resource, view.address), p(what, class_="lead", dir="auto"), state_part(view))


def _head(resource: Resource[Any], address: str) -> Html:
    return header(
        p(a(resource.title, href=address), class_="crumbs"),
        h1(f"Import into {resource.title}"),
        class_="page-head",
    )


def state_part(view: ImportView) -> Html:
    """Return what changes by itself while a job is at work."""
    at_work = next((each for each in (view.job, view.trial) if each is not None and each.is_open), None)
    if view.outcome is not None:
        content = _outcome(view)
    elif at_work is not None:
        content = _at_work(view, at_work)
    elif view.job is not None:
        content = _stopped(view, view.job)
    else:
        content = _deciding(view)
    return div(
        content,
        id="import-state",
        data_jobs=view.here if at_work is not None else None,
        data_moves=at_work is not None and at_work.status == jobs.RUNNING,
    )


def _at_work(view: ImportView, job: JobRow) -> Html:
    return section(
        h2("It is being tried" if job is view.trial else "It is being taken in"),
        how_far(job),
        p(job.reason, class_="reason") if job.reason else None,
        p(
            "You can leave this page; it goes on. ",
            a("Progress, log and stop", href=f"/-/jobs/{job.id}"),
            " · ",
            a("Look again", href=view.here),
        ),
    )


def _stopped(view: ImportView, job: JobRow) -> Html:
    """Return what there is to say about an import that ended early: what it took stays until it is taken back."""
    return section(
        h2("The import ended before it was done"),
        p(job.reason) if job.reason else None,
        _numbers(view.report, is_trial=False) if view.report is not None else p("Nothing was taken in."),
        p("To go on behind the last row that was taken, open ", a("its job", href=f"/-/jobs/{job.id}"), "."),
        _undo(view),
        _to_list(view),
    )


def _outcome(view: ImportView) -> Html:
    report = view.outcome
    assert report is not None  # noqa: S101 - the caller looked
    return section(
        h2("Taken back" if view.is_undone else "Taken in"),
        _numbers(report, is_trial=False),
        _problems(view, report),
        _undo(view),
        _to_list(view),
    )


def _undo(view: ImportView) -> Html | None:
    if not view.waiting.operation or view.is_undone or (view.report is None and view.outcome is None):
        return None
    return form(
        input_(type="hidden", name="operation", value=view.waiting.operation),
        button("Undo", class_="secondary"),
        method="post",
        action=f"{base(view.resource.name)}/undo",
        class_="actions",
    )


def _to_list(view: ImportView) -> Html:
    return p(
        a(f"Back to {view.resource.title}", href=view.address, class_="button secondary"),
        " ",
        a("Import more", href=f"{base(view.resource.name)}/import", class_="button quiet"),
    )


def _numbers(report: Report, *, is_trial: bool) -> Html:
    """Return in words what became of the rows, or would."""
    told = (
        (report.created, "added"), (report.changed, "changed"), (report.skipped, "left out, as they are there already"),
        (report.same, "the same already"), (report.kept, "left, as somebody changed them meanwhile"),
        (report.wrong, "not taken, as something is wrong with them"),
    )  # fmt: skip
    said = [f"{number:,} {words}" for number, words in told if number]
    return p(
        ("That would come of it: " if is_trial else "") + ("; ".join(said) or "nothing to do") + ".",
        role="status", class_="import-numbers",
    )  # fmt: skip


def _problems(view: ImportView, report: Report) -> Html | None:
    if not report.problems:
        return None
    labels = {each.name: each.label for each in view.resource.fields}
    shown = report.problems[:SHOWN]
    rows = [
        tr(td(f"{each.row:,}", class_="number"), td(labels.get(each.field, "")), td(each.words, dir="auto"))
        for each in shown
    ]
    said = f"The first {len(shown):,} are shown; the file has all of them." if len(shown) < len(report.problems) else ""
    return section(
        h2("What is wrong"),
        p(a("Download these rows as CSV, with the reason", href=f"{view.here}/wrong.csv", download=True)),
        div(
            table(thead(tr(th("Row", class_="number"), th("Field"), th("What is wrong"))), tbody(rows)),
            class_="scroll", tabindex="0", role="region", aria_label="What is wrong",
        ),
        p(said, class_="help") if said else None,
    )  # fmt: skip


# Deciding


def _deciding(view: ImportView) -> Html:
    tried = view.report
    return join(
        p(view.problem, class_="problem", role="alert") if view.problem else None,
        p(view.trial.reason, class_="problem", role="alert") if view.trial is not None and tried is None else None,
        section(_numbers(tried, is_trial=True), _problems(view, tried)) if tried is not None else None,
        form(
            _layout(view) if view.waiting.form == "csv" else None,
            _mapping(view),
            _no_files(view.resource),
            _choice(view.resource, view.waiting),
            div(
                button("Check", name="do", value="check", class_="secondary" if tried is not None else "primary"),
                button("Import", name="do", value="take", class_="primary") if tried is not None else None,
                a("Choose another", href=f"{base(view.resource.name)}/import", class_="button quiet"),
                class_="actions",
            ),
            method="post",
            action=view.here,
        ),
    )


def _layout(view: ImportView) -> Html:
    layout = view.waiting.layout
    return details(
        summary("How the file is written"),
        div(
            _select("encoding", "Encoding", ENCODINGS, layout.encoding),
            _select("delimiter", "Between columns", DELIMITERS, layout.delimiter),
            label(input_(type="checkbox", name="head", value="1", checked=layout.has_header),
                  "The first row names the columns"),
            button("Read it so", name="do", value="read", class_="secondary"),
            class_="import-layout",
        ),
    )  # fmt: skip


def _select(name: str, words: str, options: dict[str, str], chosen: str) -> Html:
    id_ = f"import-{name}"
    return div(
        label(words, for_=id_),
        select([option(text, value=value, selected=value == chosen) for value, text in options.items()],
               name=name, id=id_),
        class_="field",
    )  # fmt: skip


def _mapping(view: ImportView) -> Html:
    """Return the columns, the field each is for, and the first rows."""
    waiting = view.waiting
    heads = [
        th(
            span(name, id=f"column-{place}", dir="auto"),
            select(
                option("(do not take)", value=""),
                [
                    option(each.label, value=each.name, selected=waiting.mapping[place] == each.name)
                    for each in view.resource.fields
                    if can_be_brought(each)
                ],
                name=f"column.{place}",
                aria_labelledby=f"column-{place}",
            ),
            scope="col",
        )
        for place, name in enumerate(waiting.columns)
    ]
    rows = [
        tr(th(f"{row.number:,}", scope="row", class_="number"), [td(each[:_CELL], dir="auto") for each in row.cells])
        for row in view.first
    ]
    return div(
        table(thead(tr(th("Row", class_="number"), heads)), tbody(rows)),
        class_="scroll import-mapping", tabindex="0", role="region", aria_label="Columns, and the field each is for",
    )  # fmt: skip


def _no_files(resource: Resource[Any]) -> Html | None:
    """Return why fields that hold files are not among the choices."""
    left = [each for each in resource.fields if not can_be_brought(each) and each.widget != "hidden"]
    if not left:
        return None
    names = ", ".join(each.label for each in left)
    needed = [each.label for each in left if each.required]
    more = (
        f" A new record needs {' and '.join(needed)}, so rows can only change records that are there already."
        if needed
        else " Records that are changed keep their files; new ones begin without."
    )
    return p(f"A table cannot bring files: no column can be for {names}.{more}", class_="help")


def _choice(resource: Resource[Any], waiting: Waiting) -> Html | None:
    if not resource.key:
        return p("Each row becomes a new record: these records have no key to find one by.", class_="help")
    labels = {each.name: each.label for each in resource.fields}
    key = " and ".join(labels[name] for name in resource.key)
    return fieldset(
        legend(f"Rows whose {key} a record has already"),
        [
            label(input_(type="radio", name="choice", value=value, checked=waiting.choice == value), words)
            for value, words in (("skip", "leave out"), ("update", "change that record"))
        ],
        class_="field",
    )
