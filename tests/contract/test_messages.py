"""Conversations are append-only and in one order for everybody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipulate.storage import messages, profiles
from pipulate.storage.database import Transaction
from tests.support.store import Store


def say(store: Store, conversation: str, text: str) -> int:
    """Add what Ada writes."""
    return store.db.write_now(messages.add, conversation, store.author().at, "ada", "user", text)


def test_messages_are_numbered_from_one_and_read_in_order(store: Store) -> None:
    assert [say(store, "talk", text) for text in "abc"] == [1, 2, 3]
    read = store.db.read_now(messages.after, "talk", 1)
    assert [(each.seq, each.text, each.role, each.event) for each in read] == [
        (2, "b", "user", None), (3, "c", "user", None),
    ]  # fmt: skip


def test_the_newest_messages_come_oldest_first(store: Store) -> None:
    for text in "abcd":
        say(store, "talk", text)
    assert [each.text for each in store.db.read_now(messages.before, "talk", limit=2)] == ["c", "d"]
    assert [each.text for each in store.db.read_now(messages.before, "talk", 3, limit=9)] == ["a", "b"]


def test_conversations_are_apart(store: Store) -> None:
    assert (say(store, "one", "x"), say(store, "two", "y"), say(store, "one", "z")) == (1, 1, 2)
    assert [each.text for each in store.db.read_now(messages.after, "one", 0)] == ["x", "z"]


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "<script>", "\u202e🎉\n\n"])
def test_any_text_comes_back_as_it_was(store: Store, text: str) -> None:
    say(store, "talk", text)
    assert store.db.read_now(messages.after, "talk", 0)[0].text == text


def test_what_happened_in_a_run_stands_in_its_conversation(store: Store) -> None:
    run = store.start()
    say(store, run, "a note")
    store.submit(run, "a", "hello")
    read = store.db.read_now(messages.after, run, 0)
    assert [(each.seq, each.role, each.text) for each in read] == [
        (1, "event", ""),
        (2, "user", "a note"),
        (3, "event", ""),
    ]
    assert read[2].event == store.events(run)[1]


def test_opening_a_conversation_again_keeps_it(store: Store) -> None:
    say(store, "talk", "x")
    store.db.write_now(messages.open_conversation, "talk")
    assert say(store, "talk", "y") == 2


def test_writers_at_the_same_moment_get_numbers_without_gap_and_readers_miss_nothing(store: Store) -> None:
    barrier, read = threading.Barrier(4), list[int]()

    def write(_: int) -> list[int]:
        barrier.wait(10)
        return [say(store, "talk", "x") for _ in range(15)]

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, number) for number in range(4)]
        while len(read) < 60:  # A reader that asks for what follows the last number it has.
            read += [each.seq for each in store.db.read_now(messages.after, "talk", read[-1] if read else 0)]
            assert read == list(range(1, len(read) + 1))
        numbers = sorted(number for each in writing for number in each.result(20))
    assert numbers == list(range(1, 61))


def test_a_message_whose_transaction_fails_leaves_no_gap(store: Store) -> None:
    say(store, "talk", "x")

    def fails(tx: Transaction) -> None:
        messages.add(tx, "talk", "2026-01-01", "ada", "user", "never said")
        raise LookupError

    with pytest.raises(LookupError):
        store.db.write_now(fails)
    assert say(store, "talk", "y") == 2


def test_the_conversation_outside_runs_belongs_to_one_person() -> None:
    assert messages.general("ada") != messages.general("bob")


# Conversations beside apps


def test_a_conversation_beside_an_app_is_the_persons_own_and_no_others(store: Store) -> None:
    beside = messages.of_app("ada", "Größe: 1")
    assert messages.is_outside(beside, "ada")
    assert messages.is_outside(messages.general("ada"), "ada")
    assert not messages.is_outside(beside, "ad")
    assert not messages.is_outside(messages.general("adam"), "ada")
    assert not messages.is_outside(store.start(), "ada")


def test_what_is_done_to_records_is_told_beside_their_resource(store: Store) -> None:
    told = store.db.write_now(messages.add_done, store.author().at, "ada", "tasks", "0" * 32)
    assert told == (messages.of_app("ada", "tasks"), 1)
    (line,) = store.db.read_now(messages.after, messages.of_app("ada", "tasks"), 0)
    assert (line.role, line.text) == ("record", "0" * 32)


def test_what_comes_of_a_question_belongs_to_its_profile_whichever_is_chosen_then(store: Store) -> None:
    talk = messages.general("ada")
    store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
    store.db.write_now(profiles.choose, "ada", "acme")
    say(store, talk, "asked")
    store.db.write_now(profiles.choose, "ada", "default")
    answer(store, talk, "answered")
    say(store, talk, "a note")
    of_acme = store.db.read_now(messages.after, talk, 0, profile="acme")
    assert [each.text for each in of_acme] == ["asked", "answered"]


# What changes


def answer(store: Store, conversation: str, text: str = "", state: str = "open") -> int:
    """Add an answer to message 1."""
    at, data = store.author().at, {"question": 1}
    return store.db.write_now(messages.add, conversation, at, "ada", "answer", text, state=state, data=data)


def test_an_answer_changes_and_keeps_what_is_not_said(store: Store) -> None:
    say(store, "talk", "x")
    seq = answer(store, "talk", "so far")
    assert store.db.write_now(messages.change, "talk", seq, data={"question": 1, "more": "\ud800\0"}) == 1
    assert store.db.write_now(messages.change, "talk", seq, text="whole", state="done") == 2
    found = store.db.read_now(messages.find, "talk", seq)
    assert found is not None
    assert (found.text, found.state, found.data, found.changed) == (
        "whole", "done", {"question": 1, "more": "\ud800\0"}, 2,
    )  # fmt: skip


def test_a_change_happens_only_from_the_state_it_is_meant_for(store: Store) -> None:
    say(store, "talk", "x")
    seq = answer(store, "talk", "stopped here", state="stopped")
    assert store.db.write_now(messages.change, "talk", seq, text="too late", was="open") == 0
    assert store.db.read_now(messages.after, "talk", seq - 1)[0].text == "stopped here"
    assert store.db.write_now(messages.change, "nowhere", 1, text="x") == 0


def test_what_is_put_by_is_no_change_and_comes_too_late_for_an_answer_that_ended(store: Store) -> None:
    say(store, "talk", "x")
    seq = answer(store, "talk")
    store.db.write_now(messages.keep, "talk", seq, "some words")
    assert store.db.read_now(messages.after, "talk", 1)[0].text == "some words"
    assert store.db.read_now(messages.numbers, "talk") == (2, 0, 0)
    store.db.write_now(messages.change, "talk", seq, text="the end", state="done")
    store.db.write_now(messages.keep, "talk", seq, "some words")
    assert store.db.read_now(messages.after, "talk", 1)[0].text == "the end"


def test_who_knows_the_last_message_and_the_last_change_misses_nothing(store: Store) -> None:
    for text in "ab":
        say(store, "talk", text)
    first, second = answer(store, "talk"), answer(store, "talk")
    for seq in (second, first, second):
        store.db.write_now(messages.change, "talk", seq, text=f"{seq}")
    assert store.db.read_now(messages.numbers, "talk") == (4, 3, 0)

    def changed(change: int, last: int) -> list[tuple[int, int]]:
        return [(each.seq, each.changed) for each in store.db.read_now(messages.changed_since, "talk", change, last)]

    assert changed(0, 4) == [(first, 2), (second, 3)]
    assert changed(2, 4) == [(second, 3)]
    assert changed(0, first) == [(first, 2)]  # What a page has not got, it gets as it is now.
    assert changed(3, 4) == []


def test_what_was_cleared_away_comes_back_as_it_was(store: Store) -> None:
    for text in "abc":
        say(store, "talk", text)
    assert store.db.write_now(messages.clear, "talk", 2) == 1
    assert [each.text for each in store.db.read_now(messages.after, "talk", 0)] == ["c"]
    assert [each.text for each in store.db.read_now(messages.before, "talk")] == ["c"]
    assert store.db.read_now(messages.search, "talk", ["a"]) == []
    assert store.db.write_now(messages.clear, "talk", 0) == 2
    assert [each.text for each in store.db.read_now(messages.after, "talk", 0)] == ["a", "b", "c"]


def test_what_a_clear_hid_is_told_apart_from_what_an_earlier_one_did(store: Store) -> None:
    def clear(upto: int) -> int:
        store.db.write_now(messages.clear, "talk", upto)
        return store.db.read_now(messages.before_clear, "talk")

    for text in "abc":
        say(store, "talk", text)
    assert store.db.read_now(messages.before_clear, "talk") == 0
    assert clear(1) == 0
    assert clear(3) == 1
    assert clear(3) == 1  # There was nothing more to hide.
    assert clear(1) == 1
    assert store.db.read_now(messages.numbers, "talk")[2] == 1
    assert store.db.read_now(messages.before_clear, "none") == 0


def test_a_search_finds_messages_with_every_word_as_people_write_them(store: Store) -> None:
    for text in ("Über Größe", "über alles", "100%", "100 of 100"):
        say(store, "talk", text)
    say(store, "other", "über größe")

    def found(*words: str) -> list[str]:
        return [each.text for each in store.db.read_now(messages.search, "talk", words)]

    assert found("GRÖSSE", "uber") == ["Über Größe"]
    assert found("uber") == ["Über Größe", "über alles"]
    assert found("0%") == ["100%"]
    assert found("_") == []
    assert found("\0") == []


def test_open_questions_and_answers_are_found_after_a_start(store: Store) -> None:
    def ask(conversation: str, state: str) -> int:
        at, data = store.author().at, {"asked": True}
        return store.db.write_now(messages.add, conversation, at, "ada", "user", "?", state=state, data=data)

    asked = [ask("one", "open"), ask("one", "done"), ask("two", "open"), ask("one", "open")]
    opened = answer(store, "one"), answer(store, "one", "x", "done")
    assert store.db.read_now(messages.waiting) == ["one", "two"]
    assert [each.seq for each in store.db.read_now(messages.open_questions, "one")] == [asked[0], asked[3]]
    assert store.db.read_now(messages.open_answers) == [("one", opened[0])]
    assert [each.seq for each in store.db.read_now(messages.answers_to, "one", 1, 0)] == list(opened)
    assert store.db.read_now(messages.answers_to, "one", 1, opened[1]) == []
    assert store.db.read_now(messages.answers_to, "one", 2, 0) == []
