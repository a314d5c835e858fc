"""Where a result goes: never over a file that is there, and under a name that says so while it is not complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path


class GoneError(Exception):
    """The unfinished result, or a part of it, is not there any more."""


def names(name: str) -> Iterator[str]:
    """Yield a name, and then the same with numbers: `a.csv`, `a 2.csv`, `a 3.csv`."""
    yield name
    wanted = Path(name)
    for number in count(2):
        yield f"{wanted.stem} {number}{wanted.suffix}"


def partial_of(folder: Path, name: str, job: str) -> Path:
    """Return where the unfinished result of a job is. No other job has it, whatever it makes."""
    return folder / f"{name}.{job[-8:]}.partial"


def finished(partial: Path, name: str, size: int) -> Path:
    """Give the unfinished result its name, or the first with a number that is free; return where it is.

    Done again after it was cut short, it goes on.

    Raises:
        GoneError: If there is neither the finished result nor an unfinished one of that size.
    """
    if partial.exists() and partial.stat().st_size != size:
        raise GoneError(str(partial))
    for made in names(name):
        path = partial.with_name(made)
        if not partial.exists():
            if not path.exists():
                raise GoneError(str(partial))
            if path.stat().st_size == size:
                break
        elif _has_taken(path, partial):
            break
    return path


def _has_taken(path: Path, partial: Path) -> bool:
    """Give a file a name unless that is taken; tell whether it has it now."""
    try:
        os.link(partial, path)
    except FileExistsError:
        if not path.exists() or not path.samefile(partial):
            return False
    except OSError:  # Some disks know no links. A name that is held by an empty file is then ours to take.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return False
        partial.replace(path)
        return True
    partial.unlink()
    return True


def problem_of_folder(folder: Path) -> str:
    """Return why a folder cannot take the result, as a sentence, or ""."""
    if not folder.is_absolute():
        return "Write the whole path of the folder, from the root on."
    if not folder.exists():
        return "There is no such folder."
    if not folder.is_dir():
        return "This is a file, not a folder."
    if not os.access(folder, os.W_OK | os.X_OK):
        return "You may not write to this folder."
    return ""


def problem_of_file(path: Path) -> str:
    """Return why a file cannot be worked on, as a sentence, or ""."""
    if not path.is_absolute():
        return "Write the whole path, from the root on."
    try:
        if not path.exists():
            return f"There is no file {path.name}." if path.parent.is_dir() else f"There is no folder {path.parent}."
        if path.is_dir():
            return "This is a folder. Name a file in it."
        if not path.is_file():
            return "This is no regular file."
        if not os.access(path, os.R_OK):
            return "You may not read this file."
        return "" if path.stat().st_size else "This file is empty."
    except PermissionError:
        return "You may not look into this folder."
    except OSError as error:
        return f"This cannot be read: {error.strerror}."
