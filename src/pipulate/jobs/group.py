"""A program in a process group of its own, which ends as a whole: when it is told to, and when the server dies."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_MINDER = Path(__file__).with_name("_minder.py")
_END_S = 1.0  # Seconds that the minder may take to kill the group; it takes a millisecond or so.

File = int | IO[bytes] | None


class NotStartedError(OSError):
    """There is no such program, or it may not be run; `errno` says which."""


class Group:
    """A program that runs, and whatever it starts. Used by one thread at a time; `end` has to be called.

    What leaves the group on purpose, as a daemon does, is out of reach.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: File = subprocess.DEVNULL,
        stdout: File = None,
        stderr: File = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start it, without a shell, in a session of its own: no key of a terminal reaches it.

        Raises:
            OSError: If the folder `cwd` is not there, or the machine has no room for another process.
            ValueError: If an argument has a null character in it.
        """
        self._heard, self._is_heard_out = b"", False
        self._line, theirs = socket.socketpair()
        with contextlib.ExitStack() as on_failure:
            on_failure.enter_context(self._line)
            with theirs:
                self._minder = subprocess.Popen(  # noqa: S603 - what a job's author wrote, argument by argument
                    [sys.executable, "-I", "-S", str(_MINDER), str(theirs.fileno()), *command],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=cwd,
                    env=env,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            on_failure.pop_all()

    def look(self) -> int | None:
        """Return the exit code (minus the signal, where one ended it), or None while it runs.

        Raises:
            NotStartedError: If the program could not be started.
        """
        self._hear()
        if (number := self._told("e")) is not None:
            raise NotStartedError(number, os.strerror(number))
        code = self._told("x")
        # Where the minder is gone without a word, somebody has killed it, and nobody minds the program any more.
        return -signal.SIGKILL if code is None and self._is_heard_out else code

    def wait(self, seconds: float, *others: int) -> None:
        """Wait until there is something to `look` at, or something to read from one of the other files."""
        poll = select.poll()
        for file in (self._line.fileno(), *others):
            poll.register(file, select.POLLIN)
        poll.poll(seconds * 1000)

    def terminate(self) -> None:
        """Ask all of the group to end."""
        with contextlib.suppress(OSError):  # It has ended.
            self._line.send(b"t")

    def end(self) -> None:
        """Kill what is left of the group, and wait for it."""
        if self._line.fileno() == -1:
            return
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_WR)
        with self._line:
            self._hear(_END_S)
            if not self._is_heard_out:
                self._minder.kill()
                self._hear(_END_S)
        if self._minder.wait() != 0 and (group := self._told("p")) is not None:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)

    def _hear(self, seconds: float = 0.0) -> None:
        """Take what the minder says; wait for its last word for so long."""
        self._line.settimeout(seconds)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            while not self._is_heard_out:
                try:
                    piece = self._line.recv(1024)
                except ConnectionError:
                    piece = b""
                self._heard += piece
                self._is_heard_out = not piece

    def _told(self, kind: str) -> int | None:
        """Return the number that came with a kind of line, or None where there was no such line yet."""
        lines = self._heard.decode().split("\n")[:-1]
        return next((int(line[1:]) for line in lines if line[0] == kind), None)
