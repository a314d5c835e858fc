"""Disks that are full, fail, or may not be written to: said plainly, nothing lost, and over when it is over."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.errors import StorageError, StoreDamagedError, StoreFullError
from pipulate.storage import keyvalue
from pipulate.storage.check import check_sqlite_file
from pipulate.storage.database import Transaction
from pipulate.storage.sqlite import SqliteDatabase
from tests.support.store import Sqlite
from tests.support.store_faults import failing, output, small_disk

BIG = "x" * 20_000


def put(tx: Transaction, key: str, value: object = BIG) -> None:
    """Store something."""
    keyvalue.put(tx, "global", "", key, value)


def keys(tx: Transaction) -> list[str]:
    """Return the keys of what is stored."""
    return [key for key, _ in keyvalue.items(tx, "global", "")]


@pytest.fixture(scope="module")
def sqlite() -> Sqlite:
    """What makes stores."""
    return Sqlite()


@pytest.fixture
def fails() -> dict[str, str]:
    """Statement -> error of the disk; empty at first."""
    return {}


@pytest.fixture
def db(sqlite: Sqlite, tmp_path: Path, fails: dict[str, str]) -> Iterator[SqliteDatabase]:
    """A store on a disk that fails as `fails` says."""
    db = SqliteDatabase(sqlite.make(tmp_path / "data").database, connect=failing(fails))
    yield db
    fails.clear()
    db.close()


def fill_up(db: SqliteDatabase) -> int:
    """Store until there is no more room; return how much was acknowledged."""
    for number in range(10_000):
        try:
            db.write_now(put, f"{number:05d}")
        except StoreFullError:
            return number
    raise AssertionError("it never got full")


# Full


def test_a_full_disk_says_so_reads_go_on_and_writes_again_when_there_is_room(sqlite: Sqlite, tmp_path: Path) -> None:
    pages = [120]
    db = SqliteDatabase(sqlite.make(tmp_path).database, connect=small_disk(pages))
    stored = fill_up(db)
    assert stored > 0
    with pytest.raises(StoreFullError, match="disk that holds the data is full"):
        db.write_now(put, "y")
    assert len(db.read_now(keys)) == stored
    pages[0] = 10_000
    db.write_now(put, "y")
    assert len(db.read_now(keys)) == stored + 1
    db.close()


LIMITED = """
import json, resource, signal, sys
from pathlib import Path
from pipulate._ids import new_id
from pipulate.errors import StoreFullError
from pipulate.storage import keyvalue
from pipulate.storage.files import FileStore
from pipulate.storage.sqlite import SqliteDatabase
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, files = Path(sys.argv[1]), FileStore(Path(sys.argv[2]))
db, run, stored, said = SqliteDatabase(path), new_id(), 0, set()
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, limit[1]))
for _ in range(3):
    try:
        while True:
            db.write_now(keyvalue.put, "global", "", f"{stored:05d}", "x" * 20_000)
            stored += 1
    except StoreFullError as error:
        said.add(type(error.__cause__).__name__)
    try:
        files.put(run, b"x" * 700_000)
    except StoreFullError:
        said.add("file")
left = [path.name for path in (Path(sys.argv[2]) / run).rglob("*")]
read = len(db.read_now(keyvalue.items, "global", ""))
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
db.write_now(keyvalue.put, "global", "", "y", 1)
files.put(run, b"x" * 700_000)
print(json.dumps([stored, read, len(db.read_now(keyvalue.items, "global", "")), left, sorted(said)]))
db.close()
"""


def test_a_process_that_may_write_no_more_says_so_and_goes_on_when_it_may(sqlite: Sqlite, tmp_path: Path) -> None:
    layout = sqlite.make(tmp_path)
    stored, read, after, left, said = json.loads(output(LIMITED, layout.database, layout.files))
    assert (stored > 0, read, after) == (True, stored, stored + 1)
    assert (left, said) == ([], ["OperationalError", "file"])
    assert list(check_sqlite_file(layout.database)) == []


@pytest.mark.parametrize("name", ["SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"])
def test_every_way_of_having_no_room_is_told_as_that(db: SqliteDatabase, fails: dict[str, str], name: str) -> None:
    fails["COMMIT"] = name
    with pytest.raises(StoreFullError):
        db.write_now(put, "a")
    fails.clear()
    db.write_now(put, "b")
    assert db.read_now(keys) == ["b"]


@pytest.mark.parametrize("name", ["SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_NOTADB"])
def test_every_kind_of_damage_is_told_as_that(db: SqliteDatabase, fails: dict[str, str], name: str) -> None:
    db.write_now(put, "a")
    fails["COMMIT"] = name
    with pytest.raises(StoreDamagedError, match="db restore"):
        db.write_now(put, "b")
    assert db.read_now(keys) == ["a"]


# Failing


@pytest.mark.parametrize("name", ["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_DIR_FSYNC"])
def test_after_a_failed_fsync_nothing_more_is_stored_and_reads_go_on(
    db: SqliteDatabase, fails: dict[str, str], name: str
) -> None:
    db.write_now(put, "a")
    fails["COMMIT"] = name
    for _ in range(2):
        with pytest.raises(StorageError, match="until the server is restarted"):
            db.write_now(put, "b")
        fails.clear()  # The disk says it is well again; nobody knows what it has lost.
    assert db.read_now(keys) == ["a"]


def test_after_a_failed_fsync_a_restart_is_enough(sqlite: Sqlite, tmp_path: Path) -> None:
    path = sqlite.make(tmp_path).database
    db = SqliteDatabase(path, connect=failing({"COMMIT": "SQLITE_IOERR_FSYNC"}))
    with pytest.raises(StorageError):
        db.write_now(put, "a")
    db.close()
    db = SqliteDatabase(path)
    db.write_now(put, "b")
    assert db.read_now(keys) == ["b"]
    db.close()


def test_a_commit_that_fails_answers_everybody_in_it_and_the_store_lives(
    db: SqliteDatabase, fails: dict[str, str]
) -> None:
    fails |= {"COMMIT": "SQLITE_IOERR_WRITE", "ROLLBACK": "SQLITE_IOERR"}
    with pytest.raises(StoreFullError):
        db.write_now(put, "a")
    fails.clear()
    db.write_now(put, "b")
    assert db.read_now(keys) == ["b"]


def test_a_rollback_that_fails_does_not_stop_the_store(db: SqliteDatabase, fails: dict[str, str]) -> None:
    fails["ROLLBACK"] = "SQLITE_IOERR"

    def refuse(tx: Transaction) -> None:
        put(tx, "half")
        raise LookupError

    with pytest.raises(LookupError):
        db.write_now(refuse)
    with pytest.raises(StorageError):
        db.write_now(put, "a")
    fails.clear()
    with pytest.raises(StorageError):
        db.write_now(put, "a")  # This one clears up.
    db.write_now(put, "b")
    assert db.read_now(keys) == ["b"]


def test_a_store_that_another_program_writes_to_says_so(
    sqlite: Sqlite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipulate.storage.sqlite._BUSY_MS", 50)
    path = sqlite.make(tmp_path).database
    db, other = SqliteDatabase(path), sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="Another program"):
        db.write_now(put, "a")
    other.execute("ROLLBACK")
    other.close()
    db.write_now(put, "b")
    assert db.read_now(keys) == ["b"]
    db.close()


# Damaged


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"Restore a backup|refused"):
        SqliteDatabase(path)
    assert path.read_bytes() == content
    assert list(check_sqlite_file(path)) != []


def test_a_file_that_is_no_database_leaves_no_connection_open(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    left = list[sqlite3.Connection]()

    class Kept(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            left.append(self)

        def close(self) -> None:
            super().close()
            left.remove(self)

    with pytest.raises(StorageError):
        SqliteDatabase(path, connect=Kept)
    assert left == []


def test_damage_in_the_middle_is_told_when_it_is_met_and_by_the_check(sqlite: Sqlite, tmp_path: Path) -> None:
    with sqlite.opened(tmp_path) as store:
        for number in range(30):
            store.db.write_now(put, f"{number:02d}")
        path = store.layout.database
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'key_values'").fetchone()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)
    assert list(check_sqlite_file(path)) != []
    db = SqliteDatabase(path)
    with pytest.raises(StoreDamagedError, match="db restore"):
        db.read_now(lambda tx: (tx.all("SELECT * FROM key_values"), tx.all("SELECT * FROM runs")))
    db.close()


def test_rows_that_belong_to_nothing_are_found_by_the_check(sqlite: Sqlite, tmp_path: Path) -> None:
    with sqlite.opened(tmp_path) as store:
        store.filled()
        path, store.is_damaged = store.layout.database, True
    assert list(check_sqlite_file(path)) == []
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM runs")
    connection.commit()
    connection.close()
    assert any("run_events" in problem for problem in check_sqlite_file(path))


# Read-only

READ_ONLY = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.support.store_faults import obey_permissions
from pipulate.errors import StorageError
from pipulate.storage import keyvalue
from pipulate.storage.files import FileStore
from pipulate.storage.folder import FolderLock, Layout
from pipulate.storage.migrate import migrate_sqlite
from pipulate.storage.sqlite import SqliteDatabase
obey_permissions()
layout, said = Layout(Path(sys.argv[1])), []
def write():
    db = SqliteDatabase(layout.database)
    try:
        db.write_now(keyvalue.put, "global", "", "a", 1)
    finally:
        db.close()
for use in (layout.make, lambda: FolderLock(layout), write, lambda: migrate_sqlite(layout.root / "new.sqlite3"),
            lambda: FileStore(layout.files).put("0" * 32, b"x")):
    try:
        use()
        said.append("nothing")
    except StorageError as error:
        said.append(str(error))
print(json.dumps(said))
"""


def test_a_read_only_folder_is_told_by_everything_that_writes(sqlite: Sqlite, tmp_path: Path) -> None:
    layout = sqlite.make(tmp_path / "data")
    for path in (layout.database, layout.files, layout.state, layout.root):
        path.chmod(0o500)
    try:
        said = json.loads(output(READ_ONLY, layout.root, Path(__file__).parents[2]))
    finally:
        layout.root.chmod(0o700)
    assert [text for text in said if not re.search("read-only|unable to open|Permission denied", text)] == []
    assert "http" not in "".join(said)  # The libraries like to point to their manuals.
    assert sorted(path.name for path in layout.root.iterdir()) == ["files", "pipulate.sqlite3", "state"]


def test_a_store_whose_file_is_read_only_can_be_read(sqlite: Sqlite, tmp_path: Path) -> None:
    layout = sqlite.make(tmp_path / "data")
    said = output(
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tests.support.store_faults import obey_permissions\n"
        "from pipulate.storage.tables import reading_sqlite\n"
        "Path(sys.argv[1]).chmod(0o400); obey_permissions()\n"
        "with reading_sqlite(Path(sys.argv[1])) as (_, tx): print(tx.one('SELECT count(*) FROM rec_profiles')[0])\n",
        layout.database,
        Path(__file__).parents[2],
    )
    assert said.strip() == "1"
