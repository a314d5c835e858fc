"""The assistant of every conversation: one turn after another over the log, and nothing done that nobody allowed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
from pipulate.chat import calls as judging
from pipulate.chat import proposing, turn
from pipulate.chat.answering import hear, put_by
from pipulate.chat.asking import Made, put_together, read_log
from pipulate.chat.calls import Decision, own_call
from pipulate.chat.carrying import Carrying
from pipulate.chat.conversations import Conversations, checked_text
from pipulate.chat.growing import Growing
from pipulate.chat.scene import Asked, Proposals, Scenes, refuse_others
from pipulate.chat.turn import Turn
from pipulate.errors import (
    CallDecidedError,
    CallError,
    ModelError,
    ModelMissingError,
    PipulateError,
)
from pipulate.events import AnswerGrew, Bus, Happening, MessageChanged, MessagesAdded, ModelChanged
from pipulate.llm.port import Status
from pipulate.security.who import Who
from pipulate.storage import calls, keyvalue, messages
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Database, Transaction
from pipulate.tools.action import Doing
from pipulate.tools.registry import Registry

P = ParamSpec("P")
T = TypeVar("T")
_log = get_logger()

CHOICE: Final = "model"
"""Name under which the model that a person has chosen stands among what they have set."""

_AT_ONCE: Final = 4  # Conversations that are answered at the same time; a local model has one pair of hands.
_LET_GO_S: Final = 0.5  # What was told to stop gets this long to end by itself.
_KNOWN_S: Final = 10.0  # How long a question waits, after a start, until it is known whether there is a model.
_THINKING_MAX: Final = 20_000  # characters

_HAS_MODEL: Final = ("up", "loading", "looking")


@dataclass(slots=True)
class _Talk:
    """What is going on in one conversation.

    Attributes:
        worker: Works off its questions, one after another.
        growing: The answer that is being written, or None.
        data: What is known of it.
        stop: Set when the person wants the answer to stop; None while there is none to stop.
        stopped: Set when that answer has ended, in the store too.
        is_woken: Whether there may be more to do than the worker knows.
    """

    worker: asyncio.Task[None] | None = None
    growing: Growing | None = None
    data: dict[str, Any] = field(default_factory=dict)
    stop: asyncio.Event | None = None
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    is_woken: bool = False


class Assistant:
    """Takes questions, has them answered in order, and puts before the person what a model wants to do."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        clock: Clock,
        models: Asked,
        registry: Registry,
        scenes: Scenes,
        *,
        proposals: Proposals | None = None,
        answer: int = 2_048,
    ) -> None:
        """Wire it up; `answer` is the most tokens of an answer."""
        self._proposals = proposals
        self._db, self._bus, self._clock = db, bus, clock
        self._models, self._registry, self._scenes, self._most = models, registry, scenes, answer
        self.conversations = Conversations(db, bus, clock)
        self._talks: dict[str, _Talk] = {}
        self._carrying = Carrying(db, clock, registry, scenes, write=self._write, over=self._wake)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._known = asyncio.Event()
        self._is_closed = False
        self._unsubscribe: Callable[[], None] = bus.subscribe(self._hear_of)

    # What a person does

    async def ask(self, conversation: str, who: Who, text: str, *, view: str = "", is_question: bool = False) -> int:
        """Append a question and return its number, or a note where there is no model to ask; nothing waits for it.

        What somebody was told is a question stays one: where the model went meanwhile, its answer says so.

        Raises:
            BadNameError: If it is empty, too long, or too many wait already.
            RunNotFoundError: If the conversation is not the person's own.
        """
        text = checked_text(text)
        await self._db.read(refuse_others, conversation, who.actor)
        if not is_question and (await self.status(who)).condition not in _HAS_MODEL:
            return await self.conversations.note(conversation, who.actor, text)
        seq = await self._write(conversation, turn.put, conversation, who.actor, self._at(), text, {"view": view})
        self._wake(conversation)
        return seq

    async def propose(self, conversation: str, who: Who, text: str, wanted: Mapping[str, Any]) -> int:
        """Have the model fill something in, for the person to allow; return the number of the question.

        Nothing waits for it, and nothing is done before they allow it.

        Args:
            conversation: Id of the conversation.
            who: The person.
            text: What is asked for, in words.
            wanted: The same for `Proposals`, as JSON.

        Raises:
            ModelMissingError: If there is no model to ask; says what to do.
            BadNameError, RunNotFoundError: As in `ask`.
        """
        status = await self.status(who)
        if status.condition not in _HAS_MODEL:
            raise ModelMissingError(status.words)
        data = {turn.WANTED: dict(wanted)}
        seq = await self._write(conversation, turn.put, conversation, who.actor, self._at(), checked_text(text), data)
        self._wake(conversation)
        return seq

    async def stop(self, conversation: str, who: Who) -> bool:
        """Stop the answer that is being written, or what waits for a decision; tell whether there was one.

        What is being carried out already is not called back. Questions that wait are answered next.

        Raises:
            RunNotFoundError: As in `ask`.
        """
        await self._db.read(refuse_others, conversation, who.actor)
        talk = self._talks.get(conversation)
        if talk is not None and talk.stop is not None:
            talk.stop.set()
            await talk.stopped.wait()
            return True
        return await self._write(conversation, turn.leave_all, conversation, self._at(), "The person stopped it.")

    async def retry(self, conversation: str, who: Who, answer: int) -> None:
        """Have the question of an answer answered once more.

        Raises:
            RunNotFoundError, CallNotFoundError, CallError: As in `turn.again`.
            ModelMissingError: If there is no model to ask.
        """
        await self._db.read(refuse_others, conversation, who.actor)
        status = await self.status(who)
        if status.condition not in _HAS_MODEL:
            raise ModelMissingError(status.words)
        await self._write(conversation, turn.again, conversation, who.actor, answer)
        self._wake(conversation)

    async def decide(
        self,
        call: str,
        who: Who,
        decision: Decision,
        *,
        shown: str,
        arguments: Mapping[str, Any] | None = None,
    ) -> CallRow:
        """Write down what the person says to a call; one that is allowed is carried out from then on.

        Args:
            call: Its id.
            who: The person.
            decision: What they say; `allow_run` allows the action for the rest of the run as well.
            shown: `calls.digest` of the arguments that they were shown.
            arguments: Those they want instead, or None.

        Returns:
            The call as it is now: `running` or `denied`.

        Raises:
            CallNotFoundError: If there is none in a conversation of theirs.
            CallDecidedError: If it was decided before, is too old, or is not what was shown.
            CallError: If other arguments break the rules of the action; says which. Nothing is changed then.
        """
        row = await self._db.read(own_call, call, who.actor)
        edited = None
        if arguments is not None and decision != "deny":
            edited = self._edited(row, arguments)
        decided = await self._write(
            row.conversation, judging.decide, row, who.actor, decision, self._clock.now(), shown, edited
        )
        if isinstance(decided, str):
            await self._write(row.conversation, turn.leave, row.conversation, row.question, self._at(), decided)
            raise CallDecidedError(decided)
        if decided.state == calls.RUNNING:
            self._carrying.begin(decided)
        self._wake(row.conversation)
        return decided

    async def clear(self, conversation: str, who: Who) -> int:
        """Stop what is going on, and show what comes from now on only; return what `unclear` takes to undo that.

        Raises:
            RunNotFoundError: As in `ask`.
        """
        await self._db.read(refuse_others, conversation, who.actor)
        await self._write(conversation, _leave_open, conversation, who.actor, self._at())
        await self.stop(conversation, who)
        return await self.conversations.clear(conversation, who.actor)

    def growing(self, conversation: str) -> Growing | None:
        """Return the answer that is being written in a conversation, or None."""
        talk = self._talks.get(conversation)
        return talk.growing if talk is not None else None

    async def status(self, who: Who) -> Status:
        """Return how it stands with the model that a person has chosen, or the best there is."""
        return self._models.status(await self._db.read(_choice, who.actor))

    async def ready(self, who: Who) -> Status:
        """Return how it stands with the model that a person would ask now, once that is known.

        Raises:
            ModelMissingError: If there is none; says what to do.
        """
        return await self._model(who)

    def wake(self, conversation: str) -> None:
        """Work off the questions that somebody has put into a conversation with `turn.put`; on the event loop."""
        self._wake(conversation)

    def is_there(self, who: Who) -> bool:
        """Tell whether a person has a model to ask, going by the last look; it waits for the store."""
        return self._models.status(self._db.read_now(_choice, who.actor)).condition in _HAS_MODEL

    # Beginning and end

    async def start(self) -> None:
        """Put right what the last end of the program left open; before anybody asks for anything."""
        before = to_text(self._clock.now() - judging.EXPIRES)
        await self._db.write(turn.recover, self._at(), before)

    async def resume(self) -> None:
        """Go on with the questions that wait, once the apps they are about are there."""
        for conversation in await self._db.read(messages.waiting):
            self._wake(conversation)

    async def close(self) -> None:
        """Stop all answers; what they have so far is kept. What is being carried out gets a moment to end."""
        if self._is_closed:
            return
        self._is_closed = True
        self._unsubscribe()
        workers = [each.worker for each in self._talks.values() if each.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await self._carrying.close()

    async def idle(self, conversation: str) -> None:
        """Wait until nothing is going on in a conversation: all is answered, or waits for the person."""
        while True:
            talk = self._talks.get(conversation)
            tasks = self._carrying.tasks(conversation)
            if talk is not None and talk.worker is not None:
                tasks.append(talk.worker)
            if not tasks:
                return
            await asyncio.wait(tasks)

    # Working questions off

    def _wake(self, conversation: str) -> None:
        talk = self._talks.setdefault(conversation, _Talk())
        talk.is_woken = True
        if talk.worker is None and not self._is_closed:
            talk.worker = asyncio.create_task(self._work(conversation, talk), name=f"answers in {conversation}")

    async def _work(self, conversation: str, talk: _Talk) -> None:
        """Write what answers are due, the oldest question first; there is no worker where none is."""
        try:
            while talk.is_woken:
                talk.is_woken = False
                while (due := await self._db.read(turn.next_due, conversation)) is not None:
                    await self._step(due, talk)
        except Exception as error:  # noqa: BLE001 - task border: the questions are in the store, nothing is lost
            _log.error("assistant.failed", exc_info=error)
        finally:
            del self._talks[conversation]  # Between the last look at `is_woken` and this line nobody else gets a turn.

    async def _step(self, due: Turn, talk: _Talk) -> None:
        """Write one answer and do what it asks for, until that is done or somebody stops it."""
        talk.stop, talk.stopped = asyncio.Event(), asyncio.Event()
        talk.growing, talk.data = None, {}
        answering, stopping = asyncio.create_task(self._answer(due, talk)), asyncio.create_task(talk.stop.wait())
        words = "The person stopped it."
        try:
            await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            words = turn.ENDED
            raise
        finally:
            stopping.cancel()
            if not answering.done():
                answering.cancel()
                await asyncio.wait({answering}, timeout=_LET_GO_S)
                answering.add_done_callback(_forgotten)
                await self._end(due, talk, messages.STOPPED, "model.stopped", words)
            elif not answering.cancelled() and (error := answering.exception()) is not None:
                await self._failed(due, talk, error)
            if talk.growing is not None:
                talk.growing.is_over = True
            talk.growing, talk.stop = None, None
            talk.stopped.set()

    async def _answer(self, due: Turn, talk: _Talk) -> None:
        """Write the next answer of a turn, and carry out what it asks for and needs nobody's word."""
        if due.answers and due.answers[-1].state == messages.OPEN:
            await self._end(due, talk, messages.STOPPED, "model.ended", turn.ENDED)
        elif due.is_decided:
            await self._write(due.conversation, turn.leave, due.conversation, due.question.seq, self._at(), "")
        elif (limit := due.limit()) is not None:
            await self._end(due, talk, messages.FAILED, *limit)
        else:
            async with self._turns:
                made = await self._write_answer(due, talk)
            for row, doing in made:
                await self._carrying.wait(row, doing)

    async def _write_answer(self, due: Turn, talk: _Talk) -> list[tuple[CallRow, Doing]]:
        """Write the next answer; return its calls that are to be carried out now."""
        conversation, profile = due.conversation, str(due.question.data.get("profile", ""))
        made = await self._made(due)
        untrusted = made.is_untrusted
        seq = await self._write(
            conversation, turn.begin, due, self._at(), made.ask.model, profile, untrusted=untrusted
        )  # fmt: skip
        if seq is None or not made.is_of(profile):
            await self._end(due, talk, messages.FAILED, "model.profile", _OTHER_PROFILE)
            return []
        growing = talk.growing = Growing(seq)
        talk.data = {"question": due.question.seq, "model": made.ask.model, "profile": profile}
        talk.data |= {"untrusted": True} if untrusted else {}
        async with put_by(growing, lambda text: self._db.write(messages.keep, conversation, seq, text)):
            told = partial(self._bus.publish, AnswerGrew(conversation, seq))
            if made.proposal is None:
                heard = await hear(self._models, made.ask, growing, told, turn.CALLS_MAX + 1)
            else:
                heard = await proposing.proposed(self._models, made.ask, made.proposal, growing, told)
        talk.data["usage"] = made.usage(heard.ended, growing.text, self._models.tokens)
        if heard.error is not None:
            raise heard.error
        if heard.ended is not None and heard.ended.reason == "length":
            talk.data["cut"] = True
        data, doing = {**talk.data, **_thought(growing)}, made.scene.doing
        rows = await self._write(
            conversation, turn.finish, due, seq, self._at(), growing.text, data, heard.calls, made.offered, doing
        )
        growing.is_over = True
        return [(row, doing) for row in rows if row.state == calls.RUNNING]

    async def _made(self, due: Turn) -> Made:
        """Put together what the model is given.

        Raises:
            ModelMissingError: If there is none.
            ModelTooLongError: If it cannot take as much.
        """
        who = Who(due.question.actor)
        status = await self._model(who)
        scene = await self._scenes.scene(due.conversation, who, str(due.question.data.get("view", "")))
        if due.is_proposal and self._proposals is not None:
            proposal = await self._proposals.proposal(due.conversation, who, due.question.data[turn.WANTED])
            return proposing.made(proposal, scene, self._registry, status, self._models.tokens, self._most)
        offered = self._registry.offered(scene.doing) if status.has_tools else []
        log = await self._db.read(read_log, due)
        return put_together(log, scene, offered, status, self._models.tokens, self._most)

    async def _model(self, who: Who) -> Status:
        """Return how it stands with the model, once that is known.

        Raises:
            ModelMissingError: If there is none.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_KNOWN_S):
                while (status := await self.status(who)).condition in ("looking", "loading") and not status.model:
                    self._known.clear()
                    await self._known.wait()
        if not status.model:
            raise ModelMissingError(status.words)
        return status

    async def _failed(self, due: Turn, talk: _Talk, error: BaseException) -> None:
        if isinstance(error, PipulateError):
            await self._end(due, talk, messages.FAILED, error.code, str(error))
            return
        _log.error("assistant.failed", exc_info=error)
        words = "Something went wrong while this was answered; the log of the program says what."
        await self._end(due, talk, messages.FAILED, ModelError.code, words)

    async def _end(self, due: Turn, talk: _Talk, state: str, code: str, words: str) -> None:
        """End a turn that comes to no whole answer; what the answer has so far is kept."""
        text = talk.growing.text if talk.growing is not None else ""
        data = {**talk.data, "error": {"code": code, "words": words}}
        if talk.growing is not None:
            data |= _thought(talk.growing)
        await self._write(
            due.conversation, turn.break_off, due, self._at(), state, text, data, self._carrying.ids()
        )  # fmt: skip

    # Inside

    def _edited(self, row: CallRow, arguments: Mapping[str, Any]) -> dict[str, Any]:
        action = self._registry.find(row.action)
        if action is None:
            raise CallError("There is no such action any more.")
        try:
            return judging.as_used(action, arguments)
        except ValueError as error:
            raise CallError(str(error)) from None

    async def _write(
        self, conversation: str, unit: Callable[Concatenate[Transaction, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do something to a conversation in one transaction, and tell whoever listens what is new in it.

        A task that is cancelled meanwhile ends after the transaction has, so that what comes after finds it done.
        """

        def noted(tx: Transaction) -> tuple[T, tuple[int, ...], tuple[int, ...]]:
            was = messages.numbers(tx, conversation)
            return unit(tx, *args, **kwargs), was, messages.numbers(tx, conversation)

        writing = asyncio.ensure_future(self._db.write(noted))
        try:
            result, was, now = await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait({writing})
            if not writing.cancelled() and writing.exception() is None:
                self._tell(conversation, *writing.result()[1:])
            raise
        self._tell(conversation, was, now)
        return result

    def _tell(self, conversation: str, was: tuple[int, ...], now: tuple[int, ...]) -> None:
        if now[0] > was[0]:
            self._bus.publish(MessagesAdded(conversation, now[0]))
        if now[1] > was[1]:
            self._bus.publish(MessageChanged(conversation, now[1]))

    def _hear_of(self, happening: Happening) -> None:
        if isinstance(happening, ModelChanged):
            self._known.set()

    def _at(self) -> str:
        return to_text(self._clock.now())


_OTHER_PROFILE: Final = "Another profile was chosen meanwhile, so this was not answered. Ask again."


def _forgotten(task: asyncio.Task[None]) -> None:
    """Take note of how a task ended that nobody waits for any more; what it was for has ended already."""
    if not task.cancelled():
        task.exception()


def _thought(growing: Growing) -> dict[str, str]:
    text = "".join(growing.thinking)[:_THINKING_MAX]
    return {"thinking": text} if text.strip() else {}


def _choice(tx: Transaction, actor: str) -> str:
    try:
        chosen = keyvalue.get(tx, "user", actor, CHOICE)
    except KeyError:
        return ""
    return chosen if isinstance(chosen, str) else ""


def _leave_open(tx: Transaction, conversation: str, actor: str, at: str) -> None:
    """Let nothing more come of questions that wait, but for the one that is being answered: it is stopped."""
    refuse_others(tx, conversation, actor)
    for question in messages.open_questions(tx, conversation):
        turn.leave(tx, conversation, question.seq, at, "The conversation was cleared.")
