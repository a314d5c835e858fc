"""Runs outlive what they run on: the app changes under them, or is gone; the program ends and starts again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipulate import Run, Workflow
from pipulate.errors import AppMissingError, RunConflictError, RunLockedError, RunNotFoundError
from pipulate.events import Bus
from pipulate.workflows.engine import Engine
from tests.support.flows import ANN, Play, bench, flow

pytestmark = pytest.mark.anyio


def site(url: str) -> str:
    return url


def pages(count: int) -> int:
    return count


def added(note: str) -> str:
    return note


def total(run: Run) -> str:
    return f"{run['site']}: {run.get('pages', 0)}"


OLD = flow(site, pages, total)


async def finished(play: Play) -> Play:
    await play.answer("site", url="a")
    await play.answer("pages", count=7)
    await play.go_on()
    return play


async def test_new_step_in_the_middle_is_asked_and_what_follows_stays(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, added, pages, total))
        assert await play.statuses() == "site:done added:open pages:done total:done"
        await play.answer("added", note="x")
        assert await play.outputs() == {"site": "a", "pages": 7, "total": "a: 7", "added": "x"}


async def test_value_of_a_removed_step_stays_and_can_still_be_read(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, total))
        assert await play.statuses() == "site:done total:done"
        await play.answer("site", url="b")
        await play.go_on()
        assert await play.outputs() == {"site": "b", "pages": 7, "total": "b: 7"}


async def test_removed_step_that_comes_back_has_its_value(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, total))
        await play.answer("site", url="b")
        made.install(OLD)
        assert await play.statuses() == "site:done pages:done total:open"


async def test_steps_in_another_order_are_asked_in_that_order(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        await play.answer("site", url="a")
        made.install(flow(pages, site, total))
        assert await play.statuses() == "pages:open site:done total:waiting"


async def test_step_that_got_other_fields_shows_what_it_has_of_them_and_takes_new_ones(tmp_path: Path) -> None:
    def pages(how_many: str, count: str = "") -> list[str]:
        return [how_many]

    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, pages, total))
        await play.revert("pages")
        assert (await play.form("pages")).answers["count"] == 7
        await play.answer("pages", how_many="many")
        await play.go_on()
        assert await play.outputs() == {"site": "a", "pages": ["many"], "total": "a: ['many']"}


async def test_value_that_no_longer_fits_fails_only_the_step_that_reads_it(tmp_path: Path) -> None:
    def pages(count: int) -> list[int]:
        return [count]

    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, pages, total))
        await play.revert("total")
        await play.go_on()
        assert (await play.form("total")).failure is not None
        assert await play.statuses() == "site:done pages:done total:editing"
        await play.answer("pages", count=8)
        await play.go_on()
        assert (await play.outputs())["total"] == "a: [8]"


async def test_question_that_became_a_step_of_its_own_keeps_its_value(tmp_path: Path) -> None:
    def pages(run: Run) -> int:
        return 100

    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install(flow(site, pages, total))
        assert (await play.outputs())["pages"] == 7
        await play.revert("pages")
        await play.go_on()
        assert await play.outputs() == {"site": "a", "pages": 100, "total": "a: 100"}


async def test_run_whose_app_is_gone_can_be_looked_at_locked_and_copied_but_not_answered(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await finished(await made.start())
        made.install()
        view = await play.view()
        assert (view.workflow, view.title, await play.slots()) == (None, "flow", [])
        assert view.state.steps["pages"].data["output"] == 7
        for refused in (play.answer("site", url="b"), play.revert("site"), play.keep("site")):
            with pytest.raises(AppMissingError):
                await refused
        await play.go_on()
        await play.engine.finalize(play.id, ANN)
        copy = await play.engine.fork(play.id, ANN)
        assert copy.state.steps == (await play.view()).state.steps
        made.install(OLD)
        assert await Play(made, copy.row.id).statuses() == "site:done pages:done total:done"


# Ending and starting again


async def fresh(play: Play) -> None: ...


async def half(play: Play) -> None:
    await play.answer("site", url="a")


async def done(play: Play) -> None:
    await finished(play)


async def editing(play: Play) -> None:
    await finished(play)
    await play.revert("site")


async def offering(play: Play) -> None:
    await finished(play)
    await play.answer("site", url="b")


async def gone_back(play: Play) -> None:
    await finished(play)
    await play.engine.go_back(play.id, ANN, 2, seen=4)


async def locked(play: Play) -> None:
    await finished(play)
    await play.engine.finalize(play.id, ANN)


async def large(play: Play) -> None:
    await play.answer("site", url="a")
    await play.answer("site", url="x" * 900)


@pytest.mark.parametrize(
    ("reach", "statuses"),
    [
        (fresh, "site:open pages:waiting total:waiting"), (half, "site:done pages:open total:waiting"),
        (done, "site:done pages:done total:done"), (editing, "site:editing pages:waiting total:waiting"),
        (offering, "site:done pages:open total:waiting"), (gone_back, "site:done pages:open total:waiting"),
        (locked, "site:done pages:done total:done"), (large, "site:done pages:open total:waiting"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
async def test_run_goes_on_where_it_was_after_a_restart(
    tmp_path: Path, reach: Callable[[Play], Awaitable[None]], statuses: str
) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        await reach(play)
        before = await play.view()
    async with bench(tmp_path, OLD) as made:
        again = Play(made, play.id)
        after = await again.view()
        assert (after.row, after.state) == (before.row, before.state)
        assert await again.statuses() == statuses


@pytest.mark.parametrize("reach", [fresh, half, editing, offering, gone_back], ids=lambda value: value.__name__)
async def test_run_can_be_finished_after_a_restart(tmp_path: Path, reach: Callable[[Play], Awaitable[None]]) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        await reach(play)
    async with bench(tmp_path, OLD) as made:
        again = Play(made, play.id)
        await again.answer("site", url="z")
        await again.answer("pages", count=1)
        await again.go_on()
        assert await again.outputs() == {"site": "z", "pages": 1, "total": "z: 1"}


async def test_lock_holds_after_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        await locked(play)
    async with bench(tmp_path, OLD) as made:
        with pytest.raises(RunLockedError):
            await Play(made, play.id).answer("site", url="z")


async def test_form_sent_before_a_restart_is_known_after_it(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        await play.answer("site", seen=1, submit="form-one", url="a")
    async with bench(tmp_path, OLD) as made:
        view = await Play(made, play.id).answer("site", seen=1, submit="form-one", url="a")
        assert view.row.version == 2


async def test_step_of_its_own_that_failed_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    def broken() -> None:
        raise ValueError("not yet")

    def mended() -> int:
        return 1

    def app(function: Any) -> Workflow:
        function.__name__ = "alone"
        return flow(function)

    async with bench(tmp_path, app(broken)) as made:
        play = await made.start()
        await play.go_on()
        assert (await play.form("alone")).failure is not None
    async with bench(tmp_path, app(mended)) as made:
        again = Play(made, play.id)
        assert (await again.form("alone")).is_working
        await again.go_on()
        assert await again.outputs() == {"alone": 1}


# Several servers on one store


async def test_change_by_another_server_is_seen_at_once_and_conflicts(tmp_path: Path) -> None:
    async with bench(tmp_path, OLD) as made:
        play = await made.start()
        other = Engine(made.db, made.files, Bus(), made.clock, made.jobs, is_only_writer=False)
        other.catalog = made.engine.catalog
        assert (await other.view(play.id, ANN)).state.steps == {}
        await play.answer("site", url="a")
        with pytest.raises(RunConflictError):
            await other.submit(play.id, ANN, "site", {"url": ["b"]}, seen=1, submit_id="form-1")
        assert await other.view(play.id, ANN) == await play.view()
        await made.engine.delete(play.id, ANN)
        with pytest.raises(RunNotFoundError):
            await other.view(play.id, ANN)
        await other.close()
