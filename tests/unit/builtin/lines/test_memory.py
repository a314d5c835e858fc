"""However long a file is, working through it takes the same memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipulate.builtin.lines.plan import Plan, State
from pipulate.builtin.lines.working import batch, remembered

PLANS: list[dict[str, Any]] = [
    {"task": "keep", "patterns": ("7,",), "is_regex": True},
    {"task": "duplicates"},
    {"task": "rows", "columns": (1, 0)},
]


def peak(path: Path, lines: int, length: int, plan: dict[str, Any]) -> int:
    """Return the most memory that is in use while a file is worked on, in bytes."""
    with path.open("w") as file:
        file.writelines(f"{number % 300},{'x' * length}\n" for number in range(lines))
    state, partial = asdict(State()), str(path.with_suffix(".partial"))
    Path(partial).unlink(missing_ok=True)
    tracemalloc.start()
    try:
        seen = remembered(partial, 0)
        while state["offset"] < path.stat().st_size:
            state = batch(str(path), partial, asdict(Plan(**plan)), state, path.stat().st_size, seen=seen)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: str(plan["task"]))
def test_memory_does_not_grow_with_the_file(tmp_path: Path, plan: dict[str, Any]) -> None:
    small = peak(tmp_path / "small", 300, 10_000, plan)
    large = peak(tmp_path / "large", 3_000, 10_000, plan)  # 30 MB
    assert large < small * 1.1 + 100_000
    assert large < 2_000_000


def test_memory_does_not_grow_with_a_line(tmp_path: Path) -> None:
    assert peak(tmp_path / "one", 1, 50_000_000, PLANS[0]) < 8_000_000
