"""The page of a table of records."""

from __future__ import annotations

from typing import Final

from pipulate.crud.ordering import MOST
from pipulate.storage.records.operations import OperationRow
from pipulate.ui.html import (
    EMPTY,
    Html,
    a,
    button,
    div,
    form,
    h1,
    input_,
    join,
    label,
    nav,
    noscript,
    p,
    section,
    span,
    table,
    tbody,
    tfoot,
    thead,
)
from pipulate.ui.records.filters import filter_form, hidden_order, narrowed_by
from pipulate.ui.records.rows import (
    ADD_FORM,
    CHOSEN_FORM,
    ROWS_FORM,
    add_row,
    asked_in_row,
    fits_in_row,
    heads,
    problem_row,
    rows,
    widths,
)
from pipulate.ui.records.view import ListView, sent_to
from pipulate.ui.words import count

_DONE: Final = {
    "create": "Added", "change": "Changed", "delete": "Deleted", "restore": "Restored", "move": "Moved",
    "undo": "Taken back:", "import": "Imported",
}  # fmt: skip


def records_page(view: ListView) -> Html:
    """Return the whole work area."""
    resource = view.resource
    return section(
        div(
            h1(f"{resource.title}: bin" if view.asked.deleted else resource.title),
            _more(view),
            class_="records-head",
        ),
        p(resource.description, class_="lead") if resource.description and not view.asked.deleted else None,
        _tools(view),
        list_part(view),
        # What the buttons of rows, the row for a new record and the boxes that choose records send.
        form(id=ROWS_FORM, method="post", hidden=True),
        form(
            [input_(type="hidden", name="_field", value=each.name) for each in asked_in_row(view)],
            id=ADD_FORM,
            method="post",
            **sent_to(view.base, asked_in_row(view)),
            hidden=True,
            data_draft=f"add:{resource.name}",
            data_quiet=True,
        ),
        id="records",
        class_="records",
        data_needs="records",
        data_resource=resource.name,
        data_base=view.base,
        data_address=view.address,
        data_toggle=resource.toggle,
        data_bin=view.asked.deleted,
    )


def _more(view: ListView) -> Html:
    here = view.asked.text(page=1)
    if view.asked.deleted:
        return nav(
            a("Back to the list", href=view.address, class_="button secondary"),
            button(
                "Empty the bin", form=ROWS_FORM, formaction=f"{view.base}/empty-bin", class_="quiet danger",
                data_ask="Erase everything in this bin with its history? This cannot be undone.",
            ) if view.total else None,
            class_="records-more",
            aria_label="More",
        )  # fmt: skip
    return nav(
        a("New", href=f"{view.base}/new", class_="button secondary", title="All fields of a new record"),
        a("Import", href=f"{view.base}/import", class_="button quiet"),
        span(
            [
                a(
                    said, href=f"{view.base}/export.{ending}{here}", download=True, class_="button quiet",
                    data_export=ending,
                )
                for said, ending in (("CSV", "csv"), ("XLSX", "xlsx"), ("JSON", "json"))
            ],
            role="group", aria_label="Download what is found", class_="downloads",
        ),
        a("Bin", href=f"{view.address}?bin=1", class_="button quiet"),
        class_="records-more",
        aria_label="More",
    )  # fmt: skip


def _tools(view: ListView) -> Html:
    return form(
        label("Search", for_="records-find", class_="visually-hidden"),
        input_(
            type="search", name="find", id="records-find", value=view.asked.words, placeholder="Search",
            autocomplete="off", dir="auto", aria_controls="records-list",
        ),
        noscript(button("Search", class_="secondary")),
        filter_form(view),
        hidden_order(view),
        method="get",
        action=view.address,
        id="records-form",
        class_="records-tools",
        aria_label="Search and filters",
    )  # fmt: skip


def list_part(view: ListView) -> Html:
    """Return what changes when something else is asked for, or was done: words, rows, pages."""
    return div(
        _done(view.done) if view.done is not None else None,
        div(
            p(_counted(view), class_="count", role="status", id="records-count"),
            narrowed_by(view),
            class_="records-words",
        ),
        _chosen(view),
        _grid(view),
        _pager(view),
        id="records-list",
        data_version=view.version,
        data_query=view.asked.text(page=view.asked.page),
        data_by_hand=view.asked.is_by_hand,
    )


def _done(done: OperationRow) -> Html:
    what = f"{_DONE.get(done.kind, 'Done:')} {count(done.records, 'record')}."
    return form(
        span(what),
        input_(type="hidden", name="operation", value=done.id),
        button("Undo", class_="secondary") if done.undone is None else span("Taken back already."),
        method="post",
        action=f"/-/records/{done.resource}/undo",
        class_="bar notice",
        role="status",
        id="records-done",
    )


def _counted(view: ListView) -> str:
    words = count(view.everything, "record")
    if view.asked.is_narrowed:
        words = f"{view.total:,} of {words}"
    worked_out = next((each for each in view.asked.sort if each.field in view.resource.computed), None)
    if worked_out is not None and view.total > MOST:
        title = view.resource.computed[worked_out.field].title
        words += f". They are not sorted by {title}, which is worked out: narrow the list to {MOST:,} for that"
    return words


def _chosen(view: ListView) -> Html:
    """Return what can be done to the records that are chosen; a style shows it once there are some."""
    if not view.records:
        return form(id=CHOSEN_FORM, hidden=True)
    every = (
        label(
            input_(type="checkbox", name="all", value="1", data_all=True),
            f" all {view.total:,} found",
            class_="all",
        )
        if view.total > len(view.records)
        else None
    )
    asked = view.asked.text(page=1)
    if view.asked.deleted:
        actions = join(button("Restore", formaction=f"{view.base}/many/restore{asked}", class_="secondary"))
    else:
        actions = join(
            button("Change …", formmethod="get", formaction=f"{view.base}/many", class_="secondary", data_change=True),
            button("Delete", formaction=f"{view.base}/many/delete{asked}", class_="secondary danger"),
        )
    return form(
        span(span("0", data_number=True), " chosen", class_="number", role="status"),
        every,
        input_(type="hidden", name="query", value=asked),
        actions,
        button("Choose none", type="reset", class_="quiet"),
        method="post",
        id=CHOSEN_FORM,
        class_="chosen-bar",
    )


def _grid(view: ListView) -> Html:
    is_bin = view.asked.deleted
    names = [each.name for each in asked_in_row(view)]
    return div(
        table(
            widths(view),
            thead(heads(view)),
            tbody(rows(view), id="records-rows"),
            tfoot(
                problem_row(view, names),
                add_row(view),
                id="records-foot",
            ) if not is_bin and fits_in_row(view) else None,
            class_="records-table",
            role="grid",
            aria_label=view.resource.title,
            aria_rowcount=view.total + 1,
        ),
        _nothing(view),
        class_="scroll",
    )  # fmt: skip


def _nothing(view: ListView) -> Html:
    if view.records:
        return EMPTY
    if view.asked.is_narrowed:
        clear = a("Show all", href=view.address + (view.asked.text(words="", filters=()) or "?"), data_list=True)
        return p("Nothing here fits what you look for. ", clear, class_="nothing")
    if view.asked.deleted:
        return p("The bin is empty.", class_="nothing")
    return p("There is nothing here yet. ", _first(view), class_="nothing")


def _first(view: ListView) -> Html:
    if fits_in_row(view):
        return join("Type the first one into the row above, or ", a("import a table", href=f"{view.base}/import"), ".")
    return join(
        a("Add the first one", href=f"{view.base}/new"), ", or ", a("import a table", href=f"{view.base}/import"), "."
    )


def _pager(view: ListView) -> Html:
    if view.pages == 1:
        return EMPTY
    page = view.asked.page
    before = view.address + (view.asked.text(page=page - 1) or "?") if page > 1 else None
    after = view.address + view.asked.text(page=page + 1) if page < view.pages else None
    return nav(
        _turn("before", "Previous", before),
        span(f"Page {page:,} of {view.pages:,}"),
        _turn("after", "Next", after),
        aria_label="Pages of the list",
        class_="pager",
    )


def _turn(name: str, words: str, address: str | None) -> Html:
    if address is None:
        return a(words, id=f"records-{name}", role="link", aria_disabled="true", tabindex="-1", class_="button quiet")
    return a(words, id=f"records-{name}", href=address, data_list=True, class_="button quiet")
