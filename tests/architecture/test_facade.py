"""What an app may import: a name that is taken away or added is a decision, and shows here."""

from __future__ import annotations

import pipulate
from pipulate import ui
from tests.architecture.sources import ROOT

FACADE = ["Choices", "Earlier", "Markdown", "Range", "Run", "Step", "TextArea", "Workflow", "__version__"]
ELEMENTS = [
    "EMPTY", "Element", "Html", "a", "b", "br", "code", "dd", "details", "div", "dl", "dt", "em", "h2", "h3", "hr",
    "img", "join", "kbd", "li", "mark", "ol", "p", "pre", "progress", "section", "small", "span", "strong", "summary",
    "table", "table_rows", "tbody", "td", "th", "thead", "tr", "ul",
]  # fmt: skip


def test_facade_is_what_it_was() -> None:
    assert pipulate.__all__ == FACADE
    assert ui.__all__ == ELEMENTS


def test_every_name_of_the_facade_is_there() -> None:
    assert all(hasattr(pipulate, name) for name in FACADE)
    assert all(hasattr(ui, name) for name in ELEMENTS)


def test_markup_cannot_be_declared_safe_through_the_facade() -> None:
    assert not {"raw", "script", "form", "input_", "link", "meta"} & set(vars(ui))


def test_every_name_of_the_facade_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    assert [name for name in [*FACADE, *ELEMENTS] if f"`{name}" not in page] == []
