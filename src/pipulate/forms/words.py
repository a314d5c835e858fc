"""What is wrong with an answer, in words for the person who typed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.fields.model import FormField


def in_words(error: Mapping[str, Any], field: FormField | None = None) -> str:
    """Return one error of pydantic in words for the person who typed; `field` is what it is about."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "value_error":
        return _EMAIL if "reason" in context else str(context.get("error", error["msg"]))
    if kind == "string_too_long":
        return f"At most {context['max_length']:,} characters; this has {len(error['input']):,}."
    if kind == "string_too_short" and not str(error["input"]).strip():
        return _WORDS["missing"]
    if kind in ("too_short", "too_long"):
        return _length(kind, context, _NOUNS.get(field.widget if field else "", "character"))
    template = _WORDS.get(kind)
    if template is None:
        return f"{error['msg']}."
    return template.format(**{name: _shown(value) for name, value in context.items()})


def _length(kind: str, context: Mapping[str, Any], noun: str) -> str:
    limit = context["min_length" if kind == "too_short" else "max_length"]
    return f"At {'least' if kind == 'too_short' else 'most'} {limit:,} {noun}{'' if limit == 1 else 's'}."


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


_NOUNS = {"lines": "line", "checkboxes": "choice", "upload": "file"}
_EMAIL = "Enter an e-mail address, for example name@example.org."
_DATE = "Enter a date, for example 2026-11-20."
_TIME = "Enter a time, for example 14:30."
_MOMENT = "Enter a date and a time, for example 2026-11-20T14:30."

_WORDS = {
    "missing": "Please fill this in.",
    "none_required": "Leave this empty.",
    "int_parsing": "Enter a whole number.",
    "int_type": "Enter a whole number.",
    "int_from_float": "Enter a whole number, without a fraction.",
    "int_parsing_size": "This number is too large.",
    "float_parsing": "Enter a number.",
    "float_type": "Enter a number.",
    "finite_number": "Enter a number.",
    "decimal_parsing": "Enter a number.",
    "decimal_type": "Enter a number.",
    "decimal_max_digits": "At most {max_digits} digits.",
    "decimal_max_places": "At most {decimal_places} digits after the point.",
    "decimal_whole_digits": "At most {whole_digits} digits before the point.",
    "bool_parsing": "Choose yes or no.",
    "bool_type": "Choose yes or no.",
    "string_type": "Enter text.",
    "string_too_short": "At least {min_length} characters.",
    "string_pattern_mismatch": "This does not have the expected form.",
    "greater_than": "Must be more than {gt}.",
    "greater_than_equal": "Must be {ge} or more.",
    "less_than": "Must be less than {lt}.",
    "less_than_equal": "Must be {le} or less.",
    "multiple_of": "Must be a multiple of {multiple_of}.",
    "literal_error": "Choose one of the options.",
    "enum": "Choose one of the options.",
    "list_type": "Enter a list.",
    "tuple_type": "Enter two numbers.",
    "model_type": "Please fill this in.",
    "model_attributes_type": "Please fill this in.",
    "dict_type": "Please fill this in.",
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": "Enter a date without a time, for example 2026-11-20.",
    "date_type": _DATE,
    "date_past": "Enter a date before today.",
    "date_future": "Enter a date after today.",
    "time_parsing": _TIME,
    "time_type": _TIME,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_type": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_naive": _MOMENT,
    "timezone_aware": _MOMENT,
    "url_parsing": "Enter a web address, for example https://example.org.",
    "url_syntax_violation": "Enter a web address, for example https://example.org.",
    "url_type": "Enter a web address, for example https://example.org.",
    "url_too_long": "At most {max_length} characters.",
    "url_scheme": "The address has to begin with {expected_schemes}.",
    "extra_forbidden": "There is no such field.",
}
