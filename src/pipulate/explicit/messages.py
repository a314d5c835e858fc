"""What class-style plugins say: lines of the conversation beside the work, which no answer waits for."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
from pipulate.chat import turn
from pipulate.errors import PipulateError
from pipulate.explicit.context import Current, Spoken, current
from pipulate.security.capability import OWNER
from pipulate.storage import lookups, messages
from pipulate.storage.database import Database, Transaction

LONGEST = 20_000
"""Longest message, in characters; what is longer is cut."""

_Said = tuple[str, str | None, str | None, Sequence[Spoken]]
_ROLES = frozenset({"user", "assistant", "system"})
_REMEMBERED = 200
_log = get_logger()
_SPOKEN_MAX = 500  # In one request; a plugin that says more says it to nobody.
_ASKED_MAX = 5  # Likewise, of questions to a model; further ones are only said.


@dataclass(frozen=True, slots=True)
class ModelBeside:
    """The language model, as class-style plugins use it.

    Attributes:
        has_model: Tells whether a person has one to ask; it may wait for the store.
        asked: Told the conversation in which a question waits, on the thread that wrote it.
    """

    has_model: Callable[[str], bool]
    asked: Callable[[str], None]


class Speaker:
    """Collects what is said in a request and writes it in one transaction when the request has been answered.

    A thread of its own writes, one request after another, so that no handler waits for it either.
    """

    def __init__(
        self, db: Database, clock: Clock, added: Callable[[str, int], None], model: ModelBeside | None = None
    ) -> None:
        """Wire it up.

        Args:
            db: The store.
            clock: The time.
            added: Told conversation and number of what was added, on the thread that wrote it.
            model: The language model beside the work, or None.
        """
        self._db, self._clock, self._added, self._model = db, clock, added, model
        self.history: deque[dict[str, str]] = deque(maxlen=_REMEMBERED)
        self._waiting: queue.SimpleQueue[_Said | threading.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def say(self, text: str, role: str | None = None, *, verbatim: bool = True) -> None:
        """Say something; it is stored after the answer, or at once where the request is over.

        What is not said verbatim, and by nobody else than the person, is a question to the model, where there is one.
        """
        kind: Literal["said", "asked"] = "said" if verbatim or role not in (None, "user") else "asked"
        self._speak(Spoken(role if role in _ROLES else "system", str(text).strip()[:LONGEST], kind))

    def tell(self, text: str, role: str) -> None:
        """Tell a model something that no page shows."""
        self._speak(Spoken(role if role in _ROLES else "system", str(text).strip()[:LONGEST], "told"))

    def has_model(self) -> bool:
        """Tell whether there is a model for whoever asks; it may wait for the store."""
        now = current()
        return self._model is not None and self._model.has_model(now.actor if now is not None else OWNER)

    def _speak(self, spoken: Spoken) -> None:
        self.remember(spoken.text, spoken.role)
        if not spoken.text:
            return
        now = current()
        if now is None or now.is_over:
            self.write(now, [spoken])
        elif len(now.spoken) < _SPOKEN_MAX:
            now.spoken.append(spoken)

    def remember(self, text: str, role: str) -> None:
        """Put a text into the history that a model will be given, and nowhere else."""
        self.history.append({"role": role, "content": str(text)[:LONGEST]})

    def write(self, now: Current | None, spoken: Sequence[Spoken]) -> None:
        """Have messages stored in the conversation of the run, or, where there is none, in that beside the app."""
        if spoken:
            whose = (now.actor, now.key, now.app) if now is not None else (OWNER, None, None)
            self._give((*whose, spoken))

    def wait_written(self, seconds: float) -> bool:
        """Wait until all that was said so far is stored; tell whether that is so."""
        done = threading.Event()
        self._give(done)
        return done.wait(seconds)

    def _give(self, task: _Said | threading.Event) -> None:
        self._waiting.put(task)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="explicit messages", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            task = self._waiting.get()
            if isinstance(task, threading.Event):
                task.set()
            else:
                self._store(*task)

    def _store(self, actor: str, key: str | None, app: str | None, spoken: Sequence[Spoken]) -> None:
        try:
            asks = any(each.kind == "asked" for each in spoken) and self._model is not None
            has_model = asks and self._model is not None and self._model.has_model(actor)
            added = self._db.write_now(_add, actor, app, key, to_text(self._clock.now()), spoken, has_model=has_model)
        except PipulateError:
            return  # What was said is no reason for anything to fail; the store has put its reason into the log.
        except Exception as error:  # noqa: BLE001 - thread border: what comes next is stored all the same
            _log.error("messages.failed", exc_info=error)
            return
        if added.last:
            self._added(added.conversation, added.last)
        if added.is_asked and self._model is not None:
            self._model.asked(added.conversation)


class MessageQueue:
    """The `message_queue` of plugins."""

    def __init__(self, speaker: Speaker) -> None:
        """Wire it up."""
        self._speaker = speaker

    async def add(self, pip: Any, message: Any, verbatim: bool = False, role: str | None = None, **_: Any) -> Any:
        """Say something, or ask the model something where it is not `verbatim`; returns at once."""
        del pip
        self._speaker.say(str(message), role, verbatim=verbatim)
        return message

    def mark_step_started(self, number: int) -> None:
        """Do nothing: what a step did is in the journal."""

    def mark_step_complete(self, number: int) -> None:
        """Do nothing, as `mark_step_started`."""


class _Added(NamedTuple):
    """Where messages were added, the number of the last one that is shown, and whether a model is to answer any."""

    conversation: str
    last: int
    is_asked: bool


def _add(
    tx: Transaction,
    actor: str,
    app: str | None,
    key: str | None,
    at: str,
    spoken: Sequence[Spoken],
    *,
    has_model: bool,
) -> _Added:
    conversation, last, asked = messages.of_app(actor, app) if app else messages.general(actor), 0, 0
    if key is not None and app is not None:
        conversation = lookups.by_key(tx, app, key, actor).id
    for each in spoken:
        if each.kind == "told":
            messages.add(tx, conversation, at, actor, messages.TOLD, each.text)
        elif each.kind == "asked" and has_model and asked < _ASKED_MAX:
            last, asked = turn.put(tx, conversation, actor, at, each.text, {"view": "", "app": app}), asked + 1
        else:
            last = messages.add(tx, conversation, at, actor, each.role, each.text)
    return _Added(conversation, last, is_asked=asked > 0)
