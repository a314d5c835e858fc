"""`pipulate new plugin` and `pipulate plugins`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.server import Server
from tests.support.site import Browser, running

GOOD = """
from pipulate import Workflow

app = Workflow("{name}", title="Good one")

@app.step("ask")
def ask(text: str) -> str:
    return text
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plugin folder with a good app and one whose second line fails."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "010_good.py").write_text(GOOD.format(name="good"))
    (plugins / "020_bad.py").write_text("import sys\nraise ValueError('no\\x1b[2J luck')\n")
    return tmp_path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "plugins").mkdir()
    (folder / "plugins" / "010_good.py").write_text(GOOD.format(name="good"))
    with Server(folder, arguments=("--no-reload",)) as server:
        yield server


@pytest.mark.parametrize("name", ["a", "audit", "class", "str", "result", "input_", "app", "run", "x2_y", "n" * 60])
def test_new_plugin_is_loaded_without_findings_whatever_its_name(name: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    made = shell("new", "plugin", name)
    assert (made.code, made.out.splitlines()[0]) == (0, f"plugins/010_{name}.py")
    lines = shell("plugins", "--check", "--json").json
    assert {"state": "loaded", "app": name, "findings": []}.items() <= lines[0].items()


@pytest.mark.anyio
async def test_new_plugin_runs_to_its_result(tmp_path: Path) -> None:
    Shell(tmp_path)("new", "plugin", "echo")
    async with running(tmp_path) as application:
        browser = Browser(application)
        run, address = await browser.start("echo")
        await browser.submit(run, "input", 1, text="twice", times="2")
        assert "twice\ntwice" in (await browser.get(address)).text


def test_new_plugins_are_numbered_in_the_order_they_were_made(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    for name in ("b", "a"):
        shell("new", "plugin", name)
    (tmp_path / "plugins" / "025_own.py").touch()
    shell("new", "plugin", "c")
    assert sorted(path.name for path in (tmp_path / "plugins").glob("*.py")) == [
        "010_b.py", "020_a.py", "025_own.py", "030_c.py",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["", "Upper", "two words", "1st", "../up", "a/b", "tür", "a-b", "xx_draft", "n" * 61])
def test_new_plugin_refuses_a_name_that_cannot_be_an_address(name: str, tmp_path: Path) -> None:
    shown = Shell(tmp_path)("new", "plugin", "--", name)
    assert shown.code == 2
    assert "is no name for an app" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["good", "stored", "hello", "greeting", "text_check"])
def test_new_plugin_refuses_a_name_that_another_app_has(name: str, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "010_good.py").write_text(GOOD.format(name="stored"))
    shown = Shell(tmp_path)("new", "plugin", name)
    assert shown.code == 1
    assert "There is an app of this name already" in shown.err
    assert [path.name for path in plugins.iterdir()] == ["010_good.py"]


def test_new_plugin_says_so_when_the_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "plugins").touch()
    shown = Shell(tmp_path)("new", "plugin", "audit")
    assert shown.code == 1
    assert shown.err == "pipulate: plugins: File exists.\n"


def test_plugins_lists_state_and_reason_with_file_and_line(folder: Path) -> None:
    shown = Shell(folder)("plugins")
    assert shown.code == 0
    table, _, reason = shown.out.partition("\n\n")
    assert [line.split()[:3] for line in table.splitlines()] == [
        ["FILE", "APP", "STATE"],
        ["010_good.py", "good", "loaded"],
        ["020_bad.py", "-", "failed"],
        ["hello.py", "greeting", "loaded"],
        ["hello_workflow.py", "hello", "loaded"],
        ["text_check.py", "text_check", "loaded"],
    ]
    assert reason == f"{folder}/plugins/020_bad.py:2: P001 ValueError: no\ufffd[2J luck.\n"


def test_plugins_check_ends_with_1_when_one_has_a_problem(folder: Path) -> None:
    shell = Shell(folder)
    assert shell("plugins", "--check").code == 1
    (folder / "plugins" / "020_bad.py").unlink()
    assert shell("plugins", "--check").code == 0


def test_plugins_reads_another_folder_when_one_is_named(folder: Path, tmp_path: Path) -> None:
    names = [line["file"] for line in Shell(tmp_path)("plugins", "--plugins", "elsewhere", "--json").json]
    assert names == ["hello.py", "hello_workflow.py", "text_check.py"]


def test_plugins_for_scripts_stays_json_when_a_plugin_prints(folder: Path) -> None:
    (folder / "plugins" / "010_good.py").write_text("print('loading ...')\n" + GOOD.format(name="good"))
    shown = Shell(folder)("plugins", "--json")
    assert shown.json[0]["state"] == "loaded"
    assert "loading ..." in shown.err


def test_plugins_names_the_line_that_hangs_and_ends(folder: Path) -> None:
    (folder / "plugins" / "020_bad.py").write_text("import threading\n\nthreading.Event().wait()\n")
    shown = Shell(folder, PIPULATE_IMPORT_LIMIT_S="0.2").process("plugins", "--json", "--check")
    hanging = shown.json[1]
    assert (shown.code, hanging["state"], hanging["findings"][0]["line"]) == (1, "hanging", 3)


def test_plugins_ends_although_a_plugin_left_a_thread_running(folder: Path) -> None:
    left = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=False).start()\n"
    (folder / "plugins" / "020_bad.py").write_text(left)
    assert Shell(folder).process("plugins", "--check").code == 1


def test_plugins_shows_what_a_running_server_has_loaded(server: Server) -> None:
    file = server.folder / "plugins" / "010_good.py"
    before = file.read_text()
    file.write_text("raise ValueError")
    shell = Shell(server.folder)
    assert shell("plugins", "--json").json[0]["state"] == "loaded"
    assert shell("plugins", "--json", "--plugins", "plugins").json[0]["state"] == "failed"
    file.write_text(before)


def test_plugins_loaded_beside_a_running_server_leave_its_notes_alone(server: Server) -> None:
    notes = server.folder / "data" / "state" / "importing.json"
    assert server.get("/-/plugins")[0] == 200  # It has loaded its own, and takes no notes any more.
    notes.write_text('{"/some/plugin.py": "mark"}')
    assert Shell(server.folder)("plugins", "--plugins", "plugins").code == 0
    assert notes.exists()
    assert not notes.with_name("skipped.json").exists()
    notes.unlink()
