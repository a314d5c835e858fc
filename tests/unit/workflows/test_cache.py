"""The states held in memory: exact, or not there; never older than what is known to be stored."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from pipulate.storage.journal import Event, State
from pipulate.storage.ledger import RunRow
from pipulate.workflows.cache import Held, RunCache
from tests.unit.workflows.steps import editing, value

AT = "2026-11-20T12:00:00.000000Z"


def held(run: str, version: int) -> Held:
    row = RunRow(run, "app", "01", "p", "o", version, None, None, None, None, None, None, None, AT, AT, "o", None)
    return Held(row, State(version))


def submitted(version: int, step: str = "a", **data: Any) -> Event:
    stored = {"input": None, "output": version, "view": "number"}
    return Event(version, AT, "ann", None, "submitted", step, {"value": stored, "digest": "d", **data})


def test_run_that_was_put_is_there() -> None:
    cache, run = RunCache(), held("r", 3)
    cache.put(run)
    assert cache.get("r") is run
    assert cache.get("s") is None


def test_only_the_runs_used_last_are_held() -> None:
    cache = RunCache(2)
    for name in "ab":
        cache.put(held(name, 1))
    assert cache.get("a") is not None
    cache.put(held("c", 1))
    assert [cache.get(name) is not None for name in "abc"] == [True, False, True]


def test_dropped_run_is_not_there() -> None:
    cache = RunCache()
    cache.put(held("r", 1))
    cache.drop("r")
    cache.drop("r")
    assert cache.get("r") is None


def test_read_that_ends_after_a_later_write_is_not_held() -> None:
    cache = RunCache()
    cache.note("r", 5)
    cache.put(held("r", 4))
    assert cache.get("r") is None
    cache.put(held("r", 5))
    assert cache.get("r") is not None


def test_what_is_noted_never_goes_back() -> None:
    cache = RunCache()
    cache.note("r", 5)
    cache.note("r", 3)
    cache.put(held("r", 4))
    assert cache.get("r") is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))))
def test_no_order_of_reads_and_writes_leaves_an_old_state(order: tuple[int, ...]) -> None:
    cache, heard = RunCache(), 0

    def another_write() -> None:
        cache.note("r", 3)
        cache.drop("r")

    doings: list[tuple[int, Callable[[], None]]] = [
        (1, lambda: cache.put(held("r", 1))),
        (1, lambda: cache.put(held("r", 1))),  # a read that took long
        (2, lambda: cache.follow("r", submitted(2), None, None)),
        (3, another_write),
        (3, lambda: cache.put(held("r", 3))),
    ]
    for version, do in (doings[index] for index in order):
        do()
        heard = max(heard, version)
        now = cache.get("r")
        assert now is None or now.row.version == now.state.version == heard


def test_held_run_follows_an_event_that_comes_next() -> None:
    cache = RunCache()
    cache.put(held("r", 1))
    cache.follow("r", submitted(2), None, "b")
    now = cache.get("r")
    assert now is not None
    assert (now.row.version, now.row.updated_by, now.row.open_step) == (2, "ann", "b")
    assert now.state.steps["a"].data["output"] == 2


def test_held_run_gets_the_value_itself_where_the_event_names_only_its_file() -> None:
    cache = RunCache()
    cache.put(held("r", 1))
    cache.follow("r", submitted(2, value={"$file": {"sha256": "x", "bytes": 1}}), {"output": "whole"}, None)
    now = cache.get("r")
    assert now is not None
    assert now.state.steps["a"].data == {"output": "whole"}


@pytest.mark.parametrize("version", [1, 3, 9])
def test_held_run_is_forgotten_where_an_event_does_not_come_next(version: int) -> None:
    cache = RunCache()
    cache.put(held("r", 1))
    cache.follow("r", submitted(version), None, None)
    assert cache.get("r") is None


def test_held_run_is_forgotten_where_the_event_needs_what_is_not_held() -> None:
    cache = RunCache()
    cache.put(held("r", 1))
    cache.follow("r", Event(2, AT, "ann", None, "kept", "a", {"value": 1}), None, None)
    assert cache.get("r") is None


def test_run_that_is_not_held_is_only_noted() -> None:
    cache = RunCache()
    cache.follow("r", submitted(2), None, None)
    assert cache.get("r") is None
    cache.put(held("r", 1))
    assert cache.get("r") is None


def test_edit_ends_in_the_held_row_as_it_does_in_its_state() -> None:
    cache, before = RunCache(), held("r", 9)
    cache.put(Held(before.row._replace(editing="a", editing_version=9), editing("a", a=value(1))))
    cache.follow("r", submitted(10), None, None)
    now = cache.get("r")
    assert now is not None
    assert (now.row.editing, now.row.editing_version, now.state.editing) == (None, None, None)
