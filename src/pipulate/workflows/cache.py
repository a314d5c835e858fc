"""The states of runs in use, so that a submit need not read the run again."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from pipulate.storage import journal
from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import RunRow

_RUNS = 64


@dataclass(frozen=True, slots=True)
class Held:
    """A run as the store has it.

    Attributes:
        row: Its row.
        state: Its state at `row.version`, large values included.
    """

    row: RunRow
    state: State


class RunCache:
    """The last runs used, by id. What it holds is exact or not there; values are immutable and shared."""

    def __init__(self, size: int = _RUNS) -> None:
        self._size = size
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._newest: OrderedDict[str, int] = OrderedDict()

    def get(self, run: str) -> Held | None:
        """Return a run, or None."""
        held = self._held.get(run)
        if held is not None:
            self._held.move_to_end(run)
        return held

    def put(self, held: Held) -> None:
        """Hold a run, unless it is known that the store has a newer version: a read may end after a later one."""
        run = held.row.id
        if held.row.version < self._newest.get(run, 0):
            return
        self.note(run, held.row.version)
        self._held[run] = held
        self._held.move_to_end(run)
        while len(self._held) > self._size:
            self._held.popitem(last=False)

    def note(self, run: str, version: int) -> None:
        """Take down that the store has this version of a run."""
        self._newest[run] = max(version, self._newest.get(run, 0))
        self._newest.move_to_end(run)
        while len(self._newest) > self._size * 64:
            self._newest.popitem(last=False)

    def drop(self, run: str) -> None:
        """Forget a run."""
        self._held.pop(run, None)

    def follow(self, run: str, event: Event, value: Any, open_step: str | None) -> None:
        """Bring a held run up to an event that gave a step its value, or forget it where that cannot be done.

        Args:
            run: Id of the run.
            event: The event that was stored.
            value: The value itself where the event only names its file; None keeps what the event has.
            open_step: The step that is open afterwards.
        """
        self.note(run, event.version)
        held = self._held.get(run)
        if held is None:
            return
        if held.row.version != event.version - 1:
            self.drop(run)
            return
        whole = event if value is None else replace(event, data={**event.data, "value": value})
        try:
            state = journal.apply(held.state, whole)
        except KeyError:
            self.drop(run)
            return
        row = held.row._replace(
            version=event.version,
            updated_at=event.at,
            updated_by=event.actor,
            editing=state.editing,
            editing_version=state.editing_version,
            open_step=open_step,
        )
        self._held[run] = Held(row, state)
