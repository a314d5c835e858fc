"""Whatever a model asks to read, with whatever arguments, the store stays as it is."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipulate.errors import PipulateError
from pipulate.tools.registry import checked
from tests.support.actions import Desk
from tests.support.store import Sqlite

STEPS = st.sampled_from(["person", "greeting", "address", "done", "nope", ""])
SMALL = st.integers(0, 60)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.lists(st.text(max_size=3), max_size=3)
)
WORDS = st.text(max_size=12)


def arguments(run: str, record: int) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    """Return what each action that reads may be asked with."""
    runs = st.sampled_from([run, "", "nope", "a\0"])
    numbers = st.sampled_from([record, 1, 99, 10**30])
    tables = st.sampled_from(["tasks", "customers", "", "nope"])
    where = st.dictionaries(st.sampled_from(["text", "done", "priority", "mood", "pin", "x"]), VALUES, max_size=2)
    build = st.fixed_dictionaries
    return {
        "read_run": build({"run": runs}),
        "list_runs": build({"app": st.sampled_from(["", "signup", "x"]), "words": WORDS, "older": WORDS}),
        "read_result": build(
            {"step": STEPS, "run": runs, "part": SMALL, "offset": SMALL, "rows": st.integers(1, 50), "find": WORDS}
        ),
        "search_records": build({"table": tables, "words": WORDS, "where": where, "offset": SMALL}),
        "read_record": build({"record": numbers, "table": tables}),
        "read_report": build({"filters": st.dictionaries(st.sampled_from(["mood", "x"]), VALUES, max_size=2)}),
        "list_apps": build({"words": WORDS}),
        "open_app": build({"app": st.sampled_from(["signup", "nope", ""])}),
        "estimate": build({"days": st.integers(1, 9)}),
        "count_open": build({}),
    }


class Room:
    """A desk with something on it, and the loop it works on."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.loop = desk, asyncio.new_event_loop()
        self.run, self.record = self.loop.run_until_complete(self._filled())

    async def _filled(self) -> tuple[str, int]:
        run = await self.desk.run()
        await self.desk.answer(run, "person", name="Ann", age="44", size="m")
        await self.desk.records.ready(self.desk.records.resources["customers"])
        return run, await self.desk.task("milk")

    def close(self) -> None:
        self.loop.run_until_complete(self.desk.jobs.close())
        self.loop.run_until_complete(self.desk.engine.close())
        self.loop.close()


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    with tempfile.TemporaryDirectory() as folder, Sqlite().opened(Path(folder) / "data") as store:
        made = Room(Desk(store))
        yield made
        made.close()


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_action_that_reads_changes_the_store(room: Room, data: st.DataObject) -> None:
    desk = room.desk
    possible = arguments(room.run, room.record)
    reading = {
        each.name for each in [*desk.registry.offered(desk.beside(app="signup", run=room.run))] if each.effect == "read"
    }
    assert reading <= set(possible)
    name = data.draw(st.sampled_from(sorted(possible)))
    action = desk.registry.find(name)
    assert action is not None
    assert action.effect == "read"
    app = {"count_open": "tasks", "read_report": "work"}.get(name, "signup")
    doing = desk.beside(app=app, run=room.run if app == "signup" else None)
    before = desk.digest()
    with contextlib.suppress(PipulateError):
        room.loop.run_until_complete(action.do(checked(action, data.draw(possible[name])), doing))
    assert desk.digest() == before
