"""Reading archives that came from somewhere else: bounded, and never written to a place the archive chooses."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pipulate.errors import ArchiveError

ENTRIES_MAX = 1_000_000
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,200}")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, struct.error, zlib.error)
"""What the zip module raises for what it cannot read."""


class Packed:
    """A zip file whose size is counted as it is unpacked, whatever its directory claims."""

    def __init__(self, path: Path, *, limit_bytes: int, entries: int = ENTRIES_MAX) -> None:
        """Open it.

        Args:
            path: The file.
            limit_bytes: Most that may come out of it, in all.
            entries: Most entries it may have.

        Raises:
            ArchiveError: If it cannot be read as a zip file of that kind.
        """
        self._left = limit_bytes
        self._counted: set[str] = set()
        try:
            self._zip = zipfile.ZipFile(path)
            names = self._zip.namelist()
        except FileNotFoundError:
            raise ArchiveError(f"There is no file {path}.") from None
        except _UNREADABLE as error:
            raise ArchiveError(f"{path.name} is not an archive of Pipulate, or it is cut off.") from error
        if len(names) > entries or len(set(names)) != len(names):
            raise ArchiveError(f"{path.name} has too many entries, or the same one twice.")
        for info in self._zip.infolist():
            if not _is_ours(info):
                raise ArchiveError(f"{path.name} names a file that no archive of Pipulate holds.")
        self.names = frozenset(names)

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an entry piece by piece.

        Raises:
            ArchiveError: If it is missing, damaged, or more than may come out of the archive.
        """
        counts = name not in self._counted
        try:
            with self._open(name) as file:
                while chunk := file.read(_CHUNK):
                    self._left -= len(chunk) if counts else 0
                    if self._left < 0:
                        break
                    yield chunk
            self._counted.add(name)
        except KeyError:
            raise ArchiveError(f"The archive lacks {name}.") from None
        except _UNREADABLE as error:
            raise ArchiveError(f"The archive is damaged at {name}.") from error
        if self._left < 0:
            raise ArchiveError("The archive is larger than it may be when it is unpacked.")

    def read(self, name: str, *, limit_bytes: int | None = None) -> bytes:
        """Return the content of an entry, which may have so many bytes; errors as in `chunks`."""
        found, came = [], 0
        for chunk in self.chunks(name):
            found.append(chunk)
            came += len(chunk)
            if limit_bytes is not None and came > limit_bytes:
                raise ArchiveError(f"{name} is larger than it may be when it is unpacked.")
        return b"".join(found)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of an entry; errors as in `chunks`."""
        rest = b""
        for chunk in self.chunks(name):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of an entry; errors as in `chunks`."""
        digest = hashlib.sha256()
        for chunk in self.chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def _open(self, name: str) -> IO[bytes]:
        return self._zip.open(name)


def _is_ours(info: zipfile.ZipInfo) -> bool:
    is_link = info.external_attr >> 28 == 0xA
    return (
        _NAME.fullmatch(info.filename) is not None
        and ".." not in info.filename
        and info.compress_type in _METHODS
        and not is_link
    )
