"""What a form starts with, and which choices it offers: the author's code that is asked before a person is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipulate._threads import Threads
from pipulate.fields import Option, options_from
from pipulate.fields.dynamic import expanded
from pipulate.security.who import Who
from pipulate.storage import jobs
from pipulate.storage.jobs import JobRow
from pipulate.workflows import values
from pipulate.workflows.definition import Step
from pipulate.workflows.plan import Slot
from pipulate.workflows.run import Run
from pipulate.workflows.work import Failure, RunView, Work, failed


@dataclass(frozen=True, slots=True)
class JobView:
    """The job of a step, ready to be shown.

    Attributes:
        row: Its row.
        lines: The newest lines of its log, oldest first.
        parts: How many of its parts are finished.
    """

    row: JobRow
    lines: tuple[jobs.Line, ...] = ()
    parts: int = 0


@dataclass(frozen=True, slots=True)
class FormView:
    """What the form of an open step starts with.

    Attributes:
        step: The step, with the fields it has in this run.
        answers: Field -> JSON value.
        options: Field -> choices, for fields whose choices depend on the run.
        is_working: The step has no fields and runs by itself.
        failure: Why it failed when it ran by itself, or None.
        job: The job that works out its value, or would have; None where there is none.
    """

    step: Step[..., Any]
    answers: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    is_working: bool = False
    failure: Failure | None = None
    job: JobView | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a step asks for in a run.

    Attributes:
        step: The step, with the fields it has in this run.
        options: Field -> choices, for fields whose choices depend on the run.
        reads: What fields and choices were made from: step -> digest.
    """

    step: Step[..., Any]
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)


class Asking:
    """Asks the author's code what a form starts with; on threads, because it may wait."""

    def __init__(self, work: Work, threads: Threads) -> None:
        self._work, self._threads = work, threads

    async def form(self, view: RunView, slot: Slot) -> FormView:
        """Return what the form of a step with fields starts with.

        Raises:
            StepFailedError: If the author's `suggest` or choices raise.
        """
        if slot.step.suggest is None and slot.step.model_fallback is None and not _depends(slot.step):
            return FormView(slot.step, _start_with(slot.step, slot))
        return await self._threads.run(self._form, view, slot)

    def _form(self, view: RunView, slot: Slot) -> FormView:
        run = self._work.run(view)
        step = slot.step
        try:
            asked = _asked(step, run)
            starts = self._starts(step, view) if slot.value is None and not _refills(slot) else None
            suggestion = starts(run) if starts is not None else {}
            given = suggestion if isinstance(suggestion, Mapping) else {step.fields[0].name: suggestion}
            suggested = {name: value for name, value in values.to_plain(given).items() if value is not None}
        except BaseException as error:
            raise failed(step, error) from error
        return FormView(asked.step, _start_with(asked.step, slot) | suggested, asked.options)

    def _starts(self, step: Step[..., Any], view: RunView) -> Callable[[Run], Any] | None:
        """Return the author's function that says what a form starts with, or None; it may wait for the store."""
        if step.suggest is not None or step.model_fallback is None:
            return step.suggest
        has_model = self._work.asker is not None and self._work.asker.is_there(Who(view.row.owner))
        return None if has_model else step.model_fallback

    async def asked(self, view: RunView, step: Step[..., Any]) -> Asked:
        """Return what a step asks for in a run.

        Raises:
            StepFailedError: If the author's code raises.
        """
        return await self._threads.run(self._ask, view, step) if _depends(step) else Asked(step)

    def _ask(self, view: RunView, step: Step[..., Any]) -> Asked:
        try:
            return _asked(step, self._work.run(view))
        except BaseException as error:
            raise failed(step, error) from error


def _depends(step: Step[..., Any]) -> bool:
    """Tell whether what a step asks for depends on the run."""
    return any(each.choices or each.asks for each in step.fields)


def _asked(step: Step[..., Any], run: Run) -> Asked:
    """Return the fields and choices that depend on the run; this calls the author's code."""
    options = {each.name: options_from(each.choices.of(run)) for each in step.fields if each.choices}
    listed = {each.name: expanded(each, each.asks.of(run)) for each in step.fields if each.asks}
    if listed:
        fields = [listed[each.name][0] if each.name in listed else each for each in step.fields]
        step = step.asking(fields, {name: model for name, (_, model) in listed.items()})
    return Asked(step, options, run.reads)


def _refills(slot: Slot) -> bool:
    return slot.offer is not None and slot.step.refill


def _start_with(step: Step[..., Any], slot: Slot) -> dict[str, Any]:
    """Return the answers a form starts with: those the step has, else its old ones, else the defaults."""
    answers = {each.name: each.default for each in step.fields if each.default is not None}
    old = slot.value or (slot.offer if slot.step.refill else None)
    return answers | dict(old.data.get("input") or {} if old else {})
