"""pytest finds the fixtures by itself; a project that does not use them does not notice; authors' types are checked."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

from tests.architecture.sources import ROOT

TESTS = """
from pipulate import Workflow

app = Workflow("one")

@app.step("word")
def word(text: str) -> str:
    return text.upper()

def test_app(play, pipulate_store, pipulate_user):
    run = play(app, key="a").fill(text="x")
    assert run["word"] == "X"
    assert play(app).key == "01"
    assert [each.key for each in pipulate_store.runs()].count("a") == 1
    assert run.history[0].by == pipulate_user

def test_damage(play, pipulate_app):
    run = play(app).fill(text="x")
    pipulate_app.call(pipulate_app.application.site.db.write(lambda tx: tx.run("UPDATE run_steps SET present = 0")))
"""


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder of its own."""
    return subprocess.run(
        [sys.executable, *words], cwd=folder, check=False, capture_output=True, text=True, timeout=120
    )


def test_fixtures_are_there_and_look_at_the_store_afterwards(tmp_path: Path) -> None:
    (tmp_path / "test_one.py").write_text(TESTS)
    done = python(tmp_path, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    assert "2 passed, 1 error" in done.stdout, done.stdout
    assert "steps differ from what its journal adds up to" in done.stdout


def test_other_projects_load_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(
        "import sys\n\ndef test_nothing_is_loaded():\n"
        "    mine = {name for name in sys.modules if name.partition('.')[0] in ('pydantic', 'starlette', 'fasthtml',"
        " 'structlog', 'hypothesis')}\n    assert mine <= {'hypothesis'}\n"
        "    assert {name for name in sys.modules if name.startswith('pipulate')} == {'pipulate', 'pipulate._version',"
        " 'pipulate.testing', 'pipulate.testing.plugin'}\n"
    )
    done = python(tmp_path, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout


def test_kit_works_without_pytest_and_hypothesis(tmp_path: Path) -> None:
    script = """
        import sys
        sys.modules["pytest"] = sys.modules["hypothesis"] = None
        from pipulate import Workflow
        from pipulate.testing import play
        app = Workflow("one")
        @app.step("word")
        def word(text: str) -> str:
            return text.upper()
        print(play(app).fill(text="x")["word"])
    """
    done = python(tmp_path, "-c", textwrap.dedent(script))
    assert done.stdout.splitlines()[-1] == "X", done.stderr
    assert done.stderr == ""


def test_types_are_those_of_the_steps(tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(
        "from pipulate import Workflow\nfrom pipulate.testing import Play, check_workflow, play\n\n"
        "app = Workflow('one')\n\n\n@app.step('word')\ndef word(text: str) -> int:\n    return len(text)\n\n\n"
        "run: Play = play(app).fill(text='x').finalize()\nnumber: int = run[word]\nwrong: str = run[word]\n"
        "check_workflow(app, seed='x')\nrun.fil()\n"
    )
    known = ("--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache"))
    done = python(tmp_path, "-m", "mypy", *known, "typed.py")  # What `make check` has read is not read again.
    found = sorted(int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line)
    assert found == [14, 15, 16], done.stdout
    assert (ROOT / "src" / "pipulate" / "py.typed").is_file()
