"""Source is taken apart on several threads at once: plugins are loaded while pages show code."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipulate import _syntax


class Ring:
    """What only the collector can free, with a finalizer that lets other threads go on."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        pass


@pytest.fixture
def _hurried() -> Iterator[None]:
    """Let the threads take turns, and the collector run, as often as they can."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(10)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("_hurried")
def test_threads_that_parse_at_once_do_not_disturb_each_other() -> None:
    source = Path(_syntax.__file__).read_text() * 40
    source = source.replace("from __future__ import annotations", "")
    failed: list[Exception] = []

    def parse() -> None:
        for _ in range(30):
            try:
                _syntax.parsed(source)
            except SystemError as error:
                failed.append(error)

    def litter() -> None:
        for _ in range(3_000):
            _ = [Ring() for _ in range(20)]

    threads = [threading.Thread(target=each) for each in (parse, parse, parse, litter)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
