"""What is wrong with how a step wants to be filled in by a language model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from pipulate.fields import FormField, leaves
from pipulate.findings import Finding, at


def prompt_findings(
    name: str,
    step: Callable[..., Any],
    function: Callable[..., Any],
    fallback: Callable[..., Any] | None,
    fields: Sequence[FormField],
) -> list[Finding]:
    """Return what is wrong with a prompt.

    Args:
        name: Name of the step.
        step: Its function.
        function: Returns the prompt.
        fallback: Returns what the form starts with where there is no model, or None.
        fields: The fields of the step.
    """
    where = f"Step {name!r}, suggest_with_model: "
    if not all(callable(each) for each in (function, fallback) if each is not None):
        return [at(step, "W044", where + "the prompt, and fallback=, are functions of the run.")]
    if inspect.iscoroutinefunction(function) or not _takes_one(function):
        words = "the function is a plain one of one parameter, the run; it returns the prompt."
        return [at(function, "W044", where + words)]
    asked = list(leaves(fields))
    if all(each.kind in ("file", "secret") or each.widget == "hidden" for each in asked):
        return [at(function, "W044", where + "the step asks for nothing that a model could fill in.")]
    if needed := [each.name for each in asked if each.kind in ("file", "secret") and each.required]:
        words = f"{needed[0]!r} has to be filled in, and only a person can. Ask for it in a step of its own."
        return [at(function, "W044", where + words)]
    return []


def _takes_one(function: Callable[..., Any]) -> bool:
    """Tell whether a function can be called with the run alone."""
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return False
    except ValueError:  # One of those built in that do not say what they take.
        return True
    return True
