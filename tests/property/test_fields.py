"""For every type of field: a value, as the texts a form sends for it, is the same value again."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, EmailStr, HttpUrl, SecretStr

from pipulate import (
    Choices,
    CodeEditor,
    Colour,
    DateRange,
    MarkdownEditor,
    Range,
    Search,
    Slider,
    Switch,
    TextArea,
    forms,
)
from pipulate.errors import InvalidAnswersError
from pipulate.fields import options_from
from pipulate.ui.forms import fields_of, texts_of
from tests.unit.ui.test_html import Parsed
from tests.unit.workflows.test_field_types import stepping


class Size(enum.Enum):
    SMALL = "s"
    HALF = 0.5
    TWO = 2


class Point(BaseModel):
    x: int
    name: str | None = None


class Shape(BaseModel):
    corner: Point
    other: Point | None = None
    tags: list[Literal["a", "b"]] = []


seen = st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp"))
line = st.text(seen, min_size=1, max_size=50).map(str.strip).filter(bool)
long = st.text(st.one_of(seen, st.sampled_from("\n\t")), max_size=200).filter(str.strip)
day = st.dates(min_value=date(1900, 1, 1))
moment = st.datetimes(datetime(1900, 1, 1), datetime(2500, 1, 1)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001
point = st.builds(Point, x=st.integers(-(10**15), 10**15), name=st.none() | line)
VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, line),
    "text area": (Annotated[str, TextArea()], long),
    "code": (Annotated[str, CodeEditor("json")], long),
    "markdown": (Annotated[str, MarkdownEditor()], long),
    "int": (int, st.integers()),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "slider": (Annotated[int, Range(0, 100), Slider()], st.integers(0, 100)),
    "bool": (bool, st.booleans()),
    "switch": (Annotated[bool, Switch()], st.booleans()),
    "maybe": (bool | None, st.none() | st.booleans()),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "datetime": (datetime, st.datetimes()),
    "moment": (AwareDatetime, moment.map(lambda at: at.replace(tzinfo=UTC))),
    "literal": (Literal["a", 1, 2.5], st.sampled_from(["a", 1, 2.5])),
    "enum": (Size, st.sampled_from(list(Size))),
    "search": (Annotated[Size, Search()], st.sampled_from(list(Size))),
    "checkboxes": (list[Size], st.lists(st.sampled_from(list(Size)), min_size=1, unique=True)),
    "choices": (Annotated[list[int], Choices(lambda _: range(9))], st.lists(st.integers(0, 8), min_size=1)),
    "lines": (list[str], st.lists(line, min_size=1, max_size=9)),
    "numbers": (list[float], st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9)),
    "email": (EmailStr, st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9})?@[a-z]{2,9}\.org", fullmatch=True)),
    "url": (HttpUrl, st.from_regex(r"https?://[a-z]{1,9}\.org/[a-z0-9/]{0,9}", fullmatch=True).map(HttpUrl)),
    "colour": (Annotated[str, Colour()], st.from_regex(r"#[0-9a-f]{6}", fullmatch=True)),
    "dates": (DateRange, st.tuples(day, day).map(sorted).map(lambda two: DateRange(start=two[0], end=two[1]))),
    "group": (Shape, st.builds(Shape, corner=point, other=st.none() | point,
                               tags=st.lists(st.sampled_from(["a", "b"]), unique=True))),
    "optional group": (Point | None, st.none() | point),
}  # fmt: skip
ANNOTATIONS = {kind: annotation for kind, (annotation, _) in VALUES.items()} | {
    "secret": SecretStr, "maybe numbers": list[int] | None, "maybe time": time | None,
}  # fmt: skip
OFFERED = {"x": options_from(range(9))}
some = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("kind", VALUES)
def test_value_survives_the_way_through_a_form(kind: str) -> None:
    annotation, strategy = VALUES[kind]
    step = stepping(annotation)

    @some
    @given(strategy)
    def goes_round(value: Any) -> None:
        stored = forms.stored(step, step.model(x=value))
        sent = texts_of(step.fields, stored)
        checked = forms.validate(step, forms.decode(step.fields, sent, OFFERED if step.fields[0].choices else {}))
        assert checked == step.model(x=value)
        assert forms.typed(step, stored, None) == {"x": value}

    goes_round()


@pytest.mark.parametrize("kind", ANNOTATIONS)
def test_whatever_is_typed_is_taken_or_refused_in_words(kind: str) -> None:
    step = stepping(ANNOTATIONS[kind])
    names = ["x", *(part.name for part in step.fields[0].parts)]

    @some
    @given(st.dictionaries(st.sampled_from(names), st.lists(st.text(max_size=20), max_size=3)))
    def is_judged(typed: dict[str, list[str]]) -> None:
        problems: dict[str, str] = {}
        try:
            forms.validate(step, forms.decode(step.fields, typed, {}))
        except InvalidAnswersError as error:
            problems = error.problems
        assert all(sentence.endswith((".", "more.")) for sentence in problems.values()), problems
        Parsed(fields_of(step.fields, typed, problems, {}, "f"))

    is_judged()
