"""Forms for records: one field in its cell, a whole record, some fields of many records; and what is in the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made
from datetime import datetime
from typing import Any

from pipulate.crud.cells import can_be_brought
from pipulate.crud.links import Labels
from pipulate.crud.resource import Resource
from pipulate.errors import RecordConflictError
from pipulate.fields import FormField, Option
from pipulate.storage.records.rows import Record
from pipulate.ui.forms import drawn_fields, problems_without_field
from pipulate.ui.html import Html, a, button, div, fieldset, form, h1, h2, input_, join, label, legend, p, section, span
from pipulate.ui.records.cells import words
from pipulate.ui.records.rows import in_a_row
from pipulate.ui.records.view import base, sent_to
from pipulate.ui.uploads import UploadForm
from pipulate.ui.words import count, moment, person

Texts = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Typed:
    """What a form for a record holds.

    Attributes:
        texts: Field -> the texts it holds.
        problems: Field -> what is wrong with it.
        options: Field -> what a link offers.
        conflict: Who was faster, or None.
        labels: What people call the records that the two versions lead to.
        uploads: What fields for files need, or None where there are none.
    """

    texts: Texts
    problems: Mapping[str, str] = made(default_factory=dict)
    options: Mapping[str, tuple[Option, ...]] = made(default_factory=dict)
    conflict: RecordConflictError | None = None
    labels: Labels = made(default_factory=dict)
    uploads: UploadForm | None = None


def cell_editor(resource: Resource[Any], record: Record, asked: FormField, typed: Typed) -> Html:
    """Return the form that stands in a cell while its field is edited."""
    compact = in_a_row(asked)
    is_long = compact.widget in ("textarea", "lines")
    prefix = f"cell-{record.id}"
    rest = [text for name, text in typed.problems.items() if name != asked.name]
    return form(
        _seen(record, typed.conflict),
        input_(type="hidden", name="_field", value=asked.name),
        drawn_fields([compact], typed.texts, typed.problems, typed.options, prefix, typed.uploads)[asked.name],
        p(" ".join(rest), class_="problem", role="alert") if rest else None,
        _conflict(resource, typed) if typed.conflict is not None else None,
        div(
            button("Keep mine" if typed.conflict else "Save", class_="primary" if typed.conflict else "secondary"),
            button("Take theirs" if typed.conflict else "Cancel", type="button", class_="quiet", data_leave=True),
            span("Ctrl and Enter saves", class_="help") if is_long else None,
            class_="actions",
        ),
        method="post",
        **sent_to(f"{base(resource.name)}/{record.id}", [asked]),
        class_="cell-editor",
        data_widget=compact.widget,
        novalidate=True,
    )


def _seen(record: Record, conflict: RecordConflictError | None) -> Html:
    """Return the version that whoever edits has seen; after a conflict they have seen the newer one."""
    seen = conflict.version if conflict is not None else record.version
    return input_(type="hidden", name="_seen", value=seen)


def _conflict(resource: Resource[Any], typed: Typed) -> Html:
    conflict = typed.conflict
    assert conflict is not None  # noqa: S101 - the caller looked
    fields = {each.name: each for each in resource.fields}
    return div(
        p("Somebody else changed this meanwhile; nothing was overwritten.", class_="problem", role="alert"),
        div(
            [
                join(
                    _version(fields[name], "theirs", theirs, typed.labels),
                    _version(fields[name], "mine", conflict.mine[name], typed.labels),
                )
                for name, theirs in conflict.theirs.items()
            ],
            class_="two-versions",
        ),
        class_="record-conflict",
    )


def _version(field: FormField, whose: str, value: Any, labels: Labels) -> Html:
    return div(h2(f"{field.label}: {whose}"), p(words(field, value, labels) or "-", dir="auto"))


def record_form(resource: Resource[Any], record: Record | None, typed: Typed, address: str) -> Html:
    """Return the form with all fields of a record, or of a new one.

    Args:
        resource: The resource.
        record: The record; None for a new one.
        typed: What the form holds.
        address: The page of the list.
    """
    own = base(resource.name)
    where = sent_to(own if record is None else f"{own}/{record.id}", resource.fields)
    draft = f"record:{resource.name}:{record.id if record else 'new'}"
    return form(
        _first_button(typed),
        _seen(record, typed.conflict) if record is not None else None,
        [input_(type="hidden", name="_field", value=each.name) for each in resource.fields],
        problems_without_field(typed.problems, resource.fields),
        _conflict(resource, typed) if typed.conflict is not None else None,
        join(*_fields(resource, record, typed).values()),
        div(
            button("Keep mine" if typed.conflict else "Save" if record else "Add", class_="primary"),
            _theirs(record, address, draft) if record is not None and typed.conflict is not None else None,
            button("Add, and another", name="_another", value="1", class_="secondary") if record is None else None,
            a("Cancel", href=address, class_="button quiet", data_drops_draft=draft),
            class_="actions",
        ),
        method="post", **where, hx_post=where["action"], hx_target="#record", hx_swap="outerHTML", data_draft=draft,
        class_="record-form card",
    )  # fmt: skip


def _first_button(typed: Typed) -> Html | None:
    """Return what Enter presses in a form whose first visible buttons remove files."""
    if typed.uploads is None:
        return None
    return button("Save", type="submit", class_="visually-hidden", tabindex="-1", aria_hidden="true")


def _theirs(record: Record, address: str, draft: str) -> Html:
    return a("Take theirs", href=f"{address}/{record.id}", class_="button secondary", data_drops_draft=draft)


def _fields(resource: Resource[Any], record: Record | None, typed: Typed) -> Mapping[str, Html]:
    """Return all fields; the keyboard goes to one where something is to be filled in or mended."""
    takes_focus = record is None or bool(typed.problems)
    return drawn_fields(
        resource.fields, typed.texts, typed.problems, typed.options, "record", typed.uploads, takes_focus=takes_focus
    )  # fmt: skip


def record_page(
    resource: Resource[Any],
    record: Record | None,
    typed: Typed,
    address: str,
    history: Html | None,
    viewer: str,
    now: datetime,
) -> Html:
    """Return the page of a record, or of a new one; `history` stands below the form."""
    heading = "New" if record is None else resource.label_of(record.values) or f"#{record.id}"
    return section(
        div(
            h1(a(resource.title, href=address), span(" / ", class_="between"), span(heading, dir="auto")),
            _record_actions(resource, record) if record is not None else None,
            class_="records-head",
        ),
        _facts(record, viewer, now) if record is not None else None,
        record_form(resource, record, typed, address) if record is None or record.deleted_at is None else None,
        history,
        id="record",
        class_="record",
    )


def _facts(record: Record, viewer: str, now: datetime) -> Html:
    changed = join(
        ", changed by ", person(record.changed_by, viewer), " ", moment(record.changed_at, now)
    ) if record.version > 1 else None  # fmt: skip
    gone = p("This record is in the bin.", class_="bar notice") if record.deleted_at is not None else None
    return join(
        p("Added by ", person(record.made_by, viewer), " ", moment(record.made_at, now), changed, class_="facts"), gone
    )


def _record_actions(resource: Resource[Any], record: Record) -> Html:
    own = f"{base(resource.name)}/{record.id}"
    if record.deleted_at is not None:
        return form(
            button("Restore", formaction=f"{own}/restore"),
            button(
                "Erase", formaction=f"{own}/erase", class_="quiet danger",
                data_ask="Erase this record with its whole history? This cannot be undone.",
            ),
            method="post", class_="records-more",
        )  # fmt: skip
    return form(
        button("Delete", formaction=f"{own}/delete", class_="quiet danger"), method="post", class_="records-more"
    )


def many_form(
    resource: Resource[Any],
    typed: Typed,
    *,
    number: int,
    chosen: Sequence[int],
    query: str | None,
    changed: Sequence[str],
    address: str,
) -> Html:
    """Return the form that gives some fields of many records the same values.

    Args:
        resource: The resource.
        typed: What the form holds.
        number: How many records it is about.
        chosen: Their numbers, where each was chosen.
        query: The list they are, where all that it finds were chosen; else None.
        changed: Names of the fields that are ticked.
        address: The page of the list.
    """
    fields = [each for each in resource.fields if can_be_brought(each)]
    drawn = drawn_fields(fields, typed.texts, typed.problems, typed.options, "many", takes_focus=False)
    left = ", ".join(each.label for each in resource.fields if each not in fields and each.widget != "hidden")
    return section(
        h2(f"Change {count(number, 'record')}", id="drawer-title"),
        form(
            p("Tick what is to become the same in all of them; everything else stays as it is.", class_="help"),
            p(f"Files are changed one record at a time: {left} stays as it is here.", class_="help") if left else None,
            problems_without_field(typed.problems, resource.fields),
            [input_(type="hidden", name="chosen", value=each) for each in chosen] if query is None else None,
            join(
                input_(type="hidden", name="all", value="1"), input_(type="hidden", name="query", value=query)
            ) if query is not None else None,
            [_many_field(each, drawn[each.name], is_ticked=each.name in changed) for each in fields
             if each.widget != "hidden"],
            div(
                button("Change", class_="primary"),
                a("Cancel", href=address, class_="button quiet", data_closes="drawer"),
                class_="actions",
            ),
            method="post",
            action=f"{base(resource.name)}/many",
            class_="many-form",
            novalidate=True,
        ),
        class_="many",
    )  # fmt: skip


def _many_field(field: FormField, drawn: Html, *, is_ticked: bool) -> Html:
    box = input_(type="checkbox", name="_field", value=field.name, checked=is_ticked)
    return fieldset(legend(label(box, f" Change {field.label}")), drawn, class_="many-field")
