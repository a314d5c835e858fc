"""Fixtures that every kind of test may use. Few on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.services import postgres_database

SLOW = "kill|memory|server|postgres|unattended|schedules|machine|package|how_to|upload"
"""Parts of the names of files whose tests take long; those in the browser do anyway."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left alone with one of them at the end."""
    items.sort(key=lambda item: not (item.path.parent.name == "e2e" or re.search(SLOW, item.path.name)))


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of this process's own, without tables."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop that async tests run on: the one the server uses."""
    return "asyncio"
