"""Form fields as people see them: every kind, with what was typed and what is wrong."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import pytest

from pipulate import Choices, Range, TextArea, forms
from pipulate.fields import FormField, Option, options_from
from pipulate.ui.forms import fields_of, problems_without_field, texts_of
from tests.unit.ui.test_html import Parsed
from tests.unit.workflows.steps import step_of


class Ratio(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


def every(
    short: str,
    long: Annotated[str, TextArea(rows=3)],
    whole: Annotated[int, Range(1, 9)],
    fraction: float,
    tick: bool,
    day: date,
    few: Literal["a_b", "c"],
    many: Literal["a", "b", "c", "d", "e"],
    ratio: Ratio,
    maybe: int | None = None,
) -> None: ...


every.__doc__ = "Ask.\n\nArgs:\n    short: Help for short."
STEP = step_of(every)
TYPED = {
    "short": ["s"], "long": ["l\nm"], "whole": ["3"], "fraction": ["0.5"], "tick": ["on"], "day": ["2026-11-20"],
    "few": ["a_b"], "many": ["e"], "ratio": ["1.0"], "maybe": ["7"],
}  # fmt: skip


def drawn(
    texts: Mapping[str, Sequence[str]] | None = None,
    problems: Mapping[str, str] | None = None,
    fields: Sequence[FormField] = STEP.fields,
    options: Mapping[str, tuple[Option, ...]] | None = None,
) -> str:
    return fields_of(fields, texts or {}, problems or {}, options or {}, "f")


def one(function: Any, text: str | None = None, options: Sequence[Option] = ()) -> str:
    """Return the only field of a step, with a text in it."""
    (field,) = step_of(function).fields
    return drawn({field.name: [text]} if text is not None else {}, {}, [field], {field.name: tuple(options)})


@pytest.mark.parametrize(
    "part",
    [
        '<input type="text" value="s" maxlength="1000" autocomplete="off" name="short"',
        '<textarea rows="3" name="long"', ">\nl\nm</textarea>",
        '<input type="number" value="3" step="1" min="1" max="9" name="whole"',
        '<input type="number" value="0.5" step="any" name="fraction"',
        '<input type="checkbox" id="f-tick" value="on" checked name="tick"',
        '<input type="date" value="2026-11-20" name="day"',
        '<input type="radio" id="f-few-0" value="a_b" checked name="few" required> a b</label>',
        '<select name="many" required id="f-many"', '<option value="e" selected>e</option>',
        '<input type="radio" id="f-ratio-1" value="1.0" checked name="ratio" required> Whole</label>',
        '<input type="number" value="7" step="1" name="maybe" id="f-maybe"',
    ],
)  # fmt: skip
def test_field_of_every_kind_holds_what_was_typed(part: str) -> None:
    assert part in drawn(TYPED)


def test_nothing_typed_is_lost_however_wrong_it_is() -> None:
    evil = '"><img src=x onerror=alert(1)>'
    shown = Parsed(drawn({name: [evil] for name in ("short", "long", "whole", "fraction", "day")}))
    assert [value for name, value in shown.attributes if name == "value"].count(evil) == 4
    assert evil in shown.text
    assert "img" not in shown.tags


@pytest.mark.parametrize("text", ["\nfirst line is empty", "\n\n", "", "a\n"])
def test_line_breaks_of_a_text_area_survive_the_parser(text: str) -> None:
    def function(x: Annotated[str, TextArea()]) -> None: ...

    assert f">\n{text}</textarea>" in one(function, text)  # A parser drops the first line break, and only that.


def test_every_field_has_a_label() -> None:
    made = drawn(TYPED)
    for name in ("short", "long", "whole", "fraction", "tick", "day", "many", "maybe"):
        assert f'for="f-{name}"' in made
    assert made.count("<legend>") == 2


def test_help_and_problem_belong_to_their_field() -> None:
    made = drawn(TYPED, {"short": "Too <long>."})
    assert 'aria-describedby="f-short-help f-short-problem" aria-invalid="true"' in made
    assert '<small id="f-short-help" class="help">Help for short.</small>' in made
    assert '<small id="f-short-problem" class="problem">Too &lt;long&gt;.</small>' in made
    assert made.count("aria-invalid") == 1


def test_problem_of_radios_is_told_with_the_group() -> None:
    assert '<fieldset class="field radios" aria-describedby="f-few-problem">' in drawn(TYPED, {"few": "Choose one."})


def test_field_that_may_be_empty_says_so() -> None:
    assert drawn().count(" optional</small>") == 1


@pytest.mark.parametrize(
    ("texts", "problems", "focused"),
    [
        ({}, {}, "f-short"), ({"short": ["x"]}, {}, "f-long"), (TYPED, {}, "f-short"), (TYPED, {"day": "No."}, "f-day"),
        ({}, {"whole": "No.", "day": "No."}, "f-whole"), (TYPED, {"few": "No."}, "f-few-0"),
        ({**TYPED, "few": ["c"]}, {"few": "No."}, "f-few-1"), (TYPED, {"": "No."}, "f-short"),
    ],
)  # fmt: skip
def test_keyboard_goes_to_the_first_wrong_field_else_to_the_first_empty_one(
    texts: dict[str, list[str]], problems: dict[str, str], focused: str
) -> None:
    made = drawn(texts, problems)
    assert made.count("autofocus") == 1
    assert f'id="{focused}"' in made.split("autofocus")[0].rpartition("<")[2] + made.split("autofocus")[1].split(">")[0]


# Choosing


def test_list_that_must_be_chosen_from_begins_with_no_choice() -> None:
    def function(x: Literal["a", "b", "c", "d", "e"]) -> None: ...

    assert '<option value="">Choose …</option><option value="a">' in one(function)
    assert "Choose …" not in one(function, "b")


def test_list_that_may_be_empty_offers_none() -> None:
    def function(x: Literal["a"] | None) -> None: ...

    assert '<option value="">None</option><option value="a" selected>' in one(function, "a")


def test_list_chooses_nothing_for_the_person_where_the_old_choice_is_gone() -> None:
    def function(x: Annotated[str, Choices(lambda _: ["a"])]) -> None: ...

    made = one(function, "gone", options_from(["a", "b"]))
    assert '<option value="">Choose …</option>' in made
    assert "selected" not in made


def test_choices_of_the_run_are_shown_with_their_labels() -> None:
    def function(x: Annotated[int, Choices(lambda _: [1])]) -> None: ...

    made = one(function, "2", options_from([(1, "<One>"), (2, "Two")]))
    assert '<option value="1">&lt;One&gt;</option><option value="2" selected>Two</option>' in made


# From answers to texts


def test_answers_become_the_texts_a_form_would_send() -> None:
    checked = forms.validate(STEP, forms.decode(STEP.fields, TYPED, {}))
    assert texts_of(STEP.fields, checked.model_dump(mode="json")) == TYPED


@pytest.mark.parametrize(
    ("answers", "texts"),
    [
        ({}, {"tick": []}), ({"tick": False}, {"tick": []}), ({"maybe": None}, {"tick": []}),
        ({"fraction": 50.0}, {"fraction": ["50"], "tick": []}), ({"whole": 0}, {"whole": ["0"], "tick": []}),
        ({"short": ""}, {"short": [""], "tick": []}), ({"gone": 1}, {"tick": []}),
    ],
)  # fmt: skip
def test_answers_that_are_missing_leave_their_field_empty(answers: dict[str, Any], texts: dict[str, list[str]]) -> None:
    assert texts_of(STEP.fields, answers) == texts


def test_chosen_number_is_found_among_its_options_again() -> None:
    def function(x: Annotated[float, Choices(lambda _: [0.5, 1.0])]) -> None: ...

    (field,) = step_of(function).fields
    texts = texts_of([field], {"x": 1.0})
    assert '<option value="1.0" selected>' in drawn(texts, {}, [field], {"x": options_from([0.5, 1.0])})


def test_problem_without_a_field_stands_above_the_fields() -> None:
    made = problems_without_field({"": "It <failed>.", "short": "No.", "gone": "What?"}, STEP.fields)
    assert made == '<p class="problem" role="alert">It &lt;failed&gt;. What?</p>'
    assert problems_without_field({"short": "No."}, STEP.fields) == ""


def test_yes_or_no_that_may_be_left_open_comes_back_as_it_was_answered() -> None:
    def step(done: bool | None = None) -> None: ...

    fields = step_of(step).fields
    for answer, chosen in ((True, ["True"]), (False, ["False"])):
        assert texts_of(fields, {"done": answer}) == {"done": chosen}
    assert texts_of(fields, {"done": None}) == {}
