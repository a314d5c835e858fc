"""A run as the code of its steps sees it: values with their types, and a note of what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from pydantic import BaseModel

from pipulate import Earlier, Run, Workflow
from pipulate.workflows.run import loaded
from tests.unit.workflows.steps import state_of, value, workflow_of


class Site(BaseModel):
    url: str


def ask(url: str, on: date | None = None) -> None: ...


def site(run: Run) -> Site:
    return Site(url=run.answers("ask").url)


def untyped(run: Run, x: int):  # type: ignore[no-untyped-def] # noqa: ANN201 - how some people write
    return x


@pytest.fixture
def flow() -> Workflow:
    """Two steps that ask, one that works."""
    return workflow_of(ask, site, untyped)


def test_run_gives_what_a_step_returned_with_its_type(flow: Workflow) -> None:
    run = Run(flow, state_of(site=value({"url": "a"})))
    assert run["site"] == Site(url="a")
    assert run[flow["site"]] == Site(url="a")


def test_run_gives_the_answers_where_a_step_returns_nothing(flow: Workflow) -> None:
    answers = Run(flow, state_of(ask=value(None, url="a", on="2026-11-20")))["ask"]
    assert (answers.url, answers.on) == ("a", date(2026, 11, 20))


def test_run_gives_the_answers_of_a_step_that_returns_something_too(flow: Workflow) -> None:
    run = Run(flow, state_of(untyped=value([1], x=7)))
    assert run["untyped"] == [1]
    assert run.answers("untyped").x == 7


@pytest.mark.parametrize("name", ["ask", "nothing_like_it"])
def test_step_without_a_value_is_missing(flow: Workflow, name: str) -> None:
    run = Run(flow, state_of(site=value({"url": "a"})))
    for read in (run.__getitem__, run.answers):
        with pytest.raises(KeyError, match=name):
            read(name)
    assert run.get(name) is None
    assert run.get(name, 5) == 5
    assert name not in run


def test_step_without_fields_has_no_answers(flow: Workflow) -> None:
    with pytest.raises(KeyError, match="site"):
        Run(flow, state_of(site=value({"url": "a"}))).answers("site")


def test_run_is_iterated_in_the_order_of_its_steps(flow: Workflow) -> None:
    run = Run(flow, state_of(untyped=value(1), ask=value(None, url="a"), gone=value(2)))
    assert list(run) == ["ask", "untyped"]


def test_run_knows_its_key_profile_and_version(flow: Workflow) -> None:
    run = Run(flow, state_of(), key="01", profile="p")
    assert (run.key, run.profile, run.version) == ("01", "p", 9)


READS: dict[str, Callable[[Run], object]] = {
    "getitem": lambda run: run["ask"],
    "get": lambda run: run.get("ask"),
    "contains": lambda run: "ask" in run,
    "answers": lambda run: run.answers("ask"),
    "earlier": lambda run: run.earlier("ask"),
}


@pytest.mark.parametrize("read", READS)
def test_every_way_of_reading_is_noted_with_what_was_seen(flow: Workflow, read: str) -> None:
    asked = value(None, url="a")
    run = Run(flow, state_of(ask=asked))
    READS[read](run)
    assert run.reads == {"ask": asked.digest}


def test_iterating_notes_every_step(flow: Workflow) -> None:
    run = Run(flow, state_of())
    assert list(run) == []
    assert run.reads == {"ask": "", "site": "", "untyped": ""}


def test_reading_what_is_not_there_is_noted_too(flow: Workflow) -> None:
    run = Run(flow, state_of())
    assert run.get("site") is None
    assert run.reads == {"site": ""}


def test_nothing_is_noted_where_nothing_is_read(flow: Workflow) -> None:
    assert Run(flow, state_of(ask=value(None, url="a"))).reads == {}


def test_earlier_values_come_from_the_journal(flow: Workflow) -> None:
    before = [Earlier(3, datetime(2026, 11, 20, tzinfo=UTC), "x")]
    asked = list[str]()

    def earlier(step: str) -> list[Earlier]:
        asked.append(step)
        return before

    assert Run(flow, state_of(), earlier=earlier).earlier(flow["ask"]) == before
    assert asked == ["ask"]
    assert Run(flow, state_of()).earlier("ask") == []


def test_earlier_values_cannot_be_waited_for_on_the_event_loop(flow: Workflow) -> None:
    async def step() -> None:
        Run(flow, state_of()).earlier("ask")

    with pytest.raises(RuntimeError, match="plain `def` step"):
        asyncio.run(step())


# When the app has changed since


def test_value_of_a_step_the_app_no_longer_has_comes_back_as_it_was_stored(flow: Workflow) -> None:
    run = Run(flow, state_of(gone=value({"a": 1}), silent=value(None, x="1")))
    assert run["gone"] == {"a": 1}
    assert run["silent"] == {"x": "1"}


def test_value_that_no_longer_fits_its_type_is_refused(flow: Workflow) -> None:
    with pytest.raises(ValueError, match="url"):
        Run(flow, state_of(site=value({"uri": "a"})))["site"]


def test_answers_the_step_no_longer_accepts_come_back_as_they_were_stored(flow: Workflow) -> None:
    answers = Run(flow, state_of(ask=value(None, url=7, other="x"))).answers("ask")
    assert (answers.url, answers.on) == (7, None)


def test_answers_of_a_step_the_app_no_longer_has_are_missing(flow: Workflow) -> None:
    with pytest.raises(KeyError, match="gone"):
        Run(flow, state_of(gone=value(None, x="1"))).answers("gone")


def test_nothing_stored_comes_back_as_nothing(flow: Workflow) -> None:
    assert loaded(flow, "untyped", {"input": None, "output": None, "view": "none"}) is None
