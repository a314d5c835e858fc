"""Going back loses nothing: what can be kept is offered, what must be worked out again is, and only that."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest

from pipulate import Choices, Run, Workflow
from pipulate.errors import (
    InvalidAnswersError,
    KeepChangedError,
    NothingToCancelError,
    RunConflictError,
    RunLockedError,
    StepFailedError,
    StepNotOpenError,
    UnknownVersionError,
)
from pipulate.security.who import Who
from tests.support.flows import ANN, Play, bench, flow

pytestmark = pytest.mark.anyio


def site(url: str) -> str:
    return url


def pages(run: Run, count: int = 5) -> int:
    return count


def audience(run: Run, reader: Literal["client", "team"]) -> str:
    return f"{run['site']} for {reader}"


FLOW = flow(site, pages, audience)


async def finished(play: Play) -> Play:
    await play.answer("site", url="a")
    await play.answer("pages", count=7)
    await play.answer("audience", reader="team")
    return play


async def test_reopened_step_shows_its_answers_and_later_ones_wait(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        await play.revert("site")
        assert await play.statuses() == "site:editing pages:waiting audience:waiting"
        assert (await play.form("site")).answers == {"url": "a"}
        assert await play.outputs() == {"site": "a"}


async def test_cancelled_edit_leaves_the_run_exactly_as_it_was(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        before = await play.view()
        await play.revert("site")
        await play.engine.cancel_edit(play.id, ANN)
        after = await play.view()
        assert (after.state.steps, after.state.offers, after.state.editing) == (before.state.steps, {}, None)
        with pytest.raises(NothingToCancelError):
            await play.engine.cancel_edit(play.id, ANN)


async def test_only_what_does_not_depend_on_the_change_can_be_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        await play.revert("site")
        await play.answer("site", url="b")
        assert (await play.slot("pages")).is_unchanged
        await play.keep("pages")
        assert not (await play.slot("audience")).is_unchanged
        with pytest.raises(KeepChangedError, match="step 'site', which it was made from, has changed"):
            await play.keep("audience")
        assert await play.outputs() == {"site": "b", "pages": 7}


async def test_value_can_be_kept_when_what_it_was_made_from_is_equal_again(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        before = await play.outputs()
        await play.revert("site")
        await play.answer("site", url="a")
        await play.keep("pages")
        await play.keep("audience")
        assert await play.outputs() == before
        assert await play.statuses() == "site:done pages:done audience:done"


async def test_keeping_twice_with_one_form_is_keeping_once(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        await play.revert("site")
        await play.answer("site", url="a")
        seen = await play.version()
        for _ in range(2):
            await play.engine.keep(play.id, ANN, "pages", seen=seen, submit_id="keep-form")
        assert await play.version() == seen + 1


async def test_nothing_can_be_kept_where_there_is_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await made.start()
        with pytest.raises(KeepChangedError, match="there is no earlier value"):
            await play.keep("site")


async def test_submitting_a_done_step_again_clears_what_follows(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        await play.answer("site", url="b")
        assert await play.statuses() == "site:done pages:open audience:waiting"
        assert (await play.slot("audience")).offer is not None


async def test_step_that_has_no_value_cannot_be_reopened(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await made.start()
        with pytest.raises(StepNotOpenError):
            await play.revert("pages")


# Steps of their own


def counting(calls: list[str]) -> Workflow:
    """Return a workflow whose steps tell when they run: two of their own, one for each question."""

    def ask(x: str) -> str:
        return x

    def other(y: str) -> str:
        return y

    def of_ask(run: Run) -> str:
        calls.append("of_ask")
        return f"ask {run['ask']}"

    def of_other(run: Run) -> str:
        calls.append("of_other")
        return f"other {run['other']}"

    return flow(ask, other, of_ask, of_other)


async def test_step_of_its_own_is_kept_where_nothing_changed_and_worked_out_again_where_it_did(tmp_path: Path) -> None:
    calls = list[str]()
    async with bench(tmp_path, counting(calls)) as made:
        play = await made.start()
        await play.answer("ask", x="1")
        await play.answer("other", y="1")
        await play.go_on()
        assert calls == ["of_ask", "of_other"]
        await play.answer("other", y="2")
        await play.go_on()
        assert calls == ["of_ask", "of_other", "of_other"]
        assert (await play.kinds())[-2:] == ["kept", "computed"]
        assert await play.outputs() == {"ask": "1", "other": "2", "of_ask": "ask 1", "of_other": "other 2"}


async def test_run_again_works_out_the_step_and_asks_nobody_else(tmp_path: Path) -> None:
    calls = list[str]()
    async with bench(tmp_path, counting(calls)) as made:
        play = await made.start()
        await play.answer("ask", x="1")
        await play.answer("other", y="1")
        await play.go_on()
        await play.revert("of_ask")
        await play.go_on()
        assert calls == ["of_ask", "of_other", "of_ask"]
        assert await play.statuses() == "ask:done other:done of_ask:done of_other:done"


async def test_change_while_a_step_of_its_own_runs_makes_it_begin_again(tmp_path: Path) -> None:
    plays = list[Play]()

    def ask(x: str) -> str:
        return x

    async def slow(run: Run) -> str:
        value = str(run["ask"])
        if value == "old":
            await plays[0].answer("ask", x="new")
        return f"of {value}"

    async with bench(tmp_path, flow(ask, slow)) as made:
        plays.append(await made.start())
        await plays[0].answer("ask", x="old")
        await plays[0].go_on()
        assert await plays[0].outputs() == {"ask": "new", "slow": "of new"}


async def test_run_locked_while_a_step_of_its_own_runs_is_not_changed(tmp_path: Path) -> None:
    plays = list[Play]()

    async def slow() -> int:
        await plays[0].engine.finalize(plays[0].id, ANN)
        return 1

    async with bench(tmp_path, flow(slow)) as made:
        plays.append(await made.start())
        with pytest.raises(RunLockedError):
            await plays[0].go_on()
        assert await plays[0].outputs() == {}
        await plays[0].go_on()
        assert await plays[0].kinds() == ["started", "finalized"]


# What a form starts with


async def test_form_starts_with_defaults_then_with_what_was_answered(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await made.start()
        await play.answer("site", url="a")
        assert (await play.form("pages")).answers == {"count": 5}
        await play.answer("pages", count=9)
        await play.answer("site", url="b")
        assert (await play.form("pages")).answers == {"count": 9}


async def test_form_that_is_not_refilled_starts_afresh(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, pages, pages={"refill": False})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.answer("pages", count=9)
        await play.answer("site", url="b")
        assert (await play.form("pages")).answers == {"count": 5}
        await play.keep("pages")
        assert (await play.outputs())["pages"] == 9


async def test_edited_form_shows_its_own_answers_even_where_it_is_not_refilled(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, pages, pages={"refill": False})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.answer("pages", count=9)
        await play.revert("pages")
        assert (await play.form("pages")).answers == {"count": 9}


def two(first: str, second: str = "default") -> None: ...


@pytest.mark.parametrize(
    ("suggested", "answers"),
    [
        ({"first": "x"}, {"first": "x", "second": "default"}), ({"second": "y"}, {"second": "y"}),
        ("x", {"first": "x", "second": "default"}), (None, {"second": "default"}), ({}, {"second": "default"}),
        ({"first": None, "second": None}, {"second": "default"}),
    ],
)  # fmt: skip
async def test_form_starts_with_what_is_suggested(tmp_path: Path, suggested: object, answers: dict[str, str]) -> None:
    async with bench(tmp_path, flow(site, two, two={"suggest": lambda _: suggested})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        assert (await play.form("two")).answers == answers


async def test_suggestion_sees_the_run_and_gives_way_to_old_answers(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, two, two={"suggest": lambda run: f"for {run['site']}"})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        assert (await play.form("two")).answers["first"] == "for a"
        await play.answer("two", first="mine", second="")
        await play.answer("site", url="b")
        assert (await play.form("two")).answers == {"first": "mine", "second": ""}


async def test_suggestion_gives_way_to_the_answers_of_a_step_that_is_edited(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, two, two={"suggest": lambda _: "suggested"})) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.answer("two", first="mine", second="too")
        await play.revert("two")
        assert (await play.form("two")).answers == {"first": "mine", "second": "too"}


@pytest.mark.parametrize("suggest", [lambda run: run["gone"], lambda _: object(), lambda _: {"first": object()}])
async def test_suggestion_that_fails_is_a_mistake_of_its_step(tmp_path: Path, suggest: object) -> None:
    async with bench(tmp_path, flow(two, two={"suggest": suggest})) as made:
        play = await made.start()
        with pytest.raises(StepFailedError):
            await play.form("two")
        await play.answer("two", first="x")  # The step itself can be answered all the same.
        assert await play.outputs() == {"two": None}


# Choices that depend on the run


def pick(run: Run, which: Annotated[str, Choices(lambda run: [f"{run['site']}/{n}" for n in (1, 2)])]) -> str:
    return which


async def test_choices_come_from_the_run_and_nothing_else_is_taken(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, pick)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        assert [each.value for each in (await play.form("pick")).options["which"]] == ["a/1", "a/2"]
        for wrong in ("a/3", "b/1", "<script>"):
            with pytest.raises(InvalidAnswersError, match=r"Choose one of the options\."):
                await play.answer("pick", which=wrong)
        await play.answer("pick", which="a/2")
        assert (await play.outputs())["pick"] == "a/2"


async def test_choice_that_is_no_longer_offered_cannot_be_kept(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, pick)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.answer("pick", which="a/2")
        await play.answer("site", url="b")
        assert not (await play.slot("pick")).is_unchanged
        with pytest.raises(KeepChangedError):
            await play.keep("pick")


@pytest.mark.parametrize("choices", [lambda run: run["gone"], lambda _: 5, lambda _: exit()])  # noqa: PLR1722 - a mistake
async def test_choices_that_fail_are_a_mistake_of_their_step(tmp_path: Path, choices: object) -> None:
    def choose(which: str) -> str:
        return which

    choose.__annotations__["which"] = Annotated[str, Choices(choices)]  # type: ignore[arg-type] # the mistake
    async with bench(tmp_path, flow(choose)) as made:
        play = await made.start()
        with pytest.raises(StepFailedError):
            await play.form("choose")
        with pytest.raises(StepFailedError):
            await play.answer("choose", which="a")


# Conditions


async def test_step_that_is_not_wanted_is_passed_over(tmp_path: Path) -> None:
    app = flow(site, pages, audience, pages={"when": lambda run: run["site"] == "big"})
    async with bench(tmp_path, app) as made:
        play = await made.start()
        await play.answer("site", url="small")
        assert await play.statuses() == "site:done pages:skipped audience:open"
        await play.answer("site", url="big")
        assert await play.statuses() == "site:done pages:open audience:waiting"


async def test_last_step_that_is_not_wanted_leaves_the_run_finished(tmp_path: Path) -> None:
    async with bench(tmp_path, flow(site, pages, pages={"when": lambda _: False})) as made:
        play = await made.start()
        view = await play.answer("site", url="a")
        assert view.row.open_step is None
        assert await play.statuses() == "site:done pages:skipped"


# Two at once


async def test_conflict_is_found_before_the_code_of_the_step_runs(tmp_path: Path) -> None:
    calls = list[str]()

    def noted(x: str) -> str:
        calls.append(x)
        return x

    async with bench(tmp_path, flow(site, noted)) as made:
        play = await made.start()
        await play.answer("site", url="a")
        await play.answer("site", url="b", who=Who("owner", "tab-2"))
        with pytest.raises(RunConflictError) as caught:
            await play.answer("noted", seen=2, x="1")
        assert calls == []
        assert (caught.value.changed, caught.value.tab, caught.value.seen, caught.value.version) == (
            "site",
            "tab-2",
            2,
            3,
        )


async def test_change_of_a_later_step_is_no_conflict(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await finished(await made.start())
        await play.revert("audience")
        await play.answer("site", seen=4, url="b")
        assert (await play.outputs())["site"] == "b"


async def test_conflict_that_comes_while_the_step_runs_is_found_by_the_store(tmp_path: Path) -> None:
    plays = list[Play]()

    async def slow(x: str) -> str:
        await plays[0].answer("site", url="meanwhile", who=Who("owner", "tab-2"))
        return x

    async with bench(tmp_path, flow(site, slow)) as made:
        plays.append(await made.start())
        await plays[0].answer("site", url="a")
        with pytest.raises(RunConflictError) as caught:
            await plays[0].answer("slow", x="1")
        assert caught.value.mine is not None
        assert await plays[0].outputs() == {"site": "meanwhile"}


async def test_locked_run_is_refused_before_the_code_of_the_step_runs(tmp_path: Path) -> None:
    calls = list[str]()

    def noted(x: str) -> None:
        calls.append(x)

    async with bench(tmp_path, flow(noted)) as made:
        play = await made.start()
        await play.engine.finalize(play.id, ANN)
        with pytest.raises(RunLockedError):
            await play.answer("noted", x="1")
        assert calls == []
        await play.engine.unfinalize(play.id, ANN)
        await play.answer("noted", x="1")
        assert calls == ["1"]


async def test_version_that_never_was_is_refused(tmp_path: Path) -> None:
    async with bench(tmp_path, FLOW) as made:
        play = await made.start()
        with pytest.raises(RunConflictError):
            await play.answer("site", seen=9, url="a")
        for version in (0, 2, -1):
            with pytest.raises(UnknownVersionError):
                await play.engine.view_at(play.id, ANN, version)
            with pytest.raises(UnknownVersionError):
                await play.engine.go_back(play.id, ANN, version, seen=None)
