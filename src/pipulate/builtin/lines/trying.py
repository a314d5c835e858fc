"""Tries a plan with the beginning of a file, in a process of its own: a pattern that never ends cannot be stopped else.

Run as a program it reads `{"path", "plan"}` as JSON from its input, and prints the `State` behind the beginning.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipulate.builtin.lines.plan import Plan, State
from pipulate.builtin.lines.working import Work

TRIED_BYTES = 1_000_000
TRIED_SECONDS = 5.0


class HopelessError(Exception):
    """A plan takes too long for the beginning of a file already."""


def tried(path: Path, plan: Plan, seconds: float = TRIED_SECONDS) -> State:
    """Return what a plan makes of the first million bytes of a file.

    Raises:
        HopelessError: If that is not done in time.
    """
    question = json.dumps({"path": str(path), "plan": asdict(plan)})
    command = [sys.executable, "-P", "-m", "pipulate.builtin.lines.trying"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module; what people typed goes in as data
            command, input=question, capture_output=True, text=True, check=True, timeout=seconds, encoding="utf-8"
        )
    except subprocess.TimeoutExpired:
        raise HopelessError from None
    return State(**json.loads(done.stdout))


def beginning(path: Path, plan: Plan, budget: int = TRIED_BYTES) -> State:
    """Do the same in this process, for so many bytes."""
    with path.open("rb") as file:
        return Work(plan, State(), io.BytesIO()).go(file, path.stat().st_size, budget)


def _main() -> None:
    question: dict[str, Any] = json.load(sys.stdin)
    json.dump(asdict(beginning(Path(question["path"]), Plan.of(question["plan"]))), sys.stdout)


if __name__ == "__main__":
    _main()
