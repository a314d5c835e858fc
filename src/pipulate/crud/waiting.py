"""Tables that somebody brought and that wait to be taken in: kept for a while, so that nothing is sent twice."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Self

from pipulate._clock import Clock, to_text
from pipulate._ids import new_id
from pipulate._threads import Threads
from pipulate.crud.cells import can_be_brought
from pipulate.crud.many import Problem, Report
from pipulate.crud.resource import Resource
from pipulate.crud.taking import Choice, Line
from pipulate.errors import UploadTooLargeError
from pipulate.sheets import tables
from pipulate.sheets.sniff import DELIMITERS, ENCODINGS, Layout
from pipulate.sheets.tables import Form, TableRow
from pipulate.storage import keyvalue
from pipulate.storage.database import Database, Transaction

KEPT: Final = timedelta(days=1)
KEPT_AT_WORK: Final = timedelta(days=30)
"""How long one waits that a job takes in: a person may have to decide something first."""

MOST: Final = 5
"""Tables of one person that wait at one time; the oldest goes."""

_ID: Final = re.compile(r"[0-9a-f]{32}")
_UNNAMED_S: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A table that waits.

    Attributes:
        id: Its id.
        resource: Name of the resource it is for.
        profile: The profile that was chosen when it came.
        name: Name of the file, or "".
        form: How it is written.
        layout: How it is written where it is CSV.
        columns: Names of its columns.
        rows: How many rows it has.
        mapping: The field of each column, or "".
        choice: What becomes of rows that are there already.
        report: What a trial found, as `Report.as_json`; None where none was made with this mapping.
        trial, job: Ids of the jobs that try it, and take it in, or "".
        operation: What it was taken in under, or "".
        outcome: What became of it, as `Report.as_json`, where it was taken in at once; None where it was not.
        until: When it is forgotten.
    """

    id: str
    resource: str
    profile: str
    name: str
    form: Form
    layout: Layout
    columns: tuple[str, ...]
    rows: int
    mapping: tuple[str, ...]
    choice: Choice = "skip"
    report: Mapping[str, Any] | None = None
    trial: str = ""
    job: str = ""
    operation: str = ""
    outcome: Mapping[str, Any] | None = None
    until: str = ""

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what was stored."""
        made: dict[str, Any] = {**stored, "layout": Layout(**stored["layout"])}
        return cls(**{**made, "columns": tuple(made["columns"]), "mapping": tuple(made["mapping"])})

    @property
    def fields(self) -> dict[str, int]:
        """The fields that are taken -> the place of their column."""
        return {name: place for place, name in enumerate(self.mapping) if name}


class Noted:
    """What is wrong with the rows of one, noted in a file: a line of JSON for each problem."""

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, path.suffix.removeprefix(".")

    def note(self, upto: int, problems: Sequence[Problem]) -> int:
        """Note problems behind the first so many bytes, in the place of what is there; return how many are there."""
        lines = [json.dumps([each.row, each.field, each.words]) + "\n" for each in problems]
        with self._path.open("ab") as file:
            file.truncate(upto)
            file.write("".join(lines).encode())
            file.flush()
            os.fsync(file.fileno())  # What counts them is on the disk a moment later.
            return file.tell()

    def read(self, upto: int) -> Iterator[Problem]:
        """Yield those that are noted in the first so many bytes; it reads the file as it goes."""
        if not upto:
            return
        with self._path.open("rb") as file:
            while file.tell() < upto and (line := file.readline()):
                yield Problem(*json.loads(line))


class Room:
    """Where they are kept: what is known of them in the store, their content in a folder of this machine."""

    def __init__(self, folder: Path, db: Database, clock: Clock) -> None:
        self._folder, self._db, self._clock = folder, db, clock
        self._threads = Threads(2, "tables")

    def path(self, table: str) -> Path:
        """Return the file of one."""
        if not _ID.fullmatch(table):
            raise ValueError(table)
        return self._folder / table

    def noted(self, table: str, *, is_trial: bool) -> Noted:
        """Return where the problems of one are noted that a trial, or taking it in, finds."""
        return Noted(self.path(table).with_suffix(".tried" if is_trial else ".taken"))

    def problems(self, waiting: Waiting, report: Report) -> Iterator[Problem]:
        """Yield all that a report found wrong, by the rows; it reads a file as it goes."""
        noted = self.noted(waiting.id, is_trial=report.file == "tried")
        return noted.read(report.noted) if report.file else iter(sorted(report.problems, key=attrgetter("row")))

    async def receive(
        self, owner: str, profile: str, resource: Resource[Any], name: str, blocks: AsyncIterator[bytes], most: int
    ) -> Waiting:
        """Take a table in and look how it is written.

        Raises:
            UploadTooLargeError: If it has more than `most` bytes.
            TableError: If it cannot be read as a table.
        """
        made, size = new_id(), 0
        path = self.path(made)
        await self._threads.run(lambda: self._folder.mkdir(mode=0o700, parents=True, exist_ok=True))
        is_kept = False
        try:
            with await self._threads.run(path.open, "xb") as file:
                async for block in blocks:
                    size += len(block)
                    if size > most:
                        raise UploadTooLargeError(
                            f"This is too large. A file here can have up to {most / 1e6:,.6g} MB."
                        )
                    await self._threads.run(file.write, block)
            waiting = await self._threads.run(self._looked_at, made, profile, resource, name)
            waiting = await self.keep(owner, waiting)
            is_kept = True
        finally:
            if not is_kept:
                await self._threads.run(lambda: path.unlink(missing_ok=True))
        await self._forget_oldest(owner)
        return waiting

    def _looked_at(self, made: str, profile: str, resource: Resource[Any], name: str) -> Waiting:
        path = self.path(made)
        form = tables.form_of(path)
        layout = tables.layout_of(path) if form == "csv" else Layout()
        return self._counted(Waiting(made, resource.name, profile, name[:200], form, layout, (), 0, ()), resource)

    def _counted(self, waiting: Waiting, resource: Resource[Any]) -> Waiting:
        path = self.path(waiting.id)
        columns = tuple(tables.columns(path, waiting.form, waiting.layout))
        number = sum(1 for _ in tables.rows(path, waiting.form, waiting.layout))
        return replace(waiting, columns=columns, rows=number, mapping=guessed(resource, columns), report=None)

    async def read_as(self, owner: str, waiting: Waiting, layout: Layout, resource: Resource[Any]) -> Waiting:
        """Read a CSV file in another way.

        Raises:
            TableError: If that cannot be.
        """
        changed = replace(waiting, layout=layout)
        return await self.keep(owner, await self._threads.run(self._counted, changed, resource))

    async def keep(self, owner: str, waiting: Waiting, for_: timedelta = KEPT) -> Waiting:
        """Store what is known of one."""
        kept = replace(waiting, until=max(waiting.until, to_text(self._clock.now() + for_)))
        await self._db.write(keyvalue.put, "temporary", _place(owner), kept.id, asdict(kept))
        return kept

    async def find(self, owner: str, resource: str, table: str) -> Waiting | None:
        """Return one of a person's for a resource, or None where there is none any more."""
        if not _ID.fullmatch(table):
            return None
        found = await self._db.read(_found, owner, table)
        is_there = found is not None and found.resource == resource
        return found if is_there and await self._threads.run(self.path(table).exists) else None

    async def first(self, waiting: Waiting, most: int) -> list[TableRow]:
        """Return the first rows of one."""

        def read() -> list[TableRow]:
            found = tables.rows(self.path(waiting.id), waiting.form, waiting.layout)
            return [row for row, _ in zip(found, range(most), strict=False)]

        return await self._threads.run(read)

    async def run(self, call: Callable[[], Any]) -> Any:
        """Do something with a file on a thread."""
        return await self._threads.run(call)

    def rows(self, waiting: Waiting) -> Iterator[TableRow]:
        """Yield the rows of one; it reads the file as it goes."""
        return tables.rows(self.path(waiting.id), waiting.form, waiting.layout)

    def lines(self, waiting: Waiting) -> Iterator[Line]:
        """Yield the rows of one as fields and what stands in their cells."""
        places = waiting.fields
        for row in self.rows(waiting):
            yield Line(row.number, {name: row.cells[place] for name, place in places.items()}, row.problem)

    async def _forget_oldest(self, owner: str) -> None:
        """Forget all but the newest few of a person's; those that are at work stay."""
        found = [Waiting.from_json(value) for _, value in await self._db.read(_of_owner, owner)]
        idle = sorted((each for each in found if not each.job), key=lambda each: each.until, reverse=True)
        for each in idle[MOST:]:
            await self._db.write(keyvalue.drop, "temporary", _place(owner), each.id)
            await self._threads.run(self._remove, each.id)

    def _remove(self, table: str) -> None:
        for path in (self.path(table), *self._folder.glob(f"{table}.*")):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove files that nothing names any more; on a thread that may wait."""
        if not self._folder.is_dir():
            return
        named = self._db.read_now(_named)
        for path in self._folder.iterdir():
            is_old = time.time() - path.stat().st_mtime > _UNNAMED_S
            if path.stem not in named and is_old:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.close(wait=False)


def guessed(resource: Resource[Any], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the field that each column is probably for, "" for none: by its name or by what people read."""
    free = {each.name: {_plain(each.name), _plain(each.label)} for each in resource.fields if can_be_brought(each)}
    found = []
    for column in columns:
        exact = column if column in free else ""
        name = exact or next((name for name, known in free.items() if _plain(column) in known), "")
        free.pop(name, None)
        found.append(name)
    return tuple(found)


def layout_from(encoding: str, delimiter: str, *, has_header: bool, otherwise: Layout) -> Layout:
    """Return how a person says a CSV file is written."""
    return Layout(
        encoding if encoding in ENCODINGS else otherwise.encoding,
        delimiter if delimiter in DELIMITERS else otherwise.delimiter,
        has_header,
    )


def _plain(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _place(owner: str) -> str:
    return f"import/{owner}"


def _found(tx: Transaction, owner: str, table: str) -> Waiting | None:
    try:
        return Waiting.from_json(keyvalue.get(tx, "temporary", _place(owner), table))
    except KeyError:
        return None


def _of_owner(tx: Transaction, owner: str) -> list[tuple[str, Any]]:
    return keyvalue.items(tx, "temporary", _place(owner))


def _named(tx: Transaction) -> set[str]:
    return keyvalue.names_under(tx, "temporary", "import/")
