"""Where the content of files lies: a port, and a local folder behind it.

Another place, such as an S3-compatible service, is another class with these methods. Whoever needs a path on this
machine asks for `path`; such a place would bring the file here first.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from pipulate._ids import new_id
from pipulate.errors import StorageError, StoreFullError

RUN_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TRIES = 5


class Entry(NamedTuple):
    """A file as the place has it: its name, its length, and when it was written or last asked for, in nanoseconds."""

    name: str
    size_bytes: int
    written_ns: int


class Part(Protocol):
    """A file that is being written. It is nothing until it is kept."""

    def write(self, block: bytes) -> None:
        """Add to it."""
        ...

    def keep(self) -> tuple[str, int]:
        """Put it in place, on the disk and under its own SHA-256; return that and its length in bytes."""
        ...

    def drop(self) -> None:
        """Leave nothing of it, unless it was kept."""
        ...


class Blobs(Protocol):
    """A place for files, named by run and SHA-256; they never change."""

    def begin(self, run: str) -> Part:
        """Begin to write a file."""
        ...

    def open(self, run: str, sha256: str) -> IO[bytes]:
        """Open a file for reading; OSError where it cannot be."""
        ...

    def path(self, run: str, sha256: str) -> Path:
        """Return where a file is on this machine."""
        ...

    def has(self, run: str, sha256: str) -> bool:
        """Tell whether a file is there."""
        ...

    def touch(self, run: str, sha256: str) -> bool:
        """Note that a file is wanted just now, so that nobody takes it for a leftover; False where it is not there."""
        ...

    def copy(self, source: str, target: str, sha256: str) -> bool:
        """Give another run the same file cheaply; False where this place cannot do that."""
        ...

    def remove(self, run: str, name: str) -> None:
        """Remove a file or a leftover by the name its entry has."""
        ...

    def erase(self, run: str) -> None:
        """Remove every file of a run."""
        ...

    def runs(self) -> Iterator[str]:
        """Yield the ids of the runs that have files."""
        ...

    def entries(self, run: str) -> Iterator[Entry]:
        """Yield the files of a run, leftovers too."""
        ...


class Folder:
    """A local folder: `<run id>/<sha256>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def begin(self, run: str) -> _PartFile:
        """Begin to write a file."""
        folder = self._of(run)
        with writing():
            for _ in range(_TRIES):  # Whoever drops the last file of a folder takes the folder away too.
                folder.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):
                    return _PartFile(folder)
            return _PartFile(folder)

    def open(self, run: str, sha256: str) -> IO[bytes]:
        """Open a file for reading."""
        return self.path(run, sha256).open("rb")

    def path(self, run: str, sha256: str) -> Path:
        """Return where a file is; both names are checked, so nothing outside the folder can be meant.

        Raises:
            ValueError: If either is not of the form we give out.
        """
        if not RUN_ID.fullmatch(run) or not _SHA256.fullmatch(sha256):
            raise ValueError(f"not the name of a file of ours: {run!r}, {sha256!r}")
        return self.root / run / sha256

    def has(self, run: str, sha256: str) -> bool:
        """Tell whether a file is there."""
        return self.path(run, sha256).is_file()

    def touch(self, run: str, sha256: str) -> bool:
        """Note that a file is wanted just now, and that its name is on the disk."""
        try:
            os.utime(self.path(run, sha256))
        except FileNotFoundError:
            return False
        sync_names(self.root / run)  # Whoever found it there may be faster than whoever has just put it there.
        return True

    def copy(self, source: str, target: str, sha256: str) -> bool:
        """Give another run the same file, where the disk knows links."""
        start, end = self.path(source, sha256), self.path(target, sha256)
        end.parent.mkdir(parents=True, exist_ok=True)
        if not end.exists():
            try:
                os.link(start, end)
            except OSError:
                return False
        return self.touch(target, sha256)

    def remove(self, run: str, name: str) -> None:
        """Remove a file or a leftover."""
        if name != Path(name).name:
            raise ValueError(f"not the name of a file of ours: {name!r}")
        (self._of(run) / name).unlink(missing_ok=True)

    def erase(self, run: str) -> None:
        """Remove every file of a run."""
        shutil.rmtree(self._of(run), ignore_errors=True)

    def runs(self) -> Iterator[str]:
        """Yield the ids of the runs that have a folder here."""
        if self.root.is_dir():
            yield from (entry.name for entry in self.root.iterdir() if RUN_ID.fullmatch(entry.name))

    def entries(self, run: str) -> Iterator[Entry]:
        """Yield what is in the folder of a run."""
        folder = self._of(run)
        if folder.is_dir():
            for path in folder.iterdir():
                try:
                    status = path.stat()
                except FileNotFoundError:  # Somebody was faster.
                    continue
                yield Entry(path.name, status.st_size, status.st_mtime_ns)

    def _of(self, run: str) -> Path:
        if not RUN_ID.fullmatch(run):
            raise ValueError(f"not the id of a run: {run!r}")
        return self.root / run


class _PartFile:
    """A file that is being written into a folder of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / f"{new_id()}.part"
        self._digest, self._size_bytes = hashlib.sha256(), 0
        self._file = self._path.open("xb")

    def write(self, block: bytes) -> None:
        """Add to it."""
        with writing():
            self._file.write(block)
        self._digest.update(block)
        self._size_bytes += len(block)

    def keep(self) -> tuple[str, int]:
        """Put it in place."""
        sha256 = self._digest.hexdigest()
        with writing():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._path.replace(self._folder / sha256)
            sync_names(self._folder)
        return sha256, self._size_bytes

    def drop(self) -> None:
        """Leave nothing of it."""
        with suppress(OSError):  # What was still to be written may find no room; nobody wants it any more.
            self._file.close()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # A folder made for this file alone goes with it; others are not empty.
            self._folder.rmdir()


@contextmanager
def writing() -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StoreFullError from error
        raise StorageError(f"A file could not be written to the data folder: {error.strerror}.") from error


def sync(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(folder: Path) -> None:
    """Make the names of the files of a run, and of its folder, survive a power cut."""
    for each in (folder, folder.parent):
        sync(each)
