"""Whether a store holds together: every run is what its journal adds up to, every file is there and unchanged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipulate.errors import StorageError
from pipulate.storage import journal, ledger, messages
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.sqlite import open_read_only


def check_sqlite_file(path: Path) -> Iterator[str]:
    """Yield what SQLite itself finds wrong with its file."""
    try:
        connection = open_read_only(path)
        try:
            for (line,) in connection.execute("PRAGMA integrity_check(20)"):
                if line != "ok":
                    yield f"database: {line}"
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                yield f"database: row {row} of {table} refers to a row of {parent} that is not there"
        finally:
            connection.close()
    except sqlite3.Error as error:
        yield f"database: {error}"


def check_runs(tx: Transaction, files: FileStore) -> Iterator[str]:
    """Yield what is wrong with the runs of a store, and with what language models asked for."""
    yield from _check_calls(tx)
    known = "SELECT ident FROM rec_profiles WHERE ident IS NOT NULL"
    for run, profile in tx.all(f"SELECT id, profile FROM runs WHERE profile NOT IN ({known}) ORDER BY id"):  # noqa: S608
        yield f"run {run}: its profile {profile} is not there"
    after = ""
    while rows := tx.all("SELECT id FROM runs WHERE id > :after ORDER BY id LIMIT 500", after=after):
        for (run,) in rows:
            yield from _check_run(tx, files, run)
        after = rows[-1][0]


def _check_calls(tx: Transaction) -> Iterator[str]:
    """A call is a row and a message that names it: one without the other was lost."""
    for (call,) in tx.all(
        "SELECT c.id FROM action_calls c LEFT JOIN messages m ON m.conversation = c.conversation AND m.seq = c.seq"
        " AND m.role = :role WHERE m.seq IS NULL ORDER BY c.id",
        role=messages.CALL,
    ):
        yield f"call {call}: its message is not there"
    for conversation, seq in tx.all(
        "SELECT m.conversation, m.seq FROM messages m LEFT JOIN action_calls c ON c.conversation = m.conversation"
        " AND c.seq = m.seq WHERE m.role = :role AND c.id IS NULL ORDER BY m.conversation, m.seq",
        role=messages.CALL,
    ):
        yield f"conversation {conversation}: message {seq} is about a call that is not there"


def _check_run(tx: Transaction, files: FileStore, run: str) -> Iterator[str]:
    row = ledger.find(tx, run)
    name = f"run {row.app}/{row.key} ({run})"
    try:
        events = ledger.events(tx, run)
        if [event.version for event in events] != list(range(1, row.version + 1)):
            yield f"{name}: its journal has {len(events)} events where version {row.version} was expected"
            return
        folded = journal.fold(events)
        named = journal.files_of(events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"{name}: its journal does not add up ({error!r})"
        return
    try:
        state = ledger.state_of(tx, row)
    except ValueError as error:
        yield f"{name}: its values cannot be read ({error})"
        return
    for what in ("steps", "offers", "editing", "editing_version", "lock"):
        if getattr(folded, what) != getattr(state, what):
            yield f"{name}: {what} differ from what its journal adds up to"
    yield from _check_files(tx, files, run, name, named)


def _check_files(tx: Transaction, files: FileStore, run: str, name: str, named: Mapping[str, int]) -> Iterator[str]:
    rows = tx.all("SELECT sha256, size_bytes FROM run_files WHERE run = :run", run=run)
    listed = {sha256: size_bytes for sha256, size_bytes in rows}  # noqa: C416 - rows are no pairs to the type checker
    for sha256 in sorted(named.keys() - listed.keys()):
        yield f"{name}: a file that its journal names is not listed ({sha256[:12]})"
    for sha256 in sorted(listed):
        try:
            size_bytes = files.verify(run, sha256)
        except StorageError as error:
            yield f"{name}: {error}"
            continue
        if not size_bytes == listed[sha256] == named.get(sha256, size_bytes):
            yield f"{name}: a file is not as long as is written down ({sha256[:12]})"
