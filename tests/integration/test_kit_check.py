"""The kit's own check of any workflow: it passes what is right, and finds what is wrong, whoever's mistake it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from hypothesis import strategies as st
from pydantic import AfterValidator

from pipulate import Range, Run, Workflow
from pipulate._ids import new_id
from pipulate.builtin.hello import hello
from pipulate.builtin.text_check import text_check
from pipulate.errors import InvalidAnswersError
from pipulate.storage import journal, ledger, lifecycle, runs
from pipulate.storage.journal import State
from pipulate.testing import AppFailedError, BrokenRunError, PlayError, check_workflow
from pipulate.ui.run import OpenForm
from pipulate.web import runpage
from pipulate.workflows import cache, engine
from tests.support.apps import fragile, shapes


@pytest.mark.parametrize("workflow", [text_check, shapes()], ids=lambda each: str(each.name))
def test_apps_that_are_right_pass(workflow: Workflow) -> None:
    check_workflow(workflow, examples=6)


def even(number: int) -> int:
    """Refuse odd numbers."""
    if number % 2:
        raise ValueError("This is odd.")
    return number


def counting() -> Workflow:
    """Return an app with a rule of its own, a branch, and a step that fails on one number."""
    app = Workflow("counting")

    @app.step("number")
    def number(value: Annotated[int, Range(0, 1_000), AfterValidator(even)]) -> int:
        return value

    @app.step("half", when=lambda run: run["number"] > 10)
    def half(run: Run) -> float:
        return 1.0 / int(run["number"] - 500)

    @app.step("why")
    def why(words: str, sure: bool = True) -> str:
        return words

    return app


def test_a_mistake_of_the_app_is_found_and_told_how_to_come_to_it() -> None:
    with pytest.raises(AppFailedError, match="ZeroDivisionError") as raised:
        check_workflow(counting(), strategies={"number.value": st.sampled_from([2, 500])}, examples=10)
    notes = "\n".join(raised.value.__notes__)
    assert "fill_step('number', {'value': ['500']})" in notes
    assert "check_workflow(..., seed=" in notes
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_the_same_is_done_every_time() -> None:
    def told() -> list[str]:
        with pytest.raises(AppFailedError) as raised:
            check_workflow(fragile(), strategies={"word.text": st.sampled_from(["good", "bad"])}, seed=3)
        return [each for each in raised.value.__notes__ if "What was done" in each]

    assert told() == told()


def test_a_strategy_for_a_field_that_is_not_there_is_refused() -> None:
    with pytest.raises(AssertionError, match=r"write them as 'step\.field'"):
        check_workflow(counting(), strategies={"value": st.integers()})


def test_an_app_with_findings_is_refused() -> None:
    with pytest.raises(PlayError, match="W002"):
        check_workflow(Workflow("empty"))


# Each promise, broken


def nothing(*_args: Any, **_more: Any) -> None:
    """Do nothing."""


def unlocked(patch: pytest.MonkeyPatch) -> None:
    for module in (ledger, runs, lifecycle):
        patch.setattr(module, "refuse_if_locked", nothing)
    before = engine.Engine._refuse_early

    async def early(self: engine.Engine, view: Any, step: Any, seen: int) -> None:
        if view.state.lock is None:
            await before(self, view, step, seen)

    patch.setattr(engine.Engine, "_refuse_early", early)


def never_in_the_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "standing_in_the_way", nothing)


def loses_what_is_cleared(patch: pytest.MonkeyPatch) -> None:
    before = journal._without

    def without(state: State, cleared: Any) -> State:
        after = before(state, cleared)
        return State(after.version, after.steps, {}, after.editing, after.editing_version, after.lock)

    patch.setattr(journal, "_without", without)


def remembers_too_long(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cache.RunCache, "follow", nothing)


def loses_what_was_typed(patch: pytest.MonkeyPatch) -> None:
    def blank(_typed: Any, *more: Any, **named: Any) -> OpenForm:
        return OpenForm({}, *more, **named)

    patch.setattr(runpage, "OpenForm", blank)


def says_nothing(patch: pytest.MonkeyPatch) -> None:
    def silent(texts: Any, _problems: Any = None, *more: Any, **named: Any) -> OpenForm:
        return OpenForm(texts, {}, *more, **named)

    patch.setattr(runpage, "OpenForm", silent)


def writes_although_it_refuses(patch: pytest.MonkeyPatch) -> None:
    before = engine.Engine.submit

    async def submit(self: engine.Engine, run: str, who: Any, *more: Any, **named: Any) -> Any:
        try:
            return await before(self, run, who, *more, **named)
        except InvalidAnswersError:
            await self.rename(run, who, new_id())
            raise

    patch.setattr(engine.Engine, "submit", submit)


def takes_a_form_twice(patch: pytest.MonkeyPatch) -> None:
    before = engine.Engine.submit

    async def submit(self: engine.Engine, *args: Any, submit_id: str | None, **named: Any) -> Any:
        named["seen"] = (await self.view(args[0], args[1])).row.version
        return await before(self, *args, submit_id=None, **named)

    patch.setattr(engine.Engine, "submit", submit)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (unlocked, "locked|to change nothing"),
        (never_in_the_way, "an old form of"),
        (loses_what_is_cleared, "journal adds up to|is lost"),
        (remembers_too_long, "what the engine holds"),
        (loses_what_was_typed, "was typed"),
        (says_nothing, "without a word"),
        (writes_although_it_refuses, "it was refused"),
        (takes_a_form_twice, "this was to change nothing|an old form of"),
    ],
    ids=lambda each: getattr(each, "__name__", None),
)
def test_a_broken_promise_is_found(
    monkeypatch: pytest.MonkeyPatch, break_it: Callable[[pytest.MonkeyPatch], None], words: str
) -> None:
    break_it(monkeypatch)
    with pytest.raises(BrokenRunError, match=words):
        check_workflow(hello, examples=40)
