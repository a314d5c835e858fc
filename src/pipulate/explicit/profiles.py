"""Profiles as class-style plugins know them: by the numbers of their records."""

from __future__ import annotations

from pipulate.storage import profiles
from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog, queries, rows
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.shape import Shape


def number(tx: Transaction, profile: str) -> int:
    """Return the number of a profile; that of the first where there is none."""
    found = queries.numbers(tx, _shape(tx), Query(conditions=(Condition("ident", "is", profile),)))
    return found[0] if found else 1


def ident(tx: Transaction, number: int) -> str | None:
    """Return the id of the profile with a number, or None."""
    found = rows.find_all(tx, _shape(tx), [number])
    return str(found[0].values["ident"]) if found else None


def _shape(tx: Transaction) -> Shape:
    shape = catalog.stored(tx, profiles.NAME)
    assert shape is not None  # noqa: S101 - a migration made it
    return shape
