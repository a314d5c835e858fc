"""What the author of an app wants a language model to know about it: a text, or a file with one beside the app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipulate.findings import Finding

FOLDER: Final = "training"
"""Folder beside an app, or in the one the server was started in, for texts that have a file of their own."""

MAX_BYTES: Final = 12_000
"""Longest text that leaves room for all else a model has to read: a quarter of what most take by default."""


def training_of(given: str | Path, beside: Path) -> str:
    """Return the text, read from its file where it has one; "" where there is none. It waits for the disk.

    Args:
        given: What the app was declared with.
        beside: Folder that the file of the app lies in.
    """
    if not is_file(given):
        return str(given).strip()
    path = _found(given, beside)
    try:
        return path.read_text("utf-8", "replace").strip() if path is not None else ""
    except OSError:
        return ""


def is_file(given: str | Path) -> bool:
    """Tell whether this names a file: a path, or one line that ends in `.md`."""
    return isinstance(given, Path) or (given.strip().endswith(".md") and "\n" not in given.strip())


def look(given: str | Path, beside: Path, line: tuple[str, int]) -> Iterator[Finding]:
    """Yield what is wrong with a training text; none of it keeps an app from being used.

    Args:
        given: What the app was declared with.
        beside: Folder that the file of the app lies in.
        line: File and line the app was declared in.
    """
    if is_file(given) and _found(given, beside) is None:
        yield Finding("W037", f"The training text {str(given)!r} is neither in {beside} nor in {FOLDER!r}.", *line)
        return
    yield from too_long(training_of(given, beside), line)


def too_long(text: str, line: tuple[str, int]) -> Iterator[Finding]:
    """Yield a finding where a training text leaves a model too little room for anything else."""
    size = len(text.encode())
    if size > MAX_BYTES:
        words = f"The training text has {size:,} bytes. From {MAX_BYTES:,} on it leaves a model too little room for"
        yield Finding("W038", f"{words} the run and the conversation: leave out what a model does not need.", *line)


def _found(given: str | Path, beside: Path) -> Path | None:
    name = str(given).strip()
    places = (beside / name, beside / FOLDER / name, Path(FOLDER) / name)
    return next((place for place in places if place.is_file()), None)
