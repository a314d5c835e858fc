"""Profiles as class-style plugins know them: by numbers. This is the one place that knows how they are stored."""

from __future__ import annotations

from typing import Final

from pipulate.storage import profiles
from pipulate.storage.database import Transaction
from pipulate.storage.records import catalog, queries, rows
from pipulate.storage.records.queries import Condition, Query
from pipulate.storage.records.shape import Shape

NAME: Final = "profiles"


def number(tx: Transaction, profile: str) -> int:
    """Return the number that plugins know a profile by; that of the first where there is none."""
    shape = table(tx)
    if shape is not None:
        found = queries.numbers(tx, shape, Query(conditions=(Condition("ident", "is", profile),)))
        return found[0] if found else 1
    idents = [each.id for each in profiles.listed(tx)]
    return idents.index(profile) + 1 if profile in idents else 1


def ident(tx: Transaction, number: int) -> str | None:
    """Return the profile of a number, or None."""
    shape = table(tx)
    if shape is not None:
        found = rows.find_all(tx, shape, [number])
        return str(found[0].values["ident"]) if found else None
    every = profiles.listed(tx)
    return every[number - 1].id if 0 < number <= len(every) else None


def table(tx: Transaction) -> Shape | None:
    """Return the table of records that profiles are kept in, or None where they are kept otherwise."""
    return catalog.stored(tx, NAME)
