"""The page about language models is true: settings are read and lead where it says, words are the program's."""

from __future__ import annotations

import re
import shlex

import pytest

from pipulate.llm import words
from pipulate.llm.opening import open_models
from pipulate.settings import Settings, read_settings
from tests.docs.pages import ROOT, blocks, prose

PAGE = ROOT / "docs" / "how-to" / "set-up-ollama-or-another-provider.md"
HERE = "http://127.0.0.1:11434"


def settings(block: str) -> Settings:
    """Return the settings that the commands of a block make."""
    exports = [shlex.split(line)[2] for line in block.splitlines() if line.startswith("$ export ")]
    return read_settings(dict(each.split("=", 1) for each in exports))


BLOCKS = [block for block in blocks(PAGE, "console") if "$ pipulate run" in block]


@pytest.mark.parametrize(
    ("number", "server", "leaves", "more"),
    [
        (0, HERE, False, {"model": "qwen3:8b"}), (1, HERE, False, {"model_context": 32_768}),
        (2, "http://192.168.1.20:11434", True, {}), (3, HERE, False, {"model_remote": True}),
        (4, "http://127.0.0.1:8080/v1", False, {}),
        (5, "https://api.example.com/v1", True, {"model": "the-name-of-a-model"}),
    ],
)  # fmt: skip
def test_settings_of_the_page_lead_where_it_says(
    number: int, server: str, leaves: bool, more: dict[str, object]
) -> None:
    made = settings(BLOCKS[number])
    status = open_models(made, changed=lambda: None).status()
    assert (status.condition, status.server, status.leaves) == ("looking", server, leaves)
    assert {name: getattr(made, name) for name in more} == more


def test_page_says_how_to_do_without() -> None:
    assert len(BLOCKS) == 7
    assert open_models(settings(BLOCKS[6]), changed=lambda: None).status().condition == "off"


def test_page_names_the_keyring_as_the_program_reads_it() -> None:
    assert "$ keyring set pipulate api.example.com\n" in BLOCKS[5]


def test_words_in_the_table_are_the_words_of_the_program() -> None:
    said = [
        words.down(HERE, is_ollama=True), words.no_model(is_ollama=True), words.missing("x", is_ollama=True),
        words.choose(40), str(words.refused(401, b"", model="x", server=HERE, is_ollama=False)),
        words.nothing_there(HERE), words.NO_TOOLS, words.stalled(120, is_first=True), words.TOO_LONG,
    ]  # fmt: skip
    cells = re.findall(r"^\| ([A-Z][^|]*?) \|", prose(PAGE), re.MULTILINE)[1:]
    assert len(cells) == len(said)
    for cell, told in zip(cells, said, strict=True):
        assert told.startswith(cell.removesuffix(" ...").replace("`", "")), (cell, told)
