"""The how-to pages are followed to the letter: their commands run in this order, their files are well formed."""

from __future__ import annotations

import configparser
import json
import os
import plistlib
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, mentioned, typed
from tests.support.server import Server
from tests.support.site import Browser, running

pytestmark = pytest.mark.anyio

HOW_TO = ROOT / "docs" / "how-to"


async def work(folder: Path) -> None:
    """Leave a run in the data folder, as the tutorial's reader has one; then stop."""
    (folder / "plugins").mkdir()
    app = "\n\n".join(blocks(ROOT / "docs" / "tutorials" / "first-workflow.md", "python"))
    (folder / "plugins" / "010_campaign_links.py").write_text(app)
    async with running(folder) as application:
        browser = Browser(application)
        run, _ = await browser.start("campaign_links", "spring")
        await browser.submit(run, "pages", 1, addresses="https://example.com/prices")


def follow(lines: Iterable[str], folder: Path, **env: str) -> str:
    """Run the commands for Pipulate among these lines; return what they printed. A server is not started."""
    said = ""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIPULATE_")}
    for words in (shlex.split(line) for line in lines):
        if words[0] == "pipulate" and words[1:] != ["run"]:
            command = [sys.executable, "-m", *words]
            done = subprocess.run(
                command, check=False, cwd=folder, env=clean | env, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, f"{words}: {done.stderr}"
            said += done.stdout
    return said


async def test_backing_up_and_restoring_brings_the_runs_back(tmp_path: Path) -> None:
    await work(tmp_path)
    said = follow(typed(HOW_TO / "back-up-and-restore.md"), tmp_path)
    assert "Everything holds together." in said
    assert follow(["pipulate runs list"], tmp_path).count("campaign_links") == 2  # The run, and its imported copy.
    assert len(list((tmp_path / "data").glob("before-restore-*"))) == 1


async def test_moving_to_postgresql_takes_the_runs_along(tmp_path: Path, postgres_url: str) -> None:
    await work(tmp_path)
    lines = list(typed(HOW_TO / "move-to-postgresql.md"))
    switch = next(number for number, line in enumerate(lines) if line.startswith("export DATABASE_URL="))
    follow(lines[:switch], tmp_path)
    said = follow([*lines[switch:], "pipulate runs list"], tmp_path, DATABASE_URL=postgres_url)
    assert "Everything holds together." in said
    assert "spring" in said


def put_in(folder: Path, page: str, language: str, name: str) -> None:
    """Save the file of a page where the page says."""
    path = folder / "plugins" / name
    assert f"`plugins/{name}`" in (HOW_TO / page).read_text()
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n\n".join(blocks(HOW_TO / page, language)))


def states(folder: Path) -> dict[str, tuple[str, int]]:
    """Return file -> its state and how many findings it has, as the command lists them."""
    listed = json.loads(follow(["pipulate plugins --check --json"], folder))
    return {line["file"]: (line["state"], len(line["findings"])) for line in listed if not line["in_box"]}


def test_writing_a_class_style_plugin_and_moving_it_works_in_an_empty_folder(tmp_path: Path) -> None:
    put_in(tmp_path, "write-a-class-style-plugin.md", "py", "020_packing.py")
    follow(typed(HOW_TO / "bring-an-existing-plugin.md"), tmp_path)
    assert states(tmp_path) == {"020_packing.py": ("loaded", 0)}
    put_in(tmp_path, "from-class-style-to-declarative.md", "python", "xx_packing.py")
    assert states(tmp_path) == {"020_packing.py": ("loaded", 0)}  # The new one is skipped until it is complete.
    (tmp_path / "plugins" / "xx_packing.py").replace(tmp_path / "plugins" / "020_packing.py")
    follow(typed(HOW_TO / "from-class-style-to-declarative.md"), tmp_path)
    assert states(tmp_path) == {"020_packing.py": ("loaded", 0)}


def test_app_is_scheduled_and_unscheduled_as_the_page_says(tmp_path: Path) -> None:
    page = HOW_TO / "run-on-a-schedule.md"
    put_in(tmp_path, page.name, "python", "010_audit.py")
    with Server(tmp_path, arguments=("--no-reload",)):
        said = follow(typed(page), tmp_path)
        assert "Weekly audit. Every Monday at 07:00, Europe/Berlin time." in said
        made = json.loads(follow(["pipulate jobs schedules --json"], tmp_path))[0]["id"]
        said = follow([line.replace("ID", made) for line in mentioned(page)], tmp_path)
    assert said == "Begun.\nRemoved.\n"


def test_every_command_that_the_pages_about_plugins_mention_works(tmp_path: Path) -> None:
    for page in ("write-a-class-style-plugin.md", "from-class-style-to-declarative.md", "bring-an-existing-plugin.md"):
        follow([line.replace("NAME", "own_one") for line in mentioned(HOW_TO / page)], tmp_path)
    assert states(tmp_path) == {"010_own_one.py": ("loaded", 0)}


def written(tmp_path: Path, number: int) -> Path:
    """Run one of the scripts of the page about services in a folder with a space in its name; return the home."""
    home, clone = tmp_path / "home", tmp_path / "my clone"
    home.mkdir()
    clone.mkdir()
    script = blocks(HOW_TO / "start-at-login.md", "sh")[number]
    subprocess.run(["sh", "-eu", "-c", script], check=True, cwd=clone, env={**os.environ, "HOME": str(home)})
    return home


def test_systemd_unit_starts_the_program_of_the_clone(tmp_path: Path) -> None:
    unit = configparser.ConfigParser()
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(written(tmp_path, 0) / ".config" / "systemd" / "user" / "pipulate.service")
    clone = tmp_path / "my clone"
    assert unit["Service"]["WorkingDirectory"] == str(clone)
    assert shlex.split(unit["Service"]["ExecStart"]) == [f"{clone}/.venv/bin/pipulate", "run", "--no-browser"]


def test_launchd_agent_starts_the_program_of_the_clone(tmp_path: Path) -> None:
    agent = plistlib.loads((written(tmp_path, 1) / "Library" / "LaunchAgents" / "pipulate.plist").read_bytes())
    clone = tmp_path / "my clone"
    assert agent["WorkingDirectory"] == str(clone)
    assert agent["ProgramArguments"] == [f"{clone}/.venv/bin/pipulate", "run", "--no-browser"]
    assert (clone / "data").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:6001", "http://127.0.0.1:6001", 204),
        ("127.0.0.1:6002", "http://127.0.0.1:6002", 400),  # not named in the setting
        ("127.0.0.1:6001", "https://127.0.0.1:6001", 403),  # behind a proxy that makes https of it
    ],
)
async def test_server_answers_at_the_other_end_of_a_tunnel_only_as_the_page_says(
    tmp_path: Path, host: str, origin: str, status: int
) -> None:
    lines = list(typed(HOW_TO / "reach-it-from-another-machine.md"))
    named = next(line for line in lines if line.startswith("export ")).partition("=")[2]
    async with running(tmp_path, allowed_hosts=(named,)) as application:
        headers = {"host": host, "origin": origin}
        answer = await Browser(application).post("/-/look", {"theme": "dark"}, htmx=True, headers=headers)
        assert answer.status == status
