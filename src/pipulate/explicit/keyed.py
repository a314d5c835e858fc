"""`DictLikeDB`: a table of keys and values used as a dictionary, for plugins that make one of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipulate.explicit.elements import NotFoundError


class DictLikeDB:
    """A dictionary over a table with the columns `key` and `value`."""

    def __init__(self, store: Any, Store: Any = None) -> None:  # noqa: N803 - their name
        """Wire it up; `Store` is the class of its rows, which is not needed."""
        self.store, self.Store = store, Store

    def __getitem__(self, key: str) -> Any:
        try:
            return self.store[key].value
        except NotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, value: Any) -> None:
        self.store.upsert({"key": key, "value": value})

    def __delitem__(self, key: str) -> None:
        try:
            self.store.delete(key)
        except NotFoundError:
            raise KeyError(key) from None

    def __contains__(self, key: object) -> bool:
        return key in self.store

    def __iter__(self) -> Iterator[str]:
        return (row.key for row in self.store())

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        try:
            return self[key]
        except KeyError:
            return default

    def set(self, key: str, value: Any) -> Any:
        """Store a value and return it."""
        self[key] = value
        return value

    def keys(self) -> list[str]:
        """Return all keys."""
        return list(self)

    def values(self) -> Iterator[Any]:
        """Yield all values."""
        return (row.value for row in self.store())

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield keys and values."""
        return ((row.key, row.value) for row in self.store())
