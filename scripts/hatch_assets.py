"""Sees to it that no wheel is built without the front-end files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AssetsHook(BuildHookInterface[Any]):
    """Builds the front-end files where they are missing; an editable install gets them from `make`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build them."""
        del build_data
        root = Path(self.root)
        if version == "editable" or (root / "src" / "pipulate" / "web" / "static" / "manifest.json").exists():
            return
        subprocess.run([sys.executable, root / "scripts" / "assets.py"], check=True)


def get_build_hook() -> type[AssetsHook]:
    """Return the hook."""
    return AssetsHook
