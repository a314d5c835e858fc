"""What class-style plugins expect of FastHTML and later versions of it left out.

Nothing here or in what imports it may import `fasthtml.common`, which is completed with these when a plugin does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastcore.basics import NotStr
from fastcore.xml import FT
from fasthtml.components import Article, Div, Fieldset, Footer, Header, Main


class NotFoundError(Exception):
    """A table has no row with this key."""


def Card(*children: Any, header: Any = None, footer: Any = None, **attributes: Any) -> FT:  # noqa: N802 - their name
    """Return an article, with its header before and its footer after the children."""
    before = (Header(header),) if header else ()
    after = (Footer(footer),) if footer else ()
    return Article(*before, *children, *after, **attributes)


def Container(*children: Any, cls: str = "", **attributes: Any) -> FT:  # noqa: N802 - their name
    """Return the main part of a page, as wide as the page wants it."""
    return Main(*children, cls=f"container {cls}".strip(), **attributes)


def Grid(*children: Any, cls: str = "grid", **attributes: Any) -> FT:  # noqa: N802 - their name
    """Return children side by side, each in a cell of its own."""
    return Div(*[Div(child) for child in children], cls=cls, **attributes)


def Group(*children: Any, **attributes: Any) -> FT:  # noqa: N802 - their name
    """Return inputs and buttons that belong together, in one line."""
    return Fieldset(*children, role="group", **attributes)


def as_child(value: Any) -> Any:
    """Return a value as FastHTML can be given it: elements as they are, several as a tuple, all else as text.

    FastHTML itself takes a dictionary for attributes, and writes lists, bytes and exceptions unescaped.
    """
    if value is None or isinstance(value, str | FT | NotStr) or hasattr(value, "__ft__") or hasattr(value, "__html__"):
        return value
    if isinstance(value, list | tuple | Iterator):
        return tuple(as_child(each) for each in value)
    return str(value)
