"""Which steps are done, asked for, waiting or not wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipulate import Step, Workflow
from pipulate.storage.journal import State, StepValue
from pipulate.workflows import plan
from tests.unit.workflows.steps import editing, state_of, value, workflow_of


def a(x: int) -> None: ...
def b(x: int) -> None: ...
def c() -> None: ...
def d(x: int) -> None: ...


@pytest.fixture
def flow() -> Workflow:
    """Four steps, the third of which works by itself."""
    return workflow_of(a, b, c, d)


def statuses(flow: Workflow, state: State, start: int = 0) -> str:
    return " ".join(f"{slot.step.name}:{slot.status}" for slot in plan.slots(flow, state, plan.ALWAYS, start))


class Said(plan.Always):
    """Conditions that say what a test wants."""

    def __init__(
        self, asks: Callable[[Step[..., Any]], bool] = lambda _: True, goes_to: Mapping[str, str] | None = None
    ) -> None:
        self._asks, self._goes_to = asks, goes_to or {}

    def asks(self, step: Step[..., Any]) -> bool:
        return self._asks(step)

    def goes_to(self, step: Step[..., Any]) -> str | None:
        return self._goes_to.get(step.name)


V = value(1)


@pytest.mark.parametrize(
    ("done", "edited", "expected"),
    [
        ("", None, "a:open b:waiting c:waiting d:waiting"),
        ("a", None, "a:done b:open c:waiting d:waiting"),
        ("ab", None, "a:done b:done c:open d:waiting"),
        ("abcd", None, "a:done b:done c:done d:done"),
        ("ab", "b", "a:done b:editing c:waiting d:waiting"),
        ("abcd", "a", "a:editing b:done c:done d:done"),
        ("acd", None, "a:done b:open c:done d:done"),
        ("abz", None, "a:done b:done c:open d:waiting"),
    ],
    ids=["nothing", "one", "two", "all", "edited", "edited before others", "inserted later", "orphan"],
)
def test_status_of_every_step(flow: Workflow, done: str, edited: str | None, expected: str) -> None:
    assert statuses(flow, State(9, dict.fromkeys(done, V), {}, edited, 9)) == expected


@pytest.mark.parametrize(("done", "name"), [("", "a"), ("a", "b"), ("abd", "c"), ("abcd", None), ("bcd", "a")])
def test_open_step_is_the_first_without_a_value(flow: Workflow, done: str, name: str | None) -> None:
    slot = plan.open_step(flow, state_of(**dict.fromkeys(done, V)), plan.ALWAYS)
    assert (slot.step.name if slot else None) == name


def test_open_step_is_the_one_being_edited(flow: Workflow) -> None:
    slot = plan.open_step(flow, editing("b", a=V, b=V), plan.ALWAYS)
    assert slot is not None
    assert (slot.step.name, slot.status, slot.value) == ("b", "editing", V)


def test_step_that_is_not_wanted_is_skipped_and_the_next_one_asked(flow: Workflow) -> None:
    flow["b"].when = flow["c"].when = bool

    found = plan.slots(flow, state_of(a=V), Said(lambda step: step.name == "c"))
    assert [slot.status for slot in found] == ["done", "skipped", "open", "waiting"]


def test_condition_is_asked_only_where_it_matters(flow: Workflow) -> None:
    for name in "abcd":
        flow[name].when = bool
    asked: list[str] = []
    plan.slots(flow, state_of(a=V), Said(lambda step: not asked.append(step.name)))  # type: ignore[func-returns-value]
    assert asked == ["b"]  # Not of the step that has a value, nor of those that wait.


def test_value_of_a_step_counts_even_where_its_condition_no_longer_wants_it(flow: Workflow) -> None:
    flow["b"].when = bool
    assert plan.slots(flow, state_of(a=V, b=V), Said(lambda _: False))[1].status == "done"


def test_planning_can_begin_in_the_middle_and_end_at_the_open_step(flow: Workflow) -> None:
    state = state_of(a=V, b=V)
    assert statuses(flow, state, 1) == "b:done c:open d:waiting"
    assert [slot.step.name for slot in plan.upto_open(flow, state, plan.ALWAYS, 1)] == ["b", "c"]
    assert [slot.step.name for slot in plan.upto_open(flow, state_of(a=V, b=V, c=V, d=V), plan.ALWAYS)] == list("abcd")


@pytest.mark.parametrize(
    ("reads", "steps", "unchanged"),
    [
        ({}, {"a": value(2)}, True),
        ({"a": value(1).digest}, {"a": value(1, version=7)}, True),
        ({"a": value(1).digest}, {"a": value(2)}, False),
        ({"a": value(1).digest}, {}, False),
        ({"z": ""}, {"a": value(1)}, True),
        ({"z": ""}, {"a": value(1), "z": value(1)}, False),
    ],
)
def test_offer_is_unchanged_where_what_it_was_made_from_is_equal(
    flow: Workflow, reads: Mapping[str, str], steps: Mapping[str, StepValue], unchanged: bool
) -> None:
    state = State(9, steps, {"b": value(5, reads=reads)})
    slot = next(each for each in plan.slots(flow, state, plan.ALWAYS, 1) if each.step.name == "b")
    assert (slot.status, slot.is_unchanged) == ("open", unchanged)


def test_offer_of_a_waiting_step_is_known_but_not_to_be_kept_yet(flow: Workflow) -> None:
    slot = plan.slots(flow, State(9, {}, {"d": V}), plan.ALWAYS)[3]
    assert (slot.status, slot.offer, slot.is_unchanged) == ("waiting", V, False)


def going(flow: Workflow, state: State, start: int = 0, **goes_to: str) -> str:
    """Return the statuses where steps lead to others; `goto` is set on those that do."""
    for step in flow.steps:
        step.goto = goes_to.get(step.name)
    found = plan.slots(flow, state, Said(goes_to=goes_to), start)
    return " ".join(f"{slot.step.name}:{slot.status}" for slot in found)


def test_goto_leads_past_the_steps_between(flow: Workflow) -> None:
    assert going(flow, state_of(a=V), a="d") == "a:done b:skipped c:skipped d:open"


def test_goto_counts_only_once_its_step_is_done(flow: Workflow) -> None:
    assert going(flow, state_of(), a="d") == "a:open b:waiting c:waiting d:waiting"


def test_goto_of_a_step_that_is_being_edited_does_not_count(flow: Workflow) -> None:
    assert going(flow, editing("a", a=V), a="d") == "a:editing b:waiting c:waiting d:waiting"


def test_goto_before_the_place_where_planning_begins_counts(flow: Workflow) -> None:
    assert going(flow, state_of(a=V), 1, a="d") == "b:skipped c:skipped d:open"


def test_goto_that_leads_past_a_goto_is_not_shortened_by_it(flow: Workflow) -> None:
    assert going(flow, state_of(a=V, b=V), a="d", b="c") == "a:done b:done c:skipped d:open"


def test_value_of_a_step_counts_even_where_a_goto_leads_past_it(flow: Workflow) -> None:
    assert going(flow, state_of(a=V, b=V), a="d") == "a:done b:done c:skipped d:open"
