"""Shows a folder on the desktop of the machine the server runs on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_WAITS_S = 5.0


class NoDesktopError(Exception):
    """There is nothing on this machine that shows folders, or it failed."""


def opener(platform: str, environ: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the command that shows a folder, without the folder; None where there is no desktop.

    Args:
        platform: As `sys.platform`.
        environ: The environment; `PATH` is looked through, and a display has to be named where there can be none.
    """
    if platform == "darwin":
        names: tuple[str, ...] = ("open", "-R")  # Shows it in its place: a folder can be a program there.
    elif platform == "win32":
        names = ("explorer",)
    elif environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        names = ("xdg-open",)
    else:
        return None
    found = shutil.which(names[0], path=environ.get("PATH", ""))
    return (found, *names[1:]) if found else None


async def show(folder: Path) -> None:
    """Show a folder; return when that was done, or after a few seconds.

    Raises:
        NoDesktopError: If it cannot be shown here.
    """
    command = opener(sys.platform, os.environ)
    if command is None:
        raise NoDesktopError("this server has no desktop")
    try:
        # Absolute, so it is never taken for an option; and no shell reads it.
        process = await asyncio.create_subprocess_exec(
            *command, str(folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        async with asyncio.timeout(_WAITS_S):
            code = await process.wait()
    except TimeoutError:
        return  # It goes on, so there is something to look at.
    except OSError as error:
        raise NoDesktopError(str(error)) from error
    if code != 0 and sys.platform != "win32":  # There it says 1 whatever it did.
        raise NoDesktopError(f"the program for folders ended with {code}")
