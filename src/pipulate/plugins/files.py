"""Which files of a folder are plugins, in which order, under which address."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipulate.workflows.source import file_digest

_NUMBERED = re.compile(r"(\d+)_(.+)")


@dataclass(frozen=True, slots=True)
class PluginFile:
    """A file that is a plugin.

    Attributes:
        path: Where it is.
        module: Its page address without the slash: the name without its number.
        number: The number before the first underscore, which orders the menu; None comes last.
        is_in_box: Whether it came with the program.
    """

    path: Path
    module: str
    number: int | None
    is_in_box: bool

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


def is_plugin(name: str) -> bool:
    """Tell whether a file of this name is a plugin.

    Work in progress is skipped: names that start with `xx_` (in any case), have a parenthesis, or start with `__`.
    """
    return (
        name.endswith(".py")
        and not name.startswith(("__", "."))
        and not name.lower().startswith("xx_")
        and not set(name) & {"(", ")"}
    )


def scan(folder: Path, *, is_in_box: bool = False) -> list[PluginFile]:
    """Return the plugins of a folder; none where there is no folder, or none that may be read."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return []
    return [_file(path, is_in_box) for path in paths if is_plugin(path.name) and path.is_file()]


def ordered(files: Iterable[PluginFile]) -> list[PluginFile]:
    """Return files in the order of the menu: by number, then those without one; the user's before ours."""
    return sorted(files, key=lambda file: (file.number is None, file.number or 0, file.is_in_box, file.name))


def fingerprint(path: Path) -> str:
    """Return what changes whenever the file's content does; "" where it cannot be read."""
    return file_digest(path) or ""


def _file(path: Path, is_in_box: bool) -> PluginFile:
    match = _NUMBERED.fullmatch(path.stem)
    module, number = (match[2], int(match[1])) if match else (path.stem, None)
    return PluginFile(path, module, number, is_in_box)
