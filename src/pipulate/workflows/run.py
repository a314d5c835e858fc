"""A run, as the code of its steps sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from pipulate import forms
from pipulate.fields.files import Files
from pipulate.storage.journal import State, StepValue
from pipulate.workflows.views import parts

if TYPE_CHECKING:
    from pipulate.workflows.definition import Step, Workflow

R = TypeVar("R")
SKIPPED = "skipped"
"""The view of a value that says a step was skipped: it then has none for the code of other steps."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A value that a step had at some time.

    Attributes:
        version: Version of the run that gave the step this value.
        at: When, aware, in UTC.
        value: The value, as `run[step]` would return it.
    """

    version: int
    at: datetime
    value: Any


class Model(Protocol):
    """The language model, as the code of one run asks it: through `ask` and `ask_now`."""

    async def ask(self, prompt: str, form: Any) -> Any:
        """Ask, on any event loop."""
        ...

    def ask_now(self, prompt: str, form: Any) -> Any:
        """Ask and wait."""
        ...


class Run:
    """What came before: `run["site"]` is what step `site` returned, or its answers where it returns nothing.

    Which steps are read is recorded, so that a later change of one of them is known to concern the step that read it.
    """

    def __init__(
        self,
        workflow: Workflow,
        state: State,
        *,
        id: str = "",  # noqa: A002 - what it is called everywhere
        key: str = "",
        profile: str = "",
        earlier: Callable[[str], list[Earlier]] | None = None,
        files: Files | None = None,
        temporary: Callable[[str], MutableMapping[str, Any]] | None = None,
        model: Model | None = None,
    ) -> None:
        self._workflow, self._state, self._earlier, self._temporary = workflow, state, earlier, temporary
        self.files, self.model = files, model
        self.id, self.key, self.profile = id, key, profile
        self.reads: dict[str, str] = {}

    @property
    def version(self) -> int:
        """The version of the run this is a view of."""
        return self._state.version

    @overload
    def __getitem__(self, step: str) -> Any: ...
    @overload
    def __getitem__(self, step: Step[..., R]) -> R: ...
    def __getitem__(self, step: str | Step[..., Any]) -> Any:
        """Return what a step returned, or its answers where it returns nothing.

        Raises:
            KeyError: If the step has no value (yet, or any more), or was skipped.
        """
        name = self._read(step)
        value = self._value(name)
        if value is None:
            raise KeyError(name)
        return loaded(self._workflow, name, value.data, self.files)

    def __contains__(self, step: object) -> bool:
        return self._value(self._read(step)) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._workflow.order if name in self)

    def get(self, step: str | Step[..., Any], default: Any = None) -> Any:
        """Return what `run[step]` returns, or `default` where the step has no value."""
        try:
            return self[step]
        except KeyError:
            return default

    def answers(self, step: str | Step[..., Any]) -> Any:
        """Return what was answered in a step, as an object with an attribute for each field.

        Raises:
            KeyError: If the step has no value, or has no fields, or the app no longer has it.
        """
        name = self._read(step)
        value = self._state.steps.get(name)
        if value is None or value.data.get("input") is None or self._workflow.find(name) is None:
            raise KeyError(name)
        return self._workflow[name].model.model_construct(
            **_typed(self._workflow, name, value.data["input"], self.files)
        )

    def earlier(self, step: str | Step[..., Any]) -> list[Earlier]:
        """Return the values a step had before the one it has now, newest first, at most 50.

        It reads the journal and waits for it, so it belongs in steps that are plain functions.

        Raises:
            RuntimeError: If it is called on the event loop, from an `async` step.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("run.earlier() waits for the store: use it in a plain `def` step, not an `async` one.")
        name = self._read(step)
        return self._earlier(name) if self._earlier else []

    def temporary(self, step: str | Step[..., Any]) -> MutableMapping[str, Any]:
        """Return a dict that remembers JSON values for a step of this run for a week, apart from the journal.

        Every use waits for the store, so it belongs in steps that are plain functions.
        """
        if self._temporary is None:
            raise RuntimeError("This run has no store.")
        return self._temporary(step if isinstance(step, str) else step.name)

    def is_as_read(self, reads: Mapping[str, str]) -> bool:
        """Tell whether steps have the values they had when they were read; `reads` is step -> digest."""
        steps = self._state.steps
        return all((steps[name].digest if name in steps else "") == digest for name, digest in reads.items())

    def anew(self) -> Run:
        """Return the same view of the run, with nothing read yet."""
        return Run(
            self._workflow, self._state, id=self.id, key=self.key, profile=self.profile, earlier=self._earlier,
            files=self.files, temporary=self._temporary, model=self.model,
        )  # fmt: skip

    def _value(self, name: str) -> StepValue | None:
        value = self._state.steps.get(name)
        return None if value is None or value.data.get("view") == SKIPPED else value

    def _read(self, step: Any) -> str:
        name = step if isinstance(step, str) else str(step.name)
        value = self._state.steps.get(name)
        self.reads[name] = value.digest if value else ""
        return name


def loaded(workflow: Workflow, name: str, data: Mapping[str, Any], files: Files | None = None) -> Any:
    """Return a stored value as its step made it: what it returned, or its answers where it returned nothing."""
    step = workflow.find(name)
    if data.get("view") == "none" and data.get("input") is not None:
        return step.model.model_construct(**_typed(workflow, name, data["input"], files)) if step else data["input"]
    output, view = data.get("output"), str(data.get("view", "tree"))
    return step.load(output, files, view) if step is not None else parts.unpacked(view, output, files)


def _typed(workflow: Workflow, name: str, answers: Mapping[str, Any], files: Files | None) -> dict[str, Any]:
    """Return stored answers with their types; those the step no longer accepts come back as they were stored."""
    return forms.typed(workflow[name], answers, files)
