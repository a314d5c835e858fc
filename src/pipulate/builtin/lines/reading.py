"""The lines and rows of a part of a file, as bytes; what is in memory does not grow with the file nor with a line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import IO, NamedTuple

LINE_MAX = 1_000_000
"""Longest line that is looked at as a whole, in bytes. What comes behind goes the way of its beginning."""

UNCLOSED = "a quote is not closed"
TOO_LONG = "too long"
ROW_LINES = 1_000
ROW_BYTES = 1_000_000
MARK = b"\xef\xbb\xbf"


def pieces(file: IO[bytes], start: int, end: int, *, is_inside: bool = False) -> Iterator[tuple[bytes, bool]]:
    """Yield the lines between two offsets with their endings; of a long line its beginning, then the rest in pieces.

    Args:
        file: Open for reading.
        start: Where a line begins, or goes on.
        end: Where the file ends, as far as we are concerned.
        is_inside: Whether a line goes on at the start.

    Yields:
        Bytes, and whether they go on with the line before.
    """
    file.seek(start)
    left = end - start
    while left > 0 and (raw := file.readline(min(LINE_MAX, left))):
        left -= len(raw)
        yield raw, is_inside
        is_inside = not raw.endswith(b"\n")


class Row(NamedTuple):
    """A row: how many bytes it takes, what they are, its cells, and why it could not be read, or ""."""

    size: int
    raw: bytes
    cells: list[str]
    problem: str


class Rows:
    """The rows of a table between two offsets, each with its bytes, so that one can go on behind any of them."""

    def __init__(self, file: IO[bytes], start: int, end: int, *, encoding: str, delimiter: str) -> None:
        self._lines = _Lines(file, start, end, encoding)
        self._delimiter = delimiter

    def __iter__(self) -> Iterator[Row]:
        lines = self._lines
        rows = csv.reader(lines, delimiter=self._delimiter)
        while True:
            lines.begin()
            try:
                cells, problem = next(rows), ""
            except StopIteration:
                return
            except csv.Error:
                cells, problem = [], UNCLOSED if len(lines.taken) > 1 else TOO_LONG
            if lines.is_asked_at_end and not problem:
                problem = UNCLOSED
            if lines.is_cut:
                problem = TOO_LONG
            elif problem == UNCLOSED:
                lines.push_back()
            if problem:
                rows = csv.reader(lines, delimiter=self._delimiter)  # The old one is in the middle of a row.
            yield Row(lines.size, b"".join(lines.taken), cells if not problem else [], problem)


class _Lines:
    """Hands lines to the parser, and remembers those of the row that is being read.

    Attributes:
        taken: The lines of the row so far.
        size: How many bytes they take, with the rest of a long one.
        is_cut: Whether one of them was longer than `LINE_MAX`.
        is_asked_at_end: Whether the parser wanted more lines for it, and there were none.
    """

    def __init__(self, file: IO[bytes], start: int, end: int, encoding: str) -> None:
        self._pieces = pieces(file, start, end)
        self._next = next(self._pieces, None)
        self._waiting: deque[bytes] = deque()
        self._encoding = encoding
        self.begin()

    def begin(self) -> None:
        """Begin a row."""
        self.taken: list[bytes] = []
        self.size = 0
        self.is_cut = self.is_asked_at_end = False

    def push_back(self) -> None:
        """Have all but the first line of the row read again."""
        self._waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]
        self.size = len(self.taken[0])

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= ROW_LINES or (self.taken and self.size > ROW_BYTES):
            raise csv.Error(UNCLOSED)
        raw = self._waiting.popleft() if self._waiting else self._read()
        if not raw:
            self.is_asked_at_end = bool(self.taken)
            raise StopIteration
        self.taken.append(raw)
        self.size += len(raw)
        return raw.decode(self._encoding, "surrogateescape")

    def _read(self) -> bytes:
        """Return the next line, or of a long one its beginning."""
        if self._next is None:
            return b""
        raw, _ = self._next
        while (following := next(self._pieces, None)) and following[1]:
            self.is_cut = True
            self.size += len(following[0])
        self._next = following
        return raw
