"""Markdown of a language model as HTML: what a stranger wrote, so only what cannot do anything gets through.

No tags of its own, no pictures, nothing that is fetched, styled, named or sent. A link says which host it leads to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from pipulate.ui.html import Html, button, code, div, pre, raw, span, table
from pipulate.ui.markdown import BRACKETS_MAX, is_too_much

_TAGS: Final = {
    "a", "bdi", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {"a": {"href"}, "ol": {"start"}, "code": {"class"}, "td": {"align"}, "th": {"align"}}
_LANGUAGE: Final = re.compile(r"language-[A-Za-z0-9+#._-]{1,30}")
_SAFE: Final = {
    "class": _LANGUAGE,
    "start": re.compile(r"[0-9]{1,9}"),
    "align": re.compile(r"left|center|right"),
    "target": re.compile(r"_blank"),
    "rel": re.compile(r"noopener noreferrer nofollow"),
}
_CODE: Final = re.compile(r'<pre><code(?: class="language-([^"]+)")?>')
_OWN_PATH: Final = re.compile(r"/(?![/\\]|%5[cC]|%2[fF])[^\s<>\"\\]*")
_OUTSIDE: Final = re.compile(r"(?:https?://[^\s<>\"\\]+|mailto:[^\s<>\"\\]+)", re.IGNORECASE)

_INSIDE: Final = "\0"  # No text has it.

_TAIL_MAX: Final = 20_000
_CLOSED: Final = {"paragraph_open", "heading_open", "table_open", "hr", "fence"}


def prose(text: str) -> Html:
    """Return Markdown as safe HTML, its code with a button to copy it, its tables in a box that scrolls.

    What is too much to draw is shown as it is, as `ui.markdown` does, and so are square brackets where there are more
    than 2,000.
    """
    import nh3  # noqa: PLC0415 - only pages with an answer need it

    text = whole(text)
    if is_too_much(text):
        return div(text, class_="text", dir="auto")
    renderer = _renderer(links=text.count("[") <= BRACKETS_MAX)
    tokens = renderer.parse(text)
    _tame(tokens)
    clean = nh3.clean(
        renderer.renderer.render(tokens, renderer.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_kept,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
    )
    return raw(_dressed(clean))


@lru_cache(maxsize=256)
def kept_prose(text: str) -> Html:
    """As `prose`, of an answer that has ended: each page that shows it finds it drawn."""
    return prose(text)


def finished(text: str) -> int:
    """Return how many characters at the start of a text that still grows are blocks that will not change any more."""
    if len(text) > _TAIL_MAX:
        return 0
    text = text[: text.rfind("\n") + 1]  # What half a line is, shows when it is whole: `2` may become `2. b`.
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)[:-1]  # As the parser counts them.
    last = None
    for token in _blocks().parse(text):
        if token.level == 0 and token.nesting >= 0 and token.map:
            last = token
    if last is None:
        return 0
    begin, end = last.map
    is_closed = last.type in _CLOSED and end < len(lines)  # By an empty line; of others, it may be a part.
    return sum(len(line) for line in lines[: len(lines) if is_closed else begin])


def whole(text: str) -> str:
    """Return text without halves of characters, which no page and no socket can hold."""
    return text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=2)
def _renderer(*, links: bool) -> Any:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - as above

    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    return made if links else made.disable(["link", "image", "reference"])


@lru_cache(maxsize=1)
def _blocks() -> Any:
    """Return what finds blocks alone, which is quick however the text goes on within them."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - as above

    return MarkdownIt("commonmark", {"html": False}).enable("table").disable(["inline", "reference"])


def _tame(tokens: Sequence[Any]) -> None:
    """Make headings stand below the panel's own, columns say how they are aligned, and links where they lead."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        elif token.type in ("th_open", "td_open"):
            style = str(token.attrs.pop("style", ""))
            if style.startswith("text-align:"):
                token.attrs["align"] = style.removeprefix("text-align:")
        elif token.type == "inline" and token.children:
            token.children = _with_hosts(token.children)


def _with_hosts(children: Sequence[Any]) -> list[Any]:
    """Return the parts of a line, each link followed by its host, each picture as a link to it."""
    out: list[Any] = []
    address, began = "", -1
    for each in children:
        if each.type == "image":
            words = f"Picture: {each.content}" if each.content else "Picture"
            out += [_text(words)] if began >= 0 else _link(str(each.attrs.get("src", "")), words)
            continue
        if each.type == "link_open":
            address, began = str(each.attrs.get("href", "")), len(out)
            each.attrs = {"href": address}
        out.append(each)
        if each.type == "link_close":
            words = "".join(part.content for part in out[began + 1 : -1])
            out += _host(address, words)
            began = -1
    return out


def _link(address: str, words: str) -> list[Any]:
    from markdown_it.token import Token  # noqa: PLC0415 - as above

    opening = Token("link_open", "a", 1, attrs={"href": address})
    return [opening, _text(words), Token("link_close", "a", -1), *_host(address, words)]


def _host(address: str, words: str) -> list[Any]:
    """Return what follows a link to another host, unless its words are the address itself."""
    from markdown_it.token import Token  # noqa: PLC0415 - as above

    if words == address or not _is_kept(address):
        return []
    try:
        parts = urlsplit(address)
        host = parts.hostname or (parts.path.rpartition("@")[2] if parts.scheme.lower() == "mailto" else "")
    except ValueError:
        return []
    if not host:
        return []
    # Apart from its surroundings, so that a name that is written from right to left turns nothing around.
    return [_text(" ("), Token("bdi_open", "bdi", 1), _text(host), Token("bdi_close", "bdi", -1), _text(")")]


def _text(words: str) -> Any:
    from markdown_it.token import Token  # noqa: PLC0415 - as above

    return Token("text", "", 0, content=words)


def _is_kept(address: str) -> bool:
    if _OWN_PATH.fullmatch(address):
        return True
    if not _OUTSIDE.fullmatch(address):
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) or parts.scheme.lower() == "mailto"


def _kept(_tag: str, attribute: str, value: str) -> str | None:
    """Return the value of an attribute, or None to leave it out. Must not raise: what raises here is let through."""
    if attribute == "href":
        return value if _is_kept(value) else None
    safe = _SAFE.get(attribute)
    return value if safe is not None and safe.fullmatch(value) else None


def _dressed(clean: str) -> str:
    """Return sanitised HTML with our own boxes around code and tables; it has no such tag but as a tag."""
    clean = _CODE.sub(lambda found: _code_box(found[1] or "")[0], clean).replace("</code></pre>", _code_box("")[1])
    opening, closing = _around(div(table(_INSIDE), class_="scrolls", tabindex="0", role="group", aria_label="Table"))
    return clean.replace("<table>", opening).replace("</table>", closing)


def _code_box(language: str) -> tuple[str, str]:
    return _around(
        div(
            div(
                span(language),
                button("Copy", type="button", class_="quiet", data_copies="text"),
                class_="code-head",
            ),
            pre(code(_INSIDE, class_=f"language-{language}" if language else None), class_="code", tabindex="0"),
            class_="copied code-box",
            data_needs="code" if language else None,
        )
    )


def _around(box: Html) -> tuple[str, str]:
    """Return what stands before and behind the inside of a box."""
    opening, _, closing = box.partition(_INSIDE)
    return opening, closing
