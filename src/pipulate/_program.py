"""How the person calls this program, for messages that name a command to type."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return `pipulate` where that finds this program, else the way it was started, as it is typed here."""
    started = Path(sys.argv[0])
    found = shutil.which("pipulate")
    if found is not None and Path(found).resolve() == started.resolve():
        return "pipulate"
    if started.name == "pipulate":
        return shlex.quote(_from_here(started))
    if started.parts[-2:] == ("pipulate", "__main__.py"):
        return f"{shlex.quote(_from_here(Path(sys.executable)))} -m pipulate"
    return "pipulate"


def _from_here(path: Path) -> str:
    """Return a path relative to the working directory where that is shorter; never resolved, so a venv stays one."""
    absolute = str(Path(os.path.abspath(path)))  # noqa: PTH100 - `Path.resolve` would leave the environment
    relative = os.path.relpath(absolute)
    return relative if not relative.startswith("..") else absolute
