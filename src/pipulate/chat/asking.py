"""Putting together what a model is asked: the log as it is read, the scene, the tools, and the room for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipulate.chat import context
from pipulate.chat.context import Budget, Exchange, Past
from pipulate.chat.scene import Proposal, Scene, Tokens, only_profile
from pipulate.chat.turn import Turn
from pipulate.llm.port import Ask, Ended, Status, Tool
from pipulate.storage import calls, messages
from pipulate.storage.database import Transaction
from pipulate.tools.action import Action
from pipulate.tools.registry import schema

_SMALLEST: Final = 2_048  # Tokens of a model of which nothing is known.


@dataclass(frozen=True, slots=True)
class Made:
    """What a model is asked, and what is known of that.

    Attributes:
        ask: What it is given.
        scene: What the conversation is beside.
        offered: Name of each action it may ask for -> action.
        budget: The room it takes.
        proposal: What it is asked to fill in; None where it answers in its own words.
        without: Number of actions that there was no room to tell it of.
    """

    ask: Ask
    scene: Scene
    offered: Mapping[str, Action]
    budget: Budget
    proposal: Proposal | None = None
    without: int = 0

    @property
    def is_untrusted(self) -> bool:
        """Whether the model is shown what others wrote; of a prompt of an app's author nobody knows what is in it."""
        return self.proposal is not None or (self.scene.untrusted and bool(self.scene.about))

    def is_of(self, profile: str) -> bool:
        """Tell whether it was put together while a profile was chosen; a run is of one profile whatever is chosen."""
        return self.scene.doing.run is not None or self.scene.doing.profile == profile

    def usage(self, ended: Ended | None, text: str, tokens: Tokens) -> dict[str, Any]:
        """Return what is known of the tokens, once an answer ended; later estimates are nearer for it."""
        prompt, answer = (ended.prompt, ended.answer) if ended is not None else (None, None)
        if prompt is not None:
            tokens.learn(self.ask.model, self.budget.used, prompt)
        return {
            "prompt": prompt if prompt is not None else self.budget.used,
            "answer": answer if answer is not None else tokens.estimate(self.ask.model, text),
            "total": self.budget.total, "shortened": self.budget.shortened, "without": self.without,
        }  # fmt: skip


def read_log(tx: Transaction, due: Turn) -> tuple[Past, Exchange]:
    """Read what a model may know of a conversation: what was not cleared away, and in a locked profile only its own."""
    conversation, question = due.conversation, due.question
    only = only_profile(tx, conversation, question.actor)
    rows = messages.before(tx, conversation, profile=only)
    called = list(calls.between(tx, conversation, rows[0].seq, rows[-1].seq).values()) if rows else []
    answers = messages.answers_to(tx, conversation, question.seq, question.seq)
    own = {each.seq: [row for row in due.calls if row.answer == each.seq] for each in answers}
    before = context.past(rows, called, question.seq, is_whole=len(rows) < messages.PAGE)
    before = replace(before, told=messages.told(tx, conversation, profile=only))
    return before, Exchange(question, [each for each in answers if each.state != messages.OPEN], own)


def put_together(
    log: tuple[Past, Exchange], scene: Scene, actions: Sequence[Action], status: Status, tokens: Tokens, most: int
) -> Made:
    """Return what the model is asked; `most` is the most tokens of an answer.

    Raises:
        ModelTooLongError: If there is no room for the question.
    """
    before, now = log
    total = status.context or _SMALLEST
    answer = min(most, total // context.ANSWER_SHARE)

    def estimate(text: str) -> int:
        return tokens.estimate(status.model, text)

    tools, cost = context.fitting(
        [Tool(each.name, each.description, schema(each)) for each in actions], total, estimate
    )
    said, budget = context.build(scene, before, now, total, (cost, answer), estimate)
    offered = {each.name: each for each in actions[: len(tools)]}
    ask = Ask(status.model, said, tools, total, answer)
    return Made(ask, scene, offered, budget, without=len(actions) - len(tools))
