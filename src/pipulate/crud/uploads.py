"""Files that people send for the fields of a record: kept until the record takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.crud.resource import Resource
from pipulate.errors import PipulateError
from pipulate.fields import FormField
from pipulate.fields.files import KEPT, Files
from pipulate.forms import Typed
from pipulate.forms.sending import Offer, Offers, Receiver, Sent, asks_for_files, checked, limits_of
from pipulate.storage import uploads
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.records import uploads as record_uploads
from pipulate.storage.records.files import folder_of, named_in, of_record
from pipulate.storage.records.rows import Record
from pipulate.storage.records.uploads import Place, RecordUpload
from pipulate.storage.uploads import Limits

_ID = re.compile(r"[0-9a-f]{32}")


class RecordUploads:
    """Takes in what people send for records; everything it touches is handed to it."""

    def __init__(self, db: Database, files: FileStore, clock: Clock, limits: Limits) -> None:
        self._db, self._files, self._clock, self._limits = db, files, clock, limits
        self._receiver = Receiver(files)

    def close(self) -> None:
        """Let go of the threads."""
        self._receiver.close()

    def limits_of(self, field: FormField) -> Limits:
        """Return the limits for a field."""
        return limits_of(field, self._limits)

    async def receive(self, place: Place, field: FormField, sent: Sent) -> RecordUpload:
        """Take in a file for a field of a form; what cannot be taken leaves nothing.

        Raises:
            UploadRefusedError: If it is of a kind the field does not take, or too large; says which limit.
            StoreFullError, StorageError: If it cannot be stored.
        """
        limits, folder = self.limits_of(field), folder_of(place.resource)
        left = await self._db.read(record_uploads.room, place, limits)
        taken = await self._receiver.take(folder, field, sent, left)
        upload = record_uploads.made(new_id(), place, field.name, taken, to_text(self._clock.now()))
        try:
            await self._db.write(record_uploads.add, self._files, upload, limits)
        except PipulateError:
            await self._clear(place, taken.sha256)
            raise
        return upload

    async def remove(self, place: Place, text: str) -> None:
        """Forget a file that waits; one that a record has taken stays with it."""
        gone = await self._db.write(record_uploads.drop, place, text) if _ID.fullmatch(text) else None
        if gone is not None:
            await self._clear(place, gone)

    async def offered(self, resource: Resource[Any], place: Place, record: Record | None) -> Offers:
        """Return the files that a form may name: those the record ever had, and those that were sent for it."""
        return await self._db.read(_offered, resource, place, record)

    async def named(
        self, resource: Resource[Any], place: Place, record: Record | None, fields: Sequence[FormField], typed: Typed
    ) -> Files | None:
        """Return the files that a form may name, for the check of its answers; None where it asks for none.

        Raises:
            InvalidAnswersError: If a field names a file that was sent for another one, or too many.
        """
        if not asks_for_files(fields):
            return None
        offers = checked(fields, typed, await self.offered(resource, place, record))
        return Files(self._files, folder_of(resource.name), offers=offers)

    async def _clear(self, place: Place, sha256: str) -> None:
        await self._db.write(uploads.clear, self._files, folder_of(place.resource), "", [sha256])


def _offered(tx: Transaction, resource: Resource[Any], place: Place, record: Record | None) -> Offers:
    found: dict[str, Offer] = {}
    values: Mapping[str, Any] = {}
    if record is not None:
        values = record.values
        for each in of_record(tx, resource.shape, record.id):
            found[KEPT + each.sha256] = Offer(each.named())
    for now in named_in(dict(values)):  # Under the name it has there, whatever it was called before.
        found[KEPT + now["sha256"]] = Offer(now)
    for upload in record_uploads.of_form(tx, place):
        found[upload.id] = Offer(upload.named(), upload.field)
    return found
