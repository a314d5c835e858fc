"""Calling the code of steps and storing what it returns: plain functions, run on threads that may wait."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipulate import forms
from pipulate._clock import Clock, from_text, to_text
from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate._program import installing
from pipulate.crud.tables import Tables
from pipulate.errors import (
    AppMissingError,
    InvalidAnswersError,
    ModelError,
    RunNotFoundError,
    StepFailedError,
    StepUnansweredError,
    StorageError,
)
from pipulate.events import Happening, MessagesAdded, StepProgressed
from pipulate.fields import Option
from pipulate.fields.dynamic import FieldListError
from pipulate.fields.files import Files
from pipulate.jobs.doing import Doing, Job
from pipulate.jobs.working import is_theirs
from pipulate.storage import journal, ledger, lookups, messages, profiles, runs
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore, Stored
from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import Author, RunRow, Written
from pipulate.workflows import handed, plan, values
from pipulate.workflows.definition import Step, Workflow
from pipulate.workflows.handed import Messages, Profile, Progress, User
from pipulate.workflows.model import Asker
from pipulate.workflows.plan import ALWAYS, Rules
from pipulate.workflows.run import SKIPPED, Earlier, Run, loaded
from pipulate.workflows.temporary import Temporary

_TELLS_AFTER_S = 1.0
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

    `reads` is what the choices of its fields were made from: a value chosen from them was made from the same. `doing`
    is the job it runs in, or None.
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
    doing: Doing | None = None


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


@dataclass(frozen=True, slots=True)
class Failure:
    """The code of a step raised when it ran by itself at `version`; `where` as in `StepFailedError`.

    Where nothing is wrong with it, `words` say what kept it from its end, and there is no `error_id`.
    """

    version: int
    error_id: str
    where: str = ""
    words: str = ""


class Work:
    """Calls steps; everything it touches is handed to it.

    Attributes:
        tables: Profile -> the records of all apps, for steps that ask for them; put in place by whoever has them.
        asker: Asks the language model for steps; put in place likewise.
    """

    def __init__(self, db: Database, files: FileStore, clock: Clock, tell: Callable[[Happening], None]) -> None:
        """Wire it up; `tell` passes on what happened while a step runs, from any thread."""
        self._db, self._files, self._clock, self._tell = db, files, clock, tell
        self.tables: Callable[[str | None], Tables] = lambda profile: Tables(db, dict, profile)
        self.asker: Asker | None = None
        self._saying: dict[str, asyncio.Task[None]] = {}  # Run -> what was said in it last, until that is stored.

    def call(self, task: Task, run: Run) -> Done:
        """Call a step that is a plain function, and store its result.

        Raises:
            StepFailedError: If it raises, or returns what cannot be stored.
            RunError, StorageError: As in `runs.submit`.
        """
        try:
            output = task.step.function(**self.arguments(task, run))
        except BaseException as error:
            raise _judged(task, error) from error
        return self.store(task, run, output)

    async def awaited(self, task: Task, arguments: Mapping[str, Any]) -> Any:
        """Call a step that is a coroutine function, and return its result, all it said stored; errors as in `call`."""
        try:
            return await task.step.function(**arguments)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise _judged(task, error) from error
        finally:
            if said := self._saying.get(task.view.row.id):
                await asyncio.shield(said)

    def checked(self, step: Step[..., Any], answers: Mapping[str, Any], files: Files) -> BaseModel:
        """Check answers, as `forms.validate` does.

        Raises:
            InvalidAnswersError: If they break a rule.
            StepFailedError: If a rule of the author's raises anything else.
        """
        try:
            return forms.validate(step, answers, files)
        except InvalidAnswersError:
            raise
        except BaseException as error:
            raise failed(step, error) from error

    def store(self, task: Task, run: Run, output: Any) -> Done:
        """Store the result of a step; errors as in `call`."""
        view, step = task.view, task.step
        try:
            value, short = values.to_value(step, task.answers, output, task.options, run.files)
            stored = self._files.store(view.row.id, value)
        except StorageError:
            raise
        except Exception as error:
            raise failed(step, error) from error
        return self.put(task, {**task.reads, **run.reads}, value, stored, short)

    def skip(self, task: Task) -> Done:
        """Store that a step was skipped."""
        value = {"input": None, "output": None, "view": SKIPPED}
        return self.put(task, {}, value, self._files.store(task.view.row.id, value), "")

    def put(self, task: Task, reads: Mapping[str, str], value: Mapping[str, Any], stored: Stored, short: str) -> Done:
        """Write the value of a step, made ready, into the journal."""
        view, step = task.view, task.step
        open_step = self.open_after(view, step, value)
        try:
            written = self._db.write_now(
                runs.submit, view.row.id, task.author, step=step.name, value=stored, short=short,
                reads=reads, order=installed(view).order, seen=task.seen,
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

    def run(self, view: RunView, doing: Doing | None = None) -> Run:
        """Return a run as the code of its steps sees it; `doing` is the job that code runs in, or None."""
        workflow, files = installed(view), Files(self._files, view.row.id, state=view.state)

        def earlier(step: str) -> list[Earlier]:
            now = view.state.steps.get(step)
            return [
                Earlier(each.version, from_text(each.at), loaded(workflow, step, self.whole(view.row.id, each), files))
                for each in self._db.read_now(lookups.values_of_step, view.row.id, step)
                if now is None or each.version != now.version
            ]

        def temporary(step: str) -> Temporary:
            return Temporary(self._db, self._clock, view.row.id, step)

        run = Run(
            workflow, view.state, id=view.row.id, key=view.row.key, profile=view.row.profile, earlier=earlier,
            files=files, temporary=temporary,
            model=self.asker.of_run(view.row.owner, doing) if self.asker is not None else None,
        )  # fmt: skip
        files.reads = run.reads
        return run

    def arguments(self, task: Task, run: Run) -> dict[str, Any]:
        """Return what a step is called with: its answers, and what is handed in by type. It may wait for the store."""
        answers = task.answers
        given = {name: getattr(answers, name) for name in type(answers).model_fields} if answers is not None else {}
        given |= {name: _by_name(given[name]) for name in task.step.listed}
        return given | {name: self._handed_in(kind, task, run) for name, kind in task.step.handed_in.items()}

    def _handed_in(self, kind: type, task: Task, run: Run) -> Any:
        row = task.view.row
        if kind is Run:
            return run
        if kind is Files:
            return run.files
        if kind is Progress:
            return progress_of(task, self._tell)
        if kind is Job:
            assert task.doing is not None  # noqa: S101 - only steps that run in one ask for it
            return Job(task.doing)
        if kind is Tables:
            return self.tables(row.profile)
        if kind is Messages:
            return Messages(lambda text: self._say(row.id, task.author.actor, text))
        if kind is Profile:
            found = self._db.read_now(profiles.find, row.profile)
            return Profile(row.profile, found.name if found else "")
        return User(task.author.actor, "You")

    def _say(self, run: str, actor: str, text: str) -> None:
        """Add what an app says to the conversation of its run; on the event loop without waiting, and in order."""
        at = to_text(self._clock.now())
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            seq = self._db.write_now(messages.add, run, at, actor, "system", text)
            self._tell(MessagesAdded(run, seq))
            return
        before = self._saying.get(run)

        async def write() -> None:
            if before is not None:
                await before
            seq = await self._db.write(messages.add, run, at, actor, "system", text)
            self._tell(MessagesAdded(run, seq))

        def forget(task: asyncio.Task[None]) -> None:
            if self._saying.get(run) is task:
                del self._saying[run]

        said = self._saying[run] = loop.create_task(write())
        said.add_done_callback(forget)

    def whole(self, run: str, event: Event) -> Mapping[str, Any]:
        """Return the value that an event carries, read from its file where it is kept in one."""
        return self._files.resolve(run, event.data["value"])

    def rules_of(self, view: RunView) -> Rules:
        """Return what the author's conditions say in this run."""
        return _Rules(self, view) if any(step.when or step.goto for step in installed(view).steps) else ALWAYS

    def problems(self, view: RunView) -> dict[str, str]:
        """Return what the author's checks of the whole run find wrong: step -> sentence."""
        found: dict[str, str] = {}
        for step in installed(view).steps:
            for check in step.checks:
                try:
                    problem = check(self.run(view))
                except ValueError as error:
                    problem = str(error)
                except BaseException as error:
                    raise failed(step, error) from error
                if problem:
                    found.setdefault(step.name, str(problem))
        return found

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
        rules = self.rules_of(RunView(view.row, after, workflow))
        slot = plan.open_step(workflow, after, rules, len(workflow.steps) - len(later))
        return slot.step.name if slot else None


def progress_of(task: Task, tell: Callable[[Happening], None]) -> Progress:
    """Return what shows how far a step is."""
    if task.doing is not None:
        return progress_in(task.doing, tell)
    run, step, left = task.view.row.id, task.step.name, _Left()
    return Progress(lambda now: tell(StepProgressed(run, step, now, left.of(now))))


def progress_in(doing: Doing, tell: Callable[[Happening], None]) -> Progress:
    """Return what shows how far a job of a step is."""
    run, step, left = doing.row.run or "", doing.row.step or "", _Left()

    def show(now: handed.Done) -> None:
        left_s = left.of(now)
        doing.say(now.done, now.total, now.text, left_s)
        tell(StepProgressed(run, step, now, left_s))

    def partial(value: Any) -> None:
        doing.partial(values.shown_now(value))

    return Progress(show, doing.log, partial)


class _Left:
    """How long something will take yet, going by how it went since it first said how far it was."""

    def __init__(self) -> None:
        self._from: tuple[float, float] | None = None
        self._first = 0.0

    def of(self, now: handed.Done) -> float | None:
        """Return seconds, or None where nobody knows."""
        moment = time.monotonic()
        self._first = self._first or moment
        if self._from is None or moment - self._first < _TELLS_AFTER_S:  # What was finished before passes in no time.
            self._from = moment, now.done
        began, done = self._from
        if not now.total or now.done <= done or moment <= began:
            return None
        return max(0.0, (now.total - now.done) * (moment - began) / (now.done - done))


def installed(view: RunView) -> Workflow:
    """Return the workflow of a run.

    Raises:
        AppMissingError: If no app of that name is installed, so that no step of the run can be open.
    """
    if view.workflow is None:
        raise AppMissingError(view.row.app)
    return view.workflow


def _by_name(listed: BaseModel) -> dict[str, Any]:
    """Return the answers to fields that were listed in the run."""
    return {name: getattr(listed, name) for name in type(listed).model_fields}


class _Rules:
    """The author's conditions, asked of one run."""

    def __init__(self, work: Work, view: RunView) -> None:
        self._work, self._view = work, view

    def asks(self, step: Step[..., Any]) -> bool:
        """Tell whether a step's `when` wants it."""
        try:
            return step.when is None or bool(step.when(self._work.run(self._view)))
        except BaseException as error:
            raise failed(step, error) from error

    def goes_to(self, step: Step[..., Any]) -> str | None:
        """Return the step that follows one that is done; it has to be a later one."""
        workflow = installed(self._view)
        try:
            target = step.goto(self._work.run(self._view)) if callable(step.goto) else step.goto
            if target is not None and workflow.position.get(target, -1) <= workflow.position[step.name]:
                raise ValueError(f"goto= of step {step.name!r} must name a later step, not {target!r}")  # noqa: TRY301
        except BaseException as error:
            raise failed(step, error) from error
        return target


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
    told = f"{error}." if isinstance(error, FieldListError) else where_raised(error)
    return StepFailedError(step.name, reference, told)


def where_raised(error: BaseException) -> str:
    """Return file, line and kind of an error for the author of an app; "" where none of the code is theirs.

    What the error says stays in the log: it may hold what was typed, or a secret.
    """
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_theirs(frame.filename)]
    if not frames:
        return ""
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno} ({type(error).__name__})."


def _judged(task: Task, error: BaseException) -> BaseException:
    """Return what is raised for what the code of a step raised: it may refuse answers, where somebody gave some."""
    if isinstance(error, ModelError):
        return _unanswered(task, error)
    if task.answers is None:
        return failed(task.step, error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _missing(task.step, error.name)
    return error if isinstance(error, InvalidAnswersError) else failed(task.step, error)


def _unanswered(task: Task, error: ModelError) -> BaseException:
    """Return what people read where a step got no answer of the model: no mistake of anybody, and it can be mended."""
    _log.warning("step.unanswered", step=task.step.name, code=error.code)
    if task.answers is None:
        return StepUnansweredError(task.step.name, str(error))
    return InvalidAnswersError({"": str(error)})


def _missing(step: Step[..., Any], module: str) -> InvalidAnswersError:
    """Return what people read where a step needs a package that is not there: it can be installed while they wait."""
    package = module.partition(".")[0]
    _log.warning("step.package_missing", step=step.name, package=package)
    return InvalidAnswersError(
        {
            "": f"This needs the Python package {package}, which is not installed. Install it where Pipulate runs,"
            f" with {installing(package)}, and continue."
        }
    )
