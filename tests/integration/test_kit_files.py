"""The kit chooses files as a person does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest

from pipulate import Accept, File, Workflow
from pipulate.testing import Play, RefusedError, Upload, WrongFieldError


def sizes() -> Workflow:
    """Return an app that weighs files."""
    app = Workflow("sizes")

    @app.step("weigh")
    def weigh(files: Annotated[list[File], Accept(".txt", max_mb=0.001)], note: str = "") -> list[int]:
        return [file.size_bytes for file in files]

    return app


def test_files_are_uploaded_by_content_and_by_path(play: Callable[[Workflow], Play], tmp_path: Path) -> None:
    (tmp_path / "b ü.txt").write_bytes(b"123")
    run = play(sizes())
    assert run.fields["files"].texts == ()
    run.fill(files=[Upload("a.txt", b"12"), tmp_path / "b ü.txt"], note="two")
    assert run["weigh"] == [2, 3]
    assert [file.name for file in run.files] == ["a.txt", "b ü.txt"]


def test_a_form_that_is_sent_again_keeps_its_files(play: Callable[[Workflow], Play]) -> None:
    run = play(sizes()).fill(files=Upload("a.txt", b"12")).revert("weigh").fill(note="again")
    assert run["weigh"] == [2]
    assert run.answers["weigh"]["note"] == "again"


@pytest.mark.parametrize("upload", [Upload("a.exe", b"x"), Upload("a.txt", b"x" * 2_000)])
def test_what_the_field_does_not_take_is_refused(play: Callable[[Workflow], Play], upload: Upload) -> None:
    with pytest.raises(RefusedError) as refused:
        play(sizes()).fill(files=upload)
    assert "files" in refused.value.problems


def test_a_file_is_not_given_as_text(play: Callable[[Workflow], Play]) -> None:
    with pytest.raises(WrongFieldError, match="Upload"):
        play(sizes()).fill(files="a.txt")
