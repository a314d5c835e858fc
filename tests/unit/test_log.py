"""The log: one line an event, nothing in it that a terminal would obey."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipulate import _log

ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\r\b\x00\x7f\u202e\u2066\u2028\ud800"


class Screen(io.StringIO):
    """A terminal that takes only what a terminal can show."""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        text.encode()
        return super().write(text)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """The log as a terminal shows it."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    out = Screen()
    _log.configure("info", stream=out)
    yield out
    structlog.reset_defaults()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log as a file gets it."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    out = io.StringIO()
    _log.configure("info", stream=out)
    yield out
    structlog.reset_defaults()


def is_harmless(text: str) -> bool:
    return not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in text.replace("\n", ""))


class Rude:
    def __repr__(self) -> str:
        return ESCAPES


def test_line_holds_time_level_event_and_fields(screen: Screen) -> None:
    _log.get_logger().info("run.purged", run="a", count=2)
    time, level, event, *fields = screen.getvalue().split()
    assert (len(time), level, event, fields) == (8, "info", "run.purged", ["run='a'", "count=2"])


@pytest.mark.parametrize("value", [ESCAPES, "a\nb", Rude(), [ESCAPES], {"a": Rude()}, b"\x1b\x9b"])
def test_value_is_one_harmless_line_on_a_terminal(screen: Screen, value: object) -> None:
    _log.get_logger().warning("x.happened", value=value)
    assert screen.getvalue().count("\n") == 1
    assert is_harmless(screen.getvalue())


def test_traceback_is_harmless_on_a_terminal(screen: Screen) -> None:
    _log.get_logger().error("x.failed", exc_info=ValueError(f"bad {ESCAPES} value\nsecond line"))
    text = screen.getvalue()
    assert is_harmless(text)
    assert "ValueError: bad \\x1b[2J" in text
    assert "\nsecond line" in text


@given(text=st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_out_of_its_line(screen: Screen, text: str) -> None:
    screen.seek(0)
    screen.truncate()
    _log.get_logger().error("x.happened", text=text, exc_info=ValueError(text.replace("\n", " ")))
    assert is_harmless(screen.getvalue().replace("\n", ""))


def test_lines_are_json_where_nobody_looks(lines: io.StringIO) -> None:
    _log.get_logger().info("x.happened", text=f"ü {ESCAPES}\n", other=Rude(), n=1)
    assert lines.getvalue().count("\n") == 1
    assert lines.getvalue().isascii()
    event = json.loads(lines.getvalue())
    assert (event["event"], event["level"], event["n"], event["text"]) == ("x.happened", "info", 1, f"ü {ESCAPES}\n")


def test_traceback_is_part_of_its_json_line(lines: io.StringIO) -> None:
    _log.get_logger().error("x.failed", exc_info=ValueError("why"))
    assert json.loads(lines.getvalue())["exception"].endswith("ValueError: why")


def test_events_below_the_level_are_left_out(lines: io.StringIO) -> None:
    _log.get_logger().debug("x.happened")
    assert lines.getvalue() == ""


@pytest.mark.parametrize("level", [logging.WARNING, 35, logging.ERROR, 45, logging.CRITICAL, 60])
def test_library_that_logs_at_any_level_comes_out_in_the_same_stream(lines: io.StringIO, level: int) -> None:
    logging.getLogger("some.library").log(level, "%s happened", "it")
    event = json.loads(lines.getvalue())
    assert (event["event"], event["logger"], event["message"]) == ("library.logged", "some.library", "it happened")


def test_library_error_keeps_its_traceback(lines: io.StringIO) -> None:
    try:
        dict[str, int]()["gone"]
    except KeyError:
        logging.getLogger("some.library").exception("it failed")
    assert "KeyError: 'gone'" in json.loads(lines.getvalue())["exception"]


def test_library_that_logs_wrongly_is_not_stopped_by_it(
    lines: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [each for each in logging.root.handlers if isinstance(each, _log._Bridge)]
    monkeypatch.setattr(logging.root, "handlers", ours)  # Without that of pytest, which raises.
    logging.getLogger("some.library").warning("%d of them", "three")
    assert "--- Logging error ---" in capsys.readouterr().err
    assert lines.getvalue() == ""


def test_logger_that_was_used_follows_where_the_log_goes_later(lines: io.StringIO) -> None:
    logger = _log.get_logger()
    logger.info("run.started")
    later = io.StringIO()
    _log.configure("info", stream=later)
    logger.info("run.ended")
    assert "run.ended" in later.getvalue()
    assert "run.ended" not in lines.getvalue()
