"""The README is short, and its app does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from pipulate.testing import play_plugin
from tests.docs.pages import ROOT, blocks

README = ROOT / "README.md"


def test_readme_app_works_as_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "split.py").write_text(blocks(README, "python")[0])
    with play_plugin(tmp_path / "split.py") as run:
        assert run.fill(total="50.10", people=2)["share"] == "Everybody pays 25.05."


def test_readme_app_is_short() -> None:
    assert len([line for line in blocks(README, "python")[0].splitlines() if line]) <= 10


def test_readme_begins_with_one_command() -> None:
    assert blocks(README, "console")[0] == "$ make run\n"


def test_readme_can_be_followed_as_it_stands() -> None:
    assert re.findall(r"<[a-z][^>]*>", README.read_text()) == []  # Nothing has to be filled in.


def test_readme_is_short_and_has_no_badges() -> None:
    text = README.read_text()
    assert len(text.splitlines()) <= 70
    assert text.count("![") == 1
    assert "https://img." not in text
