"""From the texts a browser sends to values that can be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipulate.fields.model import RANGES, FormField, Option

Typed = Mapping[str, Sequence[str]]
"""What was typed: field name -> the texts the form sent for it."""

_LEFT_OUT = object()


class Lines(list[str]):
    """Entries that were typed one a line, without those that were empty.

    Attributes:
        numbers: The line each entry stands on, from 1.
    """

    def __init__(self, text: str) -> None:
        kept = [(number, line.strip()) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        super().__init__(line for _, line in kept)
        self.numbers = [number for number, _ in kept]


def decode(fields: Sequence[FormField], typed: Typed, options: Mapping[str, tuple[Option, ...]]) -> dict[str, Any]:
    """Return what a form sent as values for validation; those of a group as a dict of their own.

    Args:
        fields: The fields of the step.
        typed: What was typed; names that are no field are ignored.
        options: Field -> its choices, for fields whose choices depend on the run.
    """
    answers = {}
    for field in fields:
        if field.parts:
            is_there = not field.optional or any(typed.get(field.name, ()))
            answers[field.key] = decode(field.parts, typed, options) if is_there else None
            continue
        texts = typed.get(field.name, ())
        if field.widget in RANGES:
            value = _pair(field, texts)
        else:
            value = _value(field, texts, options.get(field.name) or field.options)
        if value is not _LEFT_OUT:
            answers[field.key] = value
    return answers


def _value(field: FormField, texts: Sequence[str], options: tuple[Option, ...]) -> Any:
    nothing = None if field.optional else _LEFT_OUT
    if field.widget in ("checkbox", "switch"):
        return bool(texts) and texts[-1] != ""
    if field.widget == "checkboxes":
        chosen = [_option(text, options) for text in texts if text]
        return chosen if chosen or not field.optional else None
    if field.kind == "file":
        sent = [text for text in texts if text]
        return (sent if field.multiple else sent[-1]) if sent else nothing
    if not texts:
        return _LEFT_OUT
    text = texts[-1].replace("\r\n", "\n").replace("\r", "\n")
    if field.widget == "lines":
        lines = Lines(text)
        return lines if lines or not field.optional else None
    if options:
        return _option(text, options) if text else nothing
    if text == "" and (field.optional or field.kind not in ("text", "long", "colour")):
        return _LEFT_OUT if field.kind == "secret" else nothing  # An empty secret is one that stays as it is.
    return text


def _pair(field: FormField, texts: Sequence[str]) -> Any:
    """Return both numbers of a range; one that is empty is the limit on its side, and one alone is both."""
    given = [text.strip() for text in texts]
    if not any(given):
        return _LEFT_OUT
    limits = dict(field.limits)
    return [given[0] or limits.get("min", ""), given[-1] or limits.get("max", "")]


def _option(text: str, options: tuple[Option, ...]) -> Any:
    return next((option.value for option in options if option.text == text), text)
