"""The code that is shown beside a step: all it needs, nothing of others, and never in the way."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from types import ModuleType

import pytest

from pipulate import Workflow
from pipulate.testing import Play

APP = '''
import math
from dataclasses import dataclass, field

from pydantic import Field

from pipulate import Run, Workflow
from pipulate.ui import Html, live, p

app = Workflow("shown", show_code=True)
LIMIT = 3
OTHER = 4


def other() -> int:
    return OTHER


@dataclass
class Point:
    x: float


@app.step("first")
def first(x: int = LIMIT) -> Point:
    """Begin. </script><b>"""
    return Point(math.sqrt(x))


@first.done
def show(point: Point) -> Html:
    return p(point.x, live("clock"))


@app.live("clock")
def clock(run: Run) -> Html:
    return p("now")


@app.get("look/{number}")
def look(number: int) -> Html:
    return p(number)


@app.step("second")
def second(run: Run, y: int = 0) -> int:
    return other() + run[first].x + y


@second.validate
def rule(y: int) -> None:
    app.address(f"look/{y}")
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The app above, loaded from its file."""
    path = tmp_path / "shown_app.py"
    path.write_text(APP)
    spec = importlib.util.spec_from_file_location("shown_app", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "shown_app", made)
    spec.loader.exec_module(made)
    assert made.app.prepare() == []
    return made


def test_code_has_what_the_step_names_and_the_imports_of_that(module: ModuleType) -> None:
    assert module.app["first"].code.split("\n\n\n") == [
        (
            "import math\nfrom dataclasses import dataclass\n\nfrom pipulate import Run\n"
            "from pipulate.ui import Html, live, p"
            "\n\nLIMIT = 3"
        ),
        "@dataclass\nclass Point:\n    x: float",
        (
            '@app.step("first")\ndef first(x: int = LIMIT) -> Point:\n    """Begin. </script><b>"""\n'
            "    return Point(math.sqrt(x))"
        ),
        '@first.done\ndef show(point: Point) -> Html:\n    return p(point.x, live("clock"))',
        '@app.live("clock")\ndef clock(run: Run) -> Html:\n    return p("now")',
    ]


def test_code_leaves_out_other_steps_and_has_rules_and_addresses(module: ModuleType) -> None:
    code = module.app["second"].code
    assert "def first" not in code
    for name in ("def other()", "OTHER = 4", "def rule(", "def look("):
        assert name in code


def test_code_is_text_on_the_page(play: Callable[[Workflow], Play], module: ModuleType) -> None:
    run = play(module.app)
    assert "&lt;/script&gt;&lt;b&gt;" in run.html
    assert "</script><b>" not in run.html
    assert module.app["first"].code in unescape(run.html)
    assert '"""Begin. </script><b>"""' in run.fill().text_of("first")


def test_code_is_not_shown_where_nobody_asked_for_it(play: Callable[[Workflow], Play], module: ModuleType) -> None:
    module.app.show_code = False
    run = play(module.app)
    assert "def first" not in run.html
    assert module.app["first"].code == ""


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_text("def broken(")])
def test_file_that_is_gone_or_broken_shows_no_code(
    play: Callable[[Workflow], Play], module: ModuleType, change: Callable[[Path], object]
) -> None:
    change(Path(str(module.__file__)))
    assert play(module.app).fill().phases["first"] == "done"
    assert module.app["first"].code == ""


def test_missing_package_is_named_with_how_to_install_it(play: Callable[[Workflow], Play]) -> None:
    app = Workflow("wants")

    @app.step("ask")
    def ask(word: str = "kept") -> None:
        import not_installed_anywhere.at_all  # type: ignore[import-not-found]  # noqa: F401

    run = play(app).fill(word="typed", expect_problems=True)
    assert "pip install not_installed_anywhere," in " ".join(run.errors.values())
    assert run.fields["word"].text == "typed"
    assert run.phases["ask"] == "open"
