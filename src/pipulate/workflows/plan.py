"""Which steps are done, which one is asked for, which ones wait: pure functions of a workflow and a state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pipulate.storage import journal
from pipulate.storage.journal import State, StepValue
from pipulate.workflows.definition import Step, Workflow

Status = Literal["done", "editing", "open", "waiting", "skipped"]
Asks = Callable[[Step[..., Any]], bool]
"""Tells whether a step's `when` wants it."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A step in a run.

    Attributes:
        step: The step.
        status: `done` has a value; `editing` has one and shows its form again; `open` is the one that is asked for (or
            that runs by itself); `waiting` comes later; `skipped` is not wanted by its `when`.
        value: The value that counts, or None.
        offer: A value that left the state and is offered again, or None.
        is_unchanged: Whether what the offer was made from is as it was, so that it can be kept as it is.
    """

    step: Step[..., Any]
    status: Status
    value: StepValue | None = None
    offer: StepValue | None = None
    is_unchanged: bool = False


def slots(workflow: Workflow, state: State, asks: Asks, start: int = 0) -> list[Slot]:
    """Return the slots of all steps from position `start` on, assuming that all before it are done or skipped."""
    found, blocked = [], False
    for step in workflow.steps[start:]:
        slot = _slot(step, state, asks, blocked=blocked)
        blocked = blocked or slot.status in ("editing", "open")
        found.append(slot)
    return found


def upto_open(workflow: Workflow, state: State, asks: Asks, start: int = 0) -> list[Slot]:
    """As `slots`, but no further than the first step that is open; what is done before it is cheap to pass over."""
    found = []
    for step in workflow.steps[start:]:
        slot = _slot(step, state, asks, blocked=False)
        found.append(slot)
        if slot.status in ("editing", "open"):
            break
    return found


def open_step(workflow: Workflow, state: State, asks: Asks, start: int = 0) -> Slot | None:
    """Return the step that is asked for, or None where the run is finished."""
    reached = upto_open(workflow, state, asks, start)
    return reached[-1] if reached and reached[-1].status in ("editing", "open") else None


def _slot(step: Step[..., Any], state: State, asks: Asks, *, blocked: bool) -> Slot:
    value = state.steps.get(step.name)
    if value is not None:
        return Slot(step, "editing" if state.editing == step.name else "done", value)
    offer = state.offers.get(step.name)
    if blocked:
        return Slot(step, "waiting", offer=offer)
    if step.when is not None and not asks(step):
        return Slot(step, "skipped", offer=offer)
    unchanged = offer is not None and journal.changed_read(offer, state.steps) is None
    return Slot(step, "open", offer=offer, is_unchanged=unchanged)
