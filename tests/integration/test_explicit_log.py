"""What class-style plugins log, and what is left of what they said when the server ends."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.support.explicit import BENCH, SHAPES, Desk, explicit
from tests.support.site import Browser

pytestmark = pytest.mark.anyio


async def test_what_was_said_last_is_stored_before_the_end(tmp_path: Path) -> None:
    gate, holds = threading.Event(), threading.Event()

    def busy(_: Any) -> None:
        holds.set()
        gate.wait(20)

    async with explicit(tmp_path, shapes=SHAPES) as application:
        writer = threading.Thread(target=application.site.db.write_now, args=(busy,))
        writer.start()
        assert holds.wait(20)
        for _ in range(3):
            assert (await Browser(application).get("/shapes/says?count=10", htmx=True)).status == 200
        threading.Timer(0.2, gate.set).start()  # While the end waits for what was said.
    writer.join()
    async with explicit(tmp_path, shapes=SHAPES) as application:
        assert len(await Desk(application).said(app="shapes")) == 30


LOGS = """
import sys
from pipulate._log import configure
configure("{level}", stream=sys.stdout)
from pipulate.explicit import logs
logs.connect("{level}")
from loguru import logger
logger.debug("a debug line")
logger.bind(plugin="hello").info("Processing {{}}", "a step \\x1b[2J")
logger.warning("plain")
logs.state_table("key", {{"step_01": {{"a": "\\x1b[2J"}}, "b": 1}})
"""


def logged(level: str, *, on_terminal: bool) -> str:
    """Return what a process writes that logs as plugins do."""
    if not on_terminal:
        code = LOGS.format(level=level)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
        return done.stdout.decode() + done.stderr.decode()
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", LOGS.format(level=level)], stdout=theirs, stderr=theirs)
    os.close(theirs)
    out = b""
    try:
        while part := os.read(ours, 65_536):
            out += part
    except OSError:  # The end of a terminal nobody holds open.
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    return out.decode()


def test_log_on_a_terminal_is_coloured_and_names_the_plugin() -> None:
    text = logged("debug", on_terminal=True)
    lines = text.splitlines()
    (said,) = [line for line in lines if "Processing" in line]
    assert "\x1b[36mhello\x1b[0m" in said
    assert "\x1b[1mProcessing" in said
    assert "a step \\x1b[2J" in said
    assert "\x1b[2J" not in text
    assert any("a debug line" in line for line in lines)


def test_log_elsewhere_is_one_harmless_line_an_event() -> None:
    lines = [line for line in logged("debug", on_terminal=False).splitlines() if line]
    (said,) = [line for line in lines if "Processing" in line]
    assert '"plugin": "hello"' in said
    assert '"event": "plugin.said"' in said
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("on_terminal", [True, False])
def test_log_shows_no_less_severe_lines_than_the_setting_says(on_terminal: bool) -> None:
    text = logged("warning", on_terminal=on_terminal)
    assert "plain" in text
    assert "a debug line" not in text
    assert "Processing" not in text


async def test_state_is_logged_as_a_table_after_each_request_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    structlog.reset_defaults()  # Whatever another test of this process did to the log.
    for tables in (False, True):
        async with explicit(tmp_path, settings={"state_tables": tables, "log_level": "info"}, bench=BENCH) as made:
            desk = Desk(made)
            key = await desk.begin(f"tables {tables}", first={"wood": "oak"})
            capsys.readouterr()
            await desk.returned(nothing, key)
            told = capsys.readouterr()
            assert ("{'wood': 'oak'}" in told.out + told.err) is tables


async def nothing(plugin: Any, request: Any) -> Any:
    """Do nothing."""
