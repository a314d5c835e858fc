"""From the values a model gives to what a form sends, and what a card shows of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, SecretStr

from pipulate import File, Hidden, Range, Slider, Workflow
from pipulate.actions.answers import differing, refusal, texts_from
from pipulate.errors import InvalidAnswersError
from pipulate.fields import FormField
from pipulate.forms import decode
from pipulate.tools.action import Difference


class Place(BaseModel):
    """Where somebody lives."""

    street: str
    flat: int | None = None


def asked() -> tuple[FormField, ...]:
    flow = Workflow("flow")

    @flow.step("one")
    def one(
        name: str,
        count: int,
        share: float,
        ready: bool,
        size: Literal["s", "m"],
        sizes: list[Literal["s", "m"]],
        words: list[str],
        days: Annotated[tuple[int, int], Range(1, 9), Slider()],
        born: date,
        home: Place,
        work: Place | None = None,
        pin: SecretStr | None = None,
        file: File | None = None,
        mark: Annotated[str, Hidden()] = "x",
    ) -> None:
        pass

    assert flow.prepare() == []
    return flow.steps[0].fields


FIELDS = asked()

GIVEN: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"name": "Ann"}, {"name": ["Ann"]}),
    ({"name": None}, {"name": [""]}),
    ({"name": 7}, {"name": ["7"]}),
    ({"count": 5.0}, {"count": ["5"]}),
    ({"share": 0.5}, {"share": ["0.5"]}),
    ({"ready": True}, {"ready": ["on"]}),
    ({"ready": "no"}, {"ready": []}),
    ({"size": "S"}, {"size": ["s"]}),
    ({"size": "xl"}, {"size": ["xl"]}),
    ({"sizes": ["s", "M"]}, {"sizes": ["s", "m"]}),
    ({"sizes": None}, {"sizes": []}),
    ({"words": ["a", "b c"]}, {"words": ["a\nb c"]}),
    ({"days": [2, 4]}, {"days": ["2", "4"]}),
    ({"born": "2000-02-29"}, {"born": ["2000-02-29"]}),
    ({"home": {"street": "Long 1", "flat": 3}}, {"home.street": ["Long 1"], "home.flat": ["3"]}),
    ({"home.street": "Long 1"}, {"home.street": ["Long 1"]}),
    ({"work": None}, {"work": []}),
    ({"work": {"street": "x"}}, {"work": ["on"], "work.street": ["x"]}),
]

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"nmae": "x"}, "nmae", "There is no such field"),
    ({"mark": "y"}, "mark", "There is no such field"),
    ({"name": {"a": 1}}, "name", "one value"),
    ({"count": True}, "count", "one value"),
    ({"ready": "perhaps"}, "ready", "true or false"),
    ({"days": [1]}, "days", "list of two numbers"),
    ({"home": "x"}, "home", "Give an object with: street, flat"),
    ({"home": {"city": "x"}}, "home.city", "There is no such field"),
    ({"pin": "1"}, "pin", "Only the person can type a secret"),
    ({"file": "a.txt"}, "file", "Only the person can choose a file"),
]


@pytest.mark.parametrize(("given", "texts"), GIVEN)
def test_values_become_what_a_form_sends(given: dict[str, Any], texts: dict[str, list[str]]) -> None:
    assert texts_from(FIELDS, given, {}) == texts


@pytest.mark.parametrize(("given", "field", "words"), WRONG)
def test_what_no_form_could_send_is_refused_by_field(given: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        texts_from(FIELDS, given, {})
    assert words in refused.value.problems[field]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        texts_from(FIELDS, {"nmae": 1, "days": 1, "name": "ok"}, {})
    assert set(refused.value.problems) == {"nmae", "days"}


def test_what_comes_of_it_is_what_the_form_decodes() -> None:
    given = {"name": "Ann", "sizes": ["m"], "words": ["a", "b"], "days": [1, 2], "home": {"street": "x"}}
    wanted = [each for each in FIELDS if each.name in given]
    assert decode(wanted, texts_from(FIELDS, given, {}), {}) == {
        "name": "Ann", "sizes": ["m"], "words": ["a", "b"], "days": ["1", "2"], "home": {"street": "x"},
    }  # fmt: skip


def test_card_of_a_new_form_shows_what_is_sent_and_hides_what_is_hidden_or_secret() -> None:
    after = {
        "name": ["Ann"],
        "ready": ["on"],
        "home.street": ["Long 1"],
        "mark": ["x"],
        "days": ["1", "4"],
        "pin": ["s"],
    }
    assert differing(FIELDS, None, after, {}) == [
        Difference("Name", None, "Ann"), Difference("Ready", None, "Yes"), Difference("Days", None, "1 to 4"),
        Difference("Home: Street", None, "Long 1"), Difference("Pin", None, "•••"),
    ]  # fmt: skip


def test_card_of_a_form_that_was_sent_before_shows_what_changes_and_what_is_emptied() -> None:
    before, after = {"name": ["Ann"], "size": ["s"], "ready": ["on"]}, {"name": [""], "size": ["s"], "ready": []}
    assert differing(FIELDS, before, after, {}) == [Difference("Name", "Ann", ""), Difference("Ready", "Yes", "No")]


def test_refusal_names_each_field_as_people_and_models_know_it() -> None:
    error = InvalidAnswersError({"home.street": "Please fill this in.", "": "Not on Sundays.", "odd": "No."})
    assert str(refusal("“One”", FIELDS, error)) == (
        "“One”: nothing was saved. Street (home.street): Please fill this in. Not on Sundays. odd: No."
    )
