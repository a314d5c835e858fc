"""Every type of field, from what is typed to what is stored and back: good values, bad ones, limits, nothing at all."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Annotated, Any, Literal

import annotated_types
import pytest
from pydantic import AnyUrl, AwareDatetime, BaseModel, EmailStr, Field, HttpUrl, PastDate, RootModel, SecretStr

from pipulate import Choices, DateRange, File, Range, Step, TextArea, forms
from pipulate.errors import InvalidAnswersError
from pipulate.fields import LINES_MAX, FormField
from pipulate.ui.forms import texts_of
from tests.unit.workflows.steps import found_in, step_of

FILL = "Please fill this in."
MOMENT = "Enter a date and a time, for example 2026-11-20T14:30."
URL = "Enter a web address, for example https://example.org."


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Point(BaseModel):
    x: int
    y: int = 0


def stepping(annotation: Any, *default: Any) -> Step[..., Any]:
    """Return a step with one field `x` of this annotation."""

    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    function.__defaults__ = default
    return step_of(function)


def taken(annotation: Any, *default: Any, **typed: str | list[str]) -> Any:
    """Return the value that comes of what was typed."""
    step = stepping(annotation, *default)
    sent = {name.replace("__", "."): [text] if isinstance(text, str) else text for name, text in typed.items()}
    return getattr(forms.validate(step, forms.decode(step.fields, sent, {})), "x")  # noqa: B009 - mypy knows no x


def refused(annotation: Any, *default: Any, **typed: str | list[str]) -> str:
    """Return what is said at the field."""
    with pytest.raises(InvalidAnswersError) as caught:
        taken(annotation, *default, **typed)
    assert list(caught.value.problems) == ["x"]
    return caught.value.problems["x"]


def field(annotation: Any, *default: Any) -> FormField:
    """Return the field of an annotation."""
    return stepping(annotation, *default).fields[0]


Cents = Annotated[Decimal, Field(ge=0, le=10, multiple_of=Decimal("0.05"))]

GOOD = [
    (Decimal, "1.10", Decimal("1.10")),
    (Decimal, "1e3", Decimal(1000)),
    (Cents, "0", Decimal(0)),
    (Cents, "10", Decimal(10)),
    (time, "09:30", time(9, 30)),
    (time, "23:59:59", time(23, 59, 59)),
    (datetime, "2026-11-20T14:30", datetime(2026, 11, 20, 14, 30)),  # noqa: DTZ001 - local time, on purpose
    (datetime, "2026-11-20 14:30:15", datetime(2026, 11, 20, 14, 30, 15)),  # noqa: DTZ001 - as above
    (AwareDatetime, "2026-11-20T14:30+02:00", datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
    (AwareDatetime, "2026-11-20T14:30Z", datetime(2026, 11, 20, 14, 30, tzinfo=UTC)),
    (EmailStr, " name@example.org ", "name@example.org"),
    (HttpUrl, "https://example.org/a?b=c", HttpUrl("https://example.org/a?b=c")),
    (AnyUrl, "ftp://example.org/a", AnyUrl("ftp://example.org/a")),
    (SecretStr, " s3cret ", SecretStr(" s3cret ")),
    (list[Literal["a", "b", "c"]], ["a", "c"], ["a", "c"]),
    (list[Size], ["l"], [Size.LARGE]),
    (list[Literal[1, 2]], ["2"], [2]),
    (list[str], "one\r\n\r\n two \r\n", ["one", "two"]),
    (list[int], "1\n2", [1, 2]),
    (list[date], "2026-01-01", [date(2026, 1, 1)]),
    (list[EmailStr], "a@example.org\nb@example.org", ["a@example.org", "b@example.org"]),
    (PastDate, "2020-01-01", date(2020, 1, 1)),
]


@pytest.mark.parametrize(("annotation", "text", "value"), [each for each in GOOD if each[0] is not PastDate])
def test_text_becomes_a_value_and_is_read_back_as_it_was(annotation: Any, text: str | list[str], value: Any) -> None:
    step = stepping(annotation)
    checked = forms.validate(step, forms.decode(step.fields, {"x": [text] if isinstance(text, str) else text}, {}))
    assert checked.x == value  # type: ignore[attr-defined]
    stored = forms.stored(step, checked)
    assert forms.typed(step, stored, None) == {"x": value}
    if step.fields[0].kind != "secret":
        again = forms.decode(step.fields, texts_of(step.fields, stored), {})
        assert forms.validate(step, again) == checked


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (Decimal, "x", "Enter a number."),
        (Decimal, "NaN", "Enter a number."),
        (Cents, "-0.05", "Must be 0 or more."),
        (Cents, "10.05", "Must be 10 or less."),
        (Cents, "0.07", "Must be a multiple of 0.05."),
        (Annotated[Decimal, Field(decimal_places=2)], "1.005", "At most 2 digits after the point."),
        (Annotated[Decimal, Field(max_digits=3)], "1234", "At most 3 digits."),
        (time, "25:00", "Enter a time, for example 14:30."),
        (time, "9.30", "Enter a time, for example 14:30."),
        (time, "09:30Z", "Enter a time, for example 14:30."),
        (time, "3600", "Enter a time, for example 14:30."),
        (datetime, "2026-11-20", MOMENT),
        (datetime, "1700000000", MOMENT),  # Pydantic alone takes it for seconds since 1970, in UTC.
        (datetime, "2026-11-20T14:30Z", MOMENT),
        (datetime, "2026-13-20T14:30", MOMENT),
        (AwareDatetime, "soon", MOMENT),
        (AwareDatetime, "2026-13-20T14:30", MOMENT),
        (EmailStr, "name", "Enter an e-mail address, for example name@example.org."),
        (HttpUrl, "example.org", URL),
        (HttpUrl, "javascript:alert(1)", "The address has to begin with 'http' or 'https'."),
        (SecretStr, "", FILL),
        (SecretStr, "a\x00b", "This contains an invisible character (U+0000) that cannot be stored. Remove it."),
        (Annotated[SecretStr, Field(min_length=8)], "short", "At least 8 characters."),
        (list[Literal["a", "b"]], ["a", "z"], "Choose one of the options."),
        (list[Literal["a", "b"]], [], "Please choose at least one."),
        (list[str], " \n ", FILL),
        (list[int], "1\n\nx\n4.5", "Line 3: Enter a whole number. Line 4: Enter a whole number."),
        (list[int], "a\nb\nc\nd\ne", " ".join(f"Line {n}: Enter a whole number." for n in (1, 2, 3)) + " And 2 more."),
        (list[str], "fine\na\x07b",
         ("Line 2: This contains an invisible character (U+0007) that cannot be stored. Remove it.")),
        (list[Annotated[int, Range(1, 9)]], "9\n10", "Line 2: Must be 9 or less."),
        (Annotated[list[int], Field(max_length=2)], "1\n2\n3", "At most 2 lines."),
        (Annotated[list[int], annotated_types.MinLen(2)], "1", "At least 2 lines."),
        (list[int], "1\n" * (LINES_MAX + 1), f"At most {LINES_MAX:,} lines; this has {LINES_MAX + 1:,}."),
    ],
)  # fmt: skip
def test_bad_value_gets_a_sentence(annotation: Any, text: str | list[str], message: str) -> None:
    assert refused(annotation, x=text) == message


@pytest.mark.parametrize(
    "annotation",
    [Decimal, time, datetime, AwareDatetime, EmailStr, HttpUrl, SecretStr, list[str], list[int], list[Size]],
)
def test_optional_field_left_empty_is_none(annotation: Any) -> None:
    assert taken(annotation | None, x="") is None
    assert taken(annotation | None) is None


@pytest.mark.parametrize(
    ("annotation", "default", "shown"),
    [
        (Decimal, Decimal("1.50"), ["1.50"]), (time, time(9, 30), ["09:30:00"]), (list[str], ["a", "b"], ["a\nb"]),
        (list[Size], [Size.LARGE], ["l"]), (EmailStr, "a@example.org", ["a@example.org"]),
    ],
)  # fmt: skip
def test_form_starts_with_the_default(annotation: Any, default: Any, shown: list[str]) -> None:
    step = stepping(annotation, default)
    assert texts_of(step.fields, {"x": step.fields[0].default}) == {"x": shown}
    assert taken(annotation, default) == default if annotation != list[Size] else taken(annotation, default) == []


def test_list_with_a_default_can_be_emptied() -> None:
    assert taken(list[str], ["a"], x="") == []
    assert taken(list[Literal["a"]], ["a"], x=[]) == []


def test_default_that_is_made_anew_each_time_is_one_too() -> None:
    step = stepping(Annotated[list[str], Field(default_factory=lambda: ["a"])])
    assert (step.fields[0].default, step.fields[0].required) == (["a"], False)


def test_moment_without_a_zone_is_one_of_this_machine() -> None:
    local = datetime(2026, 11, 20, 14, 30).astimezone()
    assert taken(AwareDatetime, x="2026-11-20T14:30") == local
    stored = forms.stored(stepping(AwareDatetime), stepping(AwareDatetime).model(x=local))
    assert texts_of(stepping(AwareDatetime).fields, stored) == {"x": ["2026-11-20T14:30:00"]}


@pytest.mark.parametrize(
    ("annotation", "widget", "kind", "limits"),
    [
        (Cents, "number", "number", {"step": "0.05", "min": "0", "max": "10"}),
        (Annotated[Decimal, Field(decimal_places=2)], "number", "number", {"step": "0.01"}),
        (Annotated[int, Field(multiple_of=5)], "integer", "integer", {"step": "5"}),
        (Annotated[time, Field(ge=time(8))], "time", "time", {"min": "08:00:00"}),
        (datetime, "datetime", "datetime", {}),
        (Annotated[AwareDatetime, Field(ge=datetime(2026, 1, 1, tzinfo=UTC))], "datetime", "moment", {}),
        (EmailStr, "email", "email", {}),
        (HttpUrl, "url", "url", {}),
        (SecretStr, "password", "secret", {}),
        (list[Size], "checkboxes", "choice", {}),
        (list[str], "lines", "text", {}),
        (Annotated[list[int], TextArea(3)], "lines", "integer", {}),
        (Annotated[list[int], Choices(lambda _: [1])], "checkboxes", "integer", {}),
        (DateRange, "group", "group", {}),
        (Literal["a", None], "select", "choice", {}),
    ],
)
def test_type_chooses_widget_kind_and_limits(annotation: Any, widget: str, kind: str, limits: dict[str, str]) -> None:
    made = field(annotation)
    assert (made.widget, made.kind, dict(made.limits)) == (widget, kind, limits)


def test_files_are_uploads() -> None:
    assert (field(File).widget, field(File).multiple) == ("upload", False)
    assert (field(list[File]).widget, field(list[File]).multiple) == ("upload", True)


def test_file_that_was_not_sent_is_missing() -> None:
    assert forms.decode([field(File)], {"x": [""]}, {}) == {}
    assert forms.decode([field(File | None)], {"x": [""]}, {}) == {"x": None}
    assert forms.decode([field(list[File])], {"x": ["id-1", "", "id-2"]}, {}) == {"x": ["id-1", "id-2"]}
    assert forms.decode([field(File)], {"x": ["id-1"]}, {}) == {"x": "id-1"}


@pytest.mark.parametrize(
    ("annotation", "instead"),
    [
        (dict[str, int], "use a pydantic model, or"), (set[str], "use a list"), (tuple[int, str], "DateRange"),
        (bytes, "use File"), (complex, "use two numbers"), (timedelta, "use a number, with its unit"),
        (list[SecretStr], "a list of SecretStr cannot"), (list[Point], "a pydantic model with the same fields"),
        (object, "str, int, float, Decimal"), (list[int | None], "leave them out instead"),
        (RootModel[int], "has no fields of its own"), (PurePath, "File"),
    ],
)  # fmt: skip
def test_type_that_cannot_be_asked_for_says_what_can(annotation: Any, instead: str) -> None:
    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    (finding,) = found_in(function)
    assert (finding.code, finding.file, finding.line) == ("W006", __file__, function.__code__.co_firstlineno)
    if annotation != list[Point]:
        assert instead in finding.message


def test_choices_of_a_list_are_all_checked_against_what_is_offered() -> None:
    step = stepping(Annotated[list[int], Choices(lambda _: [1, 2])])
    options = {"x": field(Literal[1, 2]).options}
    forms.refuse_unoffered(step.fields, {"x": [1, 2]}, options)
    with pytest.raises(InvalidAnswersError, match="Choose one of the options"):
        forms.refuse_unoffered(step.fields, {"x": [1, 3]}, options)
