"""Ids: unique, of one form, in the order of their making."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipulate import _ids


def test_ids_have_one_form_and_are_never_the_same() -> None:
    made = [_ids.new_id() for _ in range(2_000)]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in made)


def test_ids_sort_by_the_time_of_their_making(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (0, 1, 9, 10, 255, 256, 1_800_000_000_000, 2**48 - 1):
        monkeypatch.setattr("pipulate._ids.time.time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(_ids.new_id())
    assert made == sorted(made)


def test_error_id_can_be_read_out_loud() -> None:
    assert re.fullmatch("[0-9a-f]{8}", _ids.error_id())


def test_ids_of_one_millisecond_sort_as_they_were_made_in_any_thread() -> None:
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: [_ids.new_id() for _ in range(5_000)], range(4)))
    assert all(part == sorted(part) for part in parts)
    assert len({each for part in parts for each in part}) == 20_000
