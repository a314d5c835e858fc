"""Actions and training texts that plugin files bring: taken into use as they load, and said where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipulate.actions.scenes import AppScenes
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.storage import messages
from pipulate.tools.action import Doing
from pipulate.tools.registry import checked
from tests.support.plugins import Folder, folder_of_plugins
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

FLOW = '''
from typing import Annotated
from pydantic import Field
from pipulate import Run, Workflow

app = Workflow({name!r}, title={name!r}, training="know.md")

@app.step("days", title="How long")
def days(days: Annotated[int, Field(ge=1)]) -> int:
    return days

@app.action({action!r}, title="Estimate the price", effect="read")
def estimate(run: Run) -> str:
    """Say what it costs."""
    return f"{{run['days'] * 10}} euros"
'''
ANN = Who(OWNER, "tab-1")


def write(folder: Path, file: str, name: str, action: str = "estimate") -> None:
    (folder / file).write_text(FLOW.format(name=name, action=action))


async def test_action_of_a_plugin_file_is_there_once_it_is_loaded_and_its_text_is_told(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write(plugins, "price.py", "price")
    (plugins / "know.md").write_text("Prices are net.")
    async with running(tmp_path) as application:
        site = application.site
        run = (await site.engine.start("price", "", "default", ANN)).row.id
        await site.engine.submit(run, ANN, "days", {"days": ["3"]}, seen=1, submit_id=None)
        doing = Doing(ANN, "default", run=run, app="price")
        action = site.registry.find("estimate")
        assert action is not None
        assert (await action.do(checked(action, {}), doing)).data == "30 euros"
        scene = await AppScenes(site.world).scene(run, ANN)
        assert (scene.title, scene.training) == ("price: 01", "Prices are net.")
        assert site.registry.offered(doing)[0] is action
        (plugins / "price.py").unlink()
        site.plugins.refresh([plugins / "price.py"])
        assert site.registry.find("estimate") is None


async def test_second_of_two_with_one_name_is_refused_and_the_plugins_page_says_so(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write(plugins, "010_price.py", "price")
    write(plugins, "020_cost.py", "cost")
    write(plugins, "030_own.py", "own", "read_run")
    async with running(tmp_path) as application:
        site = application.site
        found = site.registry.find("estimate")
        assert found is not None
        assert found.app == "price"
        assert set(site.registry.refused) == {"estimate", "read_run"}
        said = {each.file.name: [one.code for one in each.findings] for each in site.plugins.table.plugins}
        assert said["020_cost.py"] == ["W037", "A004"]
        page = (await Browser(application).get("/-/plugins")).text
        assert "010_price.py has an action &#39;estimate&#39; already" in page.replace("&#x27;", "&#39;")
        assert "Pipulate itself has an action" in page
        assert {each.state for each in site.plugins.table.plugins if not each.file.is_in_box} == {"loaded"}


def test_training_text_that_is_missing_or_too_long_is_said_and_the_app_is_used(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path) as folder:
        said(folder)


def said(folder: Folder) -> None:
    folder.write("gone.py", FLOW.format(name="gone", action="a"))
    folder.write("long.py", FLOW.format(name="long", action="b").replace('"know.md"', '"long.md"'))
    folder.write("long.md", "x" * 12_001)
    table = folder.host.load_now()
    assert {each.file.name: [one.code for one in each.findings] for each in table.plugins} == {
        "gone.py": ["W037"], "long.py": ["W038"],
    }  # fmt: skip
    assert [each.state for each in table.plugins] == ["loaded", "loaded"]
    assert sorted(table.by_app) == ["gone", "long"]


async def test_history_of_a_run_says_that_the_assistant_did_it(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    write(plugins, "price.py", "price")
    async with running(tmp_path) as application:
        site = application.site
        run = (await site.engine.start("price", "", "default", ANN)).row.id
        action = site.registry.find("submit_step")
        assert action is not None
        given = checked(action, {"step": "days", "values": {"days": 3}, "version": 1})
        result = await action.do(given, Doing(ANN, "default", run=run, app="price", submit="call-1"))
        assert result.words == "“How long” was filled in."
        assert result.link == "/price/01"
        history = (await Browser(application).get(f"/-/runs/{run}/history")).text
        assert "You, with the assistant, set <strong>How long</strong>" in history
        told = [each.event.data.get("via") for each in site.db.read_now(messages.before, run) if each.event]
        assert told == [None, "assistant"]


async def test_app_in_the_box_is_told_of_with_its_training_text(tmp_path: Path) -> None:
    async with running(tmp_path) as application:
        world = application.site.world
        assert {"profiles", "hello"} <= {each.name for each in world.apps()}
        scene = await AppScenes(world).scene(messages.of_app(OWNER, "profiles"), ANN)
        assert "profile" in scene.training.lower()
        assert "kind: records" in scene.about
