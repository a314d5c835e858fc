"""Copies of runs, the bin, and erasing."""

from __future__ import annotations

import pytest

from pipulate._ids import new_id
from pipulate.errors import KeyTakenError, RunNotFoundError, UnknownVersionError
from pipulate.storage import journal, lifecycle, lookups, messages, profiles, runs
from pipulate.storage.keys import KEY_MAX, check_key
from tests.support.store import LARGE, ORDER, Store


def fork(store: Store, run: str, *, version: int | None = None, key: str | None = None, by: str = "ada") -> str:
    """Copy a run, its files first, as the engine does."""
    copy = new_id()
    for sha256 in store.db.read_now(lookups.files_of, run):
        store.files.copy(run, copy, sha256)
    checked = check_key(key) if key else None
    _, _, needed = store.db.write_now(lifecycle.fork, run, copy, store.author(by), version=version, key=checked)
    store.files.prune(copy, frozenset(needed))
    return copy


# Copies


def test_a_copy_shares_the_history_and_goes_its_own_way(store: Store) -> None:
    run = store.filled("site")
    copy = fork(store, run)
    store.submit(copy, "a", "mine")
    assert store.events(copy)[:5] == store.events(run)
    assert store.outputs(run) == {step: step for step in ORDER}
    assert store.outputs(copy) == {"a": "mine"}


def test_a_copy_names_where_it_comes_from(store: Store) -> None:
    run = store.filled("site")
    copy = store.row(fork(store, run, version=3))
    assert (copy.key, copy.parent, copy.parent_version, copy.version) == ("site-copy", run, 3, 4)
    assert store.events(copy.id)[-1].data == {"run": run, "key": "site", "version": 3}


@pytest.mark.parametrize("key", [None, "copy"])
def test_a_copy_belongs_to_the_app_and_the_profile_of_the_first(store: Store, key: str | None) -> None:
    store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
    run = store.start("site", app="audit", profile="acme")
    copy = store.row(fork(store, run, key=key))
    assert (copy.app, copy.profile, copy.owner) == ("audit", "acme", "ada")


def test_a_copy_at_a_version_has_the_values_of_that_version(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "new")
    copy = fork(store, run, version=3)
    assert store.outputs(copy) == {"a": "a", "b": "b"}


def test_a_copy_of_a_locked_run_is_not_locked(store: Store) -> None:
    run = store.filled()
    store.do(lifecycle.finalize, run)
    copy = fork(store, run)
    assert (store.state(copy).lock, store.state(run).lock is not None) == (None, True)
    store.submit(copy, "a", "new")


def test_a_copy_made_in_the_middle_of_an_edit_can_cancel_it(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    copy = fork(store, run)
    assert store.state(copy).editing == "b"
    store.cancel_edit(copy)
    assert store.outputs(copy) == {step: step for step in ORDER}


def test_a_copy_has_the_files_its_own_history_names_and_no_others(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", LARGE)
    store.submit(run, "b", LARGE + "later")
    copy = fork(store, run, version=2)
    assert store.outputs(copy) == {"a": LARGE}
    assert len(list((store.layout.files / copy).iterdir())) == 1


def test_a_copy_keeps_its_files_when_the_first_run_is_erased(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", LARGE)
    copy = fork(store, run)
    store.do(lifecycle.delete, run)
    store.do(lifecycle.purge, run)
    store.files.erase(run)
    assert store.outputs(copy) == {"a": LARGE}


def test_copies_without_a_key_get_free_ones(store: Store) -> None:
    run = store.start("x")
    assert [store.row(fork(store, run)).key for _ in range(3)] == ["x-copy", "x-copy-2", "x-copy-3"]


def test_a_copy_of_the_longest_key_is_no_longer(store: Store) -> None:
    run = store.start("k" * KEY_MAX)
    assert max(len(store.row(fork(store, run)).key) for _ in range(3)) <= KEY_MAX


def test_a_copy_refuses_a_key_in_use_and_adds_nothing(store: Store) -> None:
    run = store.filled("x")
    with pytest.raises(KeyTakenError):
        fork(store, run, key="x")
    assert store.count("runs") == 1


@pytest.mark.parametrize("version", [0, 6])
def test_a_copy_refuses_a_version_the_run_never_had(store: Store, version: int) -> None:
    with pytest.raises(UnknownVersionError):
        fork(store, store.filled(), version=version)


# The bin


def test_a_deleted_run_is_found_nowhere_but_in_the_bin(store: Store) -> None:
    run = store.start("x")
    store.do(lifecycle.delete, run)
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.by_id, run, "ada")
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.by_key, "demo", "x", "ada")
    assert [row.id for row in store.db.read_now(lookups.listed, "ada", deleted=True).runs] == [run]
    assert [store.db.read_now(lookups.in_bin, owner, "default") for owner in ("ada", "bob")] == [1, 0]


def test_a_deleted_run_cannot_be_written_to(store: Store) -> None:
    run = store.filled()
    store.do(lifecycle.delete, run)
    with pytest.raises(RunNotFoundError):
        store.submit(run, "a")
    with pytest.raises(RunNotFoundError):
        store.go_back(run, 1)
    assert store.kinds(run)[-1] == "deleted"


def test_undelete_brings_the_run_back_as_it_was(store: Store) -> None:
    run = store.filled("x")
    store.revert(run, "b")
    before = store.state(run)
    store.do(lifecycle.delete, run)
    store.do(lifecycle.undelete, run)
    after = store.state(run)
    assert (after.steps, after.offers, after.editing) == (before.steps, before.offers, "b")
    assert store.db.read_now(lookups.by_key, "demo", "x", "ada").id == run


def test_undelete_of_a_run_that_is_not_in_the_bin_does_nothing(store: Store) -> None:
    run = store.start()
    assert store.do(lifecycle.undelete, run).event is None


def test_undelete_takes_another_key_where_its_own_was_given_away(store: Store) -> None:
    first = store.start("x")
    store.do(lifecycle.delete, first)
    store.start("x")
    store.start("x-2")
    store.do(lifecycle.undelete, first)
    assert store.row(first).key == "x-3"
    assert store.events(first)[-1].data == {"key": "x-3"}


def test_undelete_with_another_key_is_found_and_counted_by_that_key(store: Store) -> None:
    first = store.start("07")
    store.do(lifecycle.delete, first)
    store.start("07")
    store.do(lifecycle.undelete, first)
    assert [row.id for row in store.db.read_now(lookups.listed, "ada", words="07-2").runs] == [first]
    assert store.db.read_now(lookups.by_key, "demo", "07-2", "ada").id == first
    assert store.db.read_now(runs.offered_key, "demo", "ada", "07-").text == "07-03"


# Erasing


def test_purge_erases_everything_of_the_run_and_nothing_else(store: Store) -> None:
    other = store.filled("other")
    before = {table: store.count(table) for table in ("run_events", "run_steps", "messages", "run_files")}
    run = store.start("x")
    store.submit(run, "a", LARGE)
    store.do(lifecycle.delete, run)
    store.do(lifecycle.purge, run)
    store.files.erase(run)
    assert {table: store.count(table) for table in before} == before
    assert (store.count("runs"), store.count("conversations")) == (1, 1)
    assert not (store.layout.files / run).exists()
    assert store.outputs(other) == {step: step for step in ORDER}


def test_purge_needs_a_run_that_is_in_the_bin(store: Store) -> None:
    run = store.start()
    for wanted in (run, "0" * 32):
        with pytest.raises(RunNotFoundError):
            store.do(lifecycle.purge, wanted)
    assert store.row(run).version == 1


def test_purge_frees_the_key(store: Store) -> None:
    run = store.start("x")
    store.do(lifecycle.delete, run)
    store.do(lifecycle.purge, run)
    assert store.row(store.start("x")).key == "x"


def test_the_bin_tells_what_has_been_in_it_for_long(store: Store) -> None:
    old, new = store.start("old"), store.start("new")
    store.do(lifecycle.delete, old)
    between = store.author().at
    store.do(lifecycle.delete, new)
    assert store.db.read_now(lookups.deleted_before, between) == [(old, "ada")]


# Other people


@pytest.mark.parametrize("unit", [lifecycle.finalize, lifecycle.unfinalize, lifecycle.delete, lifecycle.undelete])
def test_a_run_of_somebody_else_is_not_there(store: Store, unit: object) -> None:
    run = store.start("x")
    with pytest.raises(RunNotFoundError):
        store.do(unit, run, by="bob")  # type: ignore[arg-type]  # each is an operation
    assert store.row(run).version == 1


def test_somebody_else_can_neither_read_nor_copy_nor_rename_nor_erase_a_run(store: Store) -> None:
    run = store.filled("x")
    with pytest.raises(RunNotFoundError):
        fork(store, run, by="bob")
    with pytest.raises(RunNotFoundError):
        store.do(runs.rename, run, check_key("y"), by="bob")
    with pytest.raises(RunNotFoundError):
        store.db.read_now(lookups.load, store.files, run, "bob")
    store.do(lifecycle.delete, run)
    with pytest.raises(RunNotFoundError):
        store.do(lifecycle.purge, run, by="bob")
    assert store.count("runs") == 1


def test_a_note_does_not_change_the_version_of_its_run(store: Store) -> None:
    run = store.filled()
    store.db.write_now(messages.add, run, store.author().at, "ada", "user", "a note")
    assert store.row(run).version == 5
    assert journal.fold(store.events(run)).version == 5
