"""From an annotation to a field of a form."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AnyUrl, AwareDatetime, BaseModel, EmailStr, NaiveDatetime, RootModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from pipulate.fields.docstrings import docs
from pipulate.fields.files import File
from pipulate.fields.hinted import YES_OR_NO, WrongHintError, hinted
from pipulate.fields.hints import Choices, FieldsOf, Help, Label, Placeholder
from pipulate.fields.instead import instead_of
from pipulate.fields.limits import has_longest, html_limits, one_by_one
from pipulate.fields.model import SHORT_MAX, FormField, Kind, Option, Widget
from pipulate.fields.pairs import pair_of
from pipulate.fields.types import DateRange

__all__ = ["UnsupportedTypeError", "WrongHintError", "describe", "label_of", "options_from", "split"]

_FILES = (File, Path)
_RADIOS_MAX = 4  # Up to here all options are shown at once; more become a list.
_DEPTH_MAX = 6
_LINES = 5  # Height of a list that is typed, one a line.

_PLAIN: dict[Any, tuple[Kind, Widget]] = {
    str: ("text", "text"),
    int: ("integer", "integer"),
    float: ("number", "number"),
    Decimal: ("number", "number"),
    bool: ("bool", "checkbox"),
    date: ("date", "date"),
    time: ("time", "time"),
    datetime: ("datetime", "datetime"),
    NaiveDatetime: ("datetime", "datetime"),
    AwareDatetime: ("moment", "datetime"),
    EmailStr: ("email", "email"),
    SecretStr: ("secret", "password"),
}
_IN_LINES = frozenset({"text", "integer", "number", "date", "time", "datetime", "moment", "email", "url"})
_MAY_BE_EMPTY = frozenset({"text", "bool", "secret"})


class UnsupportedTypeError(TypeError):
    """An annotation cannot be a field; says what to use instead."""


def label_of(name: str) -> str:
    """Return what people read for a name nobody gave a title: `start_date` becomes `Start date`."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def split(annotation: Any) -> tuple[Any, bool, list[Any]]:
    """Return the bare type of an annotation, whether it may be None, and the hints around it."""
    hints: list[Any] = []
    optional = False
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            hints += more
        elif origin in (Union, types.UnionType):
            members = [member for member in get_args(annotation) if member is not type(None)]
            if len(members) != 1 or len(members) == len(get_args(annotation)):
                raise UnsupportedTypeError("one type, or one type and None, can be asked for; not several")
            annotation, optional = members[0], True
        elif origin is Literal and None in get_args(annotation):
            members = [member for member in get_args(annotation) if member is not None]
            annotation, optional = Literal[tuple(members)], True
        else:
            return annotation, optional, hints


def describe(name: str, info: FieldInfo, help_text: str = "", depth: int = 0) -> FormField:
    """Return how a field of a pydantic model is asked for.

    Args:
        name: Its name, dotted where it is in a group.
        info: The model's field.
        help_text: What a docstring says, used where the annotation has no description.
        depth: How many groups it is in.

    Raises:
        UnsupportedTypeError: If there is no widget for its type.
        WrongHintError: If a hint does not go with its type.
    """
    bare, optional, more = split(info.annotation)
    hints = list(one_by_one([*info.metadata, *more]))
    said: dict[type, str] = {type(hint): hint.text for hint in hints if isinstance(hint, Label | Help | Placeholder)}
    example = next(iter(info.examples or ()), "")
    field = FormField(
        name=name,
        label=said.get(Label) or info.title or label_of(name.rpartition(".")[2]),
        help=said.get(Help) or info.description or help_text,
        placeholder=said.get(Placeholder) or str(example),
        widget="text",
        required=info.is_required(),
        optional=optional,
        default=_default(info),
    )
    field = _typed(field, bare, hints, depth)
    return hinted(field, hints)


def options_from(values: Iterable[Any]) -> tuple[Option, ...]:
    """Return options for what an author's `Choices` gave: values, or pairs of value and label."""
    pairs = [value if isinstance(value, tuple) and len(value) == 2 else (value, value) for value in values]
    return tuple(Option(_plain(value), str(_plain(value)), _label(label)) for value, label in pairs)


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or isinstance(value, SecretStr):
        return None
    return to_jsonable_python(value)


def _typed(field: FormField, bare: Any, hints: list[Any], depth: int) -> FormField:
    """Return the field as its type alone makes it."""
    choices = next((hint for hint in hints if isinstance(hint, Choices)), None)
    if choices is not None and depth:
        raise WrongHintError("Choices goes with a parameter of the step, not with a field of a model")
    asks = next((hint for hint in hints if isinstance(hint, FieldsOf)), None)
    if asks is not None:
        if get_origin(bare) is not dict or depth:
            raise WrongHintError("FieldsOf goes with a parameter of the type dict[str, Any]")
        return replace(field, kind="group", widget="group", asks=asks)
    if (pair := pair_of(bare)) is not None:
        return _pair(field, *pair, depth)
    if get_origin(bare) is list:
        return _list(field, get_args(bare)[0], choices)
    if bare in _FILES:
        return replace(field, kind="file", widget="upload")
    if isinstance(bare, type) and issubclass(bare, BaseModel) and choices is None:
        return _group(field, bare, depth)
    if options := _options(bare):
        widget: Widget = "radios" if len(options) <= _RADIOS_MAX and not field.optional else "select"
        field = replace(field, kind="choice", widget=widget, options=options, required=not field.optional)
    else:
        field = _scalar(field, bare, hints)
    return field if choices is None else _chosen(field, choices)


def _pair(field: FormField, number: type, limits: list[Any], depth: int) -> FormField:
    if depth:
        raise UnsupportedTypeError("two numbers in a tuple can be asked for as a parameter only; use two fields here")
    if field.optional:
        raise UnsupportedTypeError("two numbers in a tuple cannot be None; give them a default")
    kind: Kind = "integer" if number is int else "number"
    return replace(field, kind=kind, widget="range", required=True, limits=html_limits(limits, kind))


def _chosen(field: FormField, choices: Choices) -> FormField:
    if field.kind in ("secret", "file"):
        raise WrongHintError("Choices goes with text, numbers, dates and the like")
    return replace(field, widget="select", choices=choices, options=(), limits=(), required=not field.optional)


def _scalar(field: FormField, bare: Any, hints: list[Any]) -> FormField:
    if not isinstance(bare, type) or not (bare in _PLAIN or issubclass(bare, AnyUrl)):
        raise UnsupportedTypeError(instead_of(bare))
    kind, widget = _PLAIN.get(bare, ("url", "url"))
    required = field.required or (kind not in _MAY_BE_EMPTY and not field.optional)
    field = replace(
        field, kind=kind, widget=widget, required=required, limits=html_limits(hints, kind),
        has_limit=has_longest(hints),
    )  # fmt: skip
    if kind == "bool" and field.optional:  # Ticked or not is two answers, and there are three.
        return replace(field, kind="choice", widget="select", options=YES_OR_NO, required=False)
    if kind == "bool":
        return replace(field, required=False, default=bool(field.default))
    if kind == "text" and not field.has_limit:
        return replace(field, limits=(*field.limits, ("maxlength", str(SHORT_MAX))))
    return field


def _list(field: FormField, item: Any, choices: Choices | None) -> FormField:
    bare, optional, more = split(item)
    if optional:
        raise UnsupportedTypeError("the entries of a list cannot be None; leave them out instead")
    if bare in _FILES:
        return replace(field, kind="file", widget="upload", multiple=True)
    if options := _options(bare):
        return replace(field, kind="choice", widget="checkboxes", options=options)
    entry = _scalar(replace(field, optional=False), bare, list(one_by_one(more)))
    if entry.kind not in _IN_LINES:
        raise UnsupportedTypeError(f"a list of {_name(bare)} cannot be asked for in a form; use {_ENTRIES}")
    if choices is not None:
        return replace(field, kind=entry.kind, widget="checkboxes", choices=choices)
    return replace(field, kind=entry.kind, widget="lines", rows=_LINES, has_limit=entry.has_limit)


_ENTRIES = "a list of text, numbers, dates, or of options (Literal or Enum)"


def _group(field: FormField, model: type[BaseModel], depth: int) -> FormField:
    if issubclass(model, RootModel) or not model.model_fields:
        raise UnsupportedTypeError(f"{_name(model)} has no fields of its own; use what is in it")
    if depth >= _DEPTH_MAX:
        raise UnsupportedTypeError(
            f"models more than {_DEPTH_MAX} deep, or that contain themselves, cannot be asked for"
        )
    said = docs(model)[1] if model is not DateRange else {}
    parts = []
    for key, info in model.model_fields.items():
        try:
            parts.append(describe(f"{field.name}.{key}", info, said.get(key, ""), depth + 1))
        except (UnsupportedTypeError, WrongHintError) as error:
            raise type(error)(f"in {_name(model)}.{key}, {error}" if depth == 0 else f"{key}: {error}") from None
    made = {part.key: part.default for part in parts if part.default is not None}
    default = field.default if field.default is not None or field.optional else made or None
    return replace(
        field, kind="group", widget="group", parts=tuple(parts), required=not field.optional, default=default,
        is_row=model is DateRange,
    )  # fmt: skip


def _options(bare: Any) -> tuple[Option, ...]:
    if get_origin(bare) is Literal:
        return tuple(Option(_plain(value), str(_plain(value)), _label(value, "_")) for value in get_args(bare))
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return tuple(Option(_plain(each), str(_plain(each)), _label(each)) for each in bare)
    return ()


def _label(value: Any, blank: str = "") -> str:
    if isinstance(value, enum.Enum):
        return label_of(value.name.lower())
    return str(value).replace(blank, " ") if blank else str(value)


def _plain(value: Any) -> Any:
    """Return the JSON form of an option."""
    return to_jsonable_python(value, serialize_unknown=True)


def _name(bare: Any) -> str:
    return str(getattr(bare, "__name__", bare))
