"""Calling the code of an app on behalf of a model: what it fails at is told as such, and stands in the log."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from pipulate._ids import error_id
from pipulate._log import get_logger
from pipulate.errors import ActionFailedError, PipulateError

T = TypeVar("T")
_log = get_logger()


async def guarded(app: str, what: str, called: Awaitable[T]) -> T:
    """Return what the code of an app returns.

    Args:
        app: Stored name of the app.
        what: Stored name of what is called.
        called: The call.

    Raises:
        ActionFailedError: If it raises anything but an error of ours.
    """
    try:
        return await called
    except PipulateError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        reference = error_id()
        _log.error("action.failed", app=app, action=what, error_id=reference, exc_info=error)
        raise ActionFailedError(app, what, type(error).__name__, reference) from error
