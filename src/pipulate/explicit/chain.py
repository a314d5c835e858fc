"""The chain reaction, as far as it can run on the server: placeholders for next steps are filled before they are sent.

A completed step ends in an empty element with `hx-get` and `hx-trigger="load"`; the browser would ask for it, put the
answer in, find the next placeholder in there, and so on: one round trip for each step. Here the same handlers are
called in the same order, and what they answer is put where htmx would have put it.

A filled placeholder loses `hx-trigger` and `hx-get`, and nothing else. Without the trigger it does not ask again; with
`hx-get` alone, htmx would ask at each click inside. `hx-swap` stays, since elements inside inherit it.

Where anything else could make a difference, the placeholder stays as it is, for the browser: other attributes of htmx
on it or around it, an element around it or an answer that an HTML parser would not nest as htmx does, an answer that is
not just elements. Attributes that a placeholder would inherit from the page around the tree are not seen.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from fastcore.xml import FT

from pipulate.explicit.markup import LISTS, has_input_form, pieces
from pipulate.ui.html import Html

Call = Callable[[str], Awaitable[Any]]

LASTS_S = 0.05  # A walk that takes longer is left to the browser, which shows what there is meanwhile.

_CONTAINERS = frozenset(
    {"article", "aside", "blockquote", "div", "fieldset", "figure", "footer", "header", "main", "nav", "section"}
)
_DOCUMENT = frozenset({"!doctype", "base", "body", "head", "html", "title"})
_MORE_THAN_CONTENT = re.compile(r"hx-swap-oob|<(?:!doctype|base|body|head|html|title)\b", re.IGNORECASE)
_PATH = re.compile(r"(/[^\s\\?#\x00-\x20]+)(?:\?[^\s\\#\x00-\x20]*)?")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A tree with the placeholders filled that could be.

    Attributes:
        content: The tree; what changed in it is new, the caller's elements are as they were.
        paths: What was asked for and put in, in order.
        stopped_by: Why it went no further: "form", "answer" (more than elements), "error", "steps", "time"; "" if it
            came to the end.
        unused: The path and the answer, or the exception, that was not put in. The browser will ask for this path; a
            caller that can hand out the same answer then spares the plugin being called twice.
    """

    content: Any
    paths: tuple[str, ...] = ()
    stopped_by: str = ""
    unused: tuple[str, Any] | None = None


async def resolve(
    content: Any,
    *,
    app_prefixes: Collection[str],
    call: Call,
    steps: int = 50,
    seconds: float = LASTS_S,
    clock: Callable[[], float] = time.monotonic,
) -> Resolved:
    """Return what a handler answered with its placeholders filled, in document order, until one has to be left.

    It stops at an answer that holds a form to fill in (which is put in), at one that is not just elements, at an
    exception, and when steps or time are used up. A call is never cut short.

    Args:
        content: What the handler answered.
        app_prefixes: Paths of the app, such as `/hello`; only these and what is below them are asked for.
        call: Calls the app's handler of a path, with its query, in the context of the run.
        steps: How many calls at most.
        seconds: No call begins later than this.
        clock: Seconds that only go forward.
    """
    ends = clock() + seconds
    chain = _Chain(app_prefixes, call, steps, lambda: clock() < ends)
    filled = await chain.fill(content)
    return Resolved(filled, tuple(chain.paths), chain.stopped_by, chain.unused)


class _Chain:
    """One walk through a tree."""

    def __init__(self, prefixes: Iterable[str], call: Call, steps: int, has_time: Callable[[], bool]) -> None:
        self.paths: list[str] = []
        self.stopped_by = ""
        self.unused: tuple[str, Any] | None = None
        self._prefixes = tuple(f"/{prefix.strip('/')}/" for prefix in prefixes)
        self._call, self._steps, self._has_time = call, steps, has_time

    async def fill(self, node: Any) -> Any:
        """Return a part of the tree with its placeholders filled."""
        if self.stopped_by or not _holds_placeholder(node):
            return node
        if isinstance(node, LISTS):
            return tuple([await self.fill(each) for each in node])
        if not isinstance(node, FT):
            return await self.fill(node.__ft__())
        path = self._path_of(node)
        if path is not None:
            return await self._filled(node, path)
        if not _is_neutral(node):
            return node
        return _changed(node, await self.fill(node.children), node.attrs)

    async def _filled(self, placeholder: Any, path: str) -> Any:
        if not self._may_call():
            return placeholder
        self._steps -= 1
        try:
            answer = await self._call(path)
        except Exception as error:  # noqa: BLE001 - plugin border: the browser will ask, and be told by the usual way
            self._stop("error", (path, error))
            return placeholder
        if not _is_content(answer):
            self._stop("answer", (path, answer))
            return placeholder
        self.paths.append(path)
        if has_input_form(answer):
            self._stop("form")
        inside = await self.fill(tuple(answer) if isinstance(answer, LISTS) else (answer,))
        if placeholder.attrs.get("hx-swap") == "outerHTML":
            return inside
        attributes = {name: value for name, value in placeholder.attrs.items() if name not in {"hx-get", "hx-trigger"}}
        return _changed(placeholder, inside, attributes)

    def _may_call(self) -> bool:
        if self._steps <= 0:
            self._stop("steps")
        elif not self._has_time():
            self._stop("time")
        return not self.stopped_by

    def _stop(self, reason: str, unused: tuple[str, Any] | None = None) -> None:
        self.stopped_by, self.unused = reason, unused

    def _path_of(self, element: Any) -> str | None:
        """Return the path that a placeholder asks for, or None if the element is none or one for the browser."""
        attributes = {name: value for name, value in (element.attrs or {}).items() if _is_of_htmx(name)}
        path, trigger = attributes.pop("hx-get", None), attributes.pop("hx-trigger", None)
        swap = attributes.pop("hx-swap", None)
        is_plain = element.tag in _CONTAINERS and not element.children and not attributes
        if not is_plain or trigger != "load" or swap not in (None, False, "innerHTML", "outerHTML"):
            return None
        return path if isinstance(path, str) and self._is_of_app(path) else None

    def _is_of_app(self, address: str) -> bool:
        found = _PATH.fullmatch(address)
        if found is None:
            return False
        parts = found[1].lower().replace("%2e", ".").split("/")[1:]
        return not {"", ".", ".."}.intersection(parts) and f"{found[1]}/".startswith(self._prefixes)


def _changed(element: Any, children: tuple[Any, ...], attributes: Mapping[str, Any] | None) -> Any:
    new = copy(element)
    new.children, new.attrs = children, attributes
    return new


def _holds_placeholder(node: Any) -> bool:
    return any(isinstance(piece, FT) and (piece.attrs or {}).get("hx-trigger") == "load" for piece in pieces(node))


def _is_of_htmx(name: str) -> bool:
    return name.startswith(("hx-", "data-hx-"))


def _is_neutral(element: Any) -> bool:
    """Tell whether an element lets what is inside be as if it was not there, for htmx and for an HTML parser."""
    attributes = element.attrs or {}
    return (not element.tag or element.tag in _CONTAINERS) and all(
        name == "hx-swap" and value == "innerHTML" for name, value in attributes.items() if _is_of_htmx(name)
    )


def _is_content(answer: Any) -> bool:
    """Tell whether an answer is nothing but elements to be put in."""
    return _is_made_of_elements(answer) and not any(
        _MORE_THAN_CONTENT.search(piece)
        if isinstance(piece, str)
        else piece.tag in _DOCUMENT or "hx-swap-oob" in (piece.attrs or {})
        for piece in pieces(answer)
    )


def _is_made_of_elements(answer: Any) -> bool:
    # Text alone is markup by contract, and markup of unknown make could end what is around it.
    if isinstance(answer, LISTS):
        alone = len(answer) == 1
        return all(_is_made_of_elements(each) or (not alone and each.__class__ is str) for each in answer)
    is_nothing = answer is None or (answer.__class__ is str and not answer)
    return is_nothing or isinstance(answer, (FT, Html)) or hasattr(answer, "__ft__")
