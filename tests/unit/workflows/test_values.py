"""From what a step returned to what is stored, and to a few words about it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pipulate import Markdown, forms
from pipulate.fields import options_from
from pipulate.workflows import values
from tests.unit.workflows.steps import step_of


class Colour(enum.Enum):
    DARK_RED = "dr"


class Model(BaseModel):
    a: int


@dataclass
class Record:
    a: int


@pytest.mark.parametrize(
    ("output", "view"),
    [
        (None, "none"), ("a", "text"), (date(2026, 1, 2), "date"), (True, "bool"), (False, "bool"), (0, "number"),
        (0.5, "number"), (Decimal("0.5"), "decimal"), (Markdown("a"), "markdown"), ([1], "tree"), ({}, "tree"),
        (Model(a=1), "tree"), (Record(1), "tree"), ((), "tree"),
    ],
)  # fmt: skip
def test_view_follows_the_type_of_the_result(output: object, view: str) -> None:
    assert values.view_of(output) == view


@pytest.mark.parametrize(
    ("output", "stored"),
    [
        (Model(a=1), {"a": 1}), (Record(1), {"a": 1}), (date(2026, 1, 2), "2026-01-02"), (Decimal("0.50"), "0.50"),
        ({1: (2, {3})}, {"1": [2, [3]]}), (Path("a/b"), "a/b"), (Colour.DARK_RED, "dr"), (b"ab", "ab"),
    ],
)  # fmt: skip
def test_result_without_a_declared_type_is_stored_as_json(output: object, stored: object) -> None:
    def function():  # type: ignore[no-untyped-def] # noqa: ANN202 - undeclared is what is tested
        ...

    value, _ = values.to_value(step_of(function), None, output, {})
    assert value == {"input": None, "output": stored, "view": values.view_of(output)}


def test_result_is_stored_as_its_declared_type() -> None:
    def function() -> Model:
        raise NotImplementedError

    value, short = values.to_value(step_of(function), None, {"a": "1"}, {})
    assert (value["output"], short) == ({"a": 1}, "")


@pytest.mark.parametrize(
    ("output", "short"), [("done", "done"), (3, "3"), (True, "yes"), ({"a": 1}, ""), ([1], ""), (Markdown("# x"), "")]
)
def test_short_form_of_a_result_is_left_out_where_only_its_view_can_say_it(output: object, short: str) -> None:
    def function():  # type: ignore[no-untyped-def] # noqa: ANN202 - undeclared is what is tested
        ...

    assert values.to_value(step_of(function), None, output, {})[1] == short


def test_result_that_does_not_fit_its_declared_type_is_refused() -> None:
    def function() -> int:
        raise NotImplementedError

    with pytest.raises(ValueError, match="valid integer"):
        values.to_value(step_of(function), None, "many", {})


@pytest.mark.parametrize("output", [object(), [object()], {"a": lambda: 1}])
def test_result_that_json_has_no_form_for_is_refused(output: object) -> None:
    def function():  # type: ignore[no-untyped-def] # noqa: ANN202 - undeclared is what is tested
        ...

    with pytest.raises(ValueError, match="serialize"):
        values.to_value(step_of(function), None, output, {})


def test_answers_are_stored_as_json_beside_the_result() -> None:
    def function(on: date, colour: Colour, note: str | None) -> int:
        raise NotImplementedError

    step = step_of(function)
    answers = forms.validate(step, {"on": "2026-01-02", "colour": "dr", "note": None})
    value, short = values.to_value(step, answers, 5, {})
    assert value == {"input": {"on": "2026-01-02", "colour": "dr", "note": None}, "output": 5, "view": "number"}
    assert short == "2026-01-02 · Dark red"


def test_short_form_uses_the_labels_people_chose_from() -> None:
    def function(size: Literal["very_large"], page: int) -> None: ...

    step = step_of(function)
    answers = forms.validate(step, {"size": "very_large", "page": 7})
    _, short = values.to_value(step, answers, None, {"page": options_from([(7, "Seventh")])})
    assert short == "very large · Seventh"


def test_short_form_names_what_was_ticked() -> None:
    def function(word: str, repair_dates: bool, drop_empty: bool, keep_case: bool) -> None: ...

    step = step_of(function)
    answers = forms.validate(step, {"word": "x", "repair_dates": True, "drop_empty": False, "keep_case": True})
    assert values.to_value(step, answers, None, {})[1] == "x · Repair dates · Keep case"


@pytest.mark.parametrize(
    ("answers", "short"),
    [
        ({}, "(nothing)"),
        ({"a": "", "b": None, "c": False}, "(nothing)"),
        ({"a": 0}, "0"),
        ({"a": 0.0, "b": "x"}, "0 · x"),
        ({"a": -2.0, "b": 2.5, "c": 1e300}, "-2 · 2.5 · 1e+300"),
        ({"a": True, "b": "x"}, "yes · x"),
        ({"a": "x" * 200}, "x" * 119 + "…"),
        ({"a": " a\n\n b "}, "a b"),
    ],
)
def test_short_form_of_answers(answers: dict[str, Any], short: str) -> None:
    assert values.short_of(answers) == short


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (1.5, "1.5"), ({"a": 1, "b": [True]}, "a: 1, b: yes"),
        (list(range(10)), "0, 1, 2, 3, 4, 5, 6, 7 …"), ([[1, 2], []], "1, 2, "),
    ],
)  # fmt: skip
def test_any_value_is_one_piece_of_text(given: object, text: str) -> None:
    assert values.plain(given) == text


@given(st.text(max_size=400))
def test_short_form_is_one_short_line(text: str) -> None:
    short = values.shorten(text)
    assert len(short) <= values.SHORT
    assert len(short.splitlines()) <= 1
    assert short == short.strip()


def test_suggestion_becomes_json_values() -> None:
    assert values.to_plain({"on": date(2026, 1, 2), "colour": Colour.DARK_RED}) == {"on": "2026-01-02", "colour": "dr"}
    with pytest.raises(ValueError, match="serialize"):
        values.to_plain({"a": object()})
