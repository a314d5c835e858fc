"""What class-style handlers return becomes HTML: as FastHTML writes it, escaped, and within a strict policy."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from fastcore.basics import NotStr
from fastcore.foundation import L
from fastcore.xml import FT, Safe, ft, to_xml
from fasthtml.components import Br, Button, Div, Img, Input, P, Span, Textarea
from fasthtml.xtend import A, Form, Fragment, Script, Style
from hypothesis import given
from hypothesis import strategies as st

from pipulate.explicit import markup
from pipulate.explicit.markup import has_input_form, pieces, render
from pipulate.ui.html import Html, div

EVIL = "<img src=x onerror=\"alert('1')\">&amp;"
SAFE = "&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt;&amp;amp;"
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Tree(HTMLParser):
    """HTML as a browser understands it: names, attributes, what is inside."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.root: list[Any] = []
        self.open = [self.root]
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside: list[Any] = []
        self.open[-1].append((tag, dict(attrs), inside))
        if tag not in VOID:
            self.open.append(inside)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1] and isinstance(self.open[-1][-1], str):
            self.open[-1][-1] += data
        else:
            self.open[-1].append(data)


def read(markup: str) -> list[Any]:
    return Tree(markup).root


class Shown:
    """An object that FastHTML asks how it looks."""

    def __init__(self, look: Any) -> None:
        self.look = look

    def __ft__(self) -> Any:
        return self.look


# How FastHTML writes it

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
values = st.one_of(
    texts, st.booleans(), st.none(), st.integers(), st.lists(st.sampled_from("ab"), max_size=3),
    st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2),
)  # fmt: skip
names = st.sampled_from(
    ["id", "cls", "_class", "_for", "hx_vals", "data_x", "aria-label", "value", "required", "x_", "_"]
)
tags = st.sampled_from(["div", "p", "span", "td", "h3", "textarea", "button", "my-element"])


def elements(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    inside = st.lists(st.one_of(children, st.tuples(children, children)), max_size=3)
    several = st.builds(
        lambda tag, inside, attributes: ft(tag, *inside, **attributes), tags, inside, st.dictionaries(names, values)
    )
    alone = st.builds(
        lambda make, attributes: make(**attributes), st.sampled_from([Br, Img, Input]), st.dictionaries(names, values)
    )
    return several | alone | st.builds(Fragment, children) | st.builds(Shown, several)


trees = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none(), st.just(Safe("<b>x</b>")), st.just(NotStr("<i>y</i>"))),
    elements,
    max_leaves=12,
).filter(lambda tree: isinstance(tree, FT))


@given(trees)
def test_a_tree_means_what_it_means_when_fasthtml_writes_it(tree: Any) -> None:
    assert read(render(tree)) == read(to_xml(tree, indent=False))


def test_a_million_names_do_not_stay_in_memory() -> None:
    for number in range(1_100):
        assert render(FT(f"x-{number}", (), {f"y-{number}": "1"})) == f'<x-{number} y-{number}="1"></x-{number}>'
    assert len(markup._names) <= 1_000
    assert len(markup._tags) <= 1_000


def test_void_elements_have_no_end() -> None:
    assert render(Div(Br(), Input(name="a"), ft("hr"))) == '<div><br><input name="a"><hr></div>'


def test_attributes_that_are_off_are_left_out_and_those_that_are_on_stand_alone() -> None:
    assert render(Input(disabled=True, required=False, max=None, value="")) == '<input disabled value="">'


def test_lists_set_on_an_element_afterwards_are_joined() -> None:
    element = P("x")
    element.lang = ["a", "b"]
    assert render(element) == '<p lang="a b">x</p>'


def test_dicts_set_on_an_element_afterwards_are_json() -> None:
    element = P("x")
    element.hx_vals = {"a": 1}
    assert render(element) == '<p hx-vals="{&quot;a&quot;: 1}">x</p>'


def test_attributes_that_fasthtml_keeps_to_itself_are_left_out() -> None:
    assert render(FT("p", (), {"x_": "1", "_": "2"})) == '<p _="2"></p>'


def test_lists_of_all_kinds_are_run_through() -> None:
    parts = [P(1), (P(2), L(P(3), [P(4)])), (P(n) for n in (5, 6))]
    assert render(parts) == "".join(f"<p>{n}</p>" for n in range(1, 7))


def test_objects_are_asked_how_they_look() -> None:
    assert render([Shown(P("a")), P(Shown((Br(), "b")))]) == "<p>a</p><p><br>b</p>"


def test_nothing_is_written_for_none() -> None:
    assert render(None) == ""
    assert render(P(None, (None,))) == "<p></p>"


def test_our_own_elements_are_taken_as_they_are() -> None:
    assert render(P(div("a < b"))) == "<p><div>a &lt; b</div></p>"


# Text

THINGS: list[Any] = [
    EVIL,
    ValueError(EVIL),
    EVIL.encode(),
    b"\xff" + EVIL.encode(),
    {"a": EVIL},
    {EVIL},
    type(EVIL, (), {}),
]


@pytest.mark.parametrize("thing", THINGS, ids=lambda thing: type(thing).__name__)
def test_text_of_a_person_is_never_markup(thing: Any) -> None:
    for html in (render(ft("p", thing)), render((ft("p"), thing)), render(ft("p", title=str(thing)))):
        assert "<img" not in html
        assert "&lt;img" in html


def test_a_text_in_an_element_is_escaped() -> None:
    assert render(P(EVIL)) == f"<p>{SAFE}</p>"


@pytest.mark.parametrize("content", ["<b>x</b>", ["<b>x</b>"], ("<b>x</b>",)])
def test_a_text_that_is_the_whole_answer_is_markup_unless_told_otherwise(content: Any) -> None:
    assert render(content) == "<b>x</b>"
    assert render(content, top_level_str_is_markup=False) == "&lt;b&gt;x&lt;/b&gt;"


def test_a_text_beside_others_is_text() -> None:
    assert render(("<b>x</b>", 500)) == "&lt;b&gt;x&lt;/b&gt;500"


@pytest.mark.parametrize("declared", [NotStr("<b>x</b>"), Safe("<b>x</b>"), Html("<b>x</b>")])
def test_declared_markup_is_left_as_it_is(declared: Any) -> None:
    assert render(declared, top_level_str_is_markup=False) == "<b>x</b>"
    assert render(P(declared)) == "<p><b>x</b></p>"


@pytest.mark.parametrize("value", [EVIL, Safe(EVIL), NotStr(EVIL), Html(EVIL)])
def test_values_of_attributes_are_escaped_however_they_were_declared(value: Any) -> None:
    assert render(ft("p", title=value)) == f'<p title="{SAFE}"></p>'


# Names

BAD_NAMES = ["a b", 'a"', "a'", "a>b", "<a", "a/b", "a=b", "a\nb", "a\x00", "", "a\x7f", "x y=1 onclick=alert(1)"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_attributes_with_a_name_that_is_none_are_left_out(name: str) -> None:
    assert render(FT("p", (), {name: "1", "id": "x"})) == '<p id="x"></p>'


@pytest.mark.parametrize("name", ["@click", ":class", "x-on:click.prevent", "_", "hx-target-4*", "data-ü"])
def test_odd_names_that_browsers_know_are_kept(name: str) -> None:
    assert render(FT("p", (), {name: "1"})) == f'<p {name}="1"></p>'


@pytest.mark.parametrize("tag", ["a b", "p onclick=x", "p>", "<p", "1", "p/", "!x"])
def test_elements_with_a_name_that_is_none_are_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="not a name for an element"):
        render(FT(tag, (), {}))


@pytest.mark.parametrize("name", ["href", "src", "action", "formaction", "hx-get", "hx-post", "data-hx-get", "HREF"])
@pytest.mark.parametrize("address", ["javascript:alert(1)", " java\nscript:x", "vbscript:x", "data:text/html,x"])
def test_addresses_that_run_something_are_left_out(name: str, address: str) -> None:
    assert render(FT("p", (), {name: address})) == "<p></p>"
    assert render(FT("p", (), {name: "/a?b=1:2"})) == f'<p {name}="/a?b=1:2"></p>'


def test_pictures_may_be_in_the_page_itself_and_nothing_else_may() -> None:
    picture = "data:image/png;base64,AAAA"
    assert render(Img(src=picture)) == f'<img src="{picture}">'
    assert render((Img(src="data:text/html,x"), A(href=picture))) == "<img><a></a>"
    assert render(ft("iframe", src=picture)) == "<iframe></iframe>"


# What a strict policy asks for


def test_scripts_and_style_sheets_carry_the_nonce_of_the_page() -> None:
    assert render([Script("a()"), Style("p{}")], nonce='n"') == (
        '<script nonce="n&quot;">a()</script><style nonce="n&quot;">p{}</style>'
    )
    assert render(Script("a()", nonce="other")) == "<script>a()</script>"


@pytest.mark.parametrize("source", ["/a.js", "a.js", "./b/a.js?v=1"])
def test_a_script_of_this_host_carries_the_nonce(source: str) -> None:
    assert 'nonce="n"' in render(Script(src=source), nonce="n")


ELSEWHERE = ["//x/a.js", "https://x/a.js", "HTTP://x/a", "/\\x/a.js", "\\\\x/a", "\t//x/a", "/\n/x/a", "\x01//x"]


@pytest.mark.parametrize("source", ELSEWHERE)
def test_a_script_of_another_host_carries_no_nonce(source: str) -> None:
    assert "nonce" not in render(Script(src=source), nonce="n")


def test_code_is_not_escaped_and_cannot_end_its_element() -> None:
    code = "if (a < b && c) '</script>' // </SCRIPT >"
    assert render(Script(code)) == r"<script>if (a < b && c) '<\/script>' // <\/SCRIPT ></script>"
    assert render(ft("script", "a < b", [NotStr("&& c"), None])) == "<script>a < b&& c</script>"
    assert render(Style("a > b {}</style>")) == r"<style>a > b {}<\/style></style>"


def test_code_cannot_hide_the_end_of_its_element() -> None:
    assert render(Script("'<!--<script>'")) == r"<script>'<!--<\script>'</script>"


def test_forms_take_along_the_version_they_show() -> None:
    tree = Div(Form(Input(name="a"), id="f", hx_post="/a/b", hx_target="#c", hx_swap="outerHTML"), P("x"))
    ((_, plain, _),) = read(render(tree))[0][2][:1]
    ((_, marked, _),) = read(render(tree, seen=7))[0][2][:1]
    assert marked == {**plain, "data-pip-seen": "7"}
    assert render(tree, seen=7).replace(' data-pip-seen="7"', "") == render(tree)
    assert render(tree, seen=0).count('data-pip-seen="0"') == 1


@pytest.mark.parametrize("name", ["data-pip-seen", "data-pip-on", "DATA-PIP-STYLE", "nonce", "NONCE"])
def test_what_this_program_marks_cannot_be_forged(name: str) -> None:
    assert render(FT("form", (), {name: "1"}), seen=7, nonce="n") == '<form data-pip-seen="7"></form>'


# What is moved


def scripts(markup: str) -> list[str]:
    return re.findall(r'<script nonce="n">(.*?)</script>', markup, re.DOTALL)


def test_a_handler_in_an_attribute_becomes_a_listener() -> None:
    html = render(Input(name="a", _onfocus="this.select()"), nonce="n")
    token = re.search(r'<input name="a" data-pip-on="([0-9a-f]{12})">', html)
    assert token is not None
    (script,) = scripts(html)
    assert f'"{token[1]}",[["focus",function(event){{' in script
    assert "\nthis.select()\n" in script
    assert "onfocus" not in html


@pytest.mark.parametrize("name", ["onclick", "ONCLICK", "onCut", "onpointerrawupdate"])
def test_handlers_are_never_written_as_attributes(name: str) -> None:
    html = render(FT("p", (), {name: "f()"}), nonce="n")
    assert re.match(r'<p data-pip-on="[0-9a-f]+"></p><script', html)
    assert f'["{name[2:].lower()}",function' in html


def test_attributes_that_only_look_like_handlers_are_kept() -> None:
    assert render(FT("p", (), {"once": "1", "on": "2", "one": "3"})) == '<p once="1" on="2" one="3"></p>'


HTMX_NAMES = {
    "hx-on:click": "click",
    "hx-on-click": "click",
    "hx-on::after-swap": "htmx:after-swap",
    "hx-on--after-swap": "htmx:after-swap",
    "hx-on:htmx:after-swap": "htmx:after-swap",
    "hx-on-htmx-after-swap": "htmx:after-swap",
    "data-hx-on:click": "click",
}


@pytest.mark.parametrize("name", HTMX_NAMES)
def test_handlers_of_htmx_become_listeners_for_the_event_htmx_would_read(name: str) -> None:
    html = render(FT("p", (), {name: "f()"}), nonce="n")
    assert f'[["{HTMX_NAMES[name]}",function(event){{\nf()\n}},0]]' in html
    assert "hx-on" not in html


def test_only_a_handler_that_html_knows_can_prevent_what_follows_by_returning_false() -> None:
    (script,) = scripts(render(FT("form", (), {"onsubmit": "a()", "hx-on:submit": "b()"}), nonce="n"))
    assert re.search(r"\na\(\)\n}+,1]", script)
    assert re.search(r"\nb\(\)\n}+,0]", script)
    assert "===false&&l[2])v.preventDefault()" in script


def test_each_handler_has_a_script_of_its_own_and_the_same_handler_has_one() -> None:
    buttons = [Button("x", onclick="a()"), Button("y", onclick="b("), Button("z", onclick="a()")]
    html = render(buttons, nonce="n")
    assert len(scripts(html)) == 2
    assert re.findall(r'data-pip-on="(.*?)">', html)[0] == re.findall(r'data-pip-on="(.*?)">', html)[2]
    assert not any("a()" in script and "b(" in script for script in scripts(html))


def test_code_of_a_handler_cannot_end_its_script() -> None:
    html = render(Button("x", onclick="f('</script><b>')"), nonce="n")
    assert [each[0] for each in read(html)] == ["button", "script"]


def test_the_same_handler_is_marked_alike_at_each_time() -> None:
    assert render(Button("x", onclick="a()")) == render(Button("x", onclick="a()"))


def test_looks_of_an_element_stay_where_they_are() -> None:
    assert render(P("x", style={"color": "red"}), nonce="n") == '<p style="color:red">x</p>'


def test_scripts_of_the_plugin_find_what_stands_before_them_as_it_was_written() -> None:
    parts = read(render([P("x", onclick="f()"), Script("mine"), P("y", onclick="f()")], nonce="n"))
    assert [each[0] for each in parts] == ["p", "script", "script", "p", "script"]
    assert ["mine" in each[2][0] for each in parts if each[0] == "script"] == [False, True, False]


def test_declared_markup_gets_no_nonce_and_keeps_its_attributes() -> None:
    declared = '<p style="a:b" onclick="f()"></p><script>g()</script>'
    assert render(Div(NotStr(declared)), nonce="n", seen=1) == f"<div>{declared}</div>"


def test_nothing_is_added_where_nothing_was_moved() -> None:
    assert render(Div(P("x"), Span("y")), nonce="n", seen=1) == "<div><p>x</p><span>y</span></div>"


# What is in a tree


def test_pieces_come_in_the_order_of_the_document() -> None:
    tree = [Div(P(NotStr("<i>")), [Span("x")]), Shown(Br()), "text", Html("<b>")]
    assert [piece if isinstance(piece, str) else piece.tag for piece in pieces(tree)] == [
        "div", "p", "<i>", "span", "br", "<b>",
    ]  # fmt: skip


ASKING = [
    Form(Input(name="a"), hx_post="/a/x"),
    Form(Div(Textarea("x", name="a")), hx_post="/a/x"),
    Form(ft("select"), hx_post="/a/x"),
    Form(NotStr("<INPUT name=a>"), hx_post="/a/x"),
    Form(Button("Next"), hx_post="/a/step_01_submit?x=1"),
    Div(P("x"), [Form(Input(), hx_post="/a/x")]),
    NotStr("<div><FORM hx-post=x>"),
]
NOT_ASKING = [
    Form(Input(type="hidden", name="step_id"), Input(type="submit"), Button("Revert"), hx_post="/a/revert"),
    Form(Input(name="a")),
    Div(Input(name="a"), Button("x", hx_post="/a/x_submit")),
    NotStr("<p>form</p>"),
    FT("form", (), None),
    None,
    "text",
]


@pytest.mark.parametrize("tree", ASKING)
def test_a_form_to_fill_in_is_found(tree: Any) -> None:
    assert has_input_form(tree)


@pytest.mark.parametrize("tree", NOT_ASKING)
def test_a_form_around_a_button_asks_for_nothing(tree: Any) -> None:
    assert not has_input_form(tree)


# Trees that never end


def _itself() -> list[Any]:
    content: list[Any] = []
    content.append(content)
    return content


def _itself_beside_text() -> list[Any]:
    content: list[Any] = ["text"]
    content.append(content)
    return content


def _itself_in_an_element() -> Any:
    content: list[Any] = []
    element = ft("div", content)
    element.children = (content,)
    content.append(element)
    return element


def _itself_in_a_script() -> Any:
    element = Script("")
    element.children = (_itself_beside_text(),)
    return element


class _Shown:
    def __ft__(self) -> Any:
        return self


ENDLESS = [_itself, _itself_beside_text, _itself_in_an_element, _itself_in_a_script, _Shown]


@pytest.mark.parametrize("make", ENDLESS)
def test_content_that_contains_itself_is_refused_in_words(make: Any) -> None:
    with pytest.raises(ValueError, match="more than 150 levels deep; perhaps it contains itself"):
        render(make())


@pytest.mark.parametrize("make", [each for each in ENDLESS if each is not _itself_in_a_script])
def test_looking_for_elements_in_content_that_contains_itself_ends(make: Any) -> None:
    with pytest.raises(ValueError, match="more than 150 levels deep; perhaps it contains itself"):
        list(pieces(make()))


def test_content_as_deep_as_allowed_is_written() -> None:
    content: Any = "end"
    for _ in range(markup.DEEPEST):
        content = Div(content)
    assert str(render(content)).count("<div>") == markup.DEEPEST
    assert len(list(pieces(content))) == markup.DEEPEST


def test_content_may_be_as_wide_as_it_likes() -> None:
    assert str(render([Div([P("end")]) for _ in range(2 * markup.DEEPEST)])).count("<p>end</p>") == 2 * markup.DEEPEST
