"""Text that is Markdown, as a type."""

from __future__ import annotations

from pydantic import TypeAdapter

from pipulate import Markdown


def test_markdown_is_text_of_a_type_of_its_own() -> None:
    assert Markdown("**a**") == "**a**"
    assert isinstance(Markdown("a"), str)


def test_markdown_is_stored_as_text_and_comes_back_as_markdown() -> None:
    adapter = TypeAdapter(list[Markdown])
    stored = adapter.dump_python([Markdown("a")], mode="json")
    assert type(stored[0]) is str
    assert type(adapter.validate_python(stored)[0]) is Markdown
