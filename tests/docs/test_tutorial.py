"""The tutorial does what it says: its app is loaded as a plugin and walked through, from first answer to lock."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

TUTORIAL = ROOT / "docs" / "tutorials" / "first-workflow.md"
TWO = "https://example.com/prices\nhttps://example.com/tour?lang=en#map"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser at a server that has the tutorial's app, pieced together as its reader does."""
    (tmp_path / "plugins").mkdir()
    app = "\n\n".join(blocks(TUTORIAL, "python"))
    (tmp_path / "plugins" / "010_campaign_links.py").write_text(app)
    async with running(tmp_path) as application:
        yield Browser(application)


async def walked(browser: Browser, channel: str = "newsletter") -> tuple[str, str]:
    """Answer the first two steps; return id and address of the run."""
    run, address = await browser.start("campaign_links", "spring")
    await browser.submit(run, "pages", 1, addresses=TWO)
    await browser.submit(run, "campaign", 2, channel=channel, name="spring")
    return run, address


async def test_tutorial_app_loads_without_findings(browser: Browser) -> None:
    plugin = browser.application.site.plugins.table.by_module["campaign_links"]
    assert (plugin.state, plugin.findings) == ("loaded", ())


async def test_tutorial_app_refuses_a_line_that_is_no_address(browser: Browser) -> None:
    run, _ = await browser.start("campaign_links", "spring")
    answer = await browser.submit(run, "pages", 1, addresses="example.com")
    assert answer.status == 422
    assert "example.com does not begin with http:// or https://." in answer.text
    assert ">\nexample.com</textarea>" in answer.text


async def test_tutorial_app_suggests_the_host_as_the_name(browser: Browser) -> None:
    run, _ = await browser.start("campaign_links", "spring")
    answer = await browser.submit(run, "pages", 1, addresses="https://www.example.com/a")
    assert 'value="example.com"' in answer.text


async def test_tutorial_app_puts_the_words_behind_each_address(browser: Browser) -> None:
    _, address = await walked(browser)
    page = html.unescape((await browser.get(address)).text)
    assert "https://example.com/prices?utm_medium=newsletter&utm_campaign=spring<" in page
    assert "https://example.com/tour?lang=en&utm_medium=newsletter&utm_campaign=spring#map<" in page
    assert "All steps are done" in page


async def test_tutorial_app_asks_for_a_budget_only_for_ads(browser: Browser) -> None:
    run, address = await walked(browser, "ads")
    assert 'id="step-budget"' in (await browser.get(address)).text
    await browser.submit(run, "budget", 3, per_day="20", days="14")
    assert ">280<" in (await browser.get(address)).text


async def test_tutorial_app_offers_to_keep_the_campaign_after_a_page_was_added(browser: Browser) -> None:
    run, address = await walked(browser)
    await browser.post(f"/-/runs/{run}/steps/pages/revert", {"_seen": 4}, htmx=True)
    answer = await browser.submit(run, "pages", 5, addresses=f"{TWO}\nhttps://example.com/contact")
    assert "Keep as it is" in answer.text
    await browser.post(f"/-/runs/{run}/steps/campaign/keep", {"_seen": 6}, htmx=True)
    assert "https://example.com/contact?utm_medium" in (await browser.get(address)).text


async def test_tutorial_run_refuses_an_answer_when_it_is_locked(browser: Browser) -> None:
    run, address = await walked(browser)
    await browser.post(f"/-/runs/{run}/lock", {"_seen": 4}, htmx=True)
    answer = await browser.submit(run, "pages", 5, addresses="https://example.com/other")
    assert answer.status == 409
    assert "Locked by" in (await browser.get(address)).text


@pytest.mark.parametrize("label", ["Start", "Continue", "Edit", "Save", "Keep as it is", "History", "Lock run"])
async def test_tutorial_names_a_button_as_the_page_does(browser: Browser, label: str) -> None:
    assert f"*{label}*" in TUTORIAL.read_text()
    sources = "".join(path.read_text() for path in (ROOT / "src" / "pipulate" / "ui").glob("*.py"))
    assert f'"{label}"' in sources
