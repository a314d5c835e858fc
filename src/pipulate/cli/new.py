"""`pipulate new`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipulate._program import program
from pipulate.cli.shared import Failed, Group, plugins_option, say, settings_from

_TEMPLATE = '''"""{title}: say here what it is good for."""

from typing import Annotated

from pipulate import Run, TextArea, Workflow

app = Workflow("{name}", title="{title}", description="One sentence about what it is good for.")


@app.step("input", title="Input")
def input_(text: Annotated[str, TextArea(rows=6)], times: int = 2) -> None:
    """What should be worked on?

    Args:
        text: Any text.
        times: How often to repeat it.
    """


@app.step("result", title="Result")
def result(run: Run) -> str:
    """A step without fields runs by itself."""
    given = run.answers(input_)
    return "\\n".join([given.text] * given.times)
'''
_IN_BOX = Path(__file__).parent.parent / "builtin"


@click.group(cls=Group)
def new() -> None:
    """Write a new file to begin from."""


@new.command()
@click.argument("name")
@plugins_option
def plugin(name: str, plugins: Path | None) -> None:
    """Write a small app called NAME into the plugin folder.

    NAME has lower-case letters, digits and underscores, and begins with a letter. It becomes the address of the app's
    page, and is stored with every run. The file has two steps that work; change them into yours.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name) or name.startswith("xx_"):
        raise click.BadParameter(
            f"{name!r} is no name for an app. It has lower-case letters, digits and underscores, begins with a letter"
            " and not with xx_, and has at most 60 characters.",
            param_hint="NAME",
        )
    folder = settings_from(plugins=plugins).plugins
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_taken(name, folder)
    numbers = [int(match[1]) for path in folder.glob("*.py") if (match := re.match(r"(\d+)_", path.name))]
    path = folder / f"{(max(numbers, default=0) // 10 + 1) * 10:03d}_{name}.py"
    title = name.replace("_", " ").strip().capitalize()
    with path.open("x", encoding="utf-8") as file:
        file.write(_TEMPLATE.format(name=name, title=title))
    say(f"{path}\nA running server shows the app at once; otherwise start one with: {program()} run")


def _refuse_taken(name: str, folder: Path) -> None:
    """Refuse a name that is the page address or the stored name of another app."""
    for path in [*folder.glob("*.py"), *_IN_BOX.glob("*.py")]:
        text = path.read_text(encoding="utf-8", errors="replace")
        if re.sub(r"^\d+_", "", path.stem) == name or re.search(rf"""Workflow\(\s*["']{name}["']""", text):
            raise Failed(f"There is an app of this name already: {path}. Choose another name.")
