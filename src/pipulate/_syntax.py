"""Takes Python source apart, from any thread.

CPython 3.11 counts the depth of a tree for the whole process while it hands it out. Where two threads do that at once,
or the collector runs something in the middle that does it too (a traceback that is written does), one of them may get
a SystemError ("AST constructor recursion depth mismatch") for source that is right. Plugins are loaded on threads of
their own, beside requests that show the code of a step: ours take turns, and what others disturb is done again.
"""

from __future__ import annotations

import ast
import contextlib
import threading
from typing import Final

_TRIES: Final = 10
_turn = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """Return the syntax tree of a source.

    Raises:
        SyntaxError, ValueError: If this is no Python.
        RecursionError, MemoryError: If it is nested too deep to be looked at.
    """
    with _turn:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(SystemError):
                return ast.parse(source)
        return ast.parse(source)
