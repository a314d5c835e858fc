"""All tables of a store at one moment, for backups and checks; and filling an empty store with them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from pipulate.errors import StorageError
from pipulate.storage.database import Transaction
from pipulate.storage.records.shape import PREFIX, Shape
from pipulate.storage.sqlite import SqliteTransaction, open_read_only

TABLES = (
    "runs", "run_events", "run_steps", "run_files", "uploads", "conversations", "messages", "key_values",
    "jobs", "job_parts", "job_lines", "job_schedules", "record_tables", "record_operations", "record_events",
    "report_files", "record_files", "record_uploads", "action_calls",
)  # fmt: skip
"""Every table but those of the records, which `record_tables` names; those that others refer to first."""

GONE = ("profiles",)
"""Tables that stores of earlier versions have, and those that others refer to: backups may hold them."""

_BATCH = 500
_REVISION = "SELECT version_num FROM alembic_version"
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")
_RECORDS = "SELECT name FROM record_tables ORDER BY name"


def _all_of(table: str) -> str:
    """Return what reads a table. Uploads that no value took yet are left out: their files are in no backup either."""
    is_waiting = table in ("uploads", "record_uploads")
    return f"SELECT * FROM {table}" + (" WHERE taken_at IS NOT NULL" if is_waiting else "")  # noqa: S608


def _tables_of(names: Sequence[Sequence[Any]]) -> list[str]:
    """Return the tables of resources; their names were checked when they were made."""
    return [f"{PREFIX}{name}" for (name,) in names]


class Source(Protocol):
    """A store to be read from end to end, as of one moment."""

    revision: str

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[Sequence[Any]]]]:
        """Yield each table: its name, its columns, its rows. The rows of one have to be used up before the next."""
        ...


class SqliteSource:
    """A SQLite file, read through a connection of its own while others write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.revision = str(connection.execute(_REVISION).fetchone()[0])

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[Sequence[Any]]]]:
        """Yield each table."""
        for table in (*TABLES, *_tables_of(self._connection.execute(_RECORDS).fetchall())):
            cursor = self._connection.execute(_all_of(table))
            yield table, [column[0] for column in cursor.description], iter(cursor)


class PostgresSource:
    """A PostgreSQL database, read through a connection of its own while others write."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.revision = str(connection.execute(_REVISION).fetchone()[0])

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[Sequence[Any]]]]:
        """Yield each table."""
        for table in (*TABLES, *_tables_of(self._connection.execute(_RECORDS).fetchall())):
            with self._connection.cursor(name=f"backup_{table}") as cursor:
                cursor.itersize = _BATCH
                cursor.execute(_all_of(table))
                yield table, [column.name for column in cursor.description], iter(cursor)


@contextmanager
def reading_sqlite(path: Path) -> Iterator[tuple[SqliteSource, Transaction]]:
    """Open a SQLite store at one moment.

    Raises:
        StorageError: If it cannot be read.
    """
    try:
        connection = open_read_only(path)
    except sqlite3.Error as error:
        raise StorageError(f"The database cannot be read ({error}).") from error
    try:
        connection.execute("BEGIN")
        yield SqliteSource(connection), SqliteTransaction(connection)
    except sqlite3.Error as error:
        raise StorageError(f"The database cannot be read ({error}).") from error
    finally:
        connection.close()


@contextmanager
def reading_postgres(url: str) -> Iterator[tuple[PostgresSource, Transaction]]:
    """Open a PostgreSQL store at one moment.

    Raises:
        StorageError: If it cannot be read.
    """
    import psycopg  # noqa: PLC0415 - an extra

    from pipulate.storage.postgres import PostgresTransaction  # noqa: PLC0415

    try:
        with psycopg.connect(url, connect_timeout=5, application_name="pipulate backup") as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield PostgresSource(connection), PostgresTransaction(connection)
    except psycopg.Error as error:
        raise StorageError(f"The database cannot be read ({error}).") from error


def fill(connection: Any, tables: Iterable[tuple[str, list[str], Iterator[list[Any]]]]) -> None:
    """Put rows into the tables of a store that has none yet, on an open SQLAlchemy connection."""
    import sqlalchemy as sa  # noqa: PLC0415 - half a second to import; restoring is rare

    there = set(sa.inspect(connection).get_table_names())  # An older backup knows fewer.
    ours = [each for each in (*GONE, *TABLES) if each in there]
    _drop_records(connection, there)
    for table in reversed(ours):
        connection.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - names from the tuples above
    for name, columns, rows in tables:
        if name not in ours:
            _make(connection, name)
        if not all(_COLUMN.fullmatch(each) for each in columns):
            raise StorageError(f"The backup has a column of {name} that this program does not know.")
        given = ", ".join(f":{each}" for each in columns)
        named = ", ".join(f'"{each}"' for each in columns)
        statement = sa.text(f"INSERT INTO {name} ({named}) VALUES ({given})")  # noqa: S608 - checked names
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(dict(zip(columns, row, strict=True)))
            if len(batch) == _BATCH:
                connection.execute(statement, batch)
                batch = []
        if batch:
            connection.execute(statement, batch)
        if name not in ours and connection.dialect.name == "postgresql":
            _count_on(connection, name)


def _drop_records(connection: Any, there: Collection[str]) -> None:
    """Remove the tables of records that a new store has from the start."""
    if "record_tables" in there:
        for (name,) in connection.exec_driver_sql(_RECORDS).fetchall():
            connection.exec_driver_sql(f'DROP TABLE "{PREFIX}{name}"')


def _make(connection: Any, table: str) -> None:
    """Make a table of records, as the rows before say that it is."""
    import sqlalchemy as sa  # noqa: PLC0415

    name = table.removeprefix(PREFIX)
    noted = connection.execute(sa.text("SELECT shape FROM record_tables WHERE name = :name"), {"name": name}).scalar()
    if noted is None or not table.startswith(PREFIX):
        raise StorageError(f"The backup has a table this program does not know: {table}.")
    try:
        shape = Shape.from_json(name, noted)
        statements = shape.made_by(is_postgres=connection.dialect.name == "postgresql")
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"The backup does not say how its table {table} is made.") from error
    for statement in statements:
        connection.exec_driver_sql(statement)


def _count_on(connection: Any, table: str) -> None:
    """Let PostgreSQL number new records behind those that came with their numbers."""
    connection.exec_driver_sql(
        f"SELECT setval(pg_get_serial_sequence('{table}', '_id'), MAX(_id)) FROM {table} HAVING MAX(_id) IS NOT NULL"  # noqa: S608
    )
