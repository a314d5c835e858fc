"""A run as a test reads it: what a tab shows, and what is stored."""

from __future__ import annotations

from typing import Any, TypeVar, overload

from pipulate.errors import PipulateError
from pipulate.fields.files import File, Files
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import messages
from pipulate.testing.errors import PlayError, WrongStepError
from pipulate.testing.forms import Field, fields_of
from pipulate.testing.store import Entry
from pipulate.testing.tab import Tab
from pipulate.workflows.definition import Step
from pipulate.workflows.run import Run
from pipulate.workflows.work import RunView

R = TypeVar("R")


class Reading:
    """What can be read of a run; see `Play`."""

    def __init__(self, tab: Tab) -> None:
        self._tab, self.app = tab, tab.app

    def __repr__(self) -> str:
        try:
            view = self._view()
            steps = " ".join(f"{name}:{status}" for name, status in self.phases.items())
        except (PlayError, PipulateError) as error:
            return f"<Play {error}>"
        locked = " locked" if self.is_locked else ""
        return f"<Play {view.row.app}/{view.row.key} version {view.row.version}{locked} {steps}>"

    # What this tab shows

    @property
    def html(self) -> str:
        """The page, as it came."""
        return self._tab.answer.text

    @property
    def text(self) -> str:
        """What a person reads in the work area of the page, a line for each block."""
        return (self._tab.page.find("main") or self._tab.page).text

    def text_of(self, step: str | Step[..., Any]) -> str:
        """Return what a person reads of a step; "" where the page does not show it."""
        self._refuse_unknown(name_of(step))
        node = self._tab.page.find(id=f"step-{name_of(step)}")
        return node.text if node is not None else ""

    @property
    def open_step(self) -> str | None:
        """The step this tab asks for, or None."""
        return self._tab.open_step

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of the open step by name, with what they hold."""
        step = self._tab.open_step
        form = self._tab.step_form(step) if step else None
        return fields_of(form) if form is not None else {}

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong: field -> words; "" is about the form, or the page, as a whole."""
        found = {name: each.problem for name, each in self.fields.items() if each.problem}
        return found | ({"": " ".join(self._tab.alerts)} if self._tab.alerts else {})

    @property
    def failure(self) -> BaseException | None:
        """What the code of the app raised, where the page says that it failed; else None."""
        return self._tab.failure()

    @property
    def notice(self) -> str:
        """The line below the title: locked and by whom, all done, or what the checks of the app find wrong; or ""."""
        bar = self._tab.page.find(id="run-bar")
        return bar.text if bar is not None else ""

    @property
    def is_conflict(self) -> bool:
        """Whether this tab shows two versions to choose from."""
        return self._tab.is_conflict

    # What is stored

    def __contains__(self, step: object) -> bool:
        return step in self._run()

    @overload
    def __getitem__(self, step: str) -> Any: ...
    @overload
    def __getitem__(self, step: Step[..., R]) -> R: ...
    def __getitem__(self, step: str | Step[..., Any]) -> Any:
        """Return what a step returned, or its answers where it returned nothing, as `Run` does.

        Raises:
            WrongStepError: If the step has no value.
        """
        name = name_of(step)
        self._refuse_unknown(name)
        if name not in self:
            raise WrongStepError(f"Step {name!r} has no value: {self._where()}.")
        return self._run()[name]

    @property
    def values(self) -> dict[str, Any]:
        """Step -> what it returned, or its answers where it returned nothing."""
        run = self._run()
        return {name: run[name] for name in run}

    @property
    def answers(self) -> dict[str, dict[str, Any]]:
        """Step -> field -> what was answered, with the types of the parameters."""
        run = self._run()
        found = {}
        for name in run:
            if self._view().state.steps[name].data.get("input") is not None:
                found[name] = dict(vars(run.answers(name)))
        return found

    @property
    def phases(self) -> dict[str, str]:
        """Step -> `done`, `editing`, `open`, `waiting` or `skipped`, of all steps in order."""
        engine = self.app.application.site.engine
        slots = self.app.call(engine.slots(self._view()))
        return {each.step.name: each.status for each in slots}

    @property
    def files(self) -> list[File]:
        """The files of the values that count, in the order of the steps: uploads first, then what the step made."""
        view, kit = self._view(), self._files()
        order = view.workflow.order if view.workflow else tuple(view.state.steps)
        found = [view.state.steps[name].data.get("files", ()) for name in order if name in view.state.steps]
        return [kit.file(each) for files in found for each in files]

    @property
    def history(self) -> tuple[Entry, ...]:
        """The journal, oldest entry first; `str(entry)` is `submitted site` or `finalized`."""
        return tuple(self.app.store.journal(self.id))

    @property
    def messages(self) -> list[str]:
        """What was written beside the run, oldest first, without what merely happened."""
        found = self.app.call(self.app.application.site.db.read(messages.after, self.id, 0))
        return [each.text for each in found if each.event is None]

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._tab.run

    @property
    def key(self) -> str:
        """Its key."""
        return self._view().row.key

    @property
    def version(self) -> int:
        """Its version: how many entries its journal has."""
        return self._view().row.version

    @property
    def is_locked(self) -> bool:
        """Whether it is locked."""
        return self._view().state.lock is not None

    @property
    def is_finished(self) -> bool:
        """Whether all steps that are wanted are done."""
        return all(each in ("done", "skipped") for each in self.phases.values())

    @property
    def address(self) -> str:
        """The address of its page."""
        return self._tab.address

    # Parts

    def _view(self) -> RunView:
        return self.app.call(self.app.application.site.engine.view(self._tab.run, Who(OWNER, self._tab.id)))

    def _files(self) -> Files:
        return Files(self.app.application.site.engine.files, self._tab.run)

    def _run(self) -> Run:
        view = self._view()
        if view.workflow is None:
            raise PlayError(f"The app of this run ({view.row.app}) is not installed any more.")
        return self.app.application.site.engine.run_of(view)

    def _where(self) -> str:
        """Return where this tab is, to end a sentence."""
        if self._tab.is_conflict:
            return "this tab shows a conflict; choose keep_mine(), take_theirs() or continue_in_copy()"
        if self.is_locked:
            return "the run is locked; unfinalize() unlocks it"
        step = self._tab.open_step
        if step is None:
            return "all steps are done; revert(step) goes back to one"
        if self._tab.step_form(step) is None:
            return f"step {step!r} runs by itself" + (" and failed" if self._tab.form_to("/run") is not None else "")
        return f"the run asks for step {step!r}"

    def _refuse_unknown(self, step: str) -> None:
        workflow = self._view().workflow
        if workflow is not None and step not in workflow.order and step not in self._view().state.steps:
            raise WrongStepError(f"There is no step {step!r}; there is {', '.join(map(repr, workflow.order))}.")


def name_of(step: object) -> str:
    """Return the stored name of a step, or of a name the same."""
    return step if isinstance(step, str) else str(getattr(step, "name", step))
