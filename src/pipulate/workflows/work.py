"""Calling the code of steps and storing what it returns: plain functions, run on threads that may wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from pipulate._clock import from_text
from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate.errors import InvalidAnswersError, RunNotFoundError, StepFailedError, StepNotOpenError, StorageError
from pipulate.storage import journal, ledger, lookups, runs
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import Author, RunRow, Written
from pipulate.workflows import plan, values
from pipulate.workflows.definition import Step, Workflow
from pipulate.workflows.fields import Option
from pipulate.workflows.plan import Asks
from pipulate.workflows.run import Earlier, Run, loaded

_log = get_logger()


@dataclass(frozen=True, slots=True)
class RunView:
    """A run, ready to be shown.

    Attributes:
        row: Its row in the store.
        state: Its state at `row.version`.
        workflow: Its workflow, or None where no app of that name is installed.
    """

    row: RunRow
    state: State
    workflow: Workflow | None

    @property
    def title(self) -> str:
        """The name of its app as people read it."""
        return self.workflow.title if self.workflow else self.row.app


@dataclass(frozen=True, slots=True)
class Task:
    """A step to be called, and what is to be stored of it; see `runs.submit`.

    `reads` is what the choices of its fields were made from: a value chosen from them was made from the same.
    """

    view: RunView
    author: Author
    step: Step[..., Any]
    answers: BaseModel | None
    options: Mapping[str, tuple[Option, ...]]
    seen: int
    submit_id: str | None
    kind: str
    reads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a task.

    Attributes:
        written: What was stored.
        value: The value itself, where the journal only names its file; else None.
        open_step: The step that is open afterwards.
    """

    written: Written
    value: Mapping[str, Any] | None
    open_step: str | None


class Work:
    """Calls steps; everything it touches is handed to it."""

    def __init__(self, db: Database, files: FileStore) -> None:
        self._db, self._files = db, files

    def call(self, task: Task, run: Run) -> Done:
        """Call a step that is a plain function, and store its result.

        Raises:
            StepFailedError: If it raises, or returns what cannot be stored.
            RunError, StorageError: As in `runs.submit`.
        """
        try:
            output = task.step.function(**_arguments(task, run))
        except BaseException as error:
            raise _judged(task, error) from error
        return self.store(task, run, output)

    async def awaited(self, task: Task, run: Run) -> Any:
        """Call a step that is a coroutine function, and return its result; errors as in `call`."""
        try:
            return await task.step.function(**_arguments(task, run))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise _judged(task, error) from error

    def store(self, task: Task, run: Run, output: Any) -> Done:
        """Store the result of a step; errors as in `call`."""
        view, step = task.view, task.step
        try:
            value, short = values.to_value(step, task.answers, output, task.options)
            stored = self._files.store(view.row.id, value)
        except StorageError:
            raise
        except Exception as error:
            raise failed(step, error) from error
        open_step = self.open_after(view, step, value)
        try:
            written = self._db.write_now(
                runs.submit, view.row.id, task.author, step=step.name, value=stored, short=short,
                reads={**task.reads, **run.reads}, order=installed(view).order, seen=task.seen,
                submit_id=task.submit_id, open_step=open_step, kind=task.kind,
            )  # fmt: skip
        except RunNotFoundError:
            self._clean_up(view.row.id)
            raise
        return Done(written, value if stored.sha256 else None, open_step)

    def _clean_up(self, run: str) -> None:
        """Remove the files of a run that was erased while its step ran; one in the bin keeps them."""
        try:
            self._db.read_now(ledger.find, run)
        except RunNotFoundError:
            self._files.erase(run)

    def run(self, view: RunView) -> Run:
        """Return a run as the code of its steps sees it."""
        workflow = installed(view)

        def earlier(step: str) -> list[Earlier]:
            now = view.state.steps.get(step)
            return [
                Earlier(each.version, from_text(each.at), loaded(workflow, step, self.whole(view.row.id, each)))
                for each in self._db.read_now(lookups.values_of_step, view.row.id, step)
                if now is None or each.version != now.version
            ]

        return Run(workflow, view.state, key=view.row.key, profile=view.row.profile, earlier=earlier)

    def whole(self, run: str, event: Event) -> Mapping[str, Any]:
        """Return the value that an event carries, read from its file where it is kept in one."""
        return self._files.resolve(run, event.data["value"])

    def asks_of(self, view: RunView) -> Asks:
        """Return what tells whether a step's `when` wants it, in this run."""

        def asks(step: Step[..., Any]) -> bool:
            try:
                return step.when is None or bool(step.when(self.run(view)))
            except BaseException as error:
                raise failed(step, error) from error

        return asks

    def open_after(self, view: RunView, step: Step[..., Any], value: Mapping[str, Any]) -> str | None:
        """Return the step that will be open once `step` has this value, if nobody else changes the run.

        Raises:
            StepFailedError: If a condition of the author's raises.
        """
        workflow, state = installed(view), view.state
        later = workflow.steps[workflow.position[step.name] + 1 :]
        if (
            step.name in state.steps and state.editing != step.name
        ):  # It is given another value: what follows is cleared.
            steps = {name: state.steps[name] for name in workflow.order[: -len(later) or None] if name in state.steps}
        else:
            steps = dict(state.steps)
        steps[step.name] = journal.StepValue(view.row.version + 1, value, "", {}, "")
        after = State(view.row.version + 1, steps, state.offers)
        asks = self.asks_of(RunView(view.row, after, workflow)) if any(each.when for each in later) else asks_always
        slot = plan.open_step(workflow, after, asks, len(workflow.steps) - len(later))
        return slot.step.name if slot else None


def installed(view: RunView) -> Workflow:
    """Return the workflow of a run.

    Raises:
        StepNotOpenError: If no app of that name is installed, so that no step of the run can be open.
    """
    if view.workflow is None:
        raise StepNotOpenError("", None)
    return view.workflow


def asks_always(_step: Step[..., Any]) -> bool:
    """Want every step: for workflows where no step has a `when`."""
    return True


def failed(step: Step[..., Any], error: BaseException) -> StepFailedError:
    """Put a mistake of the author's into the log, and return the error that names it there.

    `sys.exit()` in the code of a step is such a mistake too: it must not end the server.
    """
    reference = error_id()
    compiled = getattr(step.function, "__code__", None)
    _log.error(
        "step.failed", step=step.name, error_id=reference, file=compiled.co_filename if compiled else None,
        exc_info=error,
    )  # fmt: skip
    return StepFailedError(step.name, reference)


def _judged(task: Task, error: BaseException) -> BaseException:
    """Return what is raised for what the code of a step raised: it may refuse answers, where somebody gave some."""
    is_refusal = isinstance(error, InvalidAnswersError) and task.answers is not None
    return error if is_refusal else failed(task.step, error)


def _arguments(task: Task, run: Run) -> dict[str, Any]:
    answers = task.answers
    given = {name: getattr(answers, name) for name in type(answers).model_fields} if answers is not None else {}
    return given | dict.fromkeys(task.step.run_parameters, run)
