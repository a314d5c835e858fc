"""Putting a backup back: the old store is kept, and a crash leaves either the one or the other."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipulate.errors import FolderInUseError, StorageError
from pipulate.storage import migrate, profiles, restore
from pipulate.storage import tables as stored_tables
from pipulate.storage.archive import Archive, backup
from pipulate.storage.check import check_runs, check_sqlite_file
from pipulate.storage.files import FileStore
from pipulate.storage.folder import FolderLock, Layout
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.restore import finish_restore, restore_postgres, restore_sqlite
from pipulate.storage.tables import reading_sqlite
from pipulate.testing import ManualClock
from tests.support.services import postgres_database
from tests.support.store import LARGE, Postgres, Sqlite, made, rows_of

CLOCK = ManualClock()
LATER = ("report_files", "record_files", "record_uploads", "action_calls")
"""Tables that came after profiles were records."""


@pytest.fixture(scope="module")
def sqlite() -> Sqlite:
    """What makes stores."""
    return Sqlite()


@pytest.fixture(scope="module")
def saved(sqlite: Sqlite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a store with one run."""
    folder = tmp_path_factory.mktemp("backup")
    with sqlite.opened(folder / "data") as store:
        store.submit(store.filled("from the backup"), "a", LARGE)
        with store.source() as source:
            backup(source, store.files, folder / "backup.zip", store.clock)
    return folder / "backup.zip"


@pytest.fixture
def archive(saved: Path) -> Iterator[Archive]:
    """The same, checked and open."""
    archive = Archive(saved)
    yield archive
    archive.close()


@pytest.fixture
def live(sqlite: Sqlite, tmp_path: Path) -> Layout:
    """A store with other runs, as a server that was killed leaves it: with its log beside it."""
    with sqlite.opened(tmp_path / "running") as store:
        store.submit(store.filled("live"), "a", LARGE + "live")
        shutil.copytree(store.layout.root, tmp_path / "data")
    layout = Layout(tmp_path / "data")
    assert (layout.root / "pipulate.sqlite3-wal").stat().st_size > 0
    return layout


def rows(layout: Layout) -> Mapping[str, list[list[Any]]]:
    """Return the rows of a store that holds together."""
    assert list(check_sqlite_file(layout.database)) == []
    with reading_sqlite(layout.database) as (source, tx):
        assert list(check_runs(tx, FileStore(layout.files))) == []
        return rows_of(source)


def keys(layout: Layout) -> list[str]:
    """Return the keys of the runs of a store that holds together."""
    return [row[2] for row in rows(layout)["runs"]]


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a program with one migration more than the one that made the backup."""
    scripts = Path(shutil.copytree(migrate.SCRIPTS, tmp_path / "migrations"))
    (scripts / "versions" / "0010_more.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        'revision, down_revision, branch_labels, depends_on = "0010", "0009", None, None\n'
        'def upgrade():\n    op.add_column("runs", sa.Column("more", sa.Text, server_default="added"))\n'
    )
    for name in ("check_revision", "migrate_sqlite", "upgrade"):
        monkeypatch.setattr(restore, name, partial(getattr(migrate, name), scripts=scripts))


def test_what_was_there_is_kept_aside_whole(live: Layout, archive: Archive) -> None:
    before = rows(live)
    aside = restore_sqlite(live, archive, CLOCK)
    assert rows(Layout(aside)) == before
    assert keys(live) == ["from the backup"]
    assert sorted(path.name for path in live.root.iterdir()) == sorted(
        [aside.name, "files", "pipulate.sqlite3", "server.lock", "state"]
    )


def test_restores_in_the_same_second_all_keep_what_was_there(live: Layout, archive: Archive) -> None:
    aside = [restore_sqlite(live, archive, CLOCK) for _ in range(3)]
    assert len(set(aside)) == 3
    assert [keys(Layout(each)) for each in aside] == [["live"], ["from the backup"], ["from the backup"]]


def test_a_backup_restores_into_an_empty_folder(tmp_path: Path, archive: Archive) -> None:
    layout = Layout(tmp_path / "new" / "odd ?#%41 é")
    restore_sqlite(layout, archive, CLOCK)
    assert keys(layout) == ["from the backup"]


def test_a_folder_that_a_server_runs_on_is_left_alone(live: Layout, archive: Archive) -> None:
    before = sorted(live.root.rglob("*"))
    with FolderLock(live), pytest.raises(FolderInUseError) as caught:
        restore_sqlite(live, archive, CLOCK)
    assert caught.value.pid == os.getpid()
    assert sorted(live.root.rglob("*")) == sorted([*before, live.lock])


class Crash(BaseException):
    """The power is cut here."""


def crash(*_: object) -> None:
    """Cut the power."""
    raise Crash


@pytest.mark.parametrize("move", range(6))
def test_a_restore_cut_short_after_its_note_is_finished_at_the_next_start(
    live: Layout, archive: Archive, monkeypatch: pytest.MonkeyPatch, move: int
) -> None:
    before, moves = rows(live), list[Path]()
    rename = Path.rename

    def crashing(path: Path, target: Path) -> Path:
        if len(moves) == move:
            raise Crash
        moves.append(path)
        return rename(path, target)

    with monkeypatch.context() as patch, contextlib.suppress(Crash):
        patch.setattr(Path, "rename", crashing)
        restore_sqlite(live, archive, CLOCK)
    assert finish_restore(live) == (len(moves) == move)  # What was done to the end needs no more.
    assert not finish_restore(live)
    assert keys(live) == ["from the backup"]
    assert rows(Layout(next(live.root.glob("before-restore-*")))) == before
    assert not list(live.root.glob("restoring-*"))


@pytest.mark.parametrize("part", ["_stage", "_new_folder", "_commit"])
def test_a_restore_cut_short_before_its_note_has_changed_nothing(
    live: Layout, archive: Archive, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    before = rows(live)
    monkeypatch.setattr(restore, part, crash)
    with pytest.raises(Crash):
        restore_sqlite(live, archive, CLOCK)
    assert not finish_restore(live)
    assert rows(live) == before
    assert not list(live.root.glob("restoring-*"))


def test_what_a_killed_restore_left_behind_is_removed_at_the_next_start(live: Layout) -> None:
    (live.root / "restoring-x" / "files").mkdir(parents=True)
    before = rows(live)
    assert not finish_restore(live)
    assert not (live.root / "restoring-x").exists()
    assert rows(live) == before


def test_a_restore_that_runs_out_of_room_has_changed_nothing(
    live: Layout, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(live)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError, match=r"No space left.*Nothing was changed"):
        restore_sqlite(live, archive, CLOCK)
    monkeypatch.undo()
    assert not finish_restore(live)
    assert rows(live) == before


# PostgreSQL


@pytest.mark.usefixtures("newer")
def test_a_backup_of_an_older_program_is_brought_up_to_date(archive: Archive, tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    restore_sqlite(layout, archive, CLOCK)
    with reading_sqlite(layout.database) as (source, tx):
        assert source.revision == "0010"
        assert tx.all("SELECT key, more FROM runs") == [("from the backup", "added")]


@pytest.mark.usefixtures("newer")
def test_on_postgresql_a_backup_of_an_older_program_is_brought_up_to_date(archive: Archive, tmp_path: Path) -> None:
    with postgres_database() as url:
        restore_postgres(url, Layout(tmp_path / "data"), archive, CLOCK)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT key, more FROM runs").fetchall() == [("from the backup", "added")]


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """A backup of a store from before profiles were records."""
    layout, saved = made(tmp_path / "old"), tmp_path / "old.zip"
    migrate.migrate_sqlite(layout.database, revision="0004")
    connection = sqlite3.connect(layout.database)
    connection.execute("INSERT INTO profiles VALUES ('acme', 'Acme', 'acme', '2026-02-01T00:00:00.000000Z')")
    connection.commit()
    connection.close()
    with monkeypatch.context() as patched:
        there = [each for each in stored_tables.TABLES if each not in LATER]
        patched.setattr(stored_tables, "TABLES", (*stored_tables.GONE, *there))
        with reading_sqlite(layout.database) as (source, _):
            backup(source, FileStore(layout.files), saved, CLOCK)
    archive = Archive(saved)
    yield archive
    archive.close()


def test_a_backup_from_before_profiles_were_records_is_restored(live: Layout, old: Archive) -> None:
    restore_sqlite(live, old, CLOCK)
    assert [row[-2:] for row in rows(live)["rec_profiles"]] == [[1, "default"], [1, "acme"]]


def test_on_postgresql_a_backup_from_before_profiles_were_records_is_restored(
    postgres_url: str, old: Archive, tmp_path: Path
) -> None:
    with Postgres(postgres_url).opened(tmp_path / "running"):
        pass
    restore_postgres(postgres_url, Layout(tmp_path / "data"), old, CLOCK)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT ident FROM rec_profiles ORDER BY _place").fetchall() == [
            ("default",), ("acme",),
        ]  # fmt: skip
        assert connection.execute("SELECT to_regclass('profiles')").fetchone() == (None,)


def test_profiles_are_backed_up_and_restored_with_their_order_and_history(sqlite: Sqlite, tmp_path: Path) -> None:
    with sqlite.opened(tmp_path / "data") as store:
        store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
        with store.source() as source:
            before = rows_of(source)
            backup(source, store.files, tmp_path / "backup.zip", store.clock)
    archive = Archive(tmp_path / "backup.zip")
    restore_sqlite(Layout(tmp_path / "other"), archive, CLOCK)
    archive.close()
    assert rows(Layout(tmp_path / "other")) == before


def test_on_postgresql_what_was_there_is_kept_in_a_schema_of_its_own(
    postgres_url: str, archive: Archive, tmp_path: Path
) -> None:
    with Postgres(postgres_url).opened(tmp_path / "data") as store:
        store.filled("live")
        store.db.close()
        schemas = [restore_postgres(postgres_url, store.layout, archive, CLOCK) for _ in range(3)]
    assert len(set(schemas)) == 3
    with psycopg.connect(postgres_url) as connection:
        found = [
            connection.execute(f"SELECT key FROM {schema}.runs").fetchall()  # noqa: S608 - names of ours
            for schema in ("public", *schemas)
        ]
    assert found == [[("from the backup",)], [("live",)], [("from the backup",)], [("from the backup",)]]


def test_on_postgresql_a_database_that_a_server_uses_is_left_alone(
    postgres_url: str, archive: Archive, tmp_path: Path
) -> None:
    with Postgres(postgres_url).opened(tmp_path / "data") as store:
        run = store.filled("live")
        with pytest.raises(StorageError, match="Stop it first"):
            restore_postgres(postgres_url, store.layout, archive, CLOCK)
        assert store.row(run).key == "live"


def test_on_postgresql_a_restore_that_fails_changes_nothing(
    postgres_url: str, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Postgres(postgres_url).opened(tmp_path / "data") as store:
        store.filled("live")
        store.db.close()
        monkeypatch.setattr(restore, "fill", crash)
        with pytest.raises(Crash):
            restore_postgres(postgres_url, store.layout, archive, CLOCK)
        store.db = PostgresDatabase(postgres_url)
        assert [row[2] for row in _rows(store.db)] == ["live"]
        store.db.close()


def _rows(db: PostgresDatabase) -> list[Any]:
    return list(db.read_now(lambda tx: tx.all("SELECT id, app, key FROM runs")))
