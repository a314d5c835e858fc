"""Files of a run as people see them: name, size, kind, a way to keep them, their beginning where it can be shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pipulate.ui.html import Html, a, div, figure, img, p, pre, span, table, table_rows, tbody, th, thead, tr
from pipulate.ui.words import size_in_words

PREVIEW_BYTES = 65_536
"""How much of a file its preview looks at."""

_ROWS, _COLUMNS, _LINES, _CELL = 20, 50, 40, 300
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})
_IMAGE_BYTES = 20_000_000  # Larger ones are kept first.
_TABLES = {".csv": ",", ".tsv": "\t"}
_TEXTS = (
    ".txt", ".md", ".json", ".log", ".py", ".sql", ".xml", ".html", ".htm", ".svg", ".yaml", ".yml", ".toml", ".ini",
)  # fmt: skip
_KINDS = {
    "text/csv": "CSV", "application/pdf": "PDF", "application/json": "JSON", "text/plain": "text",
    "application/zip": "zip", "application/octet-stream": "file",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
}  # fmt: skip


def file_address(run: str, named: Mapping[str, Any]) -> str:
    """Return where a file of a run is downloaded from; `named` is what is stored of it."""
    return f"/-/runs/{run}/files/{named['sha256']}/{quote(str(named['name']), safe='')}"


def file_view(named: Mapping[str, Any], address: str) -> Html:
    """Return a file as a result of a step shows it.

    Args:
        named: What is stored of it: `{"sha256", "bytes", "name", "type"}`.
        address: Where it is downloaded from; see `file_address`.
    """
    name, kind, size_bytes = str(named["name"]), str(named["type"]), int(named["bytes"])
    return div(
        div(
            span(
                span(name, class_="name", dir="auto"), ", ",
                span(size_in_words(size_bytes), ", ", kind_in_words(kind), class_="size"), " ",
            ),
            a("Download", _named(" ", name), href=address, class_="button secondary", download=name),
            a("Open", _named(" ", name), " in a new tab", href=f"{address}?show=1", class_="button quiet",
              target="_blank", rel="noopener") if _ending(name) == ".pdf" else None,
            class_="file-line",
        ),
        _beginning(name, kind, size_bytes, address),
        class_="file-view",
    )  # fmt: skip


def _named(between: str, name: str) -> Html:
    """Return a name for those who hear a page and not for those who see where it stands."""
    return span(between, name, class_="visually-hidden")


def _beginning(name: str, kind: str, size_bytes: int, address: str) -> Html | None:
    if kind in _IMAGES and size_bytes <= _IMAGE_BYTES:
        return figure(img(src=f"{address}?show=1", alt=name, loading="lazy"), class_="file-image")
    if _ending(name) in (*_TABLES, *_TEXTS):
        where = f"{address}/preview"
        return div(
            a("Show the beginning", _named(" of ", name), href=where),
            hx_get=where, hx_trigger="load", hx_swap="innerHTML", hx_target="this", class_="file-preview",
        )  # fmt: skip
    return None


def kind_in_words(media_type: str) -> str:
    """Return a kind of file as people call it."""
    return _KINDS.get(media_type) or media_type.rpartition("/")[2].upper()[:20]


def file_preview(name: str, content: bytes) -> Html:
    """Return the beginning of a file: the first rows of a table, the first lines of a text.

    Args:
        name: What it is called; its ending says how it is read.
        content: Its first bytes; more than `PREVIEW_BYTES` where there are more.
    """
    is_whole = len(content) <= PREVIEW_BYTES
    text = content[:PREVIEW_BYTES].decode("utf-8-sig", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    lines = text.splitlines(keepends=True)
    if not is_whole and len(lines) > 1:
        lines.pop()  # It may be cut off in its middle.
    mark = _TABLES.get(_ending(name))
    if not lines:
        return p("This file is empty.", class_="none")
    return _table(lines, mark, is_whole=is_whole) if mark else _text(lines, is_whole=is_whole)


def _table(lines: list[str], mark: str, *, is_whole: bool) -> Html:
    first = lines[0]
    mark = max((";", "\t", "|", mark), key=first.count) if first.count(mark) == 0 else mark
    try:
        rows = [row for _, row in zip(range(_ROWS + 1), csv.reader(lines, delimiter=mark), strict=False)]
    except csv.Error:
        return _text(lines, is_whole=is_whole)
    shown = [[cell[:_CELL] for cell in row[:_COLUMNS]] for row in rows]
    more = not is_whole or len(rows) > _ROWS
    return div(
        div(
            table(
                thead(tr([th(cell, scope="col", dir="auto") for cell in shown[0]])),
                tbody(table_rows(shown[1 : _ROWS + 1])),
            ),
            class_="scroll", tabindex="0", role="region", aria_label="Beginning of the table",
        ),
        p(f"The first {len(shown[1 : _ROWS + 1])} rows.", class_="none") if more else None,
    )  # fmt: skip


def _text(lines: list[str], *, is_whole: bool) -> Html:
    more = not is_whole or len(lines) > _LINES
    shown = io.StringIO()
    for line in lines[:_LINES]:
        shown.write(line[: _CELL * 3])
    return div(
        pre(shown.getvalue(), class_="text", tabindex="0", dir="auto"),
        p(f"The first {min(len(lines), _LINES)} lines.", class_="none") if more else None,
    )


def _ending(name: str) -> str:
    stem, dot, ending = name.lower().rpartition(".")
    return dot + ending if stem else ""
