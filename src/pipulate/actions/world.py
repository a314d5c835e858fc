"""What actions work with, and what of it a person may reach: the same as through the pages, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import quote

from pipulate.actions.own_pages import OwnPages
from pipulate.crud.engine import Records
from pipulate.crud.resource import Resource
from pipulate.errors import CallError, ProfileLockedError, RunNotFoundError
from pipulate.reports.engine import Reports
from pipulate.reports.report import Report
from pipulate.security.who import Who
from pipulate.storage import lookups, profiles
from pipulate.storage.database import Database, Transaction
from pipulate.storage.ledger import RunRow
from pipulate.storage.records.rows import Record
from pipulate.tools.action import Doing
from pipulate.workflows.engine import Engine
from pipulate.workflows.views.tables import TableCache
from pipulate.workflows.work import RunView

ASSISTANT: Final = "assistant"
"""What stands in histories beside the person, for what was done through an action."""

RECORD_MAX: Final = 2**63 - 1
"""Largest number that a store can look for."""

AppKind = Literal["steps", "records", "report", "own pages"]


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class KnownApp:
    """An app that is there now.

    Attributes:
        name: Its stored name.
        title, description: What people read.
        address: Address of its page.
        kind: What it is; `own pages` are class-style.
        roles: The roles it is in the menu for.
        is_in_menu: Whether it ever is.
        training: Reads what its author wants a model to know; it may wait for the disk.
        steps: Of a class-style app: name and title of each step, in order.
        kept: Of a class-style app: steps whose values stay when an earlier one is done again.
    """

    name: str
    title: str
    description: str
    address: str
    kind: AppKind
    roles: tuple[str, ...] = ()
    is_in_menu: bool = True
    training: Callable[[], str] = _nothing
    steps: Sequence[tuple[str, str]] = ()
    kept: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """The parts that actions work with.

    Attributes:
        db: The store.
        engine, records, reports: What things are done through.
        apps: Returns the apps there are now, in the order of their files.
        tables: The tables that were read last.
        own_pages: What uses the pages of class-style apps; None where there are none.
    """

    db: Database
    engine: Engine
    records: Records
    reports: Reports
    apps: Callable[[], Sequence[KnownApp]]
    tables: TableCache = field(default_factory=TableCache)
    own_pages: OwnPages | None = None

    def app(self, name: str | None) -> KnownApp | None:
        """Return an app by its stored name, or None."""
        return next((each for each in self.apps() if each.name == name), None) if name else None

    def address_of(self, row: RunRow) -> str:
        """Return the address of a run; one that works even where its app is not installed."""
        app = self.app(row.app)
        return f"{app.address}/{quote(row.key, safe='/')}" if app is not None else f"/-/runs/{row.id}"

    def record_address(self, resource: str, record: int) -> str:
        """Return the address of a record."""
        app = self.app(resource)
        return f"{app.address}/{record}" if app is not None else f"/-/records/{resource}/{record}"

    async def chosen(self, doing: Doing) -> str:
        """Return the profile that is worked in.

        Raises:
            ProfileLockedError: If another one is shown alone by now.
        """
        await self.db.read(_refuse_other, doing)
        return doing.profile

    async def run(self, doing: Doing, run: str) -> RunView:
        """Return a run: the one that is named, or, for "", the one the conversation is about.

        Raises:
            CallError: If none is named, and the conversation is about none.
            RunNotFoundError: If the person has none, or it is of another profile than the one they work in.
        """
        named = run.strip() or doing.run
        if not named:
            raise CallError("Say which run is meant: give its id, as the list of runs has it.")
        await self.db.read(_refuse_run, doing, named)
        return await self.engine.view(named, doing.who)

    def resource(self, doing: Doing, name: str) -> Resource[Any]:
        """Return a table of records: the one that is named, or, for "", the one the conversation is beside.

        Raises:
            CallError: If there is none of that name.
        """
        wanted = name.strip() or doing.app or doing.view.partition("/")[0]
        found = self.records.resources.get(wanted)
        if found is None:
            there = ", ".join(sorted(self.records.resources)) or "none"
            raise CallError(f"There is no table of records {wanted!r}. The tables are: {there}.")
        return found

    async def owner(self, doing: Doing, resource: Resource[Any]) -> str | None:
        """Return the profile whose records are reached; None where they belong to none.

        Raises:
            ProfileLockedError: If another profile is shown alone, or it is the list of profiles and one is.
        """
        chosen = await self.chosen(doing)
        if resource.name == profiles.NAME and await self.db.read(profiles.is_locked, doing.who.actor):
            raise ProfileLockedError
        return chosen if resource.per_profile else None

    async def record(self, doing: Doing, resource: Resource[Any], number: int) -> Record:
        """Return a record.

        Raises:
            RecordNotFoundError: If there is none, or it is of another profile, or in the bin.
        """
        owner = await self.owner(doing, resource)
        return await self.records.find(resource, min(number, RECORD_MAX), profile=owner)

    def report(self, doing: Doing, name: str) -> Report:
        """Return a report: the one that is named, or, for "", the one the conversation is beside.

        Raises:
            CallError: If there is none of that name.
        """
        wanted = name.strip() or doing.app or ""
        found = self.reports.catalog.get(wanted)
        if found is None:
            there = ", ".join(sorted(self.reports.catalog)) or "none"
            raise CallError(f"There is no report {wanted!r}. The reports are: {there}.")
        return found


def acting(doing: Doing) -> Who:
    """Return who does what is written: the person, through the assistant."""
    return replace(doing.who, via=ASSISTANT)


def _refuse_other(tx: Transaction, doing: Doing) -> None:
    user = doing.who.actor
    if profiles.is_locked(tx, user) and profiles.chosen(tx, user) != doing.profile:
        raise ProfileLockedError


def _refuse_run(tx: Transaction, doing: Doing, run: str) -> None:
    """Refuse a run of another profile; the one a page shows is reached all the same, unless a profile is locked.

    Raises:
        RunNotFoundError: If so.
    """
    user = doing.who.actor
    row = lookups.by_id(tx, run, user)
    is_locked = profiles.is_locked(tx, user)
    reached = {profiles.chosen(tx, user)} if is_locked else {doing.profile}
    if row.profile not in reached and (is_locked or run != doing.run):
        raise RunNotFoundError(run)
