"""The one place that records are changed through, whatever door the change comes in by."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate.crud import fitting, ordering, writing
from pipulate.crud.checking import tried
from pipulate.crud.fitting import fit_command
from pipulate.crud.hooks import Hooks
from pipulate.crud.outcome import Listing, Outcome
from pipulate.crud.resource import Moment, Resource, install
from pipulate.crud.telling import tell
from pipulate.crud.undoing import NOTHING, left_to_do, taking_back
from pipulate.crud.writing import Done
from pipulate.errors import (
    InvalidAnswersError,
    RecordError,
    RecordNotFoundError,
    RecordRefusedError,
    TableDiffersError,
)
from pipulate.events import Bus, MessagesAdded, RecordsChanged
from pipulate.fields.files import Files
from pipulate.security.who import Who
from pipulate.storage import uploads
from pipulate.storage.database import Database, Transaction
from pipulate.storage.files import FileStore
from pipulate.storage.ledger import Author
from pipulate.storage.records import catalog, operations, queries, rows
from pipulate.storage.records.files import folder_of, refuse_gone
from pipulate.storage.records.operations import OperationRow, RecordEvent
from pipulate.storage.records.queries import Query
from pipulate.storage.records.rows import Operation, Record, Values
from pipulate.storage.records.shape import Shape

T = TypeVar("T")

CREATE: Final = "create"
CHANGE: Final = "change"
DELETE: Final = "delete"
RESTORE: Final = "restore"
MOVE: Final = "move"
ERASE: Final = "erase"

_AT_ONCE: Final = 1_000
"""Records changed in one transaction; what is more is done in several, so that others get a turn."""

_TRIES: Final = 5


class Records:
    """Reads and changes records.

    Attributes:
        resources: Stored name -> resource, of the apps that are installed now; replaced as a whole.
        command: Makes, of the name of a resource, the command that brings its table to what is declared.
    """

    def __init__(
        self, db: Database, bus: Bus, clock: Clock, apart: Callable[[Callable[[], Any]], Any], files: FileStore
    ) -> None:
        self._resources: Mapping[str, Resource[Any]] = {}
        self._files, self._app = files, Hooks(apart, files)
        self.command: Callable[[str], str] = fit_command
        self._db, self._bus, self._clock, self._apart = db, bus, clock, apart
        self._fitting: set[Resource[Any]] = set()

    @property
    def resources(self) -> Mapping[str, Resource[Any]]:
        """The resources there are, by name."""
        return self._resources

    @resources.setter
    def resources(self, found: Mapping[str, Resource[Any]]) -> None:
        for each in found.values():
            install(each, self._files)
        self._resources = found

    # Reading

    async def ready(self, resource: Resource[Any]) -> None:
        """Make the table of a resource where there is none yet.

        Raises:
            TableDiffersError: If there is one with other fields.
        """
        if resource in self._fitting:
            return
        stored = await self._db.read(catalog.stored, resource.name)
        if stored is None:
            await self._db.write(catalog.make, resource.shape, *self._here())
            stored = await self._db.read(catalog.stored, resource.name)
        assert stored is not None  # noqa: S101 - it was just made
        if (difference := catalog.difference(stored, resource.shape)) and not await self._made_anew(resource):
            raise TableDiffersError(resource.name, fitting.in_words(difference), self.command(resource.name))
        self._fitting.add(resource)

    def _here(self) -> tuple[str, bool]:
        return to_text(self._clock.now()), self._db.name == "postgresql"

    async def _made_anew(self, resource: Resource[Any]) -> bool:
        """Give a table that holds nothing the fields that are declared; tell whether it held nothing."""
        return await self._db.write(catalog.make_anew, resource.shape, *self._here())

    async def page(self, resource: Resource[Any], query: Query, *, limit: int, offset: int = 0) -> Listing:
        """Return a part of the list that a query asks for, and how long the list is."""
        await self.ready(resource)
        stored, worked_out = ordering.apart(resource, query)
        if worked_out is None:
            query = await self._by_labels(resource, stored)
            return await self._db.read(_listing, resource.shape, query, limit, offset)
        numbers = await self.numbers(resource, query, in_order=True)
        some = await self.find_in_order(resource, numbers[offset : offset + limit], deleted=query.deleted)
        return Listing(some, len(numbers), await self._db.read(catalog.version, resource.name))

    async def _by_labels(self, resource: Resource[Any], query: Query) -> Query:
        """Return a query that sorts links by what people call the records they lead to."""
        sort = list(query.sort)
        for index, each in enumerate(sort):
            link = resource.links.get(each.field)
            other = self.resources.get(link.to) if link is not None else None
            if other is None:
                continue
            with suppress(TableDiffersError):
                await self.ready(other)
                sort[index] = replace(each, by=(other.shape, other.shape.by_name[other.label]))
        return replace(query, sort=tuple(sort))

    async def find(
        self, resource: Resource[Any], record: int, *, profile: str | None = None, deleted: bool = False
    ) -> Record:
        """Return a record.

        Raises:
            RecordNotFoundError: If there is none, or it is of another profile than one that is given, or, unless
                `deleted` is said, it is in the bin.
        """
        await self.ready(resource)
        return await self._db.read(rows.find, resource.shape, record, profile=profile, deleted=deleted)

    async def find_all(
        self,
        resource: Resource[Any],
        records: Sequence[int],
        *,
        profile: str | None = None,
        deleted: bool = False,
    ) -> list[Record]:
        """Return those of some records that are there, by their numbers; as in `find`."""
        await self.ready(resource)
        return await self._db.read(rows.find_all, resource.shape, records, profile=profile, deleted=deleted)

    async def find_in_order(
        self, resource: Resource[Any], records: Sequence[int], *, deleted: bool = False
    ) -> list[Record]:
        """Return those of some records that are there, in the order they are named in; as in `find`."""
        there = {each.id: each for each in await self.find_all(resource, records, deleted=deleted)}
        return [there[number] for number in records if number in there]

    async def neighbour(self, resource: Resource[Any], query: Query, record: Record, *, after: bool) -> Record | None:
        """Return the record that stands right after, or right before, another in the order people gave; or None."""
        await self.ready(resource)
        return await self._db.read(queries.neighbour, resource.shape, query, record, after=after)

    async def numbers(self, resource: Resource[Any], query: Query, *, in_order: bool = False) -> list[int]:
        """Return the numbers of all the records that a query asks for; in no order unless that is said."""
        await self.ready(resource)
        stored, worked_out = ordering.apart(resource, query)
        stored = await self._by_labels(resource, stored) if in_order else stored
        found = await self._db.read(queries.numbers, resource.shape, stored, in_order=in_order)
        if worked_out is None or not in_order or len(found) > ordering.MOST:
            return found
        shown = await self.find_in_order(resource, found, deleted=query.deleted)
        return list(await self._apart(partial(ordering.sorted_by, resource, shown, worked_out)))

    async def some(self, resource: Resource[Any], query: Query, *, limit: int) -> list[Record]:
        """Return the first records that a query finds, without counting the others."""
        await self.ready(resource)
        return await self._db.read(queries.page, resource.shape, query, limit=limit)

    async def history(self, resource: Resource[Any], record: int, *, before: int | None = None) -> list[RecordEvent]:
        """Return the newest events of a record, or those before a version."""
        await self.ready(resource)
        return await self._db.read(operations.history, resource.shape, record, before=before)

    async def done_lately(self, resource: Resource[Any]) -> list[OperationRow]:
        """Return what was done last to a table."""
        await self.ready(resource)
        return await self._db.read(operations.latest, resource.shape)

    async def operation_of(self, resource: Resource[Any], operation: str) -> OperationRow | None:
        """Return something that was done to a table, by its id; None where there is none."""
        await self.ready(resource)
        return await self._db.read(operations.find, resource.shape, operation)

    # Changing

    async def create(
        self,
        resource: Resource[Any],
        answers: Mapping[str, Any],
        profile: str | None,
        who: Who,
        *,
        files: Files | None = None,
        submit: str | None = None,
    ) -> Outcome:
        """Add a record at the end.

        Args:
            resource: Its resource.
            answers: Its fields, as `forms.decode` returns them; those left out have their defaults.
            profile: The profile that is chosen.
            who: Who does it.
            files: The files that the answers may name.
            submit: Id that it is noted under; the same again does nothing more.

        Raises:
            InvalidAnswersError: If a field breaks a rule.
            RecordTakenError: If another record has the same key.
            RecordRefusedError: If the app does not allow it.
            FileGoneError: If a file is not there any more.
        """
        await self.ready(resource)
        if (before := await self._done_before(resource, submit)) is not None:
            return before
        owner = profile if resource.per_profile else None
        values = await self.created(resource, answers, owner, who, files)

        def unit(tx: Transaction, operation: Operation, done: Done) -> None:
            writing.refuse_taken(tx, resource.shape, values, owner)
            writing.refuse_dangling(tx, resource.shape, values, owner)
            found = writing.found_by(resource.shape, resource.search, values)
            place = rows.last_place(tx, resource.shape, owner)
            number = rows.add(tx, resource.shape, operation, values, found, profile=owner, place=place)
            done.records.append(rows.find(tx, resource.shape, number))

        outcome = await self._do(resource, CREATE, who, unit, submit)
        await self.told("after_create", resource, [(None, each) for each in outcome.records], who)
        return outcome

    async def change(
        self,
        resource: Resource[Any],
        record: int,
        answers: Mapping[str, Any],
        who: Who,
        *,
        seen: int,
        files: Files | None = None,
        submit: str | None = None,
    ) -> Outcome:
        """Give some fields of a record other values.

        Args:
            resource: Its resource.
            record: Its number.
            answers: The fields, as `forms.decode` returns them.
            who: Who does it.
            seen: The version of the record that whoever changes it has seen.
            files: The files that the answers may name.
            submit: As in `create`.

        Raises:
            RecordNotFoundError: If there is no such record.
            RecordConflictError: If one of these fields was changed after that version.
            InvalidAnswersError, RecordTakenError, RecordRefusedError, FileGoneError: As in `create`.
        """
        await self.ready(resource)
        if (done := await self._done_before(resource, submit)) is not None:
            return done
        for _ in range(_TRIES):
            before = await self.find(resource, record)
            values = await self._app.checked(resource, answers, before.values, files)
            given = {name: values[name] for name in answers if name in values}
            if (stands := await self._db.read(writing.conflict, resource.shape, before, seen, given)) is not None:
                raise stands
            values = await self._app.asked("before_change", resource, before, values, before.profile, who)
            outcome = await self._do(resource, CHANGE, who, writing.changing(resource, before, values), submit)
            if outcome.kept:
                continue  # Somebody was faster; look again at what it has become.
            changed = [(before, each) for each in outcome.records]
            await self.told("after_change", resource, changed, who)
            return outcome if changed else Outcome("", [before])
        raise RecordRefusedError("This record is changed so often just now that nothing could be saved. Try again.")

    async def delete(
        self, resource: Resource[Any], records: Sequence[int], who: Who, *, submit: str | None = None
    ) -> Outcome:
        """Put records into the bin, and what belongs to them where their links say so; `submit` as in `create`.

        Raises:
            RecordLinkedError: If one is protected by a record that leads to it; none is deleted then.
            RecordRefusedError: If the app does not allow it.
        """
        await self.ready(resource)
        if (done := await self._done_before(resource, submit)) is not None:
            return done
        there = await self._db.read(rows.find_all, resource.shape, records)
        for each in there:
            await self._app.asked("before_delete", resource, each, None, each.profile, who)
        titles = {name: found.title for name, found in self.resources.items()}

        def unit(tx: Transaction, operation: Operation, done: Done) -> None:
            now = rows.find_all(tx, resource.shape, [each.id for each in there])
            writing.put_into_bin(tx, resource.shape, operation, now, titles, done)

        outcome = await self._do(resource, DELETE, who, unit, submit)
        await self.told("after_delete", resource, [(each, None) for each in there], who)
        return outcome

    async def restore(self, resource: Resource[Any], records: Sequence[int], who: Who) -> Outcome:
        """Take records out of the bin.

        Raises:
            RecordTakenError: If another record has the key of one by now; none is restored then.
        """
        await self.ready(resource)
        await self._allowed(resource, RESTORE, records, who)

        def unit(tx: Transaction, operation: Operation, done: Done) -> None:
            for each in rows.find_all(tx, resource.shape, records, deleted=True):
                if each.deleted_at is not None:
                    writing.refuse_taken(tx, resource.shape, each.values, each.profile, each.id)
                    done.records.append(rows.restore(tx, resource.shape, operation, each))

        return await self._do(resource, RESTORE, who, unit)

    async def erase(self, resource: Resource[Any], records: Sequence[int], who: Who) -> None:
        """Remove records for good that are in the bin.

        Raises:
            RecordRefusedError: If none of them can be, because something that is left belongs to it.
        """
        await self.ready(resource)
        await self._allowed(resource, ERASE, records, who)

        def unit(tx: Transaction) -> tuple[int, set[str]]:
            there = [each for each in rows.find_all(tx, resource.shape, records, deleted=True) if each.deleted_at]
            gone = [each.id for each in there if writing.may_be_erased(tx, resource.shape, each)]
            if there and not gone:
                raise RecordRefusedError(writing.NEEDED)
            let_go = rows.erase(tx, resource.shape, gone)
            return rows.claim(tx, resource.shape), let_go

        version, let_go = await self._db.write(unit)
        self._publish(Done(versions={resource.name: version}), who)
        await self.clear_files(resource, let_go)

    async def clear_files(self, resource: Resource[Any], let_go: Collection[str]) -> None:
        """Remove the files that nothing holds; should the program end before it did so, the next one does."""
        if let_go:
            await self._db.write(uploads.clear, self._files, folder_of(resource.name), "", let_go)

    async def move(self, resource: Resource[Any], record: int, beside: int, who: Who, *, after: bool) -> Outcome:
        """Let a record stand right before, or right after, another of its profile.

        Raises:
            RecordNotFoundError: If there is no such record, or the other is of another profile.
        """
        await self.ready(resource)
        await self._allowed(resource, MOVE, [record], who)

        def unit(tx: Transaction, operation: Operation, done: Done) -> None:
            moved = rows.find(tx, resource.shape, record)
            other = rows.find(tx, resource.shape, beside)
            if other.profile != moved.profile:
                raise RecordNotFoundError(resource.name, beside)
            if other.id == moved.id:
                return
            place = rows.place_beside(tx, resource.shape, other, after=after)
            rows.move(tx, resource.shape, moved.id, place)
            operations.describe(tx, operation, {"record": moved.id, "from": moved.place, "to": place})
            done.records.append(moved._replace(place=place))

        return await self._do(resource, MOVE, who, unit)

    async def undo(
        self,
        resource: Resource[Any],
        operation: str,
        who: Who,
        *,
        made: Operation | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Outcome:
        """Take back all that an operation did, but for records that were changed since; part by part.

        Args:
            resource: The resource.
            operation: Id of the operation.
            who: Who does it.
            made: What it is noted under. One that was begun before goes on where it ended.
            progress: Told how many records are done, since it was called; it may raise to stop in between.

        Returns:
            Of more than a thousand records only the first.

        Raises:
            RecordRefusedError: If there is no such operation, or it was taken back already.
            RecordTakenError: If another record has the key by now.
        """
        await self.ready(resource)
        await self._allowed(resource, "undo", [], who)
        made = made or self.operation(who)
        row = await self._db.read(operations.find, resource.shape, operation)
        if row is None or row.undone not in (None, made.id):
            raise RecordRefusedError(NOTHING)
        begun = await self._db.read(operations.find, resource.shape, made.id)
        left, after, kept = left_to_do(resource.name, self.resources, begun)
        done, first = Done(kept=kept), row if begun is None else None
        number = 0
        for name in left:
            each = resource if name == resource.name else self.resources[name]
            while (events := await self._read_events(each, operation, after)) or first is not None:
                part = await self._db.write(taking_back(each, made, events, first, done.kept))
                if part.records:
                    self._publish(part, who)
                done.add(part, _AT_ONCE)
                number, first = number + len(events), None
                if progress is not None:
                    progress(number)
                if len(events) < _AT_ONCE:
                    break
                after = events[-1].record
            after = 0
        return Outcome(made.id, done.records, done.kept)

    async def _read_events(self, resource: Resource[Any], operation: str, after: int) -> list[RecordEvent]:
        read = operations.events_of
        return await self._db.read(read, resource.shape, operation, after=after, limit=_AT_ONCE)

    async def go_back(self, resource: Resource[Any], record: int, version: int, who: Who) -> Outcome:
        """Give a record the values it had at a version."""
        now = await self.find(resource, record)
        values = await self._db.read(writing.as_it_was, resource.shape, record, version)
        return await self.change(resource, record, values, who, seen=now.version)

    # What is made of answers, and writing many at once

    async def created(
        self,
        resource: Resource[Any],
        answers: Mapping[str, Any],
        profile: str | None,
        who: Who,
        files: Files | None = None,
    ) -> Values:
        """Return the values of a record that is made of answers; nothing is stored.

        Raises:
            InvalidAnswersError, RecordRefusedError: As in `create`.
        """
        values = await self._app.checked(resource, answers, None, files)
        checked: Values = await self._app.asked("before_create", resource, None, values, profile, who)
        return checked

    async def changed(self, resource: Resource[Any], before: Record, answers: Mapping[str, Any], who: Who) -> Values:
        """Return the values a record gets by answers to some of its fields; nothing is stored.

        Raises:
            InvalidAnswersError, RecordRefusedError: As in `create`.
        """
        values = await self._app.checked(resource, answers, before.values)
        checked: Values = await self._app.asked("before_change", resource, before, values, before.profile, who)
        return checked

    async def all_checked(
        self,
        resource: Resource[Any],
        given: Sequence[tuple[Record | None, Mapping[str, Any]]],
        profile: str | None,
        who: Who,
    ) -> list[Values | InvalidAnswersError | RecordError]:
        """As `created`, and `changed` where there is a record, for many; in the place of one that is refused, why."""
        found: list[Values | InvalidAnswersError | RecordError] = await self._apart(
            lambda: [tried(resource, answers, before) for before, answers in given]
        )
        moments: tuple[Moment, Moment] = ("before_create", "before_change")
        if resource.may is None and not any(resource.hooks[each] for each in moments):
            return found
        for index, (before, _) in enumerate(given):
            values = found[index]
            if isinstance(values, Exception):
                continue
            moment, owner = (moments[0], profile) if before is None else (moments[1], before.profile)
            try:
                found[index] = await self._app.asked(moment, resource, before, values, owner, who)
            except (InvalidAnswersError, RecordError) as error:
                found[index] = error
        return found

    async def refusal(self, resource: Resource[Any], action: str, record: Record, who: Who) -> Exception | None:
        """Return why the app does not let a record be deleted, restored or erased; None where it does."""
        try:
            if action == DELETE:
                await self._app.asked("before_delete", resource, record, None, record.profile, who)
            else:
                await self._app.refuse_forbidden(resource, action, [record], who)
        except (InvalidAnswersError, RecordError) as error:
            return error
        return None

    async def written(
        self, resource: Resource[Any], unit: Callable[[Transaction, Done], T], who: Who
    ) -> tuple[Done, T]:
        """Do something to a table in one transaction, with the table claimed, and tell whoever listens."""

        def claimed(tx: Transaction) -> tuple[Done, T]:
            done = Done()
            writing.claimed(tx, resource.shape, done)
            return done, unit(tx, done)

        done, result = await self._db.write(claimed)
        self._publish(done, who)
        return done, result

    async def apart(self, call: Callable[[], T]) -> T:
        """Do what takes a while on a thread, so that others get a turn."""
        result: T = await self._apart(call)
        return result

    def refuse_gone(self, tx: Transaction, resource: Resource[Any], operation: Operation) -> None:
        """Refuse what an operation did where it names a file that is not there; FileGoneError then."""
        refuse_gone(tx, resource.shape, operation.id, self._files.has)

    # Inside

    async def _done_before(self, resource: Resource[Any], submit: str | None) -> Outcome | None:
        return await self._db.read(writing.done_before, resource.shape, submit) if submit is not None else None

    def operation(self, who: Who, submit: str | None = None) -> Operation:
        """Return what changes made from now on are noted under."""
        return Operation(submit or new_id(), Author(who.actor, to_text(self._clock.now()), who.tab, who.via))

    async def _do(
        self,
        resource: Resource[Any],
        kind: str,
        who: Who,
        unit: Callable[[Transaction, Operation, Done], None],
        submit: str | None = None,
    ) -> Outcome:
        """Do something in one transaction and tell whoever listens; note it only where it changed something."""
        operation = self.operation(who, submit)

        def noted(tx: Transaction) -> Done:
            done = Done()
            writing.claimed(tx, resource.shape, done)
            operations.begin(tx, resource.shape, operation, kind, {})
            unit(tx, operation, done)
            if done.records:
                operations.count(tx, operation, len(done.records))
                done.message = tell(tx, resource, operation, done.records, done.records[0].profile)
                self.refuse_gone(tx, resource, operation)
            else:
                operations.forget(tx, operation)
            return done

        done = await self._db.write(noted)
        if done.records:
            self._publish(done, who)
        return Outcome(operation.id if done.records else "", done.records, done.kept)

    def _publish(self, done: Done, who: Who) -> None:
        for name, version in done.versions.items():
            self._bus.publish(RecordsChanged(name, version, who.tab))
        if done.message is not None:
            self._bus.publish(MessagesAdded(*done.message))

    async def _allowed(self, resource: Resource[Any], action: str, records: Sequence[int], who: Who) -> None:
        """Ask the app whether somebody may do something to records, or, where there are none, at all.

        Raises:
            RecordRefusedError: If they may not.
        """
        if resource.may is not None:
            there = await self._db.read(rows.find_all, resource.shape, records, deleted=True)
            await self._app.refuse_forbidden(resource, action, there if records else [None], who)

    async def told(
        self, moment: Moment, resource: Resource[Any], changed: Sequence[tuple[Record | None, Record | None]], who: Who
    ) -> None:
        """Tell the app of what was done; what its functions fail at is for the log."""
        await self._app.told(moment, resource, changed, who)


def _listing(tx: Transaction, shape: Shape, query: Query, limit: int, offset: int) -> Listing:
    found = queries.page(tx, shape, query, limit=limit, offset=offset)
    return Listing(found, queries.count(tx, shape, query), catalog.version(tx, shape.name))
