"""Calls the handlers that plugins wrote, so that whatever one does ends no more than itself."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from typing import Any

from fasthtml.core import HttpHeader

from pipulate._threads import Threads
from pipulate.explicit.routes import Handler

PLAIN_AT_ONCE = 16
"""Most handlers that are plain functions, and run at one time; others wait for one of their threads."""

_LISTS = (tuple, list)


class Calls:
    """Calls handlers: coroutines on the loop it is used on, plain functions on threads."""

    def __init__(self) -> None:
        self._threads = Threads(PLAIN_AT_ONCE, "explicit-plain")

    async def result(self, handler: Handler, arguments: Mapping[str, Any], *positional: Any) -> Any:
        """Return what a handler returns.

        Raises:
            RuntimeError: If it ends with what would end the program, such as `sys.exit()`.
            Exception: Whatever else it raises.
        """
        try:
            if inspect.iscoroutinefunction(handler):
                return await handler(*positional, **arguments)
            made = await self._threads.run(handler, *positional, **arguments)
            return await made if inspect.isawaitable(made) else made
        except Exception:
            raise
        except BaseException as error:  # plugin border: nothing a handler does ends the server
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise  # The server ends.
            raise RuntimeError(f"The handler ended with {error!r}.") from error

    def close(self) -> None:
        """Take on nothing more; a function that never ends is left to itself."""
        self._threads.close(wait=False)


def without_headers(result: Any) -> tuple[Any, list[tuple[str, str]]]:
    """Return what a handler answered without the headers that FastHTML lets it put beside elements, and those."""
    if isinstance(result, HttpHeader):
        return None, [(str(result.k), str(result.v))]
    if not isinstance(result, _LISTS):
        return result, []
    kept: list[Any] = []
    headers: list[tuple[str, str]] = []
    for each in result:
        if isinstance(each, HttpHeader) or (
            isinstance(each, _LISTS) and each and all(isinstance(inner, HttpHeader) for inner in each)
        ):
            headers += without_headers(each)[1]
        else:
            kept.append(each)
    return (tuple(kept) if headers else result), headers
