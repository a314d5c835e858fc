"""Calls are a record of what was asked for, and go from one state to the next only once."""

from __future__ import annotations

import pytest

from pipulate.storage import calls, lifecycle, messages
from tests.support.called import asked
from tests.support.store import Store

TALK = messages.general("ada")
LATER = "2030-01-01T00:00:00.000000Z"


def test_a_call_is_a_message_and_a_row_that_comes_back_as_it_was(store: Store) -> None:
    given = {"value": "<b>\0\ud800", "deep": [{"x": None}]}
    call = store.db.write_now(calls.add, asked(TALK, arguments=given))
    (message,) = store.db.read_now(messages.after, TALK, 0)
    assert (message.seq, message.role, message.text) == (call.seq, "call", call.id)
    assert message.data == {"question": 1, "answer": 2}
    assert store.db.read_now(calls.find, call.id) == call
    assert store.db.read_now(calls.between, TALK, 1, 1) == {call.id: call}
    assert store.db.read_now(calls.between, TALK, 2, 9) == {}
    assert store.db.read_now(calls.find, "no such call") is None


def test_a_call_goes_from_a_state_to_the_next_once_and_its_message_changes(store: Store) -> None:
    call = store.db.write_now(calls.add, asked(TALK))
    running = store.db.write_now(calls.change, call.id, "asked", state="running", is_for_run=True)
    assert running == call._replace(state="running", is_for_run=True)
    assert store.db.write_now(calls.change, call.id, "asked", state="denied") is None
    assert store.db.read_now(calls.find, call.id) == running
    assert [each.seq for each in store.db.read_now(messages.changed_since, TALK, 0, 9)] == [call.seq]
    done = store.db.write_now(calls.change, call.id, "running", state="done", result={"words": "x"}, untrusted=True)
    assert done is not None
    assert (done.result, done.untrusted) == ({"words": "x"}, True)


def test_the_calls_of_a_turn_come_in_the_order_they_were_asked_for(store: Store) -> None:
    made = [store.db.write_now(calls.add, asked(TALK, question=each)) for each in (1, 3, 1)]
    assert [each.id for each in store.db.read_now(calls.of_turn, TALK, 1)] == [made[0].id, made[2].id]
    assert store.db.read_now(calls.of_turn, "user:bob", 1) == []


def test_of_what_was_allowed_for_the_run_the_newest_counts(store: Store) -> None:
    run = store.start()
    store.db.write_now(calls.add, asked(run, is_for_run=True))
    newest = store.db.write_now(calls.add, asked(run, is_for_run=True))
    store.db.write_now(calls.add, asked(run, action="destroy"))
    store.db.write_now(calls.add, asked(store.start("02"), action="other", is_for_run=True))
    assert store.db.read_now(calls.grants, run) == {"fill": newest}


def test_others_words_count_from_the_moment_they_came(store: Store) -> None:
    store.db.write_now(calls.add, asked(TALK, state="done", untrusted=True, ended_at=LATER))
    store.db.write_now(calls.add, asked("user:bob", state="done", untrusted=True, ended_at="2031"))
    assert store.db.read_now(calls.has_untrusted, TALK, 99, LATER)
    assert not store.db.read_now(calls.has_untrusted, TALK, 99, "2030-01-01T00:00:00.000001Z")


def test_others_words_count_after_a_number_whatever_the_clock_said(store: Store) -> None:
    call = store.db.write_now(calls.add, asked(TALK, state="done", untrusted=True, ended_at="2029"))
    assert store.db.read_now(calls.has_untrusted, TALK, call.seq - 1, LATER)
    assert not store.db.read_now(calls.has_untrusted, TALK, call.seq, LATER)
    assert not store.db.read_now(calls.has_untrusted, "user:bob", 0, LATER)


def test_what_waits_for_a_person_is_found_by_its_action_in_the_order_it_was_asked_for(store: Store) -> None:
    made = [store.db.write_now(calls.add, asked(TALK)) for _ in range(3)]
    for other in (asked(TALK, action="destroy"), asked("user:bob"), asked(TALK, state="running")):
        store.db.write_now(calls.add, other)
    assert store.db.read_now(calls.waiting, TALK, "fill") == made
    store.db.write_now(calls.change, made[1].id, "asked", state="denied")
    assert store.db.read_now(calls.waiting, TALK, "fill") == [made[0], made[2]]
    assert store.db.read_now(calls.waiting, "user:nobody", "fill") == []


@pytest.mark.parametrize("state", ["asked", "running", "done"])
def test_what_was_running_and_what_was_left_is_found_after_a_start(store: Store, state: str) -> None:
    call = store.db.write_now(calls.add, asked(TALK, state=state, asked_at=LATER))
    assert store.db.read_now(calls.running) == ([call] if state == "running" else [])
    assert store.db.read_now(calls.left, LATER) == ([call] if state == "asked" else [])
    assert store.db.read_now(calls.left, "2029") == []


def test_the_calls_of_a_run_are_erased_with_it_and_do_not_go_along_to_a_copy(store: Store) -> None:
    run = store.filled()
    store.db.write_now(calls.add, asked(run))
    kept = store.db.write_now(calls.add, asked(TALK))
    store.db.write_now(lifecycle.fork, run, "f" * 32, store.author())
    store.do(lifecycle.delete, run)
    assert store.count("action_calls") == 2
    store.do(lifecycle.purge, run)
    assert store.count("action_calls") == 1
    assert store.db.read_now(calls.find, kept.id) == kept
