"""The builder of elements: everything is escaped, addresses that run something are left out, code is refused."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipulate.ui.html import (
    EMPTY,
    Element,
    Html,
    a,
    br,
    div,
    form,
    img,
    input_,
    is_safe_address,
    join,
    li,
    p,
    raw,
    span,
    table_rows,
    td,
    tr,
)
from pipulate.workflows.markup import Markdown

EVIL = "<img src=x onerror=\"alert('1')\">&amp;"
SAFE = "&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt;&amp;amp;"
CONTROLS = "".join(map(chr, range(0x21)))
SPELLINGS = [
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    " javascript:alert(1)",
    "\tjavascript:alert(1)",
    "java\tscript:alert(1)",
    "java\nscript:alert(1)",
    "java\r\nscript:alert(1)",
    "javascript\t:alert(1)",
    "\x01javascript:alert(1)",
    "\x00javascript:alert(1)",
    "\x1fjavascript:alert(1)",
    "jAvAsCrIpT\n:alert(1)",
    "\u00a0javascript:alert(1)",
    "vbscript:msgbox(1)",
    "data:text/html,<script>alert(1)</script>",
    "DATA:text/html,x",
    "file:///etc/passwd",
    "blob:http://x/1",
    "view-source:http://x",
    "jar:http://x!/y",
    "livescript:x",
    "mocha:x",
]
ADDRESSES = [
    "href",
    "src",
    "action",
    "formaction",
    "poster",
    "cite",
    "hx_get",
    "hx_post",
    "hx_put",
    "hx_patch",
    "hx_delete",
    "hx_push_url",
    "hx_replace_url",
]


class Parsed(HTMLParser):
    """What a parser of the standard library reads out of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


class Explosive:
    """An object whose text is markup."""

    def __str__(self) -> str:
        return EVIL


@pytest.mark.parametrize(
    "child",
    [
        EVIL,
        [EVIL],
        (EVIL,),
        [[EVIL], (EVIL,)],
        {"k": EVIL},
        {EVIL: 1},
        {EVIL},
        EVIL.encode(),
        bytearray(EVIL, "utf8"),
        ValueError(EVIL),
        Explosive(),
        [Explosive()],
        Markdown(EVIL),
        MappingProxyType({EVIL: 1}),
        (each for each in [EVIL]),
        {"deep": [{"er": EVIL}]},
        type(EVIL, (), {}),
    ],
    ids=lambda child: type(child).__name__,
)
def test_child_is_escaped_whatever_its_type(child: Any) -> None:
    assert Parsed(div(child)).tags == ["div"]


def test_text_is_escaped_once() -> None:
    assert div(EVIL) == f"<div>{SAFE}</div>"


def test_html_is_not_escaped_again() -> None:
    assert div(p(EVIL), [p("b")], (p("c"),)) == f"<div><p>{SAFE}</p><p>b</p><p>c</p></div>"


def test_html_stays_safe_when_text_is_added_to_it() -> None:
    for made in (p("a") + EVIL, "x" + p("a"), f"{p('a')}{EVIL}", p("a") * 2, p("a").upper()):
        assert type(made) is str
        assert "<" not in div(made).removeprefix("<div>").removesuffix("</div>")


def test_subclass_of_html_is_not_escaped() -> None:
    assert div(type("Mine", (Html,), {})("<b>x</b>")) == "<div><b>x</b></div>"


@pytest.mark.parametrize("nothing", [None, False, "", [], (), [None, False, [None]], EMPTY])
def test_nothing_makes_nothing(nothing: object) -> None:
    assert div(nothing) == "<div></div>"


@pytest.mark.parametrize(
    ("child", "text"), [(0, "0"), (0.0, "0.0"), (True, "True"), (date(2026, 11, 20), "2026-11-20")]
)
def test_plain_values_are_shown(child: object, text: str) -> None:
    assert div(child) == f"<div>{text}</div>"


def test_join_has_no_element_around_it() -> None:
    assert join("<", p(1), None, ["&", raw("<b>")]) == "&lt;<p>1</p>&amp;<b>"
    assert isinstance(join(), Html)


# Attributes


def test_attribute_value_cannot_leave_its_quotes() -> None:
    parsed = Parsed(div(title=EVIL, data_x="'\"><script>"))
    assert (parsed.tags, parsed.attributes) == (["div"], [("title", EVIL), ("data-x", "'\"><script>")])


def test_attribute_true_stands_alone_and_false_and_none_are_left_out() -> None:
    assert input_(disabled=True, checked=False, value=None, title="") == '<input disabled title="">'


def test_attribute_values_of_any_type_become_text() -> None:
    assert div(data_n=0, data_l=["<"], data_d={"a": '"'}) == (
        '<div data-n="0" data-l="[&#x27;&lt;&#x27;]" data-d="{&#x27;a&#x27;: &#x27;&quot;&#x27;}"></div>'
    )


@pytest.mark.parametrize(("given", "name"), [("class_", "class"), ("for_", "for"), ("aria_label", "aria-label")])
def test_attribute_names_are_written_as_python_allows(given: str, name: str) -> None:
    assert div(**{given: "x"}) == f'<div {name}="x"></div>'


@pytest.mark.parametrize(
    "name", ["", "_", "1a", "a b", "a>b", 'a"b', "a'b", "a=b", "a/b", "a\n", "<", "é", "a\x00", "@click", ".x", "[x]"]
)
def test_attribute_with_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name for an attribute"):
        div(**{name: "x"})


@pytest.mark.parametrize(
    "name",
    [
        "onclick",
        "ONCLICK",
        "onClick",
        "on_",
        "onfocus_",
        "hx_on",
        "hx-on:click",
        "hx_on__after_request",
        "HX-ON:click",
        "data-hx-on",
        "data_hx_get",
        "DATA-HX-POST",
        "srcdoc",
        "SrcDoc",
        "hx_vars",
    ],
)
def test_attribute_that_holds_code_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="would hold code"):
        div(**{name: "x"})


@pytest.mark.parametrize("value", ["js:{a:1}", " js:{}", "JS:x", "javascript:x", "\n\tjavascript:x", "\ufeffjs:x"])
@pytest.mark.parametrize("name", ["hx_vals", "hx_headers", "hx_request", "hx_trigger", "HX-Vals"])
def test_attribute_value_that_htmx_would_run_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="would hold code"):
        div(**{name: value})


def test_attribute_value_that_only_looks_like_code_is_kept() -> None:
    assert div(hx_vals='{"a": "js:"}', title="javascript:x").count("=") == 2


# Addresses


@pytest.mark.parametrize("name", ADDRESSES)
def test_address_that_runs_something_is_left_out_in_every_attribute(name: str) -> None:
    assert a("x", **{name: "javascript:alert(1)"}) == "<a>x</a>"


@pytest.mark.parametrize("name", ["HREF", "Href", "xlink:href", "XLink:Href", "FORMACTION", "HX-GET"])
def test_address_is_checked_however_its_attribute_is_written(name: str) -> None:
    assert a("x", **{name: "javascript:alert(1)"}) == "<a>x</a>"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_address_that_runs_something_is_left_out_in_every_spelling(spelling: str) -> None:
    assert a("x", href=spelling) == "<a>x</a>"
    assert img(src=spelling) == "<img>"


@pytest.mark.parametrize(
    "address",
    ["/", "/a:b", "#a:b", "?a=b:c", "a/b", "a", "", "./a:b", "http://a/", "HTTPS://a/", "mailto:a@b.c", "//a/b", "01"],
)
def test_address_that_only_fetches_is_kept(address: str) -> None:
    assert Parsed(a("x", href=address)).attributes == [("href", address)]


@given(st.text(st.sampled_from("javscriptJAVSCRIPTdh:/#?.&;" + CONTROLS + "\u00a0\u2028\ufeff"), max_size=24))
def test_address_that_passes_has_no_scheme_that_a_browser_would_run(text: str) -> None:
    if is_safe_address(text):  # As browsers read addresses: WHATWG URL, "basic URL parser", steps 1 to 3.
        read = re.sub(r"[\t\n\r]", "", text.strip(CONTROLS))
        scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):", read)
        assert scheme is None or scheme[1].lower() in ("http", "https", "mailto")


# Elements


def test_void_element_has_no_end() -> None:
    assert br() + input_(name="a") == '<br><input name="a">'


@pytest.mark.parametrize("name", ["", "a b", "img src=x", "a>", "<b", "1", "b/", "b\n"])
def test_element_with_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a name for an element"):
        Element(name)


def test_element_of_an_author_is_escaped_too() -> None:
    assert Element("my-tag")(EVIL) == f"<my-tag>{SAFE}</my-tag>"


def test_children_and_attributes_may_have_any_name() -> None:
    assert form(p("x"), self="a", children="b") == '<form self="a" children="b"><p>x</p></form>'


# Tables

CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.lists(st.text(), max_size=2), st.binary())


@given(st.lists(st.lists(CELLS, max_size=4), max_size=4), st.lists(st.sampled_from(["", "number", '"<>']), max_size=5))
def test_table_rows_equal_rows_made_element_by_element(rows: list[list[object]], classes: list[str]) -> None:
    kinds = [*classes, *[""] * 4]
    made = [tr([td(cell, class_=kinds[i] or None) for i, cell in enumerate(row)]) for row in rows]
    assert table_rows(rows, classes) == join(made)


# What a parser gives back


@given(st.text())
def test_text_comes_back_from_a_parser_as_it_was(text: str) -> None:
    assert Parsed(div(text)).text == text


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_no_child_makes_an_element(child: object) -> None:
    parsed = Parsed(span(child))
    assert (parsed.tags, parsed.attributes) == (["span"], [])


@given(st.text())
def test_attribute_value_comes_back_from_a_parser_as_it_was(value: str) -> None:
    assert Parsed(li(title=value)).attributes == [("title", value)]
