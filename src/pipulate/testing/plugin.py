"""Fixtures for pytest, which finds them by itself. Nothing of Pipulate is loaded before a test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipulate.testing import ManualClock, Play, RunningApp, Store
    from pipulate.workflows.definition import Workflow


@pytest.fixture
def pipulate_clock() -> ManualClock:
    """The time as Pipulate sees it; `pipulate_clock.move(hours=2)` moves it."""
    from pipulate.testing import ManualClock  # noqa: PLC0415 - projects that do not use it shall not wait for it

    return ManualClock()


@pytest.fixture
def pipulate_app(pipulate_clock: ManualClock, tmp_path: Path) -> Iterator[RunningApp]:
    """Pipulate, running in this process on a folder of the test's own; what it leaves has to hold together."""
    from pipulate.testing import RunningApp  # noqa: PLC0415 - as above

    with RunningApp(folder=tmp_path / "pipulate", clock=pipulate_clock) as app:
        yield app
        problems = app.store.problems()
        assert not problems, problems  # noqa: S101 - this is a check of a test


@pytest.fixture
def pipulate_store(pipulate_app: RunningApp) -> Store:
    """What is stored: `runs()`, `journal(run)`, `problems()`."""
    return pipulate_app.store


@pytest.fixture
def pipulate_user() -> str:
    """The id of the person who plays: the owner of this machine."""
    from pipulate.security.capability import OWNER  # noqa: PLC0415 - as above

    return OWNER


@pytest.fixture
def play(pipulate_app: RunningApp) -> Callable[..., Play]:
    """Begin a run: `play(workflow)`, or `play(workflow, key="spring")`; all runs of a test are in one store."""

    def begin(app: Workflow | str, *, key: str = "") -> Play:
        return pipulate_app.play(app, key=key)

    return begin
