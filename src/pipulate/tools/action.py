"""What an action is: a name, what it takes, what it does to the world, and the code that does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from pipulate.security.who import Who

Effect = Literal["read", "write", "destroy"]
"""`read` changes nothing; `write` can be taken back; `destroy` takes something away."""


@dataclass(frozen=True, slots=True)
class Doing:
    """In whose name, and beside what, an action is asked for.

    Attributes:
        who: The person, with whose rights it is done.
        profile: Id of the profile they have chosen.
        run: Id of the run the conversation belongs to, or None outside of runs.
        app: Stored name of the app the conversation is beside, or None.
        view: What the page showed besides, `resource/number` for a record; "" otherwise.
        submit: An id that is the same whenever the same call is carried out again.
    """

    who: Who
    profile: str
    run: str | None = None
    app: str | None = None
    view: str = ""
    submit: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a card: what something is now, and what it would be.

    Attributes:
        label: What it is called, as in its form.
        before: As text; None where there is nothing yet.
        after: As text; None where it is taken away.
    """

    label: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an action.

    Attributes:
        data: What the model is given, as JSON; the registry cuts what is too long.
        words: One plain sentence for the person, "" where the title of the action says it all.
        link: Address of a page of ours that shows it, or "".
        untrusted: Whether `data` has words that others wrote: records, files, results, pages.
    """

    data: Any
    words: str = ""
    link: str = ""
    untrusted: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be asked for.

    Attributes:
        name: Stored name, `[a-z][a-z0-9_]*`, at most 50 characters, unique in the registry.
        title: What people read, a verb and its object: "Fill in and submit a step".
        description: What a model reads: when to use it, and what it gives.
        given: Model of its arguments; extra ones are refused, every field has a description.
        effect: What it does to the world.
        do: Does it. It checks rights, lock and rules itself, as the form does, and raises `PipulateError` with a
            sentence that helps where it cannot.
        differences: Says what it would change, for the card; None where the arguments say it all.
        offered: Tells whether it makes sense beside what the conversation is about; None for always.
        app: Stored name of the app that brought it, or None for the program's own.
    """

    name: str
    title: str
    description: str
    given: type[BaseModel]
    effect: Effect
    do: Callable[[Any, Doing], Awaitable[Result]]
    differences: Callable[[Any, Doing], Awaitable[Sequence[Difference]]] | None = None
    offered: Callable[[Doing], bool] | None = None
    app: str | None = None

    @property
    def can_be_granted(self) -> bool:
        """Whether it can be allowed for the rest of a run: what apps bring may answer with words of others."""
        return self.effect == "write" and self.app is None
