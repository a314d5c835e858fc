"""The check of a store notices whatever does not hold together, and goes on to the next run."""

from __future__ import annotations

import pytest

from pipulate.storage import calls, journal, lifecycle, runs
from tests.support.called import asked
from tests.support.store import LARGE, ORDER, Store, value_of

DAMAGE = {
    "a value is another": "UPDATE run_steps SET data = '{}' WHERE run = :run AND step = 'a'",
    "a digest is another": "UPDATE run_steps SET digest = 'x' WHERE run = :run AND step = 'a'",
    "a value is missing": "DELETE FROM run_steps WHERE run = :run AND step = 'a'",
    "a value too many": "INSERT INTO run_steps SELECT run, 'z', version, data, digest, reads, short, 1 FROM run_steps"
    " WHERE run = :run AND step = 'a'",
    "an offer counts": "UPDATE run_steps SET present = 1 WHERE run = :run AND step = 'c'",
    "an event is missing": "DELETE FROM run_events WHERE run = :run AND version = 3",
    "the last event is missing": "DELETE FROM run_events WHERE run = :run AND version = 7",
    "an event is another": "UPDATE run_events SET kind = 'renamed' WHERE run = :run AND version = 2",
    "an event is no JSON": "UPDATE run_events SET data = '{' WHERE run = :run AND version = 2",
    "an event lacks its value": "UPDATE run_events SET data = '{}' WHERE run = :run AND version = 2",
    "an event is a list": "UPDATE run_events SET data = '[]' WHERE run = :run AND version = 2",
    "a value is no JSON": "UPDATE run_steps SET data = '{' WHERE run = :run AND step = 'a'",
    "the version is another": "UPDATE runs SET version = 8 WHERE id = :run",
    "the lock is not in the journal": "UPDATE runs SET locked_at = 'x', locked_by = 'y' WHERE id = :run",
    "the edit is not in the journal": "UPDATE runs SET editing = NULL WHERE id = :run",
    "a file is not listed": "DELETE FROM run_files WHERE run = :run",
}


def sample(store: Store, key: str) -> str:
    """Make a run with values, an offer, a file and an edit."""
    run = store.start(key)
    for step in ("a", "b", "c"):
        store.submit(run, step, LARGE if step == "b" else step)
    store.submit(run, "d")
    store.go_back(run, 4)
    store.revert(run, "b")
    return run


def test_a_store_that_holds_together_has_no_problems(store: Store) -> None:
    store.do(lifecycle.finalize, sample(store, "x"))
    store.do(lifecycle.delete, sample(store, "y"))
    assert store.problems() == []


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_with_its_run_and_the_other_runs_are_fine(store: Store, kind: str) -> None:
    for key in ("before", "after"):
        sample(store, key)
    run = sample(store, "damaged")
    store.is_damaged = True
    assert store.db.write_now(lambda tx: tx.run(DAMAGE[kind], run=run)) == 1
    problems = store.problems()
    assert problems
    assert [problem for problem in problems if "demo/damaged" not in problem] == []


def test_a_file_of_a_value_that_was_computed_has_to_be_listed_too(store: Store) -> None:
    run = store.start("damaged")
    store.do(
        runs.submit, run, step="a", value=store.files.store(run, value_of(LARGE)), short="", reads={}, order=ORDER,
        seen=None, submit_id=None, kind=journal.COMPUTED,
    )  # fmt: skip
    assert store.problems() == []
    store.is_damaged = True
    store.db.write_now(lambda tx: tx.run("DELETE FROM run_files WHERE run = :run", run=run))
    assert ["demo/damaged" in problem and "not listed" in problem for problem in store.problems()] == [True]


@pytest.mark.parametrize("content", [None, b"damaged"])
def test_a_missing_or_damaged_file_is_named_with_its_run(store: Store, content: bytes | None) -> None:
    run = sample(store, "damaged")
    store.is_damaged = True
    path = next((store.layout.files / run).iterdir())
    path.unlink() if content is None else path.write_bytes(content)
    assert ["demo/damaged" in problem for problem in store.problems()] == [True]


@pytest.mark.parametrize("lost", ["action_calls", "messages"])
def test_a_call_and_its_message_are_missed_where_one_of_them_is_lost(store: Store, lost: str) -> None:
    call = store.db.write_now(calls.add, asked("user:ada"))
    assert store.problems() == []
    store.is_damaged = True
    store.db.write_now(lambda tx: tx.run(f"DELETE FROM {lost} WHERE conversation = 'user:ada'"))  # noqa: S608
    told = f"call {call.id}: its message is not there"
    if lost == "action_calls":
        told = "conversation user:ada: message 1 is about a call that is not there"
    assert store.problems() == [told]
