"""Training texts: as text, or from a file beside the app; too long or missing is said, and keeps no app away."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from pipulate import Report, Resource, Workflow
from pipulate.findings import WARNINGS
from pipulate.tools.training import MAX_BYTES, look, training_of

LINE = ("app.py", 3)


class Note(BaseModel):
    """A note."""

    text: str


def no_rows() -> list[dict[str, str]]:
    return []


def codes(given: str | Path, beside: Path) -> list[str]:
    return [each.code for each in look(given, beside, LINE)]


def test_text_is_given_as_it_is(tmp_path: Path) -> None:
    assert training_of("  What to know. ", tmp_path) == "What to know."
    assert training_of("", tmp_path) == ""
    assert training_of("Read\nthe notes.md", tmp_path) == "Read\nthe notes.md"


@pytest.mark.parametrize("place", ["know.md", "training/know.md"])
def test_file_is_read_beside_the_app_or_in_its_training_folder(tmp_path: Path, place: str) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / place).write_text("# From a file\n")
    assert training_of("know.md", tmp_path) == "# From a file"
    assert training_of(Path("know.md"), tmp_path) == "# From a file"
    assert codes("know.md", tmp_path) == []


def test_file_is_read_in_the_training_folder_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "know.md").write_text("known")
    monkeypatch.chdir(tmp_path)
    assert training_of("know.md", tmp_path / "elsewhere") == "known"


def test_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "know.md"
    file.write_text("one")
    assert training_of("know.md", tmp_path) == "one"
    file.write_text("two")
    assert training_of("know.md", tmp_path) == "two"


def test_missing_file_is_a_finding_and_gives_no_text(tmp_path: Path) -> None:
    assert codes("nowhere.md", tmp_path) == ["W037"]
    assert training_of("nowhere.md", tmp_path) == ""


def test_text_that_is_too_long_is_a_finding_in_bytes(tmp_path: Path) -> None:
    assert codes("x" * MAX_BYTES, tmp_path) == []
    assert codes("x" * (MAX_BYTES + 1), tmp_path) == ["W038"]
    assert codes("ü" * (MAX_BYTES // 2 + 1), tmp_path) == ["W038"]
    (tmp_path / "long.md").write_text("x" * 20_000)
    assert codes("long.md", tmp_path) == ["W038"]


def test_neither_keeps_an_app_from_being_used() -> None:
    assert {"W037", "W038"} <= WARNINGS


def test_all_kinds_of_apps_look_for_their_text() -> None:
    flow, notes, report = (
        Workflow("flow", training="gone.md"), Resource("notes", Note, training="gone.md"),
        Report("report", training="gone.md"),
    )  # fmt: skip
    flow.step("one")(lambda: None)
    report.table(no_rows)
    assert [[each.code for each in app.prepare()] for app in (flow, notes, report)] == [["W037"]] * 3
