"""The kit plays a run as a person does: what each action does, and what can be read afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from pipulate import Workflow
from pipulate.testing import ManualClock, Play, PlayError, RunningApp, Store, play, play_plugin
from tests.support.apps import Colour, fragile, shapes, split


@pytest.fixture
def run() -> Iterator[Play]:
    """A run of the app that splits a bill, finished."""
    with play(split()) as run:
        yield run.fill(total=50.1).fill(text="x")


def test_a_run_is_played_in_one_line() -> None:
    with play(split()).fill(total=50.1, people=3).fill(text="a\nb", how="card").finalize() as run:
        assert run["share"] == "Everybody pays 16.70."
        assert run.is_locked
        assert run.is_finished


def test_values_and_answers_have_their_types(run: Play) -> None:
    assert run.values["bill"] == 25.05
    assert run.answers == {"bill": {"total": 50.1, "people": 2, "tip": False}, "note": {"text": "x", "how": "cash"}}
    assert "share" in run
    assert list(run.values) == ["bill", "note", "share"]


def test_each_type_is_entered_as_a_browser_sends_it() -> None:
    with play(shapes()) as run:
        run.fill(word="ß", day=date(2026, 2, 28), colour=Colour.GREEN, size="xxl", share=2, also=None, really=False)
        assert run.answers["all"] == {
            "word": "ß", "day": date(2026, 2, 28), "colour": Colour.GREEN, "size": "xxl", "share": 2.0,
            "also": None, "really": False,
        }  # fmt: skip


def test_a_choice_can_be_named_by_its_label() -> None:
    with play(shapes()) as run:
        run.fill(word="w", day="2026-02-28", colour="Red", size="s", really=True)
        assert run.answers["all"]["colour"] is Colour.RED


def test_fields_that_are_not_named_stay_as_the_form_shows_them(run: Play) -> None:
    run.revert("bill").fill(people=5)
    assert run.answers["bill"] == {"total": 50.1, "people": 5, "tip": False}
    assert run.revert("bill").fill(tip=True).revert("bill").fill(tip=False).answers["bill"]["tip"] is False


def test_phases_follow_the_run(run: Play) -> None:
    assert run.revert("bill").phases == {"bill": "editing", "note": "waiting", "share": "waiting"}
    assert run.open_step == "bill"
    assert run.fill(people=4).phases == {"bill": "done", "note": "open", "share": "waiting"}
    assert run.keep().phases == {"bill": "done", "note": "done", "share": "done"}
    assert run["share"] == "Everybody pays 12.53."


def test_history_says_what_was_done(run: Play) -> None:
    run.revert("note").cancel_edit().finalize().unfinalize()
    assert [str(each) for each in run.history] == [
        "started", "submitted bill", "submitted note", "computed share", "reverted note", "edit_cancelled note",
        "finalized", "unfinalized",
    ]  # fmt: skip
    assert repr(run.history[1]) == "<2: submitted bill>"
    assert run.version == 8


def test_an_earlier_version_is_brought_back(run: Play) -> None:
    run.revert("bill").fill(total=1000).go_back(4)
    assert run["bill"] == 25.05
    assert str(run.history[-1]) == "went_back"


def test_a_copy_is_a_run_of_its_own(run: Play) -> None:
    copy = run.fork(2)
    copy.fill(text="of the copy")
    assert (copy.key, run.key) == ("01-copy", "01")
    assert run.answers["note"]["text"] == "x"
    assert run.fork().values == run.values


def test_a_run_is_renamed_deleted_and_brought_back(run: Play) -> None:
    assert run.rename("of spring").key == "of spring"
    assert run.delete().app.store.runs() == []
    assert [each.key for each in run.app.store.runs(deleted=True)] == ["of spring"]
    assert run.undelete()["bill"] == 25.05


def test_a_step_that_runs_by_itself_runs_again(run: Play) -> None:
    assert str(run.again("share").history[-1]) == "computed share"


def test_page_shows_what_a_person_reads(run: Play) -> None:
    assert run.text_of("share") == "The answer\nRun again The answer\nEverybody pays 25.05."
    assert "All steps are done" in run.notice
    assert run.html.startswith("<!doctype html>")
    run.revert("bill")
    assert run.fields["people"].label == "People"
    assert run.fields["people"].help == "Who sits at the table."
    assert (run.fields["people"].text, run.fields["people"].limits["max"]) == ("2", "50")
    assert [each.text for each in run.fill().fields["how"].choices] == ["cash", "card"]


def test_problems_stand_at_their_fields_and_nothing_is_lost(run: Play) -> None:
    run.revert("bill").fill(total="much", people=51, expect_problems=["total", "people"])
    assert run.errors == {"total": "Enter a number.", "people": "Must be 50 or less."}
    assert run.fields["total"].text == "much"
    assert run.fill(total=1, people=1)["bill"] == 1


def test_two_tabs_meet(run: Play) -> None:
    other = run.revert("bill").other_tab()
    run.fill(people=3)
    other.fill(people=4, expect_conflict=True)
    assert other.is_conflict
    assert run.answers["bill"]["people"] == 3
    assert other.keep_mine().answers["bill"]["people"] == 4


def test_after_a_conflict_theirs_can_be_taken_or_a_copy_made(run: Play) -> None:
    other = run.revert("bill").other_tab()
    third = run.other_tab()
    run.fill(people=3)
    assert other.fill(people=4, expect_conflict=True).take_theirs().open_step == "note"
    copy = third.fill(people=5, expect_conflict=True).continue_in_copy()
    assert (copy.key, copy.answers["bill"]["people"], run.answers["bill"]["people"]) == ("01-copy", 5, 3)


def test_a_tab_goes_on_from_what_it_saw(run: Play) -> None:
    other = run.other_tab()
    run.finalize()
    other.revert("bill", expect_conflict=True)
    assert "locked" in other.errors[""].lower()


def test_what_the_app_raised_is_there_to_be_looked_at() -> None:
    with play(fragile()) as run:
        run.fill(text="bad", expect_failure=True)
        assert isinstance(run.failure, RuntimeError)
        assert run.phases == {"word": "done", "made": "open"}
        run.again("made", expect_failure=True).revert("word").fill(text="good")
        assert run["made"] == "**good**"
        assert run.failure is None


def test_data_is_there_after_a_restart(run: Play) -> None:
    run.app.restart()
    assert run.reload()["share"] == "Everybody pays 25.05."
    assert run.finalize().is_locked


def test_two_apps_in_one_process_know_nothing_of_each_other(run: Play) -> None:
    with play(split()) as other:
        assert other.key == run.key == "01"
        assert other.phases != run.phases


def test_app_is_started_with_settings_of_ones_own(tmp_path: Path) -> None:
    with RunningApp(split(), folder=tmp_path, max_body_bytes=2_000) as app:
        with pytest.raises(PlayError, match="413"):
            app.play("split").fill(total=1).fill(text="x" * 3_000)
        assert (tmp_path / "data").is_dir()
        assert app.apps == ("split",)
    assert repr(app) == "<RunningApp closed>"


def test_app_in_the_box_is_there_where_it_is_asked_for() -> None:
    with RunningApp(in_box=True) as app:
        run = app.play("greeting").fill(name="Ada").fill(language="Deutsch")
        assert run["greeting"] == "Hallo, Ada!"


def test_fixtures_belong_together(
    play: Callable[[Workflow], Play], pipulate_app: RunningApp, pipulate_store: Store, pipulate_clock: ManualClock,
    pipulate_user: str,
) -> None:  # fmt: skip
    run = play(split())
    pipulate_clock.move(days=2)
    run.fill(total=3)
    assert [each.at[:10] for each in run.history] == ["2026-11-20", "2026-11-22"]
    assert {each.by for each in run.history} == {pipulate_user}
    assert [each.version for each in pipulate_store.runs("split")] == [2]
    assert run.app is pipulate_app
    assert pipulate_store.problems() == []


def test_plugin_that_takes_long_to_import_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import threading\nthreading.Event().wait(2.5)\nfrom pipulate import Workflow\napp = Workflow('slow')\n"
        "@app.step('a')\ndef a(x: int) -> int:\n    return x\n"
    )
    assert play_plugin(tmp_path / "slow.py").fill(x=3)["a"] == 3
