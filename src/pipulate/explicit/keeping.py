"""What tables of plugins stand on: the store, what the host's own tables have besides, and how a table is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.crud import fitting, roles
from pipulate.errors import RecordRefusedError, TableDiffersError
from pipulate.events import RecordsChanged
from pipulate.storage.database import Database, Transaction
from pipulate.storage.profiles import DEFAULT_ID
from pipulate.storage.records import catalog
from pipulate.storage.records.conditions import ConditionError
from pipulate.storage.records.shape import Column, Shape

PREFIX: Final = "plugin_"
"""What the stored names of plugins' own tables begin with, so that none takes the place of a declared app's."""


class NoTableError(LookupError):
    """A plugin asked for a table that nobody has made."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no table {name!r} yet. Make it: db.t.{name}.create(id=int, text=str, pk='id').")


@dataclass(frozen=True, slots=True)
class Given:
    """What a table of the host has that a plugin's own has not.

    Attributes:
        position: Name under which its order is a number, counted from 0; setting it moves the row.
        chosen: Name that always is the number of the chosen profile; setting it does nothing.
        filled: Hidden column -> what makes its value for a new row.
        instead: Column -> what it holds where nothing is given.
    """

    position: str = ""
    chosen: str = ""
    filled: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    instead: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """The names that are worked out."""
        return frozenset({self.position, self.chosen} - {""})


HOST: Final[Mapping[str, Given]] = {
    "profiles": Given(
        "priority", filled={"ident": new_id}, instead={"real_name": "", "address": "", "code": "", "active": True}
    ),
    roles.NAME: Given("priority", "profile_id", instead={"done": False}),
}
"""The host's own tables that plugins may use, by their names."""


@dataclass(frozen=True, slots=True)
class Store:
    """What all tables work with.

    Attributes:
        db, clock: The store, and the time.
        told: Told of every change, on the thread that made it.
        keys: Table -> the columns its rows are named by; none where that is their number.
    """

    db: Database
    clock: Clock
    told: Callable[[RecordsChanged], None]
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_postgres(self) -> bool:
        """Which of the two stores it is."""
        return self.db.name == "postgresql"


def stored_name(name: str) -> str:
    """Return the name under which the records of a table are stored."""
    return name if name in HOST else f"{PREFIX}{name}"


def make(store: Store, name: str, columns: Sequence[Column], key: tuple[str, ...]) -> None:
    """Make a table where it is not there yet, and add the columns it lacks; none is ever taken away.

    Raises:
        ConditionError: If the key names something that is no column.
        TableDiffersError: If the table is there with another key, or a column holds something else.
        RecordRefusedError: If a table of the host lacks one of the columns.
    """
    declared = Shape(stored_name(name), tuple(columns), key, per_profile=False)
    if missing := [each for each in key if each not in declared.by_name]:
        raise ConditionError(f"pk names {missing[0]!r}, which is no column of {name!r}.")
    stored = store.db.read_now(catalog.stored, declared.name)
    if stored is None or _lacking(stored, declared):
        store.db.write_now(_make, store, declared, to_text(store.clock.now()))


def _make(tx: Transaction, store: Store, declared: Shape, at: str) -> None:
    if declared.name == roles.NAME:
        roles.make(tx, at, is_postgres=store.is_postgres)
    stored = catalog.stored(tx, declared.name)
    if stored is None:
        catalog.make(tx, declared, at, is_postgres=store.is_postgres)
    elif lacking := _lacking(stored, declared):
        fits = Shape(stored.name, (*stored.columns, *lacking), stored.key, stored.per_profile)
        catalog.fit(tx, stored, fits, {}, (), profile=DEFAULT_ID)


def _lacking(stored: Shape, declared: Shape) -> list[Column]:
    """Return the columns that a stored table lacks."""
    lacking = [each for each in declared.columns if each.name not in stored.by_name]
    both = [(stored.by_name[each.name], each) for each in declared.columns if each.name in stored.by_name]
    wrong = tuple((was, is_now) for was, is_now in both if was.kind != is_now.kind)
    is_host = stored.name in HOST
    has_other_key = not is_host and stored.key != declared.key
    if wrong or has_other_key:
        differs = catalog.Difference(changed=wrong, has_other_key=has_other_key)
        raise TableDiffersError(stored.name, fitting.in_words(differs))
    if lacking and is_host:
        names = ", ".join(each.name for each in lacking)
        raise RecordRefusedError(f"The table {stored.name!r} is Pipulate's own and has no {names}. Use another name.")
    return lacking
