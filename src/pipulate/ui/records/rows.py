"""The rows of a list of records: heads, records, and the one for a new record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from pipulate.crud.asked import can_be_sorted
from pipulate.crud.links import called
from pipulate.fields import FormField
from pipulate.storage.records.rows import Record
from pipulate.ui.forms import drawn_fields, texts_of
from pipulate.ui.html import EMPTY, Html, a, button, col, colgroup, input_, join, p, span, td, th, tr
from pipulate.ui.records.cells import drawn
from pipulate.ui.records.view import ListView

ROWS_FORM: Final = "records-act"
"""Id of the form that buttons in rows send; it holds nothing itself."""

ADD_FORM: Final = "records-add"
CHOSEN_FORM: Final = "records-chosen"

_NUMBERS: Final = frozenset({"integer", "number"})
_ON_ONE_LINE: Final = {"radios": "select", "markdown": "textarea", "code": "textarea", "slider": "number"}
_NOT_IN_ROWS: Final = frozenset({"group", "checkboxes", "hidden", "password", "lines"})


def widths(view: ListView) -> Html:
    """Return the columns of a list; a style gives each a width by what is in it, so that none changes by itself."""
    kinds = {each.name: each.widget for each in view.listed}
    names = view.resource.columns
    wide = view.resource.label if view.resource.label in names else names[0]
    columns = [col(class_="label" if name == wide else kinds.get(name, "computed")) for name in names]
    return colgroup(col(class_="pick"), columns, col(class_="row-actions"))


def heads(view: ListView) -> Html:
    """Return the row of heads."""
    return tr(
        th(_choose_all(view), scope="col", class_="pick"),
        [_head(view, name) for name in view.resource.columns],
        th(span("Open", class_="visually-hidden"), scope="col"),
    )


def _choose_all(view: ListView) -> Html:
    if not view.records:
        return EMPTY
    return input_(type="checkbox", data_choose_all=True, aria_label="Choose all on this page")


def _head(view: ListView, name: str) -> Html:
    computed = view.resource.computed.get(name)
    field = next((each for each in view.listed if each.name == name), None)
    title = computed.title if computed is not None else field.label if field is not None else name
    mark = next((each for each in view.asked.sort if each.field == name), None)
    state = None if mark is None else "descending" if mark.descending else "ascending"
    kind = "number" if field is not None and _is_number(field) else None
    if field is not None and not can_be_sorted(field):
        return th(title, scope="col", class_=kind, data_column=name)
    arrow = {"ascending": "▲", "descending": "▼"}.get(state or "", "")
    link = a(
        title, span(arrow, aria_hidden="true", class_="mark"), id=f"sort-{name}",
        href=view.address + (view.asked.sorted_by(name) or "?"), data_list=True,
    )  # fmt: skip
    return th(link, scope="col", class_=kind, aria_sort=state, data_column=name)


def _is_number(field: FormField) -> bool:
    return field.kind in _NUMBERS and not field.to and not field.options


def row(view: ListView, record: Record) -> Html:
    """Return the row of a record."""
    resource = view.resource
    name = called(resource, record)
    toggle = next((each for each in resource.fields if each.name == resource.toggle), None)
    # What is ticked is done with; what is switched on is not.
    is_off = toggle is not None and toggle.widget == "checkbox" and bool(record.values.get(toggle.name))
    return tr(
        td(_pick(view, record, name), class_="pick"),
        [_cell(view, record, column, name) for column in resource.columns],
        td(_in_bin(view, record, name) if view.asked.deleted else _open(view, record, name), class_="row-actions"),
        id=f"record-{record.id}",
        data_record=record.id,
        data_version=record.version,
        class_="ticked" if is_off else None,
    )


def _pick(view: ListView, record: Record, name: str) -> Html:
    grip = None
    if view.asked.is_by_hand:
        grip = span("⠿", class_="grip", title="Drag to another place; or Alt and an arrow key", aria_hidden="true")
    box = input_(type="checkbox", name="chosen", value=record.id, form=CHOSEN_FORM, aria_label=f"Choose {name}")
    return join(grip, box)


def _cell(view: ListView, record: Record, column: str, name: str) -> Html:
    field = next((each for each in view.resource.fields if each.name == column), None)
    if field is None:
        return td(drawn(view.resource, record, column, view.labels), class_="computed", data_label=_label(view, column))
    content: Any = drawn(view.resource, record, column, view.labels)
    if field.kind == "bool" and column not in view.resource.cells:
        content = _switch(view, record, field, name)
    kinds = ["number"] if _is_number(field) else []
    kinds += ["label"] if column == view.resource.label else []
    return td(
        content, class_=" ".join(kinds) or None, data_field=column, data_label=field.label, data_kind=field.widget,
        dir="auto",
    )  # fmt: skip


def _label(view: ListView, column: str) -> str:
    return view.resource.computed[column].title


def _switch(view: ListView, record: Record, field: FormField, name: str) -> Html:
    is_on = bool(record.values[field.name])
    if view.asked.deleted:
        return span("✓" if is_on else "", aria_label="Yes" if is_on else "No")
    to = "off" if is_on else "on"
    return button(
        "✓" if is_on else "", type="submit", role="checkbox", aria_checked="true" if is_on else "false",
        aria_label=f"{field.label}: {name}", form=ROWS_FORM, class_="tick", tabindex="-1",
        formaction=f"{view.base}/{record.id}/toggle?field={field.name}&to={to}",
    )  # fmt: skip


def _open(view: ListView, record: Record, name: str) -> Html:
    return a(
        "Open", span(f" {name}", class_="visually-hidden"), href=f"{view.address}/{record.id}", class_="button quiet",
        tabindex="-1",
    )  # fmt: skip


def _in_bin(view: ListView, record: Record, name: str) -> Html:
    hidden = span(f" {name}", class_="visually-hidden")
    address = f"{view.base}/{record.id}"
    return join(
        button("Restore", hidden, form=ROWS_FORM, formaction=f"{address}/restore", class_="quiet"),
        button(
            "Erase", hidden, form=ROWS_FORM, formaction=f"{address}/erase", class_="quiet danger",
            data_ask=f"Erase {name} with its whole history? This cannot be undone.",
        ),
    )  # fmt: skip


def rows(view: ListView) -> Html:
    """Return the rows of all the records of a page."""
    return join(*(row(view, each) for each in view.records))


def in_a_row(field: FormField) -> FormField:
    """Return a field as it is asked for on one line."""
    widget: Any = _ON_ONE_LINE.get(field.widget, field.widget)
    return replace(field, widget=widget, rows=1, help="") if widget != field.widget or field.rows else field


def asked_in_row(view: ListView) -> list[FormField]:
    """Return the fields that the row for a new record asks for."""
    return [each for each in view.listed if each.widget not in _NOT_IN_ROWS]


def fits_in_row(view: ListView) -> bool:
    """Tell whether a record can be added with what a row can ask for."""
    names = {each.name for each in asked_in_row(view)}
    return bool(names) and all(each.name in names or not each.required for each in view.resource.fields)


def add_row(view: ListView) -> Html:
    """Return the row that a new record is typed into."""
    asked = [in_a_row(each) for each in asked_in_row(view)]
    starts = {each.key: each.default for each in asked if each.default is not None}
    texts = dict(view.typed) or texts_of(asked, starts)
    fields = drawn_fields(
        asked, texts, view.problems, view.options, "add", view.uploads, form=ADD_FORM, takes_focus=False
    )
    return tr(
        td(span("+", aria_hidden="true", class_="plus"), class_="pick"),
        [td(fields.get(name, EMPTY), class_=_add_class(view, name), data_label=None) for name in view.resource.columns],
        td(
            button("Add", form=ADD_FORM, class_="secondary", title="Enter, or Ctrl and Enter from anywhere"),
            class_="row-actions",
        ),
        id="add-row",
        class_="add-row",
    )


def _add_class(view: ListView, column: str) -> str:
    return "add label" if column == view.resource.label else "add"


def problem_row(view: ListView, names: Iterable[str]) -> Html:
    """Return the row that says what is wrong with a new record as a whole, or with fields that have no place there."""
    shown = set(names)
    rest = [text for name, text in view.problems.items() if name not in shown]
    if not rest:
        return EMPTY
    return tr(
        td(p(" ".join(rest), class_="problem", role="alert"), colspan=len(view.resource.columns) + 2),
        class_="problem-row",
    )
