"""Adding runs that have files: copies, and runs from their own files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipulate.storage import lifecycle, transfer
from pipulate.storage.keys import Key, check_key
from pipulate.storage.ledger import Author, Written
from pipulate.workflows import reading

if TYPE_CHECKING:
    from pipulate.workflows.engine import Engine


async def fork(engine: Engine, run: str, copy: str, author: Author, version: int | None, key: Key | None) -> Written:
    """Copy a run up to a version; see `lifecycle.fork`."""
    upto = await engine.apart(lambda: _lend_files(engine, run, copy))
    _, written, needed = await engine.db.write(
        lifecycle.fork, run, copy, author, version=upto if version is None else version, key=key
    )
    await engine.apart(lambda: engine.files.prune(copy, frozenset(needed)))
    return written


def _lend_files(engine: Engine, run: str, copy: str) -> int:
    """Put the files of a run in place for its copy before the copy names them; return the version they are of."""
    version, names = engine.db.read_now(reading.files_of, run)
    for sha256 in names:
        engine.files.copy(run, copy, sha256)
    return version


async def take_in(engine: Engine, path: Path, run: str, key: str, author: Author) -> Written:
    """Add a run from its file; see `transfer.Incoming` and `transfer.take_in`."""
    incoming = await engine.apart(lambda: transfer.Incoming(path))
    try:
        checked = check_key(key) if key.strip() else None
        await engine.apart(lambda: incoming.put_files(engine.files, run))
        _, written = await engine.db.write(transfer.take_in, run, incoming, author, checked)
    finally:
        incoming.close()
    return written
