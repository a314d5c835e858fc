"""The page of an app whose table differs."""

from __future__ import annotations

from pipulate.errors import TableDiffersError
from pipulate.ui.records.differs import differs


def test_page_says_what_is_different_and_the_whole_command() -> None:
    error = TableDiffersError("tasks", ["'<b>' is new", "'due' is gone"], "pipulate records fit tasks --data 'a b'")
    page = differs("Tasks & more", error)
    assert "Tasks &amp; more waits for a decision" in page
    assert "<li>&#x27;&lt;b&gt;&#x27; is new</li>" in page
    assert "<code>pipulate records fit tasks --data &#x27;a b&#x27;</code>" in page
