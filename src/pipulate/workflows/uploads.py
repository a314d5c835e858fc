"""Files that people send for the fields of a step: taken in piece by piece, and kept until an answer names them."""

from __future__ import annotations

import re

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.errors import PipulateError
from pipulate.fields import FormField
from pipulate.fields.files import KEPT
from pipulate.forms import Typed
from pipulate.forms.sending import Offer, Receiver, Sent, limits_of
from pipulate.storage import lookups, uploads
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import Author
from pipulate.storage.uploads import Limits, Upload

_ID = re.compile(r"[0-9a-f]{32}")


def offered(tx: Transaction, run: str, owner: str, step: str) -> dict[str, Offer]:
    """Return the files that forms of a step may name: those it ever had, and those that were sent for it."""
    found = {}
    for event in reversed(lookups.values_of_step(tx, run, step)):
        for named in event.data["value"].get("files", ()):
            found[KEPT + named["sha256"]] = Offer(named)
    for upload in uploads.of_step(tx, run, owner, step):
        found[upload.id] = Offer(upload.named(), upload.field, upload.taken_at is None)
    return found


class Uploads:
    """Takes in what people send; everything it touches is handed to it."""

    def __init__(self, db: Database, files: FileStore, clock: Clock, limits: Limits) -> None:
        self.limits = limits
        self._db, self._files, self._clock = db, files, clock
        self._receiver = Receiver(files)

    def close(self) -> None:
        """Let go of the threads."""
        self._receiver.close()

    def limits_of(self, field: FormField) -> Limits:
        """Return the limits for a field: what its author says, and never more than the settings say."""
        return limits_of(field, self.limits)

    async def receive(self, run: str, actor: str, step: str, field: FormField, sent: Sent) -> Upload:
        """Take in a file for a field of a step; what cannot be taken leaves nothing.

        Raises:
            RunNotFoundError, RunLockedError: If the run is not there for this person, or locked.
            UploadRefusedError: If it is of a kind the field does not take, or too large; says which limit.
            StoreFullError, StorageError: If it cannot be stored.
        """
        limits = self.limits_of(field)
        left = await self._db.read(uploads.room, run, actor, step, limits)
        name, media_type, size_bytes, sha256 = await self._receiver.take(run, field, sent, left)
        at = to_text(self._clock.now())
        upload = Upload(new_id(), run, actor, step, field.name, name, media_type, size_bytes, sha256, at)
        try:
            await self._db.write(uploads.add, self._files, upload, Author(actor, at), limits)
        except PipulateError:
            await self._clear(run, sha256)
            raise
        return upload

    async def remove(self, run: str, actor: str, step: str, text: str) -> None:
        """Forget a file that waits; errors as in `receive`. One that an answer has taken stays in the journal."""
        if not _ID.fullmatch(text):
            return
        author = Author(actor, to_text(self._clock.now()))
        offers = await self._db.read(offered, run, actor, step)
        if await self._db.write(uploads.drop, run, author, step, text) and text in offers:
            await self._clear(run, str(offers[text].named["sha256"]))

    async def lend(self, run: str, copy: str, actor: str, step: str, typed: Typed) -> dict[str, list[str]]:
        """Return what was typed with its files given to a copy of the run, which has none of the waiting ones."""
        offers = await self._db.read(offered, run, actor, step)
        lent = {}
        for text in {text for texts in typed.values() for text in texts} & offers.keys():
            offer, at = offers[text], to_text(self._clock.now())
            if offer.field is None:
                continue
            named = offer.named
            await self._receiver.threads.run(self._files.copy, run, copy, named["sha256"])
            lent[text] = new_id()
            upload = Upload(
                lent[text], copy, actor, step, offer.field, named["name"], named["type"], named["bytes"],
                named["sha256"], at,
            )  # fmt: skip
            await self._db.write(uploads.add, self._files, upload, Author(actor, at), self.limits)
        return {name: [lent.get(text, text) for text in texts] for name, texts in typed.items()}

    async def _clear(self, run: str, sha256: str) -> None:
        await self._db.write(uploads.clear, self._files, run, "", [sha256])
