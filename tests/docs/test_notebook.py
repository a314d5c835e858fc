"""The tutorial about notebooks: a reader in an empty folder gets what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipulate.testing import Play, play_plugin
from tests.docs.pages import ROOT, blocks, files, prose

PAGE = ROOT / "docs" / "tutorials" / "from-a-notebook.md"
PLUGIN = Path("plugins") / "010_top_pages.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, with the files that the page has its reader save."""
    _, app, tests = files(PAGE)
    (table,) = blocks(PAGE, "csv")
    assert f"`{PLUGIN}`" in prose(PAGE)
    (tmp_path / "plugins").mkdir()
    for name, content in ((PLUGIN, app), ("test_top_pages.py", tests), ("visits.csv", table)):
        (tmp_path / name).write_text(content)
    return tmp_path


def walked(run: Play, folder: Path) -> Play:
    """Do what the reader does."""
    return run.fill(file=folder / "visits.csv").fill(pages=10)


def test_notebook_app_shows_a_table_a_plot_and_a_file(folder: Path) -> None:
    with play_plugin(folder / PLUGIN) as run:
        walked(run, folder)
        assert "3 rows" in run.text_of("top") or "/prices" in run.text_of("top")
        assert run["plot"].media_type == "image/svg+xml"
        assert run["download"].read_text() == "page,visits\n/,210\n/prices,105\n/about,15\n"
        assert run.is_finished


def test_notebook_app_makes_the_plot_and_the_file_anew_when_the_number_changes(folder: Path) -> None:
    with play_plugin(folder / PLUGIN) as run:
        before = walked(run, folder)["plot"]
        run.revert("top").fill(pages=2)
        assert run["download"].read_text() == "page,visits\n/,210\n/prices,105\n"
        assert run["plot"] != before


def test_notebook_data_is_the_file_that_is_saved() -> None:
    (table,) = blocks(PAGE, "csv")
    assert f'TEXT = """{table}"""' in files(PAGE)[0]


def test_tests_of_the_notebook_app_pass_as_they_are_saved(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "test_top_pages.py", "-q", "-p", "no:cacheprovider"]
    assert "python -m pytest test_top_pages.py" in PAGE.read_text()
    done = subprocess.run(
        command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=120
    )
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("label", ["Continue", "Edit", "Save", "History"])
def test_notebook_page_names_a_button_as_the_page_does(label: str) -> None:
    assert f"*{label}*" in PAGE.read_text()
    sources = "".join(path.read_text() for path in (ROOT / "src" / "pipulate" / "ui").glob("*.py"))
    assert f'"{label}"' in sources
