"""The history of all that a person did and was told: searched, filtered, paged, and quick however long it is."""

from __future__ import annotations

from time import perf_counter

import pytest

from pipulate._clock import to_text
from pipulate.storage import calls, chronicle, lifecycle, messages, profiles
from pipulate.storage.chronicle import Kind, Line, Said, Wanted
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import RunRow
from tests.support.called import asked
from tests.support.store import Store


def listed(store: Store, wanted: Wanted = Wanted(), *, by: str = "ada", limit: int = 50) -> list[Line]:  # noqa: B008
    """Return all lines, read page by page."""
    found: list[Line] = []
    before = wanted.before
    while True:
        page, before = store.db.read_now(
            chronicle.listed, by, Wanted(wanted.kind, wanted.profile, wanted.words, wanted.tables, before=before), limit
        )
        assert len(page) <= limit
        found += page
        if before is None:
            return found


def texts(lines: list[Line]) -> list[str]:
    """Return the keys of runs and the texts of messages."""
    return [line.of.key if isinstance(line.of, RunRow) else getattr(line.of, "text", "") for line in lines]


def say(store: Store, text: str, run: str | None = None, by: str = "ada") -> None:
    """Write a message."""
    store.db.write_now(messages.add, run or messages.general(by), store.author().at, by, "user", text)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_pages_of_any_length_hold_every_line_once_newest_first(store: Store, limit: int) -> None:
    moment = to_text(store.clock.now())
    for number in range(4):
        run = store.start(f"{number}")
        store.db.write_now(messages.add, messages.general("ada"), moment, "ada", "user", f"note {number}")
        store.db.write_now(messages.add, run, moment, "ada", "user", f"in {number}")

    def at_once(tx: Transaction) -> None:
        tx.run("UPDATE runs SET updated_at = :at", at=moment)

    store.db.write_now(at_once)
    say(store, "last")
    whole = listed(store)
    assert len(whole) == 13
    assert texts(whole)[0] == "last"
    assert [line.place for line in listed(store, limit=limit)] == [line.place for line in whole]


def test_nobody_sees_what_another_person_did_and_was_told(store: Store) -> None:
    run = store.start("theirs", by="bob")
    say(store, "of bob", by="bob")
    say(store, "in a run of bob", run, by="bob")
    store.start("own")
    assert texts(listed(store)) == ["own"]
    assert len(listed(store, by="bob")) == 3


def test_a_run_in_the_bin_is_not_in_the_history_nor_is_what_was_said_in_it(store: Store) -> None:
    run = store.start("gone")
    say(store, "said in it", run)
    store.do(lifecycle.delete, run)
    assert listed(store) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [("uber", ["Über Größe"]), ("GRÖSSE uber", ["Über Größe"]), ("größe", ["Größe 7", "Über Größe"]),
     ("100%", ["100%"]),     ("_", []), ("nothing", []), ("x" * 500, [])],
)  # fmt: skip
def test_words_are_found_whatever_their_case_and_as_they_are(store: Store, words: str, found: list[str]) -> None:
    say(store, "Über Größe")
    say(store, "100%")
    say(store, "1000")
    store.start("Größe 7")
    assert texts(listed(store, Wanted(words=words))) == found


def test_lines_of_one_kind_and_of_one_profile_are_told_from_the_others(store: Store) -> None:
    store.db.write_now(profiles.add, "acme", "Acme", store.author().at)
    run = store.start("acme's", profile="acme")
    say(store, "in it", run)
    say(store, "in the default one")
    store.db.write_now(profiles.choose, "ada", "acme")
    say(store, "in Acme")
    kinds: dict[Kind, list[str]] = {"run": ["acme's"], "message": ["in Acme", "in it"]}
    for kind, found in kinds.items():
        assert texts(listed(store, Wanted(kind, "acme"))) == found
    assert texts(listed(store, Wanted(profile="default"))) == ["in the default one"]


def test_what_was_written_before_profiles_were_noted_is_in_none_that_is_shown_alone(store: Store) -> None:
    say(store, "old")
    store.db.write_now(lambda tx: tx.run("UPDATE messages SET profile = NULL"))
    assert texts(listed(store, Wanted(profile="default"))) == ["old"]
    alone, _ = store.db.read_now(chronicle.listed, "ada", Wanted(profile="default", is_apart=True))
    assert alone == []


def test_a_long_history_is_read_as_fast_as_a_page_of_it(store: Store) -> None:
    """10,000 runs and 10,000 messages; a page is one of 400 of them."""
    runs = [{"id": f"{n:032d}", "key": f"{n}", "at": f"2026-{n:08d}"} for n in range(10_000)]
    said = [{"seq": n, "at": f"2026-{n:08d}", "text": f'"note {n}"', "found": f"note {n}"} for n in range(10_000)]

    def fill(tx: Transaction) -> None:
        tx.many(
            "INSERT INTO runs (id, app, key, key_folded, key_prefix, profile, owner, version, created_at, updated_at,"
            " updated_by) VALUES (:id, 'demo', :key, :key, '', 'default', 'ada', 1, :at, :at, 'ada')",
            runs,
        )
        tx.run("INSERT INTO conversations (id, last) VALUES ('user:ada', 10000)")
        tx.many(
            "INSERT INTO messages (conversation, seq, at, actor, role, text, found, profile)"
            " VALUES ('user:ada', :seq, :at, 'ada', 'user', :text, :found, 'default')",
            said,
        )
        tx.run("ANALYZE")  # As the databases do it themselves from time to time.

    store.db.write_now(fill)
    store.is_damaged = True  # Runs without a journal.
    page, before = store.db.read_now(chronicle.listed, "ada", Wanted(profile="default"))
    for wanted in (Wanted(profile="default"), Wanted(profile="default", before=before)):
        took = []
        for _ in range(10):
            began = perf_counter()
            page, _more = store.db.read_now(chronicle.listed, "ada", wanted)
            took.append(perf_counter() - began)
        assert len(page) == 50
        assert min(took) < 0.02
    assert [isinstance(line.of, Said) for line in page].count(True) == 25


def test_what_was_said_beside_an_app_is_in_the_history_and_nobody_elses_is(store: Store) -> None:
    for conversation, by in (
        (messages.of_app("ada", "demo"), "ada"), (messages.of_app("adam", "demo"), "adam"), ("user:ada0", "ada0"),
    ):  # fmt: skip
        store.db.write_now(messages.add, conversation, store.author().at, by, "user", f"of {by}")
    assert texts(listed(store)) == ["of ada"]
    assert texts(listed(store, by="adam")) == ["of adam"]


def test_an_answer_is_found_in_the_history_and_a_call_is_not(store: Store) -> None:
    talk, at = messages.of_app("ada", "demo"), store.author().at
    store.db.write_now(messages.add, talk, at, "ada", "answer", "It is four.", state="done", data={"question": 1})
    store.db.write_now(calls.add, asked(talk))
    assert texts(listed(store)) == ["It is four."]
    assert texts(listed(store, Wanted(words="FOUR"))) == ["It is four."]


def test_what_was_cleared_away_is_not_in_the_history_until_it_is_shown_again(store: Store) -> None:
    say(store, "before")
    store.db.write_now(messages.clear, messages.general("ada"), 1)
    say(store, "after")
    assert texts(listed(store)) == ["after"]
    store.db.write_now(messages.clear, messages.general("ada"), 0)
    assert texts(listed(store)) == ["after", "before"]
