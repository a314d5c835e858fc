"""`fast_app` for plugins: tables in our store, and addresses that belong to the plugin; no second application."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Parts(Protocol):
    """What stands behind it."""

    @property
    def rt(self) -> Any:
        """Takes the routes a plugin registers outside its class."""

    @property
    def tables(self) -> Any:
        """The tables of plugins."""


def fast_app_of(parts: Callable[[], Parts]) -> Callable[..., tuple[Any, ...]]:
    """Return a `fast_app` that makes the tables it is given, and hands out the routes of the plugin."""

    def fast_app(
        db_file: str | None = None,  # noqa: ARG001 - there is one store
        render: Any = None,
        *args: Any,  # noqa: ARG001 - headers and the like; the page is ours
        tbls: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Any, ...]:
        """Return the application, what takes routes, and a table with the class of its rows for each that is named.

        A table is an option that is a dictionary of columns; columns given directly are those of `items`. Whatever else
        an application of FastHTML can be told means nothing here: page, scripts and session are the host's.
        """
        host = parts()
        wanted = {**(tbls or {}), **{name: each for name, each in options.items() if isinstance(each, dict)}}
        columns = {name: kind for name, kind in options.items() if inspect.isclass(kind)}
        if columns and not wanted:
            wanted = {"items": {**columns, "render": render, **({"pk": options["pk"]} if "pk" in options else {})}}
        made = [_table(host, name, columns) for name, columns in wanted.items()]
        return (host.rt, host.rt, *(made[0] if len(made) == 1 else made))

    return fast_app


def _table(host: Parts, name: str, columns: Mapping[str, Any]) -> tuple[Any, type]:
    declared = {column: kind for column, kind in columns.items() if column != "render"}
    table = host.tables.t[name].create(**declared)
    kind = table.dataclass()
    if columns.get("render") is not None:
        kind.__ft__ = columns["render"]
    return table, kind
