"""`pipulate doctor`: finds what is wrong, and says how to mend it."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Outcome, Shell
from tests.support.server import Server


def checks(shown: Outcome) -> dict[str, dict[str, Any]]:
    """The checks of a doctor by name."""
    return {each["name"]: each for each in shown.json}


def without_root() -> tuple[str, ...]:
    """What runs a program without the right to ignore permissions, which root has."""
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root ignores permissions, and there is no setpriv to give that up")
    return (setpriv, "--bounding-set=-all", "--inh-caps=-all", "--")


def test_doctor_finds_nothing_to_mend_in_an_empty_folder(tmp_path: Path) -> None:
    shown = Shell(tmp_path)("doctor", "--json", "--port", "0")
    states = {name: each["state"] for name, each in checks(shown).items()}
    assert shown.code == 0
    assert "fail" not in states.values()
    assert set(states) == {
        "Python", "Pipulate", "Libraries", "SQLite", "Front-end files", "Data folder", "Plugin folder", "Room",
        "Database", "Port",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_doctor_prints_a_line_a_check(tmp_path: Path) -> None:
    out = Shell(tmp_path)("doctor", "--port", "0").out
    assert f"ok    Data folder      {tmp_path}/data (made at the first start)\n" in out


@pytest.mark.parametrize(("version", "state"), [((3, 51, 2), "warn"), ((3, 51, 3), "ok"), ((3, 52, 0), "ok")])
def test_doctor_warns_of_a_sqlite_below_the_floor(
    version: tuple[int, int, int], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipulate.storage.sqlite.LIBRARY", version)
    shown = Shell(tmp_path)("doctor", "--json", "--port", "0")
    assert (shown.code, checks(shown)["SQLite"]["state"]) == (0, state)
    assert checks(shown)["SQLite"]["found"].startswith(".".join(map(str, version)))


def test_doctor_fails_when_what_is_stored_cannot_be_written(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("db", "migrate")
    database = tmp_path / "data" / "pipulate.sqlite3"
    database.chmod(0o400)
    shown = shell.process("doctor", "--json", under=without_root())
    assert shown.code == 1
    assert checks(shown)["Stored files"]["found"] == f"{database} cannot be read and written"


@pytest.mark.parametrize("mode", [0o500, 0o300, 0o000])
def test_doctor_fails_when_a_folder_cannot_be_used(mode: int, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=mode)
    shown = Shell(tmp_path).process("doctor", "--json", under=without_root())
    assert shown.code == 1
    assert checks(shown)["Data folder"]["state"] == "fail"
    assert "choose another: --data" in checks(shown)["Data folder"]["mend"]
    assert checks(shown)["Plugin folder"]["state"] == "ok"


@pytest.mark.parametrize(("option", "name"), [("--data", "Data folder"), ("--plugins", "Plugin folder")])
def test_doctor_fails_when_a_folder_is_a_file(option: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shown = Shell(tmp_path)("doctor", option, "file", "--port", "0")
    assert shown.code == 1
    assert f"fail  {name:<16} {tmp_path}/file is a file, no folder" in shown.out
    assert "Something has to be mended" in shown.err


def test_doctor_fails_on_a_damaged_database_and_changes_nothing(tmp_path: Path) -> None:
    database = tmp_path / "data" / "pipulate.sqlite3"
    database.parent.mkdir()
    database.write_bytes(b"SQLite format 3\0" + b"?" * 5_000)
    shown = Shell(tmp_path)("doctor", "--json")
    assert shown.code == 1
    assert checks(shown)["Database"]["mend"] == "Restore a backup: pipulate db restore FILE"
    assert [path.name for path in database.parent.iterdir()] == [database.name]


def test_doctor_fails_on_data_of_a_newer_version(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("db", "migrate")
    with sqlite3.connect(tmp_path / "data" / "pipulate.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    shown = shell("doctor", "--json")
    assert shown.code == 1
    assert "newer version" in checks(shown)["Database"]["found"]


def test_doctor_fails_when_others_can_read_the_secret(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        server.stop()
    secret = tmp_path / "data" / "capability.json"
    secret.chmod(0o644)
    shown = Shell(tmp_path)("doctor", "--json")
    assert shown.code == 1
    assert checks(shown)["Secret"]["mend"] == f"chmod 600 {secret}"


def test_doctor_fails_when_postgresql_does_not_answer(tmp_path: Path) -> None:
    shown = Shell(tmp_path, DATABASE_URL="postgresql://me:geheim@127.0.0.1:1/none")("doctor", "--json")
    assert shown.code == 1
    assert checks(shown)["PostgreSQL"]["mend"] == "Check DATABASE_URL, and that the server runs."
    assert "geheim" not in shown.out + shown.err


def test_doctor_warns_when_another_program_has_the_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        shown = Shell(tmp_path)("doctor", "--json", "--port", str(port))
    assert (shown.code, checks(shown)["Port"]["state"]) == (0, "warn")
    assert str(port) in checks(shown)["Port"]["found"]


def test_doctor_says_that_the_server_runs(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        found = checks(Shell(tmp_path)("doctor", "--json", "--port", str(server.port)))
    assert "running" in found["Server"]["found"]
    assert "Port" not in found
