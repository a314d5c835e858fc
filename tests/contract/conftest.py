"""The stores that every contract is checked on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.store import Postgres, Sqlite, Store


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Sqlite | Postgres:
    """What makes stores of one kind."""
    if request.param == "sqlite":
        return Sqlite()
    return Postgres(request.getfixturevalue("postgres_url"))


@pytest.fixture
def store(stores: Sqlite | Postgres, tmp_path: Path) -> Iterator[Store]:
    """An empty store; what a test leaves in it has to be what the journals add up to."""
    with stores.opened(tmp_path / "data") as store:
        yield store
        if not store.is_damaged:
            assert store.problems() == []
