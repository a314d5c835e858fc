"""The addresses a class-style plugin registers, in a table of its own, and how a handler gets its arguments."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Handler = Callable[..., Any]
_BRACES = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)(?::([a-z]+))?\}")
_KINDS = {"int": "[0-9]+", "path": ".+", "float": r"[0-9]+(?:\.[0-9]+)?"}
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
    """The `app` and the `rt` of a plugin: takes down what it registers."""

    def __init__(self) -> None:
        self.table: list[PluginRoute] = []

    def route(self, path: str, methods: Sequence[str] | str | None = None, **_: Any) -> Callable[[Handler], Handler]:
        """Register a handler; without methods it answers GET and POST."""
        named = [methods] if isinstance(methods, str) else methods or ("GET", "POST")

        def register(handler: Handler) -> Handler:
            every = frozenset(name.upper() for name in named)
            self.table.append(PluginRoute(path, _pattern(path), every, handler))
            return handler

        return register

    __call__ = route

    def get(self, path: str, **_: Any) -> Callable[[Handler], Handler]:
        """Register a handler for GET."""
        return self.route(path, ["GET"])

    def post(self, path: str, **_: Any) -> Callable[[Handler], Handler]:
        """Register a handler for POST."""
        return self.route(path, ["POST"])

    def put(self, path: str, **_: Any) -> Callable[[Handler], Handler]:
        """Register a handler for PUT."""
        return self.route(path, ["PUT"])

    def delete(self, path: str, **_: Any) -> Callable[[Handler], Handler]:
        """Register a handler for DELETE."""
        return self.route(path, ["DELETE"])

    def add_route(self, path: str, handler: Handler, methods: Sequence[str] | None = None, **_: Any) -> None:
        """Register a handler without a decorator."""
        self.route(path, methods)(handler)


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
