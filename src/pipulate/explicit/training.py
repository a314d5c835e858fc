"""What a class-style plugin wants a model to know about it before anything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = "training"
"""Folder, in the one the server was started in, for texts that have a file of their own."""


def training_of(plugin: Any) -> str:
    """Return the text: `TRAINING_PROMPT` itself, or what stands in the file it names; "" where there is none.

    A file that is missing is said to be missing, so that whoever reads the history sees why a model knows nothing.
    """
    given = str(getattr(plugin, "TRAINING_PROMPT", None) or "").strip()
    if not given.endswith(".md") or "\n" in given:
        return given
    path = _inside(given)
    try:
        return path.read_text("utf-8", "replace") if path is not None else _missing(given)
    except OSError:
        return _missing(given)


def _inside(name: str) -> Path | None:
    root = Path(FOLDER).resolve()
    try:
        path = (root / name).resolve()
    except (OSError, ValueError):
        return None
    return path if path.is_relative_to(root) else None


def _missing(name: str) -> str:
    return f"There is no file {name!r} in the folder {FOLDER!r}."
