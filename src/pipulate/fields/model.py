"""What a field of a form is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipulate.fields.hints import Choices, FieldsOf

Widget = Literal[
    "text", "textarea", "code", "markdown", "integer", "number", "slider", "checkbox", "switch", "date", "time",
    "datetime", "select", "search", "radios", "checkboxes", "lines", "email", "url", "password", "colour", "hidden",
    "group", "upload", "link", "range", "range-slider",
]  # fmt: skip

Kind = Literal[
    "text", "long", "integer", "number", "bool", "date", "time", "datetime", "moment", "choice", "email", "url",
    "secret", "colour", "group", "file",
]  # fmt: skip
"""What texts become, whatever the field looks like; of a list, what each entry becomes."""

SHORT_MAX = 1_000
"""Most characters of a one-line text, unless the author says otherwise."""

LONG_MAX = 2_000_000
"""Most characters of a text area, unless the author says otherwise."""

LINES_MAX = 10_000
"""Most entries of a list that is typed, one a line."""


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
        name: Name of the parameter; in a group, the names from the outermost on, with dots between.
        label, help, placeholder: What people read.
        widget: What it looks like.
        kind: What texts become.
        required: Whether it must be filled in.
        optional: Whether an empty field means None.
        default: JSON value it starts with, or None.
        options: Choices that are always the same.
        choices: Choices that depend on the run, or None.
        asks: What lists the fields of a group that are only known in a run, or None.
        limits: HTML attributes that tell the browser the limits.
        has_limit: Whether the author said how long a text may be.
        rows: Height of a text area, in lines.
        language: What a code editor colours.
        parts: The fields of a group.
        is_row: Whether the fields of a group stand beside each other.
        accept, multiple, max_bytes, max_files: What may be uploaded; None is the limit of the server.
        to: Name of the resource a link leads to, or "".
    """

    name: str
    label: str
    help: str
    widget: Widget
    required: bool
    optional: bool
    default: Any
    kind: Kind = "text"
    options: tuple[Option, ...] = ()
    choices: Choices | None = None
    asks: FieldsOf | None = None
    limits: tuple[tuple[str, str], ...] = ()
    has_limit: bool = False
    rows: int = 0
    placeholder: str = ""
    language: str = ""
    parts: tuple[FormField, ...] = ()
    is_row: bool = False
    accept: tuple[str, ...] = ()
    multiple: bool = False
    max_bytes: int | None = None
    max_files: int | None = None
    to: str = ""

    @property
    def key(self) -> str:
        """Its name within its group: what its value is kept under."""
        return self.name.rpartition(".")[2]


RANGES: Final = ("range", "range-slider")
"""Widgets that ask for two numbers: the form sends both under one name."""


def leaves(fields: Iterable[FormField]) -> Iterator[FormField]:
    """Yield the fields that can be filled in, those of groups included, in the order they are shown."""
    for each in fields:
        if each.parts:
            yield from leaves(each.parts)
        else:
            yield each


def labels(fields: Sequence[FormField], before: str = "") -> dict[str, str]:
    """Return what people call each field that can be filled in, with the names of its groups in front."""
    found: dict[str, str] = {}
    for each in fields:
        if each.parts:
            found |= labels(each.parts, f"{before}{each.label}: ")
        else:
            found[each.name] = before + each.label
    return found
