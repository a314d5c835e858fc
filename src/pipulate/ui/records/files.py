"""Files in records: a link to keep each, with its name and its length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipulate.storage.records.files import is_named, named_in
from pipulate.ui.html import EMPTY, Html, a, join, span
from pipulate.ui.records.view import base
from pipulate.ui.words import size_in_words


def names_files(value: Any) -> bool:
    """Tell whether a stored value is a file, or several."""
    return is_named(value) or (isinstance(value, list) and bool(value) and all(map(is_named, value)))


def file_links(resource: str, record: int, value: Any) -> Html:
    """Return the files of a value, each with its name and its length.

    Args:
        resource: Name of the table.
        record: Number of the record that holds them, now or in its history.
        value: What is stored; None where there is none.
    """
    made = [_link(resource, record, each) for each in named_in(value)]
    return join(*(join(", " if index else "", each) for index, each in enumerate(made))) if made else EMPTY


def _link(resource: str, record: int, named: Mapping[str, Any]) -> Html:
    name = str(named["name"])
    address = f"{base(resource)}/{record}/files/{named['sha256']}/{quote(name, safe='')}"
    return span(
        a(name, href=address, download=name, dir="auto", title=name),
        " ",
        span(size_in_words(int(named["bytes"])), class_="size"),
        class_="record-file",
    )
