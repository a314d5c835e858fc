"""Which steps are done, which one is asked for, which ones wait: pure functions of a workflow and a state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pipulate.storage import journal
from pipulate.storage.journal import State, StepValue
from pipulate.workflows.definition import Step, Workflow

Status = Literal["done", "editing", "open", "waiting", "skipped"]


class Rules(Protocol):
    """What the author's conditions say, in one run."""

    def asks(self, step: Step[..., Any]) -> bool:
        """Tell whether a step's `when` wants it."""
        ...

    def goes_to(self, step: Step[..., Any]) -> str | None:
        """Return the step that follows one that is done, or None where that is the next one."""
        ...


class Always:
    """The rules of a workflow without conditions: every step is asked for, in order."""

    def asks(self, step: Step[..., Any]) -> bool:
        """Want every step."""
        del step
        return True

    def goes_to(self, step: Step[..., Any]) -> str | None:
        """Go on to the next one."""
        del step
        return None


ALWAYS = Always()


@dataclass(frozen=True, slots=True)
class Slot:
    """A step in a run.

    Attributes:
        step: The step.
        status: `done` has a value; `editing` has one and shows its form again; `open` is the one that is asked for (or
            that runs by itself); `waiting` comes later; `skipped` is not wanted by its `when`, or a `goto` before it
            leads past it.
        value: The value that counts, or None.
        offer: A value that left the state and is offered again, or None.
        is_unchanged: Whether what the offer was made from is as it was, so that it can be kept as it is.
    """

    step: Step[..., Any]
    status: Status
    value: StepValue | None = None
    offer: StepValue | None = None
    is_unchanged: bool = False


def slots(workflow: Workflow, state: State, rules: Rules, start: int = 0) -> list[Slot]:
    """Return the slots of all steps from position `start` on, assuming that all before it are done or skipped."""
    return _walk(workflow, state, rules, start, only_to_open=False)


def upto_open(workflow: Workflow, state: State, rules: Rules, start: int = 0) -> list[Slot]:
    """As `slots`, but no further than the first step that is open; what is done before it is cheap to pass over."""
    return _walk(workflow, state, rules, start, only_to_open=True)


def open_step(workflow: Workflow, state: State, rules: Rules, start: int = 0) -> Slot | None:
    """Return the step that is asked for, or None where the run is finished."""
    reached = upto_open(workflow, state, rules, start)
    return reached[-1] if reached and reached[-1].status in ("editing", "open") else None


def _walk(workflow: Workflow, state: State, rules: Rules, start: int, *, only_to_open: bool) -> list[Slot]:
    found: list[Slot] = []
    blocked, goal = False, _goal_at(workflow, state, rules, start)
    for position, step in enumerate(workflow.steps[start:], start):
        slot = _slot(step, state, rules, blocked=blocked, is_passed=position < goal)
        found.append(slot)
        if slot.status in ("editing", "open"):
            blocked = True
            if only_to_open:
                break
        elif slot.status == "done" and not blocked:
            goal = max(goal, _goal(workflow, step, rules))
    return found


def _goal_at(workflow: Workflow, state: State, rules: Rules, start: int) -> int:
    """Return the position up to which a `goto` before `start` leads past steps."""
    with_goto = [step for step in workflow.steps[:start] if step.goto is not None and step.name in state.steps]
    return max((_goal(workflow, step, rules) for step in with_goto), default=0)


def _goal(workflow: Workflow, step: Step[..., Any], rules: Rules) -> int:
    target = rules.goes_to(step) if step.goto is not None else None
    return workflow.position[target] if target is not None else 0


def _slot(step: Step[..., Any], state: State, rules: Rules, *, blocked: bool, is_passed: bool) -> Slot:
    value = state.steps.get(step.name)
    if value is not None:
        return Slot(step, "editing" if state.editing == step.name else "done", value)
    offer = state.offers.get(step.name)
    if blocked:
        return Slot(step, "waiting", offer=offer)
    if is_passed or (step.when is not None and not rules.asks(step)):
        return Slot(step, "skipped", offer=offer)
    unchanged = offer is not None and journal.changed_read(offer, state.steps) is None
    return Slot(step, "open", offer=offer, is_unchanged=unchanged)
