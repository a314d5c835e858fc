"""Small settings and preferences that outlive a restart: keys and JSON values, in four scopes."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from dataclasses import dataclass
from typing import Any, Literal

from pipulate.storage.database import Database, Transaction
from pipulate.storage.journal import storable

Scope = Literal["global", "profile", "user", "temporary"]
KEY_LIMIT = 200
"""Longest key, in characters."""


@dataclass(frozen=True, slots=True, eq=False)
class KeyValues(MutableMapping[str, Any]):
    """A dict that is stored: `in`, iteration, `get` with a default, KeyError for what is missing.

    Every use waits for the store, so it belongs in threads that may wait; coroutines run `get`, `put`, `drop` and
    `items` of this module as units of work.

    Attributes:
        db: The store.
        scope: `global` for everybody, `profile` for one profile, `user` for one person, `temporary` for what a step of
            a run remembers for a while.
        owner: Id of the profile or person, or `run/step`; "" in the global scope.
    """

    db: Database
    scope: Scope = "global"
    owner: str = ""

    def __getitem__(self, key: str) -> Any:
        return self.db.read_now(get, self.scope, self.owner, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self.db.write_now(put, self.scope, self.owner, key, value)

    def __delitem__(self, key: str) -> None:
        self.db.write_now(drop, self.scope, self.owner, key)

    def __iter__(self) -> Iterator[str]:
        return iter([key for key, _ in self.db.read_now(items, self.scope, self.owner)])

    def __len__(self) -> int:
        return len(self.db.read_now(items, self.scope, self.owner))

    def items(self) -> ItemsView[str, Any]:
        """Return the keys with their values, as of one moment."""
        return dict(self.db.read_now(items, self.scope, self.owner)).items()

    def values(self) -> ValuesView[Any]:
        """Return the values, as of one moment, in the order of their keys."""
        return dict(self.db.read_now(items, self.scope, self.owner)).values()

    def set(self, key: str, value: Any) -> Any:
        """Store a value and return it."""
        self[key] = value
        return value


def get(tx: Transaction, scope: Scope, owner: str, key: str) -> Any:
    """Return the value of a key.

    Raises:
        KeyError: If there is none.
    """
    row = tx.one(
        "SELECT value FROM key_values WHERE scope = :scope AND owner = :owner AND key = :key",
        scope=scope, owner=owner, key=storable(key),
    )  # fmt: skip
    if row is None or key != storable(key):
        raise KeyError(key)
    return json.loads(row[0])


def put(tx: Transaction, scope: Scope, owner: str, key: str, value: Any) -> None:
    """Store a value under a key.

    Raises:
        ValueError: If the key is longer than `KEY_LIMIT` or the value is not JSON.
        TypeError: If the value has a type JSON does not have.
    """
    if not key or len(key) > KEY_LIMIT or key != storable(key):
        raise ValueError(f"a key has 1 to {KEY_LIMIT} characters, without NUL and half surrogates")
    tx.run(
        "INSERT INTO key_values (scope, owner, key, value) VALUES (:scope, :owner, :key, :value)"
        " ON CONFLICT (scope, owner, key) DO UPDATE SET value = excluded.value",
        scope=scope, owner=owner, key=key, value=json.dumps(value, allow_nan=False),
    )  # fmt: skip


def drop(tx: Transaction, scope: Scope, owner: str, key: str) -> None:
    """Remove a key.

    Raises:
        KeyError: If there is none.
    """
    gone = key == storable(key) and tx.run(
        "DELETE FROM key_values WHERE scope = :scope AND owner = :owner AND key = :key",
        scope=scope, owner=owner, key=key,
    )  # fmt: skip
    if not gone:
        raise KeyError(key)


def drop_all(tx: Transaction, scope: Scope, owner: str) -> None:
    """Remove all keys of somebody."""
    tx.run("DELETE FROM key_values WHERE scope = :scope AND owner = :owner", scope=scope, owner=owner)


def items(tx: Transaction, scope: Scope, owner: str) -> list[tuple[str, Any]]:
    """Return the keys of a scope with their values, sorted by key."""
    rows = tx.all(
        "SELECT key, value FROM key_values WHERE scope = :scope AND owner = :owner ORDER BY key",
        scope=scope, owner=owner,
    )  # fmt: skip
    return [(name, json.loads(value)) for name, value in rows]


def names_under(tx: Transaction, scope: Scope, beginning: str) -> set[str]:
    """Return the keys of all whose id begins so."""
    rows = tx.all(
        "SELECT key FROM key_values WHERE scope = :scope AND substr(owner, 1, :length) = :beginning",
        scope=scope, length=len(beginning), beginning=beginning,
    )  # fmt: skip
    return {str(key) for (key,) in rows}


def forget_run(tx: Transaction, run: str) -> None:
    """Remove what the steps of a run remember for a while."""
    tx.run(
        "DELETE FROM key_values WHERE scope = 'temporary' AND substr(owner, 1, :length) = :beginning",
        length=len(run) + 1, beginning=f"{run}/",
    )  # fmt: skip


def forget_old(tx: Transaction, now: str) -> int:
    """Remove temporary values whose time (`until`) is over; return how many went."""
    rows = tx.all("SELECT owner, key, value FROM key_values WHERE scope = 'temporary'")
    gone = [(owner, key) for owner, key, value in rows if json.loads(value)["until"] <= now]
    for owner, key in gone:
        drop(tx, "temporary", owner, key)
    return len(gone)
