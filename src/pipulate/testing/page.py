"""A page as a tree of elements, and what a person sees in it."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_UNSEEN = frozenset({"script", "style", "template", "noscript", "head"})
_INLINE = frozenset(
    {
        "a", "abbr", "b", "bdi", "button", "code", "em", "i", "kbd", "label", "mark", "q", "s", "small", "span",
        "strong", "sub", "sup", "time", "u", "var",
    }
)  # fmt: skip


class Node:
    """An element.

    Attributes:
        tag: Its name.
        attributes: Name -> text; "" for one without a value.
        children: Elements and texts, in order.
        parent: The element it stands in; None for the page.
    """

    __slots__ = ("attributes", "children", "parent", "tag")

    def __init__(self, tag: str, attributes: dict[str, str], parent: Node | None) -> None:
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children: list[Node | str] = []

    def __repr__(self) -> str:
        return f"<{self.tag} {self.attributes}>"

    def __iter__(self) -> Iterator[Node]:
        """Yield all elements inside, in order."""
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child

    def get(self, name: str) -> str:
        """Return an attribute, "" where there is none."""
        return self.attributes.get(name, "")

    def has_class(self, name: str) -> bool:
        """Tell whether it is of a class."""
        return name in self.get("class").split()

    def all(self, tag: str = "", **attributes: str) -> list[Node]:
        """Return the elements inside of this kind; underscores in names stand for hyphens."""
        wanted = {name.replace("_", "-"): text for name, text in attributes.items()}
        return [
            each
            for each in self
            if tag in ("", each.tag) and all(each.attributes.get(name) == text for name, text in wanted.items())
        ]

    def find(self, tag: str = "", **attributes: str) -> Node | None:
        """Return the first of `all`, or None."""
        return next(iter(self.all(tag, **attributes)), None)

    def inside(self, tag: str) -> Node | None:
        """Return the nearest element of this kind that it stands in, or None."""
        node = self.parent
        while node is not None and node.tag != tag:
            node = node.parent
        return node

    @property
    def raw(self) -> str:
        """The text inside as it is, seen or not."""
        return "".join(child if isinstance(child, str) else child.raw for child in self.children)

    @property
    def text(self) -> str:
        """The text a person sees: one line for each block, spaces as a browser shows them."""
        lines = "".join(_seen(self)).split("\n")
        return "\n".join(line for line in (" ".join(each.split()) for each in lines) if line)


def _seen(node: Node) -> Iterator[str]:
    for child in node.children:
        if isinstance(child, str):
            yield child if node.tag in ("pre", "textarea") else child.replace("\n", " ")
        elif child.tag == "br":
            yield "\n"
        elif child.tag not in _UNSEEN:
            gap = "" if child.tag in _INLINE else "\n"
            yield gap
            yield from _seen(child)
            yield gap


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self._node = Node("", {}, None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: text or "" for name, text in attrs}, self._node)
        self._node.children.append(node)
        if tag not in _VOID:
            self._node = node

    def handle_endtag(self, tag: str) -> None:
        node: Node | None = self._node
        while node is not None and node.tag != tag:
            node = node.parent
        if node is not None and node.parent is not None:
            self._node = node.parent

    def handle_data(self, data: str) -> None:
        self._node.children.append(data)


def read_page(html: str) -> Node:
    """Return a page, or a part of one, as a tree."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.root
