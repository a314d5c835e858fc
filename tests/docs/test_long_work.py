"""The page about long work in a class-style plugin: its plugin does what the page says."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pipulate.jobs.local import LocalJobs
from pipulate.security.capability import OWNER
from pipulate.storage import jobs, lookups
from tests.docs.pages import ROOT, blocks
from tests.docs.test_blocks import RULES
from tests.support.explicit import Tab
from tests.support.plugins import cleaned
from tests.support.site import running

pytestmark = pytest.mark.anyio

PAGE = ROOT / "docs" / "how-to" / "long-work-in-a-class-style-plugin.md"


class Here(BaseHTTPRequestHandler):
    """Answers, and counts."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def service() -> Iterator[str]:
    Here.asked = []
    server = HTTPServer(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    (tmp_path / "plugins").mkdir()
    (source,) = blocks(PAGE, "py")
    (tmp_path / "plugins" / "030_links.py").write_text(source)
    with cleaned(tmp_path):
        async with running(tmp_path, jobs=LocalJobs) as application:
            yield Tab(application, "link_check")


async def idle(tab: Tab) -> None:
    held = tab.browser.application.site.engine.background.jobs
    assert isinstance(held, LocalJobs)
    await held.idle()


def test_page_shows_code_without_lint() -> None:
    (source,) = blocks(PAGE, "py")
    rules = RULES.replace("ANN,", "")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", rules, "--line-length", "120", "-"]
    found = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


async def test_plugin_looks_at_each_address_once_and_goes_on(tab: Tab, service: str) -> None:
    plugin = tab.browser.application.site.plugins.table.by_module["links"]
    assert (plugin.state, plugin.findings) == ("loaded", ())
    await tab.post("init", pipeline_id="one")
    begun = await tab.post("step_01_submit", addresses=f"{service}/a {service}/b nowhere")
    assert 'hx-trigger="every 1s"' in begun.text
    assert "All addresses were looked at." not in begun.text
    await idle(tab)
    done = await tab.get("step_02")
    assert "All addresses were looked at." in done.text
    assert "every 1s" not in done.text
    application = tab.browser.application
    run = tab.headers["x-pipulate-run"]
    _, state = await application.site.db.read(lookups.load, application.site.engine.files, run, OWNER)
    answers = {f"{service}/a": "200", f"{service}/b": "200", "nowhere": "ValueError"}
    assert state.steps["step_02"].data["output"] == {"answers": answers}
    assert Here.asked == ["/a", "/b"]
    row = await application.site.db.read(jobs.latest_of_step, run, "step_02")
    assert row is not None
    assert (row.retries, row.timeout_s) == (1, 600)


async def test_going_back_starts_another_job_with_what_is_typed_then(tab: Tab, service: str) -> None:
    await tab.post("init", pipeline_id="one")
    await tab.post("step_01_submit", addresses=f"{service}/a")
    await idle(tab)
    back = await tab.post("revert", step_id="step_02")
    assert f'value="{service}/a"' in back.text
    await tab.post("step_01_submit", addresses=f"{service}/c")
    await idle(tab)
    assert Here.asked == ["/a", "/c"]
    assert f"{service}/c" in (await tab.get("step_02")).text


async def test_nothing_typed_starts_nothing(tab: Tab) -> None:
    await tab.post("init", pipeline_id="one")
    assert "Give at least one address." in (await tab.post("step_01_submit", addresses=" ")).text
    assert "This has not been started." in (await tab.get("step_02")).text
