"""The panel: cards drawn from what is stored, forms that give back what they were made from, the line of the model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pipulate.llm.port import Condition, Known, Status
from pipulate.storage.calls import CallRow
from pipulate.storage.messages import Message
from pipulate.tools.action import Difference
from pipulate.ui.assistant import arguments as given
from pipulate.ui.assistant.answers import SoFar, answer
from pipulate.ui.assistant.cards import Card, call
from pipulate.ui.assistant.model import model_line
from pipulate.ui.assistant.panel import Talk, assistant, hits
from pipulate.ui.html import raw
from tests.unit.ui.test_html import EVIL, Parsed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = "2026-11-20T11:00:00.000000Z"
SCHEMA: dict[str, Any] = {
    "properties": {
        "title": {"type": "string", "description": "What it is called."},
        "count": {"type": "integer"},
        "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "done": {"type": "boolean"},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "parts": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["title"],
}
GIVEN = {"title": "x", "count": 3, "price": None, "done": True, "kind": "b", "parts": ["p", "q"]}


def row(state: str = "asked", **more: Any) -> CallRow:
    made = CallRow(
        "c1", "r", 5, 2, 4, "1", "do_it", "write", {"title": "stored"}, None, state, AT, "ann", "tiny:4b",
    )  # fmt: skip
    return made._replace(**more)


def text(card: Card) -> str:
    return Parsed(call(card, "ann", NOW)).text


def names(card: Card) -> list[str]:
    return [str(value) for name, value in Parsed(call(card, "ann", NOW)).attributes if name == "value"]


def test_form_gives_back_exactly_what_it_was_made_from() -> None:
    fields = given.asked(SCHEMA, GIVEN)
    assert [each.kind for each in fields] == ["text", "whole", "number", "tick", "choice", "json"]
    assert given.read(fields, given.texts(fields, GIVEN), GIVEN) == GIVEN
    assert given.read(fields, given.texts(fields, {"title": "x"}), {"title": "x"}) == {"title": "x"}


def test_what_was_typed_becomes_what_the_schema_says() -> None:
    fields = given.asked(SCHEMA, GIVEN)
    typed = {"title": "", "count": "-4", "price": "2.5", "kind": "a", "parts": '["z"]'}
    assert given.read(fields, typed, GIVEN) == {
        "title": "", "count": -4, "price": 2.5, "done": False, "kind": "a", "parts": ["z"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"count": "many"}, "“Count” is not a whole number."),
        ({"price": "cheap"}, "“Price” is not a number."),
        ({"kind": "c"}, "“Kind” is not allowed here."),
        ({"parts": "[1"}, "“Parts” is not valid JSON."),
    ],
)
def test_what_cannot_be_read_is_said(typed: dict[str, str], words: str) -> None:
    fields = given.asked(SCHEMA, GIVEN)
    with pytest.raises(ValueError, match="is not") as error:
        given.read(fields, given.texts(fields, GIVEN) | typed, GIVEN)
    assert str(error.value) == words


def test_argument_of_another_type_than_the_schema_says_is_shown_as_json_and_stays() -> None:
    odd = {"title": ["no", "text"], "count": "three"}
    fields = given.asked(SCHEMA, odd)
    assert [each.kind for each in fields[:2]] == ["json", "json"]
    assert given.read(fields, given.texts(fields, odd), odd) == odd


def test_card_shows_what_is_stored_before_and_after() -> None:
    card = Card(row(), "Do it", "d" * 32, [Difference("Name", "old", "new"), Difference("Gone", "was", None)])
    assert "Do it" in text(card)
    assert "old → After: new" in text(card).replace("  ", " ")
    assert "is taken away" in text(card)
    assert "stored" in text(card)
    assert "d" * 32 in names(card)


def test_allowing_for_the_run_is_offered_only_where_it_may_be() -> None:
    assert "allow_run" not in names(Card(row(), "Do it"))
    assert "allow_run" in names(Card(row(), "Do it", may_allow_for_run=True))


def test_what_takes_away_says_that_it_is_always_asked() -> None:
    assert "asked every time" in text(Card(row(effect="destroy"), "Do it"))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (row("done", decided_by="ann", result={"words": "It is done.", "link": ""}), "You allowed: It is done."),
        (row("done", granted_by="c0"), "Allowed for this run: Do it"),
        (row("done", effect="read"), "Do it"),
        (row("denied", decided_by="ann"), "You did not allow: Do it"),
        (row("refused", result={"words": "No such thing."}), "Was not done: Do it. No such thing."),
        (row("failed", decided_by="ann", result={"words": "It is locked."}), "Did not work: Do it. It is locked."),
        (row("gone"), "Was not decided in time, so it was not done: Do it"),
        (row("running", decided_by="ann"), "Under way: Do it"),
    ],
)
def test_call_that_is_over_is_one_line_in_plain_words(made: CallRow, words: str) -> None:
    shown = text(Card(made, "Do it"))
    assert shown.startswith(words)
    assert not {"allow", "deny"} & set(names(Card(made, "Do it")))


@pytest.mark.parametrize("link", ["https://evil.test", "//evil.test", "/\\evil.test", "javascript:x"])
def test_link_of_a_result_leads_nowhere_else(link: str) -> None:
    shown = Parsed(call(Card(row("done", result={"words": "x", "link": link}), "Do it"), "ann", NOW))
    assert "href" not in dict(shown.attributes)


def test_nothing_of_a_call_becomes_markup() -> None:
    evil = row(action=EVIL, arguments={EVIL: EVIL}, model=EVIL, called=EVIL)
    card = Card(evil, EVIL, EVIL, [Difference(EVIL, EVIL, EVIL)], EVIL, given.asked({"properties": {EVIL: {}}}, {}))
    for state in ("asked", "done", "refused"):
        made = call(Card(evil._replace(state=state, result={"words": EVIL}), EVIL), "ann", NOW) + call(card, "ann", NOW)
        assert "img" not in Parsed(raw(made)).tags


def growing(state: str = "open", **data: Any) -> Message:
    return Message(4, AT, "tiny:4b", "answer", "**whole**", None, None, state, data)


def test_answer_that_is_written_shows_what_there_is_of_it() -> None:
    made = answer(growing(), "r", NOW, SoFar(4, raw("<p>Block</p>"), "the tail", "a thought", 7, 2))
    assert ("data-grown", "7.2") in Parsed(made).attributes
    assert "Block" in Parsed(made).text
    assert "the tail" in Parsed(made).text
    assert ("data-grown", "0.0") in Parsed(answer(growing(), "r", NOW, SoFar(3, chunks=7))).attributes


def test_answer_says_how_it_ended_and_what_it_took() -> None:
    assert "Stopped." in Parsed(answer(growing("stopped"), "r", NOW)).text
    failed = growing("failed", error={"code": "model.cut", "words": "The connection ended."})
    assert "The connection ended." in Parsed(answer(failed, "r", NOW)).text
    used = growing("done", model="tiny:4b", usage={"prompt": 3_000, "answer": 120, "total": 16_384, "shortened": True})
    assert "3,120 of 16,384 tokens" in Parsed(answer(used, "r", NOW)).text
    assert "Older messages were left out" in Parsed(answer(used, "r", NOW)).text
    assert "no room to tell the model" not in Parsed(answer(used, "r", NOW)).text
    few = growing("done", usage={"prompt": 1_900, "answer": 20, "total": 2_048, "without": 9})
    assert "no room to tell the model of all it can do" in Parsed(answer(few, "r", NOW)).text


def test_line_of_the_model_says_what_is_and_what_to_do() -> None:
    two = (Known("tiny:4b"), Known("other:1b", has_tools=False))
    for status, words in (
        (None, "What you write here is kept as a note."),
        (Status("down", "No language model answers at x."), "No language model answers at x. What you write here"),
        (Status("no_model", "Ollama has none."), "Look again"),
        (Status("looking", "Looking for a language model."), "Looking for a language model."),
        (Status("up", "tiny answers.", "tiny:4b", known=two, has_tools=True), "other:1b"),
        (Status("up", "x", "tiny:4b", leaves=True, server="https://far.test"), "Answers leave this machine."),
        (Status("up", "x", "tiny:4b"), "not look anything up or do anything"),
    ):
        assert words in Parsed(model_line(status)[0]).text
    assert "Look again" not in Parsed(model_line(Status("off", "It is off."))[0]).text


def test_button_says_what_happens_to_what_is_written() -> None:
    up = Talk("r", status=Status("up", "x", "tiny:4b"))
    assert "Send" in Parsed(assistant(up, "ann", NOW)).text
    assert "Add note" in Parsed(assistant(Talk("r"), "ann", NOW)).text


def test_messages_are_out_of_reach_of_htmx() -> None:
    made = assistant(Talk("r", [growing("done")]), "ann", NOW)
    assert made.index("hx-disable") < made.index('id="messages"')


def test_cleared_conversation_offers_to_bring_it_back() -> None:
    assert "Undo" in Parsed(assistant(Talk("r", cleared=9), "ann", NOW)).text
    assert "Undo" not in Parsed(assistant(Talk("r", [growing("done")], cleared=2), "ann", NOW)).text


def test_what_is_found_is_marked_and_leads_to_its_place() -> None:
    made = Parsed(hits(Talk("r", [growing("done")]), "WHOLE", "ann", NOW))
    assert "mark" in made.tags
    assert ("data-goes-to", "4") in made.attributes
    assert "Nothing in this conversation contains" in Parsed(hits(Talk("r"), EVIL, "ann", NOW)).text


@pytest.mark.parametrize("condition", ["up", "loading", "looking"])
def test_line_says_that_what_is_written_leaves_whenever_it_is_sent(condition: Condition) -> None:
    status = Status(condition, "Words.", model="m", leaves=True, server="http://10.0.0.9/v1", has_tools=True)
    assert "goes to http://10.0.0.9/v1" in Parsed(model_line(status)[0]).text
    assert "leave" not in Parsed(model_line(replace(status, leaves=False))[0]).text
