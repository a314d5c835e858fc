"""The journal as rows: what a run's row and events look like, and the one way an event is appended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipulate.errors import RunLockedError, RunNotFoundError, StorageError
from pipulate.storage import journal, messages, profiles
from pipulate.storage.author import Author as Author  # noqa: PLC0414 - it is known from here
from pipulate.storage.database import Row, Transaction
from pipulate.storage.files import Stored
from pipulate.storage.journal import Event, Lock, State, StepValue
from pipulate.storage.keys import KEY_MAX, Key, check_key


class RunRow(NamedTuple):
    """A run as its row says; see the migration for the columns."""

    id: str
    app: str
    key: str
    profile: str
    owner: str
    version: int
    locked_at: str | None
    locked_by: str | None
    editing: str | None
    editing_version: int | None
    open_step: str | None
    parent: str | None
    parent_version: int | None
    created_at: str
    updated_at: str
    updated_by: str
    deleted_at: str | None


COLUMNS = (
    "id, app, key, profile, owner, version, locked_at, locked_by, editing, editing_version, open_step,"
    " parent, parent_version, created_at, updated_at, updated_by, deleted_at"
)
EVENT_COLUMNS = "version, at, actor, tab, kind, step, data, submit"


@dataclass(frozen=True, slots=True)
class Written:
    """What an operation did.

    Attributes:
        run: Id of the run.
        event: The event it appended; None where nothing had to be done, because it was done before.
        version: The version of the run now.
        message: Number of the line it added to the conversation; 0 where it added none.
    """

    run: str
    event: Event | None
    version: int
    message: int


def find(tx: Transaction, run: str) -> RunRow:
    """Return the row of a run, whoever it belongs to and even from the bin.

    Raises:
        RunNotFoundError: If there is none.
    """
    row = tx.one(f"SELECT {COLUMNS} FROM runs WHERE id = :run", run=run)  # noqa: S608 - a constant
    if row is None:
        raise RunNotFoundError(run)
    return RunRow(*row)


def claim(tx: Transaction, run: str, author: Author, *, deleted: bool = False) -> RunRow:
    """Lock a run's row until the transaction ends, and return it.

    An update that changes nothing is the one statement that both stores understand as "nobody else, until I am done".

    Raises:
        RunNotFoundError: If there is none, if it belongs to somebody else, or if it is in the bin and `deleted` is not
            said.
    """
    row = tx.one(
        f"UPDATE runs SET version = version WHERE id = :run AND owner = :owner RETURNING {COLUMNS}",  # noqa: S608
        run=journal.storable(run), owner=author.actor,
    )  # fmt: skip
    found = RunRow(*row) if row else None
    if found is None or (found.deleted_at is not None and not deleted):
        raise RunNotFoundError(found.key if found else run)
    return found


def events(tx: Transaction, run: str, *, after: int = 0, upto: int | None = None) -> list[Event]:
    """Return the events of a run after one version and up to another, in order."""
    rows = tx.all(
        f"SELECT {EVENT_COLUMNS} FROM run_events WHERE run = :run AND version > :after AND version <= :upto"  # noqa: S608
        " ORDER BY version",
        run=run, after=after, upto=upto if upto is not None else 2**31 - 1,
    )  # fmt: skip
    return [event_of(row) for row in rows]


def event_of(row: Row) -> Event:
    """Return the event in a row of `EVENT_COLUMNS`."""
    version, at, actor, tab, kind, step, data, submit_id = row
    return Event(version, at, actor, tab, kind, step, json.loads(data), submit_id)


def state_of(tx: Transaction, row: RunRow) -> State:
    """Return the state of a run from its current values, without reading the journal."""
    steps, offers = dict[str, StepValue](), dict[str, StepValue]()
    for step, present, version, data, digest, reads, short, by, at in tx.all(
        "SELECT s.step, s.present, s.version, s.data, s.digest, s.reads, s.short, e.actor, e.at FROM run_steps s"
        " JOIN run_events e ON e.run = s.run AND e.version = s.version WHERE s.run = :run",
        run=row.id,
    ):
        value = StepValue(version, json.loads(data), digest, json.loads(reads), short, by, at)
        (steps if present else offers)[step] = value
    lock = Lock(row.locked_by or "", row.locked_at) if row.locked_at else None
    return State(row.version, steps, offers, row.editing, row.editing_version, lock)


def put_state(tx: Transaction, run: str, state: State) -> None:
    """Write the current values of a run that has none yet, from its folded journal."""
    for present, values in ((1, state.steps), (0, state.offers)):
        for name, value in values.items():
            text = journal.serialised(value.data)
            put_step(tx, run, name, value.version, text, value.digest, value.reads, value.short, present)


def insert_run(tx: Transaction, run: str, app: str, key: Key, profile: str, author: Author) -> bool:
    """Add the row of a new run; False, and nothing added, where the key is taken.

    Raises:
        StorageError: If there is no such profile.
    """
    if profiles.find(tx, profile) is None:
        raise StorageError(f"There is no profile {profile!r}, so nothing can belong to it.")
    return tx.attempt(
        "INSERT INTO runs (id, app, key, key_folded, key_prefix, key_number, profile, owner, version, created_at,"
        " updated_at, updated_by) VALUES (:id, :app, :key, :folded, :prefix, :number, :profile, :owner, 0, :at, :at,"
        " :owner)",
        id=run, app=app, key=key.text, folded=key.folded, prefix=key.prefix, number=key.number, profile=profile,
        owner=author.actor, at=author.at,
    )  # fmt: skip


def another_key(key: Key) -> Key:
    """Return the next key to try after one that is taken: x, x-2, x-3."""
    if key.number is not None and key.prefix.endswith("-"):
        stem, number = key.prefix[:-1], key.number
    else:
        stem, number = key.text, 1
    return check_key(f"{stem[: KEY_MAX - 17]}-{number + 1}")


def append(
    tx: Transaction,
    row: RunRow,
    author: Author,
    kind: str,
    step: str | None,
    data: Mapping[str, Any],
    *,
    value: Stored | None = None,
    submit_id: str | None = None,
    editing: str | None = None,
    editing_version: int | None = None,
    open_step: str | None = None,
) -> Written:
    """Append an event to a run, move its row on to it, and put a line into its conversation.

    A `value` is JSON already and becomes part of the event's data as it is.
    """
    version, data = row.version + 1, {**data, **author.noted}
    text = journal.serialised(data)
    if value is not None:
        text = f'{{"value":{value.text},{text[1:]}'
        data = {**data, "value": value.value}
    tx.run(
        f"INSERT INTO run_events (run, {EVENT_COLUMNS})"  # noqa: S608 - a constant
        " VALUES (:run, :version, :at, :actor, :tab, :kind, :step, :data, :submit)",
        run=row.id, version=version, at=author.at, actor=author.actor, tab=author.tab, kind=kind, step=step, data=text,
        submit=submit_id,
    )  # fmt: skip
    tx.run(
        "UPDATE runs SET version = :version, updated_at = :at, updated_by = :by, editing = :editing,"
        " editing_version = :editing_version, open_step = :open_step WHERE id = :run",
        version=version, at=author.at, by=author.actor, editing=editing, editing_version=editing_version,
        open_step=open_step, run=row.id,
    )  # fmt: skip
    message = messages.add_event(tx, row.id, author.at, author.actor, version)
    event = Event(version, author.at, author.actor, author.tab, kind, step, data, submit_id)
    return Written(row.id, event, version, message)


def append_as_is(tx: Transaction, row: RunRow, author: Author, kind: str, data: Mapping[str, Any]) -> Written:
    """Append an event that changes no step."""
    return append(
        tx, row, author, kind, None, data, editing=row.editing, editing_version=row.editing_version,
        open_step=row.open_step,
    )  # fmt: skip


def nothing(row: RunRow) -> Written:
    """Say that an operation had nothing to do."""
    return Written(row.id, None, row.version, 0)


def put_step(
    tx: Transaction,
    run: str,
    step: str,
    version: int,
    text: str,
    digest: str,
    reads: Mapping[str, str],
    short: str,
    present: int = 1,
) -> None:
    """Write the current value of a step, as JSON, over the one it has."""
    tx.run(
        "INSERT INTO run_steps (run, step, version, data, digest, reads, short, present)"
        " VALUES (:run, :step, :version, :data, :digest, :reads, :short, :present)"
        " ON CONFLICT (run, step) DO UPDATE SET version = excluded.version, data = excluded.data,"
        " digest = excluded.digest, reads = excluded.reads, short = excluded.short, present = excluded.present",
        run=run, step=step, version=version, data=text, digest=digest, reads=json.dumps(dict(reads)) if reads else "{}",
        short=short, present=present,
    )  # fmt: skip


def is_present(tx: Transaction, run: str, step: str) -> bool:
    """Tell whether a step has a value that counts."""
    return (
        tx.one("SELECT 1 FROM run_steps WHERE run = :run AND step = :step AND present = 1", run=run, step=step)
        is not None
    )


def present_steps(tx: Transaction, run: str) -> set[str]:
    """Return the steps that have a value that counts."""
    return {row[0] for row in tx.all("SELECT step FROM run_steps WHERE run = :run AND present = 1", run=run)}


def refuse_if_locked(row: RunRow) -> None:
    """Raise where a run is locked.

    Raises:
        RunLockedError: If it is.
    """
    if row.locked_at is not None:
        raise RunLockedError(row.locked_by or "", row.locked_at)
