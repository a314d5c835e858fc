"""The records of other apps, for the code of authors: by the names of their tables, on a thread that may wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_jsonable_python

from pipulate import forms
from pipulate.crud.fitting import in_words
from pipulate.crud.resource import Resource
from pipulate.errors import TableDiffersError, UnknownTableError
from pipulate.fields.files import File
from pipulate.storage.database import Database, Transaction
from pipulate.storage.records import catalog, queries, rows
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.rows import Record

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
"""A record as authors read it: its fields with their types, and `id` and `profile`."""

_OWN: Final = ("id", "profile")
_MOMENTS: Final = frozenset({"date", "datetime", "moment"})
_ALL: Final = 2**62


class Tables:
    """The tables of records there are: `tables["tasks"]`.

    Of a table whose records belong to profiles, those of the chosen profile are read; `of` and `all_profiles` read
    others. Reading waits for the store, so an `async` function calls it on a thread (`asyncio.to_thread`).
    """

    def __init__(self, db: Database, resources: Callable[[], Mapping[str, Resource[Any]]], profile: str | None) -> None:
        """Wire it up.

        Args:
            db: The store.
            resources: Returns the resources that are installed now, by name.
            profile: Id of the profile whose records are read, or None for all.
        """
        self._db, self._resources, self._profile = db, resources, profile

    def __getitem__(self, name: str) -> Rows:
        """Return a table.

        Raises:
            UnknownTableError: If no app declares one of that name.
        """
        found = self._resources().get(name)
        if found is None:
            there = ", ".join(map(repr, self.names)) or "none"
            raise UnknownTableError(f"There is no table of records {name!r}; there are: {there}.")
        return Rows(self._db, found, Query(profile=self._profile if found.per_profile else None))

    def __contains__(self, name: object) -> bool:
        return name in self._resources()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all tables, sorted."""
        return tuple(sorted(self._resources()))

    def of(self, profile: str) -> Tables:
        """Return the same tables with the records of another profile, by its id."""
        return Tables(self._db, self._resources, profile)

    @property
    def all_profiles(self) -> Tables:
        """The same tables with the records of all profiles."""
        return Tables(self._db, self._resources, None)


class Rows:
    """Records of one table, in the order people gave them. Each reading looks anew; the bin is left out."""

    def __init__(self, db: Database, resource: Resource[Any], query: Query) -> None:
        self._db, self._resource, self._query = db, resource, query

    def __repr__(self) -> str:
        return f"<Rows of {self._resource.name!r}>"

    def __iter__(self) -> Iterator[Row]:
        return iter([self._row(each) for each in self._db.read_now(_records, self._resource, self._query)])

    def __len__(self) -> int:
        return self._db.read_now(_count, self._resource, self._query)

    def find(self, record: int) -> Row | None:
        """Return a record by its number; None where there is none here."""
        if self._query.conditions:
            return next((row for row in self if row["id"] == record), None)
        found = self._db.read_now(_one, self._resource, record, self._query.profile)
        return self._row(found) if found is not None else None

    def where(self, **fields: Any) -> Rows:
        """Return those whose fields have these values; of a list, one of them; None finds those without a value.

        Raises:
            ValueError: If the table has no such field.
        """
        known = self._resource.shape.by_name
        if unknown := [name for name in fields if name not in known]:
            raise ValueError(f"{self._resource.name!r} has no field {unknown[0]!r}; it has: {', '.join(known)}.")
        asked = tuple(_condition(name, _plain(value)) for name, value in fields.items())
        query = replace(self._query, conditions=(*self._query.conditions, *asked))
        return Rows(self._db, self._resource, query)

    def frame(self) -> pd.DataFrame:
        """Return them as a DataFrame: `id`, `profile`, and the fields; dates as dates of pandas.

        Raises:
            ImportError: If pandas is not installed.
        """
        import pandas as pd  # noqa: PLC0415 - an extra

        fields = self._resource.fields
        frame = pd.DataFrame(list(self), columns=[*_OWN, *(each.name for each in fields)])
        for each in fields:
            if each.kind in _MOMENTS and each.widget != "lines":
                frame[each.name] = pd.to_datetime(frame[each.name], errors="coerce", utc=each.kind == "moment")
        return frame

    def _row(self, record: Record) -> Row:
        values = forms.typed(self._resource, record.values, self._resource.files)
        return {"id": record.id, "profile": record.profile, **values}


def _plain(value: Any) -> Any:
    return value.named() if isinstance(value, File) else to_jsonable_python(value)


def _condition(field: str, value: Any) -> Condition:
    if value is None:
        return Condition(field, "empty")
    return Condition(field, "any", value) if isinstance(value, list) else Condition(field, "is", value)


def _records(tx: Transaction, resource: Resource[Any], query: Query) -> list[Record]:
    return queries.page(tx, resource.shape, query, limit=_ALL) if _is_there(tx, resource) else []


def _count(tx: Transaction, resource: Resource[Any], query: Query) -> int:
    return queries.count(tx, resource.shape, query) if _is_there(tx, resource) else 0


def _one(tx: Transaction, resource: Resource[Any], record: int, profile: str | None) -> Record | None:
    if not _is_there(tx, resource):
        return None
    return next(iter(rows.find_all(tx, resource.shape, [record], profile=profile)), None)


def _is_there(tx: Transaction, resource: Resource[Any]) -> bool:
    """Tell whether a table was made; it is when the first record comes.

    Raises:
        TableDiffersError: If it has other fields than the resource declares.
    """
    stored = catalog.stored(tx, resource.name)
    if stored is not None and (difference := catalog.difference(stored, resource.shape)):
        raise TableDiffersError(resource.name, in_words(difference))
    return stored is not None
