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
_OURS = "fastlite"
_DB_FILENAME = "data/data.db"  # A path to hand on to `fastlite.database`, which takes any for our store.
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

    @property
    def tables(self) -> Any:
        """The tables of plugins."""

    def database(self, *_: Any, **__: Any) -> Any:
        """Return the tables of plugins for one of them."""


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


class _First(_Made):
    """As `_Made`, before whatever else has the name: a second database beside ours would be in no backup."""


def _to_xml(element: Any, *_: Any, **__: Any) -> str:
    """Return elements as HTML: what a plugin answers as text is written as safely as what it answers as elements."""
    from pipulate.explicit import markup  # noqa: PLC0415 - as below
    from pipulate.explicit.context import current  # noqa: PLC0415

    now = current()
    return markup.render(element, nonce=now.nonce if now else "", top_level_str_is_markup=False)


def _complete(module: ModuleType, more: Names) -> None:
    from pipulate.explicit import elements  # noqa: PLC0415 - FastHTML is imported by this module alone

    for name in _ADDED:
        vars(module).setdefault(name, getattr(elements, name))
    vars(module)["to_xml"] = _to_xml
    vars(module).update(more())


class _Completing(MetaPathFinder, Loader):
    """Adds to FastHTML's star import what later versions of it left out."""

    def __init__(self, more: Names) -> None:
        self._loader: Loader | None = None
        self._more = more

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
        _complete(module, self._more)


def offer(modules: dict[str, Names], more: Names = dict) -> Callable[[], None]:
    """Make modules importable, and put more names into that of FastHTML; call what comes back to take them away."""
    made, completing = _Made({name: each for name, each in modules.items() if name != _OURS}), _Completing(more)
    first = _First({name: each for name, each in modules.items() if name == _OURS})
    # Last: whoever has a module of that name means that one. Of several programs in one process the newest counts.
    others = [index for index, finder in enumerate(sys.meta_path) if type(finder) is _Made]
    sys.meta_path.insert(others[0] if others else len(sys.meta_path), made)
    for name in modules:
        if isinstance(getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None), _Made):
            del sys.modules[name]
    sys.meta_path[:0] = [completing, first]
    if "fasthtml.common" in sys.modules:
        _complete(sys.modules["fasthtml.common"], more)

    def withdraw() -> None:
        for finder in (made, first, completing):
            if finder in sys.meta_path:
                sys.meta_path.remove(finder)
        for name in modules:
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "loader", None) in (made, first):
                del sys.modules[name]

    return withdraw


def _crud(made: Parts) -> dict[str, Any]:
    from pipulate.explicit.crud import BaseCrud  # noqa: PLC0415 - imports FastHTML

    return {
        "Step": _Step,
        "VALID_ROLES": {"user", "assistant", "system"},
        "BaseCrud": BaseCrud,
        "BaseApp": BaseCrud,
        "check_ollama_availability": made.pip.has_model,
        "WorkflowUtilities": later("WorkflowUtilities"),
        "handle_api_errors": later("handle_api_errors"),
        "handle_workflow_errors": later("handle_workflow_errors"),
        "with_workflow_context": later("with_workflow_context"),
    }


def _server(made: Parts) -> dict[str, Any]:
    from loguru import logger  # noqa: PLC0415 - for plugins only

    from pipulate.explicit.keyed import DictLikeDB  # noqa: PLC0415 - imports FastHTML

    def table(name: str) -> Any:
        """Return a table that the old host made, made where it is not there yet."""
        if name == "tasks":
            return made.tables.t.tasks.create(id=int, text=str, done=bool, priority=int, profile_id=int)
        if name == "roles":
            return made.tables.t.roles.create()
        if name in ("profiles", "pipeline"):
            return made.tables[name]
        raise AttributeError(f"module 'server' has no attribute {name!r}")

    return {
        "__getattr__": table,
        **_crud(made),
        "APP_NAME": "Pipulate",
        "MODEL": "",
        "DB_FILENAME": _DB_FILENAME,
        "DictLikeDB": DictLikeDB,
        "chatq": made.pip.chatq,
        "clear_critical_operation_flag": lambda *_: None,
        "is_critical_operation_in_progress": lambda *_: False,
        "set_critical_operation_flag": lambda *_: None,
        "append_to_conversation": lambda message, role="system", *_: made.pip.append_to_history(message, role),
        "db": made.pip.db,
        "get_current_profile_id": lambda: made.pip.get_plugin_context()["profile_id"],
        "get_db_filename": lambda: _DB_FILENAME,
        "get_profile_name": lambda: made.pip.get_plugin_context()["profile_name"],
        "logger": logger,
        "pipulate": made.pip,
        "plugin_instances": made.pip.plugins,
        "restart_server": later("restart_server"),
        "rt": made.rt,
        "stream_chat": made.pip.stream_chat,
        "title_name": lambda text: str(text).replace("_", " ").title(),
    }


def _fastlite(made: Parts) -> dict[str, Any]:
    from pipulate.explicit.elements import NotFoundError  # noqa: PLC0415 - imports FastHTML
    from pipulate.explicit.own_tables import Tables  # noqa: PLC0415 - as above
    from pipulate.explicit.table import Table  # noqa: PLC0415 - as above

    return {"Database": Tables, "NotFoundError": NotFoundError, "Table": Table, "database": made.database}


def for_fasthtml(parts: Callable[[], Parts]) -> dict[str, Any]:
    """Return what FastHTML's star import has besides: tables in our store, and no second application."""
    from pipulate.explicit.fast import fast_app_of  # noqa: PLC0415 - for plugins only

    return {"database": lambda *_, **__: parts().database(), "fast_app": fast_app_of(parts)}


def old_host(parts: Callable[[], Parts]) -> dict[str, Names]:
    """Return the modules of the old host, by name; `parts` makes what is behind them when one is imported."""
    return {
        "server": lambda: _server(parts()),
        "common": lambda: _server(parts()),
        "crud": lambda: _crud(parts()),
        "config": lambda: {"APP_NAME": "Pipulate", "MODEL": "", "COLOR_MAP": {}},
        "imports": dict,
        "imports.crud": lambda: _crud(parts()),
        "fastlite": lambda: _fastlite(parts()),
        "tools": dict,
        "tools.mcp_tools": lambda: {"__getattr__": _any_later},
    }
