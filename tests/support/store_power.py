"""A disk whose power can be cut: what was written but not yet synced is lost then, all of it or any part of it.

SQLite runs on it through a VFS in Python; a small wrapper makes APSW's connection look like that of `sqlite3`, so that
the store itself is what runs.
"""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import apsw

_SECTOR = 512
_NUMBERS = count()


class Medium:
    """What is on the disk of one file: what is safe, and what may be lost."""

    def __init__(self, content: bytes = b"") -> None:
        self.safe = bytearray(content)
        self.now = bytearray(content)
        self.pending: list[tuple[int, bytes | None]] = []
        """Offset and content of a write, or a new size and None."""

    def write(self, data: bytes, offset: int) -> None:
        """Write; safe only after the next sync."""
        _put(self.now, offset, data)
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        """Cut off what follows; safe only after the next sync."""
        del self.now[size:]
        self.pending.append((size, None))

    def sync(self) -> None:
        """Make everything safe."""
        self.safe[:] = self.now
        self.pending.clear()

    def after_the_cut(self, chance: random.Random, survives: float) -> bytes:
        """Return what is found when the power is back; each sector that was not synced is there or is not."""
        content = bytearray(self.safe)
        for offset, data in self.pending:
            if data is None:
                if chance.random() < survives:
                    del content[offset:]
                continue
            for start in range(0, len(data), _SECTOR):
                if chance.random() < survives:
                    _put(content, offset + start, data[start : start + _SECTOR])
        return bytes(content)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The files of one folder, and the moment at which the power goes."""

    def __init__(self, folder: Path, files: Mapping[str, bytes], *, cut_at: int, chance: random.Random) -> None:
        self.folder = folder
        self.files = {name: Medium(content) for name, content in files.items()}
        self._left, self._chance = cut_at, chance
        self._survives = chance.choice([0.0, 0.5, 1.0])
        self._lock = threading.RLock()
        self.found: dict[str, bytes] | None = None
        """What is on the disk when the power is back; None while it is on."""

    def named(self, path: str) -> str | None:
        """Return the name of a file of this disk; None for any other, such as the shared memory of readers."""
        where = Path(path)
        return where.name if where.parent == self.folder and not path.endswith("-shm") else None

    @contextmanager
    def working(self, *, changes: bool = False) -> Iterator[None]:
        """Do one thing, unless the power is off; each change brings the cut nearer."""
        with self._lock:
            if changes and self.found is None:
                self._left -= 1
                if self._left <= 0:
                    self.cut()
            if self.found is not None:
                raise apsw.exception_for(apsw.SQLITE_IOERR)
            yield

    def cut(self) -> None:
        """Switch the power off."""
        with self._lock:
            if self.found is None:
                self.found = {
                    name: each.after_the_cut(self._chance, self._survives) for name, each in self.files.items()
                }


class _File(apsw.VFSFile):
    """A file of the disk. Locks and shared memory are those of a real, empty file beside it."""

    def __init__(self, disk: Disk, medium: Medium, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk, self._medium = disk, medium

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's names
        with self._disk.working():
            return bytes(self._medium.now[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.working(changes=True):
            self._medium.write(bytes(data), offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._disk.working(changes=True):
            self._medium.truncate(size)

    def xSync(self, _flags: int) -> None:  # noqa: N802
        with self._disk.working(changes=True):
            self._medium.sync()

    def xFileSize(self) -> int:  # noqa: N802
        with self._disk.working():
            return len(self._medium.now)


class _Vfs(apsw.VFS):
    """Opens files of the disk."""

    def __init__(self, disk: Disk) -> None:
        self.name = f"power-{next(_NUMBERS)}"
        self._disk = disk
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        ours = self._disk.named(path) if path else None
        if ours is None:
            return apsw.VFSFile("", name, flags)
        with self._disk.working():
            return _File(self._disk, self._disk.files.setdefault(ours, Medium()), name, flags)

    def xAccess(self, path: str, flags: int) -> bool:  # noqa: N802
        ours = self._disk.named(path)
        return ours in self._disk.files if ours else bool(super().xAccess(path, flags))

    def xDelete(self, path: str, sync: bool) -> None:  # noqa: N802
        ours = self._disk.named(path)
        with self._disk.working(changes=True):
            if ours:
                self._disk.files.pop(ours, None)
        super().xDelete(path, sync)


class _Cursor:
    """The rows of a statement, all read."""

    def __init__(self, rows: list[Any], changed: int) -> None:
        self._rows, self.rowcount = rows, changed

    def fetchone(self) -> Any:
        """Return the next row."""
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        rows, self._rows = self._rows, []
        return rows


class Connection:
    """An APSW connection that can be used as one of `sqlite3`."""

    def __init__(self, connection: Any, replaced: Mapping[str, str]) -> None:
        self._connection, self._replaced = connection, replaced

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._connection.in_transaction)

    def execute(self, sql: str, values: Any = ()) -> _Cursor:
        """Run a statement."""
        try:
            rows = list(self._connection.execute(self._replaced.get(sql, sql), values))
            return _Cursor(rows, self._connection.changes())
        except apsw.Error as error:
            raise _as_sqlite3(error) from error

    def executemany(self, sql: str, rows: Sequence[Any]) -> None:
        """Run a statement for many rows."""
        for row in rows:
            self.execute(sql, row)

    def close(self) -> None:
        """Close it, whatever the disk says to that."""
        try:
            self._connection.close()
        except apsw.Error:
            self._connection.close(True)


def _as_sqlite3(error: Any) -> sqlite3.Error:
    extended = getattr(error, "extendedresult", 0)
    kind = sqlite3.IntegrityError if isinstance(error, apsw.ConstraintError) else sqlite3.OperationalError
    ours = kind(str(error))
    names = {**apsw.mapping_result_codes, **apsw.mapping_extended_result_codes}
    ours.sqlite_errorname = str(names.get(extended, "SQLITE_ERROR"))
    return ours


@contextmanager
def powered(disk: Disk, replaced: Mapping[str, str]) -> Iterator[Callable[..., sqlite3.Connection]]:
    """Return what opens connections to databases on a disk, as `sqlite3.connect` does.

    Args:
        disk: The disk.
        replaced: Statement -> what is run in its place.
    """
    vfs = _Vfs(disk)

    def connect(path: Any, *, uri: bool = False, **_: Any) -> Any:
        write = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI if uri else write
        try:
            return Connection(apsw.Connection(str(path), flags=flags, vfs=vfs.name), replaced)
        except apsw.Error as error:
            raise _as_sqlite3(error) from error

    try:
        yield connect
    finally:
        vfs.unregister()
