"""The history of a record, one line a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipulate.crud.links import Labels
from pipulate.crud.resource import Resource
from pipulate.fields import FormField
from pipulate.storage.records.operations import RecordEvent
from pipulate.storage.records.rows import Record
from pipulate.ui.html import Html, a, button, div, form, h2, input_, join, li, ol, section, span, strong
from pipulate.ui.records.cells import words
from pipulate.ui.records.files import file_links, names_files
from pipulate.ui.records.view import base
from pipulate.ui.words import doer, moment

_KINDS = {"created": "added it", "deleted": "deleted it", "restored": "restored it"}
_DONE = {"import": " (import)", "undo": " (taken back)"}


def record_history(
    resource: Resource[Any],
    record: Record,
    events: Sequence[RecordEvent],
    labels: Labels,
    viewer: str,
    now: datetime,
    *,
    is_all: bool,
) -> Html:
    """Return the history of a record, newest first.

    Args:
        resource: The resource.
        record: The record as it is now.
        events: A part of its history.
        labels: What people call the records that its links led to.
        viewer: Who looks.
        now: The moment.
        is_all: Whether there is nothing older.
    """
    lines = [_line(resource, record, each, labels, viewer, now) for each in events]
    older = None if is_all else a("Older changes", href=f"?before={events[-1].version}", class_="button quiet")
    return section(h2("History"), ol(lines, class_="record-history"), older, id="history")


def _line(
    resource: Resource[Any], record: Record, event: RecordEvent, labels: Labels, viewer: str, now: datetime
) -> Html:
    can_go_back = event.version < record.version and record.deleted_at is None
    back = form(
        input_(type="hidden", name="version", value=event.version),
        button("Restore this version", class_="quiet"),
        method="post",
        action=f"{base(resource.name)}/{record.id}/go-back",
    ) if can_go_back else None  # fmt: skip
    who, said = doer(event.actor, viewer, event.via), _told(resource, event, labels)
    return li(
        div(span(who, " ", said, _DONE.get(event.done), class_="what"), " ", moment(event.at, now)),
        back,
        data_version=event.version,
    )  # fmt: skip


def _told(resource: Resource[Any], event: RecordEvent, labels: Labels) -> Html:
    if event.kind in _KINDS:
        return join(_KINDS[event.kind])
    fields = {each.name: each for each in resource.fields}
    parts = []
    for name, (before, after) in event.changes.items():
        field = fields.get(name)
        if field is None:
            parts.append(join("changed ", strong(name), ", which is no field any more"))
            continue
        was, is_now = (_shown(resource, event, field, each, labels) for each in (before, after))
        parts.append(join("changed ", strong(field.label), " from ", was, " to ", is_now))
    return join(*(join(", " if index else "", each) for index, each in enumerate(parts)))


def _shown(resource: Resource[Any], event: RecordEvent, field: FormField, value: Any, labels: Labels) -> Html:
    """Return what a field was, or is; a file can be downloaded, one that was replaced too."""
    if names_files(value):
        return file_links(resource.name, event.record, value)
    return _value(words(field, value, labels))


def _value(text: str) -> Html:
    short = text if len(text) <= 80 else f"{text[:80].rstrip()} …"
    return span(short or "nothing", class_="value" if short else "value none", dir="auto", title=text[:1_000] or None)
