"""Giving steps their values, and going back."""

from __future__ import annotations

import pytest

from pipulate.errors import (
    KeepChangedError,
    NothingToCancelError,
    RunNotFoundError,
    StepNotOpenError,
    UnknownVersionError,
)
from pipulate.storage import runs
from tests.support.store import LARGE, ORDER, Store

# Submit


def test_submit_gives_a_step_its_value_and_the_run_a_version(store: Store) -> None:
    run = store.start()
    written = store.submit(run, "a", "hello")
    assert (written.version, store.row(run).version) == (2, 2)
    assert store.outputs(run) == {"a": "hello"}
    assert store.events(run)[1].data["value"] == {"input": None, "output": "hello", "view": "text"}


def test_submit_says_who_from_where_and_when(store: Store) -> None:
    run = store.start()
    author = store.author("ada", "tab-7")
    store.submit(run, "a", author=author)
    event, row = store.events(run)[1], store.row(run)
    assert (event.actor, event.tab, event.at) == ("ada", "tab-7", author.at)
    assert (row.updated_by, row.updated_at) == ("ada", author.at)


def test_submit_to_a_done_step_clears_later_steps_and_offers_them(store: Store) -> None:
    run = store.filled()
    store.submit(run, "b", "new")
    assert store.outputs(run) == {"a": "a", "b": "new"}
    assert store.offers(run) == {"c": "c", "d": "d"}
    assert store.events(run)[-1].data["cleared"] == ["c", "d"]


def test_submit_to_an_open_step_clears_nothing(store: Store) -> None:
    run = store.filled(steps=("a", "b"))
    store.submit(run, "c", "new")
    assert store.outputs(run) == {"a": "a", "b": "b", "c": "new"}


def test_the_same_form_twice_has_one_effect(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", "first", seen=1, submit_id="form-1")
    again = store.submit(run, "a", "second", seen=1, submit_id="form-1")
    assert (again.event, again.version, again.message) == (None, 2, 0)
    assert store.outputs(run) == {"a": "first"}


def test_the_same_form_twice_has_one_effect_whatever_version_it_names(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", "first", seen=1, submit_id="form-1")
    assert store.submit(run, "a", "second", seen=2, submit_id="form-1").event is None
    assert store.submit(run, "a", "second", submit_id="form-1").event is None
    assert store.outputs(run) == {"a": "first"}


def test_the_same_form_is_known_even_after_the_run_was_locked(store: Store) -> None:
    from pipulate.storage import lifecycle

    run = store.start()
    store.submit(run, "a", submit_id="form-1")
    store.do(lifecycle.finalize, run)
    assert store.submit(run, "a", submit_id="form-1").event is None


def test_a_form_id_is_unique_in_its_run_only(store: Store) -> None:
    first, second = store.start("1"), store.start("2")
    store.submit(first, "a", submit_id="form-1")
    assert store.submit(second, "a", submit_id="form-1").event is not None


def test_submit_needs_a_run_that_is_there_and_ones_own(store: Store) -> None:
    run = store.start()
    for wanted, author in (("0" * 32, store.author()), (run, store.author("bob")), ("no\0id", store.author())):
        with pytest.raises(RunNotFoundError):
            store.do(runs.revert, wanted, step="a", order=ORDER, seen=None, by=author.actor)
    assert store.row(run).version == 1


@pytest.mark.parametrize(
    "text", ["", " ", "ümläut \u200f\u05e2\u05d1 🎉", "a\0b", "\ud800 half", "'; DROP TABLE runs; --", "\u2028"]
)
def test_any_text_comes_back_as_it_was(store: Store, text: str) -> None:
    run = store.start()
    store.submit(run, "a", text)
    assert store.outputs(run) == {"a": text}
    assert store.folded(run).steps["a"].data["output"] == text


@pytest.mark.parametrize("short", ["a\0b", "\ud800"])
def test_a_summary_no_store_takes_does_not_stand_in_the_way(store: Store, short: str) -> None:
    run = store.start()
    store.do(
        runs.submit, run, step="a", value=store.files.store(run, {"output": short}), short=short, reads={},
        order=ORDER, seen=None, submit_id=None,
    )  # fmt: skip
    assert store.state(run).steps["a"].data == {"output": short}


def test_a_large_value_comes_back_as_it_was(store: Store) -> None:
    run = store.start()
    store.submit(run, "a", LARGE)
    store.submit(run, "b", LARGE + "2")
    assert store.outputs(run) == {"a": LARGE, "b": LARGE + "2"}
    assert store.count("run_files") == 2


def test_the_step_that_is_open_next_is_noted_for_lists(store: Store) -> None:
    run = store.start()
    store.do(
        runs.submit, run, step="a", value=store.files.store(run, {}), short="", reads={}, order=ORDER, seen=None,
        submit_id=None, open_step="b",
    )  # fmt: skip
    assert store.row(run).open_step == "b"


def test_the_open_step_is_noted_only_at_its_version(store: Store) -> None:
    run = store.start()
    store.submit(run, "a")
    for version, step in ((2, "b"), (1, "late"), (3, "early")):
        store.db.write_now(runs.note_open_step, run, version, step)
    assert (store.row(run).open_step, store.row(run).version) == ("b", 2)


# Revert, cancel, keep


def test_revert_reopens_a_step_with_its_value_and_offers_later_ones(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    assert store.outputs(run) == {"a": "a", "b": "b"}
    assert store.offers(run) == {"c": "c", "d": "d"}
    assert (store.state(run).editing, store.row(run).open_step) == ("b", "b")


def test_revert_of_the_step_being_edited_does_nothing(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    assert store.revert(run, "b").event is None


def test_revert_refuses_a_step_without_a_value(store: Store) -> None:
    run = store.filled(steps=("a",))
    with pytest.raises(StepNotOpenError):
        store.revert(run, "b")
    assert store.row(run).version == 2


def test_submit_after_revert_ends_the_edit(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    store.submit(run, "b", "new")
    assert (store.state(run).editing, store.outputs(run)) == (None, {"a": "a", "b": "new"})


def test_cancel_edit_puts_everything_back(store: Store) -> None:
    run = store.filled()
    before = store.state(run)
    store.revert(run, "b")
    store.cancel_edit(run)
    after = store.state(run)
    assert (after.steps, after.editing, after.offers) == (before.steps, None, {})
    assert store.kinds(run)[-2:] == ["reverted", "edit_cancelled"]


def test_cancel_edit_inside_an_edit_goes_back_one_at_a_time(store: Store) -> None:
    run = store.filled()
    store.revert(run, "c")
    store.revert(run, "a")
    store.cancel_edit(run)
    assert (store.state(run).editing, sorted(store.outputs(run))) == ("c", ["a", "b", "c"])
    store.cancel_edit(run)
    assert (store.state(run).editing, sorted(store.outputs(run))) == (None, ["a", "b", "c", "d"])


def test_cancel_edit_restores_large_values(store: Store) -> None:
    run = store.start()
    for step in ORDER:
        store.submit(run, step, LARGE + step)
    store.revert(run, "a")
    store.cancel_edit(run)
    assert store.outputs(run) == {step: LARGE + step for step in ORDER}


def test_cancel_edit_needs_an_edit(store: Store) -> None:
    run = store.filled()
    with pytest.raises(NothingToCancelError):
        store.cancel_edit(run)
    store.revert(run, "b")
    store.submit(run, "a", "new")
    with pytest.raises(NothingToCancelError):
        store.cancel_edit(run)


def test_keep_brings_the_whole_old_value_back(store: Store) -> None:
    run = store.filled()
    old = store.state(run).steps["b"]
    store.revert(run, "a")
    store.submit(run, "a", "a")
    store.keep(run, "b")
    assert store.state(run).steps["b"] == old
    assert store.offers(run) == {"c": "c", "d": "d"}


def test_keep_is_refused_when_what_it_was_made_from_changed(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "new")
    with pytest.raises(KeepChangedError) as caught:
        store.keep(run, "b")
    assert (caught.value.step, caught.value.changed) == ("b", "a")
    assert store.outputs(run) == {"a": "new"}


def test_keep_is_refused_when_what_it_was_made_from_is_gone(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "a")
    with pytest.raises(KeepChangedError):
        store.keep(run, "c")


def test_keep_is_accepted_when_the_values_are_equal_again(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "new")
    store.submit(run, "a", "a")
    store.keep(run, "b")
    store.keep(run, "c")
    assert store.outputs(run) == {"a": "a", "b": "b", "c": "c"}


def test_keep_without_an_old_value_is_refused(store: Store) -> None:
    run = store.filled(steps=("a",))
    with pytest.raises(KeepChangedError, match="no earlier value"):
        store.keep(run, "b")


def test_keep_of_a_step_that_has_its_value_does_nothing(store: Store) -> None:
    run = store.filled()
    assert store.keep(run, "b").event is None


def test_the_same_keep_twice_has_one_effect(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "a", seen=5)
    assert store.keep(run, "b", seen=6, submit_id="form-1").version == 7
    store.submit(run, "a", "new")
    assert store.keep(run, "b", seen=6, submit_id="form-1").event is None
    assert store.outputs(run) == {"a": "new"}


# Going back


def test_go_back_brings_an_earlier_version_back(store: Store) -> None:
    run = store.filled()
    store.submit(run, "a", "new")
    store.go_back(run, 4)
    assert store.outputs(run) == {"a": "a", "b": "b", "c": "c"}
    assert store.events(run)[-1].data["to"] == 4


def test_go_back_loses_nothing(store: Store) -> None:
    run = store.filled()
    store.go_back(run, 2)
    store.go_back(run, 5)
    assert store.outputs(run) == {step: step for step in ORDER}


def test_go_back_into_an_edit_can_be_cancelled(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    store.submit(run, "b", "new")
    store.go_back(run, 6)
    assert store.state(run).editing == "b"
    store.cancel_edit(run)
    assert store.outputs(run) == {step: step for step in ORDER}


@pytest.mark.parametrize("version", [0, -1, 6, 2**40])
def test_go_back_refuses_a_version_the_run_never_had(store: Store, version: int) -> None:
    run = store.filled()
    with pytest.raises(UnknownVersionError):
        store.go_back(run, version)


def test_every_operation_adds_one_line_to_the_conversation(store: Store) -> None:
    run = store.filled()
    store.revert(run, "b")
    store.cancel_edit(run)
    store.go_back(run, 3)
    assert store.count("messages") == store.row(run).version
