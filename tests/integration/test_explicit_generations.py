"""Both generations of class-style plugins walk their whole way in one server: sections 7, 8 and 13 of the contract."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from pipulate.app import Application
from tests.support.explicit import Desk, explicit
from tests.support.generations import FIRST, SECOND
from tests.support.site import Answer, Browser

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    folder = tmp_path_factory.mktemp("generations")
    async with explicit(folder, herb_garden=FIRST, tool_shed=SECOND) as made:
        yield made


@dataclass
class Walk:
    """A tab that walks through a run of an app, keeping what answers say of it."""

    browser: Browser
    app: str
    headers: dict[str, str | None] = field(default_factory=dict)

    async def get(self, name: str) -> str:
        """Ask for a cell."""
        return self.took(await self.browser.get(f"/{self.app}/{name}", htmx=True, headers=self.headers))

    async def post(self, name: str, form: Mapping[str, str] | None = None) -> str:
        """Send a form."""
        answer = await self.browser.post(f"/{self.app}/{name}", form or {}, htmx=True, headers=self.headers)
        return self.took(answer)

    def took(self, answer: Answer) -> str:
        """Take the run and its version from an answer."""
        assert answer.status == 200, answer.text
        if "x-pipulate-run" in answer.headers:
            self.headers = {
                "x-pipulate-run": answer.headers["x-pipulate-run"],
                "x-pipulate-seen": answer.headers["x-pipulate-version"],
            }
        return answer.text


def loads(markup: str) -> list[str]:
    """Return what a browser would ask for by itself, in order."""
    return re.findall(r'hx-get="([^"]+)"[^>]*hx-trigger="load"', markup)


def tags(markup: str, *having: str) -> list[str]:
    """Return the opening tags that have all of these attributes, whatever their order."""
    return [tag for tag in re.findall(r"<[a-z][^>]*>", markup) if all(f" {each}" in tag for each in having)]


# How people come to a run


@pytest.mark.parametrize(
    ("page", "app", "title", "key"),
    [
        ("/herb_garden", "garden", "Herb Garden", "Default_Profile-Herb_Garden-"),
        ("/garden", "garden", "Herb Garden", "Default_Profile-Herb_Garden-"),
        ("/tool_shed", "shed", "Tool Shed", "Default_Profile-shed-"),
    ],
)
async def test_landing_page_offers_the_next_free_key_above_an_empty_place(
    application: Application, page: str, app: str, title: str, key: str
) -> None:
    text = (await Browser(application).get(page)).text
    work = text[text.index('id="grid-left-content"') :]
    assert f"<h2>{title}</h2>" in work
    assert f'hx-post="/{app}/init"' in work
    assert f'hx-target="#{app}-container"' in work
    (asks,) = re.findall(r'<input[^>]*name="pipeline_id"[^>]*>', work)
    assert re.search(rf'value="{key}[0-9][0-9]"', asks)
    assert 'type="search"' in asks
    assert 'list="pipeline-ids"' in asks
    assert len(tags(work, 'id="pipeline-ids"', 'hx-swap-oob="true"')) == 1
    assert f'<div id="{app}-container"></div>' in work
    assert work.index("</form>") < work.index(f'id="{app}-container"')


@pytest.mark.parametrize("app", ["garden", "shed"])
async def test_empty_key_refreshes_the_page_and_begins_nothing(application: Application, app: str) -> None:
    answer = await Browser(application).post(f"/{app}/init", {"pipeline_id": "  "}, htmx=True)
    assert (answer.status, answer.text, answer.headers["hx-refresh"]) == (200, "", "true")
    assert "x-pipulate-run" not in answer.headers


@pytest.mark.parametrize(
    ("app", "typed", "key"),
    [
        ("garden", "7", "Default_Profile-Herb_Garden-07"),
        ("garden", "Default_Profile-Herb_Garden-basil", "Default_Profile-Herb_Garden-basil"),
        ("garden", "a b", "Default_Profile-Herb_Garden-a b"),
        ("shed", "7", "Default_Profile-shed-07"),
        ("shed", "Default_Profile-shed-saw", "Default_Profile-shed-saw"),
    ],
)
async def test_typed_key_gets_the_prefix_it_lacks(application: Application, app: str, typed: str, key: str) -> None:
    answer = await Browser(application).post(f"/{app}/init", {"pipeline_id": typed}, htmx=True)
    assert (await Desk(application).row(key, app)).id == answer.headers["x-pipulate-run"]
    assert f'id="{app}-container"' in answer.text


async def test_known_keys_are_offered_again(application: Application) -> None:
    browser = Browser(application)
    for app, page in (("garden", "/herb_garden"), ("shed", "/tool_shed")):
        await browser.post(f"/{app}/init", {"pipeline_id": "known"}, htmx=True)
        offered = re.findall(r'<option value="([^"]*)"', (await browser.get(page)).text)
        assert any(each.endswith("-known") for each in offered)
        assert all(app in each or "Herb_Garden" in each for each in offered)


# The whole way


async def test_first_generation_walks_from_the_first_form_to_the_lock_and_back(application: Application) -> None:
    walk = Walk(Browser(application), "garden")
    cells = await walk.post("init", {"pipeline_id": "walk"})
    assert 'name="herb"' in cells, "the first cell is filled"
    waits = ('hx-get="/garden/step_02"', 'hx-trigger="stepComplete-step_01 from:step_01"', 'hx-swap="outerHTML"')
    assert len(tags(cells, 'id="step_02"', *waits)) == 1

    assert "Herb cannot be empty" in await walk.post("step_01_submit", {"herb": " "})
    assert "No x" in await walk.post("step_01_submit", {"herb": "x"})
    answer = await walk.post("step_01_submit", {"herb": "basil"})
    assert "Herb: basil" in answer
    assert "↶" not in answer
    assert "⟲\u00a0Step\u00a01" in answer
    assert 'value="pot for basil"' in answer, "the next step came along, with what transform suggests"
    assert loads(answer) == []

    answer = await walk.post("step_02_submit", {"pot": "clay <1>"})
    assert "clay &lt;1&gt;" in answer
    assert re.search(r'id="step_02-widget-[0-9a-f]+"', answer)
    assert 'hx-post="/garden/finalize"' in answer

    locked = await walk.post("finalize")
    assert "🔒 Herb: basil" in locked
    assert "🔒 Pot: clay &lt;1&gt;" in locked
    assert 'hx-post="/garden/unfinalize"' in locked
    assert "button-revert" not in locked

    assert "button-revert" in await walk.post("unfinalize")
    back = await walk.post("revert", {"step_id": "step_01"})
    assert 'value="basil"' in back, "a step to refill keeps its value"
    assert "clay" not in back
    again = await walk.post("step_01_submit", {"herb": "mint"})
    assert 'value="pot for mint"' in again
    assert "No step specified" in await walk.post("revert")


async def test_second_generation_walks_from_the_first_form_to_the_lock_and_back(application: Application) -> None:
    walk = Walk(Browser(application), "shed")
    cells = await walk.post("init", {"pipeline_id": "walk"})
    assert 'name="tool"' in cells
    (waiting,) = tags(cells, 'id="step_02b"', 'hx-get="/shed/step_02b"')
    assert "hx-trigger" not in waiting
    assert "hx-swap" not in waiting
    assert 'data-x="1"' in cells

    answer = await walk.post("step_tool_submit", {"tool": "saw"})
    assert "Tool: saw" in answer
    assert 'name="wall"' in answer
    assert loads(answer) == []
    answer = await walk.post("step_02b_submit", {"wall": "north"})
    assert "Wall: north" in answer
    assert "Open" in answer

    locked = await walk.post("finalize")
    assert "🔒 Tool" in locked
    assert "kept: saw" in locked
    assert "Locked" in locked
    assert "button-revert" not in locked
    assert "Wall: north" in await walk.post("unfinalize")
    back = await walk.post("revert", {"step_id": "step_02b"})
    assert "Tool: saw" in back
    assert 'value="north"' in back
    assert "↶\u00a0Step\u00a02" in await walk.post("step_02b_submit", {"wall": "south"})


async def test_reverter_of_each_generation_scrolls_as_it_did(application: Application) -> None:
    for app, name, field_, scrolls in (("garden", "step_01", "herb", True), ("shed", "step_tool", "tool", False)):
        walk = Walk(Browser(application), app)
        await walk.post("init", {"pipeline_id": "scroll"})
        form = {field_: "one"}
        answer = await walk.browser.post(f"/{app}/{name}_submit", form, htmx=True, headers=walk.headers)
        assert ("hx-trigger-after-settle" in answer.headers) is scrolls


async def test_page_of_a_run_shows_every_cell_at_once(application: Application) -> None:
    walk = Walk(Browser(application), "garden")
    await walk.post("init", {"pipeline_id": "page"})
    await walk.post("step_01_submit", {"herb": "dill"})
    await walk.post("step_02_submit", {"pot": "tin"})
    page = await walk.browser.get("/herb_garden/Default_Profile-Herb_Garden-page")
    assert "Herb: dill" in page.text
    assert "Pot: tin" in page.text
    assert 'hx-post="/garden/finalize"' in page.text
    assert loads(page.text) == []


async def test_run_of_one_generation_is_none_of_the_other(application: Application) -> None:
    garden, shed = Walk(Browser(application), "garden"), Walk(Browser(application), "shed")
    await garden.post("init", {"pipeline_id": "own"})
    await garden.post("step_01_submit", {"herb": "sage"})
    shed.headers = dict(garden.headers)
    assert 'value="sage"' not in await shed.get("step_tool")
    assert 'name="tool"' in await shed.post("init", {"pipeline_id": "Default_Profile-Herb_Garden-own"})


async def test_names_of_the_old_host_import_and_say_when_they_are_not_served(application: Application) -> None:
    import sys

    module = sys.modules["plugins.tool_shed"]
    assert module.HOST_NAME == "Pipulate"
    assert module.title_name("tool_shed") == "Tool Shed"
    assert {"user", "assistant", "system"} <= set(module.VALID_ROLES)
    with pytest.raises(NotImplementedError, match=r"something_of_the_old_host .* is not served"):
        module.something_of_the_old_host()
