"""Roles: which groups of apps the menu shows. What they are called and which are on is a table of records.

An app names its roles in a list `ROLES` of its module. It is in the menu where one of them is on, where one is `Core`,
and where it names none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate._log import get_logger
from pipulate.crud.engine import CREATE
from pipulate.errors import PipulateError
from pipulate.events import RecordsChanged
from pipulate.storage.database import Database, Transaction
from pipulate.storage.ledger import Author
from pipulate.storage.records import catalog, operations, queries, rows
from pipulate.storage.records.queries import Condition, Query, folded
from pipulate.storage.records.rows import Operation
from pipulate.storage.records.shape import Column, Shape

NAME: Final = "roles"
CORE: Final = "Core"
"""The role whose apps are always shown."""

SHAPE: Final = Shape(NAME, (Column("text", "text"), Column("done", "flag")), key=("text",), per_profile=False)
SYSTEM: Final = "system"
"""Who adds a role that an app names."""

_ON_AT_FIRST: Final = frozenset({CORE, "Botify Employee"})
_MOST: Final = 1_000
_LONGEST: Final = 80
_log = get_logger()


def of_module(names: Any) -> tuple[str, ...]:
    """Return the roles that an app names; whatever is not a list of texts names none."""
    if not isinstance(names, list | tuple | set | frozenset):
        return ()
    given = (each.strip()[:_LONGEST] for each in names if isinstance(each, str))
    return tuple(dict.fromkeys(each for each in given if each))


def is_shown(names: Collection[str], active: Collection[str]) -> bool:
    """Tell whether an app with these roles is in the menu while those are on."""
    return not names or CORE in names or any(name in active for name in names)


def active(tx: Transaction) -> frozenset[str]:
    """Return the roles that are on; before there is a table, those that are on at first."""
    shape = catalog.stored(tx, NAME)
    if shape is None:
        return _ON_AT_FIRST
    query = Query(conditions=(Condition("done", "is", value=True),))
    return frozenset(str(each.values["text"]) for each in queries.page(tx, shape, query, limit=_MOST))


def make(tx: Transaction, at: str, *, is_postgres: bool) -> Shape:
    """Make the table where it is not there yet, and return it."""
    if catalog.stored(tx, NAME) is None:
        catalog.make(tx, SHAPE, at, is_postgres=is_postgres)
    return catalog.stored(tx, NAME) or SHAPE


def missing(tx: Transaction, names: Iterable[str]) -> list[str]:
    """Return those of the roles that apps name which are in no record, whether deleted or not."""
    shape = catalog.stored(tx, NAME)
    wanted = sorted(set(names))
    if shape is None or not wanted:
        return wanted
    wish = (Condition("text", "any", wanted),)  # One that somebody deleted is not added again.
    both = (Query(conditions=wish), Query(conditions=wish, deleted=True))
    known = {each.values["text"] for query in both for each in queries.page(tx, shape, query, limit=_MOST)}
    return [each for each in wanted if each not in known]


def add(tx: Transaction, names: Iterable[str], at: str, *, is_postgres: bool) -> RecordsChanged | None:
    """Add the roles that are missing: `Core` first and on, others off; return what to tell, None where none was."""
    shape = make(tx, at, is_postgres=is_postgres)
    lacking = sorted(missing(tx, names), key=lambda name: (name not in _ON_AT_FIRST, name))
    if not lacking:
        return None
    version = rows.claim(tx, shape)
    operation = Operation(new_id(), Author(SYSTEM, at, None))
    operations.begin(tx, shape, operation, CREATE, {})
    for name in lacking:
        values = dict.fromkeys(shape.by_name) | {"text": name, "done": name in _ON_AT_FIRST}
        place = rows.last_place(tx, shape, None)
        rows.add(tx, shape, operation, values, folded(name), profile=None, place=place)
    operations.count(tx, operation, len(lacking))
    return RecordsChanged(NAME, version, None)


def take_in(db: Database, clock: Clock, names: Collection[str], *, told: Callable[[RecordsChanged], None]) -> None:
    """Add the roles that are missing, on a thread that may wait, and tell of it.

    Where no app names more than `Core`, there is nothing to choose from, and nothing is stored.
    """
    if not set(names) - {CORE}:
        return
    try:
        if db.read_now(missing, names):
            news = db.write_now(add, names, to_text(clock.now()), is_postgres=db.name == "postgresql")
            if news is not None:
                told(news)
    except PipulateError as error:  # The next app that is loaded tries again.
        _log.warning("roles.not_stored", reason=str(error))
