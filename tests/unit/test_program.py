"""Messages that name a command name it as it can be typed where they are read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipulate._program import program


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type commands in, with nothing on the PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    return tmp_path


def script(path: Path) -> Path:
    """Make a program that could be started."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return path


def test_program_on_the_path_is_named_by_its_name(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = script(here / "bin" / "pipulate")
    monkeypatch.setenv("PATH", str(started.parent))
    monkeypatch.setattr(sys, "argv", [str(started), "run"])
    assert program() == "pipulate"


def test_program_in_an_environment_here_is_named_by_its_short_path(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [str(script(here / ".venv" / "bin" / "pipulate")), "run"])
    assert program() == ".venv/bin/pipulate"


def test_program_elsewhere_is_named_by_its_whole_path_and_can_be_pasted(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = script(here / "my tools" / "bin" / "pipulate")
    (here / "work").mkdir()
    monkeypatch.chdir(here / "work")
    monkeypatch.setattr(sys, "argv", [str(started)])
    assert program() == f"'{started}'"


def test_another_program_of_that_name_on_the_path_is_not_taken_for_this_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(script(here / "theirs" / "pipulate").parent))
    monkeypatch.setattr(sys, "argv", [str(script(here / "ours" / "pipulate"))])
    assert program() == "ours/pipulate"


def test_module_started_with_python_is_named_with_that_python(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(here / ".venv" / "bin" / "python"))
    monkeypatch.setattr(sys, "argv", [str(here / "pipulate" / "__main__.py"), "run"])
    assert program() == ".venv/bin/python -m pipulate"
