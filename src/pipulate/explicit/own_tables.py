"""The databases that plugins open: whatever path they name, it is our store, with its history and its backups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipulate.explicit.keeping import Store
from pipulate.explicit.table import Table
from pipulate.storage.records import catalog


class Tables:
    """The database that a plugin opens, whatever path it names: `t` has its tables by name."""

    def __init__(self, store: Store, others: Mapping[str, Any] | None = None) -> None:
        """Wire it up; `others` are those that are no tables of records, by their names."""
        self._store = store
        self._made: dict[str, Any] = dict(others or {})
        self.t = _ByName(self)

    def __getitem__(self, name: str) -> Any:
        name = "profiles" if name == "profile" else name
        if name not in self._made:
            self._made[name] = Table(self._store, name)
        return self._made[name]

    table = __getitem__

    def create(self, cls: type, name: str | None = None, pk: str | Sequence[str] = "id", **options: Any) -> Any:
        """Make the table that a class declares where it is not there yet; its rows are of that class."""
        words = "".join(f"_{each.lower()}" if each.isupper() else each for each in cls.__name__)
        table = self[name or words.lstrip("_")]
        table.create(cls, pk=pk, **options)
        return table

    def q(self, sql: str, *_: Any) -> list[Any]:
        """Refuse: a statement could reach any table."""
        raise NotImplementedError(
            f"Statements are not served ({sql[:40]!r}); use db.t.name(where, args, order_by=...)."
        )

    execute = query = q

    def names(self) -> list[str]:
        """Return the names of all tables of records there are."""
        return self._store.db.read_now(catalog.names)


class _ByName:
    """The tables by attribute or by name: `db.t.tasks`, `db.t["tasks"]`, `tasks in db.t`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._tables[name]

    def __getitem__(self, names: str | tuple[str, ...]) -> Any:
        return self._tables[names] if isinstance(names, str) else tuple(self._tables[each] for each in names)

    def __contains__(self, table: Any) -> bool:
        return (table if isinstance(table, str) else table.name) in self._tables.names()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._tables[name] for name in self._tables.names())
