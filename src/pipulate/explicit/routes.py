"""The addresses a class-style plugin registers, in a table of its own, and how a handler gets its arguments."""

from __future__ import annotations

import inspect
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

Handler = Callable[..., Any]
_BRACES = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-z]+))?\}")
_KINDS = {"int": "[0-9]+", "path": ".+", "float": r"[0-9]+(?:\.[0-9]+)?"}
_VERBS = frozenset({"get", "post", "put", "delete", "patch", "head", "options"})
_TRUE, _FALSE = frozenset({"1", "true", "on", "yes"}), frozenset({"0", "false", "off", "no", ""})


class BadRequestError(Exception):
    """What was sent does not fit what the handler asks for."""


@dataclass(frozen=True, slots=True)
class PluginRoute:
    """One address of a plugin: the path as it was registered, what matches it, and what answers."""

    path: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    handler: Handler


class Routes:
    """The `app` of a plugin: takes down what it registers, in order.

    What is registered again, by the same path, methods and name of the handler, takes the place of the former one: a
    plugin may register in a handler that is called often.
    """

    def __init__(self) -> None:
        self.table: list[PluginRoute] = []

    def route(self, path: str | Handler | None = None, methods: Sequence[str] | str | None = None, **_: Any) -> Any:
        """Register a handler.

        Without a path it gets its own name as path; without methods it answers to the method it is called by, such as
        `get`, else to GET and POST.
        """
        if callable(path):
            return self._taken(path, None, methods)
        return lambda handler: self._taken(handler, path, methods)

    __call__ = route

    def _taken(self, handler: Handler, path: str | None, methods: Sequence[str] | str | None) -> Handler:
        name = getattr(handler, "__name__", "")
        where = path if path is not None else f"/{'' if name == 'index' else name}"
        named = [methods] if isinstance(methods, str) else methods or ([name] if name in _VERBS else ("GET", "POST"))
        route = PluginRoute(where, _pattern(where), frozenset(each.upper() for each in named), handler)
        _take_down(self._table_for_now(), route)
        return handler

    def _table_for_now(self) -> list[PluginRoute]:
        return self.table

    def get(self, path: str, **_: Any) -> Any:
        """Register a handler for GET."""
        return self.route(path, ["GET"])

    def post(self, path: str, **_: Any) -> Any:
        """Register a handler for POST."""
        return self.route(path, ["POST"])

    def put(self, path: str, **_: Any) -> Any:
        """Register a handler for PUT."""
        return self.route(path, ["PUT"])

    def delete(self, path: str, **_: Any) -> Any:
        """Register a handler for DELETE."""
        return self.route(path, ["DELETE"])

    def add_route(self, path: str, handler: Handler, methods: Sequence[str] | None = None, **_: Any) -> None:
        """Register a handler without a decorator."""
        self.route(path, methods)(handler)


class SharedRoutes(Routes):
    """The one `rt` of the old host: what is registered with it belongs to the plugin that does it.

    That is the plugin whose file this thread imports, else the one whose handler runs.
    """

    def __init__(self, of_request: Callable[[], Routes | None]) -> None:
        """Wire it up; `of_request` returns what the plugin of this request registered with."""
        super().__init__()
        self._of_request = of_request
        self._local = threading.local()

    def _table_for_now(self) -> list[PluginRoute]:
        mine = self._of_request() or getattr(self._local, "routes", None)
        if mine is None:  # A file is being imported, and nobody knows yet whether it is a plugin.
            mine = self._local.routes = Routes()
        return mine.table

    @contextmanager
    def gathered(self) -> Iterator[Routes]:
        """Yield what was registered on this thread so far; until the end, more goes there too."""
        mine: Routes = getattr(self._local, "routes", None) or Routes()
        self._local.routes = mine
        try:
            yield mine
        finally:
            self._local.routes = None


def _take_down(table: list[PluginRoute], route: PluginRoute) -> None:
    for at, known in enumerate(table):
        if _identity(known) == _identity(route):
            table[at] = route
            return
    table.append(route)


def _identity(route: PluginRoute) -> tuple[str, frozenset[str], str]:
    return route.path, route.methods, getattr(route.handler, "__name__", "")


def bind(table: list[PluginRoute], instance: Any) -> None:
    """Hand a plugin to those of its methods that were registered while its class was being made."""
    for at, route in enumerate(table):
        name = getattr(route.handler, "__name__", "")
        if name and inspect.getattr_static(type(instance), name, None) is route.handler:
            table[at] = replace(route, handler=getattr(instance, name))


def find(table: Iterable[PluginRoute], method: str, path: str) -> tuple[PluginRoute, dict[str, str]] | None:
    """Return the first route for a path and a method, with what stands in its places, or None."""
    wanted = "GET" if method == "HEAD" else method
    for route in table:
        match = route.pattern.fullmatch(path)
        if match is not None and wanted in route.methods:
            return route, match.groupdict()
    return None


def arguments(handler: Handler, request: Any, given: Mapping[str, str], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a handler is called with, by the names of its parameters.

    The request goes to `request` or a beginning of that word; the rest is looked for in the path, the query and the
    form. Who asks is never taken from there.

    Raises:
        BadRequestError: If something the handler needs is missing or of another type.
    """
    found: dict[str, Any] = {}
    for name, parameter in inspect.signature(handler).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if "request".startswith(name) or getattr(parameter.annotation, "__name__", "") == "Request":
            found[name] = request
            continue
        text = given.get(name, request.query_params.get(name, form.get(name)))
        if text is not None:
            found[name] = _cast(name, text, parameter.annotation)
        elif parameter.default is parameter.empty:
            raise BadRequestError(f"{name} is missing.")
    return found


def _cast(name: str, value: Any, annotation: Any) -> Any:
    kind = annotation if isinstance(annotation, type) else {"int": int, "float": float, "bool": bool}.get(annotation)
    if not isinstance(value, str) or kind not in (int, float, bool):
        return value
    if kind is bool:
        folded = value.strip().lower()
        if folded not in _TRUE | _FALSE:
            raise BadRequestError(f"{name} is neither yes nor no.")
        return folded in _TRUE
    try:
        return kind(value)
    except ValueError as error:
        raise BadRequestError(f"{name} is not a number.") from error


def _pattern(path: str) -> re.Pattern[str]:
    out, at = "", 0
    for brace in _BRACES.finditer(path):
        out += re.escape(path[at : brace.start()]) + f"(?P<{brace[1]}>{_KINDS.get(brace[2] or '', '[^/]+')})"
        at = brace.end()
    return re.compile(out + re.escape(path[at:]))
