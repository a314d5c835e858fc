"""What happens to a run as a whole: versions, copies, lock, bin, long values, files of other installations."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest

from pipulate import Run, TextArea
from pipulate.errors import (
    BadKeyError,
    KeyTakenError,
    RunLockedError,
    RunNotFoundError,
    StoreDamagedError,
    UnknownVersionError,
)
from pipulate.security.who import Who
from pipulate.storage import lookups, transfer
from pipulate.storage.database import Database
from pipulate.storage.files import FileStore
from pipulate.testing import ManualClock
from tests.support.flows import ANN, Play, bench, flow, until
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio
LONG = "line with ünïcödé\n" * 6_000


def text(text: Annotated[str, TextArea()]) -> None: ...


def size(run: Run) -> int:
    return len(run["text"].text)


def echo(run: Run) -> str:
    return str(run["text"].text)


FLOW = flow(text, size, echo)


async def started(play: Play, content: str = "short") -> Play:
    await play.answer("text", text=content)
    await play.go_on()
    return play


def files(folder: Path, run: str) -> list[str]:
    return sorted(path.name for path in (folder / "files" / run).glob("*"))


async def test_every_version_can_be_looked_at(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start())
        await play.answer("text", text="other")
        seen = [await play.engine.view_at(play.id, ANN, version) for version in range(1, 6)]
        assert [sorted(view.state.steps) for view in seen] == [
            [], ["text"], ["size", "text"], ["echo", "size", "text"], ["text"],
        ]  # fmt: skip
        assert [view.state.version for view in seen] == [1, 2, 3, 4, 5]
        assert seen[3].state.steps["echo"].data["output"] == "short"


async def test_read_that_ends_after_a_later_change_is_not_what_is_shown_next(tmp_path: Path) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class Slow:
        def __init__(self, db: Database) -> None:
            self.read_now, self.write, self.write_now, self._db = db.read_now, db.write, db.write_now, db

        async def read(self, unit: Callable[..., Any], *args: Any) -> Any:
            found = await self._db.read(unit, *args)
            begun.set()
            await go_on.wait()
            return found

    async with bench(tmp_path, FLOW) as made:
        play = await made.start()
        await play.engine.finalize(play.id, ANN)
        play.engine.db = Slow(made.db)  # type: ignore[assignment]  # it has what is needed here
        reading = asyncio.create_task(play.engine.view(play.id, ANN))
        await begun.wait()
        await play.engine.unfinalize(play.id, ANN)
        go_on.set()
        assert (await reading).state.lock is not None
        assert (await play.view()).state.lock is None


async def test_going_back_brings_a_version_back_and_can_be_undone(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start())
        await play.engine.go_back(play.id, ANN, 2, seen=4)
        assert sorted((await play.view()).state.steps) == ["text"]
        await play.engine.go_back(play.id, ANN, 4, seen=5)
        assert await play.outputs() == {"text": None, "size": 5, "echo": "short"}


async def test_long_value_lives_in_a_file_and_comes_back_whole(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        assert await play.outputs() == {"text": None, "size": len(LONG), "echo": LONG}
        assert len(files(tmp_path, play.id)) == 2
    async with bench(tmp_path, FLOW) as made:
        assert (await Play(made, play.id).outputs())["echo"] == LONG


async def test_long_value_can_be_kept_cancelled_and_looked_at(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        await play.revert("text")
        await play.engine.cancel_edit(play.id, ANN)
        assert (await play.outputs())["echo"] == LONG
        await play.answer("text", text=LONG)
        await play.go_on()
        assert (await play.kinds())[-2:] == ["kept", "kept"]
        assert (await play.outputs())["echo"] == LONG
        view = await play.engine.view_at(play.id, ANN, 4)
        assert view.state.steps["echo"].data["output"] == LONG


async def test_earlier_long_values_can_be_read_by_a_step(tmp_path: Path) -> None:
    def compare(run: Run, note: str) -> list[int]:
        return [len(each.value.text) for each in run.earlier("text")]

    async with bench(tmp_path, flow(text, compare)) as made:
        play = await made.start()
        for content in ("one", LONG, "three", "four"):
            await play.answer("text", text=content)
        await play.answer("compare", note="x")
        assert (await play.outputs())["compare"] == [5, len(LONG), 3]


async def test_file_that_was_changed_from_outside_is_noticed(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
    name = files(tmp_path, play.id)[0]
    (tmp_path / "files" / play.id / name).write_text("{}")
    async with bench(tmp_path, FLOW) as made:
        with pytest.raises(StoreDamagedError, match="changed from outside"):
            await made.engine.view(play.id, ANN)


@pytest.mark.parametrize("content", ["\ud800 half", "\x00 nul", "", "👩‍👩‍👧", "\u202e", "</script>"])
async def test_result_with_any_character_is_stored_and_comes_back(tmp_path: Path, content: str) -> None:
    def odd(x: str) -> list[str]:
        return [content]

    async with bench(tmp_path, flow(odd)) as made:
        play = await made.start()
        await play.answer("odd", x="1")
        assert await play.outputs() == {"odd": [content]}
    async with bench(tmp_path, flow(odd)) as made:
        assert await Play(made, play.id).outputs() == {"odd": [content]}


# Keys


async def test_keys_are_numbered_unless_they_are_given(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        for given in ("", " ", "07", "", "a/b"):
            await made.start(key=given)
        page = await made.db.read(lookups.listed, ANN.actor)
        assert sorted(row.key for row in page.runs) == ["01", "02", "07", "08", "a/b"]


async def test_key_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        await made.start(key="mine")
        for key, error in (
            ("mine", KeyTakenError),
            (" mine ", KeyTakenError),
            ("a//b", BadKeyError),
            ("\x00", BadKeyError),
        ):
            with pytest.raises(error):
                await made.start(key=key)


async def test_renamed_run_keeps_its_journal(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start())
        await play.engine.rename(play.id, ANN, "other")
        view = await play.view()
        assert (view.row.key, view.row.version, sorted(view.state.steps)) == ("other", 5, ["echo", "size", "text"])


# Copies


async def test_copy_shares_the_history_and_goes_its_own_way(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        await play.engine.finalize(play.id, ANN)
        copy = Play(made, (await play.engine.fork(play.id, ANN)).row.id)
        assert await copy.outputs() == await play.outputs()
        assert files(tmp_path, copy.id) == files(tmp_path, play.id)
        await copy.answer("text", text="mine")
        assert (await play.outputs())["echo"] == LONG
        with pytest.raises(RunLockedError):
            await play.answer("text", text="mine")


async def test_copy_of_an_earlier_version_has_no_more_than_that(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        await play.answer("text", text="other")
        view = await play.engine.fork(play.id, ANN, version=2, key="copy")
        copy = Play(made, view.row.id)
        assert (view.row.key, view.row.parent, view.row.parent_version) == ("copy", play.id, 2)
        assert await copy.statuses() == "text:done size:open echo:waiting"
        assert len(files(tmp_path, copy.id)) == 1


async def test_copy_that_cannot_be_made_leaves_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(key="mine"), LONG)
        for options, error in (({"version": 99}, UnknownVersionError), ({"key": "mine"}, KeyTakenError)):
            with pytest.raises(error):
                await play.engine.fork(play.id, ANN, **options)
        assert [path.name for path in (tmp_path / "files").iterdir()] == [play.id]


async def test_copy_of_a_run_that_lacks_a_file_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        (tmp_path / "files" / play.id / files(tmp_path, play.id)[-1]).unlink()
        with pytest.raises(StoreDamagedError):
            await play.engine.fork(play.id, ANN)
        assert list(made.files.runs()) == [play.id]


async def test_copy_has_every_file_it_names_whatever_is_stored_while_it_is_made(tmp_path: Path) -> None:
    under_way, go_on = threading.Event(), threading.Event()

    class Slow(FileStore):
        def copy(self, source: str, target: str, sha256: str) -> None:
            super().copy(source, target, sha256)
            under_way.set()
            go_on.wait(20)

    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        made.engine.files = Slow(tmp_path / "files")
        copying = asyncio.create_task(play.engine.fork(play.id, ANN))
        await until(under_way.is_set)
        await play.answer("text", text=LONG + "more")
        go_on.set()
        copy = Play(made, (await copying).row.id)
        assert await copy.outputs() == {"text": None, "size": len(LONG), "echo": LONG}


# Bin


async def test_deleted_run_is_in_the_bin_until_it_is_taken_back(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        await play.engine.delete(play.id, ANN)
        for what in (play.engine.view(play.id, ANN), play.engine.view_at(play.id, ANN, 1)):
            with pytest.raises(RunNotFoundError):
                await what
        await play.engine.undelete(play.id, ANN)
        assert (await play.outputs())["echo"] == LONG


async def test_purged_run_leaves_nothing_behind(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start(), LONG)
        with pytest.raises(RunNotFoundError):
            await play.engine.purge(play.id, ANN)  # It is not in the bin.
        await play.engine.delete(play.id, ANN)
        await play.engine.purge(play.id, ANN)
        with pytest.raises(RunNotFoundError):
            await play.engine.undelete(play.id, ANN)
        assert files(tmp_path, play.id) == []
        assert not (tmp_path / "files" / play.id).exists()


async def test_run_that_is_purged_while_its_step_runs_leaves_nothing_behind(tmp_path: Path) -> None:
    plays = list[Play]()

    async def slow(x: str) -> str:
        await plays[0].engine.delete(plays[0].id, ANN)
        await plays[0].engine.purge(plays[0].id, ANN)
        return LONG

    async with bench(tmp_path, flow(slow)) as made:
        plays.append(await made.start())
        with pytest.raises(RunNotFoundError):
            await plays[0].answer("slow", x="1")
        assert list(made.files.runs()) == []


async def test_run_that_is_deleted_while_its_step_runs_keeps_its_files_in_the_bin(tmp_path: Path) -> None:
    plays = list[Play]()

    async def slow(x: str) -> str:
        await plays[0].engine.delete(plays[0].id, ANN)
        return LONG

    async with bench(tmp_path, flow(text, slow)) as made:
        plays.append(await made.start())
        await plays[0].answer("text", text=LONG)
        with pytest.raises(RunNotFoundError):
            await plays[0].answer("slow", x="1")
        await plays[0].engine.undelete(plays[0].id, ANN)
        assert (await plays[0].view()).state.steps["text"].data["input"] == {"text": LONG}


async def test_locked_run_is_not_deleted(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await started(await made.start())
        await play.engine.finalize(play.id, ANN)
        for what in (play.engine.delete(play.id, ANN), play.engine.rename(play.id, ANN, "x"), play.revert("text")):
            with pytest.raises(RunLockedError):
                await what


async def test_run_in_the_bin_is_erased_after_the_days_that_are_set(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, bin_days=30) as application:
        browser = Browser(application)
        kept, _ = await browser.start("hello")
        old, _ = await browser.start("hello")
        await application.site.engine.delete(old, Who("owner"))
        clock.move(days=29)
        await application.site.engine.delete(kept, Who("owner"))
    clock.move(days=2)
    async with running(tmp_path, clock=clock, bin_days=30) as application:
        left = list[Any]()

        def count(tx: Any) -> list[str]:
            return [row[0] for row in tx.all("SELECT id FROM runs")]

        def is_one_left() -> bool:
            left[:] = application.site.db.read_now(count)
            return left == [kept]

        await until(is_one_left)


# Other installations


async def test_exported_run_can_be_taken_in_elsewhere(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    async with bench(tmp_path / "here", FLOW) as made:
        play = await started(await made.start(), LONG)
        before = await play.view()
        outgoing = await made.db.read(transfer.export, made.files, play.id, ANN.actor)
        archive = tmp_path / "run.zip"
        with archive.open("wb") as out:
            outgoing.write(made.files, out)
    async with bench(tmp_path / "there", FLOW) as made:
        taken = Play(made, (await made.engine.take_in(archive, "", ANN)).row.id)
        assert (await taken.view()).state.steps == before.state.steps
        assert (await taken.kinds())[-1] == "imported"
        with pytest.raises(KeyTakenError):
            await made.engine.take_in(archive, "01", ANN)
        assert [path.name for path in (tmp_path / "there" / "files").iterdir()] == [taken.id]
