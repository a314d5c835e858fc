"""Functions that are called in processes of their own, and how tests look at processes. Imports little: so do they."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

SLEEPER = [sys.executable, "-I", "-S", "-c", "import signal; signal.pause()"]


class Awkward(Exception):  # noqa: N818 - what a stranger may write
    """Cannot be made again from its pickle."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def double(number: int) -> int:
    return 2 * number


def pid() -> int:
    return os.getpid()


def state() -> dict[str, Any]:
    """Return what a process is like."""
    return {
        "nice": os.nice(0),
        "files": sorted(str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()),
        "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "session": os.getsid(0),
    }


def fail(text: str) -> NoReturn:
    raise LookupError(text)


def fail_awkwardly() -> NoReturn:
    raise Awkward("one", "two")


def return_a_lock() -> Any:
    return threading.Lock()


def leave(code: int) -> NoReturn:
    sys.exit(code)


def interrupt() -> NoReturn:
    """Leave as Ctrl C does, beside a thread that goes on."""
    threading.Thread(target=threading.Event().wait).start()
    raise KeyboardInterrupt


def crash() -> None:
    ctypes.string_at(0)


def listen(fifo: str) -> str:
    """Wait until somebody writes to a named pipe."""
    return Path(fifo).read_text()


def hang(note: str) -> NoReturn:
    """Wait for ever, beside a program that does so too; the ids of both are noted."""
    child = subprocess.Popen(SLEEPER)
    _note(note, os.getpid(), child.pid)
    while True:
        signal.pause()


def hog(note: str) -> None:
    """Hold the interpreter's lock for ever: no other thread of the process comes to anything."""
    _note(note, os.getpid())
    re.match(r"(a+)+$", "a" * 60 + "b")


def big(size: int) -> bytes:
    return bytes(size)


async def later() -> None:
    """Be no plain function."""


def _note(path: str, *pids: int) -> None:
    Path(f"{path}.new").write_text(" ".join(map(str, pids)))
    Path(f"{path}.new").rename(path)


def noted(path: Path) -> list[int]:
    """Return the ids that were noted, or none yet."""
    return [int(each) for each in path.read_text().split()] if path.exists() else []


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; init may not have collected it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children() -> list[int]:
    """Return the processes that are ours, those that ended and wait to be collected included."""
    own = str(os.getpid())
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == own:
            found.append(int(each.parent.name))
    return sorted(found)


def files() -> int:
    """Return how many files are open here."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def tell(fifo: Path, text: str) -> None:
    """Write to a named pipe as soon as somebody reads from it."""
    end = asyncio.get_running_loop().time() + 20
    while True:
        try:
            file = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # Nobody reads yet.
            assert asyncio.get_running_loop().time() < end, "nobody reads"
            await asyncio.sleep(0)
        else:
            os.write(file, text.encode())
            os.close(file)
            return
