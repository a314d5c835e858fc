"""What takes long with records, as jobs: taking in a large table, a trial of that, the same to many, undoing much."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Final, Protocol

from pydantic_core import to_jsonable_python

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.crud.bulk import Bulk, What, do_all
from pipulate.crud.chosen import Chosen, State
from pipulate.crud.engine import Records
from pipulate.crud.many import Report
from pipulate.crud.resource import Resource
from pipulate.crud.taking import Taking, take_in
from pipulate.crud.waiting import KEPT_AT_WORK, Room, Waiting
from pipulate.errors import JobError, RecordError
from pipulate.jobs.doing import Doing
from pipulate.jobs.port import Jobs, Options, Request
from pipulate.security.sealing import seal, unseal
from pipulate.security.who import Who
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Author
from pipulate.storage.records.rows import Operation

LONG: Final = 2_000
"""Rows up to which something is done while the person waits."""

TAKE_IN: Final = "records.take_in"
UNDO: Final = "records.undo"
MANY: Final = "records.many"
NOT_THERE: Final = "The app with these records is not there. Put its file back and go on, or cancel this."
GONE: Final = "What was to be taken in is not there any more. Begin the import again."


class There(Protocol):
    """Calls something on the event loop of the server, from that of the jobs."""

    async def __call__(self, call: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        """Call it and return what it returns."""
        ...


class Long:
    """Asks for such jobs, and does them.

    Attributes:
        room: The tables that wait to be taken in.
        chosen: The records that were chosen for something.
    """

    waits_for_others = False

    def __init__(
        self, records: Records, room: Room, chosen: Chosen, runs_jobs: Jobs, clock: Clock, there: There
    ) -> None:
        self.room, self.chosen = room, chosen
        self._records, self._jobs, self._clock, self._there = records, runs_jobs, clock, there
        self._locks: dict[str, asyncio.Lock] = {}
        for kind in (TAKE_IN, UNDO, MANY):
            runs_jobs.register(kind, self)

    # Asking

    async def take_in(self, resource: Resource[Any], waiting: Waiting, who: Who, *, is_trial: bool) -> Waiting:
        """Take in a table, or try it: at once where it is short, else as a job; return what is known of it then.

        The same table is taken in once, however often this is asked for.
        """
        async with self._locks.setdefault(waiting.id, asyncio.Lock()):
            now = await self.room.find(who.actor, resource.name, waiting.id) or waiting
            if not is_trial and (now.job or now.outcome is not None):
                return now
            operation = self._operation(who, now.operation)
            if now.rows > LONG:
                return await self._ask(resource, now, who, operation, is_trial=is_trial)
            return await self._take_in_now(resource, now, who, operation, is_trial=is_trial)

    async def _ask(
        self, resource: Resource[Any], waiting: Waiting, who: Who, operation: Operation, *, is_trial: bool
    ) -> Waiting:
        what = "Trial of an import" if is_trial else "Import"
        request = Request(
            TAKE_IN, f"{what} into {resource.title}: {waiting.name or 'pasted'}", who.actor, waiting.profile,
            {"waiting": asdict(waiting), "is_trial": is_trial, "operation": asdict(operation)},
            app=resource.name, options=Options(dedup=f"{TAKE_IN}.{waiting.id}.{is_trial}"),
        )  # fmt: skip
        job = await self._jobs.ask(request)
        if is_trial:
            return await self.room.keep(who.actor, replace(waiting, trial=job.id), KEPT_AT_WORK)
        changed = replace(waiting, job=job.id, operation=job.payload["operation"]["id"])
        return await self.room.keep(who.actor, changed, KEPT_AT_WORK)

    async def _take_in_now(
        self, resource: Resource[Any], waiting: Waiting, who: Who, operation: Operation, *, is_trial: bool
    ) -> Waiting:
        if not is_trial:  # Noted first: should the program end here, the next time goes on behind what counts.
            waiting = await self.room.keep(who.actor, replace(waiting, operation=operation.id))
        taking = Taking(
            resource, waiting.profile, who, waiting.choice, is_trial=is_trial, operation=None if is_trial else operation
        )
        lines = await self.room.run(lambda: list(self.room.lines(waiting)))
        noting = self.room.noted(waiting.id, is_trial=is_trial)
        told = (await take_in(self._records, taking, lines, noting=noting)).as_json()
        changed = replace(waiting, report=told, trial="") if is_trial else replace(waiting, outcome=told)
        return await self.room.keep(who.actor, changed)

    async def undo(self, resource: Resource[Any], operation: str, who: Who, profile: str) -> JobRow | None:
        """Ask for a job that takes much back; None where it is so little that it can be done at once."""
        found = await self._records.operation_of(resource, operation)
        if found is None or found.undone is not None or found.records <= LONG:
            return None
        request = Request(
            UNDO, f"Undo in {resource.title}: {found.records:,} records", who.actor, profile,
            {"resource": resource.name, "operation": operation, "made": asdict(self._operation(who)),
             "records": found.records},
            app=resource.name, options=Options(dedup=f"{UNDO}.{operation}"),
        )  # fmt: skip
        return await self._jobs.ask(request)

    async def many(
        self,
        resource: Resource[Any],
        what: What,
        records: Sequence[int],
        who: Who,
        profile: str,
        answers: Mapping[str, Any] | None = None,
    ) -> JobRow | None:
        """Ask for a job that does something to many records; None where they are so few that it can be done at once.

        The records are those of this moment. The same is done once, however often it is asked for meanwhile.

        Args:
            resource: Their resource.
            what: What is done.
            records: Their numbers.
            who: Who does it.
            profile: The profile that is chosen.
            answers: For a change the fields, as `forms.decode` returns them.
        """
        if len(records) <= LONG:
            return None
        given = json.dumps(to_jsonable_python(dict(answers or {})))
        same = hashlib.sha256(json.dumps([resource.name, what, who.actor, given, *records]).encode()).hexdigest()
        choice = await self.chosen.keep(records)
        request = Request(
            MANY, f"{what.capitalize()} in {resource.title}: {len(records):,} records", who.actor, profile,
            # There may be a secret among the answers.
            {"resource": resource.name, "what": what, "choice": choice, "answers": seal(given),
             "operation": asdict(self._operation(who)), "records": len(records)},
            app=resource.name, options=Options(dedup=f"{MANY}.{same}"),
        )  # fmt: skip
        job = await self._jobs.ask(request)
        if job.payload["choice"] != choice:
            await self.chosen.forget(choice)
        return job

    async def state_of(self, job: JobRow) -> State | None:
        """Return how far such a job came, or None where that is not known any more."""
        return await self.chosen.state(job.payload["choice"])

    def _operation(self, who: Who, id_: str = "") -> Operation:
        return Operation(id_ or new_id(), Author(who.actor, to_text(self._clock.now()), who.tab, who.via))

    # Doing

    def obstacle(self, row: JobRow) -> str:
        """Return in words why a job cannot be done now."""
        return "" if row.app in self._records.resources else NOT_THERE

    def overtaken(self, tx: Transaction, row: JobRow) -> str:  # noqa: ARG002 - as the port has it
        """Return "": what comes of it is waited for to the end."""
        return ""

    async def do(self, doing: Doing) -> None:
        """Do it; what it did when it is stopped stays, and can be taken back, or gone on with."""
        work = {TAKE_IN: self._taken_in, UNDO: self._taken_back, MANY: self._done_to_many}[doing.row.kind]
        try:
            result = await self._there(work, doing)
        except RecordError as error:
            raise JobError(str(error)) from error
        is_done = await doing.threads.run(partial(doing.end, result=result))
        if is_done and doing.row.kind == MANY:
            await self._there(self.chosen.forget, doing.row.payload["choice"])

    async def _taken_in(self, doing: Doing) -> dict[str, Any]:
        row, given = doing.row, doing.row.payload
        who, waiting = Who(row.owner), Waiting.from_json(given["waiting"])
        resource = self._records.resources[waiting.resource]
        if not await self.room.run(self.room.path(waiting.id).exists):
            raise JobError(GONE)

        def told(done: int, report: Report) -> None:
            doing.say(done, waiting.rows, said(report))

        taking = Taking(
            resource, waiting.profile, who, waiting.choice, is_trial=given["is_trial"],
            operation=None if given["is_trial"] else _operation(given["operation"]),
        )  # fmt: skip
        doing.say(0, waiting.rows, "")
        noting = self.room.noted(waiting.id, is_trial=taking.is_trial)
        report = await take_in(self._records, taking, self.room.lines(waiting), told, noting)
        doing.log(said(report))
        return report.as_json()

    async def _taken_back(self, doing: Doing) -> dict[str, Any]:
        given, made = doing.row.payload, _operation(doing.row.payload["made"])
        resource, total = self._records.resources[given["resource"]], given["records"]

        def told(done: int) -> None:
            doing.say(min(done, total), total, "records taken back")

        doing.say(0, total, "")
        outcome = await self._records.undo(resource, given["operation"], Who(doing.row.owner), made=made, progress=told)
        if outcome.kept:
            doing.log(f"{outcome.kept:,} records stayed as they are: somebody changed them since.")
        return {"operation": outcome.operation, "kept": outcome.kept}

    async def _done_to_many(self, doing: Doing) -> dict[str, Any]:
        given, total = doing.row.payload, doing.row.payload["records"]
        what: What = given["what"]
        bulk = Bulk(
            self._records.resources[given["resource"]], what, given["choice"], Who(doing.row.owner),
            _operation(given["operation"]), json.loads(unseal(given["answers"])),
        )  # fmt: skip

        def told(state: State) -> None:
            doing.say(state.records, total, said(state.report, DONE_WORDS[what], "refused"))

        report = await do_all(self._records, self.chosen, bulk, told)
        doing.log(said(report, DONE_WORDS[what], "refused"))
        return report.as_json()


DONE_WORDS: Final[Mapping[str, str]] = {
    "change": "changed", "delete": "deleted", "restore": "restored", "erase": "erased",
}  # fmt: skip
"""What is done to records -> what they are then."""


def said(report: Report, changed: str = "changed", wrong: str = "wrong") -> str:
    """Return in a few words what became of the rows so far."""
    numbers = {
        "added": report.created, changed: report.changed, "left out": report.skipped, "the same": report.same,
        "changed meanwhile": report.kept, "not there any more": report.gone, wrong: report.wrong,
    }  # fmt: skip
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items() if number) or "nothing yet"


def _operation(stored: dict[str, Any]) -> Operation:
    return Operation(stored["id"], Author(**stored["author"]))
