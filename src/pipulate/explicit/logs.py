"""What class-style plugins log with loguru: coloured on a terminal, beside the rest of the log elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from loguru import logger

from pipulate._log import LEVELS, get_logger, visible

if TYPE_CHECKING:
    from loguru import Message, Record

_log = get_logger()
_FORMAT = (
    "<green>{time:HH:mm:ss}</green> <level>{level: <7}</level> <cyan>{extra[plugin]}</cyan> <level>{message}</level>\n"
)


def connect(level: str) -> None:
    """Take over what loguru was told to do so far. A plugin binds its name with `logger.bind(plugin=...)`.

    Args:
        level: Least severe level that is shown: debug, info, warning or error.
    """
    logger.remove()
    logger.configure(patcher=_patched, extra={"plugin": ""})
    if sys.stderr.isatty():
        logger.add(sys.stderr, format=lambda _: _FORMAT, colorize=True, level=level.upper())
    else:
        logger.add(_told, format="{message}", level=level.upper())


def state_table(key: str, state: dict[str, Any]) -> None:
    """Log the state of a run as a table, a line a value."""
    width = max((len(name) for name in state), default=0)
    lines = [f"  {name.ljust(width)}  {value!r}" for name, value in state.items()]
    logger.bind(plugin=key).info("State\n{}", "\n".join(lines))


def _patched(record: Record) -> None:
    """Name the plugin, and leave nothing in a message that a terminal would obey."""
    record["extra"]["plugin"] = str(record["extra"]["plugin"] or (record["name"] or "").rpartition(".")[2])
    record["message"] = "\n".join(map(visible, record["message"].split("\n")))


def _told(message: Message) -> None:
    record = message.record
    level = LEVELS.get(record["level"].name.lower(), LEVELS["info"])
    error = record["exception"]
    _log.log(
        level, "plugin.said", plugin=record["extra"]["plugin"], text=record["message"],
        exc_info=error.value if error is not None and error.value is not None else None,
    )  # fmt: skip
