"""The lock is enforced where values are written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipulate.errors import RunLockedError
from pipulate.storage import lifecycle, runs
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Written
from tests.support.store import Store

WRITES: dict[str, Callable[[Store, str], object]] = {
    "submit": lambda store, run: store.submit(run, "a", "new"),
    "submit of a form": lambda store, run: store.submit(run, "c", "new", seen=7, submit_id="form-1"),
    "keep": lambda store, run: store.keep(run, "c"),
    "revert": lambda store, run: store.revert(run, "a"),
    "cancel edit": lambda store, run: store.cancel_edit(run),
    "go back": lambda store, run: store.go_back(run, 2),
    "rename": lambda store, run: store.do(runs.rename, run, check_key("other")),
    "delete": lambda store, run: store.do(lifecycle.delete, run),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_locked_run_refuses_every_write_and_stays_as_it_is(store: Store, write: str) -> None:
    run = store.filled()
    store.revert(run, "b")
    locked: Written = store.do(lifecycle.finalize, run)
    before = store.state(run), store.row(run)
    with pytest.raises(RunLockedError) as caught:
        WRITES[write](store, run)
    assert locked.event is not None
    assert (caught.value.by, caught.value.at) == ("ada", locked.event.at)
    assert (store.state(run), store.row(run)) == before


def test_locking_twice_changes_nothing(store: Store) -> None:
    run = store.start()
    store.do(lifecycle.finalize, run)
    before = store.row(run)
    assert store.do(lifecycle.finalize, run).event is None
    assert store.row(run) == before


def test_unlocking_an_open_run_changes_nothing(store: Store) -> None:
    run = store.start()
    assert store.do(lifecycle.unfinalize, run).event is None
    assert store.row(run).version == 1


def test_unlocking_brings_back_the_edit_that_was_under_way(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    store.do(lifecycle.finalize, run)
    store.do(lifecycle.unfinalize, run)
    assert store.state(run).editing == "b"
    store.submit(run, "b", "new")
    assert store.outputs(run) == {"a": "a", "b": "new"}


def test_going_back_to_a_locked_version_brings_its_values_and_no_lock(store: Store) -> None:
    run = store.filled()
    locked = store.do(lifecycle.finalize, run).version
    store.do(lifecycle.unfinalize, run)
    store.submit(run, "a", "new")
    store.go_back(run, locked)
    assert store.state(run).lock is None
    assert sorted(store.outputs(run)) == ["a", "b", "c", "d"]
