"""What class-style plugins do to the state of a run: every call, what it leaves in the journal, and what it refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import anyio
import pytest

from pipulate.app import Application
from pipulate.errors import RunConflictError, RunLockedError, RunNotFoundError
from pipulate.storage import profiles
from tests.support.explicit import BENCH, LATER, Desk, explicit, held
from tests.support.site import Browser

pytestmark = pytest.mark.anyio

ALL = {"first": {"wood": "oak"}, "second": {"nail": "long"}, "third": {"glue": "hot"}}
WITHIN_S = 20


@pytest.fixture(scope="module")
async def application(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Application]:
    async with explicit(tmp_path_factory.mktemp("state"), bench=BENCH, later=LATER) as made:
        yield made


@pytest.fixture
async def desk(application: Application) -> AsyncIterator[Desk]:
    made = Desk(application)
    yield made
    assert await made.problems() == []


_numbers = iter(range(1, 10_000))


@pytest.fixture
def key() -> str:
    """A key that no other test has."""
    return f"key {next(_numbers)}"


def setting(key: str, step: str, value: Any, **more: Any) -> Any:
    """Return a job that gives a step its value."""

    async def job(plugin: Any, _: Any) -> Any:
        return await plugin.pip.set_step_data(key, step, value, plugin.steps, **more)

    return job


def writing(key: str, **values: Any) -> Any:
    """Return a job that reads the state, changes some of it and writes it back."""

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        state.update(values)
        plugin.pip.write_state(key, state)

    return job


def writing_late(key: str, read: threading.Event, go: threading.Event, **values: Any) -> Any:
    """Return a job that reads the state, waits for a gate, and writes it back with a change."""

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        read.set()
        await anyio.to_thread.run_sync(go.wait, WITHIN_S)
        state.update(values)
        plugin.pip.write_state(key, state)

    return job


async def meanwhile(desk: Desk, late: dict[str, Any], between: Any, key: str) -> Any:
    """Have a state read, do something else, then have the state written back; return what came of the write."""
    read, go, came = threading.Event(), threading.Event(), []

    async def run() -> None:
        came.append(await desk.do(writing_late(key, read, go, **late), key))

    async with anyio.create_task_group() as group:
        with held(go):
            group.start_soon(run)
            await anyio.to_thread.run_sync(read.wait, WITHIN_S)
            await Desk(desk.application, "tab-2").do(between, key)
    return came[0]


# Whole states


async def test_state_of_a_run_that_is_not_there_is_empty(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        return plugin.pip.read_state("nowhere"), plugin.pip.get_step_data("nowhere", "first", {"a": 1})

    assert await desk.returned(job) == ({}, {"a": 1})


async def test_writing_a_run_that_is_not_there_says_so(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        plugin.pip.write_state("nowhere", {"first": {"wood": 1}})

    done = await desk.do(job)
    assert isinstance(done.error, RunNotFoundError)
    assert done.answer.status == 404


async def test_written_state_is_read_back_with_its_moments(desk: Desk, key: str) -> None:
    await desk.begin(key)
    await desk.returned(writing(key, **ALL))

    async def job(plugin: Any, _: Any) -> Any:
        return dict(plugin.pip.read_state(key))

    state = await desk.returned(job)
    assert {name: state[name] for name in ALL} == ALL
    assert set(state) == {*ALL, "created", "updated"}
    assert state["created"] <= state["updated"]


async def test_each_key_that_changed_is_one_event_and_the_others_none(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    before = len(await desk.told(key))

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        state["first"]["wood"] = "elm"  # Inside of what was read.
        state["note"] = {"any": ["thing", None, 1.5]}
        del state["third"]
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert sorted((await desk.told(key))[before:]) == ["cleared third", "submitted first", "submitted note"]
    assert await desk.state(key) == {
        "first": {"wood": "elm"}, "second": ALL["second"], "note": {"any": ["thing", None, 1.5]}
    }  # fmt: skip


async def test_state_written_back_as_it_was_leaves_no_event(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    before = await desk.told(key)
    await desk.returned(writing(key))
    assert await desk.told(key) == before


async def test_state_written_late_leaves_what_others_changed_elsewhere(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    done = await meanwhile(desk, {"first": {"wood": "elm"}}, setting(key, "second", "short", clear_previous=False), key)
    assert done.answer.status == 200
    assert await desk.state(key) == ALL | {"first": {"wood": "elm"}, "second": {"nail": "short"}}


async def test_state_written_late_over_the_same_value_is_refused_whole(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    late = {"second": {"nail": "bent"}, "third": {"glue": "cold"}}
    done = await meanwhile(desk, late, setting(key, "second", "short", clear_previous=False), key)
    assert isinstance(done.error, RunConflictError)
    assert done.answer.status == 409
    assert await desk.state(key) == ALL | {"second": {"nail": "short"}}


async def test_plain_dictionary_is_compared_with_what_was_read_first(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    before = len(await desk.told(key))

    async def job(plugin: Any, _: Any) -> Any:
        state = json.loads(json.dumps(plugin.pip.read_state(key)))
        state["third"] = {"glue": "none"}
        plugin.pip.write_state(key, state)
        state["first"] = {"wood": "ash"}
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert (await desk.told(key))[before:] == ["submitted third", "submitted first"]
    assert await desk.state(key) == ALL | {"third": {"glue": "none"}, "first": {"wood": "ash"}}


async def test_state_can_be_written_twice_in_one_request(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        for wood in ("oak", "elm"):
            state["first"] = {"wood": wood}
            plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert await desk.told(key) == ["submitted first", "submitted first"]
    assert await desk.state(key) == {"first": {"wood": "elm"}}


async def test_state_in_hand_does_not_undo_what_the_same_request_set(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)
        state["note"] = 1
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert await desk.state(key) == {"first": {"wood": "oak"}, "note": 1}


async def test_plain_dictionary_repeats_nothing_that_the_request_set(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.set_step_data(key, "first", "oak", plugin.steps)
        plugin.pip.write_state(key, {**plugin.pip.read_state(key), "note": 1})

    await desk.returned(job)
    assert await desk.told(key) == ["submitted first", "submitted note"]


async def test_plain_dictionary_read_anew_conflicts_with_nothing_it_has_read(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    first, go = threading.Event(), threading.Event()

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.set_step_data(key, "third", "cold", plugin.steps)
        first.set()
        await anyio.to_thread.run_sync(go.wait, WITHIN_S)
        plugin.pip.write_state(key, {**plugin.pip.read_state(key), "note": 1})

    async with anyio.create_task_group() as group:
        with held(go):
            group.start_soon(desk.returned, job)
            await anyio.to_thread.run_sync(first.wait, WITHIN_S)
            await desk.returned(setting(key, "second", "short", clear_previous=False))
    assert await desk.state(key) == ALL | {"second": {"nail": "short"}, "third": {"glue": "cold"}, "note": 1}


# Steps


async def test_step_that_the_same_request_set_is_cleared_too(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.set_step_data(key, "third", "hot", plugin.steps)
        return dict(await plugin.pip.clear_steps_from(key, "first", plugin.steps))

    assert "third" not in await desk.returned(job)


async def test_setting_a_step_clears_later_ones_but_those_to_refill(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    assert await desk.returned(setting(key, "first", "elm")) == "elm"
    assert await desk.state(key) == {"first": {"wood": "elm"}, "second": ALL["second"]}
    last = (await desk.journal(key))[-1]
    assert (last.kind, last.step, last.data["cleared"]) == ("submitted", "first", ["third"])


async def test_setting_a_step_can_leave_later_ones(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(setting(key, "first", "elm", clear_previous=False))
    assert await desk.state(key) == ALL | {"first": {"wood": "elm"}}


@pytest.mark.parametrize("value", [{"a": {"b": [1]}}, ["x", "y"], [], {}, 0, 1.5, True, None, "", "z" * 300_000])
async def test_step_takes_any_value_of_json(desk: Desk, key: str, value: Any) -> None:
    await desk.begin(key)
    await desk.returned(setting(key, "first", value))
    assert await desk.state(key) == {"first": {"wood": value}}


async def test_setting_a_step_takes_everything_else_out_of_its_dictionary(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak", "more": 1})
    await desk.returned(setting(key, "first", "oak"))
    assert await desk.state(key) == {"first": {"wood": "oak"}}


@pytest.mark.parametrize("step", ["first", "second"])
async def test_setting_a_step_ends_going_back(desk: Desk, key: str, step: str) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(writing(key, _revert_target="first"))
    assert (await desk.state(key))["_revert_target"] == "first"
    await desk.returned(setting(key, step, "new"))
    assert "_revert_target" not in await desk.state(key)


async def test_steps_are_cleared_after_one_but_those_to_refill(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)

    async def job(plugin: Any, _: Any) -> Any:
        unknown = await plugin.pip.clear_steps_from(key, "elsewhere", plugin.steps)
        return dict(unknown), dict(await plugin.pip.clear_steps_from(key, "first", plugin.steps))

    unknown, cleared = await desk.returned(job)
    assert ALL.items() <= unknown.items()
    assert "third" not in cleared
    assert await desk.state(key) == {"first": ALL["first"], "second": ALL["second"]}
    assert (await desk.told(key))[-1] == "cleared third"


async def test_going_back_keeps_the_value_and_marks_the_step(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)

    async def job(plugin: Any, _: Any) -> Any:
        await plugin.pip.clear_steps_from(key, "first", plugin.steps)
        state = plugin.pip.read_state(key)
        state["_revert_target"] = "first"
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert await desk.state(key) == {"first": ALL["first"], "second": ALL["second"], "_revert_target": "first"}
    assert (await desk.told(key))[-2:] == ["cleared third", "reverted first"]


async def test_mark_of_going_back_can_be_moved_and_taken_away(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(writing(key, _revert_target="first"))
    await desk.returned(writing(key, _revert_target="second"))
    assert (await desk.state(key))["_revert_target"] == "second"

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        del state["_revert_target"]
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert await desk.state(key) == ALL


async def test_setting_an_earlier_step_of_another_request_is_a_conflict_for_a_later_one(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    seen = (await desk.row(key)).version
    await desk.returned(setting(key, "first", "elm"), key, seen=seen)
    assert (await desk.do(setting(key, "third", "cold"), key, seen=seen)).answer.status == 409
    assert (await desk.do(setting(key, "third", "cold"), key, seen=seen + 1)).answer.status == 200


async def test_value_that_is_no_json_leaves_nothing(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    done = await desk.do(setting(key, "first", object()))
    assert done.answer.status == 500
    assert await desk.state(key) == ALL


# The lock


def finalizing(key: str, **more: Any) -> Any:
    """Return a job that locks a run."""

    async def job(plugin: Any, _: Any) -> Any:
        return dict(await plugin.pip.finalize_workflow(key, **more))

    return job


async def test_finalizing_stores_what_is_handed_in_and_locks(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    state = await desk.returned(finalizing(key, state_update={"sum": {"of": 3}}))
    assert state["finalize"] == {"finalized": True}
    assert await desk.state(key) == ALL | {"sum": {"of": 3}, "finalize": {"finalized": True}}
    assert (await desk.told(key))[-2:] == ["submitted sum", "finalized"]
    assert (await desk.row(key)).locked_at is not None


async def test_unfinalizing_opens_again(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(finalizing(key))

    async def job(plugin: Any, _: Any) -> Any:
        return dict(await plugin.pip.unfinalize_workflow(key))

    assert "finalize" not in await desk.returned(job)
    assert await desk.state(key) == ALL
    assert (await desk.told(key))[-1] == "unfinalized"
    await desk.returned(setting(key, "third", "cold"))


async def test_lock_can_be_set_and_taken_through_the_state(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(writing(key, finalize={"finalized": True}))
    assert (await desk.row(key)).locked_at is not None

    async def job(plugin: Any, _: Any) -> Any:
        state = plugin.pip.read_state(key)
        del state["finalize"]
        state["first"] = {"wood": "elm"}
        plugin.pip.write_state(key, state)

    await desk.returned(job)
    assert await desk.state(key) == ALL | {"first": {"wood": "elm"}}


async def test_finalized_step_is_handled_like_finalizing(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)

    async def job(plugin: Any, _: Any) -> Any:
        plugin.db["pipeline_id"] = key
        plugin.step_messages = {"new": "n", "finalize": {"complete": "locked now"}}
        return await plugin.pip.handle_finalized_step(key, "finalize", plugin.steps, "bench", plugin)

    assert 'id="bench-container"' in (await desk.do(job)).answer.text
    assert (await desk.row(key)).locked_at is not None


async def _clear(pip: Any, key: str, steps: Any) -> None:
    await pip.clear_steps_from(key, "first", steps)


async def _set(pip: Any, key: str, steps: Any) -> None:
    await pip.set_step_data(key, "first", "elm", steps)


async def _set_alone(pip: Any, key: str, steps: Any) -> None:
    await pip.set_step_data(key, "third", "elm", steps, clear_previous=False)


async def _write(pip: Any, key: str, steps: Any) -> None:
    state = pip.read_state(key)
    state["first"] = {"wood": "elm"}
    pip.write_state(key, state)


async def _revert(pip: Any, key: str, steps: Any) -> None:
    state = pip.read_state(key)
    state["_revert_target"] = "first"
    pip.write_state(key, state)


async def _update_row(pip: Any, key: str, steps: Any) -> None:
    pip.table.update({"pkey": key, "data": json.dumps(ALL | {"first": 0, "finalize": {"finalized": True}})})


@pytest.mark.parametrize("how", [_clear, _set, _set_alone, _write, _revert, _update_row])
@pytest.mark.parametrize("has_page", [True, False], ids=["run in the page", "run only in the call"])
async def test_locked_run_refuses_whatever_the_handler_makes_of_it(
    desk: Desk, key: str, how: Any, has_page: bool
) -> None:
    await desk.begin(key, **ALL)
    await desk.returned(finalizing(key))
    before = await desk.state(key)

    async def job(plugin: Any, _: Any) -> Any:
        if has_page:
            plugin.db["pipeline_id"] = key
        try:
            await how(plugin.pip, key, plugin.steps)
        except Exception as error:  # noqa: BLE001 - as plugins do
            return type(error)

    done = await desk.do(job, key if has_page else "")
    assert done.value is RunLockedError
    assert done.answer.status == 409
    assert "locked" in done.answer.text
    assert await desk.state(key) == before


async def test_state_read_before_the_lock_is_refused_after_it(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    done = await meanwhile(desk, {"first": {"wood": "elm"}}, finalizing(key), key)
    assert done.answer.status == 409
    assert await desk.state(key) == ALL | {"finalize": {"finalized": True}}


async def test_state_read_before_the_lock_and_not_changed_leaves_the_lock(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    assert (await meanwhile(desk, {}, finalizing(key), key)).answer.status == 200
    assert (await desk.row(key)).locked_at is not None


# Beginning


def beginning(key: str, **given: Any) -> Any:
    """Return a job that begins a run; it returns the state, the text of the card, and what is left of `given`."""

    async def job(plugin: Any, _: Any) -> Any:
        from fastcore.xml import to_xml

        state, card = plugin.pip.initialize_if_missing(key, given)
        return (dict(state) if state is not None else None), to_xml(card) if card is not None else "", given

    return job


async def test_new_run_begins_with_what_it_is_given(desk: Desk, key: str) -> None:
    state, card, given = await desk.returned(beginning(key, app_name="bench", first={"wood": "oak"}))
    assert state["first"] == {"wood": "oak"}
    assert "app_name" not in state
    assert "app_name" not in given
    assert card == ""
    assert await desk.told(key) == ["submitted first"]


async def test_run_that_is_there_is_returned_as_it_is(desk: Desk, key: str) -> None:
    await desk.begin(key, **ALL)
    state, card, _ = await desk.returned(beginning(key, app_name="bench", first={"wood": "elm"}))
    assert (state["first"], card) == (ALL["first"], "")
    assert await desk.state(key) == ALL


@pytest.mark.parametrize("bad", ["", "a" * 121, "a//b", "../x", "a\nb", "a\u202eb", "\x00"])
async def test_key_that_breaks_the_rule_gets_a_card_with_the_reason(desk: Desk, bad: str) -> None:
    state, card, _ = await desk.returned(beginning(bad, app_name="bench"))
    assert state is None
    assert "This key cannot be used" in card


async def test_key_of_another_app_does_not_show_that_run(desk: Desk, application: Application, key: str) -> None:
    answer = await Browser(application).post("/later/init", {"pipeline_id": key}, htmx=True)
    assert answer.status == 200
    other = f"Default_Profile-later-{key}"
    await desk.row(other, "later")
    assert await desk.state(other) == {}
    await desk.begin(other, first={"wood": "oak"})
    assert await desk.state(other) == {"first": {"wood": "oak"}}
    assert (await desk.row(other)).id != (await desk.row(other, "later")).id


async def test_key_that_another_app_has_gets_a_card(desk: Desk, application: Application, key: str) -> None:
    await Browser(application).post("/later/init", {"pipeline_id": key}, htmx=True)
    state, card, _ = await desk.returned(beginning(f"Default_Profile-later-{key}", app_name="later"))
    assert state is None
    assert "ID Already In Use" in card


async def test_key_of_a_run_in_the_bin_begins_another(desk: Desk, application: Application, key: str) -> None:
    await desk.begin(key, **ALL)
    await Browser(application).post(f"/-/runs/{(await desk.row(key)).id}/delete")
    state, _, _ = await desk.returned(beginning(key, app_name="bench"))
    assert "first" not in state


async def test_key_in_another_spelling_opens_the_same_run(desk: Desk, key: str) -> None:
    for spelled in (normalize("NFD", f"{key} é"), f"  {key} é "):
        state, card, _ = await desk.returned(beginning(spelled, app_name="bench"))
        assert (card, "created" in state) == ("", True)
        await desk.returned(setting(spelled, "first", "oak"))
    assert await desk.state(f"{key} é") == {"first": {"wood": "oak"}}


# Words and numbers


async def test_value_of_a_step_falls_back_to_the_default(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak"})

    async def job(plugin: Any, _: Any) -> Any:
        get = plugin.pip.get_step_data
        return get(key, "first", {"wood": "none"}), get(key, "third", {"glue": 1}), get(key, "third")

    assert await desk.returned(job) == ({"wood": "oak"}, {"glue": 1}, {})


async def test_message_tells_how_far_a_run_is(desk: Desk, key: str) -> None:
    words = {
        "new": "Begin.",
        "first": {"complete": "Wood is {}."},
        "second": {"complete": "Nail is {}."},
        "third": {"complete": "Glue."},
        "finalize": {"ready": "Ready.", "complete": "Locked."},
    }

    async def job(plugin: Any, _: Any) -> Any:
        pip, told = plugin.pip, []

        async def tell() -> None:
            told.append(await pip.get_state_message(key, plugin.steps, words))

        await tell()
        for step, value in (("first", "{0} oak"), ("second", "long"), ("third", "hot")):
            await pip.set_step_data(key, step, value, plugin.steps)
            await tell()
        await pip.finalize_workflow(key)
        await tell()
        return told

    await desk.begin(key)
    assert await desk.returned(job) == ["Begin.", "Wood is {0} oak.", "Nail is long.", "Ready.", "Locked."]


async def test_message_without_words_is_empty_and_no_error(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        return await plugin.pip.get_state_message(key, plugin.steps, {})

    assert await desk.returned(job) == ""


async def test_keys_are_made_and_cut_as_each_generation_has_them(desk: Desk, application: Application) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        pip, later = plugin.pip, plugin.pip.plugins["later"]
        return [
            pip.generate_pipeline_key(plugin, "7"),
            pip.generate_pipeline_key(plugin, "my run"),
            pip.generate_pipeline_key(plugin, "123"),
            pip.generate_pipeline_key(later, "7"),
            pip.parse_pipeline_key("Default_Profile-Work_Bench-a-b"),
            pip.parse_pipeline_key("alone"),
        ]

    assert await desk.returned(job) == [
        ("Default_Profile-Work_Bench-07", "Default_Profile-Work_Bench-", "07"),
        ("Default_Profile-Work_Bench-my run", "Default_Profile-Work_Bench-", "my run"),
        ("Default_Profile-Work_Bench-123", "Default_Profile-Work_Bench-", "123"),
        ("Default_Profile-later-07", "Default_Profile-later-", "07"),
        {"profile_part": "Default_Profile", "plugin_part": "Work_Bench", "user_part": "a-b"},
        {"profile_part": "alone", "plugin_part": "", "user_part": ""},
    ]


async def test_next_key_follows_the_highest_number_of_this_prefix(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        return plugin.pip.generate_pipeline_key(plugin)

    assert (await desk.returned(job))[2] == "01"
    for own in ("02", "09", "009", "text", "Other-99"):
        await desk.begin(f"Default_Profile-Work_Bench-{own}")
    await desk.begin("Other-Work_Bench-50")
    assert await desk.returned(job) == ("Default_Profile-Work_Bench-10", "Default_Profile-Work_Bench-", "10")


async def test_next_key_names_the_profile_that_was_chosen(desk: Desk, application: Application) -> None:
    browser = Browser(application)
    await browser.post("/-/records/profiles", {"_field": "name", "name": "Big Client"})
    made = next(each for each in await application.site.db.read(profiles.listed) if each.name == "Big Client")
    await browser.post("/select_profile", {"profile_id": made.id})

    async def job(plugin: Any, _: Any) -> Any:
        return (
            plugin.pip.generate_pipeline_key(plugin, "1"),
            plugin.pip.get_plugin_context(plugin),
            plugin.db["last_profile_id"],
        )

    made_key, context, chosen = await desk.returned(job)
    await browser.post("/select_profile", {"profile_id": profiles.DEFAULT_ID})
    assert made_key[1] == "Big_Client-Work_Bench-"
    assert context == {
        "plugin_name": "Work Bench", "internal_name": "bench", "profile_id": "2", "profile_name": "Big Client"
    }  # fmt: skip
    assert chosen == "2"


async def test_temporary_state_stays_out_of_the_journal(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        pip = plugin.pip
        pip.write_temp_state(key, "first", {"half": [1]})
        await pip.set_temp_data(key, "x", 5)
        read = pip.read_temp_state
        return read(key, "first"), read(key, "x"), read(key, "none"), read(key, "none", 1), read("other", "first")

    assert await desk.returned(job) == ({"half": [1]}, 5, {}, 1, {})
    assert await desk.told(key) == []


async def test_validation_names_the_first_step_without_a_value(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak"}, second={"other": 1})

    async def job(plugin: Any, _: Any) -> Any:
        before = plugin.pip.validate_workflow_state(key, plugin.steps)
        for step in ("second", "third"):
            await plugin.pip.set_step_data(key, step, "x", plugin.steps)
        return before, plugin.pip.validate_workflow_state(key, plugin.steps)

    assert await desk.returned(job) == ((False, "Missing data for Second piece"), (True, "Valid"))


# The dictionary and the table


async def test_current_key_belongs_to_the_request_alone(desk: Desk, key: str) -> None:
    async def look(plugin: Any, _: Any) -> Any:
        db = plugin.db
        return db.get("pipeline_id", "none"), "pipeline_id" in db, "pipeline_id" in list(db)

    async def put(plugin: Any, _: Any) -> Any:
        plugin.db["pipeline_id"] = key
        return plugin.db["pipeline_id"], "pipeline_id" in list(plugin.db)

    assert await desk.returned(put) == (key, True)
    assert await desk.returned(look) == ("none", False, False)


async def test_current_key_that_is_not_there_is_a_key_error(desk: Desk) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        with pytest.raises(KeyError):
            plugin.db["pipeline_id"]
        with pytest.raises(KeyError):
            del plugin.db["pipeline_id"]
        return True

    assert await desk.returned(job)


async def test_dictionary_keeps_text_for_the_person(desk: Desk) -> None:
    async def put(plugin: Any, _: Any) -> Any:
        plugin.db["colour"] = "red"
        return plugin.db.set("size", 12)

    async def look(plugin: Any, _: Any) -> Any:
        db = plugin.db
        named = sorted(set(db) & {"colour", "size", "profile", "theme"})
        pairs = dict(db.items())
        return named, db["size"], pairs["colour"], "red" in list(db.values()), "colour" in db.keys()  # noqa: SIM118

    async def drop(plugin: Any, _: Any) -> Any:
        del plugin.db["colour"]
        with pytest.raises(KeyError):
            del plugin.db["colour"]
        return "colour" in plugin.db, plugin.db.get("colour"), plugin.db.get("colour", 1)

    assert await desk.returned(put) == 12
    assert await desk.returned(look) == (["colour", "size"], "12", "red", True, True)
    assert await desk.returned(drop) == (False, None, 1)


async def test_table_shows_rows_as_the_filter_of_this_request_says(desk: Desk, key: str) -> None:
    await desk.begin(key, first={"wood": "oak"})

    async def job(plugin: Any, _: Any) -> Any:
        table = plugin.table
        table.xtra(app_name="bench")
        mine = next(row for row in table() if row.pkey == key)
        table.xtra(app_name="later")
        others = [row.pkey for row in table()]
        table.xtra(pkey=key)
        only = [row.pkey for row in table()]
        return json.loads(mine.data)["first"], mine.app_name, bool(mine.created and mine.updated), others, only

    async def another(plugin: Any, _: Any) -> Any:
        return key in [row.pkey for row in plugin.table()]

    data, app, has_moments, others, only = await desk.returned(job)
    assert (data, app, has_moments, only) == ({"wood": "oak"}, "bench", True, [key])
    assert key not in others
    assert await desk.returned(another), "the filter of one request is seen in another"


async def test_row_that_is_not_there_is_not_found(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        from fasthtml.common import NotFoundError

        with pytest.raises(NotFoundError):
            plugin.table["nowhere"]
        with pytest.raises(NotFoundError):
            plugin.table.update({"pkey": "nowhere", "data": "{}"})
        plugin.table.xtra(pkey="another")
        with pytest.raises(NotFoundError):
            plugin.table.get(key)
        plugin.table.xtra()
        return plugin.table[key].pkey, plugin.table.get(key).pkey

    assert await desk.returned(job) == (key, key)


async def test_rows_can_be_inserted_and_updated(desk: Desk, key: str) -> None:
    async def job(plugin: Any, _: Any) -> Any:
        made = plugin.table.insert(pkey=key, app_name="bench", data=json.dumps({"first": {"wood": 1}}))
        state = json.loads(made.data) | {"second": {"nail": 2}}
        return json.loads(plugin.table.update({"pkey": key, "data": json.dumps(state)}).data)["second"]

    assert await desk.returned(job) == {"nail": 2}
    assert await desk.state(key) == {"first": {"wood": 1}, "second": {"nail": 2}}
    assert await desk.told(key) == ["submitted first", "submitted second"]


async def test_conditions_in_sql_and_deleting_are_refused(desk: Desk, key: str) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        with pytest.raises(NotImplementedError):
            plugin.table(where="1=1; drop table runs")
        with pytest.raises(NotImplementedError):
            plugin.table.delete(key)
        return True

    assert await desk.returned(job)
    assert await desk.told(key) == []


# The whole


async def test_whole_run_is_told_event_by_event_and_travels(
    desk: Desk, application: Application, key: str, tmp_path: Path
) -> None:
    await desk.begin(key)

    async def job(plugin: Any, _: Any) -> Any:
        pip, steps = plugin.pip, plugin.steps
        await pip.message_queue.add(pip, "Now it begins.", verbatim=True)
        await pip.set_step_data(key, "first", "oak", steps)
        await pip.set_step_data(key, "second", {"nails": [1, 2]}, steps)
        await pip.set_step_data(key, "third", "x" * 300_000, steps)
        await pip.finalize_workflow(key)
        await pip.unfinalize_workflow(key)
        await pip.clear_steps_from(key, "first", steps)
        state = pip.read_state(key)
        state["_revert_target"] = "first"
        pip.write_state(key, state)
        await pip.set_step_data(key, "first", "elm", steps)

    await desk.returned(job, key)
    assert await desk.told(key) == [
        "submitted first", "submitted second", "submitted third", "finalized", "unfinalized", "cleared third",
        "reverted first", "submitted first",
    ]  # fmt: skip
    browser, run = Browser(application), (await desk.row(key)).id
    history = await browser.get(f"/-/runs/{run}/history")
    assert history.status == 200
    assert "First piece" in history.text
    file = tmp_path / "run.zip"
    file.write_bytes((await browser.get(f"/-/runs/{run}/export")).body)
    secret = {
        "authorization": f"Bearer {application.capability.secret}",
        "sec-fetch-site": None,
        "origin": None,
        "cookie": None,
    }
    answer = await browser.post("/-/control/import", {"path": str(file), "key": f"{key} copy"}, headers=secret)
    assert answer.status == 200, answer.text
    assert await desk.state(f"{key} copy") == await desk.state(key)
