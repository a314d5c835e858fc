"""From what a step returned to what is stored and shown in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from pipulate.workflows.definition import Step
from pipulate.workflows.fields import Option
from pipulate.workflows.markup import Markdown

View = Literal["none", "text", "number", "bool", "markdown", "tree"]
SHORT = 120
"""Most characters of a value in short."""


def to_value(
    step: Step[..., Any], answers: BaseModel | None, output: Any, options: Mapping[str, Sequence[Option]]
) -> tuple[dict[str, Any], str]:
    """Return what is stored for a step, and the same in a few words ("" where few words cannot say it).

    Args:
        step: The step.
        answers: The checked answers, or None where the step has no fields.
        output: What its function returned.
        options: Field -> choices, for fields whose choices depend on the run.

    Raises:
        ValueError: If the output does not fit the declared type, or has parts that JSON has no form for.
    """
    view = view_of(output)
    if step.returns is not None and view != "none":
        dumped = step.returns.dump_python(step.returns.validate_python(output), mode="json")
    else:
        dumped = to_jsonable_python(output)
    given = answers.model_dump(mode="json") if answers is not None else None
    value = {"input": given, "output": dumped, "view": view}
    if given is None:
        return value, "" if view in ("markdown", "tree") else shorten(plain(dumped))
    labels = {each.name: options.get(each.name) or each.options for each in step.fields}
    return value, short_of({name: _labelled(answer, labels.get(name, ())) for name, answer in given.items()})


def view_of(output: Any) -> View:
    """Return how a result is shown, by its type."""
    if output is None:
        return "none"
    if isinstance(output, Markdown):
        return "markdown"
    if isinstance(output, bool):
        return "bool"
    if isinstance(output, int | float | Decimal):
        return "number"
    if isinstance(output, str | date):
        return "text"
    return "tree"


def short_of(answers: Mapping[str, Any]) -> str:
    """Return answers in one line."""
    texts = [plain(value) for value in answers.values() if value is not False and plain(value)]
    return shorten(" · ".join(texts)) if texts else "(nothing)"


def _labelled(value: Any, options: Sequence[Option]) -> Any:
    return next((option.label for option in options if option.value == value), value)


def plain(value: Any) -> str:
    """Return any JSON value as one piece of text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {plain(each)}" for name, each in list(value.items())[:8])
    if isinstance(value, Sequence):
        return ", ".join(plain(each) for each in value[:8]) + (" …" if len(value) > 8 else "")
    return str(value)


def shorten(text: str) -> str:
    """Return text on one line, cut to `SHORT` characters."""
    line = " ".join(text[: SHORT * 4].split())
    return line if len(line) <= SHORT else line[: SHORT - 1].rstrip() + "…"


def to_plain(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return suggested answers as JSON values.

    Raises:
        ValueError: If one has a type JSON does not have.
    """
    plain_values: dict[str, Any] = to_jsonable_python(dict(given))
    return plain_values
