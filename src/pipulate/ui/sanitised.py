"""HTML that an app made, cleaned whenever it is shown: no scripts, styles, forms, ids, nothing that acts."""

from __future__ import annotations

from typing import Any

from pipulate.ui.html import Html, div, raw

_TAGS = {
    "a", "abbr", "article", "aside", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl",
    "dt", "em", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "i", "img", "ins",
    "kbd", "li", "main", "mark", "ol", "p", "pre", "progress", "s", "section", "small", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "time", "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "*": {"class", "title", "lang", "dir", "aria-label", "aria-hidden"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start"},
    "progress": {"value", "max"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
    "details": {"open"},
}
_LENGTH_MAX = 1_000_000
_MARKS_MAX = 50_000


def sanitised(markup: str) -> Html:
    """Return markup that cannot do anything. One of more than a million characters is shown as text."""
    import nh3  # noqa: PLC0415 - only pages that show such a result need it

    text = markup.encode("utf-8", "replace").decode()  # Half surrogates, which no page can hold.
    if len(text) > _LENGTH_MAX or text.count("<") > _MARKS_MAX:
        return div(text, class_="text", dir="auto")
    clean = nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer nofollow",
        attribute_filter=_kept,
    )
    return raw(clean)


def _kept(_tag: str, name: str, value: str) -> Any:
    """Leave out pictures from other places, which the policy would stop, and data as the end of a link."""
    if name == "src":
        return value if value.startswith("data:image/") else None
    return None if name == "href" and value.strip().lower().startswith("data:") else value
