"""Markdown: rendered, and nothing that runs, styles, sends or names anything gets through."""

from __future__ import annotations

import time

import pytest

from pipulate.ui.assistant.prose import prose
from pipulate.ui.html import Html, is_safe_address
from pipulate.ui.markdown import markdown
from tests.unit.ui.test_html import Parsed

TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6",
    "hr", "i", "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody",
    "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {"href", "title", "rel", "start", "colspan", "rowspan"}

PAYLOADS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//x></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://evil.test/beacon.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n\n[x]",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='&#1;javascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href=vbscript:x>x</a>",
    "<a href=ftp://evil.test>x</a>",
    "<a href=tel:1>x</a>",
    "<a onclick=alert(1) href=/>x</a>",
    "<a href=/ ping=//evil.test target=_blank download>x</a>",
    "<div hx-get=/x hx-trigger=load>x</div>",
    "<div data-hx-post=/-/look>x</div>",
    "<div hx-on:click=alert(1)>x</div>",
    "<form action=/-/look method=post><input name=theme value=dark><button>x</button></form>",
    "<button formaction=//evil.test>x</button>",
    "<input autofocus onfocus=alert(1)>",
    "<select><option>x</select>",
    "<base href=//evil.test>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<link rel=stylesheet href=//x>",
    "<style>*{display:none}</style>",
    "<p style='position:fixed;inset:0'>x</p>",
    "<p class=bar id=run name=x>x</p>",
    "<div id=run data-run=1 data-version=9 contenteditable tabindex=1 role=alert aria-label=x>x</div>",
    "<iframe src=//x></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=//x></object>",
    "<embed src=//x>",
    "<video src=x onerror=alert(1)></video>",
    "<audio autoplay src=x></audio>",
    "<svg onload=alert(1)><a xlink:href=javascript:alert(1)>x</a></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<math><annotation-xml encoding="text/html"><style><!--</style><img src=x onerror=alert(1)>--></math>',
    "<template><script>alert(1)</script></template>",
    '<xmp><p title="</xmp><img src=x onerror=alert(1)>">',
    '<textarea><img title="</textarea><img src=x onerror=alert(1)>">',
    '<title><img title="</title><script>alert(1)</script>">',
    "<plaintext><script>alert(1)</script>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml <script>alert(1)</script>?>",
    "<a\x00 href=javascript:alert(1)>x</a>",
    "<a/href=javascript:alert(1)>x</a>",
    "```html\n<script>alert(1)</script>\n```",
    "`<img src=x onerror=alert(1)>`",
    "    <script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    "| <script>x</script> |\n|---|\n| <img src=x onerror=y> |",
    "<dialog open>x</dialog>",
    "<details open ontoggle=alert(1)>x</details>",
    "<marquee onstart=alert(1)>",
    "<custom-tag onclick=x>y</custom-tag>",
    "<a href='//evil.test\\@/x' title='\"onmouseover=alert(1) \"'>x</a>",
    "<<script>script>alert(1)<</script>/script>",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_attack_leaves_only_harmless_elements_and_attributes(payload: str) -> None:
    for around in ("{}", "text {} text", "> {}", "- {}\n- b", "<div>{}", "**{}**", "<table><td>{}"):
        parsed = Parsed(markdown(around.format(payload)))
        assert set(parsed.tags) <= TAGS
        assert {name for name, _ in parsed.attributes} <= ATTRIBUTES
        assert all(is_safe_address(value or "") for name, value in parsed.attributes if name == "href")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_attack_does_not_come_alive_when_what_it_left_is_sanitised_again(payload: str) -> None:
    once = markdown(payload)
    import nh3

    again = nh3.clean(once, tags=TAGS, attributes={"*": ATTRIBUTES}, link_rel=None)
    assert Parsed(again).tags == Parsed(once).tags  # A second parse that finds more is what mutation attacks live on.


def test_markdown_is_rendered() -> None:
    made = markdown("# Title\n\n**bold** ~~gone~~ `code`\n\n| a |\n|---|\n| 1 |\n\n1. x\n\n<kbd>K</kbd>")
    assert isinstance(made, Html)
    for part in ("<h1>Title</h1>", "<strong>bold</strong>", "<s>gone</s>", "<code>code</code>", "<td>1</td>", "<kbd>K"):
        assert part in made


def test_link_tells_the_other_site_nothing() -> None:
    assert markdown("[x](https://a.test)") == (
        '<p><a href="https://a.test" rel="noopener noreferrer nofollow">x</a></p>\n'
    )


def test_address_in_plain_text_does_not_become_a_link() -> None:
    assert "<a" not in markdown("see https://a.test")


@pytest.mark.parametrize("text", ["a\ud800b", "\udfff", "x\x00y", "\ufffe\uffff", ""])
def test_text_that_no_page_can_hold_does_not_fail(text: str) -> None:
    markdown(text).encode()


@pytest.mark.parametrize("part", ["<div>", "![", "[a](", "[a]: <", "*a", "_a ", "> ", "<a", "`a``b", "|a", "&", "<!--"])
def test_rendering_takes_no_more_than_a_moment_whatever_the_text(part: str) -> None:
    begun = time.process_time()
    markdown(part * (99_000 // len(part)))
    assert time.process_time() - begun < 5  # What grows with the square of the length takes minutes.


@pytest.mark.parametrize(
    "text",
    ["a\n" * 3_001, "a\r" * 3_001, "|" * 500 + "\n" + "|-" * 500 + "\n" + "|\n" * 20, "*a" * 20_001, "x" * 100_001],
    ids=["lines", "old lines", "cells", "signs", "letters"],
)
def test_text_that_would_hold_everybody_up_is_shown_as_it_is(text: str) -> None:
    assert Parsed(markdown(text)).tags == ["div"]
    assert Parsed(prose(text)).tags == ["div"]


def test_long_answer_with_tables_and_code_is_drawn() -> None:
    table = "| a | b | c |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 100
    text = f"# Title\n\n{table}\n```py\nx = a | b\n```\n\n" + "Some **words** in `code`.\n\n" * 500
    assert {"table", "strong", "code"} <= set(Parsed(markdown(text)).tags) & set(Parsed(prose(text)).tags)


def test_text_too_long_to_be_rendered_is_shown_as_it_is() -> None:
    text = "word **x** <b>\n" * 10_000
    parsed = Parsed(markdown(text))
    assert (parsed.tags, parsed.text) == (["div"], text)


def test_text_with_too_many_brackets_keeps_them() -> None:
    assert Parsed(markdown("<b>[x](/a) **y** " * 2_001)).text.startswith("<b>[x](/a) y ")
