"""The data folder: who holds it, and where things are in it."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipulate.errors import FolderInUseError, StorageError, StoreFullError

_TRIES, _TRY_AGAIN_S = 4, 0.02


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a data folder."""

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "pipulate.sqlite3"

    @property
    def jobs(self) -> Path:
        """What the engine of the jobs keeps for itself; it can be made anew from the database."""
        return self.root / "jobs.sqlite3"

    @property
    def files(self) -> Path:
        """Large values and files of runs."""
        return self.root / "files"

    @property
    def lock(self) -> Path:
        """Held by whoever writes; names the process."""
        return self.root / "server.lock"

    @property
    def server(self) -> Path:
        """Where the running server answers, for commands of the same user."""
        return self.root / "server.json"

    @property
    def state(self) -> Path:
        """Notes that may be lost."""
        return self.root / "state"

    @property
    def backups(self) -> Path:
        """Backups that commands make before they change much; made with the first of them."""
        return self.root / "backups"

    def make(self) -> None:
        """Make the folders, readable by this user alone.

        Raises:
            StorageError: If that cannot be done.
        """
        for folder in (self.root, self.files, self.state):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise StoreFullError from error
                raise StorageError(f"The data folder {folder} cannot be made: {error.strerror}.") from error
        for path in (self.root, self.files, self.state, self.database):
            if path.exists() and not os.access(path, os.W_OK):
                raise StorageError(f"{path} is read-only. Make it writable, or choose another data folder: --data")


class FolderLock:
    """Held while a process may write to the data folder; the system lets go of it when the process dies."""

    def __init__(self, layout: Layout) -> None:
        """Take it.

        Raises:
            FolderInUseError: If another process has it; names that process.
            StorageError: If the folder cannot be used.
        """
        self._path = layout.lock
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"The data folder {layout.root} cannot be used: {error.strerror}.") from error
        try:
            _take(self._descriptor)
        except OSError as error:
            pid = os.pread(self._descriptor, 20, 0).decode(errors="ignore").strip()
            os.close(self._descriptor)
            raise FolderInUseError(str(layout.root), int(pid) if pid.isdigit() else None) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let go of it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _take(descriptor: int) -> None:
    """Take a lock at once; a command that only looks (see `is_held`) has it for a few microseconds at most."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_TRY_AGAIN_S)
        else:
            return


def is_held(layout: Layout) -> bool:
    """Tell whether a process holds the data folder just now, without getting in the way of one that wants to."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False
