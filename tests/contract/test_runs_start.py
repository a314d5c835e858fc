"""Starting and naming runs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipulate._ids import new_id
from pipulate.errors import KeyTakenError, StorageError
from pipulate.storage import lifecycle, runs
from pipulate.storage.keys import check_key
from tests.support.store import Store


def test_start_gives_the_run_its_key_and_a_first_event(store: Store) -> None:
    run = store.start("Spring audit")
    row = store.row(run)
    assert (row.key, row.app, row.owner, row.version, row.profile) == ("Spring audit", "demo", "ada", 1, "default")
    assert [(event.kind, event.data) for event in store.events(run)] == [("started", {"key": "Spring audit"})]


def test_start_without_a_key_takes_the_next_free_number(store: Store) -> None:
    assert [store.row(store.start(None)).key for _ in range(3)] == ["01", "02", "03"]


def test_start_does_not_give_out_the_number_of_a_deleted_run(store: Store) -> None:
    store.do(lifecycle.delete, store.start(None))
    assert store.row(store.start(None)).key == "02"


def test_start_refuses_a_key_in_use_and_adds_nothing(store: Store) -> None:
    store.start("01")
    with pytest.raises(KeyTakenError, match="'01' exists already"):
        store.start("01")
    assert (store.count("runs"), store.count("run_events"), store.count("conversations")) == (1, 1, 1)


@pytest.mark.parametrize("other", [{"app": "other"}, {"by": "bob"}])
def test_a_key_is_unique_for_each_app_and_owner_only(store: Store, other: dict[str, str]) -> None:
    store.start("01")
    assert store.row(store.start("01", **other)).key == "01"


def test_start_refuses_a_profile_that_does_not_exist(store: Store) -> None:
    with pytest.raises(StorageError):
        store.start("01", profile="nobody")
    assert store.count("runs") == 0


def test_starts_at_the_same_moment_get_numbers_of_their_own(store: Store) -> None:
    barrier = threading.Barrier(8)

    def start(_: int) -> str:
        author = store.author()
        barrier.wait(10)
        return store.db.write_now(runs.start, new_id(), "demo", None, "default", author)[0].key

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(start, range(8)))
    assert sorted(taken) == [f"{number:02d}" for number in range(1, 9)]


def test_the_offered_key_follows_the_highest_number_behind_its_prefix(store: Store) -> None:
    for key in ("09", "site-2", "site-11", "99 problems"):
        store.start(key)
    offered = [store.db.read_now(runs.offered_key, "demo", "ada", prefix).text for prefix in ("", "site-", "new-")]
    assert offered == ["10", "site-12", "new-01"]


def test_the_offered_key_looks_at_the_runs_of_one_app_and_one_person(store: Store) -> None:
    store.start("07")
    store.start("20", app="other")
    store.start("30", by="bob")
    assert store.db.read_now(runs.offered_key, "demo", "ada").text == "08"


def test_the_number_after_a_rename_follows_the_new_key(store: Store) -> None:
    store.do(runs.rename, store.start("07"), check_key("20"))
    assert store.row(store.start(None)).key == "21"
    assert store.db.read_now(runs.offered_key, "demo", "ada").text == "22"


def test_rename_changes_the_key_and_says_so_in_the_journal(store: Store) -> None:
    run = store.start("old")
    store.do(runs.rename, run, check_key("new"))
    assert store.row(run).key == "new"
    assert store.events(run)[-1].data == {"from": "old", "to": "new"}


def test_rename_to_the_same_key_does_nothing(store: Store) -> None:
    run = store.start("old")
    assert store.do(runs.rename, run, check_key("old")).event is None
    assert store.row(run).version == 1


def test_rename_refuses_a_key_in_use(store: Store) -> None:
    store.start("taken")
    run = store.start("mine")
    with pytest.raises(KeyTakenError):
        store.do(runs.rename, run, check_key("taken"))
    assert (store.row(run).key, store.row(run).version) == ("mine", 1)


def test_rename_does_not_end_an_edit(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    store.do(runs.rename, run, check_key("new"))
    assert store.state(run).editing == "b"
    store.cancel_edit(run)
    assert sorted(store.outputs(run)) == ["a", "b", "c", "d"]


def test_rename_keeps_the_step_that_lists_show_as_open(store: Store) -> None:
    run = store.filled()
    store.db.write_now(runs.note_open_step, run, store.row(run).version, "e")
    store.do(runs.rename, run, check_key("new"))
    assert store.row(run).open_step == "e"
