"""`pipulate new plugin` and `pipulate plugins`."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipulate import builtin
from pipulate.cli.templates import STYLES, filled
from tests.support.cli import Shell
from tests.support.explicit import BENCH, DIARY, LATER, SHAPES, Desk, Tab
from tests.support.server import Server
from tests.support.site import Browser, running

IN_BOX = sorted(path.name for path in Path(builtin.__file__).parent.glob("[a-z]*.py"))
APP_OF = {"hello.py": "greeting", "hello_workflow.py": "hello"}  # The others are called as their files are.
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


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "name", ["a", "audit", "class", "str", "result", "input_", "app", "run", "x2_y", "finalize", "server", "n" * 60]
)
def test_new_plugin_is_loaded_without_findings_whatever_its_name(name: str, style: str, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    made = shell("new", "plugin", name, "--style", style)
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


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["audit", "class", "x2__y_", "n" * 60])
async def test_new_class_style_plugin_runs_to_its_lock_and_back(name: str, tmp_path: Path) -> None:
    Shell(tmp_path)("new", "plugin", name, "--style", "explicit")
    async with running(tmp_path) as application:
        tab = Tab(application, name)
        assert 'name="pipeline_id"' in (await tab.browser.get(f"/{name}")).text
        assert (await tab.post("init", pipeline_id=" ")).headers["hx-refresh"] == "true"
        assert "Give the value." in (await tab.post("init", pipeline_id="mine")).text
        assert "Value cannot be empty" in (await tab.post("step_01_submit", value=" ")).text
        assert "Value: {&lt;b&gt;}" in (await tab.post("step_01_submit", value=" {<b>} ")).text
        assert "Finalize 🔒" in (await tab.get("finalize")).text
        assert "🔒 Value: {&lt;b&gt;}" in (await tab.post("finalize")).text
        assert (await tab.post("step_01_submit", value="other")).status == 409
        assert "Finalize 🔒" in (await tab.post("unfinalize")).text
        assert 'value="{&lt;b&gt;}"' in (await tab.post("revert", step_id="step_01")).text
        assert "Every step is done" not in (await tab.post("revert", step_id="finalize")).text
        key = unquote((await tab.post("step_01_submit", value="other")).headers["x-pipulate-key"])
        assert "Value: other" in (await tab.browser.get(f"/{name}/{key}")).text
        assert application.site.explicit is not None
        assert await asyncio.to_thread(application.site.explicit.host().wait_written, 10)
        said = await Desk(application).said(key, name)
    assert said[:2] == [f"Workflow ID: {key}", "Begin with the first step."]
    assert {"The value is {<b>}.", "Every step is done.", "The run is locked.", "The run is unlocked."} <= set(said)


@pytest.mark.anyio
async def test_new_class_style_plugin_locks_no_unfinished_run(tmp_path: Path) -> None:
    Shell(tmp_path)("new", "plugin", "audit", "--style", "explicit")
    async with running(tmp_path) as application:
        tab = Tab(application, "audit")
        await tab.post("init", pipeline_id="mine")
        answer = await tab.post("finalize")
        assert "Give the value." in answer.text
        assert answer.headers["x-pipulate-version"] == "1"


def test_new_plugins_are_numbered_in_the_order_they_were_made(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    for name in ("b", "a"):
        shell("new", "plugin", name)
    (tmp_path / "plugins" / "025_own.py").touch()
    shell("new", "plugin", "c")
    assert sorted(path.name for path in (tmp_path / "plugins").glob("*.py")) == [
        "010_b.py", "020_a.py", "025_own.py", "030_c.py",
    ]  # fmt: skip


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "name",
    [
        "", "Upper", "two words", "1st", "_a", "../up", "a/b", "a\\b", "a.py", "tür", "a-b", "a\n", "{a}", '"a"',
        "$name", "xx_draft", "n" * 61,
    ],
)  # fmt: skip
def test_new_plugin_refuses_a_name_that_cannot_be_an_address(name: str, style: str, tmp_path: Path) -> None:
    shown = Shell(tmp_path)("new", "plugin", "--style", style, "--", name)
    assert shown.code == 2
    assert "is no name for an app" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "name",
    [
        "good", "stored", "by_class", "by_name", "hello", "greeting", "text_check", "clean_csv", "hello_workflow",
        "countdown", "process_file",
    ],
)  # fmt: skip
def test_new_plugin_refuses_a_name_that_another_app_has(name: str, style: str, tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "010_good.py").write_text(GOOD.format(name="stored"))
    (plugins / "020_one.py").write_text("class One:\n    APP_NAME: str = 'by_class'\n")
    (plugins / "030_two.py").write_text('class Two:\n    NAME = "by_name"\n')
    shown = Shell(tmp_path)("new", "plugin", name, "--style", style)
    assert shown.code == 1
    assert "There is an app of this name already" in shown.err
    assert len(list(plugins.iterdir())) == 3


@pytest.mark.parametrize("name", ["sse", "redirect", "select_profile", "download_file"])
def test_new_plugin_refuses_a_name_whose_page_could_not_be_opened(name: str, tmp_path: Path) -> None:
    shown = Shell(tmp_path)("new", "plugin", name)
    assert shown.code == 1
    assert f"/{name} is an address that Pipulate answers itself. Choose another name." in shown.err
    assert list(tmp_path.iterdir()) == []


def test_new_plugin_never_writes_over_a_file(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    made = tmp_path / shell("new", "plugin", "audit", "--style", "explicit").out.splitlines()[0]
    made.write_text("# mine")  # It declares no app now, and keeps its address.
    assert shell("new", "plugin", "audit").code == 1
    assert [path.read_text() for path in made.parent.iterdir()] == ["# mine"]


def test_new_plugin_does_not_mind_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "plugins" / "010_folder.py").mkdir(parents=True)
    (tmp_path / "plugins" / "020_gone.py").symlink_to("nowhere.py")
    assert Shell(tmp_path)("new", "plugin", "audit").out.startswith("plugins/030_audit.py\n")


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
        *([name, APP_OF.get(name, name.removesuffix(".py")), "loaded"] for name in IN_BOX),
    ]
    assert reason == f"{folder}/plugins/020_bad.py:2: P001 ValueError: no\ufffd[2J luck.\n"


def test_plugins_check_ends_with_1_when_one_has_a_problem(folder: Path) -> None:
    shell = Shell(folder)
    assert shell("plugins", "--check").code == 1
    (folder / "plugins" / "020_bad.py").unlink()
    assert shell("plugins", "--check").code == 0


LOADER = ', hx_trigger="load"'
REFRESH = """        if not typed:  # The page loads anew and offers the next free key.
            return Response("", headers={"HX-Refresh": "true"})
"""
LOCKED = """        if "finalized" in finalize_data:
            return Div(
                Card(H3(f"🔒 {step.show}: {value}")),
                Div(id=next_step_id, hx_get=f"/{app_name}/{next_step_id}", hx_trigger="load"),
                id=step_id,
            )

"""
NEXT_PHASE = "        # Phase 3"
MISTAKES = {  # Code -> what is written instead of what, and what its line has in it.
    "E001": (LOADER, "", "Div(id=next_step_id, hx_get="),
    "E002": ("def step_01(self, request)", "def step_01(self)", "def step_01("),
    "E003": ('hx_target=f"#{step_id}"', 'hx_target=f"#{next_step_id}"', 'hx_target=f"#{next_step_id}"'),
    "E004": (REFRESH, "", '"pipeline_id"'),
    "E005": (LOCKED, "", 'if value and state.get("_revert_target") != step_id:'),
}


def with_mistake(code: str) -> str:
    """Return a new class-style plugin in which one mistake was made."""
    source, (old, new, _) = filled("explicit", "audit"), MISTAKES[code]
    assert old in source
    moved = source.replace(NEXT_PHASE, LOCKED + NEXT_PHASE) if code == "E005" else source
    return moved.replace(old, new, 1)


def mended(code: str, source: str, at: int, message: str) -> str:
    """Return a plugin in which was done what a finding says: no more than its own words are put in."""
    lines = source.splitlines()
    line = lines[at - 1]
    if code == "E001":
        (added,) = re.findall(r"Add (\S+) to it", message)
        lines[at - 1] = re.sub(r"\)([,)]*)$", rf", {added})\1", line)
    elif code == "E002":
        (written,) = re.findall(r"Write: (.+)", message)
        lines[at - 1] = f"    {written}"
    elif code == "E003":
        (written,) = re.findall(r"Write (\S+)\.$", message)
        lines[at - 1] = f"{line[: line.index('hx_target')]}{written},"
    elif code == "E004":
        (answer,) = re.findall(r"Return (.+) where it is empty", message)
        lines.insert(at, f"        if not typed:\n            return {answer}")
    else:
        return source.replace(LOCKED, "").replace(line, f"{LOCKED}{line}", 1)
    return "\n".join(lines)


@pytest.mark.parametrize("code", MISTAKES)
def test_plugins_check_names_each_common_mistake_and_what_mends_it(code: str, tmp_path: Path) -> None:
    path = tmp_path / "plugins" / "010_audit.py"
    path.parent.mkdir()
    path.write_text(with_mistake(code))
    shell = Shell(tmp_path)
    found = shell("plugins", "--check", "--json")
    (finding,) = found.json[0]["findings"]
    assert (found.code, finding["code"], finding["file"]) == (1, code, str(path))
    assert MISTAKES[code][2] in path.read_text().splitlines()[finding["line"] - 1]
    told = shell("plugins", "--check").out
    assert f"\n{path}:{finding['line']}: {code} {finding['message']}\n" in told
    assert shell("plugins", "--json").json[0]["findings"] == []
    path.write_text(mended(code, path.read_text(), finding["line"], finding["message"]))
    if code != "E003":  # Which names the step itself, and not the variable that does.
        assert ast.dump(ast.parse(path.read_text())) == ast.dump(ast.parse(filled("explicit", "audit")))
    mended_now = shell("plugins", "--check", "--json")
    assert (mended_now.code, mended_now.json[0]["state"], mended_now.json[0]["findings"]) == (0, "loaded", [])


def test_plugins_check_finds_nothing_in_plugins_without_mistakes(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    for name, source in {"bench": BENCH, "later": LATER, "shapes": SHAPES, "diary": DIARY}.items():
        (tmp_path / "plugins" / f"{name}.py").write_text(source)
    shell = Shell(tmp_path)
    for style in STYLES:
        shell("new", "plugin", f"new_{style}", "--style", style)
    shown = shell("plugins", "--check", "--json")
    assert {line["file"]: (line["state"], line["findings"]) for line in shown.json} == dict.fromkeys(
        (
            "bench.py", "later.py", "shapes.py", "diary.py", "010_new_declarative.py", "020_new_explicit.py",
            *IN_BOX,
        ),
        ("loaded", []),
    )  # fmt: skip
    assert shown.code == 0


def test_plugins_reads_another_folder_when_one_is_named(folder: Path, tmp_path: Path) -> None:
    names = [line["file"] for line in Shell(tmp_path)("plugins", "--plugins", "elsewhere", "--json").json]
    assert names == IN_BOX


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


def test_plugins_does_not_take_a_file_that_hung_while_it_looked_for_one_that_kills(folder: Path) -> None:
    (folder / "plugins" / "020_bad.py").write_text("import threading\n\nthreading.Event().wait()\n")
    (folder / "data" / "state").mkdir(parents=True)
    shell = Shell(folder, PIPULATE_IMPORT_LIMIT_S="0.2")
    for _ in range(2):
        shown = shell.process("plugins", "--json")
        assert (shown.code, shown.json[1]["state"]) == (0, "hanging"), shown.err


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
