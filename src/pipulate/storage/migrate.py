"""Brings the tables of a store to what this program needs, or says why it cannot.

Alembic does the work and is imported only when there is work: looking whether there is any is one plain query.
"""

from __future__ import annotations

import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any

from pipulate._log import get_logger
from pipulate.errors import StorageError, StoreDamagedError, StoreNewerError
from pipulate.storage.sqlite import open_read_only

REVISION = "0009"
"""The revision this program works on: the newest file of `migrations/versions`."""

SCRIPTS = Path(str(resources.files("pipulate.storage") / "migrations"))

_ADVISORY_LOCK = 7_308_604  # Any number will do; it keeps two programs from migrating one PostgreSQL at once.
_log = get_logger()


def sqlite_revision(path: Path) -> str | None:
    """Return the revision of a database file, or None where there is no database yet.

    Raises:
        StoreDamagedError: If the file is no database, or one of another program.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    try:
        connection = open_read_only(path)  # A server may be writing to it: `doctor` looks too.
        try:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                return None
            if "alembic_version" not in tables:
                raise StoreDamagedError(f"{path} is a database, but not one of Pipulate's. Choose another data folder.")
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreDamagedError(
            f"{path} cannot be read as a database ({error}). Nothing was changed. Restore a backup with"
            " `pipulate db restore FILE`, or move the file away to start with an empty store."
        ) from error


def check_revision(found: str | None, scripts: Path = SCRIPTS) -> bool:
    """Tell whether a store at this revision has to be migrated.

    Raises:
        StoreNewerError: If the revision is one this program does not know.
    """
    known = sorted(path.name[:4] for path in (scripts / "versions").glob("[0-9]*.py"))
    if found is not None and found not in known:
        raise StoreNewerError(found, known[-1])
    return found != known[-1]


def migrate_sqlite(path: Path, *, scripts: Path = SCRIPTS, revision: str = "heads") -> bool:
    """Bring a database file up to date in one transaction; return whether anything was done.

    Raises:
        StoreNewerError, StoreDamagedError, StorageError: As said there; the file is as it was.
    """
    found = sqlite_revision(path)
    if not check_revision(found, scripts):
        return False
    import sqlalchemy as sa  # noqa: PLC0415 - half a second to import, and needed once in the life of a store

    try:
        path.touch(mode=0o600)  # SQLite gives its other files the same mode.
    except OSError as error:
        raise StorageError(f"The database {path} cannot be written to: {error.strerror}.") from error
    engine = sa.create_engine(sqlite_url(path), poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _manual(driver: Any, _record: Any) -> None:
        driver.isolation_level = None  # The driver's own transactions would not take table changes along.
        driver.execute("PRAGMA busy_timeout=5000")
        driver.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    _upgrade(engine, scripts, revision, found)
    return True


def postgres_revision(url: str) -> str | None:
    """Return the revision of a PostgreSQL database, or None where our tables are not there yet.

    Raises:
        StoreUnavailableError: If the server does not answer, or does not let us in.
    """
    from pipulate.storage.postgres import connected  # noqa: PLC0415 - an extra

    with connected(url) as connection:
        row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if row is None or row[0] is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(found[0]) if found else None


def migrate_postgres(url: str, *, scripts: Path = SCRIPTS, revision: str = "heads") -> bool:
    """Bring a PostgreSQL database up to date in one transaction; return whether anything was done.

    Raises:
        StoreNewerError, StorageError: As said there; the database is as it was.
    """
    found = postgres_revision(url)
    if not check_revision(found, scripts):
        return False
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "begin")
    def _lock(connection: Any) -> None:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    _upgrade(engine, scripts, revision, found)
    return True


def sqlite_url(path: Path) -> Any:
    """Return a file as SQLAlchemy wants it, whatever characters its name has."""
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    return sa.URL.create("sqlite", database=str(path))


def sqlalchemy_url(url: str) -> str:
    """Return a libpq URL in the spelling SQLAlchemy wants for the driver we use."""
    return "postgresql+psycopg://" + url.split("://", 1)[1]


def upgrade(connection: Any, *, scripts: Path = SCRIPTS, revision: str = "heads") -> None:
    """Run the chain of migrations on an open SQLAlchemy connection."""
    from alembic import command  # noqa: PLC0415 - as above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def reason_of(error: Exception) -> str:
    """Return what the driver says, without what SQLAlchemy adds: the statement, its values, a link to its manual."""
    return str(getattr(error, "orig", None) or error)


def _upgrade(engine: Any, scripts: Path, revision: str, found: str | None) -> None:
    try:
        with engine.begin() as connection:
            upgrade(connection, scripts=scripts, revision=revision)
    except StorageError:
        raise
    except Exception as error:
        raise StorageError(
            f"The database could not be brought up to date ({reason_of(error)}). It is as it was before."
        ) from error
    finally:
        engine.dispose()
    _log.info("storage.migrated", found=found, to=revision)
