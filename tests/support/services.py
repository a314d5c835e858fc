"""The services tests talk to, found through the environment; missing ones skip locally and fail where required."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql

POSTGRES = os.environ.get("PIPULATE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
CHROMIUM = os.environ.get("PIPULATE_TEST_CHROMIUM", "chromium")
REQUIRED = frozenset(os.environ.get("PIPULATE_TEST_REQUIRE", "").split(","))


def missing(service: str, reason: str) -> None:
    """Skip a test, or fail it where the service has to be there."""
    if service in REQUIRED or os.environ.get("CI"):
        pytest.fail(f"{service} is required here: {reason}", pytrace=False)
    pytest.skip(f"{service}: {reason}")


@contextmanager
def postgres_database() -> Iterator[str]:
    """Make a database of its own name, and drop it afterwards; yield its address."""
    name = f"pipulate_test_{uuid.uuid4().hex[:12]}"
    try:
        admin = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        missing("postgres", str(error))
        raise
    with admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            info = psycopg.conninfo.conninfo_to_dict(POSTGRES)
            password = f":{info['password']}" if info.get("password") else ""
            yield f"postgresql://{info['user']}{password}@{info['host']}:{info.get('port', 5432)}/{name}"
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def chromium() -> str:
    """Return where the browser is."""
    found = shutil.which(CHROMIUM)
    if found is None:
        missing("chromium", f"{CHROMIUM} is not on the PATH")
    return str(found)
