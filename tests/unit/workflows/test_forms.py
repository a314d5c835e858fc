"""What a browser sends becomes values, or a plain sentence at the field that is wrong."""

from __future__ import annotations

import enum
from datetime import date
from typing import Annotated, Any, Literal

import annotated_types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, StringConstraints

from pipulate import Choices, Range, TextArea, forms
from pipulate.errors import InvalidAnswersError
from pipulate.fields import options_from
from pipulate.storage.keys import BIDI
from tests.unit.workflows.steps import answered, step_of


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


Long = Annotated[str, TextArea()]
FILL = "Please fill this in."
WHOLE = "Enter a whole number."
DATE = "Enter a date, for example 2026-11-20."
PICK = "Choose one of the options."


def stepping(annotation: Any, *default: Any) -> Any:
    """Return a step with one field of this annotation."""

    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    function.__defaults__ = default
    return step_of(function)


def taken(annotation: Any, text: str | None, *default: Any) -> Any:
    """Return the value that comes of a text, or of a field that was not sent."""
    typed = {} if text is None else {"x": text}
    return answered(stepping(annotation, *default), **typed)["x"]


def refused(annotation: Any, text: str | None, *default: Any) -> str:
    """Return what is said about a text that breaks the rules."""
    with pytest.raises(InvalidAnswersError) as caught:
        taken(annotation, text, *default)
    assert list(caught.value.problems) == ["x"]
    return caught.value.problems["x"]


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "a", "a"),
        (str, " a b ", "a b"),
        (str, "a\tb", "a\tb"),
        (str, "a" * 1_000, "a" * 1_000),
        (str, f" {'a' * 1_000} ", "a" * 1_000),
        (str, "<b>&\"'", "<b>&\"'"),
        (str, "👩‍👩‍👧 עברית", "👩‍👩‍👧 עברית"),
        (Long, "a\r\nb\rc\n", "a\nb\nc\n"),
        (Long, "  a ", "  a "),
        (Long, "a" * 2_000_000, "a" * 2_000_000),
        (Long, f"a{BIDI}b", f"a{BIDI}b"),
        (bool | None, "True", True),
        (bool | None, "False", False),
        (bool | None, "", None),
        (int, "7", 7),
        (int, " 7 ", 7),
        (int, "-7", -7),
        (int, "+7", 7),
        (int, "007", 7),
        (int, "1_000", 1000),
        (float, "0.5", 0.5),
        (float, "1e3", 1000.0),
        (float, "7", 7.0),
        (date, "2026-11-20", date(2026, 11, 20)),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], "2", 2),
        (Size, "l", Size.LARGE),
        (bool, "on", True),
        (bool, "anything", True),
    ],
)
def test_text_becomes_a_value_of_its_type(annotation: Any, text: str, value: object) -> None:
    assert taken(annotation, text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "message"),
    [
        (str, "", FILL),
        (str, "   ", FILL),
        (str, None, FILL),
        (Long, "", FILL),
        (Long, " \n\t ", FILL),
        (str, "a\x00b", "This contains an invisible character (U+0000) that cannot be stored. Remove it."),
        (str, "a\nb", "This contains an invisible character (U+000A) that cannot be stored. Remove it."),
        (str, "a\u202eb", "This contains an invisible character (U+202E) that cannot be stored. Remove it."),
        (str, "a\ud800", "This contains an invisible character (U+D800) that cannot be stored. Remove it."),
        (Long, "a\x1bb", "This contains an invisible character (U+001B) that cannot be stored. Remove it."),
        (str, "a" * 1_001, "At most 1,000 characters; this has 1,001."),
        (Long, "a" * 2_000_001, "At most 2,000,000 characters; this has 2,000,001."),
        (Annotated[str, Field(max_length=3)], "abcd", "At most 3 characters; this has 4."),
        (Annotated[str, StringConstraints(max_length=3)], "abcd", "At most 3 characters; this has 4."),
        (Annotated[str, annotated_types.MinLen(3)], "ab", "At least 3 characters."),
        (Annotated[str, annotated_types.MinLen(3)], " a ", "At least 3 characters."),
        (Annotated[str, annotated_types.MinLen(1)], "", FILL),
        (Annotated[str, annotated_types.MinLen(3)], "  ", FILL),
        (Annotated[str, Field(pattern="^[a-z]+$")], "A", "This does not have the expected form."),
        (int, "", FILL),
        (int, None, FILL),
        (int, "x", WHOLE),
        (int, "1.5", WHOLE),
        (int, "1,5", WHOLE),
        (int, "one", WHOLE),
        (int, "9" * 5_000, "This number is too large."),
        (Annotated[int, Range(1, 500)], "0", "Must be 1 or more."),
        (Annotated[int, Range(1, 500)], "501", "Must be 500 or less."),
        (Annotated[int, annotated_types.Gt(3)], "3", "Must be more than 3."),
        (Annotated[int, annotated_types.Lt(3)], "3", "Must be less than 3."),
        (Annotated[int, annotated_types.MultipleOf(5)], "3", "Must be a multiple of 5."),
        (Annotated[float, Range(0, 1_234_567.25)], "2000000", "Must be 1234567.25 or less."),
        (Annotated[float, Range(0, 1e6)], "1000001", "Must be 1000000 or less."),
        (float, "", FILL),
        (float, "x", "Enter a number."),
        (float, "nan", "Enter a number."),
        (float, "1e999", "Enter a number."),
        (date, "", FILL),
        (date, "20.11.2026", DATE),
        (date, "2026-13-01", DATE),
        (date, "tomorrow", DATE),
        (date, "2026-11-20T10:00", "Enter a date without a time, for example 2026-11-20."),
        (Annotated[date, annotated_types.Ge(date(2026, 1, 1))], "2025-12-31", "Must be 2026-01-01 or more."),
        (Literal["a", "b"], "c", PICK),
        (Literal["a", "b"], "", FILL),
        (Literal["a", "b"], None, FILL),
        (Size, "SMALL", PICK),
    ],
)
def test_text_that_breaks_the_rules_gets_a_sentence(annotation: Any, text: str | None, message: str) -> None:
    assert refused(annotation, text) == message


@pytest.mark.parametrize("annotation", [str, Long, int, float, date, Literal["a"], Size])
@pytest.mark.parametrize("text", ["", None])
def test_optional_field_left_empty_is_none(annotation: Any, text: str | None) -> None:
    assert taken(annotation | None, text) is None


@pytest.mark.parametrize(("annotation", "text"), [(str, "  "), (int, ""), (date, "")])
def test_optional_field_that_is_emptied_is_none_whatever_its_default(annotation: Any, text: str) -> None:
    default = {str: "x", int: 5, date: date(2026, 1, 1)}[annotation]
    assert not taken(annotation | None, text, default)


@pytest.mark.parametrize(
    ("annotation", "default"),
    [(int, 5), (float, 0.5), (date, date(2026, 1, 1)), (Literal["a", "b"], "b"), (Size, Size.LARGE)],
)
@pytest.mark.parametrize("text", ["", None])
def test_default_counts_where_nothing_is_given(annotation: Any, default: Any, text: str | None) -> None:
    assert taken(annotation, text, default) == default


def test_text_with_a_default_can_be_emptied() -> None:
    assert taken(str, "", "x") == ""
    assert taken(Long, "", "x") == ""
    assert taken(str, None, "x") == "x"


@pytest.mark.parametrize("typed", [{}, {"x": []}, {"x": [""]}])
@pytest.mark.parametrize("default", [(), (True,), (False,)])
def test_box_that_is_not_ticked_is_false_whatever_its_default(
    typed: dict[str, list[str]], default: tuple[bool, ...]
) -> None:
    assert forms.decode(stepping(bool, *default).fields, typed, {}) == {"x": False}


def test_last_text_counts_where_a_field_is_sent_twice() -> None:
    assert forms.decode(stepping(str).fields, {"x": ["a", "b"]}, {}) == {"x": "b"}


def test_what_is_no_field_is_ignored() -> None:
    assert answered(stepping(str), x="a", admin="yes", _seen="1") == {"x": "a"}


def test_choices_that_depend_on_the_run_come_back_with_their_type() -> None:
    step = stepping(Annotated[int, Choices(lambda _: [1, 2])])
    options = {"x": options_from([(1, "One"), (2, "Two")])}
    assert forms.decode(step.fields, {"x": ["2"]}, options) == {"x": 2}
    assert forms.decode(step.fields, {"x": [""]}, options) == {}


def test_every_field_that_is_wrong_has_its_sentence() -> None:
    def function(a: int, b: str, c: date, d: bool) -> None: ...

    with pytest.raises(InvalidAnswersError) as caught:
        answered(step_of(function), a="x", b="", c="y")
    assert caught.value.problems == {"a": WHOLE, "b": FILL, "c": DATE}


def test_rule_of_an_author_speaks_in_its_own_words() -> None:
    def even(number: int) -> int:
        if number % 2:
            raise ValueError("Only even numbers.")
        return number

    assert refused(Annotated[int, AfterValidator(even)], "3") == "Only even numbers."


def test_rule_nobody_found_words_for_is_still_told() -> None:
    def never(value: str) -> str:
        raise AssertionError("never")

    assert refused(Annotated[str, AfterValidator(never)], "x") == "Assertion failed, never."


def test_answer_that_is_no_field_is_refused_where_a_program_sends_it() -> None:
    with pytest.raises(InvalidAnswersError, match="There is no such field"):
        forms.validate(stepping(str), {"x": "a", "role": "admin"})


def outcome(annotation: Any, text: str) -> tuple[Any, dict[str, str]]:
    """Return what a text became, and what is wrong with it."""
    try:
        return taken(annotation, text), {}
    except InvalidAnswersError as error:
        return None, error.problems


@given(st.text())
def test_text_is_either_taken_as_it_is_or_refused(text: str) -> None:
    value, problems = outcome(Long, text)
    assert problems or value == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(max_size=30))
def test_no_text_makes_a_field_fail_in_any_other_way(text: str) -> None:
    for annotation in (str, int, float, date, bool, Literal["a"], Size, int | None):
        _, problems = outcome(annotation, text)
        assert all(name == "x" and problem.endswith(".") for name, problem in problems.items())
