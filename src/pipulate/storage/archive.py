"""Backups: the whole store as one file, taken while it is in use, readable by either kind of store.

The archive is a zip: `manifest.json`, the tables as JSON lines, and the files the tables name. The tables are read in
one transaction, so they are of one moment; files are immutable and were complete before a table named them, so reading
them afterwards is right.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipulate._clock import Clock, to_text
from pipulate._version import __version__
from pipulate.errors import ArchiveError, StorageError
from pipulate.storage.files import RUN_ID, FileStore, sync
from pipulate.storage.packed import Packed
from pipulate.storage.tables import Source

FORMAT = "pipulate-backup"
FORMAT_VERSION = 1
_FOLDERS = {
    "run_files": "run",
    "report_files": "id",
    "record_files": "folder",
}  # Table that names files -> its column with their folder.
LIMIT_BYTES = 200_000_000_000
"""Most that may come out of a backup."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an archive holds: rows by table, files, and the moment it is of."""

    rows: Mapping[str, int]
    files: int
    made_at: str
    revision: str


def backup(source: Source, files: FileStore, target: Path, clock: Clock) -> Summary:
    """Write a backup; the file appears under its name only when it is complete and on the disk.

    Raises:
        StorageError: If the target exists or cannot be written, or a file of the store is damaged.
    """
    if target.exists():
        raise StorageError(f"{target} exists already. Choose another name, so that no backup is overwritten.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as raw:
            os.fchmod(raw.fileno(), 0o600)
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
                summary = _write(archive, source, files, to_text(clock.now()))
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(target)
        sync(target.parent)
    except OSError as error:
        raise StorageError(f"The backup could not be written: {error.strerror}. {target} was not made.") from error
    finally:
        part.unlink(missing_ok=True)
    return summary


def _write(archive: zipfile.ZipFile, source: Source, files: FileStore, made_at: str) -> Summary:
    tables: dict[str, dict[str, Any]] = {}
    named: dict[tuple[str, str], None] = {}  # Several records of a table may name one file.
    for table, columns, rows in source.tables():
        digest, count = hashlib.sha256(), 0
        with archive.open(f"tables/{table}.jsonl", "w", force_zip64=True) as out:
            for row in rows:
                line = json.dumps(list(row), ensure_ascii=True, separators=(",", ":")).encode() + b"\n"
                out.write(line)
                digest.update(line)
                count += 1
                if table in _FOLDERS:
                    named[row[columns.index(_FOLDERS[table])], row[columns.index("sha256")]] = None
        tables[table] = {"columns": columns, "rows": count, "sha256": digest.hexdigest()}
    for run, sha256 in named:
        with archive.open(zipfile.ZipInfo(f"files/{run}/{sha256}"), "w", force_zip64=True) as out:
            for block in files.blocks(run, sha256):
                out.write(block)
    manifest = {
        "format": FORMAT, "format_version": FORMAT_VERSION, "program": __version__, "made_at": made_at,
        "revision": source.revision, "tables": tables, "files": len(named),
    }  # fmt: skip
    archive.writestr("manifest.json", json.dumps(manifest, indent=1))
    return Summary({name: each["rows"] for name, each in tables.items()}, len(named), made_at, source.revision)


class Archive:
    """A backup that was read from end to end and found good."""

    def __init__(self, path: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        """Check all of it.

        Raises:
            ArchiveError: If it is no backup, cut off, damaged or changed; says which.
        """
        self._packed = Packed(path, limit_bytes=limit_bytes)
        try:
            self._manifest = json.loads(self._packed.read("manifest.json"))
            if self._manifest["format"] != FORMAT:
                raise ArchiveError(f"{path.name} is not a backup of Pipulate.")
            if self._manifest["format_version"] != FORMAT_VERSION:
                raise ArchiveError(f"{path.name} was made by a newer version of Pipulate. Update the program first.")
            self.summary = Summary(
                {name: int(each["rows"]) for name, each in self._manifest["tables"].items()},
                int(self._manifest["files"]),
                str(self._manifest["made_at"]),
                str(self._manifest["revision"]),
            )
            self._check()
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ArchiveError(f"{path.name} is not a backup of Pipulate.") from error
        self._packed.close()
        self._packed = Packed(path, limit_bytes=limit_bytes)

    def close(self) -> None:
        """Close the file."""
        self._packed.close()

    def tables(self) -> Iterator[tuple[str, list[str], Iterator[list[Any]]]]:
        """Yield each table: its name, its columns, its rows."""
        for name, about in self._manifest["tables"].items():
            yield (
                name,
                list(about["columns"]),
                (json.loads(line) for line in self._packed.lines(f"tables/{name}.jsonl")),
            )

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield each file: its run, and its content piece by piece."""
        for name in sorted(self._packed.names):
            if name.startswith("files/"):
                yield name.split("/")[1], self._packed.chunks(name)

    def _check(self) -> None:
        for name, about in self._manifest["tables"].items():
            if not _are_names([name]) or not _are_names(about["columns"]):
                raise ArchiveError("The backup names a table in a way no backup does.")
            self._check_table(name, about)
        files = [name.split("/") for name in self._packed.names if name.startswith("files/")]
        for parts in files:
            if len(parts) != 3 or not RUN_ID.fullmatch(parts[1]) or self._packed.sha256("/".join(parts)) != parts[2]:
                raise ArchiveError(f"The backup was changed or is damaged: {'/'.join(parts)}.")
        if len(files) != self.summary.files:
            raise ArchiveError("The backup lacks files that belong to it.")

    def _check_table(self, name: str, about: Mapping[str, Any]) -> None:
        """Check that a table is what was written, and that every row of it fits."""
        digest, count, width = hashlib.sha256(), 0, len(about["columns"])
        for line in self._packed.lines(f"tables/{name}.jsonl"):
            digest.update(line + b"\n")
            count += 1
            if not _is_row(json.loads(line), width):
                raise ArchiveError(f"The backup was changed or is damaged: table {name}, row {count}.")
        if digest.hexdigest() != about["sha256"] or count != about["rows"]:
            raise ArchiveError(f"The backup was changed or is damaged: table {name}.")


def _are_names(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(each, str) and each.isidentifier() for each in names)


def _is_row(row: Any, width: int) -> bool:
    return isinstance(row, list) and len(row) == width and all(map(_is_cell, row))


def _is_cell(cell: Any) -> bool:
    if isinstance(cell, float):
        return math.isfinite(cell)
    return cell is None or isinstance(cell, str) or (isinstance(cell, int) and abs(cell) < 2**63)
