"""Every command a page shows can be typed as it stands there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipulate.cli import cli
from tests.docs.pages import PAGES, ROOT, mentioned, name_of, prose, typed

KNOWN = {
    ".", "cd", "createdb", "export", "git", "journalctl", "keyring", "kill", "launchctl", "loginctl", "make", "ollama",
    "pip", "pipulate", "psql", "python", "ssh", "systemctl",
}  # fmt: skip
WITH_COMMANDS = [page for page in PAGES if any(typed(page)) or any(mentioned(page))]


def words_of(lines: Iterable[str]) -> list[list[str]]:
    """Return commands as words, those joined by `&&` apart."""
    parts = [shlex.split(part) for line in lines for part in line.split("&&")]
    return [[words[0].removeprefix(".venv/bin/"), *words[1:]] for words in parts]


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_page_uses_only_commands_that_are_known(page: Path) -> None:
    assert {words[0] for words in words_of(typed(page))} <= KNOWN


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_page_names_commands_and_options_that_exist(page: Path) -> None:
    for words in words_of([*typed(page), *mentioned(page)]):
        if words[0] == "pipulate":
            # Help comes after the names of commands and options were checked, and before anything is done.
            outcome = CliRunner().invoke(cli, [*words[1:], "--help"])
            assert outcome.exit_code == 0, f"{words}: {outcome.output}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_page_types_every_argument_a_command_needs(page: Path) -> None:
    for words in words_of(typed(page)):
        command: click.Command = cli
        rest = words[1:] if words[0] == "pipulate" else []
        while rest and isinstance(command, click.Group):
            command, rest = command.commands[rest[0]], rest[1:]
        if words[0] == "pipulate":
            command.make_context(words[0], rest).close()


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_page_makes_only_what_the_makefile_has(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in words_of(typed(page)) if words[0] == "make"}
    assert named | set(re.findall(r"`make ([a-z-]+)", prose(page))) <= targets
