"""How the person calls this program, for messages that name a command to type."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

EXTRA_OF: Final = {
    "bokeh": "data", "matplotlib": "data", "pandas": "data", "python_calamine": "data", "xlsxwriter": "data",
    "keyring": "llm", "pydantic_ai": "llm", "typst": "pdf",
    "psycopg": "postgres", "psycopg_pool": "postgres",
}  # fmt: skip
"""The packages that come with an extra of this program, by the names they are imported under."""


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


def installing(module: str) -> str:
    """Return the command that installs what a module comes with, as it is typed here.

    In a clone that is `make setup`, which has what the extras need in its lock file; everything else is installed into
    the environment of the clone, which need not be the one that `pip` stands for.
    """
    package = module.partition(".")[0]
    extra, clone = EXTRA_OF.get(package), _clone()
    if clone is None:
        return f"pip install 'pipulate[{extra}]'" if extra else f"pip install {shlex.quote(package)}"
    if extra is None:
        return f"{shlex.quote(_from_here(clone / '.venv' / 'bin' / 'pip'))} install {shlex.quote(package)}"
    return "make setup" if clone == Path.cwd() else f"make -C {shlex.quote(str(clone))} setup"


def _clone() -> Path | None:
    """Return the folder of the clone whose `make` made the environment this runs in; None where none did."""
    from importlib import metadata  # noqa: PLC0415 - needed only where something is missing

    try:
        told = json.loads(metadata.distribution("pipulate").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    root = Path(unquote(urlsplit(str(told.get("url", ""))).path)).resolve()
    is_own = told.get("dir_info", {}).get("editable") and Path(sys.prefix).resolve() == root / ".venv"
    return root if is_own and (root / "Makefile").is_file() else None


def _from_here(path: Path) -> str:
    """Return a path relative to the working directory where that is shorter; never resolved, so a venv stays one."""
    absolute = str(Path(os.path.abspath(path)))  # noqa: PTH100 - `Path.resolve` would leave the environment
    relative = os.path.relpath(absolute)
    return relative if not relative.startswith("..") else absolute
