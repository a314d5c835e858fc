"""From annotated parameters to fields: widget, label, limits, what an empty field means."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Any, Literal, Optional

import annotated_types
import pytest
from pydantic import Field, StringConstraints

from pipulate import Choices, Range, TextArea
from pipulate.fields import SHORT_MAX, FormField, Option, label_of, options_from
from tests.unit.workflows.steps import field_of, found_in


class Size(enum.Enum):
    SMALL = "s"
    VERY_LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1


def asked(annotation: Any, *default: Any) -> FormField:
    """Return the field of a parameter with this annotation."""

    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    function.__defaults__ = default
    return field_of(function)


@pytest.mark.parametrize(
    ("annotation", "widget"),
    [
        (str, "text"),
        (Annotated[str, TextArea()], "textarea"),
        (int, "integer"),
        (float, "number"),
        (bool, "checkbox"),
        (bool | None, "select"),
        (date, "date"),
        (Literal["a", "b"], "radios"),
        (Literal["a", "b", "c", "d", "e"], "select"),
        (Size, "radios"),
        (Level, "radios"),
        (Literal["a"] | None, "select"),
        (Optional[int], "integer"),  # noqa: UP045 - how many people write it
        (int | None, "integer"),
        (None | int, "integer"),
        (Annotated[int | None, Range(1, 2)], "integer"),
        (Annotated[int, Range(1, 2)] | None, "integer"),
        (Annotated[int, Choices(lambda _: [1])], "select"),
    ],
)
def test_type_chooses_the_widget(annotation: Any, widget: str) -> None:
    assert asked(annotation).widget == widget


@pytest.mark.parametrize(
    ("annotation", "default", "required", "optional"),
    [
        (str, ..., True, False), (str, "", False, False), (str, "x", False, False), (str | None, ..., False, True),
        (int, ..., True, False), (int, 5, True, False), (int | None, ..., False, True), (int | None, 5, False, True),
        (bool, ..., False, False), (bool, True, False, False), (Size, Size.SMALL, True, False),
    ],
)  # fmt: skip
def test_field_is_required_unless_it_may_be_empty(
    annotation: Any, default: Any, required: bool, optional: bool
) -> None:
    field = asked(annotation) if default is ... else asked(annotation, default)
    assert (field.required, field.optional) == (required, optional)


@pytest.mark.parametrize(
    ("annotation", "default", "stored"),
    [
        (str, "x", "x"), (int, 5, 5), (float, 0.5, 0.5), (bool, True, True), (Size, Size.VERY_LARGE, "l"),
        (date, date(2026, 11, 20), "2026-11-20"), (str | None, None, None), (Literal["a", "b"], "b", "b"),
    ],
)  # fmt: skip
def test_default_is_shown_as_it_would_be_stored(annotation: Any, default: Any, stored: Any) -> None:
    assert asked(annotation, default).default == stored


@pytest.mark.parametrize(
    ("annotation", "limits"),
    [
        (Annotated[int, Range(1, 500)], {"step": "1", "min": "1", "max": "500"}),
        (Annotated[float, Range(0.1, 1234567.25)], {"step": "any", "min": "0.1", "max": "1234567.25"}),
        (Annotated[float, Range(0, 1e6)], {"step": "any", "min": "0", "max": "1000000"}),
        (Annotated[int, annotated_types.Gt(0), annotated_types.Lt(9)], {"step": "1", "min": "1", "max": "8"}),
        (Annotated[int, Field(ge=2)], {"step": "1", "min": "2"}),
        (Annotated[date, annotated_types.Ge(date(2026, 1, 1))], {"min": "2026-01-01"}),
        (Annotated[str, Field(min_length=2, max_length=9)], {"minlength": "2", "maxlength": "9"}),
        (Annotated[str, annotated_types.Len(2, 9)], {"minlength": "2", "maxlength": "9"}),
        (Annotated[str, StringConstraints(max_length=5_000)], {"maxlength": "5000"}),
        (Annotated[str, StringConstraints(max_length=9)] | None, {"maxlength": "9"}),
        (Annotated[str, Field(pattern="[a-z]+")], {"maxlength": "1000"}),  # A browser would read it another way.
        (Annotated[str, annotated_types.Len(2)], {"minlength": "2", "maxlength": "1000"}),
        (str, {"maxlength": str(SHORT_MAX)}),
        (Annotated[str, TextArea()], {}),
        (Literal["a"], {}),
    ],
)
def test_limits_are_told_to_the_browser(annotation: Any, limits: dict[str, str]) -> None:
    assert dict(asked(annotation).limits) == limits


def test_options_of_a_literal_are_its_values() -> None:
    assert asked(Literal["very_small", "B", 3]).options == (
        Option("very_small", "very_small", "very small"), Option("B", "B", "B"), Option(3, "3", "3"),
    )  # fmt: skip


def test_options_of_an_enum_have_readable_names() -> None:
    assert asked(Size).options == (Option("s", "s", "Small"), Option("l", "l", "Very large"))


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ([1, 2], [(1, "1", "1"), (2, "2", "2")]),
        ([("a", "First"), ("b", "Second")], [("a", "a", "First"), ("b", "b", "Second")]),
        ([Size.SMALL, (Size.VERY_LARGE, "Big")], [("s", "s", "Small"), ("l", "l", "Big")]),
        ((date(2026, 1, day) for day in (1, 2)), [("2026-01-01",) * 2 + ("2026-01-01",), ("2026-01-02",) * 3]),
        ({"a": 1}.items(), [("a", "a", "1")]),
        ([], []),
    ],
)
def test_choices_are_values_or_pairs_of_value_and_label(given: Any, options: list[tuple[Any, str, str]]) -> None:
    assert [(each.value, each.text, each.label) for each in options_from(given)] == options


def test_label_and_help_come_from_the_annotation_where_it_has_them() -> None:
    field = asked(Annotated[str, Field(title="Your name", description="As you want to be called.")])
    assert (field.label, field.help) == ("Your name", "As you want to be called.")


@pytest.mark.parametrize(("name", "label"), [("start_date", "Start date"), ("URL", "URL"), ("_x_", "X"), ("a", "A")])
def test_label_is_made_from_the_name_where_nobody_gave_one(name: str, label: str) -> None:
    assert label_of(name) == label


def test_text_area_has_the_height_its_author_wants() -> None:
    assert asked(Annotated[str, TextArea(rows=3)]).rows == 3


@pytest.mark.parametrize(
    "annotation",
    [
        list[dict[str, int]], dict[str, int], bytes, complex, object, int | str, int | str | None, None, type(None),
        set, tuple[int, str], list[int | None], list[bool], list[list[int]], Annotated[object, Choices(lambda _: [1])],
    ],
)  # fmt: skip
def test_type_that_no_field_can_hold_is_refused(annotation: Any) -> None:
    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    assert [each.code for each in found_in(function)] == ["W006"]
