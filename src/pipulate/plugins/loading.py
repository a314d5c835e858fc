"""Runs the code of a plugin file, and says what is wrong with it where it fails."""

from __future__ import annotations

import linecache
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from pipulate._program import installing
from pipulate.crud import roles
from pipulate.crud.resource import Resource
from pipulate.findings import Finding
from pipulate.plugins.files import PluginFile
from pipulate.reports.report import Report
from pipulate.workflows.definition import Workflow

PACKAGE = "plugins"
IN_BOX = "pipulate.builtin"


class App(Protocol):
    """What a plugin file declares: a workflow, a table of records, a report, or a class in the explicit style."""

    @property
    def name(self) -> str:
        """The name its runs are stored under."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def description(self) -> str:
        """What it does, in a sentence."""


Declared = Workflow | Resource[Any] | Report
_KINDS = (Workflow, Resource, Report)


class ClassApp(App, Protocol):
    """A class in the explicit style."""

    def look(self, path: Path) -> Iterable[Finding]:
        """Yield what is wrong with it and keeps nobody from using it; `path` is that of its file."""


ReadClass = Callable[[ModuleType, str], ClassApp | None]
"""Makes the app of a module that declares a class, for its page address; None where it declares none."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of running a plugin file.

    Attributes:
        app: Its app, or None.
        findings: Everything that is wrong; the app is usable only where there are none but warnings.
        roles: The roles it names.
    """

    app: App | None
    findings: tuple[Finding, ...] = field(default=())
    roles: tuple[str, ...] = ()


def prepare_folder(folder: Path) -> None:
    """Make the files of a folder importable as `plugins.<file>`, and its helper modules by their plain name."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # At the end: a plugin must not stand in for a library.


def load(file: PluginFile, read_class: ReadClass | None = None) -> Loaded:
    """Run a plugin file beside the version that is in use, and check what it declares.

    Whatever it raises, SystemExit and KeyboardInterrupt included, becomes a finding; so does whatever looking at what
    it declares raises.
    """
    name = f"{IN_BOX if file.is_in_box else PACKAGE}.{file.path.stem}"
    module, before = _module(name, file.path), sys.modules.get(name)
    sys.modules[name] = module
    try:
        _run(module, file.path)
        named = roles.of_module(vars(module).get("ROLES"))
        return replace(_checked(module, file, read_class), roles=named)
    except BaseException as error:  # noqa: BLE001 - plugin border: a file can raise anything
        if sys.modules.get(name) is module:  # Else a newer version of the file has taken its place meanwhile.
            if before is not None:
                sys.modules[name] = before
            else:
                del sys.modules[name]
        return Loaded(None, (_why(error, file.path),))


def _module(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None  # noqa: S101 - the name ends in .py, so there is a loader
    module = module_from_spec(spec)
    module.__dict__["_original_filename"] = path.stem
    return module


def _run(module: ModuleType, path: Path) -> None:
    source = path.read_bytes()
    linecache.checkcache(str(path))
    # Compiled from the source each time: a cached compilation is trusted by time and size, and two quick saves of
    # equal length would run the old code.
    exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - running plugins is what this is for


def _checked(module: ModuleType, file: PluginFile, read_class: ReadClass | None) -> Loaded:
    apps = declared_in(module)
    if not apps and read_class is not None and (app := read_class(module, file.module)) is not None:
        return Loaded(app, tuple(app.look(file.path)))
    if not apps:
        message = (
            "This file declares no app. An app begins with: app = Workflow('name'), with table = Resource('name',"
            " Model), or with report = Report('name')."
        )
        return Loaded(None, (Finding("P004", message, str(file.path)),))
    first, *others = apps
    findings = first.prepare()
    if others:
        names = ", ".join(repr(each.name) for each in others)
        findings.append(Finding("P008", f"One file is one app; put {names} into a file of its own.", str(file.path)))
    return Loaded(first, tuple(findings))


def declared_in(module: ModuleType) -> list[Declared]:
    """Return the apps that a file made, each once, in the order of their making; not those it imports from another."""
    made = {id(each): each for each in vars(module).values() if isinstance(each, _KINDS)}
    return [each for each in made.values() if each.module in ("", module.__name__)]


def _why(error: BaseException, path: Path) -> Finding:
    if isinstance(error, OSError) and error.filename == str(path):
        return Finding("P007", f"The file cannot be read: {error.strerror}.", str(path))
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return Finding("P001", f"{type(error).__name__}: {error.msg}", str(path), error.lineno or 0)
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == str(path)]
    line = frames[-1].lineno or 0 if frames else 0
    text = _text_of(error).strip().splitlines()
    hint = ""
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f" Install it with: {installing(error.name)}"
    return Finding("P001", f"{type(error).__name__}: {text[0] if text else 'no message'}.{hint}", str(path), line)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - plugin border: an error of its own may have no text
        return ""


class Import:
    """A plugin file run on a thread of its own from `start` on, which can be looked at but not stopped."""

    def __init__(self, file: PluginFile, run: Callable[[PluginFile], Loaded] = load) -> None:
        self.file = file
        self.result: Loaded | None = None
        self._run = run
        self._done = threading.Event()
        self._callback: Callable[[Loaded], None] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=f"import {file.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; tell whether it came."""
        return self._done.wait(seconds)

    def when_done(self, callback: Callable[[Loaded], None]) -> None:
        """Call back at the end, on the import's own thread; at once where it has come already."""
        with self._lock:
            if self.result is None:
                self._callback = callback
                return
        callback(self.result)

    def hangs_on(self) -> int:
        """Return the line of the file that is running just now, or 0."""
        frame = sys._current_frames().get(self._thread.ident or 0)  # noqa: SLF001 - the documented way to look
        line = 0
        while frame is not None:
            if frame.f_code.co_filename == str(self.file.path):
                line = frame.f_lineno
                break
            frame = frame.f_back
        return line

    def _work(self) -> None:
        result = self._run(self.file)
        with self._lock:
            self.result = result
        try:
            if self._callback is not None:
                self._callback(result)
        finally:  # Whoever waited finds what came of it in its place.
            self._done.set()
