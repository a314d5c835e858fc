"""Handlers that hand code typed by people to `runJsWidget`, taken apart: such code is data and never part of a script.

Plugins write that code into a literal inside the handler, so it could end the literal and go on as a script of the
page. What is read here is a call with three literals and nothing else. Anything more is not run at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = "runJsWidget"

_LITERAL = r"""('(?:[^'\\\r\n]|\\.)*+'|"(?:[^"\\\r\n]|\\.)*+"|`(?:[^`\\]|\\.)*+`)"""
_CALL = re.compile(
    rf"\s*(?:return\s+)?(?:window\s*\.\s*)?{NAME}\s*\(\s*{_LITERAL}\s*,\s*{_LITERAL}\s*,\s*{_LITERAL}\s*,?\s*\)"
    r"\s*;?\s*(return\s+false\s*;?\s*)?",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))|(\r\n?)", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "v": "\v", "f": "\f", "0": "\0"}
_CONTINUED = frozenset({"\n", "\r", "\r\n", "\u2028", "\u2029"})


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `runJsWidget`.

    Attributes:
        widget: Id of the widget.
        code: What was typed.
        target: Id of the element it shows something in.
        ends: Whether the event ends with it (`return false`).
    """

    widget: str
    code: str
    target: str
    ends: bool


def concerns(code: str) -> bool:
    """Tell whether a handler has to do with typed code."""
    return NAME in code


def parsed(code: str) -> Call | None:
    """Return the call that a handler consists of, or None where it is anything else.

    `${...}` in a literal stays as it was typed: what is inside belongs to the code, and is not worked out in the page.
    """
    found = _CALL.fullmatch(code)
    if found is None:
        return None
    widget, typed, target = (_text(found[number]) for number in (1, 2, 3))
    return Call(widget, typed, target, found[4] is not None)


def _text(literal: str) -> str:
    return _ESCAPE.sub(_sign, literal[1:-1])


def _sign(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2] or escape[3]
    if digits:
        number = int(digits, 16)
        return chr(number) if number <= 0x10FFFF else "\N{REPLACEMENT CHARACTER}"
    if escape[5]:
        return "\n"  # As a literal in backticks reads it.
    return "" if escape[4] in _CONTINUED else _PLAIN.get(escape[4], escape[4])
