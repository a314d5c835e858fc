"""Conversations beside the work. Until a model is connected they hold notes and what happened in the run."""

from __future__ import annotations

from collections.abc import Sequence

from pipulate._clock import Clock, to_text
from pipulate.errors import BadNameError, RunNotFoundError
from pipulate.events import Bus, MessagesAdded
from pipulate.storage import lookups, messages, profiles
from pipulate.storage.database import Database, Transaction
from pipulate.storage.keys import BIDI, unprintable
from pipulate.storage.messages import Message

NOTE_MAX = 20_000
"""Longest note, in characters."""


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
        text = text.replace("\r\n", "\n").strip()
        if not text:
            raise BadNameError("Write something first.")
        if len(text) > NOTE_MAX:
            raise BadNameError(f"A note has at most {NOTE_MAX:,} characters; this one has {len(text):,}.")
        if (bad := unprintable(text, allowed="\n\t" + BIDI)) is not None:
            raise BadNameError(f"A note cannot contain the invisible character {bad}.")
        seq = await self._db.write(_add, conversation, actor, to_text(self._clock.now()), text)
        self._bus.publish(MessagesAdded(conversation, seq))
        return seq

    async def after(self, conversation: str, actor: str, seq: int) -> Sequence[Message]:
        """Return the messages that follow number `seq`, at most a page of them.

        Raises:
            RunNotFoundError: As in `note`.
        """
        return await self._db.read(_after, conversation, actor, seq)


def _add(tx: Transaction, conversation: str, actor: str, at: str, text: str) -> int:
    _refuse_others(tx, conversation, actor)
    return messages.add(tx, conversation, at, actor, "user", text)


def _after(tx: Transaction, conversation: str, actor: str, seq: int) -> list[Message]:
    _refuse_others(tx, conversation, actor)
    is_apart = conversation == messages.general(actor) and profiles.is_locked(tx, actor)
    return messages.after(tx, conversation, seq, profile=profiles.chosen(tx, actor) if is_apart else None)


def _refuse_others(tx: Transaction, conversation: str, actor: str) -> None:
    """A conversation is either the person's general one or that of a run of theirs."""
    if conversation == messages.general(actor):
        return
    try:
        lookups.by_id(tx, conversation, actor)
    except RunNotFoundError:
        raise RunNotFoundError(conversation) from None
