"""Markdown to HTML that is safe: rendered, then sanitised, so nothing that the renderer lets through gets by."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pipulate.ui.html import Html, div, raw

_TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}

# Nested tags and brackets that never close cost the square of their number, and every other page waits meanwhile.
_LENGTH_MAX = 100_000
_MARKS_MAX = 2_000


@lru_cache(maxsize=4)
def _renderer(*, tags: bool, links: bool) -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only pages that show Markdown need it

    made = MarkdownIt("commonmark", {"html": tags, "linkify": False}).enable(["table", "strikethrough"])
    return made if links else made.disable(["link", "image", "reference"])


def markdown(text: str) -> Html:
    """Return Markdown as safe HTML: no scripts, styles, forms, images, ids, classes or `hx-` attributes.

    A text of more than 100,000 characters is shown as it is; in one with more than 2,000 angle or square brackets,
    those stay what they are.
    """
    import nh3  # noqa: PLC0415 - as above

    text = text.encode("utf-8", "replace").decode()  # Half surrogates, which no page can hold.
    if len(text) > _LENGTH_MAX:
        return div(text, class_="text", dir="auto")
    renderer = _renderer(tags=text.count("<") <= _MARKS_MAX, links=text.count("[") <= _MARKS_MAX)
    clean = nh3.clean(
        renderer.render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return raw(clean)
