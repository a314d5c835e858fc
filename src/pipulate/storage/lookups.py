"""Finding runs: by key, in lists, by search. Every list is paged, and none looks at more rows than it shows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from pipulate.errors import RunNotFoundError, UnknownVersionError
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import IMPORTED, UPLOADED, Event, State, StepValue, storable
from pipulate.storage.keys import folded
from pipulate.storage.ledger import COLUMNS, EVENT_COLUMNS, RunRow, event_of, events, state_of

PAGE = 20
"""Runs on a page of a list."""

HISTORY_PAGE = 50
"""Events on a page of a history."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list of runs, newest change first; `older` continues it, or is None at the end."""

    runs: Sequence[RunRow]
    older: str | None


def by_key(tx: Transaction, app: str, key: str, owner: str, *, or_bin: bool = False) -> RunRow:
    """Return the run of an app with this key; with `or_bin`, else the one that went into the bin last.

    Raises:
        RunNotFoundError: If the person has none.
    """
    which = "ORDER BY (CASE WHEN deleted_at IS NULL THEN 0 ELSE 1 END), deleted_at DESC LIMIT 1"
    row = tx.one(
        f"SELECT {COLUMNS} FROM runs WHERE app = :app AND owner = :owner AND key = :key"  # noqa: S608
        f" {which if or_bin else 'AND deleted_at IS NULL'}",
        app=app, owner=owner, key=storable(key),
    )  # fmt: skip
    if row is None or key != storable(key):
        raise RunNotFoundError(key)
    return RunRow(*row)


def newest_with_key(tx: Transaction, key: str, owner: str) -> RunRow:
    """Return the run with this key that was changed last, of whatever app.

    Raises:
        RunNotFoundError: If the person has none.
    """
    row = tx.one(
        f"SELECT {COLUMNS} FROM runs WHERE owner = :owner AND key = :key AND deleted_at IS NULL"  # noqa: S608
        " ORDER BY updated_at DESC LIMIT 1",
        owner=owner, key=storable(key),
    )  # fmt: skip
    if row is None:
        raise RunNotFoundError(key)
    return RunRow(*row)


def by_id(tx: Transaction, run: str, owner: str, *, deleted: bool = False) -> RunRow:
    """Return a run by its id.

    Raises:
        RunNotFoundError: If the person has none, or it is in the bin and `deleted` is not said.
    """
    row = tx.one(
        f"SELECT {COLUMNS} FROM runs WHERE id = :run AND owner = :owner",  # noqa: S608
        run=storable(run), owner=owner,
    )  # fmt: skip
    found = RunRow(*row) if row else None
    if found is None or (found.deleted_at is not None and not deleted):
        raise RunNotFoundError(found.key if found else run)
    return found


def by_ids(tx: Transaction, runs: Collection[str], owner: str) -> dict[str, RunRow]:
    """Return a person's runs by their ids, those in the bin too; an id of none is left out."""
    if not runs:
        return {}
    named = {f"run{number}": run for number, run in enumerate(runs)}
    rows = tx.all(
        f"SELECT {COLUMNS} FROM runs WHERE id IN ({', '.join(':' + name for name in named)}) AND owner = :owner",  # noqa: S608
        owner=owner, **named,
    )  # fmt: skip
    return {row[0]: RunRow(*row) for row in rows}


def load(tx: Transaction, files: FileStore, run: str, owner: str) -> tuple[RunRow, State]:
    """Return a run and its state, large values read from their files."""
    row = by_id(tx, run, owner)
    return row, resolved(state_of(tx, row), files, run)


def resolved(state: State, files: FileStore, run: str) -> State:
    """Return the state with every large value read from its file."""

    def whole(value: StepValue) -> StepValue:
        data = files.resolve(run, value.data)
        return value if data is value.data else replace(value, data=data)

    return State(
        state.version,
        {name: whole(value) for name, value in state.steps.items()},
        {name: whole(value) for name, value in state.offers.items()},
        state.editing,
        state.editing_version,
        state.lock,
    )


def listed(
    tx: Transaction,
    owner: str,
    *,
    app: str | None = None,
    profile: str | None = None,
    words: str = "",
    older: str | None = None,
    deleted: bool = False,
    limit: int = PAGE,
) -> Page:
    """Return a page of runs, newest change first.

    Args:
        tx: The transaction.
        owner: Whose runs.
        app: Only runs of this app.
        profile: Only runs of this profile.
        words: Only runs whose key contains this, whatever the case.
        older: Where the page before ended (its `older`).
        deleted: The bin instead of the runs.
        limit: Most runs on the page.
    """
    where = ["owner = :owner", "deleted_at IS NOT NULL" if deleted else "deleted_at IS NULL"]
    values: dict[str, str | int] = {"owner": owner, "limit": limit + 1}
    for name, value in (("app", app), ("profile", profile)):
        if value is not None:
            where.append(f"{name} = :{name}")
            values[name] = value
    if words:
        part = folded(words)
        if part is None:
            return Page([], None)
        where.append("key_folded LIKE :words ESCAPE '\\'")
        values["words"] = f"%{_escape_like(part)}%"
    if older and "_" in older:
        where.append("(updated_at < :at OR (updated_at = :at AND id < :id))")
        values["at"], values["id"] = storable(older).split("_", 1)
    sql = f"SELECT {COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY updated_at DESC, id DESC LIMIT :limit"  # noqa: S608
    rows = [RunRow(*row) for row in tx.all(sql, **values)]
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, f"{rows[-1].updated_at}_{rows[-1].id}" if more else None)


def deleted_before(tx: Transaction, moment: str, limit: int = 100) -> list[tuple[str, str]]:
    """Return id and owner of runs that went into the bin before a moment."""
    rows = tx.all(
        "SELECT id, owner FROM runs WHERE deleted_at IS NOT NULL AND deleted_at < :moment LIMIT :limit",
        moment=moment, limit=limit,
    )  # fmt: skip
    return [(run, owner) for run, owner in rows]


def in_bin(tx: Transaction, owner: str, profile: str) -> int:
    """Return how many runs of a profile a person has in the bin."""
    row = tx.one(
        "SELECT count(*) FROM runs WHERE owner = :owner AND profile = :profile AND deleted_at IS NOT NULL",
        owner=owner, profile=profile,
    )  # fmt: skip
    return int(row[0]) if row else 0


def history(tx: Transaction, run: str, *, before: int | None = None, limit: int = HISTORY_PAGE) -> list[Event]:
    """Return the newest events of a run, newest first; those below version `before` where it is given."""
    rows = tx.all(
        f"SELECT {EVENT_COLUMNS} FROM run_events WHERE run = :run AND version < :before"  # noqa: S608
        " ORDER BY version DESC LIMIT :limit",
        run=run, before=before if before is not None else 2**31 - 1, limit=limit,
    )  # fmt: skip
    return [event_of(row) for row in rows]


def values_of_step(tx: Transaction, run: str, step: str, *, limit: int = 50) -> list[Event]:
    """Return the events that gave a step a value, newest first."""
    rows = tx.all(
        f"SELECT {EVENT_COLUMNS} FROM run_events"  # noqa: S608
        " WHERE run = :run AND step = :step AND kind IN ('submitted', 'computed') ORDER BY version DESC LIMIT :limit",
        run=run, step=step, limit=limit,
    )  # fmt: skip
    return [event_of(row) for row in rows]


def by_submit(tx: Transaction, run: str, submit_id: str) -> Event | None:
    """Return the event a form led to, or None."""
    row = tx.one(
        f"SELECT {EVENT_COLUMNS} FROM run_events WHERE run = :run AND submit = :submit",  # noqa: S608
        run=run, submit=submit_id,
    )  # fmt: skip
    return event_of(row) if row else None


def was_imported(tx: Transaction, run: str) -> bool:
    """Tell whether a run, or the one it is a copy of, came from a file."""
    row = tx.one("SELECT 1 FROM run_events WHERE run = :run AND kind = :kind LIMIT 1", run=run, kind=IMPORTED)
    return row is not None


def files_of(tx: Transaction, run: str) -> list[str]:
    """Return the names (SHA-256) of the files of a run."""
    return [row[0] for row in tx.all("SELECT sha256 FROM run_files WHERE run = :run ORDER BY sha256", run=run)]


def upload(tx: Transaction, run: str, owner: str, sha256: str) -> str | None:
    """Return the name under which a file was uploaded to a person's run, or None where none was.

    Raises:
        RunNotFoundError: If the person has no such run.
    """
    for event in events(tx, by_id(tx, run, owner).id):
        if event.kind == UPLOADED and event.data["$file"]["sha256"] == sha256:
            return str(event.data["name"])
    return None


def journal_upto(tx: Transaction, row: RunRow, version: int) -> list[Event]:
    """Return the journal of a run up to a version.

    Raises:
        UnknownVersionError: If the run never had that version.
    """
    if not 1 <= version <= row.version:
        raise UnknownVersionError(version, row.version)
    return events(tx, row.id, upto=version)


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def left_after_a_job(tx: Transaction) -> list[tuple[str, str]]:
    """Return the runs whose newest event is the value that a job worked out, with their owners: they may go on."""
    return [
        (run, owner)
        for run, owner in tx.all(
            "SELECT r.id, r.owner FROM jobs j JOIN run_events e ON e.run = j.run AND e.submit = j.id"
            " JOIN runs r ON r.id = j.run AND r.version = e.version"
            " WHERE j.status = 'done' AND r.open_step IS NOT NULL AND r.deleted_at IS NULL AND r.locked_at IS NULL"
        )
    ]
