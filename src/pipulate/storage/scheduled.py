"""The run of a scheduled job: started once, in the transaction that notes it in the job's row."""

from __future__ import annotations

from itertools import count

from pipulate.errors import KeyTakenError, RunNotFoundError
from pipulate.storage import jobs, runs
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Author, Written


def begin(
    tx: Transaction, job: JobRow, run: str, key: str, author: Author, *, open_step: str | None
) -> tuple[str, Written | None]:
    """Start the run of a job, or return the one that was started for it before.

    Args:
        tx: The transaction.
        job: The job.
        run: Id of the run, where it is a new one.
        key: Its key; one that is taken gets a number behind it.
        author: Whose run it is, and when.
        open_step: As in `runs.start`.

    Raises:
        RunNotFoundError: If the job is gone, with the run it had.
    """
    row = jobs.find(tx, job.id)
    if row is None:
        raise RunNotFoundError(run)
    if row.run is not None:
        return row.run, None
    for number in count(1):
        text = key if number == 1 else f"{key} ({number})"
        try:
            _, written = runs.start(tx, run, row.app or "", check_key(text), row.profile, author, open_step=open_step)
        except KeyTakenError:
            continue
        break
    tx.run("UPDATE jobs SET run = :run WHERE id = :job", run=run, job=job.id)
    return run, written
