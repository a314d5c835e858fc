"""What a conversation is beside, as a model is told of it; and what is asked of those who know that."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipulate.errors import RunNotFoundError
from pipulate.llm.port import Ask, Part, Said, Status
from pipulate.security.who import Who
from pipulate.storage import lookups, messages, profiles
from pipulate.storage.database import Transaction
from pipulate.storage.ledger import RunRow
from pipulate.tools.action import Doing


@dataclass(frozen=True, slots=True)
class Scene:
    """What a conversation is beside, as of now.

    Attributes:
        doing: In whose name, and beside what, actions are asked for.
        title: What people call it: the app, the run.
        training: What the app's author wrote for the model; "" where there is nothing.
        about: The state of what the page shows, as text, without secrets; "" where there is nothing to say.
        untrusted: Whether `about` holds what others wrote: records, files, pages.
    """

    doing: Doing
    title: str = ""
    training: str = ""
    about: str = ""
    untrusted: bool = False


class Scenes(Protocol):
    """Who knows what conversations are beside."""

    async def scene(self, conversation: str, who: Who, view: str) -> Scene:
        """Return what a conversation is beside; read anew, for it is shown to a model as how things are now.

        Args:
            conversation: Its id.
            who: The person whose conversation it is.
            view: What the page showed besides, `resource/number` for a record; "" otherwise.

        Raises:
            PipulateError: If it is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a model is asked for, where a person wants to have something filled in.

    Attributes:
        said: What the model is given.
        schema: JSON schema of the answer.
        action: Name of the action that the person is asked about then.
        words: What is said above it.
        read: Returns the arguments of that action for an answer; raises ValueError with what is wrong with it.
    """

    said: Sequence[Said]
    schema: Mapping[str, Any]
    action: str
    words: str
    read: Callable[[str], Awaitable[dict[str, Any]]]


class Proposals(Protocol):
    """Who knows what a model is asked for, where something is to be filled in."""

    async def proposal(self, conversation: str, who: Who, wanted: Mapping[str, Any]) -> Proposal:
        """Return what a model is asked for; read anew, for it is asked in a moment.

        Args:
            conversation: Id of the conversation.
            who: The person.
            wanted: What is to be filled in, as it was given to `Assistant.propose`.

        Raises:
            PipulateError: If that cannot be filled in now; says why.
        """
        ...


class Tokens(Protocol):
    """Who knows how many tokens a text has, near enough."""

    def estimate(self, model: str, text: str) -> int:
        """Return about how many tokens a text has."""
        ...

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """Take down how many there were, so that the next estimate is nearer."""
        ...


class Asked(Protocol):
    """The language model, as conversations use it."""

    @property
    def tokens(self) -> Tokens:
        """Counts tokens."""
        ...

    def status(self, choice: str = "") -> Status:
        """Return how it stands with the model, for one person's choice; never waits."""
        ...

    def stream(self, ask: Ask) -> AsyncGenerator[Part, None]:
        """Yield an answer part by part.

        Raises:
            ModelError: If there is no answer, or it breaks off.
        """
        ...


_BESIDE: Final = re.compile(r"user:[^/\x00]+(?:/[\w .:-]{1,200})?")  # What else begins like one is none.


def doing_in(tx: Transaction, conversation: str, who: Who, view: str = "") -> Doing:
    """Return in whose name, and beside what, something is done in a conversation.

    Raises:
        RunNotFoundError: If the conversation is not the person's own, or its run is in the bin.
    """
    refuse_others(tx, conversation, who.actor)
    if messages.is_outside(conversation, who.actor):
        app = conversation.removeprefix(messages.general(who.actor)).removeprefix("/") or None
        return Doing(who, profiles.chosen(tx, who.actor), app=app, view=view)
    row = lookups.by_id(tx, conversation, who.actor)
    return Doing(who, row.profile, run=row.id, app=row.app, view=view)


def refuse_others(tx: Transaction, conversation: str, actor: str) -> None:
    """Refuse a conversation that is neither one of the person's own nor that of a run of theirs.

    Raises:
        RunNotFoundError: If it is another's, its run is in the bin, or a profile is locked that its run is not of.
    """
    row = own_run(tx, conversation, actor)
    if row is not None and profiles.is_locked(tx, actor) and row.profile != profiles.chosen(tx, actor):
        raise RunNotFoundError(conversation)


def own_run(tx: Transaction, conversation: str, actor: str) -> RunRow | None:
    """Return the run that a person's conversation belongs to, whatever is locked; None for one outside of runs.

    Raises:
        RunNotFoundError: If the conversation is another's, or its run is in the bin.
    """
    if messages.is_outside(conversation, actor) and _BESIDE.fullmatch(conversation):
        return None
    try:
        return lookups.by_id(tx, conversation, actor)
    except RunNotFoundError:
        raise RunNotFoundError(conversation) from None


def only_profile(tx: Transaction, conversation: str, actor: str) -> str | None:
    """Return the profile of which alone a conversation shows messages; None where it shows all."""
    if not messages.is_outside(conversation, actor) or not profiles.is_locked(tx, actor):
        return None
    return profiles.chosen(tx, actor)
