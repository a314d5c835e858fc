"""Something that is done to very many records: how far it is, what came of it, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pipulate.crud.long import DONE_WORDS
from pipulate.crud.many import PROBLEMS_MAX, Report
from pipulate.crud.resource import Resource
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow
from pipulate.ui.html import (
    Html,
    a,
    button,
    div,
    form,
    h1,
    h2,
    header,
    input_,
    join,
    p,
    section,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
)
from pipulate.ui.job import again_words, how_far
from pipulate.ui.records.view import base
from pipulate.ui.words import count

SHOWN: Final = 200
"""Problems that are shown."""

_NOUNS: Final = {"change": "Change", "delete": "Delete", "restore": "Restore", "erase": "Erase"}


@dataclass(frozen=True, slots=True)
class BulkView:
    """What is known of it.

    Attributes:
        resource: Whose records they are.
        job: The job.
        address: The list of the records.
        report: What became of them so far, or None where that is not known.
        is_undone: Whether it was taken back.
    """

    resource: Resource[Any]
    job: JobRow
    address: str
    report: Report | None
    is_undone: bool = False

    @property
    def here(self) -> str:
        """The address of its page."""
        return f"{base(self.resource.name)}/jobs/{self.job.id}"

    @property
    def what(self) -> str:
        """What is done, as stored."""
        return str(self.job.payload["what"])

    @property
    def total(self) -> int:
        """How many records were chosen."""
        return int(self.job.payload["records"])

    @property
    def done(self) -> str:
        """What was done, as people read it: `changed`."""
        return DONE_WORDS[self.what]


def bulk_page(view: BulkView) -> Html:
    """Return the page."""
    return join(
        header(
            p(a(view.resource.title, href=view.address), class_="crumbs"),
            h1(f"{_NOUNS[view.what]} {count(view.total, 'record')}"),
            class_="page-head",
        ),
        bulk_part(view),
    )


def bulk_part(view: BulkView) -> Html:
    """Return what changes by itself while the job is at work, or when it goes on."""
    content = _at_work(view) if view.job.is_open else _ended(view)
    return div(content, id="bulk-state", data_jobs=view.here, data_moves=view.job.status == jobs.RUNNING)


def _at_work(view: BulkView) -> Html:
    job = view.job
    return section(
        h2("It stops …" if job.stop else f"They are being {view.done}"),
        how_far(job),
        p(job.reason, class_="reason") if job.reason else None,
        p("You can leave this page; it goes on. What is done when it stops stays, and can be taken back.")
        if view.what != "erase"
        else p("You can leave this page; it goes on."),
        div(
            _post(view, "Go on", "retry", "primary") if job.status == jobs.PARKED else None,
            _post(view, "Stop", "cancel", "secondary") if not job.stop else None,
            a("Look again", href=view.here, class_="button secondary"),
            a("Its job", href=f"/-/jobs/{job.id}", class_="button quiet"),
            class_="actions",
        ),
    )


def _ended(view: BulkView) -> Html:
    job, report = view.job, view.report
    is_done, changed = job.status == jobs.DONE, report.changed if report is not None else 0
    heading = f"{count(changed, 'record')} {view.done}"
    if view.is_undone:
        heading = "Taken back"
    elif not is_done:
        heading = f"Stopped: {changed:,} of {count(view.total, 'record')} {view.done}"
    words = again_words(job) if not view.is_undone and report is not None else ""
    return join(
        section(
            h2(heading),
            p(job.reason, class_="reason") if job.reason and job.status == jobs.FAILED else None,
            _numbers(report) if report is not None else p("What became of them is not known any more."),
            div(
                _post(view, "Go on", "retry", "primary") if words else None,
                _undo(view),
                a(f"Back to {view.resource.title}", href=view.address, class_="button secondary"),
                a("Its job", href=f"/-/jobs/{job.id}", class_="button quiet"),
                class_="actions",
            ),
        ),
        _problems(view, report) if report is not None else None,
    )


def _numbers(report: Report) -> Html | None:
    """Return in words what became of those that are not as they were to be."""
    told = (
        (report.same, "the same already"), (report.kept, "left, as somebody changed them meanwhile"),
        (report.gone, "not there any more"), (report.wrong, "refused"),
    )  # fmt: skip
    said = [f"{number:,} {words}" for number, words in told if number]
    return p("; ".join(said) + ".", role="status", class_="import-numbers") if said else None


def _post(view: BulkView, words: str, name: str, kind: str) -> Html:
    address = f"/-/jobs/{view.job.id}/{name}"
    return form(
        button(words, class_=kind), method="post", action=address, hx_post=address, hx_swap="none",
        id=f"{name}-{view.job.id}",
    )  # fmt: skip


def _undo(view: BulkView) -> Html | None:
    report = view.report
    if report is None or not report.operation or view.is_undone:
        return None
    return form(
        input_(type="hidden", name="operation", value=report.operation),
        button("Undo", class_="secondary"),
        method="post",
        action=f"{base(view.resource.name)}/undo",
    )


def _problems(view: BulkView, report: Report) -> Html | None:
    if not report.problems:
        return None
    labels = {each.name: each.label for each in view.resource.fields}
    shown = report.problems[:SHOWN]
    has_field = any(each.field for each in shown)
    rows = [
        tr(
            td(a(f"#{each.row}", href=f"{view.address}/{each.row}")),
            td(labels.get(each.field, "")) if has_field else None,
            td(each.words, dir="auto"),
        )
        for each in shown
    ]
    is_all = len(shown) == len(report.problems) < PROBLEMS_MAX
    return section(
        h2("What was refused"),
        div(
            table(thead(tr(th("Record"), th("Field") if has_field else None, th("Why"))), tbody(rows)),
            class_="scroll", tabindex="0", role="region", aria_label="What was refused",
        ),
        p(f"The first {len(shown):,} of {count(report.wrong, 'record')} that were refused.", class_="help")
        if not is_all else None,
    )  # fmt: skip
