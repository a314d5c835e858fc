"""Works through a file in batches, as the app does, and as a process that dies would."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pipulate.builtin.lines import working
from pipulate.builtin.lines.plan import Plan, State
from pipulate.builtin.lines.working import batch, remembered


class Desk:
    """A file, a plan, and the unfinished result."""

    def __init__(self, folder: Path, content: bytes, **plan: Any) -> None:
        self.source, self.partial = folder / "source", folder / "result.partial"
        self.source.write_bytes(content)
        self.partial.unlink(missing_ok=True)
        self.plan = Plan(**plan)
        self.state = asdict(State())
        self.seen = remembered(str(self.partial), 0)

    def step(self, size: int) -> None:
        """Do a batch of so many bytes."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(working, "BATCH_BYTES", size)
            end = self.source.stat().st_size
            self.state = batch(
                str(self.source), str(self.partial), asdict(self.plan), self.state, end, seen=self.seen
            )  # fmt: skip

    def die(self, size: int) -> None:
        """Do a batch, and be killed before it is recorded; then begin again with what is on the disk."""
        before = self.state
        self.step(size)
        self.state = before
        self.seen = remembered(str(self.partial), before["written"])

    @property
    def is_done(self) -> bool:
        """Whether all of it is done."""
        return bool(self.state["offset"] >= self.source.stat().st_size)

    def all(self, size: int = 1_000_000) -> bytes:
        """Do the rest in batches of so many bytes; return the result."""
        while not self.is_done:
            self.step(size)
        return self.partial.read_bytes() if self.partial.exists() else b""

    def counts(self) -> dict[str, Any]:
        """Return the state without what depends on the clock."""
        return {name: value for name, value in self.state.items() if name != "seconds"}
