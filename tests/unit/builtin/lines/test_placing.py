"""Results never take the place of a file that is there."""

from __future__ import annotations

import errno
import os
from itertools import islice
from pathlib import Path

import pytest

from pipulate.builtin.lines.placing import GoneError, finished, names, partial_of, problem_of_file, problem_of_folder


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    path = partial_of(tmp_path, "a.csv", "some-job-12345678")
    path.write_text("12")
    return path


def without_links(*_: object) -> None:
    raise OSError(errno.ENOTSUP, "no links here")


@pytest.fixture(params=[False, True], ids=["links", "no links"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(os, "link", without_links)


def test_names_are_numbered_before_the_ending() -> None:
    assert list(islice(names("a.tar.gz"), 3)) == ["a.tar.gz", "a.tar 2.gz", "a.tar 3.gz"]


@pytest.mark.usefixtures("disk")
def test_result_gets_its_name_once_however_often_it_is_asked_for(tmp_path: Path, partial: Path) -> None:
    assert finished(partial, "a.csv", 2) == tmp_path / "a.csv"
    assert finished(partial, "a.csv", 2) == tmp_path / "a.csv"
    assert names_in(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("disk")
def test_file_that_has_the_name_stays(tmp_path: Path, partial: Path) -> None:
    (tmp_path / "a.csv").write_text("theirs")
    (tmp_path / "a 2.csv").symlink_to(tmp_path / "nothing")
    assert finished(partial, "a.csv", 2).name == "a 3.csv"
    assert (tmp_path / "a.csv").read_text() == "theirs"
    (tmp_path / "a 2.csv").unlink()
    (tmp_path / "a 2.csv").write_text("other")
    assert finished(partial, "a.csv", 2).name == "a 3.csv"


def test_result_goes_on_where_it_was_cut_short_while_it_got_its_name(tmp_path: Path, partial: Path) -> None:
    (tmp_path / "a.csv").hardlink_to(partial)
    assert finished(partial, "a.csv", 2).read_text() == "12"
    assert names_in(tmp_path) == ["a.csv"]


def test_result_that_is_gone_is_told(tmp_path: Path, partial: Path) -> None:
    partial.unlink()
    with pytest.raises(GoneError):
        finished(partial, "a.csv", 2)


def test_problems_of_files_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "good").write_text("1")
    os.mkfifo(tmp_path / "pipe")
    assert {name: problem_of_file(tmp_path / name) for name in ("good", "empty", "none", "no/one", "", "pipe")} == {
        "good": "",
        "empty": "This file is empty.",
        "none": "There is no file none.",
        "no/one": f"There is no folder {tmp_path / 'no'}.",
        "": "This is a folder. Name a file in it.",
        "pipe": "This is no regular file.",
    }
    assert problem_of_file(Path("good")) == "Write the whole path, from the root on."
    assert problem_of_file(tmp_path / ("x" * 300)) == "This cannot be read: File name too long."
    assert problem_of_file(tmp_path / "good" / "x") == f"There is no folder {tmp_path / 'good'}."


def test_file_one_may_not_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("1")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert problem_of_file(tmp_path / "a") == "You may not read this file."
    assert problem_of_folder(tmp_path) == "You may not write to this folder."


def test_problems_of_folders_are_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert problem_of_folder(tmp_path) == ""
    assert problem_of_folder(tmp_path / "a") == "This is a file, not a folder."
    assert problem_of_folder(tmp_path / "b") == "There is no such folder."
    assert problem_of_folder(Path()) == "Write the whole path of the folder, from the root on."
