"""Process a large file, as people use it: from the path to the question where the result goes."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipulate.builtin import process_file as app
from pipulate.builtin.lines import trying
from pipulate.builtin.process_file import process_file
from pipulate.testing import Play, play

LOG = "Ada went\nBob stayed\nada came\nZoë slept\nBob stayed\n"
TABLE = "name;city\nAda;Paris\nBob;Rome\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.txt"
    path.write_text(LOG)
    return path


def asked(path: Path, task: str) -> Play:
    """Name a file and what is to be done with it."""
    return play(process_file).fill(path=str(path)).fill(task=task)


def test_app_is_in_order() -> None:
    assert process_file.prepare() == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "This file is empty."),
        (
            gzip.compress(b"a", mtime=0),
            "This is packed with gzip. Unpack it, or save it as UTF-8 text, and choose that file.",
        ),
        ("a".encode("utf-16"), "This is text in UTF-16. Unpack it, or save it as UTF-8 text, and choose that file."),
    ],
)
def test_file_without_lines_is_refused_at_the_field(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a").write_bytes(content)
    run = play(process_file).fill(path=str(tmp_path / "a"), expect_problems={"path": problem})
    run.fill(path=str(tmp_path / "b"), expect_problems={"path": "There is no file b."})
    run.fill(path=str(tmp_path), expect_problems={"path": "This is a folder. Name a file in it."})
    run.fill(path="a", expect_problems={"path": "Write the whole path, from the root on."})
    run.fill(path="", expect_problems={"path": "Name a file, or upload one."})


def test_file_is_named_or_uploaded_and_never_both(log: Path) -> None:
    run = play(process_file).fill(path=str(log), file=log, expect_problems="path")
    assert run.fill(path="", file=log)["source"].name == "log.txt"
    assert "Zoë slept" in run.text_of("source")
    assert run.fill(task="keep").fill(pattern="bob")["keep"].kept == 2
    assert run.fields["copy_for_download"].text == "on"


def test_path_may_be_pasted_with_quotes_or_begin_at_home(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(log.parent))
    for typed in (f"'{log}'", f'"{log}"', "~/log.txt"):
        assert play(process_file).fill(path=typed)["source"].path == str(log)


def test_letters_that_are_no_utf_8_are_taken_for_western_ones(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Zoë\n".encode("cp1252"))
    run = play(process_file).fill(path=str(tmp_path / "a"))
    assert run["source"].encoding == "cp1252"
    assert "Zoë" in run.text_of("source")


@pytest.mark.parametrize(
    ("task", "answers", "first"),
    [
        ("keep", {"pattern": "ada"}, ["Ada went", "ada came"]),
        ("keep", {"pattern": "ada", "has_case": True, "lines": "leave out"}, [
            "Ada went", "Bob stayed", "Zoë slept", "Bob stayed",
        ]),
        ("keep", {"pattern": "^.o", "kind": "regular expression"}, ["Bob stayed", "Zoë slept", "Bob stayed"]),
        ("duplicates", {}, LOG.splitlines()[:4]),
        ("replace", {"pattern": "(b)ob", "replacement": r"\1ill", "kind": "regular expression"},
         ["Ada went", "Bill stayed", "ada came", "Zoë slept", "Bill stayed"]),
        ("replace", {"pattern": "ë", "replacement": r"e\1"}, LOG.replace("ë", r"e\1").splitlines()),
        ("count", {"patterns": "bob\nd"}, ["bob: in 2 lines, 2 times", "d: in 4 lines, 4 times"]),
    ],
)  # fmt: skip
def test_plan_is_tried_with_the_beginning(log: Path, task: str, answers: dict[str, Any], first: list[str]) -> None:
    run = asked(log, task).fill(**answers)
    assert (run[task].read, run[task].first, run[task].is_whole) == (5, first, True)
    assert f"Tried with all 5{'.' if task == 'count' else f'; {run[task].kept} of them'}" in run.text_of(task)


def test_rows_and_columns_are_asked_for_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE)
    run = asked(tmp_path / "a.csv", "rows")
    assert run.fields["delimiter"].text == "semicolon"
    assert run.fill()["table"] == ["name", "city"]
    run.fill(expect_problems="columns")
    run.fill(columns=["1"], column="0", relation="least", value="many", expect_problems="value")
    run.fill(columns=["1"], column="0", relation="is", value="bob")
    assert run["rows"].first == ["city", "Rome"]
    assert run.fields["name"].text == "a-rows.csv"
    assert run.revert("table").fill(has_header=False)["table"] == ["Column 1", "Column 2"]


@pytest.mark.parametrize(
    ("task", "answers", "field", "words"),
    [
        ("keep", {"pattern": "(", "kind": "regular expression"}, "pattern", "This is no regular expression: "),
        ("keep", {"pattern": "a{99999999999}", "kind": "regular expression"}, "pattern", "This is no regular"),
        ("count", {"patterns": "a\n(", "kind": "regular expression"}, "patterns", "This is no regular expression"),
        ("replace", {"pattern": "a", "replacement": r"\7", "kind": "regular expression"}, "replacement", "This cannot"),
        ("replace", {"pattern": "(", "replacement": "", "kind": "regular expression"}, "pattern", "This is no regular"),
    ],
)
def test_pattern_that_is_none_is_refused_at_the_field(
    log: Path, task: str, answers: dict[str, Any], field: str, words: str
) -> None:
    run = asked(log, task).fill(**answers, expect_problems=field)
    assert run.errors[field].startswith(words)


def test_pattern_that_never_ends_is_refused_at_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a" * 40 + "!\n")
    monkeypatch.setattr(app, "tried", lambda path, plan: trying.tried(path, plan, 0.5))
    problem = "This takes too long for the beginning of the file already. Make it simpler."
    asked(tmp_path / "a", "keep").fill(
        pattern="(a+)+$", kind="regular expression", expect_problems={"pattern": problem}
    )


def test_sign_that_the_encoding_has_not_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("Zoë\n".encode("cp1252"))
    asked(tmp_path / "a", "replace").fill(pattern="o", replacement="→", expect_problems="replacement")


def test_file_that_is_gone_when_it_is_tried_is_told(log: Path) -> None:
    run = asked(log, "keep")
    log.unlink()
    run.fill(pattern="a", expect_problems={"pattern": "There is no file log.txt."})


def test_result_goes_beside_the_source_unless_somebody_says_otherwise(log: Path) -> None:
    run = asked(log, "keep").fill(pattern="a")
    assert (run.fields["folder"].text, run.fields["name"].text) == (str(log.parent), "log-kept.txt")
    run.fill(folder="/nowhere", expect_problems={"folder": "There is no such folder."})
    for name in ("a/b", "..", "ä" * 200):
        run.fill(folder=str(log.parent), name=name, expect_problems="name")


def test_place_without_room_is_refused(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = asked(log, "keep").fill(pattern="a")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": 3}))
    run.fill(expect_problems={"folder": f"There are 3 bytes free; the file has {log.stat().st_size}."})
