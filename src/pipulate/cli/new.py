"""`pipulate new`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from pipulate._program import program
from pipulate.cli.shared import Failed, Group, plugins_option, say, settings_from
from pipulate.cli.templates import STYLES, filled, filled_table

_IN_BOX = Path(__file__).parent.parent / "builtin"


@click.group(cls=Group)
def new() -> None:
    """Write a new file to begin from."""


@new.command()
@click.argument("name")
@click.option(
    "--style",
    type=click.Choice(list(STYLES)),
    metavar=f"[{'|'.join(STYLES)}]",
    default=next(iter(STYLES)),
    show_default=True,
    help="How it is written: steps as functions, or a class that draws every phase of every step itself.",
)
@plugins_option
def plugin(name: str, style: str, plugins: Path | None) -> None:
    """Write a small app called NAME into the plugin folder.

    NAME has lower-case letters, digits and underscores, and begins with a letter. It becomes the address of the app's
    page, and is stored with every run. The file works as it is; change its steps into yours.
    """
    _write(name, 60, settings_from(plugins=plugins).plugins, filled(style, name))


@new.command()
@click.argument("name")
@plugins_option
def table(name: str, plugins: Path | None) -> None:
    """Write a small table of records called NAME into the plugin folder.

    NAME has lower-case letters, digits and underscores, and begins with a letter. It becomes the address of the
    table's page, and is stored with every record. The file works as it is; change its fields into yours before you
    keep anything in it.
    """
    _write(name, 50, settings_from(plugins=plugins).plugins, filled_table(name))


def _write(name: str, length: int, folder: Path, text: str) -> None:
    """Write a new file into the plugin folder, behind those that are there; `length` is that of a name at most."""
    if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{length - 1}}}", name) or name.startswith("xx_"):
        raise click.BadParameter(
            f"{name!r} is no name for an app. It has lower-case letters, digits and underscores, begins with a letter"
            f" and not with xx_, and has at most {length} characters.",
            param_hint="NAME",
        )
    _refuse_taken(name, folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(match[1]) for path in folder.glob("*.py") if (match := re.match(r"(\d+)_", path.name))]
    path = folder / f"{(max(numbers, default=0) // 10 + 1) * 10:03d}_{name}.py"
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    say(f"{path}\nA running server shows the app at once; otherwise start one with: {program()} run")


def _refuse_taken(name: str, folder: Path) -> None:
    """Refuse a name that is the page address or the stored name of another app, or an address of ours."""
    from pipulate.web.routes import OLD_HOST  # noqa: PLC0415 - help needs none of this

    if name in {each.path.split("/")[1] for each in OLD_HOST}:
        raise Failed(f"/{name} is an address that Pipulate answers itself. Choose another name.")
    names = rf"""(?:\b(?:Workflow|Resource)\(\s*|^\s*(?:APP_NAME|app_name|NAME)\b[^=\n]*=\s*)["']{name}["']"""
    stored = re.compile(names, re.MULTILINE)
    for path in [*folder.glob("*.py"), *_IN_BOX.glob("*.py")]:
        if re.sub(r"^\d+_", "", path.stem) == name or stored.search(_text_of(path)):
            raise Failed(f"There is an app of this name already: {path}. Choose another name.")


def _text_of(path: Path) -> str:
    """Return what a plugin file says; nothing where it cannot be read, for that is a finding of its own."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
