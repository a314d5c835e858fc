"""The fold of a journal, whatever is in it: the same in one go and event by event, and no value is ever lost."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipulate.storage import journal
from pipulate.storage.journal import Event, State, StepValue

ORDER = ("a", "b", "c", "d")
in_any_time = settings(deadline=None)  # A machine is as fast as it is.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """Make a journal that could be: every event names only what was there before it."""
    events, given_values = [_event(1, "started", None, {})], dict[str, list[int]]()
    states = [State(), journal.fold(events)]
    for version in range(2, draw(st.integers(2, 25))):
        state, step = states[-1], draw(st.sampled_from(ORDER))
        kinds = ["submitted", "computed", "finalized", "unfinalized", "renamed", "went_back", "forked", "deleted"]
        kinds += ["reverted"] if step in state.steps else []
        kinds += ["kept"] if given_values.get(step) else []
        kinds += ["edit_cancelled"] if state.editing_version else []
        kind = draw(st.sampled_from(kinds))
        later = [name for name in ORDER[ORDER.index(step) + 1 :] if name in state.steps]
        data: dict[str, Any] = {}
        if kind in ("submitted", "computed"):
            data = {"value": {"output": version}, "digest": f"{version}", "cleared": later}
            given_values.setdefault(step, []).append(version)
        elif kind == "reverted":
            data = {"cleared": later}
        elif kind == "kept":
            data = {"value": draw(st.sampled_from(given_values[step]))}
        elif kind in ("went_back", "edit_cancelled"):
            upto = draw(st.integers(1, version - 1)) if kind == "went_back" else (state.editing_version or 1) - 1
            data = journal.restoring(states[upto])
        about = step if kind in ("submitted", "computed", "reverted", "kept", "edit_cancelled") else None
        events.append(_event(version, kind, about, data))
        states.append(journal.fold(events))
    return events


def _event(version: int, kind: str, step: str | None, data: dict[str, Any]) -> Event:
    return Event(version, f"2026-11-20T12:00:{version:02d}.000000Z", "ada", None, kind, step, data)


def values_upto(events: list[Event]) -> dict[int, StepValue]:
    """Return every value the journal holds, by version."""
    return {each.version: journal.value_of(each) for each in events if each.kind in ("submitted", "computed")}


@in_any_time
@given(journals())
def test_event_by_event_comes_to_the_same_as_in_one_go(events: list[Event]) -> None:
    state = State()
    for number, event in enumerate(events, start=1):
        state = journal.apply(state, event, values_upto(events[:number]))
        assert state == journal.fold(events[:number])
        assert state.version == number


@in_any_time
@given(journals())
def test_only_events_that_say_so_need_the_values_of_the_past(events: list[Event]) -> None:
    state = State()
    for number, event in enumerate(events, start=1):
        if not journal.needs_values(event):
            assert journal.apply(state, event) == journal.fold(events[:number])
        state = journal.fold(events[:number])


@in_any_time
@given(journals())
def test_no_value_is_ever_lost(events: list[Event]) -> None:
    state = journal.fold(events)
    ever = {each.step for each in events if each.kind in ("submitted", "computed")}
    assert set(state.steps) | set(state.offers) == ever
    assert not set(state.steps) & set(state.offers)


@in_any_time
@given(journals())
def test_a_value_is_always_one_that_was_given_to_its_step(events: list[Event]) -> None:
    state = journal.fold(events)
    made = {each.version: each.step for each in events if each.kind in ("submitted", "computed")}
    for step, value in [*state.steps.items(), *state.offers.items()]:
        assert made[value.version] == step
        assert value.data == {"output": value.version}


@in_any_time
@given(journals(), st.data())
def test_any_version_can_be_brought_back_exactly(events: list[Event], data: st.DataObject) -> None:
    target = journal.fold(events[: data.draw(st.integers(1, len(events)))])
    back = journal.fold([*events, _event(len(events) + 1, "went_back", None, journal.restoring(target))])
    assert (back.steps, back.editing, back.editing_version) == (target.steps, target.editing, target.editing_version)
    assert back.lock == journal.fold(events).lock


@in_any_time
@given(journals(), st.sampled_from(ORDER), st.integers(0, 25))
def test_what_stands_in_the_way_is_the_newest_change_of_this_or_an_earlier_step_or_the_lock(
    events: list[Event], step: str, seen: int
) -> None:
    position = ORDER.index(step)
    concerned = set(ORDER[: position + 1])
    in_the_way = [
        event
        for event in events[seen:]
        if event.kind in ("finalized", "unfinalized")
        or event.step in concerned
        or concerned & {*event.data.get("cleared", ())}
    ]
    found = journal.standing_in_the_way(events[seen:], step, ORDER[:position])
    assert found == (in_the_way[-1] if in_the_way else None)


@in_any_time
@given(st.dictionaries(st.text(st.characters()), JSON, max_size=5))
def test_any_json_comes_back_from_what_is_stored_with_the_same_digest(value: dict[str, Any]) -> None:
    text = journal.serialised(value)
    text.encode()  # Every store takes it ...
    assert "\0" not in text  # ... PostgreSQL too.
    assert json.loads(text) == value
    assert journal.digest(json.loads(text)) == journal.digest_of(text.encode())


@in_any_time
@given(st.text(st.characters()))
def test_text_for_a_column_is_what_every_store_takes(text: str) -> None:
    stored = journal.storable(text)
    stored.encode()
    assert "\0" not in stored
    assert len(stored) == len(text)
    if "\0" not in text and text.encode("utf-8", "ignore").decode() == text:
        assert stored == text
