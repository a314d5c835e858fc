"""Outside programs: what they say, how they end, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
import tracemalloc
from pathlib import Path

import pytest

from pipulate.errors import ProgramMissingError
from pipulate.jobs import programs
from pipulate.jobs.group import Group
from pipulate.jobs.programs import LINE_MAX, run, run_now
from pipulate.jobs.stopping import Stopped
from tests.support import heavy
from tests.support.flows import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc"),
]

CUT = "\N{HORIZONTAL ELLIPSIS}"
STRANGE = "\N{REPLACEMENT CHARACTER}"


def lines_of(script: str, **options: str) -> list[str]:
    """Return what a shell script says."""
    lines: list[str] = []
    assert run_now(["sh", "-c", script], line=lines.append, **options) == 0  # type: ignore[arg-type]
    return lines


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


# What they say


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        ("echo one; echo two >&2; echo three", ["one", "two", "three"]),
        ("printf 'no end'", ["no end"]),
        ("printf 'a\\n\\nb\\n'", ["a", "", "b"]),
        ("printf '10%%\\r20%%\\r\\nend\\n'", ["10%", "20%", "end"]),
        ("printf '\\377\\303\\251\\n'", [f"{STRANGE}é"]),
        ("printf '\\033[31mred\\033[0m \\033]0;title\\007!\\n'", ["red !"]),
        ("printf 'bell\\007 nul\\000 tab\\t|\\n'", [f"bell{STRANGE} nul{STRANGE} tab\t|"]),
        (f"printf '%0{LINE_MAX}d\\n' 1", ["0" * (LINE_MAX - 1) + "1"]),
        ("printf '%09999d\\nx' 1", ["0" * (LINE_MAX - 1) + CUT, "x"]),
        ("exec >/dev/null 2>&1; true", []),
    ],
)  # fmt: skip
def test_lines_come_as_text_that_can_be_shown(script: str, lines: list[str]) -> None:
    assert lines_of(script) == lines


async def test_lines_come_while_the_program_runs(tmp_path: Path) -> None:
    lines: list[str] = []
    os.mkfifo(tmp_path / "pipe")
    ends = asyncio.ensure_future(run(sh("echo first; cat pipe"), line=lines.append, cwd=tmp_path))
    await until(lambda: lines == ["first"])
    await heavy.tell(tmp_path / "pipe", "second")
    assert await ends == 0
    assert lines == ["first", "second"]


def test_last_line_of_a_program_that_has_ended_meanwhile_comes_too(tmp_path: Path) -> None:
    lines: list[str] = []
    before = set(heavy.children())
    os.mkfifo(tmp_path / "pipe")

    def take(line: str) -> None:
        lines.append(line)
        if len(lines) == 1:
            (tmp_path / "pipe").write_text("go on\n")
            (minder,) = set(heavy.children()) - before
            while not heavy.is_gone(minder):
                pass

    assert run_now(sh("echo $$; read go < pipe; echo last"), line=take, cwd=tmp_path) == 0
    assert lines[1:] == ["last"]


def test_line_without_an_end_does_not_fill_the_memory() -> None:
    tracemalloc.start()
    (line,) = lines_of("head -c 5000000 /dev/zero | tr '\\0' 'x'")
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
    assert line == "x" * (LINE_MAX - 1) + CUT


def test_program_reads_what_it_is_given_and_nothing_else() -> None:
    assert lines_of("cat") == []
    assert lines_of("cat", input="é\n") == ["é"]
    assert lines_of("true", input="x" * 1_000_000) == []


def test_program_runs_in_its_folder_with_its_environment(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "tool").write_text("#!/bin/sh\npwd; echo $A $B $0 $1\n")
    (tmp_path / "tool").chmod(0o755)
    env = {"A": "a", "PATH": str(tmp_path)}
    assert run_now(["tool", "$A; ;"], line=lines.append, cwd=tmp_path, env={**env, "B": "b"}) == 0
    assert lines == [str(tmp_path), f"a b {tmp_path}/tool $A; ;"]


# How they end


def test_exit_code_comes_back() -> None:
    assert run_now(sh("exit 3"), line=print) == 3
    assert run_now(sh("kill -TERM $$"), line=print) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("name", "says"),
    [("no-such-program", "no such file"), ("./notes.txt", "permission denied"), ("./no/tool", "no such file")],
)
def test_program_that_cannot_be_started_is_named(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ProgramMissingError, match=f"^The program '{name}' cannot be started: {says}"):
        run_now([name], line=print, cwd=tmp_path)


def test_call_that_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="one by one"):
        run_now("ls -l", line=print)
    with pytest.raises(TypeError):
        run_now(["head", 3], line=print)  # type: ignore[list-item]
    with pytest.raises(ValueError, match="nothing to run"):
        run_now([], line=print)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        run_now(["ls"], line=print, cwd=tmp_path / "nowhere")


async def test_what_a_program_leaves_running_ends_with_it() -> None:
    lines: list[str] = []
    assert await run(sh("sleep 1000 & echo $!"), line=lines.append) == 0
    await until(lambda: heavy.is_gone(int(lines[0])))


@pytest.mark.parametrize("error", [LookupError("of the line"), OSError("of the line")])
async def test_error_of_whoever_takes_the_lines_ends_the_program(error: Exception) -> None:
    lines: list[str] = []

    def take(line: str) -> None:
        lines.append(line)
        raise error

    with pytest.raises(type(error), match="of the line"):
        await run(sh("echo $$; sleep 1000"), line=take)
    await until(lambda: heavy.is_gone(int(lines[0])))


# Stopping


def test_program_is_not_started_where_stop_is_set_already(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run_now(["touch", "begun"], line=print, stop=lambda: True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_program_is_stopped_however_early(tmp_path: Path) -> None:
    before, looks = heavy.children(), iter([False, True])
    with pytest.raises(Stopped):
        run_now(sh("echo $$ > begun; exec sleep 1000"), line=print, stop=lambda: next(looks), cwd=tmp_path)
    assert heavy.children() == before


async def test_stop_asks_the_whole_group_to_end_and_hears_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "GRACE_S", 20.0)  # However busy the machine is.
    lines: list[str] = []
    script = "trap 'echo tidied; exit 0' TERM; sleep 1000 & echo $$ $!; wait"
    with pytest.raises(Stopped):
        await run(sh(script), line=lines.append, stop=lambda: bool(lines))
    assert lines[1:] == ["tidied"]
    await until(lambda: all(heavy.is_gone(int(each)) for each in lines[0].split()))


async def test_last_words_are_heard_however_late_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program has ended before anybody looks at it again."""
    lines: list[str] = []
    terminate = Group.terminate

    def asked_and_gone(group: Group) -> None:
        terminate(group)
        while group.look() is None:
            group.wait(1.0)

    monkeypatch.setattr(Group, "terminate", asked_and_gone)
    script = "trap 'echo tidied; printf away; exit 0' TERM; echo there; sleep 1000 & wait"
    with pytest.raises(Stopped):
        await run(sh(script), line=lines.append, stop=lambda: bool(lines))
    assert lines == ["there", "tidied", "away"]


async def test_program_that_does_not_end_when_asked_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "GRACE_S", 0.2)
    lines: list[str] = []
    with pytest.raises(Stopped):
        await run(sh("trap '' TERM; sleep 1000 & echo $$ $!; wait"), line=lines.append, stop=lambda: bool(lines))
    await until(lambda: all(heavy.is_gone(int(each)) for each in lines[0].split()))


async def test_whoever_takes_the_lines_can_stop_too(tmp_path: Path) -> None:
    lines: list[str] = []

    def take(line: str) -> None:
        lines.append(line)
        raise Stopped

    script = "trap 'echo tidied; sleep 0.2; touch well; exit' TERM; sleep 1000 & echo $!; wait"
    with pytest.raises(Stopped):
        await run(sh(script), line=take, cwd=tmp_path)
    await until(lambda: heavy.is_gone(int(lines[0])))
    assert lines[1] == "tidied"
    assert (tmp_path / "well").exists()


async def test_program_of_a_cancelled_caller_ends() -> None:
    lines: list[str] = []
    ends = asyncio.ensure_future(run(sh("sleep 1000 & echo $$ $!; wait"), line=lines.append))
    await until(lambda: lines)
    ends.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ends
    await until(lambda: all(heavy.is_gone(int(each)) for each in lines[0].split()))


async def test_program_ends_when_its_minder_is_killed(tmp_path: Path) -> None:
    lines: list[str] = []
    before = heavy.children()
    ends = asyncio.ensure_future(run(["sh", "-c", "sleep 1000 & echo $$ $!; wait"], line=lines.append))
    await until(lambda: lines)
    (minder,) = set(heavy.children()) - set(before)
    os.kill(minder, signal.SIGKILL)
    assert await ends == -signal.SIGKILL
    await until(lambda: all(heavy.is_gone(int(each)) for each in lines[0].split()))


def test_fifty_programs_leave_nothing_behind() -> None:
    run_now(["true"], line=print)
    before = heavy.children()
    files, threads = heavy.files(), threading.active_count()
    for number in range(50):
        assert run_now(sh(f"exit {number}"), line=print) == number
    assert heavy.children() == before
    assert heavy.files() <= files
    assert threading.active_count() <= threads  # One that another test began may end meanwhile.


async def test_programs_of_coroutines_leave_nothing_behind(tmp_path: Path) -> None:
    before, files, threads = heavy.children(), heavy.files(), threading.active_count()
    codes = await asyncio.gather(*(run(sh(f"exit {number}"), line=print) for number in range(8)))
    with pytest.raises(ProgramMissingError):
        await run(["no-such-program"], line=print)
    assert codes == list(range(8))
    await until(lambda: heavy.children() == before and heavy.files() <= files and threading.active_count() <= threads)


def test_program_has_no_file_of_the_server_and_no_terminal(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w"):
        lines = lines_of("ls -l /proc/self/fd")
    assert [each for each in lines if "socket:" in each or "lock" in each] == []
    tty = functools.partial(lines_of, "(: </dev/tty) 2>/dev/null && echo terminal; true")
    assert tty() == []
