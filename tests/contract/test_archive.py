"""Backups: taken while the store is in use, of one moment, refused where anything in them was changed."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.errors import ArchiveError, StorageError, StoreDamagedError, StoreNewerError
from pipulate.storage import calls, jobs, messages, transfer
from pipulate.storage.archive import Archive, backup
from pipulate.storage.check import check_sqlite_file
from pipulate.storage.database import Transaction
from pipulate.storage.folder import Layout
from pipulate.storage.keyvalue import KeyValues
from pipulate.storage.ledger import Author
from pipulate.storage.migrate import REVISION
from pipulate.storage.postgres import PostgresDatabase
from pipulate.storage.records import catalog, operations, rows
from pipulate.storage.records.rows import Operation
from pipulate.storage.records.shape import Column, Shape
from pipulate.storage.restore import restore_postgres, restore_sqlite
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.testing import ManualClock
from tests.support.called import asked
from tests.support.jobs import AT, put_one
from tests.support.store import LARGE, Postgres, Sqlite, Store, rows_of
from tests.support.store_archives import Entries, deep, edited, entries_of, link, packed


def fill(store: Store) -> None:
    """Put something of everything into a store."""
    store.filled("first")
    run = store.start("second")
    store.submit(run, "a", LARGE)
    store.submit(run, "b", LARGE + "b\0\ud800")
    store.revert(run, "a")
    KeyValues(store.db)["theme"] = {"dark": True}
    job = store.db.write_now(put_one, status="running", run=run, backoff_s=0.1, timeout_s=1e9)
    store.db.write_now(jobs.note, job, AT, None, None, [(AT, "a line")])
    store.db.write_now(jobs.put_part, job, 1, "part", "1", AT)
    store.db.write_now(put_record, store.db.name, "kept")
    store.db.write_now(messages.add, run, AT, "ada", "answer", "Shall I?", state="done", data={"question": 1})
    store.db.write_now(calls.add, asked(run))


SHAPE = Shape("things", (Column("name", "text"), Column("done", "flag"), Column("tags", "json")), key=("name",))


def put_record(tx: Transaction, kind: str, name: str) -> int:
    """Put a record into a table, which is made where it is not there."""
    operation = Operation(new_id(), Author("ann", AT))
    catalog.make(tx, SHAPE, AT, is_postgres=kind == "postgresql")
    operations.begin(tx, SHAPE, operation, "create", {})
    place = rows.last_place(tx, SHAPE, "default")
    values = {"name": name, "done": True, "tags": ["a"]}
    return rows.add(tx, SHAPE, operation, values, name, profile="default", place=place)


def saved(store: Store, name: str = "backup.zip") -> Path:
    """Write a backup beside the store."""
    path = store.layout.root.parent / name
    with store.source() as source:
        backup(source, store.files, path, store.clock)
    return path


def restored(path: Path, folder: Path) -> Store:
    """Put a backup into a SQLite store of its own; it has to be closed."""
    layout, archive = Layout(folder), Archive(path)
    restore_sqlite(layout, archive, ManualClock())
    archive.close()
    assert list(check_sqlite_file(layout.database)) == []
    return Store(SqliteDatabase(layout.database), layout)


# Taking one


def test_a_backup_says_what_is_in_it(store: Store, tmp_path: Path) -> None:
    fill(store)
    path = tmp_path / "x.zip"
    with store.source() as source:
        summary = backup(source, store.files, path, store.clock)
    archive = Archive(path)
    archive.close()
    assert archive.summary == summary
    assert (summary.rows["runs"], summary.rows["run_events"], summary.files) == (2, 9, 2)
    assert (summary.made_at, summary.revision) == (to_text(store.clock.now()), REVISION)


def test_a_backup_says_which_version_of_the_tables_it_is_of(store: Store) -> None:
    store.db.write_now(lambda tx: tx.run("UPDATE alembic_version SET version_num = '0000'"))
    archive = Archive(saved(store))
    store.db.write_now(lambda tx: tx.run("UPDATE alembic_version SET version_num = :now", now=REVISION))
    archive.close()
    assert archive.summary.revision == "0000"


def test_a_backup_can_be_read_by_its_owner_alone(store: Store) -> None:
    assert saved(store).stat().st_mode & 0o777 == 0o600


def test_a_backup_never_replaces_a_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "backup.zip").write_text("mine")
    with pytest.raises(StorageError, match="exists already"):
        saved(store)
    assert (tmp_path / "backup.zip").read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        saved(store, "no/such/folder/backup.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_backup_of_a_damaged_store_is_refused_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    fill(store)
    store.is_damaged = True
    next(path for path in store.layout.files.rglob("*") if path.is_file()).write_bytes(b"damaged")
    with pytest.raises(StoreDamagedError):
        saved(store)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_backup_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    fill(store)
    with store.source() as source:
        before = rows_of(source)
        store.filled("later")
        assert rows_of(source) == before
        store.submit(store.start("much later"), "a", LARGE + "later")
        backup(source, store.files, tmp_path / "x.zip", store.clock)
    archive = Archive(tmp_path / "x.zip")
    assert rows_of(archive) == before
    archive.close()


def test_backups_under_writes_restore_to_a_whole_store_with_everything_acknowledged_before(
    store: Store, tmp_path: Path
) -> None:
    stop, acknowledged = threading.Event(), list[str]()
    run = store.start("busy")

    def write() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            submit_id = f"form-{number}"
            store.submit(
                run, "abcd"[number % 4], LARGE + submit_id if number % 5 == 0 else submit_id, submit_id=submit_id
            )
            acknowledged.append(submit_id)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(6):
            before = list(acknowledged)
            copy = restored(saved(store, f"{number}.zip"), tmp_path / f"restored-{number}")
            try:
                assert copy.problems() == []
                assert {event.submit for event in copy.events(run)} >= set(before)
            finally:
                copy.db.close()
    finally:
        stop.set()
        writer.join(20)
    assert len(acknowledged) > 6


# Putting one back


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_backup_restores_to_the_same_rows_and_files_on_either_kind_of_store(
    store: Store, target: str, tmp_path: Path, postgres_url: str
) -> None:
    fill(store)
    path = saved(store)
    with store.source() as source:
        before = rows_of(source)
    store.db.close()
    layout = Layout(tmp_path / "copy")
    archive = Archive(path)
    if target == "sqlite":
        restore_sqlite(layout, archive, store.clock)
        copy = Store(SqliteDatabase(layout.database), layout)
    else:
        postgres = Postgres(postgres_url)
        postgres.empty()
        restore_postgres(postgres_url, layout, archive, store.clock)
        copy = Store(PostgresDatabase(postgres_url), layout, postgres_url)
    archive.close()
    try:
        with copy.source() as source:
            assert rows_of(source) == before
        assert copy.problems() == []
        copy.filled("new")
        assert copy.db.write_now(put_record, copy.db.name, "more") > 1
    finally:
        copy.db.close()
        store.is_damaged = True  # It is closed, and may have been replaced.


# Tampered with


def manifest(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    """Return what changes the manifest."""
    return lambda content: edited(content, "manifest.json", change)


def entries(change: Callable[[Entries], Any]) -> Callable[[bytes], bytes]:
    """Return what changes the entries."""

    def apply(content: bytes) -> bytes:
        found = entries_of(content)
        change(found)
        return packed(found)

    return apply


def adding(*more: Any) -> Callable[[bytes], bytes]:
    """Return what adds entries."""
    return lambda content: packed([*entries_of(content).items(), *more])


def table(name: str, raw: bytes, **about: Any) -> Callable[[bytes], bytes]:
    """Return what replaces a table, and everything that vouches for it."""

    def change(document: Any) -> None:
        entry = document["tables"].setdefault(name, {"columns": ["id"]})
        entry.update({"sha256": hashlib.sha256(raw).hexdigest(), "rows": raw.count(b"\n"), **about})

    def apply(content: bytes) -> bytes:
        found = entries_of(edited(content, "manifest.json", change))
        found[f"tables/{name}.jsonl"] = raw
        return packed(found)

    return apply


def large(found: Entries) -> str:
    """Return the name of a file of a run."""
    return next(name for name in found if name.startswith("files/"))


def row(*values: Any) -> bytes:
    """Return a line of a table."""
    return json.dumps(values).encode() + b"\n"


GOOD = b"x"
TAMPERED: dict[str, Callable[[bytes], bytes]] = {
    "not a zip": lambda _: b"no archive at all",
    "empty": lambda _: b"",
    "cut off": lambda content: content[:-30],
    "cut in the middle": lambda content: content[: len(content) // 2],
    "no manifest": entries(lambda found: found.pop("manifest.json")),
    "manifest is no JSON": entries(lambda found: found.update({"manifest.json": b"{"})),
    "manifest is deep": entries(lambda found: found.update({"manifest.json": deep()})),
    "manifest is a list": manifest(lambda _: []),
    "other format": manifest(lambda document: document.update(format="pipulate-run")),
    "newer format": manifest(lambda document: document.update(format_version=2)),
    "no tables": manifest(lambda document: document.pop("tables")),
    "tables are a list": manifest(lambda document: document.update(tables=["runs"])),
    "a table is a number": manifest(lambda document: document["tables"].update(runs=1)),
    "a table has no columns": manifest(lambda document: document["tables"]["runs"].pop("columns")),
    "a table has no hash": manifest(lambda document: document["tables"]["runs"].pop("sha256")),
    "a table has no rows": manifest(lambda document: document["tables"]["runs"].pop("rows")),
    "a table has other rows": manifest(lambda document: document["tables"]["runs"].update(rows=7)),
    "a column is SQL": manifest(lambda document: document["tables"]["runs"]["columns"].insert(0, "id) VALUES (1); --")),
    "a column is a number": manifest(lambda document: document["tables"]["runs"]["columns"].insert(0, 1)),
    "columns are text": manifest(lambda document: document["tables"]["runs"].update(columns="id")),
    "a table is SQL": manifest(lambda document: document["tables"].update({"runs; DROP": document["tables"]["runs"]})),
    "a table was changed": entries(lambda found: found.update({"tables/runs.jsonl": b"[]\n"})),
    "a table is missing": entries(lambda found: found.pop("tables/runs.jsonl")),
    "a row is no JSON": table("conversations", b"[\n"),
    "a row is deep": table("conversations", deep() + b"\n"),
    "a row is an object": table("conversations", b"{}\n"),
    "a row is short": table("conversations", row("x")),
    "a row has a list": table("conversations", row("x", ["x"])),
    "a row has a number no store takes": table("conversations", row("x", 10**30)),
    "a row has a number that is none": table("conversations", row("x", float("nan"))),
    "the last row is cut off": table("conversations", row("x", 1)[:-1], rows=1),
    "a file was changed": entries(lambda found: found.update({large(found): b"{}"})),
    "a file is missing": entries(lambda found: found.pop(large(found))),
    "a file too many": adding((f"files/{'0' * 32}/{hashlib.sha256(GOOD).hexdigest()}", GOOD)),
    "a file of no run": lambda content: manifest(lambda document: document.update(files=document["files"] + 1))(
        adding((f"files/x/{hashlib.sha256(GOOD).hexdigest()}", GOOD))(content)
    ),
    "a file in a folder": adding((f"files/{'0' * 32}/x/y", GOOD)),
    "the number of files is text": manifest(lambda document: document.update(files="x")),
    "entry outside": adding(("../evil.py", b"x")),
    "entry at the root": adding(("/etc/evil", b"x")),
    "entry of another kind of path": adding(("files\\..\\evil", b"x")),
    "entry is a link": adding(link("files/link", "/etc/passwd")),
    "entry twice": adding(("manifest.json", b"{}")),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A good backup."""
    folder = tmp_path_factory.mktemp("backup")
    with Sqlite().opened(folder / "data") as store:
        fill(store)
        return saved(store).read_bytes()


def test_the_sample_is_good_as_long_as_nobody_tampers_with_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    for same in (content, packed(entries_of(content)), manifest(lambda _: None)(content)):
        path.write_bytes(same)
        Archive(path).close()


@pytest.mark.parametrize("kind", TAMPERED)
def test_a_backup_that_was_tampered_with_is_refused(content: bytes, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "backup.zip"
    path.write_bytes(TAMPERED[kind](content))
    with pytest.raises(ArchiveError):
        Archive(path)


def test_a_run_is_no_backup(store: Store, tmp_path: Path) -> None:
    run = store.filled()
    with (tmp_path / "run.zip").open("wb") as out:
        store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, out)
    with pytest.raises(ArchiveError, match="lacks manifest"):
        Archive(tmp_path / "run.zip")


def test_a_backup_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no file"):
        Archive(tmp_path / "missing.zip")


def test_a_backup_that_gets_too_large_when_it_is_unpacked_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    path.write_bytes(adding(("tables/bomb.jsonl", b" " * 5_000_000))(table("bomb", b" " * 5_000_000)(content)))
    with pytest.raises(ArchiveError):
        Archive(path, limit_bytes=1_000_000)


def test_a_backup_with_any_byte_changed_is_refused_or_says_the_same(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "backup.zip"
    path.write_bytes(content)
    whole = Archive(path)
    for position in [*range(0, len(content), len(content) // 150), *range(len(content) - 900, len(content), 7)]:
        path.write_bytes(content[:position] + bytes([content[position] ^ 0x21]) + content[position + 1 :])
        try:
            archive = Archive(path)
        except ArchiveError:
            continue
        assert rows_of(archive) == rows_of(whole), position
        archive.close()
    whole.close()


def put_back(store: Store, archive: Archive) -> None:
    """Restore a backup over a store that is closed."""
    if store.url is not None:
        restore_postgres(store.url, store.layout, archive, store.clock)
    else:
        restore_sqlite(store.layout, archive, store.clock)


# Good in itself, but not to be restored

UNFIT: dict[str, Callable[[bytes], bytes]] = {
    "of a newer version": manifest(lambda document: document.update(revision="9999")),
    "of no version": manifest(lambda document: document.update(revision=None)),
    "with a table nobody knows": table("more", row("x")),
    "with a column nobody knows": table("conversations", row("x"), columns=["evil"]),
    "with the same row twice": table("conversations", 2 * row("x", 1, 0, 0, 0)),
    "with rows that belong to nothing": table("runs", b""),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_backup_that_does_not_fit_is_refused_and_the_store_is_as_it_was(
    store: Store, content: bytes, tmp_path: Path, kind: str
) -> None:
    store.filled("live")
    with store.source() as source:
        before = rows_of(source)
    store.db.close()
    store.is_damaged = True
    path = tmp_path / "backup.zip"
    path.write_bytes(UNFIT[kind](content))
    archive = Archive(path)
    with pytest.raises(StorageError) as caught:
        put_back(store, archive)
    archive.close()
    assert ("version" in kind) == isinstance(caught.value, StoreNewerError)
    with store.source() as source:
        assert rows_of(source) == before
    assert not list(store.layout.root.glob("restoring-*"))
    assert not list(store.layout.root.glob("before-restore-*"))
