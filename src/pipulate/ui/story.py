"""Events in words: the lines of a history, of a conversation, of a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pipulate.storage.journal import Event
from pipulate.ui.html import Html, join, span, strong


class Named(Protocol):
    """A step."""

    @property
    def title(self) -> str:
        """What people call it."""


class Titles(Protocol):
    """An app, for what people call it and its steps."""

    @property
    def title(self) -> str:
        """What people call it."""

    def find(self, name: str) -> Named | None:
        """Return a step, or None."""


def title_of(workflow: Titles | None, step: str | None) -> str:
    """Return what people call a step; the stored name where the app no longer has it."""
    found = workflow.find(step) if workflow and step else None
    return found.title if found else step or ""


def told_by(event: Event, who: str, workflow: Titles | None, earlier: Mapping[str, str] | None = None) -> Html:
    """Return a whole sentence: who did what; what the app worked out nobody did."""
    words = told(event, workflow, earlier)
    return words if event.kind == "computed" or is_by_itself(event) else join(who, " ", words)


def is_by_itself(event: Event) -> bool:
    """Tell whether the app started a step that asks for nothing."""
    return event.kind == "requested" and not event.data.get("short")


def told(event: Event, workflow: Titles | None, earlier: Mapping[str, str] | None = None) -> Html:
    """Return what an event did, without who and when.

    Args:
        event: The event.
        workflow: For the titles of steps, or None.
        earlier: Step -> its value in short before the event, where it is known.
    """
    step, data = strong(title_of(workflow, event.step)), event.data
    before = (earlier or {}).get(event.step or "")
    if event.kind == "submitted" and before:
        return join("changed ", step, " from ", _quoted(before), " to ", _quoted(data.get("short")))
    if event.kind == "requested" and not data.get("short"):
        return join(step, " was started")
    if event.kind == "computed" and not data.get("short"):
        return join(step, " was worked out")
    values = {
        "step": step,
        "short": _quoted(data.get("short")),
        "from": _quoted(data.get("from")),
        "to": _quoted(data.get("to")),
        "key": _quoted(data.get("key")),
        "version": str(data.get("version", "")),
        "name": _quoted(data.get("name")),
    }
    parts = _SENTENCES.get(event.kind, (event.kind,))
    return join(values[part[1:]] if part.startswith("$") else part for part in parts)


_SENTENCES = {
    "started": ("started the run",),
    "submitted": ("set ", "$step", " to ", "$short"),
    "computed": ("$step", " was worked out: ", "$short"),
    "requested": ("started ", "$step", " with ", "$short"),
    "kept": ("kept ", "$step", " as it was"),
    "cleared": ("took ", "$step", " back"),
    "reverted": ("reopened ", "$step"),
    "edit_cancelled": ("left ", "$step", " as it was"),
    "went_back": ("went back to version ", "$to"),
    "finalized": ("locked the run",),
    "unfinalized": ("unlocked the run",),
    "renamed": ("renamed the run from ", "$from", " to ", "$to"),
    "deleted": ("put the run into the bin",),
    "undeleted": ("took the run out of the bin",),
    "forked": ("copied it from ", "$key", ", version ", "$version"),
    "imported": ("imported it from a file",),
    "uploaded": ("uploaded ", "$name"),
}


def _quoted(text: object) -> Html:
    return span(str(text or "(nothing)"), class_="quote", dir="auto")
