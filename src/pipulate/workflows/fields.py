"""From an annotated parameter to a field of a form."""

from __future__ import annotations

import enum
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipulate.storage.keys import BIDI, unprintable

if TYPE_CHECKING:
    from pipulate.workflows.run import Run

Widget = Literal["text", "textarea", "integer", "number", "checkbox", "date", "select", "radios"]

SHORT_MAX = 1_000
"""Most characters of a one-line text, unless the author says otherwise."""

LONG_MAX = 2_000_000
"""Most characters of a text area, unless the author says otherwise."""

_RADIOS_MAX = 4  # Up to here all options are shown at once; more become a list.


@dataclass(frozen=True, slots=True)
class TextArea:
    """Asks for text of several lines: `Annotated[str, TextArea(rows=12)]`."""

    rows: int = 8


@dataclass(frozen=True, slots=True)
class Range(annotated_types.GroupedMetadata):
    """Limits a number, both ends included: `Annotated[int, Range(1, 500)]`."""

    low: float
    high: float

    def __iter__(self) -> Iterator[annotated_types.BaseMetadata]:
        yield annotated_types.Ge(self.low)
        yield annotated_types.Le(self.high)


@dataclass(frozen=True, slots=True)
class Choices:
    """Offers options that depend on the run: `Annotated[int, Choices(lambda run: [1, 2])]`.

    `of` gets the run and returns the options: values, or pairs of value and label.
    """

    of: Callable[[Run], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a field: what is stored, what the form sends, what people see."""

    value: Any
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class FormField:
    """How a field is asked for.

    Attributes:
        name: Name of the parameter.
        label, help: What people read.
        widget: What it looks like.
        required: Whether it must be filled in.
        optional: Whether an empty field means None.
        default: JSON value it starts with, or None.
        options: Choices that are always the same.
        choices: Choices that depend on the run, or None.
        limits: HTML attributes that tell the browser the limits.
        rows: Height of a text area, in lines.
    """

    name: str
    label: str
    help: str
    widget: Widget
    required: bool
    optional: bool
    default: Any
    options: tuple[Option, ...] = ()
    choices: Choices | None = None
    limits: tuple[tuple[str, str], ...] = ()
    rows: int = 0


_YES_OR_NO = (Option(value=True, text="True", label="Yes"), Option(value=False, text="False", label="No"))


class UnsupportedTypeError(TypeError):
    """An annotation cannot be a field."""


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
        else:
            return annotation, optional, hints


def guarded(annotation: Any, *, required: bool) -> Any:
    """Return the annotation with the rules every text follows: no invisible characters, not blank where required.

    Space around a text of one line is taken away before anything is checked, so limits hold for what is stored.
    """
    bare, _, hints = split(annotation)
    if bare is not str:
        return annotation
    many_lines = any(isinstance(hint, TextArea) for hint in hints)
    limit = LONG_MAX if many_lines else SHORT_MAX
    has_limit = any(isinstance(hint, annotated_types.MaxLen) for hint in _one_by_one(hints))

    def check(value: str | None) -> str | None:
        if value is None:
            return None
        bad = unprintable(value, allowed="\n\t" + BIDI if many_lines else "\t")
        if bad is not None:
            raise ValueError(f"This contains an invisible character ({bad}) that cannot be stored. Remove it.")
        if not has_limit and len(value) > limit:
            raise ValueError(f"At most {limit:,} characters; this has {len(value):,}.")
        if required and not value.strip():
            raise ValueError("Please fill this in.")
        return value

    if many_lines:
        return Annotated[annotation, AfterValidator(check)]
    return Annotated[annotation, AfterValidator(check), BeforeValidator(_trimmed)]


def describe(name: str, info: FieldInfo, hints: Sequence[Any], help_text: str) -> FormField:
    """Return how a field of a pydantic model is asked for.

    Args:
        name: Name of the parameter.
        info: The model's field.
        hints: All metadata of the parameter, ours included.
        help_text: What its docstring says, used where the annotation has no description.

    Raises:
        UnsupportedTypeError: If there is no widget for its type.
    """
    bare, optional, _ = split(info.annotation)
    default = None if info.default is PydanticUndefined else _plain(info.default)
    field = FormField(
        name=name,
        label=info.title or label_of(name),
        help=info.description or help_text,
        widget="text",
        required=info.is_required() or (bare not in (str, bool) and not optional),
        optional=optional,
        default=default,
        limits=tuple(dict(_html_limits(hints)).items()),
    )
    choices = next((hint for hint in hints if isinstance(hint, Choices)), None)
    if choices is not None:
        if not _options(bare):
            _by_type(field, bare)  # One choice is one plain value, so the type has to be one that can be asked for.
        return replace(field, widget="select", choices=choices, limits=())
    area = next((hint for hint in hints if isinstance(hint, TextArea)), None)
    if bare is str and area is not None:
        return replace(field, widget="textarea", rows=area.rows)
    if options := _options(bare):
        widget: Widget = "radios" if len(options) <= _RADIOS_MAX and not optional else "select"
        return replace(field, widget=widget, options=options, limits=())
    return _by_type(field, bare)


def options_from(values: Iterable[Any]) -> tuple[Option, ...]:
    """Return options for what an author's `Choices` gave: values, or pairs of value and label."""
    pairs = [value if isinstance(value, tuple) and len(value) == 2 else (value, value) for value in values]
    return tuple(Option(_plain(value), str(_plain(value)), _label(label)) for value, label in pairs)


def _by_type(field: FormField, bare: Any) -> FormField:
    if bare is bool and field.optional:  # Ticked or not is two answers, and there are three.
        return replace(field, widget="select", options=_YES_OR_NO, required=False)
    if bare is bool:
        return replace(field, widget="checkbox", required=False, default=bool(field.default))
    if bare is int:
        return replace(field, widget="integer", limits=(("step", "1"), *field.limits))
    if bare is float:
        return replace(field, widget="number", limits=(("step", "any"), *field.limits))
    if bare is date:
        return replace(field, widget="date")
    if bare is str:
        has_limit = any(name == "maxlength" for name, _ in field.limits)
        return field if has_limit else replace(field, limits=(*field.limits, ("maxlength", str(SHORT_MAX))))
    raise UnsupportedTypeError(f"{getattr(bare, '__name__', bare)} cannot be asked for in a form")


def _options(bare: Any) -> tuple[Option, ...]:
    if get_origin(bare) is Literal:
        return tuple(Option(value, str(value), str(value).replace("_", " ")) for value in get_args(bare))
    if isinstance(bare, type) and issubclass(bare, enum.Enum):
        return tuple(Option(_plain(each), str(each.value), _label(each)) for each in bare)
    return ()


def _label(value: Any) -> str:
    return label_of(value.name.lower()) if isinstance(value, enum.Enum) else str(value)


def _plain(value: Any) -> Any:
    """Return the JSON form of a default or an option."""
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    return value.isoformat() if isinstance(value, date) else value


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _one_by_one(hints: Iterable[Any]) -> Iterator[Any]:
    """Yield hints with those that stand for several, such as `Range` and `Field`, taken apart."""
    for hint in hints:
        if isinstance(hint, FieldInfo):
            yield from _one_by_one(hint.metadata)
        elif isinstance(hint, annotated_types.GroupedMetadata):
            yield from _one_by_one(hint)
        else:
            yield hint


def _html_limits(hints: Sequence[Any]) -> Iterator[tuple[str, str]]:
    for hint in _one_by_one(hints):
        match hint:
            case annotated_types.Ge(ge=limit) | annotated_types.Gt(gt=limit):
                yield "min", _bound(limit)
            case annotated_types.Le(le=limit) | annotated_types.Lt(lt=limit):
                yield "max", _bound(limit)
            case annotated_types.MinLen(min_length=length):
                yield "minlength", str(length)
            case annotated_types.MaxLen(max_length=length):
                yield "maxlength", str(length)


def _bound(limit: Any) -> str:
    if isinstance(limit, float) and limit.is_integer():
        return str(int(limit))
    return limit.isoformat() if isinstance(limit, date) else str(limit)
