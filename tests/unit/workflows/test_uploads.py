"""What a field for files says it takes."""

from __future__ import annotations

import pytest

from pipulate.forms.sending import kinds_in_words


@pytest.mark.parametrize(
    ("kinds", "words"),
    [
        ([], "a file"),
        ([".csv"], "a .csv file"),
        ([".csv", ".tsv", ".txt"], "a .csv, .tsv or .txt file"),
        ([".csv", ".TXT", "text/csv"], "a .csv or .TXT file"),
        ([".txt", "text/csv"], "a .txt file or text/csv"),
        ([".txt", ".csv", "image/*"], "a .txt or .csv file or an image"),
        (["image/*", "audio/*"], "an image or a sound"),
    ],
)
def test_kinds_of_files_are_named_once(kinds: list[str], words: str) -> None:
    assert kinds_in_words(kinds) == words
