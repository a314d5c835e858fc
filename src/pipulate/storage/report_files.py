"""Files that reports made. Each has a folder of its own in the store of files, named by the job that made it.

The file is in place before its row is added, and its row is added together with the end of the job: so a job that is
done twice keeps one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipulate.errors import NotInReportError, StorageError
from pipulate.storage import jobs
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.jobs import JobRow
from pipulate.storage.journal import storable


class ReportFile(NamedTuple):
    """A file that a report made, as its row says; see the migration for the columns."""

    id: str
    report: str
    maker: str
    subject: str
    subject_label: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    made_at: str
    made_by: str
    deleted_at: str | None = None


_COLUMNS: Final = ", ".join(ReportFile._fields)
_GIVEN: Final = ", ".join(f":{name}" for name in ReportFile._fields)
_ALL: Final = f"SELECT {_COLUMNS} FROM report_files"  # noqa: S608 - names from the tuple above
_AT_ONCE: Final = 500


def keep(tx: Transaction, job: JobRow, made: ReportFile) -> bool:
    """Note what a job made, and end the job, both or neither; False, and nothing noted, where it had ended already."""
    if not jobs.end(tx, job.id, job.attempt, jobs.DONE, made.made_at):
        return False
    texts = {name: storable(getattr(made, name)) for name in ("subject", "subject_label", "name")}
    tx.run(
        f"INSERT INTO report_files ({_COLUMNS}) VALUES ({_GIVEN}) ON CONFLICT (id) DO NOTHING",  # noqa: S608
        **{**made._asdict(), **texts},
    )
    return True


def listed(tx: Transaction, report: str, owner: str, *, deleted: bool = False, limit: int = 200) -> list[ReportFile]:
    """Return what a report made for a person, newest first; what is in the bin instead with `deleted`."""
    where, order = ("IS NOT NULL", "deleted_at") if deleted else ("IS NULL", "made_at")
    rows = tx.all(
        f"{_ALL} WHERE report = :report AND made_by = :owner AND deleted_at {where}"
        f" ORDER BY {order} DESC, id DESC LIMIT :limit",
        report=report, owner=owner, limit=limit,
    )  # fmt: skip
    return [ReportFile(*row) for row in rows]


def find(tx: Transaction, report: str, file: str, owner: str) -> ReportFile:
    """Return a file that a report made for a person, from the bin too.

    Raises:
        NotInReportError: If there is none.
    """
    row = tx.one(
        f"{_ALL} WHERE id = :id AND report = :report AND made_by = :owner",
        id=storable(file), report=report, owner=owner,
    )  # fmt: skip
    if row is None:
        raise NotInReportError("This file is not there any more. It may have been erased; make it anew.")
    return ReportFile(*row)


def put_into_bin(tx: Transaction, report: str, file: str, owner: str, at: str | None) -> ReportFile:
    """Put a file into the bin, or with None as the moment take it out; one that is there already stays as it is.

    Raises:
        NotInReportError: As in `find`.
    """
    found = find(tx, report, file, owner)
    if (found.deleted_at is None) != (at is None):
        tx.run("UPDATE report_files SET deleted_at = :at WHERE id = :id", id=found.id, at=at)
        return found._replace(deleted_at=at)
    return found


def purge(tx: Transaction, before: str) -> list[str]:
    """Forget what went into the bin before a moment, at most 500; return the folders whose files may go."""
    late = tx.all(
        f"SELECT id FROM report_files WHERE deleted_at < :before ORDER BY deleted_at LIMIT {_AT_ONCE}",  # noqa: S608
        before=before,
    )
    for (file,) in late:
        tx.run("DELETE FROM report_files WHERE id = :id", id=file)
    return [str(file) for (file,) in late]


def check(tx: Transaction, files: FileStore) -> Iterator[str]:
    """Yield what is wrong with the files that reports made."""
    after = ""
    sql = f"{_ALL} WHERE id > :after ORDER BY id LIMIT {_AT_ONCE}"
    while rows := [ReportFile(*row) for row in tx.all(sql, after=after)]:
        for made in rows:
            where = f"report {made.report}, {made.name} ({made.id})"
            try:
                if files.verify(made.id, made.sha256) != made.size_bytes:
                    yield f"{where}: it is not as long as is written down"
            except (StorageError, ValueError) as error:
                yield f"{where}: {error}"
        after = rows[-1].id
