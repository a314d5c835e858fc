"""What is shipped: the lock file, and a wheel that runs in an environment with nothing but its locked packages."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.support.cli import Shell

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
SETUP = runpy.run_path(str(ROOT / "scripts" / "setup.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages(text: str) -> list[str]:
    """The entries of a lock file, each with its hashes."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return re.split(r"\n(?=\S)", "\n".join(lines))


def part(name: str) -> str:
    """The text of one part of the lock file."""
    return LOCK.partition(f"# --- {name} ---\n")[2].partition("\n# ---")[0]


def names(requirements: list[str]) -> set[str]:
    """The names of packages, in their one spelling."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[=<>~;\s]", each)[0]).lower() for each in requirements}


@pytest.mark.parametrize("entry", packages(LOCK), ids=lambda entry: entry.split("==")[0])
def test_lock_pins_every_package_to_one_version_with_hashes(entry: str) -> None:
    first, *rest = entry.splitlines()
    assert re.fullmatch(r"[a-z0-9.-]+==[\w.]+( ; [^\\]+)? \\", first)
    assert rest
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in rest)


def test_lock_names_no_index_and_no_place() -> None:
    assert not re.search(r"://|--index|--extra-index|--find-links|file:| @ |\./", LOCK)


def test_lock_names_no_package_twice() -> None:
    found = [(entry.split("==")[0], entry.splitlines()[0].partition(";")[2].strip(" \\")) for entry in packages(LOCK)]
    assert sorted(found) == sorted(set(found))  # Two versions of one are for two kinds of Python.
    assert {name for name, marker in found if not marker}.isdisjoint(name for name, marker in found if marker)


def test_lock_has_everything_the_program_depends_on_in_its_first_part() -> None:
    project = PROJECT["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["postgres"],
        *PROJECT["build-system"]["requires"],
    ]
    assert names(wanted) <= names(packages(part("program")))


@pytest.mark.parametrize("extra", ["data", "pdf"])
def test_lock_has_every_extra_of_the_apps_in_the_box_in_a_part_of_its_own(extra: str) -> None:
    assert names(PROJECT["project"]["optional-dependencies"][extra]) <= names(packages(part(extra)))


def test_lock_has_what_tests_need_in_a_part_of_its_own() -> None:
    wanted = names(PROJECT["dependency-groups"]["dev"])
    others = {name for each in ("program", "data", "pdf") for name in names(packages(part(each)))}
    assert wanted - others == wanted & names(packages(part("tests and checks")))
    assert wanted & others <= {"httpx2", "jinja2"}  # FastHTML brings the one, Bokeh the other.


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sources as they are."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and its locked packages, nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    locked = folder / "program.txt"
    locked.write_text(part("program"))
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-compile"]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(python), "--quiet", *SETUP["LIKE_PIP"]]
    known = SETUP["sources"]()
    for command in (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [*(pip if known is None else uv), "--require-hashes", "--no-deps", "-r", str(locked)],
        [*pip, "--no-index", str(wheel)],
    ):
        environment = {**os.environ, **(known or {})}
        done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    return python


NEEDED = (
    "code-editor.css", "code-editor.js", "code.css", "code.js", "drawing.js", "fields.css", "fields.js", "frame.js",
    "records.css", "records.js", "reports.css", "reports.js", "upload.js",
)  # fmt: skip
"""What a page fetches only where it shows something that needs it."""


def test_wheel_holds_the_built_front_end_files(wheel: Path) -> None:
    inside = {Path(name).name for name in zipfile.ZipFile(wheel).namelist() if "/web/static/" in name}
    kinds = {re.sub(r"-[0-9a-f]{12}", "", name) for name in inside}
    names = ("app.css", "app.js", "icon.svg", "explicit.css", "explicit.js", "explicit-sandbox.js")
    libraries = ("marked.js", "mermaid.js", "prism.js", *NEEDED)
    files = {f"{name}{packed}" for name in (*names, *libraries) for packed in ("", ".br", ".gz")}
    assert kinds == files | {"manifest.json"}


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"pipulate"}
    assert [name for name in inside if Path(name).suffix in (".ts", ".mjs", ".pyc", ".map")] == []
    assert "pipulate/py.typed" in inside
    assert "pipulate/builtin/hello.py" in inside
    assert "pipulate/builtin/gallery_dial.js" in inside


def test_installed_wheel_serves_a_page_and_ends_when_told_to(python: Path, tmp_path: Path) -> None:
    shell = Shell(tmp_path, python=python)
    with shell.start("run", "--print-url", "--port", "0", "--no-browser") as process:
        assert process.stdout is not None
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with browser.open(process.stdout.readline().strip(), timeout=20) as answer:
            page = answer.read().decode()
        process.terminate()
        assert process.wait(20) == 0
    assert "Text check" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "plugins"]


def test_installed_wheel_knows_its_version(python: Path, tmp_path: Path) -> None:
    from pipulate import __version__

    shell = Shell(tmp_path, python=python)
    assert shell.process("version").out == f"{__version__}\n"
    told = subprocess.run([python.parent / "pipulate", "--version"], check=True, capture_output=True, text=True)
    assert told.stdout == f"{__version__}\n"


def test_installed_wheel_comes_from_the_wheel_alone(python: Path, tmp_path: Path) -> None:
    code = "import pipulate; print(pipulate.__file__)"
    done = subprocess.run([python, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert Path(done.stdout.strip()).is_relative_to(python.parents[1])


def test_doctor_and_run_say_so_when_the_front_end_files_are_missing(python: Path, tmp_path: Path) -> None:
    (manifest,) = python.parents[1].glob("lib/python3.*/site-packages/pipulate/web/static/manifest.json")
    kept = manifest.rename(manifest.with_name("kept"))
    try:
        shell = Shell(tmp_path, python=python)
        for arguments in (("doctor",), ("run", "--port", "0")):
            shown = shell.process(*arguments)
            assert shown.code == 1
            assert "The front-end files have not been built" in shown.out + shown.err
    finally:
        kept.rename(manifest)
