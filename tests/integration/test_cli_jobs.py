"""`pipulate jobs`: list, show, log, cancel, retry; with and without a server on the data folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipulate.cli.jobs import STATUSES
from pipulate.storage import jobs
from pipulate.storage.folder import Layout
from pipulate.storage.sqlite import SqliteDatabase
from tests.support.cli import Shell
from tests.support.jobs import AT, a_row, store
from tests.support.server import Server

ENDED: dict[str, Any] = {"started_at": AT, "ended_at": AT}
FAILED = a_row(
    id="f" * 32, status=jobs.FAILED, reason="No answer.", trace="Traceback: no answer", error_id="1a2b3c4d", attempt=2,
    args='{"password": "swordfish"}', **ENDED,
)  # fmt: skip
RUNNING = a_row(
    id="a" * 32, status=jobs.RUNNING, started_at=AT, app="audit", title="Audit: Report",
    asked_at="2026-11-20T12:00:00.000000Z", progress=json.dumps({"done": 3, "total": 10, "text": "page 3"}),
)  # fmt: skip
QUEUED = a_row(id="b" * 32, asked_at="2026-11-20T13:00:00.000000Z", kind="nobody's")
PARKED = a_row(id="c" * 32, status=jobs.PARKED, owner="somebody else", title="Their secret")
PLUGIN = """
from pipulate import Job, Workflow

app = Workflow("waits")


@app.step("wait", background=True)
def wait(job: Job) -> str:
    job.wait_now(60)
    return ""
"""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell("db", "migrate")
    store(tmp_path, FAILED, RUNNING, QUEUED, PARKED, lines=["line 1", "line 2"])
    return shell


def status(shell: Shell, job: str) -> str:
    return str(shell("jobs", "show", job, "--json").json["status"])


def ids(shell: Shell, *arguments: str) -> list[str]:
    return [job["id"] for job in shell("jobs", "list", "--json", *arguments).json]


def test_statuses_to_choose_from_are_those_there_are() -> None:
    assert set(STATUSES) == set(jobs.STATUSES)


def test_list_shows_a_persons_jobs_newest_first(shell: Shell) -> None:
    lines = shell("jobs", "list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ID", "STATUS"], [QUEUED.id, "queued"], [RUNNING.id, "running"], [FAILED.id, "failed"],
    ]  # fmt: skip
    assert lines[3].endswith("No answer.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--status", "failed"), [FAILED.id]),
        (("--status", "failed", "--status", "queued"), [QUEUED.id, FAILED.id]),
        (("--app", "audit"), [RUNNING.id]),
        (("--limit", "1"), [QUEUED.id]),
        (("--status", "done"), []),
    ],
    ids=" ".join,
)
def test_list_shows_only_what_was_asked_for(arguments: tuple[str, ...], expected: list[str], shell: Shell) -> None:
    assert ids(shell, *arguments) == expected


def test_list_says_why_it_is_short(shell: Shell, tmp_path: Path) -> None:
    assert shell("jobs", "list", "--limit", "1").out.endswith("These are the newest 1; --limit shows more.\n")
    assert "newest" not in shell("jobs", "list", "--limit", "3").out
    assert shell("jobs", "list", "--app", "nothing").out == "No job matches.\n"
    empty = Shell(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    empty("db", "migrate")
    assert empty("jobs", "list").out == "There are no jobs.\n"


def test_show_tells_how_a_job_stands_with_its_log(shell: Shell) -> None:
    text = shell("jobs", "show", FAILED.id).out
    for part in (
        "Crawl: Pages  failed",
        "No answer.",
        "1a2b3c4d",
        "2026-11-20 11:00:00  line 2",
        "Traceback: no answer",
    ):
        assert part in text
    assert "3 of 10  page 3" in shell("jobs", "show", RUNNING.id).out


def test_arguments_of_a_job_are_not_printed(shell: Shell) -> None:
    for arguments in (("list", "--json"), ("show", FAILED.id), ("show", FAILED.id, "--json")):
        assert "swordfish" not in shell("jobs", *arguments).out


def test_log_prints_the_lines_alone(shell: Shell) -> None:
    assert shell("jobs", "log", QUEUED.id).out == "2026-11-20 11:00:00  line 1\n2026-11-20 11:00:00  line 2\n"


def test_log_that_is_followed_ends_with_its_job_and_leaves_out_no_line(shell: Shell) -> None:
    with shell.start("jobs", "log", RUNNING.id, "--follow") as process:
        assert process.stdout is not None
        assert "line 1" in process.stdout.readline()
        db = SqliteDatabase(Layout(shell.folder / "data").database)
        db.write_now(jobs.note, RUNNING.id, AT, None, None, [(AT, "line 3")])
        db.write_now(jobs.end, RUNNING.id, 1, jobs.DONE, AT)
        db.close()
        assert [line.split()[-1] for line in process.stdout] == ["2", "3"]
        assert process.stderr is not None
        assert process.stderr.read() == "The job is done.\n"


@pytest.mark.parametrize("job", [QUEUED.id, RUNNING.id])
def test_cancel_without_a_server_ends_a_job_whatever_it_was_at(job: str, shell: Shell) -> None:
    assert shell("jobs", "cancel", job).out == "Cancelled.\n"
    assert status(shell, job) == jobs.CANCELLED


def test_retry_without_a_server_queues_the_job_for_the_next_start_and_says_so(shell: Shell) -> None:
    said = shell("jobs", "retry", FAILED.id).out
    assert said.startswith("Queued. It begins at the next start: ")
    assert status(shell, FAILED.id) == jobs.QUEUED


@pytest.mark.parametrize(
    ("command", "job", "sentence"),
    [
        ("cancel", FAILED.id, "This job is failed. Only one that has not ended can be cancelled."),
        ("retry", QUEUED.id, "This job is queued. Only one that failed, was cancelled or is parked can be retried."),
        *((command, PARKED.id, "There is no job") for command in ("cancel", "retry", "show", "log")),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_says_why(command: str, job: str, sentence: str, shell: Shell) -> None:
    before = shell("jobs", "list", "--json").out
    shown = shell("jobs", command, job)
    assert shown.code == 1
    assert sentence in shown.err
    assert "Their secret" not in shown.out + shown.err
    assert shell("jobs", "list", "--json").out == before


# With a server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "waits.py").write_text(PLUGIN)
    Shell(folder)("db", "migrate")
    store(folder, FAILED, QUEUED._replace(status=jobs.PARKED))
    with Server(folder) as server:
        yield server


def reaches(shell: Shell, job: str, wanted: str) -> Any:
    """Wait until a job is of a status."""
    end = time.monotonic() + 20
    while status(shell, job) != wanted:
        assert time.monotonic() < end, f"it is {status(shell, job)}"


def test_cancel_and_retry_go_through_the_running_server(served: Server) -> None:
    shell = Shell(served.folder)
    assert shell("jobs", "cancel", QUEUED.id).out == "Cancelled.\n"
    assert shell("jobs", "retry", QUEUED.id).out == "Queued.\n"
    reaches(shell, QUEUED.id, jobs.PARKED)  # The server has looked, and found nobody who does this kind.


def test_reason_of_the_server_is_given(served: Server) -> None:
    shown = Shell(served.folder)("jobs", "cancel", FAILED.id)
    assert (shown.code, shown.err) == (
        1,
        "pipulate: This job is failed. Only one that has not ended can be cancelled.\n",
    )
    assert "There is no job 'nothing'" in Shell(served.folder)("jobs", "retry", "nothing").err
