"""From what a browser sends to values a step can use, and the words for what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from pipulate.errors import InvalidAnswersError
from pipulate.workflows.fields import FormField, Option

Typed = Mapping[str, Sequence[str]]
"""What was typed: field name -> the texts the form sent for it."""


def decode(fields: Sequence[FormField], typed: Typed, options: Mapping[str, tuple[Option, ...]]) -> dict[str, Any]:
    """Return what a form sent as values for validation.

    Args:
        fields: The fields of the step.
        typed: What was typed; names that are no field are ignored.
        options: Field -> its choices, for fields whose choices depend on the run.
    """
    answers = {}
    for field in fields:
        texts = typed.get(field.name, ())
        if field.widget == "checkbox":
            answers[field.name] = bool(texts) and texts[-1] != ""
        elif not texts:
            continue
        else:
            value = _one(field, texts[-1], options.get(field.name) or field.options)
            if value is not _LEFT_OUT:
                answers[field.name] = value
    return answers


_LEFT_OUT = object()


def _one(field: FormField, text: str, options: tuple[Option, ...]) -> Any:
    if options:
        found = next((option.value for option in options if option.text == text), text)
        return (None if field.optional else _LEFT_OUT) if found == "" else found
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text == "" and field.widget not in ("text", "textarea"):
        return None if field.optional else _LEFT_OUT
    return None if text == "" and field.optional else text


def validate(model: type[BaseModel], answers: Mapping[str, Any]) -> BaseModel:
    """Return the answers as the model of the step.

    Raises:
        InvalidAnswersError: With a plain sentence for each field that breaks a rule.
    """
    try:
        return model.model_validate(dict(answers))
    except ValidationError as error:
        problems: dict[str, str] = {}
        for each in error.errors(include_url=False):
            name = str(each["loc"][0]) if each["loc"] else ""
            problems.setdefault(name, in_words(each))
        raise InvalidAnswersError(problems) from None


def in_words(error: Mapping[str, Any]) -> str:
    """Return one error of pydantic in words for the person who typed."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    if kind == "string_too_long":
        return f"At most {context['max_length']:,} characters; this has {len(error['input']):,}."
    if kind == "string_too_short" and not str(error["input"]).strip():
        return _WORDS["missing"]
    template = _WORDS.get(kind)
    if template is None:
        return f"{error['msg']}."
    return template.format(**{name: _shown(value) for name, value in context.items()})


def _shown(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


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
    "date_parsing": "Enter a date, for example 2026-11-20.",
    "date_from_datetime_parsing": "Enter a date, for example 2026-11-20.",
    "date_from_datetime_inexact": "Enter a date without a time, for example 2026-11-20.",
    "date_type": "Enter a date, for example 2026-11-20.",
    "extra_forbidden": "There is no such field.",
}
