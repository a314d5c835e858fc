"""The log: an event stream on standard output (standard error for commands), one line an event.

Events are constants named `noun.past_verb`; everything that varies is a field. Values are escaped, so a name with a
line break or a terminal code in it stays one harmless line.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger() -> FilteringBoundLogger:
    """Return the logger; bind fields to it with `.bind(name=value)`."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def configure(level: str, *, stream: TextIO | None = None) -> None:
    """Send the log to `stream` (standard output by default): JSON lines, or aligned text on a terminal.

    Args:
        level: One of debug, info, warning, error.
        stream: Where lines go.
    """
    out = stream or sys.stdout
    renderer = _Aligned() if out.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    logging.basicConfig(handlers=[_Bridge()], level=logging.WARNING, force=True)


class _Aligned:
    """Renders an event for a person at a terminal, with everything escaped that a terminal would obey."""

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> str:
        time, level, name = str(event.pop("timestamp"))[11:19], event.pop("level"), event.pop("event")
        trace = event.pop("exception", None)
        fields = " ".join(f"{key}={value!r}" for key, value in event.items())
        line = visible(f"{time} {level:<7} {name:<26} {fields}".rstrip())
        return "\n".join([line, *map(visible, trace.split("\n"))]) if trace else line


class _Bridge(logging.Handler):
    """Carries what libraries log through the standard library into the same stream."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
            if record.exc_info:
                fields["exc_info"] = record.exc_info
            level = min(record.levelno // 10 * 10, logging.CRITICAL)  # Levels of a library's own have no name here.
            get_logger().log(level, "library.logged", **fields)
        except Exception:  # noqa: BLE001 - library border: what it logs must not stop what it does
            self.handleError(record)


def visible(text: str) -> str:
    """Return text on one line with control codes, half surrogates and the like as backslash escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
