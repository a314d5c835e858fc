"""Long work of a class-style app, and live views that hardly change, in a browser with the real server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import Person, person
from tests.e2e.late import Held
from tests.e2e.test_access import findings
from tests.support.server import Server

WORKS = """
from collections import namedtuple
from pathlib import Path
from fasthtml.common import *
from starlette.responses import Response

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Works:
    APP_NAME = "works"
    DISPLAY_NAME = "Works"

    def __init__(self, app, pipulate, db):
        self.app, self.pip, self.db = app, pipulate, db
        self.steps = [
            Step("step_01", "sum", "Sum", False), Step("step_02", "word", "Word", False),
            Step("finalize", "finalized", "Finalize", False),
        ]
        pipulate.register_workflow_routes(self)

    async def landing(self, request):
        return self.pip.create_standard_landing_page(self)

    async def init(self, request):
        key = self.pip.generate_pipeline_key(self, (await request.form())["pipeline_id"])[0]
        self.db["pipeline_id"] = key
        self.pip.initialize_if_missing(key, {"app_name": "works"})
        return self.pip.rebuild("works", self.steps)

    async def step_01(self, request):
        key = self.db["pipeline_id"]
        if self.pip.job_status(key, "step_01"):
            return self.pip.job_view("works", "step_01", key)
        form = Form(Button("Begin"), hx_post="/works/step_01_submit", hx_target="#step_01", hx_swap="outerHTML")
        return Div(Card(H3("Sum"), form), Div(id="step_02"), id="step_01")

    async def step_01_submit(self, request):
        self.pip.start_job(self.db["pipeline_id"], "step_01", self.work, 3)
        return await self.step_01(request)

    async def step_02(self, request):
        return Div(Card(H3("The last step")), id="step_02")

    async def handle_revert(self, request):
        state = self.pip.read_state(self.db["pipeline_id"])
        state["_revert_target"] = (await request.form())["step_id"]
        self.pip.write_state(self.db["pipeline_id"], state)
        return self.pip.rebuild("works", self.steps)

    async def work(self, parts, job, progress):
        progress.total(parts)
        for part in range(parts):
            progress.advance(1, f"Part {part + 1}")
            progress.log(f"began part {part + 1}")
            while not Path(f"go{part}").exists():
                await job.wait(0.02)
        return 42
"""

STILL = """
from pipulate import Run, Workflow
from pipulate.ui import Html, b, live

still = Workflow("still")

@still.step("one")
def one(word: str) -> str:
    return word

@one.done
def one_done(word: str) -> Html:
    return live("same", "Waiting", step="one", shows_time=True)

@still.live("same", every=0.1)
def same(run: Run, step: str | None) -> Html:
    return b("Drawn for ", step)

@still.step("two")
def two(word: str) -> str:
    return word
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("works")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "works.py").write_text(WORKS)
    (folder / "plugins" / "still.py").write_text(STILL)
    with Server(folder) as running:
        yield running


@pytest.fixture
def ann(browser: Browser, server: Server) -> Iterator[Person]:
    somebody = person(browser, server)
    yield somebody
    somebody.context.close()
    assert somebody.problems == []


def entered(ann: Person, key: str) -> Page:
    """Open the app with a run of this key; its job will wait before every part."""
    for path in ann.server.folder.glob("go?"):
        path.unlink()
    page = ann.page
    page.goto(f"{ann.server.address}/works")
    page.locator("input[name=pipeline_id]").fill(key)
    page.locator("input[name=pipeline_id]").press("Enter")
    return page


def test_job_is_followed_stopped_started_again_and_the_chain_goes_on(ann: Person, server: Server) -> None:
    page = entered(ann, "followed")
    page.get_by_role("button", name="Begin").click()
    cell = page.locator("#explicit")
    expect(cell).to_contain_text(re.compile(r"Part 1 \(1 of 3\)"))
    expect(cell).to_contain_text("began part 1")
    assert findings(page) == []
    other = ann.tab()
    other.goto(page.url)
    (server.folder / "go0").touch()
    for each in (page, other):
        expect(each.locator("#explicit")).to_contain_text(re.compile(r"Part 2 \(2 of 3\)"))
    page.reload()
    page.get_by_role("button", name="Stop").click()
    for each in (page, other):
        expect(each.locator("#explicit")).to_contain_text("Stopped.")
    page.get_by_role("button", name="Try again").click()
    expect(cell).to_contain_text(re.compile(r"Part 2 \(2 of 3\)"))
    for name in ("go1", "go2"):
        (server.folder / name).touch()
    for each in (page, other):
        expect(each.get_by_role("heading", name="The last step")).to_be_visible()
        expect(each.locator("#explicit")).to_contain_text("Sum: 42")
        assert each.locator("#step_01[hx-trigger^=every]").count() == 0


def test_answer_of_a_click_has_its_place_though_the_cell_was_asking_anew(ann: Person, server: Server) -> None:
    page = entered(ann, "asking")
    asked, sent = Held(page, "**/works/step_01"), Held(page, "**/steps/step_01/stop")
    page.get_by_role("button", name="Begin").click()
    asked.wait()
    page.get_by_role("button", name="Stop").click()
    sent.wait()
    asked.arrives()
    asked.let_go()
    sent.arrives()
    expect(page.locator("#explicit")).to_contain_text("Stopped.")


def test_button_of_a_cell_that_asks_anew_stays_under_the_hand(ann: Person, server: Server) -> None:
    page = entered(ann, "steady")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#explicit")).to_contain_text(re.compile(r"Part 1 \(1 of 3\)"))
    stop = page.get_by_role("button", name="Stop").element_handle()
    (server.folder / "go0").touch()
    expect(page.locator("#explicit")).to_contain_text(re.compile(r"Part 2 \(2 of 3\)"))
    assert stop.evaluate("button => button.isConnected")
    stop.click()
    expect(page.locator("#explicit")).to_contain_text("Stopped.")


def test_what_a_live_view_drew_stays_through_swaps_and_reloads(ann: Person, server: Server) -> None:
    page = ann.start("still")
    page.get_by_label("Word").fill("a")
    page.get_by_role("button", name="Continue").click()
    place = page.locator("[data-live='same@one']")
    expect(place).to_have_text("Drawn for one")
    told = page.locator("[data-live-at='same@one']")
    expect(told).to_have_text(re.compile(r"Updated \d\d:\d\d:\d\d"))
    before = told.inner_text()
    other = ann.tab()
    other.goto(page.url)
    other.locator("#step-two").get_by_label("Word").fill("b")
    other.locator("#step-two").get_by_role("button", name="Continue").click()
    expect(page.locator("#step-two.done")).to_be_visible()  # Brought by a refresh, in place.
    for each in (page, other):
        expect(each.locator("[data-live='same@one']")).to_have_text("Drawn for one")
    assert told.inner_text() == before
