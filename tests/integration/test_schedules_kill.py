"""kill -9 of the real server in the middle of a scheduled run: it goes on at the next start, and there is one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.support.cli import Shell
from tests.support.server import Server

AUDIT = """
from pathlib import Path
from pipulate import Job, Run, Workflow

app = Workflow("audit", title="Audit")
HERE = Path(__file__).parent

def called(name):
    with (HERE / "calls.txt").open("a") as calls:
        calls.write(name + "\\n")
    return name

@app.step("site")
def site(address: str) -> str:
    return called(address)

@app.step("crawl", background=True)
def crawl(run: Run, job: Job) -> str:
    job.checkpoint_now("first", called, "first")
    while not (HERE / "go").exists():
        job.wait_now(0.05)
    return job.checkpoint_now("second", called, "second")

@app.step("report")
def report(run: Run) -> str:
    return called("report")
"""


def until(condition: Callable[[], object], seconds: float = 40) -> None:
    """Poll until a condition holds."""
    pause = Event()
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        pause.wait(0.05)
    pytest.fail(f"this did not come true within {seconds} s")


def test_server_that_is_killed_goes_on_with_the_run_of_a_schedule(tmp_path: Path) -> None:
    plugins, shell = tmp_path / "plugins", Shell(tmp_path)
    plugins.mkdir()
    (plugins / "audit.py").write_text(AUDIT)
    calls = plugins / "calls.txt"
    with Server(tmp_path, arguments=("--no-reload",)) as server:
        given = ("--cron", "0 7 * * 1", "--zone", "Europe/Berlin", "--input", "site.address=here")
        made = shell("jobs", "schedule", "audit", *given, "--json").json
        assert shell("jobs", "run-now", made["id"]).code == 0
        until(lambda: calls.exists() and "first" in calls.read_text())
        server.kill()
    (plugins / "go").touch()
    with Server(tmp_path, arguments=("--no-reload",)):
        until(lambda: json.loads(shell("jobs", "schedules", "--json").out)[0]["last"] == "done")
        runs = shell("runs", "list", "--json").json
    assert [(run["app"], run["open_step"]) for run in runs] == [("audit", None)]
    assert calls.read_text().split() == ["here", "first", "second", "report"]
