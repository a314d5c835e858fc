"""Large values become files that are named by what is in them."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pipulate._ids import new_id
from pipulate.errors import StorageError, StoreDamagedError, StoreFullError
from pipulate.storage import journal
from pipulate.storage.files import INLINE_BYTES, FileStore
from tests.support.store import LARGE

RUN, OTHER = new_id(), new_id()


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    """An empty folder for files."""
    (tmp_path / "files").mkdir()
    return FileStore(tmp_path / "files")


def stored_at(files: FileStore, content: bytes = b"content") -> Path:
    """Store something; return where it is."""
    return files.path(RUN, files.put(RUN, content))


def test_a_small_value_stays_in_the_journal(files: FileStore) -> None:
    stored = files.store(RUN, {"output": "x"})
    assert (stored.value, stored.text, stored.sha256) == ({"output": "x"}, '{"output":"x"}', None)
    assert list(files.runs()) == []


@pytest.mark.parametrize(("length", "is_file"), [(INLINE_BYTES, False), (INLINE_BYTES + 1, True)])
def test_a_value_becomes_a_file_above_the_limit(files: FileStore, length: int, is_file: bool) -> None:
    stored = files.store(RUN, {"o": "x" * (length - len('{"o":""}'))})
    assert (stored.sha256 is not None) == is_file


def test_a_large_value_goes_to_a_file_and_comes_back(files: FileStore) -> None:
    value = {"output": LARGE + "\0\ud800ü"}
    stored = files.store(RUN, value)
    assert stored.value == {"$file": {"sha256": stored.sha256, "bytes": stored.files[str(stored.sha256)]}}
    assert files.resolve(RUN, stored.value) == value
    assert files.path(RUN, str(stored.sha256)).stat().st_size == stored.files[str(stored.sha256)]


def test_a_value_has_one_digest_wherever_it_is_kept(files: FileStore) -> None:
    value = {"output": LARGE}
    assert files.store(RUN, value).digest == journal.digest(value)


def test_a_small_value_resolves_to_itself(files: FileStore) -> None:
    value = {"output": "x"}
    assert files.resolve(RUN, value) is value


@pytest.mark.parametrize("value", [float("nan"), float("-inf"), {1: {2}}, object(), b"bytes"])
def test_what_is_no_json_is_refused_and_leaves_nothing(files: FileStore, value: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        files.store(RUN, {"output": [LARGE, value]})
    assert list(files.runs()) == []


def test_the_same_content_is_stored_once(files: FileStore) -> None:
    first = stored_at(files)
    inode = first.stat().st_ino
    assert stored_at(files) == first
    assert (first.stat().st_ino, len(list(first.parent.iterdir()))) == (inode, 1)


def test_the_same_content_stored_by_many_at_once_is_whole(files: FileStore) -> None:
    content, barrier = os.urandom(300_000), threading.Barrier(8)

    def put(_: int) -> str:
        barrier.wait(10)
        return files.put(RUN, content)

    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(put, range(8)))
    assert names == {hashlib.sha256(content).hexdigest()}
    assert [path.read_bytes() == content for path in (files.path(RUN, names.pop()).parent).iterdir()] == [True]


def test_a_missing_file_is_noticed(files: FileStore) -> None:
    path = stored_at(files)
    path.unlink()
    with pytest.raises(StoreDamagedError, match="missing"):
        files.read(RUN, path.name)
    with pytest.raises(StoreDamagedError, match="missing"):
        files.copy(RUN, OTHER, path.name)


@pytest.mark.parametrize("damaged", [b"", b"conten", b"Content", b"content "])
def test_a_changed_file_is_noticed(files: FileStore, damaged: bytes) -> None:
    path = stored_at(files)
    path.write_bytes(damaged)
    with pytest.raises(StoreDamagedError, match="changed"):
        files.read(RUN, path.name)


@pytest.mark.parametrize(
    "run", ["..", "../outside", "", "A" * 32, "a" * 31, "a" * 33, "a" * 32 + "\n", "{tmp}/outside"]
)
def test_a_name_that_is_not_of_ours_means_no_file(files: FileStore, tmp_path: Path, run: str) -> None:
    canary = tmp_path / "outside" / "canary"  # Every name above stays inside this test's own folder.
    canary.parent.mkdir()
    canary.touch()
    run = run.format(tmp=tmp_path)
    for use in (
        lambda: files.path(run, "0" * 64),
        lambda: files.read(run, "0" * 64),
        lambda: files.put(run, b"x"),
        lambda: files.prune(run, frozenset()),
        lambda: files.erase(run),
    ):
        with pytest.raises(ValueError, match="not the"):
            use()
    assert canary.exists()


@pytest.mark.parametrize("sha256", ["..", "", "0" * 63, "0" * 65, "G" * 64, "0" * 64 + "\n", "../" * 21 + "0"])
def test_a_hash_that_is_none_means_no_file(files: FileStore, sha256: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        files.path(RUN, sha256)


def test_a_copy_has_the_same_content_and_is_independent_of_the_first(files: FileStore) -> None:
    path = stored_at(files)
    files.copy(RUN, OTHER, path.name)
    files.copy(RUN, OTHER, path.name)
    files.erase(RUN)
    assert files.read(OTHER, path.name) == b"content"


def test_a_copy_is_made_where_the_disk_knows_no_links(files: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored_at(files)

    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    files.copy(RUN, OTHER, path.name)
    assert files.read(OTHER, path.name) == b"content"


def test_erase_removes_every_file_of_the_run_and_no_other(files: FileStore) -> None:
    path = stored_at(files)
    files.put(OTHER, b"other")
    files.erase(RUN)
    files.erase(RUN)
    assert (path.parent.exists(), list(files.runs())) == (False, [OTHER])


def test_prune_removes_what_the_journal_does_not_name(files: FileStore) -> None:
    kept, gone = stored_at(files), stored_at(files, b"other")
    files.prune(RUN, frozenset({kept.name}))
    files.prune(OTHER, frozenset())
    assert (kept.exists(), gone.exists()) == (True, False)


def test_the_room_all_files_take_is_counted(files: FileStore) -> None:
    stored_at(files)
    files.put(OTHER, b"12345")
    assert files.size_bytes() == len(b"content") + 5


def test_a_file_that_cannot_be_written_leaves_nothing(files: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError, match="Input/output error"):
        files.put(RUN, b"content")
    assert list(files.path(RUN, "0" * 64).parent.rglob("*")) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_way_of_having_no_room_for_a_file_is_told_as_that(
    files: FileStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreFullError):
        files.put(RUN, b"content")
    assert list(files.path(RUN, "0" * 64).parent.rglob("*")) == []


def test_a_copy_that_finds_no_room_for_its_folder_says_so(files: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = stored_at(files)

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(StoreFullError):
        files.copy(RUN, OTHER, path.name)


def test_a_file_and_its_folder_are_on_the_disk_when_it_is_named(
    files: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = list[int]()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    path = stored_at(files)
    assert synced == [each.stat().st_ino for each in (path, path.parent, path.parent.parent)]
    synced.clear()
    assert stored_at(files) == path  # Whoever wrote it first may not have come to the names yet.
    assert synced == [each.stat().st_ino for each in (path.parent, path.parent.parent)]
    synced.clear()
    files.copy(RUN, OTHER, path.name)
    assert synced == [each.stat().st_ino for each in (files.path(OTHER, path.name).parent, path.parent.parent)]
