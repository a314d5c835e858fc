"""What `make setup` stands on: which Python it takes, when it installs anew, when it builds anew."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def fake(folder: Path, name: str, minor: int, *, lacks: str = "") -> Path:
    """Put a program on a PATH that answers as a Python of a version does; `lacks` is a module it has not."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    case = f'*"import "*{lacks}*) exit 1 ;;' if lacks else ""
    program.write_text(f'#!/bin/sh\ncase "$2" in *version_info*) echo {minor} ;; {case} esac\n')
    program.chmod(0o755)
    return program


def shim(folder: Path, name: str) -> None:
    """Put a program on a PATH that leads nowhere."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text('#!/bin/sh\necho "command not found" >&2\nexit 127\n')
    (folder / name).chmod(0o755)


def chosen(folder: Path, *path: Path) -> tuple[int, str, str]:
    """Ask which Python is taken in a folder, with this PATH."""
    done = subprocess.run(
        ["/bin/sh", ROOT / "scripts" / "python.sh"],
        cwd=folder,
        env={"PATH": os.pathsep.join(map(str, path))},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout.strip(), done.stderr


def script(root: Path, name: str) -> ModuleType:
    """Copy a script of ours into a project folder, and import it from there."""
    (root / "scripts").mkdir(exist_ok=True)
    path = Path(shutil.copy(ROOT / "scripts" / f"{name}.py", root / "scripts"))
    spec = importlib.util.spec_from_file_location(f"copied_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with what the environment is made from, in a folder with a name of the unpleasant kind."""
    root = tmp_path / "mein Projekt ñ"
    (root / "src" / "pipulate").mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", "src/pipulate/_version.py"):
        shutil.copy(ROOT / name, root / name)
    return root


def test_the_newest_supported_python_is_taken(tmp_path: Path) -> None:
    fake(tmp_path / "a", "python3.11", 11)
    newest = fake(tmp_path / "b", "python3.13", 13)
    fake(tmp_path / "c", "python3", 12)
    assert chosen(tmp_path, tmp_path / "a", tmp_path / "b", tmp_path / "c") == (0, str(newest), "")


def test_a_python_with_a_plain_name_is_asked_for_its_version(tmp_path: Path) -> None:
    fake(tmp_path / "a", "python3.12", 12)
    newest = fake(tmp_path / "b", "python3", 14)
    assert chosen(tmp_path, tmp_path / "a", tmp_path / "b")[1] == str(newest)


def test_shims_that_lead_nowhere_are_passed_over(tmp_path: Path) -> None:
    for name in ("python3.14", "python3.12", "python3", "python"):
        shim(tmp_path / "shims", name)
    (tmp_path / "shims" / "python3.13").symlink_to("/nowhere/python")
    good = fake(tmp_path / "with space", "python3.12", 12)
    assert chosen(tmp_path, tmp_path / "shims", tmp_path / "with space") == (0, str(good), "")


@pytest.mark.parametrize("minor", [8, 10, 15])
def test_a_python_that_is_not_supported_is_not_taken(minor: int, tmp_path: Path) -> None:
    fake(tmp_path / "bin", "python3", minor)
    code, found, reason = chosen(tmp_path, tmp_path / "bin")
    assert (code, found) == (1, "")
    assert reason == "Pipulate needs Python 3.11 to 3.14; none was found on the PATH.\n"


def test_a_python_that_cannot_make_environments_is_named_with_the_remedy(tmp_path: Path) -> None:
    lame = fake(tmp_path / "bin", "python3.12", 12, lacks="venv")
    code, _, reason = chosen(tmp_path, tmp_path / "bin")
    assert code == 1
    assert f"{lame} is one, but lacks venv" in reason


def test_the_python_of_the_environment_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    fake(tmp_path / ".venv" / "bin", "python", 11)
    fake(tmp_path / "bin", "python3.14", 14)
    assert chosen(tmp_path, tmp_path / "bin")[1] == ".venv/bin/python"


def test_the_supported_versions_are_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: 3." in each]
    asked = re.findall(r"python(3\.\d+)", (ROOT / "scripts" / "python.sh").read_text())
    locked = re.search(r"PYTHONS = \((.*)\)", (ROOT / "scripts" / "lock.py").read_text())
    assert locked is not None
    assert promised == re.findall(r"3\.\d+", locked[1]) == sorted(set(asked))
    assert project["requires-python"] == f">={promised[0]}"


def test_nothing_is_installed_again_while_nothing_changed(project: Path) -> None:
    first = script(project, "setup")
    (project / "pyproject.toml").write_text((project / "pyproject.toml").read_text() + "\n[tool.other]\nrule = 1\n")
    assert {name: first.wanted(name) for name in first.WORDS} == {
        name: script(project, "setup").wanted(name) for name in first.WORDS
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "parts"),
    [
        ("pyproject.toml", '"click>=8.2"', '"click>=8.1"', {"program"}),
        ("src/pipulate/_version.py", '"', "'", {"program"}),
        ("requirements.lock", "starlette==", "starlette==9.", {"program"}),
        ("requirements.lock", "pandas==", "pandas==9.", {"data"}),
        ("requirements.lock", "typst==", "typst==9.", {"pdf"}),
        ("requirements.lock", "pytest==", "pytest==9.", {"tests and checks"}),
    ],
)  # fmt: skip
def test_a_part_is_installed_again_when_what_it_is_made_from_changed(
    file: str, old: str, new: str, parts: set[str], project: Path
) -> None:
    setup = script(project, "setup")
    before = {name: setup.wanted(name) for name in setup.WORDS}
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    assert {name for name in setup.WORDS if setup.wanted(name) != before[name]} == parts


def test_an_environment_is_made_again_after_its_folder_was_moved(project: Path) -> None:
    before = script(project, "setup").wanted("program")
    moved = project.rename(project.with_name("moved"))
    assert script(moved, "setup").wanted("program") != before


@pytest.fixture
def setup(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, which asks this Python's pip, and a pip that nobody has set up."""
    for name in [each for each in os.environ if each.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    made = script(project, "setup")
    monkeypatch.setattr(made, "PYTHON", Path(sys.executable))
    return made


def test_what_pip_is_told_about_packages_is_told_to_uv(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert setup.sources() == {}
    monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "file:///one file:///two")
    monkeypatch.setenv("PIP_RETRIES", "3")
    both = {"UV_DEFAULT_INDEX": "https://packages.example/simple", "UV_INDEX": "file:///one file:///two"}
    assert setup.sources() == both
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example")
    assert setup.sources() is None  # Only pip knows what to do with it.


@pytest.mark.parametrize(
    ("uv_works", "is_known", "by"),
    [(True, True, ["pip", "uv"]), (False, True, ["pip", "uv", "pip"]), (True, False, ["pip"])],
)
def test_packages_come_by_uv_and_by_pip_where_that_does_not_do(
    uv_works: bool, is_known: bool, by: list[str], setup: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []

    def run(*command: str | Path, **_: str) -> None:
        done.append((str(command[2]), Path(command[-1]).read_text()))
        if command[2] == "uv" and not uv_works:
            raise subprocess.CalledProcessError(1, [])

    monkeypatch.setattr(setup, "run", run)
    monkeypatch.setattr(setup, "sources", lambda: {} if is_known else None)
    setup.install("data")
    assert [each for each, _ in done] == by
    assert done[-1][1] == setup.part("data")
    if is_known:
        assert re.fullmatch(r"uv==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", done[0][1])


def test_an_environment_that_is_a_symbolic_link_is_left_alone(project: Path) -> None:
    """Making one anew would empty the folder that the link leads to."""
    shared = project.parent / "shared"
    shared.mkdir()
    (shared / "kept").write_text("by another project")
    (project / ".venv").symlink_to(shared)
    script(project, "setup")
    done = subprocess.run(
        [sys.executable, project / "scripts" / "setup.py", "program"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f".venv is a symbolic link to {shared}. Making the environment would empty that folder, so nothing was done."
        " Remove the link and run the same command again.\n"
    )
    assert [each.name for each in shared.iterdir()] == ["kept"]


def test_the_front_end_is_built_again_only_when_a_source_changed(project: Path) -> None:
    shutil.copytree(ROOT / "assets", project / "assets")
    assets = script(project, "assets")
    sources = list((project / "assets").rglob("*"))
    before = assets.digest(*sources)
    assert assets.digest(*reversed(sources)) == before
    (project / "assets" / "src" / "app.css").write_text("/* other */")
    assert assets.digest(*sources) != before


def test_an_incomplete_build_does_not_count(project: Path) -> None:
    assets = script(project, "assets")
    assets.STATIC.mkdir(parents=True)
    (assets.STATIC / "built-from").write_text("mark")
    (assets.STATIC / "manifest.json").write_text('{"app.js": "app-1.js"}')
    assert not assets.is_built(assets.STATIC / "built-from", "mark")
    (assets.STATIC / "app-1.js").touch()
    assert assets.is_built(assets.STATIC / "built-from", "mark")
    assert not assets.is_built(assets.STATIC / "built-from", "other")


@pytest.mark.parametrize(
    ("answer", "expected"), [("v20.0.0", True), ("v24.1.0", True), ("v18.19.1", False), ("?", False)]
)
def test_a_node_that_is_too_old_is_not_taken(answer: str, expected: bool, project: Path) -> None:
    node = project / "node"
    node.write_text(f"#!/bin/sh\necho '{answer}'\n")
    node.chmod(0o755)
    assert script(project, "assets").is_new_enough(node) is expected


def test_a_node_that_leads_nowhere_is_not_taken(project: Path) -> None:
    shim(project, "node")
    assert script(project, "assets").is_new_enough(project / "node") is False


@pytest.mark.parametrize(
    ("target", "given", "parts"),
    [
        ("run", [], "program data llm pdf"),
        ("run", ["EXTRAS="], "program"),
        ("setup", ["EXTRAS=pdf"], "program pdf"),
        ("dev", ["EXTRAS="], "program; data llm pdf 'tests and checks'"),  # Tests need them all.
    ],
)
def test_make_installs_what_the_apps_in_the_box_use_unless_told_otherwise(
    target: str, given: list[str], parts: str
) -> None:
    environment = {**os.environ, "EXTRAS": "nothing"}  # A variable of that name may be there for other reasons.
    command = ["make", "-C", str(ROOT), "--dry-run", target, *given]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=environment).stdout
    found = [each.replace('"', "'").strip() for each in re.findall(r"scripts/setup\.py ([^&\n]*)", shown)]
    assert "; ".join(found) == parts


def test_an_extra_that_is_not_there_is_named_with_those_that_are(project: Path) -> None:
    script(project, "setup")
    done = subprocess.run(
        [sys.executable, project / "scripts" / "setup.py", "program", "excel"],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, (project / ".venv").exists()) == (1, False)
    assert done.stderr == "There is nothing called 'excel' to install. EXTRAS can have: data llm pdf\n"


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "-C", ROOT, "help"], check=True, capture_output=True, text=True, timeout=60).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    assert sorted(re.findall(r"^  make (\S+)", shown, re.MULTILINE)) == sorted(phony[1].split())
