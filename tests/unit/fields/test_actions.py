"""How authors declare what the assistant may call: what it takes, and what is said where it is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr

from pipulate import Choices, File, Help, Profile, Range, Report, Resource, Run, Tables, User, Workflow
from pipulate.fields.actions import AppAction
from pipulate.tools.action import Action, Doing, Result
from pipulate.tools.registry import schema


class Note(BaseModel):
    """A note."""

    text: str


def declared(function: Callable[..., Any], *kinds: type, **more: Any) -> tuple[AppAction, list[str]]:
    """Return an action of a function, worked out, and the codes of what is wrong with it."""
    action = AppAction(**{"name": "one", "title": "One", "effect": "read", "function": function, **more})
    return action, [each.code for each in action.prepare(kinds)]


async def nothing(given: Any, doing: Doing) -> Result:
    del given, doing
    return Result(None)


def told(action: AppAction) -> dict[str, Any]:
    """Return the fields that a model reads of."""
    made = Action("one", "One", "Does one thing.", action.model, "read", nothing)
    found: dict[str, Any] = schema(made)["properties"]
    return found


def test_parameters_become_described_arguments_and_the_docstring_the_description() -> None:
    def one(
        run: Run,
        days: Annotated[int, Range(1, 9)],
        where: Annotated[str, Help("A town.")] = "",
        kind: Literal["a"] = "a",
    ) -> None:
        """Say what it costs.

        Args:
            run: Not for a model.
            days: How many days.
            where: Where it is.
            kind: Which kind.
        """

    action, wrong = declared(one, Run)
    assert wrong == []
    assert action.description == "Say what it costs."
    assert action.handed_in == {"run": Run}
    fields = told(action)
    assert {name: each["description"] for name, each in fields.items()} == {
        "days": "How many days.", "where": "A town.", "kind": "Which kind.",
    }  # fmt: skip
    assert (fields["days"]["minimum"], fields["days"]["maximum"]) == (1, 9)


def no_type(what) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Do it."""


def several(*what: str) -> None:
    """Do it."""


def of_a_run(what: Annotated[str, Choices(lambda _: ["a"])]) -> None:
    """Do it."""


def secret(what: SecretStr) -> None:
    """Do it."""


def file(what: File) -> None:
    """Do it."""


def either(what: int | str) -> None:
    """Do it."""


def handed_in_elsewhere(run: Run) -> None:
    """Do it."""


@pytest.mark.parametrize("function", [no_type, several, of_a_run, secret, file, either, handed_in_elsewhere])
def test_a002_parameter_that_a_model_cannot_give(function: Callable[..., Any]) -> None:
    assert declared(function)[1] == ["A002"]


@pytest.mark.parametrize("more", [{"name": "One"}, {"name": "a-b"}, {"name": ""}, {"effect": "delete"}])
def test_a001_name_or_effect_that_is_not_allowed(more: dict[str, Any]) -> None:
    def one() -> None:
        """Do it."""

    assert declared(one, **more)[1] == ["A001"]


def test_a001_two_actions_of_one_name() -> None:
    notes = Resource("notes", Note)

    def one() -> None:
        """Do it."""

    for _ in range(2):
        notes.action("one")(one)
    assert [each.code for each in notes.prepare()] == ["A001"]


def test_a003_action_that_does_not_say_what_it_is_for() -> None:
    def one() -> None:
        pass

    assert declared(one)[1] == ["A003"]


def test_every_kind_of_app_can_have_actions() -> None:
    flow, notes, report = Workflow("flow"), Resource("notes", Note), Report("report")

    @flow.step("one")
    def one(x: int) -> None:
        pass

    @report.table
    def rows() -> list[dict[str, Any]]:
        return []

    @flow.action("a", effect="read")
    def a(run: Run, there: Tables, profile: Profile, user: User, days: int = 1) -> str:
        """Do it."""
        return ""

    @notes.action("b", title="Do b", effect="destroy")
    def b(there: Tables) -> str:
        """Do it."""
        return ""

    @report.action("c")
    def c(there: Tables, profile: Profile) -> str:
        """Do it."""
        return ""

    assert [each.prepare() for each in (flow, notes, report)] == [[], [], []]
    made = [each.actions[name] for each, name in ((flow, "a"), (notes, "b"), (report, "c"))]
    assert [(each.title, each.effect) for each in made] == [("A", "read"), ("Do b", "destroy"), ("C", "write")]
    assert a(None, None, None, None) == b(None) == c(None, None) == ""  # type: ignore[arg-type] # They stay functions.


def test_default_of_an_effect_is_the_one_that_asks() -> None:
    flow = Workflow("flow")

    @flow.action("a")
    def a(x: Annotated[int, Field(description="X.")]) -> None:
        """Do it."""

    assert flow.actions["a"].effect == "write"
