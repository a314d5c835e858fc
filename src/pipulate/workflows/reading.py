"""What the engine reads of a run, and how it says that it changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipulate.errors import RunConflictError
from pipulate.storage import journal, ledger, lookups
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import RunRow
from pipulate.workflows.cache import Held
from pipulate.workflows.definition import Step
from pipulate.workflows.work import RunView


def load(tx: Transaction, files: FileStore, run: str, owner: str, known: Held | None) -> Held:
    """Return a run as the store has it; its state is taken from what is known already where that is as new."""
    row = lookups.by_id(tx, run, owner)
    if known is not None and known.row.version == row.version and known.row.owner == owner:
        return Held(row, known.state)
    return Held(row, lookups.resolved(ledger.state_of(tx, row), files, run))


def load_at(tx: Transaction, files: FileStore, run: str, owner: str, version: int) -> tuple[RunRow, State]:
    """Return a run as it was at a version."""
    row = lookups.by_id(tx, run, owner)
    events = lookups.journal_upto(tx, row, version)
    return row, lookups.resolved(journal.fold(events), files, run)


def files_of(tx: Transaction, run: str) -> tuple[int, list[str]]:
    """Return the version of a run, and the names of its files."""
    return ledger.find(tx, run).version, lookups.files_of(tx, run)


def given_before(step: Step[..., object], state: State) -> Mapping[str, Any] | None:
    """Return the answers a step has in a state, or is offered again; None where there are none."""
    old = state.steps.get(step.name) or (state.offers.get(step.name) if step.refill else None)
    return old.data.get("input") if old else None


def conflict(view: RunView, step: Step[..., object], seen: int, event: Event) -> RunConflictError:
    """Return what is raised where an event stands in the way of an answer."""
    now = view.state.steps.get(step.name)
    return RunConflictError(
        step=step.name, seen=seen, version=view.row.version, kind=event.kind, changed=event.step,
        theirs=now.data if now else None, mine=None, by=event.actor, tab=event.tab, at=event.at,
    )  # fmt: skip
