"""What class-style plugins say: lines of the conversation beside the work, which no answer waits for."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from pipulate._clock import Clock, to_text
from pipulate._log import get_logger
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


class Speaker:
    """Collects what is said in a request and writes it in one transaction when the request has been answered.

    A thread of its own writes, one request after another, so that no handler waits for it either.
    """

    def __init__(self, db: Database, clock: Clock, added: Callable[[str, int], None]) -> None:
        """Wire it up; `added` is told conversation and number of what was added, on the thread that wrote it."""
        self._db, self._clock, self._added = db, clock, added
        self.history: deque[dict[str, str]] = deque(maxlen=_REMEMBERED)
        self._waiting: queue.SimpleQueue[_Said | threading.Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def say(self, text: str, role: str = "system") -> None:
        """Say something; it is stored after the answer, or at once where the request is over."""
        spoken = Spoken(role if role in _ROLES else "system", str(text).strip()[:LONGEST])
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
        """Have messages stored in the conversation of the run, or in the person's own where there is none."""
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
            conversation, last = self._db.write_now(_add, actor, app, key, to_text(self._clock.now()), spoken)
        except PipulateError:
            return  # What was said is no reason for anything to fail; the store has put its reason into the log.
        except Exception as error:  # noqa: BLE001 - thread border: what comes next is stored all the same
            _log.error("messages.failed", exc_info=error)
            return
        self._added(conversation, last)


class MessageQueue:
    """The `message_queue` of plugins."""

    def __init__(self, speaker: Speaker) -> None:
        """Wire it up."""
        self._speaker = speaker

    async def add(self, pip: Any, message: Any, verbatim: bool = False, role: str = "system", **_: Any) -> Any:
        """Say something; returns at once."""
        del pip, verbatim
        self._speaker.say(str(message), role)
        return message

    def mark_step_started(self, number: int) -> None:
        """Do nothing: what a step did is in the journal."""

    def mark_step_complete(self, number: int) -> None:
        """Do nothing, as `mark_step_started`."""


def _add(
    tx: Transaction, actor: str, app: str | None, key: str | None, at: str, spoken: Sequence[Spoken]
) -> tuple[str, int]:
    conversation, last = messages.general(actor), 0
    if key is not None and app is not None:
        conversation = lookups.by_key(tx, app, key, actor).id
    for each in spoken:
        last = messages.add(tx, conversation, at, actor, each.role, each.text)
    return conversation, last
