"""What docstrings say of parameters and attributes."""

from __future__ import annotations

import inspect
import re
from typing import Any

_SECTION = re.compile(r"^(\w+):[ \t]*$", re.MULTILINE)
_ARGUMENT = re.compile(r"(\w+)(?: \(.*\))?:\s*(.*)")


def docs(thing: Any) -> tuple[str, dict[str, str]]:
    """Return a docstring's opening words and what its `Args:` or `Attributes:` say of each name."""
    opening, *rest = _SECTION.split(inspect.getdoc(thing) or "")
    sections = dict(zip(rest[::2], rest[1::2], strict=True))
    found = _arguments(sections.get("Attributes", "")) | _arguments(sections.get("Args", ""))
    return " ".join(opening.split()), found


def _arguments(section: str) -> dict[str, str]:
    arguments: dict[str, str] = {}
    name, margin = "", -1
    for line in filter(str.strip, section.splitlines()):
        indent = len(line) - len(line.lstrip())
        margin = indent if margin < 0 else margin
        if indent < margin:  # The section has ended.
            break
        match = _ARGUMENT.match(line.strip()) if indent == margin else None
        if match:
            name = match[1]
            arguments[name] = match[2]
        elif name:
            arguments[name] += " " + line.strip()
    return arguments
