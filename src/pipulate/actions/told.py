"""How fields, values and runs are put for a model: in the words people see, without secrets, and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipulate.crud.cells import cell_of
from pipulate.crud.links import Labels
from pipulate.fields import RANGES, FormField, Option, leaves
from pipulate.storage.sealed import MARK, is_sealed

CHARS_MAX: Final = 8_000
"""Most characters of what an action returns."""

ROWS_MAX: Final = 50
"""Most rows, records or runs of what an action returns."""

OFFSET_MAX: Final = 1_000_000_000
"""Most that can be left out at the beginning: a number that every store can reckon with."""

OPTIONS_MAX: Final = 50
SHORT_MAX: Final = 300
_SAYS_NOTHING: Final = frozenset({("step", "1"), ("step", "any")})
_LIKE_A_SECRET: Final = re.compile(r"passw|secret|token|api_?key|credential", re.IGNORECASE)

DOTS: Final = "•••"
"""Stands for a secret."""

_KINDS: Final[Mapping[str, str]] = {
    "text": "text", "long": "text of several lines", "integer": "whole number", "number": "number",
    "bool": "true or false", "date": "date as 2026-11-20", "time": "time as 14:30",
    "datetime": "date and time as 2026-11-20T14:30", "moment": "date and time as 2026-11-20T14:30",
    "choice": "one of the options", "email": "e-mail address", "url": "web address", "colour": "colour as #2457c5",
    "secret": "secret: only the person can type it", "file": "file: only the person can choose it",
}  # fmt: skip
_LIMITS: Final[Mapping[str, str]] = {
    "min": "least", "max": "most", "minlength": "least characters", "maxlength": "most characters", "step": "steps of",
    "pattern": "pattern",
}  # fmt: skip


def shown_fields(fields: Sequence[FormField]) -> list[FormField]:
    """Return the fields that people see, those of groups one by one, with dots in their names."""
    return [each for each in leaves(fields) if each.widget != "hidden"]


def field_told(field: FormField, options: Sequence[Option] = ()) -> dict[str, Any]:
    """Return what a model has to know of a field to fill it in, as JSON; what says nothing is left out."""
    offered = list(options or field.options)
    limits = {
        _LIMITS[name]: text for name, text in field.limits if name in _LIMITS and (name, text) not in _SAYS_NOTHING
    }
    told: dict[str, Any] = {
        "field": field.name, "label": field.label, "type": _type(field), "help": field.help,
        "must": field.required and field.default is None, "limits": limits,
        "options": [_option_told(each) for each in offered[:OPTIONS_MAX]],
        "more options": max(0, len(offered) - OPTIONS_MAX),
        "starts with": None if field.kind == "secret" else field.default,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value not in (None, "", [], {}, False, 0)}


def _type(field: FormField) -> str:
    one = f"number of a record of {field.to}" if field.to else _KINDS.get(field.kind, field.kind)
    if field.widget in RANGES:
        return "list of two numbers, the smaller first"
    if field.widget == "checkboxes":
        return "list of options"
    return f"list, each entry: {one}" if field.widget == "lines" else one


def _option_told(option: Option) -> Any:
    return option.value if option.label == option.text else {"value": option.value, "label": option.label}


def value_told(field: FormField, value: Any, labels: Labels | None = None) -> str:
    """Return a stored value as people read it; "" where there is none, and never a secret."""
    if value is None:
        return ""
    if field.kind == "secret" or is_sealed(value):
        return DOTS
    if field.to:
        return (labels or {}).get(field.to, {}).get(value, f"#{value}")
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if field.parts and isinstance(value, Mapping):
        inner = (f"{each.label}: {value_told(each, value.get(each.key), labels)}" for each in field.parts)
        return ", ".join(inner)
    return cell_of(field, value)


def texts_told(field: FormField, texts: Sequence[str], options: Sequence[Option] = ()) -> str:
    """Return what a form sends for a field as people read it in the form."""
    if field.kind == "secret":
        return DOTS if any(texts) else ""
    if field.kind == "bool" and field.widget in ("checkbox", "switch"):
        return "Yes" if any(texts) else "No"
    labels = {each.text: each.label for each in (options or field.options)}
    words = [labels.get(text, text) for text in texts if text]
    return (" to " if field.widget in RANGES else ", ").join(words)


def open_values(value: Any) -> Any:
    """Return a stored value in which every secret is replaced by dots."""
    if is_sealed(value):
        return DOTS
    if isinstance(value, Mapping):
        return {name: open_values(each) for name, each in value.items() if name != MARK}
    return [open_values(each) for each in value] if isinstance(value, list) else value


def without_named_secrets(value: Any) -> Any:
    """Return a class-style value in which what is named like a secret is replaced by dots: it has no other sign."""
    if isinstance(value, Mapping):
        return {
            name: DOTS if _LIKE_A_SECRET.search(str(name)) and each else without_named_secrets(each)
            for name, each in value.items()
        }
    return [without_named_secrets(each) for each in value] if isinstance(value, list) else value


def cut(text: str, most: int = SHORT_MAX) -> str:
    """Return text of at most so many characters, with a sign where something is left out."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def as_json(value: Any) -> str:
    """Return JSON values as text."""
    return json.dumps(value, ensure_ascii=False, default=str)


def fitted(rows: Sequence[Any], most: int = CHARS_MAX) -> list[Any]:
    """Return the first rows that fit into so many characters; of one that is larger alone, nothing."""
    kept: list[Any] = []
    left = most
    for row in rows[:ROWS_MAX]:
        left -= len(as_json(row)) + 2
        if left < 0:
            break
        kept.append(row)
    return kept
