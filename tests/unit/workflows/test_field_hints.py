"""Hints choose what a field looks like; one that does not fit is a finding, and so is a rule about no field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from pipulate import (
    Accept,
    Choices,
    CodeEditor,
    Colour,
    FieldError,
    File,
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
    forms,
)
from pipulate.errors import InvalidAnswersError
from tests.unit.workflows.steps import answered, found_in, step_of
from tests.unit.workflows.test_field_types import field, refused, stepping, taken

FIVE = Literal["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("annotation", "widget"),
    [
        (Annotated[str, CodeEditor("python")], "code"),
        (Annotated[str, MarkdownEditor()], "markdown"),
        (Annotated[bool, Switch()], "switch"),
        (Annotated[FIVE, Radios()], "radios"),
        (Annotated[FIVE | None, Radios()], "radios"),
        (Annotated[bool, Radios()], "radios"),
        (Annotated[FIVE, Search()], "search"),
        (Annotated[int, Choices(lambda _: [1]), Search()], "search"),
        (Annotated[int, Range(0, 10), Slider()], "slider"),
        (Annotated[str, Colour()], "colour"),
        (Annotated[str | None, Colour()], "text"),  # What a browser offers for colours cannot be empty.
        (Annotated[int, Hidden()], "hidden"),
        (Annotated[bool, Hidden()], "hidden"),
    ],
)
def test_hint_chooses_the_widget(annotation: Any, widget: str) -> None:
    assert field(annotation).widget == widget


@pytest.mark.parametrize(
    ("annotation", "step"),
    [
        (Annotated[int, Range(0, 10), Slider()], "1"),
        (Annotated[int, Range(0, 10), Field(multiple_of=5), Slider()], "5"),
        (Annotated[float, Range(0, 1), Slider()], "0.01"),
        (Annotated[float, Range(0, 1), Slider(step=0.25)], "0.25"),
    ],
)
def test_slider_knows_how_far_its_positions_are_apart(annotation: Any, step: str) -> None:
    assert dict(field(annotation).limits)["step"] == step


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, TextArea()], "TextArea goes with str"),
        (Annotated[str, TextArea(0)], "rows must be a number from 1 to 200"),
        (Annotated[int, CodeEditor()], "CodeEditor goes with str"),
        (Annotated[str, CodeEditor("cobol")], "not 'cobol'"),  # type: ignore[arg-type] # the mistake
        (Annotated[int, MarkdownEditor()], "MarkdownEditor goes with str"),
        (Annotated[str, Switch()], "Switch goes with bool"),
        (Annotated[bool | None, Switch()], "Switch goes with bool"),
        (Annotated[str, Radios()], "Radios goes with one choice"),
        (Annotated[list[FIVE], Radios()], "Radios goes with one choice"),
        (Annotated[str, Search()], "Search goes with one choice"),
        (Annotated[int, Slider()], "needs a lowest and a highest value"),
        (Annotated[str, Slider()], "Slider goes with a number"),
        (Annotated[int | None, Range(0, 1), Slider()], "cannot be None"),
        (Annotated[int, Range(0, 1), Slider(step=0)], "more than 0"),
        (Annotated[int, Colour()], "Colour goes with str"),
        (Annotated[list[str], Hidden()], "Hidden goes with one plain value"),
        (Annotated[str, Accept(".csv")], "Accept goes with File"),
        (Annotated[File, Accept("csv")], "not 'csv'"),
        (Annotated[File, Accept(max_files=2)], "goes with list[File]"),
    ],
)
def test_hint_that_does_not_fit_is_found(annotation: Any, words: str) -> None:
    def function(x): ...  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the annotation is handed in

    function.__annotations__ = {"x": annotation}
    (finding,) = found_in(function)
    assert (finding.code, finding.file, finding.line) == ("W020", __file__, function.__code__.co_firstlineno)
    assert words in finding.message


def test_upload_knows_its_limits() -> None:
    made = field(Annotated[list[File], Accept(".csv", "image/*", max_mb=0.5, max_files=5)])
    assert (made.accept, made.max_bytes, made.max_files) == ((".csv", "image/*"), 500_000, 5)


def test_words_come_from_hints_before_anything_else() -> None:
    made = field(Annotated[str, Field(title="T", description="D", examples=["E"]), Label("L"), Help("H")])
    assert (made.label, made.help, made.placeholder) == ("L", "H", "E")
    assert field(Annotated[str, Placeholder("P")]).placeholder == "P"


@pytest.mark.parametrize(
    ("text", "value"), [("#2457C5", "#2457c5"), (" #000000 ", "#000000"), ("#fff", None), ("red", None)]
)
def test_colour_has_six_digits(text: str, value: str | None) -> None:
    if value is None:
        assert refused(Annotated[str, Colour()], x=text) == "Enter a colour, for example #2457c5."
    else:
        assert taken(Annotated[str, Colour()], x=text) == value


def test_hidden_and_chosen_booleans_keep_their_type() -> None:
    assert taken(Annotated[bool, Hidden()], x="True") is True
    assert taken(Annotated[bool, Radios()], x="False") is False


def test_long_text_of_an_editor_keeps_its_spaces() -> None:
    assert taken(Annotated[str, CodeEditor("python")], x="  a\r\n\tb ") == "  a\n\tb "


def test_texts_for_one_line_end_where_their_author_says() -> None:
    limits = dict(field(Annotated[str, CodeEditor()]).limits)
    assert "maxlength" not in limits
    assert dict(field(Annotated[str, Field(max_length=9), CodeEditor()]).limits) == {"maxlength": "9"}


# Rules about several fields


def between(start: int, end: int, note: str = "") -> None: ...


def test_rule_of_the_step_speaks_at_its_field() -> None:
    step = step_of(between)

    @step.validate
    def in_order(start: int, end: int) -> None:
        if end < start:
            raise FieldError("end", "This is before the start.")

    assert step.prepare() == []
    assert answered(step, start="1", end="2") == {"start": 1, "end": 2, "note": ""}
    with pytest.raises(InvalidAnswersError) as caught:
        answered(step, start="2", end="1")
    assert caught.value.problems == {"end": "This is before the start."}


def test_rule_without_a_field_speaks_for_the_step_or_for_its_only_field() -> None:
    step = step_of(between)

    @step.validate
    def never(start: int, end: int) -> None:
        raise ValueError("Not so.")

    @step.validate
    def neither(note: str) -> None:
        raise ValueError("Nor so.")

    with pytest.raises(InvalidAnswersError) as caught:
        answered(step, start="2", end="1")
    assert caught.value.problems == {"": "Not so.", "note": "Nor so."}


def test_rule_is_asked_only_when_every_field_is_right_by_itself() -> None:
    step = step_of(between)
    step.validate(lambda start: pytest.fail(f"asked too early about {start}"))
    with pytest.raises(InvalidAnswersError) as caught:
        answered(step, start="x", end="1")
    assert caught.value.problems == {"start": "Enter a whole number."}


def test_rule_holds_for_answers_of_a_program_too() -> None:
    step = step_of(between)
    step.validate(_refuse)
    with pytest.raises(InvalidAnswersError):
        forms.validate(step, {"start": 1, "end": 2})


def _refuse(start: int) -> None:
    raise FieldError("start", "No.")


async def waits(start: int) -> None: ...


def asks_nothing() -> None: ...


def unknown(begin: int) -> None: ...


@pytest.mark.parametrize(
    ("rule", "words"),
    [(waits, "not an async one"), (asks_nothing, "name the fields"), (unknown, "'begin' is none of the fields")],
)
def test_w021_rule_that_cannot_be_asked_is_found_with_its_place(rule: Any, words: str) -> None:
    step = step_of(between)
    step.validate(rule)
    (finding,) = step.prepare()
    assert (finding.code, finding.file, finding.line) == ("W021", __file__, rule.__code__.co_firstlineno)
    assert words in finding.message


def test_rules_of_authors_are_known_so_that_they_run_beside_the_event_loop() -> None:
    step = step_of(between)
    assert not step.has_own_rules
    step.validate(_refuse)
    step.prepare()
    assert step.has_own_rules
    assert not stepping(Annotated[int, Range(1, 2)]).has_own_rules
