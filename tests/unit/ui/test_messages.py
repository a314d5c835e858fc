"""The conversation beside the work."""

from __future__ import annotations

from datetime import UTC, datetime

from pipulate.storage.journal import Event
from pipulate.storage.messages import Message
from pipulate.ui.assistant.panel import Talk, assistant
from pipulate.ui.messages import Names, grouped
from tests.unit.ui.test_html import EVIL, Parsed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = "2026-11-20T11:00:00.000000Z"


def note(seq: int, text: str, actor: str = "ann") -> Message:
    return Message(seq, AT, actor, "user", text, None)


def happening(seq: int, kind: str = "finalized") -> Message:
    return Message(seq, AT, "ann", "event", "", Event(seq, AT, "ann", None, kind, None, {}))


def test_events_in_a_row_are_one_folded_line() -> None:
    made = grouped(
        [note(1, "a"), happening(2), happening(3, "unfinalized"), note(4, "b"), happening(5)], Names(), "ann", NOW
    )
    assert made.count("<details>") == 2
    text = Parsed(made).text
    assert "2 things happened: unlocked the run" in text
    assert "1 thing happened: locked the run" in text


def test_messages_stay_in_their_order() -> None:
    made = grouped([note(1, "first"), happening(2), note(3, "third")], Names(), "ann", NOW)
    assert [value for name, value in Parsed(made).attributes if name == "data-seq"] == ["1", "2", "2", "3"]


def test_panel_knows_the_last_number_it_shows() -> None:
    for messages, last in (([], "0"), ([note(7, "x")], "7")):
        assert ("data-last", last) in Parsed(assistant(Talk("r", messages), "ann", NOW)).attributes


def test_panel_names_the_run_it_is_about_and_none_where_it_is_about_none() -> None:
    for conversation, runs in (("r", ["r"]), ("user:ann", [])):
        attributes = Parsed(assistant(Talk(conversation), "ann", NOW)).attributes
        assert [value for name, value in attributes if name == "data-run"] == runs


def test_note_says_who_wrote_it() -> None:
    text = Parsed(grouped([note(1, "a"), note(2, "b", "bob")], Names(), "ann", NOW)).text
    assert "You, " in text
    assert "bob, " in text


def test_no_text_becomes_markup() -> None:
    assert "img" not in Parsed(assistant(Talk(EVIL, [note(1, EVIL, EVIL)]), "ann", NOW)).tags
