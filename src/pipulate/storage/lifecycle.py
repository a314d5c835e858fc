"""Lock, bin and copies of a run; each operation is one unit of work, as in `runs`."""

from __future__ import annotations

from pipulate.errors import KeyTakenError, RunNotFoundError, RunNotReadyError, UnknownVersionError
from pipulate.storage import jobs, journal, keyvalue, messages
from pipulate.storage.database import Transaction
from pipulate.storage.keys import KEY_MAX, Key, check_key
from pipulate.storage.ledger import (
    EVENT_COLUMNS,
    Author,
    RunRow,
    Written,
    another_key,
    append_as_is,
    claim,
    events,
    find,
    insert_run,
    nothing,
    put_state,
    refuse_if_locked,
)


def finalize_at(tx: Transaction, run: str, author: Author, version: int) -> Written | None:
    """Lock a run as `finalize` does, if it is at this version; else do nothing and return None."""
    return finalize(tx, run, author) if claim(tx, run, author).version == version else None


def finalize(tx: Transaction, run: str, author: Author) -> Written:
    """Lock a run: nothing in it can be changed until it is unlocked. Locking a locked run changes nothing.

    Raises:
        RunNotReadyError: If a job is under way for it, whose result could not be stored.
    """
    row = claim(tx, run, author)
    if row.locked_at is not None:
        return nothing(row)
    if under_way := [each for each in jobs.open_of_run(tx, run) if each.step is not None]:
        raise RunNotReadyError({each.title: "This is still being worked on." for each in under_way})
    tx.run("UPDATE runs SET locked_at = :at, locked_by = :by WHERE id = :run", at=author.at, by=author.actor, run=run)
    return append_as_is(tx, row, author, journal.FINALIZED, {})


def unfinalize(tx: Transaction, run: str, author: Author) -> Written:
    """Unlock a run. Unlocking an open run changes nothing."""
    row = claim(tx, run, author)
    if row.locked_at is None:
        return nothing(row)
    tx.run("UPDATE runs SET locked_at = NULL, locked_by = NULL WHERE id = :run", run=run)
    return append_as_is(tx, row, author, journal.UNFINALIZED, {})


def delete(tx: Transaction, run: str, author: Author) -> Written:
    """Put a run into the bin, where `undelete` finds it until it is purged. A locked run has to be unlocked first."""
    row = claim(tx, run, author)
    refuse_if_locked(row)
    tx.run("UPDATE runs SET deleted_at = :at WHERE id = :run", at=author.at, run=run)
    return append_as_is(tx, row, author, journal.DELETED, {})


def undelete(tx: Transaction, run: str, author: Author) -> Written:
    """Take a run out of the bin; it gets a number behind its key if the key was given away meanwhile."""
    row = claim(tx, run, author, deleted=True)
    if row.deleted_at is None:
        return nothing(row)
    key = check_key(row.key)
    while not tx.attempt("UPDATE runs SET deleted_at = NULL WHERE id = :run", run=run):
        key = another_key(key)
        tx.run(
            "UPDATE runs SET key = :key, key_folded = :folded, key_prefix = :prefix, key_number = :number"
            " WHERE id = :run",
            key=key.text, folded=key.folded, prefix=key.prefix, number=key.number, run=run,
        )  # fmt: skip
    return append_as_is(tx, row, author, journal.UNDELETED, {"key": key.text})


def purge(tx: Transaction, run: str, author: Author) -> None:
    """Erase a run that is in the bin: journal, values, conversation. Its files go afterwards, with `FileStore.erase`.

    Raises:
        RunNotFoundError: If it is not in the bin.
    """
    row = claim(tx, run, author, deleted=True)
    if row.deleted_at is None:
        raise RunNotFoundError(run)
    jobs.forget_run(tx, run)
    for table, column in (
        ("action_calls", "conversation"), ("messages", "conversation"), ("conversations", "id"), ("uploads", "run"),
        ("run_files", "run"),
        ("run_steps", "run"),
        ("run_events", "run"), ("runs", "id"),
    ):  # fmt: skip
        tx.run(f"DELETE FROM {table} WHERE {column} = :run", run=run)  # noqa: S608 - names from the tuple above
    keyvalue.forget_run(tx, run)


def fork(
    tx: Transaction, run: str, copy: str, author: Author, *, version: int | None = None, key: Key | None = None
) -> tuple[RunRow, Written, list[str]]:
    """Make a new run that shares the history of another up to `version` and goes its own way from there.

    The names of the files the copy needs come back too, so that they can be put in place; a locked run can be copied.

    Raises:
        UnknownVersionError: If the run never had that version.
        KeyTakenError: If `key` is given and in use.
        RunNotFoundError: As in `submit`.
    """
    row = claim(tx, run, author)
    upto = row.version if version is None else version
    if not 1 <= upto <= row.version:
        raise UnknownVersionError(upto, row.version)
    if key is not None:
        if not insert_run(tx, copy, row.app, key, row.profile, author):
            raise KeyTakenError(key.text)
    else:
        key = check_key(f"{row.key[: KEY_MAX - 5]}-copy")
        while not insert_run(tx, copy, row.app, key, row.profile, author):
            key = another_key(key)
    messages.open_conversation(tx, copy)
    tx.run(
        f"INSERT INTO run_events (run, {EVENT_COLUMNS})"  # noqa: S608 - a constant
        f" SELECT :copy, {EVENT_COLUMNS} FROM run_events WHERE run = :run AND version <= :upto",
        copy=copy, run=run, upto=upto,
    )  # fmt: skip
    state = journal.fold(events(tx, copy))
    put_state(tx, copy, state)
    files = _name_files_of(tx, copy, run)
    tx.run(
        "UPDATE runs SET version = :version, parent = :parent, parent_version = :upto, editing = :editing,"
        " editing_version = :editing_version WHERE id = :copy",
        version=upto, parent=run, upto=upto, editing=state.editing, editing_version=state.editing_version, copy=copy,
    )  # fmt: skip
    data = {"run": run, "key": row.key, "version": upto}
    written = append_as_is(tx, find(tx, copy), author, journal.FORKED, data)
    return find(tx, copy), written, files


def _name_files_of(tx: Transaction, copy: str, run: str) -> list[str]:
    """Give a copy the files its own journal names, out of those of the run it was copied from."""
    wanted = journal.files_of(events(tx, copy))
    for sha256 in wanted:
        tx.run(
            "INSERT INTO run_files (run, sha256, size_bytes)"
            " SELECT :copy, sha256, size_bytes FROM run_files WHERE run = :run AND sha256 = :sha256",
            copy=copy, run=run, sha256=sha256,
        )  # fmt: skip
    return sorted(wanted)
