"""What the rendering members of `pip` return, against the contract of class-style plugins."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from fastcore.xml import FT, to_xml
from fasthtml.components import H2, H5, Div, Input, P, Span, Textarea
from starlette.responses import Response

from pipulate._clock import from_text
from pipulate.explicit.elements import Card, Container, Grid, Group, NotFoundError, as_child
from pipulate.explicit.look import Look

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))
AllDefault = namedtuple(
    "AllDefault", ["id", "done", "show", "refill", "transform"], defaults=(None, None, None, False, None)
)
Short = namedtuple("Short", ["id", "done", "show"])
Imported = namedtuple("Imported", ["id", "done", "show", "refill", "transform"], defaults=(None,))
Imported.__module__ = "imports.crud"

LAST = ("finalize", "finalized", "Finalize", False)
STEPS = [Step("step_01", "name", "Your Name", True), Step("step_02", "x", "X", False), Step(*LAST)]
LATER = [Imported(*each) for each in STEPS]

ODD = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "5\u00a0km &nbsp; &lt;",
    "\u202eevil\u202c שלום",
    "</div></form>",
]
VOID = {"input", "img", "br", "hr"}


class Pip(Look):
    """The members under test, on a run that says whether it is locked."""

    def __init__(self, *, is_locked: bool = False, keys: tuple[str, ...] = ()) -> None:
        self._is_locked, self._keys = is_locked, list(keys)

    def is_locked(self) -> bool:
        return self._is_locked

    def generate_pipeline_key(self, plugin: Any, user_input: str | None = None) -> tuple[str, str, str]:  # noqa: ARG002
        return "Me-Hello-03", "Me-Hello-", "03"

    def keys_of(self, app_name: str) -> list[str]:  # noqa: ARG002
        return self._keys

    def display_name(self, plugin: Any) -> str:
        return str(plugin.DISPLAY_NAME)

    def message_of(self, plugin: Any) -> str:
        return str(plugin.ENDPOINT_MESSAGE)


class Node:
    """An element as a browser sees it."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes, self.inside = tag, attributes, list[Any]()

    @property
    def elements(self) -> list[Node]:
        return [each for each in self.inside if isinstance(each, Node)]

    @property
    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text for each in self.inside)

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def all(self, tag: str) -> Iterator[Node]:
        for each in self.elements:
            if each.tag == tag:
                yield each
            yield from each.all(tag)

    def one(self, tag: str) -> Node:
        (found,) = self.all(tag)
        return found

    def htmx(self) -> dict[str, str | None]:
        return {name: value for name, value in self.attributes.items() if name.startswith("hx-")}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(made := Node(tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(markup: Any) -> Node:
    """Return what a browser makes of an element; there is one at the top."""
    reader = _Reader()
    reader.feed(markup if isinstance(markup, str) else to_xml(markup, indent=False))
    reader.close()
    assert len(reader.open) == 1, "something was not closed"
    (top,) = reader.open[0].elements
    return top


def body(answer: Response) -> str:
    return bytes(answer.body).decode()


def tags(node: Node) -> list[str]:
    return [node.tag, *(tag for each in node.elements for tag in tags(each))]


# The header of a finished step


def test_header_is_an_article_with_the_message_and_a_form_that_leads_back() -> None:
    top = read(Pip().display_revert_header("step_01", "hello", STEPS, message="Your Name: Ann"))
    message, beside = top.elements
    form = beside.one("form")
    assert top.tag == "article"
    assert "display: flex" in str(top.get("style"))
    assert (message.text, message.get("style")) == ("Your Name: Ann", "flex: 1;")
    assert beside.get("style") == "flex: 0;"
    assert form.htmx() == {"hx-post": "/hello/revert", "hx-target": "#hello-container", "hx-swap": "outerHTML"}
    assert form.one("input").attributes == {"type": "hidden", "name": "step_id", "value": "step_01"}
    assert (form.one("button").get("type"), form.one("button").get("class")) == ("submit", "button-revert")


def test_header_without_a_message_is_the_form_alone() -> None:
    for message in (None, ""):
        assert read(Pip().display_revert_header("step_01", "hello", STEPS, message)).tag == "form"


def test_header_takes_its_target_and_its_label() -> None:
    top = read(Pip().display_revert_header("step_02", "hello", STEPS, target_id="here", revert_label="Again"))
    assert top.get("hx-target") == "#here"
    assert top.one("button").text == "↶\u00a0Again"


@pytest.mark.parametrize(("step_id", "label"), [("step_01", "⟲\u00a0Step\u00a01"), ("step_02", "↶\u00a0Step\u00a02")])
def test_header_button_counts_the_steps_and_tells_whether_values_are_kept(step_id: str, label: str) -> None:
    assert read(Pip().display_revert_header(step_id, "hello", STEPS)).one("button").text == label


def test_header_takes_steps_and_message_in_either_order() -> None:
    pip = Pip()
    expected = to_xml(pip.display_revert_header("step_01", "hello", STEPS, "Done"))
    assert to_xml(pip.display_revert_header("step_01", "hello", "Done", STEPS)) == expected
    assert to_xml(pip.display_revert_header("step_01", "hello", P("Done"), STEPS)).count("<p>Done</p>") == 1
    assert read(pip.display_revert_header("step_01", "hello", None, STEPS)).tag == "form"


def test_several_elements_as_message_are_not_taken_for_steps() -> None:
    top = read(Pip().display_revert_header("step_01", "hello", STEPS, [P("a"), P("b")]))
    assert [each.text for each in top.elements[0].elements] == ["a", "b"]


def test_header_of_a_locked_run_is_none_unless_it_is_asked_for() -> None:
    pip = Pip(is_locked=True)
    assert pip.display_revert_header("step_01", "hello", STEPS, "Done") is None
    assert pip.display_revert_header("step_01", "hello", "Done", STEPS) is None
    assert pip.display_revert_header("step_01", "hello", STEPS, "Done", show_when_finalized=True) is not None
    assert pip.display_revert_header("step_01", "hello", STEPS[:-1], "Done") is not None


@pytest.mark.parametrize("steps", [STEPS, [], None, "no steps"])
def test_header_of_an_unknown_step_says_so(steps: Any) -> None:
    top = read(Pip().display_revert_header("<b>", "hello", steps, "Done"))
    assert (top.tag, top.get("style"), top.elements) == ("div", "color: red;", [])
    assert "<b>" in top.text


@pytest.mark.parametrize("make", [Step, AllDefault, Short, Imported])
def test_every_shape_of_step_is_shown(make: Any) -> None:
    values = ("step_01", "name", "Your Name") + ((False,) if make in {Step, Imported} else ())
    steps = [make(*values), AllDefault(*LAST)]
    assert read(Pip().display_revert_header("step_01", "hello", steps)).one("button").text == "↶\u00a0Step\u00a01"
    assert len(read(Pip().rebuild("hello", steps)).elements) == 2


def test_step_that_is_called_nothing_is_shown_by_its_id() -> None:
    steps = [AllDefault("step_01"), AllDefault("finalize")]
    assert "Step 1: 7" in read(body(Pip().chain_reverter("step_01", 0, steps, "hello", 7))).text


def test_header_inside_of_something_has_no_padding() -> None:
    pip = Pip()
    assert "padding: 0;" in str(
        read(pip.display_revert_header("step_01", "a", STEPS, "x", remove_padding=True)).get("style")
    )
    assert "padding" not in str(read(pip.display_revert_header("step_01", "a", STEPS, "x")).get("style"))


# A finished step with something to show


def test_widget_stands_below_its_header() -> None:
    top = read(Pip().display_revert_widget("step_01", "hello", STEPS, "Done", Span("chart")))
    header, widget = top.elements
    assert (top.get("id"), top.get("class"), header.tag) == ("step_01-content", "card-container", "article")
    assert "padding: 0;" in str(header.get("style"))
    assert str(widget.get("id")).startswith("step_01-widget-")
    assert (widget.get("class"), widget.get("style")) == ("widget-content", Look.CONTENT_STYLE)
    assert widget.one("span").text == "chart"


def test_widget_takes_its_style_and_what_the_header_takes() -> None:
    top = read(
        Pip().display_revert_widget(
            step_id="step_02", app_name="hello", message="Done", steps=STEPS, widget=P("w"), target_id="here",
            revert_label="Again", widget_style="width: 1px;",
        )
    )  # fmt: skip
    assert top.elements[1].get("style") == "width: 1px;"
    assert (top.one("form").get("hx-target"), top.one("button").text) == ("#here", "↶\u00a0Again")


def test_widget_keeps_its_id_while_its_message_stays() -> None:
    def made(message: str) -> str:
        found = read(Pip().display_revert_widget("step_01", "hello", STEPS, message, Span("x")))
        return str(found.elements[1].get("id"))

    assert made("a") == made("a") != made("b")


def test_without_a_widget_there_is_the_header() -> None:
    pip = Pip()
    assert to_xml(pip.display_revert_widget("step_01", "hello", STEPS, "Done")) == to_xml(
        pip.display_revert_header("step_01", "hello", STEPS, "Done")
    )


def test_widget_takes_steps_and_message_in_either_order() -> None:
    pip, widget = Pip(), Span("w")
    expected = to_xml(pip.display_revert_widget("step_01", "hello", STEPS, "Done", widget))
    assert to_xml(pip.display_revert_widget("step_01", "hello", "Done", STEPS, widget)) == expected


def test_locked_widget_of_an_earlier_plugin_is_none() -> None:
    assert Pip(is_locked=True).display_revert_widget("step_01", "hello", STEPS, "Done", Span("w")) is None


def test_locked_widget_of_a_later_plugin_is_an_article_and_the_next_step() -> None:
    pip = Pip(is_locked=True)
    alone = read(pip.display_revert_widget("step_01", "hello", LATER, "Done", Span("w")))
    assert (alone.tag, alone.one("h3").text, alone.elements[1:]) == ("article", "🔒 Your Name", [])
    top = read(
        pip.display_revert_widget(
            "step_01", "hello", STEPS, "Done", Span("w"), finalized_content=Span("kept"), next_step_id="step_02"
        )
    )
    article, following = top.elements
    assert (top.get("id"), article.one("h3").text, article.one("span").text) == ("step_01", "🔒 Your Name", "kept")
    assert following.attributes == {"id": "step_02", "hx-get": "/hello/step_02", "hx-trigger": "load"}


# The answer to a submit


def test_chain_answers_with_what_was_stored_and_the_next_step() -> None:
    answer = Pip().chain_reverter("step_01", 0, STEPS, "hello", "Ann")
    top = read(body(answer))
    header, following = top.elements
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (top.tag, top.get("id"), header.elements[0].text) == ("div", "step_01", "Your Name: Ann")
    assert following.attributes == {"id": "step_02", "hx-get": "/hello/step_02", "hx-trigger": "load"}


def test_chain_scrolls_down_for_earlier_plugins_only() -> None:
    scrolls = '{"scrollToLeftPanelBottom": true}'
    earlier, later = (Pip().chain_reverter("step_01", 0, each, "hello", "Ann").headers for each in (STEPS, LATER))
    assert earlier["HX-Trigger-After-Settle"] == scrolls
    assert "HX-Trigger-After-Settle" not in later


def test_chain_ends_at_the_last_step() -> None:
    top = read(body(Pip().chain_reverter("step_02", 1, STEPS[:2], "hello", "x")))
    assert [each.tag for each in top.elements] == ["article"]


def test_chain_survives_half_characters_and_locked_runs() -> None:
    top = read(body(Pip(is_locked=True).chain_reverter("step_01", 0, STEPS, "hello", "a\ud800")))
    assert [each.get("id") for each in top.elements] == ["step_02"]
    assert "a?" in body(Pip().chain_reverter("step_01", 0, STEPS, "hello", "a\ud800"))


# Cells

EARLIER_CELLS: list[dict[str, str | None]] = [
    {"id": "step_01", "hx-get": "/hello/step_01", "hx-trigger": "load", "hx-swap": "outerHTML"},
    {"id": "step_02", "hx-get": "/hello/step_02", "hx-trigger": "stepComplete-step_01 from:step_01",
     "hx-swap": "outerHTML"},
    {"id": "finalize", "hx-get": "/hello/finalize", "hx-trigger": "stepComplete-step_02 from:step_02",
     "hx-swap": "outerHTML"},
]  # fmt: skip


def test_cells_are_the_container_that_later_plugins_return() -> None:
    cells = Pip().run_all_cells("hello", STEPS)
    top = read(cells)
    assert isinstance(cells, FT)
    assert (top.tag, top.attributes) == ("div", {"id": "hello-container"})
    assert [each.attributes for each in top.elements] == [
        {"id": "step_01", "hx-get": "/hello/step_01", "hx-trigger": "load"},
        {"id": "step_02", "hx-get": "/hello/step_02"},
        {"id": "finalize", "hx-get": "/hello/finalize"},
    ]


def test_cells_can_be_run_through_for_a_container_of_ones_own_as_earlier_plugins_do() -> None:
    top = read(Div(H2("mine"), *Pip().run_all_cells("hello", STEPS), id="hello-container"))
    assert [each.attributes for each in top.elements[1:]] == EARLIER_CELLS


def test_cells_can_be_added_to() -> None:
    cells = Pip().run_all_cells("hello", STEPS)
    assert [each.id for each in cells.children] == ["step_01", "step_02", "finalize"]
    assert read(cells(P("more"), cls="mine")).elements[-1].text == "more"
    assert read(cells).get("class") == "mine"


def test_rebuild_is_the_container_with_cells_of_earlier_plugins() -> None:
    top = read(Pip().rebuild("hello", STEPS))
    assert top.attributes == {"id": "hello-container"}
    assert [each.attributes for each in top.elements] == EARLIER_CELLS


@pytest.mark.parametrize(("index", "expected"), [(0, False), (1, True), (2, False), (9, False)])
def test_finalize_is_due_before_the_last_step(index: int, expected: bool) -> None:
    assert Pip().check_finalize_needed(index, STEPS) is expected


# What a locked step says


def test_finalized_content_is_an_article_with_or_without_more_to_show() -> None:
    pip = Pip()
    assert (read(pip.finalized_content("🔒 Name")).tag, read(pip.finalized_content("🔒 Name")).text) == (
        "article", "🔒 Name",
    )  # fmt: skip
    top = read(pip.finalized_content(message="🔒 Name", content=P("more")))
    assert [each.tag for each in top.elements] == ["h4", "div"]
    assert (top.one("h4").text, top.one("div").get("style")) == ("🔒 Name", Look.FINALIZED_CONTENT_STYLE)
    styled = read(pip.finalized_content("m", P("more"), heading_tag=H5, content_style="width: 1px;"))
    assert (styled.one("h5").text, styled.one("div").get("style")) == ("m", "width: 1px;")


# Input


def test_inline_button_submits_its_input() -> None:
    top = read(Pip().wrap_with_inline_button(Input(type="text", name="x")))
    field, button = top.elements
    assert "display: flex" in str(top.get("style"))
    assert top.get("class") == "inline-button-container"
    assert (field.tag, button.tag, button.text) == ("input", "button", "Next ▸")
    assert (button.get("type"), button.get("class")) == ("submit", "primary inline-button-submit")


def test_inline_button_takes_label_class_and_attributes() -> None:
    made = Pip().wrap_with_inline_button(
        Textarea(name="x"),
        "Go",
        "secondary",
        button_data_testid="go",
        button_aria_label="Go on",
        button_id="b",
        other=1,
    )
    button = read(made).one("button")
    assert (button.text, button.get("class")) == ("Go", "secondary inline-button-submit")
    assert (button.get("data-testid"), button.get("aria-label"), button.get("id")) == ("go", "Go on", "b")
    assert "name" not in button.attributes, "a button with a name would be a field of the form"
    assert "other" not in to_xml(made)


def test_inline_button_offers_a_new_key_where_it_knows_the_app() -> None:
    pip = Pip()
    made = read(pip.wrap_with_inline_button(Input(), show_new_key_button=True, app_name="hello"))
    _, _, another = made.elements
    assert (another.text, another.get("type"), another.get("hx-get")) == ("🆕", "button", "/generate-new-key/hello")
    for given in ({"show_new_key_button": True}, {"app_name": "hello"}):
        assert len(read(pip.wrap_with_inline_button(Input(), **given)).elements) == 2


def test_datalist_replaces_the_one_on_the_page() -> None:
    top = read(Pip().update_datalist("pipeline-ids", options=["b", 7]))
    assert (top.tag, top.attributes) == ("datalist", {"id": "pipeline-ids", "hx-swap-oob": "true"})
    assert [each.get("value") for each in top.all("option")] == ["b", "7"]


@pytest.mark.parametrize(
    "given", [{"options": None}, {"options": ["a"], "clear": True}, {"options": ["a"], "should_clear": True}]
)
def test_datalist_is_empty_where_it_is_cleared_by_either_name(given: dict[str, Any]) -> None:
    top = read(Pip().update_datalist("pipeline-ids", **given))
    assert (top.get("hx-swap-oob"), top.elements) == ("true", [])
    assert read(Pip().update_datalist("pipeline-ids", ["a"], True)).elements == []


@pytest.mark.parametrize("value", ["", "  ", "\u00a0", None])
def test_empty_input_is_refused_with_the_name_of_the_step(value: Any) -> None:
    is_valid, message, element = Pip().validate_step_input(value, "Your Name", lambda _: (False, "never asked"))
    assert (is_valid, message) == (False, "Your Name cannot be empty")
    assert (read(element).text, read(element).get("style")) == ("Your Name cannot be empty", "color: red;")


def test_input_is_asked_of_the_validator_of_the_plugin() -> None:
    pip = Pip()
    assert pip.validate_step_input("x", "Name") == (True, "", None)
    assert pip.validate_step_input("x", "Name", lambda given: (given == "x", "no")) == (True, "", None)
    is_valid, message, element = pip.validate_step_input("y", "Name", lambda given: (given == "x", f"<b>{given}</b>"))
    assert (is_valid, message, read(element).text, read(element).elements) == (False, "<b>y</b>", "<b>y</b>", [])


# Landing


@pytest.fixture
def hello() -> SimpleNamespace:
    return SimpleNamespace(APP_NAME="hello", DISPLAY_NAME="Hello <World>", ENDPOINT_MESSAGE="Greets & waves.")


def test_landing_asks_for_a_key_above_the_container_of_the_run(hello: SimpleNamespace) -> None:
    top = read(Pip().create_standard_landing_page(hello))
    article, container = top.elements
    form, asks = article.one("form"), article.one("input")
    assert (top.tag, top.get("class")) == ("main", "container")
    assert (article.one("h2").text, article.one("p").text) == ("Hello <World>", "Greets & waves.")
    assert form.htmx() == {"hx-post": "/hello/init", "hx-target": "#hello-container"}
    assert {name: asks.get(name) for name in ("type", "name", "list", "class", "value", "placeholder")} == {
        "type": "search", "name": "pipeline_id", "list": "pipeline-ids", "class": "contrast", "value": "Me-Hello-03",
        "placeholder": "Existing or new 🗝 here (Enter for auto)",
    }  # fmt: skip
    assert {"autofocus", "onfocus"} <= set(asks.attributes)
    assert (container.attributes, container.inside) == ({"id": "hello-container"}, [])


def test_landing_has_its_buttons_and_its_help(hello: SimpleNamespace) -> None:
    form = read(Pip().create_standard_landing_page(hello)).one("form")
    enter, another = form.all("button")
    assert (enter.text, enter.get("class")) == ("Enter 🔑", "secondary inline-button-submit")
    assert another.get("hx-get") == "/generate-new-key/hello"
    assert form.one("small").get("id") == "pipeline-help" == form.one("input").get("aria-describedby")


def test_landing_offers_the_keys_of_its_prefix_only(hello: SimpleNamespace) -> None:
    pip = Pip(keys=("Me-Hello-02", "You-Hello-01", 'Me-Hello-"><b>'))
    offered = read(pip.create_standard_landing_page(hello)).one("datalist")
    assert [each.get("value") for each in offered.all("option")] == ["Me-Hello-02", 'Me-Hello-"><b>']


# Words


@pytest.mark.parametrize(
    ("kind", "style"), [("error", "color: red;"), ("muted", None), ("no_such", None), ("primary_button", None)]
)
def test_style_is_found_by_its_kind(kind: str, style: str | None) -> None:
    assert Pip().get_style(kind) == style
    assert Look.ERROR_STYLE == "color: red;"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("step_01", "Step 1"), ("step_project", "Step Project"), ("hello", "Hello"), ("a_000", "A 0"), ("x_²", "X ²"),
     ("step_" + "9" * 5000, "Step " + "9" * 5000), ("", "")],
)  # fmt: skip
def test_stored_names_are_made_readable(name: str, shown: str) -> None:
    assert Pip().fmt(name) == shown


@pytest.mark.parametrize(
    ("many", "one"),
    [("tasks", "task"), ("roles", "role"), ("profiles", "profile"), ("entries", "entry"), ("boxes", "box"),
     ("classes", "class"), ("branches", "branch"), ("people", "person"), ("ties", "tie"), ("status", "status"),
     ("class", "class"), ("analysis", "analysis"), ("task", "task"), ("s", "s"), ("", "")],
)  # fmt: skip
def test_plurals_become_singular(many: str, one: str) -> None:
    assert Pip().make_singular(many) == one


def test_ui_constants_have_words_for_every_name_a_plugin_may_ask() -> None:
    words = Pip().get_ui_constants()
    assert words["BUTTON_LABELS"]["UNLOCK"] == Look.UNLOCK_BUTTON_LABEL == "🔓 Unlock"
    assert words["BUTTON_LABELS"]["COPY_FILE"] == "Copy file"
    assert (words["EMOJIS"]["NO_SUCH"], words["BUTTON_STYLES"]["NO_SUCH"]) == ("", "")
    assert words["NO_SUCH"]["SOME_TEXT"] == "Some text"
    hint = words["LANDING_PAGE"]["INIT_MESSAGE_WORKFLOW_ID"].format(pipeline_id="{x}")
    assert hint == "Workflow ID: {x}"


def test_ui_constants_that_one_plugin_changes_stay_for_the_others() -> None:
    Pip().get_ui_constants()["EMOJIS"]["KEY"] = "x"
    assert Pip().get_ui_constants()["EMOJIS"]["KEY"] == "🔑"


def test_tree_is_shown_as_one_and_a_path_in_a_box() -> None:
    pip = Pip()
    tree, path, line = (read(pip.tree_display(each)) for each in ("a\n└─ b", "/a/b", "└─ b"))
    assert (tree.tag, tree.text) == ("pre", "a\n└─ b")
    assert "background" not in str(tree.get("style"))
    assert "background" in str(path.get("style"))
    assert path.get("style") == line.get("style")


def test_folder_button_asks_for_the_folder() -> None:
    top = read(Pip().create_folder_button("/srv/a b/<ü>&c"))
    assert top.htmx() == {"hx-get": "/open-folder?path=%2Fsrv%2Fa%20b%2F%3C%C3%BC%3E%26c", "hx-swap": "none"}
    assert (top.tag, top.text, top.get("title")) == ("a", "📁 Open Folder", "Open folder: /srv/a b/<ü>&c")


def test_links_in_text_are_the_only_markup() -> None:
    marked = Pip().format_links_in_text('See https://a.org/?b=1&c="<b>"> or javascript:alert(1), http://x.org.')
    top = read(Div(marked))
    assert [each.get("href") for each in top.all("a")] == ["https://a.org/?b=1&c=", "http://x.org"]
    assert tags(top) == ["div", "a", "a"]
    assert top.text == 'See https://a.org/?b=1&c="<b>"> or javascript:alert(1), http://x.org.'


def test_timestamp_is_a_moment_with_its_zone() -> None:
    assert from_text(Pip().get_timestamp()).tzinfo is not None


def test_internal_members_answer() -> None:
    pip = Pip()
    assert pip.step_button("3", True) == "⟲\u00a0Step\u00a03"
    assert pip.step_button(3, revert_label="Back") == "↶\u00a0Back"
    assert "color" in pip.id_conflict_style()
    assert pip.get_button_border_radius().startswith("var(")


# What people typed


@pytest.mark.parametrize("text", ODD)
def test_text_of_a_person_is_never_markup(text: str) -> None:
    pip = Pip()
    header = read(pip.display_revert_header("step_01", "hello", STEPS, f"Name: {text}"))
    widget = read(pip.display_revert_widget("step_01", "hello", STEPS, text, text))
    chain = read(body(pip.chain_reverter("step_01", 0, STEPS, "hello", text)))
    locked = read(pip.finalized_content(text, text))
    tree, (_, _, refused) = read(pip.tree_display(text)), pip.validate_step_input("x", "X", lambda _: (False, text))
    assert header.elements[0].text == f"Name: {text}"
    assert [each.text for each in (widget.elements[0].elements[0], widget.elements[1])] == [text, text]
    assert chain.elements[0].elements[0].text == f"Your Name: {text}"
    assert [each.text for each in locked.elements] == [text, text]
    assert (tree.text, read(refused).text) == (text, text)
    assert tags(header) == ["article", "div", "div", "form", "input", "button"]
    assert tags(tree) == ["pre"]


@pytest.mark.parametrize("text", ODD)
def test_text_in_attributes_stays_there(text: str) -> None:
    pip = Pip()
    steps = [Step("step_01", "x", text, False), STEPS[-1]]
    assert read(pip.display_revert_header("step_01", "a", steps, "m")).get("aria-label") == text
    assert read(pip.update_datalist("d", [text])).one("option").get("value") == text
    assert read(pip.create_folder_button(text)).get("title") == f"Open folder: {text}"
    assert read(Div(pip.format_links_in_text(text))).text == text


@pytest.mark.parametrize(
    "value", [{"onclick": "alert(1)"}, ["<b>", ["<i>"]], b"<b>", ValueError("<b>"), 7, {"<b>": 1}, iter(["<b>"])]
)
def test_values_that_fasthtml_would_write_raw_become_text(value: Any) -> None:
    top = read(Pip().display_revert_widget("step_01", "hello", STEPS, "m", value))
    assert tags(top.elements[1]) == ["div"]
    assert set(top.elements[1].attributes) == {"id", "class", "style"}
    assert top.elements[1].text


def test_elements_and_what_makes_itself_one_stay_what_they_are() -> None:
    element = P("x")
    assert as_child(element) is element
    assert as_child(None) is None
    assert as_child([element, "<b>"]) == (element, "<b>")
    assert to_xml(Div(as_child([(element, 1), 2])), indent=False) == "<div><p>x</p>12</div>"


# Elements that FastHTML no longer has


def test_card_is_an_article_with_header_and_footer() -> None:
    top = read(Card(P("x"), header="above", footer=P("below"), id="c", cls="wide"))
    assert (top.tag, top.attributes) == ("article", {"id": "c", "class": "wide"})
    assert [each.tag for each in top.elements] == ["header", "p", "footer"]
    assert tags(read(Card("x"))) == ["article"]


def test_container_grid_and_group_are_what_pico_knows() -> None:
    assert (read(Container(P("x"))).tag, read(Container(P("x"), cls="y")).get("class")) == ("main", "container y")
    grid = read(Grid(P("a"), "b"))
    assert (grid.get("class"), [each.tag for each in grid.elements]) == ("grid", ["div", "div"])
    group = read(Group(Input(name="x"), style="margin: 0;"))
    assert (group.tag, group.attributes) == ("fieldset", {"role": "group", "style": "margin: 0;"})


def test_elements_can_be_added_to() -> None:
    for make in (Card, Container, Grid, Group):
        made = make(P("x"))
        assert read(made(P("y"))).elements[-1].text == "y"
        assert len(made.children) == 2


def test_missing_row_is_an_exception_of_its_own() -> None:
    assert not issubclass(NotFoundError, KeyError)
    assert str(NotFoundError("key")) == "key"
