"""The fixture of tests that have an assistant answer, on both kinds of store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.scripted import Room
from tests.support.store import Postgres, Sqlite


@asynccontextmanager
async def opened(stores: Sqlite | Postgres, folder: Path) -> AsyncIterator[Room]:
    """An assistant over an empty store; at its end nothing is left of it, and the store holds together."""
    with stores.opened(folder / "data") as store:
        room = Room(store)
        yield room
        await room.assistant.close()
        assert room.model.open == 0
        assert store.problems() == []
