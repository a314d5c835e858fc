"""Calls of actions that a language model asked for: what exactly, who allowed it, and what came of it.

A row is never removed while its conversation is there, so the rows are the record of all that was asked and done.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipulate.storage import messages
from pipulate.storage.database import Transaction
from pipulate.storage.journal import storable

ASKED, RUNNING = "asked", "running"
DONE, FAILED = "done", "failed"
DENIED, REFUSED, GONE = "denied", "refused", "gone"
"""States of a call.

`asked` waits for a person; `running` is being carried out; `done` and `failed` were carried out; `denied` by a person;
`refused` by the program, before anybody was asked; `gone` waited for longer than it may, or was left by its turn.
"""

OPEN: Final = (ASKED, RUNNING)
"""The states that a turn waits for."""


class CallRow(NamedTuple):
    """A call, as its row says; see the migration for the columns. What is JSON there is what it means here.

    The arguments of a call are an object, but for a refused one: what the model wrote in their place, a text. The
    result is an object: `words` (a sentence for people), `link` (an address of ours, or ""), and of one that was done
    `data` (what the model is given) and `cut` (true where that is only the beginning of it, as text).
    """

    id: str
    conversation: str
    seq: int
    question: int
    answer: int
    called: str
    action: str
    effect: str
    arguments: Any
    proposed: Any
    state: str
    asked_at: str
    actor: str
    model: str
    decided_at: str | None = None
    decided_by: str | None = None
    granted_by: str | None = None
    is_for_run: bool = False
    ended_at: str | None = None
    result: Any = None
    untrusted: bool = False


_COLUMNS: Final = ", ".join(CallRow._fields)
_GIVEN: Final = ", ".join(f":{name}" for name in CallRow._fields)
_JSON: Final = ("arguments", "proposed", "result")
_ALL: Final = f"SELECT {_COLUMNS} FROM action_calls"  # noqa: S608 - names from the tuple above


def add(tx: Transaction, call: CallRow) -> CallRow:
    """Append a call to its conversation; return it with the number of its message, whatever `seq` said."""
    data = {"question": call.question, "answer": call.answer}
    seq = messages.add(tx, call.conversation, call.asked_at, call.actor, messages.CALL, call.id, data=data)
    call = call._replace(seq=seq)
    tx.run(f"INSERT INTO action_calls ({_COLUMNS}) VALUES ({_GIVEN})", **_stored(call._asdict()))  # noqa: S608
    return call


def change(tx: Transaction, /, call: str, was: str, **new: Any) -> CallRow | None:
    """Change a call that is in state `was`, and note so on its message; None where it is in another by now.

    Args:
        tx: The transaction.
        call: Its id.
        was: The state it has to be in.
        new: Columns by name, among them `state`.
    """
    assert set(new) <= set(CallRow._fields)  # noqa: S101 - they stand in the statement
    row = tx.one(
        f"UPDATE action_calls SET {', '.join(f'{name} = :{name}' for name in new)}"  # noqa: S608
        f" WHERE id = :call AND state = :was RETURNING {_COLUMNS}",
        call=call, was=was, **_stored(new),
    )  # fmt: skip
    if row is None:
        return None
    changed = _row(row)
    messages.change(tx, changed.conversation, changed.seq)
    return changed


def find(tx: Transaction, call: str) -> CallRow | None:
    """Return a call, or None where there is none of that id."""
    row = tx.one(f"{_ALL} WHERE id = :call", call=storable(call))
    return _row(row) if row is not None else None


def of_turn(tx: Transaction, conversation: str, question: int) -> list[CallRow]:
    """Return the calls of one turn, in the order they were asked for."""
    rows = tx.all(
        f"{_ALL} WHERE conversation = :conversation AND question = :question ORDER BY seq",
        conversation=conversation, question=question,
    )  # fmt: skip
    return [_row(row) for row in rows]


def waiting(tx: Transaction, conversation: str, action: str) -> list[CallRow]:
    """Return the calls of an action that wait for a person in a conversation, in the order they were asked for."""
    rows = tx.all(
        f"{_ALL} WHERE conversation = :conversation AND state = :state AND action = :action ORDER BY seq",
        conversation=conversation, state=ASKED, action=action,
    )  # fmt: skip
    return [_row(row) for row in rows]


def left(tx: Transaction, before: str) -> list[CallRow]:
    """Return the calls that still wait for a person, and were asked for before a moment."""
    rows = tx.all(
        f"{_ALL} WHERE state = :state AND asked_at <= :before ORDER BY asked_at, id", state=ASKED, before=before
    )
    return [_row(row) for row in rows]


def between(tx: Transaction, conversation: str, first: int, last: int) -> dict[str, CallRow]:
    """Return the calls whose messages have the numbers `first` to `last`, by id."""
    rows = tx.all(
        f"{_ALL} WHERE conversation = :conversation AND seq >= :first AND seq <= :last",
        conversation=conversation, first=first, last=last,
    )  # fmt: skip
    return {row[0]: _row(row) for row in rows}


def asked_by(tx: Transaction, conversation: str, answers: Sequence[int]) -> list[CallRow]:
    """Return the calls that some answers asked for; `answers` are the numbers of their messages."""
    named = {f"a{index}": seq for index, seq in enumerate(answers)}
    rows = tx.all(
        f"{_ALL} WHERE conversation = :conversation AND answer IN ({', '.join(f':{name}' for name in named)})",
        conversation=conversation, **named,
    )  # fmt: skip
    return [_row(row) for row in rows]


def grants(tx: Transaction, conversation: str) -> dict[str, CallRow]:
    """Return, by action, the newest call with which a person allowed it for the run."""
    rows = tx.all(
        f"{_ALL} WHERE conversation = :conversation AND is_for_run = 1 ORDER BY seq", conversation=conversation
    )
    return {row[6]: _row(row) for row in rows}


def has_untrusted(tx: Transaction, conversation: str, seq: int, at: str) -> bool:
    """Tell whether a call brought a model what others wrote: one after a number, or one that ended from a moment on.

    The number is what counts, for a clock can be set back; the moment finds what was under way already.
    """
    row = tx.one(
        "SELECT 1 FROM action_calls WHERE conversation = :conversation AND untrusted = 1"
        " AND (seq > :seq OR ended_at >= :at) LIMIT 1",
        conversation=conversation, seq=seq, at=at,
    )  # fmt: skip
    return row is not None


def running(tx: Transaction) -> list[CallRow]:
    """Return the calls that were being carried out; after a start, nobody knows what came of them."""
    return [_row(row) for row in tx.all(f"{_ALL} WHERE state = :state ORDER BY asked_at, id", state=RUNNING)]


def _stored(values: Mapping[str, Any]) -> dict[str, Any]:
    stored = {name: int(value) if isinstance(value, bool) else value for name, value in values.items()}
    for name in _JSON:
        if name in stored and stored[name] is not None:
            stored[name] = json.dumps(stored[name])
    return stored


def _row(row: Any) -> CallRow:
    values = dict(zip(CallRow._fields, row, strict=True))
    for name in _JSON:
        values[name] = json.loads(values[name]) if values[name] is not None else None
    values |= {"is_for_run": bool(values["is_for_run"]), "untrusted": bool(values["untrusted"])}
    return CallRow(**values)
