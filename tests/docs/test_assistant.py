"""The pages about the assistant say what its actions are, and their apps do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipulate.actions.own import own_actions
from pipulate.errors import CallError
from pipulate.security.capability import OWNER
from pipulate.security.who import Who
from pipulate.tools.action import Doing
from pipulate.tools.registry import checked
from tests.docs.pages import ROOT, files
from tests.support.site import running

pytestmark = pytest.mark.anyio

SEES = ROOT / "docs" / "explanation" / "what-the-assistant-sees.md"
TOOL = ROOT / "docs" / "how-to" / "give-the-assistant-a-tool.md"
TEXT = ROOT / "docs" / "how-to" / "write-a-training-text.md"
ANN = Who(OWNER, "tab-1")


async def test_page_names_every_action_with_its_effect(tmp_path: Path) -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| .* \| (\w+) \|$", SEES.read_text(), re.MULTILINE))
    async with running(tmp_path) as application:
        world = application.site.world
        assert told == {each.name: each.effect for each in own_actions(world)}


async def test_tools_of_the_page_work_as_it_says(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    prices, stock = files(TOOL)
    (plugins / "010_prices.py").write_text(prices)
    (plugins / "020_stock.py").write_text(stock)
    async with running(tmp_path) as application:
        site = application.site
        run = (await site.engine.start("prices", "", "default", ANN)).row.id
        doing = Doing(ANN, "default", run=run, app="prices")
        action = site.registry.offered(doing)[0]
        assert (action.name, action.effect) == ("discount", "read")
        with pytest.raises(CallError, match="The job is not known yet"):
            await action.do(checked(action, {"percent": 10}), doing)
        await site.engine.submit(run, ANN, "job", {"hours": ["2"], "kind": ["urgent"]}, seen=1, submit_id=None)
        result = await action.do(checked(action, {"percent": 10}), doing)
        assert result.data == {"before": 240, "after": 216}
        with pytest.raises(ValueError, match="percent"):
            checked(action, {"percent": 90})
        beside = Doing(ANN, "default", app="stock")
        count = site.registry.offered(beside)[0]
        assert (await count.do(checked(count, {}), beside)).data == 0


async def test_training_text_of_the_page_is_what_is_read(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "010_audit.py").write_text(files(TEXT)[0])
    async with running(tmp_path) as application:
        world = application.site.world
        app = world.app("audit")
        assert app is not None
        assert app.training().startswith("This app is for people who look over web sites")
