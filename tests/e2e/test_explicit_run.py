"""The run of a tab of a class-style app, in a browser: what requests say of it, and what the panel shows."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable

from playwright.sync_api import Page, WebSocketRoute, expect

from pipulate.security.capability import OWNER
from pipulate.storage.messages import general
from tests.e2e.explicit_host import (
    BUTTON,
    NONCE,
    RUN_A,
    RUN_B,
    Answer,
    Asked,
    Host,
    app_page,
    named,
    opened,
    pressed,
    step,
)
from tests.e2e.late import Held

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
    held = Held(page, "**/app/go")
    page.get_by_role("button", name="Go").click()
    with page.expect_event("requestfailed"):
        held.breaks()
    held.stop()
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
