"""Fixtures that every kind of test may use. Few on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.services import postgres_database


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this process's own, without tables."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop that async tests run on: the one the server uses."""
    return "asyncio"
