"""File names that people send, made names that no file system takes for anything but a name."""

from __future__ import annotations

import re
from collections.abc import MutableSet
from pathlib import PurePosixPath
from unicodedata import normalize

LONGEST_BYTES = 200
"""Longest name of an uploaded file. File systems take 255 bytes, and plugins put something before or behind it."""

_ENDING_BYTES = 20
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def plain(name: str) -> str:
    """Return a file name without folders, signs that cannot be seen, and what a system could take for more than a name.

    A long one keeps its ending. There is always something left: `file`, if nothing else.
    """
    last = PurePosixPath(normalize("NFC", name.replace("\\", "/"))).name
    seen = "".join(sign for sign in last if sign.isprintable() and sign not in '<>:"|?*').strip(". ").lstrip("-")
    if _DEVICE.fullmatch(seen):
        seen = f"file-{seen}"
    return _short(seen) or "file"


def another(name: str, taken: MutableSet[str]) -> str:
    """Return a name that is not taken yet, the same or one with a number, and take it."""
    stem, dot, ending = name.rpartition(".")
    made, number = name, 1
    while made.casefold() in taken:
        number += 1
        made = f"{stem}-{number}{dot}{ending}" if stem else f"{name}-{number}"
    taken.add(made.casefold())
    return made


def _short(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    if not stem or len(ending.encode()) > _ENDING_BYTES:
        stem, dot, ending = name, "", ""
    room = LONGEST_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending
