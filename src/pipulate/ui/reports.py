"""The page of a report: filters, what is shown, downloads, and the files it makes. Works as plain forms and links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from pipulate._clock import from_text
from pipulate.fields import RANGES, FormField
from pipulate.reports.drawing import Drawing
from pipulate.reports.engine import Made, Subject
from pipulate.reports.report import Maker, Report
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow
from pipulate.storage.report_files import ReportFile
from pipulate.ui.forms import drawn_fields
from pipulate.ui.html import (
    Element,
    Html,
    a,
    button,
    code,
    details,
    div,
    figure,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    noscript,
    p,
    progress,
    raw,
    script,
    section,
    span,
    summary,
    table,
    table_rows,
    tbody,
    th,
    thead,
    tr,
)
from pipulate.ui.job import again_words, how_much, left, silence
from pipulate.ui.markdown import markdown
from pipulate.ui.words import count, moment, size_in_words
from pipulate.workflows.views.preview import COLUMNS_MAX, text_of
from pipulate.workflows.views.tables import Table

PLAIN_ROWS: Final = 200
"""Rows of the plain table; downloads have all of them."""

_UNDO_FOR: Final = timedelta(minutes=1)
_HASH: Final = 8
_FILES: Final[Sequence[tuple[str, str, Mapping[str, str]]]] = (
    ("CSV", ".csv", {}), ("CSV for Excel", ".csv", {"bom": "1"}), ("XLSX", ".xlsx", {}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReportPage:
    """What a report shows.

    Attributes:
        report: The report.
        address: Of its page.
        texts: Filter -> the texts its field holds.
        query: The filters as an address has them, "" where they are as they begin.
        is_plain: Whether the plain table is asked for.
        problems: Filter -> what is wrong with it; nothing is shown then.
        table: What is shown, or None.
        drawing: What is drawn in place of the plain table, or None.
        trouble: Why nothing is shown, or "".
        note: Why nothing is drawn, or "".
    """

    report: Report
    address: str
    texts: Mapping[str, Sequence[str]]
    query: str
    is_plain: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)
    table: Table | None = None
    drawing: Drawing | None = None
    trouble: str = ""
    note: str = ""

    def with_table(self, shown: Table) -> ReportPage:
        """Return it with what is shown."""
        return replace(self, table=shown)

    def with_drawing(self, made: Drawing) -> ReportPage:
        """Return it with what is drawn."""
        return replace(self, drawing=made)

    def with_trouble(self, words: str) -> ReportPage:
        """Return it with why nothing is shown."""
        return replace(self, trouble=words)

    def with_note(self, words: str) -> ReportPage:
        """Return it with why nothing is drawn."""
        return replace(self, note=words)

    def download(self, ending: str, **more: str) -> str:
        """Return the address of the same as a file."""
        return replace(self, address=f"/-/reports/{self.report.name}/rows{ending}").at(**more)

    def at(self, **more: str) -> str:
        """Return the address of the same, with more asked for."""
        query = "&".join([*filter(None, [self.query]), *(f"{name}={text}" for name, text in more.items())])
        return f"{self.address}?{query}" if query else self.address


@dataclass(frozen=True, slots=True)
class MadePart:
    """What a report makes and has made.

    Attributes:
        report: The report.
        made: What there is.
        subjects: Name of what makes a file -> for whom it can.
        now: The moment.
        trouble: Why it is not known for whom, or "".
    """

    report: Report
    made: Made
    subjects: Mapping[str, Sequence[Subject]]
    now: datetime
    trouble: str = ""

    @property
    def base(self) -> str:
        """What the addresses begin with."""
        return f"/-/reports/{self.report.name}"


def report_page(page: ReportPage, made: MadePart) -> Html:
    """Return the whole of it."""
    report = page.report
    return join(
        header(
            h1(span(report.icon, class_="icon", aria_hidden="true") if report.icon else None, report.title),
            p(report.description, class_="lead") if report.description else None,
            class_="page-head",
        ),
        _filters(page) if report.fields else None,
        shown_part(page),
        made_part(made) if report.makers else None,
    )


# What is shown


def _filters(page: ReportPage) -> Html:
    takes_focus = bool(page.problems)
    fields = drawn_fields(page.report.fields, page.texts, page.problems, {}, "filter", takes_focus=takes_focus)
    return form(
        div(fields.values(), class_="report-fields"),
        input_(type="hidden", name="plain", value="1") if page.is_plain else None,
        noscript(button("Show", class_="secondary")),
        method="get",
        action=page.address,
        class_="report-filters",
        id="report-filters",
        aria_label="Filters",
        autocomplete="off",
        data_needs="reports",
    )


def shown_part(page: ReportPage) -> Html:
    """Return what changes with the filters."""
    if page.problems:
        content: Any = p("Nothing is shown until the filters are right.", class_="none", role="status")
        if not page.report.fields:
            content = p(" ".join(page.problems.values()), class_="problem", role="alert")
    elif page.trouble:
        content = p(page.trouble, class_="problem", role="alert")
    else:
        content = join(_count(page), _content(page), _foot(page))
    return section(content, id="report-shown", class_="report-shown", aria_label="What is found")


def _count(page: ReportPage) -> Html:
    assert page.table is not None  # noqa: S101 - otherwise there is trouble
    words: list[Any] = [count(page.table.total, "row")]
    words += [join(", ", each) for each in _filters_in_words(page)]
    if page.query:
        words += [". ", a("Show all", href=page.address + ("?plain=1" if page.is_plain else ""))]
    return p(words, id="report-count", class_="count", role="status")


def _filters_in_words(page: ReportPage) -> Iterator[str]:
    """Yield the filters that narrow what is shown, in words."""
    for each in page.report.fields:
        texts = [text for text in page.texts.get(each.name, ()) if text]
        if f"{quote(each.name)}=" in f"&{page.query}" and texts:
            yield f"{each.label.lower()} {_in_words(each, texts)}"


def _in_words(asked: FormField, texts: Sequence[str]) -> str:
    if asked.widget in RANGES:
        return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"
    labels = {option.text: option.label for option in asked.options}
    return ", ".join(labels.get(text, text) for text in texts)


def _content(page: ReportPage) -> Html:
    assert page.table is not None  # noqa: S101 - as above
    if not page.table.total:
        if page.query:
            return p("No row fits these filters. Widen them, or ", a("show all", href=page.address), ".", class_="none")
        return div(markdown(page.report.empty), class_="none")
    plain = _plain(page.table)
    note = p(page.note, class_="help", role="status") if page.note else None
    if page.drawing is None:
        return join(note, plain)
    made = page.drawing
    version = "".join(sign for sign in made.version if sign.isalnum() or sign in ".+-")
    return figure(
        plain,
        # Data and no code: no browser runs a script of this type, and the end of one cannot be written in it.
        script(raw(made.text.replace("<", "\\u003c")), type="application/json"),
        class_="canvas report-canvas",
        id="report-figure",
        data_needs="drawing",
        data_draws="bokeh",
        data_title=page.report.title,
        data_libraries=" ".join(f"/-/libraries/{name}.min.js?v={version}" for name in made.libraries),
    )


def _plain(shown: Table) -> Html:
    columns = shown.columns[:COLUMNS_MAX]
    rows = min(shown.total, PLAIN_ROWS)
    classes = ["number" if each.kind == "number" else "" for each in columns]
    cells = ([_cell(text_of(each, row)) for each in columns] for row in range(rows))
    return div(
        table(
            Element("caption")(f"Table with {count(shown.total, 'row')}", class_="visually-hidden"),
            thead(tr([th(each.name, scope="col", class_=kind or None)
                      for each, kind in zip(columns, classes, strict=True)])),
            tbody(table_rows(cells, classes)),
        ),
        p(f"The first {rows:,} of {shown.total:,} rows; downloads have all of them.", class_="none")
        if rows < shown.total
        else None,
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Table",
    )  # fmt: skip


def _cell(text: str | None) -> Html:
    return span("-", class_="none") if text is None else span(text, dir="auto")


def _foot(page: ReportPage) -> Html:
    drawn: Html | None = None
    if page.is_plain:
        drawn = a("Interactive table", href=page.at(), class_="button quiet")
    elif page.drawing is not None:
        drawn = a("Plain table", href=page.at(plain="1"), class_="button quiet")
    return div(
        div(drawn),
        div(
            [_taking(page, name, ending, **more) for name, ending, more in _FILES],
            class_="downloads",
            role="group",
            aria_label="Download what is shown",
        ),
        class_="table-foot",
        id="report-foot",
    )


def _taking(page: ReportPage, name: str, ending: str, **more: str) -> Html:
    # The drawn table is sorted in the browser, whose script then has the address ask for the same order.
    follows = "report-figure" if page.drawing is not None else None
    return a(name, href=page.download(ending, **more), download=True, class_="button quiet", data_follows=follows)


# What is made


def made_part(part: MadePart) -> Html:
    """Return what can be made, what is being made and what there is; the page brings it up to date."""
    address = f"{part.base}/made"
    moves = any(row.status == jobs.RUNNING for row in part.made.jobs.values())
    return section(
        p(part.trouble, class_="problem", role="alert") if part.trouble else None,
        [_maker(part, maker) for maker in part.report.makers.values()],
        _files(part),
        id="report-made",
        class_="report-made",
        data_jobs=address,
        data_moves=moves or None,
    )


def _maker(part: MadePart, maker: Maker) -> Html | None:
    subjects = part.subjects.get(maker.name, ())
    if maker.for_each is None:
        return div(_make(part, maker, Subject(None, "", ""), "secondary"), _job(part, maker, ""), class_="make-one")
    if not subjects:
        return None
    newest: dict[str, ReportFile] = {}
    for made in part.made.files:
        if made.maker == maker.name:
            newest.setdefault(made.subject, made)
    return join(
        h2(maker.title),
        div(
            table(
                thead(tr([th("For", scope="col"), th("", scope="col"), th("Last made", scope="col")])),
                tbody(table_rows(_subject(part, maker, each, newest.get(each.text)) for each in subjects)),
            ),
            class_="scroll",
        ),
    )


def _subject(part: MadePart, maker: Maker, subject: Subject, newest: ReportFile | None) -> list[Any]:
    last = _download(part, newest, moment(newest.made_at, part.now)) if newest is not None else span("-", class_="none")
    return [
        span(subject.label, dir="auto"),
        _make(part, maker, subject, "quiet"),
        join(last, _job(part, maker, subject.text)),
    ]


def _make(part: MadePart, maker: Maker, subject: Subject, kind: str) -> Html:
    row = part.made.jobs.get((maker.name, subject.text))
    address = f"{part.base}/make/{maker.name}"
    return form(
        input_(type="hidden", name="for", value=subject.text),
        button(
            maker.title,
            span(f" for {subject.label}", class_="visually-hidden") if subject.label else None,
            class_=kind,
            disabled=row is not None and row.is_open,
        ),
        method="post",
        action=address,
        hx_post=address,
        hx_swap="none",
        hx_sync="this:drop",
        id=f"make-{maker.name}-{quote(subject.text, safe='')}",
    )


def _job(part: MadePart, maker: Maker, subject: str) -> Html | None:
    """Return how the job stands that makes a file, or why it came to nothing."""
    row = part.made.jobs.get((maker.name, subject))
    if row is None:
        return None
    words = again_words(row)
    return div(
        p(_standing(row), class_="problem" if row.status == jobs.FAILED else "working", role="status", dir="auto"),
        p(silence(row, part.now), class_="problem", role="alert") if silence(row, part.now) else None,
        _post(f"/-/jobs/{row.id}/retry", words, row.title, f"retry-{row.id}") if words else None,
        _post(f"/-/jobs/{row.id}/cancel", "Stop", row.title, f"stop-{row.id}")
        if row.is_open and not row.stop
        else None,
        a("Details", span(f" of {row.title}", class_="visually-hidden"), href=f"/-/jobs/{row.id}",
          class_="button quiet"),
        class_="make-job",
    )  # fmt: skip


def _standing(row: JobRow) -> Any:
    if row.stop and row.is_open:
        return "Stopping …"
    if row.status == jobs.QUEUED:
        return "Waits for its turn …"
    if row.status == jobs.RUNNING:
        total, text = row.done.get("total"), str(row.done.get("text") or "Working …")
        if not total:
            return join(text, progress(aria_label=row.title))
        told = f"{how_much(row)}{left(row.done.get('left_s'))}"
        bar = progress(max=total, value=min(row.done.get("done", 0), total), aria_label=f"{row.title}: {told}")
        return join(text, f" ({told})", bar)
    if row.status == jobs.CANCELLED:
        return f"Stopped. {row.reason}".removesuffix(" Cancelled.")
    found = f" The server's log has it under the id {row.error_id}." if row.error_id else ""
    return f"{row.reason or 'This failed.'}{found}"


def _post(address: str, words: str, about: str, id_: str, kind: str = "quiet") -> Html:
    return form(
        button(words, span(f" {about}", class_="visually-hidden"), class_=kind),
        method="post",
        action=address,
        hx_post=address,
        hx_swap="none",
        id=id_,
    )


def _files(part: MadePart) -> Html:
    made = part.made
    late = next((each for each in made.binned if part.now - from_text(each.deleted_at or "") < _UNDO_FOR), None)
    return join(
        div(
            span("Deleted ", span(late.name, dir="auto"), ". "),
            _post(f"{part.base}/files/{late.id}/undelete", "Undo", late.name, "undo-file", "secondary"),
            class_="bar notice",
            role="status",
        )
        if late is not None
        else None,
        h2("Files") if made.files or made.binned else None,
        _file_table(part, made.files) if made.files else None,
        details(
            summary(f"Bin ({len(made.binned)})"), _file_table(part, made.binned, in_bin=True), id="report-bin",
        ) if made.binned else None,
    )  # fmt: skip


def _file_table(part: MadePart, files: Sequence[ReportFile], *, in_bin: bool = False) -> Html:
    heads = ["File", "For", "Made", "Size", "SHA-256", ""]
    rows = (_file(part, each, in_bin=in_bin) for each in files)
    return div(
        table(
            thead(tr([th(each, scope="col", class_="number" if each == "Size" else None) for each in heads])),
            tbody(table_rows(rows, ["", "", "", "number", "", ""])),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label="Files in the bin" if in_bin else "Files",
    )


def _file(part: MadePart, made: ReportFile, *, in_bin: bool) -> list[Any]:
    action, words = ("undelete", "Put back") if in_bin else ("delete", "Delete")
    return [
        span(made.name, dir="auto") if in_bin else _download(part, made, span(made.name, dir="auto")),
        span(made.subject_label, dir="auto"),
        moment(made.made_at, part.now),
        size_in_words(made.size_bytes),
        code(made.sha256[:_HASH], title=made.sha256),
        _post(f"{part.base}/files/{made.id}/{action}", words, made.name, f"{action}-{made.id}"),
    ]


def _download(part: MadePart, made: ReportFile, words: Any) -> Html:
    address = f"{part.base}/files/{made.id}/as/{quote(made.name, safe='')}"
    is_pdf = made.media_type == "application/pdf"
    return span(
        a(words, href=f"{address}?show=1" if is_pdf else address, target="_blank" if is_pdf else None,
          rel="noopener" if is_pdf else None, download=None if is_pdf else made.name),
        " ",
        a("Download", span(f" {made.name}", class_="visually-hidden"), href=address, download=made.name,
          class_="button quiet"),
        class_="made-file",
    )  # fmt: skip
