"""A folder of plugins with a host on it, for tests that write files and look at what becomes of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from pipulate.plugins.host import Plugin, PluginHost

APP = """
from pipulate import Workflow
app = Workflow({name!r}, title={title!r})
@app.step("ask")
def ask(x: str) -> str:
    return {title!r} + x
"""


def app(name: str, title: str = "One") -> str:
    """Return the source of an app with one step, which puts the app's title before what it is given."""
    return APP.format(name=name, title=title)


class Gate(ModuleType):
    """A module that plugins import to wait for the test: `import gate; gate.wait()`."""

    def __init__(self) -> None:
        super().__init__("gate")
        self.go, self.begun = threading.Event(), threading.Event()

    def wait(self) -> None:
        """Wait until the test lets go."""
        self.begun.set()
        self.go.wait(30)


class Folder:
    """A folder of plugins, a folder of apps in the box, and a host."""

    def __init__(self, root: Path, gate: Gate, limit_s: float) -> None:
        self.user, self.box, self.memory = root / "user", root / "box", root / "memory"
        for each in (self.user, self.box, self.memory):
            each.mkdir(exist_ok=True)
        self.limit_s = limit_s
        self.changes: list[frozenset[str]] = []
        self.gate = gate
        self.host = self.another_host()

    def another_host(self) -> PluginHost:
        """Return a host as the next start of the program makes it."""
        return PluginHost(self.user, self.box, self.memory, limit_s=self.limit_s, changed=self.changes.append)

    def write(self, name: str, source: str | bytes) -> Path:
        """Write a file into the user's folder."""
        path = self.user / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return path

    def save(self, name: str, source: str | bytes) -> Plugin | None:
        """Write a file, take it up, and return what became of it."""
        self.host.refresh([self.write(name, source)])
        return self.find(name)

    def find(self, name: str) -> Plugin | None:
        """Return what became of a file, or None where it is not listed."""
        return next((each for each in self.host.table.plugins if each.file.name == name), None)

    def __getitem__(self, name: str) -> Plugin:
        found = self.find(name)
        assert found is not None, f"{name} is not listed"
        return found

    def codes(self, name: str) -> list[str]:
        """Return the codes of what is wrong with a file."""
        return [each.code for each in self[name].findings]

    def title(self, name: str) -> str | None:
        """Return the title of the app that is in use from a file."""
        workflow = self[name].workflow
        return workflow.title if workflow else None


@contextmanager
def folder_of_plugins(root: Path, limit_s: float = 20) -> Iterator[Folder]:
    """Yield a folder of plugins with a host on it."""
    with cleaned(root) as gate:
        yield Folder(root, gate, limit_s)


@contextmanager
def cleaned(root: Path) -> Iterator[Gate]:
    """Put the gate in place; afterwards let go of what waits at it, and forget what was imported from below `root`."""
    before, path, gate, writes = set(sys.modules), list(sys.path), Gate(), sys.dont_write_bytecode
    sys.modules["gate"] = gate
    sys.dont_write_bytecode = False  # As it is for people.
    try:
        yield gate
    finally:
        gate.go.set()
        for thread in threading.enumerate():
            if thread.name.startswith("import "):
                thread.join(20)
        sys.path[:], sys.dont_write_bytecode = path, writes
        for name in set(sys.modules) - before | {"gate"}:
            if name in ("gate", "plugins") or name.startswith("plugins.") or _is_below(root, sys.modules[name]):
                sys.modules.pop(name, None)


def _is_below(root: Path, module: ModuleType) -> bool:
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    return any(place.startswith(str(root)) for place in places)
