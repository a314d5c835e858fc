"""Clears away files that nobody wants: uploads no answer took, and what was cut short before the store named it."""

from __future__ import annotations

import time
from datetime import timedelta

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
from pipulate.storage import uploads
from pipulate.storage.blobs import Entry
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore

WAIT = timedelta(hours=24)
"""How long an upload waits to be taken, and a file that nobody named is left alone."""

_SLACK_NS = 2_000_000_000  # How far the clock of a disk may be behind.
_log = get_logger()


class Janitor:
    """Looks through all files, at the start and every hour; plain functions for a thread that may wait.

    A file that no journal and no upload names may be about to be named. It is removed when it has been found that way
    for a day, or when it is from before this program began: then nobody is left who could name it.
    """

    def __init__(self, db: Database, files: FileStore, clock: Clock, *, began_ns: int | None = None) -> None:
        """Wire it up; `began_ns` is when the program began, in nanoseconds, by the clock that files are dated with."""
        self._db, self._files, self._clock = db, files, clock
        self._began_ns = (time.time_ns() if began_ns is None else began_ns) - _SLACK_NS
        self._found: dict[tuple[str, Entry], str] = {}

    def clear(self) -> int:
        """Remove what nobody wants; return how many files that were.

        Raises:
            StorageError: If the store does not answer.
        """
        now = self._clock.now()
        before = to_text(now - WAIT)
        removed, found = 0, dict[tuple[str, Entry], str]()
        late = set(self._db.read_now(uploads.expired, before))
        for run in [*self._files.runs()]:
            entries = self._unnamed(run)
            for entry in entries:
                found[run, entry] = self._found.get((run, entry), to_text(now))
            old = [each.name for each in entries if self._is_left(each, found[run, each], before)]
            if old or run in late:
                removed += self._db.write_now(uploads.clear, self._files, run, before, old)
            late.discard(run)
        for run in late:  # Their files are gone already, from outside.
            removed += self._db.write_now(uploads.clear, self._files, run, before, ())
        self._found = found
        if removed:
            _log.info("files.cleared", files=removed)
        return removed

    def _is_left(self, entry: Entry, found_at: str, before: str) -> bool:
        return entry.written_ns < self._began_ns or found_at < before

    def _unnamed(self, run: str) -> list[Entry]:
        entries = [*self._files.entries(run)]
        wanted = self._db.read_now(uploads.named, run) if entries else set()
        return [entry for entry in entries if entry.name not in wanted]
