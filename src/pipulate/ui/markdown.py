"""Markdown to HTML that is safe: rendered, then sanitised, so nothing that the renderer lets through gets by."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from pipulate.ui.html import Html, div, raw

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}

# Drawing takes time in which every other page waits, and what is nested or never closes takes the square of its number.
_LENGTH_MAX = 100_000
_LINES_MAX = 3_000
_CELLS_MAX = 5_000
_SIGNS_MAX = 20_000
BRACKETS_MAX = 2_000
"""Most square brackets that are read as links."""


@lru_cache(maxsize=4)
def _renderer(*, tags: bool, links: bool) -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only pages that show Markdown need it

    made = MarkdownIt("commonmark", {"html": tags, "linkify": False}).enable(["table", "strikethrough"])
    return made if links else made.disable(["link", "image", "reference"])


def is_too_much(text: str) -> bool:
    """Tell whether a text is shown as it is, because to draw it would hold everybody up.

    So is one of more than 100,000 characters, 3,000 lines, 5,000 cells of tables, or 20,000 signs that may stress.
    """
    return (
        len(text) > _LENGTH_MAX
        or len(text.splitlines()) > _LINES_MAX
        or sum(map(text.count, "*_~`")) > _SIGNS_MAX
        or _cells(text) > _CELLS_MAX
    )


def _cells(text: str) -> int:
    """Return how many cells the tables of a text may have: each of their rows has as many as the widest line."""
    blocks = (block.splitlines() for block in re.split(r"\n[^\S\n]*\n", text) if "|" in block)
    return sum(len(lines) * max(line.count("|") for line in lines) for lines in blocks)


def markdown(text: str) -> Html:
    """Return Markdown as safe HTML: no scripts, styles, forms, images, ids, classes or `hx-` attributes.

    A text that is too much to draw is shown as it is; in one with more than 2,000 angle or square brackets, those stay
    what they are.
    """
    import nh3  # noqa: PLC0415 - as above

    text = text.encode("utf-8", "replace").decode()  # Half surrogates, which no page can hold.
    if is_too_much(text):
        return div(text, class_="text", dir="auto")
    renderer = _renderer(tags=text.count("<") <= BRACKETS_MAX, links=text.count("[") <= BRACKETS_MAX)
    clean = nh3.clean(
        renderer.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return raw(clean)
