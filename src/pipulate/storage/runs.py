"""What can be done to the values of a run.

Each operation is one unit of work: it locks the run's row, checks lock and version, appends one event, brings the
current values up to date and adds one line to the run's conversation. What it costs depends neither on the number of
runs in the store nor on the number of steps in the run, except where it has to bring back or clear many steps.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipulate.errors import (
    FileGoneError,
    KeepChangedError,
    KeyTakenError,
    NothingToCancelError,
    RunConflictError,
    StepNotOpenError,
    UnknownVersionError,
)
from pipulate.storage import journal, messages
from pipulate.storage.database import Transaction
from pipulate.storage.files import Stored
from pipulate.storage.journal import Event, State
from pipulate.storage.keys import Key, check_key, next_key
from pipulate.storage.ledger import (
    Author,
    RunRow,
    Written,
    append,
    append_as_is,
    claim,
    events,
    find,
    insert_run,
    is_present,
    nothing,
    present_steps,
    put_step,
    refuse_if_locked,
)

# Starting, naming


def start(
    tx: Transaction, run: str, app: str, key: Key | None, profile: str, author: Author, *, open_step: str | None = None
) -> tuple[RunRow, Written]:
    """Begin a run under `key`, or under the next free number where it is None.

    `open_step` is the step that will be open, for lists; None where that is not known yet. Where the person has a run
    of this id already, nothing is done: the same was asked for before.

    Raises:
        KeyTakenError: If the person has a run of this app under that key already.
    """
    if tx.one("SELECT 1 FROM runs WHERE id = :run AND owner = :owner", run=run, owner=author.actor) is not None:
        there = find(tx, run)
        return there, nothing(there)
    if key is not None:
        taken = not insert_run(tx, run, app, key, profile, author)
        if taken:
            raise KeyTakenError(key.text)
    else:
        key = offered_key(tx, app, author.actor)
        while not insert_run(tx, run, app, key, profile, author):  # Somebody was faster; take the number after theirs.
            key = check_key(next_key(key.prefix, key.number))
    messages.open_conversation(tx, run)
    row = find(tx, run)
    written = append(tx, row, author, journal.STARTED, None, {"key": key.text}, open_step=open_step)
    return find(tx, run), written


def offered_key(tx: Transaction, app: str, owner: str, prefix: str = "") -> Key:
    """Return the next free numbered key. Deleted runs count too, so that their key is not given out again."""
    return check_key(next_key(prefix, highest_number(tx, app, owner, prefix)))


def highest_number(tx: Transaction, app: str, owner: str, prefix: str) -> int:
    """Return the highest number behind a prefix among the keys of an app, 0 where there is none."""
    row = tx.one(
        "SELECT max(key_number) FROM runs WHERE app = :app AND owner = :owner AND key_prefix = :prefix",
        app=app, owner=owner, prefix=prefix,
    )  # fmt: skip
    return (row[0] if row else None) or 0


def rename(tx: Transaction, run: str, author: Author, key: Key, *, seen: int | None = None) -> Written:
    """Give a run another key.

    Raises:
        KeyTakenError: If the key is in use.
        RunLockedError, RunNotFoundError: As in `submit`.
    """
    row = claim(tx, run, author)
    refuse_if_locked(row)
    del seen  # A key is not a value of a step; the newest name wins, and the journal keeps the others.
    if row.key == key.text:
        return nothing(row)
    done = tx.attempt(
        "UPDATE runs SET key = :key, key_folded = :folded, key_prefix = :prefix, key_number = :number WHERE id = :run",
        key=key.text, folded=key.folded, prefix=key.prefix, number=key.number, run=run,
    )  # fmt: skip
    if not done:
        raise KeyTakenError(key.text)
    return append_as_is(tx, row, author, journal.RENAMED, {"from": row.key, "to": key.text})


# Values


def submit(
    tx: Transaction,
    run: str,
    author: Author,
    *,
    step: str,
    value: Stored,
    short: str,
    reads: Mapping[str, str],
    order: Sequence[str],
    seen: int | None,
    submit_id: str | None,
    open_step: str | None = None,
    kind: str = journal.SUBMITTED,
) -> Written:
    """Give a step its value.

    A step that has one already is given another: later steps then leave the state, as in `revert`.

    Args:
        tx: The transaction.
        run: Id of the run.
        author: Who, from where, when.
        step: Name of the step.
        value: The value, made ready by `FileStore.store`.
        short: The value in a few words.
        reads: What it was made from: earlier step -> digest.
        order: Names of all steps of the workflow, in order.
        seen: The version the person saw; None skips the check for conflicts (not the one for the lock).
        submit_id: Id of the form. The same id again changes nothing and answers with the run as it is.
        open_step: The step that will be open afterwards, for lists.
        kind: `SUBMITTED` by a person or `COMPUTED` by the app.

    Raises:
        RunNotFoundError: If there is no such run, or it is in the bin, or belongs to somebody else.
        RunLockedError: If it is locked.
        RunConflictError: If something it depends on changed after `seen`.
    """
    row = claim(tx, run, author)
    if submit_id is not None and is_repeat(tx, run, submit_id):
        return nothing(row)
    refuse_if_locked(row)
    earlier, later = split(order, step)
    refuse_conflict(tx, row, seen, step, earlier, mine=value.value)
    cleared: list[str] = []
    if row.editing != step and is_present(tx, run, step):
        cleared = _clear(tx, run, later)
    version, short = row.version + 1, journal.storable(short)
    put_step(tx, run, step, version, value.text, value.digest, reads, short)
    name_files(tx, run, step, value, author.at)
    data: dict[str, Any] = {"digest": value.digest, "short": short}
    if reads:
        data["reads"] = dict(reads)
    if cleared:
        data["cleared"] = cleared
    editing = None if row.editing == step or row.editing in cleared else row.editing
    return append(
        tx, row, author, kind, step, data, value=value, submit_id=submit_id, editing=editing,
        editing_version=row.editing_version if editing else None, open_step=open_step,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One value that is given or taken away by code that holds the whole state; see `change`.

    Attributes:
        step: Name of the step.
        value: The value, made ready by `FileStore.store`; None takes the step out of the state.
        short: The value in a few words.
        earlier: The steps before it, on which it depends.
        clears: Steps that leave the state because of it.
    """

    step: str
    value: Stored | None
    short: str = ""
    earlier: Sequence[str] = ()
    clears: Sequence[str] = ()


def change(
    tx: Transaction,
    run: str,
    author: Author,
    changes: Sequence[Change],
    *,
    seen: int | None,
    edits: str | None = None,
    ends_edit: bool = False,
    own: Collection[int] = (),
    submit_id: str | None = None,
    open_step: str | None = None,
    kind: str = journal.SUBMITTED,
) -> Written:
    """Give and take values of several steps, an event each, all or none of them.

    Unlike `submit` it asks neither which step is open nor clears what follows: the caller says what is to happen. A
    step is taken to have been made from all the earlier ones.

    Args:
        tx: The transaction.
        run: Id of the run.
        author: Who, from where, when.
        changes: What changes, in order.
        seen: As in `submit`; each change is checked for itself.
        edits: The step that shows its form from now on.
        own: Versions that the caller itself made after `seen`; they never conflict.
        ends_edit: Whether no step shows its form any more although it has a value.
        submit_id: Id of the form; the first event gets it.
        open_step: The step that will be open afterwards, for lists.
        kind: Of values that are given: `SUBMITTED` by a person or `COMPUTED` by the app.

    Raises:
        RunNotFoundError, RunLockedError, RunConflictError: As in `submit`.
    """
    row = claim(tx, run, author)
    if submit_id is not None and is_repeat(tx, run, submit_id):
        return nothing(row)
    refuse_if_locked(row)
    for each in changes:
        mine = each.value.value if each.value else None
        refuse_conflict(tx, row, seen, each.step, each.earlier, mine=mine, own=own)
    written = nothing(row)
    for each in changes:
        ends = ends_edit and row.editing is not None
        done = _change(tx, row, author, each, submit_id, open_step, ends_edit=ends, gives=kind)
        if done is not None:
            written, submit_id, row = done, None, find(tx, run)
    if edits is not None and row.editing != edits:
        written = append(
            tx, row, author, journal.REVERTED, edits, {"cleared": []}, submit_id=submit_id, editing=edits,
            editing_version=row.version + 1, open_step=edits,
        )  # fmt: skip
    elif ends_edit and row.editing is not None:
        data = {"cleared": [], "ends_edit": True}
        written = append(
            tx, row, author, journal.CLEARED, None, data, submit_id=submit_id, open_step=open_step,
        )  # fmt: skip
    return written


def _change(
    tx: Transaction,
    row: RunRow,
    author: Author,
    change: Change,
    submit_id: str | None,
    open_step: str | None,
    *,
    ends_edit: bool,
    gives: str,
) -> Written | None:
    """Do one change; None where it changes nothing."""
    run, step, value = row.id, change.step, change.value
    cleared = _clear(tx, run, change.clears if value else (step, *change.clears))
    if value is None and not cleared:
        return None
    data: dict[str, Any] = {"cleared": cleared} if cleared else {}
    kind = journal.CLEARED
    if value is not None:
        kind, short = gives, journal.storable(change.short)
        reads = _digests(tx, run, change.earlier)
        put_step(tx, run, step, row.version + 1, value.text, value.digest, reads, short)
        name_files(tx, run, step, value, author.at)
        data |= {"digest": value.digest, "short": short} | ({"reads": reads} if reads else {})
    ends = ends_edit or (value is not None and row.editing == step) or row.editing in cleared
    if ends_edit:
        data["ends_edit"] = True
    return append(
        tx, row, author, kind, step, data, value=value, submit_id=submit_id, editing=None if ends else row.editing,
        editing_version=None if ends else row.editing_version, open_step=open_step,
    )  # fmt: skip


def uploaded(
    tx: Transaction,
    run: str,
    author: Author,
    files: Sequence[tuple[str, str, int]],
    *,
    submit_id: str | None = None,
) -> tuple[int, Written]:
    """Put down which files came to a run with a form, an event each; it concerns no step.

    Args:
        tx: The transaction.
        run: Id of the run.
        author: Who, from where, when.
        files: Name, SHA-256 and size in bytes of each; `FileStore.put` has them already.
        submit_id: As in `submit`.

    Returns:
        The version before, and what was written last.

    Raises:
        RunNotFoundError, RunLockedError: As in `submit`.
    """
    first = row = claim(tx, run, author)
    written = nothing(row)
    if submit_id is not None and is_repeat(tx, run, submit_id):
        return first.version, written
    refuse_if_locked(row)
    for name, sha256, size_bytes in files:
        _list_file(tx, run, sha256, size_bytes)
        written = append(
            tx, row, author, journal.UPLOADED, None,
            {"name": journal.storable(name), "$file": {"sha256": sha256, "bytes": size_bytes}}, submit_id=submit_id,
            editing=row.editing, editing_version=row.editing_version, open_step=row.open_step,
        )  # fmt: skip
        row, submit_id = find(tx, run), None
    return first.version, written


def _digests(tx: Transaction, run: str, steps: Sequence[str]) -> dict[str, str]:
    """Return step -> digest of the value it has now, "" where it has none."""
    if not steps:
        return {}
    rows = tx.all("SELECT step, digest FROM run_steps WHERE run = :run AND present = 1", run=run)
    held = {step: digest for step, digest in rows}  # noqa: C416 - rows are no pairs to the type checker
    return {step: held.get(step, "") for step in steps}


def keep(
    tx: Transaction,
    run: str,
    author: Author,
    *,
    step: str,
    order: Sequence[str],
    seen: int | None,
    submit_id: str | None = None,
    open_step: str | None = None,
) -> Written:
    """Bring the whole old value of a step back, if what it was made from is unchanged.

    Raises:
        KeepChangedError: If an earlier step it was made from has another value now, or there is no old value.
        RunNotFoundError, RunLockedError, RunConflictError: As in `submit`.
    """
    row = claim(tx, run, author)
    if submit_id is not None and is_repeat(tx, run, submit_id):
        return nothing(row)
    refuse_if_locked(row)
    earlier, _ = split(order, step)
    refuse_conflict(tx, row, seen, step, earlier, mine=None)
    offer = tx.one(
        "SELECT version, reads FROM run_steps WHERE run = :run AND step = :step AND present = 0", run=run, step=step
    )
    if offer is None:
        if is_present(tx, run, step):
            return nothing(row)
        raise KeepChangedError(step, None)
    for name, digest in json.loads(offer[1]).items():
        now = tx.one(
            "SELECT digest FROM run_steps WHERE run = :run AND step = :step AND present = 1", run=run, step=name
        )
        if (now[0] if now else "") != digest:
            raise KeepChangedError(step, name)
    tx.run("UPDATE run_steps SET present = 1 WHERE run = :run AND step = :step", run=run, step=step)
    return append(
        tx, row, author, journal.KEPT, step, {"value": offer[0]}, submit_id=submit_id, editing=row.editing,
        editing_version=row.editing_version, open_step=open_step,
    )  # fmt: skip


def revert(tx: Transaction, run: str, author: Author, *, step: str, order: Sequence[str], seen: int | None) -> Written:
    """Reopen a step. It keeps its value and shows its form; later steps leave the state and stay in the journal.

    Raises:
        StepNotOpenError: If the step has no value, so there is nothing to reopen.
        RunNotFoundError, RunLockedError, RunConflictError: As in `submit`.
    """
    row = claim(tx, run, author)
    refuse_if_locked(row)
    if row.editing == step:
        return nothing(row)
    earlier, later = split(order, step)
    refuse_conflict(tx, row, seen, step, earlier, mine=None)
    if not is_present(tx, run, step):
        raise StepNotOpenError(step, row.open_step)
    cleared = _clear(tx, run, later)
    return append(
        tx, row, author, journal.REVERTED, step, {"cleared": cleared}, editing=step, editing_version=row.version + 1,
        open_step=step,
    )  # fmt: skip


def cancel_edit(tx: Transaction, run: str, author: Author) -> Written:
    """Put the run back exactly as it was before the step being edited was reopened.

    Raises:
        NothingToCancelError: If no step is being edited.
        RunNotFoundError, RunLockedError: As in `submit`.
    """
    row = claim(tx, run, author)
    refuse_if_locked(row)
    if row.editing is None or row.editing_version is None:
        raise NothingToCancelError
    target = journal.fold(events(tx, run, upto=row.editing_version - 1))
    return _bring_back(tx, row, author, journal.EDIT_CANCELLED, row.editing, target, {})


def go_back(tx: Transaction, run: str, author: Author, *, version: int, seen: int | None = None) -> Written:
    """Bring back the state of an earlier version, as an event; what came after stays in the journal.

    Raises:
        UnknownVersionError: If the run never had that version.
        RunConflictError: If the run changed in any way after `seen`.
        RunNotFoundError, RunLockedError: As in `submit`.
    """
    row = claim(tx, run, author)
    refuse_if_locked(row)
    if not 1 <= version <= row.version:
        raise UnknownVersionError(version, row.version)
    if seen is not None and seen != row.version:
        raise _conflict(tx, row, seen, None, _last_event(tx, row), None)
    target = journal.fold(events(tx, run, upto=version))
    return _bring_back(tx, row, author, journal.WENT_BACK, None, target, {"to": version})


# Parts


def note_open_step(tx: Transaction, run: str, version: int, open_step: str | None) -> None:
    """Put down, for lists, which step is open at `version`; nothing happens where the run has moved on."""
    tx.run(
        "UPDATE runs SET open_step = :open_step WHERE id = :run AND version = :version",
        open_step=open_step, run=run, version=version,
    )  # fmt: skip


def name_files(tx: Transaction, run: str, step: str, value: Stored, at: str) -> None:
    """Take down the files that a value names, so that nobody clears them away.

    Whoever clears holds the same row while it looks and removes, so what is there now stays.

    Raises:
        FileGoneError: If one is not there any more.
    """
    for sha256, size_bytes in value.files.items():
        if not value.holds(sha256):
            raise FileGoneError(sha256)
        _list_file(tx, run, sha256, size_bytes)
        tx.run(
            "UPDATE uploads SET taken_at = :at WHERE run = :run AND step = :step AND sha256 = :sha256"
            " AND taken_at IS NULL",
            at=at, run=run, step=step, sha256=sha256,
        )  # fmt: skip


def _list_file(tx: Transaction, run: str, sha256: str, size_bytes: int) -> None:
    tx.run(
        "INSERT INTO run_files (run, sha256, size_bytes) VALUES (:run, :sha256, :size)"
        " ON CONFLICT (run, sha256) DO NOTHING",
        run=run, sha256=sha256, size=size_bytes,
    )  # fmt: skip


def _clear(tx: Transaction, run: str, steps: Sequence[str]) -> list[str]:
    """Take steps out of the state; return those that were in it, in order. Their values stay as offers."""
    present = present_steps(tx, run)  # One query, whatever the number of steps.
    cleared = [step for step in steps if step in present]
    tx.many(
        "UPDATE run_steps SET present = 0 WHERE run = :run AND step = :step",
        [{"run": run, "step": step} for step in cleared],
    )
    return cleared


def _bring_back(
    tx: Transaction,
    row: RunRow,
    author: Author,
    kind: str,
    step: str | None,
    target: State,
    more: Mapping[str, Any],
) -> Written:
    """Make the current values those of `target` and append the event that says so."""
    held = {
        name: (version, present)
        for name, version, present in tx.all(
            "SELECT step, version, present FROM run_steps WHERE run = :run", run=row.id
        )
    }
    touched = []
    for name, value in target.steps.items():
        if held.get(name) != (value.version, 1):
            text = journal.serialised(value.data)
            put_step(tx, row.id, name, value.version, text, value.digest, value.reads, value.short)
            touched.append(name)
    gone = [name for name, (_, present) in held.items() if present and name not in target.steps]
    tx.many(
        "UPDATE run_steps SET present = 0 WHERE run = :run AND step = :step",
        [{"run": row.id, "step": name} for name in gone],
    )
    touched += gone + [name for name in {row.editing, target.editing} if name is not None]
    data = {**journal.restoring(target), "touched": sorted(set(touched)), **more}
    return append(
        tx, row, author, kind, step, data, editing=target.editing, editing_version=target.editing_version,
        open_step=target.editing,
    )  # fmt: skip


def is_repeat(tx: Transaction, run: str, submit_id: str) -> bool:
    """Tell whether this form was taken before."""
    return (
        tx.one("SELECT 1 FROM run_events WHERE run = :run AND submit = :submit", run=run, submit=submit_id) is not None
    )


def refuse_conflict(
    tx: Transaction,
    row: RunRow,
    seen: int | None,
    step: str,
    earlier: Sequence[str],
    mine: Mapping[str, Any] | None,
    own: Collection[int] = (),
) -> None:
    """Raise where something that a step depends on changed after the version that was seen.

    Raises:
        RunConflictError: If so.
    """
    if seen is None or seen == row.version:
        return
    if seen > row.version:  # The page knows more than the store: an older backup was restored under it.
        raise _conflict(tx, row, seen, step, _last_event(tx, row), mine)
    since = [event for event in events(tx, row.id, after=seen) if event.version not in own]
    event = journal.standing_in_the_way(since, step, earlier)
    if event is not None:
        raise _conflict(tx, row, seen, step, event, mine)


def _conflict(
    tx: Transaction, row: RunRow, seen: int, step: str | None, event: Event, mine: Mapping[str, Any] | None
) -> RunConflictError:
    theirs = None
    if step is not None:
        held = tx.one(
            "SELECT data FROM run_steps WHERE run = :run AND step = :step AND present = 1", run=row.id, step=step
        )
        theirs = json.loads(held[0]) if held else None
    return RunConflictError(
        step=step, seen=seen, version=row.version, kind=event.kind, changed=event.step, theirs=theirs, mine=mine,
        by=event.actor, tab=event.tab, at=event.at,
    )  # fmt: skip


def _last_event(tx: Transaction, row: RunRow) -> Event:
    return events(tx, row.id, after=row.version - 1)[0]


def split(order: Sequence[str], step: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return the steps before and after a step; a step that is not in the workflow (any more) comes last."""
    if step not in order:
        return order, ()
    position = order.index(step)
    return order[:position], order[position + 1 :]
