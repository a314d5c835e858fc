"""What the tests of the documentation share: the pages, and what is in them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)

_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    """Return how a test names a page."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in one language."""
    return [textwrap.dedent(body) for _, kind, body in _BLOCK.findall(page.read_text()) if kind == language]


def files(page: Path) -> list[str]:
    """Return the Python of a page as the files its reader has: a block that begins with a docstring begins one."""
    found: list[str] = []
    for block in blocks(page, "python"):
        if block.startswith('"""') or not found:
            found.append(block)
        else:
            found[-1] += f"\n\n{block}"
    return found


def prose(page: Path) -> str:
    """Return a page without its blocks."""
    return _BLOCK.sub("", page.read_text())


def typed(page: Path) -> Iterator[str]:
    """Yield the commands a page gives to type: lines after a `$`, with those they go on in."""
    for block in blocks(page, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line[2:]


def mentioned(page: Path) -> Iterator[str]:
    """Yield the commands for Pipulate that the sentences of a page name."""
    for text in re.findall(r"`(pipulate [^`]+)`", prose(page)):
        yield " ".join(text.split())
