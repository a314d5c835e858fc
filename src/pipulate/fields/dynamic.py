"""Fields that are only known when a run comes to them: described as a list, turned into a model and fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, EmailStr, Field, HttpUrl, SecretStr, create_model

from pipulate.fields.describe import UnsupportedTypeError, WrongHintError, describe, options_from
from pipulate.fields.files import File
from pipulate.fields.hints import (
    Accept,
    CodeEditor,
    Colour,
    Help,
    Hidden,
    Label,
    MarkdownEditor,
    Placeholder,
    Radios,
    Range,
    Search,
    Slider,
    Switch,
    TextArea,
)
from pipulate.fields.model import FormField, Option, Widget

_TYPES: Mapping[str, Any] = {
    "text": str,
    "textarea": str,
    "code": str,
    "markdown": str,
    "integer": int,
    "number": float,
    "slider": Annotated[float, Slider()],
    "checkbox": bool,
    "switch": Annotated[bool, Switch()],
    "date": date,
    "time": time,
    "datetime": datetime,
    "email": EmailStr,
    "url": HttpUrl,
    "password": SecretStr,
    "colour": Annotated[str, Colour()],
    "hidden": Annotated[str, Hidden()],
    "file": File,
}
_CHOSEN: Mapping[str, Any] = {"select": None, "radios": Radios(), "search": Search(), "checkboxes": None}
_KNOWN = frozenset(
    {
        "name", "type", "label", "help", "placeholder", "required", "default", "options", "min", "max", "min_length",
        "max_length", "pattern", "rows", "language", "accept", "max_mb", "multiple",
    }
)  # fmt: skip
_CONFIG = ConfigDict(extra="forbid", allow_inf_nan=False)


class FieldListError(ValueError):
    """A description of a field makes no sense; the message says which one and why, and is for the author."""


def expanded(field: FormField, described: Iterable[Mapping[str, Any]]) -> tuple[FormField, type[BaseModel]]:
    """Return a field with the parts that were described for it, and the model that checks them.

    Raises:
        FieldListError: If a description makes no sense.
    """
    each_of = [dict(each) for each in described]
    fields: dict[str, Any] = {}
    for each in each_of:
        name = str(each.get("name", ""))
        if not name.isidentifier() or name.startswith("_") or name in fields:
            raise FieldListError(f"field {name!r}: each field needs a name of its own, made of letters, digits and _")
        fields[name] = _annotated(each)
    model = create_model(field.key, __config__=_CONFIG, **fields)
    parts = []
    for each in each_of:
        try:
            part = describe(f"{field.name}.{each['name']}", model.model_fields[each["name"]])
        except (UnsupportedTypeError, WrongHintError) as error:
            raise FieldListError(f"field {each['name']!r}: {error}") from error
        parts.append(_with_options(part, each) if each.get("type") in _CHOSEN else part)
    made = {part.key: part.default for part in parts if part.default is not None}
    return replace(field, parts=tuple(parts), default=made or None), model


def _annotated(described: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the annotation and the default of one description."""
    name, kind = described["name"], described.get("type", "text")
    unknown = sorted(described.keys() - _KNOWN)
    if unknown:
        raise FieldListError(f"field {name!r}: {', '.join(unknown)} is nothing a field has")
    if kind in _CHOSEN:
        annotation = _choice(name, kind, described)
    elif kind in _TYPES:
        annotation = list[File] if kind == "file" and described.get("multiple") else _TYPES[kind]
    else:
        raise FieldListError(f"field {name!r}: there is no type {kind!r}; there are {', '.join([*_TYPES, *_CHOSEN])}")
    for hint in _hints(described):
        annotation = Annotated[annotation, hint]
    required = described.get("required", True) and kind not in ("checkbox", "switch")
    if "default" in described or required:
        return annotation, described.get("default", ...)
    is_list = kind == "checkboxes" or described.get("multiple")
    empty: Any = False if kind in ("checkbox", "switch") else [] if is_list else None
    return (annotation | None if empty is None else annotation), empty


def _choice(name: str, kind: str, described: Mapping[str, Any]) -> Any:
    values = tuple(option.value for option in _options(described))
    if not values:
        raise FieldListError(f"field {name!r}: give it options")
    annotation: Any = Literal[values]
    if kind == "checkboxes":
        return list[annotation]
    return annotation if _CHOSEN[kind] is None else Annotated[annotation, _CHOSEN[kind]]


def _with_options(part: FormField, described: Mapping[str, Any]) -> FormField:
    widget: Widget = "select" if described["type"] == "select" else part.widget  # However few they are.
    return replace(part, options=_options(described), widget=widget)


def _options(described: Mapping[str, Any]) -> tuple[Option, ...]:
    """Return options that are given as values, pairs of value and label, or dicts with both."""
    given = described.get("options", ())
    return options_from((each["value"], each["label"]) if isinstance(each, Mapping) else each for each in given)


def _hints(described: Mapping[str, Any]) -> list[Any]:
    hints: list[Any] = [
        hint(str(described[key]))
        for key, hint in (("label", Label), ("help", Help), ("placeholder", Placeholder))
        if key in described
    ]
    if "min" in described and "max" in described:
        hints.append(Range(described["min"], described["max"]))
    else:
        hints += [Field(**{limit: described[key]}) for key, limit in (("min", "ge"), ("max", "le")) if key in described]
    limits = {key: described[key] for key in ("min_length", "max_length", "pattern") if key in described}
    if limits:
        hints.append(Field(**limits))
    if described.get("type") in ("textarea", "code", "markdown"):
        hints.append(_editor(described))
    if "accept" in described or "max_mb" in described:
        accept = described.get("accept", ())
        kinds = (accept,) if isinstance(accept, str) else tuple(accept)
        hints.append(Accept(*kinds, **({"max_mb": described["max_mb"]} if "max_mb" in described else {})))
    return hints


def _editor(described: Mapping[str, Any]) -> Any:
    rows = {"rows": described["rows"]} if "rows" in described else {}
    if described["type"] == "code":
        return CodeEditor(described.get("language", "text"), **rows)
    return MarkdownEditor(**rows) if described["type"] == "markdown" else TextArea(**rows)
