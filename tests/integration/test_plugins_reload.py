"""Saved files take effect at once; a broken one leaves the old version in use; nobody is dropped."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest

from pipulate.plugins.host import PluginHost, purge_helpers
from pipulate.plugins.loading import Import
from tests.support.flows import until
from tests.support.plugins import Folder, Gate, app, cleaned, folder_of_plugins
from tests.support.site import Browser, running


@pytest.fixture
def plugins(tmp_path: Path) -> Iterator[Folder]:
    """A folder of plugins."""
    with folder_of_plugins(tmp_path) as made:
        yield made


def test_changed_file_takes_effect(plugins: Folder) -> None:
    plugins.write("one.py", app("one", "Old"))
    plugins.host.load_now()
    plugins.save("one.py", app("one", "New"))
    assert plugins.title("one.py") == "New"
    assert plugins.changes[-1] == {"one"}


def test_new_file_is_an_app_and_a_removed_one_is_none_any_more(plugins: Folder) -> None:
    plugins.host.load_now()
    path = plugins.write("one.py", app("one"))
    plugins.host.refresh([path])
    assert list(plugins.host.table.by_app) == ["one"]
    path.unlink()
    plugins.host.refresh([path])
    assert (plugins.host.table.plugins, plugins.host.table.by_app) == ((), {})
    assert plugins.changes[-1] == {"one"}


def test_renamed_file_has_its_new_address(plugins: Folder) -> None:
    path = plugins.write("one.py", app("one"))
    plugins.host.load_now()
    new = path.rename(plugins.user / "two.py")
    plugins.host.refresh([path, new])
    assert (list(plugins.host.table.by_module), list(plugins.host.table.by_app)) == (["two"], ["one"])


def test_other_files_are_left_alone(plugins: Folder) -> None:
    plugins.write("one.py", app("one"))
    plugins.write("two.py", app("two"))
    plugins.host.load_now()
    untouched = plugins["two.py"].workflow
    plugins.save("one.py", app("one", "New"))
    assert plugins["two.py"].workflow is untouched


@pytest.mark.parametrize(
    "broken", ["if", "1 / 0", "raise SystemExit", app("One"), "", app("one").replace("x: str", "x")]
)
def test_broken_file_keeps_the_old_version_and_says_what_is_wrong(plugins: Folder, broken: str) -> None:
    plugins.write("one.py", app("one", "Old"))
    plugins.host.load_now()
    plugins.save("one.py", broken)
    assert (plugins["one.py"].state, plugins.title("one.py"), plugins["one.py"].is_old) == ("failed", "Old", True)
    assert plugins["one.py"].findings
    assert plugins.host.table.by_app["one"].workflow is not None
    plugins.save("one.py", app("one", "Mended"))
    assert (plugins.title("one.py"), plugins["one.py"].findings, plugins["one.py"].is_old) == ("Mended", (), False)


@pytest.mark.parametrize("broken", ["if", "1 / 0", "raise SystemExit"])
def test_module_of_a_file_that_breaks_stays_the_one_that_worked(plugins: Folder, broken: str) -> None:
    plugins.write("one.py", app("one"))
    plugins.host.load_now()
    worked = sys.modules["plugins.one"]
    plugins.save("one.py", broken)
    assert sys.modules["plugins.one"] is worked
    plugins.save("new.py", broken)
    assert "plugins.new" not in sys.modules


def test_older_version_that_fails_later_takes_nothing_from_the_newer_one(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("one.py", "import gate\ngate.wait()\n1 / 0")
        plugins.host.load_now()
        slow = plugins.host._imports[plugins.user / "one.py"]
        plugins.save("one.py", app("one", "Quick and new"))
        newer = sys.modules["plugins.one"]
        plugins.gate.go.set()
        slow._thread.join(20)
        assert (plugins.title("one.py"), sys.modules.get("plugins.one")) == ("Quick and new", newer)


def test_file_broken_twice_still_keeps_the_version_that_worked(plugins: Folder) -> None:
    plugins.write("one.py", app("one", "Old"))
    plugins.host.load_now()
    plugins.save("one.py", "1 / 0")
    plugins.save("one.py", "if")
    assert (plugins.title("one.py"), plugins.codes("one.py")) == ("Old", ["P001"])


def test_file_that_hangs_when_it_is_saved_keeps_the_old_version_in_use(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("one.py", app("one", "Old"))
        plugins.host.load_now()
        plugins.save("one.py", "import gate\ngate.wait()\n" + app("one", "Late"))
        _until(lambda: plugins["one.py"].state == "hanging")
        assert (plugins.title("one.py"), plugins["one.py"].is_old) == ("Old", True)
        task = plugins.host._imports[plugins.user / "one.py"]
        plugins.gate.go.set()
        task._thread.join(20)
        assert (plugins["one.py"].state, plugins.title("one.py"), plugins["one.py"].is_old) == ("loaded", "Late", False)


def test_newer_version_wins_over_an_older_one_that_ends_later(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        plugins.write("one.py", "import gate\ngate.wait()\n" + app("one", "Slow and old"))
        plugins.host.load_now()
        slow = plugins.host._imports[plugins.user / "one.py"]
        plugins.save("one.py", app("one", "Quick and new"))
        plugins.gate.go.set()
        slow._thread.join(20)
        assert plugins.title("one.py") == "Quick and new"


def test_file_removed_while_it_is_imported_does_not_come_back(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        path = plugins.write("one.py", "import gate\ngate.wait()\n" + app("one"))
        plugins.host.load_now()
        task = plugins.host._imports[path]
        path.unlink()
        plugins.host.refresh([path])
        plugins.gate.go.set()
        task._thread.join(20)
        assert plugins.host.table.plugins == ()
        path.write_text(app("one"))
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        assert plugins["one.py"].state == "loaded"  # Nothing died of it.


def test_file_is_not_said_to_hang_before_its_time(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=1.2) as plugins:
        waits = "import gate\ngate.wait()\n"
        plugins.write("010_first.py", waits + app("first"))
        plugins.write("020_second.py", waits + app("second"))
        states = list[tuple[str, str]]()

        def note(_: frozenset[str]) -> None:
            states.append((plugins["010_first.py"].state, plugins["020_second.py"].state))

        plugins.host._changed = note
        plugins.host.start()  # The second begins a second after the first, and so may take a second longer.
        _until(lambda: ("hanging", "hanging") in states)
        assert ("hanging", "loading") in states


def test_file_removed_while_it_is_imported_is_not_taken_for_what_ended_the_process(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=0.1) as plugins:
        source = "import gate\ngate.wait()\n" + app("one")
        path = plugins.write("one.py", source)
        plugins.host.load_now()
        path.unlink()
        plugins.host.refresh([path])
        plugins.gate.go.set()
        plugins.host = plugins.another_host()
        plugins.host.load_now()
        plugins.save("one.py", source)
        assert plugins.codes("one.py") == []


def test_time_a_file_may_take_is_counted_from_the_beginning_of_its_import(tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path, limit_s=60) as plugins:
        plugins.save("slow.py", "import gate\ngate.wait()\n" + app("slow"))  # A second goes by in here.
        timers = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
        (timer,) = (each for each in timers if each.function == plugins.host._mark_hanging)
        timer.cancel()
        assert (plugins["slow.py"].state, timer.interval) == ("loading", 59)


def _until(condition: Any) -> None:
    asyncio.run(until(condition))


def test_file_saved_twice_in_a_moment_runs_its_newest_text(plugins: Folder) -> None:
    plugins.write("one.py", app("one", "A0"))
    plugins.host.load_now()
    for number in range(1, 10):  # The same length, and as good as the same time.
        plugins.save("one.py", app("one", f"A{number}"))
        assert plugins.title("one.py") == f"A{number}"


# Helper modules


USES = "from {helper} import TITLE\n" + app("one").replace("'One'", "TITLE")


@pytest.mark.parametrize(
    ("file", "helper"),
    [("xx_help_b.py", "xx_help_b"), ("help_c/__init__.py", "help_c"), ("help_d/inner.py", "help_d.inner"),
     ("xx_help_e.py", "plugins.xx_help_e"), ("help_f/inner.py", "plugins.help_f.inner")],
)  # fmt: skip
def test_changed_helper_module_takes_effect(plugins: Folder, file: str, helper: str) -> None:
    plugins.write(file, "TITLE = 'A0'")
    plugins.write("one.py", USES.format(helper=helper))
    plugins.host.load_now()
    for number in range(1, 6):
        plugins.save(file, f"TITLE = 'A{number}'")
        assert plugins.title("one.py") == f"A{number}"


def test_program_itself_is_not_read_anew_even_where_it_lies_in_the_folder(
    plugins: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = ModuleType("pipulate.extra")
    ours.__file__ = str(plugins.user / "pipulate" / "extra.py")
    monkeypatch.setitem(sys.modules, ours.__name__, ours)
    purge_helpers(plugins.user, [])
    assert sys.modules[ours.__name__] is ours


def test_module_taken_from_a_folder_without_init_is_read_anew(plugins: Folder) -> None:
    plugins.write("help_g/inner.py", "TITLE = 'Old'")
    plugins.write("one.py", USES.format(helper="help_g").replace("TITLE\n", "inner\nTITLE = inner.TITLE\n", 1))
    plugins.host.load_now()
    plugins.save("help_g/inner.py", "TITLE = 'New'")
    assert plugins.title("one.py") == "New"


def test_helper_module_that_comes_later_mends_the_plugin(plugins: Folder) -> None:
    plugins.write("one.py", USES.format(helper="xx_help_h"))
    plugins.host.load_now()
    assert plugins.codes("one.py") == ["P001"]
    plugins.save("xx_help_h.py", "TITLE = 'There'")
    assert plugins.title("one.py") == "There"


def test_libraries_below_the_folder_are_not_imported_twice(plugins: Folder) -> None:
    place = plugins.user / ".venv" / "lib" / "some_library.py"
    place.parent.mkdir(parents=True)
    place.write_text("x = 1")
    spec = importlib.util.spec_from_file_location("some_library", place)
    assert spec is not None
    sys.modules["some_library"] = library = importlib.util.module_from_spec(spec)
    plugins.write("one.py", app("one"))
    plugins.host.load_now()
    plugins.save("one.py", app("one", "New"))
    assert sys.modules.get("some_library") is library


def test_file_that_is_no_python_changes_nothing(plugins: Folder) -> None:
    plugins.write("one.py", app("one"))
    plugins.host.load_now()
    table = plugins.host.table
    plugins.save("notes.txt", "x")
    assert plugins.host.table is table


def test_trying_again_loads_the_file_again(plugins: Folder) -> None:
    plugins.write("one.py", "import later_there\n" + app("one"))
    plugins.host.load_now()
    assert "pip install later_there" in plugins["one.py"].findings[0].message
    sys.modules["later_there"] = ModuleType("later_there")
    try:
        assert plugins.host.retry("one.py")
    finally:
        del sys.modules["later_there"]
    assert plugins["one.py"].state == "loaded"
    assert not plugins.host.retry("nothing.py")


# The running application


@asynccontextmanager
async def site(folder: Path, **settings: Any) -> AsyncIterator[tuple[Browser, Path, Gate]]:
    """Run the application with a folder of plugins that it watches."""
    with cleaned(folder) as gate:
        async with running(folder, reload=True, **settings) as application:
            await is_watched(folder / "plugins", application.site.plugins)
            yield Browser(application), folder / "plugins", gate


async def is_watched(folder: Path, host: PluginHost) -> None:
    """Return when changes are seen: the watch begins a moment after the application does."""
    saves = itertools.count()

    def is_seen() -> bool:
        (folder / "probe.py").write_text(app("probe", f"{next(saves)}"))
        return "probe" in host.table.by_module

    await until(is_seen)
    (folder / "probe.py").unlink()
    await until(lambda: "probe" not in host.table.by_module)


async def comes(browser: Browser, path: str, text: str = "", status: int = 200) -> set[int]:
    """Open a page until it has this status and text; return the statuses on the way."""
    end, statuses = asyncio.get_running_loop().time() + 20, set[int]()
    while True:
        answer = await browser.get(path)
        statuses.add(answer.status)
        if answer.status == status and text in answer.text:
            return statuses
        assert asyncio.get_running_loop().time() < end, f"{path} did not become {status} {text!r}"


@pytest.mark.anyio
async def test_saved_file_answers_anew_without_a_dropped_request(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shown.py").write_text(app("shown", "Version 0"))
    async with site(tmp_path) as (browser, folder, _):
        for number in range(1, 6):
            (folder / "shown.py").write_text(app("shown", f"Version {number}"))
            assert await comes(browser, "/shown", f"Version {number}") == {200}


@pytest.mark.anyio
async def test_new_file_has_a_page_and_a_removed_one_has_none(tmp_path: Path) -> None:
    async with site(tmp_path) as (browser, folder, _):
        assert (await browser.get("/fresh")).status == 404
        (folder / "fresh.py").write_text(app("fresh", "Fresh"))
        await comes(browser, "/fresh", "Fresh")
        (folder / "fresh.py").unlink()
        await comes(browser, "/fresh", status=404)


@pytest.mark.anyio
async def test_address_of_a_run_leads_to_it_though_its_app_was_removed(tmp_path: Path) -> None:
    async with site(tmp_path) as (browser, folder, _):
        (folder / "fresh.py").write_text(app("fresh", "Fresh"))
        await comes(browser, "/fresh", "Fresh")
        address = (await browser.post("/fresh", {"key": "north", "offered": ""})).headers["location"]
        (folder / "fresh.py").unlink()
        await comes(browser, "/fresh", status=404)
        answer = await browser.get(address)
        assert answer.status == 303
        assert "is not installed" in (await browser.get(answer.headers["location"])).text
        assert (await browser.get("/fresh/south")).status == 404
        assert (await browser.get("/hello/north")).status == 404


@pytest.mark.anyio
async def test_page_of_a_broken_file_says_what_is_wrong_and_the_first_page_names_it(tmp_path: Path) -> None:
    async with site(tmp_path) as (browser, folder, _):
        (folder / "shown.py").write_text("import no_such_module_at_all\n")
        await comes(browser, "/shown", "No module named &#x27;no_such_module_at_all&#x27;", status=503)
        assert "There is a mistake in shown.py." in (await browser.get("/")).text
        (folder / "shown.py").write_text(app("shown", "Shown"))
        await comes(browser, "/shown", "Shown")
        assert "There is a mistake" not in (await browser.get("/")).text


@pytest.mark.anyio
async def test_request_under_way_ends_on_the_version_it_began_with(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    old = app("slow", "Old").replace("return", "import gate; gate.wait(); return")
    (tmp_path / "plugins" / "slow.py").write_text(old)
    async with site(tmp_path) as (browser, folder, gate):
        run, address = await browser.start("slow")
        answer = asyncio.create_task(browser.submit(run, "ask", 1, x="!"))
        assert await asyncio.to_thread(gate.begun.wait, 20)
        (folder / "slow.py").write_text(app("slow", "New"))
        await comes(browser, "/slow", "New")
        gate.go.set()
        assert (await answer).status == 200
        assert "Old!" in (await browser.get(address)).text
        run, address = await browser.start("slow")
        await browser.submit(run, "ask", 1, x="!")
        assert "New!" in (await browser.get(address)).text


@pytest.mark.anyio
async def test_file_that_breaks_while_it_is_used_keeps_answering(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "shown.py").write_text(app("shown", "Works"))
    async with site(tmp_path) as (browser, folder, _):
        run, _ = await browser.start("shown")
        (folder / "shown.py").write_text("if")
        await comes(browser, "/-/plugins", "the version before is still in use")
        assert (await browser.submit(run, "ask", 1, x="!")).status == 200
        assert (await browser.get("/shown")).status == 200


@pytest.mark.anyio
async def test_hanging_file_does_not_keep_the_server_from_answering(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "010_hangs.py").write_text("import gate\ngate.wait()\n" + app("hangs", "Hangs"))
    async with site(tmp_path, import_limit_s=0.2) as (browser, _, gate):
        assert (await browser.get("/hello")).status == 200
        await comes(browser, "/-/plugins", "line 2 is running")
        assert (await browser.get("/hangs")).status == 503
        gate.go.set()
        await comes(browser, "/hangs")


@pytest.mark.anyio
async def test_what_is_sent_right_after_the_start_waits_for_the_apps(tmp_path: Path) -> None:
    async with running(tmp_path) as application:
        run, _ = await Browser(application).start("hello")
        ready = application.site.plugins._ready
        ready.clear()
        sending = asyncio.create_task(Browser(application).submit(run, "name", 1, name="Ada"))
        done, _ = await asyncio.wait({sending}, timeout=0.2)
        assert done == set()
        ready.set()
        assert (await sending).status == 200


@pytest.mark.anyio
async def test_command_for_an_app_that_is_being_imported_waits_for_it(tmp_path: Path) -> None:
    async with running(tmp_path, reload=True) as application:
        with cleaned(tmp_path) as gate:
            await is_watched(tmp_path / "plugins", application.site.plugins)
            (tmp_path / "plugins" / "slow.py").write_text("import gate\ngate.wait()\n" + app("slow"))
            await until(gate.begun.is_set)
            browser = Browser(application)
            secret: dict[str, str | None] = {"authorization": f"Bearer {application.capability.secret}"}
            secret |= dict.fromkeys(("cookie", "origin", "sec-fetch-site"))
            sent = {"app": "slow", "cron": "0 7 * * 1", "zone": "Europe/Berlin", "answers": '{"ask": {"x": ["1"]}}'}
            sending = asyncio.create_task(browser.post("/-/control/schedule", sent, headers=secret))
            done, _ = await asyncio.wait({sending}, timeout=0.3)
            assert done == set()
            gate.go.set()
            assert (await sending).status == 200


def test_import_is_known_to_be_under_way_before_the_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = PluginHost(tmp_path / "plugins", tmp_path, tmp_path, limit_s=5, changed=lambda _: None)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "quick.py").write_text(app("quick"))
    begin, seen = Import.start, list[bool]()

    def start(task: Import) -> None:
        host._ready.set()
        seen.append(host.wait_loaded(0))
        begin(task)

    monkeypatch.setattr(Import, "start", start)
    assert "quick" in host.load_now().by_module
    assert seen == [False]


@pytest.mark.anyio
async def test_run_of_an_app_that_is_not_there_says_so_and_keeps_what_was_typed(tmp_path: Path) -> None:
    async with running(tmp_path) as application:
        browser = Browser(application)
        run, _ = await browser.start("hello")
        application.site.engine.catalog = {}
        answer = await browser.submit(run, "name", 1, name="Ada")
        assert answer.status == 409
        assert "it may still be loading" in unquote(answer.headers["x-pipulate-notice"])
