"""Schedules: each moment asks for one job, whatever the clock and the process do."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipulate._clock import to_text
from pipulate.errors import ScheduleRefusedError
from pipulate.events import Bus, Happening, JobChanged
from pipulate.jobs import scheduling
from pipulate.jobs.scheduling import Scheduler, id_of
from pipulate.storage import jobs, schedules
from pipulate.storage.database import Transaction
from pipulate.storage.jobs import JobRow
from pipulate.storage.schedules import ScheduleRow
from tests.support.flows import until
from tests.support.store import Store

pytestmark = pytest.mark.anyio

MONDAY_7 = datetime(2026, 11, 23, 6, tzinfo=UTC)
"""The first Monday after the clock of a test starts, 7:00 in Berlin."""


class PowerCutError(Exception):
    """The process ends before a transaction is committed."""


class Begun:
    """Stands for what does jobs: takes down what was started."""

    def __init__(self) -> None:
        self.jobs: list[JobRow] = []

    def start(self, row: JobRow) -> None:
        self.jobs.append(row)


class World:
    """A store with a scheduler on it."""

    def __init__(self, store: Store) -> None:
        self.store, self.db, self.clock = store, store.db, store.clock
        self.begun, self.bus = Begun(), Bus()
        self.told: list[Happening] = []
        self.bus.subscribe(self.told.append)
        self.missing = ""
        self.restart()

    def restart(self) -> None:
        does: Any = self.begun
        self.scheduler = Scheduler(self.db, self.clock, does, self.bus, lambda _: self.missing)

    async def weekly(self, **given: Any) -> ScheduleRow:
        usual = {
            "title": "Weekly audit", "app": "audit", "owner": "ada", "profile": "default", "cron": "0 7 * * 1",
            "zone": "Europe/Berlin", "answers": {},
        }  # fmt: skip
        return await self.scheduler.add(**(usual | given))

    async def at(self, moment: datetime) -> list[str]:
        """Move the clock to a moment, let the scheduler look, and return the titles of what it has begun so far."""
        self.clock.move(seconds=(moment - self.clock.now()).total_seconds())
        await self.scheduler.look()
        return [each.title for each in self.begun.jobs]

    async def row(self, schedule: str) -> ScheduleRow:
        found = await self.db.read(schedules.find, schedule)
        assert found is not None
        return found

    async def finish(self) -> None:
        for each in self.begun.jobs:
            await self.db.write(jobs.end, each.id, 1, jobs.DONE, to_text(self.clock.now()))


@pytest.fixture
async def world(store: Store) -> World:
    return World(store)


async def test_moment_that_has_come_asks_for_one_job(world: World) -> None:
    made = await world.weekly()
    assert await world.at(MONDAY_7 - timedelta(seconds=1)) == []
    assert await world.at(MONDAY_7) == ["Weekly audit 2026-11-23 07:00"]
    assert await world.at(MONDAY_7 + timedelta(days=6)) == ["Weekly audit 2026-11-23 07:00"]
    job = world.begun.jobs[0]
    assert job == await world.db.read(jobs.find, job.id)
    assert (job.kind, job.app, job.owner, job.profile) == ("scheduled", "audit", "ada", "default")
    assert json.loads(job.args) == {"schedule": made.id, "due": to_text(MONDAY_7)}
    row = await world.row(made.id)
    assert (row.next_at, row.last_job) == (to_text(MONDAY_7 + timedelta(days=7)), job.id)
    assert [each for each in world.told if isinstance(each, JobChanged)] == [
        JobChanged(job.id, None, None, "ada", "queued")
    ]


async def test_look_says_when_to_look_again(world: World) -> None:
    assert await world.scheduler.look() is None
    made = await world.weekly()
    assert await world.scheduler.look() == MONDAY_7
    await world.weekly(cron="0 6 * * *")
    assert await world.scheduler.look() == datetime(2026, 11, 21, 5, tzinfo=UTC)
    await world.scheduler.pause(made.id, "ada", paused=True)
    assert await world.scheduler.look() == datetime(2026, 11, 21, 5, tzinfo=UTC)


async def test_moments_that_were_missed_are_made_good_by_one_job_for_the_latest(world: World) -> None:
    made = await world.weekly()
    world.restart()
    assert await world.at(MONDAY_7 + timedelta(days=23)) == ["Weekly audit 2026-12-14 07:00"]
    assert (await world.row(made.id)).next_at == to_text(MONDAY_7 + timedelta(days=28))


async def test_clock_put_forward_a_year_and_back_asks_once_and_then_goes_on_as_before(world: World) -> None:
    made = await world.weekly()
    assert await world.at(MONDAY_7 + timedelta(days=364, hours=1)) == ["Weekly audit 2027-11-22 07:00"]
    await world.finish()
    before = MONDAY_7 - timedelta(days=1)
    assert len(await world.at(before)) == 1
    assert (await world.row(made.id)).next_at == to_text(MONDAY_7)
    assert (await world.at(MONDAY_7))[1:] == ["Weekly audit 2026-11-23 07:00"]


async def test_clock_put_back_over_a_moment_does_not_ask_for_it_again(world: World) -> None:
    await world.weekly()
    await world.at(MONDAY_7)
    await world.finish()
    assert len(await world.at(MONDAY_7 - timedelta(minutes=30))) == 1
    assert len(await world.at(MONDAY_7 + timedelta(minutes=1))) == 1
    assert len(await world.at(MONDAY_7 + timedelta(days=7))) == 2


async def test_process_that_ends_in_between_leaves_both_or_neither(world: World) -> None:
    """Where the transaction is not committed, nothing is asked for and the moment is still to come."""
    made = await world.weekly()
    world.clock.move(days=3)

    def dies(tx: Transaction) -> None:
        job = {
            "id": "a", "kind": "scheduled", "title": "a", "owner": "ada", "profile": "default", "args": "{}",
            "asked_at": made.made_at,
        }  # fmt: skip
        assert schedules.move_on(tx, made, to_text(MONDAY_7 + timedelta(days=7)), "", job) is not None
        raise PowerCutError

    with pytest.raises(PowerCutError):
        await world.db.write(dies)
    assert await world.row(made.id) == made
    assert await world.db.read(jobs.find, "a") is None
    assert await world.at(MONDAY_7 + timedelta(hours=1)) == ["Weekly audit 2026-11-23 07:00"]


async def test_two_that_look_at_once_ask_once(world: World) -> None:
    made = await world.weekly()
    world.clock.move(days=3)
    await asyncio.gather(*(world.scheduler.look() for _ in range(5)))
    assert [each.id for each in world.begun.jobs] == [id_of(made.id, MONDAY_7)]


async def test_schedule_that_is_paused_at_the_last_moment_asks_for_nothing(world: World) -> None:
    made = await world.weekly()
    job = {"id": "a", "kind": "scheduled", "title": "a", "owner": "ada", "profile": "default", "args": "{}",
           "asked_at": made.made_at}  # fmt: skip
    await world.scheduler.pause(made.id, "ada", paused=True)
    assert await world.db.write(schedules.move_on, made, to_text(MONDAY_7 + timedelta(days=7)), "", job) is None
    assert await world.db.read(jobs.find, "a") is None
    assert (await world.row(made.id)).next_at == made.next_at


async def test_schedule_leaves_a_moment_out_while_the_one_before_is_being_done(world: World) -> None:
    made = await world.weekly()
    await world.at(MONDAY_7)
    assert len(await world.at(MONDAY_7 + timedelta(days=7))) == 1
    assert (await world.row(made.id)).note.startswith("Left out “Weekly audit 2026-11-30 07:00”")
    await world.finish()
    assert len(await world.at(MONDAY_7 + timedelta(days=14))) == 2
    assert (await world.row(made.id)).note == ""


async def test_schedule_whose_app_is_gone_waits_until_it_is_back(world: World) -> None:
    made = await world.weekly()
    world.missing = "The app audit is not installed."
    assert await world.at(MONDAY_7) == []
    row = await world.row(made.id)
    assert row.note == "Left out “Weekly audit 2026-11-23 07:00”: The app audit is not installed."
    world.missing = ""
    assert await world.at(MONDAY_7 + timedelta(days=7)) == ["Weekly audit 2026-11-30 07:00"]
    assert (await world.row(made.id)).note == ""


async def test_paused_schedule_asks_for_nothing_and_goes_on_without_making_good(world: World) -> None:
    made = await world.weekly()
    assert await world.scheduler.pause(made.id, "ada", paused=True)
    assert await world.at(MONDAY_7 + timedelta(days=7)) == []
    assert await world.scheduler.pause(made.id, "ada", paused=False)
    assert await world.at(MONDAY_7 + timedelta(days=8)) == []
    assert await world.at(MONDAY_7 + timedelta(days=14)) == ["Weekly audit 2026-12-07 07:00"]


async def test_schedule_that_was_removed_can_be_put_back_until_the_next_one_is(world: World) -> None:
    made, other = await world.weekly(), await world.weekly(title="Other")
    assert await world.scheduler.remove(made.id, "ada")
    assert not await world.scheduler.remove(made.id, "ada")
    assert await world.at(MONDAY_7) == ["Other 2026-11-23 07:00"]
    assert await world.scheduler.put_back(made.id, "ada")
    await world.finish()
    assert len(await world.at(MONDAY_7 + timedelta(days=7))) == 3
    assert await world.scheduler.remove(made.id, "ada")
    assert await world.scheduler.remove(other.id, "ada")
    assert not await world.scheduler.put_back(made.id, "ada")
    assert await world.db.read(schedules.find, made.id) is None


async def test_schedule_done_now_is_done_once_more_and_its_moments_stay(world: World) -> None:
    made = await world.weekly()
    first = await world.scheduler.run_now(made.id, "ada")
    assert first is not None
    assert first.title == "Weekly audit 2026-11-20 13:00"
    assert await world.scheduler.run_now(made.id, "ada") is None
    await world.finish()
    assert await world.scheduler.run_now(made.id, "ada") is not None
    assert (await world.row(made.id)).next_at == to_text(MONDAY_7)


async def test_schedule_is_nobody_elses(world: World) -> None:
    made = await world.weekly()
    assert not await world.scheduler.pause(made.id, "eve", paused=True)
    assert not await world.scheduler.remove(made.id, "eve")
    assert await world.scheduler.run_now(made.id, "eve") is None
    assert await world.db.read(schedules.of_owner, "eve") == []
    assert not await world.db.write(schedules.pause, made.id, "eve", paused=True, next_at=made.next_at)
    await world.scheduler.remove(made.id, "ada")
    assert not await world.scheduler.put_back(made.id, "eve")
    assert not await world.db.write(schedules.put_back, made.id, "eve", made.next_at)
    assert await world.scheduler.put_back(made.id, "ada")
    assert [each.id for each in await world.db.read(schedules.of_owner, "ada")] == [made.id]
    assert await world.db.read(schedules.of_owner, "ada", "another profile") == []


async def test_zone_that_is_gone_is_noted_and_holds_up_nothing_else(world: World) -> None:
    made = await world.weekly()
    await world.weekly(title="Other")
    await world.db.write(lambda tx: tx.run("UPDATE job_schedules SET zone = 'Mars/Olympus' WHERE id = :id", id=made.id))
    assert await world.at(MONDAY_7) == ["Other 2026-11-23 07:00"]
    assert "“Mars/Olympus” is no time zone" in (await world.row(made.id)).note


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "a" * 81}, "title"),
        ({"title": "a//b"}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"cron": "0 7 * *"}, "cron"),
        ({"zone": "Mars"}, "zone"),
    ],
)
async def test_schedule_that_cannot_be_is_refused_and_not_kept(world: World, given: Any, field: str) -> None:
    with pytest.raises(ScheduleRefusedError) as caught:
        await world.weekly(**given)
    assert caught.value.field == field
    assert await world.db.read(schedules.waiting) == []


async def test_scheduler_sleeps_without_schedules_and_wakes_for_one(world: World) -> None:
    running = asyncio.create_task(world.scheduler.run())
    try:
        world.clock.move(days=3)
        await world.weekly(cron="* * * * *")
        world.clock.move(minutes=1)
        world.scheduler.wake()
        await until(lambda: world.begun.jobs)
    finally:
        running.cancel()
    assert [each.title for each in world.begun.jobs] == ["Weekly audit 2026-11-23 13:01"]


async def test_clock_that_jumps_is_noticed_without_anybody_saying_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "LOOK_EVERY_S", 0.01)
    made = await world.weekly()
    running = asyncio.create_task(world.scheduler.run())
    try:
        world.clock.move(days=365)
        await until(lambda: world.begun.jobs)
        world.clock.move(days=-365)
        await until(
            lambda: world.db.read_now(schedules.find, made.id) == made._replace(last_job=world.begun.jobs[0].id)
        )
    finally:
        running.cancel()
    assert [each.title for each in world.begun.jobs] == ["Weekly audit 2027-11-15 07:00"]
