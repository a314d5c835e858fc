"""What an application under test writes into its log: where the reason of a failure is kept."""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_LOCK = threading.Lock()


class LogListener:
    """Hears every event that is logged while it listens, and keeps failures to itself; other events go on.

    The list of processors is changed in place, and not replaced, because loggers in use hold on to it.
    """

    def __init__(self) -> None:
        self._errors: dict[str, BaseException] = {}

    def start(self) -> None:
        """Begin to listen."""
        with _LOCK:
            structlog.get_config()["processors"].insert(0, self._hear)

    def stop(self) -> None:
        """Listen no more."""
        with _LOCK:
            processors = structlog.get_config()["processors"]
            if self._hear in processors:
                processors.remove(self._hear)

    def error_named_in(self, text: str) -> BaseException | None:
        """Return the exception whose id stands in a text that people were shown, or None."""
        return next((error for reference, error in self._errors.items() if reference in text), None)

    def _hear(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        error, reference = event.get("exc_info"), event.get("error_id")
        if isinstance(error, BaseException) and isinstance(reference, str):
            self._errors[reference] = error
            raise structlog.DropEvent  # The test is told; a second traceback would only hide the first.
        return event
