"""The runs of class-style plugins, as plain function calls that wait for the store.

A plugin holds the state of a run as one dictionary. Here it becomes what any run is: values of steps, given and taken
by events, with the same lock and the same conflicts. One call is one transaction.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.errors import CallError, PipulateError, RunConflictError, RunLockedError, RunNotFoundError, StorageError
from pipulate.explicit.context import Current, Read, as_plugin_sees, current
from pipulate.jobs.port import Request, row_of
from pipulate.security.capability import OWNER
from pipulate.storage import asked, jobs, journal, ledger, lifecycle, lookups, runs
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore, Stored
from pipulate.storage.jobs import JobRow
from pipulate.storage.keys import KEY_MAX, check_key, spelled
from pipulate.storage.ledger import Author, RunRow, Written
from pipulate.storage.runs import Change
from pipulate.workflows import values
from pipulate.workflows.asking import JobView

FINALIZE, TARGET = "finalize", "_revert_target"
_MARKS = frozenset({"created", "updated", TARGET, FINALIZE})
_GONE = object()
MOST_KEYS = 500
"""Most keys that are listed to choose from, newest first."""


class StepLike(Protocol):
    """A step as plugins declare it: a tuple with at least these names."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def done(self) -> str:
        """Key of its value inside its dictionary."""


class StateDict(dict[str, Any]):
    """The state of a run that remembers what it was read from, so that only what changed is written back."""

    def __init__(self, read: Read) -> None:
        super().__init__(copy.deepcopy(dict(read.state)))
        self.read = read


class Book:
    """Reads and writes runs for plugin code, on whatever thread that runs."""

    def __init__(self, db: Database, files: FileStore, clock: Clock, stored: Callable[[Written], None]) -> None:
        """Wire it up; `stored` is told of every change, on the thread that made it."""
        self._db, self._files, self._clock, self._stored = db, files, clock, stored

    # Reading

    def read(self, key: str) -> StateDict | None:
        """Return the state of a run, or None where there is none."""
        read = self._db.read_now(self._read, key)
        now = current()
        if read is not None and now is not None:
            now.reads.setdefault(key, read)
        return StateDict(read) if read is not None else None

    def keys(self, app: str, profile: str | None = None) -> list[str]:
        """Return the keys of an app's runs, newest change first, at most `MOST_KEYS`."""
        page = self._db.read_now(lookups.listed, self._actor(), app=app, profile=profile, limit=MOST_KEYS)
        return [row.key for row in page.runs]

    def rows(self, app: str | None, key: str | None) -> list[tuple[RunRow, dict[str, Any]]]:
        """Return runs with their states, newest change first, at most `MOST_KEYS`."""
        return self._db.read_now(self._rows, app, key)

    def highest(self, app: str, prefix: str) -> int:
        """Return the highest number behind a prefix among the keys of an app, 0 where there is none."""
        return self._db.read_now(runs.highest_number, app, self._actor(), prefix)

    def row(self, key: str) -> RunRow | None:
        """Return the row of a run, or None where there is none."""
        return self._db.read_now(self._find, key)

    def is_locked(self, key: str) -> bool:
        """Tell whether a run is locked; one that does not exist is not."""
        row = self._db.read_now(self._find, key)
        return row is not None and row.locked_at is not None

    # Writing

    def start(self, app: str, key: str, profile: str, state: Mapping[str, Any]) -> None:
        """Begin a run with some values.

        Raises:
            BadKeyError: If the key breaks the rule for keys.
            KeyTakenError: If there is a run of the app under this key, in whatever profile.
        """
        run, checked = new_id(), check_key(key)
        changes = [self._given(run, step, value) for step, value in state.items() if step not in _MARKS]
        self._do(_start, run, app, checked, profile, changes)
        now = current()
        if now is not None and isinstance(now.failure, RunNotFoundError):
            now.failure = None  # It was not there, and now it is.

    def write(self, key: str, state: Mapping[str, Any]) -> None:
        """Store what differs from the state that was read; an event for each value.

        What others changed meanwhile stays as it is, where it is another value; the same value is a conflict.

        Raises:
            RunNotFoundError: If there is no such run.
            RunConflictError, RunLockedError: As in `runs.change`.
        """
        base = state.read if isinstance(state, StateDict) else self._base(key)
        before, run = base.state, base.run
        stored = self._db.read_now(self._read, key)
        there = stored.state if stored is not None else {}
        names = [name for name in {**before, **state} if name not in _MARKS]
        changes = [
            self._given(run, name, state[name]) if name in state else Change(name, None)
            for name in names
            if before.get(name, _GONE) != state.get(name, _GONE) != there.get(name, _GONE)
        ]
        is_locked, shall_lock = FINALIZE in before, bool((state.get(FINALIZE) or {}).get("finalized"))
        edits = state.get(TARGET) if state.get(TARGET) != before.get(TARGET) else None
        self._do(
            _write, run, changes, unlocks=is_locked and not shall_lock, locks=shall_lock and not is_locked,
            seen=base.version, edits=edits, ends_edit=TARGET in before and TARGET not in state,
        )  # fmt: skip
        written = Read(run, base.version, copy.deepcopy(dict(state)))  # What is written next is compared with this.
        if isinstance(state, StateDict):
            state.read = written
        elif (now := current()) is not None:
            now.reads[key] = written

    def put(self, key: str, step: str, value: Mapping[str, Any], steps: Sequence[StepLike], *, clears: bool) -> None:
        """Give a step its value; with `clears`, later steps leave the state unless they are to be refilled."""
        base = self._base(key)
        order = [each.id for each in steps]
        before, after = _around(order, step)
        change = self._given(base.run, step, value, earlier=before)
        if clears:
            change = Change(step, change.value, change.short, before, _not_refilled(steps, after))
        self._do(_write, base.run, [change], seen=self._seen(key, base), ends_edit=True, opens=order)
        self._knows(key, {TARGET: _GONE, **dict.fromkeys(change.clears, _GONE), step: to_jsonable_python(value)})

    def clear_after(self, key: str, step: str, steps: Sequence[StepLike]) -> None:
        """Take the steps after one out of the state, unless they are to be refilled."""
        base = self._base(key)
        order = [each.id for each in steps]
        before, after = _around(order, step)
        gone = _not_refilled(steps, after)
        changes = [Change(name, None, earlier=(*before, step)) for name in gone]
        self._do(_write, base.run, changes, seen=self._seen(key, base), opens=order)
        self._knows(key, dict.fromkeys(gone, _GONE))

    def lock(self, key: str, more: Mapping[str, Any]) -> None:
        """Store some values and lock the run."""
        base = self._base(key)
        changes = [self._given(base.run, step, value) for step, value in more.items() if step not in _MARKS]
        self._do(_write, base.run, changes, locks=True, seen=self._seen(key, base))
        self._knows(key, {**more, FINALIZE: {"finalized": True}})

    def unlock(self, key: str) -> None:
        """Unlock the run."""
        self._do(_write, self._base(key).run, [], unlocks=True, seen=None)
        self._knows(key, {FINALIZE: _GONE})

    def keep(self, key: str, files: Sequence[tuple[str, bytes]]) -> None:
        """Keep files that were uploaded with the run: name and content of each.

        Raises:
            RunConflictError, RunLockedError, RunNotFoundError, StorageError: As in `runs.uploaded`.
        """
        base, now = self._base(key), current()
        try:
            named = [(name, self._files.put(base.run, content), len(content)) for name, content in files]
        except StorageError as error:
            _failed(error)
            raise
        self._do(runs.uploaded, base.run, named, submit_id=now.submit if now else None)

    # Jobs

    def ask(
        self, key: str, step: str, order: Sequence[str], request: Request, given: Sequence[Any]
    ) -> tuple[JobRow, bool]:
        """Ask for the job that gives a step its value; return it and True, or the open one there is and False.

        Raises:
            RunNotFoundError, RunConflictError, RunLockedError: As in `put`.
        """
        base = self._base(key)
        value = self._files.store(base.run, {"input": list(given), "output": None, "view": "tree"})
        job = row_of(request, new_id(), to_text(self._clock.now()))
        self._do(
            _ask, base.run, job, step=step, order=order, value=value, seen=self._seen(key, base),
            short=", ".join(values.shorten(values.plain(each)) for each in given),
        )  # fmt: skip
        row = self._db.read_now(_asked, job["id"], base.run, step, order)
        return row, row.id == job["id"]

    def answer(self, job: JobRow, value: Mapping[str, Any], now: Current) -> Written | None:
        """Give a step the value its job worked out, and end the job; None where the job had ended by other means.

        Raises:
            RunNotFoundError, RunConflictError, RunLockedError: As in `put`.
            PydanticSerializationError: If the value has no form in JSON.
        """
        assert job.run is not None and job.step is not None  # noqa: PT018, S101 - it was asked for with both
        steps = getattr(now.instance, "steps", None) or ()
        order = [each.id for each in steps]
        before, after = _around(order, job.step)
        change = self._given(job.run, job.step, value, earlier=before)
        change = Change(job.step, change.value, change.short, before, _not_refilled(steps, after))
        author = Author(job.owner, to_text(self._clock.now()))
        return self._db.write_now(_answer, job, author, change, order, frozenset(now.own))

    def job(self, key: str, step: str, order: Sequence[str]) -> JobView | None:
        """Return the newest job of a step, ready to be shown; None where there is none, or something overtook it."""
        row = self.row(key)
        found = self.latest(row.id, step, order) if row is not None else None
        return self.seen_job(found) if found is not None else None

    def latest(self, run: str, step: str, order: Sequence[str]) -> JobRow | None:
        """Return the newest job of a step by the id of its run, or None as in `job`."""
        return self._db.read_now(asked.current, run, step, order, or_answered=True)

    def seen_job(self, job: JobRow) -> JobView:
        """Return a job, ready to be shown."""
        return self._db.read_now(_seen_job, job)

    # Parts

    def _knows(self, key: str, changed: Mapping[str, Any]) -> None:
        """Take what this request changed into what it has read, so that it is not taken for a change once more."""
        now = current()
        if now is not None and key in now.reads:
            read = now.reads[key]
            state = {name: value for name, value in {**read.state, **changed}.items() if value is not _GONE}
            now.reads[key] = Read(read.run, read.version, state)

    def _do(self, unit: Callable[..., tuple[int, Written]], run: str, *args: Any, **kwargs: Any) -> None:
        now = current()
        author = author_of(now, to_text(self._clock.now()))
        if now is not None and unit in (_write, _ask):
            kwargs |= {"own": frozenset(now.own), "submit_id": now.submit}
        try:
            first, written = self._db.write_now(unit, run, author, *args, **kwargs)
        except (RunConflictError, RunLockedError) as error:
            if now is not None:
                now.refusal, now.refused = error, run
            raise
        except (RunNotFoundError, StorageError) as error:
            _failed(error)
            raise
        if written.event is None:
            return
        if now is not None:
            now.own.update(range(first + 1, written.version + 1))
            now.submit = None
        self._stored(written)

    def _given(self, run: str, step: str, value: Any, *, earlier: Sequence[str] = ()) -> Change:
        plain = to_jsonable_python(value)
        inside = next(iter(plain.values())) if isinstance(plain, dict) and len(plain) == 1 else plain
        try:
            stored = self._files.store(run, {"input": None, "output": plain, "view": "tree"})
        except StorageError as error:
            _failed(error)
            raise
        return Change(step, stored, values.shorten(values.plain(inside)), earlier)

    def _base(self, key: str) -> Read:
        """Return the first read of a run in this request.

        Raises:
            RunNotFoundError: If there is no such run.
        """
        now = current()
        if now is not None and key in now.reads:
            return now.reads[key]
        found = self.read(key)
        if found is not None:
            return found.read
        error = RunNotFoundError(key)
        if now is not None and key == now.key:  # Another key may be a question, whose answer is no.
            _failed(error)
        raise error

    def _seen(self, key: str, base: Read) -> int:
        """Return the version that was seen: the one the form was made for, else that of the first read."""
        now = current()
        return now.seen if now is not None and now.key == key and now.seen is not None else base.version

    def _find(self, tx: Transaction, key: str) -> RunRow | None:
        now, key = current(), spelled(key, KEY_MAX)
        try:
            if now is not None:
                return lookups.by_key(tx, now.app, key, now.actor)
            return lookups.newest_with_key(tx, key, OWNER)
        except RunNotFoundError:
            return None

    def _read(self, tx: Transaction, key: str) -> Read | None:
        row = self._find(tx, key)
        return self._as_read(tx, row) if row is not None else None

    def _as_read(self, tx: Transaction, row: RunRow) -> Read:
        state = lookups.resolved(ledger.state_of(tx, row), self._files, row.id)
        return Read(row.id, row.version, as_plugin_sees(state, row.created_at, row.updated_at))

    def _rows(self, tx: Transaction, app: str | None, key: str | None) -> list[tuple[RunRow, dict[str, Any]]]:
        if key is not None:
            row = self._find(tx, key)
            found = [row] if row is not None and app in (None, row.app) else []
        else:
            found = list(lookups.listed(tx, self._actor(), app=app, limit=MOST_KEYS).runs)
        return [(row, dict(self._as_read(tx, row).state)) for row in found]

    def _actor(self) -> str:
        now = current()
        return now.actor if now is not None else OWNER


def author_of(now: Current | None, at: str) -> Author:
    """Return in whose name something is stored at a moment.

    Raises:
        CallError: If the request only looks.
    """
    if now is None:
        return Author(OWNER, at)
    if now.is_look:
        error = CallError("This page changes something when it is opened, so it can only be used in the browser.")
        _failed(error)
        raise error
    return Author(now.actor, at, now.tab, now.via)


def _failed(error: PipulateError) -> None:
    """Keep why something could not be stored: plugins catch what is raised, and say that all went well."""
    now = current()
    if now is not None:
        now.failure = error


def _start(
    tx: Transaction, run: str, author: Author, app: str, key: Any, profile: str, changes: Any
) -> tuple[int, Written]:
    _, written = runs.start(tx, run, app, key, profile, author)
    return 0, runs.change(tx, run, author, changes, seen=None) if changes else written


def _write(
    tx: Transaction,
    run: str,
    author: Author,
    changes: Sequence[Change],
    *,
    seen: int | None,
    own: Collection[int] = (),
    submit_id: str | None = None,
    edits: str | None = None,
    ends_edit: bool = False,
    locks: bool = False,
    unlocks: bool = False,
    opens: Sequence[str] = (),
) -> tuple[int, Written]:
    """Do all that one call of a plugin asks for; return the version before, and what was written last."""
    first = ledger.claim(tx, run, author).version
    written = lifecycle.unfinalize(tx, run, author) if unlocks else ledger.nothing(ledger.find(tx, run))
    if changes or edits is not None or ends_edit:
        changed = runs.change(
            tx, run, author, changes, seen=seen, own={*own, *range(first + 1, written.version + 1)}, edits=edits,
            ends_edit=ends_edit, submit_id=submit_id, open_step=_next_of(tx, run, changes, opens),
        )  # fmt: skip
        written = changed if changed.event is not None else written
    if locks:
        locked = lifecycle.finalize(tx, run, author)
        written = locked if locked.event is not None else written
    return first, written


def _ask(
    tx: Transaction,
    run: str,
    author: Author,
    job: Mapping[str, Any],
    *,
    step: str,
    order: Sequence[str],
    value: Stored,
    short: str,
    seen: int,
    own: Collection[int] = (),
    submit_id: str | None = None,
) -> tuple[int, Written]:
    """Ask for a job unless one is open; return the version before, and what was written."""
    row = ledger.claim(tx, run, author)
    there = asked.current(tx, run, step, order)
    if there is not None and there.is_open and not there.stop:
        return row.version, ledger.nothing(row)
    written, _ = asked.request(
        tx, run, author, job, step=step, value=value, short=short, order=order, seen=seen, submit_id=submit_id, own=own
    )
    return row.version, written


def _asked(tx: Transaction, job: str, run: str, step: str, order: Sequence[str]) -> JobRow:
    row = jobs.find(tx, job) or asked.current(tx, run, step, order)
    if row is None:  # It was the same form again, and what came of it is over.
        row = jobs.latest_of_step(tx, run, step)
    assert row is not None  # noqa: S101 - one of them was there in the transaction before
    return row


def _answer(
    tx: Transaction, job: JobRow, author: Author, change: Change, order: Sequence[str], own: frozenset[int]
) -> Written | None:
    if not jobs.end(tx, job.id, job.attempt, jobs.DONE, author.at):
        return None
    assert job.run is not None  # noqa: S101 - it was asked for with one
    return runs.change(
        tx, job.run, author, [change], seen=job.version, own=own | asked.locked(tx, job), ends_edit=True,
        submit_id=job.id, open_step=_next_of(tx, job.run, [change], order), kind=journal.COMPUTED,
    )  # fmt: skip


def _seen_job(tx: Transaction, job: JobRow) -> JobView:
    fresh = jobs.find(tx, job.id) or job
    return JobView(fresh, tuple(jobs.lines(tx, job.id, limit=8)), jobs.parts(tx, job.id))


def _next_of(tx: Transaction, run: str, changes: Sequence[Change], order: Sequence[str]) -> str | None:
    """Return the first step that will have no value, for lists."""
    present = ledger.present_steps(tx, run)
    for change in changes:
        present -= set(change.clears)
        present = present | {change.step} if change.value else present - {change.step}
    return next((step for step in order if step not in present and step != FINALIZE), None)


def _around(order: Sequence[str], step: str) -> tuple[Sequence[str], Sequence[str]]:
    """Return the steps before and after one; an unknown one has none of either."""
    if step not in order:
        return (), ()
    at = order.index(step)
    return order[:at], order[at + 1 :]


def _not_refilled(steps: Sequence[StepLike], names: Collection[str]) -> list[str]:
    return [each.id for each in steps if each.id in names and not getattr(each, "refill", False)]
