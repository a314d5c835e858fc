"""The rows of a file, each with the line it begins on, whatever is wrong with them; the file is never in memory."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from pipulate.sheets.sniff import Layout, sep_line

LINE_MAX = 1_000_000
"""Longest line, in characters. The rest of a longer one is passed over, and the row says so."""

UNCLOSED = "a quote is not closed"
QUOTE = "a quote in the wrong place"
TOO_LONG = "too long"
_ROW_LINES = 1_000
_ROW_SIGNS = 128 * 1024
_PUSHED_BACK = 200
"""So often the lines behind a quote that is not closed are read again. Each time costs up to `_ROW_SIGNS`."""


@dataclass(slots=True)
class Row:
    """A row as it stands in the file.

    Attributes:
        line: The line it begins on; the first one is 1.
        cells: What stands in it.
        problem: Why it could not be read as it should, or "".
    """

    line: int
    cells: list[str]
    problem: str = ""


class Reader:
    """Goes through the rows of a file once."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path, self._layout = path, layout
        self._pushed_back = 0
        self.bytes_done = 0

    def __iter__(self) -> Iterator[Row]:
        with self._path.open(encoding=self._layout.encoding, errors="replace", newline="") as file:
            lines = _Lines(file)
            rows = csv.reader(lines, delimiter=self._layout.delimiter, strict=True)
            while True:
                start = lines.begin()
                try:
                    cells = next(rows)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield self._failed(lines, start, str(error))
                    continue
                if start == 1 and sep_line(lines.taken[0]):
                    continue
                self.bytes_done = lines.bytes_done
                yield Row(start, cells, TOO_LONG if lines.is_cut else "")

    def _failed(self, lines: _Lines, start: int, error: str) -> Row:
        """Return what can be made of lines that are no row; those behind the first one are read again."""
        is_open = len(lines.taken) > 1 or "unexpected end" in error
        if len(lines.taken) > 1 and self._pushed_back < _PUSHED_BACK:
            self._pushed_back += 1
            lines.push_back()
        cells = "".join(lines.taken).rstrip("\r\n").split(self._layout.delimiter)
        if lines.is_cut or "limit" in error:
            return Row(start, cells, TOO_LONG)
        return Row(start, cells, UNCLOSED if is_open else QUOTE)


class _Lines:
    """Hands lines to the parser, and remembers those of the row that is being read.

    Attributes:
        taken: The lines of the row so far.
        is_cut: Whether one of them was longer than `LINE_MAX`.
        bytes_done: How much of the file was read.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._waiting: deque[str] = deque()
        self._signs = self._line = self.bytes_done = 0
        self.taken: list[str] = []
        self.is_cut = False

    def begin(self) -> int:
        """Begin a row; return its line."""
        self.taken, self._signs, self.is_cut = [], 0, False
        return self._line + 1

    def push_back(self) -> None:
        """Have all but the first line of the row read again."""
        self._line -= len(self.taken) - 1
        self._waiting.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= _ROW_LINES or (self.taken and self._signs > _ROW_SIGNS):
            raise csv.Error(UNCLOSED)
        line = self._waiting.popleft() if self._waiting else self._read()
        if not line:
            raise StopIteration
        self._line += 1
        self._signs += len(line)
        self.taken.append(line)
        return line

    def _read(self) -> str:
        line = self._file.readline(LINE_MAX)
        if self._line % 256 == 0:
            self.bytes_done = self._file.buffer.tell()
        if len(line) == LINE_MAX and line[-1] not in "\r\n":
            self.is_cut = True
            while (more := self._file.readline(LINE_MAX)) and more[-1] not in "\r\n":
                pass
        return line
