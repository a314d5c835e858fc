"""Files of records: what names them, and so keeps them.

All files of a table lie in one folder of the store of files. A record holds every file that it or its history names,
from the transaction that named it first until the record is erased; what no record and no upload names may go.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pipulate.errors import FileGoneError, StorageError
from pipulate.storage.author import Author
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import storable
from pipulate.storage.records.shape import Shape

NAMED: Final = frozenset({"sha256", "bytes", "name", "type"})
"""What is stored of a file."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_AT_ONCE: Final = 500


class RecordFile(NamedTuple):
    """A file that a record, or its history, names; see the migration for the columns."""

    resource: str
    record: int
    sha256: str
    name: str
    media_type: str
    size_bytes: int
    folder: str
    owner: str
    operation: str

    def named(self) -> dict[str, Any]:
        """Return what a value stores of it: `{"sha256", "bytes", "name", "type"}`."""
        return {"sha256": self.sha256, "bytes": self.size_bytes, "name": self.name, "type": self.media_type}


_COLUMNS: Final = ", ".join(RecordFile._fields)
_GIVEN: Final = ", ".join(f":{name}" for name in RecordFile._fields)


@lru_cache(maxsize=1_000)
def folder_of(resource: str) -> str:
    """Return the folder of the files of a table: as long as the id of a run, and the same in every store."""
    return hashlib.sha256(f"records:{resource}".encode()).hexdigest()[:32]


def is_named(value: Any) -> bool:
    """Tell whether a value is what is stored of a file."""
    return (
        isinstance(value, Mapping)
        and value.keys() == NAMED
        and type(value["bytes"]) is int
        and all(isinstance(value[each], str) for each in ("sha256", "name", "type"))
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


def named_in(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the files that a stored value names, those of lists and groups too."""
    if is_named(value):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from named_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from named_in(each)


def can_hold(shape: Shape) -> list[str]:
    """Return the columns that may name files."""
    return [column.name for column in shape.columns if column.kind in ("file", "json")]


def hold(tx: Transaction, shape: Shape, record: int, values: Mapping[str, Any], operation: str, author: Author) -> None:
    """Note the files that a record names from now on, and that the uploads among them are taken.

    Args:
        tx: The transaction, with the table claimed.
        shape: The table.
        record: Number of the record.
        values: The fields that become something else -> what they become.
        operation: Id of what is done.
        author: Who does it.
    """
    for column in can_hold(shape):
        for each in named_in(values.get(column)):
            made = RecordFile(
                shape.name, record, each["sha256"], storable(each["name"]), each["type"], each["bytes"],
                folder_of(shape.name), author.actor, operation,
            )  # fmt: skip
            tx.run(
                f"INSERT INTO record_files ({_COLUMNS}) VALUES ({_GIVEN}) ON CONFLICT DO NOTHING",  # noqa: S608
                **made._asdict(),
            )
            tx.run(
                "UPDATE record_uploads SET taken_at = :at WHERE resource = :resource AND owner = :owner"
                " AND sha256 = :sha256 AND taken_at IS NULL",
                at=author.at, resource=shape.name, owner=author.actor, sha256=made.sha256,
            )  # fmt: skip


def refuse_gone(tx: Transaction, shape: Shape, operation: str, has: Callable[[str, str], bool]) -> None:
    """Refuse what an operation did where it names a file that is not there.

    Args:
        tx: The transaction, with the table claimed: nobody can clear a file away meanwhile.
        shape: The table.
        operation: Id of the operation.
        has: Tells whether a folder has a file, by its SHA-256.

    Raises:
        FileGoneError: If it does.
    """
    if not can_hold(shape):
        return
    rows = tx.all(
        "SELECT DISTINCT folder, sha256 FROM record_files WHERE operation = :operation AND resource = :resource",
        operation=operation, resource=shape.name,
    )  # fmt: skip
    for folder, sha256 in rows:
        if not has(folder, sha256):
            raise FileGoneError(sha256)


def of_record(tx: Transaction, shape: Shape, record: int) -> list[RecordFile]:
    """Return the files that a record and its history name."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM record_files WHERE resource = :resource AND record = :record"  # noqa: S608
        " ORDER BY sha256, name",
        resource=shape.name, record=record,
    )  # fmt: skip
    return [RecordFile(*row) for row in rows]


def forget(tx: Transaction, shape: Shape, records: Sequence[int]) -> set[str]:
    """Let records hold their files no longer; return the files that may be held by nobody now."""
    let_go: set[str] = set()
    for record in records:
        rows = tx.all(
            "DELETE FROM record_files WHERE resource = :resource AND record = :record RETURNING sha256",
            resource=shape.name, record=record,
        )  # fmt: skip
        let_go.update(sha256 for (sha256,) in rows)
    return let_go


def claim_folder(tx: Transaction, folder: str) -> None:
    """Make everybody wait who wants to name files of a folder, where it is that of a table."""
    for (name,) in tx.all("SELECT name FROM record_tables"):
        if folder_of(name) == folder:
            tx.run("UPDATE record_tables SET version = version WHERE name = :name", name=name)


def check_files(tx: Transaction, files: FileStore) -> Iterator[str]:
    """Yield what is wrong with the files of records: missing, changed, not as long as is written down."""
    after = ("", "")
    sql = (
        "SELECT folder, sha256, MIN(resource), MIN(record), MIN(size_bytes), MAX(size_bytes) FROM record_files"
        " WHERE folder > :folder OR (folder = :folder AND sha256 > :sha256) GROUP BY folder, sha256"
        " ORDER BY folder, sha256 LIMIT :most"
    )
    while rows := tx.all(sql, folder=after[0], sha256=after[1], most=_AT_ONCE):
        for folder, sha256, resource, record, least, most in rows:
            yield from _wrong(files, folder, sha256, f"record {resource}/{record}", {least, most})
        after = (rows[-1][0], rows[-1][1])


def _wrong(files: FileStore, folder: str, sha256: str, where: str, said: Iterable[int]) -> Iterator[str]:
    try:
        size_bytes = files.verify(folder, sha256)
    except (StorageError, ValueError) as error:
        yield f"{where}: {error}"
        return
    if {*said} != {size_bytes}:
        yield f"{where}: a file is not as long as is written down ({sha256[:12]})"
