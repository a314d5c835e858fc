"""What a run asked the jobs for, and what came of it: the two moments where a job and a journal change together."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from pipulate.storage import jobs, journal, runs
from pipulate.storage.database import Transaction
from pipulate.storage.files import Stored
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Author, Written, append, claim, events, nothing, refuse_if_locked

STEP: Final = "step"
"""Kind of the jobs of steps that are functions, as stored."""
_EDITS = frozenset({journal.REVERTED, journal.EDIT_CANCELLED})


def request(
    tx: Transaction,
    run: str,
    author: Author,
    job: Mapping[str, Any],
    *,
    step: str,
    value: Stored,
    short: str,
    order: Sequence[str],
    seen: int,
    submit_id: str | None,
    own: Collection[int] = (),
) -> tuple[Written, JobRow | None]:
    """Ask for a job that gives a step its value: an event and a job, both or neither.

    Args:
        tx: The transaction.
        run: Id of the run.
        author: Who, from where, when.
        job: The job, as `jobs.add` takes it, without its version.
        step: Name of the step.
        value: What was answered, made ready by `FileStore.store`.
        short: The same in a few words.
        order: Names of all steps of the workflow, in order.
        seen: The version the person saw.
        submit_id: Id of the form. The same id again changes nothing.
        own: Versions that the caller itself made after `seen`; they never conflict.

    Raises:
        RunNotFoundError, RunLockedError, RunConflictError: As in `runs.submit`.
    """
    row = claim(tx, run, author)
    if submit_id is not None and runs.is_repeat(tx, run, submit_id):
        return nothing(row), None
    refuse_if_locked(row)
    earlier, _ = runs.split(order, step)
    runs.refuse_conflict(tx, row, seen, step, earlier, mine=value.value, own=own)
    runs.name_files(tx, run, step, value, author.at)
    data = {"digest": value.digest, "short": journal.storable(short), "job": job["id"]}
    written = append(
        tx, row, author, journal.REQUESTED, step, data, value=value, submit_id=submit_id, editing=row.editing,
        editing_version=row.editing_version, open_step=step,
    )  # fmt: skip
    return written, jobs.add(tx, {**job, "version": written.version})


def answer(tx: Transaction, /, job: JobRow, at: str, value: Mapping[str, Any]) -> Written | None:
    """Give a step the value its job worked out, and end the job; None where the job had ended by other means.

    The job is named in the journal, so its value enters it once however often this is tried; `value` is the rest of
    what `runs.submit` takes.

    Raises:
        BeingEditedError: If an earlier step is being edited, so that nobody knows yet whether the value still fits.
        RunNotFoundError, RunLockedError, RunConflictError: As in `runs.submit`.
    """
    assert job.run is not None and job.step is not None  # noqa: PT018, S101 - a job without them has no step
    row = claim(tx, job.run, value["author"])
    if row.editing in runs.split(value["order"], job.step)[0]:
        raise BeingEditedError
    if not jobs.end(tx, job.id, job.attempt, jobs.DONE, at):
        return None
    seen = job.version if is_overtaken(tx, job, value["order"]) else None
    return runs.submit(tx, job.run, seen=seen, submit_id=job.id, kind=journal.COMPUTED, **value)


class BeingEditedError(Exception):
    """An earlier step than the one a value is for is being edited."""


def locked(tx: Transaction, job: JobRow) -> frozenset[int]:
    """Return the versions since a job was asked for that locked or unlocked its run: they overtake no job."""
    assert job.run is not None and job.version is not None  # noqa: PT018, S101 - as above
    since = events(tx, job.run, after=job.version)
    return frozenset(event.version for event in since if journal.affected(event) is None)


def current(tx: Transaction, run: str, step: str, order: Sequence[str], *, or_answered: bool = False) -> JobRow | None:
    """Return the job whose result a step waits for, or would have got: the newest that nothing has overtaken.

    With `or_answered` also one whose result the step has.

    A job is overtaken when its step or an earlier one changed after it was asked for. A lock is no reason, and for
    steps that are functions neither is an edit: until it is saved nothing has changed, and it may be left as it was.
    """
    found = jobs.latest_of_step(tx, run, step)
    if found is None or found.version is None:
        return None
    return None if is_overtaken(tx, found, order, but=found.id if or_answered else None) else found


def is_overtaken(tx: Transaction, job: JobRow, order: Sequence[str], *, but: str | None = None) -> bool:
    """Tell whether what a job was asked for from has changed since; `but` is the id of a form that does not count."""
    assert job.run is not None and job.step is not None and job.version is not None  # noqa: PT018, S101
    concerned = {job.step, *runs.split(order, job.step)[0]}
    for event in events(tx, job.run, after=job.version):
        if job.kind == STEP and event.kind in _EDITS and event.step != job.step:
            continue
        steps = journal.affected(event)
        if steps is not None and steps & concerned and (but is None or event.submit != but):
            return True
    return False
