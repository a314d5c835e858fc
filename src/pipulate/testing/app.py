"""The whole application in this process, with a store of its own: no browser, no socket."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import threading
import weakref
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import TimeoutError as TooLateError
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from uuid import uuid4

from pipulate.app import IN_BOX, Application, build
from pipulate.findings import Finding
from pipulate.jobs.local import LocalJobs
from pipulate.plugins.loading import PACKAGE
from pipulate.settings import read_settings
from pipulate.testing.browser import PORT, Answer, request
from pipulate.testing.clock import ManualClock
from pipulate.testing.errors import PlayError
from pipulate.testing.log import LogListener
from pipulate.testing.model import ScriptedModel
from pipulate.testing.store import Store
from pipulate.workflows.definition import Workflow

if TYPE_CHECKING:
    from pipulate.testing.playing import Play

T = TypeVar("T")

_STARTS_S = 30.0


class _Loop:
    """An event loop on a thread of its own, so that tests can be plain functions."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="pipulate testing", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def call(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Do something on the loop and wait for what comes of it."""
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(seconds)
        except TooLateError:
            if future.done():  # The work itself raised it.
                raise
            future.cancel()
            raise PlayError(f"The application did not answer within {seconds:g} s.") from None

    def stop(self) -> None:
        """End the loop; wait for it unless this is its own thread (objects can be cleared away on any)."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        if threading.current_thread() is not self.thread:
            self.thread.join(10)


class _Running:
    """What has to be ended, whether or not anybody still holds the `RunningApp`."""

    def __init__(self, application: Application, patience_s: float) -> None:
        self.application, self.patience_s = application, patience_s
        self.log, self.loop, self._is_open = LogListener(), _Loop(), True
        self._path, self._package = list(sys.path), sys.modules.get(PACKAGE)
        self.log.start()
        try:
            self._life = application.running()
            self.loop.call(self._life.__aenter__(), _STARTS_S)
            self._wait_for_plugins()
        except BaseException:
            self.end()
            raise

    def _wait_for_plugins(self) -> None:
        if not self.application.site.plugins.wait_loaded(_STARTS_S):
            raise PlayError(f"The plugins have not loaded within {_STARTS_S:g} s.")

    def end(self) -> None:
        """Stop the application and put back what it changed in this process; a second time does nothing."""
        if not self._is_open:
            return
        self._is_open = False
        if not threading.main_thread().is_alive():  # The interpreter ends, and with it all threads.
            return
        if threading.current_thread() is not self.loop.thread:
            self.loop.call(self._life.__aexit__(None, None, None), self.patience_s)
        self.loop.stop()
        self.log.stop()
        self._forget_plugins()

    def _forget_plugins(self) -> None:
        folder = str(self.application.site.plugins.folder)
        if folder in sys.path and folder not in self._path:
            sys.path.remove(folder)
        if getattr(sys.modules.get(PACKAGE), "__path__", None) == [folder]:
            for name in [name for name in sys.modules if name == PACKAGE or name.startswith(f"{PACKAGE}.")]:
                del sys.modules[name]
            if self._package is not None:
                sys.modules[PACKAGE] = self._package


def _end(running: list[_Running], folder: Path | None) -> None:
    for each in running:
        each.end()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


class RunningApp:
    """Pipulate, running in this process with apps, a folder and a clock of its own.

    Everything is real: the guard, the pages, the engine, a SQLite store. Only a network is missing. Use it in a `with`
    block, or call `close()`; one that is forgotten closes itself.

    Attributes:
        clock: What Pipulate takes for the time.
        folder: The folder that holds `data` and `plugins`.
        patience_s: Seconds after which an answer counts as missing.
    """

    def __init__(
        self,
        *workflows: Workflow,
        folder: Path | None = None,
        plugins: Iterable[Path] = (),
        clock: ManualClock | None = None,
        in_box: bool = False,
        patience_s: float = 60.0,
        model: ScriptedModel | None = None,
        **settings: Any,
    ) -> None:
        """Start it.

        Args:
            workflows: The apps, beside those in `folder / "plugins"`.
            folder: Where the data lives; a temporary folder, removed at the end, where it is not given.
            plugins: Plugin files, copied into the plugins folder.
            clock: The time; a new `ManualClock` where it is not given.
            in_box: Whether the apps that come with Pipulate are there too.
            patience_s: Seconds after which an answer counts as missing.
            model: The language model; none where it is not given, whatever this machine has.
            settings: Settings by name, as in the reference, such as `max_body_bytes=1_000`.

        Raises:
            PlayError: If an app has findings; lists all of them.
        """
        made = Path(tempfile.mkdtemp(prefix="pipulate-")) if folder is None else None
        self.folder = folder or made or Path()
        self.clock, self.patience_s = clock or ManualClock(), patience_s
        self._in_box, self._model, self._settings = in_box, model, settings
        self._workflows: dict[str, Workflow] = {}
        self._running: list[_Running] = []
        self._closes = weakref.finalize(self, _end, self._running, made)
        (self.folder / "plugins").mkdir(parents=True, exist_ok=True)
        for path in plugins:
            shutil.copy(path, self.folder / "plugins" / path.name)
        for each in workflows:
            self._workflows[each.name] = _checked(each)
        self._start()

    def __repr__(self) -> str:
        state = "closed" if not self._closes.alive else f"apps: {', '.join(self.apps) or 'none'}"
        return f"<RunningApp {state}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it; a temporary folder goes with it."""
        self._closes()

    def restart(self) -> None:
        """Stop and start it on the same folder, as after a reboot: what was stored is there again."""
        self._running.pop().end()
        self._start()

    def _start(self) -> None:
        given = {
            "data": self.folder / "data", "plugins": self.folder / "plugins", "reload": False,
            "import_limit_s": _STARTS_S, "model_server": "off" if self._model is None else "ollama", **self._settings,
        }  # fmt: skip
        in_box = IN_BOX if self._in_box else self.folder / "none"
        application = build(
            read_settings({}, **given), clock=self.clock, in_box=in_box, jobs=LocalJobs, model=self._model
        )
        application.answers_at(PORT)
        self._running.append(_Running(application, self.patience_s))
        self._running[-1].loop.call(application.site.models.look(), self.patience_s)
        for workflow in self._workflows.values():
            application.site.plugins.add(workflow, workflow.name)

    def wait_for_jobs(self) -> None:
        """Wait until no job is under way, and what goes on by itself afterwards has begun."""
        jobs = self.application.site.engine.background.jobs
        if isinstance(jobs, LocalJobs):
            self._running[-1].loop.call(jobs.idle(), self.patience_s)

    # Apps

    @property
    def application(self) -> Application:
        """The application itself; its parts can change with any version of Pipulate."""
        self._refuse_closed()
        return self._running[-1].application

    @property
    def apps(self) -> tuple[str, ...]:
        """The stored names of the apps there are."""
        return tuple(self.application.site.plugins.table.by_app) if self._running and self._closes.alive else ()

    @property
    def store(self) -> Store:
        """What is stored."""
        return Store(self)

    def install(self, workflow: Workflow) -> None:
        """Add an app; one that is there under this name already makes room.

        Raises:
            PlayError: If it has findings; lists all of them.
        """
        if self._workflows.get(workflow.name) is not workflow:
            self._workflows[workflow.name] = _checked(workflow)
            self.application.site.plugins.add(workflow, workflow.name)

    def play(self, app: Workflow | str, *, key: str = "") -> Play:
        """Begin a run of an app: a workflow, or the stored name of one that is there.

        Args:
            app: The app.
            key: The key of the run; the next free number where it is not given.
        """
        from pipulate.testing.starting import begin  # noqa: PLC0415 - both need each other

        if isinstance(app, Workflow):
            self.install(app)
            return begin(self, app.name, key)
        if app not in self.apps:
            raise PlayError(f"There is no app {app!r} here; there is {', '.join(map(repr, self.apps)) or 'none'}.")
        return begin(self, app, key)

    # What everything goes through

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the application's event loop and return what it returns."""
        try:
            self._refuse_closed()
        except PlayError:
            work.close()
            raise
        return self._running[-1].loop.call(work, self.patience_s)

    def send(
        self, method: str, address: str, body: bytes = b"", headers: Mapping[str, str] | None = None, *, tab: str = ""
    ) -> Answer:
        """Send any request as one of our own pages would, with the cookie that lets it in; follow redirects."""
        capability = self.application.capability
        sent = {"cookie": f"{capability.cookie}={capability.secret}", **({"x-pipulate-tab": tab} if tab else {})}
        return self.call(request(self.application.asgi, method, address, {**sent, **(headers or {})}, body))

    def new_tab(self) -> str:
        """Return the id of a browser tab that has not been open before."""
        return uuid4().hex

    def logged_error(self, text: str) -> BaseException | None:
        """Return the exception whose id stands in a text of a page, or None."""
        with suppress(IndexError):
            return self._running[-1].log.error_named_in(text)
        return None

    def _refuse_closed(self) -> None:
        if not self._running or not self._closes.alive:
            raise PlayError("This application was closed; begin a new one.")


def _checked(workflow: Workflow) -> Workflow:
    findings = [each for each in workflow.prepare() if not each.is_warning]
    if findings:
        raise PlayError(listed(f"App {workflow.name!r} cannot be used:", findings))
    return workflow


def listed(head: str, findings: Iterable[Finding]) -> str:
    """Return findings as lines below a first one, with code, file and line."""
    return "\n".join([head, *(f"  {each.code} {each.message} ({each.file}:{each.line})" for each in findings)])
