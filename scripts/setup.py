"""Makes the environment in `.venv`: locked packages, then the project itself. Runs on any Python 3.11 or newer."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
WORDS = {
    "program": "Installing the packages the program needs",
    "data": "Installing what figures, tables and spreadsheets need",
    "llm": "Installing what asks models over OpenAI's protocol",
    "pdf": "Installing what sets PDF files",
    "tests and checks": "Installing what tests and checks need",
    "node": "Installing Node.js",
}


FOR_UV = {
    "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
}  # fmt: skip
"""What pip is told, and what says the same to uv."""

LIKE_PIP = ("--system-certs", "--index-strategy", "unsafe-best-match")
"""Options with which uv looks for packages where pip does; the hashes keep it safe."""

NO_MATTER = {
    "cache-dir", "config-file", "default-timeout", "disable-pip-version-check", "no-cache-dir", "retries", "timeout",
    "user",
}  # fmt: skip
"""What pip is told that says nothing about where packages are."""


def part(name: str) -> str:
    """Return one part of the lock file."""
    found = re.search(rf"^# --- {re.escape(name)} ---\n(.*?)(?=^# --- |\Z)", LOCK.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        sys.exit(f"requirements.lock has no part {name!r}. Get the file back from the project's history.")
    return found[1]


def wanted(name: str) -> str:
    """Return what changes whenever a part has to be installed anew."""
    what = [sys.version, str(VENV), part(name)]
    if name == "program":  # Of the project file only what the installation depends on; rules for linters do not.
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        what += [json.dumps([project["build-system"], project["project"], project["tool"]["hatch"]])]
        what += [(ROOT / "src" / "pipulate" / "_version.py").read_text()]
    return hashlib.sha256("\0".join(what).encode()).hexdigest()


def run(*command: str | Path, **variables: str) -> None:
    """Run a command; what it says is kept for whoever has to know why it failed."""
    environment = {**os.environ, "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, [str(each) for each in command], done.stdout, done.stderr)


def refuse_link() -> None:
    """Stop where the environment is a symbolic link: making it anew would empty the folder that the link leads to."""
    if VENV.is_symlink():
        sys.exit(
            f".venv is a symbolic link to {VENV.readlink()}. Making the environment would empty that folder, so nothing"
            " was done. Remove the link and run the same command again."
        )


def make_environment() -> None:
    """Make the environment, where there is none that works at this place."""
    place = VENV / ".place"  # Scripts in an environment name its folder, so one that was moved is made anew.
    has_pip = (
        PYTHON.exists()
        and subprocess.run([PYTHON, "-c", "import pip"], check=False, capture_output=True).returncode == 0
    )
    if not has_pip or not place.exists() or place.read_text() != str(VENV):
        run(sys.executable, "-m", "venv", "--clear", VENV)
        place.write_text(str(VENV))


def sources() -> dict[str, str] | None:
    """Return for uv where pip was told to get packages, as environment variables; None where only pip can do that."""
    told = subprocess.run([PYTHON, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True)
    found = dict(re.findall(r"^\S+?\.([a-z-]+)='(.*)'$", told.stdout, re.MULTILINE))  # What counts most comes last.
    if told.returncode or not FOR_UV.keys() | NO_MATTER >= found.keys():
        return None
    return {FOR_UV[name]: value for name, value in found.items() if name in FOR_UV}


def install_locked(text: str, by_uv: dict[str, str] | None = None) -> None:
    """Install packages as the lock file has them, each checked against its hash; by uv with these variables, or pip."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        what = ("--quiet", "--require-hashes", "--no-deps", "--requirement", file.name)
        if by_uv is None:
            run(PYTHON, "-m", "pip", "install", *what)
        else:
            run(PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, *LIKE_PIP, *what, **by_uv)


def install(name: str) -> None:
    """Install one part of the lock file: by uv, ten times as quick, or by pip where that does not do."""
    known = sources()
    entry = re.search(r"^uv==[^\n]+\n(?:    --hash=[^\n]+\n)+", LOCK.read_text(), re.MULTILINE)
    if known is not None and entry is not None:
        try:
            install_locked(entry[0])
            install_locked(part(name), known)
        except subprocess.CalledProcessError:
            install_locked(part(name))
    else:
        install_locked(part(name))
    if name == "program":
        run(PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT)


def main() -> None:
    """Install the parts that are named on the command line, where that was not done before."""
    refuse_link()
    if unknown := sorted(set(sys.argv[1:]) - set(WORDS)):
        sys.exit(f"There is nothing called {unknown[0]!r} to install. EXTRAS can have: data llm pdf")
    for name in sys.argv[1:]:
        mark = VENV / f".{name.split()[0]}"
        if mark.exists() and mark.read_text() == wanted(name):
            continue
        print(f"{WORDS[name]} (once) ...", flush=True)
        make_environment()
        install(name)
        mark.write_text(wanted(name))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error.stdout}{error.stderr}")
        sys.exit(
            "The environment could not be made; the reason stands above. If it is the network or the package index,"
            " run the same command again later: it goes on where it stopped."
        )
    except OSError as error:
        sys.exit(f"The environment could not be made: {error}.")
    except KeyboardInterrupt:
        sys.exit("\nStopped. The same command goes on from here.")
