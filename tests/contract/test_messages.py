"""Conversations are append-only and in one order for everybody."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipulate.storage import messages
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
