"""Long work of class-style plugins: done as jobs, shown in its cell, and its result enters the run once."""

from __future__ import annotations

import ast
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipulate.app import Application
from pipulate.jobs.local import LocalJobs
from pipulate.security.capability import OWNER
from pipulate.storage import jobs, ledger, lookups
from pipulate.storage.jobs import JobRow
from pipulate.workflows.background import CHANGED, DELETED
from tests.support.explicit import Tab
from tests.support.longwork import COUNTS, GATE, Gate, written
from tests.support.plugins import cleaned
from tests.support.site import Answer, running

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def gate() -> Gate:
    GATE.__init__()  # type: ignore[misc]
    return GATE


class Counter(Tab):
    """A tab at the plugin that counts."""

    def __init__(self, application: Application) -> None:
        super().__init__(application, "counts")
        self.application, self.jobs = application, application.site.engine.background.jobs

    @property
    def run(self) -> str:
        return self.headers["x-pipulate-run"]

    async def begin(self, words: str = "a b", key: str = "k") -> None:
        await self.post("init", pipeline_id=key)
        await self.post("words_submit", words=words)

    async def start(self, words: str = "a b", **how: str) -> Answer:
        await self.begin(words)
        return await self.post("count_submit", **how)

    async def do(self, what: str) -> Any:
        answer = await self.post(f"do/{what}")
        assert answer.status == 200, answer.text
        return ast.literal_eval(html.unescape(re.search(r"<p>(.*?)</p>", answer.text, re.DOTALL)[1]))  # type: ignore[index]

    async def job(self) -> JobRow:
        row = await self.application.site.db.read(jobs.latest_of_step, self.run, "count")
        assert row is not None
        return row

    async def idle(self) -> JobRow:
        assert isinstance(self.jobs, LocalJobs)
        await self.jobs.idle()
        return await self.job()

    async def click(self, action: str, **form: str) -> Answer:
        headers = {**self.headers, "hx-target": "explicit"}
        return await self.browser.post(f"/-/runs/{self.run}/steps/count/{action}", form, htmx=True, headers=headers)

    async def state(self) -> dict[str, Any]:
        _, state = await self.application.site.db.read(
            lookups.load, self.application.site.engine.files, self.run, OWNER
        )
        return {name: value.data["output"] for name, value in state.steps.items()}

    async def kinds(self) -> list[str]:
        found = await self.application.site.db.read(ledger.events, self.run)
        return [f"{event.kind} {event.step or ''}".strip() for event in found][1:]


@asynccontextmanager
async def at_work(folder: Path, source: str = COUNTS) -> AsyncIterator[Counter]:
    with cleaned(folder):
        async with running(written(folder, source), jobs=LocalJobs) as application:
            yield Counter(application)


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Counter]:
    async with at_work(tmp_path) as tab:
        yield tab


# Asking and answering


async def test_handler_answers_at_once_and_the_cell_asks_for_itself_until_the_job_is_done(
    tab: Counter, gate: Gate
) -> None:
    gate.go.clear()
    answer = await tab.start()
    assert answer.status == 200
    polls = 'hx-get="/counts/count" hx-trigger="every 1s" hx-swap="outerHTML" data-polls hx-target="#count"'
    assert polls in answer.text
    assert "The step after" not in answer.text
    assert 'hx-trigger="load"' not in answer.text
    gate.go.set()
    await tab.idle()
    done = await tab.get("count")
    assert "every 1s" not in done.text
    assert "The step after" in done.text  # The chain went on: the host put the next step into its placeholder.
    assert "Count: " in done.text


async def test_result_enters_the_run_once_in_the_step_and_clears_what_follows(tab: Counter) -> None:
    await tab.begin()
    await tab.do("values")
    await tab.post("count_submit")
    row = await tab.idle()
    assert row.status == jobs.DONE
    state = await tab.state()
    assert state["count"] == {"total": {"total": 2, "words": "a b"}}
    assert sorted(state) == ["after", "count", "words"]  # `later` has no refill.
    assert await tab.kinds() == [
        "submitted words", "submitted after", "submitted later", "requested count", "computed count",
    ]  # fmt: skip


async def test_job_says_how_far_it_is_and_works_on_its_run(tab: Counter) -> None:
    await tab.start()
    row = await tab.idle()
    assert (row.title, row.kind, row.app, row.owner) == ("Counting", "call", "counts", OWNER)
    told = await tab.do("status")
    assert {name: told[name] for name in ("status", "done", "total", "text", "reason", "lines")} == {
        "status": "done", "done": 2, "total": 2, "text": "<b>", "reason": "", "lines": ["got <a>", "got <b>"],
    }  # fmt: skip
    assert tab.application.site.explicit is not None
    tab.application.site.explicit.host().wait_written(5)
    assert "Counted k." in (await tab.browser.get("/counting/k")).text


async def test_status_is_none_before_anything_was_asked_for(tab: Counter) -> None:
    await tab.begin()
    assert await tab.do("status") is None


async def test_what_a_job_says_is_shown_as_text(tab: Counter, gate: Gate) -> None:
    await tab.start("<i>x</i> y")
    gate.reached.clear()
    await tab.idle()
    await tab.post("revert", step_id="words")
    gate.go.clear()
    await tab.post("count_submit")
    await gate.come()
    text = (await tab.get("count")).text
    assert "<i>" not in text


async def test_second_start_returns_the_open_job(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    first = await tab.job()
    await tab.post("count_submit")
    assert (await tab.job()).id == first.id
    assert (await tab.kinds()).count("requested count") == 1
    gate.go.set()
    await tab.idle()
    assert gate.calls == ["a", "b"]


async def test_functions_of_the_file_and_plain_methods_get_what_they_ask_for(tab: Counter, gate: Gate) -> None:
    await tab.begin()
    assert await tab.do("module") in ("queued", "running")
    await tab.idle()
    assert (await tab.state())["count"] == {"total": [["ab", 0], ["ab", 1]]}
    await tab.do("plain")
    await tab.idle()
    assert (await tab.state())["count"] == {"total": ["ab", {"c": [1]}, 1, "Progress"]}


async def test_what_could_not_be_found_again_is_refused_at_once_in_plain_words(tab: Counter) -> None:
    await tab.begin()
    said = await tab.do("refused")
    assert all("cannot be found again after a restart" in words for words in said[:5]), said
    assert "missing a required argument: 'words'" in said[5]
    assert "too many positional arguments" in said[6]
    assert all("stored as JSON" in words for words in said[7:9])
    assert all("retries is at least 0" in words for words in said[9:11])
    assert said[11] == "The plugin has no step 'nowhere'."
    assert await tab.kinds() == ["submitted words"]
    assert await tab.application.site.db.read(jobs.latest_of_step, tab.run, "count") is None


async def test_handler_that_wrote_an_earlier_step_itself_may_start_a_job(tab: Counter) -> None:
    await tab.begin()
    tab.headers["x-pipulate-seen"] = "2"
    assert await tab.do("own") in ("queued", "running")
    await tab.idle()
    assert (await tab.state())["count"]["total"]["words"] == "own"


async def test_start_from_a_page_that_is_out_of_date_is_a_conflict_and_starts_nothing(tab: Counter) -> None:
    await tab.begin()
    await tab.post("words_submit", words="c")
    tab.headers["x-pipulate-seen"] = "2"
    assert (await tab.post("count_submit")).status == 409
    assert await tab.application.site.db.read(jobs.latest_of_step, tab.run, "count") is None


async def test_start_in_a_locked_run_is_refused(tab: Counter) -> None:
    await tab.begin()
    await tab.browser.post(f"/-/runs/{tab.run}/lock", {}, htmx=True, headers=tab.headers)
    assert (await tab.post("count_submit")).status == 409
    assert await tab.application.site.db.read(jobs.latest_of_step, tab.run, "count") is None


# What stands in the way of a result


async def test_change_of_an_earlier_step_stops_the_job_and_its_result_is_not_used(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    await tab.post("words_submit", words="c")
    assert await tab.do("status") is None
    gate.go.set()
    row = await tab.idle()
    assert (row.status, "count" in await tab.state()) == (jobs.CANCELLED, False)
    await tab.post("count_submit")
    await tab.idle()
    assert (await tab.state())["count"]["total"]["words"] == "c"


async def test_value_that_somebody_gives_the_step_meanwhile_stays(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    await tab.do("set")
    gate.go.set()
    row = await tab.idle()
    assert row.status == jobs.CANCELLED
    assert (await tab.state())["count"] == {"total": "by hand"}


async def test_function_whose_own_write_was_refused_gives_no_value_whatever_it_made_of_that(
    tab: Counter, gate: Gate
) -> None:
    gate.go.clear()
    await tab.begin()
    await tab.do("swallows")
    await gate.come()
    await tab.do("values")
    gate.go.set()
    row = await tab.idle()
    assert row.status == jobs.CANCELLED
    state = await tab.state()
    assert (state["later"], "count" in state) == ({"note": "gone"}, False)


async def test_result_of_a_function_that_never_looked_whether_it_is_to_stop_is_not_used(
    tab: Counter, gate: Gate
) -> None:
    gate.go.clear()
    await tab.begin()
    await tab.do("module")
    await gate.come()
    await tab.click("stop")
    gate.go.set()
    assert (await tab.idle()).status == jobs.CANCELLED
    assert "count" not in await tab.state()


async def test_run_is_not_locked_while_a_job_is_open(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    answer = await tab.post("do/lock")
    assert answer.status == 409
    assert "still being worked on" in answer.text
    gate.go.set()
    await tab.idle()
    await tab.do("lock")


async def test_lock_refuses_the_result_of_a_job_that_is_tried_again_until_it_is_unlocked(
    tab: Counter, gate: Gate
) -> None:
    gate.fails = True
    await tab.start()
    await tab.idle()
    await tab.do("lock")
    gate.fails = False
    assert (await tab.click("run", _retry="1")).status == 200
    row = await tab.idle()
    assert (row.status, row.reason) == (jobs.FAILED, "The run was locked meanwhile. Unlock it and try again.")
    assert "count" not in await tab.state()
    await tab.browser.post(f"/-/runs/{tab.run}/unlock", {}, htmx=True, headers=tab.headers)
    await tab.click("run", _retry="1")
    assert (await tab.idle()).status == jobs.DONE
    assert gate.calls == ["a", "a", "b"]  # Its parts were finished before.


async def test_result_without_a_form_in_json_fails_with_a_sentence(tab: Counter) -> None:
    await tab.begin()
    await tab.do("object")
    row = await tab.idle()
    assert row.status == jobs.FAILED
    assert row.reason.startswith("What this returned has no form in JSON")


async def test_failure_is_told_in_the_cell_and_tried_again_from_the_failed_part(tab: Counter, gate: Gate) -> None:
    await tab.begin()
    gate.fails = True
    await tab.post("count_submit")
    await tab.idle()
    text = (await tab.get("count")).text
    assert "The app made an error in this step." in text
    assert "longwork.py" in text  # Where it was raised; what it said is for the log.
    assert "no answer" not in text
    assert "Try again" in text
    assert "every 1s" not in text
    gate.fails = False
    again = await tab.click("run", _retry="1")
    assert again.headers["hx-retarget"] == "#counts-container"
    assert "count" in again.text
    await tab.idle()
    assert "The step after" in (await tab.get("count")).text


async def test_failed_job_can_be_left_by_going_back(tab: Counter, gate: Gate) -> None:
    gate.fails = True
    await tab.start()
    await tab.idle()
    assert 'hx-post="/counts/revert"' in (await tab.get("count")).text
    await tab.post("revert", step_id="count")
    assert await tab.do("status") is None
    assert "Start" in (await tab.get("count")).text


async def test_attempts_follow_as_often_as_was_asked_for(tab: Counter, gate: Gate) -> None:
    gate.fails = True
    await tab.start("a", retries="1")
    row = await tab.idle()
    assert (row.status, row.attempt) == (jobs.FAILED, 2)


async def test_stop_ends_the_job_at_its_next_checkpoint_and_it_can_be_started_again(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    assert "Stop" in (await tab.get("count")).text
    assert (await tab.click("stop")).status == 200
    gate.go.set()
    assert (await tab.idle()).status == jobs.CANCELLED
    text = (await tab.get("count")).text
    assert "Stopped." in text
    assert "Try again" in text
    await tab.click("run", _retry="1")
    assert (await tab.idle()).status == jobs.DONE


async def test_buttons_of_a_step_without_a_job_or_of_no_run_are_not_found(tab: Counter) -> None:
    await tab.begin()
    assert (await tab.click("stop")).status == 404
    assert (await tab.click("run", _retry="1")).status == 404
    tab.headers["x-pipulate-run"] = "0" * 32
    assert (await tab.click("stop")).status == 404


# The run and the plugin


async def test_deleted_run_stops_its_job_and_an_erased_one_takes_it_along(tab: Counter, gate: Gate) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    engine = tab.application.site.engine
    await tab.browser.post(f"/-/runs/{tab.run}/delete", {}, htmx=True, headers=tab.headers)
    gate.go.set()
    row = await tab.idle()
    assert row.status == jobs.CANCELLED
    await tab.browser.post(f"/-/runs/{tab.run}/purge", {}, htmx=True, headers=tab.headers)
    assert await engine.db.read(jobs.find, row.id) is None
    assert await engine.db.read(jobs.lines, row.id) == []


@pytest.mark.parametrize("what", ["delete", "revert"])
async def test_job_that_fails_over_what_became_of_its_run_has_not_failed(
    tab: Counter, gate: Gate, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.go.clear()
    await tab.start()
    await gate.come()
    background = tab.application.site.engine.background
    monkeypatch.setattr(background, "changed", lambda _: None)  # What stops such jobs comes late.
    gate.fails = True
    if what == "delete":
        await tab.browser.post(f"/-/runs/{tab.run}/delete", {}, htmx=True, headers=tab.headers)
    else:
        await tab.post("revert", step_id="words")
    gate.go.set()
    row = await tab.idle()
    gate.fails = False
    assert (row.status, row.reason, row.trace) == (jobs.CANCELLED, DELETED if what == "delete" else CHANGED, None)


async def fails_while_its_plugin_becomes(source: str, tab: Counter, gate: Gate) -> JobRow:
    """Let the first attempt at a job fail while its plugin is changed; return the job once nothing is under way."""
    gate.fails = True
    gate.go.clear()
    await tab.start(retries="1")
    await gate.come()
    path = tab.application.site.settings.plugins / "counting.py"
    path.write_text(source)
    tab.application.site.plugins.refresh([path])
    gate.go.set()
    row = await tab.idle()
    gate.fails = False
    return row


async def test_job_of_a_changed_plugin_waits_for_a_person_who_lets_it_go_on(tab: Counter, gate: Gate) -> None:
    row = await fails_while_its_plugin_becomes(COUNTS + "\n# changed", tab, gate)
    assert row.status == jobs.PARKED
    text = (await tab.get("count")).text
    assert "The app was changed after this was asked for." in text
    assert "Go on" in text
    assert "every 1s" not in text
    await tab.click("run", _retry="1")
    done = await tab.idle()
    assert done.status == jobs.DONE
    assert done.code not in (None, row.code)  # Were it changed once more, it would wait once more.


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [("async def work(", "async def other(", "has no 'work'"), ('"counts"', '"others"', "was not there")],
)
async def test_job_whose_function_or_app_is_gone_waits_for_a_person(
    tab: Counter, gate: Gate, before: str, after: str, words: str
) -> None:
    row = await fails_while_its_plugin_becomes(COUNTS.replace(before, after), tab, gate)
    assert row.status == jobs.PARKED
    assert words in row.reason


async def test_finished_run_that_is_locked_shows_the_result_and_goes_on(tab: Counter) -> None:
    await tab.start()
    await tab.idle()
    await tab.browser.post(f"/-/runs/{tab.run}/lock", {}, htmx=True, headers=tab.headers)
    text = (await tab.get("count")).text
    assert "🔒 Count: " in text
    assert "The step after" in text
