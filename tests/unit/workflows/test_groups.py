"""A pydantic model as a parameter is a group of fields, in groups of groups, and optional where it may be None."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self

import pytest
from pydantic import BaseModel, Field, model_validator

from pipulate import Choices, DateRange, FieldError, Label, Range, forms
from pipulate.errors import InvalidAnswersError
from pipulate.fields import labels, leaves
from pipulate.ui.forms import texts_of
from tests.unit.workflows.steps import found_in, step_of


class Person(BaseModel):
    """Somebody.

    Attributes:
        name: As it stands on the door.
    """

    name: str
    age: Annotated[int, Range(0, 150)] = 30


class Address(BaseModel):
    street: str
    code: Annotated[str, Field(pattern=r"^\d+$", title="Post code")]
    who: Person
    guest: Person | None = None
    words: list[int] = []

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.street == self.who.name:
            raise FieldError("who.name", "A street is no name.")
        if self.street == "Nowhere":
            raise ValueError("There is no such place.")
        return self


class Aliased(BaseModel):
    code: Annotated[str, Field(alias="zip")]


class Outer(BaseModel):
    inner: Outer | None = None


def live(home: Address, work: Address | None = None, stay: DateRange | None = None) -> None: ...


def where(at: Annotated[Aliased, Label("Where")]) -> None: ...


STEP = step_of(live)
GOOD = {"home.street": "Main", "home.code": "1", "home.who.name": "Ada", "home.who.age": "36"}


def taken(**changed: Any) -> BaseModel:
    typed = {name: [text] for name, text in {**GOOD, **{k.replace("__", "."): v for k, v in changed.items()}}.items()}
    return forms.validate(STEP, forms.decode(STEP.fields, typed, {}))


def problems(**changed: Any) -> dict[str, str]:
    with pytest.raises(InvalidAnswersError) as caught:
        taken(**changed)
    return caught.value.problems


def test_fields_of_groups_have_dotted_names_and_words_of_their_own() -> None:
    names = [each.name for each in leaves(STEP.fields)]
    assert names[:6] == [
        "home.street", "home.code", "home.who.name", "home.who.age", "home.guest.name", "home.guest.age",
    ]  # fmt: skip
    assert labels(STEP.fields)["home.who.name"] == "Home: Who: Name"
    assert labels(STEP.fields)["work.code"] == "Work: Post code"
    assert next(each for each in leaves(STEP.fields) if each.name == "home.who.name").help == (
        "As it stands on the door."
    )


def test_group_becomes_the_authors_own_model() -> None:
    checked: Any = taken()
    assert checked.home == Address(street="Main", code="1", who=Person(name="Ada", age=36))
    assert type(checked.home) is Address
    assert checked.work is None


def test_optional_group_is_none_until_it_is_switched_on() -> None:
    typed = {"work__street": "Side", "work__code": "2", "work__who__name": "Bob"}
    assert taken(**typed).work is None  # type: ignore[attr-defined]
    there: Any = taken(work="on", **typed)
    assert there.work.who == Person(name="Bob", age=30)


def test_everything_wrong_in_groups_is_said_at_its_field() -> None:
    assert problems(home__street=" ", home__code="x", home__who__age="200", home__words="1\nx", work="on") == {
        "home.street": "Please fill this in.",
        "home.code": "This does not have the expected form.",
        "home.who.age": "Must be 150 or less.",
        "home.words": "Line 2: Enter a whole number.",
        "work.street": "Please fill this in.",
        "work.code": "Please fill this in.",
        "work.who.name": "Please fill this in.",
    }


def test_rules_of_the_model_speak_at_their_field_or_at_the_group() -> None:
    assert problems(home__street="Ada") == {"home.who.name": "A street is no name."}
    assert problems(home__street="Nowhere") == {"home": "There is no such place."}


@pytest.mark.parametrize("sign", ["\x00", "\u202e", "\n"])
def test_invisible_signs_are_refused_in_groups_too(sign: str) -> None:
    assert "invisible character" in problems(home__who__name=f"a{sign}b")["home.who.name"]


def test_texts_of_groups_are_trimmed() -> None:
    assert taken(home__who__name="  Ada ").home.who.name == "Ada"  # type: ignore[attr-defined]


def test_stored_answers_come_back_with_their_types_and_as_texts() -> None:
    checked = taken(work="on", work__street="Side", work__code="2", work__who__name="Bob", home__words="1\n2")
    stored = forms.stored(STEP, checked)
    assert forms.typed(STEP, stored, None) == {name: getattr(checked, name) for name in ("home", "work", "stay")}
    texts = texts_of(STEP.fields, stored)
    assert texts["work"] == ["on"]
    assert texts["home.guest"] == []
    assert texts["home.words"] == ["1\n2"]
    assert forms.validate(STEP, forms.decode(STEP.fields, texts, {})) == checked


def test_group_that_is_off_starts_with_its_defaults() -> None:
    texts = texts_of(STEP.fields, {})
    assert texts["work"] == []
    assert texts["work.who.age"] == ["30"]


def test_default_of_a_group_is_where_its_fields_start() -> None:
    def function(who: Person = Person(name="Ada")) -> None: ...  # noqa: B008 - nobody changes it

    fields = step_of(function).fields
    assert texts_of(fields, {"who": fields[0].default}) == {"who.name": ["Ada"], "who.age": ["30"]}


@pytest.mark.parametrize(("start", "end", "days"), [("2026-01-01", "2026-01-01", 1), ("2026-01-01", "2026-01-31", 31)])
def test_range_of_dates_holds_both_its_ends(start: str, end: str, days: int) -> None:
    stay = taken(stay="on", stay__start=start, stay__end=end).stay  # type: ignore[attr-defined]
    assert stay.days == days
    assert date.fromisoformat(end) in stay
    assert date(2025, 12, 31) not in stay


def test_range_of_dates_cannot_end_before_it_starts() -> None:
    assert problems(stay="on", stay__start="2026-01-02", stay__end="2026-01-01") == {
        "stay.end": "This is before the start."
    }
    assert problems(stay="on", stay__start="2026-01-02") == {"stay.end": "Please fill this in."}


def test_model_with_names_of_its_own_is_checked_stored_and_read_by_the_names_of_its_fields() -> None:
    step = step_of(where)
    checked: Any = forms.validate(step, forms.decode(step.fields, {"at.code": ["1"]}, {}))
    assert forms.stored(step, checked) == {"at": {"code": "1"}}
    assert forms.typed(step, {"at": {"code": "1"}}, None) == {"at": checked.at}


def test_group_that_is_no_group_is_refused_where_a_program_sends_it() -> None:
    with pytest.raises(InvalidAnswersError) as caught:
        forms.validate(STEP, {"home": "Main"})
    assert caught.value.problems == {"home": "Please fill this in."}


def endless(x: Outer) -> None: ...


def strange(x: Strange) -> None: ...


def chosen(x: Chosen) -> None: ...


class Strange(BaseModel):
    inside: dict[str, int]


class Chosen(BaseModel):
    one: Annotated[int, Choices(lambda _: [1])]


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        (endless, "W006", "contain themselves"), (strange, "W006", "in Strange.inside, dict"),
        (chosen, "W020", "Choices goes with a parameter of the step"),
    ],
)  # fmt: skip
def test_model_that_cannot_be_asked_for_is_found(function: Any, code: str, words: str) -> None:
    (finding,) = found_in(function)
    assert (finding.code, finding.line) == (code, function.__code__.co_firstlineno)
    assert words in finding.message
