"""Large values and other files of a run: immutable, named by their own hash, in a folder of the run's own.

A file is complete and on the disk before the transaction that names it commits, so what the store names is always
there. A folder for each run means that erasing a run erases its files, whatever other runs hold.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipulate._ids import new_id
from pipulate.errors import StorageError, StoreDamagedError, StoreFullError
from pipulate.storage import journal

INLINE_BYTES = 65_536
"""Values whose JSON is longer than this are kept in a file."""

RUN_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A value ready to be written.

    Attributes:
        value: What goes into the journal: the value itself, or the name of its file.
        text: The same as JSON.
        digest: What equal values share.
        sha256, size_bytes: The file, or None and 0.
    """

    value: Mapping[str, Any]
    text: str
    digest: str
    sha256: str | None = None
    size_bytes: int = 0


class FileStore:
    """The files of all runs, below one folder: `<run id>/<sha256>`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def store(self, run: str, value: Mapping[str, Any]) -> Stored:
        """Make a value ready for the journal, moving it to a file where it is large.

        Raises:
            ValueError: If the value is not JSON (NaN, or a type JSON does not have).
            StoreFullError: If the disk is full.
        """
        text = journal.serialised(value)
        raw = text.encode()
        digest = journal.digest_of(raw)
        if len(raw) <= INLINE_BYTES:
            return Stored(value, text, digest)
        sha256 = self.put(run, raw)
        named = {"$file": {"sha256": sha256, "bytes": len(raw)}}
        return Stored(named, journal.serialised(named), digest, sha256, len(raw))

    def resolve(self, run: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the value itself, read from its file where it is kept in one.

        Raises:
            StoreDamagedError: If the file is missing or is not what its name says.
        """
        named = value.get("$file")
        if not isinstance(named, dict):
            return value
        resolved: dict[str, Any] = json.loads(self.read(run, named["sha256"]))
        return resolved

    def put(self, run: str, content: bytes) -> str:
        """Write a file and wait until it is on the disk; return its SHA-256. Writing it twice is writing it once."""
        sha256 = hashlib.sha256(content).hexdigest()
        target = self.path(run, sha256)
        with _writing():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                part = target.with_suffix(f".{new_id()}.part")  # Two may write the same content at the same time.
                try:
                    with part.open("xb") as file:
                        file.write(content)
                        file.flush()
                        os.fsync(file.fileno())
                    part.replace(target)
                finally:
                    part.unlink(missing_ok=True)
            self._sync_names(run)  # Whoever found it there may be faster than whoever has just put it there.
        return sha256

    def read(self, run: str, sha256: str) -> bytes:
        """Return the content of a file.

        Raises:
            StoreDamagedError: If the file is missing or is not what its name says.
        """
        try:
            content = self.path(run, sha256).read_bytes()
        except OSError as error:
            raise StoreDamagedError(f"A file of this run is missing from the data folder ({sha256[:12]}).") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreDamagedError(f"A file of this run was changed from outside ({sha256[:12]}).")
        return content

    def path(self, run: str, sha256: str) -> Path:
        """Return where a file is; both names are checked, so nothing outside the folder can be meant.

        Raises:
            ValueError: If either is not of the form we give out.
        """
        if not RUN_ID.fullmatch(run) or not _SHA256.fullmatch(sha256):
            raise ValueError(f"not the name of a file of ours: {run!r}, {sha256!r}")
        return self._root / run / sha256

    def copy(self, source: str, target: str, sha256: str) -> None:
        """Give another run the same file, without a second copy on the disk where the file system can do that.

        Raises:
            StoreDamagedError, StoreFullError, StorageError: As in `read` and `put`.
        """
        start, end = self.path(source, sha256), self.path(target, sha256)
        with _writing():
            end.parent.mkdir(parents=True, exist_ok=True)
        if not end.exists():
            try:
                os.link(start, end)
            except OSError:
                self.put(target, self.read(source, sha256))
        with _writing():
            self._sync_names(target)

    def erase(self, run: str) -> None:
        """Remove every file of a run."""
        shutil.rmtree(self._folder(run), ignore_errors=True)

    def prune(self, run: str, named: frozenset[str]) -> None:
        """Remove the files of a run that its journal does not name."""
        folder = self._folder(run)
        if folder.is_dir():
            for path in folder.iterdir():
                if path.name not in named:
                    path.unlink(missing_ok=True)

    def runs(self) -> Iterator[str]:
        """Yield the ids of the runs that have a folder here."""
        if self._root.is_dir():
            yield from (entry.name for entry in self._root.iterdir() if RUN_ID.fullmatch(entry.name))

    def size_bytes(self) -> int:
        """Return how much room all files take."""
        return sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())

    def _folder(self, run: str) -> Path:
        if not RUN_ID.fullmatch(run):
            raise ValueError(f"not the id of a run: {run!r}")
        return self._root / run

    def _sync_names(self, run: str) -> None:
        """Make the names of the files of a run, and of its folder, survive a power cut."""
        for folder in (self._root / run, self._root):
            sync(folder)


@contextmanager
def _writing() -> Iterator[None]:
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
