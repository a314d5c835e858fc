"""Writes requirements.lock: every package with its hashes, for Python 3.11 to 3.14 on Linux and macOS.

The file has a part for what the program needs, one for each extra that apps in the box use, one for what tests and
checks need besides, and Node.js for machines without one. It names no package index, so it works with whichever one pip
is set up for.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
PARTS = {  # What each adds to those above it.
    "program": "--extra postgres --group build",
    "data": "--extra data",
    "llm": "--extra llm",
    "pdf": "--extra pdf",
    "tests and checks": "--group dev",
    "node": "--group node",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "x86_64-apple-darwin", "aarch64-apple-darwin",
)  # fmt: skip
HEAD = "# Written by `make lock`; do not edit. Every part is installed with --require-hashes.\n"


def compiled(arguments: list[str], constraints: str) -> str:
    """Return what uv resolves, one package with its hashes after another."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(constraints)
        file.flush()
        command = [
            sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11",
            "--generate-hashes", "--no-header", "--no-annotate", "--quiet", "--constraints", file.name, *arguments,
        ]  # fmt: skip
        if "--upgrade" not in sys.argv and LOCK.exists():
            pinned = "\n".join(re.findall(r"^\S+==\S+(?: ;[^\\\n]*)?", LOCK.read_text(), re.MULTILINE))
            Path(file.name).write_text(constraints + "\n" + pinned)
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def packages(text: str) -> list[str]:
    """Return a resolution cut into packages."""
    return [part.strip() for part in re.split(r"\n(?=\S)", text.strip())]


def check(text: str) -> None:
    """Look whether every package comes ready built for every Python and platform that is promised."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "all.txt"
        file.write_text(text)
        for platform, python in itertools.product(PLATFORMS, PYTHONS):
            subprocess.run(
                [
                    sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--quiet", "--only-binary", ":all:",
                    "--no-deps", "--require-hashes", "--python-platform", platform, "--python-version", python,
                    "--target", folder, "--requirement", file,
                ],
                check=True, capture_output=True, text=True,
            )  # fmt: skip


def main() -> None:
    """Write the lock file."""
    known: list[str] = []
    arguments: list[str] = []
    out = HEAD
    for name, more in PARTS.items():
        arguments += more.split()
        names = "\n".join(part.split(" \\")[0] for part in known)
        new = [part for part in packages(compiled(arguments, names)) if part not in known]
        out += f"\n# --- {name} ---\n\n" + "\n".join(new) + "\n"
        known += new
    check(out)
    LOCK.write_text(out)
    print(f"{LOCK.name}: {len(known)} packages")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.stderr}requirements.lock is as it was: the packages could not be resolved.")
