"""Files that were sent for a field: each waits until an answer takes it, or until it is cleared away.

An upload is bound to a person, a run, a step and a field. Its file is in place before its row is added. Whoever adds,
takes or clears holds the row of the run while it does so, so none of them sees half of what another does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipulate.errors import FileGoneError, UploadTooLargeError
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import storable
from pipulate.storage.ledger import Author, claim, refuse_if_locked
from pipulate.storage.lookups import by_id
from pipulate.storage.records.files import claim_folder

MB = 1_000_000


class Upload(NamedTuple):
    """An upload as its row says; see the migration for the columns."""

    id: str
    run: str
    owner: str
    step: str
    field: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    at: str
    taken_at: str | None = None

    def named(self) -> dict[str, Any]:
        """Return what a value that takes it stores of it: `{"sha256", "bytes", "name", "type"}`."""
        return {"sha256": self.sha256, "bytes": self.size_bytes, "name": self.name, "type": self.media_type}


_COLUMNS = "id, run, owner, step, field, name, media_type, size_bytes, sha256, at, taken_at"


@dataclass(frozen=True, slots=True)
class Limits:
    """Most bytes: of one file, of what waits for one step of a run, of the files of a run, of those of a person."""

    file: int
    form: int
    run: int
    user: int


@dataclass(frozen=True, slots=True)
class Room:
    """How many more bytes may come, and the limit that says so, in words."""

    left: int
    limit: str

    def refuse(self) -> UploadTooLargeError:
        """Return the error for what is more than that."""
        return UploadTooLargeError(f"This file is too large. {self.limit}")


def room(tx: Transaction, run: str, owner: str, step: str, limits: Limits) -> Room:
    """Return how large a file may be that a person sends for a step just now.

    Raises:
        RunNotFoundError: If the person has no such run, or it is in the bin.
        RunLockedError: If it is locked.
    """
    refuse_if_locked(by_id(tx, run, owner))
    return _room(tx, run, owner, step, limits)


def _room(tx: Transaction, run: str, owner: str, step: str, limits: Limits) -> Room:
    waiting = "SELECT coalesce(sum(size_bytes), 0) FROM uploads WHERE taken_at IS NULL AND owner = :owner"
    form = _sum(tx, f"{waiting} AND run = :run AND step = :step", owner=owner, run=run, step=step)
    of_run = _sum(tx, f"{waiting} AND run = :run", owner=owner, run=run)
    of_run += _sum(tx, "SELECT coalesce(sum(size_bytes), 0) FROM run_files WHERE run = :run", run=run)
    rooms = (
        Room(limits.file, f"A file here can have up to {in_mb(limits.file)}."),
        Room(limits.form - form, f"All files of one step together can have up to {in_mb(limits.form)}."),
        Room(limits.run - of_run, f"All files of one run together can have up to {in_mb(limits.run)}."),
        room_of_user(tx, owner, limits),
    )
    tightest = min(rooms, key=lambda each: each.left)
    return Room(max(tightest.left, 0), tightest.limit)


_OF_USER = (
    "SELECT coalesce(sum(size_bytes), 0) FROM uploads WHERE taken_at IS NULL AND owner = :owner",
    "SELECT coalesce(sum(f.size_bytes), 0) FROM run_files f JOIN runs r ON r.id = f.run WHERE r.owner = :owner",
    "SELECT coalesce(sum(size_bytes), 0) FROM record_uploads WHERE taken_at IS NULL AND owner = :owner",
    "SELECT coalesce(sum(size_bytes), 0) FROM record_files WHERE owner = :owner",
)


def room_of_user(tx: Transaction, owner: str, limits: Limits) -> Room:
    """Return how much more a person may send, whatever it is for."""
    taken = sum(_sum(tx, sql, owner=owner) for sql in _OF_USER)
    return Room(
        limits.user - taken,
        f"All your files together can have up to {in_mb(limits.user)}. Delete runs and records you no longer need,"
        " also from the bin.",
    )


def _sum(tx: Transaction, sql: str, **values: Any) -> int:
    row = tx.one(sql, **values)
    return int(row[0]) if row else 0


def in_mb(size_bytes: int) -> str:
    """Return a limit as people read it."""
    mb = size_bytes / MB
    return f"{mb:,.0f} MB" if mb >= 10 or mb == int(mb) else f"{mb:,.3g} MB"


def add(tx: Transaction, files: FileStore, upload: Upload, author: Author, limits: Limits) -> None:
    """Take down an upload whose file is in place.

    Raises:
        RunNotFoundError, RunLockedError: As in `room`.
        UploadTooLargeError: If others came meanwhile, and together they are too large.
        FileGoneError: If its file is not there.
    """
    refuse_if_locked(claim(tx, upload.run, author))
    left = _room(tx, upload.run, upload.owner, upload.step, limits)
    if upload.size_bytes > left.left:
        raise left.refuse()
    if not files.has(upload.run, upload.sha256):
        raise FileGoneError(upload.sha256)
    names = _COLUMNS.split(", ")
    tx.run(
        f"INSERT INTO uploads ({_COLUMNS}) VALUES ({', '.join(':' + name for name in names)})",  # noqa: S608
        **upload._asdict(),
    )


def of_step(tx: Transaction, run: str, owner: str, step: str) -> list[Upload]:
    """Return the uploads of a person for a step of a run, taken or not, in the order they came."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM uploads WHERE run = :run AND owner = :owner AND step = :step"  # noqa: S608
        " ORDER BY at, id",
        run=storable(run), owner=owner, step=storable(step),
    )  # fmt: skip
    return [Upload(*row) for row in rows]


def drop(tx: Transaction, run: str, author: Author, step: str, upload: str) -> bool:
    """Forget an upload that waits; tell whether there was one. Its file goes with the next clearing.

    Raises:
        RunNotFoundError, RunLockedError: As in `room`.
    """
    refuse_if_locked(claim(tx, run, author))
    dropped = tx.run(
        "DELETE FROM uploads WHERE id = :id AND run = :run AND owner = :owner AND step = :step AND taken_at IS NULL",
        id=storable(upload), run=run, owner=author.actor, step=storable(step),
    )  # fmt: skip
    return dropped > 0


def expired(tx: Transaction, before: str) -> list[str]:
    """Return the folders, of runs and of tables, with uploads from before a moment that nobody needs any more."""
    rows = tx.all(
        "SELECT DISTINCT run FROM uploads WHERE taken_at IS NULL AND at < :before"
        " UNION SELECT DISTINCT folder FROM record_uploads WHERE at < :before",
        before=before,
    )
    return [run for (run,) in rows]


def named(tx: Transaction, run: str) -> set[str]:
    """Return the files of a folder that are wanted.

    Those a journal names, uploads that wait, what a report made, what records and their history name.
    """
    rows = tx.all(
        "SELECT sha256 FROM run_files WHERE run = :run UNION SELECT sha256 FROM uploads WHERE run = :run"
        " AND taken_at IS NULL UNION SELECT sha256 FROM report_files WHERE id = :run"
        " UNION SELECT sha256 FROM record_files WHERE folder = :run"
        " UNION SELECT sha256 FROM record_uploads WHERE folder = :run AND taken_at IS NULL",
        run=run,
    )
    return {sha256 for (sha256,) in rows}


def clear(tx: Transaction, files: FileStore, run: str, before: str, unnamed: Collection[str]) -> int:
    """Forget uploads of a run that have waited since before a moment, and remove files that nobody wants.

    A table of records has a folder as a run has, and what it took is forgotten here too: its record holds it. This is
    the one unit of work with an effect outside the store. It may be done twice, and what it removes nobody can begin
    to want meanwhile, because it holds the row of the run, or that of the table. Should the transaction fail after
    all, an upload is left whose file is gone: whoever sends it is asked for it again.

    Args:
        tx: The transaction.
        files: Where files live.
        run: Id of the run, which need not exist any more; or the folder of a table.
        before: A moment, as `_clock.to_text` writes it.
        unnamed: Files that were found wanted by nobody before.

    Returns:
        How many files were removed.
    """
    tx.run("UPDATE runs SET version = version WHERE id = :run", run=run)
    claim_folder(tx, run)
    late = tx.all(
        "DELETE FROM uploads WHERE run = :run AND taken_at IS NULL AND at < :before RETURNING sha256",
        run=run, before=before,
    )  # fmt: skip
    late += tx.all("DELETE FROM record_uploads WHERE folder = :run AND at < :before RETURNING sha256",
                   run=run, before=before)  # fmt: skip
    gone = {*unnamed, *(sha256 for (sha256,) in late)} - named(tx, run)
    for name in gone:
        files.remove(run, name)
    return len(gone)
