"""Processes for functions that need a processor for long, so that neither event loop nor other people wait for them.

Each is a Python of its own (`_worker.py`) that has nothing of the server but its environment: no thread, no lock, no
socket. It is started when first needed, used again as long as it is well, and killed with everything it started when
the call it is at is stopped or when the server dies.
"""

from __future__ import annotations

import inspect
import pickle
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from pipulate.errors import JobError, ProcessDiedError
from pipulate.jobs._worker import LENGTH
from pipulate.jobs.group import Group
from pipulate.jobs.stopping import LOOK_S, Stop, never, on_a_thread, stop_if

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipulate.jobs._worker import Request

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_WORKER = Path(__file__).with_name("_worker.py")
_END_S = 1.0  # Seconds between the end of a process and the news of it; a millisecond or so.
_PLAIN = "plain values: numbers, texts, lists, dictionaries, dataclasses of a module"


class RemoteTracebackError(Exception):
    """Where in the other process an error was raised, as text; the cause of the error here."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f'\n"""\n{text}"""')


class Processes:
    """Calls functions in processes of their own, a few at once; usable from any thread and any event loop.

    A function has to be one of a module or plugin file, and takes and returns what can be pickled. It is read from
    its file as that is when the call begins.
    """

    def __init__(self, slots: int, folder: Path | None = None) -> None:
        """Prepare; nothing is started before the first call.

        Args:
            slots: How many calls run at once; >= 1. More of them wait.
            folder: Plugins; their helper modules are found by their plain names.
        """
        self._slots, self._folder = slots, folder
        self._places = threading.Semaphore(slots)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def call_now(self, function: Callable[[*Ts], T], *args: *Ts, stop: Stop = never) -> T:
        """Call a function and wait for what it returns.

        Raises:
            TypeError: If the function or what it is given, or what it returns, cannot be sent to another process.
            Stopped: If `stop` said so, or everything is being closed; the process was killed.
            ProcessDiedError: If the process ended before the function did.
            JobError: If it raised something that cannot be sent here.
            Exception: Whatever the function raises, with the traceback of the other process as its cause.
        """
        request = pickle.dumps(_request(function, args, self._folder))

        def is_stopped() -> bool:
            return self._closed.is_set() or stop()

        with self._place(is_stopped):
            answer = self._ask(request, function, is_stopped)
        result: T = _taken(answer, _name(function))
        return result

    async def call(self, function: Callable[[*Ts], T], *args: *Ts, stop: Stop = never) -> T:
        """Do the same from a coroutine; where that is cancelled, the process is killed."""

        def work(is_stopped: Stop) -> T:
            return self.call_now(function, *args, stop=is_stopped)

        return await on_a_thread(work, stop, "process")

    def close(self) -> None:
        """Kill all processes and wait for them; calls under way are stopped, and so are those that come later."""
        if self._closed.is_set():
            return
        self._closed.set()
        for _ in range(self._slots):
            self._places.acquire()
        for worker in self._idle:
            worker.end()

    @contextmanager
    def _place(self, stop: Stop) -> Iterator[None]:
        while not self._places.acquire(timeout=LOOK_S):
            stop_if(stop)
        try:
            stop_if(stop)
            yield
        finally:
            self._places.release()

    def _ask(self, request: bytes, function: Callable[..., Any], stop: Stop) -> tuple[Any, ...]:
        answer: tuple[Any, ...] = ("stale",)
        while answer == ("stale",):  # One that was just started never is.
            worker = self._worker()
            is_well = False
            try:
                answer = pickle.loads(worker.ask(request, stop))  # noqa: S301 - from a process of ours
                is_well = answer != ("stale",)
            except _GoneError as gone:
                raise ProcessDiedError(_name(function), gone.code) from None
            finally:
                if is_well:
                    with self._lock:
                        self._idle.append(worker)
                else:
                    worker.end()
        return answer

    def _worker(self) -> _Worker:
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                return _Worker()
            if worker.is_well():
                return worker
            worker.end()


class _GoneError(Exception):
    """The process has ended; `code` is how."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(code)


class _Worker:
    """A process that answers requests, one at a time."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            # -P: beside this file are modules of ours, which must not be found under their plain names.
            self._group = Group([sys.executable, "-P", str(_WORKER)], stdin=theirs.fileno())
        self._socket.settimeout(LOOK_S)

    def is_well(self) -> bool:
        """Tell whether it still runs, between two requests."""
        return self._group.look() is None and self._next() is None

    def ask(self, request: bytes, stop: Stop) -> bytes:
        """Send a request and return the answer.

        Raises:
            Stopped: If `stop` said so.
            _GoneError: If the process ended before it answered.
        """
        try:
            self._send(len(request).to_bytes(LENGTH) + request, stop)
            return self._receive(int.from_bytes(self._receive(LENGTH, stop)), stop)
        except ConnectionError:
            raise _GoneError(self._code()) from None

    def end(self) -> None:
        """Kill it, with everything it started."""
        self._group.end()
        self._socket.close()

    def _send(self, message: bytes, stop: Stop) -> None:
        rest = memoryview(message)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except TimeoutError:
                self._look(stop)

    def _receive(self, size: int, stop: Stop) -> bytes:
        pieces: list[bytes] = []
        while size > 0:
            try:
                pieces.append(self._piece(size))
                size -= len(pieces[-1])
            except TimeoutError:
                self._look(stop)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        if not (piece := self._socket.recv(min(size, 1 << 20))):
            raise ConnectionResetError
        return piece

    def _look(self, stop: Stop) -> None:
        stop_if(stop)
        # What it started may hold the socket open; and what it has still said in the last moment counts.
        if self._group.look() is not None and not self._next():
            raise ConnectionResetError

    def _next(self) -> bytes | None:
        """Return what comes next: a byte, or none after its end; None where nothing has come yet."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, TimeoutError):
            return None

    def _code(self) -> int:
        """Return how it ended; its socket is closed a moment before that is known."""
        if (code := self._group.look()) is None:
            self._group.wait(_END_S)
            code = self._group.look()
        return -signal.SIGKILL if code is None else code  # It goes on without its socket, so it will be killed.


def _request(function: Callable[..., Any], args: tuple[Any, ...], folder: Path | None) -> Request:
    module = _module(function)
    path = [each or str(Path.cwd()) for each in sys.path]
    if folder is not None and str(folder) not in path:
        path.append(str(folder))
    return {
        "path": path,
        "packages": _packages(module),
        "module": module,
        "file": getattr(sys.modules.get(module), "__file__", None) or "",
        "name": function.__qualname__,
        "arguments": _arguments(args, _name(function)),
    }


def _module(function: Callable[..., Any]) -> str:
    """Return the module that a function can be imported from.

    Raises:
        TypeError: If it is not a plain function of a module.
    """
    name: str | None = getattr(function, "__qualname__", None)
    module: str | None = getattr(function, "__module__", None)
    owner = getattr(function, "__self__", None)
    if name is None or module is None or "<" in name or not (owner is None or inspect.ismodule(owner)):
        raise TypeError(
            f"{_name(function)} cannot be called in a process of its own: it is no function of a module. Write it with"
            " def at the left edge of the file, and hand what it needs to it as arguments."
        )
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{_name(function)} cannot be called in a process of its own: it is async. Write it with def.")
    if module == "__main__":
        raise TypeError(
            f"{_name(function)} cannot be called in a process of its own: it is in the file that was started as the"
            " program. Put it into a module of its own, and import it."
        )
    return module


def _packages(module: str) -> dict[str, list[str]]:
    """Return the packages of a module that were made by hand, as that of the plugins: no import finds them."""
    names = module.split(".")[:-1]
    parents = {".".join(names[: end + 1]): sys.modules.get(".".join(names[: end + 1])) for end in range(len(names))}
    return {
        name: [str(each) for each in getattr(package, "__path__", ())]
        for name, package in parents.items()
        if getattr(package, "__spec__", None) is None
    }


def _arguments(args: tuple[Any, ...], name: str) -> bytes:
    try:
        return pickle.dumps(args)
    except Exception as error:  # plugin border: what values do when they are pickled
        raise TypeError(
            f"What {name} is given cannot be sent to a process of its own ({error}). Give it {_PLAIN}."
        ) from error


def _taken(answer: tuple[Any, ...], name: str) -> Any:
    """Return what a function returned, or raise what it raised."""
    kind, content, *more = answer
    if kind == "unsendable":
        raise TypeError(f"What {name} returns cannot be sent back from its process ({content}). Return {_PLAIN}.")
    if kind == "returned":
        return _loaded(content, f"What {name} returned cannot be taken here")
    text, trace = more
    error = _loaded(content, text) if content else JobError(f"{name} failed: {text}")
    raise error from RemoteTracebackError(trace)


def _loaded(content: bytes, instead: str) -> Any:
    try:
        return pickle.loads(content)  # noqa: S301 - from a process of ours
    except Exception as error:  # plugin border: what values do when they are made again
        raise JobError(f"{instead} ({type(error).__name__}: {error}).") from error


def _name(function: Callable[..., Any]) -> str:
    """Return what people call a function."""
    return str(getattr(function, "__qualname__", None) or repr(function))
