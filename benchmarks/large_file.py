"""What Process a large file takes of memory: a file of 2 GB against one of 20 MB, each in a process of its own.

Run as a program it works through a file, and prints its peak in kB and how long it took.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipulate.builtin.lines.plan import Plan, State
from pipulate.builtin.lines.working import batch, remembered

SMALL_BYTES, LARGE_BYTES = 20_000_000, 2_000_000_000
DIFFERENT = 200_000
"""Lines that differ; all of them are in the small file already."""

PLANS: dict[str, dict[str, Any]] = {
    "keep": {"task": "keep", "patterns": ["7,ok$"], "is_regex": True},
    "duplicates": {"task": "duplicates"},
    "rows": {"task": "rows", "columns": [1, 0], "column": 2, "relation": "is", "value": "ok"},
}


def make(path: Path, size: int) -> None:
    """Write a table of so many bytes."""
    with path.open("w") as file:
        file.write("id,name,state\n")
        number = 0
        while file.tell() < size:
            file.writelines(
                f"{each % DIFFERENT},a name with some words and the number {each % DIFFERENT},ok\n"
                for each in range(number, number + 100_000)
            )
            number += 100_000


def peak(source: Path, plan: str) -> tuple[float, float]:
    """Return what a process that works through a file takes at most, in MB, and how long it takes, in seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.large_file", str(source), plan], check=True, capture_output=True, text=True
    )
    used_kb, seconds = done.stdout.split()
    return float(used_kb) / 1e3, float(seconds)


def peaks(folder: Path, small: int = SMALL_BYTES, large: int = LARGE_BYTES) -> Iterator[tuple[str, str, bool, str]]:
    """Yield plan, figure, whether it keeps its budget, and how, for each of the plans."""
    sizes = {"small": small, "large": large}
    for name, size in sizes.items():
        make(folder / name, size)
    for plan in PLANS:
        (few, _), (many, seconds) = (peak(folder / name, plan) for name in sizes)
        how = f"{many:.0f} MB for {large / 1e6:,.0f} MB, {few:.0f} MB for {small / 1e6:,.0f} MB; "
        how += f"{large / 1e6 / seconds:.0f} MB/s"
        yield f"large file, {plan}", f"{many / few:.2f} x the memory", many <= few * 1.2, how
    for name in sizes:
        (folder / name).unlink()


def _work(source: Path, plan: str) -> None:
    partial = source.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    state, end = asdict(State()), source.stat().st_size
    seen = remembered(str(partial), 0)
    chosen = json.loads(json.dumps(asdict(Plan.of(PLANS[plan]))))
    while state["offset"] < end:
        state = batch(str(source), str(partial), chosen, state, end, seen=seen)
    partial.unlink()


if __name__ == "__main__":
    began = time.monotonic()
    _work(Path(sys.argv[1]), sys.argv[2])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic() - began)
