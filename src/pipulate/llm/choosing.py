"""Which of the models that are there is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pipulate.llm.port import Known

_ROOM: Final = 1.2  # What a model takes in memory, of the size of its weights.
_BYTES_PER_TOKEN: Final = 150_000  # Of the context, for a model of 4 to 8 thousand million weights.


def can_be_chosen(known: Sequence[Known], *, remote: bool) -> list[Known]:
    """Return the models that can chat, without those that run elsewhere unless these may be used."""
    return [each for each in known if each.can_chat and (remote or not each.is_remote)]


def named(known: Sequence[Known], name: str) -> Known | None:
    """Return the model of a name, or None; `qwen3` means `qwen3:latest` where nothing is called just that."""
    for wanted in (name, f"{name}:latest"):
        for each in known:
            if name and each.name == wanted:
                return each
    return None


def best(known: Sequence[Known], *, context: int, free_bytes: int | None) -> Known | None:
    """Return the model to ask where nobody has chosen one, or None where nothing tells one from another.

    One that is in memory, or fits into it with its context; of these one that has tools; of these one that is in
    memory already, for that answers at once; then one of this machine, the largest, the newest. Where none fits, the
    smallest.

    Args:
        known: Models that can be chosen.
        context: Tokens of a question and its answer together.
        free_bytes: Memory that is free; None where that is not known.
    """
    if len(known) > 1 and not any(each.size_bytes or each.is_loaded for each in known):
        return None  # A provider's list. Any of these may be dear, slow, or made for pictures.

    def worth(model: Known) -> tuple[object, ...]:
        fits = _fits(model, context, free_bytes)
        return (
            fits,
            {True: 2, None: 1, False: 0}[model.has_tools],
            model.is_loaded,
            not model.is_remote,
            model.size_bytes if fits else -model.size_bytes,
            model.modified_at,
            model.name,
        )

    return max(known, key=worth, default=None)


def _fits(model: Known, context: int, free_bytes: int | None) -> bool:
    if model.is_loaded or model.is_remote or free_bytes is None:
        return True
    tokens = min(context, model.context or context)
    return model.size_bytes * _ROOM + tokens * _BYTES_PER_TOKEN <= free_bytes


def free_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return how many bytes of memory programs can still have; None where this machine does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1_024
    try:  # Where only the whole is known, half of it is for everything else.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (ValueError, OSError):
        return None
