"""Messages that name a command name it as it can be typed where they are read."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pipulate._program import EXTRA_OF, installing, program


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


# What installs a package


@pytest.fixture
def clone(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with an environment that `make` made and that this runs in; the folder to type in."""
    installed(here, monkeypatch, {"url": here.as_uri(), "dir_info": {"editable": True}})
    (here / "Makefile").touch()
    monkeypatch.setattr(sys, "prefix", str(here / ".venv"))
    return here


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any] | None) -> None:
    """Have this program installed as pip leaves it, with what it tells of where it came from."""
    about = folder / ".venv" / "lib" / "pipulate-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.4\nName: pipulate\nVersion: 1.0\n")
    if told is not None:
        (about / "direct_url.json").write_text(json.dumps(told))
    monkeypatch.syspath_prepend(str(about.parent))


@pytest.mark.parametrize("module", ["pandas", "bokeh.models", "typst", "psycopg_pool"])
def test_what_an_extra_has_is_installed_by_make_in_a_clone(clone: Path, module: str) -> None:
    assert installing(module) == "make setup"


def test_clone_is_named_where_commands_are_typed_elsewhere(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clone / "my notes").mkdir()
    monkeypatch.chdir(clone / "my notes")
    assert installing("typst") == f"make -C {clone} setup"


def test_every_other_package_goes_into_the_environment_of_the_clone(clone: Path) -> None:
    assert installing("polars.io") == ".venv/bin/pip install polars"


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("xlsxwriter", "pip install 'pipulate[data]'"),
        ("typst", "pip install 'pipulate[pdf]'"),
        ("psycopg", "pip install 'pipulate[postgres]'"),
        ("polars.io", "pip install polars"),
        ("a;b", "pip install 'a;b'"),
    ],
)
@pytest.mark.parametrize("told", [None, {"url": "https://example.com/pipulate.whl", "archive_info": {}}])
def test_outside_of_a_clone_pip_installs(
    here: Path, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any] | None, module: str, command: str
) -> None:
    installed(here, monkeypatch, told)
    assert installing(module) == command


def test_an_environment_that_make_did_not_make_is_left_to_pip(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(clone / "other"))
    assert installing("pandas") == "pip install 'pipulate[data]'"


def test_packages_of_extras_are_those_the_project_names() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    named = {
        re.split(r"[\[>=]", package)[0]: extra
        for extra, packages in project["optional-dependencies"].items()
        for package in packages
        if extra != "testing"
    }
    called = {"pydantic_ai": "pydantic-ai-slim"}
    known = {called.get(name, name.replace("_", "-")): extra for name, extra in EXTRA_OF.items()}
    assert known == named | {"psycopg-pool": "postgres"}
