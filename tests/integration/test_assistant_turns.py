"""Questions, answers and what they leave in the log."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pipulate.chat import answering, turn
from pipulate.chat.assistant import CHOICE
from pipulate.chat.turn import WAITING_MAX
from pipulate.errors import BadNameError, CallError, CallNotFoundError, ModelMissingError, RunNotFoundError
from pipulate.events import AnswerGrew, MessageChanged, MessagesAdded, ModelChanged
from pipulate.llm.port import Call
from pipulate.security.who import Who
from pipulate.storage import keyvalue, lifecycle, messages, profiles
from pipulate.storage.database import Transaction
from pipulate.tools.action import Doing
from tests.contract.conftest import stores  # noqa: F401 - both kinds of store
from tests.support.rooms import opened
from tests.support.scripted import ADA, MODEL, Room, Says, failing, until
from tests.support.store import Postgres, Sqlite

TALK = messages.general("ada")
BOB = Who("bob")


@pytest.fixture
async def room(stores: Sqlite | Postgres, tmp_path: Path) -> AsyncIterator[Room]:  # noqa: F811
    """An assistant over an empty store."""
    async with opened(stores, tmp_path) as room:
        yield room


async def begun(room: Room, talk: str = TALK, words: int = 1) -> None:
    """Wait until an answer has some words."""
    await until(lambda: (growing := room.assistant.growing(talk)) is not None and len(growing.chunks) >= words)


# Questions and answers


async def test_a_question_is_answered_and_both_stand_in_the_log(room: Room) -> None:
    room.model.script("It is four.")
    seq = await room.ask(TALK, "Two and two?")
    asked, answer = room.log(TALK)
    assert (asked.seq, asked.role, asked.text, asked.state) == (seq, "user", "Two and two?", "done")
    assert (answer.role, answer.text, answer.state) == ("answer", "It is four.", "done")
    assert answer.data["question"] == seq
    assert answer.data["model"] == MODEL


async def test_asking_waits_for_no_model(room: Room) -> None:
    hold = asyncio.Event()
    room.model.script(Says("", hold=hold), "Second.")
    await asyncio.wait_for(room.assistant.ask(TALK, ADA, "one"), 5)
    await asyncio.wait_for(room.assistant.ask(TALK, ADA, "two"), 5)
    assert [each.text for each in room.log(TALK) if each.role == "user"] == ["one", "two"]
    hold.set()
    await room.assistant.idle(TALK)


async def test_without_a_model_what_is_written_is_a_note(room: Room) -> None:
    room.model.condition = "down"
    await room.ask(TALK, "Hello?")
    (note,) = room.log(TALK)
    assert (note.text, note.state, note.data) == ("Hello?", None, {})
    assert room.model.asked == []


async def test_a_question_whose_model_went_meanwhile_says_so_and_is_asked_again(room: Room) -> None:
    room.model.condition = "down"
    await room.assistant.ask(TALK, ADA, "Hello?", is_question=True)
    await room.assistant.idle(TALK)
    asked, answer = room.log(TALK)
    assert (asked.role, asked.text, asked.state) == ("user", "Hello?", "done")
    assert (answer.state, answer.data["error"]["code"]) == ("failed", "model.missing")
    room.model.condition = "up"
    room.model.script("Hello.")
    await room.assistant.retry(TALK, ADA, answer.seq)
    await room.assistant.idle(TALK)
    assert room.log(TALK)[-1].text == "Hello."


@pytest.mark.parametrize("text", ["", "  \n", "x" * 20_001, "a\0b", "\ud800"])
async def test_a_question_that_cannot_be_stored_is_refused(room: Room, text: str) -> None:
    with pytest.raises(BadNameError):
        await room.assistant.ask(TALK, ADA, text)
    assert room.log(TALK) == []


async def test_only_the_person_of_a_conversation_asks_stops_and_asks_again(room: Room) -> None:
    run = room.store.start()
    await room.ask(run)
    answer = room.log(run)[-1].seq
    for talk in (run, TALK, messages.of_app("ada", "demo")):
        for attempt in (
            room.assistant.ask(talk, BOB, "mine?"), room.assistant.stop(talk, BOB), room.assistant.clear(talk, BOB),
            room.assistant.retry(talk, BOB, answer), room.assistant.conversations.export(talk, "bob"),
            room.assistant.conversations.search(talk, "bob", "x"), room.assistant.conversations.unclear(talk, "bob"),
            room.assistant.conversations.changed_since(talk, "bob", 0, 9),
        ):  # fmt: skip
            with pytest.raises(RunNotFoundError):
                await attempt
    assert len(room.log(run)) == 3


@pytest.mark.parametrize("talk", ["user:ada/", "user:ada/a\0", "user:ada/" + "x" * 201, "user:ada/a/b", "user:ada/<b>"])
async def test_what_only_looks_like_a_conversation_of_ones_own_is_none(room: Room, talk: str) -> None:
    with pytest.raises(RunNotFoundError):
        await room.assistant.ask(talk, ADA, "x")


async def test_fifty_questions_at_once_are_all_stored_and_answered_in_their_order(room: Room) -> None:
    room.model.default = lambda ask: Says(f"Re: {ask.messages[-1].text}")
    await asyncio.gather(*(room.assistant.ask(TALK, ADA, f"question {number}") for number in range(50)))
    await room.assistant.idle(TALK)
    log = room.log(TALK)
    assert [each.seq for each in log] == list(range(1, 101))
    asked = {each.seq: each.text for each in log if each.role == "user"}
    answers = [each for each in log if each.role == "answer"]
    assert [each.data["question"] for each in answers] == sorted(asked)
    assert [each.text for each in answers] == [f"Re: {asked[seq]}" for seq in sorted(asked)]
    assert room.model.most_open == 1


async def test_what_others_write_at_the_same_moment_changes_no_order_and_waits_for_no_model(room: Room) -> None:
    hold = asyncio.Event()
    room.model.script(Says("", hold=hold))

    def note(number: int) -> int:
        return room.db.write_now(messages.add, TALK, room.log(TALK)[0].at, "ada", "system", f"event {number}")

    first = await room.assistant.ask(TALK, ADA, "first")
    await begun(room, words=0)
    asking = [room.assistant.ask(TALK, ADA, f"question {number}") for number in range(25)]
    noting = [asyncio.to_thread(note, number) for number in range(25)]
    asked = (await asyncio.gather(*asking, *noting))[:25]  # All are stored while the model says nothing.
    hold.set()
    await room.assistant.idle(TALK)
    log = room.log(TALK)
    assert [each.seq for each in log] == list(range(1, 2 * 26 + 25 + 1))
    assert len({each.text for each in log if each.role == "system"}) == 25
    assert [each.data["question"] for each in log if each.role == "answer"] == [first, *sorted(asked)]


async def test_more_questions_than_anybody_waits_for_are_refused(room: Room) -> None:
    hold = asyncio.Event()
    room.model.script(Says("", hold=hold))
    for number in range(WAITING_MAX):
        await room.assistant.ask(TALK, ADA, f"{number}")
    with pytest.raises(BadNameError, match="no more can be taken"):
        await room.assistant.ask(TALK, ADA, "one more")
    await room.assistant.clear(TALK, ADA)


async def test_several_conversations_are_answered_at_the_same_time_but_not_all(room: Room) -> None:
    hold = asyncio.Event()
    talks = [messages.of_app("ada", f"app{number}") for number in range(6)]
    for talk in talks:
        room.model.script(Says("", hold=hold))
        await room.assistant.ask(talk, ADA, "x")
    await until(lambda: room.model.open == 4)
    hold.set()
    for talk in talks:
        await room.assistant.idle(talk)
    assert room.model.most_open == 4


async def test_the_model_a_person_has_chosen_is_asked(room: Room) -> None:
    room.db.write_now(keyvalue.put, "user", "ada", CHOICE, "tiny")
    await room.ask(TALK)
    assert set(room.model.choices) == {"tiny"}


async def test_what_an_answer_took_is_kept_and_teaches_the_next_estimate(room: Room) -> None:
    room.model.script(Says("Yes.", counted=(700, 3), thinking="hmm"))
    await room.ask(TALK)
    data = room.log(TALK)[-1].data
    assert data["usage"] == {"prompt": 700, "answer": 3, "total": 16_384, "shortened": False, "without": 0}
    assert data["thinking"] == "hmm"
    ((model, estimated, counted),) = room.model.tokens.learned
    assert (model, counted) == (MODEL, 700)
    assert estimated > 100


async def test_an_answer_that_was_cut_at_the_most_tokens_says_so(room: Room) -> None:
    room.model.script(Says("and so on", reason="length"))
    await room.ask(TALK)
    assert room.log(TALK)[-1].data["cut"] is True


async def test_whoever_listens_hears_of_every_message_word_and_change(room: Room) -> None:
    room.model.script("One two.")
    await room.ask(TALK)
    added = [each.seq for each in room.heard if isinstance(each, MessagesAdded)]
    changed = [each.change for each in room.heard if isinstance(each, MessageChanged)]
    assert added == [1, 2]
    assert max(changed) == room.db.read_now(messages.numbers, TALK)[1]
    assert [each for each in room.heard if isinstance(each, AnswerGrew)] == [AnswerGrew(TALK, 2)] * 2


async def test_questions_asked_before_it_is_known_whether_there_is_a_model_wait_for_that(room: Room) -> None:
    room.model.condition = "looking"
    await room.assistant.ask(TALK, ADA, "early")
    await until(lambda: len(room.model.choices) > 1)
    room.model.condition = "up"
    room.bus.publish(ModelChanged())
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == [("done", "Well.")]


# What goes wrong


async def test_an_error_of_the_model_keeps_what_came_and_says_why(room: Room) -> None:
    room.model.script(Says("Half of", error=failing("The server ended.")), "Whole.")
    await room.ask(TALK)
    answer = room.log(TALK)[-1]
    assert (answer.state, answer.text) == ("failed", "Half of")
    assert answer.data["error"] == {"code": "model.failed", "words": "The server ended."}
    assert answer.data["usage"]["total"] == 16_384
    await room.assistant.retry(TALK, ADA, answer.seq)
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == [("failed", "Half of"), ("done", "Whole.")]
    assert room.log(TALK)[-1].data["question"] == answer.data["question"]


@pytest.mark.parametrize(
    ("says", "code"),
    [(Says("x", error=KeyError("boom")), "model.nonsense"), (Says(""), "model.nonsense"),
     (Says("x", error=StopAsyncIteration()), "model.nonsense")],
)  # fmt: skip
async def test_whatever_a_model_does_the_turn_ends_and_the_next_goes_on(room: Room, says: Says, code: str) -> None:
    room.model.script(says, "Fine.")
    await room.ask(TALK, "one")
    await room.ask(TALK, "two")
    assert [each.data.get("error", {}).get("code") for each in room.log(TALK) if each.role == "answer"] == [code, None]


async def test_a_stream_without_an_end_is_no_whole_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.model.script("One two three.")
    monkeypatch.setattr(answering, "Ended", type("Never", (), {}))
    await room.ask(TALK)
    assert room.log(TALK)[-1].data["error"]["code"] == "model.cut"


async def test_a_model_that_is_gone_when_its_turn_comes_is_told_of(room: Room) -> None:
    hold = asyncio.Event()
    room.model.script(Says("", hold=hold))
    await room.assistant.ask(TALK, ADA, "one")
    await room.assistant.ask(TALK, ADA, "two")
    room.model.condition = "down"
    hold.set()
    await room.assistant.idle(TALK)
    answer = room.log(TALK)[-1]
    assert (answer.state, answer.data["error"]["code"]) == ("failed", "model.missing")
    assert answer.data["error"]["words"] == "The model is down."
    with pytest.raises(ModelMissingError, match="is down"):
        await room.assistant.retry(TALK, ADA, answer.seq)


async def test_what_the_page_shows_being_gone_ends_the_turn_with_words(room: Room) -> None:
    room.beside.error = RunNotFoundError("x")
    await room.ask(TALK)
    assert room.log(TALK)[-1].data["error"]["code"] == "run.not_found"


async def test_a_run_that_is_erased_while_it_is_answered_ends_the_answer_and_nothing_comes_back(room: Room) -> None:
    run, hold = room.store.start(), asyncio.Event()
    room.model.script(Says("So ", hold=hold))
    await room.assistant.ask(run, ADA, "x")
    await begun(room, run)
    room.store.do(lifecycle.delete, run)
    room.store.do(lifecycle.purge, run)
    hold.set()
    await room.assistant.idle(run)
    assert room.log(run) == []
    assert room.db.read_now(messages.numbers, run) == (0, 0, 0)


async def test_a_question_that_no_model_can_take_is_told_of_and_not_sent(room: Room) -> None:
    room.model.context = 2_048
    await room.ask(TALK, "x" * 20_000)
    assert room.log(TALK)[-1].data["error"]["code"] == "model.too_long"
    assert room.model.asked == []


async def test_another_try_is_for_an_answer_that_ended_and_is_there(room: Room) -> None:
    hold = asyncio.Event()
    room.model.script(Says("So ", hold=hold))
    seq = await room.assistant.ask(TALK, ADA, "x")
    await begun(room)
    with pytest.raises(CallError):
        await room.assistant.retry(TALK, ADA, seq + 1)
    for none in (seq, 99):
        with pytest.raises(CallNotFoundError):
            await room.assistant.retry(TALK, ADA, none)
    hold.set()
    await room.assistant.idle(TALK)
    await room.assistant.clear(TALK, ADA)
    with pytest.raises(CallNotFoundError):
        await room.assistant.retry(TALK, ADA, seq + 1)


async def test_an_answer_about_one_profile_is_not_given_while_another_is_chosen(room: Room) -> None:
    room.db.write_now(profiles.add, "acme", "Acme", room.store.author().at)
    hold = asyncio.Event()
    room.model.script(Says("", hold=hold))
    await room.assistant.ask(TALK, ADA, "one")
    await room.assistant.ask(TALK, ADA, "two")
    await begun(room, words=0)
    room.db.write_now(profiles.choose, "ada", "acme")
    hold.set()
    await room.assistant.idle(TALK)
    assert len(room.model.asked) == 1
    assert room.log(TALK)[-1].data["error"]["code"] == "model.profile"


# Stopping


@pytest.mark.parametrize("text", ["", "Some words"], ids=["before the first word", "in the middle"])
@pytest.mark.parametrize("is_deaf", [False, True], ids=["", "and the server does not listen"])
async def test_stopping_takes_less_than_a_second_and_keeps_what_came(room: Room, text: str, is_deaf: bool) -> None:
    hold = asyncio.Event()
    room.model.script(Says(text, hold=hold, is_deaf=is_deaf), "Next.")
    await room.assistant.ask(TALK, ADA, "one")
    await room.assistant.ask(TALK, ADA, "two")
    await begun(room, words=1 if text else 0)
    growing = room.assistant.growing(TALK)
    assert growing is not None
    began = time.perf_counter()
    assert await room.assistant.stop(TALK, ADA)
    assert time.perf_counter() - began < 1.0
    assert growing.is_over
    assert room.answers(TALK)[0] == ("stopped", text[:4])
    await room.assistant.idle(TALK)
    assert room.answers(TALK)[1] == ("done", "Next.")  # What waits is answered all the same.
    hold.set()
    await until(lambda: not room.model.open)
    assert room.answers(TALK)[0] == ("stopped", text[:4])


async def test_stopping_where_nothing_is_going_on_says_so(room: Room) -> None:
    assert not await room.assistant.stop(TALK, ADA)
    await room.ask(TALK)
    assert not await room.assistant.stop(TALK, ADA)


async def test_stopping_in_a_look_breaks_it_off(room: Room) -> None:
    room.effects.hold = asyncio.Event()
    room.model.script(Says("", calls=[("look", {}), ("look", {"number": 2})]))
    await room.assistant.ask(TALK, ADA, "look")
    await room.effects.begun.wait()
    began = time.perf_counter()
    assert await room.assistant.stop(TALK, ADA)
    assert time.perf_counter() - began < 1.0
    await room.assistant.idle(TALK)
    assert [each.state for each in room.calls(TALK)] == ["failed", "failed"]
    assert room.effects.done == []
    assert room.answers(TALK)[-1][0] == "stopped"
    assert len(room.model.asked) == 1


# Reading what an action gives


async def test_a_look_is_carried_out_at_once_and_the_model_is_told(room: Room) -> None:
    room.model.script(Says("I look.", calls=[("look", {"value": "x"})]), "It is done.")
    await room.ask(TALK, "look")
    ((name, given, doing),) = room.effects.done
    (row,) = room.calls(TALK)
    assert (name, given, doing.who.actor, doing.who.tab, doing.submit) == ("look", {"value": "x"}, "ada", None, row.id)
    assert (row.state, row.decided_by, row.result["words"]) == ("done", None, "Did look.")
    assert room.answers(TALK) == [("done", "I look."), ("done", "It is done.")]
    *_, question, said, result = room.model.asked[1].messages
    assert [each.role for each in (question, said, result)] == ["user", "assistant", "tool"]
    assert said.calls[0].arguments == {"value": "x"}
    assert result.call == said.calls[0].id
    assert "done" in result.text


async def test_a_long_result_is_cut_for_the_model_and_for_the_store(room: Room) -> None:
    room.effects.data = ["x" * 100] * 1_000
    room.model.script(Says("", calls=[("look", {})]), "Long.")
    await room.ask(TALK)
    (row,) = room.calls(TALK)
    assert row.result["cut"] is True
    assert len(row.result["data"]) == 8_000
    assert len(room.model.asked[1].messages[-1].text) < 9_000


@pytest.mark.parametrize(
    ("error", "words"),
    [(CallError("It is locked."), "It is locked."), (KeyError("secret"), "mistake in the action"),
     (ValueError("secret"), "mistake in the action")],
)  # fmt: skip
async def test_an_action_that_fails_says_so_to_the_model_and_no_more_than_it_should(
    room: Room, error: Exception, words: str
) -> None:
    room.effects.error = error
    room.model.script(Says("", calls=[("look", {})]), "It failed.")
    await room.ask(TALK)
    (row,) = room.calls(TALK)
    assert row.state == "failed"
    assert words in row.result["words"]
    assert "secret" not in room.model.asked[1].messages[-1].text


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [("erase_all", {}, "no tool of this name. There are: destroy, fill, look"),
     ("look", {"number": 7_000}, "number: Input should be less than or equal to 1000"),
     ("look", {"other": 1}, "Extra inputs are not permitted"), ("look", "{no json", "no JSON object"),
     ("fill", {"number": -1}, "greater than or equal to 0"), ("</data>" * 40, {}, "no tool of this name"),
     ("", {}, "no tool of this name")],
)  # fmt: skip
async def test_a_call_that_makes_no_sense_goes_back_to_the_model_and_to_nobody_else(
    room: Room, name: str, arguments: object, words: str
) -> None:
    room.model.script(Says("", calls=[(name, arguments)]), "Sorry.")
    await room.ask(TALK)
    (row,) = room.calls(TALK)
    assert row.state == "refused"
    assert words in row.result["words"]
    assert room.effects.done == []
    assert room.answers(TALK)[-1] == ("done", "Sorry.")
    assert words.split(".", maxsplit=1)[0] in room.model.asked[1].messages[-1].text


async def test_a_model_without_tools_is_offered_none(room: Room) -> None:
    room.model.has_tools = False
    room.model.script(Says("", calls=[("look", {})]), "No.")
    await room.ask(TALK)
    assert [len(each.tools) for each in room.model.asked] == [0, 0]
    assert room.calls(TALK)[0].state == "refused"


# Limits


async def test_asking_for_the_same_again_and_again_ends_the_turn(room: Room) -> None:
    room.model.default = lambda _: Says("", calls=[("look", {"value": "same"})])
    await room.ask(TALK)
    assert room.effects.named() == ["look", "look"]
    assert [each.state for each in room.calls(TALK)] == ["done", "done", "refused"]
    last = room.log(TALK)[-1]
    assert (last.state, last.data["error"]["code"]) == ("failed", "model.circles")
    assert len(room.model.asked) == 3


async def test_a_turn_has_so_many_answers_and_no_more(room: Room) -> None:
    room.model.default = lambda _: Says("", calls=[("look", {"number": len(room.model.asked)})])
    await room.ask(TALK)
    assert len(room.model.asked) == turn.ANSWERS_MAX
    assert room.log(TALK)[-1].data["error"]["code"] == "model.limit"


async def test_a_turn_has_so_many_actions_and_no_more(room: Room) -> None:
    room.model.script(Says("", calls=[("look", {"number": each}) for each in range(100)]))
    await room.ask(TALK)
    assert len(room.effects.done) == turn.CALLS_MAX
    assert len(room.model.asked) == 1
    assert room.log(TALK)[-1].data["error"]["code"] == "model.limit"


async def test_a_turn_has_so_many_tokens_and_no_more(room: Room) -> None:
    room.model.script(Says("", calls=[("look", {})], counted=(turn.TOKENS_MAX, 1)))
    await room.ask(TALK)
    assert len(room.model.asked) == 1
    assert room.log(TALK)[-1].data["error"]["code"] == "model.limit"


async def test_another_try_has_its_own_limits(room: Room) -> None:
    room.model.default = lambda _: Says("", calls=[("look", {"number": len(room.model.asked)})])
    await room.ask(TALK)
    room.model.default = lambda _: Says("At last.")
    await room.assistant.retry(TALK, ADA, room.log(TALK)[-1].seq)
    await room.assistant.idle(TALK)
    assert room.answers(TALK)[-1] == ("done", "At last.")


# Meanwhile


async def asked(room: Room, talk: str = TALK) -> turn.Turn:
    """Return a question that nobody answers yet, as a turn."""
    await room.assistant.close()
    await room.assistant.ask(talk, ADA, "x")
    due = room.db.read_now(turn.next_due, talk)
    assert due is not None
    return due


async def test_an_answer_to_a_question_that_was_left_meanwhile_is_not_begun(room: Room) -> None:
    due = await asked(room)
    at = due.question.at
    room.db.write_now(turn.leave, TALK, due.question.seq, at, "x")
    assert room.db.write_now(turn.begin, due, at, MODEL, "default", untrusted=False) is None
    assert len(room.log(TALK)) == 1


async def test_what_an_answer_asks_for_is_dropped_where_its_question_was_left_meanwhile(room: Room) -> None:
    due = await asked(room)
    at, offered = due.question.at, {each.name: each for each in room.effects.actions()}
    seq = room.db.write_now(turn.begin, due, at, MODEL, "default", untrusted=False)
    assert seq is not None
    room.db.write_now(turn.leave, TALK, due.question.seq, at, "x")
    data, doing = {"question": due.question.seq, "model": MODEL}, Doing(ADA, "default")
    looks = [Call("1", "look"), Call("2", "fill")]
    assert room.db.write_now(turn.finish, due, seq, at, "I will.", data, looks, offered, doing) == []
    assert [(each.role, each.state) for each in room.log(TALK)] == [("user", "done"), ("answer", "done")]


async def test_who_is_stopped_while_something_is_stored_ends_after_it_is(room: Room) -> None:
    begun, gate = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> int:
        begun.set()
        assert gate.wait(20)
        return messages.add(tx, TALK, room.store.author().at, "ada", "user", "stored")

    writing = asyncio.create_task(room.assistant._write(TALK, slow))
    await until(begun.is_set)
    writing.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not writing.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert [each.text for each in room.log(TALK)] == ["stored"]
    assert room.heard == [MessagesAdded(TALK, 1)]


# Ends and starts


@pytest.mark.parametrize("how", ["crash", "again"])
async def test_what_an_answer_had_when_the_program_ended_is_kept(
    room: Room, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "SAVE_EVERY_S", 0.0)
    room.model.script(Says("These words stay", hold=asyncio.Event()))
    await room.assistant.ask(TALK, ADA, "one")
    await until(lambda: room.answers(TALK) == [("open", "These")])
    await getattr(room, how)()
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == [("stopped", "These")]
    assert room.log(TALK)[-1].data["error"]["words"] == turn.ENDED
    assert room.log(TALK)[0].state == "done"


@pytest.mark.parametrize("how", ["crash", "again"])
async def test_questions_that_wait_are_answered_after_the_next_start(room: Room, how: str) -> None:
    room.model.script(Says("", hold=asyncio.Event()))
    for text in ("one", "two", "three"):
        await room.assistant.ask(TALK, ADA, text)
    await begun(room, words=0)
    await getattr(room, how)()
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == [("stopped", ""), ("done", "Well."), ("done", "Well.")]


async def test_a_look_that_the_end_of_the_program_broke_off_says_so(room: Room) -> None:
    room.effects.hold = asyncio.Event()
    room.model.script(Says("", calls=[("look", {})]))
    await room.assistant.ask(TALK, ADA, "look")
    await room.effects.begun.wait()
    await room.crash()
    await room.assistant.idle(TALK)
    assert (room.calls(TALK)[0].state, room.calls(TALK)[0].result["words"]) == ("failed", "It was broken off.")
    assert room.log(TALK)[0].state == "done"


async def test_an_assistant_that_ended_takes_nothing_up(room: Room) -> None:
    await room.assistant.close()
    await room.assistant.ask(TALK, ADA, "late")
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == []
    await room.again()
    await room.assistant.idle(TALK)
    assert room.answers(TALK) == [("done", "Well.")]


# Clearing, finding, taking along


async def test_clearing_stops_what_is_going_on_and_can_be_undone(room: Room) -> None:
    await room.ask(TALK, "old")
    hold = asyncio.Event()
    room.model.script(Says("Half of it", hold=hold))
    await room.assistant.ask(TALK, ADA, "now")
    await begun(room)
    await room.assistant.ask(TALK, ADA, "next")
    before = await room.assistant.clear(TALK, ADA)
    await room.assistant.idle(TALK)
    assert room.log(TALK) == []
    await room.ask(TALK, "new")
    assert all("old" not in each.text for each in room.model.asked[-1].messages)
    await room.assistant.conversations.unclear(TALK, "ada", before)
    assert [each.text for each in room.log(TALK)] == ["old", "Well.", "now", "Half", "next", "new", "Well."]
    assert [each.state for each in room.log(TALK)] == ["done", "done", "done", "stopped", "done", "done", "done"]


async def test_a_search_looks_in_one_conversation(room: Room) -> None:
    room.model.default = lambda _: Says("The Größe is 7.")
    await room.ask(TALK, "how big?")
    await room.ask(messages.of_app("ada", "demo"), "how big?")
    found = await room.assistant.conversations.search(TALK, "ada", "GROSSE 7")
    assert [each.text for each in found] == ["The Größe is 7."]
    assert await room.assistant.conversations.search(TALK, "ada", " ") == []


async def test_a_conversation_is_taken_along_as_text(room: Room) -> None:
    room.model.script(Says("I will.", calls=[("fill", {"value": "```\n# no heading"})]))
    await room.ask(TALK, "Fill it in")
    text = await room.assistant.conversations.export(TALK, "ada")
    assert text.startswith("# Conversation\n")
    assert "Fill it in" in text
    assert "I will." in text
    assert "### Action fill: asked" in text
    assert '````json\n{\n  "value": "```\\n# no heading"\n}\n````' in text


async def test_in_a_locked_profile_nothing_of_another_is_shown_or_told_to_a_model(room: Room) -> None:
    room.db.write_now(profiles.add, "acme", "Acme", room.store.author().at)
    beside = messages.of_app("ada", "demo")
    for talk in (TALK, beside):
        await room.ask(talk, "of the default profile")
    room.db.write_now(profiles.choose, "ada", "acme")
    room.db.write_now(lambda tx: profiles.lock(tx, "ada", is_on=True))
    for talk in (TALK, beside):
        await room.ask(talk, "of acme")
        shown = await room.assistant.conversations.after(talk, "ada", 0)
        assert [each.text for each in shown] == ["of acme", "Well."]
        assert all("of the default" not in each.text for each in room.model.asked[-1].messages)
        found = await room.assistant.conversations.search(talk, "ada", "of")
        assert [each.text for each in found] == ["of acme"]
        changed = await room.assistant.conversations.changed_since(talk, "ada", 0, 99)
        assert {each.seq for each in changed} == {each.seq for each in shown}
