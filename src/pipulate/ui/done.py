"""What was done to records, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipulate.storage.records.operations import OperationRow
from pipulate.ui.html import Html, a, join, span
from pipulate.ui.words import count


@dataclass(frozen=True, slots=True)
class TableLink:
    """A table of records as sentences name it: what people call it, and where its list is."""

    title: str
    address: str


Tables = Mapping[str, TableLink]
"""Stored name of a resource -> what people call it."""

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "create": ("added ", " to "), "change": ("changed ", " in "), "delete": ("put ", " into the bin of "),
    "restore": ("took ", " out of the bin of "), "move": ("moved ", " in "), "import": ("imported ", " into "),
    "undo": ("took back what was done to ", " in "),
}  # fmt: skip


def told(done: OperationRow, tables: Tables) -> Html:
    """Return what was done, without who and when: `added Call Ann to Tasks`."""
    return _sentence(done, tables, has_link=False)


def told_with_link(done: OperationRow, tables: Tables) -> Html:
    """Return the same with the way to the record, or, where there were several, to their list."""
    return _sentence(done, tables, has_link=True)


def _sentence(done: OperationRow, tables: Tables, *, has_link: bool) -> Html:
    table, facts = tables.get(done.resource), done.facts
    record, label = facts.get("record"), str(facts.get("label") or "")
    what = span(label or f"number {record}", class_="quote", dir="auto") if record else count(done.records, "record")
    begins, goes_on = _SENTENCES.get(done.kind, (f"{done.kind} ", " in "))
    if has_link and table is not None:
        what = a(what, href=f"{table.address}/{record}" if record else table.address)
    return join(begins, what, goes_on, table.title if table else done.resource)
