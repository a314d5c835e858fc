"""Large values and other files of a run: immutable, named by their own hash, in a folder of the run's own.

A file is complete and on the disk before the transaction that names it commits, so what the store names is always
there. A folder for each run means that erasing a run erases its files, whatever other runs hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pipulate.errors import StoreDamagedError
from pipulate.storage import journal
from pipulate.storage.blobs import RUN_ID, Blobs, Entry, Folder, Part, sync, writing

__all__ = ["INLINE_BYTES", "RUN_ID", "FileStore", "Stored", "sync"]

INLINE_BYTES = 65_536
"""Values whose JSON is longer than this are kept in a file."""

_BLOCK = 1_048_576


def _never(_sha256: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Stored:
    """A value ready to be written.

    Attributes:
        value: What goes into the journal: the value itself, or the name of its file.
        text: The same as JSON.
        digest: What equal values share.
        sha256: The file that holds the value, or None.
        files: SHA-256 -> length in bytes of every file the journal names by it.
        holds: Tells whether one of them is there.
    """

    value: Mapping[str, Any]
    text: str
    digest: str
    sha256: str | None = None
    files: Mapping[str, int] = field(default_factory=dict)
    holds: Callable[[str], bool] = field(default=_never, compare=False)


class FileStore:
    """The files of all runs: values that are too long for a row, uploads, and what steps make."""

    def __init__(self, place: Path | Blobs) -> None:
        """Wire it up; a path is a local folder."""
        self.blobs: Blobs = Folder(place) if isinstance(place, Path) else place

    def store(self, run: str, value: Mapping[str, Any]) -> Stored:
        """Make a value ready for the journal, moving it to a file where it is large.

        Raises:
            ValueError: If the value is not JSON (NaN, or a type JSON does not have).
            StoreFullError: If the disk is full.
        """
        text = journal.serialised(value)
        raw = text.encode()
        digest = journal.digest_of(raw)

        def holds(sha256: str) -> bool:
            return self.blobs.has(run, sha256)

        if len(raw) <= INLINE_BYTES:
            return Stored(value, text, digest, None, journal.named_files(value), holds)
        sha256 = self.put(run, raw)
        named: dict[str, Any] = {"$file": {"sha256": sha256, "bytes": len(raw)}}
        if "files" in value:
            named["files"] = value["files"]  # Whoever looks for the files of a run need not read its large values.
        return Stored(named, journal.serialised(named), digest, sha256, journal.named_files(named), holds)

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

    @contextmanager
    def begin(self, run: str) -> Iterator[Part]:
        """Begin to write a file; what is not kept when the block ends leaves nothing."""
        part = self.blobs.begin(run)
        try:
            yield part
        finally:
            part.drop()

    def put(self, run: str, content: bytes) -> str:
        """Write a file and wait until it is on the disk; return its SHA-256. Writing it twice is writing it once."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.blobs.path(run, sha256)  # Refuses what is no name of ours.
        with writing():
            if self.blobs.touch(run, sha256):
                return sha256
        return self.put_all(run, [content])[0]

    def put_file(self, run: str, source: Path) -> tuple[str, int]:
        """Copy a file in, however long it is, as `put_all` does."""
        with source.open("rb") as file:
            return self.put_all(run, _blocks(file))

    def put_all(self, run: str, blocks: Iterable[bytes]) -> tuple[str, int]:
        """Write a file piece by piece; return its SHA-256 and its length in bytes."""
        with self.begin(run) as part:
            for block in blocks:
                part.write(block)
            return part.keep()

    def read(self, run: str, sha256: str) -> bytes:
        """Return the content of a file; errors as in `blocks`."""
        return b"".join(self.blocks(run, sha256))

    def blocks(self, run: str, sha256: str) -> Iterator[bytes]:
        """Yield the content of a file piece by piece.

        Raises:
            StoreDamagedError: If the file is missing or, at the end, is not what its name says.
        """
        digest = hashlib.sha256()
        self.path(run, sha256)  # Refuses what is no name of ours.
        try:
            with self.blobs.open(run, sha256) as file:
                for block in _blocks(file):
                    digest.update(block)
                    yield block
        except OSError as error:
            raise StoreDamagedError(f"A file of this run is missing from the data folder ({sha256[:12]}).") from error
        if digest.hexdigest() != sha256:
            raise StoreDamagedError(f"A file of this run was changed from outside ({sha256[:12]}).")

    def verify(self, run: str, sha256: str) -> int:
        """Read a file from end to end and return its length in bytes; errors as in `blocks`."""
        return sum(len(block) for block in self.blocks(run, sha256))

    def path(self, run: str, sha256: str) -> Path:
        """Return where a file is; both names are checked, so nothing outside the folder can be meant.

        Raises:
            ValueError: If either is not of the form we give out.
        """
        return self.blobs.path(run, sha256)

    def has(self, run: str, sha256: str) -> bool:
        """Tell whether a file is there; ValueError as in `path`."""
        return self.blobs.has(run, sha256)

    def copy(self, source: str, target: str, sha256: str) -> None:
        """Give another run the same file, without a second copy on the disk where the file system can do that.

        Raises:
            StoreDamagedError, StoreFullError, StorageError: As in `blocks` and `put`.
        """
        with writing():
            if self.blobs.copy(source, target, sha256):
                return
        self.put_all(target, self.blocks(source, sha256))

    def erase(self, run: str) -> None:
        """Remove every file of a run."""
        self.blobs.erase(run)

    def prune(self, run: str, named: frozenset[str]) -> None:
        """Remove the files of a run that its journal does not name."""
        for entry in list(self.blobs.entries(run)):
            if entry.name not in named:
                self.blobs.remove(run, entry.name)

    def remove(self, run: str, name: str) -> None:
        """Remove one file, or what an upload that was cut short left."""
        self.blobs.remove(run, name)

    def runs(self) -> Iterator[str]:
        """Yield the ids of the runs that have files."""
        return self.blobs.runs()

    def entries(self, run: str) -> Iterator[Entry]:
        """Yield the files of a run, leftovers too."""
        return self.blobs.entries(run)

    def size_bytes(self) -> int:
        """Return how much room all files take."""
        return sum(entry.size_bytes for run in self.runs() for entry in self.entries(run))


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
