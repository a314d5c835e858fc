"""Putting a backup in place of what is there. What was there is kept aside; a crash leaves either the one or the other.

On SQLite the new store is made complete beside the old one. A note that names both is then the point of no return: from
it, moving them into place can be done again at the next start if it was cut short.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from pipulate._clock import Clock
from pipulate._ids import new_id
from pipulate.errors import StorageError
from pipulate.storage.archive import Archive
from pipulate.storage.files import FileStore, sync
from pipulate.storage.folder import FolderLock, Layout
from pipulate.storage.migrate import check_revision, migrate_sqlite, reason_of, sqlalchemy_url, sqlite_url, upgrade
from pipulate.storage.records.shape import PREFIX
from pipulate.storage.tables import GONE, TABLES, fill

_MOVED = ("pipulate.sqlite3", "pipulate.sqlite3-wal", "pipulate.sqlite3-shm", "files")


def restore_sqlite(layout: Layout, archive: Archive, clock: Clock) -> Path:
    """Replace the store of a data folder by a backup; return where the old one is kept.

    Raises:
        FolderInUseError: If a server runs on the folder.
        StoreNewerError: If the backup was made by a newer version.
        StorageError: If it cannot be done; the store is as it was.
    """
    check_revision(archive.summary.revision)
    layout.make()
    with FolderLock(layout):
        finish_restore(layout)
        staging = layout.root / f"restoring-{new_id()}"
        try:
            _stage(Layout(staging), archive)
            aside = _new_folder(layout.root / f"before-restore-{clock.now():%Y%m%d-%H%M%S}")
            _commit(layout, staging, aside)
        except BaseException as error:
            shutil.rmtree(staging, ignore_errors=True)
            if isinstance(error, OSError):
                raise StorageError(
                    f"The backup could not be restored ({error.strerror}). Nothing was changed."
                ) from error
            raise
        finish_restore(layout)
    return aside


def finish_restore(layout: Layout) -> bool:
    """Finish a restore that was cut short after its point of no return; tell whether there was one."""
    note = layout.root / "restore.json"
    if not note.exists():
        for left in layout.root.glob("restoring-*"):
            shutil.rmtree(left, ignore_errors=True)
        return False
    names = json.loads(note.read_text())
    staging, aside = layout.root / names["staging"], layout.root / names["aside"]
    for name in _MOVED:
        new, now, old = staging / name, layout.root / name, aside / name
        if now.exists() and not old.exists() and (new.exists() or name not in names["new"]):
            now.rename(old)
        if new.exists():
            new.rename(now)
    sync(aside)
    sync(layout.root)
    note.unlink()
    shutil.rmtree(staging, ignore_errors=True)
    return True


def restore_postgres(url: str, layout: Layout, archive: Archive, clock: Clock) -> str:
    """Replace the tables of a PostgreSQL database by a backup; return the schema where the old ones are kept.

    Raises:
        StorageError: If a server is connected, or it cannot be done; the database is as it was.
        StoreNewerError: If the backup was made by a newer version.
    """
    check_revision(archive.summary.revision)
    import sqlalchemy as sa  # noqa: PLC0415 - half a second to import; restoring is rare

    layout.make()
    files = FileStore(layout.files)
    for run, blocks in archive.files():
        files.put_all(run, blocks)
    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.pool.NullPool)
    try:
        with engine.begin() as connection:
            _refuse_connected(connection)
            aside = _set_aside(connection, f"before_restore_{clock.now():%Y%m%d_%H%M%S}")
            upgrade(connection, revision=archive.summary.revision)
            fill(connection, archive.tables())
            upgrade(connection)
    except sa.exc.SQLAlchemyError as error:
        raise StorageError(
            f"The backup could not be restored ({reason_of(error)}). The database is as it was."
        ) from error
    finally:
        engine.dispose()
    return aside


def _stage(layout: Layout, archive: Archive) -> None:
    """Make a complete store from a backup in a folder of its own."""
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    layout.make()
    migrate_sqlite(layout.database, revision=archive.summary.revision)
    engine = sa.create_engine(sqlite_url(layout.database), poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _strict(driver: Any, _record: Any) -> None:
        driver.execute("PRAGMA foreign_keys=ON")  # Rows that belong to nothing are no store of ours.

    try:
        with engine.begin() as connection:
            fill(connection, archive.tables())
    except sa.exc.SQLAlchemyError as error:
        raise StorageError(f"The backup could not be restored ({reason_of(error)}). Nothing was changed.") from error
    finally:
        engine.dispose()
    migrate_sqlite(layout.database)
    files = FileStore(layout.files)
    for run, blocks in archive.files():
        files.put_all(run, blocks)
    sync(layout.database)
    sync(layout.root)


def _new_folder(wanted: Path) -> Path:
    """Make a folder of this name, or with a number behind it where there is one already."""
    folder, number = wanted, 1
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    folder.mkdir(mode=0o700)
    return folder


def _commit(layout: Layout, staging: Path, aside: Path) -> None:
    note = layout.root / "restore.json"
    part = note.with_suffix(".part")
    new = [name for name in _MOVED if (staging / name).exists()]
    part.write_text(json.dumps({"staging": staging.name, "aside": aside.name, "new": new}))
    sync(part)
    part.replace(note)
    sync(layout.root)


def _refuse_connected(connection: Any) -> None:
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    others = connection.execute(
        sa.text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'pipulate' AND pid <> pg_backend_pid()"
        )
    ).scalar_one()
    if others:
        raise StorageError("A server is connected to this database. Stop it first.")


def _set_aside(connection: Any, wanted: str) -> str:
    """Move our tables to a schema of their own; return its name."""
    import sqlalchemy as sa  # noqa: PLC0415 - as above

    def is_there(name: str) -> bool:
        return connection.execute(sa.text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is not None

    here = [name for name in (*GONE, *TABLES, "alembic_version") if is_there(name)]
    if "record_tables" in here:
        names = connection.execute(sa.text("SELECT name FROM record_tables")).scalars()
        here += [f"{PREFIX}{name}" for name in names]
    schema, number = wanted, 1
    while connection.execute(sa.text("SELECT to_regnamespace(:schema)"), {"schema": schema}).scalar_one() is not None:
        number += 1
        schema = f"{wanted}_{number}"
    connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
    for name in here:
        connection.execute(sa.text(f"ALTER TABLE {name} SET SCHEMA {schema}"))
    return schema
