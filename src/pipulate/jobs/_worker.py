"""Calls functions for the server, one after the other, in a process that may be killed at any time.

Run as a script whose standard input is a socket. Both ways go pickles with their length in front. It imports nothing
of the package: functions that need it bring it along.

An answer is a tuple: ("returned", pickle of the result), ("unsendable", why the result cannot be pickled),
("raised", pickle of the error or b"", its text, its traceback), or ("stale",) where code that was loaded has changed
since: then nothing was called, and another process has to be asked.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import reduce
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

Stamp = tuple[int, int]  # When a file was changed last, in ns, and its size.

LENGTH = 8  # bytes in front of every message
_CHANGED: Stamp = (-1, 0)
_CLOCK_NS = 20_000_000  # A file's time may be that much behind the clock.
_NOT_LOADED = (
    "{} could not be loaded in a process of its own. Put the function into a file of its own beside it, which imports"
    " only what the function needs."
)


class Request(TypedDict):
    """What the server asks for.

    Attributes:
        path: Where modules are found, as in `sys.path`.
        packages: Packages that no import finds: name -> folders of their modules.
        module, file: Module of the function, and the file it was read from ("" where there is none).
        name: Name of the function in its module, with dots.
        arguments: Pickle of a tuple.
    """

    path: list[str]
    packages: dict[str, list[str]]
    module: str
    file: str
    name: str
    arguments: bytes


def main() -> None:
    """Answer until the server lets go."""
    server = socket.socket(fileno=os.dup(0))
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl C is the server's, which ends this.
    code = 1
    try:
        _serve(server)
        code = 0
    except ConnectionError:  # The server has died, and so will this.
        code = 0
    except SystemExit as end:  # A function asks for the end of the process, and this is the process.
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - whatever ends a program
        traceback.print_exc()
    finally:  # At once, whatever threads the functions have left behind.
        _flush()
        os._exit(code)


def _serve(server: socket.socket) -> None:
    stamps: dict[str, Stamp] = {}
    while request := _receive(server):
        answer = _answer(pickle.loads(request), stamps)  # noqa: S301 - from the server
        _flush()
        _send(server, pickle.dumps(answer))


def _receive(server: socket.socket) -> bytes:
    size, message = _exactly(server, LENGTH), b""
    if size:
        message = _exactly(server, int.from_bytes(size))
    return message


def _exactly(server: socket.socket, size: int) -> bytes:
    """Return so many bytes; none where the server has let go."""
    pieces: list[bytes] = []
    while size > 0 and (piece := server.recv(min(size, 1 << 20))):
        pieces.append(piece)
        size -= len(piece)
    return b"" if size else b"".join(pieces)


def _send(server: socket.socket, message: bytes) -> None:
    server.sendall(len(message).to_bytes(LENGTH))
    server.sendall(message)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def _answer(request: Request, stamps: dict[str, Stamp]) -> tuple[Any, ...]:
    if any(_stamp(path) != stamp for path, stamp in stamps.items()):
        return ("stale",)
    began_ns = time.time_ns()
    try:
        function = _function(request)
        result = function(*pickle.loads(request["arguments"]))  # noqa: S301 - from the server
    except Exception as error:  # noqa: BLE001 - plugin border: goes to whoever waits
        return ("raised", _pickled(error), f"{type(error).__name__}: {error}", _traceback(error))
    finally:
        _take_stamps(request, began_ns, stamps)
    try:
        return ("returned", pickle.dumps(result))
    except Exception as error:  # noqa: BLE001 - plugin border: what values do when they are pickled
        return ("unsendable", f"{type(error).__name__}: {error}")


def _function(request: Request) -> Callable[..., Any]:
    sys.path[:] = request["path"]
    for name, folders in request["packages"].items():
        package = sys.modules.setdefault(name, ModuleType(name))
        package.__path__ = folders
    try:
        module = _module(request)
    except Exception as error:
        error.add_note(_NOT_LOADED.format(request["file"] or request["module"]))
        raise
    found: Callable[..., Any] = reduce(getattr, request["name"].split("."), module)
    return found


def _module(request: Request) -> Any:
    name, parent = request["module"], request["module"].rpartition(".")[0]
    if name in sys.modules:
        return sys.modules[name]
    if parent in request["packages"]:
        return _load(name, request["file"])
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}.") or not request["file"]:
            raise  # It is there, and does not find what it imports itself.
    return _load(name, request["file"])


def _load(name: str, file: str) -> ModuleType:
    """Load a file under a name, from its source: what is kept compiled may be of the version before."""
    spec = spec_from_file_location(name, file)
    if spec is None:
        raise ImportError(f"{file} is no Python file", name=name, path=file)
    module = sys.modules[name] = module_from_spec(spec)
    try:
        exec(compile(Path(file).read_bytes(), file, "exec"), module.__dict__)  # noqa: S102 - as the server did
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _take_stamps(request: Request, began_ns: int, stamps: dict[str, Stamp]) -> None:
    """Note what the author's files are like, which may be changed while this process lives on."""
    folders = {each for some in request["packages"].values() for each in some}
    if request["file"]:
        folders.add(str(Path(request["file"]).parent))
    beginnings = tuple(f"{folder}{os.sep}" for folder in folders)
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file not in stamps and file.startswith(beginnings):
            stamp = _stamp(file)
            # One that was saved after the call began is perhaps not what was loaded: it counts as changed.
            stamps[file] = stamp if stamp[0] < began_ns - _CLOCK_NS else _CHANGED


def _stamp(file: str) -> Stamp:
    try:
        status = Path(file).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def _pickled(error: Exception) -> bytes:
    """Return the pickle of an error that can be made again from it; else nothing."""
    try:
        made = pickle.dumps(error)
        pickle.loads(made)  # noqa: S301 - made a line above
    except Exception:  # noqa: BLE001 - plugin border: an error's own constructor
        return b""
    return made


def _traceback(error: Exception) -> str:
    trace = error.__traceback__
    return "".join(traceback.format_exception(type(error), error, trace.tb_next if trace else None))


if __name__ == "__main__":
    main()
