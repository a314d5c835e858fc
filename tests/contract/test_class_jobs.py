"""Long work of class-style plugins in both stores: value and end of the job come together, and once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pipulate._clock import to_text
from pipulate.errors import RunConflictError
from pipulate.explicit.book import Book
from pipulate.explicit.context import Current
from pipulate.jobs.port import Request
from pipulate.security.capability import OWNER
from pipulate.storage import jobs, ledger
from pipulate.storage.jobs import JobRow
from pipulate.storage.ledger import Written
from pipulate.storage.profiles import Profile
from tests.support.store import Store

STEPS = [SimpleNamespace(id=name, done="v", show=name, refill=name == "c") for name in ("a", "b", "c", "d")]
ORDER = [step.id for step in STEPS]
PLUGIN = SimpleNamespace(steps=STEPS)


class Desk:
    """Works with the one run of a plugin."""

    def __init__(self, store: Store) -> None:
        self.store, self.told = store, list[Written]()
        self.book = Book(store.db, store.files, store.clock, self.told.append)
        self.book.start("demo", "k", "default", {"a": {"v": 1}})

    def put(self, step: str, value: Any) -> None:
        self.book.put("k", step, {"v": value}, STEPS, clears=True)

    def ask(self) -> tuple[JobRow, bool]:
        row = self.book.row("k")
        assert row is not None
        request = Request("call", "B", OWNER, "default", app="demo", run=row.id, step="b")
        return self.book.ask("k", "b", ORDER, request, [1, "x"])

    def answer(self, job: JobRow, value: Any) -> Written | None:
        now = Current(OWNER, "demo", PLUGIN, Profile("default", "Default"), key="k")
        return self.book.answer(job, {"v": value}, now)

    def status(self, job: JobRow) -> str:
        found = self.store.db.read_now(jobs.find, job.id)
        assert found is not None
        return found.status

    def kinds(self) -> list[str]:
        row = self.book.row("k")
        assert row is not None
        return [event.kind for event in self.store.db.read_now(ledger.events, row.id)][2:]

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.book.read("k") or {}
        return {name: found[name]["v"] for name in ORDER if name in found}


@pytest.fixture
def desk(store: Store) -> Desk:
    return Desk(store)


def test_value_and_end_come_together_and_once(desk: Desk) -> None:
    for step in ("c", "d"):
        desk.put(step, 0)
    job, is_new = desk.ask()
    assert (is_new, job.status, desk.state()) == (True, jobs.QUEUED, {"a": 1, "c": 0, "d": 0})
    assert desk.answer(job, 5) is not None
    assert desk.answer(job, 6) is None
    assert (desk.status(job), desk.state()) == (jobs.DONE, {"a": 1, "b": 5, "c": 0})
    assert desk.kinds() == ["submitted", "submitted", "requested", "computed"]


def test_open_job_is_returned_and_one_that_is_to_stop_is_followed_by_another(desk: Desk) -> None:
    job, _ = desk.ask()
    assert desk.ask() == (job, False)
    at = to_text(desk.store.clock.now())
    desk.store.db.write_now(jobs.begin, job.id, 1, at)
    desk.store.db.write_now(jobs.ask_to_stop, job.id, OWNER, at, "Cancelled.")
    other, is_new = desk.ask()
    assert is_new
    assert other.id != job.id


def test_cancelled_job_gives_no_value(desk: Desk) -> None:
    job, _ = desk.ask()
    desk.store.db.write_now(jobs.ask_to_stop, job.id, OWNER, to_text(desk.store.clock.now()), "Cancelled.")
    assert desk.answer(job, 5) is None
    assert (desk.status(job), desk.state(), desk.kinds()) == (jobs.CANCELLED, {"a": 1}, ["requested"])


@pytest.mark.parametrize("step", ["a", "b"])
def test_change_of_the_step_or_one_before_refuses_value_and_end(desk: Desk, step: str) -> None:
    job, _ = desk.ask()
    desk.put(step, 2)
    with pytest.raises(RunConflictError):
        desk.answer(job, 5)
    assert desk.status(job) == jobs.QUEUED
    assert desk.state() == {"a": 1, step: 2}
    assert desk.book.job("k", "b", ORDER) is None


def test_change_of_a_later_step_is_no_reason_to_refuse(desk: Desk) -> None:
    job, _ = desk.ask()
    desk.put("c", 2)
    assert desk.answer(job, 5) is not None
    assert desk.state() == {"a": 1, "b": 5, "c": 2}
    view = desk.book.job("k", "b", ORDER)
    assert view is not None
    assert view.row.status == jobs.DONE
