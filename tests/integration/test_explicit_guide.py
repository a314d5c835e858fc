"""Where the guide and real plugins disagree both forms work; and what the guide has for whoever looks for a mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from tests.support.explicit import BENCH, Desk, explicit
from tests.support.generations import FIRST
from tests.support.site import Browser

pytestmark = pytest.mark.anyio

DEFAULTS = """
from collections import namedtuple
from fasthtml.common import *
Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None, None, None, False, None))

class Defaults:
    APP_NAME = "same_name"
    DISPLAY_NAME = "Same Name"

    def __init__(self, app, pipulate, pipeline, db):
        self.pip, self.db = pipulate, db
        self.steps = [Step("step_01", "a", "One"), Step("finalize", "finalized", "Finalize")]
        app.route("/same_name", ["GET"])(self.landing)
        app.route("/same_name/init", ["POST"])(self.init)
        app.route("/same_name/step_01", ["GET"])(self.step_01)

    async def landing(self, request):
        return Div("own landing", Div(id="same_name-container"))

    async def init(self, request):
        key, _, _ = self.pip.generate_pipeline_key(self)
        self.db["pipeline_id"] = key
        self.pip.initialize_if_missing(key, {"app_name": "same_name"})
        return Div(id="step_01", hx_get="/same_name/step_01", hx_trigger="load")

    async def step_01(self, request):
        pip, key = self.pip, self.db.get("pipeline_id", "unknown")
        return Div(P("key is ", key), pip.display_revert_header("step_01", "same_name", "One: <x>", self.steps))
"""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("guide")
    async with explicit(folder, bench=BENCH, same_name=DEFAULTS, herb_garden=FIRST) as made:
        yield made


@pytest.fixture
async def desk(application: Application) -> Desk:
    return Desk(application)


# Rows of section 14


async def test_message_before_steps_and_steps_before_message_look_the_same(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        header, widget = plugin.pip.display_revert_header, plugin.pip.display_revert_widget
        from fasthtml.common import to_xml

        steps = plugin.steps
        return (
            to_xml(header("first", "bench", "said", steps)) == to_xml(header("first", "bench", steps, "said")),
            to_xml(widget("first", "bench", "said", steps, "w"))
            == to_xml(widget("first", "bench", steps, "said", "w")),
        )

    assert await desk.returned(job) == (True, True)


async def test_step_may_leave_out_what_has_a_default_and_a_key_is_made_in_init(application: Application) -> None:
    answer = await Browser(application).post("/same_name/init", {}, htmx=True)
    assert "key is Default_Profile-Same_Name-01" in answer.text
    assert "One: &lt;x&gt;" in answer.text
    assert "↶\u00a0Step\u00a01" in answer.text


async def test_page_keeps_its_frame_where_the_stored_name_is_the_module(application: Application) -> None:
    page = (await Browser(application).get("/same_name")).text
    assert "own landing" in page
    assert 'id="apps-list"' in page
    assert 'id="grid-left-content"' in page


async def test_address_of_the_stored_name_and_of_the_module_both_lead_to_the_app(application: Application) -> None:
    for address in ("/garden", "/herb_garden"):
        answer = await Browser(application).get(address)
        assert (answer.status, 'hx-post="/garden/init"' in answer.text) == (200, True)


@pytest.mark.parametrize("address", ["finalize", "finalize_submit"])
async def test_run_is_locked_by_either_address(application: Application, address: str) -> None:
    browser, desk = Browser(application), Desk(application)
    begun = await browser.post("/garden/init", {"pipeline_id": address}, htmx=True)
    sent: dict[str, str | None] = {"x-pipulate-run": begun.headers["x-pipulate-run"]}
    for step, done in (("step_01", "herb"), ("step_02", "pot")):
        assert (await browser.post(f"/garden/{step}_submit", {done: "x1"}, htmx=True, headers=sent)).status == 200
    assert "🔒" in (await browser.post(f"/garden/{address}", htmx=True, headers=sent)).text
    row = await desk.row(f"Default_Profile-Herb_Garden-{address}", "garden")
    assert row.locked_at is not None


async def test_names_that_only_the_guide_has_work_all_the_same(desk: Desk) -> None:
    key = await desk.begin("temporary", first={"wood": "oak"})

    async def job(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        pip.write_temp_state(key, "first", {"processing_status": "in_progress", "temp_files": ["1.tmp"]})
        await pip.set_temp_data(key, "progress", 5)
        return (
            pip.read_temp_state(key, "first", {}), pip.read_temp_state(key, "progress"),
            pip.validate_workflow_state(key, plugin.steps),
        )  # fmt: skip

    kept, progress, validity = await desk.returned(job, key)
    assert kept == {"processing_status": "in_progress", "temp_files": ["1.tmp"]}
    assert (progress, validity) == (5, (False, "Missing data for Second piece"))
    assert await desk.state(key) == {"first": {"wood": "oak"}}


# Looking for a mistake


async def test_state_and_whole_context_are_returned_and_logged(
    desk: Desk, application: Application, capfd: pytest.CaptureFixture[str]
) -> None:
    key = await desk.begin("looked at", first={"wood": "oak"}, second={"nail": 1})

    async def job(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        state = pip.read_state(key)
        state["_revert_target"] = "second"
        pip.write_state(key, state)
        return pip.debug_state(key, "first"), pip.debug_full_context(key, "second")

    (state, value), context = await desk.returned(job, key)
    assert (state["second"], value) == ({"nail": 1}, {"wood": "oak"})
    assert context["full_state"]["first"] == {"wood": "oak"}
    assert {name: context[name] for name in context if name != "full_state"} == {
        "pipeline_id": key,
        "current_step": "second",
        "step_data": {"nail": 1},
        "is_finalized": False,
        "revert_target": "second",
        "completed_steps": ["first", "second"],
    }


async def test_htmx_attributes_and_requests_are_told(desk: Desk) -> None:
    async def job(plugin: Any, request: Any) -> Any:
        from fasthtml.common import Div

        pip = plugin.pip
        element = Div(id="a", hx_get="/bench/first", hx_trigger="load", cls="x")
        return (
            pip.debug_htmx_attributes(element),
            pip.debug_htmx_attributes("no element"),
            pip.trace_htmx_request(request, "first"),
        )

    attributes, none, trace = await desk.returned(job, headers={"hx-target": "first"})
    assert attributes == {"hx-get": "/bench/first", "hx-trigger": "load"}
    assert none == {}
    assert (trace["step_id"], trace["method"], trace["is_htmx"]) == ("first", "POST", True)
    assert trace["htmx_headers"] == {"hx-request": "true", "hx-target": "first"}
    assert "/bench/do/" in trace["url"]


# States beyond simple steps


async def test_heavy_result_is_computed_once_and_a_task_goes_on_after_its_answer(desk: Desk) -> None:
    key = await desk.begin("heavy")
    computed: list[int] = []

    async def look(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        held = pip.get_step_data(key, "first", {})
        if "cached_result" not in held.get("wood", {}):
            computed.append(1)
            await pip.set_step_data(key, "first", {"cached_result": 42}, plugin.steps)
            held = pip.get_step_data(key, "first", {})
        return held["wood"]["cached_result"]

    assert [await desk.returned(look, key) for _ in range(2)] == [42, 42]
    assert computed == [1]


async def test_task_that_a_handler_starts_writes_into_the_run_it_was_started_for(desk: Desk) -> None:
    import asyncio

    key = await desk.begin("task")
    tasks: list[asyncio.Task[None]] = []

    async def start(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        await pip.set_step_data(key, "first", {"status": "running"}, plugin.steps)

        async def work() -> None:
            await pip.set_step_data(key, "first", {"status": "completed"}, plugin.steps)

        tasks.append(asyncio.create_task(work()))

    async def status(plugin: Any, _: Any) -> Any:
        await asyncio.gather(*tasks)
        return plugin.pip.get_step_data(key, "first", {})["wood"]["status"]

    await desk.returned(start, key)
    assert await desk.returned(status, key) == "completed"


async def test_next_step_can_depend_on_an_answer(desk: Desk) -> None:
    key = await desk.begin("branch")

    async def job(plugin: Any, _: Any) -> Any:
        from fasthtml.common import Div

        await plugin.pip.set_step_data(key, "first", "advanced", plugin.steps)
        choice = plugin.pip.get_step_data(key, "first", {})["wood"]
        following = "third" if choice == "advanced" else "second"
        return Div(Div(id=following, hx_get=f"/bench/{following}", hx_trigger="load"), id="first")

    done = await desk.do(job, key)
    assert '<div id="third"><div>A cell</div></div>' in done.answer.text
