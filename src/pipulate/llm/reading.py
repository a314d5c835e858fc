"""What a model wants to have called, read from whatever its server made of it."""

from __future__ import annotations

import json
from typing import Any, Final

from pipulate.llm.port import Call

_BROKEN_MAX: Final = 1_000
_NAME_MAX: Final = 100
_COUNT_MAX: Final = 2**53  # More is no count of anything, and cannot be reckoned with as other numbers can.


class Calls:
    """The calls of one answer, each with an id of its own.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._seen: set[str] = set()

    def read(self, given: Any, name: Any, arguments: Any) -> Call:
        """Return a call; `broken` where its arguments, or it as a whole, cannot be read.

        Args:
            given: The id the server gave it; one is made where that is none, or was there before.
            name: Of the tool.
            arguments: An object, or the text of one.
        """
        self.count += 1
        made = clean(given) if isinstance(given, str) and 0 < len(given) <= _NAME_MAX else f"call_{self.count}"
        while made in self._seen:
            made = f"{made[:_NAME_MAX]}_{self.count}"
        self._seen.add(made)
        known = clean(name)[:_NAME_MAX] if isinstance(name, str) else ""
        if arguments is None or arguments == "":  # A tool without arguments, as many models call it.
            return Call(made, known)
        read = _read(arguments)
        if read is not None and known:
            return Call(made, known, read)
        text = arguments if isinstance(arguments, str) else repr(arguments)
        return Call(made, known, broken=clean(text)[:_BROKEN_MAX])


def clean(text: str) -> str:
    """Return a text that can be stored and sent: what no UTF-8 can hold, or no database, is a replacement character."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def count(value: Any) -> int | None:
    """Return a number of tokens or bytes that a server tells of, or None where it is none."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _COUNT_MAX
    return value if is_count else None


def _read(arguments: Any) -> dict[str, Any] | None:
    """Return arguments as an object of clean JSON, or None where they are none."""
    try:
        content = json.loads(arguments) if isinstance(arguments, str) else arguments
        json.dumps(content, allow_nan=False)  # Refuses numbers that are no JSON.
        read = _cleaned(content)
    except (ValueError, TypeError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def _cleaned(content: Any) -> Any:
    if isinstance(content, str):
        return clean(content)
    if isinstance(content, list):
        return [_cleaned(each) for each in content]
    if isinstance(content, dict):
        return {clean(name): _cleaned(each) for name, each in content.items()}
    return content
