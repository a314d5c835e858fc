"""The tutorial does what it says: its app is loaded as a plugin and walked through, from first answer to lock."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipulate.testing import Play, play_plugin
from tests.docs.pages import ROOT, blocks

TUTORIAL = ROOT / "docs" / "tutorials" / "first-workflow.md"
TWO = "https://example.com/prices\nhttps://example.com/tour?lang=en#map"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Play]:
    """A run of the tutorial's app, pieced together as its reader does; findings in it fail the test."""
    (tmp_path / "010_campaign_links.py").write_text("\n\n".join(blocks(TUTORIAL, "python")))
    with play_plugin(tmp_path / "010_campaign_links.py", key="spring") as run:
        yield run


def walked(run: Play, channel: str = "newsletter") -> Play:
    """Answer the first two steps."""
    return run.fill(addresses=TWO).fill(channel=channel, name="spring")


def test_tutorial_app_refuses_a_line_that_is_no_address(run: Play) -> None:
    problem = "example.com does not begin with http:// or https://."
    run.fill(addresses="example.com", expect_problems={"addresses": problem})
    assert run.fields["addresses"].text == "example.com"


def test_tutorial_app_suggests_the_host_as_the_name(run: Play) -> None:
    assert run.fill(addresses="https://www.example.com/a").fields["name"].text == "example.com"


def test_tutorial_app_puts_the_words_behind_each_address(run: Play) -> None:
    assert [each["link"] for each in walked(run)["links"]] == [
        "https://example.com/prices?utm_medium=newsletter&utm_campaign=spring",
        "https://example.com/tour?lang=en&utm_medium=newsletter&utm_campaign=spring#map",
    ]
    assert "utm_medium=newsletter" in run.text_of("links")
    assert "All steps are done" in run.notice


def test_tutorial_app_asks_for_a_budget_only_for_ads(run: Play) -> None:
    assert walked(run).phases["budget"] == "skipped"
    run.revert("campaign").fill(channel="ads")
    assert run.open_step == "budget"
    assert run.fill(per_day=20, days=14)["budget"] == 280


def test_tutorial_app_offers_to_keep_the_campaign_after_a_page_was_added(run: Play) -> None:
    walked(run).revert("pages").fill(addresses=f"{TWO}\nhttps://example.com/contact").keep()
    assert "https://example.com/contact?utm_medium" in run["links"][2]["link"]


def test_tutorial_run_refuses_an_answer_when_it_is_locked(run: Play) -> None:
    other = walked(run).revert("pages").other_tab()
    run.cancel_edit().finalize()
    other.fill(addresses="https://example.com/other", expect_conflict=True)
    assert "locked" in other.errors[""]
    assert run.notice.startswith("Locked by")


@pytest.mark.parametrize("label", ["Start", "Continue", "Edit", "Save", "Keep as it is", "History", "Lock run"])
def test_tutorial_names_a_button_as_the_page_does(label: str) -> None:
    assert f"*{label}*" in TUTORIAL.read_text()
    sources = "".join(path.read_text() for path in (ROOT / "src" / "pipulate" / "ui").glob("*.py"))
    assert f'"{label}"' in sources
