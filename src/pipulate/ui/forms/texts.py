"""What a form holds when it comes back, and what of it may be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipulate.fields import FormField, leaves
from pipulate.forms import KEPT, texts_of

__all__ = ["KEPT", "again", "open_texts", "texts_of"]

_AGAIN = "Type this again: a secret is never sent back to the page."


def again(
    fields: Sequence[FormField], typed: Mapping[str, Sequence[str]], answers: Mapping[str, Any]
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Return what a form that comes back holds, and what has to be said at its secrets.

    Args:
        fields: The fields.
        typed: What was typed; secrets among it are dropped.
        answers: What the form started with: secrets it had are still kept.
    """
    texts = {name: list(each) for name, each in typed.items()}
    started = texts_of(fields, answers)
    said = {}
    for each in leaves(fields):
        if each.kind == "secret":
            if any(texts.pop(each.name, ())):
                said[each.name] = _AGAIN
            if each.name in started:
                texts[each.name] = started[each.name]
    return texts, said


def open_texts(fields: Sequence[FormField], texts: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return texts without those of secrets."""
    secret = {each.name for each in leaves(fields) if each.kind == "secret"}
    return {name: each for name, each in texts.items() if name not in secret}
