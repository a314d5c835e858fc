"""What becomes of a call that a model asks for: refused, put before the person, or carried out at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pipulate._clock import from_text, to_text
from pipulate.chat.scene import only_profile, refuse_others
from pipulate.errors import CallDecidedError, CallError, CallNotFoundError, RunNotFoundError
from pipulate.storage import calls, messages, profiles
from pipulate.storage.calls import ASKED, DENIED, GONE, REFUSED, RUNNING, CallRow
from pipulate.storage.database import Transaction
from pipulate.tools.action import Action, Doing, Result
from pipulate.tools.registry import NAME, checked

Decision = Literal["allow", "allow_run", "deny"]

EXPIRES: Final = timedelta(hours=24)
"""How long a person has to decide; what they looked at may be long gone after that."""

DATA_MAX: Final = 8_000
"""Most characters of a result, as JSON, that a model is given."""

_NAME_MAX: Final = 100  # Of a tool that does not exist a model may make up any name.
_ARGUMENTS_MAX: Final = 100_000  # characters of JSON

UNKNOWN_EFFECT: Final = "read"
"""What is noted as the effect of a call that has no action: it has none."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to become of a call.

    Attributes:
        state: `refused`, `asked` or `running`.
        action: The action, where there is one.
        arguments: As they will be used; as they were given where they cannot be.
        words: Why it is refused, for the model.
    """

    state: str
    action: Action | None
    arguments: Any
    words: str = ""


def digest(arguments: Any) -> str:
    """Return what equal arguments share: 32 hexadecimal characters. A card sends back that of what it showed."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def as_used(action: Action, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as the action takes them, as JSON; what was not given stays away.

    Raises:
        ValueError: If they break the action's rules, or are too long to be shown; says which.
    """
    used: dict[str, Any] = checked(action, arguments).model_dump(mode="json", by_alias=True, exclude_unset=True)
    if len(json.dumps(used)) > _ARGUMENTS_MAX:
        raise ValueError(f"arguments: longer than {_ARGUMENTS_MAX:,} characters")
    return used


def judged(name: str, arguments: Mapping[str, Any], broken: str, offered: Mapping[str, Action]) -> Judged:
    """Return what becomes of a call as the model wrote it; no grant is looked at here."""
    action = offered.get(name)
    if action is None:
        there = ", ".join(sorted(offered)) or "none"
        return Judged(REFUSED, None, broken or dict(arguments), f"There is no tool of this name. There are: {there}.")
    if broken:
        return Judged(REFUSED, action, broken, "The arguments are no JSON object. Send them again as one.")
    try:
        used = as_used(action, arguments)
    except ValueError as error:
        return Judged(REFUSED, action, dict(arguments), f"The arguments do not fit: {error}. Correct them.")
    return Judged(RUNNING if action.effect == "read" else ASKED, action, used)


def name_of(name: str) -> str:
    """Return the name of a tool as it can be stored and be given to a model again."""
    return name if NAME.fullmatch(name) else name[:_NAME_MAX] or "?"


def granted(tx: Transaction, conversation: str, action: Action, doing: Doing) -> str | None:
    """Return the id of the call with which a person allowed an action for the run, where that still holds; or None.

    It holds in a run only, never for what destroys, and no longer than until a model is shown what others wrote: they
    may have written it for the model. Clearing the conversation ends it too.
    """
    if doing.run is None or conversation != doing.run or not action.can_be_granted:
        return None
    given = calls.grants(tx, conversation).get(action.name)
    if given is None or given.decided_at is None or given.seq <= messages.numbers(tx, conversation)[2]:
        return None
    if calls.has_untrusted(tx, conversation, given.seq, given.decided_at) or messages.has_untrusted(
        tx, conversation, given.seq
    ):
        return None
    return given.id


def decide(
    tx: Transaction,
    call: CallRow,
    actor: str,
    decision: Decision,
    now: datetime,
    shown: str,
    edited: dict[str, Any] | None,
) -> CallRow | str:
    """Write down what a person decided; return the call as it is now, `running` where it is allowed.

    Of one that is too old, or not what was shown, only why it cannot be decided comes back, as a sentence.

    Raises:
        CallDecidedError: If it is decided already.
        CallError: If it cannot be allowed for the run.
    """
    fresh = calls.find(tx, call.id)
    if fresh is None or fresh.state != ASKED:
        raise CallDecidedError("This was decided already, or is not waiting any more.")
    at = to_text(now)
    if now - from_text(fresh.asked_at) >= EXPIRES:
        calls.change(tx, fresh.id, ASKED, state=GONE, ended_at=at, result=told(_TOO_OLD))
        return _TOO_OLD
    if shown != digest(fresh.arguments):
        raise CallDecidedError("This is not what was shown to you. Look at it again before you decide.")
    _refuse_other_profile(tx, fresh, actor)
    if decision == "deny":
        new: dict[str, Any] = {"state": DENIED, "ended_at": at, "result": told("The person said no.")}
    else:
        new = {"state": RUNNING, "is_for_run": decision == "allow_run"}
        if edited is not None and edited != fresh.arguments:
            new |= {"arguments": edited, "proposed": fresh.arguments}
    if decision == "allow_run" and (fresh.effect != "write" or messages.is_outside(fresh.conversation, actor)):
        raise CallError("This has to be decided each time.")
    row = calls.change(tx, fresh.id, ASKED, decided_at=at, decided_by=actor, **new)
    if row is None:
        raise CallDecidedError("This was decided already.")
    return row


OTHER_PROFILE: Final = "Another profile is chosen now than when this was proposed. Choose that one first."
_TOO_OLD: Final = "This waited for longer than a day, so it is not carried out any more. Ask again."


def own_call(tx: Transaction, call: str, actor: str) -> CallRow:
    """Return a call in a conversation of a person's own; in a locked profile, of that profile.

    Raises:
        CallNotFoundError: If there is none.
    """
    row = calls.find(tx, call)
    if row is None:
        raise CallNotFoundError
    try:
        refuse_others(tx, row.conversation, actor)
    except RunNotFoundError:
        raise CallNotFoundError from None
    if only_profile(tx, row.conversation, actor) not in (None, _profile(tx, row)):
        raise CallNotFoundError
    return row


def _profile(tx: Transaction, call: CallRow) -> str | None:
    """Return the profile that a call was proposed for; None where it was for none in particular."""
    answer = messages.find(tx, call.conversation, call.answer)
    return answer.data.get("profile") if answer is not None else None


def _refuse_other_profile(tx: Transaction, call: CallRow, actor: str) -> None:
    """What was proposed for one profile must not be done in another.

    Raises:
        CallDecidedError: If another is chosen now.
    """
    if not messages.is_outside(call.conversation, actor):
        return
    if _profile(tx, call) not in (None, profiles.chosen(tx, actor)):
        raise CallDecidedError(OTHER_PROFILE)


def told(words: str) -> dict[str, Any]:
    """Return the result of a call of which there is only a sentence to say."""
    return {"words": words, "link": ""}


def stored(result: Result) -> dict[str, Any]:
    """Return what came of an action as its call keeps it: the data cut to what a model is given."""
    text = json.dumps(result.data, default=str, ensure_ascii=False)
    made = {"words": result.words, "link": result.link, "data": json.loads(text), "cut": False}
    if len(text) > DATA_MAX:
        made |= {"data": text[:DATA_MAX], "cut": True}
    return made


def same(asked: Sequence[CallRow], action: str, arguments: Any) -> int:
    """Return how often a turn asked for exactly this already."""
    wanted = digest(arguments)
    return sum(1 for each in asked if each.action == action and digest(each.arguments) == wanted)
