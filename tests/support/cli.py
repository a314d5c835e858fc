"""The command line: run in this process, which is quick, or in one of its own, as a person does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from click.testing import CliRunner

from pipulate.cli import cli
from tests.support.site import Browser, running


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


class Shell:
    """Runs commands in a folder, with no settings but those given.

    Attributes:
        folder: The folder.
        settings: Environment variables.
        python: What processes are started with.
    """

    def __init__(self, folder: Path, *, python: str | Path = sys.executable, **settings: str) -> None:
        self.folder, self.python, self.settings = folder, python, settings

    def __call__(self, *arguments: str, stdin: str = "") -> Outcome:
        """Run a command in this process. What it raises unforeseen is raised here too."""
        hidden: dict[str, str | None] = dict.fromkeys(_ours())
        with contextlib.chdir(self.folder), _own_log():
            result = CliRunner().invoke(cli, arguments, input=stdin, env=hidden | self.settings, prog_name="pipulate")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    @contextlib.contextmanager
    def start(self, *arguments: str, under: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a process of its own; it has to end with the block. `under` is a program that runs it."""
        clean = {name: value for name, value in os.environ.items() if name not in _ours()}
        with subprocess.Popen(
            [*under, self.python, "-m", "pipulate", *arguments],
            cwd=self.folder,
            env=clean | {"PIPULATE_MODEL_SERVER": "off"} | self.settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
                process.wait(30)
            finally:
                process.kill()

    def process(self, *arguments: str, under: tuple[str, ...] = ()) -> Outcome:
        """Run a command in a process of its own to its end."""
        with self.start(*arguments, under=under) as process:
            out, err = process.communicate(timeout=60)
        return Outcome(process.returncode, out, err)


def fill(folder: Path) -> Path:
    """Store two runs in `data` of a folder: greeting / 01, which is finished, and greeting / Büro/2, just begun."""
    with ThreadPoolExecutor(1) as elsewhere:  # In this thread a browser test may have left its event loop.
        elsewhere.submit(asyncio.run, _fill(folder)).result()
    return folder


async def _fill(folder: Path) -> None:
    async with running(folder) as application:
        browser = Browser(application)
        run, _ = await browser.start("hello", "01")
        await browser.submit(run, "name", 1, name="Ada")
        await browser.submit(run, "language", 2, language="Deutsch")
        await browser.start("hello", "Büro/2")


def _ours() -> set[str]:
    return {name for name in os.environ if name.startswith("PIPULATE_") or name == "DATABASE_URL"}


@contextlib.contextmanager
def _own_log() -> Iterator[None]:
    """Undo what a command sets up for its process alone: where the log goes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
