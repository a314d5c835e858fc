"""The tables and the dictionary that class-style plugins hold, as views of the store and of the request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from pipulate._clock import Clock, to_text
from pipulate.errors import RunNotFoundError
from pipulate.explicit.book import Book
from pipulate.explicit.context import current
from pipulate.explicit.elements import NotFoundError
from pipulate.security.capability import OWNER
from pipulate.storage import keyvalue, profiles
from pipulate.storage.database import Database

KEY, PROFILE = "pipeline_id", "last_profile_id"
_SCOPE: Final = "user"
_PREFIX = "explicit."


class Dictionary:
    """The `db` of a plugin: text by name, kept for the person.

    `pipeline_id` is no stored value but the key of the run that this request works on, so two tabs have two.
    """

    def __init__(self, db: Database) -> None:
        """Wire it up."""
        self._db = db

    def __getitem__(self, name: str) -> Any:
        found = self.get(name, _MISSING)
        if found is _MISSING:
            raise KeyError(name)
        return found

    def __setitem__(self, name: str, value: Any) -> None:
        now = current()
        if name == KEY:
            if now is not None:
                now.work_on(str(value))
            return
        self._db.write_now(keyvalue.put, _SCOPE, self._owner(), _PREFIX + name, str(value))

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        now = current()
        if name == KEY and now is not None:
            now.key = None
            return
        self._db.write_now(keyvalue.drop, _SCOPE, self._owner(), _PREFIX + name)

    def __contains__(self, name: object) -> bool:
        return self.get(str(name), _MISSING) is not _MISSING

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def get(self, name: str, default: Any = None) -> Any:
        """Return a value, or the default."""
        now = current()
        if name == KEY:
            return now.key if now is not None and now.key is not None else default
        if name == PROFILE and now is not None:
            return str(now.number)
        stored = self._items()
        return stored.get(name, default)

    def set(self, name: str, value: Any) -> Any:
        """Store a value and return it."""
        self[name] = value
        return value

    def keys(self) -> list[str]:
        """Return all names."""
        return [name for name, _ in self.items()]

    def values(self) -> Iterator[Any]:
        """Yield all values."""
        return (value for _, value in self.items())

    def items(self) -> Iterator[tuple[str, Any]]:
        """Yield names and values."""
        now = current()
        own = {KEY: now.key} if now is not None and now.key is not None else {}
        return iter({**self._items(), **own}.items())

    def _items(self) -> dict[str, Any]:
        held = self._db.read_now(lambda tx: list(keyvalue.items(tx, _SCOPE, self._owner())))
        return {name.removeprefix(_PREFIX): value for name, value in held if name.startswith(_PREFIX)}

    def _owner(self) -> str:
        now = current()
        return now.actor if now is not None else OWNER


_MISSING = object()


class PipelineTable:
    """The `pipeline` of a plugin: its runs as rows of text, filtered for this request alone."""

    name = "pipeline"

    def __init__(self, book: Book, clock: Clock) -> None:
        """Wire it up."""
        self._book, self._clock = book, clock

    def xtra(self, **filter_: Any) -> None:
        """Show only rows with these values from now on, in this request; nothing shows all."""
        now = current()
        if now is not None:
            now.filter = dict(filter_)

    def __call__(self, where: str | None = None, limit: int | None = None, **_: Any) -> list[Any]:
        """Return the rows that can be seen, newest change first."""
        if where is not None:
            raise NotImplementedError("The pipeline table takes no conditions here; use xtra(app_name=...).")
        filter_ = self._filter()
        found = self._book.rows(filter_.get("app_name"), filter_.get("pkey"))
        return [_as_row(row, state) for row, state in found][:limit]

    def __getitem__(self, key: str) -> Any:
        filter_ = self._filter()
        found = [] if filter_.get("pkey", key) != key else self._book.rows(filter_.get("app_name"), key)
        if not found:
            raise NotFoundError(key)
        return _as_row(*found[0])

    get = __getitem__

    def insert(self, record: Any = None, **values: Any) -> Any:
        """Begin a run from a row."""
        row = {**_as_dict(record), **values}
        now = current()
        app = row.get("app_name") or (now.app if now else "")
        profile = now.profile.id if now else profiles.DEFAULT_ID
        self._book.start(str(app), str(row["pkey"]), profile, _state(row.get("data")))
        return self[row["pkey"]]

    def update(self, record: Any = None, **values: Any) -> Any:
        """Store the state of a row."""
        row = {**_as_dict(record), **values}
        try:
            self._book.write(str(row["pkey"]), _state(row.get("data")))
        except RunNotFoundError as error:
            raise NotFoundError(row["pkey"]) from error
        return self[row["pkey"]]

    def delete(self, key: str) -> None:
        """Refuse: a run goes into the bin from its page, where it can be taken back."""
        raise NotImplementedError(f"Delete the run {key!r} on its page; from there it can be taken back.")

    def now(self) -> str:
        """Return the moment as rows hold it."""
        return to_text(self._clock.now())

    def _filter(self) -> dict[str, Any]:
        now = current()
        return now.filter if now is not None else {}


def _as_row(row: Any, state: dict[str, Any]) -> Any:
    return SimpleNamespace(
        pkey=row.key, app_name=row.app, data=json.dumps(state), created=row.created_at, updated=row.updated_at
    )


def _as_dict(record: Any) -> dict[str, Any]:
    if record is None:
        return {}
    return dict(record) if isinstance(record, dict) else dict(vars(record))


def _state(data: Any) -> dict[str, Any]:
    state = json.loads(data) if isinstance(data, str) and data else data or {}
    if not isinstance(state, dict):
        raise TypeError("the data of a run is a dictionary")
    return state
