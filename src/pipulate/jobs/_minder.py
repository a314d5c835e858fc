"""Stands between the server and a program it started, so that the program ends when the server does.

Run as `python -I -S _minder.py <socket> <program> <argument>...`. The other end of the socket is the server's, and
the kernel closes it however the server dies; this needs neither a signal nor anything that Linux alone has. The minder
starts with every program, so it imports next to nothing, and is a process of 10 MB that sleeps.

To the server it writes lines: `p<pid>` of the program, which leads a process group of its own; `x<code>` where it has
ended; `e<errno>` where it could not be started. From the server it takes `t`: ask the group to end. At the end of
either of the two what is left of the group is killed.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys

NICE = 5  # What people wait for, pages above all, comes first.


def main(server: int, command: list[str]) -> None:
    """Start a program and see it to its end."""
    os.set_inheritable(server, False)
    os.nice(NICE)
    program = os.fork()
    if program == 0:
        _become(command, server)
    with contextlib.suppress(OSError):  # It has done so itself, and gone on already.
        os.setpgid(program, program)
    _thread.start_new_thread(_obey, (server, program))
    code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    _signal(program, signal.SIGKILL)
    _tell(server, f"x{code}")
    os._exit(0)


def _become(command: list[str], server: int) -> None:
    try:
        os.setpgid(0, 0)
        _tell(server, f"p{os.getpid()}")  # Before there is a program, so none is ever without somebody who knows it.
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # By Python, and by whatever it becomes unless told so.
            signal.signal(ignored, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell, on purpose
    except OSError as error:
        _tell(server, f"e{error.errno}")
    finally:
        os._exit(127)


def _obey(server: int, program: int) -> None:
    with contextlib.suppress(OSError):  # The server has died without having read everything: an end like another.
        while os.read(server, 1):
            _signal(program, signal.SIGTERM)
    _signal(program, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(OSError):  # Nobody is left in it.
        os.killpg(group, number)


def _tell(server: int, line: str) -> None:
    with contextlib.suppress(OSError):  # The server has died; that is heard elsewhere.
        os.write(server, f"{line}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
