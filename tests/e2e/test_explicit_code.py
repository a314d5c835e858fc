"""Code on pages of class-style apps, in a browser: scripts, libraries, what events ask for, what people typed."""

from __future__ import annotations

import json
import re
from html import escape

import pytest
from fasthtml.components import Button, Div
from fasthtml.xtend import Script
from playwright.sync_api import Frame, Page, expect

from pipulate.explicit.markup import render
from pipulate.web.guard import STATIC
from tests.e2e.conftest import until
from tests.e2e.explicit_host import (
    ADDRESSES,
    BUTTON,
    NONCE,
    NONE_AT_ALL,
    SANDBOX_PAGE,
    STRICT,
    Answer,
    Host,
    app_page,
    opened,
    pressed,
)
from tests.e2e.late import Held

# Scripts


def script(text: str, *, nonce: str | None = NONCE, attributes: str = "") -> str:
    """Return a script element."""
    return f"<script {attributes} {'' if nonce is None else f'nonce={json.dumps(nonce)}'}>{text}</script>"


COUNT = "window.count = (window.count ?? 0) + 1;"


def test_script_with_the_nonce_of_the_page_runs_once(page: Page, host: Host) -> None:
    """Where several elements take the place of one, htmx says of each that it came."""
    host.answers["/app/go"] = Answer(f'<p id="out">one</p>{script(COUNT)}<p id="two">two</p>')
    opened(page, host, app_page(BUTTON.replace("<button", '<button hx-swap="outerHTML"')))
    pressed(page, shows="one")
    expect(page.locator("#two")).to_have_text("two")
    assert page.evaluate("window.count") == 1
    pressed(page, shows="one")
    expect(page.locator("#two")).to_have_count(2)
    assert page.evaluate("window.count") == 2


@pytest.mark.parametrize("csp", [STRICT, NONE_AT_ALL], ids=["policy", "no policy"])
@pytest.mark.parametrize("nonce", [None, "", "another"], ids=["none", "empty", "another"])
def test_script_without_the_nonce_of_the_page_never_runs(page: Page, host: Host, nonce: str | None, csp: str) -> None:
    host.answers["/app/go"] = Answer(script("window.bad = 1", nonce=nonce) + script("window.good = 1") + "came")
    opened(page, host, app_page(BUTTON, csp=csp))
    pressed(page)
    until(page, "window.good")
    assert page.evaluate("window.bad") is None


def test_markup_that_only_shows_a_script_runs_none(page: Page, host: Host) -> None:
    shown = f"<textarea>{script('window.bad = 1')}</textarea><template>{script('window.bad = 2')}</template>"
    host.answers["/app/go"] = Answer(shown + script("window.good = 1"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    until(page, "window.good")
    assert page.evaluate("window.bad") is None


def test_script_finds_what_came_with_it_and_its_place(page: Page, host: Host) -> None:
    code = "document.getElementById('inner').textContent = document.currentScript.parentElement.id + htmx.version[0];"
    host.answers["/app/go"] = Answer(f'<div id="outer"><span id="inner"></span>{script(code)}</div>')
    opened(page, host, app_page(BUTTON))
    pressed(page, shows="outer2")


def test_scripts_run_in_their_order_though_the_first_waits_for_a_library(page: Page, host: Host) -> None:
    first = "window.said = [marked.parse('*a*').trim()];"
    host.answers["/app/go"] = Answer(script(first) + script("window.said.push('second');") + "came")
    opened(page, host, app_page(BUTTON))
    pressed(page, shows="came")
    until(page, "window.said?.length === 2")
    assert page.evaluate("window.said") == ["<p><em>a</em></p>", "second"]


def test_script_runs_though_its_library_cannot_be_loaded(page: Page, host: Host) -> None:
    code = "document.getElementById('out').textContent = typeof marked === 'undefined' ? 'without' : marked.parse('');"
    host.answers["/app/go"] = Answer(script(code))
    opened(page, host, app_page(BUTTON))
    held = Held(page, f"**{ADDRESSES['marked.js']}")
    pressed(page)
    held.breaks()
    expect(page.locator("#out")).to_have_text("without")


def test_script_of_the_page_itself_can_wait_for_htmx_and_libraries(page: Page, host: Host) -> None:
    code = "document.getElementById('out').textContent = htmx.version[0] + marked.parseInline('b');"
    held = script(code, attributes='type="text/explicit"')
    bad = script("window.bad = 1", nonce="another", attributes='type="text/explicit"')
    opened(page, host, app_page(BUTTON + held + bad))
    expect(page.locator("#out")).to_have_text("2b")
    assert page.evaluate("window.bad") is None


def test_nothing_heavy_is_loaded_before_it_is_used(page: Page, host: Host) -> None:
    talk = script("window.marked_as_done = 'mermaid, Prism and marked';")
    host.answers["/app/go"] = Answer("<p>marked, mermaid and Prism</p>" + talk)
    opened(page, host, app_page(BUTTON))
    pressed(page)
    until(page, "window.marked_as_done")
    page.wait_for_load_state("networkidle")
    loaded = {each.path for each in host.asked if each.path.startswith(STATIC)}
    assert loaded == {ADDRESSES[name] for name in ("app.css", "app.js", "explicit.css", "explicit.js", "icon.svg")}


# What servers ask for through HX-Trigger


def triggers(event: str, **detail: str) -> dict[str, str]:
    """Return the header that makes an event in the page."""
    return {"HX-Trigger": json.dumps({event: detail})}


HOSTILE = (
    "# Head\n\n<img src=x onerror='window.bad=1'><script>window.bad=1</script><a href='javascript:window.bad=1'>x</a>"
    "<p id='explicit' style='position:fixed' data-opens='search' data-hx-get='/x' hx-get='/x'>p</p>"
    "<form action='/x'><button>y</button></form>"
)


def test_markdown_is_shown_and_is_no_way_into_the_page(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("inline event handler.*blocked")
    host.answers["/app/go"] = Answer(
        '<div id="md"></div>', headers=triggers("renderMarkdown", targetId="md", markdown=HOSTILE)
    )
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#md h1")).to_have_text("Head")
    assert page.locator("#md :is(script, form, button, a[href])").count() == 0
    names = "(all) => all.flatMap((each) => each.getAttributeNames())"
    assert page.locator("#md *").evaluate_all(names) == ["src"]
    assert page.evaluate("window.bad") is None


def test_marked_of_plugins_makes_safe_markup_with_their_settings(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("inline event handler.*blocked")
    code = "marked.setOptions({breaks: true, async: true}); window.made = marked.parse(window.source);"
    host.answers["/app/go"] = Answer(script(code))
    opened(page, host, app_page(BUTTON))
    page.evaluate("text => { window.source = text; }", "a\nb\n\n" + HOSTILE)
    pressed(page)
    until(page, "window.made")
    made = page.evaluate("window.made")
    assert "a<br>b" in made
    assert not re.search(r"script|onerror|<form|hx-get", made)


def test_markdown_widget_is_shown_from_its_source_with_its_code_in_colours(page: Page, host: Host) -> None:
    source = "```python\ndef f(): pass\n```"
    widget = f'<div id="w_source" class="hidden">{source}</div><div id="w_rendered" class="markdown-body"></div>'
    host.answers["/app/go"] = Answer(widget, headers=triggers("initMarked", widgetId="w"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#w_rendered .token.keyword").first).to_have_text("def")
    expect(page.locator("#w_source")).to_be_hidden()


def test_code_is_shown_in_colours(page: Page, host: Host) -> None:
    code = (
        '<div id="p"><pre class="line-numbers"><code class="language-python">x = "&lt;b&gt;"\ny = 1</code></pre></div>'
    )
    host.answers["/app/go"] = Answer(code, headers=triggers("initializePrism", targetId="p"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#p .token.string")).to_have_text('"<b>"')
    expect(page.locator("#p .line-numbers-rows > span")).to_have_count(2)
    expect(page.locator("#p").get_by_role("button", name="Copy")).to_be_visible()


def mermaid(diagram: str, plugin: str = "") -> Answer:
    """Return an answer with a diagram in it, and what the plugin does with it itself."""
    place = '<div id="w"><div id="w_output"><div class="mermaid">source</div></div></div>'
    return Answer(place + plugin, headers=triggers("renderMermaid", targetId="w_output", diagram=diagram))


def test_diagram_is_drawn_once_though_its_plugin_draws_it_too(page: Page, host: Host) -> None:
    own = script("mermaid.run({nodes: [document.querySelector('#w .mermaid')]}).then(() => { window.ran = 1; });")
    host.answers["/app/go"] = mermaid("graph TD\nA[Start] --> B[End]", own)
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#w svg")).to_contain_text("Start")
    until(page, "window.ran")
    expect(page.locator("#w svg")).to_have_count(1)
    expect(page.locator("#w svg")).to_contain_text("End")


def test_diagram_runs_nothing_even_where_its_plugin_and_the_policy_are_careless(page: Page, host: Host) -> None:
    diagram = (
        '%%{init: {"securityLevel": "loose", "secure": []}}%%\ngraph TD\n'
        "A[\"<img src=x onerror='hurt()'>Start\"] --> B\nclick A call hurt()\n"
    )
    code = (
        "window.hurt = () => { window.bad = 1; };"
        "mermaid.initialize({securityLevel: 'loose', secure: [], flowchart: {htmlLabels: true}});"
        "mermaid.run({nodes: [document.getElementById('w')]}).then(() => { window.ran = 1; });"
    )
    host.answers["/app/go"] = Answer(f'<div id="w" class="mermaid">{escape(diagram)}</div>' + script(code))
    opened(page, host, app_page(BUTTON, csp=NONE_AT_ALL))
    pressed(page)
    until(page, "window.ran")
    page.locator("#w svg .node").first.dispatch_event("click")
    expect(page.locator("#w svg")).to_contain_text("Start")
    assert page.locator("#w svg [onerror]").count() == 0
    assert page.evaluate("window.bad") is None


def test_diagram_that_cannot_be_drawn_shows_its_source_and_the_reason(page: Page, host: Host) -> None:
    host.answers["/app/go"] = mermaid("graph TD\nA --> <b>")
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#w .problem")).to_contain_text("could not be drawn")
    expect(page.locator("#w pre")).to_have_text("graph TD\nA --> <b>")
    assert page.locator("svg").count() == 0


def test_menus_hear_that_they_have_to_ask_again(page: Page, host: Host) -> None:
    menus = (
        '<p id="apps" hx-get="/apps" hx-trigger="refreshAppMenu from:body"></p>'
        '<p id="profiles" hx-get="/profiles" hx-trigger="refreshProfileMenu from:body"></p>'
    )
    events = {"HX-Trigger": json.dumps({"refreshAppMenu": {}, "refreshProfileMenu": {}})}
    host.answers |= {"/app/go": Answer(headers=events), "/apps": Answer("apps"), "/profiles": Answer("profiles")}
    opened(page, host, app_page(BUTTON + menus))
    pressed(page)
    expect(page.locator("#apps")).to_have_text("apps")
    expect(page.locator("#profiles")).to_have_text("profiles")


def test_end_of_a_long_run_is_brought_into_view(page: Page, host: Host) -> None:
    headers = {"HX-Trigger-After-Settle": json.dumps({"scrollToLeftPanelBottom": True})}
    host.answers["/app/go"] = Answer('<div style="height: 3000px"></div><p id="end">end</p>', headers=headers)
    opened(page, host, app_page(BUTTON))
    pressed(page)
    expect(page.locator("#end")).to_be_in_viewport()


# Code that people typed


def run_code(page: Page, host: Host, code: str) -> Frame:
    """Send code to a widget as servers do; return the frame it runs in."""
    widget = '<div id="js"><p id="js_target">JavaScript will execute here...</p></div>'
    detail = triggers("runJavaScript", widgetId="js", code=code, targetId="js_target")
    host.answers["/app/go"] = Answer(widget, headers=detail)
    opened(page, host, app_page(BUTTON))
    pressed(page)
    element = page.locator("#js_target + iframe").element_handle()
    frame = element.content_frame()
    assert frame is not None
    return frame


def test_typed_code_shows_what_it_makes_next_to_its_target(page: Page, host: Host) -> None:
    frame = run_code(page, host, "const b = document.createElement('b'); b.textContent = 6 * 7; widget.append(b);")
    expect(frame.locator("#js_target b")).to_have_text("42")
    expect(page.locator("#js_target")).to_be_hidden()


def test_typed_code_reaches_nothing_of_the_page(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("is sandboxed")
    host.answers["/-/sandbox"] = Answer(SANDBOX_PAGE)  # Whatever its own policy is.
    code = """
        const tried = {
            parent: () => window.parent.document, top: () => window.top.location.href,
            cookie: () => document.cookie, session: () => window.sessionStorage,
            storage: () => window.localStorage, navigate: () => { window.top.location = "/stolen"; },
        };
        for (const [name, attempt] of Object.entries(tried)) {
            try { attempt(); widget.append(name + " "); } catch { }
        }
        widget.append("done");
    """
    frame = run_code(page, host, code)
    expect(frame.locator("#js_target")).to_have_text("done")
    assert host.to("/stolen") == []


def test_typed_code_reaches_no_server(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("Content Security Policy")
    code = """
        const image = new Promise((done) => {
            const made = new Image();
            made.onload = made.onerror = done;
            made.src = "/stolen";
        });
        const sent = fetch("/stolen", {mode: "no-cors"}).catch(() => {});
        Promise.all([image, sent]).then(() => {
            widget.append("done");
            location.href = "http://localhost:1/stolen";
        });
    """
    with page.expect_console_message(lambda line: "Framing 'http://localhost:1/' violates" in line.text):
        frame = run_code(page, host, code)
    assert frame.url != "http://localhost:1/stolen"
    assert host.to("/stolen") == []


def test_frame_is_as_high_as_what_it_shows(page: Page, host: Host) -> None:
    code = "widget.style.height = '500px'; window.addEventListener('click', () => { widget.style.height = '90px'; });"
    frame = run_code(page, host, code)
    expect(page.locator("iframe")).to_have_css("height", "524px")
    frame.locator("body").click()
    expect(page.locator("iframe")).to_have_css("height", "114px")


NOISE = """
    const say = (height) => parent.postMessage({type: "size", height}, "*");
    // Two frames later what the script of the frame says itself was said.
    requestAnimationFrame(() => requestAnimationFrame(() => { HEIGHTS.forEach(say); parent.postMessage(null, "*"); }));
"""
ALL_HEARD = "window.addEventListener('message', (event) => event.data === null && (document.title = 'heard'))"


@pytest.mark.parametrize(("heights", "height"), [("[77, -5, 0, NaN, 'x', null, {}]", "77px"), ("[77, 1e9]", "4000px")])
def test_frame_can_neither_vanish_nor_grow_without_end(page: Page, host: Host, heights: str, height: str) -> None:
    page.add_init_script(ALL_HEARD)
    run_code(page, host, NOISE.replace("HEIGHTS", heights))
    expect(page).to_have_title("heard")
    expect(page.locator("iframe")).to_have_css("height", height)


def test_frame_has_the_colours_of_the_page_and_follows_them(page: Page, host: Host) -> None:
    page.emulate_media(color_scheme="light")
    frame = run_code(page, host, "widget.textContent = 'shown'")
    expect(frame.locator("#js_target")).to_have_text("shown")
    looks = [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 29)"), ("light", "rgb(255, 255, 255)")]
    for theme, paper in looks:
        page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        expect(frame.locator("html")).to_have_css("background-color", paper)
        expect(frame.locator("html")).to_have_css("color-scheme", theme)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(frame.locator("html")).to_have_css("background-color", "rgb(20, 23, 29)")
    # Until the frame knows the colours it is see-through, which it is not where its scheme is another than its place's.
    expect(page.locator("iframe.code-frame")).to_have_css("color-scheme", "light")


@pytest.mark.parametrize("sandbox", ["", "allow-scripts"], ids=["of our origin", "of no origin"])
def test_only_the_frame_itself_says_how_high_it_is(page: Page, host: Host, sandbox: str) -> None:
    other = "<script>for (const data of [{type: 'size', height: 999}, null]) parent.postMessage(data, '*');</script>"
    host.answers["/other"] = Answer(other)
    page.add_init_script(ALL_HEARD)
    run_code(page, host, "widget.style.height = '200px';")
    expect(page.locator("iframe")).to_have_css("height", "224px")
    page.evaluate(
        """(sandbox) => {
            const frame = sandbox ? document.createElement("iframe") : document.querySelector("iframe");
            frame.setAttribute("sandbox", sandbox || "allow-scripts allow-same-origin");
            frame.src = "/other";
            if (sandbox) document.body.append(frame);
        }""",
        sandbox,
    )
    expect(page).to_have_title("heard")
    expect(page.locator("iframe.code-frame")).to_have_css("height", "224px")


def test_code_that_is_run_again_starts_anew(page: Page, host: Host) -> None:
    run_code(page, host, "widget.textContent = 'first';")
    page.evaluate("runJsWidget('js', 'widget.append(\"second\")', 'js_target')")
    expect(page.frame_locator("iframe").locator("#js_target")).to_have_text("second")
    expect(page.locator("iframe")).to_have_count(1)


@pytest.mark.parametrize(
    "code", ["widget.append('so far'); nothing.here", "widget.append('so far'); setTimeout(() => nothing.here)"]
)
def test_code_that_fails_says_why(page: Page, host: Host, complaints: list[str], code: str) -> None:
    complaints.append("nothing is not defined")
    frame = run_code(page, host, code)
    expect(frame.locator(".problem")).to_contain_text("nothing is not defined")
    expect(frame.locator("#js_target")).to_have_text("so far")


def code_button(handler: str) -> str:
    """Return what our server makes of a button with this handler, and the element it shows something in."""
    made = render((Button("Run", type="button", onclick=handler), Div("nothing yet", id="js_target")), nonce=NONCE)
    return f'<div id="js">{made}</div>'


def test_code_in_a_handler_runs_in_the_frame_and_not_in_the_page(page: Page, host: Host) -> None:
    code = "widget.textContent = typeof parent.document"
    refused = r"\`, ``); window.stolen = document.cookie + 1; (`"
    button = code_button(f"runJsWidget('js', `try {{ {code} }} catch {{ widget.textContent = 'alone' }}`, 'js_target')")
    host.answers["/app/go"] = Answer(button)
    opened(page, host, app_page(BUTTON + code_button(f"runJsWidget('js', `{refused}`, 'js_target')")))
    page.get_by_role("button", name="Run").click()
    pressed(page)
    page.locator("#out").get_by_role("button", name="Run").click()
    expect(page.frame_locator("iframe.code-frame").locator("#js_target")).to_have_text("alone")
    assert page.evaluate("window.stolen") is None


def test_handler_that_was_refused_says_so_on_the_console(page: Page, host: Host) -> None:
    with page.expect_console_message(lambda line: "The click handler of this element was left out" in line.text):
        opened(page, host, app_page(code_button("runJsWidget('js', `a` + 1, 'js_target')")))
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#js_target")).to_have_text("nothing yet")


def test_scripts_of_the_page_itself_run_in_their_order_once_ours_are_there(page: Page, host: Host) -> None:
    host.answers["/own.js"] = Answer("window.said.push('fetched');", headers={"Content-Type": "text/javascript"})
    scripts = (
        Script("window.said = [typeof htmx, typeof runJsWidget];"),
        Script(src="/own.js"),
        Script("window.said.push('last');"),
    )
    opened(page, host, app_page(render(scripts, nonce=NONCE, held=True)))
    until(page, "window.said?.length === 4")
    assert page.evaluate("window.said") == ["object", "function", "fetched", "last"]


def test_script_that_a_script_inserts_runs_where_it_is_one_of_our_libraries(
    page: Page, host: Host, complaints: list[str]
) -> None:
    complaints.append("Content Security Policy")
    lead = Answer(status=302, headers={"Location": ADDRESSES["marked.js"]})
    evil = Answer("window.stolen = 1", headers={"Content-Type": "text/javascript"})
    host.answers |= {"/static/marked.min.js": lead, "/static/own.js": evil}
    known = host.address.removeprefix("http://") + "/static/marked.min.js"
    insert = "for (const name of ['own', 'marked.min']) document.head.append(Object.assign(document.createElement("
    insert += "'script'), {src: `/static/${name}.js`}));"
    opened(page, host, app_page(script(insert), csp=STRICT.replace("script-src", f"script-src {known}")))
    until(page, "window.marked")
    assert page.evaluate("window.stolen") is None
    assert [each.path for each in host.to("/static/own.js")] == []
