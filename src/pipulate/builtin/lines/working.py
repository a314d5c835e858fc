"""A batch: reads a part of the source, decides about its lines, and adds what stays to the result."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, replace
from hashlib import blake2b
from pathlib import Path
from types import FrameType
from typing import IO, Any

from pipulate.builtin.cleaning.seen import Seen
from pipulate.builtin.lines.placing import GoneError
from pipulate.builtin.lines.plan import SEEN_MAX, Plan, State, decision, fits, row_writer
from pipulate.builtin.lines.reading import LINE_MAX, MARK, TOO_LONG, Rows, pieces

BATCH_BYTES = 8_000_000
FIRST_MAX = 20
NOTES_MAX = 50
LINE_SECONDS = 2.0
"""A pattern may take so long for one line; some would take years for a line of forty letters."""

CHANGED = "The file was changed while it was worked on. Edit the first step to begin with it as it is now."
_SHOWN = 300


class TooSlowError(Exception):
    """A pattern takes too long for a line."""


class ChangedError(Exception):
    """The source is not what it was when the work began."""


class Work:
    """Goes through the lines of a part of a file. Same state, same bytes: same result, wherever a batch ends."""

    def __init__(self, plan: Plan, state: State, out: IO[bytes], seen: Seen | None = None) -> None:
        """Begin where a state says.

        Args:
            plan: What is to be done.
            state: How far it is; it is changed in place.
            out: Where the result goes, at its end.
            seen: What `duplicates` remembers of the lines before.
        """
        self.plan, self.state, self._out = plan, state, out
        self._seen = Seen() if seen is None else seen
        self._patterns = plan.compiled()
        self._line_of = row_writer(plan)
        if plan.task == "count" and not state.found:
            state.found = [[0, 0] for _ in plan.patterns]

    def go(self, file: IO[bytes], end: int, budget: int) -> State:
        """Work through at least `budget` bytes, to the end of a line; return the state then."""
        self._mark(file)
        if self.plan.task == "rows":
            self._rows(file, end, self.state.offset + budget)
        else:
            self._lines(file, end, self.state.offset + budget)
        return self.state

    def _mark(self, file: IO[bytes]) -> None:
        """Take the byte order mark over: it belongs to the file, and to none of its lines."""
        if self.state.offset == 0:
            file.seek(0)
            if file.read(3) == MARK:
                self.state.offset = 3
                self._write(MARK)

    def _lines(self, file: IO[bytes], end: int, stop: int) -> None:
        state, line = self.state, self._task()
        for raw, is_rest in pieces(file, state.offset, end, is_inside=bool(state.inside)):
            state.offset += len(raw)
            if is_rest:
                if state.inside == "keep":
                    self._write(raw)
            else:
                state.lines += 1
                kept = line(raw)
                if kept is not None:
                    state.kept += 1
                    self._write(kept)
                    if len(state.first) < FIRST_MAX:
                        state.first.append(shown(kept, self.plan.encoding))
            state.inside = self._after(raw, is_rest, kept is not None if not is_rest else state.inside == "keep")
            if state.offset >= stop:
                return

    def _after(self, raw: bytes, is_rest: bool, is_kept: bool) -> str:
        if raw.endswith(b"\n"):
            return ""
        if not is_rest and is_long(raw):
            self.state.long += 1
            self._note(f"Line {self.state.lines:,} is longer than {LINE_MAX:,} bytes; {self._long_way()}")
        return "keep" if is_kept else "drop"

    def _long_way(self) -> str:
        if self.plan.task == "duplicates":
            return "it is kept, and not compared."
        return "only its beginning counts."

    def _rows(self, file: IO[bytes], end: int, stop: int) -> None:
        state, plan = self.state, self.plan
        for row in Rows(file, state.offset, end, encoding=plan.encoding, delimiter=plan.delimiter):
            state.offset += row.size
            state.lines += 1
            if row.problem:
                state.bad += 1
                state.long += row.problem == TOO_LONG
                self._note(f"Row {state.lines:,} is left out: {row.problem}.")
            elif row.cells and ((plan.has_header and state.lines == 1) or fits(plan, row.cells)):
                state.kept += 1
                kept = self._columns(row.raw, row.cells)
                self._write(kept)
                if len(state.first) < FIRST_MAX:
                    state.first.append(shown(kept, plan.encoding))
            if state.offset >= stop:
                return

    def _columns(self, raw: bytes, cells: list[str]) -> bytes:
        if not self.plan.columns:
            return raw
        ending = b"\r\n" if raw.endswith(b"\r\n") else b"\n"
        return self._line_of(cells).encode(self.plan.encoding, "surrogateescape") + ending

    def _task(self) -> Callable[[bytes], bytes | None]:
        """Return what is done with a line: it returns what is written in its place, or None."""
        if self.plan.task == "duplicates":
            return self._neighbour if self.plan.only_neighbours else self._once
        if self.plan.task == "replace":
            return self._replaced
        if self.plan.task == "count":
            return self._counted
        decide = decision(self.plan)
        return lambda raw: raw if decide(self._text(raw)) is not None else None

    def _text(self, raw: bytes) -> str:
        """Return a line without its ending, as text; bytes that are no letters can be written again as they were."""
        bare = raw.rstrip(b"\r\n")
        try:
            return bare.decode(self.plan.encoding)
        except UnicodeDecodeError:
            self.state.odd += 1
            self._note(f"Line {self.state.lines:,} has bytes that are no letters in this encoding.")
            return bare.decode(self.plan.encoding, "surrogateescape")

    def _replaced(self, raw: bytes) -> bytes:
        text = self._text(raw)
        with_what: Any = self.plan.replacement if self.plan.is_regex else lambda _match: self.plan.replacement
        made, times = self._patterns[0].subn(with_what, text)
        if not times:
            return raw
        self.state.changed += times
        return made.encode(self.plan.encoding, "surrogateescape") + raw[len(raw.rstrip(b"\r\n")) :]

    def _counted(self, raw: bytes) -> None:
        text = self._text(raw)
        self.state.words += len(text.split())
        for pattern, found in zip(self._patterns, self.state.found, strict=True):
            if times := sum(1 for _ in pattern.finditer(text)):
                found[0] += 1
                found[1] += times

    def _neighbour(self, raw: bytes) -> bytes | None:
        if is_long(raw):
            self.state.previous = ""
            return raw
        number = blake2b(raw.rstrip(b"\r\n"), digest_size=16).hexdigest()
        is_same, self.state.previous = number == self.state.previous, number
        return None if is_same else raw

    def _once(self, raw: bytes) -> bytes | None:
        if is_long(raw):
            return raw
        bare = raw.rstrip(b"\r\n")
        if len(self._seen) < SEEN_MAX:
            return None if self._seen.add_line(bare) else raw
        if self._seen.has_line(bare):
            return None
        self.state.uncompared += 1
        if self.state.uncompared == 1:
            self._note(f"{SEEN_MAX:,} different lines are remembered; later ones are compared with these only.")
        return raw

    def _write(self, raw: bytes) -> None:
        self.state.written += self._out.write(raw)

    def _note(self, text: str) -> None:
        if len(self.state.notes) < NOTES_MAX:
            self.state.notes.append(text)


def batch(
    source: str, partial: str, plan: dict[str, Any], state: dict[str, Any], end: int, *, seen: Seen | None = None
) -> dict[str, Any]:
    """Do the next batch; return the state after it. Done twice, it is the same as once.

    Args:
        source: Path of the file that is read.
        partial: Path of the unfinished result, or "" where there is none. What is in it behind `state["written"]` is
            left from a batch that was cut short, and goes.
        plan: A `Plan` as a dict.
        state: A `State` as a dict.
        end: Bytes of the source that are ours; what was added to it since is not.
        seen: As for `Work`.

    Raises:
        TooSlowError: If the pattern takes more than `LINE_SECONDS` for a line.
        ChangedError: If the source became shorter.
        GoneError: If the unfinished result is not there, or became shorter.
    """
    began = time.monotonic()
    with Path(source).open("rb") as file, opened(partial, state["written"]) as out:
        if os.fstat(file.fileno()).st_size < end:
            raise ChangedError(CHANGED)
        work = Work(Plan.of(plan), State(**deepcopy(state)), out, seen)
        with guarded(work):
            after = work.go(file, end, BATCH_BYTES)
    return asdict(replace(after, seconds=time.monotonic() - began))


@contextmanager
def opened(partial: str, written: int) -> Iterator[IO[bytes]]:
    """Open the unfinished result where a state ends, or what swallows all."""
    if not partial:
        with Path(os.devnull).open("wb") as nowhere:
            yield nowhere
        return
    _check_there(partial, written)
    path = Path(partial)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as out:
        out.truncate(written)
        out.seek(written)
        yield out
        out.flush()
        os.fsync(out.fileno())  # What is recorded as done has to be there after a power cut, too.


@contextmanager
def guarded(work: Work) -> Iterator[None]:
    """Raise TooSlowError where a line takes longer than `LINE_SECONDS` of the processor's time.

    Python looks at signals while it searches, and only in the main thread: elsewhere nothing is watched.
    """
    if not work.plan.is_regex or threading.current_thread() is not threading.main_thread():
        yield
        return
    last = -1

    def look(_signal: int, _frame: FrameType | None) -> None:
        nonlocal last
        if work.state.offset == last:
            at = work.state.lines
            raise TooSlowError(f"Line {at:,} takes too long with this pattern. Make the pattern simpler.")
        last = work.state.offset

    before = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, LINE_SECONDS, LINE_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def remembered(partial: str, written: int) -> Seen:
    """Return what `duplicates` remembers: the lines of the result so far are those it has seen."""
    seen = Seen()
    _check_there(partial, written)
    if written:
        with Path(partial).open("rb") as file:
            for raw, is_rest in pieces(file, 3 if file.read(3) == MARK else 0, written):
                if len(seen) >= SEEN_MAX:
                    break
                if not is_rest and not is_long(raw):
                    seen.add_line(raw.rstrip(b"\r\n"))
    return seen


def _check_there(partial: str, written: int) -> None:
    path = Path(partial)
    if written and (not path.exists() or path.stat().st_size < written):
        raise GoneError(partial)


def is_long(raw: bytes) -> bool:
    """Tell whether a line goes on behind what was read of it."""
    return len(raw) == LINE_MAX and not raw.endswith(b"\n")


def shown(raw: bytes, encoding: str) -> str:
    """Return the beginning of a line as it may stand on a page and in the store."""
    text = raw[: _SHOWN * 4].decode(encoding, "replace").rstrip("\r\n")
    plain = "".join(sign if sign.isprintable() or sign == "\t" else "\ufffd" for sign in text)
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"
