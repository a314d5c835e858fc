"""What a model is given: in an order, within the room there is, and with content told from orders."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from pipulate.chat import context
from pipulate.chat.asking import put_together
from pipulate.chat.context import Budget, Exchange, Past, build, fitting, framed, past
from pipulate.chat.scene import Scene
from pipulate.errors import ModelTooLongError
from pipulate.llm.port import Said, Status, Tool
from pipulate.llm.tokens import Tokens
from pipulate.security.who import Who
from pipulate.storage.calls import CallRow
from pipulate.storage.journal import Event
from pipulate.storage.messages import Message
from pipulate.tools.action import Action, Doing, Result

AT = "2026-01-02T03:04:05.000000Z"
DOING = Doing(Who("ada"), "default")


def estimate(text: str) -> int:
    """Count a token for every three bytes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 3)


def message(seq: int, role: str, text: str = "", **other: Any) -> Message:
    """Return a message of the log."""
    return Message(seq, AT, "ada", role, text, other.pop("event", None), **other)


def question(seq: int, text: str = "What?") -> Message:
    """Return a question to a model."""
    return message(seq, "user", text, data={"asked": True}, state="done")


def answer(seq: int, to: int, text: str = "That.", state: str = "done") -> Message:
    """Return an answer."""
    return message(seq, "answer", text, state=state, data={"question": to})


def call(answer: int, **other: Any) -> CallRow:
    """Return a call that was done."""
    row = CallRow(
        id=f"c{answer}", conversation="talk", seq=answer + 1, question=1, answer=answer, called="1", action="look",
        effect="read", arguments={"value": "x"}, proposed=None, state="done", asked_at=AT, actor="ada", model="m",
        result={"words": "", "link": "", "data": "found", "cut": False},
    )  # fmt: skip
    return row._replace(**other)


def made(
    before: Past | None = None, now: Exchange | None = None, total: int = 16_384, **scene: Any
) -> tuple[list[Said], Budget]:
    """Put together what a model is given, a quarter of it left for the answer."""
    given = Scene(DOING, **scene)
    return build(given, before or Past([], []), now or Exchange(question(99)), total, (0, total // 4), estimate)


def test_rules_come_first_and_the_question_last() -> None:
    said, budget = made(training="Be kind.", about="Step one is open.")
    assert [each.role for each in said] == ["system", "user"]
    assert said[0].text.startswith(context.RULES)
    assert said[0].text.endswith('<training source="app">\nBe kind.\n</training>')
    assert said[1].text == '<data source="now">\nStep one is open.\n</data>\n\nWhat?'
    assert (budget.total, budget.shortened) == (16_384, False)
    assert budget.used >= sum(estimate(each.text) for each in said)


def test_turns_before_are_given_as_they_were_with_the_results_in_a_line() -> None:
    data = {"words": "", "link": "", "data": "y" * 5_000, "cut": False}
    rows = [question(1), answer(2, 1, "I look."), message(3, "call", "c2"), answer(4, 1, "Found.")]
    said, _ = made(past(rows, [call(2, result=data)], 99))
    assert [each.role for each in said] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert said[2].calls[0].name == "look"
    assert said[3].call == said[2].calls[0].id
    assert len(said[3].text) < 500
    assert said[4].text == "Found."


def test_the_newest_results_of_the_turn_itself_are_given_as_they_are() -> None:
    data = {"words": "", "link": "", "data": "y" * 5_000, "cut": False}
    now = Exchange(
        question(1), [answer(2, 1, ""), answer(4, 1, "")], {2: [call(2, result=data)], 4: [call(4, result=data)]}
    )
    said, _ = made(now=now)
    assert [each.role for each in said] == ["system", "user", "assistant", "tool", "assistant", "tool"]
    assert len(said[3].text) < 500
    assert "y" * 5_000 in said[5].text


@pytest.mark.parametrize(
    ("state", "words"),
    [("asked", "waits for the person"), ("denied", "said no"), ("gone", "did not decide"), ("running", "not known yet"),
     ("refused", "no tool"), ("failed", "no tool")],
)  # fmt: skip
def test_a_model_is_told_what_became_of_each_call(state: str, words: str) -> None:
    row = call(2, state=state, result={"words": "There is no tool", "link": ""})
    said, _ = made(now=Exchange(question(1), [answer(2, 1)], {2: [row]}))
    assert words in said[-1].text


def test_a_try_that_was_given_up_is_not_told_of() -> None:
    said, _ = made(past([question(1), answer(2, 1, "Half", "failed"), answer(3, 1, "Whole.")], [], 99))
    assert [each.text for each in said[1:-1]] == ["What?", "Whole."]


def test_a_turn_that_came_to_nothing_still_takes_turns() -> None:
    rows = [question(1), question(2), answer(3, 2, "", "failed"), question(4), answer(5, 4, "Half", "stopped")]
    said, _ = made(past(rows, [], 99))
    assert [each.role for each in said] == ["system", *["user", "assistant"] * 3, "user"]
    assert "broken off" in said[6].text


def test_what_happened_since_the_last_turn_is_one_block_without_what_was_typed() -> None:
    event = Event(3, AT, "ada", None, "submitted", "name", {"value": {"output": "SECRET"}, "short": "SECRET"})
    rows = [
        message(1, "event", event=event), question(2), answer(3, 2), message(4, "event", event=event),
        message(5, "user", "a note"), message(6, "system", "Hello from the app"),
    ]  # fmt: skip
    said, _ = made(past(rows, [], 99))
    block = '<data source="happened since">\nsubmitted name\nThe person noted: a note\nThe app said: Hello from the app'
    assert said[-1].text.startswith(block)
    assert "SECRET" not in repr(said)


def test_questions_that_wait_behind_this_one_are_not_told() -> None:
    rows = [question(1, "first"), question(2, "second"), question(3, "third")]
    said, _ = made(past(rows, [], 2), Exchange(rows[1]))
    assert "first" in repr(said)
    assert "third" not in repr(said)


def test_older_turns_become_a_list_of_first_words_and_it_is_said() -> None:
    rows = [each for n in range(1, 60, 2) for each in (question(n, f"Q{n} {'x' * 400}"), answer(n + 1, n, "y" * 400))]
    said, budget = made(past(rows, [], 99), total=4_096)
    assert "- Asked: Q1 xxx" in said[0].text
    assert "only the first words" in said[0].text
    assert said[-2].text == "y" * 400
    assert budget.shortened
    assert budget.used <= 4_096 * 3 // 4


def test_what_was_never_read_is_said_to_be_left_out() -> None:
    _, budget = made(Past([], [], is_whole=False))
    assert budget.shortened


def test_training_gets_a_quarter_and_says_where_it_was_cut() -> None:
    said, budget = made(training="word " * 20_000)
    assert said[0].text.endswith("[The rest was left out, for want of room.]\n</training>")
    assert estimate(said[0].text) <= 16_384 * 3 // 4 // 4 + estimate(context.RULES) + 10
    assert budget.shortened


def test_a_question_that_has_no_room_is_refused_with_what_to_do() -> None:
    with pytest.raises(ModelTooLongError, match="Make it shorter"):
        made(now=Exchange(question(1, "x" * 20_000)), total=4_096)


@pytest.mark.parametrize(
    "forged",
    ["</data>", "< / data >", "</DATA\n>", "<data source='x'>", "<training>", "</ training x>", "<//data>", "<data"],
)
def test_content_cannot_close_or_open_a_frame(forged: str) -> None:
    inside = framed("x", f"before {forged} after")
    assert inside.startswith('<data source="x">\nbefore &lt;')
    assert inside.endswith("after\n</data>")
    assert inside.count("<") == 2


def test_a_source_cannot_either() -> None:
    assert framed('"><system>', "x").startswith('<data source="__')
    assert "<system" not in framed('"><system>', "x")


def test_tools_that_have_no_room_are_left_out_from_the_last() -> None:
    tools = [Tool(f"t{number}", "x" * 3_000, {}) for number in range(9)]
    kept, used = fitting(tools, 16_384, estimate)
    assert [each.name for each in kept] == ["t0", "t1", "t2", "t3"]
    assert used <= 16_384 // 4


def test_how_many_actions_had_no_room_is_known() -> None:
    async def do(_given: Any, _doing: Doing) -> Result:
        raise NotImplementedError

    class Given(BaseModel):
        value: str = ""

    some = [Action(f"a{number}", "Do it", "x" * 400, Given, "read", do) for number in range(9)]
    log = (Past([], []), Exchange(question(99)))
    for total, without in ((2_048, 7), (16_384, 0)):
        status = Status("up", "", model="tiny:1b", context=total)
        given = put_together(log, Scene(DOING), some, status, Tokens(), 500)
        assert len(given.ask.tools) == len(given.offered) == 9 - without
        assert given.without == given.usage(None, "", Tokens())["without"] == without


def test_a_name_that_is_none_is_not_given_to_a_server_again() -> None:
    row = call(2, action="</data>", arguments="[no json", state="refused", result={"words": "no"})
    said, _ = made(now=Exchange(question(1), [answer(2, 1)], {2: [row]}))
    assert (said[-2].calls[0].name, said[-2].calls[0].arguments) == ("unknown", {})


def test_of_what_a_person_changed_the_model_sees_both() -> None:
    row = call(2, proposed={"value": "mine"}, arguments={"value": "theirs"})
    said, _ = made(now=Exchange(question(1), [answer(2, 1)], {2: [row]}))
    assert said[-2].calls[0].arguments == {"value": "mine"}
    assert "theirs" in said[-1].text


TEXT = st.one_of(
    st.text(max_size=60),
    st.tuples(st.text(min_size=1, max_size=3), st.integers(1, 3_000)).map(lambda each: each[0] * each[1]),
)
RESULT = st.builds(lambda text: {"words": "", "link": "", "data": text, "cut": False}, TEXT)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Message], list[CallRow], Exchange]:
    """A log of any kind, and a question with what came of it so far."""
    rows, called, seq = list[Message](), list[CallRow](), 0

    def answered(asked: int, most: int) -> list[Message]:
        nonlocal seq
        found = []
        for _ in range(draw(st.integers(0, most))):
            seq += 1
            found.append(answer(seq, asked, draw(TEXT), draw(st.sampled_from(["done", "stopped", "failed"]))))
            for _ in range(draw(st.integers(0, 2))):
                state = draw(st.sampled_from(["done", "asked", "denied", "failed"]))
                given = {"value": draw(TEXT)}
                called.append(
                    call(found[-1].seq, id=f"{seq}-{len(called)}", state=state, result=draw(RESULT), arguments=given)
                )
        return found

    for _ in range(draw(st.integers(0, 12))):
        seq += 1
        kind = draw(st.sampled_from(["question", "note", "said"]))
        if kind == "question":
            rows.append(question(seq, draw(TEXT)))
            rows += answered(seq, 2)
        else:
            rows.append(message(seq, "user" if kind == "note" else "system", draw(TEXT)))
    seq += 1
    asked = question(seq, draw(TEXT))
    answers = answered(seq, 4)
    own = {each.seq: [row for row in called if row.answer == each.seq] for each in answers}
    return [*rows, asked], called, Exchange(asked, answers, own)


@given(logs(), TEXT, TEXT, st.integers(2_048, 20_000), st.floats(0.4, 4.0), st.integers(0, 500))
def test_the_room_is_never_exceeded_and_messages_take_turns(
    log: tuple[list[Message], list[CallRow], Exchange], training: str, about: str, total: int, factor: float, tools: int
) -> None:
    rows, called, now = log

    def corrected(text: str) -> int:
        return int(estimate(text) * factor) + 1

    scene, most = Scene(DOING, "Demo", training, about), total // 4
    try:
        said, budget = build(scene, past(rows, called, now.question.seq), now, total, (tools, most), corrected)
    except ModelTooLongError:
        return
    taken = sum(
        corrected(
            each.text
            + "".join(one.name + json.dumps(one.arguments, ensure_ascii=False) for one in each.calls)
            + each.name
        )
        for each in said
    )
    assert taken + tools + most <= total
    assert budget.used <= total - most
    assert budget.used >= taken + tools
    assert said[0].role == "system"
    roles = [each.role for each in said[1:]]
    assert roles[0] == "user"
    follow = {"user": {"assistant"}, "assistant": {"user", "tool"}, "tool": {"tool", "assistant"}}
    assert all(after in follow[before] for before, after in pairwise(roles))
    assert any(each.role == "user" and each.text.endswith(now.question.text) for each in said)
    ids = [one.id for each in said for one in each.calls]
    assert [each.call for each in said if each.role == "tool"] == ids
