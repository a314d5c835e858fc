"""Long work of class-style plugins: a method or function of theirs that runs as a job and gives a step its value.

The event that asks and the row of the job are written together, and so are the value and the end of the job, as for
steps of workflows. What is stored of the function is its name, so that it is found again after a restart.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, get_type_hints

from pydantic_core import PydanticSerializationError

from pipulate.errors import JobError, RunConflictError, RunLockedError, RunNotFoundError
from pipulate.explicit import keys
from pipulate.explicit import profiles as numbers
from pipulate.explicit.book import FINALIZE, Book, StepLike
from pipulate.explicit.context import CURRENT, Current, current
from pipulate.explicit.loading import ExplicitApp
from pipulate.jobs.doing import Doing, Job
from pipulate.jobs.port import Jobs, Options, Request
from pipulate.jobs.stopping import Stopped
from pipulate.storage import jobs, ledger, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Written
from pipulate.storage.profiles import Profile
from pipulate.workflows.asking import JobView
from pipulate.workflows.background import CHANGED, DELETED, LOCKED, NOT_INSTALLED, OTHER_CODE, overtaken
from pipulate.workflows.handed import Progress
from pipulate.workflows.source import file_digest
from pipulate.workflows.work import progress_in

KIND: Final = "call"
_HANDED_IN: Final[Mapping[str, type]] = {"job": Job, "progress": Progress}


class Named(NamedTuple):
    """A function as it is stored: its name, and whether it is a method of the plugin or stands in its file."""

    name: str
    is_method: bool


class StepJob(NamedTuple):
    """The job of a step, for what a person may do with it; `code` is the digest of its plugin now."""

    jobs: Jobs
    row: JobRow
    code: str | None

    async def retry(self) -> None:
        """Ask for it once more, with the code there is now; what is under way or done stays so."""
        await self.jobs.resume(self.row.id, self.row.owner, self.code)

    async def stop(self) -> None:
        """Ask it to stop."""
        await self.jobs.cancel(self.row.id, self.row.owner)


class LongWork:
    """Asks for calls of plugins' functions, does them, and tells how they stand."""

    waits_for_others = False

    def __init__(
        self,
        book: Book,
        runs_jobs: Jobs,
        installed: Callable[[str], ExplicitApp | None],
        stored: Callable[[Written], None],
        on_loop: Callable[..., None],
    ) -> None:
        """Wire it up.

        Args:
            book: The runs of class-style plugins.
            runs_jobs: Does the jobs.
            installed: Returns the class-style app that is stored under a name, or None where there is none.
            stored: Told of every change of a run, on the thread that made it.
            on_loop: Calls something on the event loop of the server, from any thread.
        """
        self._book, self._jobs, self._installed = book, runs_jobs, installed
        self._stored, self._on_loop = stored, on_loop
        runs_jobs.register(KIND, self)

    # Asking, on whatever thread the code of a plugin runs

    def ask(
        self, key: str, step: str, function: Callable[..., Any], args: Sequence[Any], title: str | None, how: Options
    ) -> JobView:
        """Ask for a job that gives a step what a function returns; return it, or the one that is open already.

        Raises:
            TypeError: If the function cannot be found again by its name, does not take these arguments, or they have
                no form in JSON.
            ValueError: If the plugin has no such step, or the options make no sense.
            RunNotFoundError, RunConflictError, RunLockedError: As in `Book.put`.
        """
        if how.retries < 0 or (how.timeout_s is not None and how.timeout_s <= 0):
            raise ValueError("retries is at least 0, and timeout more than 0")
        plugin = _plugin_of(function)
        named, given = name_of(function, plugin), _stored_form(args)
        _bound(function, args)
        declared = _step(plugin, step)
        row = self._book.row(key)
        if row is None:
            raise RunNotFoundError(key)
        request = Request(
            KIND, title or f"{keys.display_name(plugin)}: {getattr(declared, 'show', '') or step}", row.owner,
            row.profile, {"function": named.name, "is_method": named.is_method, "args": given}, app=row.app,
            run=row.id, step=step, code=_digest(plugin), options=how,
        )  # fmt: skip
        job, is_new = self._book.ask(key, step, order_of(plugin), request, given)
        if is_new:
            self._on_loop(self._jobs.start, job)  # Should the program end here, the next start finds it.
        return self._book.seen_job(job)

    def view(self, key: str, step: str, plugin: Any) -> JobView | None:
        """Return how the newest job of a step stands; None where there is none, or something overtook it."""
        return self._book.job(key, step, order_of(plugin))

    # What people do with it

    async def find(self, app: ExplicitApp, run: str, step: str) -> StepJob | None:
        """Return the newest job of a step of a run, as `view`."""

        def found() -> StepJob | None:
            row = self._book.latest(run, step, order_of(app.instance))
            return StepJob(self._jobs, row, _digest(app.instance)) if row is not None else None

        return await asyncio.to_thread(found)

    def order(self, row: JobRow) -> Sequence[str] | None:
        """Return the names of the steps of the app that a job is of, in order; None where it is not installed."""
        app = self._installed(row.app or "")
        return order_of(app.instance) if app is not None else None

    # Doing

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done with the code there is now."""
        app = self._installed(row.app or "")
        if app is None:
            return NOT_INSTALLED.format(row.app)
        asked_for = row.payload
        if _find(app.instance, asked_for) is None or row.step not in order_of(app.instance):
            missing = asked_for["function"]
            return f"The app {row.app} has no {missing!r} or no such step any more. Put it back and go on, or cancel."
        if row.code is not None and row.code != _digest(app.instance):
            return OTHER_CODE
        return ""

    def overtaken(self, tx: Transaction, row: JobRow) -> str:
        """Return in words what happened to the run since a job was asked for, "" where its result is waited for."""
        return overtaken(tx, row, self.order(row))

    async def do(self, doing: Doing) -> None:
        """Call the function of a job and store what it returns."""
        row = doing.row
        app = self._installed(row.app or "")
        assert app is not None  # noqa: S101 - `obstacle` has seen to it
        function = _find(app.instance, row.payload)
        assert function is not None  # noqa: S101 - as above
        try:
            now = await doing.db.read(_works_on, row, app)
        except RunNotFoundError:
            await doing.threads.run(partial(doing.end, jobs.CANCELLED, reason=DELETED))
            return
        output = await doing.call(_prepared(function, doing, now))
        doing.check()
        await doing.threads.run(self._answer, doing, now, _step(app.instance, row.step or ""), output)

    def _answer(self, doing: Doing, now: Current, step: StepLike, output: Any) -> None:
        """Give the step its value and end the job, both or neither; where that cannot be, end it and say why."""
        row = doing.row
        try:
            if now.refusal is not None:  # What the function wrote itself was refused, whatever it made of that.
                raise now.refusal
            written = self._book.answer(row, {step.done: output}, now)
        except RunLockedError:
            doing.end(jobs.FAILED, reason=LOCKED)
        except RunConflictError:
            doing.end(jobs.CANCELLED, reason=CHANGED)
        except RunNotFoundError:
            doing.end(jobs.CANCELLED, reason=DELETED)
        except PydanticSerializationError as error:
            raise JobError(f"What this returned has no form in JSON ({error}), so it cannot be kept.") from error
        else:
            if written is None:
                raise Stopped
            self._stored(written)


def name_of(function: Callable[..., Any], plugin: Any) -> Named:
    """Return what a function of a plugin is found by after a restart.

    Raises:
        TypeError: If it is neither a method of the plugin nor a function at the top of its file.
    """
    name = getattr(function, "__name__", "")
    for is_method in (True, False):
        found = _find(plugin, {"function": name, "is_method": is_method})
        if found is not None and _same(found, function):
            return Named(name, is_method)
    raise TypeError(
        f"start_job: {function!r} cannot be found again after a restart. Hand in a method of the plugin"
        " (self.work), or a function at the top of its file (work); no lambda, no function inside another."
    )


def order_of(plugin: Any) -> Sequence[str]:
    """Return the names of the steps of a plugin that ask for something, in order."""
    return [each.id for each in getattr(plugin, "steps", None) or () if each.id != FINALIZE]


def _same(found: Callable[..., Any], given: Callable[..., Any]) -> bool:
    """Tell whether two functions are one in the file; its code may have been read anew between them."""
    return (found.__module__, found.__qualname__) == (
        getattr(given, "__module__", None), getattr(given, "__qualname__", None)
    ) and inspect.ismethod(found) == inspect.ismethod(given)  # fmt: skip


def _find(plugin: Any, asked_for: Mapping[str, Any]) -> Callable[..., Any] | None:
    where = plugin if asked_for["is_method"] else sys.modules.get(type(plugin).__module__)
    found = getattr(where, asked_for["function"], None)
    return found if inspect.isroutine(found) else None


def _plugin_of(function: Callable[..., Any]) -> Any:
    """Return the plugin that asks: that of the request, else the one whose method it is."""
    now = current()
    plugin = now.instance if now is not None else getattr(function, "__self__", None)
    if plugin is None:
        raise TypeError("start_job is called in a handler; elsewhere the function is a method of the plugin.")
    return plugin


def _step(plugin: Any, name: str) -> StepLike:
    for each in getattr(plugin, "steps", None) or ():
        if each.id == name and name != FINALIZE:
            step: StepLike = each
            return step
    raise ValueError(f"The plugin has no step {name!r}.")


def _stored_form(args: Sequence[Any]) -> list[Any]:
    try:
        stored: list[Any] = json.loads(json.dumps(list(args), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(f"start_job: the arguments are stored as JSON, which these cannot be ({error}).") from error
    return stored


def _digest(plugin: Any) -> str | None:
    """Return the digest of the file of a plugin, or None where it has none."""
    path = getattr(sys.modules.get(type(plugin).__module__), "__file__", None)
    return file_digest(path) if path else None


def _bound(function: Callable[..., Any], args: Sequence[Any], doing: Doing | None = None) -> inspect.BoundArguments:
    """Return what a function is called with: job and progress where it asks for them, and the arguments in order.

    Raises:
        TypeError: If the arguments are not those it takes.
    """
    signature = inspect.signature(function)
    try:
        hints = get_type_hints(function)
    except Exception:  # noqa: BLE001 - plugin border: an annotation is the author's code; the names will do
        hints = {}
    handed = {}
    for name in signature.parameters:
        kind = hints.get(name, _HANDED_IN.get(name))
        if kind in (Job, Progress):
            handed[name] = _handed_in(kind, doing) if doing is not None else None
    rest = signature.replace(parameters=[each for name, each in signature.parameters.items() if name not in handed])
    given = {**rest.bind(*args).arguments, **handed}
    return inspect.BoundArguments(signature, {name: given[name] for name in signature.parameters if name in given})


def _handed_in(kind: type, doing: Doing) -> Job | Progress:
    return Job(doing) if kind is Job else progress_in(doing, lambda _: None)


def _prepared(function: Callable[..., Any], doing: Doing, now: Current) -> Callable[[], Any]:
    """Return a function without parameters that calls another with all it takes, as if in a request of its own."""
    bound = _bound(function, doing.row.payload["args"], doing)
    if inspect.iscoroutinefunction(inspect.unwrap(function)):

        async def called() -> Any:
            CURRENT.set(now)
            return await function(*bound.args, **bound.kwargs)

        return called

    def called_now() -> Any:
        CURRENT.set(now)  # The context is a copy of this call's own.
        return function(*bound.args, **bound.kwargs)

    return called_now


def _works_on(tx: Transaction, row: JobRow, app: ExplicitApp) -> Current:
    """Return what a job works on; what is said there is written at once, for there is no answer to wait for."""
    run = ledger.find(tx, row.run or "")
    if run.deleted_at is not None:
        raise RunNotFoundError(run.key)
    profile = profiles.find(tx, run.profile) or Profile(profiles.DEFAULT_ID, profiles.DEFAULT_NAME)
    number = numbers.number(tx, profile.id)
    return Current(row.owner, app.name, app.instance, profile, key=run.key, is_over=True, number=number)
