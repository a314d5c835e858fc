"""However long a file is, looking at it and cleaning it takes the same memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from pipulate.builtin.cleaning import looking
from pipulate.builtin.cleaning.looking import look
from pipulate.builtin.cleaning.repairing import Column, Plan
from pipulate.builtin.cleaning.seen import Seen
from pipulate.builtin.cleaning.writing import Style, clean
from pipulate.sheets.sniff import Layout

ROW = 'name with some words,"1,234.50",2026-02-28,{0}\r\n'


def peaks(path: Path, rows: int) -> tuple[int, list[int]]:
    """Return the most memory that was in use, in bytes, and how far it was told to be."""
    with path.open("w", newline="") as file:
        file.write("a,b,c,d\r\n")
        file.writelines(ROW.format(number) for number in range(rows))
    told: list[int] = []
    tracemalloc.start()
    try:
        found = look(path, Layout(), lambda bytes_done, _rows: told.append(bytes_done))
        plan = Plan(tuple(Column(each.name, each.kind) for each in found.columns))
        with path.with_suffix(".good").open("w") as good, path.with_suffix(".bad").open("w") as bad:
            counts = clean(path, Layout(), plan, Style(), good, bad, lambda _bytes, _rows: None)
        assert counts.written == rows
        return tracemalloc.get_traced_memory()[1], told
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "SAMPLE_ROWS", 1_000)  # Both files are longer; the sample is held whole.
    monkeypatch.setattr(looking, "TOLD_EVERY", 2_000)
    small, _ = peaks(tmp_path / "small.csv", 1_500)
    large, told = peaks(tmp_path / "large.csv", 6_500)
    assert large < small * 1.2  # 18 bytes for each row more.
    assert told == sorted(told)
    assert len(told) == 3
    assert 0.9 < told[-1] / (tmp_path / "large.csv").stat().st_size <= 1


def test_rows_that_were_seen_take_few_bytes_each() -> None:
    tracemalloc.start()
    try:
        seen = Seen()
        assert not any(seen.add([str(number), "x" * 50]) for number in range(20_000))
        assert all(seen.add([str(number), "x" * 50]) for number in range(0, 20_000, 7))
        assert tracemalloc.get_traced_memory()[0] < 20_000 * 40
    finally:
        tracemalloc.stop()
