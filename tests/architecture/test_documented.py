"""Nothing a person or a script can meet is undocumented."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import get_args

import click
import pytest

from pipulate import errors, events
from pipulate.cli import cli
from pipulate.findings import CODES
from pipulate.settings import Settings
from pipulate.storage.journal import KINDS
from tests.architecture.sources import ROOT


@cache
def reference() -> str:
    """Return all pages of the reference."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "docs" / "reference").glob("*.md")))


def commands(group: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield every command by its full name."""
    yield name, group
    for each, command in getattr(group, "commands", {}).items():
        yield from commands(command, f"{name} {each}".strip())


NAMES = {
    "finding": list(CODES),
    "error code": [each.code for each in vars(errors).values() if inspect.isclass(each) and hasattr(each, "code")],
    "setting": [
        "DATABASE_URL",
        *(f"PIPULATE_{name.upper()}" for name in Settings.model_fields if name != "database_url"),
    ],
    "event": sorted(KINDS),
    "happening": [each.__name__ for each in get_args(events.Happening)],
    "command": [name for name, _ in commands(cli) if name],
    "option": sorted(
        {opt for _, command in commands(cli) for each in command.params for opt in each.opts if opt[0] == "-"}
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_everything_is_documented(kind: str) -> None:
    assert NAMES[kind]
    assert [name for name in NAMES[kind] if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", reference())] == []
