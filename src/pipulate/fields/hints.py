"""Hints for `Annotated`: how a field looks, where its type alone does not say it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import annotated_types

if TYPE_CHECKING:
    from pipulate.workflows.run import Run

Language = Literal["css", "html", "javascript", "json", "markdown", "python", "sql", "text", "yaml"]
LANGUAGES: tuple[str, ...] = get_args(Language)


@dataclass(frozen=True, slots=True)
class TextArea:
    """Asks for text of several lines: `Annotated[str, TextArea(rows=12)]`."""

    rows: int = 8


@dataclass(frozen=True, slots=True)
class CodeEditor:
    """Asks for code, with line numbers and colours: `Annotated[str, CodeEditor("sql")]`."""

    language: Language = "text"
    rows: int = 12


@dataclass(frozen=True, slots=True)
class MarkdownEditor:
    """Asks for Markdown, with a preview below: `Annotated[str, MarkdownEditor()]`."""

    rows: int = 8


@dataclass(frozen=True, slots=True)
class Switch:
    """Shows a `bool` as a switch."""


@dataclass(frozen=True, slots=True)
class Radios:
    """Shows all options at once, however many there are."""


@dataclass(frozen=True, slots=True)
class Search:
    """Shows options as a list to search in; made for hundreds and thousands of them."""


@dataclass(frozen=True, slots=True)
class Slider:
    """Shows a number that has a lowest and a highest value as a slider: `Annotated[int, Range(0, 100), Slider()]`.

    With two numbers it has two handles: `Annotated[tuple[int, int], Range(0, 100), Slider()]`.

    `step` is the distance between two positions; without it, the field's `multiple_of`, 1 for whole numbers, or a
    hundredth of the range.
    """

    step: float | None = None


@dataclass(frozen=True, slots=True)
class Colour:
    """Asks for a colour; the step gets text such as `#2457c5`."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """Sends a value along without showing it. The person can see and change it all the same: it is no secret.

    A field of a record is in no form at all then, nor in a list, a search or a file: it needs a default, or a
    `default_factory`, and stays as it was made.
    """


@dataclass(frozen=True, slots=True)
class Label:
    """What people read above the field."""

    text: str


@dataclass(frozen=True, slots=True)
class Help:
    """What people read below the field."""

    text: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What stands in the field while it is empty; an example, never the label."""

    text: str


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


OnDelete = Literal["protect", "cascade", "clear"]


@dataclass(frozen=True, slots=True)
class Link:
    """Leads from a record to one of another resource: `Annotated[int | None, Link("customers")]`.

    Attributes:
        to: Name of the other resource.
        on_delete: What becomes of this record when the other is deleted: `protect` refuses to delete it, `cascade`
            deletes this one too, `clear` empties the field.
    """

    to: str
    on_delete: OnDelete = "protect"


@dataclass(frozen=True, slots=True)
class FieldsOf:
    """Asks for what a function of the run lists: `answers: Annotated[dict[str, Any], FieldsOf(questions)]`.

    `of` gets the run and returns a list of fields, each a dict with `name` and `type`, and, where it needs them,
    `label`, `help`, `placeholder`, `required`, `default`, `options`, `min`, `max`, `min_length`, `max_length`,
    `pattern`, `rows`, `language`, `accept`, `max_mb` and `multiple`. The step gets a dict by name.
    """

    of: Callable[[Run], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, init=False)
class Accept:
    """Limits what may be uploaded: `Annotated[File, Accept(".csv", "image/*", max_mb=20)]`.

    Attributes:
        kinds: Endings with their dot, and media types.
        max_bytes: Largest file, or None for the limit of the server.
        max_files: Most files, or None for the limit of the server.
    """

    kinds: tuple[str, ...]
    max_bytes: int | None
    max_files: int | None

    def __init__(self, *kinds: str, max_mb: float | None = None, max_files: int | None = None) -> None:
        object.__setattr__(self, "kinds", kinds)
        object.__setattr__(self, "max_bytes", None if max_mb is None else round(max_mb * 1_000_000))
        object.__setattr__(self, "max_files", max_files)
