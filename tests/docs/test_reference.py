"""The reference says what the code does: generated pages are not stale, written ones leave nothing out."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import pytest

import pipulate
from pipulate import errors, events, fields, ui
from pipulate.cli import cli
from pipulate.findings import CODES
from pipulate.settings import Settings
from pipulate.storage import journal, keys
from pipulate.storage.files import INLINE_BYTES
from pipulate.storage.folder import Layout
from pipulate.web.routes import ADDRESSES
from pipulate.workflows import definition
from tests.docs.pages import ROOT, prose

REFERENCE = ROOT / "docs" / "reference"
GENERATED: dict[Path, str] = runpy.run_path(str(ROOT / "scripts" / "reference.py"))["pages"]()


def missing(page: str, names: Iterable[Any]) -> list[str]:
    """Return the names that do not stand on a page as code."""
    code = " ".join(re.findall(r"`([^`\n]+)`", prose(REFERENCE / page)))
    return [str(name) for name in names if not re.search(rf"(?<!\w){re.escape(str(name))}(?!\w)", code)]


@pytest.mark.parametrize("page", GENERATED, ids=lambda path: path.name)
def test_generated_page_is_up_to_date(page: Path) -> None:
    assert page.read_text() == GENERATED[page], "write it anew with: make docs-update"


def test_every_finding_says_how_to_mend_it() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", (REFERENCE / "findings.md").read_text(), re.MULTILINE)
    assert rows == list(CODES)


def test_every_error_code_is_documented_once() -> None:
    kinds = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, errors.PipulateError)]
    rows = re.findall(r"^\| `([\w.]+)` \|", (REFERENCE / "errors.md").read_text(), re.MULTILINE)
    assert sorted(["pipulate", *rows]) == sorted(each.code for each in kinds)


def test_every_setting_and_address_is_documented() -> None:
    assert missing("settings.md", (f"PIPULATE_{name.upper()}" for name in Settings.model_fields)) == [
        "PIPULATE_DATABASE_URL"  # It is DATABASE_URL, as other tools call it.
    ]
    assert missing("http.md", {re.sub(r":[a-z]+", "", each.path) for each in ADDRESSES}) == []


def test_every_command_and_option_is_documented() -> None:
    def options(command: click.Command) -> set[str]:
        if isinstance(command, click.Group):
            return {name for each in command.commands.values() for name in options(each)}
        return {name for each in command.params if isinstance(each, click.Option) for name in each.opts}

    assert missing("cli.md", options(cli)) == []


def test_every_kind_of_event_is_documented() -> None:
    assert missing("events.md", journal.KINDS) == []
    happenings = [each.__name__ for each in (events.RunChanged, events.MessagesAdded, events.AppsChanged)]
    assert missing("events.md", happenings) == []


def test_every_event_of_the_log_is_documented() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "src" / "pipulate").rglob("*.py"))
    logged = set(re.findall(r"_log\.\w+\(\s*(?:level, )?\"([a-z_.]+)\"", sources)) | {"library.logged"}
    written = (REFERENCE / "events.md").read_text().partition("## In the log")[2]
    assert set(re.findall(r"^\| `([\w.]+)` \|", written, re.MULTILINE)) == logged


@pytest.mark.parametrize("module", [pipulate, ui], ids=lambda module: str(module.__name__))
def test_every_public_name_is_documented(module: Any) -> None:
    assert missing("api.md", module.__all__) == []


def test_every_widget_and_limit_of_a_field_is_documented() -> None:
    page = (REFERENCE / "fields.md").read_text()
    assert f"{fields.SHORT_MAX:,} characters" in page
    assert f"{fields.LONG_MAX:,}" in page


def test_the_rules_for_names_are_those_of_the_code() -> None:
    page = (REFERENCE / "keys.md").read_text()
    assert f"1 to {keys.KEY_MAX} characters" in page
    assert f"1 to {keys.NAME_MAX} characters" in page
    assert "at most 60 characters" in page
    assert definition.NAME.fullmatch("a" * 60)
    assert not definition.NAME.fullmatch("a" * 61)
    assert missing("keys.md", definition.RESERVED) == []


def test_every_place_in_the_data_folder_is_documented() -> None:
    page = (REFERENCE / "layout.md").read_text()
    layout = Layout(Path("data"))
    for place in (layout.database, layout.files, layout.lock, layout.server, layout.state):
        assert f"─ {place.name}" in page
    assert f"{INLINE_BYTES:,} bytes" in page
