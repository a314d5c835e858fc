"""Messages that are for a model alone, and conversations with questions that wait."""

from __future__ import annotations

import pytest

from pipulate.storage import messages, profiles
from tests.support.store import Store

AT = "2030-01-01T00:00:00.000000Z"
TALK = "user:ada"


def tell(store: Store, text: str, talk: str = TALK) -> int:
    return store.db.write_now(messages.add, talk, AT, "ada", messages.TOLD, text)


def told(store: Store, talk: str = TALK, limit: int = 50, profile: str | None = None) -> list[str]:
    return [each.text for each in store.db.read_now(messages.told, talk, limit, profile=profile)]


def test_newest_of_what_a_model_is_told_is_found_the_oldest_first_and_shown_to_nobody(store: Store) -> None:
    store.db.write_now(messages.add, TALK, AT, "ada", messages.USER, "typed")
    for number in range(5):
        tell(store, str(number))
    tell(store, "of another", "user:bob")
    assert told(store) == ["0", "1", "2", "3", "4"]
    assert told(store, limit=2) == ["3", "4"]
    assert told(store, "user:nobody") == []
    assert [each.text for each in store.db.read_now(messages.after, TALK, 0)] == ["typed"]


def test_of_what_a_model_is_told_a_locked_profile_has_its_own(store: Store) -> None:
    tell(store, "of the default")
    store.db.write_now(profiles.add, "acme", "Acme", AT)
    store.db.write_now(profiles.choose, "ada", "acme")
    tell(store, "of acme")
    assert told(store, profile="acme") == ["of acme"]


def test_what_was_cleared_away_is_told_no_more(store: Store) -> None:
    store.db.write_now(messages.clear, TALK, tell(store, "before"))
    tell(store, "after")
    assert told(store) == ["after"]


@pytest.mark.parametrize("state", [messages.OPEN, messages.DONE, None])
def test_conversations_with_open_questions_are_those_that_wait(store: Store, state: str | None) -> None:
    for talk in (TALK, TALK, "user:bob"):
        store.db.write_now(messages.add, talk, AT, "ada", messages.USER, "Hello?", state=state)
    store.db.write_now(messages.add, "user:eve", AT, "eve", messages.ANSWER, "", state=messages.OPEN)
    found = store.db.read_now(messages.waiting)
    assert sorted(found) == ([TALK, "user:bob"] if state == messages.OPEN else [])
