"""One process at a time writes to a data folder."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from pipulate.errors import FolderInUseError, StorageError, StoreFullError
from pipulate.storage.folder import FolderLock, Layout, is_held
from tests.support.store_faults import kill, output, script

HOLD = """
import sys
from pathlib import Path
from pipulate.storage.folder import FolderLock, Layout
with FolderLock(Layout(Path(sys.argv[1]))):
    print("held", flush=True)
    sys.stdin.read()
"""
TRY = """
import sys
from pathlib import Path
from pipulate.errors import FolderInUseError
from pipulate.storage.folder import FolderLock, Layout
try:
    FolderLock(Layout(Path(sys.argv[1])))
    print("free")
except FolderInUseError as error:
    print(error)
"""

MAKE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from pipulate.errors import StorageError
from pipulate.storage.folder import Layout
from tests.support.store_faults import obey_permissions
obey_permissions()
try:
    Layout(Path(sys.argv[1])).make()
except StorageError as error:
    print(error)
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data folder."""
    layout = Layout(tmp_path / "data")
    layout.make()
    return layout


def test_a_second_process_is_refused_and_told_which_one_has_it(layout: Layout) -> None:
    with FolderLock(layout):
        said = output(TRY, layout.root)
    assert str(os.getpid()) in said
    assert str(layout.root) in said
    assert output(TRY, layout.root) == "free\n"


def test_a_folder_is_free_again_after_its_holder_was_killed(layout: Layout) -> None:
    holder = script(HOLD, layout.root)
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(FolderInUseError) as caught:
            FolderLock(layout)
        assert caught.value.pid == holder.pid
        assert is_held(layout)
    finally:
        kill(holder)
    assert not is_held(layout)
    FolderLock(layout).release()


def test_a_lock_can_be_let_go_twice(layout: Layout) -> None:
    lock = FolderLock(layout)
    lock.release()
    lock.release()
    with FolderLock(layout):
        assert is_held(layout)


def test_looking_whether_a_folder_is_held_leaves_it_as_it_is(layout: Layout) -> None:
    assert not is_held(layout)
    assert not layout.lock.exists()
    with FolderLock(layout):
        pid = layout.lock.read_text()
        assert is_held(layout)
        assert layout.lock.read_text() == pid == str(os.getpid())


def test_two_who_look_are_not_taken_for_holders_by_each_other(layout: Layout) -> None:
    FolderLock(layout).release()
    with layout.lock.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_held(layout)


def test_nothing_is_left_of_the_number_of_an_earlier_holder(layout: Layout) -> None:
    layout.lock.write_text("123456789012")
    with FolderLock(layout):
        assert layout.lock.read_text() == str(os.getpid())


@pytest.mark.parametrize("name", ["root", "files", "state", "database"])
def test_what_cannot_be_written_to_is_named_before_anything_is_done(layout: Layout, name: str) -> None:
    layout.database.touch()
    path: Path = getattr(layout, name)
    path.chmod(0o500)
    said = output(MAKE, layout.root, Path(__file__).parents[2])
    path.chmod(0o700)
    assert said.startswith(f"{path} is read-only")


def test_a_holder_that_has_not_said_who_it_is_is_another_process(layout: Layout) -> None:
    with FolderLock(layout):
        layout.lock.write_text("nonsense")
        with pytest.raises(FolderInUseError, match="another process") as caught:
            FolderLock(layout)
    assert caught.value.pid is None


def test_a_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "a" / "b" / "data")
    layout.make()
    layout.make()
    assert [path.stat().st_mode & 0o777 for path in (layout.root, layout.files, layout.state)] == [0o700] * 3


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_finds_no_room_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(StoreFullError):
        Layout(tmp_path / "data").make()


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="cannot be made"):
        Layout(tmp_path / "file" / "data").make()
    with pytest.raises(StorageError, match="cannot be used"):
        FolderLock(Layout(tmp_path / "missing"))
