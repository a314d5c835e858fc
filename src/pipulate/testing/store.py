"""What is stored, as a test looks at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipulate.security.capability import OWNER
from pipulate.storage import journal, ledger, lookups, report_files
from pipulate.storage.check import check_runs
from pipulate.storage.database import Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.records.files import check_files

if TYPE_CHECKING:
    from pipulate.testing.app import RunningApp


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal of a run.

    Attributes:
        version: The version it made, from 1.
        kind: What happened, such as `submitted`, `reverted`, `finalized`.
        step: The step it is about, or None.
        by: Who did it.
        at: When, as text.
        data: What else the journal says.
    """

    version: int
    kind: str
    step: str | None
    by: str
    at: str
    data: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.step}" if self.step else self.kind

    def __repr__(self) -> str:
        return f"<{self.version}: {self}>"


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run in the store."""

    app: str
    key: str
    version: int
    is_locked: bool
    is_deleted: bool


class Store:
    """The store of a `RunningApp`."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app

    def __repr__(self) -> str:
        return f"<Store {[f'{each.app}/{each.key}' for each in self.runs()]}>"

    def runs(self, app: str | None = None, *, deleted: bool = False) -> list[StoredRun]:
        """Return the runs there are, newest change first, at most 500; those in the bin with `deleted`."""
        db = self._app.application.site.db
        page = self._app.call(db.read(lookups.listed, OWNER, app=app, deleted=deleted, limit=500))
        return [
            StoredRun(row.app, row.key, row.version, row.locked_at is not None, row.deleted_at is not None)
            for row in page.runs
        ]

    def problems(self) -> list[str]:
        """Return what does not hold together: runs that are not what their journals add up to, missing files."""
        files = FileStore(self._app.application.layout.files)

        def check(tx: Transaction) -> list[str]:
            return [*check_runs(tx, files), *report_files.check(tx, files), *check_files(tx, files)]

        return self._app.call(self._app.application.site.db.read(check))

    def journal(self, run: str) -> Sequence[Entry]:
        """Return the journal of the run with this id, oldest entry first."""
        events = self._app.call(self._app.application.site.db.read(ledger.events, run))
        return tuple(entry(each) for each in events)


def entry(event: journal.Event) -> Entry:
    """Return an event of the journal as tests see it."""
    return Entry(event.version, event.kind, event.step, event.actor, event.at, event.data)
