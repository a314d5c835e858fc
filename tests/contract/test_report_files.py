"""Files that reports made: kept once, listed, put into the bin, part of every backup and check; on every store."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate._clock import to_text
from pipulate._ids import new_id
from pipulate.errors import NotInReportError
from pipulate.storage import jobs, report_files
from pipulate.storage.archive import Archive, backup
from pipulate.storage.janitor import WAIT, Janitor
from pipulate.storage.jobs import JobRow
from pipulate.storage.report_files import ReportFile
from tests.support.store import Store


def a_job(store: Store) -> JobRow:
    at = store.author().at
    row = {
        "id": new_id(), "kind": "report", "title": "Plan", "owner": "ada", "profile": "default", "args": "{}",
        "app": "demo", "asked_at": at,
    }  # fmt: skip
    store.db.write_now(jobs.add, row)
    begun = store.db.write_now(jobs.begin, row["id"], 1, at)
    assert begun is not None
    return begun


def make(store: Store, content: bytes = b"%PDF", subject: str = "1", by: str = "ada") -> ReportFile:
    """Make a file as a job does."""
    job = a_job(store)
    return keep(store, job, content, subject, by)


def keep(store: Store, job: JobRow, content: bytes = b"%PDF", subject: str = "1", by: str = "ada") -> ReportFile:
    sha256 = store.files.put(job.id, content)
    made = ReportFile(
        job.id, "demo", "plan", subject, "Acme", "Plan.pdf", "application/pdf", len(content), sha256,
        store.author().at, by,
    )  # fmt: skip
    store.db.write_now(report_files.keep, job, made)
    return made


def listed(store: Store, *, deleted: bool = False) -> list[str]:
    return [each.id for each in store.db.read_now(report_files.listed, "demo", "ada", deleted=deleted)]


def test_file_is_kept_together_with_the_end_of_its_job(store: Store) -> None:
    made = make(store)
    assert listed(store) == [made.id]
    row = store.db.read_now(jobs.find, made.id)
    assert row is not None
    assert row.status == jobs.DONE


def test_job_that_is_done_twice_keeps_one_file(store: Store) -> None:
    job = a_job(store)
    first = keep(store, job, b"first")
    keep(store, job, b"second")
    assert [each.sha256 for each in store.db.read_now(report_files.listed, "demo", "ada")] == [first.sha256]


def test_job_that_was_cancelled_meanwhile_keeps_nothing(store: Store) -> None:
    job = a_job(store)
    store.db.write_now(jobs.end, job.id, job.attempt, jobs.CANCELLED, store.author().at)
    keep(store, job)
    assert listed(store) == []


def test_files_are_listed_newest_first_and_to_their_owner_only(store: Store) -> None:
    first, second = make(store), make(store)
    other = make(store, by="ben")
    assert listed(store) == [second.id, first.id]
    with pytest.raises(NotInReportError):
        store.db.read_now(report_files.find, "demo", other.id, "ada")
    with pytest.raises(NotInReportError):
        store.db.read_now(report_files.find, "other", first.id, "ada")


def test_file_in_the_bin_comes_back_and_is_erased_after_a_while(store: Store) -> None:
    made = make(store)
    at = store.author().at
    store.db.write_now(report_files.put_into_bin, "demo", made.id, "ada", at)
    assert (listed(store), listed(store, deleted=True)) == ([], [made.id])
    store.db.write_now(report_files.put_into_bin, "demo", made.id, "ada", None)
    assert (listed(store), listed(store, deleted=True)) == ([made.id], [])
    store.db.write_now(report_files.put_into_bin, "demo", made.id, "ada", at)
    assert store.db.write_now(report_files.purge, at) == []  # Not yet before that moment.
    assert store.db.write_now(report_files.purge, store.author().at) == [made.id]
    assert listed(store, deleted=True) == []


def test_file_stays_while_it_is_wanted_and_goes_when_it_is_not(store: Store) -> None:
    made = make(store)
    store.db.write_now(report_files.put_into_bin, "demo", made.id, "ada", store.author().at)
    janitor = Janitor(store.db, store.files, store.clock)
    for _ in range(2):
        janitor.clear()
        store.clock.move(seconds=WAIT.total_seconds() + 1)
    assert store.files.has(made.id, made.sha256)
    store.db.write_now(report_files.purge, to_text(store.clock.now()))
    for _ in range(2):
        janitor.clear()
        store.clock.move(seconds=WAIT.total_seconds() + 1)
    assert not store.files.has(made.id, made.sha256)


def test_backup_has_the_files_that_reports_made(store: Store, tmp_path: Path) -> None:
    made = make(store, b"the plan")
    target = tmp_path / "backup.zip"
    with store.source() as source:
        summary = backup(source, store.files, target, store.clock)
    assert (summary.files, summary.rows["report_files"]) == (1, 1)
    archive = Archive(target)
    try:
        assert [(folder, b"".join(blocks)) for folder, blocks in archive.files()] == [(made.id, b"the plan")]
    finally:
        archive.close()


def test_check_finds_a_file_that_is_missing_or_changed(store: Store) -> None:
    store.is_damaged = True
    gone, changed = make(store, b"one"), make(store, b"two")
    store.files.path(gone.id, gone.sha256).unlink()
    path = store.files.path(changed.id, changed.sha256)
    path.chmod(0o600)
    path.write_bytes(b"xxx")
    problems = store.problems()
    assert len(problems) == 2
    assert "missing" in problems[0] + problems[1]
    assert "changed from outside" in problems[0] + problems[1]
