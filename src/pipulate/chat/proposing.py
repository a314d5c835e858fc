"""Having a model fill something in: its answer is no text but a proposal, which the person is asked about."""

from __future__ import annotations

import json
from collections.abc import Callable

from pipulate._ids import new_id
from pipulate._log import get_logger
from pipulate.chat.answering import Heard
from pipulate.chat.asking import Made
from pipulate.chat.context import ANSWER_SHARE, Budget
from pipulate.chat.forming import formed, refuse_too_long
from pipulate.chat.growing import Growing
from pipulate.chat.scene import Asked, Proposal, Scene, Tokens
from pipulate.errors import CallError, ModelError, ModelNonsenseError
from pipulate.llm.port import Ask, Call, Ended, Status
from pipulate.tools.registry import Registry

_log = get_logger()


def made(proposal: Proposal, scene: Scene, registry: Registry, status: Status, tokens: Tokens, most: int) -> Made:
    """Return what the model is asked; `most` is the most tokens of an answer.

    Raises:
        CallError: If there is no such action here.
        ModelTooLongError: If there is no room for what it is given.
    """
    action = registry.find(proposal.action)
    if action is None or (action.offered is not None and not action.offered(scene.doing)):
        raise CallError("Nothing can be filled in here any more.")
    answer = min(most, status.context // ANSWER_SHARE)
    read = "".join(each.text for each in proposal.said) + json.dumps(proposal.schema)
    used = tokens.estimate(status.model, read)
    refuse_too_long(used, status.context - answer)
    ask = Ask(status.model, proposal.said, (), status.context, answer, proposal.schema)
    return Made(ask, scene, {action.name: action}, Budget(status.context, used, shortened=False), proposal)


async def proposed(models: Asked, ask: Ask, proposal: Proposal, growing: Growing, grew: Callable[[], None]) -> Heard:
    """Have a model fill something in; what it wrote becomes a call, and a sentence of ours stands in its place.

    Every error is in what comes back.
    """
    heard = Heard()
    try:
        arguments, used = await formed(models, ask, proposal.read)
    except ModelError as error:
        heard.error = error
    except Exception as error:  # noqa: BLE001 - what reads the answer calls an app's rules: one that fails is no answer
        _log.error("model.proposal_failed", exc_info=error)
        heard.error = ModelNonsenseError("What the model filled in could not be looked at; the log says why.")
    else:
        growing.chunks.append(proposal.words)
        grew()
        heard.calls.append(Call(new_id(), proposal.action, arguments))
        heard.ended = Ended("tools", used.prompt or None, used.answer or None)
    return heard
