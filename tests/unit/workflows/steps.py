"""Short ways to make steps and workflows for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipulate import Step, Workflow, forms
from pipulate.fields import FormField
from pipulate.findings import Finding
from pipulate.storage import journal
from pipulate.storage.journal import State, StepValue


def step_of(function: Callable[..., Any], **options: Any) -> Step[..., Any]:
    """Return a step that is in order."""
    step = Step("step", function, **options)
    assert step.prepare() == []
    return step


def field_of(function: Callable[..., Any]) -> FormField:
    """Return the only field of a step."""
    (field,) = step_of(function).fields
    return field


def found_in(function: Callable[..., Any], **options: Any) -> list[Finding]:
    """Return what is wrong with a step."""
    return Step("step", function, **options).prepare()


def workflow_of(*functions: Callable[..., Any], **conditions: Callable[[Any], bool]) -> Workflow:
    """Return a workflow with a step for each function, named as the function is."""
    workflow = Workflow("flow")
    for function in functions:
        workflow.step(function.__name__, when=conditions.get(function.__name__))(function)
    assert workflow.prepare() == []
    return workflow


def answered(step: Step[..., Any], **typed: str) -> dict[str, Any]:
    """Return what a step takes from a form that sent these texts."""
    fields = {name: [text] for name, text in typed.items()}
    return forms.validate(step, forms.decode(step.fields, fields, {})).model_dump()


def value(output: Any = None, *, version: int = 1, reads: Mapping[str, str] | None = None, **answers: Any) -> StepValue:
    """Return the value of a step as the journal gives it: what it returned, or what was answered."""
    view = "none" if output is None else "tree"
    data = {"input": answers or None, "output": output, "view": view}
    return StepValue(version, data, journal.digest(data), reads or {}, "short")


def state_of(**steps: StepValue) -> State:
    """Return a state in which these steps have these values."""
    return State(9, steps)


def editing(step: str, **steps: StepValue) -> State:
    """Return a state in which a step was reopened."""
    return State(9, steps, {}, step, 9)
