"""How a file is written: its encoding, what stands between its columns, whether its first row names them."""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from pipulate.sheets.kinds import DATES, NUMBERS, fits

ENCODINGS = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Western European (Windows-1252)",
    "iso8859-15": "Western European (ISO 8859-15)",
    "cp1250": "Central European (Windows-1250)",
    "cp1251": "Cyrillic (Windows-1251)",
    "cp437": "DOS (437)",
    "mac-roman": "Mac Roman",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
    "utf-16": "UTF-16 with a mark at its beginning",
    "utf-16-le": "UTF-16, little endian",
    "utf-16-be": "UTF-16, big endian",
    "utf-32": "UTF-32",
}
DELIMITERS = {",": "comma ,", ";": "semicolon ;", "\t": "tab", "|": "vertical bar |"}

_SAMPLE_BYTES = 256 * 1024
_PIECE_BYTES = 1024 * 1024
_ROWS = 200
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is written.

    Attributes:
        encoding: One of `ENCODINGS`.
        delimiter: One of `DELIMITERS`.
        has_header: Whether the first row names the columns.
    """

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    has_header: bool = True


def sniff(path: Path) -> Layout:
    """Return how a file is probably written. All of it is read for the encoding, its beginning for the rest."""
    encoding = encoding_of(path)
    with path.open("rb") as file:
        text = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(_SAMPLE_BYTES))
    lines = io.StringIO(text, newline="").readlines()  # Not splitlines, which ends lines where csv does not.
    said = sep_line(lines[0]) if lines else ""
    delimiter = said or delimiter_of(lines)
    return Layout(encoding, delimiter, has_header(_rows(lines[1:] if said else lines, delimiter)))


def encoding_of(path: Path) -> str:
    """Return the encoding: by its mark, by the zeros of UTF-16, as UTF-8 where all of it is, else Windows-1252."""
    with path.open("rb") as file:
        start = file.read(_SAMPLE_BYTES)
        for mark, name in _MARKS:
            if start.startswith(mark):
                return name
        if zeros := start.count(0):
            odd = start[1::2].count(0)
            if zeros * 3 > len(start) and max(odd, zeros - odd) > 0.9 * zeros:
                return "utf-16-le" if odd * 2 > zeros else "utf-16-be"
        decoder = codecs.getincrementaldecoder("utf-8")()
        file.seek(0)
        try:
            while piece := file.read(_PIECE_BYTES):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def sep_line(line: str) -> str:
    """Return the delimiter that a first line of the form `sep=;` names, or ""."""
    plain = line.strip('\ufeff\r\n"')
    return plain[4:] if plain[:4].lower() == "sep=" and plain[4:] in DELIMITERS else ""


def delimiter_of(lines: list[str]) -> str:
    """Return what makes the most rows equally wide, and wider than one; a comma where nothing does.

    What makes the first row as wide as most comes before what does not: in a row of names is no comma of a decimal.
    """

    def score(delimiter: str) -> tuple[bool, float, int]:
        found = [len(row) for row in _rows(lines, delimiter) if any(row)]
        width, times = Counter(found).most_common(1)[0] if found else (0, 0)
        return (found[0] == width, times / len(found), width) if width > 1 else (False, 0, 0)

    return max(DELIMITERS, key=score)


def has_header(rows: list[list[str]]) -> bool:
    """Tell whether the first row names the columns: all different words, and no numbers or dates among them."""
    first = next((row for row in rows if any(cell.strip() for cell in row)), [])
    names = [cell.strip() for cell in first]
    if not names or len(set(names)) < len(names) or not all(names):
        return False
    return not any(fits(kind, name) for name in names for kind in (*NUMBERS, *DATES))


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            rows.append(row)
            if len(rows) == _ROWS:
                break
    except csv.Error:
        pass  # What was read until then is enough to guess by.
    return rows
