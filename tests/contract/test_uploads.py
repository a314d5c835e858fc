"""Uploads in the store, and files that values name: kept, copied, checked, exported and restored like values."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from pipulate._ids import new_id
from pipulate.errors import (
    FileGoneError,
    ImportRefusedError,
    RunLockedError,
    RunNotFoundError,
    UploadTooLargeError,
)
from pipulate.storage import journal, lifecycle, lookups, runs, transfer, uploads
from pipulate.storage.archive import Archive, backup
from pipulate.storage.files import FileStore
from pipulate.storage.folder import Layout
from pipulate.storage.ledger import Written
from pipulate.storage.restore import restore_sqlite
from pipulate.storage.uploads import Limits, Upload
from tests.support.store import LARGE, ORDER, Store
from tests.support.store_archives import edited

LIMITS = Limits(100, 200, 300, 400)
CONTENT = b"the content"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAMED = {"sha256": SHA256, "bytes": len(CONTENT), "name": "a.csv", "type": "text/csv"}


def send(
    store: Store, run: str, content: bytes = CONTENT, *, by: str = "ada", step: str = "a", limits: Limits = LIMITS
) -> Upload:
    """Put a file in place and take it down as an upload."""
    sha256, author = store.files.put(run, content), store.author(by)
    upload = Upload(new_id(), run, by, step, "f", "a.csv", "text/csv", len(content), sha256, author.at)
    store.db.write_now(uploads.add, store.files, upload, author, limits)
    return upload


def submit(store: Store, run: str, output: Any = "x", *, step: str = "a", named: Any = (NAMED,)) -> Written:
    """Give a step a value that names files."""
    value = {"input": {"f": NAMED}, "output": output, "view": "text", "files": list(named)}
    return store.db.write_now(
        runs.submit, run, store.author(), step=step, value=store.files.store(run, value), short="", reads={},
        order=ORDER, seen=None, submit_id=None,
    )  # fmt: skip


def with_file(store: Store, output: Any = "x") -> str:
    """Make a run whose first step names a file."""
    run = store.start()
    send(store, run)
    submit(store, run, output)
    return run


@pytest.mark.parametrize("output", ["x", LARGE])
def test_value_takes_its_file_whether_it_is_large_or_not(store: Store, output: str) -> None:
    run = with_file(store, output)
    value = store.events(run)[-1].data["value"]
    assert value["files"] == [NAMED]
    assert ("$file" in value) is (output == LARGE)
    assert set(journal.named_files(value)) == set(store.db.read_now(lookups.files_of, run)) >= {SHA256}
    assert store.db.read_now(uploads.of_step, run, "ada", "a")[0].taken_at is not None
    assert store.files.resolve(run, value)["files"] == [NAMED]


def test_value_whose_file_is_gone_is_refused_and_changes_nothing(store: Store) -> None:
    run = store.start()
    send(store, run)
    store.files.prune(run, frozenset())
    with pytest.raises(FileGoneError):
        submit(store, run)
    assert (store.row(run).version, store.count("run_files")) == (1, 0)


def test_copy_keeps_the_files_its_journal_names_and_no_others(store: Store) -> None:
    run = with_file(store, LARGE)
    store.files.put(run, b"second")
    other = {**NAMED, "sha256": hashlib.sha256(b"second").hexdigest(), "bytes": 6}
    submit(store, run, step="b", named=[other])
    copy = new_id()
    for sha256 in store.db.read_now(lookups.files_of, run):
        store.files.copy(run, copy, sha256)
    _, _, names = store.db.write_now(lifecycle.fork, run, copy, store.author(), version=2)
    assert SHA256 in names
    assert other["sha256"] not in names
    assert sorted(names) == store.db.read_now(lookups.files_of, copy)


@pytest.mark.parametrize("output", ["x", LARGE])
def test_file_of_a_run_has_the_files_its_values_name(store: Store, output: str) -> None:
    run = with_file(store, output)
    out = io.BytesIO()
    store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, out)
    path = store.layout.root / "run.zip"
    path.write_bytes(out.getvalue())
    incoming, copy = transfer.Incoming(path), new_id()
    incoming.put_files(store.files, copy)
    store.db.write_now(transfer.take_in, copy, incoming, store.author("bob"), None)
    incoming.close()
    assert store.files.read(copy, SHA256) == CONTENT
    assert store.db.read_now(lookups.files_of, copy) == store.db.read_now(lookups.files_of, run)


def renamed(document: Any) -> None:
    document["events"][1]["data"]["value"]["files"][0]["name"] = "x\0"


def resized(document: Any) -> None:
    document["events"][1]["data"]["value"]["files"][0]["bytes"] = 3


def elsewhere(document: Any) -> None:
    document["events"][1]["data"]["value"]["files"][0]["sha256"] = "../../x"


def unnamed(document: Any) -> None:
    del document["events"][1]["data"]["value"]["files"]


@pytest.mark.parametrize("output", ["x", LARGE])
@pytest.mark.parametrize("change", [renamed, resized, elsewhere, unnamed])
def test_file_of_a_run_that_names_other_files_than_it_did_is_refused(store: Store, output: str, change: Any) -> None:
    run = with_file(store, output)
    out = io.BytesIO()
    store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, out)
    path = store.layout.root / "run.zip"
    path.write_bytes(edited(out.getvalue(), "run.json", change))
    with pytest.raises(ImportRefusedError):
        transfer.Incoming(path)


def test_file_of_a_run_with_a_changed_file_is_refused(store: Store) -> None:
    run = with_file(store)
    out = io.BytesIO()
    store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, out)
    store.files.path(run, SHA256).write_bytes(b"another one")
    with pytest.raises(Exception, match="changed"):
        store.db.read_now(transfer.export, store.files, run, "ada").write(store.files, io.BytesIO())
    store.is_damaged = True


def test_backup_has_files_that_values_name_and_uploads_that_were_taken(store: Store, tmp_path: Path) -> None:
    run = with_file(store)
    send(store, run, b"waits")
    with store.source() as source:
        summary = backup(source, store.files, tmp_path / "b.zip", store.clock)
    assert (summary.files, summary.rows["uploads"]) == (1, 1)
    archive = Archive(tmp_path / "b.zip")
    layout = Layout(tmp_path / "copy")
    restore_sqlite(layout, archive, store.clock)
    archive.close()
    assert FileStore(layout.files).read(run, SHA256) == CONTENT


def test_check_finds_a_file_that_is_missing_changed_or_not_listed(store: Store) -> None:
    run = with_file(store)
    path = store.files.path(run, SHA256)
    store.is_damaged = True
    path.write_bytes(b"The content")
    assert any("changed" in each for each in store.problems())
    path.unlink()
    assert any("missing" in each for each in store.problems())
    path.write_bytes(CONTENT)
    assert store.problems() == []
    store.db.write_now(lambda tx: tx.run("UPDATE run_files SET size_bytes = 3"))
    assert any("not as long" in each for each in store.problems())
    store.db.write_now(lambda tx: tx.run("DELETE FROM run_files"))
    assert any("not listed" in each for each in store.problems())


def test_purge_forgets_uploads_and_files(store: Store) -> None:
    run = with_file(store)
    send(store, run, b"waits")
    store.do(lifecycle.delete, run)
    store.do(lifecycle.purge, run)
    assert (store.count("uploads"), store.count("run_files")) == (0, 0)


def test_what_waits_and_what_is_named_counts_to_the_limits(store: Store) -> None:
    run, other = store.start("1"), store.start("2")

    def left(run: str, step: str = "a", by: str = "ada") -> int:
        return store.db.read_now(uploads.room, run, by, step, LIMITS).left

    assert left(run) == 100
    for number in range(2):
        send(store, run, bytes([number]) * 90)
    assert (left(run), left(run, "b"), left(other)) == (20, 100, 100)
    with pytest.raises(UploadTooLargeError, match="one step"):
        send(store, run, b"x" * 21)
    send(store, run, b"y" * 100, step="b")
    assert (left(run, "c"), left(other)) == (20, 100)
    send(store, other, b"z" * 100)
    assert left(other, "b") == 20
    with pytest.raises(UploadTooLargeError, match="your files"):
        send(store, other, b"x" * 21, step="b")
    bobs = store.start("3", by="bob")
    assert left(bobs, by="bob") == 100
    store.files.prune(run, frozenset())


def test_upload_goes_to_an_open_run_of_its_owner_alone(store: Store) -> None:
    run = store.start()
    with pytest.raises(RunNotFoundError):
        send(store, run, by="bob")
    store.do(lifecycle.finalize, run)
    with pytest.raises(RunLockedError):
        send(store, run)
    with pytest.raises(RunLockedError):
        store.db.read_now(uploads.room, run, "ada", "a", LIMITS)
    assert store.count("uploads") == 0


def test_upload_is_dropped_by_its_owner_while_it_waits(store: Store) -> None:
    run = store.start()
    taken, waits = send(store, run), send(store, run, b"waits")
    submit(store, run)
    for step, upload, is_there in (("a", taken.id, False), ("b", waits.id, False), ("a", waits.id, True)):
        assert store.db.write_now(uploads.drop, run, store.author(), step, upload) is is_there
    with pytest.raises(RunNotFoundError):
        store.db.write_now(uploads.drop, run, store.author("bob"), "a", taken.id)


def test_clearing_forgets_what_waited_too_long_and_keeps_what_anybody_names(store: Store) -> None:
    run = with_file(store)
    again, late = send(store, run), send(store, run, b"late")
    before = store.author().at
    fresh = send(store, run, b"fresh")
    assert store.db.read_now(uploads.expired, before) == [run]
    assert store.db.write_now(uploads.clear, store.files, run, before, [SHA256, fresh.sha256]) == 1
    assert store.files.has(run, SHA256)
    assert store.files.has(run, fresh.sha256)
    assert not store.files.has(run, late.sha256)
    left = {each.id for each in store.db.read_now(uploads.of_step, run, "ada", "a")}
    assert (again.id in left, late.id in left, fresh.id in left) == (False, False, True)


def test_nothing_else_in_a_value_is_the_name_of_a_file() -> None:
    value = {"input": {"f": NAMED}, "output": [NAMED, {"$file": NAMED}], "view": "tree"}
    assert journal.named_files(value) == {}
