"""Notes: text that is worth keeping, in Markdown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from pipulate import MarkdownEditor, Resource, Switch

TRAINING = """
Notes of the chosen profile: a title and a text in Markdown, with headings, lists, tables and code. Pinned notes are
marked. The list shows how a note begins; its page shows all of it. Every word of a note is searched.
"""
SHORT = 120
"""Characters of a text in the list."""


class Note(BaseModel):
    """Something worth keeping."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, MarkdownEditor(rows=12)] = ""
    pinned: Annotated[bool, Switch()] = False


notes = Resource(
    "notes",
    Note,
    title="Notes",
    description="Text worth keeping, in Markdown.",
    icon="✎",
    order=11,
    training=TRAINING,
    toggle="pinned",
    columns=("pinned", "title", "text"),
)


@notes.cell("text")
def beginning(text: str) -> str:
    """Return how a text begins, without the signs of Markdown."""
    plain = " ".join("".join(sign for sign in text if sign not in "#*_`>|[]").split())
    return plain if len(plain) <= SHORT else plain[: SHORT - 1].rstrip() + "…"
