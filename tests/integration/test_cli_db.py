"""`pipulate db`: migrate, backup, restore, check, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipulate.storage.migrate import REVISION
from tests.support.cli import Shell, fill
from tests.support.server import Server
from tests.support.services import postgres_database


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, and a backup of them."""
    folder = fill(tmp_path_factory.mktemp("filled"))
    assert Shell(folder)("db", "backup", "good.zip").code == 0
    return folder


@pytest.fixture
def shell(filled: Path, tmp_path: Path) -> Shell:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def server(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    with Server(folder) as server:
        yield server


@pytest.fixture
def postgres() -> Iterator[str]:
    """A database for one test."""
    with postgres_database() as url:
        yield url


def keys(shell: Shell) -> set[str]:
    return {run["key"] for run in shell("runs", "list", "--json").json}


def execute(shell: Shell, sql: str) -> None:
    """Change the database behind the program's back."""
    with sqlite3.connect(shell.folder / "data" / "pipulate.sqlite3") as connection:
        connection.execute(sql)
    connection.close()


def test_migrate_makes_the_tables_and_can_be_repeated(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    for _ in range(2):
        assert shell("db", "migrate").out == "The tables are up to date.\n"
    assert keys(shell) == set()


def test_backup_says_what_is_in_it_and_is_for_its_owner_alone(shell: Shell) -> None:
    shown = shell("db", "backup", "new.zip")
    assert shown.out.startswith("new.zip: 2 runs, 5 events, 0 files of 20")
    assert stat.S_IMODE((shell.folder / "new.zip").stat().st_mode) == 0o600


def test_backup_overwrites_nothing(shell: Shell) -> None:
    (shell.folder / "letter").write_text("dear")
    shown = shell("db", "backup", "letter")
    assert shown.code == 1
    assert "letter exists already" in shown.err
    assert (shell.folder / "letter").read_text() == "dear"


def test_backup_says_so_when_it_cannot_be_written(shell: Shell) -> None:
    shown = shell("db", "backup", "nowhere/new.zip")
    assert (shown.code, shown.out) == (1, "")
    assert "could not be written: No such file or directory" in shown.err


def test_backup_works_while_the_server_runs(server: Server, tmp_path: Path) -> None:
    target = str(tmp_path / "live.zip")
    shown = Shell(server.folder)("db", "backup", target, "--json")
    assert (shown.code, shown.json["rows"]["runs"]) == (0, 2)
    assert Shell(tmp_path)("db", "restore", target).code == 0


def test_restore_brings_everything_back_and_keeps_what_was_there(shell: Shell) -> None:
    shell("runs", "delete", "greeting", "01", "--purge", "--yes")
    shown = shell("db", "restore", "good.zip")
    assert shown.code == 0
    assert keys(shell) == {"01", "Büro/2"}
    aside = Path(shown.out.rstrip(".\n").rpartition(" ")[2])
    assert (aside / "pipulate.sqlite3").exists()


def test_restore_into_an_empty_folder_makes_a_store_that_holds_together(shell: Shell, tmp_path: Path) -> None:
    shown = shell("db", "restore", "good.zip", "--data", "other", "--json")
    assert shown.json["runs"] == 2
    assert shell("db", "check", "--data", "other").out == "Everything holds together.\n"


@pytest.mark.parametrize("arguments", [("restore", "good.zip"), ("migrate",)], ids=" ".join)
def test_a_command_that_writes_is_refused_with_3_while_the_server_runs(
    arguments: tuple[str, ...], server: Server
) -> None:
    shown = Shell(server.folder)("db", *arguments)
    assert shown.code == 3
    assert f"in use by process {server.process.pid}. Stop it first" in shown.err
    assert server.get("/")[0] == 200


def test_restore_refuses_what_is_no_backup_and_leaves_the_store_alone(shell: Shell) -> None:
    shell("runs", "export", "greeting", "01", "run.zip")
    (shell.folder / "text.zip").write_text("no zip")
    (shell.folder / "cut.zip").write_bytes((shell.folder / "good.zip").read_bytes()[:-200])
    for name in ("run.zip", "text.zip", "cut.zip", "missing.zip", "data"):
        shown = shell("db", "restore", name)
        assert (shown.code, shown.out) == (1, "")
        assert shown.err.startswith("pipulate: ")
    assert keys(shell) == {"01", "Büro/2"}
    assert not list((shell.folder / "data").glob("before-restore-*"))


def test_check_finds_nothing_wrong_while_the_server_runs(server: Server) -> None:
    assert Shell(server.folder)("db", "check", "--json").json == {"ok": True, "problems": []}


def test_check_names_a_run_that_is_not_what_its_journal_says(shell: Shell) -> None:
    execute(shell, "DELETE FROM run_events WHERE kind = 'computed'")
    shown = shell("db", "check")
    assert shown.code == 1
    assert "run greeting/01" in shown.out
    assert shown.err.startswith("pipulate: One problem was found.")
    assert shell("db", "check", "--json").json["ok"] is False


def test_check_counts_the_problems(shell: Shell) -> None:
    execute(shell, "DELETE FROM run_events WHERE kind <> 'started'")
    execute(shell, "UPDATE runs SET version = 9 WHERE key <> '01'")
    assert "2 problems were found." in shell("db", "check").err


def test_check_says_so_when_the_file_is_damaged(shell: Shell) -> None:
    database = shell.folder / "data" / "pipulate.sqlite3"
    content = bytearray(database.read_bytes())
    content[4096 * 3 : 4096 * 12] = b"\xff" * 4096 * 9
    database.write_bytes(content)
    shown = shell("db", "check")
    assert shown.code == 1
    assert "database: " in shown.out


def test_commands_of_an_older_store_say_how_to_bring_it_up_to_date(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipulate.storage.migrate.check_revision", lambda found: found == REVISION)
    shown = shell("runs", "list")
    assert shown.code == 1
    assert "pipulate db migrate" in shown.err


def test_a_backup_of_sqlite_goes_into_postgresql_and_back(shell: Shell, postgres: str) -> None:
    elsewhere = Shell(shell.folder, DATABASE_URL=postgres, PIPULATE_DATA="elsewhere")
    assert "There is nothing stored in the database yet" in elsewhere("runs", "list").err
    assert "the schema before_restore_" in elsewhere("db", "restore", "good.zip").out
    assert keys(elsewhere) == {"01", "Büro/2"}
    assert elsewhere("db", "check").code == 0
    assert elsewhere("db", "backup", "back.zip").code == 0
    assert shell("db", "restore", "back.zip", "--data", "third").code == 0
    assert keys(Shell(shell.folder, PIPULATE_DATA="third")) == {"01", "Büro/2"}


@pytest.mark.parametrize("arguments", [("db", "migrate"), ("db", "check"), ("runs", "list")], ids=" ".join)
def test_commands_say_so_when_postgresql_does_not_answer(arguments: tuple[str, ...], tmp_path: Path) -> None:
    shown = Shell(tmp_path, DATABASE_URL="postgresql://me:geheim@127.0.0.1:1/none")(*arguments)
    assert (shown.code, shown.out) == (1, "")
    assert "PostgreSQL" in shown.err
    assert "geheim" not in shown.err
