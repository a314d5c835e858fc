"""What a class-style handler works on just now: per request, so that two tabs never meet in one place."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

from pipulate.errors import PipulateError, RunConflictError, RunLockedError
from pipulate.storage.journal import State
from pipulate.storage.profiles import Profile


@dataclass(frozen=True, slots=True)
class Read:
    """A run as it was read: its id, its version, and its state as plugins see it."""

    run: str
    version: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message for the conversation beside the work.

    Attributes:
        role: Who says it: `user`, `assistant`, `system`.
        text: What is said.
        kind: `said` is shown, `asked` is put to a model where there is one, `told` is for the model alone.
    """

    role: str
    text: str
    kind: Literal["said", "asked", "told"] = "said"


@dataclass(slots=True)
class Current:
    """One request of a class-style app.

    Attributes:
        actor: Id of the person.
        app: APP_NAME, under which its runs are stored.
        instance: The plugin.
        profile: The profile the person chose.
        key: Key of the run the request works on, or None.
        seen: The version of that run its form was made for, or None where nobody said.
        tab: The browser tab, or None.
        submit: Id of the form, until something was stored under it.
        reads: Key -> the first read of that run in this request.
        own: Versions this request made.
        spoken: Messages that wait for the end of the request.
        refusal: What the store refused, whatever the handler made of it.
        refused: Id of the run it was refused for.
        failure: Why something could not be stored at all, whatever the handler made of it.
        filter: Column -> value, as the plugin asked the table of runs to show.
        filters: The same of its own tables, by their names.
        is_over: Whether the request was answered; what goes on afterwards waits for nobody.
        is_page: Whether the answer is a page of its own, whose scripts wait for those of the page.
        nonce: Lets scripts of the plugin's own markup run in the page that asked.
        number: What plugins know the profile by.
        is_told: Whether the person wants a message of what they do to rows.
        via: What asks in the person's name, or None where they do it themselves.
        is_look: Whether somebody only looks: nothing may be stored, and nothing that is said is kept.
    """

    actor: str
    app: str
    instance: Any
    profile: Profile
    key: str | None = None
    seen: int | None = None
    tab: str | None = None
    submit: str | None = None
    reads: dict[str, Read] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    spoken: list[Spoken] = field(default_factory=list)
    refusal: RunConflictError | RunLockedError | None = None
    refused: str | None = None
    failure: PipulateError | None = None
    filter: dict[str, Any] = field(default_factory=dict)
    filters: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_over: bool = False
    is_page: bool = False
    nonce: str = ""
    number: int = 1
    is_told: bool = True
    via: str | None = None
    is_look: bool = False

    def work_on(self, key: str) -> None:
        """Go over to another run; what was seen was seen of the one before."""
        if key != self.key:
            self.key, self.seen, self.submit = key, None, None


CURRENT: ContextVar[Current | None] = ContextVar("pipulate.explicit", default=None)


def current() -> Current | None:
    """Return the request this code runs for, or None in a thread or task of the plugin's own."""
    return CURRENT.get()


def as_plugin_sees(state: State, created: str, updated: str) -> dict[str, Any]:
    """Return a run's state as one dictionary: a value by step, and the marks the contract names."""
    values = sorted(state.steps.items(), key=lambda item: item[1].version)
    seen: dict[str, Any] = {"created": created, "updated": updated}
    seen |= {step: value.data.get("output") for step, value in values}
    if state.editing is not None:
        seen["_revert_target"] = state.editing
    if state.lock is not None:
        seen["finalize"] = {"finalized": True}
    return seen
