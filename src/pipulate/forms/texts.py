"""From answers to the texts a form sends for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipulate.fields.model import RANGES, FormField
from pipulate.forms.secrets import is_kept

KEPT = "\0kept"
"""Stands for a secret that is there and is never shown; no browser can send it as typed text."""


def texts_of(fields: Sequence[FormField], answers: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return answers as the texts a form would send for them; secrets stay where they are."""
    texts: dict[str, list[str]] = {}
    for each in fields:
        value = answers.get(each.key)
        if each.parts:
            if each.optional:
                texts[each.name] = ["on"] if value is not None else []
            starts = {part.key: part.default for part in each.parts if part.default is not None}
            texts |= texts_of(each.parts, value if isinstance(value, Mapping) else starts)
        elif each.widget in ("checkbox", "switch"):
            texts[each.name] = ["on"] if value else []
        elif each.kind == "secret":
            texts |= {each.name: [KEPT]} if is_kept(value) else {}
        elif value is not None:
            texts[each.name] = _texts(each, value)
    return texts


def _texts(field: FormField, value: Any) -> list[str]:
    several = isinstance(value, list)
    if field.widget in RANGES and several:
        return [_text(field, each) for each in value]
    if field.widget == "checkboxes":
        return [str(each) for each in value] if several else [str(value)]
    if field.widget == "lines":
        return ["\n".join(_text(field, each) for each in value) if several else str(value)]
    if field.options or field.choices:  # The text of an option is its value's own.
        return [str(value)]
    return [_text(field, value)]


def _text(field: FormField, value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if field.kind == "moment" and isinstance(value, str):
        return _without_zone(value)
    return str(value)


def _without_zone(text: str) -> str:
    """Return a moment as the clock of this machine shows it; what a browser offers for it knows no zones."""
    try:
        return datetime.fromisoformat(text).astimezone().replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        return text
