"""`pipulate jobs schedule`, `schedules`, `unschedule`, `run-now`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.support.cli import Outcome, Shell
from tests.support.server import Server

SECRET = "hush hush"
AUDIT = """
from pydantic import SecretStr
from pipulate import Workflow

app = Workflow("audit", title="Audit")

@app.step("site")
def site(address: str, key: SecretStr | None = None, tags: list[str] = []) -> str:
    return f"{address} {len(tags)} {len(key.get_secret_value()) if key else 0}"
"""
WEEKLY = ("--cron", "0 7 * * 1", "--zone", "Europe/Berlin")
GIVEN = ("--input", "site.address=example.com")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "audit.py").write_text(AUDIT)
    with Server(folder, arguments=("--no-reload",)):
        yield Shell(folder)


@pytest.fixture(autouse=True)
def _clean(shell: Shell) -> Iterator[None]:
    yield
    for row in listed(shell):
        shell("jobs", "unschedule", row["id"])


def listed(shell: Shell) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shell("jobs", "schedules", "--json").json
    return found


def made(shell: Shell, *more: str) -> Outcome:
    return shell("jobs", "schedule", "audit", *WEEKLY, *GIVEN, *more)


def test_app_is_put_on_a_schedule_and_listed(shell: Shell) -> None:
    said = made(shell, "--title", "Weekly audit", "--lock")
    assert said.code == 0
    assert re.fullmatch(r"[0-9a-f]{32}: Weekly audit. Every Monday at 07:00, Europe/Berlin time.\n", said.out)
    (row,) = listed(shell)
    assert (row["title"], row["app"], row["cron"], row["zone"], row["profile"], row["locks"], row["paused"]) == (
        "Weekly audit", "audit", "0 7 * * 1", "Europe/Berlin", "default", 1, 0,
    )  # fmt: skip
    table = shell("jobs", "schedules").out
    assert "Weekly audit" in table
    assert row["id"] in table


def test_schedule_is_done_now_with_its_answers_and_no_secret_is_shown(shell: Shell) -> None:
    made(shell, "--title", "Now", "--input", f"site.key={SECRET}", "--input", "site.tags=a\nb")
    row = listed(shell)[0]
    assert SECRET not in str(row)
    assert shell("jobs", "run-now", row["id"]).out == "Begun.\n"
    for _ in range(500):
        runs = [run for run in shell("runs", "list", "--json").json if run["key"].startswith("Now ")]
        if runs and runs[0]["open_step"] is None and runs[0]["version"] > 1:
            break
        Event().wait(0.02)
    shown = shell("runs", "show", "audit", runs[0]["key"], "--json").json
    assert shown["values"]["site"]["data"]["output"] == "example.com 2 9"
    assert listed(shell)[0]["last"] in ("running", "done")


def test_schedule_is_removed_and_unknown_ones_are_said_to_be(shell: Shell) -> None:
    made(shell)
    row = listed(shell)[0]
    assert shell("jobs", "unschedule", row["id"]).out == "Removed.\n"
    assert listed(shell) == []
    assert "Nothing is scheduled." in shell("jobs", "schedules").out
    for command in ("unschedule", "run-now"):
        said = shell("jobs", command, row["id"])
        assert (said.code, "There is no schedule" in said.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audit", *WEEKLY), "“Site” needs an answer for Address, and none is given."),
        (("nothing", *WEEKLY), "There is no app 'nothing'"),
        (("audit", "--cron", "0 7 * *", "--zone", "UTC", *GIVEN), "has 4"),
        (("audit", "--cron", "0 7 * * 1", "--zone", "Europe/Berln", *GIVEN), "Did you mean Europe/Berlin?"),
        (("audit", *WEEKLY, *GIVEN, "--profile", "nobody"), "There is no profile 'nobody'."),
        (("audit", *WEEKLY, "--input", "sight.address=a"), "The app has no step 'sight' to answer; it has: site."),
        (("audit", *WEEKLY, *GIVEN, "--input", "site.pages=1"), "The step 'site' has no field 'pages'."),
        (("audit", *WEEKLY, *GIVEN, "--title", "a\nb"), "invisible character"),
    ],
)
def test_schedule_that_cannot_be_is_refused_in_plain_words(
    shell: Shell, arguments: tuple[str, ...], words: str
) -> None:
    said = shell("jobs", "schedule", *arguments)
    assert (said.code, said.out) == (1, "")
    assert words in said.err
    assert listed(shell) == []


def test_input_that_names_no_field_is_wrong_use(shell: Shell) -> None:
    for given in ("site", "site.address", "site=a", ".a=b", "a.=b"):
        said = shell("jobs", "schedule", "audit", *WEEKLY, "--input", given)
        assert (said.code, "is not STEP.FIELD=VALUE" in said.err) == (2, True)


def test_without_a_server_schedules_are_listed_and_removed_but_not_made(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "audit.py").write_text(AUDIT)
    shell = Shell(tmp_path)
    with Server(tmp_path, arguments=("--no-reload",)) as server:
        made(shell)
        server.stop()
    row = listed(shell)[0]
    for arguments in (("run-now", row["id"]), ("schedule", "audit", *WEEKLY, *GIVEN)):
        said = shell("jobs", *arguments)
        assert (said.code, "No server runs on" in said.err) == (1, True)
    assert shell("jobs", "unschedule", row["id"]).code == 0
    assert shell("jobs", "unschedule", row["id"]).code == 1
    assert listed(shell) == []
