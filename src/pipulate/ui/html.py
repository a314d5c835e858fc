"""HTML from Python calls, built at once and always escaped.

`div("a < b", class_="note")` returns `Html`. Everything that is not `Html` is escaped, whatever its type, so text from
people, exceptions, lists and JSON can be put anywhere. Attribute values are escaped too; addresses with a scheme
that runs something are left out; handlers in attributes (`onclick`, `hx-on`) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Final

from pipulate.workflows.markup import Html as Html  # noqa: PLC0414 - it is at home below, and known by this name

EMPTY: Final = Html("")

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:._-]*")
_TAG = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_SCHEME = re.compile(r"[\s\x00-\x20]*([a-zA-Z][a-zA-Z0-9+.\s\x00-\x20-]*):")
_SCHEMES = frozenset({"http", "https", "mailto"})
_ADDRESSES = frozenset(
    {"href", "src", "action", "formaction", "poster", "cite", "data", "hx-get", "hx-post", "hx-put", "hx-patch",
     "hx-delete", "hx-push-url", "hx-replace-url", "xlink:href"}
)  # fmt: skip
_EVALUATED = frozenset({"hx-vals", "hx-headers", "hx-request", "hx-trigger"})
_CODE = ("on", "hx-on", "data-hx-", "hx-vars", "srcdoc")


def join(*children: Any) -> Html:
    """Return children one after another, each escaped unless it is `Html`."""
    out = ""
    for child in children:
        out += child if child.__class__ is Html else _child(child)
    return Html(out)


def raw(markup: str) -> Html:
    """Declare markup as safe. Only for markup that this program wrote or sanitised."""
    return Html(markup)


def _escape(text: str) -> str:
    if "&" in text or "<" in text or ">" in text or '"' in text or "'" in text:  # Most text needs nothing done to it.
        return escape(text)
    return text


def _child(child: Any) -> str:
    if child.__class__ is str:
        return _escape(child)
    if child is None or child is False:
        return ""
    if isinstance(child, Html):
        return child
    if child.__class__ is int:
        return str(child)
    if isinstance(child, Iterable) and not isinstance(child, str | bytes | dict):
        return "".join(map(_child, child))
    return _escape(str(child))


class _Names(dict[str, tuple[str, bool, bool]]):
    """Python's name of an attribute -> ` name="`, whether it holds an address, whether htmx evaluates it."""

    def __missing__(self, key: str) -> tuple[str, bool, bool]:
        name = key.rstrip("_").replace("_", "-")
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name for an attribute: {key!r}")
        folded = name.lower()  # As a browser reads it.
        if folded.startswith(_CODE):
            raise ValueError(f"attribute {name!r} would hold code; put the code into a script of the page instead")
        found = (f' {name}="', folded in _ADDRESSES, folded in _EVALUATED)
        if len(self) < 1_000:  # Names come from code, not from people; should that ever change, memory stays flat.
            self[key] = found
        return found


_names = _Names()


def _attributes(given: dict[str, Any]) -> str:
    out = ""
    for key, value in given.items():
        if value is None or value is False:
            continue
        opening, is_address, is_evaluated = _names[key]
        if value is True:
            out += opening[:-2]
            continue
        text = value if value.__class__ is str else str(value)
        if is_address and not is_safe_address(text):
            continue
        if is_evaluated and text.replace("\ufeff", " ").lstrip().lower().startswith(("js:", "javascript:")):
            raise ValueError(f"attribute{opening[:-2]} would hold code")
        out += f'{opening}{_escape(text)}"'
    return out


def table_rows(rows: Iterable[Iterable[Any]], classes: Sequence[str] = ()) -> Html:
    """Return the rows of a table; many cells at once, which is several times faster than an element each.

    Args:
        rows: The cells of each row, as children are given to any element.
        classes: Class of each column; "" or missing for none.
    """
    opening = [f'<td class="{_escape(name)}">' if name else "<td>" for name in classes]
    out = []
    for row in rows:
        cells = [
            f"{opening[column] if column < len(opening) else '<td>'}{_child(cell)}</td>"
            for column, cell in enumerate(row)
        ]
        out.append(f"<tr>{''.join(cells)}</tr>")
    return Html("".join(out))


def is_safe_address(text: str) -> bool:
    """Tell whether an address is relative or has a scheme that only fetches or writes a mail."""
    if text.startswith(("/", "#", "?")):
        return True
    scheme = _SCHEME.match(text)
    return scheme is None or re.sub(r"[\s\x00-\x20]", "", scheme[1]).lower() in _SCHEMES


class Element:
    """Makes elements of one kind."""

    __slots__ = ("_close", "_open")

    def __init__(self, name: str, *, is_void: bool = False) -> None:
        if not _TAG.fullmatch(name):
            raise ValueError(f"not a name for an element: {name!r}")
        self._open = f"<{name}"
        self._close = "" if is_void else f"</{name}>"

    def __call__(self, /, *children: Any, **attributes: Any) -> Html:
        """Return an element.

        Args:
            *children: Html, or anything else, which is escaped; None and False are left out; lists are run through.
            **attributes: `class_`, `for_` and the like lose the last underscore, others become hyphens; True stands
                alone, None and False are left out.
        """
        out = self._open + _attributes(attributes) + ">" if attributes else self._open + ">"
        for child in children:
            out += child if child.__class__ is Html else _child(child)
        return Html(out + self._close)


a = Element("a")
article = Element("article")
aside = Element("aside")
b = Element("b")
body = Element("body")
br = Element("br", is_void=True)
button = Element("button")
code = Element("code")
col = Element("col", is_void=True)
colgroup = Element("colgroup")
dd = Element("dd")
del_ = Element("del")
details = Element("details")
dialog = Element("dialog")
div = Element("div")
dl = Element("dl")
dt = Element("dt")
em = Element("em")
fieldset = Element("fieldset")
figure = Element("figure")
footer = Element("footer")
form = Element("form")
h1 = Element("h1")
h2 = Element("h2")
h3 = Element("h3")
head = Element("head")
header = Element("header")
hr = Element("hr", is_void=True)
html = Element("html")
img = Element("img", is_void=True)
input_ = Element("input", is_void=True)
ins = Element("ins")
kbd = Element("kbd")
label = Element("label")
legend = Element("legend")
li = Element("li")
link = Element("link", is_void=True)
main = Element("main")
mark = Element("mark")
meta = Element("meta", is_void=True)
nav = Element("nav")
noscript = Element("noscript")
ol = Element("ol")
option = Element("option")
p = Element("p")
pre = Element("pre")
progress = Element("progress")
script = Element("script")
section = Element("section")
select = Element("select")
small = Element("small")
span = Element("span")
strong = Element("strong")
summary = Element("summary")
table = Element("table")
tbody = Element("tbody")
td = Element("td")
textarea = Element("textarea")
th = Element("th")
tfoot = Element("tfoot")
thead = Element("thead")
time = Element("time")
title = Element("title")
tr = Element("tr")
ul = Element("ul")
