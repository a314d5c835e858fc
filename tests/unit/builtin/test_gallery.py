"""The gallery: one press shows each entry, its code is that of the file, and what is missing is said plainly."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipulate import Workflow
from pipulate._program import installing
from pipulate.builtin import gallery_fields, gallery_live, gallery_results
from pipulate.testing import Play, RunningApp, Upload, check_workflow

GALLERY = [gallery_fields.gallery, gallery_results.gallery, gallery_live.gallery]
ENTRIES = [(gallery, step.name) for gallery in GALLERY for step in gallery.steps[1:]]
EACH = pytest.mark.parametrize(("gallery", "name"), ENTRIES, ids=[f"{each.name}-{name}" for each, name in ENTRIES])


@pytest.fixture(autouse=True, scope="module")
def checked() -> None:
    """Declared without a mistake, which is also when the code is taken from the files."""
    assert [gallery.prepare() for gallery in GALLERY] == [[], [], []]


def goes_to(gallery: Workflow, name: str) -> str:
    """Return what is chosen to go to an entry."""
    if gallery is not gallery_live.gallery:
        return name
    return name.replace("_", " ").capitalize().replace("Javascript", "JavaScript")


@EACH
def test_one_press_shows_the_entry(play: Callable[[Workflow], Play], gallery: Workflow, name: str) -> None:
    run = play(gallery).fill(entry=goes_to(gallery, name))
    assert run.open_step == name
    run.fill_step(name)
    assert run.phases[name] == "done"
    assert "cannot be shown" not in run.text_of(name)


@EACH
def test_code_beside_an_entry_is_all_it_needs_but_the_workflow(
    gallery: Workflow, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = gallery[name]
    source = Path(str(sys.modules[step.function.__module__].__file__)).read_text()
    for part in step.code.split("\n\n\n"):
        assert part.startswith(("from ", "import ")) or part in source
    copied = ModuleType("copied")
    copied.__dict__.update({"gallery": Workflow("copied"), "__file__": __file__})
    monkeypatch.setitem(sys.modules, "copied", copied)
    exec(compile(step.code, "copied.py", "exec"), copied.__dict__)  # noqa: S102 - this is what a reader does with it
    assert [each.name for each in copied.gallery.steps] == [name]
    used = {each.id for each in ast.walk(ast.parse(step.code)) if isinstance(each, ast.Name)}
    others = {each.function.__name__ for each in gallery.steps} - {step.function.__name__}
    assert not used & others or name == "choices"  # It reads an earlier step, and names it.


@EACH
def test_entry_is_short(gallery: Workflow, name: str) -> None:
    lines = [line for line in gallery[name].code.splitlines() if line.strip()]
    assert len(lines) <= 25


def test_code_stands_on_the_page_while_the_entry_is_open_and_when_it_is_done(
    play: Callable[[Workflow], Play],
) -> None:
    run = play(gallery_fields.gallery).fill(entry="switch")
    assert "def switch(dark: Annotated[bool, Switch()] = True" in run.text_of("switch")
    assert "def switch(dark: Annotated[bool, Switch()] = True" in run.fill().text_of("switch")
    assert "def text(" not in run.text_of("switch")


@pytest.mark.parametrize(
    ("name", "package"), [("data_frame", "pandas"), ("matplotlib", "matplotlib"), ("bokeh", "bokeh")]
)
def test_missing_package_is_named_and_the_rest_goes_on(
    play: Callable[[Workflow], Play], monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    run = play(gallery_results.gallery).fill(entry=name)
    for module in [each for each in sys.modules if each.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, package, None)
    run.fill_step(name, expect_problems=True)
    assert installing(package) in " ".join(run.errors.values())
    assert run.revert("entry").fill(entry="picture").fill_step("picture")["picture"].alt == "A blue circle"


def test_nothing_heavy_is_imported_at_start() -> None:
    heavy = {"pandas", "matplotlib", "bokeh", "numpy", "PIL", "polars"}
    for gallery in GALLERY:
        tree = ast.parse(Path(str(sys.modules[gallery.module].__file__)).read_text())
        assert not heavy & {
            name.name.partition(".")[0]
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
        }


@pytest.mark.parametrize("module", [gallery_fields, gallery_results, gallery_live], ids=lambda each: each.__name__)
def test_file_works_in_the_plugins_folder(module: Any, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    text = Path(module.__file__).read_text().replace('"gallery_', '"copied_').replace("copied_dial", "gallery_dial")
    (folder / "010_copied.py").write_text(text)
    for asset in Path(module.__file__).parent.glob("gallery_dial.*"):
        shutil.copy(asset, folder / asset.name)
    with RunningApp(folder=tmp_path) as app:
        run = app.play(module.gallery.name.replace("gallery", "copied")).fill()
        assert run.open_step is not None
        assert "def entry(" in run.text_of("entry")


def test_gallery_stands_last_in_the_menu(tmp_path: Path) -> None:
    with RunningApp(folder=tmp_path, in_box=True) as app:
        page = app.send("GET", "/").text
    menu = re.findall(r'href="/([a-z_]+)"', page[page.index('class="apps"') :])
    assert menu[-3:] == [gallery.name for gallery in GALLERY]


@pytest.mark.parametrize("gallery", GALLERY, ids=lambda each: str(each.name))
def test_promises_hold_whatever_is_done(gallery: Workflow) -> None:
    check_workflow(gallery, examples=3, actions=8)


# What entries teach


def test_upload_returns_the_file(play: Callable[[Workflow], Play]) -> None:
    run = play(gallery_fields.gallery).fill(entry="upload").fill(file=Upload("a.txt", b"some words"))
    assert run["upload"].read_text() == "some words"
    assert "a.txt" in run.text_of("upload")


def test_rule_refuses_what_does_not_fit_together(play: Callable[[Workflow], Play]) -> None:
    run = play(gallery_fields.gallery).fill(entry="rule").fill(low=5, high=2, expect_problems={"high": "at least 5"})
    assert run.fields["low"].text == "5"


def test_options_depend_on_an_earlier_step(play: Callable[[Workflow], Play]) -> None:
    run = play(gallery_fields.gallery).fill(entry="text_area").fill(words="a b c")
    while run.open_step != "choices":
        run.fill()
    assert [each.label for each in run.fields["number"].choices if each.text][:2] == ["1 x 3", "2 x 3"]


def test_own_address_counts_on(play: Callable[[Workflow], Play]) -> None:
    run = play(gallery_live.gallery).fill(entry="Own address").fill(first=41)
    answer = run.app.send("GET", gallery_live.gallery.address("next/42") + f"?_run={run.id}")
    assert "<b>42</b>" in answer.text
    assert "next/43" in answer.text


def test_message_stands_beside_the_run(play: Callable[[Workflow], Play]) -> None:
    run = play(gallery_live.gallery).fill(entry="Messages").fill(text="Good evening.")
    assert "Good evening." in run.messages
