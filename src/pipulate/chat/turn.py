"""A turn, as the log has it: a question, the answers to it, the calls of each answer. Nothing of it is in memory only.

A turn goes from a question to an answer; where the answer has calls, to their results, and from there to the next
answer. Whoever looks at the log can tell where a turn stands, so it can go on a restart later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipulate._ids import new_id
from pipulate.chat import calls as judging
from pipulate.chat.scene import own_run, refuse_others
from pipulate.errors import BadNameError, CallError, CallNotFoundError
from pipulate.llm.port import Call
from pipulate.storage import calls, messages, profiles
from pipulate.storage.calls import ASKED, FAILED, GONE, OPEN, REFUSED, RUNNING, CallRow
from pipulate.storage.database import Transaction
from pipulate.storage.messages import Message
from pipulate.tools.action import Action, Doing

ANSWERS_MAX: Final = 8
CALLS_MAX: Final = 12
TOKENS_MAX: Final = 200_000
"""Limits of one turn: answers, calls, and tokens of all its prompts and answers together."""

WAITING_MAX: Final = 100
"""Most questions that wait in a conversation at one time."""

WANTED: Final = "propose"
"""Under what name a question has what is to be filled in; it gets one answer, and its call is always asked about."""

SAME_MAX: Final = 3
"""A turn that asks for exactly the same so often goes round in circles."""

Standing = Literal["due", "waits", "over"]
"""Whether the next answer can be written, or a call waits for its end, or nothing more comes."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn.

    Attributes:
        conversation: Id of the conversation.
        question: What was asked.
        answers: The answers of the newest try, the oldest first.
        calls: All calls of the turn, those of earlier tries too, in the order they were asked for.
    """

    conversation: str
    question: Message
    answers: Sequence[Message]
    calls: Sequence[CallRow]

    @property
    def since(self) -> int:
        """Number of the message before the newest try."""
        return int(self.question.data.get("since", self.question.seq))

    @property
    def is_proposal(self) -> bool:
        """Whether the model is to fill something in, and not to talk."""
        return WANTED in self.question.data

    @property
    def is_decided(self) -> bool:
        """Whether it is a proposal that was made, and of which nothing waits any more: nothing follows it."""
        made = bool(self.answers) and self.answers[-1].state == messages.DONE
        return self.is_proposal and made and self.standing == "due"

    @property
    def standing(self) -> Standing:
        """Where it stands, as long as nobody is writing an answer: one that is open then has to be ended."""
        if not self.answers:
            return "due"
        last = self.answers[-1]
        if last.state == messages.OPEN:
            return "due"
        own = [each for each in self.calls if each.answer == last.seq]
        if last.state != messages.DONE or not own:
            return "over"
        return "waits" if any(each.state in OPEN for each in own) else "due"

    def limit(self) -> tuple[str, str] | None:
        """Return code and words of the limit that keeps another answer from being written, or None."""
        tried = [each for each in self.calls if each.seq > self.since]
        usage = [each.data.get("usage", {}) for each in self.answers]
        if any(judging.same(tried, each.action, each.arguments) >= SAME_MAX for each in tried):
            return "model.circles", "The model goes round in circles: it asked for exactly the same again and again."
        if len(self.answers) >= ANSWERS_MAX or len(tried) > CALLS_MAX:
            return "model.limit", (
                f"The model came to no end: a question gets at most {ANSWERS_MAX} answers and {CALLS_MAX} actions."
            )
        if sum(each.get("prompt", 0) + each.get("answer", 0) for each in usage) >= TOKENS_MAX:
            return "model.limit", f"The model came to no end within {TOKENS_MAX:,} tokens, so it was stopped."
        return None


def put(tx: Transaction, conversation: str, actor: str, at: str, text: str, data: Mapping[str, Any]) -> int:
    """Append a question for a model; return its number.

    Raises:
        BadNameError: If too many wait already.
        RunNotFoundError: If the conversation is not the person's own.
    """
    own_run(tx, conversation, actor)  # An app may ask while another profile is locked; a page is refused before.
    if len(messages.open_questions(tx, conversation)) >= WAITING_MAX:
        raise BadNameError("So many questions wait for an answer here that no more can be taken. Wait, or stop them.")
    data = {"asked": True, "profile": profiles.chosen(tx, actor), **data}
    return messages.add(tx, conversation, at, actor, messages.USER, text, state=messages.OPEN, data=data)


def load(tx: Transaction, conversation: str, question: Message) -> Turn:
    """Read a turn."""
    since = int(question.data.get("since", question.seq))
    answers = messages.answers_to(tx, conversation, question.seq, since)
    return Turn(conversation, question, answers, calls.of_turn(tx, conversation, question.seq))


def next_due(tx: Transaction, conversation: str) -> Turn | None:
    """Return the turn that the next answer belongs to, the oldest question first; None where none can go on."""
    for question in messages.open_questions(tx, conversation):
        turn = load(tx, conversation, question)
        if turn.standing == "due":
            return turn
    return None


def begin(tx: Transaction, turn: Turn, at: str, model: str, profile: str, *, untrusted: bool) -> int | None:
    """Begin an answer; return its number, or None where the turn was left, or another profile chosen, meanwhile.

    Raises:
        RunNotFoundError: If the conversation is not there any more.
    """
    conversation, question = turn.conversation, turn.question
    refuse_others(tx, conversation, question.actor)
    now = messages.find(tx, conversation, question.seq)
    if now is None or now.state != messages.OPEN or now.data != question.data:
        return None
    if messages.is_outside(conversation, question.actor) and profiles.chosen(tx, question.actor) != profile:
        return None
    data: dict[str, Any] = {"question": question.seq, "model": model, "profile": profile}
    if untrusted:
        data["untrusted"] = True
    return messages.add(
        tx, conversation, at, question.actor, messages.ANSWER, "", state=messages.OPEN, data=data
    )  # fmt: skip


def finish(
    tx: Transaction,
    turn: Turn,
    seq: int,
    at: str,
    text: str,
    data: Mapping[str, Any],
    asked: Sequence[Call],
    offered: Mapping[str, Action],
    doing: Doing,
) -> list[CallRow]:
    """End an answer that came whole; return its calls, of which those that are `running` are to be carried out now.

    Of one whose question was left meanwhile there are none.
    """
    conversation, question = turn.conversation, turn.question
    is_open = messages.change(
        tx, conversation, seq, text=text, state=messages.DONE, data=data, was=messages.OPEN
    )  # fmt: skip
    now = messages.find(tx, conversation, question.seq)
    if not is_open or now is None or now.state != messages.OPEN:
        return []
    if not asked:
        messages.change(tx, conversation, question.seq, state=messages.DONE)
    model, made, before = str(data["model"]), list[CallRow](), [each for each in turn.calls if each.seq > turn.since]
    for each in asked:
        row = _judged(tx, turn, each, offered, doing, [*before, *made])
        row = row._replace(answer=seq, asked_at=at, model=model, ended_at=at if row.state == REFUSED else None)
        made.append(calls.add(tx, row))
    return made


def _judged(
    tx: Transaction, turn: Turn, asked: Call, offered: Mapping[str, Action], doing: Doing, before: Sequence[CallRow]
) -> CallRow:
    """Return a call with what becomes of it, as it will be stored but for where and when."""
    found = judging.judged(asked.name, asked.arguments, asked.broken, offered)
    action, state, words, grant = found.action, found.state, found.words, None
    if judging.same(before, asked.name, found.arguments) >= SAME_MAX - 1:
        state, words = REFUSED, "This was asked for before, exactly so. Answer with what is known."
    elif len(before) >= CALLS_MAX:
        state, words = REFUSED, "These are too many actions for one question. Answer with what is known."
    elif state == ASKED and action is not None and not turn.is_proposal and not _waits(before, turn):
        grant = judging.granted(tx, turn.conversation, action, doing)
        state = RUNNING if grant else ASKED
    return CallRow(
        id=new_id(), conversation=turn.conversation, seq=0, question=turn.question.seq, answer=0,
        called=asked.id[:200], action=judging.name_of(asked.name),
        effect=action.effect if action is not None else judging.UNKNOWN_EFFECT,
        arguments=found.arguments, proposed=None, state=state, asked_at="", actor=turn.question.actor, model="",
        granted_by=grant, result=judging.told(words) if state == REFUSED else None,
    )  # fmt: skip


def _waits(before: Sequence[CallRow], turn: Turn) -> bool:
    """Whether a call that comes first waits for a person: then what comes after it must not overtake it."""
    known = {each.id for each in turn.calls}
    return any(each.state == ASKED for each in before if each.id not in known)


def break_off(
    tx: Transaction, turn: Turn, at: str, state: str, text: str, data: Mapping[str, Any], carried: Collection[str]
) -> None:
    """End a turn without a whole answer; where none is open, one is added that says why.

    Args:
        tx: The transaction.
        turn: The turn.
        at: The moment.
        state: What the answer becomes, `stopped` or `failed`.
        text: What it has so far.
        data: What belongs to it.
        carried: Ids of the calls that are being carried out; others that should be will not be any more.
    """
    conversation, question = turn.conversation, turn.question
    for row in calls.of_turn(tx, conversation, question.seq):
        if row.state == RUNNING and row.id not in carried:
            words = judging.told("It was stopped before it began.")
            calls.change(tx, row.id, RUNNING, state=FAILED, ended_at=at, result=words)
    was_open = leave(tx, conversation, question.seq, at, "The question it came of was left.")
    for answer in messages.answers_to(tx, conversation, question.seq, turn.since):
        if answer.state == messages.OPEN:
            data = {**answer.data, **data}
            messages.change(tx, conversation, answer.seq, text=text or answer.text, state=state, data=data)
            return
    if was_open:
        data = {"question": question.seq, **data}
        messages.add(tx, conversation, at, question.actor, messages.ANSWER, "", state=state, data=data)


def leave(tx: Transaction, conversation: str, question: int, at: str, words: str) -> bool:
    """Let nothing more come of a question: what waits for a person is gone. Tell whether something was still to come.

    What is being carried out goes on: it cannot be called back, and says itself what became of it.
    """
    for row in calls.of_turn(tx, conversation, question):
        if row.state == ASKED:
            calls.change(tx, row.id, ASKED, state=GONE, ended_at=at, result=judging.told(words))
    return bool(messages.change(tx, conversation, question, state=messages.DONE, was=messages.OPEN))


def leave_all(tx: Transaction, conversation: str, at: str, words: str) -> bool:
    """Let nothing more come of any question of a conversation that waits for a person; tell whether there was one."""
    found = [load(tx, conversation, each) for each in messages.open_questions(tx, conversation)]
    waiting = [each for each in found if each.standing == "waits"]
    for turn in waiting:
        leave(tx, conversation, turn.question.seq, at, words)
    return bool(waiting)


def again(tx: Transaction, conversation: str, actor: str, answer: int) -> None:
    """Have the question of an answer answered once more.

    Raises:
        RunNotFoundError: If the conversation is not the person's own.
        CallNotFoundError: If there is no such answer any more.
        CallError: If more is to come of the question already.
    """
    refuse_others(tx, conversation, actor)
    last, _, cleared = messages.numbers(tx, conversation)
    found = messages.find(tx, conversation, answer)
    if found is None or found.role != messages.ANSWER or found.seq <= cleared:
        raise CallNotFoundError
    question = messages.find(tx, conversation, int(found.data["question"]))
    if question is None:
        raise CallNotFoundError
    data = {**question.data, "since": last}
    if not messages.change(tx, conversation, question.seq, state=messages.OPEN, data=data, was=messages.DONE):
        raise CallError("This is being answered still.")


def recover(tx: Transaction, at: str, before: str) -> None:
    """Put right, after a start, what nobody is working on any more.

    Args:
        tx: The transaction.
        at: The moment.
        before: Calls that were asked for before this moment have waited too long.
    """
    for conversation, seq in messages.open_answers(tx):
        answer = messages.find(tx, conversation, seq)
        assert answer is not None  # noqa: S101 - it was just found
        data = {**answer.data, "error": {"code": "model.ended", "words": ENDED}}
        messages.change(tx, conversation, seq, state=messages.STOPPED, data=data)
        leave(tx, conversation, int(answer.data["question"]), at, ENDED)
    for row in calls.running(tx):
        lost(tx, row, at)
    for row in calls.left(tx, before):
        leave(tx, row.conversation, row.question, at, "Nobody decided within a day.")


ENDED: Final = "The program was ended before this was done."


def lost(tx: Transaction, row: CallRow, at: str) -> None:
    """Write down that a call was begun and nothing is known of its end; its turn does not go on from there."""
    cut_short(tx, row, at)
    leave(tx, row.conversation, row.question, at, ENDED)


def cut_short(tx: Transaction, row: CallRow, at: str) -> None:
    """Write down that a call was begun and did not come to its end."""
    words = "It was broken off." if row.effect == "read" else "It was cut short: nobody knows whether it was done."
    calls.change(tx, row.id, RUNNING, state=FAILED, ended_at=at, result=judging.told(words))
