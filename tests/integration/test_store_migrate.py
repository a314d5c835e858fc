"""Migrations: forward only, all or nothing."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from pipulate.errors import StorageError, StoreDamagedError, StoreNewerError
from pipulate.storage import profiles
from pipulate.storage.migrate import (
    REVISION,
    SCRIPTS,
    check_revision,
    migrate_postgres,
    migrate_sqlite,
    postgres_revision,
    sqlite_revision,
)
from pipulate.storage.records.check import check_records
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.storage.tables import TABLES
from tests.support.services import postgres_database
from tests.support.store import Sqlite
from tests.support.store_faults import kill, script

OTHERS = ("alembic_version", "rec_profiles", "sqlite_sequence")

MORE = '''
"""One more step."""
import sys
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0010", "0009", None, None
def upgrade():
    op.create_table("half_done", sa.Column("id", sa.Text, primary_key=True))
    op.execute("INSERT INTO conversations (id, last) VALUES ('half', 0)")
    op.add_column("rec_profiles", sa.Column("half", sa.Text))
    {then}
'''
BLOCKS = "print('in the middle', flush=True); sys.stdin.read()"
FAILS = "op.execute('SELECT no_such_function_anywhere()')"
MIGRATE = """
import sys
from pathlib import Path
from pipulate.storage import migrate
getattr(migrate, sys.argv[1])(Path(sys.argv[2]) if "sqlite" in sys.argv[1] else sys.argv[2], scripts=Path(sys.argv[3]))
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The migrations, to be added to."""
    return Path(shutil.copytree(SCRIPTS, tmp_path / "migrations"))


def add(scripts: Path, then: str) -> None:
    """Add a revision after the newest."""
    (scripts / "versions" / "0010_more.py").write_text(MORE.format(then=then))


def tables(path: Path) -> set[str]:
    """Return the tables of a database file."""
    connection = sqlite3.connect(path)
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    finally:
        connection.close()


@contextmanager
def interrupted(kind: str, where: str | Path, scripts: Path) -> Iterator[None]:
    """Migrate in a process of its own, and kill it in the middle."""
    add(scripts, BLOCKS)
    process = script(MIGRATE, kind, where, scripts)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "in the middle\n", process.communicate()[1]
        yield
    finally:
        kill(process)


def test_the_revision_of_the_program_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_every_migration_is_named_after_its_revision() -> None:
    for path in (SCRIPTS / "versions").glob("[0-9]*.py"):
        assert f'revision = "{path.name[:4]}"' in path.read_text()


# SQLite


@pytest.mark.parametrize("name", ["x.sqlite3", "odd ?#%41&é.sqlite3", "with space.sqlite3"])
def test_an_empty_file_gets_all_tables_and_the_second_time_nothing_is_done(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert sqlite_revision(path) is None
    assert migrate_sqlite(path)
    assert tables(path) == {*TABLES, *OTHERS}
    assert not migrate_sqlite(path)
    assert sqlite_revision(path) == REVISION
    assert [(each.name, each.stat().st_mode & 0o777) for each in tmp_path.iterdir()] == [(name, 0o600)]


def test_a_file_without_content_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.touch()
    assert migrate_sqlite(path)


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    migrate_sqlite(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0099'")
    connection.commit()
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreNewerError, match="newer version") as caught:
        migrate_sqlite(path)
    assert (caught.value.found, caught.value.known) == ("0099", REVISION)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (id)")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreDamagedError, match="not one of Pipulate's"):
        migrate_sqlite(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("content", [b"no database " * 400, b"SQLite format 3\0" + b"\xff" * 8_000, b"\0" * 600])
def test_a_damaged_file_says_what_to_do_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match="db restore"):
        migrate_sqlite(path)
    assert path.read_bytes() == content


def test_a_migration_killed_in_the_middle_leaves_the_old_state(tmp_path: Path, scripts: Path) -> None:
    with Sqlite().opened(tmp_path / "data") as store:
        run, path = store.filled(), store.layout.database
    with interrupted("migrate_sqlite", path, scripts):
        pass
    assert sqlite_revision(path) == REVISION
    assert tables(path) == {*TABLES, *OTHERS}
    db = SqliteDatabase(path)
    assert db.read_now(lambda tx: tx.all("SELECT ident FROM rec_profiles")) == [("default",)]
    assert db.read_now(lambda tx: tx.one("SELECT version FROM runs WHERE id = :run", run=run)) == (5,)
    db.close()


def test_a_first_migration_killed_in_the_middle_leaves_nothing(tmp_path: Path, scripts: Path) -> None:
    path = tmp_path / "new.sqlite3"
    with interrupted("migrate_sqlite", path, scripts):
        pass
    assert sqlite_revision(path) is None
    assert migrate_sqlite(path)


def test_a_migration_that_fails_leaves_the_old_state_and_says_so(tmp_path: Path, scripts: Path) -> None:
    path = tmp_path / "x.sqlite3"
    migrate_sqlite(path)
    add(scripts, FAILS)
    with pytest.raises(StorageError, match="as it was before") as caught:
        migrate_sqlite(path, scripts=scripts)
    assert "http" not in str(caught.value)
    assert (sqlite_revision(path), "half_done" in tables(path)) == (REVISION, False)


def test_a_migration_goes_on_from_where_the_store_is(tmp_path: Path, scripts: Path) -> None:
    path = tmp_path / "x.sqlite3"
    migrate_sqlite(path)
    add(scripts, "pass")
    assert migrate_sqlite(path, scripts=scripts)
    assert (sqlite_revision(path), "half_done" in tables(path)) == ("0010", True)
    with pytest.raises(StoreNewerError):
        migrate_sqlite(path)


def old_store(path: Path) -> None:
    """Make a store as the version before profiles were records left it: with profiles, runs and messages."""
    migrate_sqlite(path, revision="0004")
    connection = sqlite3.connect(path)
    connection.executescript(OLD)
    connection.commit()
    connection.close()


OLD = """
INSERT INTO profiles VALUES ('z', 'Zebra', 'zebra', '2026-01-02T00:00:00.000000Z');
INSERT INTO profiles VALUES ('a', 'Größe', 'grösse', '2026-01-03T00:00:00.000000Z');
INSERT INTO runs (id, app, key, key_folded, key_prefix, profile, owner, version, created_at, updated_at, updated_by)
    VALUES ('r', 'demo', '01', '01', '', 'z', 'ada', 1, 'x', 'x', 'ada');
INSERT INTO run_events (run, version, at, actor, kind, data) VALUES ('r', 1, 'x', 'ada', 'started', '{}');
INSERT INTO conversations VALUES ('user:ada', 1);
INSERT INTO messages (conversation, seq, at, actor, role, text)
    VALUES ('user:ada', 1, 'x', 'ada', 'user', '"\\u00dcber"');
"""
CARRIED = ["default/Default Profile", "z/Zebra", "a/Größe"]


def carried(connection: Any) -> None:
    """Check that all of it is there after the migration, and that new runs can be of new profiles."""
    found = connection.execute("SELECT ident, name FROM rec_profiles ORDER BY _place").fetchall()
    assert [f"{ident}/{name}" for ident, name in found] == CARRIED
    assert connection.execute("SELECT profile FROM runs").fetchall() == [("z",)]
    assert connection.execute("SELECT found, state, changed FROM messages").fetchall() == [("uber", None, None)]
    assert connection.execute("SELECT last, changes, cleared FROM conversations").fetchall() == [(1, 0, 0)]
    connection.execute("UPDATE runs SET profile = 'new'")


def test_profiles_become_records_in_their_order_with_the_ids_that_runs_refer_to(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    old_store(path)
    assert migrate_sqlite(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys = ON")
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    carried(connection)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("DELETE FROM runs")  # What belongs to runs still refers to them.
    connection.close()
    assert "profiles" not in tables(path)
    db = SqliteDatabase(path)
    assert list(db.read_now(lambda tx: [*check_records(tx)])) == []
    assert [each.id for each in db.read_now(profiles.listed)] == ["default", "z", "a"]
    db.close()


def test_a_migrated_store_has_the_indexes_of_a_new_one(tmp_path: Path) -> None:
    old_store(tmp_path / "old.sqlite3")
    found = []
    for name in ("old.sqlite3", "new.sqlite3"):
        migrate_sqlite(tmp_path / name)
        connection = sqlite3.connect(tmp_path / name)
        found.append(connection.execute("SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name").fetchall())
        connection.close()
    assert found[0] == found[1]
    assert ("runs_key",) in found[0]


# PostgreSQL


@pytest.fixture
def url() -> Iterator[str]:
    """A database without tables, for this test alone."""
    with postgres_database() as url:
        yield url


def test_an_empty_database_gets_all_tables_and_the_second_time_nothing_is_done(url: str) -> None:
    assert postgres_revision(url) is None
    assert migrate_postgres(url)
    assert not migrate_postgres(url)
    assert postgres_revision(url) == REVISION
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert {name for (name,) in found} == {*TABLES, "alembic_version", "rec_profiles"}


def test_on_postgresql_profiles_become_records_too(url: str) -> None:
    migrate_postgres(url, revision="0004")
    with psycopg.connect(url) as connection:
        connection.execute(OLD)
    migrate_postgres(url)
    with psycopg.connect(url) as connection:
        carried(connection)
        assert connection.execute("SELECT to_regclass('profiles')").fetchone() == (None,)


def test_a_database_of_a_newer_version_is_refused(url: str) -> None:
    migrate_postgres(url)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0099'")
    with pytest.raises(StoreNewerError):
        migrate_postgres(url)


def test_a_migration_of_postgresql_killed_in_the_middle_leaves_the_old_state(url: str, scripts: Path) -> None:
    migrate_postgres(url)
    with interrupted("migrate_postgres", url, scripts):
        pass
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)
        assert connection.execute("SELECT ident FROM rec_profiles").fetchall() == [("default",)]
    assert postgres_revision(url) == REVISION


def test_two_programs_that_migrate_at_the_same_moment_do_it_once(url: str) -> None:
    processes = [script(MIGRATE, "migrate_postgres", url, SCRIPTS) for _ in range(2)]
    problems = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], problems
    assert postgres_revision(url) == REVISION


def test_what_has_to_be_done_is_told_by_the_revision(scripts: Path) -> None:
    add(scripts, "pass")
    known = (None, "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
    assert [check_revision(found, scripts) for found in known] == [True] * 10 + [False]
    for unknown in ("0011", "", "default"):
        with pytest.raises(StoreNewerError):
            check_revision(unknown, scripts)
