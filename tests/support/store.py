"""A store with tables, on either kind of database, and the operations on runs in few words."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.storage import journal, keys, ledger, profiles, report_files, runs
from pipulate.storage.archive import Archive
from pipulate.storage.check import check_runs
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import Author, RunRow, Written
from pipulate.storage.migrate import migrate_postgres, migrate_sqlite
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.records.check import check_records
from pipulate.storage.records.files import check_files
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.storage.tables import TABLES, PostgresSource, SqliteSource, reading_postgres, reading_sqlite
from pipulate.testing import ManualClock

ORDER = ("a", "b", "c", "d")
"""The steps of the workflow that tests of the store make runs of."""

LARGE = "long " * 20_000
"""More than a row holds: a value of this goes to a file."""


def value_of(output: Any) -> dict[str, Any]:
    """Return what a step stores."""
    return {"input": None, "output": output, "view": "text"}


@dataclass
class Store:
    """A database, the files beside it, and the person Ada who works with them.

    Attributes:
        layout: The data folder; on PostgreSQL only its files are used.
        url: Address of the database on PostgreSQL, else None.
        is_damaged: Set by a test that breaks something on purpose, so that nobody complains at its end.
    """

    db: Database
    layout: Layout
    url: str | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    is_damaged: bool = False

    @property
    def files(self) -> FileStore:
        """The large values."""
        return FileStore(self.layout.files)

    def author(self, actor: str = "ada", tab: str | None = "tab-1") -> Author:
        """Return somebody, a second after the last one."""
        self.clock.move(seconds=1)
        return Author(actor, to_text(self.clock.now()), tab)

    # Doing

    def start(self, key: str | None = "01", *, app: str = "demo", by: str = "ada", profile: str = "default") -> str:
        """Start a run; return its id."""
        checked = keys.check_key(key) if key is not None else None
        return self.db.write_now(runs.start, new_id(), app, checked, profile, self.author(by))[0].id

    def do(self, unit: Callable[..., Any], run: str, *args: Any, by: str = "ada", **kwargs: Any) -> Any:
        """Run an operation on a run."""
        return self.db.write_now(unit, run, self.author(by), *args, **kwargs)

    def submit(
        self,
        run: str,
        step: str,
        output: Any = "x",
        *,
        seen: int | None = None,
        submit_id: str | None = None,
        reads: Sequence[str] = (),
        author: Author | None = None,
    ) -> Written:
        """Give a step a value, made from what the steps in `reads` have now."""
        return self.db.write_now(self.submitting, run, step, output, seen, submit_id, reads, author or self.author())

    def submitting(
        self,
        tx: Transaction,
        run: str,
        step: str,
        output: Any,
        seen: int | None,
        submit_id: str | None,
        reads: Sequence[str],
        author: Author,
    ) -> Written:
        """Give a step a value: the unit of work itself."""
        held = ledger.state_of(tx, ledger.find(tx, run)).steps
        return runs.submit(
            tx, run, author, step=step, value=self.files.store(run, value_of(output)), short=str(output)[:40],
            reads={name: held[name].digest if name in held else "" for name in reads}, order=ORDER, seen=seen,
            submit_id=submit_id,
        )  # fmt: skip

    def revert(self, run: str, step: str, *, seen: int | None = None) -> Written:
        """Reopen a step."""
        return self._written(runs.revert, run, step=step, order=ORDER, seen=seen)

    def keep(self, run: str, step: str, *, seen: int | None = None, submit_id: str | None = None) -> Written:
        """Take the old value of a step again."""
        return self._written(runs.keep, run, step=step, order=ORDER, seen=seen, submit_id=submit_id)

    def cancel_edit(self, run: str) -> Written:
        """Cancel the edit of a step."""
        return self._written(runs.cancel_edit, run)

    def go_back(self, run: str, version: int, *, seen: int | None = None) -> Written:
        """Bring an earlier version back."""
        return self._written(runs.go_back, run, version=version, seen=seen)

    def filled(self, key: str | None = "01", steps: Sequence[str] = ORDER) -> str:
        """Start a run and give its steps their own names as values, each made from the one before."""
        run = self.start(key)
        for number, step in enumerate(steps):
            self.submit(run, step, step, reads=steps[number - 1 : number] if number else ())
        return run

    def _written(self, unit: Callable[..., Written], run: str, **kwargs: Any) -> Written:
        return self.db.write_now(unit, run, self.author(), **kwargs)

    # Looking

    def row(self, run: str) -> RunRow:
        """Return the row of a run, from the bin too."""
        return self.db.read_now(ledger.find, run)

    def state(self, run: str) -> State:
        """Return the current values of a run."""
        return self.db.read_now(lambda tx: ledger.state_of(tx, ledger.find(tx, run)))

    def folded(self, run: str, *, upto: int | None = None) -> State:
        """Return what the journal of a run adds up to."""
        return journal.fold(self.events(run)[:upto])

    def outputs(self, run: str) -> dict[str, Any]:
        """Return step -> output, of the steps that have a value."""
        steps = self.state(run).steps.items()
        return {step: self.files.resolve(run, value.data)["output"] for step, value in steps}

    def offers(self, run: str) -> dict[str, Any]:
        """Return step -> output, of the values that left the state."""
        offers = self.state(run).offers.items()
        return {step: self.files.resolve(run, value.data)["output"] for step, value in offers}

    def events(self, run: str) -> list[Event]:
        """Return the journal of a run."""
        return self.db.read_now(ledger.events, run)

    def kinds(self, run: str) -> list[str]:
        """Return the kinds of the events of a run."""
        return [event.kind for event in self.events(run)]

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        row = self.db.read_now(lambda tx: tx.one(f"SELECT count(*) FROM {table}"))  # noqa: S608
        assert row is not None
        return int(row[0])

    def problems(self) -> list[str]:
        """Return what does not hold together."""
        return self.db.read_now(
            lambda tx: [
                *check_runs(tx, self.files),
                *check_records(tx),
                *report_files.check(tx, self.files),
                *check_files(tx, self.files),
            ]
        )

    @contextmanager
    def source(self) -> Iterator[SqliteSource | PostgresSource]:
        """Read all tables as of one moment, as a backup does."""
        if self.url is not None:
            with reading_postgres(self.url) as (postgres, _):
                yield postgres
        else:
            with reading_sqlite(self.layout.database) as (sqlite, _):
                yield sqlite


def made(folder: Path) -> Layout:
    """Make a data folder without a database."""
    layout = Layout(folder)
    layout.make()
    return layout


@lru_cache(maxsize=1)
def _empty_database() -> bytes:
    """Return a database file as the migrations make it; they run once in a process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.sqlite3"
        migrate_sqlite(path)
        return path.read_bytes()


@lru_cache(maxsize=1)
def _first_rows() -> dict[str, list[tuple[Any, ...]]]:
    """Return what an empty store holds: the default profile with its history."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(_empty_database())
        tables = ("record_tables", "record_operations", "record_events", "rec_profiles")
        return {each: connection.execute(f"SELECT * FROM {each}").fetchall() for each in tables}  # noqa: S608


def with_tables(path: Path) -> None:
    """Make an empty database file with its tables; one that is there stays as it is."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(_empty_database())


class Sqlite:
    """Makes stores on SQLite, each in a folder of its own."""

    def make(self, folder: Path) -> Layout:
        """Make a data folder with an empty store."""
        layout = made(folder)
        with_tables(layout.database)
        return layout

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Store]:
        """Make an empty store and open it."""
        layout = self.make(folder)
        db = SqliteDatabase(layout.database)
        try:
            yield Store(db, layout)
        finally:
            db.close()


class Postgres:
    """Makes stores on PostgreSQL: one database, migrated once and emptied for each."""

    def __init__(self, url: str) -> None:
        self.url = url
        migrate_postgres(url)

    def empty(self) -> None:
        """Put the tables back to how they were after the migration."""
        with psycopg.connect(self.url) as connection:
            for (schema,) in connection.execute(
                "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'before_restore_%'"
            ):
                connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
            for (name,) in connection.execute("SELECT name FROM record_tables").fetchall():
                if name != profiles.NAME:
                    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(f"rec_{name}")))
            for table in ("rec_profiles", *reversed(TABLES)):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of ours
            for table, rows in _first_rows().items():  # Other tests of this process may have changed them before.
                places = ", ".join(["%s"] * len(rows[0]))
                connection.cursor().executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608
            connection.execute("SELECT setval(pg_get_serial_sequence('rec_profiles', '_id'), 1)")

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Store]:
        """Empty the database and open it."""
        self.empty()
        layout = made(folder)
        db = PostgresDatabase(self.url)
        try:
            yield Store(db, layout, self.url)
        finally:
            db.close()


def rows_of(source: SqliteSource | PostgresSource | Archive) -> Mapping[str, list[list[Any]]]:
    """Return all rows of all tables, in an order that does not depend on the store."""
    return {
        name: sorted(([*row] for row in rows), key=repr) for name, _, rows in source.tables()
    }  # repr: NULL and text have no order between them
