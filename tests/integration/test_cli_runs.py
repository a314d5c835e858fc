"""`pipulate runs`: list, show, export, import, delete; with and without a server on the data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Shell, fill
from tests.support.server import Server


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs, and one of them in a file."""
    folder = fill(tmp_path_factory.mktemp("filled"))
    assert Shell(folder)("runs", "export", "greeting", "01", "run.zip").code == 0
    return folder


@pytest.fixture
def shell(filled: Path, tmp_path: Path) -> Shell:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def served(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    with Server(folder) as server:
        yield server


def keys(shell: Shell, *arguments: str) -> list[str]:
    return [run["key"] for run in shell("runs", "list", "--json", *arguments).json]


def test_list_shows_the_newest_change_first_with_its_state(shell: Shell) -> None:
    lines = shell("runs", "list").out.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["APP", "KEY", "VERSION", "STATE"],
        ["greeting", "Büro/2", "1", "at"],
        ["greeting", "01", "4", "finished"],
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--find", "BÜRO"), ["Büro/2"]),
        (("--find", "%"), []),
        (("--app", "greeting"), ["Büro/2", "01"]),
        (("--app", "text_check"), []),
        (("--limit", "1"), ["Büro/2"]),
        (("--deleted",), []),
    ],
    ids=" ".join,
)
def test_list_shows_only_what_was_asked_for(arguments: tuple[str, ...], expected: list[str], shell: Shell) -> None:
    assert keys(shell, *arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--find", "nothing"), "No run matches."),
        (("--deleted",), "The bin is empty."),
        (("--limit", "1"), "These are the newest 1; --limit shows more."),
    ],
)
def test_list_says_why_it_is_short(arguments: tuple[str, ...], sentence: str, shell: Shell) -> None:
    assert shell("runs", "list", *arguments).out.splitlines()[-1] == sentence


def test_list_of_an_empty_store_says_so(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell("db", "migrate")
    assert shell("runs", "list").out == "There are no runs yet.\n"


def test_list_keeps_its_columns_straight_whatever_the_script(shell: Shell) -> None:
    shell("runs", "import", "run.zip", "--key", "日本語")
    lines = shell("runs", "list").out.splitlines()
    assert lines[0].index("VERSION") == lines[2].index("1  ")
    assert lines[1].index("5  ") + len("日本語") == lines[0].index("VERSION")


def test_show_prints_values_and_history(shell: Shell) -> None:
    out = shell("runs", "show", "greeting", "01").out
    head, values, history = out.split("\n\n")
    assert head == "greeting / 01  version 4  finished"
    assert [line.split(maxsplit=1) for line in values.splitlines()[1:]] == [
        ["name", "Ada"], ["language", "Deutsch"], ["greeting", "Hallo, Ada!"],
    ]  # fmt: skip
    assert [line.split()[4] for line in history.splitlines()[1:]] == ["started", "submitted", "submitted", "computed"]


def test_show_for_scripts_has_every_event_with_its_data(shell: Shell) -> None:
    shown = shell("runs", "show", "greeting", "01", "--json").json
    assert shown["run"]["key"] == "01"
    assert [event["version"] for event in shown["events"]] == [1, 2, 3, 4]
    assert shown["values"]["greeting"]["data"]["output"] == "Hallo, Ada!"


@pytest.mark.parametrize("command", [("show",), ("export", "file.zip"), ("delete",)], ids=lambda value: value[0])
def test_an_unknown_run_is_named_with_its_app(command: tuple[str, ...], shell: Shell) -> None:
    name, *rest = command
    shown = shell("runs", name, "greeting", "99", *rest)
    assert (shown.code, shown.out) == (1, "")
    assert shown.err == "pipulate: The app 'greeting' has no run '99'. What there is says: pipulate runs list\n"


def test_export_and_import_carry_a_run_to_another_folder(shell: Shell) -> None:
    shown = shell("runs", "import", "run.zip", "--data", "other")
    assert shown.out == "greeting / 01, version 5\n"
    there = shell("runs", "show", "greeting", "01", "--json", "--data", "other").json
    here = shell("runs", "show", "greeting", "01", "--json").json
    assert there["values"] == here["values"]
    assert [event["kind"] for event in there["events"]] == [*(event["kind"] for event in here["events"]), "imported"]


def test_export_overwrites_nothing(shell: Shell) -> None:
    before = (shell.folder / "run.zip").read_bytes()
    shown = shell("runs", "export", "greeting", "Büro/2", "run.zip")
    assert shown.code == 1
    assert "run.zip exists already" in shown.err
    assert (shell.folder / "run.zip").read_bytes() == before


def test_import_refuses_a_key_in_use_and_takes_another(shell: Shell) -> None:
    shown = shell("runs", "import", "run.zip")
    assert shown.code == 1
    assert "A run with the key '01' exists already" in shown.err
    assert shell("runs", "import", "run.zip", "--key", "02", "--json").json["key"] == "02"
    assert set(keys(shell)) == {"01", "02", "Büro/2"}


@pytest.mark.parametrize("key", ["a\nb", "../up", "k" * 121])
def test_import_refuses_a_key_that_breaks_the_rule(key: str, shell: Shell) -> None:
    assert shell("runs", "import", "run.zip", "--key", key).code == 1
    assert set(keys(shell)) == {"01", "Büro/2"}


def test_import_refuses_what_is_no_run(shell: Shell) -> None:
    shell("db", "backup", "backup.zip")
    (shell.folder / "text.zip").write_text("no zip")
    for name in ("backup.zip", "text.zip", "missing.zip", "data"):
        shown = shell("runs", "import", name)
        assert (shown.code, shown.out) == (1, "")
        assert name in shown.err or "run.json" in shown.err
    assert set(keys(shell)) == {"01", "Büro/2"}


def test_delete_puts_a_run_into_the_bin(shell: Shell) -> None:
    assert shell("runs", "delete", "greeting", "01").out == "Put into the bin.\n"
    assert keys(shell) == ["Büro/2"]
    assert keys(shell, "--deleted") == ["01"]


def test_delete_erases_for_good_only_after_a_yes(shell: Shell) -> None:
    declined = shell("runs", "delete", "greeting", "01", "--purge", stdin="n\n")
    assert (declined.code, declined.err) == (1, "pipulate: Nothing was changed.\n")
    assert "01" in keys(shell)
    assert shell("runs", "delete", "greeting", "01", "--purge", stdin="y\n").code == 0
    assert (keys(shell), keys(shell, "--deleted")) == (["Büro/2"], [])


def test_delete_does_not_ask_a_script_that_said_yes(shell: Shell) -> None:
    assert shell("runs", "delete", "greeting", "01", "--purge", "--yes").out == "Erased.\n"
    assert keys(shell) == ["Büro/2"]


def test_purge_reaches_into_the_bin_where_no_other_run_has_the_key(shell: Shell) -> None:
    shell("runs", "delete", "greeting", "01")
    assert shell("runs", "delete", "greeting", "01").code == 1
    assert shell("runs", "delete", "greeting", "01", "--purge", "--yes").out == "Erased.\n"
    assert (keys(shell), keys(shell, "--deleted")) == (["Büro/2"], [])


def test_purge_takes_the_run_that_is_in_use_before_one_in_the_bin(shell: Shell) -> None:
    shell("runs", "delete", "greeting", "01")
    shell("runs", "import", "run.zip", "--key", "01")
    assert shell("runs", "delete", "greeting", "01", "--purge", "--yes").code == 0
    assert (keys(shell), keys(shell, "--deleted")) == (["Büro/2"], ["01"])


def test_purge_through_the_server_reaches_into_the_bin(served: Server) -> None:
    shell = Shell(served.folder)
    shell("runs", "import", "run.zip", "--key", "twice")
    shell("runs", "delete", "greeting", "twice")
    assert shell("runs", "delete", "greeting", "twice", "--purge", "--yes").out == "Erased.\n"
    assert "twice" not in keys(shell, "--deleted")


def test_import_goes_through_the_running_server(served: Server) -> None:
    shell = Shell(served.folder)
    assert shell("runs", "import", "run.zip", "--key", "by/server").out == "greeting / by/server, version 5\n"
    assert served.get("/hello/by/server")[0] == 200


def test_import_through_the_server_gives_its_reason(served: Server) -> None:
    shown = Shell(served.folder)("runs", "import", "run.zip")
    assert shown.code == 1
    assert "A run with the key '01' exists already" in shown.err


def test_delete_goes_through_the_running_server(served: Server) -> None:
    shell = Shell(served.folder)
    shell("runs", "import", "run.zip", "--key", "binned")
    assert shell("runs", "delete", "greeting", "binned").code == 0
    assert served.get("/hello/binned")[0] == 404
    assert "binned" in keys(shell, "--deleted")


def test_delete_through_the_server_erases_for_good(served: Server) -> None:
    shell = Shell(served.folder)
    shell("runs", "import", "run.zip", "--key", "erased")
    assert shell("runs", "delete", "greeting", "erased", "--purge", "--yes").out == "Erased.\n"
    assert "erased" not in keys(shell, "--deleted")


def test_delete_through_the_server_names_an_unknown_run(served: Server) -> None:
    shown = Shell(served.folder)("runs", "delete", "greeting", "99")
    assert shown.code == 1
    assert "'99'" in shown.err
