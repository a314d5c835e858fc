"""Outside programs: started without a shell, heard line by line, ended as a whole.

What a program starts belongs to its process group and ends with it: when it is stopped, when it has ended itself, and
when the server dies, kill -9 included, on Linux and macOS alike (`_minder.py` says how).
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from pipulate.errors import ProgramMissingError
from pipulate.jobs.group import Group, NotStartedError
from pipulate.jobs.stopping import LOOK_S, Stop, Stopped, never, on_a_thread, stop_if

Line = Callable[[str], None]
Arguments = Sequence[str | os.PathLike[str]]

LINE_MAX = 2_000  # characters; what is longer is cut
GRACE_S = 2.0  # Seconds between asking a program to end and killing it.
_KEPT = 4 * LINE_MAX  # characters of a line that are looked at; colours count here, but not among the others
_READ_BYTES = 1 << 17  # More than a pipe holds.
_COLOURS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# Also what turns the direction of writing: a line could be read as another than it is.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def run_now(
    args: Arguments,
    *,
    stop: Stop = never,
    line: Line,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | None = None,  # noqa: A002 - as `subprocess` calls it
) -> int:
    """Run a program and wait for its end.

    Args:
        args: The program, found as a shell finds it, and its arguments.
        stop: Tells whether to stop; then the program gets SIGTERM, and after two seconds SIGKILL.
        line: Called with each line of output and errors as it comes: without its end, at most `LINE_MAX` characters,
            with neither colours nor control characters but tabs. What it raises ends the program.
        cwd: Folder to run in; ours where it is None.
        env: All of the environment; ours where it is None.
        input: What the program reads; nothing where it is None.

    Returns:
        The exit code; minus the number of the signal, where one ended it.

    Raises:
        ProgramMissingError: If there is no such program, or it may not be run.
        Stopped: If `stop` said so.
        TypeError: If `args` is one text, or has something in it that is no text or path.
        ValueError: If `args` is empty.
        OSError: If `cwd` is not there.
    """
    command = _command(args)
    stop_if(stop)
    with contextlib.ExitStack() as opened:
        stdin = opened.enter_context(_file(input)) if input is not None else subprocess.DEVNULL
        read, write = os.pipe()
        output = _Output(opened.enter_context(os.fdopen(read, "rb", buffering=0)), line)
        with os.fdopen(write, "wb", buffering=0) as theirs:
            group = Group(command, stdin=stdin, stdout=theirs, stderr=theirs, cwd=cwd, env=env)
        opened.callback(group.end)
        try:
            return _heard(group, output, stop)
        except NotStartedError as error:
            raise ProgramMissingError(command[0], str(error.strerror).lower()) from None


async def run(
    args: Arguments,
    *,
    stop: Stop = never,
    line: Line,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    input: str | bytes | None = None,  # noqa: A002 - as above
) -> int:
    """Do the same from a coroutine; where that is cancelled, the program is stopped. `line` is called on a thread."""

    def work(is_stopped: Stop) -> int:
        return run_now(args, stop=is_stopped, line=line, cwd=cwd, env=env, input=input)

    return await on_a_thread(work, stop, "program")


def _heard(group: Group, output: _Output, stop: Stop) -> int:
    """Hand on what a program says until it has ended, and return its exit code."""
    try:
        while (code := group.look()) is None:
            stop_if(stop)
            group.wait(LOOK_S, output.file)
            output.take()
    except Stopped:  # Perhaps by whoever takes the lines.
        _stop(group, output)
        raise
    output.take()  # A pipe holds no more than one reading takes.
    output.finish()
    return code


def _stop(group: Group, output: _Output) -> None:
    """Ask a program to end, and give it time to; what it says meanwhile is handed on, which it may be waiting for."""
    group.terminate()
    end = time.monotonic() + GRACE_S
    while group.look() is None and time.monotonic() < end:
        group.wait(LOOK_S, output.file)
        with contextlib.suppress(Stopped):
            output.take()
    with contextlib.suppress(Stopped):  # Its last words may have come with its end.
        output.take()
    with contextlib.suppress(Stopped):
        output.finish()


class _Output:
    """What a program says, cut into lines that can be shown and stored."""

    def __init__(self, file: IO[bytes], line: Line) -> None:
        os.set_blocking(file.fileno(), False)
        self.file = file.fileno()  # Open as long as the minder runs, also where the program closes it.
        self._file, self._line, self._rest = file, line, ""
        # A carriage return ends a line too: so draw programs the next state of a progress bar over the last one.
        self._decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)

    def take(self) -> None:
        """Hand on the lines that are there."""
        if piece := self._file.read(_READ_BYTES):
            self._hand_on(self._decoder.decode(piece))

    def finish(self) -> None:
        """Hand on what no line end follows."""
        self._hand_on(self._decoder.decode(b"", final=True))
        if self._rest:
            self._line(_cleaned(self._rest))

    def _hand_on(self, text: str) -> None:
        *lines, rest = text.split("\n")
        if lines:
            lines[0], self._rest = self._rest + lines[0], ""
        self._rest = (self._rest + rest)[:_KEPT]  # A line that never ends must not fill the memory.
        for each in lines:
            self._line(_cleaned(each))


def _cleaned(line: str) -> str:
    """Return a line that shows as what it is: no colours, no control characters, not too long."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _COLOURS.sub("", line[:_KEPT]))
    return text if len(text) <= LINE_MAX else text[: LINE_MAX - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _command(args: Arguments) -> list[str]:
    if isinstance(args, str | bytes | os.PathLike):
        raise TypeError("Give the program and its arguments one by one, as in ['git', 'log', '-1'].")
    command = [os.fspath(each) for each in args]
    if not command:
        raise ValueError("Which program? There is nothing to run.")
    return command


@contextlib.contextmanager
def _file(content: str | bytes) -> Iterator[IO[bytes]]:
    """Make a file of what a program reads: it may read as slowly as it likes, or not at all."""
    with tempfile.TemporaryFile() as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.seek(0)
        yield file
