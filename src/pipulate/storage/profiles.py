"""Profiles: the customers or projects that runs belong to."""

from __future__ import annotations

from dataclasses import dataclass

from pipulate.errors import BadNameError
from pipulate.storage.database import Transaction
from pipulate.storage.journal import storable
from pipulate.storage.keys import check_name

DEFAULT_ID = "default"
DEFAULT_NAME = "Default Profile"
MOST = 500
"""Most profiles listed in a menu."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: its id, and the name people see."""

    id: str
    name: str


def listed(tx: Transaction) -> list[Profile]:
    """Return the profiles in the order of their making, at most `MOST`."""
    return [Profile(*row) for row in tx.all(f"SELECT id, name FROM profiles ORDER BY created_at, id LIMIT {MOST}")]  # noqa: S608


def find(tx: Transaction, profile: str) -> Profile | None:
    """Return a profile by its id, or None."""
    row = tx.one("SELECT id, name FROM profiles WHERE id = :id", id=storable(profile))
    return Profile(*row) if row else None


def add(tx: Transaction, profile: str, name: str, at: str) -> Profile:
    """Add a profile.

    Raises:
        BadNameError: If the name breaks the rule for names or another profile has it.
    """
    name = check_name(name)
    added = tx.attempt(
        "INSERT INTO profiles (id, name, name_folded, created_at) VALUES (:id, :name, :folded, :at)",
        id=profile, name=name, folded=name.casefold(), at=at,
    )  # fmt: skip
    if not added:
        raise BadNameError(f"There is a profile {name!r} already.")
    return Profile(profile, name)


def rename(tx: Transaction, profile: str, name: str) -> Profile:
    """Give a profile another name.

    Raises:
        BadNameError: As in `add`, or if there is no such profile.
    """
    name = check_name(name)
    if find(tx, profile) is None:
        raise BadNameError("This profile does not exist any more.")
    renamed = tx.attempt(
        "UPDATE profiles SET name = :name, name_folded = :folded WHERE id = :id",
        id=profile, name=name, folded=name.casefold(),
    )  # fmt: skip
    if not renamed:
        raise BadNameError(f"There is a profile {name!r} already.")
    return Profile(profile, name)
