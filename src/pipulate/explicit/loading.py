"""From a module to a class-style app: which class, what it is handed, what it registers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pipulate.explicit import keys
from pipulate.explicit.routes import PluginRoute, Routes, bind
from pipulate.explicit.training import training_of
from pipulate.findings import Finding
from pipulate.tools.training import too_long

_IDENTITY = ("NAME", "APP_NAME", "DISPLAY_NAME", "name", "app_name", "display_name")


@dataclass(frozen=True, slots=True)
class StepTitle:
    """What people call a step."""

    title: str


@dataclass(frozen=True, slots=True)
class ExplicitApp:
    """A class-style plugin, ready to be used.

    Attributes:
        name: APP_NAME, under which its runs are stored.
        title, description: What people read.
        module: Its page address.
        instance: The plugin.
        registered: What it registers with.
    """

    name: str
    title: str
    description: str
    module: str
    instance: Any
    registered: Routes

    @property
    def routes(self) -> Sequence[PluginRoute]:
        """What it has registered so far, in order."""
        return self.registered.table

    def look(self, path: Path) -> Iterator[Finding]:
        """Yield what is wrong with it and keeps nobody from using it; `path` is that of its file."""
        yield from too_long(training_of(self.instance), (str(path), 1))

    @property
    def steps(self) -> Sequence[Any]:
        """Its steps; none where it is no workflow."""
        return tuple(getattr(self.instance, "steps", None) or ())

    def find(self, name: str) -> StepTitle | None:
        """Return what people call a step, or None where there is none of that name."""
        step = next((each for each in self.steps if each.id == name), None)
        return StepTitle(str(getattr(step, "show", name))) if step is not None else None


def plugin_class(module: ModuleType) -> type | None:
    """Return the plugin class of a module: the first, by name, that has a landing page and a name."""
    for _, member in sorted(vars(module).items()):
        if inspect.isclass(member) and hasattr(member, "landing") and any(hasattr(member, name) for name in _IDENTITY):
            return member
    return None


def construct(kind: type, module: str, parts: Mapping[str, Any], routes: Routes) -> ExplicitApp:
    """Make a plugin and take down what it registers.

    Args:
        kind: Its class.
        module: Its page address.
        parts: Parameter name -> what is handed in under it.
        routes: What it registers with.

    Raises:
        TypeError: If it asks for something nobody can hand in.
        Exception: Whatever its constructor raises.
    """
    given = {"app": routes, **parts}
    wanted: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:  # type: ignore[misc]
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name in given:
            wanted[name] = given[name]
        elif parameter.default is parameter.empty:
            raise TypeError(f"__init__ asks for {name!r}, which Pipulate does not hand in")
    instance: Any = kind(**wanted)
    instance.name = module
    if not getattr(instance, "DISPLAY_NAME", None):
        instance.DISPLAY_NAME = keys.display_name(instance)
    register = getattr(instance, "register_routes", None)
    if callable(register):
        register(routes)
    bind(routes.table, instance)
    return ExplicitApp(
        keys.app_name(instance), keys.display_name(instance), _description(instance), module, instance, routes,
    )  # fmt: skip


def _description(instance: Any) -> str:
    own = getattr(instance, "get_endpoint_message", None)
    text = own() if callable(own) else getattr(instance, "ENDPOINT_MESSAGE", "")
    return " ".join(str(text or "").split())[:300]
