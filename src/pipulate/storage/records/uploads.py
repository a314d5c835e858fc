"""Files that were sent for a field of a record: each waits until the record takes it, or until it is cleared away.

An upload is bound to a person, a table, a record that is there or the one to come, and the profile that was chosen.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipulate.errors import FileGoneError
from pipulate.storage import uploads
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import storable
from pipulate.storage.records.files import claim_folder, folder_of
from pipulate.storage.uploads import Limits, Room, in_mb


class Place(NamedTuple):
    """Where a form with files stands: the table, the record or 0 for a new one, the profile or None, and the person."""

    resource: str
    record: int
    profile: str | None
    owner: str


class RecordUpload(NamedTuple):
    """An upload as its row says; see the migration for the columns."""

    id: str
    resource: str
    record: int
    profile: str | None
    owner: str
    field: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    at: str
    taken_at: str | None
    folder: str

    def named(self) -> dict[str, Any]:
        """Return what a record that takes it stores of it: `{"sha256", "bytes", "name", "type"}`."""
        return {"sha256": self.sha256, "bytes": self.size_bytes, "name": self.name, "type": self.media_type}


_COLUMNS: Final = ", ".join(RecordUpload._fields)
_GIVEN: Final = ", ".join(f":{name}" for name in RecordUpload._fields)
_OF_FORM: Final = (
    "resource = :resource AND record = :record AND owner = :owner AND (profile = :profile OR CAST(:profile AS TEXT) IS"
    " NULL)"
)


def room(tx: Transaction, place: Place, limits: Limits) -> Room:
    """Return how large a file may be that a person sends for a record just now."""
    waiting = (
        "SELECT coalesce(sum(size_bytes), 0) FROM record_uploads WHERE taken_at IS NULL AND resource = :resource"
        " AND record = :record AND owner = :owner"
    )
    row = tx.one(waiting, resource=place.resource, record=place.record, owner=place.owner)
    form = int(row[0]) if row else 0
    rooms = (
        Room(limits.file, f"A file here can have up to {in_mb(limits.file)}."),
        Room(limits.form - form, f"All files of one record together can have up to {in_mb(limits.form)}."),
        uploads.room_of_user(tx, place.owner, limits),
    )
    tightest = min(rooms, key=lambda each: each.left)
    return Room(max(tightest.left, 0), tightest.limit)


def add(tx: Transaction, files: FileStore, upload: RecordUpload, limits: Limits) -> None:
    """Take down an upload whose file is in place.

    Raises:
        UploadTooLargeError: If others came meanwhile, and together they are too large.
        FileGoneError: If its file is not there.
    """
    claim_folder(tx, upload.folder)
    left = room(tx, Place(upload.resource, upload.record, upload.profile, upload.owner), limits)
    if upload.size_bytes > left.left:
        raise left.refuse()
    if not files.has(upload.folder, upload.sha256):
        raise FileGoneError(upload.sha256)
    tx.run(f"INSERT INTO record_uploads ({_COLUMNS}) VALUES ({_GIVEN})", **upload._asdict())  # noqa: S608


def made(id_: str, place: Place, field: str, about: tuple[str, str, int, str], at: str) -> RecordUpload:
    """Return an upload that waits; `about` is its name, its kind, its length in bytes and its SHA-256."""
    name, media_type, size_bytes, sha256 = about
    return RecordUpload(
        id_, place.resource, place.record, place.profile, place.owner, field, name, media_type, size_bytes, sha256, at,
        None, folder_of(place.resource),
    )  # fmt: skip


def of_form(tx: Transaction, place: Place) -> list[RecordUpload]:
    """Return what a person sent for a form, taken or not, in the order it came."""
    found = tx.all(
        f"SELECT {_COLUMNS} FROM record_uploads WHERE {_OF_FORM} ORDER BY at, id",  # noqa: S608 - constants
        **place._asdict(),
    )
    return [RecordUpload(*row) for row in found]


def drop(tx: Transaction, place: Place, upload: str) -> str | None:
    """Forget an upload that waits; return its SHA-256, or None where there was none. The file goes with `clear`."""
    dropped = tx.all(
        f"DELETE FROM record_uploads WHERE id = :id AND taken_at IS NULL AND {_OF_FORM} RETURNING sha256",  # noqa: S608
        id=storable(upload), **place._asdict(),
    )  # fmt: skip
    return str(dropped[0][0]) if dropped else None
