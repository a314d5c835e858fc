"""The modules that class-style plugins import from their old host, under the names they had there.

A module that is really there wins. What is not served can be imported all the same, and says so when it is used.
"""

from __future__ import annotations

import sys
from collections import namedtuple
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Protocol

Names = Callable[[], dict[str, Any]]
_ADDED = ("Card", "Container", "Grid", "Group", "NotFoundError")


_Step = namedtuple("_Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))
_Step.__module__, _Step.__name__ = "imports.crud", "Step"  # The module tells plugins of the later generation.


class Parts(Protocol):
    """What stands behind the old host's names."""

    @property
    def pip(self) -> Any:
        """The `pip` object."""

    @property
    def rt(self) -> Any:
        """Takes the routes a plugin registers outside its class."""


class Later:
    """Stands for something of the old host that is not served; says so when it is called or made."""

    def __init__(self, *_: Any, **__: Any) -> None:
        kind = type(self).__name__
        raise NotImplementedError(f"{kind} of the old host is not served by Pipulate yet, and this plugin needs it")


def _any_later(name: str) -> type[Later]:
    if name.startswith("__"):  # What Python itself looks for in a module.
        raise AttributeError(name)
    return later(name)


def later(name: str) -> type[Later]:
    """Return a stand-in of a name."""
    return type(name, (Later,), {"__doc__": f"{name} is not served yet."})


class _Made(MetaPathFinder, Loader):
    """Makes the old host's modules where nothing else has their name."""

    def __init__(self, modules: dict[str, Names]) -> None:
        self.modules = modules

    def find_spec(self, name: str, _path: Sequence[str] | None = None, _target: Any = None) -> ModuleSpec | None:
        if name not in self.modules:
            return None
        return ModuleSpec(name, self, is_package=any(each.startswith(f"{name}.") for each in self.modules))

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self.modules[module.__name__]())


def _to_xml(element: Any, *_: Any, **__: Any) -> str:
    """Return elements as HTML: what a plugin answers as text is written as safely as what it answers as elements."""
    from pipulate.explicit import markup  # noqa: PLC0415 - as below
    from pipulate.explicit.context import current  # noqa: PLC0415

    now = current()
    return markup.render(element, nonce=now.nonce if now else "", top_level_str_is_markup=False)


def _complete(module: ModuleType) -> None:
    from pipulate.explicit import elements  # noqa: PLC0415 - FastHTML is imported by this module alone

    for name in _ADDED:
        vars(module).setdefault(name, getattr(elements, name))
    vars(module)["to_xml"] = _to_xml


class _Completing(MetaPathFinder, Loader):
    """Adds to FastHTML's star import what later versions of it left out."""

    def __init__(self) -> None:
        self._loader: Loader | None = None

    def find_spec(self, name: str, path: Sequence[str] | None = None, _target: Any = None) -> ModuleSpec | None:
        if name != "fasthtml.common":
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return None
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec) if self._loader is not None else None

    def exec_module(self, module: ModuleType) -> None:
        if self._loader is not None:
            self._loader.exec_module(module)
        _complete(module)


def offer(modules: dict[str, Names]) -> Callable[[], None]:
    """Make modules importable; call what comes back to take them away again."""
    made, completing = _Made(modules), _Completing()
    # Last: whoever has a module of that name means that one. Of several programs in one process the newest counts.
    others = [index for index, finder in enumerate(sys.meta_path) if isinstance(finder, _Made)]
    sys.meta_path.insert(others[0] if others else len(sys.meta_path), made)
    for name in modules:
        if isinstance(getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None), _Made):
            del sys.modules[name]
    sys.meta_path.insert(0, completing)
    if "fasthtml.common" in sys.modules:
        _complete(sys.modules["fasthtml.common"])

    def withdraw() -> None:
        for finder in (made, completing):
            if finder in sys.meta_path:
                sys.meta_path.remove(finder)
        for name in modules:
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None) is made:
                del sys.modules[name]

    return withdraw


def _crud() -> dict[str, Any]:
    return {
        "Step": _Step,
        "VALID_ROLES": {"user", "assistant", "system"},
        "BaseCrud": later("BaseCrud"),
        "BaseApp": later("BaseApp"),
        "check_ollama_availability": lambda: False,
        "WorkflowUtilities": later("WorkflowUtilities"),
        "handle_api_errors": later("handle_api_errors"),
        "handle_workflow_errors": later("handle_workflow_errors"),
        "with_workflow_context": later("with_workflow_context"),
    }


def _server(made: Parts) -> dict[str, Any]:
    from loguru import logger  # noqa: PLC0415 - for plugins only

    return {
        **_crud(),
        "APP_NAME": "Pipulate",
        "MODEL": "",
        "DB_FILENAME": "",
        "DictLikeDB": type(made.pip.db),
        "clear_critical_operation_flag": lambda *_: None,
        "is_critical_operation_in_progress": lambda *_: False,
        "set_critical_operation_flag": lambda *_: None,
        "append_to_conversation": lambda message, role="system", *_: made.pip.append_to_history(message, role),
        "db": made.pip.db,
        "get_current_profile_id": lambda: made.pip.get_plugin_context()["profile_id"],
        "get_db_filename": lambda: "",
        "get_profile_name": lambda: made.pip.get_plugin_context()["profile_name"],
        "logger": logger,
        "pipulate": made.pip,
        "plugin_instances": made.pip.plugins,
        "restart_server": later("restart_server"),
        "rt": made.rt,
        "title_name": lambda text: str(text).replace("_", " ").title(),
    }


def _fastlite() -> dict[str, Any]:
    from pipulate.explicit.elements import NotFoundError  # noqa: PLC0415 - imports FastHTML

    return {"database": later("database"), "NotFoundError": NotFoundError}


def old_host(parts: Callable[[], Parts]) -> dict[str, Names]:
    """Return the modules of the old host, by name; `parts` makes what is behind them when one is imported."""
    return {
        "server": lambda: _server(parts()),
        "common": lambda: _server(parts()),
        "crud": _crud,
        "config": lambda: {"APP_NAME": "Pipulate", "MODEL": "", "COLOR_MAP": {}},
        "imports": dict,
        "imports.crud": _crud,
        "fastlite": _fastlite,
        "tools": dict,
        "tools.mcp_tools": lambda: {"__getattr__": _any_later},
    }
