"""Plugin files are loaded side by side; whatever one of them does concerns that one alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipulate._program import installing
from pipulate.plugins.report import as_json
from tests.support.plugins import Folder, app, folder_of_plugins

GOOD = app("good")


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Folder]:
    """A folder of plugins."""
    with folder_of_plugins(tmp_path) as made:
        yield made


def test_every_file_of_the_folder_is_an_app(plugins: Folder) -> None:
    plugins.write("020_one.py", app("one"))
    plugins.write("three.py", app("three"))
    plugins.write("010_two.py", app("two"))
    for skipped in ("xx_new.py", "__init__.py", "one (copy).py", "notes.txt", "sub/four.py"):
        plugins.write(skipped, app("skipped"))
    table = plugins.host.load_now()
    assert [(each.file.module, each.state) for each in table.plugins] == [
        ("two", "loaded"), ("one", "loaded"), ("three", "loaded"),
    ]  # fmt: skip
    assert sorted(table.by_app) == ["one", "three", "two"]


def test_folder_that_is_empty_or_missing_has_no_apps(plugins: Folder) -> None:
    assert plugins.host.load_now().plugins == ()
    plugins.user.rmdir()
    assert plugins.another_host().load_now().plugins == ()
    plugins.user.write_text("a file")
    assert plugins.another_host().load_now().plugins == ()


def test_helper_modules_are_imported_by_their_name_or_from_the_package(plugins: Folder) -> None:
    plugins.write("xx_helper_a.py", "TITLE = 'From a'")
    plugins.write("sub_helper/__init__.py", "TITLE = 'From sub'")
    plugins.write("one.py", "from xx_helper_a import TITLE\n" + app("one").replace("'One'", "TITLE"))
    plugins.write("two.py", "from plugins.sub_helper import TITLE\n" + app("two").replace("'One'", "TITLE"))
    plugins.host.load_now()
    assert (plugins.title("one.py"), plugins.title("two.py")) == ("From a", "From sub")


def test_module_knows_the_name_of_its_file(plugins: Folder) -> None:
    plugins.write("010_one.py", app("one").replace("'One'", "f'{__name__} {_original_filename}'"))
    plugins.host.load_now()
    assert plugins.title("010_one.py") == "plugins.010_one 010_one"


# Failing imports


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("x = 1\nif x\n", 2, "SyntaxError: expected ':'"),
        ("x = 1\n  y = 2\n", 2, "IndentationError: unexpected indent"),
        ("\n\nraise ValueError('no <good>')", 3, "ValueError: no <good>."),
        ("raise ValueError", 1, "ValueError: no message."),
        ("raise ValueError('two\\nlines')", 1, "ValueError: two."),
        ("import nothing_like_it.sub", 1, f"'nothing_like_it'. Install it with: {installing('nothing_like_it')}"),
        ("from pipulate import Nope", 1, "ImportError: cannot import name 'Nope' from 'pipulate'"),
        ("import sys\nsys.exit(3)", 2, "SystemExit: 3."),
        ("exit()", 1, "SystemExit"),
        ("raise KeyboardInterrupt", 1, "KeyboardInterrupt: no message."),
        ("def f():\n    f()\nf()", 2, "RecursionError: maximum recursion depth exceeded"),
        ("raise GeneratorExit", 1, "GeneratorExit: no message."),
        ("class E(BaseException): pass\nraise E('own')", 2, "E: own."),
        ("x = 1 / 0", 1, "ZeroDivisionError: division by zero."),
        ("assert False, 'never'", 1, "AssertionError: never."),
        ("nope", 1, "NameError: name 'nope' is not defined."),
        (b"x = '\xff'", 1, "SyntaxError: (unicode error) 'utf-8' codec can't decode"),
        (b"x = 1\x00", 0, "source code string cannot contain null bytes"),
        ("from pipulate import Workflow\nWorkflow(None)", 2, "AttributeError"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", 3, "E: no message."),
    ],
)  # fmt: skip
def test_whatever_a_file_raises_disables_it_alone(plugins: Folder, source: str, line: int, message: str) -> None:
    path = plugins.write("bad.py", source)
    plugins.write("good.py", GOOD)
    plugins.host.load_now()
    (finding,) = plugins["bad.py"].findings
    assert (plugins["bad.py"].state, finding.code, finding.file, finding.line) == ("failed", "P001", str(path), line)
    assert message in finding.message
    assert plugins["good.py"].state == "loaded"


def test_error_in_a_helper_module_names_the_line_of_the_plugin(plugins: Folder) -> None:
    plugins.write("xx_broken_helper.py", "\n\n\n1 / 0")
    plugins.write("bad.py", "x = 1\nimport xx_broken_helper")
    plugins.host.load_now()
    assert plugins["bad.py"].findings[0].line == 2


@pytest.mark.parametrize(
    "source",
    [
        "class Odd:\n    __class__ = property(lambda self: 1 / 0)\nodd = Odd()\n" + GOOD,
        GOOD + "\napp.step('b')(print)\napp.step(['c'], title='C')(print)",
        GOOD + "\nclass C:\n    def __call__(self, x: int): ...\n    __signature__ = 5\napp.step('c')(C())",
        GOOD + "\napp.steps = None",
        GOOD + "\napp.name = None",
    ],
)
def test_whatever_a_file_declares_disables_it_alone(plugins: Folder, source: str) -> None:
    plugins.write("bad.py", source)
    plugins.write("good.py", app("other"))
    plugins.host.load_now()
    assert plugins["bad.py"].state == "failed"
    assert plugins["bad.py"].findings
    assert plugins["good.py"].state == "loaded"


def test_file_without_an_app_says_how_one_begins(plugins: Folder) -> None:
    plugins.write("empty.py", "")
    plugins.write("other.py", "from plugins.good import app as borrowed")
    plugins.write("0_good.py", GOOD)
    plugins.write("good.py", app("good_two"))
    plugins.host.load_now()
    assert (plugins.codes("empty.py"), plugins.codes("other.py")) == (["P004"], ["P004"])
    assert "Workflow('name')" in plugins["empty.py"].findings[0].message


def test_file_with_two_apps_names_them(plugins: Folder) -> None:
    plugins.write("both.py", app("one") + app("two").replace("app", "other"))
    plugins.host.load_now()
    assert plugins.codes("both.py") == ["P008"]
    assert "'two'" in plugins["both.py"].findings[0].message


def test_findings_of_the_workflow_are_those_of_the_file(plugins: Folder) -> None:
    path = plugins.write("bad.py", app("Bad").replace("x: str", "x"))
    plugins.host.load_now()
    assert [(each.code, each.file) for each in plugins["bad.py"].findings] == [("W001", str(path)), ("W005", str(path))]


def test_file_that_cannot_be_read_says_so(plugins: Folder) -> None:
    path = plugins.write("gone.py", GOOD)
    plugins.host._load_all()
    path.unlink()
    from pipulate.plugins.loading import load

    (finding,) = load(plugins["gone.py"].file).findings
    assert (finding.code, finding.file) == ("P007", str(path))


# Hanging imports


def test_hanging_file_is_listed_with_its_line_and_the_others_are_there(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        path = plugins.write("010_hangs.py", "import gate\n\ngate.wait()\n" + app("hangs"))
        plugins.write("020_good.py", GOOD)
        plugins.host.load_now()
        (finding,) = plugins["010_hangs.py"].findings
        assert (plugins["010_hangs.py"].state, finding.code, finding.file, finding.line) == (
            "hanging",
            "P002",
            str(path),
            3,
        )
        assert "line 3 is running" in finding.message
        assert plugins.host._imports[path]._thread.daemon  # It must not keep the program from ending.
        assert plugins["020_good.py"].state == "loaded"


def test_line_that_hangs_is_the_innermost_one_of_the_file(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("hangs.py", "import gate\n\ndef wait():\n    gate.wait()\n\nwait()\n")
        plugins.host.load_now()
        assert [each.line for each in plugins["hangs.py"].findings] == [4]


def test_file_that_ends_late_is_taken_into_use(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("late.py", "import gate\ngate.wait()\n" + app("late"))
        plugins.host.load_now()
        task = plugins.host._imports[plugins.user / "late.py"]
        plugins.gate.go.set()
        task._thread.join(20)
        assert (plugins["late.py"].state, plugins["late.py"].findings) == ("loaded", ())
        assert "late" in plugins.host.table.by_app
        assert plugins.changes[-1] == {"late"}


def test_file_that_fails_late_says_why(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("late.py", "import gate\ngate.wait()\n1 / 0")
        plugins.host.load_now()
        task = plugins.host._imports[plugins.user / "late.py"]
        plugins.gate.go.set()
        task._thread.join(20)
        assert (plugins["late.py"].state, plugins.codes("late.py")) == ("failed", ["P001"])


# The process dies


DIES = """
import os
from pathlib import Path
if Path({flag!r}).exists():
    os._exit(7)
""" + app("dies")

START = """
import sys
from pathlib import Path
from pipulate.plugins.host import PluginHost
user, box, memory = map(Path, sys.argv[1:])
PluginHost(user, box, memory, limit_s=20, changed=print).load_now()
"""


def start(plugins: Folder) -> int:
    """Load everything in a process of its own; return its exit code."""
    command = [sys.executable, "-c", START, str(plugins.user), str(plugins.box), str(plugins.memory)]
    return subprocess.run(command, check=False, capture_output=True).returncode


def test_file_whose_import_killed_the_process_is_skipped_until_it_changes_or_is_tried_again(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path) as plugins:
        flag = tmp_path / "flag"
        flag.touch()
        source = DIES.format(flag=str(flag))
        path = plugins.write("010_dies.py", source)
        plugins.write("020_good.py", GOOD)
        assert start(plugins) == 7

        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert (plugins["010_dies.py"].state, plugins.codes("010_dies.py")) == ("skipped", ["P003"])
        assert plugins["010_dies.py"].findings[0].file == str(path)
        assert plugins["020_good.py"].state == "loaded"

        assert start(plugins) == 0  # It is skipped at every start, and not only at the next one.

        flag.unlink()
        assert plugins.host.retry("010_dies.py")
        assert plugins["010_dies.py"].state == "loaded"
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert plugins["010_dies.py"].state == "loaded"


def test_file_that_hung_when_the_process_died_is_skipped_although_others_ended_after_it_began(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("010_hangs.py", "import gate\ngate.wait()\n" + app("hangs"))
        plugins.write("020_good.py", GOOD)
        plugins.host.load_now()
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert [each.state for each in plugins.host.table.plugins] == ["skipped", "loaded"]


def test_changed_file_is_tried_although_it_killed_the_process_before(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path) as plugins:
        plugins.write("dies.py", "import os\nos._exit(7)\n")
        assert start(plugins) == 7
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert plugins.codes("dies.py") == ["P003"]
        plugins.save("dies.py", app("dies"))
        assert plugins["dies.py"].state == "loaded"


def test_import_that_was_under_way_when_the_program_ended_is_tried_again(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("slow.py", "import gate\ngate.wait()\n" + app("slow"))
        plugins.host.load_now()
        plugins.host.close()
        plugins.gate.go.set()
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert plugins["slow.py"].state == "loaded"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', "\x00", '{"x": {"y": []}}'])
def test_damaged_note_of_what_was_imported_does_not_matter(plugins: Folder, content: str) -> None:
    for name in ("importing.json", "skipped.json"):
        (plugins.memory / name).write_text(content)
    plugins.write("good.py", GOOD)
    plugins.host = plugins.another_host()
    plugins.host.load_now()
    assert plugins["good.py"].state == "loaded"


# Clashes


def test_two_files_with_one_address_name_each_other(plugins: Folder) -> None:
    plugins.write("010_same.py", app("one"))
    plugins.write("020_same.py", app("two"))
    table = plugins.host.load_now()
    assert (plugins["010_same.py"].state, plugins["020_same.py"].state) == ("loaded", "failed")
    (finding,) = plugins["020_same.py"].findings
    assert (finding.code, finding.file) == ("P005", str(plugins.user / "020_same.py"))
    assert "010_same.py has the page address /same" in finding.message
    assert plugins["020_same.py"].workflow is None
    assert list(table.by_app) == ["one"]


def test_two_apps_with_one_stored_name_name_each_other(plugins: Folder) -> None:
    plugins.write("010_one.py", app("same"))
    plugins.write("020_two.py", app("same"))
    plugins.host.load_now()
    (finding,) = plugins["020_two.py"].findings
    assert (finding.code, finding.file) == ("P006", str(plugins.user / "020_two.py"))
    assert "010_one.py declares an app named 'same' already" in finding.message
    assert (plugins["020_two.py"].state, plugins["020_two.py"].workflow) == ("failed", None)


def test_plugin_does_not_stand_in_for_a_library(plugins: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    plugins.write("colorsys.py", app("colors"))
    plugins.write("020_uses.py", "import colorsys\ncolorsys.rgb_to_hsv(0, 0, 0)\n" + app("uses"))
    plugins.host.load_now()
    assert [each.state for each in plugins.host.table.plugins] == ["loaded", "loaded"]


def test_clash_ends_when_one_of_the_two_goes(plugins: Folder) -> None:
    first = plugins.write("010_same.py", app("one"))
    plugins.write("020_same.py", app("two"))
    plugins.host.load_now()
    first.unlink()
    plugins.host.refresh([first])
    assert (plugins["020_same.py"].state, plugins.codes("020_same.py")) == ("loaded", [])


def test_file_of_the_user_wins_over_the_box(plugins: Folder) -> None:
    (plugins.box / "001_same.py").write_text(app("ours", "Ours"))
    (plugins.box / "other.py").write_text(app("taken", "Ours"))
    plugins.write("same.py", app("mine", "Mine"))
    plugins.write("elsewhere.py", app("taken", "Mine"))
    table = plugins.host.load_now()
    for name in ("001_same.py", "other.py"):  # That is what its author wanted, so nothing is wrong.
        assert (plugins[name].state, plugins.codes(name), plugins[name].workflow) == ("replaced", [], None)
    assert (table.by_module["same"].workflow, table.by_app["taken"].file.name) == (
        plugins["same.py"].workflow,
        "elsewhere.py",
    )


def test_report_is_plain_values(plugins: Folder) -> None:
    plugins.write("bad.py", "1 / 0")
    (plugins.box / "ours.py").write_text(app("ours", "Ours"))
    bad, ours = as_json(plugins.host.load_now())
    assert (bad["file"], bad["state"], bad["app"], bad["in_box"]) == ("bad.py", "failed", None, False)
    assert (bad["findings"][0]["code"], bad["findings"][0]["line"]) == ("P001", 1)
    assert (ours["app"], ours["title"], ours["state"], ours["in_box"], ours["is_old"]) == (
        "ours", "Ours", "loaded", True, False,
    )  # fmt: skip
