"""`pipulate records`: list and fit; with and without a server on the data folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipulate.storage.archive import Archive
from tests.support.cli import Shell
from tests.support.server import Server

HEAD = "from pydantic import BaseModel\n\nfrom pipulate import Resource\n\n\n"
TASKS = HEAD + "class Task(BaseModel):\n    text: str\n    hours: int = 1\n\n\ntasks = Resource('tasks', Task)\n"
PEOPLE = HEAD + "class Person(BaseModel):\n    name: str\n\n\npeople = Resource('people', Person)\n"
RENAMED = TASKS.replace("text:", "title:")
GROWN = TASKS.replace("hours: int = 1", "hours: int = 1\n    priority: int = 3")
ADD = """
import asyncio, sys
from pathlib import Path
from pipulate.app import build
from pipulate.security.who import Who
from pipulate.settings import read_settings

async def main():
    application = build(read_settings({}))
    async with application.running():
        site = application.site
        while not site.plugins.wait_loaded(0.05):
            await asyncio.sleep(0)
        for name, answers in (("tasks", {"text": "Write"}), ("tasks", {"text": "Read"}), ("people", {"name": "Ada"})):
            await site.records.create(site.records.resources[name], answers, "default", Who("owner"))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tasks and a person."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "tasks.py").write_text(TASKS)
    (folder / "plugins" / "people.py").write_text(PEOPLE)
    subprocess.run([sys.executable, "-c", ADD], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def shell(kept: Path, tmp_path: Path) -> Shell:
    shutil.copytree(kept, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


def declare(shell: Shell, source: str) -> None:
    (shell.folder / "plugins" / "tasks.py").write_text(source)


def fits(shell: Shell) -> dict[str, list[str]]:
    found = {each["name"]: each["differences"] for each in shell("records", "list", "--json").json}
    assert found.pop("profiles") == []  # The program's own.
    return found


def test_list_names_each_table_with_what_is_in_it(shell: Shell) -> None:
    lines = [line.split() for line in shell("records", "list").out.splitlines()]
    own = ["profiles", "1", "yes"]
    assert lines == [["NAME", "RECORDS", "FITS"], ["people", "1", "yes"], own, ["tasks", "2", "yes"]]


def test_list_says_what_is_different_and_the_command(shell: Shell) -> None:
    declare(shell, RENAMED)
    (shell.folder / "plugins" / "people.py").unlink()
    out = shell("records", "list").out
    assert "no app declares it" in out
    assert "'title' is new; 'text' is gone" in out
    assert "pipulate records fit NAME" in out


def test_fit_says_what_it_does_asks_and_backs_up_first(shell: Shell) -> None:
    declare(shell, GROWN)
    done = shell("records", "fit", "tasks", stdin="y\n")
    assert done.code == 0, done.err
    assert "'priority' comes." in done.out
    assert "Do this to 2 records, after a backup? [y/N]" in done.out
    (file,) = (shell.folder / "data" / "backups").iterdir()
    assert file.name in done.out
    archive = Archive(file)
    tables = {name: (columns, [*rows]) for name, columns, rows in archive.tables()}
    archive.close()
    assert "priority" not in tables["rec_tasks"][0]
    assert len(tables["rec_tasks"][1]) == 2
    assert fits(shell) == {"people": [], "tasks": []}


def test_fit_changes_nothing_where_the_answer_is_no(shell: Shell) -> None:
    declare(shell, GROWN)
    done = shell("records", "fit", "tasks", stdin="n\n")
    assert (done.code, done.err) == (1, "pipulate: Nothing was changed.\n")
    assert fits(shell)["tasks"] == ["'priority' is new"]
    assert not (shell.folder / "data" / "backups").exists()


def test_fit_refuses_to_guess_and_names_what_to_say(shell: Shell) -> None:
    declare(shell, RENAMED)
    refused = shell("records", "fit", "tasks", "--yes")
    assert refused.code == 1
    assert "--rename text=title" in refused.err
    assert "--drop text" in refused.err
    done = shell("records", "fit", "tasks", "--rename", "text=title", "--yes", "--json")
    assert done.json["said"] == ["'text' is called 'title' from now on; its values stay."]
    assert fits(shell)["tasks"] == []


def test_fit_of_what_nothing_declares_is_refused(shell: Shell) -> None:
    declare(shell, "this is no Python")
    refused = shell("records", "fit", "tasks", "--yes")
    assert refused.code == 1
    assert "No app in plugins declares the records 'tasks'." in refused.err
    assert "What is wrong with tasks.py says: pipulate plugins" in refused.err


def test_fit_of_what_fits_says_so(shell: Shell) -> None:
    assert "It is what is declared." in shell("records", "fit", "tasks", "--yes").err


def test_decision_of_another_form_is_wrong_use(shell: Shell) -> None:
    assert shell("records", "fit", "tasks", "--rename", "text").code == 2


@pytest.fixture
def served(shell: Shell) -> Iterator[tuple[Shell, Server]]:
    declare(shell, RENAMED)
    with Server(shell.folder) as server:
        yield shell, server


def test_fit_goes_through_the_server_and_the_app_goes_on_at_once(served: tuple[Shell, Server]) -> None:
    shell, _ = served
    refused = shell("records", "fit", "tasks", "--yes")
    assert "--rename text=title" in refused.err
    done = shell("records", "fit", "tasks", "--rename", "text=title", "--yes")
    assert done.code == 0, done.err
    assert fits(shell) == {"people": [], "tasks": []}
