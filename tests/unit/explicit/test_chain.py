"""Placeholders filled on the server make the page that htmx would have made, or are left to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from fastcore.basics import NotStr
from fastcore.xml import FT, to_xml
from fasthtml.components import Article, Button, Div, Input, P, Span, Title
from fasthtml.xtend import Form
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import HTMLResponse, Response

from pipulate.explicit.chain import Resolved, resolve
from pipulate.explicit.markup import render
from pipulate.ui.html import Html, p
from tests.unit.explicit.test_markup import Shown, read

Answers = Mapping[str, Any]


def placeholder(name: str, **attributes: Any) -> Any:
    return Div(id=name, hx_get=f"/hello/{name}", hx_trigger="load", **attributes)


def filled(name: str, *inside: Any) -> Any:
    return Div(*inside, id=name)


class Handlers:
    """The handlers of an app; an exception among the answers is raised, a function is called."""

    def __init__(self, answers: Answers) -> None:
        self.answers = {f"/hello/{name}": answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, path: str) -> Any:
        self.asked.append(path)
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def fill(content: Any, answers: Answers, **options: Any) -> Resolved:
    handlers = Handlers(answers)
    found = await resolve(content, app_prefixes=["/hello"], call=handlers, **{"clock": lambda: 0.0, **options})
    unused = [found.unused[0]] if found.unused else []
    assert handlers.asked == [*found.paths, *unused]
    return found


# As htmx would do it


def browse(markup: str, answers: Answers) -> list[Any]:
    """Return the tree a browser with htmx has in the end: each element that loads asks once, what came goes there.

    The attributes that made it ask are dropped when it has asked; htmx keeps them, and remembers that it did.
    """
    page = read(markup)
    while (found := _find(page)) is not None:
        siblings, place = found
        tag, attributes, _ = siblings[place]
        answer = answers[attributes["hx-get"].removeprefix("/hello/")]
        if isinstance(answer, Exception):
            answer = "error"
        inside = read(bytes(answer.body).decode() if isinstance(answer, Response) else render(answer))
        kept = {name: value for name, value in attributes.items() if name not in ("hx-get", "hx-trigger")}
        outer = attributes.get("hx-swap") == "outerHTML"
        siblings[place : place + 1] = inside if outer else [(tag, kept, inside)]
    return page


def _find(nodes: list[Any]) -> tuple[list[Any], int] | None:
    for place, node in enumerate(nodes):
        if isinstance(node, str):
            continue
        if node[1].get("hx-trigger") == "load":
            return nodes, place
        if (found := _find(node[2])) is not None:
            return found
    return None


COUNT = 6
rest: Callable[[int], st.SearchStrategy[Any]] = lambda first: st.recursive(  # noqa: E731
    st.one_of(
        st.builds(
            lambda number, swap: placeholder(f"s{number}", **({"hx_swap": swap} if swap else {})),
            st.integers(first, COUNT - 1), st.sampled_from(["", "innerHTML", "outerHTML"]),
        )
        if first < COUNT
        else st.builds(P),
        st.sampled_from([P("x"), None, Html("<b>y</b>"), Form(Button("undo"), hx_post="/hello/revert")]),
        st.just(Form(Input(name="a"), hx_post="/hello/x_submit")),
    ),
    lambda parts: st.builds(lambda inside: Div(*inside), st.lists(parts, max_size=3)) | st.tuples(parts, parts),
    max_leaves=5,
)  # fmt: skip


def answer_to(number: int) -> st.SearchStrategy[Any]:
    trees = rest(number + 1)
    odd = [ValueError("x"), HTMLResponse("<i>z</i>"), "<u>text</u>", {"a": 1}]
    return st.one_of(trees, trees, st.builds(Shown, trees), st.lists(trees, max_size=2), st.sampled_from(odd))


@given(rest(0), st.tuples(*map(answer_to, range(COUNT))), st.integers(0, 8))
def test_filled_on_the_server_the_page_is_the_one_htmx_makes(content: Any, made: tuple[Any, ...], steps: int) -> None:
    answers = {f"s{number}": answer for number, answer in enumerate(made)}
    before = to_xml((content, *made))
    found = asyncio.run(fill(content, answers, steps=steps))
    assert browse(render(found.content), answers) == browse(render(content), answers)
    assert to_xml((content, *made)) == before


async def test_steps_are_filled_into_each_other() -> None:
    answers = {"one": filled("one", P(1), placeholder("two")), "two": filled("two", P(2))}
    found = await fill(Div(placeholder("one")), answers)
    assert render(found.content) == render(Div(filled("one", filled("one", P(1), filled("two", filled("two", P(2)))))))
    assert (found.paths, found.stopped_by, found.unused) == (("/hello/one", "/hello/two"), "", None)


async def test_a_filled_placeholder_keeps_all_but_what_makes_it_ask() -> None:
    content = placeholder("one", cls="a", style="b:c", data_x="d", hx_swap="innerHTML")
    found = await fill(content, {"one": P(1)})
    assert render(found.content) == render(Div(P(1), id="one", cls="a", style="b:c", data_x="d", hx_swap="innerHTML"))


async def test_an_answer_takes_the_place_of_a_placeholder_that_asks_for_that() -> None:
    found = await fill(Div(placeholder("one", hx_swap="outerHTML"), P("x")), {"one": (P(1), "<", P(2))})
    assert render(found.content) == "<div><p>1</p>&lt;<p>2</p><p>x</p></div>"


@pytest.mark.parametrize("nothing", [None, "", (), [None]])
async def test_an_answer_of_nothing_leaves_an_empty_element(nothing: Any) -> None:
    assert render((await fill(placeholder("one"), {"one": nothing})).content) == '<div id="one"></div>'


@pytest.mark.parametrize("answer", [p("a < b"), Shown(P("a < b")), [P("a < b")]])
async def test_answers_that_are_elements_in_some_way_are_put_in(answer: Any) -> None:
    assert render((await fill(placeholder("one"), {"one": answer})).content) == '<div id="one"><p>a &lt; b</p></div>'


async def test_a_query_is_passed_on() -> None:
    found = await fill(Div(hx_get="/hello/one?a=1&b=//x", hx_trigger="load"), {"one?a=1&b=//x": P(1)})
    assert found.paths == ("/hello/one?a=1&b=//x",)


async def test_a_tree_of_the_caller_stays_as_it_was() -> None:
    content, answer = Div(placeholder("one"), [placeholder("two")]), Div(placeholder("two"))
    before = to_xml(content), to_xml(answer)
    await fill(content, {"one": answer, "two": P(2)})
    assert (to_xml(content), to_xml(answer)) == before


async def test_a_placeholder_in_an_object_that_shows_as_one_is_found() -> None:
    found = await fill([Shown(Div(placeholder("one")))], {"one": P(1)})
    assert render(found.content) == '<div><div id="one"><p>1</p></div></div>'


async def test_a_tree_without_placeholders_is_the_same_tree() -> None:
    content = Div(P(1), Div(id="next"))
    assert (await fill(content, {})).content is content


# What is left to the browser

NOT_PLAIN = [
    placeholder("one", hx_target="#x"),
    placeholder("one", hx_swap="beforeend"),
    placeholder("one", hx_swap="innerHTML settle:1s"),
    placeholder("one", hx_vals='{"a": 1}'),
    placeholder("one", data_hx_target="#x"),
    placeholder("one")(Span("Loading")),
    Div(hx_get="/hello/one", hx_trigger="load delay:1s"),
    Div(hx_get="/hello/one", hx_trigger="click"),
    Div(hx_get="/hello/one"),
    Div(hx_post="/hello/one", hx_trigger="load"),
    Div(hx_trigger="load"),
    P(hx_get="/hello/one", hx_trigger="load"),
    FT("tr", (), {"hx-get": "/hello/one", "hx-trigger": "load"}),
]


@pytest.mark.parametrize("element", NOT_PLAIN)
async def test_an_element_that_is_more_than_a_placeholder_is_left_alone(element: Any) -> None:
    found = await fill(Div(element, placeholder("two")), {"one": P(1), "two": P(2)})
    assert found.paths == ("/hello/two",)
    assert render(found.content) == render(Div(element, filled("two", P(2))))


AROUND = [
    Div(hx_target="#x"), Div(hx_swap="outerHTML"), Div(hx_vals="{}"), Div(data_hx_swap="none"), Div(hx_ext="x"),
    Div(hx_get="/hello/x", hx_trigger="load"), Form(), P(), Button(), FT("table", (), {}),
]  # fmt: skip


@pytest.mark.parametrize("around", AROUND)
async def test_a_placeholder_in_an_element_that_could_make_a_difference_is_left_alone(around: Any) -> None:
    found = await fill(deepcopy(around)(Div(placeholder("one"))), {"one": P(1)})
    assert found.paths == ()


FOREIGN = [
    "/other/one", "/hello_world/one", "//hello/one", "http://x/hello/one", "hello/one", "/hello/../other/one",
    "/hello/%2E%2e/other", "/hello/./one", "/hello//one", "/hello\\..\\other", "/hello/one#x", "/hello/a b",
    "/hello/\n", "", "/hello/one?a=1 2",
]  # fmt: skip


@pytest.mark.parametrize("address", FOREIGN)
async def test_only_paths_of_the_same_app_are_asked_for(address: str) -> None:
    found = await fill(Div(hx_get=address, hx_trigger="load"), {})
    assert (found.paths, found.stopped_by) == ((), "")


@pytest.mark.parametrize("prefix", ["/hello", "/hello/", "hello"])
async def test_a_prefix_is_whole_parts_of_a_path(prefix: str) -> None:
    handlers = Handlers({"one": P(1)})
    content = [placeholder("one"), Div(hx_get="/hello2/x", hx_trigger="load")]
    found = await resolve(content, app_prefixes=[prefix, "/", ""], call=handlers)
    assert (found.paths, found.stopped_by) == (("/hello/one",), "")


# Where it stops

NOT_ELEMENTS = [
    HTMLResponse("<p>1</p>"), Response(status_code=204), "<p>1</p>", NotStr("<p>1</p>"), ["<p>1</p>"], {"a": 1}, 5,
    (P(1), NotStr("</div>")), (P(1), Response()), object(),
]  # fmt: skip
MORE_THAN_CONTENT = [
    (P(1), Div(hx_swap_oob="true", id="x")), Div(NotStr('<p HX-SWAP-OOB="true">')), (Title("x"), P(1)),
    Div(NotStr("<title>x")), FT("html", (P(1),), {}), FT("div", (FT("body", (), None),), None),
]  # fmt: skip


@pytest.mark.parametrize("answer", NOT_ELEMENTS + MORE_THAN_CONTENT)
async def test_it_stops_at_an_answer_that_is_not_just_elements(answer: Any) -> None:
    content = Div(placeholder("one"), placeholder("two"))
    found = await fill(content, {"one": answer, "two": P(2)})
    assert render(found.content) == render(content)
    assert (found.paths, found.stopped_by) == ((), "answer")
    assert found.unused == ("/hello/one", answer)


async def test_it_stops_where_a_handler_fails() -> None:
    error = ValueError("x")
    found = await fill([placeholder("one"), placeholder("two"), placeholder("three")], {"one": P(1), "two": error})
    assert render(found.content) == render([filled("one", P(1)), placeholder("two"), placeholder("three")])
    assert (found.paths, found.stopped_by, found.unused) == (("/hello/one",), "error", ("/hello/two", error))


async def test_a_call_that_is_cancelled_cancels_all() -> None:
    async def call(path: str) -> Any:
        raise asyncio.CancelledError(path)

    with pytest.raises(asyncio.CancelledError):
        await resolve(placeholder("one"), app_prefixes=["/hello"], call=call)


async def test_it_stops_after_an_answer_that_asks_a_person() -> None:
    form = Div(placeholder("two"), Form(Input(name="a"), hx_post="/hello/one_submit"), placeholder("two"))
    found = await fill([placeholder("one"), placeholder("two")], {"one": form, "two": P(2)})
    assert render(found.content) == render([filled("one", form), placeholder("two")])
    assert (found.paths, found.stopped_by, found.unused) == (("/hello/one",), "form", None)


async def test_the_button_of_a_finished_step_does_not_stop_it() -> None:
    revert = Form(Input(type="hidden", name="step_id", value="one"), Button("Revert"), hx_post="/hello/revert")
    answers = {"one": filled("one", Article(revert), placeholder("two")), "two": P(2)}
    assert (await fill(placeholder("one"), answers)).paths == ("/hello/one", "/hello/two")


async def test_no_more_calls_are_made_than_it_may() -> None:
    found = await fill(placeholder("one"), {"one": placeholder("one")}, steps=50)
    assert (found.paths, found.stopped_by) == (("/hello/one",) * 50, "steps")
    assert render(found.content) == '<div id="one">' * 50 + render(placeholder("one")) + "</div>" * 50


async def test_no_call_begins_after_its_time() -> None:
    moments = iter([10.0, 10.0, 10.049, 10.05])
    answers = {"one": placeholder("two"), "two": placeholder("three"), "three": P(3)}
    found = await fill(placeholder("one"), answers, seconds=0.05, clock=lambda: next(moments))
    assert (found.paths, found.stopped_by) == (("/hello/one", "/hello/two"), "time")
