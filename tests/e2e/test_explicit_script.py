"""The second script of pages of class-style apps, in a browser, against a host that answers from a table."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Frame, Page, WebSocketRoute, expect

from pipulate.security.capability import OWNER
from pipulate.storage.messages import general
from pipulate.ui.frame import Frame as Look
from pipulate.ui.frame import page as whole_page
from pipulate.ui.html import raw
from pipulate.ui.messages import assistant
from pipulate.web.assets import FOLDER
from pipulate.web.guard import STATIC, policy
from tests.e2e.conftest import watch
from tests.e2e.test_access import findings

NONCE = "bm9uY2Utb2YtdGhlLXBhZ2U"
RUN_A, RUN_B = "a" * 32, "b" * 32
FILES: dict[str, str] = json.loads((FOLDER / "manifest.json").read_text())
ADDRESSES = {name: STATIC + file for name, file in FILES.items()}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

STRICT = policy(NONCE).replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
NONE_AT_ALL = "script-src 'self' 'unsafe-inline' 'unsafe-eval'"
SANDBOX = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
SANDBOX_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Code</title></head><body><script>'
    f"{(FOLDER / FILES['explicit-sandbox.js']).read_text()}</script></body></html>"
)


@dataclass
class Asked:
    """A request that came.

    Attributes:
        method, path: As sent.
        headers, body: As sent.
    """

    method: str
    path: str
    headers: Message
    body: str

    def told(self) -> tuple[str | None, ...]:
        """Return what it says about the run: its id, its key, and the version that was seen."""
        return tuple(self.headers[f"X-Pipulate-{name}"] for name in ("Run", "Key", "Seen"))


@dataclass
class Answer:
    """What the host says.

    Attributes:
        body: Markup.
        status: HTTP status.
        headers: Besides the content type.
    """

    body: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Host(ThreadingHTTPServer):
    """A server on a free port that answers from a table: address -> answer, or a function that makes it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer | Callable[[Asked], Answer]] = {
            "/-/sandbox": Answer(SANDBOX_PAGE, headers={"Content-Security-Policy": SANDBOX})
        }

    def to(self, path: str) -> list[Asked]:
        """Return the requests to an address, in the order in which they came."""
        return [each for each in self.asked if each.path == path]


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        asked = Asked(self.command, path, self.headers, body)
        self.server.asked.append(asked)
        if path.startswith(STATIC):
            file = FOLDER / path.removeprefix(STATIC)
            self._send(200, {"Content-Type": TYPES[file.suffix]}, file.read_bytes())
            return
        known = self.server.answers.get(path, Answer("Nothing is here.", 404))
        answer = known if isinstance(known, Answer) else known(asked)
        self._send(answer.status, {"Content-Type": "text/html; charset=utf-8"} | answer.headers, answer.body.encode())

    do_POST = do_GET  # noqa: N815 - the library's name

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        headers = {"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"} | headers
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def app_page(
    markup: str, *, run: str = "", version: int = 0, key: str = "", csp: str = STRICT, panel: str | None = None
) -> Answer:
    """Return a page of a class-style app, as the server sends it.

    Args:
        markup: What the plugin made.
        run: Id of the run of the page; empty for none.
        version: Its version.
        key: Its key.
        csp: Its policy.
        panel: The conversation of its assistant panel; None for none.
    """
    data = f'data-run="{run}" data-version="{version}" data-key="{key}"' if run else ""
    content = (
        f'<div id="explicit" {data}>{markup}</div>'
        f'<link rel="stylesheet" href="{ADDRESSES["explicit.css"]}">'
        f'<script type="application/json" id="explicit-libraries">{json.dumps(ADDRESSES)}</script>'
        f'<script src="{ADDRESSES["explicit.js"]}" defer nonce="{NONCE}"></script>'
    )
    beside = None if panel is None else assistant((), panel, None, OWNER, datetime.now(UTC))
    html = whole_page(Look(ADDRESSES, NONCE), "App", raw(content), beside)
    return Answer(html, headers={"Content-Security-Policy": csp})


def named(run: str, version: int, key: str) -> dict[str, str]:
    """Return the headers in which an answer names its run."""
    return {"X-Pipulate-Run": run, "X-Pipulate-Version": str(version), "X-Pipulate-Key": quote(key, safe="")}


def step(name: str = "step_01", *, attributes: str = "", fields: str = '<input name="text" aria-label="Text">') -> str:
    """Return the input phase of a step, as plugins write it."""
    return (
        f'<div id="{name}"><article><form hx-post="/app/{name}_submit" hx-target="#{name}"'
        f' enctype="multipart/form-data" {attributes}>{fields}<button type="submit">Next</button></form></article>'
        f'<div id="after-{name}"></div></div>'
    )


BUTTON = '<button hx-post="/app/go" hx-target="#out">Go</button><div id="out"></div>'


@pytest.fixture
def host() -> Iterator[Host]:
    """A host of its own for each test."""
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser may complain about in this test, as regular expressions; a test adds what it provokes."""
    return []


@pytest.fixture
def page(browser: Browser, host: Host, complaints: list[str]) -> Iterator[Page]:
    """A tab; at the end the browser must have had nothing else to complain about."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    page, problems = context.new_page(), list[str]()
    watch(page, host.address, problems)
    yield page
    context.close()
    assert [each for each in problems if not any(re.search(known, each) for known in complaints)] == []


def opened(page: Page, host: Host, answer: Answer, path: str = "/app") -> Page:
    """Open a page of an app."""
    host.answers[path] = answer
    page.goto(host.address + path)
    return page


def pressed(page: Page, name: str = "Go", shows: str | None = None) -> None:
    """Press a button, and wait for its answer."""
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        page.get_by_role("button", name=name).click()
    if shows is not None:
        expect(page.locator("#out")).to_have_text(shows)


# The run of the tab


def test_every_request_names_the_run_of_its_page(page: Page, host: Host) -> None:
    host.answers["/app/go"] = Answer("went")
    opened(page, host, app_page(BUTTON, run=RUN_A, version=7, key="Müller & Söhne-01"))
    pressed(page, shows="went")
    asked = host.to("/app/go")[0]
    assert asked.told() == (RUN_A, "M%C3%BCller%20%26%20S%C3%B6hne-01", "7")
    assert asked.headers["X-Pipulate-Nonce"] == NONCE
    assert asked.headers["X-Pipulate-Tab"]


def test_page_without_a_run_names_none(page: Page, host: Host) -> None:
    host.answers["/app/go"] = Answer("went")
    opened(page, host, app_page(BUTTON))
    pressed(page, shows="went")
    assert host.to("/app/go")[0].told() == (None, None, None)


def test_answer_names_the_run_of_what_it_brings(page: Page, host: Host) -> None:
    """A placeholder asks as soon as it is there, and already for the new run."""
    host.answers["/app/go"] = Answer(
        '<div id="step_01" hx-get="/app/step_01" hx-trigger="load"></div>', headers=named(RUN_B, 1, "ä/1")
    )
    host.answers["/app/step_01"] = Answer("first step", headers=named(RUN_B, 2, "ä/1"))
    opened(page, host, app_page(BUTTON, run=RUN_A, version=9, key="a-1"))
    pressed(page, shows="first step")
    assert host.to("/app/go")[0].told() == (RUN_A, "a-1", "9")
    assert host.to("/app/step_01")[0].told() == (RUN_B, "%C3%A4%2F1", "1")


def test_two_tabs_name_two_runs(page: Page, host: Host) -> None:
    host.answers["/app/go"] = Answer("went")
    opened(page, host, app_page(BUTTON, run=RUN_A, version=1, key="a"))
    other = opened(page.context.new_page(), host, app_page(BUTTON, run=RUN_B, version=2, key="b"))
    for tab in (page, other, page):
        pressed(tab, shows="went")
    assert [each.told()[0] for each in host.to("/app/go")] == [RUN_A, RUN_B, RUN_A]


def test_late_answer_about_a_run_that_was_left_changes_nothing(page: Page, host: Host) -> None:
    moved = threading.Event()

    def late(_asked: Asked) -> Answer:
        moved.wait(10)
        return Answer("late", headers=named(RUN_A, 5, "a"))

    host.answers |= {"/app/slow": late, "/app/go": Answer("went", headers=named(RUN_B, 1, "b"))}
    slow = '<button hx-post="/app/slow" hx-target="#slow">Slow</button><div id="slow"></div>'
    opened(page, host, app_page(BUTTON + slow, run=RUN_A, version=4, key="a"))
    page.get_by_role("button", name="Slow").click()
    pressed(page, shows="went")
    moved.set()
    expect(page.locator("#slow")).to_have_text("late")
    pressed(page, shows="went")
    assert host.to("/app/go")[1].told() == (RUN_B, "b", "1")


def test_form_tells_the_version_it_was_made_for_or_else_the_newest(page: Page, host: Host) -> None:
    host.answers |= {
        "/app/go": Answer("went", headers=named(RUN_A, 6, "a")),
        "/app/step_01_submit": Answer("one"),
        "/app/step_02_submit": Answer("two"),
    }
    forms = step("step_01", attributes='data-pip-seen="3"') + step("step_02")
    opened(page, host, app_page(forms + BUTTON, run=RUN_A, version=5, key="a"))
    pressed(page, shows="went")
    for name, shown in (("step_01", "one"), ("step_02", "two")):
        page.locator(f"#{name}").get_by_role("button", name="Next").click()
        expect(page.locator(f"#{name}")).to_have_text(shown)
    assert host.to("/app/step_01_submit")[0].told()[2] == "3"
    assert host.to("/app/step_02_submit")[0].told()[2] == "6"


def test_older_answer_does_not_make_the_tab_forget_what_it_saw(page: Page, host: Host) -> None:
    versions = iter((6, 4, 4))
    host.answers["/app/go"] = lambda _: Answer("went", headers=named(RUN_A, next(versions), "a"))
    opened(page, host, app_page(BUTTON, run=RUN_A, version=5, key="a"))
    for _ in range(3):
        pressed(page, shows="went")
    assert [each.told()[2] for each in host.to("/app/go")] == ["5", "6", "6"]


def test_repeat_is_the_same_submit_until_there_is_a_final_answer(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("Error Code|htmx:(sendError|afterRequest)")
    statuses = iter((503, 200, 422, 200))
    host.answers["/app/go"] = lambda _: Answer(status=next(statuses))
    opened(page, host, app_page(BUTTON, run=RUN_A, version=1, key="a"))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.headers.get("x-pipulate-submit", request.url)))
    page.route("**/app/go", lambda route: route.abort(), times=1)
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Go").click()
    for _ in range(4):
        pressed(page)
    lost, failed, taken, wrong, right = (each for each in sent if not each.startswith("http"))
    assert lost == failed == taken, "no final answer"
    assert len({taken, wrong, right}) == 3, "each after a final answer"


def test_two_buttons_of_a_form_are_two_submits(page: Page, host: Host, complaints: list[str]) -> None:
    complaints.append("Error Code 503")
    host.answers |= {"/app/go": Answer("went"), "/app/step_01_submit": Answer("one")}
    opened(page, host, app_page(step(fields=BUTTON.replace("<button", '<button type="button"')), run=RUN_A, key="a"))
    host.answers["/app/go"] = Answer(status=503)
    pressed(page)
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("one")
    ids = [host.to(path)[0].headers["X-Pipulate-Submit"] for path in ("/app/go", "/app/step_01_submit")]
    assert ids[0] != ids[1]


def test_nothing_is_told_to_another_host(page: Page, host: Host) -> None:
    opened(page, host, app_page(BUTTON, run=RUN_A, version=1, key="a"))
    told = page.evaluate(
        """() => {
            const headers = {};
            document.body.dispatchEvent(new CustomEvent("htmx:configRequest", {
                bubbles: true, detail: {elt: document.body, path: "http://elsewhere.test/x", headers}}));
            return Object.keys(headers).filter((name) => name !== "X-Pipulate-Tab");
        }"""
    )
    assert told == []


# The panel follows


def sockets(page: Page, opens: Callable[[WebSocketRoute], None] = lambda _: None) -> list[str]:
    """Answer the sockets of a page; return their addresses as they come."""
    found: list[str] = []

    def take(socket: WebSocketRoute) -> None:
        found.append(socket.url.split("?")[1])
        opens(socket)

    page.route_web_socket(re.compile("/-/live"), take)
    return found


def message(seq: int, text: str) -> str:
    """Return a frame with one note in it."""
    return json.dumps(
        {"type": "messages", "last": seq, "items": [{"seq": seq, "role": "user", "html": f"<li>{text}</li>"}]}
    )


def test_panel_and_socket_move_to_the_run_that_an_answer_names(page: Page, host: Host) -> None:
    left: list[WebSocketRoute] = []

    def opens(socket: WebSocketRoute) -> None:
        def closed(_code: int | None, _reason: str | None) -> None:
            left.append(socket)
            socket.close()

        run = "b" if RUN_B in socket.url else "a"
        socket.on_close(closed)
        socket.send(message(1 if run == "b" else 40, f"said in {run}"))

    page.clock.install()
    addresses = sockets(page, opens)
    host.answers["/app/go"] = Answer("went", headers=named(RUN_B, 3, "b"))
    opened(page, host, app_page(BUTTON, run=RUN_A, version=1, key="a", panel=RUN_A))
    expect(page.locator("#messages")).to_have_text("said in a")
    pressed(page, shows="went")
    expect(page.locator("#messages")).to_have_text("said in b")
    pressed(page, shows="went")
    page.clock.run_for(60_000)  # Long enough for a socket that was lost to be tried again.
    assert [re.findall(r"(after|run|version)=(\w+)", each) for each in addresses] == [
        [("after", "0"), ("run", RUN_A)],
        [("after", "0"), ("run", RUN_B), ("version", "3")],
    ]
    assert {RUN_A in each.url for each in left} == {True}
    expect(page.locator("#messages")).to_have_attribute("data-conversation", RUN_B)
    expect(page.locator(".notice-line")).to_have_count(0)


def test_notes_go_to_the_run_that_the_panel_shows(page: Page, host: Host) -> None:
    sockets(page)
    host.answers |= {"/app/go": Answer("went", headers=named(RUN_B, 3, "b")), "/-/notes": Answer(status=204)}
    opened(page, host, app_page(BUTTON, panel=general(OWNER)))
    page.get_by_label("Note").fill("half typed")
    pressed(page, shows="went")
    expect(page.get_by_label("Note")).to_have_value("half typed")
    drafts = "Object.keys(sessionStorage).filter((name) => name.startsWith('draft:note'))"
    assert page.evaluate(drafts) == [f"draft:note:{RUN_B}"]
    pressed(page, "Add note")
    assert f"_conversation={RUN_B}" in host.to("/-/notes")[0].body
    expect(page.get_by_label("Note")).to_have_value("")
    assert page.evaluate(drafts) == []


def test_socket_that_was_lost_is_not_tried_again_for_the_run_that_was_left(page: Page, host: Host) -> None:
    def opens(socket: WebSocketRoute) -> None:
        if RUN_A in socket.url:
            socket.close()
        else:
            socket.send(message(1, "said in b"))

    page.clock.install()
    addresses = sockets(page, opens)
    host.answers["/app/go"] = Answer("went", headers=named(RUN_B, 3, "b"))
    opened(page, host, app_page(BUTTON, run=RUN_A, version=1, key="a", panel=RUN_A))
    pressed(page)
    expect(page.locator("#messages")).to_have_text("said in b")
    page.clock.run_for(30_000)
    assert [RUN_B in each for each in addresses][-1]
    assert sum(RUN_B in each for each in addresses) == 1
    tried = [RUN_A in each for each in addresses]
    assert tried == sorted(tried, reverse=True)


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
    page.wait_for_function("() => window.good")
    assert page.evaluate("window.bad") is None


def test_markup_that_only_shows_a_script_runs_none(page: Page, host: Host) -> None:
    shown = f"<textarea>{script('window.bad = 1')}</textarea><template>{script('window.bad = 2')}</template>"
    host.answers["/app/go"] = Answer(shown + script("window.good = 1"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    page.wait_for_function("() => window.good")
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
    page.wait_for_function("() => window.said?.length === 2")
    assert page.evaluate("window.said") == ["<p><em>a</em></p>", "second"]


def test_script_runs_though_its_library_cannot_be_loaded(page: Page, host: Host) -> None:
    code = "document.getElementById('out').textContent = typeof marked === 'undefined' ? 'without' : marked.parse('');"
    host.answers["/app/go"] = Answer(script(code))
    opened(page, host, app_page(BUTTON))
    page.route(f"**{ADDRESSES['marked.js']}", lambda route: route.abort())
    pressed(page, shows="without")


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
    page.wait_for_function("() => window.marked_as_done")
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
    page.wait_for_function("() => window.made")
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
    page.wait_for_function("() => window.ran")
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
    page.wait_for_function("() => window.ran")
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


# Drafts


def test_half_typed_form_of_a_plugin_survives_a_reload(page: Page, host: Host) -> None:
    opened(page, host, app_page(step() + step("step_02"), run=RUN_A, version=1, key="a-01"))
    page.locator("#step_01").get_by_label("Text").fill("half")
    page.reload()
    expect(page.locator("#step_01").get_by_label("Text")).to_have_value("half")
    expect(page.locator("#step_02").get_by_label("Text")).to_have_value("")
    assert page.locator("#step_01 form").get_attribute("data-draft") == "explicit:a-01:step_01"


def test_form_that_came_with_an_answer_keeps_its_draft_too(page: Page, host: Host) -> None:
    host.answers["/app/go"] = Answer(step(), headers=named(RUN_B, 1, "b-01"))
    opened(page, host, app_page(BUTTON))
    pressed(page)
    page.get_by_label("Text").fill("half")
    page.reload()
    expect(page.get_by_label("Text")).to_have_count(0)
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("half")


def test_draft_is_kept_of_a_form_that_came_just_now(page: Page, host: Host) -> None:
    """Before htmx calls the page settled, which takes some milliseconds."""
    host.answers["/app/go"] = Answer(step(), headers=named(RUN_B, 1, "b-01"))
    opened(page, host, app_page(BUTTON))
    page.evaluate(
        """() => document.addEventListener("htmx:afterRequest", () => {
            const field = document.querySelector("#step_01 input[name=text]");
            field.value = "quick";
            field.dispatchEvent(new Event("input", {bubbles: true}));
        })"""
    )
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("quick")
    page.reload()
    pressed(page)
    expect(page.get_by_label("Text")).to_have_value("quick")
    assert "quick" in page.evaluate("sessionStorage.getItem('draft:explicit:b-01:step_01')")


def test_form_that_comes_again_after_it_was_taken_is_empty(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("<p>taken</p>" + step(), headers=named(RUN_A, 2, "a"))
    opened(page, host, app_page(step(), run=RUN_A, version=1, key="a"))
    page.get_by_label("Text").fill("typed")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("taken")).to_be_visible()
    page.wait_for_function("() => !document.querySelector('.htmx-settling')")
    expect(page.get_by_label("Text")).to_have_value("")


def test_draft_of_one_run_is_not_offered_in_another(page: Page, host: Host) -> None:
    opened(page, host, app_page(step(), run=RUN_A, version=1, key="a-01"))
    page.get_by_label("Text").fill("half")
    opened(page, host, app_page(step(), run=RUN_B, version=1, key="a-02"))
    expect(page.get_by_label("Text")).to_have_value("")


def test_two_forms_in_one_place_have_drafts_of_their_own(page: Page, host: Host) -> None:
    form = '<form hx-post="/app/x"><input name="text" aria-label="{}"><button>Next</button></form>'
    opened(page, host, app_page(f'<div id="s">{form.format("One")}{form.format("Two")}</div>', run=RUN_A, key="a"))
    page.get_by_label("Two").fill("half")
    page.reload()
    expect(page.get_by_label("Two")).to_have_value("half")
    expect(page.get_by_label("One")).to_have_value("")


def test_draft_never_keeps_a_password_or_a_file(page: Page, host: Host) -> None:
    fields = (
        '<input name="text" aria-label="Text"><input name="token" type="password" aria-label="Token">'
        '<input name="file" type="file" aria-label="File">'
    )
    opened(page, host, app_page(step(fields=fields), run=RUN_A, version=1, key="a"))
    page.get_by_label("Token").fill("pa55word")
    page.get_by_label("File").set_input_files({"name": "s3cret.txt", "mimeType": "text/plain", "buffer": b"x"})
    page.get_by_label("Text").fill("half")
    kept = page.evaluate("JSON.stringify(sessionStorage)")
    assert "half" in kept
    assert not re.search("pa55word|s3cret|token|file", kept)


def test_draft_goes_when_the_run_took_it_and_stays_when_it_did_not(page: Page, host: Host) -> None:
    """A plugin says "cannot be empty" with 200, in the place of the form."""
    versions = iter((1, 2))
    host.answers["/app/step_01_submit"] = lambda _: Answer("said", headers=named(RUN_A, next(versions), "a"))
    host.answers["/app"] = app_page(step(), run=RUN_A, version=1, key="a")
    for kept in ("", "typed", ""):
        page.goto(host.address + "/app")
        expect(page.get_by_label("Text")).to_have_value(kept)
        if kept == "" and len(host.to("/app/step_01_submit")) == 2:
            break
        page.get_by_label("Text").fill("typed")
        page.get_by_role("button", name="Next").click()
        expect(page.locator("#step_01")).to_have_text("said")


def test_record_that_was_added_leaves_no_draft_where_there_is_no_run(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("added")
    opened(page, host, app_page(step()))
    page.get_by_label("Text").fill("milk")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("added")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("")


def test_draft_typed_against_an_older_version_says_so_when_it_is_sent(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("said", headers=named(RUN_A, 9, "a"))
    opened(page, host, app_page(step(), run=RUN_A, version=3, key="a"))
    page.get_by_label("Text").fill("mine")
    changed = step(fields='<input name="text" aria-label="Text" value="theirs">', attributes='data-pip-seen="8"')
    opened(page, host, app_page(changed, run=RUN_A, version=8, key="a"))
    expect(page.get_by_label("Text")).to_have_value("mine")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("said")
    assert host.to("/app/step_01_submit")[0].told()[2] == "3"


def test_plugin_gets_only_the_fields_it_made(page: Page, host: Host) -> None:
    host.answers["/app/step_01_submit"] = Answer("said")
    opened(page, host, app_page(step(), run=RUN_A, version=3, key="a"))
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#step_01")).to_have_text("said")
    assert re.findall('name="([^"]*)"', host.to("/app/step_01_submit")[0].body) == ["text"]


# Answers that are not what was hoped for


def test_conflict_is_shown_where_the_server_says_and_what_was_typed_stays(page: Page, host: Host) -> None:
    conflict = {"HX-Retarget": "#explicit", "HX-Reswap": "innerHTML", "X-Pipulate-Swap": "1"}
    host.answers["/app/step_01_submit"] = Answer(
        '<h2>This run was changed</h2><div id="step_01"></div>', 409, conflict | named(RUN_A, 5, "a")
    )
    opened(page, host, app_page(step() + BUTTON, run=RUN_A, version=3, key="a"))
    page.get_by_label("Text").fill("mine")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#explicit h2")).to_have_text("This run was changed")
    page.reload()
    expect(page.get_by_label("Text")).to_have_value("mine")


def test_button_of_a_plugin_works_once_while_its_form_is_sent(page: Page, host: Host) -> None:
    first = threading.Event()

    def slow(_asked: Asked) -> Answer:
        first.wait(10)
        return Answer("said")

    host.answers["/app/step_01_submit"] = slow
    elsewhere = step().replace('hx-target="#step_01"', 'hx-target="#out"') + BUTTON
    opened(page, host, app_page(elsewhere, run=RUN_A, version=3, key="a"))
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    first.set()
    expect(page.locator("#out")).to_have_text("said")
    expect(page.get_by_role("button", name="Next")).to_be_enabled()


# How it looks

CODE = '# A comment\ndef f(x: int = 3) -&gt; str:\n    return f"{x}" + "text" if True else None\n@a.b\nclass A: pass'
SHOWN = f"""
<div class="container">
 <article><h2>Hello workflow</h2><p class="text-secondary">Say hello.</p>
  <form hx-post="/app/init"><div class="inline-button-container">
   <input type="search" name="pipeline_id" aria-label="Key" class="contrast" value="Default_Profile-Hello-01">
   <button type="submit" class="secondary">Enter</button></div></form></article>
 <div id="app-container">
  <div id="step_01"><article style="display: flex; align-items: center">
   <div style="flex: 1">Name: Ada <p class="text-note">note</p> <p class="text-success">good</p>
    <p class="text-invalid">bad</p></div>
   <form style="flex: 0"><button class="button-revert">Step 1</button></form></article></div>
  <div class="card-container"><article>Code</article><div class="widget-content">
   <pre class="line-numbers"><code class="language-python">{CODE}</code></pre>
   <pre><code class="language-markup">&lt;a href="x"&gt;text&lt;/a&gt; &lt;!-- c --&gt;</code></pre></div></div>
  <article><h3>Step 2</h3><p>Words</p>{step("step_02")}<button class="secondary outline">Two</button>
   <button class="contrast">Three</button> <button class="primary">Four</button></article>
  <article class="markdown-body"><h1>Head</h1><p>Text with <code>code</code> and <a href="/x">a link</a>.</p>
   <ul><li>one</li></ul>
   <table><thead><tr><th>a</th></tr></thead><tbody><tr><td>{"word" * 60}</td></tr></tbody></table></article>
  <ul class="sortable"><li class="done">Milk <button class="delete-icon" aria-label="Delete">x</button></li></ul>
 </div>
</div>
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_markup_of_plugins_can_be_read_by_everybody(browser: Browser, host: Host, theme: Any) -> None:
    context = browser.new_context(color_scheme=theme, bypass_csp=True, viewport={"width": 390, "height": 800})
    page = opened(context.new_page(), host, app_page(SHOWN, run=RUN_A, version=1, key="a"))
    page.evaluate("htmx.trigger(document.body, 'initializePrism', {targetId: 'explicit'})")
    expect(page.locator(".token").first).to_be_visible()
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
