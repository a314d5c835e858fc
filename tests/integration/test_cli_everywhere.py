"""What holds for every command: help that can be read, exit codes, JSON, nothing that steers a terminal."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pipulate.cli import cli
from tests.support.cli import Shell, fill
from tests.support.jobs import a_row, store

OF_MODELS = ("httpx2", "keyring", "openai", "pydantic_ai", "tiktoken")
HEAVY = (
    "alembic", "asyncio", "psycopg", "pydantic", "sqlalchemy", "starlette", "structlog", "uvicorn", "websockets",
    *OF_MODELS,
)  # fmt: skip
JOB = "0" * 32
CONTROL = "\x1b[2J\x07\x9b31m\u202e"

WITH_JSON = {
    "version": (),
    "plugins": (),
    "doctor": (),
    "db check": (),
    "db backup": ("backup.zip",),
    "db restore": ("first.zip",),
    "runs list": (),
    "runs show": ("greeting", "01"),
    "runs export": ("greeting", "01", "run.zip"),
    "runs import": ("first-run.zip", "--key", "02"),
    "jobs list": (),
    "jobs show": (JOB,),
    "jobs schedules": (),
    "jobs schedule": (),  # needs a server; see test_cli_schedules
    "jobs run-now": (),  # the same
    "records list": (),
    "records fit": (),  # needs records; see test_cli_records
    "link": (),  # needs a server; see test_cli_run
}
SERVED = ("link", "records fit", "jobs schedule", "jobs run-now")


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command and group there is."""
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fill(tmp_path_factory.mktemp("filled"))
    store(folder, a_row(id=JOB))
    return folder


@pytest.fixture
def shell(filled: Path, tmp_path: Path) -> Shell:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


@pytest.mark.parametrize("path", [path for path, _ in commands()], ids=" ".join)
def test_help_of_every_command_fits_a_terminal_and_cuts_no_sentence(path: tuple[str, ...], tmp_path: Path) -> None:
    shown = Shell(tmp_path)(*path, "--help")
    assert shown.code == 0
    assert max(map(len, shown.out.splitlines())) <= 80
    assert "..." not in shown.out.replace("[ARGS]...", "")


@pytest.mark.parametrize("command", [command for _, command in commands()], ids=lambda command: command.name)
def test_every_command_and_option_says_what_it_is_for(command: click.Command) -> None:
    assert (command.help or "").strip()
    silent = [each.name for each in command.params if isinstance(each, click.Option) and not each.help]
    assert silent == []


def test_help_documents_every_exit_code(tmp_path: Path) -> None:
    text = Shell(tmp_path)("--help").out.partition("Exit codes:")[2]
    documented = {int(line.split()[0]) for line in text.splitlines() if line[4:5].isdigit()}
    assert documented == {0, 1, 2, 3, 130}


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from pipulate.cli import cli
cli(["--help"], standalone_mode=False)
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_start_loads_no_library_of_language_models() -> None:
    code = f"""
import sys
import pipulate.app, pipulate.llm.models, pipulate.llm.opening
from pipulate.settings import Settings
for server in ("ollama", "openai", "off"):
    settings = Settings(model_server=server, model_url="http://127.0.0.1:9/v1")
    pipulate.llm.opening.open_models(settings, changed=lambda: None).status()
print([name for name in {OF_MODELS} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


def test_the_commands_with_json_are_those_tried_here() -> None:
    found = {" ".join(path) for path, command in commands() if any(each.name == "as_json" for each in command.params)}
    assert found == set(WITH_JSON)


@pytest.mark.parametrize("name", [name for name in WITH_JSON if name not in SERVED])
def test_json_is_one_valid_document_in_ascii(name: str, shell: Shell) -> None:
    shell("db", "backup", "first.zip")
    shell("runs", "export", "greeting", "01", "first-run.zip")
    shown = shell(*name.split(), *WITH_JSON[name], "--json")
    assert shown.code == 0
    assert shown.out.isascii()
    json.loads(shown.out)


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("run", "--prot", "1"), ("run", "--port", "99999"), ("runs", "show", "greeting"), ("db", "lose")],
    ids=" ".join,
)
def test_wrong_use_ends_with_2_and_says_how_to_get_help(arguments: tuple[str, ...], tmp_path: Path) -> None:
    shown = Shell(tmp_path)(*arguments)
    assert shown.code == 2
    assert "--help' for help." in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("runs", "list"),
        ("runs", "list", "--json"),
        ("jobs", "list"),
        ("jobs", "log", JOB),
        ("db", "check"),
        ("db", "backup", "b.zip"),
        ("link",),
    ],
    ids=" ".join,
)
def test_a_command_that_finds_nothing_ends_with_1_and_says_what_to_start(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    shown = Shell(tmp_path)(*arguments)
    assert (shown.code, shown.out) == (1, "")
    assert "pipulate run" in shown.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [("run",), ("doctor",), ("runs", "list"), ("link",)], ids=" ".join)
def test_settings_that_cannot_be_used_are_all_named(arguments: tuple[str, ...], tmp_path: Path) -> None:
    shown = Shell(tmp_path, PIPULATE_PROT="1", PIPULATE_BIN_DAYS="none").process(*arguments)
    assert shown.code == 1
    assert "PIPULATE_PROT: unknown setting; did you mean PIPULATE_PORT?" in shown.err
    assert "PIPULATE_BIN_DAYS" in shown.err


def test_control_characters_in_stored_keys_do_not_reach_the_terminal(shell: Shell) -> None:
    with sqlite3.connect(shell.folder / "data" / "pipulate.sqlite3") as connection:
        connection.execute("UPDATE runs SET key = ? WHERE key = '01'", [f"01{CONTROL}"])
    connection.close()
    key = f"01{CONTROL}"
    for arguments in (("list",), ("list", "--json"), ("show", "greeting", key), ("show", "greeting", key, "--json")):
        shown = shell("runs", *arguments)
        assert shown.code == 0
        assert not set(shown.out) & set(CONTROL) - set("[2J31m")


def test_control_characters_in_what_a_job_says_do_not_reach_the_terminal(shell: Shell) -> None:
    job = a_row(title=CONTROL, reason=CONTROL, trace=CONTROL, progress=json.dumps({"done": 1, "text": CONTROL}))
    store(shell.folder, job, lines=[CONTROL])
    for arguments in (("list",), ("list", "--json"), ("show", job.id), ("show", job.id, "--json"), ("log", job.id)):
        shown = shell("jobs", *arguments)
        assert shown.code == 0
        assert not set(shown.out) & set(CONTROL) - set("[2J31m")


@pytest.mark.parametrize(
    "arguments",
    [("runs", "show", "greeting", CONTROL), ("jobs", "show", CONTROL), ("runs", "import", CONTROL + ".zip")],
)
def test_control_characters_in_error_messages_do_not_reach_the_terminal(
    arguments: tuple[str, ...], shell: Shell
) -> None:
    shown = shell(*arguments)
    assert shown.code == 1
    assert not set(shown.err) & set(CONTROL) - set("[2J31m")


def test_emoji_made_of_several_characters_stay_whole(shell: Shell) -> None:
    with sqlite3.connect(shell.folder / "data" / "pipulate.sqlite3") as connection:
        connection.execute("UPDATE runs SET key = '👩\u200d💻' WHERE key = '01'")
    connection.close()
    assert "👩\u200d💻" in shell("runs", "list").out


def test_a_reader_that_has_had_enough_gets_no_traceback(shell: Shell) -> None:
    with shell.start("runs", "show", "greeting", "01", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize("arguments", [("--version",), ("version",)], ids=" ".join)
def test_version_is_printed(arguments: tuple[str, ...], tmp_path: Path) -> None:
    from pipulate import __version__

    assert Shell(tmp_path)(*arguments).out == __version__ + "\n"
