"""Talking to the assistant: answers as they come, stopped, once more, and whole after whatever happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, WebSocketRoute, expect

from tests.e2e.assistant import Beside, answers, beside, done, own
from tests.e2e.conftest import until
from tests.e2e.test_access import findings
from tests.support.ollama import Ollama, Turn, model

LONG = (
    "One two three.\n\n## Part\n\n"
    + "Four five six 🙂 seven. " * 40
    + "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nThe end."
)
AT_END = (
    "(() => { const m = document.querySelector('.messages');"
    " return m.scrollHeight - m.scrollTop - m.clientHeight < 5 })()"
)
LOOKS = [
    {"viewport": {"width": width, "height": 780}, "color_scheme": theme}
    for width in (1280, 390)
    for theme in ("light", "dark")
]


@pytest.fixture(scope="module")
def talks(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    with beside(tmp_path_factory.mktemp("assistant"), browser) as made:
        yield made


def test_answer_comes_as_it_is_written_and_ends_as_markdown(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Say it", Turn("**First** words and\n\nthe second part", holds_at=1))
    expect(answers(page).locator(".tail")).to_contain_text("**First**")
    expect(answers(page)).to_have_attribute("aria-busy", "true")
    talk.ollama.go()
    expect(done(page).locator(".prose strong")).to_have_text("First")
    expect(answers(page).locator(".prose p")).to_have_count(2)
    expect(answers(page)).not_to_have_attribute("aria-busy", "true")
    expect(answers(page).locator(".answer-foot")).to_contain_text("15 of 16,384 tokens")


def test_what_is_whole_is_drawn_while_it_goes_on_and_stays_where_it_is(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Long", Turn("# Title\n\nA paragraph of words.\n\nThe next one goes on", holds_at=8))
    expect(answers(page).locator(".prose h3")).to_have_text("Title")
    page.evaluate("document.querySelector('.answer .prose h3').mark = 'same'")
    talk.ollama.go()
    expect(done(page).locator(".prose p")).to_have_count(2)
    assert page.evaluate("document.querySelector('.answer .prose h3').mark") == "same"


def test_answer_is_stopped_by_its_button_and_by_a_key_and_keeps_what_came(talk: Beside) -> None:
    page = talk.start(talk.person())
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_hidden()
    field = page.locator("#assistant textarea")
    ways: tuple[tuple[int, Callable[[], None]], ...] = ((1, stop.click), (2, partial(field.press, "Escape")))
    for count, press in ways:
        talk.ask(page, "Never ends", Turn("Only this", holds_at=1))
        expect(answers(page)).to_have_count(count)
        expect(answers(page).last).to_contain_text("Only")
        expect(stop).to_be_visible()
        press()
        expect(page.locator("#messages > .answer[data-state=stopped]")).to_have_count(count)
        expect(answers(page).last.locator(".prose")).to_contain_text("Only")
        expect(answers(page).last).to_contain_text("Stopped.")
        expect(stop).to_be_hidden()
    talk.ollama.wait(lambda ollama: not ollama.open)


def test_answer_goes_on_after_a_reload_in_its_middle(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Long", Turn(LONG, holds_at=30))
    expect(answers(page)).to_contain_text("🙂 seven.")
    page.reload()
    expect(answers(page).locator(".prose h4")).to_have_text("Part")
    expect(answers(page)).to_contain_text("Four five")
    talk.ollama.go()
    expect(done(page).locator("td")).to_have_text(["1", "2"])
    expect(answers(page)).to_contain_text("The end.")
    assert answers(page).inner_text().count("🙂") == 40


def test_two_tabs_show_the_same_answer(talk: Beside) -> None:
    somebody = talk.person()
    page = talk.start(somebody)
    second = somebody.tab()
    second.goto(page.url)
    talk.ask(page, "Both", Turn("Some *words* here and there", holds_at=2))
    for each in (page, second):
        expect(answers(each)).to_contain_text("words")
    talk.ollama.go()
    for each in (page, second):
        expect(done(each).locator("em")).to_have_text("words")


def test_answer_that_broke_off_says_why_and_is_tried_again(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Break", Turn("Half of it is here", fault="cut", at=2))
    expect(page.locator("#messages > .answer[data-state=failed]")).to_contain_text("The connection ended before")
    expect(answers(page).locator(".prose")).to_contain_text("Half of")
    talk.ollama.script(Turn("All of it."))
    page.get_by_role("button", name="Retry").click()
    expect(done(page)).to_contain_text("All of it.")
    expect(page.get_by_role("button", name="Retry")).to_have_count(1)


def test_answer_and_code_are_copied(talk: Beside) -> None:
    somebody = talk.person(permissions=["clipboard-read", "clipboard-write"])
    page = talk.start(somebody)
    talk.ask(page, "Code", Turn("See:\n\n```python\nx = 1\n```"))
    box = done(page).locator(".code-box")
    expect(box.locator(".token").first).to_be_visible()
    box.get_by_role("button", name="Copy").click()
    expect(box.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").strip() == "x = 1"
    page.locator(".answer-foot").get_by_role("button", name="Copy").click()
    expect(page.locator(".answer-foot").get_by_role("button", name="Copied")).to_be_visible()
    assert "```python" in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("comes", ["as it is written", "with its end alone"])
def test_who_reads_further_up_is_not_moved_and_is_told_of_new_words(comes: str, talk: Beside) -> None:
    somebody = talk.person()
    if comes == "with its end alone":
        somebody.page.route_web_socket(re.compile("/-/live"), without_growth)
    page = talk.start(somebody)
    talk.ask(page, "Long", Turn("word\n\n" * 120))
    done(page)
    talk.ask(page, "And more", Turn("Some more words at the end", holds_at=2))
    expect(answers(page)).to_have_count(2)
    page.evaluate("document.querySelector('.messages').scrollTop = 40")
    talk.ollama.go()
    done(page, 2)
    expect(page.get_by_role("button", name="New words below")).to_be_visible()
    assert page.evaluate("document.querySelector('.messages').scrollTop") == 40
    page.get_by_role("button", name="New words below").click()
    expect(page.get_by_role("button", name="New words below")).to_be_hidden()
    until(page, AT_END)


def without_growth(socket: WebSocketRoute) -> None:
    """Let everything through but the words of an answer that is being written."""
    server = socket.connect_to_server()
    server.on_message(lambda frame: None if '"grows"' in str(frame) else socket.send(frame))


def test_conversation_is_searched_cleared_brought_back_and_taken_along(talk: Beside) -> None:
    page = talk.start(talk.person())
    for number in range(3):
        talk.ask(page, f"Question {number}", Turn(f"The answer number {number}."))
        done(page, number + 1)
    menu = page.locator("#assistant .panel-head summary")
    menu.click()
    page.get_by_role("searchbox", name="Find in this conversation").fill("answer number 1")
    page.locator(".found a").click()
    expect(page.locator(".hit-message")).to_contain_text("The answer number 1.")
    menu.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export as Markdown").click()
    assert "The answer number 2." in Path(download.value.path()).read_text()
    page.get_by_role("button", name="Clear this conversation").click()
    expect(page.locator("#messages > li")).to_have_count(0)
    page.reload()
    expect(page.locator("#messages > li")).to_have_count(0)
    page.locator(".cleared").get_by_role("button", name="Undo").click()
    expect(answers(page)).to_have_count(3)


def test_older_messages_come_as_one_scrolls_up(talk: Beside) -> None:
    page = talk.person().page
    page.goto(f"{talk.server.address}/hello")
    expect(page.locator("#assistant .send")).to_have_text("Send")
    for number in range(30):
        talk.ask(page, f"Question {number}", Turn("x"))
        done(page, number + 1)
    page.reload()
    expect(page.locator("#messages > li")).to_have_count(50)
    page.evaluate("document.querySelector('.messages').scrollTop = 0")
    expect(page.locator("#messages")).to_contain_text("Question 0")
    expect(page.locator("#messages > li")).to_have_count(60)


def test_beside_an_app_and_in_its_runs_are_conversations_of_their_own(talk: Beside) -> None:
    page = talk.person().page
    page.goto(f"{talk.server.address}/text_check")
    talk.ask(page, "Beside the app", Turn("Here."))
    done(page)
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/text_check/*")
    expect(answers(page)).to_have_count(0)
    page.goto(f"{talk.server.address}/")
    expect(page.get_by_text("Beside the app")).to_have_count(0)
    page.goto(f"{talk.server.address}/text_check")
    expect(answers(page)).to_have_count(1)


def test_server_that_restarts_in_the_middle_keeps_what_came_and_says_so(browser: Browser, tmp_path: Path) -> None:
    with beside(tmp_path, browser) as first:
        somebody = first.person()
        page = first.start(somebody)
        first.ask(page, "Long", Turn("Some words come and then", holds_at=3))
        expect(answers(page)).to_contain_text("Some words come")
        path = page.url.removeprefix(first.server.address)
        first.server.stop()
        somebody.problems.clear()  # That the server is gone, the browser may say.
        somebody.context.close()
        first.people.clear()
    with beside(tmp_path, browser) as second:
        page = second.person().page
        page.goto(second.server.address + path)
        expect(answers(page)).to_have_attribute("data-state", "stopped")
        expect(answers(page)).to_contain_text("Some words come")


def test_everything_is_reached_with_the_keyboard_alone(talk: Beside) -> None:
    page = talk.start(talk.person())
    page.locator("#assistant textarea").focus()
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    talk.ollama.script(Turn("Heard."))
    page.keyboard.press("Enter")
    done(page)
    expect(page.locator("#messages .note .text")).to_have_text("one\ntwo", use_inner_text=True)
    expect(page.locator("#assistant textarea")).to_be_focused()
    page.get_by_role("button", name="Retry").focus()
    talk.ollama.script(Turn("Heard again."))
    page.keyboard.press("Enter")
    done(page, 2)


def test_blocks_of_a_growing_answer_are_wrapped_as_those_of_a_whole_one(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(
        page,
        "Long",
        Turn("Many words that go on and on. " * 9 + "\n\n- " + "a point " * 30 + "\n\nThe end", holds_at=116),
    )
    block = answers(page).locator(".prose p").first
    expect(block).to_contain_text("go on and on.")
    height = block.evaluate("each => each.clientHeight")
    assert block.evaluate("each => each.scrollWidth <= each.clientWidth")
    talk.ollama.go()
    done(page)
    assert block.evaluate("each => each.clientHeight") == height


def test_undo_brings_back_what_the_last_clear_hid_and_nothing_of_an_earlier_one(talk: Beside) -> None:
    page = talk.start(talk.person())
    undo = page.locator(".cleared").get_by_role("button", name="Undo")

    def clear() -> None:
        page.locator("#assistant .panel-head summary").click()
        with page.expect_response("**/-/assistant/clear"):
            page.get_by_role("button", name="Clear this conversation").click()
        expect(undo).to_be_visible()
        expect(page.locator("#messages > li")).to_have_count(0)

    for number, text in enumerate(("first", "second")):
        talk.ask(page, text, Turn(f"The {text} answer."))
        expect(done(page)).to_contain_text(f"The {text} answer.")
        clear()
        if number:
            clear()  # Of what is empty already: there is nothing more to hide.
    for way in ("at once", "after a reload"):
        if way == "after a reload":
            clear()
            page.reload()
        undo.click()
        expect(done(page)).to_contain_text("The second answer.")
        expect(page.locator("#messages")).not_to_contain_text("first")
        expect(undo).to_have_count(0)


def test_focus_stays_in_the_conversation_whatever_a_key_does(talk: Beside) -> None:
    talk.ollama.models.append(model("other:1b"))
    page = talk.start(talk.person())
    box = page.locator("#assistant .messages")

    def press(name: str) -> None:
        page.get_by_role("button", name=name).focus()
        page.keyboard.press("Enter")

    talk.ask(page, "Say it", Turn("Said."), Turn("Said again and again", holds_at=2))
    done(page)
    press("Retry")
    expect(box).to_be_focused()
    expect(answers(page).last).to_contain_text("Said again")
    press("Stop")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(box).to_be_focused()
    page.locator("#assistant .panel-head summary").press("Enter")
    press("Clear this conversation")
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(box).to_be_focused()
    page.request.post(f"{talk.server.address}/-/assistant/look", headers=own(talk))
    page.locator("#assistant-model summary").press("Enter")
    press("other:1b")
    expect(page.locator("#assistant-model summary")).to_have_text("other:1b")
    expect(page.locator("#assistant-model summary")).to_be_focused()
    talk.ollama.models.pop()
    page.request.post(f"{talk.server.address}/-/assistant/look", headers=own(talk))
    expect(page.locator("#assistant-model")).to_contain_text("not there any more")


def test_end_stays_in_sight_when_the_box_gets_smaller(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Long", Turn("word\n\n" * 60))
    done(page)
    page.set_viewport_size({"width": 1280, "height": 500})
    until(page, AT_END)
    page.evaluate("document.querySelector('.messages').scrollTop = 40")
    until(page, "document.querySelector('.messages').scrollTop === 40")
    page.set_viewport_size({"width": 1280, "height": 420})
    until(page, "innerHeight === 420")
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("document.querySelector('.messages').scrollTop") == 40


def test_panel_says_how_to_get_a_model_and_that_somebody_looked(browser: Browser, tmp_path: Path) -> None:
    with Ollama() as gone:
        nobody = gone.url
    with beside(tmp_path, browser, PIPULATE_MODEL_URL=nobody) as made:
        page = made.person().start("hello")
        expect(page.locator("#assistant-model")).to_contain_text("No language model answers")
        page.get_by_text("How to get one").click()
        expect(page.locator(".first-steps")).to_contain_text("ollama pull")
        page.get_by_role("button", name="Look again").press("Enter")
        expect(page.locator("form.look [role=status]")).to_contain_text("nothing has changed")
        expect(page.get_by_role("button", name="Look again")).to_be_focused()
        expect(page.locator(".first-steps li").first).to_be_visible()
        page.locator("#assistant textarea").fill("A note")
        page.keyboard.press("Enter")
        expect(page.locator("#messages .note")).to_contain_text("A note")


@pytest.mark.parametrize("look", LOOKS)
def test_panel_says_that_what_is_written_leaves_this_machine(
    look: dict[str, Any], browser: Browser, tmp_path: Path
) -> None:
    away = "http://10.0.0.9:1/v1"
    env = {"PIPULATE_MODEL_SERVER": "openai", "PIPULATE_MODEL_URL": away, "PIPULATE_MODEL": "some-model"}
    with beside(tmp_path, browser, **env) as made:
        page = made.person(**look).page
        page.goto(f"{made.server.address}/hello")
        if look["viewport"]["width"] < 500:
            page.get_by_role("button", name="Assistant").click()
        expect(page.locator("#assistant .model-name")).to_have_text("some-model")  # Not only while it is looked for.
        notice = page.locator("#assistant .leaves")
        expect(notice).to_have_text(
            f"Answers leave this machine. What you write and what the assistant sees goes to {away}."
        )
        expect(notice).to_be_in_viewport(ratio=1)
        expect(page.locator("#assistant .send")).to_have_text("Send")
        assert findings(page) == []


def test_model_that_is_passed_on_names_who_gets_what_is_written(browser: Browser, tmp_path: Path) -> None:
    with beside(tmp_path, browser, PIPULATE_MODEL_REMOTE="yes") as made:
        made.ollama.models[:] = [model("huge-cloud", remote_host="https://ollama.com")]
        page = made.person().page
        page.goto(f"{made.server.address}/hello")
        page.request.post(f"{made.server.address}/-/assistant/look", headers=own(made))
        expect(page.locator("#assistant .leaves")).to_contain_text("goes to the servers of Ollama.")
        expect(page.locator("#assistant .leaves")).not_to_contain_text("127.0.0.1")


def test_code_looks_like_code_while_it_is_written(talk: Beside) -> None:
    page = talk.start(talk.person())
    talk.ask(page, "Code", Turn("See:\n\n```python\nx = 1\ny = 2\n```\n\nThat is it", holds_at=2))
    fence = answers(page).locator(".tail.fence")
    expect(fence).to_contain_text("x =")
    assert "monospace" in fence.evaluate("each => getComputedStyle(each).fontFamily")
    page.reload()
    expect(fence).to_contain_text("x =")
    talk.ollama.go()
    expect(done(page).locator(".code-box")).to_contain_text("y = 2")
    expect(page.locator(".tail")).to_have_count(0)
