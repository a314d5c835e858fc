"""The databases that plugins open: whatever path they name, it is our store, with its history and its backups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from pipulate.explicit.elements import NotFoundError
from pipulate.explicit.keeping import Store
from pipulate.explicit.table import Table
from pipulate.storage import profiles
from pipulate.storage.database import Database
from pipulate.storage.records import catalog


class Tables:
    """The database that a plugin opens, whatever path it names: `t` has its tables by name."""

    def __init__(self, store: Store, others: Callable[[], Mapping[str, Any]] = dict) -> None:
        """Wire it up; `others` returns what has a name of its own among the tables."""
        self._store, self._others = store, others
        self._made: dict[str, Table] = {}
        self.t = _ByName(self)

    def __getitem__(self, name: str) -> Any:
        name = "profiles" if name == "profile" else name
        others = self._others()
        if name in others:
            return others[name]
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


class ReadOnlyProfiles:
    """The profiles as rows, where they are no records: they can be looked at, and are changed on their own page."""

    name = "profiles"

    def __init__(self, db: Database) -> None:
        """Wire it up."""
        self._db = db

    def __call__(
        self, where: str | None = None, order_by: str | None = None, limit: int | None = None, **_: Any
    ) -> list[Any]:
        """Return them in their order."""
        if where is not None or order_by not in (None, "id", "priority"):
            raise NotImplementedError("Profiles take no conditions here, and no order but id.")
        found = self._db.read_now(profiles.listed)
        return [
            SimpleNamespace(id=at + 1, name=each.name, real_name="", address="", code="", active=1, priority=at)
            for at, each in enumerate(found)
        ][:limit]

    def get(self, pk_values: Any, *default: Any) -> Any:
        """Return one by its number."""
        found = next((each for each in self() if str(each.id) == str(pk_values)), None)
        if found is None and not default:
            raise NotFoundError(f"There is no profile {pk_values!r}.")
        return found if found is not None else default[0]

    def __getitem__(self, pk_values: Any) -> Any:
        return self.get(pk_values)

    def __contains__(self, pk_values: Any) -> bool:
        return self.get(pk_values, None) is not None

    def xtra(self, **_: Any) -> None:
        """Show all of them, whatever is asked."""

    def insert(self, *_: Any, **__: Any) -> Any:
        """Refuse."""
        raise NotImplementedError("Profiles are added and renamed in the profile menu.")

    update = delete = upsert = insert
