"""The registry: names, what is offered where, the check of arguments, and schemas small models can read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from pipulate.security.who import Who
from pipulate.tools.action import Action, Doing, Result
from pipulate.tools.registry import Registry, checked, schema

DOING = Doing(Who("ann"), "default", app="mine")


class Inner(BaseModel):
    """Something within."""

    size: int = Field(description="How large.")
    more: Inner | None = Field(None, description="The same once more.")


class Given(BaseModel):
    """Arguments."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="A name.", max_length=5)
    title: str = Field("", description="A field that is called title.")
    inner: Inner | None = Field(None, description="Something within.")


async def nothing(given: Any, doing: Doing) -> Result:
    del given, doing
    return Result(None)


def action(name: str, app: str | None = None, **more: Any) -> Action:
    return Action(name, name, "Does nothing.", Given, "read", nothing, app=app, **more)


def test_two_of_the_program_cannot_have_one_name() -> None:
    with pytest.raises(ValueError, match="'x' is an action of Pipulate already"):
        Registry([action("x"), action("x")])


@pytest.mark.parametrize("name", ["", "X", "1a", "a-b", "a" * 51, "a\n"])
def test_name_that_cannot_be_stored_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of an action"):
        Registry([action(name)])


def test_of_two_apps_with_one_name_the_first_keeps_it_and_the_second_is_noted() -> None:
    registry = Registry([action("own")])
    registry.take_in([action("a", "first"), action("a", "second"), action("own", "third"), action("b", "second")])
    assert [each.app for name in ("own", "a", "b") if (each := registry.find(name))] == [None, "first", "second"]
    assert registry.refused == {
        "a": "'a' is an action of first already.", "own": "'own' is an action of Pipulate already.",
    }  # fmt: skip


def test_actions_of_apps_taken_in_again_take_the_place_of_those_before() -> None:
    registry = Registry([action("own")])
    registry.take_in([action("a", "first")])
    registry.take_in([action("b", "first")])
    assert registry.find("a") is None
    assert registry.find("b") is not None
    assert registry.find("own") is not None
    assert registry.refused == {}


def test_what_makes_sense_is_offered_that_of_the_app_first() -> None:
    registry = Registry([action("own"), action("never", offered=lambda _: False)])
    registry.take_in([action("other", "theirs"), action("here", "mine")])
    assert [each.name for each in registry.offered(DOING)] == ["here", "own", "other"]


def test_wrong_arguments_are_named_without_what_was_given() -> None:
    with pytest.raises(ValueError, match="name: ") as wrong:
        checked(action("x"), {"name": "far too long", "odd": 1})
    assert "odd: " in str(wrong.value)
    assert "far too long" not in str(wrong.value)
    assert checked(action("x"), {"name": "ok"}) == Given.model_validate({"name": "ok"})


def test_of_many_mistakes_five_are_told_and_the_rest_counted() -> None:
    with pytest.raises(ValueError, match="; and 4 more"):
        checked(action("x"), {"name": "ok", **{f"odd{index}": 1 for index in range(9)}})


def test_schema_is_an_object_without_references_that_takes_nothing_else() -> None:
    made = schema(action("x"))
    assert made["type"] == "object"
    assert made["additionalProperties"] is False
    assert "$ref" not in str(made)
    assert "$defs" not in made
    assert made["properties"]["title"]["description"] == "A field that is called title."
