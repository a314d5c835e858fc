"""Keeps the apps of the plugin folder loaded, up to date, and apart from each other.

Files are imported on daemon threads, so neither a hanging nor a failing one keeps the server from answering. What is
in use is one immutable table, swapped as a whole: requests under way finish on the app they began with.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pipulate._log import get_logger
from pipulate.actions.own import NAMES
from pipulate.crud.resource import Resource
from pipulate.findings import Finding
from pipulate.plugins.files import PluginFile, fingerprint, is_plugin, ordered, scan
from pipulate.plugins.loading import PACKAGE, App, Import, Loaded, ReadClass, load, prepare_folder
from pipulate.reports.report import Report
from pipulate.workflows.definition import Workflow

State = Literal["loading", "loaded", "failed", "hanging", "skipped", "replaced"]

_NEXT_AFTER_S = 1.0  # A file that takes longer goes on importing while the next one begins.
_log = get_logger()


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin file and what became of it.

    Attributes:
        file: The file.
        state: Where it stands; `replaced` is an app in the box whose page address or name a file of the user has.
        app: The app in use, or None.
        findings: What is wrong with the file as it is now.
        roles: The roles of the app in use; it is in the menu where one of them is on.
        is_old: Whether the app in use comes from the version of the file before, because the new one fails or hangs.
    """

    file: PluginFile
    state: State = "loading"
    app: App | None = None
    findings: tuple[Finding, ...] = ()
    is_old: bool = False
    roles: tuple[str, ...] = ()

    @property
    def workflow(self) -> Workflow | None:
        """The app, where it is a workflow."""
        return self.app if isinstance(self.app, Workflow) else None

    @property
    def resource(self) -> Resource[Any] | None:
        """The app, where it is a table of records."""
        return self.app if isinstance(self.app, Resource) else None

    @property
    def report(self) -> Report | None:
        """The app, where it is a report."""
        return self.app if isinstance(self.app, Report) else None


@dataclass(frozen=True, slots=True)
class Table:
    """What is in use: replaced, never changed.

    Attributes:
        plugins: All files, in the order of the menu.
        by_module: Page address -> plugin, whether it has an app or not.
        by_app: Stored name of an app -> plugin.
    """

    plugins: tuple[Plugin, ...]
    by_module: Mapping[str, Plugin]
    by_app: Mapping[str, Plugin]


class PluginHost:
    """Loads and reloads the plugins of a folder and the apps in the box."""

    def __init__(
        self,
        folder: Path,
        in_box: Path,
        memory: Path,
        *,
        limit_s: float,
        changed: Callable[[frozenset[str]], None],
        read_class: ReadClass | None = None,
    ) -> None:
        """Prepare; nothing is imported before `start`.

        Args:
            folder: The user's plugins.
            in_box: The apps that came with the program.
            memory: Folder where it is noted which imports are under way, to know at the next start what killed us.
            limit_s: Seconds after which an import counts as hanging.
            read_class: Makes apps of classes in the explicit style; None where they are not served.
            changed: Told which page addresses changed, on any thread.
        """
        self.folder, self._in_box = folder.resolve(), in_box.resolve()
        self.table = Table((), {}, {})
        self._limit_s, self._changed, self._read_class = limit_s, changed, read_class
        self._lock = threading.RLock()
        self._found: dict[Path, Plugin] = {}
        self._imports: dict[Path, Import] = {}  # Until what they brought is in the table and was told.
        self._taken: list[tuple[Path, Import]] = []
        self._published = threading.Condition(self._lock)
        self._memory = _Memory(memory)
        self._ready = threading.Event()

    def start(self) -> None:
        """Begin to load everything, on a thread."""
        prepare_folder(self.folder)
        threading.Thread(target=self._load_all, name="plugins", daemon=True).start()

    def load_now(self) -> Table:
        """Load everything and return the table: for commands, which have nothing else to do."""
        prepare_folder(self.folder)
        self._load_all()
        for task in list(self._imports.values()):
            if not task.wait(self._limit_s):
                self._mark_hanging(task)
        return self.table

    def close(self) -> None:
        """Say that the program ends as it should, so that no import that is under way is taken for the cause."""
        self._memory.clear()

    def wait_ready(self, seconds: float) -> bool:
        """Wait until every file was at least begun; tell whether that is so."""
        return self._ready.wait(seconds)

    def wait_loaded(self, seconds: float) -> bool:
        """Wait until no import is under way and what was imported is in use; tell whether that is so."""
        ends = time.monotonic() + seconds
        if not self._ready.wait(seconds):
            return False
        if not self._imports or seconds <= 0:  # Without the lock, which is held while others are told.
            return not self._imports
        with self._published:
            return self._published.wait_for(lambda: not self._imports, max(0.0, ends - time.monotonic()))

    def add(self, app: App, module: str) -> None:
        """Take an app into use that no file of the folder declares; one added under this address before makes room.

        Args:
            app: The app, checked and without findings.
            module: Its page address, without the slash.
        """
        file = PluginFile(self.folder / f"{module}.py", module, None, is_in_box=False)
        self._put(file, Plugin(file, "loaded", app))
        self._publish({module})

    def refresh(self, paths: Iterable[Path]) -> None:
        """Take up changes of files: new, saved, removed. Waits for the imports, so it belongs on a thread."""
        changed = {path.resolve() for path in paths if path.suffix == ".py"}
        if not changed:
            return
        files = {file.path: file for file in self._scan()}
        helpers = {path for path in changed if path.parent != self.folder or not is_plugin(path.name)}
        purge_helpers(self.folder, {file.path for file in files.values()})
        for path in helpers:
            forget_compiled(path)
        importlib.invalidate_caches()
        wanted = set(files) if helpers else changed & set(files)
        with self._lock:
            gone = [path for path in self._found if path not in files]
            modules = {self._found.pop(path).file.module for path in gone}
            for path in gone:
                self._imports.pop(path, None)
                self._memory.end(path)
        for file in ordered(files[path] for path in wanted if not files[path].is_in_box):
            self._load(file)
            modules.add(file.module)
        self._publish(modules)

    def retry(self, name: str) -> bool:
        """Load one of the user's files again; tell whether there is one of that name."""
        file = next((each for each in self._scan() if each.name == name), None)
        if file is None:
            return False
        self._memory.forgive(file.path)
        importlib.invalidate_caches()
        self._load(file)
        self._publish({file.module})
        return True

    def _scan(self) -> list[PluginFile]:
        return ordered([*scan(self.folder), *scan(self._in_box, is_in_box=True)])

    def _load_all(self) -> None:
        files = self._scan()
        with self._lock:
            self._found = {file.path: Plugin(file) for file in files}
        self._rebuild()
        for file in files:
            self._load(file)
            self._rebuild()
        self._publish({file.module for file in files})
        self._ready.set()

    def _load(self, file: PluginFile) -> None:
        if self._memory.killed_by(file.path):
            message = (
                "The server died while it imported this file, so the file was skipped. Change the file, or press Try"
                " again."
            )
            self._put(file, Plugin(file, "skipped", findings=(Finding("P003", message, str(file.path)),)))
            return
        self._memory.begin(file.path)
        task = Import(file, partial(load, read_class=self._read_class))
        self._imports[file.path] = task  # First, so that nobody finds nothing under way once it is.
        task.start()
        if task.wait(min(self._limit_s, _NEXT_AFTER_S)):
            self._take(file, task)
            return
        with self._lock:
            old = self._found.get(file.path)
            self._found[file.path] = replace(old, file=file, state="loading") if old else Plugin(file)
        task.when_done(lambda _: self._take_late(file, task))
        waits = max(0.0, self._limit_s - _NEXT_AFTER_S)
        timer = threading.Timer(waits, self._mark_hanging, [task])
        timer.daemon = True
        timer.start()

    def _take(self, file: PluginFile, task: Import) -> None:
        assert task.result is not None  # noqa: S101 - called at the end of the import
        with self._lock:
            if self._imports.get(file.path) is not task:  # A newer version of the file is being imported.
                return
        self._memory.end(file.path)
        self._put(file, self._judge(file, task.result))
        with self._lock:
            self._taken.append((file.path, task))

    def _take_late(self, file: PluginFile, task: Import) -> None:
        self._take(file, task)
        self._publish({file.module})

    def _judge(self, file: PluginFile, loaded: Loaded) -> Plugin:
        with self._lock:
            old = self._found.get(file.path)
        if all(each.is_warning for each in loaded.findings):
            _log.info("plugin.loaded", file=file.name, app=loaded.app.name if loaded.app else None)
            for finding in loaded.findings:
                _log.warning("plugin.warned", file=file.name, code=finding.code, reason=finding.message)
            return Plugin(file, "loaded", loaded.app, loaded.findings, roles=loaded.roles)
        for finding in loaded.findings:
            _log.warning("plugin.failed", file=file.name, code=finding.code, line=finding.line, reason=finding.message)
        kept = old.app if old else None
        named = old.roles if old else ()
        return Plugin(file, "failed", kept, loaded.findings, is_old=kept is not None, roles=named)

    def _put(self, file: PluginFile, plugin: Plugin) -> None:
        with self._lock:
            self._found[file.path] = plugin

    def _mark_hanging(self, task: Import) -> None:
        path = task.file.path
        with self._lock:
            plugin = self._found.get(path)
            if plugin is None or self._imports.get(path) is not task or task.result is not None:
                return
            line = task.hangs_on()
            message = f"The import has not ended after {self._limit_s:g} s. It goes on; line {line} is running."
            finding = Finding("P002", message, str(path), line)
            self._found[path] = replace(plugin, state="hanging", findings=(finding,), is_old=plugin.app is not None)
        _log.warning("plugin.hangs", file=plugin.file.name, line=line)
        self._publish({plugin.file.module})

    def _publish(self, modules: Iterable[str]) -> None:
        with self._lock:  # Held to the end, so that of two who publish at once the later one has the last word.
            taken, self._taken = self._taken, []
            self._rebuild()
            self._changed(frozenset(modules))
            for path, task in taken:
                if self._imports.get(path) is task:
                    del self._imports[path]
            self._published.notify_all()

    def _rebuild(self) -> None:
        """Make the table anew: the user's files come before ours where two want the same address or name."""
        with self._lock:
            self.table = self._made_anew()

    def _made_anew(self) -> Table:
        plugins = [self._found[file.path] for file in ordered(each.file for each in self._found.values())]
        by_module: dict[str, Plugin] = {}
        by_app: dict[str, Plugin] = {}
        final: dict[Path, Plugin] = {}
        for plugin in sorted(plugins, key=lambda each: each.file.is_in_box):
            clash = self._clash(plugin, by_module, by_app)
            if clash is not None and plugin.file.is_in_box:
                final[plugin.file.path] = replace(plugin, state="replaced", app=None, findings=())
                continue
            if clash is not None:
                final[plugin.file.path] = replace(plugin, state="failed", app=None, findings=(*plugin.findings, clash))
                continue
            final[plugin.file.path] = plugin
            by_module[plugin.file.module] = plugin
            if plugin.app is not None:
                by_app[plugin.app.name] = plugin
        final = {each.file.path: each for each in with_action_clashes(final[plugin.file.path] for plugin in plugins)}
        by_module = {module: final[each.file.path] for module, each in by_module.items()}
        by_app = {name: final[each.file.path] for name, each in by_app.items()}
        return Table(tuple(final[plugin.file.path] for plugin in plugins), by_module, by_app)

    def _clash(self, plugin: Plugin, by_module: Mapping[str, Plugin], by_app: Mapping[str, Plugin]) -> Finding | None:
        file = plugin.file
        if (other := by_module.get(file.module)) is not None:
            message = f"{other.file.name} has the page address /{file.module} already. Rename one of the two files."
            return Finding("P005", message, str(file.path))
        if plugin.app is not None and (other := by_app.get(plugin.app.name)) is not None:
            message = (
                f"{other.file.name} declares an app named {plugin.app.name!r} already. The name is stored with"
                " every run, so two apps cannot share it."
            )
            return Finding("P006", message, str(file.path))
        return None


def with_action_clashes(plugins: Iterable[Plugin]) -> list[Plugin]:
    """Return plugins, those that bring an action whose name is taken with a finding; the first keeps the name."""
    taken, found = dict.fromkeys(NAMES, "Pipulate itself"), list[Plugin]()
    for plugin in plugins:
        app = plugin.workflow or plugin.resource or plugin.report
        clashes = [name for name in app.actions if name in taken] if app is not None else []
        said = tuple(
            Finding(
                "A004", f"{taken[name]} has an action {name!r} already, so the assistant is not offered this one. Give"
                " it another name.", str(plugin.file.path),
            )
            for name in clashes
        )  # fmt: skip
        found.append(replace(plugin, findings=(*plugin.findings, *said)) if said else plugin)
        taken |= {name: plugin.file.name for name in (app.actions if app is not None else ()) if name not in taken}
    return found


def purge_helpers(folder: Path, plugins: Iterable[Path]) -> None:
    """Forget modules that came from the folder but are no plugins, so that the next import reads them anew."""
    own = {str(path) for path in plugins}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if not path or path in own or not _was_imported_from(folder, name, Path(path)):
            continue
        del sys.modules[name]
        parent, _, child = name.rpartition(".")
        if hasattr(sys.modules.get(parent), child):
            delattr(sys.modules[parent], child)


def forget_compiled(path: Path) -> None:
    """Remove what Python keeps of a compiled module: it is trusted by size and second, and people save quicker."""
    with contextlib.suppress(OSError, NotImplementedError):
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _was_imported_from(folder: Path, name: str, path: Path) -> bool:
    """Tell whether a module was found by looking into the folder itself, not into an environment that lies in it."""
    if not path.is_relative_to(folder) or name.partition(".")[0] == "pipulate":
        return False
    parts = path.relative_to(folder).with_suffix("").parts
    dotted = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return name in (dotted, f"{PACKAGE}.{dotted}")


class _Memory:
    """Notes on the disk which imports are under way, so that the next start knows what the last one died of."""

    def __init__(self, folder: Path) -> None:
        self._under_way, self._skipped = folder / "importing.json", folder / "skipped.json"
        self._now: dict[str, str] = {}
        self._lock = threading.Lock()
        self._bad = self._read(self._skipped) | self._read(self._under_way)
        if self._bad:
            self._write(self._skipped, self._bad)
        self._under_way.unlink(missing_ok=True)

    def killed_by(self, path: Path) -> bool:
        mark = self._bad.get(str(path))
        return mark is not None and mark == fingerprint(path)

    def forgive(self, path: Path) -> None:
        if self._bad.pop(str(path), None) is not None:
            self._write(self._skipped, self._bad)

    def begin(self, path: Path) -> None:
        self.forgive(path)
        with self._lock:
            self._now[str(path)] = fingerprint(path)
            self._write(self._under_way, self._now)

    def end(self, path: Path) -> None:
        with self._lock:
            self._now.pop(str(path), None)
            if self._now:
                self._write(self._under_way, self._now)
            else:
                self._under_way.unlink(missing_ok=True)

    def clear(self) -> None:
        with self._lock:
            self._now.clear()
            self._under_way.unlink(missing_ok=True)

    def _read(self, path: Path) -> dict[str, str]:
        try:
            content = json.loads(path.read_text())
        except (OSError, ValueError):
            return {}
        return {str(name): str(mark) for name, mark in content.items()} if isinstance(content, dict) else {}

    def _write(self, path: Path, content: Mapping[str, str]) -> None:
        try:
            path.write_text(json.dumps(content))
        except OSError as error:  # A full disk must not keep the apps from loading.
            _log.warning("plugin.memory_failed", reason=str(error))
