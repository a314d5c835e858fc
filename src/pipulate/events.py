"""What happened in this process, told to whoever listens: the link between a commit and the pages that are open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RunChanged:
    """A run has a new version in the store.

    Attributes:
        run: Id of the run.
        version: Its newest version.
        tab: The browser tab that did it, or None.
    """

    run: str
    version: int
    tab: str | None


@dataclass(frozen=True, slots=True)
class MessagesAdded:
    """A conversation has new messages in the store, up to and with `seq`.

    Attributes:
        conversation: Id of the conversation.
        seq: Number of the newest message.
        told: The event of the journal that the newest one tells of, where whoever publishes has it; None otherwise.
    """

    conversation: str
    seq: int
    told: Any = None


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """A message that was there already is another: an answer ended, a call was decided or ended.

    Attributes:
        conversation: Id of the conversation.
        change: Number of the newest change.
    """

    conversation: str
    change: int


@dataclass(frozen=True, slots=True)
class AnswerGrew:
    """The answer that is being written in a conversation has more words, which are not in the store yet.

    Attributes:
        conversation: Id of the conversation.
        seq: Number of its message.
    """

    conversation: str
    seq: int


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """Another language model can be asked, or none, or one again."""


@dataclass(frozen=True, slots=True)
class StepProgressed:
    """A step that is running says how far it is, or (`now` is None) has ended.

    Attributes:
        run: Id of the run.
        step: Name of the step.
        now: A `workflows.handed.Done`, or None.
        left_s: Seconds it will take yet, going by how it went so far; None where nobody knows.
    """

    run: str
    step: str
    now: Any
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class JobChanged:
    """A job is in another status, or has something new to show.

    Attributes:
        job: Id of the job.
        run: The run it works for, or None.
        step: The step it works for, or None.
        owner: Whose it is.
        status: One of `storage.jobs.STATUSES`.
    """

    job: str
    run: str | None
    step: str | None
    owner: str
    status: str


@dataclass(frozen=True, slots=True)
class AppsChanged:
    """The set of apps changed; `modules` are those that were added, replaced or removed."""

    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class RecordsChanged:
    """Records of a resource were added, changed, moved or deleted.

    Attributes:
        resource: Name of the resource.
        version: Version of its table by that.
        tab: The browser tab that did it, or None.
    """

    resource: str
    version: int
    tab: str | None


Happening = (
    RecordsChanged
    | RunChanged
    | MessagesAdded
    | MessageChanged
    | AnswerGrew
    | ModelChanged
    | StepProgressed
    | JobChanged
    | AppsChanged
)
Listener = Callable[[Happening], Any]


class Bus:
    """Calls every listener, in the order they came, from the thread that publishes (the event loop's).

    A listener must not wait and must not raise: it puts the happening where it will be dealt with and returns.
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; call what comes back to remove it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, happening: Happening) -> None:
        """Tell every listener."""
        for listener in tuple(self._listeners):
            listener(happening)
