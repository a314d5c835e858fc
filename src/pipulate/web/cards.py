"""What a language model asks to do, with all that a person needs to decide on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from pipulate._log import get_logger
from pipulate.chat.calls import digest
from pipulate.chat.scene import doing_in
from pipulate.chat.turn import WANTED
from pipulate.errors import PipulateError
from pipulate.security.who import Who
from pipulate.storage import calls, messages
from pipulate.storage.calls import CallRow
from pipulate.storage.database import Database, Transaction
from pipulate.storage.messages import ANSWER, CALL, DONE, Message, is_outside
from pipulate.tools.action import Action, Difference, Doing
from pipulate.tools.registry import Registry, checked, schema
from pipulate.ui.assistant.arguments import asked
from pipulate.ui.assistant.cards import Card

_WITHIN_S = 3.0
"""How long an action has to say what it would change: it may be an app's, and a page waits for it."""

_log = get_logger()


async def cards_of(
    db: Database, registry: Registry, conversation: str, who: Who, shown: Sequence[Message]
) -> Mapping[str, Card]:
    """Return the cards of those messages that are calls, by the id of the call.

    Of those that are answers without a word, what they asked for is there too, as what it was called alone.
    """
    numbers = [each.seq for each in shown if each.role == CALL]
    rows = await db.read(calls.between, conversation, min(numbers), max(numbers)) if numbers else {}
    cards = {row.id: await card(db, registry, row, who) for row in rows.values()}
    explained = {row.answer for row in rows.values()}
    silent = [each.seq for each in shown if _is_silent(each) and each.seq not in explained]
    asked_for = await db.read(calls.asked_by, conversation, silent) if silent else []
    return {row.id: Card(row, row.action) for row in asked_for} | cards


def _is_silent(message: Message) -> bool:
    return message.role == ANSWER and message.state == DONE and not message.text


async def card(
    db: Database,
    registry: Registry,
    row: CallRow,
    who: Who,
    *,
    problem: str = "",
    typed: Mapping[str, str] | None = None,
) -> Card:
    """Return the card of a call.

    Args:
        db: The store.
        registry: All actions.
        row: The call.
        who: Who looks.
        problem: Why a decision was not taken.
        typed: What was typed into the fields by then.
    """
    action = registry.find(row.action)
    if row.state != calls.ASKED or action is None:
        return Card(row, action.title if action is not None else row.action, digest(row.arguments), problem=problem)
    differences, unknown = await _differences(db, action, row, who)
    may_grant = action.can_be_granted and not is_outside(row.conversation, who.actor)
    return Card(
        row,
        action.title,
        digest(row.arguments),
        differences,
        problem or unknown,
        asked(schema(action), row.arguments) if isinstance(row.arguments, Mapping) else (),
        typed,
        may_allow_for_run=may_grant and not await db.read(_is_proposal, row),
    )


async def _differences(db: Database, action: Action, row: CallRow, who: Who) -> tuple[Sequence[Difference] | None, str]:
    """Return what a call would change, and why that is not known."""
    if action.differences is None:
        return None, ""
    try:
        async with asyncio.timeout(_WITHIN_S):
            doing = await db.read(_doing, row, who)
            return await action.differences(checked(action, row.arguments), doing), ""
    except (PipulateError, ValueError) as error:
        return None, f"As it stands, this would not work: {error}"
    except TimeoutError:
        return None, "What it would change could not be worked out in time. Its exact arguments are below."
    except Exception as error:  # noqa: BLE001 - plugin border: the card is shown all the same
        _log.warning("action.differences_failed", action=action.name, exc_info=error)
        return None, "What it would change could not be worked out. Its exact arguments are below."


def _is_proposal(tx: Transaction, row: CallRow) -> bool:
    """Tell whether a step asked for it: those are looked at one by one."""
    question = messages.find(tx, row.conversation, row.question)
    return question is not None and WANTED in question.data


def _doing(tx: Transaction, row: CallRow, who: Who) -> Doing:
    question = messages.find(tx, row.conversation, row.question)
    return doing_in(tx, row.conversation, who, str(question.data.get("view") or "") if question is not None else "")
