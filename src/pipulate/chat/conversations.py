"""Conversations beside the work: what people write, what happens, and what a model answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipulate._clock import Clock, to_text
from pipulate.chat.scene import only_profile, refuse_others
from pipulate.errors import BadNameError
from pipulate.events import Bus, MessageChanged, MessagesAdded
from pipulate.storage import calls, messages
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Database, Transaction
from pipulate.storage.keys import BIDI, unprintable
from pipulate.storage.messages import Message

NOTE_MAX = 20_000
"""Longest note, and longest question, in characters."""

WORDS_MAX: Final = 10
"""Words a search looks at."""


class Conversations:
    """Writes and reads the conversations of one person at a time."""

    def __init__(self, db: Database, bus: Bus, clock: Clock) -> None:
        self._db, self._bus, self._clock = db, bus, clock

    async def note(self, conversation: str, actor: str, text: str) -> int:
        """Append a note; return its number.

        Raises:
            BadNameError: If it is empty, too long, or has characters that cannot be stored.
            RunNotFoundError: If the conversation is not the person's own.
        """
        text = checked_text(text)
        seq = await self._db.write(_add, conversation, actor, to_text(self._clock.now()), text)
        self._bus.publish(MessagesAdded(conversation, seq))
        return seq

    async def after(self, conversation: str, actor: str, seq: int) -> Sequence[Message]:
        """Return the messages that follow number `seq`, at most a page of them.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_after, conversation, actor, seq)

    async def before(self, conversation: str, actor: str, seq: int | None = None) -> Sequence[Message]:
        """Return the messages just before number `seq`, or the newest, at most a page of them, the oldest first.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_before, conversation, actor, seq)

    async def changed_since(self, conversation: str, actor: str, change: int, last: int) -> Sequence[Message]:
        """Return the messages up to number `last` that changed after change number `change`, in that order.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_changed, conversation, actor, change, last)

    async def calls(self, conversation: str, actor: str, shown: Sequence[Message]) -> Mapping[str, CallRow]:
        """Return the calls that some messages are about, by id.

        Raises:
            RunNotFoundError: As in `note`.
        """
        numbers = [each.seq for each in shown if each.role == messages.CALL]
        return await self._db.read(_calls, conversation, actor, numbers) if numbers else {}

    async def numbers(self, conversation: str, actor: str) -> tuple[int, int, int]:
        """Return the number of the newest message, of the newest change, and of the last message cleared away.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_numbers, conversation, actor)

    async def search(self, conversation: str, actor: str, words: str) -> Sequence[Message]:
        """Return the newest messages that have every word of a search, the oldest first; none for no words.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_search, conversation, actor, words.split()[:WORDS_MAX])

    async def clear(self, conversation: str, actor: str) -> int:
        """Show, and give to a model, what comes from now on only; return what `unclear` takes to undo that.

        Nothing is erased. `Assistant.clear` stops first what is going on.

        Raises:
            RunNotFoundError: As in `note`.
        """
        before, change = await self._db.write(_clear, conversation, actor, None)
        self._bus.publish(MessageChanged(conversation, change))
        return before

    async def unclear(self, conversation: str, actor: str, upto: int = 0) -> None:
        """Show again what was cleared away, but for what had been before that: the messages up to number `upto`.

        Raises:
            RunNotFoundError: As in `note`.
        """
        _, change = await self._db.write(_clear, conversation, actor, upto)
        self._bus.publish(MessageChanged(conversation, change))

    async def export(self, conversation: str, actor: str) -> str:
        """Return a conversation as Markdown: all that was said and asked for, without what was cleared away.

        Raises:
            RunNotFoundError: As in `note`.
        """
        parts, seq = ["# Conversation\n"], 0
        while page := await self.after(conversation, actor, seq):
            called = await self.calls(conversation, actor, page)
            parts += [told for each in page if (told := _as_markdown(each, called))]
            seq = page[-1].seq
        return "\n".join(parts)


def checked_text(text: str) -> str:
    """Return what a person wrote as it is stored.

    Raises:
        BadNameError: If it is empty, too long, or has characters that cannot be stored.
    """
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise BadNameError("Write something first.")
    if len(text) > NOTE_MAX:
        raise BadNameError(f"A note has at most {NOTE_MAX:,} characters; this one has {len(text):,}.")
    if (bad := unprintable(text, allowed="\n\t" + BIDI)) is not None:
        raise BadNameError(f"A note cannot contain the invisible character {bad}.")
    return text


def _add(tx: Transaction, conversation: str, actor: str, at: str, text: str) -> int:
    refuse_others(tx, conversation, actor)
    return messages.add(tx, conversation, at, actor, messages.USER, text)


def _after(tx: Transaction, conversation: str, actor: str, seq: int) -> list[Message]:
    refuse_others(tx, conversation, actor)
    return messages.after(tx, conversation, seq, profile=only_profile(tx, conversation, actor))


def _before(tx: Transaction, conversation: str, actor: str, seq: int | None) -> list[Message]:
    refuse_others(tx, conversation, actor)
    return messages.before(tx, conversation, seq, profile=only_profile(tx, conversation, actor))


def _changed(tx: Transaction, conversation: str, actor: str, change: int, last: int) -> list[Message]:
    refuse_others(tx, conversation, actor)
    only = only_profile(tx, conversation, actor)
    return messages.changed_since(tx, conversation, change, last, profile=only)


def _calls(tx: Transaction, conversation: str, actor: str, numbers: Sequence[int]) -> dict[str, CallRow]:
    refuse_others(tx, conversation, actor)
    return calls.between(tx, conversation, min(numbers), max(numbers))


def _numbers(tx: Transaction, conversation: str, actor: str) -> tuple[int, int, int]:
    refuse_others(tx, conversation, actor)
    return messages.numbers(tx, conversation)


def _search(tx: Transaction, conversation: str, actor: str, words: Sequence[str]) -> list[Message]:
    refuse_others(tx, conversation, actor)
    if not words:
        return []
    return messages.search(tx, conversation, words, profile=only_profile(tx, conversation, actor))


def _clear(tx: Transaction, conversation: str, actor: str, upto: int | None) -> tuple[int, int]:
    refuse_others(tx, conversation, actor)
    last, _, cleared = messages.numbers(tx, conversation)
    change = messages.clear(tx, conversation, last if upto is None else max(0, min(upto, cleared)))
    return cleared, change


_WROTE: Final = {messages.USER: "You", messages.ANSWER: "Assistant"}
_ENDS: Final = {messages.OPEN: "is being written", messages.STOPPED: "stopped", messages.FAILED: "broken off"}


def _as_markdown(message: Message, called: Mapping[str, CallRow]) -> str:
    """Return one message; "" for what happened, which is in the history of the run or of the records."""
    if message.event is not None or message.role == messages.RECORD:
        return ""
    if message.role == messages.CALL:
        row = called.get(message.text)
        return _call_as_markdown(row, message.at) if row is not None else ""
    who = _WROTE.get(message.role, "App")
    end = f" ({_ENDS[message.state]})" if message.role == messages.ANSWER and message.state in _ENDS else ""
    return f"## {who}, {message.at}{end}\n\n{message.text}\n" if message.text or end else ""


def _call_as_markdown(row: CallRow, at: str) -> str:
    arguments = json.dumps(row.arguments, indent=2, ensure_ascii=False)
    longest = max((len(each) for each in re.findall("`+", arguments)), default=0)
    fence = "`" * max(3, longest + 1)  # Longer than any in it, so that nothing ends it early.
    name = re.sub(r"[^\w -]", "_", row.action)
    words = row.result.get("words", "") if isinstance(row.result, Mapping) else ""
    told = f"\n{words}\n" if words else ""
    return f"### Action {name}: {row.state}, {at}\n\n{fence}json\n{arguments}\n{fence}\n{told}"
