"""The README is short, and its app does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

README = ROOT / "README.md"


async def test_readme_app_works_as_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "split.py").write_text(blocks(README, "python")[0])
    async with running(tmp_path) as application:
        browser = Browser(application)
        run, address = await browser.start("split")
        await browser.submit(run, "bill", 1, total="50.10", people="2")
        assert "Everybody pays 25.05." in (await browser.get(address)).text


def test_readme_app_is_short() -> None:
    assert len([line for line in blocks(README, "python")[0].splitlines() if line]) <= 10


def test_readme_begins_with_two_commands() -> None:
    first = blocks(README, "console")[0].splitlines()
    assert [line.split()[1] for line in first] == ["git", "make"]


def test_readme_is_short_and_has_no_badges() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 70
    assert text.count("![") == 1
    assert "https://img." not in text
