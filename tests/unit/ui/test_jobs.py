"""The list of jobs and the page of one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipulate._clock import to_text
from pipulate.storage import jobs
from pipulate.storage.jobs import Line
from pipulate.storage.schedules import ScheduleRow
from pipulate.ui.html import Html
from pipulate.ui.jobs import SCHEDULED, Chosen, JobList, JobPage, Known, job_page, jobs_list, log_lines
from pipulate.ui.schedules import ScheduleLine
from tests.support.jobs import a_row
from tests.unit.ui.test_html import EVIL, Parsed

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DONE: dict[str, Any] = {
    "status": jobs.DONE,
    "started_at": "2026-11-20T11:00:00.000000Z",
    "ended_at": "2026-11-20T11:05:00.000000Z",
}
RUNNING: dict[str, Any] = {"status": jobs.RUNNING, "started_at": "2026-11-20T11:59:00.000000Z", "beat_at": to_text(NOW)}


def ago(**time: float) -> str:
    return to_text(NOW - timedelta(**time))


def listed(chosen: Chosen | None = None, **changes: Any) -> Html:
    return jobs_list(JobList(chosen or Chosen(), {}, ended=[a_row(**changes)]), NOW)


def page(lines: list[Line] | None = None, parts: int = 0, **changes: Any) -> Html:
    return job_page(JobPage(a_row(**changes), lines or [], parts, Known()), NOW)


def buttons(made: Html) -> list[str]:
    """Return what the forms of a part do, by their addresses."""
    addresses = [str(value) for name, value in Parsed(made).attributes if name == "action"]
    return [address.rsplit("/", 1)[1] for address in addresses if address != "/-/jobs"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Queuedasked for"),
        ({"status": jobs.PARKED}, "Waiting for you"),
        ({"status": jobs.RUNNING, "stop": 1}, "Stopping"),
        ({**RUNNING}, "for 1 min"),
        ({**DONE}, "took 5 min"),
        ({**DONE, "status": jobs.FAILED, "attempt": 3}, "Failed attempt 3"),
        ({**DONE, "status": jobs.CANCELLED, "reason": "Cancelled."}, "Cancelled"),
        ({**DONE, "status": jobs.CANCELLED, "reason": "The run was deleted."}, "The run was deleted."),
        ({"attempt": 2, "start_at": to_text(NOW + timedelta(minutes=5))}, "next try at"),
        ({"start_at": to_text(NOW + timedelta(minutes=5))}, "not before"),
        ({"attempt": 2, "reason": "No answer."}, "The last attempt failed: No answer."),
        ({**RUNNING, "beat_at": ago(minutes=1)}, "No sign of life for 1 minute."),
    ],
)  # fmt: skip
def test_row_says_how_its_job_stands(changes: dict[str, Any], words: str) -> None:
    made = listed(**changes)
    assert words in Parsed(made[made.index("<tbody>") :]).text


def test_reason_that_says_no_more_than_the_status_is_left_out() -> None:
    assert "Cancelled." not in Parsed(listed(**{**DONE, "status": jobs.CANCELLED, "reason": "Cancelled."})).text


@pytest.mark.parametrize("seconds", [10, 44])
def test_running_job_that_gave_a_sign_of_life_lately_is_not_called_silent(seconds: int) -> None:
    assert "sign of life" not in listed(**{**RUNNING, "beat_at": ago(seconds=seconds)})


def test_retry_whose_time_has_come_names_no_next_try() -> None:
    assert "next try" not in listed(attempt=2, start_at=ago(minutes=1))


def test_running_job_shows_how_far_it_is_and_what_is_left() -> None:
    told = json.dumps({"done": 3, "total": 10, "text": "page 3", "left_s": 240})
    made = listed(**RUNNING, progress=told)
    assert "page 3: 3 of 10, about 4 minutes left" in Parsed(made).text
    assert 'max="10" value="3"' in made


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        (jobs.QUEUED, ["cancel"]), (jobs.RUNNING, ["cancel"]), (jobs.PARKED, ["retry", "cancel"]),
        (jobs.FAILED, ["retry"]), (jobs.CANCELLED, ["retry"]), (jobs.DONE, []),
    ],
)  # fmt: skip
def test_job_offers_what_can_be_done_with_it(status: str, actions: list[str]) -> None:
    ended = {} if status in jobs.OPEN else DONE
    changes: dict[str, Any] = {**ended, "status": status}
    assert buttons(listed(**changes)) == actions
    assert buttons(page(**changes)) == actions


def test_job_that_is_stopping_cannot_be_cancelled_again() -> None:
    assert buttons(listed(**RUNNING, stop=1)) == []


def test_tabs_count_by_status_and_all_together_without_what_is_only_planned() -> None:
    shown = JobList(Chosen(), {jobs.DONE: 10_000, jobs.FAILED: 1, SCHEDULED: 2})
    text = " ".join(Parsed(jobs_list(shown, NOW)).text.split())
    for words in ("All 10,001", "Running 0", "Failed 1", "Done 10,000", "Scheduled 2"):
        assert words in text


def test_tabs_keep_app_and_profiles_but_begin_at_the_newest() -> None:
    chosen = Chosen(jobs.DONE, "crawl", True, ("2026-11-20T11:00:00.000000Z", "j"))
    made = jobs_list(JobList(chosen, {}), NOW)
    assert 'href="/-/jobs?status=failed&amp;app=crawl&amp;profile=all"' in made
    assert 'href="/-/jobs?status=done&amp;app=crawl" class="button quiet">Only this profile' in made


def test_list_leads_to_older_jobs_after_its_last_one_and_back_to_the_newest() -> None:
    rows = [a_row(id="b", **DONE), a_row(id="a", **DONE)]
    shown = JobList(Chosen(before=("2026-11-21T00:00:00.000000Z", "c")), {}, ended=rows, has_older=True)
    made = jobs_list(shown, NOW)
    assert 'href="/-/jobs?before=2026-11-20T11%3A00%3A00.000000Z_a"' in made
    assert "Newest jobs" in made


def test_page_asks_for_its_list_again_while_something_is_at_work() -> None:
    assert "data-moves" in listed(**RUNNING)
    assert "data-moves" not in listed(**DONE)


def test_empty_list_says_what_is_missing() -> None:
    assert "Nothing has failed." in jobs_list(JobList(Chosen(jobs.FAILED), {}), NOW)
    assert "Nothing has failed, of this app." in jobs_list(JobList(Chosen(jobs.FAILED, "crawl"), {}), NOW)


def test_schedules_are_listed_with_their_next_time() -> None:
    plain = ScheduleRow(
        id="s", title=EVIL, app="crawl", owner="owner", profile="default", cron="0 7 * * 1", zone="Europe/Berlin",
        args="{}", locks=0, paused=0, next_at=ago(), note="", last_job=None, made_at=ago(), removed_at=None,
    )  # fmt: skip
    rows = [
        ScheduleLine(each, "Crawl", "Every Monday at 07:00", ZoneInfo("Europe/Berlin"), "", None, None)
        for each in (plain, plain._replace(paused=1))
    ]
    text = Parsed(jobs_list(JobList(Chosen(SCHEDULED), {}, schedules=rows), NOW)).text
    for words in (EVIL, "Every Monday at 07:00", "Europe/Berlin", "Paused"):
        assert words in text


def test_text_of_a_job_is_never_markup() -> None:
    told: dict[str, Any] = {
        "title": EVIL, "reason": EVIL, "trace": EVIL, "app": EVIL, "profile": EVIL, "run": EVIL, "error_id": EVIL,
        "partial": json.dumps({"view": "text", "output": EVIL}), "step": EVIL,
        "progress": json.dumps({"done": 1, "total": 2, "text": EVIL, "left_s": None}),
    }  # fmt: skip
    for changes in ({**DONE, "status": jobs.FAILED}, {**RUNNING}):
        row = {**told, **changes}
        for made in (page([Line(1, ago(), EVIL)], **row), listed(Chosen(is_everywhere=True), **row)):
            parsed = Parsed(made)
            assert "img" not in parsed.tags
            assert parsed.text.count(EVIL) >= 2


def test_page_of_a_job_shows_log_parts_and_what_there_is_so_far() -> None:
    made = page([Line(7, ago(), "got page 7")], 3, **RUNNING, partial=json.dumps({"view": "text", "output": "half"}))
    text = Parsed(made).text
    for words in ("got page 7", "3 parts, not to be done again", "half"):
        assert words in text
    assert 'data-seq="7"' in made


def test_page_of_a_job_tells_its_author_where_to_look_and_nobody_what_was_in_it() -> None:
    trace = 'Traceback (most recent call last):\n  File "/srv/plugins/crawl.py", line 7\nOSError: the password'
    text = Parsed(page(**{**DONE, "status": jobs.FAILED, "trace": trace, "error_id": "1a2b3c4d"})).text
    for words in ("1a2b3c4d", "crawl.py, line 7 (OSError)", f"pipulate jobs show {a_row().id}"):
        assert words in text
    for words in ("Traceback", "/srv", "the password"):
        assert words not in text


def test_arguments_of_a_job_are_not_shown() -> None:
    secret = json.dumps({"password": "swordfish"})
    assert "swordfish" not in page(args=secret) + listed(args=secret)


def test_lines_of_a_log_have_their_numbers() -> None:
    assert log_lines([Line(1, ago(), "a"), Line(2, ago(), "b")], NOW).count("data-seq=") == 2
