"""Elements that were made with FastHTML, as markup: text is escaped, whatever its type. It is sanitised when shown."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from pipulate.workflows.markup import Html

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:_-]*")
_VOID = frozenset({"area", "br", "col", "hr", "img", "input", "source", "track", "wbr"})
_CODE = frozenset({"script", "style"})


def markup_of(element: Any) -> Html:
    """Return an element, a list of them, or anything else, as markup.

    Raises:
        ValueError: If an element has a name that is none.
    """
    if element is None:
        return Html("")
    if isinstance(element, list | tuple):
        return Html("".join(map(markup_of, element)))
    names = {each.__name__ for each in type(element).__mro__ if each.__module__.startswith("fastcore.")}
    if "FT" in names:
        return _element(element)
    if "NotStr" in names:
        return Html(str(element))
    if hasattr(type(element), "__html__"):
        return Html(element.__html__())
    if hasattr(element, "__ft__"):
        return markup_of(element.__ft__())
    return Html(escape(element.decode("utf-8", "replace") if isinstance(element, bytes) else str(element)))


def _element(element: Any) -> Html:
    tag = str(element.tag)
    if tag and not _NAME.fullmatch(tag):
        raise ValueError(f"not a name for an element: {tag!r}")
    if tag in _CODE:
        return Html("")
    inside = "".join(map(markup_of, element.children))
    if not tag:
        return Html(inside)
    attributes = "".join(_attribute(name, value) for name, value in (element.attrs or {}).items())
    return Html(f"<{tag}{attributes}>" + ("" if tag in _VOID else f"{inside}</{tag}>"))


def _attribute(name: str, value: Any) -> str:
    if value is None or value is False or not _NAME.fullmatch(name):
        return ""
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
