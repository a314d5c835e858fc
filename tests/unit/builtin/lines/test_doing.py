"""The job: what was recorded is not done again, and what was not is done as if for the first time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipulate import FieldError
from pipulate.builtin.lines import working
from pipulate.builtin.lines.doing import Desk
from pipulate.builtin.lines.plan import Plan
from pipulate.workflows.handed import Progress


class StoppedHere(BaseException):
    """The job was asked to stop here, or its process died."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


class Recorded:
    """A job with its records; it ends at a call, before or after what is called was recorded."""

    id = "job-12345678"

    def __init__(self, why: str = "") -> None:
        self.parts: dict[str, str] = {}
        self.done: list[str] = []
        self.dies_at, self.is_after, self.why = -1, False, why

    def checkpoint_now(self, name: str, function: Callable[..., Any], /, *args: Any) -> Any:
        """Record what a function returns, as JSON, once."""
        if name not in self.parts:
            number = len(self.done)
            self.done.append(name)
            result = json.dumps(function(*args))
            if number == self.dies_at and not self.is_after:
                raise StoppedHere(self.why)
            self.parts[name] = result
            if number == self.dies_at:
                raise StoppedHere(self.why)
        return json.loads(self.parts[name])

    def in_process_now(self, function: Callable[..., Any], /, *args: Any) -> Any:
        """Call it here: what goes there is JSON already."""
        return function(*json.loads(json.dumps(args)))


CONTENT = b"one\ntwo\none\n\xff\nthree\none\ntwo\nfour\n"


class Office:
    """A folder with a source, and desks for the same job."""

    def __init__(self, folder: Path, **plan: Any) -> None:
        self.source, self.plan = folder / "source", Plan(**plan)
        self.folder: Path | None = folder
        self.job = Recorded()
        self.logged: list[str] = []
        self.source.write_bytes(CONTENT)

    def go(self, *, removes: bool = False) -> Path:
        """Do the job, or what is left of it."""
        self.progress = Progress(lambda _: None, self.logged.append)
        job: Any = self.job
        desk = Desk(job, self.progress, self.source, self.plan, self.folder, "result")
        desk.removes = removes
        self.state, made = desk.work()
        self.shown = [*desk.counts(self.state), *desk.beginning(self.state)]
        return made or self.source


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "BATCH_BYTES", 9)


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize(
    ("task", "result"),
    [("duplicates", b"one\ntwo\n\xff\nthree\nfour\n"), ("keep", b"one\ntwo\none\none\ntwo\nfour\n")],
)
def test_job_that_dies_at_any_checkpoint_goes_on_there(
    tmp_path: Path, task: Any, result: bytes, is_after: bool
) -> None:
    whole = Office(tmp_path, task=task, patterns=("o",))
    whole.go().unlink()
    number = len(whole.job.done)
    assert number == 5
    for dies_at in range(number):
        office = Office(tmp_path, task=task, patterns=("o",))
        office.job.dies_at, office.job.is_after = dies_at, is_after
        with pytest.raises(StoppedHere):
            office.go()
        path = office.go()
        assert path.read_bytes() == result
        assert office.job.done == sorted([*whole.job.done, *([] if is_after else [whole.job.done[dies_at]])], key=_turn)
        path.unlink()
        assert [each.name for each in tmp_path.iterdir()] == ["source"]


def _turn(name: str) -> tuple[int, str]:
    return ["source", "batch", "finish"].index(name.partition(" ")[0]), name


@pytest.mark.parametrize(("why", "removes", "left"), [
    ("cancel", True, []), ("cancel", False, ["result.12345678.partial"]), ("pause", True, ["result.12345678.partial"]),
])  # fmt: skip
def test_incomplete_result_goes_only_where_the_job_is_cancelled_and_that_was_chosen(
    tmp_path: Path, why: str, removes: bool, left: list[str]
) -> None:
    office = Office(tmp_path, task="keep", patterns=("o",))
    office.job.dies_at, office.job.why = 3, why
    with pytest.raises(StoppedHere):
        office.go(removes=removes)
    assert [each.name for each in tmp_path.glob("result*")] == left


def test_what_was_odd_is_logged_once_and_progress_comes_to_its_end(tmp_path: Path) -> None:
    office = Office(tmp_path, task="replace", patterns=("o",), replacement="0")
    office.job.dies_at, office.job.is_after = 3, True
    with pytest.raises(StoppedHere):
        office.go()
    office.go()
    assert office.logged == [
        f"Until it is complete, the result is in {tmp_path / 'result.12345678.partial'}",
        "Line 4 has bytes that are no letters in this encoding.",
    ]
    assert office.progress.now.done == office.state.offset / 1e6 or office.progress.now.done == 0
    assert "8 lines" in office.progress.now.text
    assert '<td dir="auto">Replacements</td><td class="number">6</td>' in office.shown[0]
    assert office.shown[-1].text.startswith("0ne\n")


@pytest.mark.parametrize("content", [CONTENT[:5], CONTENT.replace(b"one", b"eno")])
def test_source_that_was_changed_meanwhile_is_told_in_words(tmp_path: Path, content: bytes) -> None:
    office = Office(tmp_path, task="keep", patterns=("o",))
    office.job.dies_at, office.job.is_after = 2, True
    with pytest.raises(StoppedHere):
        office.go()
    office.source.write_bytes(content)
    with pytest.raises(FieldError) as refused:
        office.go()
    assert refused.value.reason == working.CHANGED


@pytest.mark.parametrize("dies_again_at", [-1, 5])
@pytest.mark.parametrize("dies_at", [2, 3])
def test_job_whose_unfinished_result_was_removed_begins_anew(tmp_path: Path, dies_at: int, dies_again_at: int) -> None:
    office = Office(tmp_path, task="duplicates")
    office.job.dies_at, office.job.why, office.job.is_after = dies_at, "cancel", True
    with pytest.raises(StoppedHere):
        office.go(removes=True)
    office.job.dies_at = dies_again_at
    if dies_again_at > 0:
        with pytest.raises(StoppedHere):
            office.go()
    assert office.go().read_bytes() == b"one\ntwo\n\xff\nthree\nfour\n"
    assert any(line.endswith("It is begun anew.") for line in office.logged)
    assert "turn 2, batch 1" in office.job.parts


def test_file_that_grew_is_said_and_its_end_left_alone(tmp_path: Path) -> None:
    office = Office(tmp_path, task="keep", patterns=("o",))
    office.job.dies_at, office.job.is_after = 2, True
    with pytest.raises(StoppedHere):
        office.go()
    (tmp_path / "source").write_bytes(CONTENT + b"too late\n")
    assert b"late" not in office.go().read_bytes()
    assert office.logged[-1].startswith("The file grew meanwhile.")


def test_result_does_not_take_a_name_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "result").write_text("theirs")
    assert Office(tmp_path, task="duplicates").go().name == "result 2"
    assert (tmp_path / "result").read_text() == "theirs"


def test_counts_are_shown_with_their_patterns_and_make_no_file(tmp_path: Path) -> None:
    office = Office(tmp_path, task="count", patterns=("o", "<e>"))
    office.folder = None
    office.go()
    assert 'Words</td><td class="number">8<' in office.shown[0]
    assert '&lt;e&gt;</td><td class="number">0</td>' in office.shown[1]
    assert [each.name for each in tmp_path.iterdir()] == ["source"]
