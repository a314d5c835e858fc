"""Conversations: append-only lists of messages, each in the order its transactions committed.

The number of a message is taken from its conversation's row in the transaction that writes it. The row stays locked
until the commit, so whoever has read up to number n has missed nothing below n. A run's conversation has the run's id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pipulate.storage import profiles
from pipulate.storage.database import Transaction
from pipulate.storage.journal import Event, storable
from pipulate.storage.records.operations import COLUMNS as OPERATION_COLUMNS
from pipulate.storage.records.operations import OperationRow
from pipulate.storage.records.queries import folded

EVENT_COLUMNS = ("version", "at", "actor", "tab", "kind", "step", "data")

PAGE = 200
"""Most messages read at a time."""

RECORD = "record"
"""Role of a line about something that was done to records; its text is the id of the operation."""

WANTED, HIDDEN = "record_messages", "hidden"
"""What a person has said about such lines, and what they say who want none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        seq: Its number in the conversation, from 1, without gaps.
        at: Moment, as `_clock.to_text` writes it.
        actor: Id of the person.
        role: `user` for what a person wrote, `event` for what happened in the run.
        text: What was written; empty for an event.
        event: What happened in a run, or None.
        done: What was done to records, or None.
    """

    seq: int
    at: str
    actor: str
    role: str
    text: str
    event: Event | None
    done: OperationRow | None = None


def general(owner: str) -> str:
    """Return the id of the conversation a person has outside every run."""
    return f"user:{owner}"


def open_conversation(tx: Transaction, conversation: str) -> None:
    """Begin a conversation; nothing happens where it exists."""
    tx.run("INSERT INTO conversations (id, last) VALUES (:id, 0) ON CONFLICT (id) DO NOTHING", id=conversation)


def add(tx: Transaction, conversation: str, at: str, actor: str, role: str, text: str) -> int:
    """Append what somebody wrote; return its number."""
    return _append(tx, conversation, at, actor, role, text, None)


def add_event(tx: Transaction, run: str, at: str, actor: str, version: int) -> int:
    """Append a reference to an event of the run's journal; return its number."""
    return _append(tx, run, at, actor, "event", None, version)


def add_done(tx: Transaction, at: str, actor: str, operation: str) -> int:
    """Append a reference to something that a person did to records to their own conversation; return its number."""
    return _append(tx, general(actor), at, actor, RECORD, operation, None)


def after(
    tx: Transaction, conversation: str, seq: int, limit: int = PAGE, *, profile: str | None = None
) -> list[Message]:
    """Return the messages that follow number `seq`, oldest first, at most `limit`; `profile` as in `before`."""
    of, chosen = _only(profile)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.seq > :seq{of}"  # noqa: S608
        " ORDER BY m.seq LIMIT :limit",
        conversation=conversation, seq=seq, limit=limit, **chosen,
    )  # fmt: skip
    return [_message(row) for row in rows]


def before(
    tx: Transaction, conversation: str, seq: int | None = None, limit: int = PAGE, *, profile: str | None = None
) -> list[Message]:
    """Return the messages just before number `seq` (the newest where it is None), oldest first, at most `limit`.

    With `profile`, of a conversation outside of runs only those that were written while it was chosen, and none that
    is about the profiles.
    """
    of, chosen = _only(profile)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.seq < :seq{of}"  # noqa: S608
        " ORDER BY m.seq DESC LIMIT :limit",
        conversation=conversation, seq=seq if seq is not None else 2**31 - 1, limit=limit,
        **chosen,
    )  # fmt: skip
    return [_message(row) for row in reversed(rows)]


def _only(profile: str | None) -> tuple[str, dict[str, str]]:
    if profile is None:
        return "", {}
    return (
        " AND m.profile = :profile AND (o.resource IS NULL OR o.resource <> :apart)",
        {"profile": profile, "apart": profiles.NAME},
    )


_OWN = "m.seq, m.at, m.actor, m.role, m.text"
_EVENT = ", ".join(f"e.{each}" for each in EVENT_COLUMNS)
_DONE = ", ".join(f"o.{each}" for each in OPERATION_COLUMNS)
_COLUMNS = f"{_OWN}, {_EVENT}, {_DONE}"
_JOINED = (
    "messages m LEFT JOIN run_events e ON e.run = m.conversation AND e.version = m.event"
    # The id stands there as JSON, between quotation marks.
    f" LEFT JOIN record_operations o ON m.role = '{RECORD}' AND o.id = substr(m.text, 2, 32)"
)


def _append(
    tx: Transaction, conversation: str, at: str, actor: str, role: str, text: str | None, event: int | None
) -> int:
    row = tx.one(
        "INSERT INTO conversations (id, last) VALUES (:id, 1)"
        " ON CONFLICT (id) DO UPDATE SET last = conversations.last + 1 RETURNING last",
        id=conversation,
    )
    assert row is not None  # noqa: S101 - an upsert always returns a row
    seq: int = row[0]
    tx.run(
        "INSERT INTO messages (conversation, seq, at, actor, role, text, event, profile, found)"
        " VALUES (:conversation, :seq, :at, :actor, :role, :text, :event, :profile, :found)",
        conversation=conversation, seq=seq, at=at, actor=actor, role=role,
        text=json.dumps(text) if text is not None else None, event=event,
        profile=profiles.chosen(tx, actor) if conversation == general(actor) else None,
        found=storable(folded(text)) if text is not None and role != RECORD else None,
    )  # fmt: skip
    return seq


def _message(row: Any) -> Message:
    seq, at, actor, role, text, *more = row
    version, e_at, e_actor, tab, kind, step, data, *operation = more
    event = Event(version, e_at, e_actor, tab, kind, step, json.loads(data)) if version is not None else None
    done = OperationRow(*operation) if operation[0] is not None else None
    return Message(seq, at, actor, role, json.loads(text) if text else "", event, done)
