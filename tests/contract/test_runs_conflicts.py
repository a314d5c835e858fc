"""What two people who write to one run at the same time may and may not do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from pipulate.errors import RunConflictError, RunLockedError
from pipulate.storage import lifecycle, messages, runs
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Written
from tests.support.store import Store


def changes(step: str) -> list[Callable[[Store, str], Written]]:
    """Return every kind of write that somebody else may make to a step."""
    return [
        lambda store, run: store.submit(run, step, "theirs"),
        lambda store, run: store.revert(run, step),
        lambda store, run: (store.revert(run, step), store.cancel_edit(run))[1],
    ]


@pytest.mark.parametrize("change", changes("b"))
@pytest.mark.parametrize(
    ("write", "step"), [("submit", "b"), ("submit", "c"), ("keep", "b"), ("keep", "c"), ("revert", "c")]
)
def test_a_change_of_this_or_an_earlier_step_conflicts(
    store: Store, step: str, write: str, change: Callable[[Store, str], Written]
) -> None:
    run = store.filled()
    change(store, run)
    before = store.state(run)
    with pytest.raises(RunConflictError):
        getattr(store, write)(run, step, seen=5)
    assert store.state(run) == before


def test_reopening_what_somebody_else_reopened_is_no_conflict(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    assert store.revert(run, "b", seen=5).event is None


@pytest.mark.parametrize("change", changes("c"))
def test_a_change_of_a_later_step_never_conflicts(store: Store, change: Callable[[Store, str], Written]) -> None:
    run = store.filled()
    change(store, run)
    assert store.submit(run, "b", "mine", seen=5).event is not None
    assert store.outputs(run) == {"a": "a", "b": "mine"}


def test_a_step_the_workflow_no_longer_has_comes_after_all_others(store: Store) -> None:
    run = store.filled()
    for output in ("one", "two"):
        store.submit(run, "gone", output)
    assert store.outputs(run) == {"a": "a", "b": "b", "c": "c", "d": "d", "gone": "two"}
    with pytest.raises(RunConflictError):
        store.submit(run, "gone", "mine", seen=4)
    assert store.submit(run, "d", "mine", seen=5).event is not None


def test_messages_and_renames_never_conflict(store: Store) -> None:
    run = store.filled()
    store.db.write_now(messages.add, run, store.author().at, "ada", "user", "a note")
    store.do(runs.rename, run, check_key("other"))
    assert store.submit(run, "a", "mine", seen=5).event is not None


def test_a_change_of_the_lock_conflicts_even_when_it_is_undone(store: Store) -> None:
    run = store.filled()
    store.do(lifecycle.finalize, run)
    store.do(lifecycle.unfinalize, run)
    with pytest.raises(RunConflictError) as caught:
        store.submit(run, "d", "mine", seen=5)
    assert (caught.value.kind, caught.value.changed) == ("unfinalized", None)


def test_going_back_conflicts_with_the_steps_it_changed_only(store: Store) -> None:
    run = store.filled()
    store.go_back(run, 4)  # d leaves the state
    with pytest.raises(RunConflictError):
        store.submit(run, "d", "mine", seen=5)
    assert store.submit(run, "c", "mine", seen=5).event is not None


def test_going_back_out_of_an_edit_or_into_one_conflicts_with_the_step_that_was_or_is_edited(store: Store) -> None:
    run = store.filled()
    store.revert(run, "d")
    for version in (5, 6):
        seen = store.row(run).version
        store.go_back(run, version)
        with pytest.raises(RunConflictError):
            store.submit(run, "d", "mine", seen=seen)
        assert store.state(run).editing == (None if version == 5 else "d")


def test_a_page_that_knows_more_than_the_store_conflicts(store: Store) -> None:
    run = store.filled()
    with pytest.raises(RunConflictError):
        store.submit(run, "a", "mine", seen=6)


def test_going_back_conflicts_with_every_change(store: Store) -> None:
    run = store.filled()
    store.submit(run, "d", "theirs")
    with pytest.raises(RunConflictError) as caught:
        store.go_back(run, 2, seen=5)
    assert caught.value.step is None
    assert store.go_back(run, 2, seen=6).event is not None


def test_what_was_seen_last_is_no_conflict(store: Store) -> None:
    run = store.filled()
    store.submit(run, "b", "theirs")
    assert store.submit(run, "b", "mine", seen=6).event is not None


def test_a_conflict_carries_both_values_author_tab_and_time(store: Store) -> None:
    run = store.filled()
    author = store.author("ada", "tab-2")
    store.submit(run, "b", "theirs", author=author)
    with pytest.raises(RunConflictError) as caught:
        store.submit(run, "b", "mine", seen=5)
    conflict = caught.value
    assert conflict.theirs is not None
    assert conflict.mine is not None
    assert (conflict.theirs["output"], conflict.mine["output"]) == ("theirs", "mine")
    assert (conflict.by, conflict.tab, conflict.at) == ("ada", "tab-2", author.at)
    assert (conflict.step, conflict.seen, conflict.version) == ("b", 5, 6)
    assert (conflict.kind, conflict.changed) == ("submitted", "b")


def test_a_conflict_names_the_newest_change_that_stands_in_the_way(store: Store) -> None:
    run = store.filled()
    store.submit(run, "b", "theirs")
    store.submit(run, "a", "theirs too")
    store.submit(run, "b", "later step of no matter to a")
    with pytest.raises(RunConflictError) as caught:
        store.submit(run, "a", "mine", seen=5)
    assert (caught.value.changed, caught.value.at) == ("a", store.events(run)[6].at)


def test_a_conflict_has_no_other_value_where_the_step_was_cleared(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "theirs")
    with pytest.raises(RunConflictError) as caught:
        store.submit(run, "b", "mine", seen=5)
    assert caught.value.theirs is None


def test_of_two_who_submit_at_the_same_moment_one_wins_and_one_conflicts(store: Store) -> None:
    run, barrier = store.filled(), threading.Barrier(2)

    def write(name: str) -> str:
        barrier.wait(10)
        try:
            store.submit(run, "b", name, seen=5)
        except RunConflictError:
            return "conflict"
        return name

    with ThreadPoolExecutor(2) as pool:
        outcomes = sorted(pool.map(write, ("first", "second")))
    assert outcomes[0] == "conflict"
    assert store.outputs(run) == {"a": "a", "b": outcomes[1]}


def test_of_a_lock_and_a_submit_at_the_same_moment_the_journal_is_never_written_under_the_lock(store: Store) -> None:
    run, barrier = store.filled(), threading.Barrier(4)

    def write(number: int) -> None:
        barrier.wait(10)
        for _ in range(5):
            try:
                store.submit(run, "a", str(number))
            except RunLockedError:
                store.do(lifecycle.unfinalize, run)

    def lock() -> None:
        barrier.wait(10)
        for _ in range(5):
            store.do(lifecycle.finalize, run)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(lock), *(pool.submit(partial(write, number)) for number in range(3))]:
            each.result(20)
    locked = False
    for kind in store.kinds(run):
        assert not (locked and kind == "submitted")
        locked = kind == "finalized" or (locked and kind != "unfinalized")
