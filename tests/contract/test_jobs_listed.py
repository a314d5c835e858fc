"""Lists of jobs, on both stores: whose, which, in what order, how many; and what is forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pipulate._clock import from_text, to_text
from pipulate.storage import jobs, lifecycle, lookups
from pipulate.storage.jobs import JobRow
from tests.support.jobs import AT, OWNER, a_row, put, put_one
from tests.support.store import Store

LONG: dict[str, Any] = {"args": '{"password": "x"}', "trace": "Traceback", "partial": '{"view": "text", "output": "x"}'}


def later(seconds: int) -> str:
    return to_text(from_text(AT) + timedelta(seconds=seconds))


def fill(store: Store, number: int = 7, **changes: Any) -> list[str]:
    """Store jobs, each asked for with another one at the same moment; return their ids, oldest first."""
    rows = [a_row(id=f"{each:032x}", asked_at=later(each // 2), **changes) for each in range(number)]
    store.db.write_now(put, *rows)
    return [row.id for row in rows]


def pages(store: Store, limit: int) -> list[list[str]]:
    """Return the ids on each page, followed from the newest to the oldest."""
    found: list[list[str]] = []
    last: JobRow | None = None
    for _ in range(20):
        before = (last.asked_at, last.id) if last else None
        rows = store.db.read_now(jobs.listed, OWNER, before=before, limit=limit)
        if not rows:
            return found
        found.append([row.id for row in rows])
        last = rows[-1]
    raise AssertionError("the pages never end")


def test_pages_of_a_list_hold_every_job_once_newest_first_even_those_of_one_moment(store: Store) -> None:
    ids = fill(store)
    assert [job for page in pages(store, 3) for job in page] == ids[::-1]
    assert [len(page) for page in pages(store, 3)] == [3, 3, 1]


def test_job_added_meanwhile_does_not_move_the_pages_after_it(store: Store) -> None:
    ids = fill(store)
    first = store.db.read_now(jobs.listed, OWNER, limit=3)
    store.db.write_now(put_one, asked_at=later(60))
    rest = store.db.read_now(jobs.listed, OWNER, before=(first[-1].asked_at, first[-1].id))
    assert [row.id for row in rest] == ids[-4::-1]


def test_list_holds_what_was_chosen(store: Store) -> None:
    different: dict[str, dict[str, Any]] = {
        "plain": {}, "failed": {"status": jobs.FAILED}, "parked": {"status": jobs.PARKED},
        "elsewhere": {"profile": "other"}, "audit": {"app": "audit"}, "theirs": {"owner": "somebody else"},
    }  # fmt: skip
    made = {name: store.db.write_now(put_one, **changes) for name, changes in different.items()}

    def ids(**chosen: Any) -> set[str]:
        return {row.id for row in store.db.read_now(jobs.listed, OWNER, **chosen)}

    assert ids() == set(made.values()) - {made["theirs"]}
    assert ids(profile="default") == ids() - {made["elsewhere"]}
    assert ids(statuses=(jobs.FAILED, jobs.PARKED)) == {made["failed"], made["parked"]}
    assert ids(app="audit") == {made["audit"]}


def test_list_leaves_out_what_may_be_long_or_secret(store: Store) -> None:
    job = store.db.write_now(put_one, **LONG)
    (row,) = store.db.read_now(jobs.listed, OWNER)
    assert (row.args, row.trace, row.partial) == ("{}", None, None)
    assert row._replace(**LONG) == store.db.read_now(jobs.find, job)


def test_counts_are_by_app_and_status_of_one_person(store: Store) -> None:
    theirs: dict[str, Any] = {"owner": "somebody else"}
    there: list[dict[str, Any]] = [{}, {}, {"status": jobs.DONE}, {"app": None, "profile": "other"}, theirs]
    for changes in there:
        store.db.write_now(put_one, **changes)
    here: dict[tuple[str | None, str], int] = {("crawl", jobs.QUEUED): 2, ("crawl", jobs.DONE): 1}
    assert store.db.read_now(jobs.counted, OWNER, profile="default") == here
    assert store.db.read_now(jobs.counted, OWNER) == {**here, (None, jobs.QUEUED): 1}


def test_active_jobs_are_those_that_run_or_wait_for_their_turn_or_for_the_person(store: Store) -> None:
    for status in jobs.STATUSES:
        store.db.write_now(put_one, status=status)
    store.db.write_now(put_one, owner="somebody else")
    assert store.db.read_now(jobs.active, OWNER) == 3


def test_runs_of_jobs_are_found_together_those_in_the_bin_too(store: Store) -> None:
    kept, binned, theirs = store.start("01"), store.start("02"), store.start("03", by="bob")
    store.do(lifecycle.delete, binned)
    found = store.db.read_now(lookups.by_ids, [kept, binned, theirs, "nothing"], "ada")
    assert {run: row.key for run, row in found.items()} == {kept: "01", binned: "02"}
    assert store.db.read_now(lookups.by_ids, [], "ada") == {}


def test_job_is_forgotten_with_all_it_left(store: Store) -> None:
    job = store.db.write_now(put_one, status=jobs.RUNNING)
    store.db.write_now(jobs.note, job, AT, None, None, [(AT, "a line")])
    store.db.write_now(jobs.put_part, job, 1, "part", "1", AT)
    store.db.write_now(jobs.end, job, 1, jobs.DONE, AT)
    assert store.db.read_now(jobs.ended_before, AT) == []
    assert store.db.read_now(jobs.ended_before, later(1)) == [(job, 1)]
    store.db.write_now(jobs.forget, job, 1)
    assert store.db.read_now(jobs.find, job) is None
    assert store.db.read_now(jobs.lines, job) == []
    assert store.db.read_now(jobs.parts, job) == 0


def test_job_asked_for_again_meanwhile_is_not_forgotten(store: Store) -> None:
    job = store.db.write_now(put_one, status=jobs.FAILED)
    assert store.db.write_now(jobs.resume, job, OWNER, None) is not None
    store.db.write_now(jobs.forget, job, 1)
    assert store.db.read_now(jobs.find, job) is not None
