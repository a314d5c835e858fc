"""Records, whatever is done to them in whatever order: the list, its pages, the bin and the history always agree."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pydantic import BaseModel

from pipulate.crud.engine import Records
from pipulate.crud.outcome import Outcome
from pipulate.crud.resource import Resource
from pipulate.errors import RecordConflictError, RecordRefusedError
from pipulate.events import Bus
from pipulate.security.who import Who
from pipulate.storage.files import FileStore
from pipulate.storage.migrate import migrate_sqlite
from pipulate.storage.records.queries import Query
from pipulate.storage.sqlite import SqliteDatabase
from pipulate.testing import ManualClock

T = TypeVar("T")
TIMES = int(os.environ.get("PIPULATE_TEST_TIMES", "1"))
"""How many times as many examples are tried, for who has the time."""

ANN = Who("ann")
TEXTS = st.sampled_from(["", "a", "B", "ä%", "_", "longer"])


class Thing(BaseModel):
    """Two fields, so that changes can miss each other."""

    text: str = ""
    more: str = ""


@dataclass
class Known:
    """What a record has to be."""

    values: dict[str, Any]
    place: str
    version: int = 1
    is_deleted: bool = False
    past: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Step:
    """What an operation did: for each record the version it made and what takes it back."""

    operation: str
    made: dict[int, tuple[int, Callable[[Known], None]]]
    moved: tuple[int, str, str] | None = None
    is_undone: bool = False


class RecordsMachine(RuleBasedStateMachine):
    """Everything that can be done to records, by one who has seen the newest version and one who has not."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        migrate_sqlite(self.folder / "x.sqlite3")
        self.db = SqliteDatabase(self.folder / "x.sqlite3")
        self.things: Resource[Thing] = Resource("things", Thing)
        assert self.things.prepare() == []

        async def apart(call: Callable[[], Any]) -> Any:
            return call()

        self.records = Records(self.db, Bus(), ManualClock(), apart, FileStore(self.folder / "files"))
        self.records.resources = {"things": self.things}
        self.known: dict[int, Known] = {}
        self.steps: list[Step] = []

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.db.close()
        shutil.rmtree(self.folder)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for something."""
        return asyncio.run(work)

    def one(self, data: st.DataObject, *, deleted: bool = False) -> int:
        """Choose a record."""
        return data.draw(st.sampled_from([key for key, each in self.known.items() if each.is_deleted is deleted]))

    def became(self, number: int, change: Callable[[Known], None]) -> None:
        """Take down that a record has another version."""
        known = self.known[number]
        change(known)
        known.version += 1
        known.past.append(dict(known.values))

    @rule(text=TEXTS, more=TEXTS)
    def add(self, text: str, more: str) -> None:
        """Add a record."""
        outcome = self.do(self.records.create(self.things, {"text": text, "more": more}, "default", ANN))
        record = outcome.records[0]
        values = {"text": text.strip(), "more": more.strip()}
        self.known[record.id] = Known(values, record.place, past=[dict(values)])
        self.steps.append(Step(outcome.operation, {record.id: (1, _delete)}))

    @precondition(lambda self: any(not each.is_deleted for each in self.known.values()))
    @rule(data=st.data(), text=TEXTS, is_late=st.booleans())
    def change(self, data: st.DataObject, text: str, is_late: bool) -> None:
        """Change a field, sometimes by somebody who has seen the first version alone."""
        number = self.one(data)
        known = self.known[number]
        seen = 1 if is_late else known.version
        before = known.values["text"]
        past = [each["text"] for each in known.past[seen - 1 :]]
        if before != text and any(now != was for was, now in pairwise(past)):
            with pytest.raises(RecordConflictError) as refused:
                self.do(self.records.change(self.things, number, {"text": text}, ANN, seen=seen))
            assert (refused.value.theirs, refused.value.mine) == ({"text": before}, {"text": text})
            return
        outcome = self.do(self.records.change(self.things, number, {"text": text}, ANN, seen=seen))
        if before == text:
            assert outcome.operation == ""
            return
        self.became(number, _set(text))
        self.steps.append(Step(outcome.operation, {number: (known.version, _set(before))}))

    @precondition(lambda self: any(not each.is_deleted for each in self.known.values()))
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Put one or two records into the bin."""
        chosen = {self.one(data), self.one(data)}
        self.noted(chosen, self.do(self.records.delete(self.things, sorted(chosen), ANN)), _delete, _restore)

    @precondition(lambda self: any(each.is_deleted for each in self.known.values()))
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Take a record out of the bin."""
        chosen = {self.one(data, deleted=True)}
        self.noted(chosen, self.do(self.records.restore(self.things, sorted(chosen), ANN)), _restore, _delete)

    def noted(
        self, chosen: set[int], outcome: Outcome, done: Callable[[Known], None], back: Callable[[Known], None]
    ) -> None:
        """Take down what was done to some records, and what takes it back."""
        for number in chosen:
            self.became(number, done)
        self.steps.append(Step(outcome.operation, {each: (self.known[each].version, back) for each in chosen}))

    @precondition(lambda self: sum(not each.is_deleted for each in self.known.values()) > 1)
    @rule(data=st.data(), after=st.booleans())
    def move(self, data: st.DataObject, after: bool) -> None:
        """Let a record stand beside another."""
        number, beside = self.one(data), self.one(data)
        outcome = self.do(self.records.move(self.things, number, beside, ANN, after=after))
        if number == beside:
            assert outcome.operation == ""
            return
        was, self.known[number].place = self.known[number].place, outcome.records[0].place
        self.steps.append(Step(outcome.operation, {}, (number, was, self.known[number].place)))
        order = self.order()
        assert order.index(number) - order.index(beside) == (1 if after else -1)

    @precondition(lambda self: bool(self.steps))
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        """Take something back, whenever it was done."""
        step = data.draw(st.sampled_from(self.steps))
        if step.is_undone:
            with pytest.raises(RecordRefusedError):
                self.do(self.records.undo(self.things, step.operation, ANN))
            return
        outcome = self.do(self.records.undo(self.things, step.operation, ANN))
        step.is_undone = True
        again, kept = Step(outcome.operation, {}), 0
        for number, (version, back) in step.made.items():
            known = self.known[number]
            if known.version != version:
                kept += 1
                continue
            was = dict(known.values)
            self.became(number, back)
            forth = _set(was["text"]) if was != known.values else _restore if known.is_deleted else _delete
            again.made[number] = (known.version, forth)
        if step.moved is not None:
            number, source, target = step.moved
            if self.known[number].place == target:
                self.known[number].place = source
                again.moved = (number, target, source)
            else:
                kept += 1
        assert outcome.kept == kept
        self.steps.append(again)

    def order(self) -> list[int]:
        """Return the records in the order they have to be in."""
        alive = [key for key, each in self.known.items() if not each.is_deleted]
        return sorted(alive, key=lambda key: (self.known[key].place, key))

    @invariant()
    def list_is_what_it_has_to_be(self) -> None:
        """The list, page by page, and the bin."""
        pages = [self.do(self.records.page(self.things, Query(), limit=2, offset=start)) for start in range(0, 20, 2)]
        found = [record for page in pages for record in page.records]
        assert [each.id for each in found] == self.order()[:20]
        assert {page.total for page in pages} == {len(self.order())}
        for each in found:
            known = self.known[each.id]
            assert (each.values, each.version, each.place) == (known.values, known.version, known.place)
        binned = self.do(self.records.page(self.things, Query(deleted=True), limit=100))
        assert {each.id for each in binned.records} == {key for key, each in self.known.items() if each.is_deleted}

    @precondition(lambda self: bool(self.known))
    @rule(data=st.data())
    def history_adds_up(self, data: st.DataObject) -> None:
        """Every version of a record can be had again from its history."""
        number = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[number]
        told = self.do(self.records.history(self.things, number))
        assert [each.version for each in told] == list(range(known.version, 0, -1))[: len(told)]
        values: dict[str, Any] = {}
        for event, past in zip(reversed(told), known.past, strict=True):
            values |= {name: now for name, (_, now) in event.changes.items()}
            assert values == past


def _set(text: str) -> Callable[[Known], None]:
    return lambda known: known.values.update(text=text)


def _delete(known: Known) -> None:
    known.is_deleted = True


def _restore(known: Known) -> None:
    known.is_deleted = False


TestRecords = RecordsMachine.TestCase
TestRecords.settings = settings(max_examples=25 * TIMES, stateful_step_count=25, deadline=None)
