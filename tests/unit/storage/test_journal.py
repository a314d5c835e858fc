"""What a run is: the fold of its events. Nothing here reads or writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.storage import journal
from pipulate.storage.journal import KINDS, Event, Lock, State, StepValue, affected, changed_read, standing_in_the_way

AT = "2026-11-20T12:00:00.000000Z"


class Journal(list[Event]):
    """A journal that is written line by line."""

    def add(self, kind: str, step: str | None = None, **data: Any) -> Journal:
        self.append(Event(len(self) + 1, AT, "ann", None, kind, step, data))
        return self

    def set(self, step: str, output: object, kind: str = "submitted", **data: Any) -> Journal:
        value = {"input": None, "output": output, "view": "tree"}
        return self.add(kind, step, value=value, digest=journal.digest(value), short=str(output), **data)

    @property
    def state(self) -> State:
        return journal.fold(self)


def outputs(values: Mapping[str, StepValue]) -> dict[str, Any]:
    return {name: value.data["output"] for name, value in values.items()}


def shown(state: State) -> tuple[dict[str, Any], dict[str, Any], str | None]:
    """Return the values that count, those that are offered, and the step being edited."""
    return outputs(state.steps), outputs(state.offers), state.editing


def three() -> Journal:
    return Journal().add("started", key="01").set("a", 1).set("b", 2, reads={"a": "x"}).set("c", 3, "computed")


def test_nothing_adds_up_to_nothing() -> None:
    assert journal.fold([]) == State()


def test_values_add_up() -> None:
    state = three().state
    assert shown(state) == ({"a": 1, "b": 2, "c": 3}, {}, None)
    assert (state.version, state.steps["b"].version, state.steps["b"].reads) == (4, 3, {"a": "x"})


def test_reverting_clears_later_steps_into_offers_and_loses_nothing() -> None:
    state = three().add("reverted", "a", cleared=["b", "c"]).state
    assert shown(state) == ({"a": 1}, {"b": 2, "c": 3}, "a")
    assert state.editing_version == 5


def test_new_value_ends_the_edit_and_keeps_the_offers() -> None:
    state = three().add("reverted", "a", cleared=["b", "c"]).set("a", 9).state
    assert shown(state) == ({"a": 9}, {"b": 2, "c": 3}, None)


def test_offer_leaves_when_the_step_gets_a_value() -> None:
    log = three().add("reverted", "a", cleared=["b", "c"]).set("a", 1).set("b", 7)
    assert shown(log.state) == ({"a": 1, "b": 7}, {"c": 3}, None)


def test_kept_value_is_the_old_one_with_its_old_version() -> None:
    log = three().add("reverted", "a", cleared=["b", "c"]).set("a", 1).add("kept", "b", value=3)
    assert shown(log.state) == ({"a": 1, "b": 2}, {"c": 3}, None)
    assert log.state.steps["b"].version == 3


def test_submitting_a_done_step_clears_what_follows() -> None:
    assert shown(three().set("a", 9, cleared=["b", "c"]).state) == ({"a": 9}, {"b": 2, "c": 3}, None)


def test_cancelled_edit_brings_back_the_state_before_it() -> None:
    log = three()
    before = log.state
    log.add("reverted", "a", cleared=["b", "c"]).add(
        "edit_cancelled", "a", **journal.restoring(before), touched=["b", "c"]
    )
    assert shown(log.state) == shown(before)
    assert log.state.steps == before.steps


def test_edit_within_an_edit_is_cancelled_one_by_one() -> None:
    log = three().add("reverted", "c", cleared=[])
    outer = log.state
    log.add("reverted", "a", cleared=["b", "c"]).add("edit_cancelled", "a", **journal.restoring(outer), touched=[])
    assert shown(log.state) == shown(outer)
    assert log.state.editing_version == 5


def test_reverting_an_earlier_step_ends_the_edit_of_a_later_one() -> None:
    log = three().add("reverted", "c", cleared=[]).add("reverted", "a", cleared=["b", "c"])
    assert shown(log.state) == ({"a": 1}, {"b": 2, "c": 3}, "a")


def test_going_back_offers_what_came_after() -> None:
    log = three()
    log.add("went_back", None, **journal.restoring(journal.fold(log[:2])), to=2, touched=["b", "c"])
    assert shown(log.state) == ({"a": 1}, {"b": 2, "c": 3}, None)


def test_going_back_and_forth_ends_where_it_began() -> None:
    log = three()
    whole = log.state
    log.add("went_back", None, **journal.restoring(journal.fold(log[:2])), to=2, touched=[])
    log.add("went_back", None, **journal.restoring(whole), to=4, touched=[])
    assert (log.state.steps, log.state.offers) == (whole.steps, {})


def test_lock_and_unlock() -> None:
    log = three().add("finalized")
    assert log.state.lock == Lock("ann", AT)
    assert log.add("unfinalized").state.lock is None


def test_copy_of_a_locked_run_is_not_locked() -> None:
    assert three().add("finalized").add("forked", run="r", key="01", version=5).state.lock is None


@pytest.mark.parametrize("kind", sorted(KINDS - {"submitted", "computed", "kept", "edit_cancelled", "went_back"}))
def test_event_without_a_value_changes_no_value(kind: str) -> None:
    state = three().add(kind, "c" if kind == "reverted" else None).state
    assert (outputs(state.steps), state.version) == ({"a": 1, "b": 2, "c": 3}, 5)


def test_old_value_that_is_not_at_hand_is_asked_for() -> None:
    event = Event(9, AT, "ann", None, "kept", "b", {"value": 3})
    assert journal.needs_values(event)
    with pytest.raises(KeyError):
        journal.apply(State(), event)


# Conflicts: only with a change of the same step, an earlier one, or the lock

ORDER = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("kind", "step", "data", "with_a", "with_b", "with_c"),
    [
        ("submitted", "a", {}, True, True, True),
        ("submitted", "b", {}, False, True, True),
        ("submitted", "c", {}, False, False, True),
        ("computed", "b", {}, False, True, True),
        ("kept", "c", {}, False, False, True),
        ("submitted", "a", {"cleared": ["b", "c"]}, True, True, True),
        ("reverted", "c", {"cleared": []}, False, False, True),
        ("reverted", "b", {"cleared": ["c"]}, False, True, True),
        ("edit_cancelled", "b", {"touched": ["b", "c"]}, False, True, True),
        ("went_back", None, {"touched": ["c"]}, False, False, True),
        ("went_back", None, {"touched": []}, False, False, False),
        ("finalized", None, {}, True, True, True),
        ("unfinalized", None, {}, True, True, True),
        ("renamed", None, {"from": "a", "to": "b"}, False, False, False),
        ("deleted", None, {}, False, False, False),
        ("undeleted", None, {}, False, False, False),
        ("started", None, {}, False, False, False),
        ("forked", None, {}, False, False, False),
        ("imported", None, {}, False, False, False),
        ("uploaded", None, {"name": "a.csv"}, False, False, False),
    ],
)
def test_write_conflicts_only_with_what_concerns_it(
    kind: str, step: str | None, data: dict[str, Any], with_a: bool, with_b: bool, with_c: bool
) -> None:
    event = Event(5, AT, "ann", None, kind, step, data)
    met = [standing_in_the_way([event], each, ORDER[:index]) is event for index, each in enumerate(ORDER)]
    assert met == [with_a, with_b, with_c]


def test_newest_of_the_events_in_the_way_is_named() -> None:
    events = Journal().set("a", 1).set("a", 2).set("c", 3)
    assert standing_in_the_way(events, "b", ["a"]) == events[1]
    assert standing_in_the_way([], "b", ["a"]) is None


def test_every_kind_says_what_it_concerns() -> None:
    for kind in KINDS:
        steps = affected(Event(1, AT, "ann", None, kind, None, {"cleared": ["x"], "touched": ["y"]}))
        assert steps == (None if kind in ("finalized", "unfinalized") else {"x", "y"})


# Values as JSON

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_value_comes_back_from_what_is_stored(value: object) -> None:
    text = journal.serialised({"v": value})
    text.encode()
    assert "\x00" not in text
    assert json.loads(text) == {"v": value}
    assert journal.digest({"v": value}) == journal.digest_of(text.encode())


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", "\x00"])
def test_text_that_no_store_takes_is_escaped(value: str) -> None:
    assert journal.serialised({"v": value}).isascii()
    assert json.loads(journal.serialised({"v": value})) == {"v": value}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_number_that_json_does_not_have_is_refused(value: float) -> None:
    for around in ({"v": value}, {"v": [value], "t": "\ud800"}):
        with pytest.raises(ValueError, match="JSON compliant"):
            journal.serialised(around)


def test_type_that_json_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError):
        journal.serialised({"v": object()})


def test_equal_values_share_a_digest_and_others_do_not() -> None:
    digests = [journal.digest({"v": each}) for each in (1, 1, "1", 1.5, [1], None, True)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 6


@pytest.mark.parametrize(
    ("reads", "changed"),
    [
        ({}, None),
        ({"a": "1"}, None),
        ({"a": "2"}, "a"),
        ({"b": ""}, None),
        ({"b": "1"}, "b"),
        ({"a": "1", "b": "x"}, "b"),
    ],
)
def test_step_that_changed_since_it_was_read_is_named(reads: Mapping[str, str], changed: str | None) -> None:
    steps = {"a": StepValue(1, {}, "1", {}, "")}
    assert changed_read(StepValue(2, {}, "", reads, ""), steps) == changed


# Any journal

EVENTS = st.lists(st.tuples(st.sampled_from("sckrbfu"), st.sampled_from("abc"), st.integers(0, 2)), max_size=15)


def written(doings: Sequence[tuple[str, str, int]]) -> Journal:
    """Return a journal as the store would write it for these doings; what is not possible is left out."""
    log = Journal().add("started")
    for doing, step, output in doings:
        state = log.state
        later = [each for each in ORDER[ORDER.index(step) + 1 :] if each in state.steps]
        if doing in "sc":
            log.set(
                step, output, "submitted" if doing == "s" else "computed", cleared=later if step in state.steps else []
            )
        elif doing == "k" and step in state.offers:
            log.add("kept", step, value=state.offers[step].version)
        elif doing == "r" and step in state.steps:
            log.add("reverted", step, cleared=later)
        elif doing == "b":
            log.add("went_back", None, **journal.restoring(journal.fold(log[: output + 1])), touched=[])
        elif doing in "fu":
            log.add("finalized" if doing == "f" else "unfinalized")
    return log


@given(EVENTS)
def test_fold_equals_applying_one_event_after_the_other(doings: list[tuple[str, str, int]]) -> None:
    log = written(doings)
    state, values = State(), dict[int, StepValue]()
    for event in log:
        if event.kind in ("submitted", "computed"):
            values[event.version] = journal.value_of(event)
        state = journal.apply(state, event, values)
    assert state == log.state


@given(EVENTS)
def test_no_value_is_ever_lost(doings: list[tuple[str, str, int]]) -> None:
    log = written(doings)
    state = log.state
    given_once = {event.step for event in log if event.kind in ("submitted", "computed")}
    assert set(state.steps) | set(state.offers) == given_once
    assert not set(state.steps) & set(state.offers)


@given(EVENTS)
def test_step_being_edited_has_a_value(doings: list[tuple[str, str, int]]) -> None:
    state = written(doings).state
    assert state.editing is None or state.editing in state.steps
    assert (state.editing is None) == (state.editing_version is None)


@given(EVENTS)
def test_state_is_as_old_as_its_last_event(doings: list[tuple[str, str, int]]) -> None:
    log = written(doings)
    assert log.state.version == len(log)
