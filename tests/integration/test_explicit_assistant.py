"""The assistant in class-style runs: it reads what their pages ask for, and sends what their pages would send."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.errors import (
    ActionFailedError,
    CallError,
    PipulateError,
    RunConflictError,
    RunLockedError,
    StepNotOpenError,
)
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import profiles
from pipulate.tools.action import Difference, Doing, Result
from pipulate.tools.registry import checked
from tests.support.explicit import BENCH, Desk, Tab, explicit
from tests.support.generations import FIRST, SECOND

pytestmark = pytest.mark.anyio

ODD = """
from collections import namedtuple
from fasthtml.common import *

Step = namedtuple("Step", ["id", "done", "show", "refill", "transform"], defaults=(None,))

class Odd:
    APP_NAME = "odd"
    DISPLAY_NAME = "Odd One"

    def __init__(self, app, pipulate, db):
        self.pip, self.db = pipulate, db
        self.steps = [Step("step_01", "word", "Word", False), Step("finalize", "finalized", "", False)]
        app.route("/odd/init", methods=["POST"])(self.init)
        app.route("/odd/step_01", methods=["GET"])(self.step_01)
        app.route("/odd/step_01_submit", methods=["POST"])(self.step_01_submit)
        self.page = ""

    async def landing(self, request):
        return Div(id="odd-container")

    async def init(self, request):
        form = await request.form()
        if form["pipeline_id"] == "none":
            return P("Not <today>.")
        self.db["pipeline_id"] = form["pipeline_id"]
        self.pip.initialize_if_missing(form["pipeline_id"], {"app_name": "odd"})
        return self.pip.rebuild("odd", self.steps)

    async def step_01(self, request):
        key = self.db["pipeline_id"]
        if self.page == "writes":
            await self.pip.set_step_data(key, "step_01", "by itself", self.steps)
        if self.page == "fails":
            raise ValueError("a secret of the page")
        return NotStr(self.page)

    async def step_01_submit(self, request):
        form = await request.form()
        await self.pip.set_step_data(self.db["pipeline_id"], "step_01", dict(form), self.steps)
        return P("stored")
"""
"""Its page is whatever a test says."""


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("assistant")
    async with explicit(folder, herb_garden=FIRST, tool_shed=SECOND, odd_one=ODD, bench=BENCH) as made:
        yield made


@pytest.fixture
def desk(application: Application) -> Desk:
    return Desk(application)


def doing(**what: Any) -> Doing:
    return Doing(Who(OWNER), "default", **what)


async def do(desk: Desk, name: str, beside: Doing, /, **given: Any) -> Result:
    action = desk.application.site.registry.find(name)
    assert action is not None
    return await action.do(checked(action, given), beside)


async def card(desk: Desk, name: str, beside: Doing, /, **given: Any) -> list[Difference]:
    action = desk.application.site.registry.find(name)
    assert action is not None
    assert action.differences is not None
    return list(await action.differences(checked(action, given), beside))


async def begun(desk: Desk, app: str = "garden", **what: Any) -> tuple[Doing, dict[str, Any]]:
    """Start a run of an app through the assistant; return who goes on beside it, and how it stands."""
    page(desk, "")
    made = (await do(desk, "start_run", doing(app=app), app=app)).data
    return doing(app=app, run=made["run"], **what), made


async def state(desk: Desk, run: str) -> dict[str, Any]:
    view = await desk.application.site.engine.view(run, Who(OWNER))
    return {name: value.data["output"] for name, value in view.state.steps.items()}


async def told(desk: Desk, made: dict[str, Any]) -> list[str]:
    """Return what the garden said in a run, once all of it is stored."""
    explicit = desk.application.site.explicit
    assert explicit is not None
    assert explicit.host().wait_written(20)
    return await desk.said(made["name"], "garden")


def page(desk: Desk, markup: str) -> None:
    """Have the odd app ask with this."""
    app = desk.application.site.plugins.table.by_app["odd"].app
    app.instance.page = markup  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("app", "step", "field", "following"),
    [("garden", "step_01", "herb", "step_02"), ("shed", "step_tool", "tool", "step_02b")],
)
async def test_step_is_filled_in_as_its_page_does_it(
    desk: Desk, app: str, step: str, field: str, following: str
) -> None:
    beside, made = await begun(desk, app)
    assert [each["status"] for each in made["steps"]] == ["open", "waiting", "waiting"]
    form = (await do(desk, "read_form", beside)).data
    assert form["step"] == step
    assert [each["field"] for each in form["fields"]] == [field]
    given = {"step": step, "values": {field: "<b>basil</b>"}, "version": form["version"]}
    assert await card(desk, "submit_step", beside, **given) == [Difference(field, None, "<b>basil</b>")]
    assert await state(desk, made["run"]) == {}
    after = await do(desk, "submit_step", dataclasses.replace(beside, submit="call-0001-" + app), **given)
    assert await state(desk, made["run"]) == {step: {field: "<b>basil</b>"}}
    assert {each["step"]: each["status"] for each in after.data["steps"]}[following] == "open"
    assert after.untrusted
    journal = await desk.journal(made["name"], app)
    assert journal[-1].data["via"] == "assistant"
    assert journal[-1].actor == OWNER


async def test_the_page_is_seen_as_the_app_fills_it(desk: Desk) -> None:
    beside, made = await begun(desk)
    given = {"step": "step_01", "values": {"herb": "basil"}, "version": made["version"]}
    await do(desk, "submit_step", beside, **given)
    (pot,) = (await do(desk, "read_form", beside)).data["fields"]
    assert pot["in the form now"] == "pot for basil"


async def test_same_call_twice_is_one_event(desk: Desk) -> None:
    beside, made = await begun(desk)
    twice = dataclasses.replace(beside, submit="call-twice-0001")
    given = {"step": "step_01", "values": {"herb": "basil"}, "version": made["version"]}
    first = await do(desk, "submit_step", twice, **given)
    again = await do(desk, "submit_step", twice, **given)
    assert first.data["version"] == again.data["version"]
    twice = dataclasses.replace(beside, submit="call-twice-0002")
    back = await do(desk, "revert_step", twice, step="step_01", version=first.data["version"])
    said = await told(desk, made)
    again = await do(desk, "revert_step", twice, step="step_01", version=first.data["version"])
    assert back.data["version"] == again.data["version"]
    assert await told(desk, made) == said  # Its handler was not called again.


async def test_going_back_clears_what_the_app_clears(desk: Desk) -> None:
    beside, made = await begun(desk)
    for step, field in (("step_01", "herb"), ("step_02", "pot")):
        version = (await do(desk, "read_run", beside)).data["version"]
        await do(desk, "submit_step", beside, step=step, values={field: "x1"}, version=version)
    version = (await do(desk, "read_run", beside)).data["version"]
    given = {"step": "step_01", "version": version}
    assert await card(desk, "revert_step", beside, **given) == [
        Difference("Herb", "done", "open to be filled in again"), Difference("Pot", "x1", None),
    ]  # fmt: skip
    await do(desk, "revert_step", beside, **given)
    assert await state(desk, made["run"]) == {"step_01": {"herb": "x1"}}
    assert (await do(desk, "read_form", beside)).data["step"] == "step_01"


async def test_what_is_refilled_is_not_said_to_be_cleared(desk: Desk) -> None:
    key = await desk.begin("refilled", first={"wood": "oak"}, second={"nail": "steel"}, third={"glue": "bone"})
    row = await desk.row(key)
    beside = doing(app="bench", run=row.id)
    assert await card(desk, "revert_step", beside, step="first", version=row.version) == [
        Difference("First piece", "done", "open to be filled in again"), Difference("Third piece", "bone", None),
    ]  # fmt: skip


async def test_what_the_page_refuses_is_told_with_its_words(desk: Desk) -> None:
    beside, made = await begun(desk)
    with pytest.raises(CallError, match=r"“Herb” stored nothing\. Its page says: No x"):
        await do(desk, "submit_step", beside, step="step_01", values={"herb": "x"}, version=made["version"])


async def test_what_a_browser_would_not_send_is_refused_before_anybody_is_asked(desk: Desk) -> None:
    beside, made = await begun(desk)
    for values, words in (({"herb": ""}, "has to be filled in"), ({"nope": "1"}, "no such field")):
        with pytest.raises(CallError, match=words):
            await card(desk, "submit_step", beside, step="step_01", values=values, version=made["version"])


async def test_changes_of_others_locks_and_closed_steps_are_respected(desk: Desk) -> None:
    beside, made = await begun(desk)
    given: dict[str, Any] = {"step": "step_01", "values": {"herb": "mint"}, "version": made["version"]}
    with pytest.raises(StepNotOpenError):
        await card(desk, "submit_step", beside, **given | {"step": "step_02", "values": {"pot": "big"}})
    with pytest.raises(StepNotOpenError):
        await card(desk, "submit_step", beside, **given | {"step": "finalize", "values": {}})
    tab = Tab(desk.application, "garden")
    tab.headers = {"x-pipulate-run": made["run"]}
    await tab.post("step_01_submit", herb="basil")
    await tab.post("revert", step_id="step_01")
    with pytest.raises(RunConflictError):
        await do(desk, "submit_step", beside, **given)
    assert await state(desk, made["run"]) == {"step_01": {"herb": "basil"}}
    await tab.post("finalize")
    for action, more in (("submit_step", given), ("revert_step", {"step": "step_01", "version": 9})):
        with pytest.raises(RunLockedError):
            await do(desk, action, beside, **more)


async def test_only_the_page_that_is_open_beside_the_conversation_is_used(desk: Desk) -> None:
    _, made = await begun(desk)
    given = {"run": made["run"], "step": "step_01", "values": {"herb": "mint"}, "version": made["version"]}
    for elsewhere in (doing(app="garden"), (await begun(desk))[0]):
        with pytest.raises(CallError, match="Ask the person to open that run"):
            await card(desk, "submit_step", elsewhere, **given)


async def test_reading_a_form_changes_nothing_and_says_nothing(desk: Desk) -> None:
    beside, made = await begun(desk)
    before = await told(desk, made)
    await do(desk, "read_form", beside)
    assert await told(desk, made) == before
    site = desk.application.site
    assert (await site.engine.view(made["run"], Who(OWNER))).row.version == made["version"]


async def test_page_that_changes_something_when_it_is_opened_is_left_to_the_browser(desk: Desk) -> None:
    beside, made = await begun(desk, "odd")
    page(desk, "writes")
    with pytest.raises(CallError, match="can only be used in the browser"):
        await do(desk, "read_form", beside)
    assert await state(desk, made["run"]) == {}


async def test_page_that_fails_is_told_without_what_stood_in_the_error(desk: Desk) -> None:
    beside, _ = await begun(desk, "odd")
    page(desk, "fails")
    with pytest.raises(ActionFailedError) as raised:
        await do(desk, "read_form", beside)
    assert "secret of the page" not in str(raised.value)


@pytest.mark.parametrize(
    "markup",
    [
        "", "<p>Nothing</p>", '<form hx-post="/garden/step_01_submit"><input name="herb"></form>',
        '<form hx-post="https://example.com/odd/step_01_submit"><input name="a"></form>',
        '<form hx-post="/-/runs/x/finalize"><input name="a"></form>', '<form hx-post="/odd/init"><input name=a></form>',
    ],
)  # fmt: skip
async def test_form_that_leads_elsewhere_is_no_form_of_the_step(desk: Desk, markup: str) -> None:
    beside, _ = await begun(desk, "odd")
    page(desk, markup)
    with pytest.raises(CallError, match="no form that can be filled in here"):
        await do(desk, "read_form", beside)


async def test_hidden_values_are_sent_and_not_told_and_secrets_are_for_the_person(desk: Desk) -> None:
    beside, made = await begun(desk, "odd")
    page(
        desk,
        '<form hx-post="/odd/step_01_submit"><input type="hidden" name="form" value="f-77"><input name="word">'
        '<input type="password" name="pin" value="hush"><input type="checkbox" name="yes" value="1"></form>',
    )
    told = await do(desk, "read_form", beside)
    assert "f-77" not in json.dumps(told.data)
    assert "hush" not in json.dumps(told.data)
    given: dict[str, Any] = {"step": "step_01", "version": made["version"]}
    for values in ({"form": "mine"}, {"pin": "1"}):
        with pytest.raises(CallError):
            await card(desk, "submit_step", beside, **given, values=values)
    await do(desk, "submit_step", beside, **given, values={"word": "w", "yes": True})
    assert await state(desk, made["run"]) == {"step_01": {"word": {"form": "f-77", "word": "w", "yes": "1"}}}


async def test_a_secret_that_is_needed_leaves_the_step_to_the_person(desk: Desk) -> None:
    beside, made = await begun(desk, "odd")
    page(desk, '<form hx-post="/odd/step_01_submit"><input name="pin" type="password" required></form>')
    with pytest.raises(CallError, match="Only the person can fill this in"):
        await card(desk, "submit_step", beside, step="step_01", values={}, version=made["version"])


async def test_run_is_started_by_name_and_found_again_by_it(desk: Desk) -> None:
    assert await card(desk, "start_run", doing(), app="garden", name="Terrace") == [
        Difference("Run of Herb Garden", None, "Terrace")
    ]
    first = await do(desk, "start_run", doing(), app="garden", name="Terrace")
    assert first.words.endswith("was started.")
    again = await do(desk, "start_run", doing(), app="garden", name="Terrace")
    assert again.words.endswith("was there already.")
    assert again.data["run"] == first.data["run"]


async def test_run_is_started_in_the_profile_that_was_asked_in(desk: Desk) -> None:
    site = desk.application.site
    other = await site.db.write(profiles.add, "other", "Other Side", "2026-11-20T10:00:00.000000Z")
    made = await do(desk, "start_run", dataclasses.replace(doing(app="garden"), profile=other.id), app="garden")
    assert (await desk.row(made.data["name"], "garden")).profile == other.id
    assert made.data["name"].startswith("Other_Side-Herb_Garden-")


async def test_version_that_nobody_has_seen_changes_nothing(desk: Desk) -> None:
    beside, made = await begun(desk)
    with pytest.raises(PipulateError):
        await do(desk, "submit_step", beside, step="step_01", values={"herb": "mint"}, version=99)
    assert await state(desk, made["run"]) == {}


async def test_page_that_begins_no_run_is_told_with_its_words(desk: Desk) -> None:
    with pytest.raises(CallError, match=r"“Odd One” began no run\. Not <today>\."):
        await do(desk, "start_run", doing(), app="odd", name="none")


async def test_what_only_a_page_can_do_is_left_to_it(desk: Desk) -> None:
    beside, made = await begun(desk)
    with pytest.raises(CallError, match="only be done on the page of the run"):
        await do(desk, "start_job", beside, step="step_01", version=made["version"])


async def test_reading_a_form_is_offered_beside_class_style_runs_alone(desk: Desk) -> None:
    beside, _ = await begun(desk)
    registry = desk.application.site.registry
    names = [{each.name for each in registry.offered(where)} for where in (beside, doing(app="garden"), doing())]
    assert ["read_form" in each for each in names] == [True, False, False]
