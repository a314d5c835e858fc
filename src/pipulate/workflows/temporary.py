"""What a step wants to remember for a while, beside the journal: where it was, what it has asked a service already."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import timedelta
from typing import Any

from pipulate._clock import Clock, to_text
from pipulate.storage import keyvalue
from pipulate.storage.database import Database

KEPT_FOR = timedelta(days=7)
"""How long a value is kept after it was set."""


class Temporary(MutableMapping[str, Any]):
    """A dict of JSON values for one step of one run. It is no part of the run: not in its history, copies or exports.

    A value is forgotten a week after it was set, and with its run. Every use waits for the store, so it belongs in
    steps that are plain functions.
    """

    def __init__(self, db: Database, clock: Clock, run: str, step: str) -> None:
        self._db, self._clock = db, clock
        self._owner = f"{run}/{step}"

    def __getitem__(self, key: str) -> Any:
        kept = self._db.read_now(keyvalue.get, "temporary", self._owner, key)
        if kept["until"] <= self._now():
            raise KeyError(key)
        return kept["value"]

    def __setitem__(self, key: str, value: Any) -> None:
        kept = {"until": to_text(self._clock.now() + KEPT_FOR), "value": value}
        self._db.write_now(keyvalue.put, "temporary", self._owner, key, kept)

    def __delitem__(self, key: str) -> None:
        self._db.write_now(keyvalue.drop, "temporary", self._owner, key)

    def __iter__(self) -> Iterator[str]:
        now = self._now()
        kept = self._db.read_now(keyvalue.items, "temporary", self._owner)
        return iter([key for key, each in kept if each["until"] > now])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _now(self) -> str:
        return to_text(self._clock.now())
