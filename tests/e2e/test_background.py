"""A step that runs as a job, as people see it: in every tab, over a reload, over a server that was killed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.e2e.conftest import Person, person, until
from tests.e2e.late import Held
from tests.support.server import Server

APP = """
from pathlib import Path

from pipulate import Job, Progress, Run, Workflow

counting = Workflow("counting", title="Counting")
FOLDER = Path(__file__).parents[1]


@counting.step("words", title="Words")
def words(words: str = "one two three four") -> list[str]:
    return words.split()


@counting.step("letters", title="Letters", background=True)
def letters(run: Run, job: Job, progress: Progress) -> dict[str, int]:
    progress.total(len(run[words]))
    found = {}
    for word in run[words]:
        if word == "wrong":
            raise ValueError("that one cannot be counted <b>")
        while not (FOLDER / f"go-{word}").exists():
            job.wait_now(0.02)
        found[word] = job.checkpoint_now(word, count, word)
        progress.advance(1, f"Counted {word}")
        progress.log(f"{word} <i>has</i> {len(word)}")
        progress.partial(found)
    return found


def count(word: str) -> int:
    with (FOLDER / "done").open("a") as file:
        print(word, file=file)
    return len(word)


@counting.step("sum", title="Sum")
def total(run: Run) -> int:
    return sum(run[letters].values())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "counting.py").write_text(APP)
    return tmp_path


@pytest.fixture
def somebody(browser: Browser, folder: Path) -> Iterator[Person]:
    with Server(folder) as server:
        found = person(browser, server)
        yield found
        found.context.close()


def _go(folder: Path, *counted: str) -> None:
    for word in counted:
        (folder / f"go-{word}").touch()


def _begin(who: Person, words: str = "one two three four") -> Page:
    page = who.start("counting")
    page.get_by_role("textbox", name="Words").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator("#step-letters .working")).to_be_visible()
    # What runs the jobs is loaded with the first one.
    expect(page.locator("#step-letters")).not_to_contain_text("Waits")
    return page


def test_job_looks_the_same_in_three_tabs_and_after_a_reload(somebody: Person, folder: Path) -> None:
    page = _begin(somebody)
    others = [somebody.context.new_page() for _ in range(2)]
    for each in others:
        each.goto(page.url)
    _go(folder, "one", "two")
    for each in (page, *others):
        expect(each.locator("#step-letters")).to_contain_text("Counted two (2 of 4)")
        expect(each.locator(".job-log")).to_contain_text("two <i>has</i> 3")
        expect(each.locator(".so-far")).to_contain_text("two")
    page.reload()
    expect(page.locator("#step-letters")).to_contain_text("Counted two (2 of 4)")
    expect(page.locator(".job-log")).to_contain_text("one <i>has</i> 3")
    _go(folder, "three", "four")
    for each in (page, *others):
        expect(each.locator("#step-sum")).to_contain_text("15")
        expect(each.locator("#run-progress")).to_have_text("Finished")


def test_job_is_stopped_and_goes_on_where_it_was(somebody: Person, folder: Path) -> None:
    page = _begin(somebody)
    _go(folder, "one")
    expect(page.locator("#step-letters")).to_contain_text("(1 of 4)")
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Try again")).to_be_focused()
    expect(page.locator("#step-letters")).to_contain_text("What was finished is kept (1 part)")
    _go(folder, "two", "three", "four")
    page.keyboard.press("Enter")
    expect(page.locator("#step-sum")).to_contain_text("15")
    assert (folder / "done").read_text().split() == ["one", "two", "three", "four"]


def test_page_follows_what_happens_elsewhere_after_news_came_too_late(somebody: Person, folder: Path) -> None:
    """News whose place a click took away in the meantime: the page must not wait for them for ever."""
    page, other = _begin(somebody), somebody.tab()
    other.goto(page.url)
    held = Held(page, "**/steps/letters/job")
    _go(folder, "one")
    held.wait()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    held.let_go()
    other.get_by_role("button", name="Edit Words").click()
    other.get_by_role("textbox", name="Words").fill("two")
    other.keyboard.press("Enter")
    expect(page.locator("#step-words")).to_contain_text("Wordstwo")


def test_answer_of_a_click_has_its_place_though_news_of_the_job_came_before_it(somebody: Person, folder: Path) -> None:
    page = _begin(somebody)
    asked, sent = Held(page, "**/steps/letters/job"), Held(page, "**/steps/letters/stop")
    _go(folder, "one")
    asked.wait()
    page.get_by_role("button", name="Stop").click()
    sent.wait()
    asked.arrives()
    asked.let_go()
    sent.arrives()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_answer_that_is_older_than_what_a_job_said_since_takes_nothing_back(somebody: Person, folder: Path) -> None:
    sockets: list[WebSocketRoute] = []

    def passes(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    somebody.page.route_web_socket(re.compile("/-/live"), passes)
    page = _begin(somebody)
    expect(page.locator("#step-letters")).to_contain_text("(0 of 4)")
    page.evaluate("document.addEventListener('pipulate:morphed', () => { window.isMorphed = true; })")
    held = Held(page, page.url, is_answered=True)
    run = page.locator("#run").get_attribute("data-run")
    news = {"type": "job", "job": "other", "run": run, "step": "letters", "status": "queued"}
    sockets[-1].send(json.dumps(news))  # The page looks how the run stands.
    held.wait()
    _go(folder, "one")
    expect(page.locator("#step-letters")).to_contain_text("Counted one (1 of 4)")
    held.arrives()
    until(page, "window.isMorphed")
    expect(page.locator("#step-letters")).to_contain_text("Counted one (1 of 4)")


def test_job_that_fails_says_what_its_author_needs(somebody: Person, folder: Path) -> None:
    _go(folder, "one")
    page = _begin(somebody, "one wrong")
    expect(page.get_by_role("alert")).to_contain_text("The app made an error in this step")
    expect(page.locator("#step-letters")).to_contain_text("counting.py, line 21 (ValueError)")
    expect(page.locator("#step-letters")).not_to_contain_text("cannot be counted")
    page.get_by_role("button", name="Edit Words").click()
    page.get_by_role("textbox", name="Words").fill("one")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#step-sum")).to_contain_text("3")


def test_killed_server_takes_the_job_up_again(browser: Browser, folder: Path) -> None:
    with Server(folder) as first:
        somebody = person(browser, first)
        page = _begin(somebody)
        _go(folder, "one", "two")
        expect(page.locator("#step-letters")).to_contain_text("(2 of 4)")
        port = first.port
        first.kill()
    _go(folder, "three", "four")
    with Server(folder, arguments=("--port", str(port))):  # The page is left as it is: it comes back by itself.
        expect(page.locator("#step-sum")).to_contain_text("15", timeout=90_000)
    assert (folder / "done").read_text().split() == ["one", "two", "three", "four"]
    somebody.context.close()


def test_form_of_a_job_works_without_a_script(browser: Browser, folder: Path) -> None:
    _go(folder, "one", "two", "three", "four")
    with Server(folder) as server:
        somebody = person(browser, server, java_script_enabled=False)
        page = somebody.start("counting")
        page.get_by_role("textbox", name="Words").fill("one two")
        page.get_by_role("button", name="Continue").click()
        while page.locator("#step-sum", has_text="6").count() == 0:
            page.reload()
        somebody.context.close()
