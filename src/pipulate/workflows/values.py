"""From what a step returned to what is stored and shown in short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from pipulate import forms
from pipulate.fields import FormField, Option
from pipulate.fields.files import File, FilePath, Files, is_named
from pipulate.storage.sealed import is_sealed
from pipulate.workflows.definition import Step
from pipulate.workflows.views import parts

SHORT = 120
"""Most characters of a value in short."""

NOT_YET: Final = object()
"""In place of a result that a job is to work out."""

_SAYS_ALL = frozenset({"none", "text", "number", "float", "decimal", "bool", "date", "datetime", "time"})


def to_value(
    step: Step[..., Any],
    answers: BaseModel | None,
    output: Any,
    options: Mapping[str, Sequence[Option]],
    files: Files | None = None,
) -> tuple[dict[str, Any], str]:
    """Return what is stored for a step, and the same in a few words ("" where few words cannot say it).

    Args:
        step: The step.
        answers: The checked answers, or None where the step has no fields.
        output: What its function returned, or `NOT_YET`.
        options: Field -> choices, for fields whose choices depend on the run.
        files: The files of the run; those that the value names, and those that were saved, become part of the value.

    Raises:
        ValueError: If the output does not fit the declared type, or has parts that JSON has no form for.
    """
    checked = None if output is NOT_YET else output
    if (
        step.returns is not None and output is not NOT_YET and not isinstance(output, FilePath)
    ):  # A path of ours is right.
        checked = step.returns.validate_python(output, context=files)
    found, dumped = parts.packed(checked, step.returns if checked is not None else None, files)
    view = found or view_of(checked)
    given = forms.stored(step, answers) if answers is not None else None
    value = {"input": given, "output": dumped, "view": view}
    if files is not None and (named := files.named_in([given, dumped, *map(File.named, files.saved.values())])):
        value["files"] = named
    if given is None:
        return value, shorten(plain(dumped)) if view in _SAYS_ALL else ""
    return value, short_of(_as_read(step.fields, given, options))


_PARTIAL_ROWS = 25
_PARTIAL_BYTES = 200_000


def shown_now(value: Any) -> str:
    """Return what is there so far as JSON, `{"view": ..., "output": ...}`; "" where only the end can be shown."""
    for to_rows in ("to_dicts", "to_dict"):  # Tables of polars, of pandas.
        if hasattr(value, "head") and hasattr(value, to_rows):
            value = getattr(value.head(_PARTIAL_ROWS), to_rows)(*(["records"] if to_rows == "to_dict" else []))
    try:
        found, dumped = parts.packed(value, None, None)
        raw = to_json({"view": found or view_of(value), "output": dumped})
    except (PydanticSerializationError, TypeError, ValueError):
        return ""
    return raw.decode() if len(raw) <= _PARTIAL_BYTES else ""


def view_of(output: Any) -> str:
    """Return how a result is shown, by its type."""
    kind = parts.kind_of(output)
    if kind is not None:
        return kind.view
    if output is None:
        return "none"
    if isinstance(output, bool):
        return "bool"
    if isinstance(output, int | float | Decimal):
        return "number"
    return "text" if isinstance(output, str | date | time) else "tree"


def short_of(answers: Mapping[str, Any]) -> str:
    """Return answers in one line."""
    texts = [plain(value) for value in answers.values() if value is not False and plain(value)]
    return shorten(" · ".join(texts)) if texts else "(nothing)"


def _as_read(
    fields: Sequence[FormField], answers: Mapping[str, Any], options: Mapping[str, Sequence[Option]]
) -> dict[str, Any]:
    """Return answers as people read them, without what is hidden.

    Options and what is ticked go by their labels, groups by their entries.
    """
    read: dict[str, Any] = {}
    for each in fields:
        answer = answers.get(each.key)
        if each.parts and isinstance(answer, Mapping):
            inner = [plain(part) for part in _as_read(each.parts, answer, {}).values() if part is not False]
            read[each.key] = " to ".join(inner) if each.is_row else ", ".join(filter(None, inner))
        elif each.widget != "hidden":
            offered = options.get(each.name) or each.options
            shown = _as_clock(each, answer) if each.kind in _CLOCKS else _labelled(answer, offered)
            read[each.key] = each.label if shown is True else shown  # Yes to what?
    return read


_CLOCKS = ("time", "datetime", "moment")


def _as_clock(field: FormField, value: Any) -> Any:
    """Return times as people write them: without seconds that are none, a moment with its zone."""
    if isinstance(value, list):
        return [_as_clock(field, each) for each in value]
    if not isinstance(value, str):
        return value
    zone = " UTC" if value.endswith("Z") else ""
    return value.removesuffix("Z").removesuffix(":00").replace("T", " ") + zone


def _labelled(value: Any, options: Sequence[Option]) -> Any:
    if isinstance(value, list):
        return [_labelled(each, options) for each in value]
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
    if is_named(value) or is_sealed(value):
        return str(value.get("name", "••••••"))
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
