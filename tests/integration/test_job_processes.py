"""Functions in processes of their own: what comes back, how they are stopped, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from pipulate.errors import JobError, ProcessDiedError
from pipulate.jobs.processes import Processes
from pipulate.jobs.stopping import Stopped
from pipulate.plugins.loading import prepare_folder
from tests.architecture.sources import ROOT
from tests.support import heavy
from tests.support.flows import until
from tests.support.plugins import app, cleaned, folder_of_plugins

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes(2)
    yield made
    made.close()


def fifo(folder: Path, name: str) -> Path:
    path = folder / name
    os.mkfifo(path)
    return path


# What comes back


def test_result_comes_back_and_the_process_is_used_again(processes: Processes) -> None:
    assert processes.call_now(heavy.double, 4) == 8
    first = processes.call_now(heavy.pid)
    assert first not in (os.getpid(), None)
    assert processes.call_now(heavy.pid) == first


def test_functions_of_libraries_and_large_values_can_be_used(processes: Processes) -> None:
    size = 5_000_000
    assert processes.call_now(len, bytes(size)) == size
    assert len(processes.call_now(heavy.big, size)) == size


def test_error_comes_back_as_it_is_with_the_traceback_of_the_process(processes: Processes) -> None:
    with pytest.raises(LookupError, match="not there") as caught:
        processes.call_now(heavy.fail, "not there")
    assert 'heavy.py", line' in str(caught.value.__cause__)
    assert "in fail" in str(caught.value.__cause__)


def test_error_that_cannot_be_sent_is_told_in_words(processes: Processes) -> None:
    with pytest.raises(JobError, match=r"'?fail_awkwardly'? failed: Awkward: one and two") as caught:
        processes.call_now(heavy.fail_awkwardly)
    assert "in fail_awkwardly" in str(caught.value.__cause__)


def test_result_that_cannot_be_sent_says_what_can(processes: Processes) -> None:
    with pytest.raises(TypeError, match=r"return_a_lock returns cannot be sent back .*Return plain values"):
        processes.call_now(heavy.return_a_lock)
    assert processes.call_now(heavy.double, 1) == 2


# What is refused


def nested() -> Callable[[], int]:
    def inner() -> int:
        return 1

    return inner


class Thing:
    """Has a method."""

    def method(self) -> int:
        return 1


@pytest.mark.parametrize(
    "function", [lambda: 1, nested(), Thing().method, functools.partial(heavy.double, 1), heavy.later]
)
def test_what_is_no_function_of_a_module_is_refused_at_once(processes: Processes, function: Any) -> None:
    before = heavy.children()
    with pytest.raises(TypeError, match=r"cannot be called in a process of its own: .* Write it with def"):
        processes.call_now(function)
    assert heavy.children() == before


def test_function_of_the_program_itself_is_refused(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heavy.double, "__module__", "__main__")
    with pytest.raises(TypeError, match="Put it into a module of its own"):
        processes.call_now(heavy.double, 1)


def test_argument_that_cannot_be_sent_is_refused_at_once(processes: Processes) -> None:
    before = heavy.children()
    with pytest.raises(TypeError, match=r"What double is given cannot be sent .*Give it plain values"):
        processes.call_now(heavy.double, threading.Lock())  # type: ignore[arg-type]
    assert heavy.children() == before


# Processes that die


@pytest.mark.parametrize(
    ("function", "args", "says"),
    [
        (os._exit, (3,), "it left with exit code 3"),
        (os._exit, (0,), "it left with exit code 0"),
        (heavy.leave, (4,), "it left with exit code 4"),
        (heavy.interrupt, (), "it left with exit code 1"),
        (heavy.crash, (), "it crashed (SIGSEGV)"),
        (os.kill, (0, signal.SIGKILL), "it was killed (SIGKILL)"),
    ],
)
def test_process_that_dies_is_an_error_and_the_next_call_works(
    processes: Processes, function: Callable[..., Any], args: tuple[Any, ...], says: str
) -> None:
    with pytest.raises(ProcessDiedError) as caught:
        processes.call_now(function, *args)
    assert says in str(caught.value)
    assert processes.call_now(heavy.double, 2) == 4


async def test_process_that_died_between_two_calls_is_not_noticed(processes: Processes) -> None:
    first = processes.call_now(heavy.pid)
    os.kill(first, signal.SIGKILL)
    await until(lambda: heavy.is_gone(first))
    assert processes.call_now(heavy.pid) != first


# Stopping


async def test_stop_kills_the_process_and_what_it_started_and_other_calls_go_on(
    processes: Processes, tmp_path: Path
) -> None:
    pipe, note, stop = fifo(tmp_path, "pipe"), tmp_path / "note", threading.Event()
    other = asyncio.ensure_future(processes.call(heavy.listen, str(pipe)))
    hanging = asyncio.ensure_future(processes.call(heavy.hang, str(note), stop=stop.is_set))
    await until(lambda: heavy.noted(note))
    stop.set()
    with pytest.raises(Stopped):
        await hanging
    await until(lambda: all(map(heavy.is_gone, heavy.noted(note))))
    await heavy.tell(pipe, "and this goes on")
    assert await other == "and this goes on"


async def test_cancelled_caller_kills_its_process(processes: Processes, tmp_path: Path) -> None:
    note = tmp_path / "note"
    hanging = asyncio.ensure_future(processes.call(heavy.hang, str(note)))
    await until(lambda: heavy.noted(note))
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging
    await until(lambda: all(map(heavy.is_gone, heavy.noted(note))))
    assert await processes.call(heavy.double, 2) == 4


async def test_function_that_holds_the_lock_of_its_interpreter_is_stopped_too(
    processes: Processes, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    with pytest.raises(Stopped):
        await processes.call(heavy.hog, str(note), stop=lambda: heavy.noted(note) != [])
    await until(lambda: all(map(heavy.is_gone, heavy.noted(note))))


async def test_call_that_waits_for_its_turn_can_be_stopped(tmp_path: Path) -> None:
    processes, pipe = Processes(1), fifo(tmp_path, "pipe")
    first = asyncio.ensure_future(processes.call(heavy.listen, str(pipe)))
    await until(lambda: processes._places._value == 0)
    with pytest.raises(Stopped):
        await processes.call(heavy.double, 1, stop=lambda: True)
    await heavy.tell(pipe, "done")
    assert await first == "done"
    processes.close()


async def test_closing_stops_what_runs_and_leaves_nothing(tmp_path: Path) -> None:
    before, opened, processes, note = heavy.children(), heavy.files(), Processes(2), tmp_path / "note"
    assert processes.call_now(heavy.double, 1) == 2
    hanging = asyncio.ensure_future(processes.call(heavy.hang, str(note)))
    await until(lambda: heavy.noted(note))
    await asyncio.to_thread(processes.close)
    with pytest.raises(Stopped):
        await hanging
    await until(lambda: all(map(heavy.is_gone, heavy.noted(note))))
    assert (heavy.children(), heavy.files()) == (before, opened)
    with pytest.raises(Stopped):
        processes.call_now(heavy.double, 1)
    processes.close()


# Others are not held up


async def test_loop_goes_on_while_a_call_runs(processes: Processes, tmp_path: Path) -> None:
    pipe = fifo(tmp_path, "pipe")
    call = asyncio.ensure_future(processes.call(heavy.listen, str(pipe)))
    ticks = 0
    while ticks < 100:  # The call ends only after them.
        await asyncio.sleep(0)
        ticks += 1
    await heavy.tell(pipe, "after the ticks")
    assert await call == "after the ticks"


def test_calls_come_from_any_thread_and_any_loop(processes: Processes) -> None:
    def on_a_loop(number: int) -> int:
        return asyncio.run(processes.call(heavy.double, number))

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(on_a_loop, range(6))) == [0, 2, 4, 6, 8, 10]


def test_process_has_nothing_of_the_server_and_less_of_the_processor(processes: Processes, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as held:
        os.set_inheritable(held.fileno(), False)
        state = processes.call_now(heavy.state)
    assert not [each for each in state["files"] if "lock" in each]
    assert len([each for each in state["files"] if each.startswith("socket:")]) == 1
    assert state["nice"] == min(os.nice(0) + 5, 19)
    assert state["interrupt"]
    assert state["session"] != os.getsid(0)


def test_importing_it_is_light() -> None:
    script = (
        "import pipulate.jobs.processes, pipulate.jobs.programs, sys;"
        "print([each for each in ('multiprocessing', 'concurrent.futures.process', 'pydantic') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


# The end of the server

SERVER = """
import sys, threading
from pathlib import Path
from pipulate.jobs import programs
from pipulate.jobs.processes import Processes
from tests.support import heavy
processes, folder = Processes(3), Path(sys.argv[1])
processes.call_now(heavy.double, 1)
for call in (
    lambda: processes.call_now(heavy.hang, str(folder / "hang")),
    lambda: processes.call_now(heavy.hog, str(folder / "hog")),
    lambda: programs.run_now(["sh", "-c", "sleep 1000 & echo $$ $! > new; mv new sh; wait"], line=print, cwd=folder),
):
    threading.Thread(target=call).start()
"""


async def test_nothing_stays_when_the_server_is_killed(tmp_path: Path) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path)], cwd=ROOT)  # noqa: ASYNC220 - returns at once
    notes = [tmp_path / name for name in ("hang", "hog", "sh")]
    await until(lambda: all(map(heavy.noted, notes)))
    pids = [pid for note in notes for pid in heavy.noted(note)]
    assert len(pids) == 5
    assert not any(map(heavy.is_gone, pids))
    server.kill()
    server.wait()
    await until(lambda: all(map(heavy.is_gone, pids)))


EARLY = """
import sys
from pipulate.jobs.group import Group
group = Group(["sh", "-c", "echo $$ > new; mv new note; exec sleep 1000"], cwd=sys.argv[1])
sys.stdin.read()
"""


async def test_nothing_stays_when_the_server_is_killed_before_it_heard_of_the_program(tmp_path: Path) -> None:
    command = [sys.executable, "-c", EARLY, str(tmp_path)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: ASYNC220 - returns at once
    await until(lambda: heavy.noted(tmp_path / "note"))
    server.kill()
    server.communicate()
    await until(lambda: all(map(heavy.is_gone, heavy.noted(tmp_path / "note"))))


# Code of plugins

CRUNCH = """
from dataclasses import dataclass
from helper import FACTOR

@dataclass
class Box:
    size: int

def crunch(box: Box) -> Box:
    return Box(box.size * FACTOR)
"""


def test_function_of_a_plugin_works_with_the_helper_module_beside_it(processes: Processes, tmp_path: Path) -> None:
    with folder_of_plugins(tmp_path) as folder:
        folder.write("helper.py", "FACTOR = 3\n")
        folder.write("020_crunch.py", app("crunch") + CRUNCH)
        folder.host.load_now()
        assert folder.codes("020_crunch.py") == []
        module = sys.modules["plugins.020_crunch"]
        assert processes.call_now(module.crunch, module.Box(2)) == module.Box(6)


def test_changed_code_is_used_at_the_next_call(processes: Processes, tmp_path: Path) -> None:
    with cleaned(tmp_path):
        prepare_folder(tmp_path)
        (tmp_path / "helper.py").write_text("FACTOR = 3\n")
        (tmp_path / "one.py").write_text(CRUNCH)
        one = importlib.import_module("plugins.one")
        assert processes.call_now(one.crunch, one.Box(2)) == one.Box(6)
        first = processes.call_now(heavy.pid)
        (tmp_path / "helper.py").write_text("FACTOR = 50\n")
        assert processes.call_now(one.crunch, one.Box(2)) == one.Box(100)
        assert processes.call_now(heavy.pid) != first


def test_plugin_that_does_not_load_in_a_process_says_what_to_do(processes: Processes, tmp_path: Path) -> None:
    with cleaned(tmp_path):
        prepare_folder(tmp_path)
        (tmp_path / "two.py").write_text("import gate\ndef f() -> int:\n    return 1\n")  # Only the server has it.
        two = importlib.import_module("plugins.two")
        with pytest.raises(ModuleNotFoundError, match="gate") as caught:
            processes.call_now(two.f)
        assert "Put the function into a file of its own beside it" in str(caught.value.__cause__)


def test_function_of_a_file_that_no_import_finds_works(
    processes: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loose.py").write_text("def where() -> str:\n    return __name__\n")
    spec = spec_from_file_location("made.up.loose", tmp_path / "loose.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "made.up.loose", module)
    spec.loader.exec_module(module)
    assert processes.call_now(module.where) == "made.up.loose"


def test_folder_makes_helper_modules_importable(tmp_path: Path) -> None:
    (tmp_path / "lonely_helper.py").write_text("def f() -> int:\n    return 7\n")
    with cleaned(tmp_path):
        sys.path.append(str(tmp_path))
        function = importlib.import_module("lonely_helper").f
        sys.path.remove(str(tmp_path))
        processes = Processes(1, tmp_path)
        assert processes.call_now(function) == 7
        processes.close()
