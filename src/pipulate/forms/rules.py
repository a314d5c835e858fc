"""Rules that texts follow whatever their author says: no invisible characters, not blank where something is needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipulate.fields.model import LINES_MAX, LONG_MAX, SHORT_MAX, FormField, Kind
from pipulate.forms.decoding import Lines
from pipulate.storage.keys import BIDI, unprintable

EMPTY = "Please fill this in."
_EMPTY_LIST = "Please choose at least one."

_TIME = r"\d\d:\d\d(:\d\d(\.\d{1,6})?)?"
_DATE = r"\d{4}-\d\d-\d\d"
_FORMS: Mapping[Kind, tuple[re.Pattern[str], str]] = {
    "time": (re.compile(_TIME), "Enter a time, for example 14:30."),
    "datetime": (re.compile(f"{_DATE}[T ]{_TIME}"), "Enter a date and a time, for example 2026-11-20T14:30."),
    "moment": (
        re.compile(rf"{_DATE}[T ]{_TIME}(Z|[+-]\d\d:?\d\d)?"),
        "Enter a date and a time, for example 2026-11-20T14:30.",
    ),
    "colour": (re.compile(r"#[0-9A-Fa-f]{6}"), "Enter a colour, for example #2457c5."),
}


def clean(fields: Sequence[FormField], answers: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return answers with texts put into their one form, and what is wrong with them: name -> sentence.

    Space around a text of one line is taken away before anything is checked, so limits hold for what is stored.
    """
    cleaned, problems = dict(answers), dict[str, str]()
    for field in fields:
        value = cleaned.get(field.key)
        if field.parts and isinstance(value, Mapping):
            cleaned[field.key], inner = clean(field.parts, value)
            problems |= inner
        elif isinstance(value, str) and field.kind != "group":
            try:
                cleaned[field.key] = _text(field, value)
            except ValueError as error:
                problems[field.name] = str(error)
        elif isinstance(value, list) and field.widget in ("lines", "checkboxes"):
            cleaned[field.key], problem = _entries(field, value)
            problems |= {field.name: problem} if problem else {}
    return cleaned, problems


def _entries(field: FormField, values: list[Any]) -> tuple[list[Any], str]:
    if field.required and not values:
        return values, EMPTY if field.widget == "lines" else _EMPTY_LIST
    if field.widget == "checkboxes":
        return values, ""
    if len(values) > LINES_MAX:
        return values, f"At most {LINES_MAX:,} lines; this has {len(values):,}."
    cleaned, wrong = list(values), []
    for index, value in enumerate(values):
        try:
            cleaned[index] = _text(field, value) if isinstance(value, str) else value
        except ValueError as error:
            wrong.append(f"Line {line_of(values, index)}: {error}")
    return cleaned, in_one(wrong)


def line_of(values: Any, index: int) -> int:
    """Return the line an entry was typed on; where it was not typed, its place in the list."""
    return values.numbers[index] if isinstance(values, Lines) else index + 1


def in_one(sentences: Sequence[str]) -> str:
    """Return what is wrong with several lines as one text; the first three say enough."""
    more = len(sentences) - 3
    return " ".join(sentences[:3]) + (f" And {more} more." if more > 0 else "")


def _text(field: FormField, text: str) -> str:
    """Return a text in its one form.

    Raises:
        ValueError: If it breaks a rule; says which.
    """
    kind = field.kind
    if kind not in ("long", "secret"):
        text = text.strip()
    if kind in ("text", "long", "secret", "colour"):
        _refuse_odd(field, text)
        if field.required and not text.strip():
            raise ValueError(EMPTY)
    if kind in _FORMS and (text or kind != "colour"):
        form, words = _FORMS[kind]
        if not form.fullmatch(text):
            raise ValueError(words)
    if kind == "moment":
        return _with_zone(text)
    return text.lower() if kind == "colour" else text


def _refuse_odd(field: FormField, text: str) -> None:
    is_long = field.kind == "long"
    bad = unprintable(text, allowed="\n\t" + BIDI if is_long else "\t")
    if bad is not None:
        raise ValueError(f"This contains an invisible character ({bad}) that cannot be stored. Remove it.")
    limit = LONG_MAX if is_long else SHORT_MAX
    if not field.has_limit and len(text) > limit:
        raise ValueError(f"At most {limit:,} characters; this has {len(text):,}.")


def _with_zone(text: str) -> str:
    """Return a moment with its zone: that of this machine where none was typed."""
    try:
        moment = datetime.fromisoformat(text)
        return text if moment.tzinfo else moment.astimezone().isoformat()
    except (ValueError, OverflowError):
        return text  # Pydantic says what is wrong with it.
