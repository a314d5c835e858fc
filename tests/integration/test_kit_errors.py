"""What the kit tells an author whose test does not go as it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipulate import Workflow
from pipulate.app import IN_BOX
from pipulate.testing import (
    AppFailedError,
    ConflictError,
    Play,
    PlayError,
    RefusedError,
    RunningApp,
    WrongFieldError,
    WrongStepError,
    play,
    play_plugin,
)
from tests.support.apps import fragile, split


@pytest.fixture
def run() -> Iterator[Play]:
    """A run of the app that splits a bill, at its first step."""
    with play(split()) as run:
        yield run


def test_problems_are_named_with_what_was_typed(run: Play) -> None:
    with pytest.raises(RefusedError) as raised:
        run.fill(total="much", people=51)
    assert raised.value.problems == {"total": "Enter a number.", "people": "Must be 50 or less."}
    assert "people: Must be 50 or less.  (it was '51')" in str(raised.value)
    assert "expect_problems=True" in str(raised.value)


def test_traceback_of_the_app_is_told_and_is_the_cause(run: Play) -> None:
    with pytest.raises(
        AppFailedError, match=r"Sending step 'bill' failed\. The app raised ValueError: thirteen"
    ) as raised:
        run.fill(total=1, people=13)
    assert "apps.py" in str(raised.value)
    assert str(raised.value).count(", line ") == 1  # None of ours.
    assert isinstance(raised.value.__cause__, ValueError)


def test_failure_of_a_step_that_runs_by_itself_is_told() -> None:
    with play(fragile()) as run, pytest.raises(AppFailedError, match="RuntimeError: cannot make anything of it"):
        run.fill(text="bad")


def test_a_step_that_is_not_open_is_told_with_the_one_that_is(run: Play) -> None:
    with pytest.raises(WrongStepError, match="Step 'note' is not open: the run asks for step 'bill'"):
        run.fill_step("note", text="x")
    with pytest.raises(WrongStepError, match="There is no step 'nope'; there is 'bill', 'note', 'share'"):
        run.fill_step("nope")


def test_a_field_that_is_not_there_is_told_with_those_that_are(run: Play) -> None:
    with pytest.raises(
        WrongFieldError, match=r"no field 'peple'; it asks for total, people, tip\. Did you mean 'people'"
    ):
        run.fill(peple=3)
    with pytest.raises(WrongFieldError, match="ticked or not"):
        run.fill(total=1, tip="yes")
    with pytest.raises(WrongFieldError, match="takes one value"):
        run.fill(total=[1, 2])


def finished(run: Play) -> Play:
    """Answer everything."""
    return run.fill(total=1).fill(text="x")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda run: run.fill(total=1).keep(), "Nothing can be kept as it is here: the run asks for step 'note'"),
        (lambda run: run.cancel_edit(), "There is no edit to cancel"),
        (lambda run: run.skip(), "The open step cannot be skipped"),
        (lambda run: run.finalize(), "when all steps are done; the run asks for step 'bill'"),
        (lambda run: run.revert("note"), "is not offered: it is 'waiting'"),
        (lambda run: finished(run).fill(total=1), "all steps are done"),
        (lambda run: finished(run).finalize().revert("bill"), "the run is locked; unfinalize"),
        (lambda run: finished(run).finalize().rename("x"), "cannot be renamed now: the run is locked"),
        (lambda run: run.go_back(7), "Version 7 cannot be brought back: it has the versions 1 to 1"),
        (lambda run: run.fork(7), "There is no version 7 to copy"),
        (lambda run: run["share"], "Step 'share' has no value: the run asks for step 'bill'"),
        (lambda run: run.keep_mine(), "This tab shows no conflict"),
        (lambda run: run.unfinalize(), "the run is not locked"),
    ],
)
def test_what_is_not_offered_is_told_with_where_the_run_is(
    run: Play, act: Callable[[Play], object], words: str
) -> None:
    with pytest.raises(WrongStepError) as raised:
        act(run)
    assert words in str(raised.value)


def test_a_conflict_that_nobody_expects_is_told(run: Play) -> None:
    other = run.other_tab()
    run.fill(total=1)
    with pytest.raises(ConflictError, match="“The bill” was changed after you opened it"):
        other.fill(total=2)
    with pytest.raises(WrongStepError, match="this tab shows a conflict; choose"):
        other.fill(total=2)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda run: run.fill(total=1, expect_problems=True), "was to come back with problems, but it was taken"),
        (lambda run: run.fill(total="x", expect_problems="people"), "it came back with {'total'"),
        (lambda run: run.fill(total="x", expect_problems={"total": "Too much"}), "Enter a number"),
        (lambda run: run.fill(total=1, expect_conflict=True), "was to be refused, but it was done"),
        (lambda run: run.fill(total=1, expect_failure=True), "was to fail, but it did not"),
    ],
)
def test_what_was_expected_and_did_not_come_is_told(run: Play, act: Callable[[Play], object], words: str) -> None:
    with pytest.raises(PlayError) as raised:
        act(run)
    assert words in str(raised.value)


def test_a_key_that_is_refused_is_told(run: Play) -> None:
    with pytest.raises(RefusedError, match="the key"):
        run.rename("a\x00b")
    assert run.rename("", expect_problems=True).key == "01"


def test_findings_of_an_app_are_told_all_at_once() -> None:
    broken = Workflow("broken")

    @broken.step("Bad Name")
    def bad(x: object) -> None: ...

    with pytest.raises(PlayError, match=r"(?s)App 'broken' cannot be used:.*W003.*W006"):
        play(broken)


def test_repr_says_where_a_run_is(run: Play) -> None:
    assert repr(run) == "<Play split/01 version 1 bill:open note:waiting share:waiting>"
    assert repr(finished(run).finalize()) == "<Play split/01 version 5 locked bill:done note:done share:done>"
    assert "bin" in repr(run.unfinalize().delete()) or "no run" in repr(run)
    assert repr(run.app) == "<RunningApp apps: split>"


def test_an_app_that_is_not_there_is_told(run: Play) -> None:
    with pytest.raises(PlayError, match="There is no app 'nope' here; there is 'split'"):
        run.app.play("nope")


def test_a_closed_app_says_so() -> None:
    app = RunningApp(split())
    run = app.play("split")
    app.close()
    app.close()
    with pytest.raises(PlayError, match="closed"):
        run.fill(total=1)


def test_a_plugin_file_is_played_or_its_findings_are_told(tmp_path: Path) -> None:
    source = "from pipulate import Workflow\napp = Workflow('one')\n@app.step('word')\ndef word(text: str{}): ...\n"
    (tmp_path / "010_right.py").write_text(source.format(""))
    (tmp_path / "wrong.py").write_text(source.format(", x: object"))
    (tmp_path / "old.py").write_text((IN_BOX / "hello_workflow.py").read_text())
    with play_plugin(tmp_path / "010_right.py") as run:
        assert run.fill(text="x").answers == {"word": {"text": "x"}}
    with pytest.raises(PlayError, match=r"(?s)wrong\.py cannot be used:.*W006 .*wrong\.py:"):
        play_plugin(tmp_path / "wrong.py")
    with pytest.raises(PlayError, match="declares a class"):
        play_plugin(tmp_path / "old.py")
