"""The job: batch after batch, each recorded, with what it says meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipulate import Code, FieldError
from pipulate.builtin.cleaning.seen import Seen
from pipulate.builtin.lines.placing import GoneError, finished, partial_of
from pipulate.builtin.lines.plan import Plan, State
from pipulate.builtin.lines.working import CHANGED, ChangedError, TooSlowError, batch, remembered
from pipulate.ui import Html, table, tbody, td, th, thead, tr

if TYPE_CHECKING:
    from pipulate import Job, Progress

_TITLES = {
    "lines": "Lines read",
    "kept": "Lines in the result",
    "changed": "Replacements",
    "words": "Words",
    "odd": "Lines with bytes that are no letters",
    "long": "Very long lines",
    "bad": "Rows that could not be read, left out",
    "uncompared": "Lines compared with the remembered ones only",
}


class Desk:
    """Works through a file for a job.

    Attributes:
        removes: Whether an incomplete result goes when the job is stopped by somebody.
    """

    def __init__(
        self, job: Job, progress: Progress, source: Path, plan: Plan, folder: Path | None, name: str
    ) -> None:  # fmt: skip
        """Wire it up; without a folder there is no result but the counts."""
        self._job, self._progress, self._source, self._plan = job, progress, source, plan
        self._name = name
        self._end = self._changed_at = 0
        self._partial = partial_of(folder, name, job.id) if folder else None
        self._seen: Seen | None = None
        self.removes = False

    def work(self) -> tuple[State, Path | None]:
        """Go from the last batch that was recorded to the end of the file; return the counts, and the result if any.

        Raises:
            FieldError: If it cannot go on; says why.
        """
        with ExitStack() as stack:
            stack.push(self._leave)
            try:
                self._begin()
                return next(done for done in map(self._turn, count(1)) if done)
            except (ChangedError, TooSlowError, OSError) as error:
                raise FieldError("", str(error)) from error

    def _leave(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Forget the lines; where the job was cancelled, not only interrupted, do with the result what was chosen."""
        self._seen = None
        if self.removes and self._partial and getattr(error, "why", "") == "cancel":
            self._partial.unlink(missing_ok=True)

    def counts(self, state: State) -> Iterator[Html]:
        """Yield what was counted, as tables."""
        yield _table(("What", "How many"), self._counted(state))
        if self._plan.patterns and state.found:
            found = zip(self._plan.patterns, state.found, strict=True)
            rows = [(pattern, lines, times) for pattern, (lines, times) in found]
            yield _table(("Pattern", "Lines", "Times"), rows)

    def beginning(self, state: State) -> Iterator[Any]:
        """Yield the beginning of the result, where there is one."""
        if state.first:
            yield "It begins with:"
            yield Code("\n".join(state.first), "text")

    def _counted(self, state: State) -> list[tuple[str, int]]:
        """Return the counts in words; what there is none of is left out, but for lines."""
        always = ("lines", "words") if self._plan.task == "count" else ("lines", "kept")
        names = [name for name in _TITLES if name in always or (name != "kept" and getattr(state, name))]
        return [(_TITLES[name], getattr(state, name)) for name in names]

    def _begin(self) -> None:
        self._end, self._changed_at = self._job.checkpoint_now("source", self._begun)
        self._progress.total(max(0.1, _millions(self._end)))

    def _begun(self) -> list[int]:
        if self._partial:
            self._progress.log(f"Until it is complete, the result is in {self._partial}")
        found = self._source.stat()
        return [found.st_size, found.st_mtime_ns]

    def _turn(self, turn: int) -> tuple[State, Path | None] | None:
        """Go through the file; None where the unfinished result is gone, so that all has to be done in another turn."""
        try:
            state = self._batches("" if turn == 1 else f"turn {turn}, ")
            if self._partial is None:
                return state, None
            return state, Path(self._job.checkpoint_now("finish", self._finished, state.written))
        except GoneError:
            self._progress.log("The unfinished result is not there any more. It is begun anew.")
            self._seen = None
            return None

    def _batches(self, prefix: str) -> State:
        state, number = asdict(State()), 0
        while state["offset"] < self._end:
            number += 1
            lines = state["lines"]
            state = self._job.checkpoint_now(f"{prefix}batch {number}", self._batch, state)
            self._tell(State(**state), lines)
        return State(**state)

    def _batch(self, state: dict[str, Any]) -> dict[str, Any]:
        """Do the next batch, in a process of its own but where it has to remember what it saw."""
        found = self._source.stat()
        if found.st_size == self._end and found.st_mtime_ns != self._changed_at:
            raise ChangedError(CHANGED)
        known, partial = len(state["notes"]), str(self._partial or "")
        what = (str(self._source), partial, asdict(self._plan), state, self._end)
        if self._plan.task == "duplicates":
            if self._seen is None:
                self._seen = remembered(partial, state["written"])
            after = batch(*what, seen=self._seen)
        else:
            after = self._job.in_process_now(batch, *what)
        for note in after["notes"][known:]:
            self._progress.log(note)
        return after

    def _tell(self, state: State, lines: int) -> None:
        rate = (state.lines - lines) / max(state.seconds, 0.001)
        kept = "" if self._plan.task == "count" else f", {state.kept:,} kept"
        text = f"{state.lines:,} lines{kept}, {rate:,.0f} a second; megabytes"
        self._progress.advance(_millions(state.offset) - self._progress.now.done, text)
        self._progress.partial([*self.counts(state), *self.beginning(state)])

    def _finished(self, written: int) -> str:
        assert self._partial is not None  # noqa: S101 - else it is not called
        if self._source.stat().st_size > self._end:
            self._progress.log("The file grew meanwhile. What was added is not in the result.")
        return str(finished(self._partial, self._name, written))


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Html:
    head = tr(th(name, scope="col") for name in names)
    body = [tr(td(first, dir="auto"), [td(f"{each:,}", class_="number") for each in rest]) for first, *rest in rows]
    return table(thead(head), tbody(body))


def _millions(size: int) -> float:
    return round(size / 1e6, 1)
