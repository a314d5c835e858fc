"""Conversations: append-only lists of messages, each in the order its transactions committed.

The number of a message is taken from its conversation's row in the transaction that writes it. The row stays locked
until the commit, so whoever has read up to number n has missed nothing below n. A run's conversation has the run's id.

Two kinds of message change after they were written: an answer of a model, which grows, and a call, which is decided
and ends. Such a change takes the next number of change from the same row, so whoever knows all messages up to number n
and all changes up to number c asks for what is above, and has missed nothing either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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

ANSWER, CALL = "answer", "call"
"""Roles of what a model wrote, and of an action it asked for; the text of the latter is the id of the call."""

TOLD = "told"
"""Role of what an app tells a model and nobody else: no page shows it, and no search finds it."""

USER = "user"
"""Role of what a person wrote: a note, or a question to a model."""

OPEN, DONE, STOPPED, FAILED = "open", "done", "stopped", "failed"
"""States of an answer: still being written, whole, stopped by a person or a restart, broken off by an error."""

WANTED, HIDDEN = "record_messages", "hidden"
"""What a person has said about such lines, and what they say who want none."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        seq: Its number in the conversation, from 1, without gaps.
        at: Moment, as `_clock.to_text` writes it.
        actor: Id of the person.
        role: `user` for what a person wrote, `event` for what happened in the run, `answer` for what a model wrote,
            `call` for an action it asked for, `record` for what was done to records; any other for what an app said.
        text: What was written; empty for an event, the id for a call.
        event: What happened in a run, or None.
        done: What was done to records, or None.
        state: Of an answer, one of `OPEN`, `DONE`, `STOPPED`, `FAILED`. Of a question that a model is asked, `OPEN`
            until nothing more comes of it, then `DONE`. None for all others.
        data: What belongs to it, as JSON. Of a question: `asked` (true), `view`, what the page showed, `profile`, which
            one was chosen, and `since`, the number of the message before the newest try to answer it. Of an answer:
            `question` (number of the message it answers), `model`, `profile`, and at its end what is known of `usage`
            (tokens `prompt`, `answer`, `total` that there is room for; `shortened`, true where something was left out;
            `without`, the number of actions the model was not told of for want of room),
            `error` (`code`, `words`), `thinking` (text), `untrusted` (true where the model was shown others' words).
            Of a call: `question` and `answer`.
        changed: Number of the change that made it as it is, 0 where there was none.
    """

    seq: int
    at: str
    actor: str
    role: str
    text: str
    event: Event | None
    done: OperationRow | None = None
    state: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    changed: int = 0


def general(owner: str) -> str:
    """Return the id of the conversation a person has outside every run."""
    return f"user:{owner}"


def of_app(owner: str, app: str) -> str:
    """Return the id of the conversation a person has beside an app, outside of its runs."""
    return f"{general(owner)}/{app}"


def is_outside(conversation: str, owner: str) -> bool:
    """Tell whether a conversation is a person's own, beside an app or none, and not of a run."""
    own = general(owner)
    return conversation == own or conversation.startswith(f"{own}/")


def open_conversation(tx: Transaction, conversation: str) -> None:
    """Begin a conversation; nothing happens where it exists."""
    tx.run("INSERT INTO conversations (id, last) VALUES (:id, 0) ON CONFLICT (id) DO NOTHING", id=conversation)


def add(
    tx: Transaction,
    conversation: str,
    at: str,
    actor: str,
    role: str,
    text: str,
    *,
    state: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> int:
    """Append what somebody wrote; return its number."""
    return _append(tx, conversation, at, actor, role, text, None, state, data)


def change(
    tx: Transaction,
    conversation: str,
    seq: int,
    *,
    text: str | None = None,
    state: str | None = None,
    data: Mapping[str, Any] | None = None,
    was: str | None = None,
) -> int:
    """Change a question or an answer, or note that a call changed; what is None stays as it is.

    With `was`, only where it is in that state. Returns the number of the change, 0 where nothing was changed.
    """
    row = tx.one("UPDATE conversations SET changes = changes + 1 WHERE id = :id RETURNING changes", id=conversation)
    if row is None:
        return 0  # The run it belonged to was erased.
    new: dict[str, Any] = {}
    if text is not None:
        new |= {"text": json.dumps(text), "found": storable(folded(text))}
    if state is not None:
        new["state"] = state
    if data is not None:
        new["data"] = json.dumps(data)
    only, wanted = (" AND state = :was", {"was": was}) if was is not None else ("", {})
    count = tx.run(
        f"UPDATE messages SET {', '.join(f'{name} = :{name}' for name in ('changed', *new))}"  # noqa: S608
        f" WHERE conversation = :conversation AND seq = :seq{only}",
        conversation=conversation, seq=seq, changed=row[0], **new, **wanted,
    )  # fmt: skip
    return int(row[0]) if count else 0


def keep(tx: Transaction, conversation: str, seq: int, text: str) -> None:
    """Put by what an answer has so far, in case nobody can end it. No page is told: those that show it have more."""
    tx.run(
        "UPDATE messages SET text = :text, found = :found WHERE conversation = :conversation AND seq = :seq"
        " AND state = 'open'",
        conversation=conversation, seq=seq, text=json.dumps(text), found=storable(folded(text)),
    )  # fmt: skip


def changed_since(
    tx: Transaction,
    conversation: str,
    change: int,
    last: int,
    limit: int = PAGE,
    *,
    profile: str | None = None,
) -> list[Message]:
    """Return the messages up to number `last` that changed after change number `change`, in the order they changed.

    What was cleared away is not among them; `profile` as in `before`.
    """
    of, chosen = _only(profile)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.changed > :change"  # noqa: S608
        f" AND m.seq <= :last{_KEPT}{of} ORDER BY m.changed LIMIT :limit",
        conversation=conversation, change=change, last=last, limit=limit, **chosen,
    )  # fmt: skip
    return [_message(row) for row in rows]


def numbers(tx: Transaction, conversation: str) -> tuple[int, int, int]:
    """Return the number of the newest message, of the newest change, and of the last message that was cleared away."""
    row = tx.one("SELECT last, changes, cleared FROM conversations WHERE id = :id", id=conversation)
    return tuple(row) if row is not None else (0, 0, 0)


def clear(tx: Transaction, conversation: str, upto: int) -> int:
    """Show messages from the one after `upto` on only, and give a model no others; 0 shows all again.

    Where that hides more than before, `before_clear` is what was hidden until now.

    Returns the number of the change, by which pages learn of it; 0 where there is no conversation.
    """
    row = tx.one(
        "UPDATE conversations SET cleared = :upto, changes = changes + 1,"
        " cleared_before = CASE WHEN :upto > cleared THEN cleared ELSE cleared_before END"
        " WHERE id = :id RETURNING changes",
        upto=upto, id=conversation,
    )  # fmt: skip
    return int(row[0]) if row is not None else 0


def before_clear(tx: Transaction, conversation: str) -> int:
    """Return the number of the last message that was cleared away already when the newest clear hid what followed."""
    row = tx.one("SELECT cleared_before FROM conversations WHERE id = :id", id=conversation)
    return int(row[0]) if row is not None else 0


def open_answers(tx: Transaction) -> list[tuple[str, int]]:
    """Return conversation and number of every answer that is open; after a start, nobody writes them any more."""
    return [
        (conversation, seq)
        for conversation, seq in tx.all(
            "SELECT conversation, seq FROM messages WHERE state = 'open' AND role = :role ORDER BY conversation, seq",
            role=ANSWER,
        )
    ]


def waiting(tx: Transaction) -> list[str]:
    """Return every conversation with a question that is open."""
    found = tx.all(
        "SELECT DISTINCT conversation FROM messages WHERE state = 'open' AND role = :role ORDER BY conversation",
        role=USER,
    )
    return [conversation for (conversation,) in found]


def open_questions(tx: Transaction, conversation: str) -> list[Message]:
    """Return the questions of which more is to come, the oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation"  # noqa: S608
        " AND m.state = 'open' AND m.role = :role ORDER BY m.seq",
        conversation=conversation, role=USER,
    )  # fmt: skip
    return [_message(row) for row in rows]


def find(tx: Transaction, conversation: str, seq: int) -> Message | None:
    """Return one message, cleared away or not; None where there is none of that number."""
    row = tx.one(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.seq = :seq",  # noqa: S608
        conversation=conversation, seq=seq,
    )  # fmt: skip
    return _message(row) if row is not None else None


def answers_to(tx: Transaction, conversation: str, question: int, since: int) -> list[Message]:
    """Return the answers to a question that come after message number `since`, the oldest first."""
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.role = :role"  # noqa: S608
        " AND m.seq > :since ORDER BY m.seq",
        conversation=conversation, role=ANSWER, since=since,
    )  # fmt: skip
    return [each for row in rows if (each := _message(row)).data.get("question") == question]


def has_untrusted(tx: Transaction, conversation: str, seq: int) -> bool:
    """Tell whether an answer after message number `seq` was made by a model that was shown what others wrote."""
    rows = tx.all(
        "SELECT data FROM messages WHERE conversation = :conversation AND role = :role AND seq > :seq",
        conversation=conversation, role=ANSWER, seq=seq,
    )  # fmt: skip
    return any(json.loads(data).get("untrusted") for (data,) in rows if data)


def told(tx: Transaction, conversation: str, limit: int = 50, *, profile: str | None = None) -> list[Message]:
    """Return the newest messages that are for a model alone, the oldest first, at most `limit`; `profile` as there."""
    of, chosen = _only(profile)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.role = :role"  # noqa: S608
        f" AND m.seq > (SELECT cleared FROM conversations WHERE id = :conversation){of}"
        " ORDER BY m.seq DESC LIMIT :limit",
        conversation=conversation, role=TOLD, limit=limit, **chosen,
    )  # fmt: skip
    return [_message(row) for row in reversed(rows)]


def search(
    tx: Transaction, conversation: str, words: Sequence[str], limit: int = PAGE, *, profile: str | None = None
) -> list[Message]:
    """Return the newest messages that have every one of some words, oldest first; `profile` as in `before`."""
    of, chosen = _only(profile)
    named = {f"w{index}": f"%{literal(storable(folded(word)))}%" for index, word in enumerate(words)}
    having = "".join(f" AND m.found LIKE :{name} ESCAPE '\\'" for name in named)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation{having}{_KEPT}{of}"  # noqa: S608
        " ORDER BY m.seq DESC LIMIT :limit",
        conversation=conversation, limit=limit, **named, **chosen,
    )  # fmt: skip
    return [_message(row) for row in reversed(rows)]


def literal(text: str) -> str:
    """Return text as it stands for itself in a LIKE pattern, escaped by a backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def add_event(tx: Transaction, run: str, at: str, actor: str, version: int) -> int:
    """Append a reference to an event of the run's journal; return its number."""
    return _append(tx, run, at, actor, "event", None, version)


def add_done(tx: Transaction, at: str, actor: str, resource: str, operation: str) -> tuple[str, int]:
    """Append a reference to something that a person did to records to the conversation they have beside the resource.

    Returns conversation and number of the message.
    """
    conversation = of_app(actor, resource)
    return conversation, _append(tx, conversation, at, actor, RECORD, operation, None)


def after(
    tx: Transaction, conversation: str, seq: int, limit: int = PAGE, *, profile: str | None = None
) -> list[Message]:
    """Return the messages that follow number `seq`, oldest first, at most `limit`; `profile` as in `before`.

    What was cleared away is not among them, here and in `before`.
    """
    of, chosen = _only(profile)
    rows = tx.all(
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.seq > :seq{_KEPT}{of}"  # noqa: S608
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
        f"SELECT {_COLUMNS} FROM {_JOINED} WHERE m.conversation = :conversation AND m.seq < :seq{_KEPT}{of}"  # noqa: S608
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


_OWN = "m.seq, m.at, m.actor, m.role, m.text, m.state, m.data, m.changed"
_EVENT = ", ".join(f"e.{each}" for each in EVENT_COLUMNS)
_DONE = ", ".join(f"o.{each}" for each in OPERATION_COLUMNS)
_COLUMNS = f"{_OWN}, {_EVENT}, {_DONE}"
_KEPT = " AND m.seq > (SELECT cleared FROM conversations WHERE id = :conversation) AND m.role <> 'told'"
_JOINED = (
    "messages m LEFT JOIN run_events e ON e.run = m.conversation AND e.version = m.event"
    # The id stands there as JSON, between quotation marks.
    f" LEFT JOIN record_operations o ON m.role = '{RECORD}' AND o.id = substr(m.text, 2, 32)"
)


def _append(
    tx: Transaction,
    conversation: str,
    at: str,
    actor: str,
    role: str,
    text: str | None,
    event: int | None,
    state: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> int:
    row = tx.one(
        "INSERT INTO conversations (id, last) VALUES (:id, 1)"
        " ON CONFLICT (id) DO UPDATE SET last = conversations.last + 1 RETURNING last",
        id=conversation,
    )
    assert row is not None  # noqa: S101 - an upsert always returns a row
    seq: int = row[0]
    tx.run(
        "INSERT INTO messages (conversation, seq, at, actor, role, text, event, profile, found, state, data)"
        " VALUES (:conversation, :seq, :at, :actor, :role, :text, :event, :profile, :found, :state, :data)",
        conversation=conversation, seq=seq, at=at, actor=actor, role=role,
        text=json.dumps(text) if text is not None else None, event=event,
        profile=_profile(tx, conversation, actor, data),
        found=storable(folded(text)) if text is not None and role not in (RECORD, CALL) else None,
        state=state, data=json.dumps(data) if data is not None else None,
    )  # fmt: skip
    return seq


def _profile(tx: Transaction, conversation: str, actor: str, data: Mapping[str, Any] | None) -> str | None:
    """Return the profile that a message outside of runs belongs to: that of the question it comes of, or the chosen."""
    if not is_outside(conversation, actor):
        return None
    question = (data or {}).get("question")
    if question is not None:
        row = tx.one(
            "SELECT profile FROM messages WHERE conversation = :conversation AND seq = :seq",
            conversation=conversation, seq=question,
        )  # fmt: skip
        if row is not None:
            return row[0]  # type: ignore[no-any-return]
    return profiles.chosen(tx, actor)


def _message(row: Any) -> Message:
    seq, at, actor, role, text, state, data, changed, *more = row
    version, e_at, e_actor, tab, kind, step, e_data, *operation = more
    event = Event(version, e_at, e_actor, tab, kind, step, json.loads(e_data)) if version is not None else None
    done = OperationRow(*operation) if operation[0] is not None else None
    return Message(
        seq, at, actor, role, json.loads(text) if text else "", event, done, state, json.loads(data) if data else {},
        changed or 0,
    )  # fmt: skip
