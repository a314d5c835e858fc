"""Several values given and taken at once, by code that holds the whole state."""

from __future__ import annotations

import pytest

from pipulate.errors import RunConflictError, RunLockedError, RunNotFoundError
from pipulate.storage import lifecycle, runs
from pipulate.storage.ledger import Written
from pipulate.storage.runs import Change
from tests.support.store import LARGE, Store, value_of


def given(store: Store, run: str, step: str, output: object, *, earlier: str = "", clears: str = "") -> Change:
    """Return a change that gives a step a value."""
    value = store.files.store(run, value_of(output))
    return Change(step, value, str(output)[:20], tuple(earlier), tuple(clears))


def taken(step: str, *, earlier: str = "") -> Change:
    """Return a change that takes a step out of the state."""
    return Change(step, None, earlier=tuple(earlier))


def change(
    store: Store,
    run: str,
    *changes: Change,
    seen: int | None = None,
    edits: str | None = None,
    ends_edit: bool = False,
    submit_id: str | None = None,
) -> Written:
    written: Written = store.do(
        runs.change, run, changes, seen=seen, edits=edits, ends_edit=ends_edit, submit_id=submit_id
    )
    return written


def test_values_are_given_and_taken_together_with_an_event_each(store: Store) -> None:
    run = store.filled()
    change(store, run, given(store, run, "a", "A"), taken("b"), given(store, run, "e", LARGE))
    assert store.outputs(run) == {"a": "A", "c": "c", "d": "d", "e": LARGE}
    assert store.offers(run) == {"b": "b"}
    assert store.kinds(run)[-3:] == ["submitted", "cleared", "submitted"]
    assert store.state(run) == store.folded(run)


def test_value_clears_the_steps_it_names_and_no_others(store: Store) -> None:
    run = store.filled()
    change(store, run, given(store, run, "a", "A", clears="bd"))
    assert store.outputs(run) == {"a": "A", "c": "c"}
    assert store.state(run) == store.folded(run)


def test_nothing_is_stored_where_nothing_changes(store: Store) -> None:
    run = store.filled(steps="ab")
    written = change(store, run, taken("c"), ends_edit=True)
    assert (written.event, written.version) == (None, 3)


def test_step_shows_its_form_until_that_is_ended(store: Store) -> None:
    run = store.filled()
    change(store, run, edits="b")
    assert (store.state(run).editing, store.outputs(run)["b"]) == ("b", "b")
    assert store.state(run) == store.folded(run)
    change(store, run, given(store, run, "d", "D"))
    assert store.state(run).editing == "b"
    change(store, run, ends_edit=True)
    assert store.state(run).editing is None
    assert store.state(run) == store.folded(run)


@pytest.mark.parametrize("step", ["b", "d"])
def test_value_that_ends_the_edit_ends_it_whatever_step_it_is_for(step: str, store: Store) -> None:
    run = store.filled()
    change(store, run, edits="b")
    change(store, run, given(store, run, step, "new"), ends_edit=True)
    assert store.state(run).editing is None
    assert store.state(run) == store.folded(run)


def test_edit_ends_when_its_step_is_taken_away(store: Store) -> None:
    run = store.filled()
    change(store, run, edits="c")
    change(store, run, taken("c"))
    assert store.state(run).editing is None
    assert store.state(run) == store.folded(run)


def test_edit_can_be_cancelled(store: Store) -> None:
    run = store.filled()
    change(store, run, taken("c"), taken("d"), edits="b")
    store.cancel_edit(run)
    assert "c" not in store.outputs(run)
    change(store, run, edits="a")
    store.cancel_edit(run)
    assert (store.state(run).editing, store.state(run)) == (None, store.folded(run))


@pytest.mark.parametrize(("step", "earlier"), [("b", ""), ("c", "ab")])
def test_change_of_what_was_changed_meanwhile_or_of_what_stands_on_it_conflicts_and_does_nothing(
    step: str, earlier: str, store: Store
) -> None:
    run = store.filled()
    seen = store.row(run).version
    store.submit(run, "b", "theirs")
    with pytest.raises(RunConflictError) as caught:
        change(store, run, given(store, run, "e", "x"), given(store, run, step, "mine", earlier=earlier), seen=seen)
    assert (caught.value.step, caught.value.changed, caught.value.mine) == (step, "b", value_of("mine"))
    assert "e" not in store.outputs(run)
    assert store.row(run).version == seen + 1


def test_changes_of_different_steps_meet_without_a_conflict(store: Store) -> None:
    run = store.start()
    seen = store.row(run).version
    store.submit(run, "a", "theirs")
    change(store, run, given(store, run, "b", "mine"), seen=seen)
    assert store.outputs(run) == {"a": "theirs", "b": "mine"}


def test_own_changes_are_no_conflict_and_those_of_others_between_them_are(store: Store) -> None:
    run = store.filled()
    seen = store.row(run).version
    own = change(store, run, given(store, run, "b", "mine"), seen=seen).version
    store.do(runs.change, run, (given(store, run, "b", "mine again"),), seen=seen, own={own})
    store.submit(run, "c", "theirs")
    with pytest.raises(RunConflictError):
        store.do(runs.change, run, (given(store, run, "c", "mine"),), seen=seen, own={own, own + 1})


def test_the_same_form_changes_nothing_twice(store: Store) -> None:
    run = store.start()
    changes = (given(store, run, "a", "A"), given(store, run, "b", "B"))
    change(store, run, *changes, submit_id="form-0001")
    assert change(store, run, *changes, submit_id="form-0001").event is None
    assert [event.submit for event in store.events(run)] == [None, "form-0001", None]


def test_locked_run_is_not_changed(store: Store) -> None:
    run = store.filled()
    store.do(lifecycle.finalize, run)
    for changes in ((given(store, run, "a", "A"),), ()):
        with pytest.raises(RunLockedError):
            change(store, run, *changes, edits="a")
    assert store.outputs(run)["a"] == "a"


def test_run_of_somebody_else_is_not_there(store: Store) -> None:
    run = store.filled()
    with pytest.raises(RunNotFoundError):
        store.do(runs.change, run, (taken("a"),), seen=None, by="bob")


def test_value_can_be_kept_where_what_it_stands_on_is_as_it_was(store: Store) -> None:
    run = store.start()
    change(store, run, given(store, run, "a", "A"), given(store, run, "b", "B", earlier="a"))
    change(store, run, taken("b"))
    change(store, run, given(store, run, "a", "other"))
    change(store, run, given(store, run, "a", "A"))
    store.keep(run, "b")
    assert store.outputs(run)["b"] == "B"
