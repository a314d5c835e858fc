"""Checking answers, whatever door they come in by, and what is stored of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from pipulate.errors import FieldError, InvalidAnswersError
from pipulate.fields.files import Files
from pipulate.fields.model import FormField, Option
from pipulate.forms.form import Form
from pipulate.forms.rules import clean, in_one, line_of
from pipulate.forms.secrets import opened
from pipulate.forms.words import in_words


def validate(asked: Form, answers: Mapping[str, Any], files: Files | None = None) -> BaseModel:
    """Return the answers as the model of what asks for them; `files` are those there are, for fields that hold one.

    Raises:
        InvalidAnswersError: With a plain sentence for each field that breaks a rule.
    """
    cleaned, problems = clean(asked.fields, opened(answers))
    try:
        checked = asked.model.model_validate(cleaned, context=files, by_name=True, by_alias=True)
    except ValidationError as error:
        problems = _explained(asked.fields, error, answers) | problems
        raise InvalidAnswersError(problems) from None
    if not problems:
        problems = _of_author(asked, checked)
    if problems:
        raise InvalidAnswersError(problems)
    return checked


def typed(asked: Form, answers: Mapping[str, Any], files: Files | None) -> dict[str, Any]:
    """Return stored answers with their types; those that are no longer accepted come back as they were stored."""
    try:
        checked = asked.model.model_validate(opened(answers), context=files, by_name=True, by_alias=True)
    except ValueError:
        return dict(answers)
    return {field: getattr(checked, field) for field in asked.model.model_fields}


def refuse_unoffered(
    fields: Sequence[FormField], answers: Mapping[str, Any], options: Mapping[str, tuple[Option, ...]]
) -> None:
    """Refuse a value that is none of the choices the run offers now.

    Raises:
        InvalidAnswersError: If there is one.
    """
    problems = {}
    for each in fields:
        given = answers.get(each.name)
        if each.choices is None or given is None:
            continue
        offered = [option.value for option in options[each.name]]
        if any(value not in offered for value in (given if each.widget == "checkboxes" else [given])):
            problems[each.name] = "Choose one of the options."
    if problems:
        raise InvalidAnswersError(problems)


def _of_author(asked: Form, checked: BaseModel) -> dict[str, str]:
    """Return what the author's own rules about several fields find wrong."""
    problems: dict[str, str] = {}
    for rule, names in asked.rules.items():
        try:
            rule(**{name: getattr(checked, name) for name in names})
        except FieldError as error:
            problems.setdefault(error.field, error.reason)
        except InvalidAnswersError as error:
            problems = dict(error.problems) | problems
        except ValueError as error:
            problems.setdefault(names[0] if len(names) == 1 else "", str(error))
    return problems


def _explained(fields: Sequence[FormField], error: ValidationError, answers: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong by field: the first thing of each, of lists the first few lines."""
    problems: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for each in error.errors(include_url=False):
        field, name, rest, value = _place(fields, each["loc"], answers)
        words = in_words(each, field)
        cause = (each.get("ctx") or {}).get("error")
        if isinstance(cause, FieldError):
            inner = f"{name}.{cause.field}" if name else cause.field
            name, words = (inner if _has(fields, inner) else name), cause.reason
        if field is not None and field.widget == "lines" and rest:
            lines.setdefault(name, []).append(f"Line {line_of(value, int(rest[0]))}: {words}")
        else:
            problems.setdefault(name, words)
    return {name: in_one(sentences) for name, sentences in lines.items()} | problems


def _place(
    fields: Sequence[FormField], loc: Sequence[int | str], answers: Any
) -> tuple[FormField | None, str, Sequence[int | str], Any]:
    """Return the innermost field an error is about, its name, what of the way is left, and the value given for it."""
    found: FormField | None = None
    for index, part in enumerate(loc):
        inner = next((each for each in fields if each.key == part), None)
        if inner is None:
            return found, found.name if found else str(part), loc[index:], answers
        found, fields = inner, inner.parts
        answers = answers.get(part) if isinstance(answers, Mapping) else None
    return found, found.name if found else "", (), answers


def _has(fields: Sequence[FormField], name: str) -> bool:
    return any(each.name == name or (name.startswith(f"{each.name}.") and _has(each.parts, name)) for each in fields)
