"""The file of a table: columns with their types as JSON, packed. It can be read without the library that made it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json

FORMAT = "pipulate.table/1"
TYPE = "application/vnd.pipulate.table+gzip"
UNPACKED_MAX_BYTES = 2_000_000_000
_GZIP = 31


def packed(content: Mapping[str, Any]) -> bytes:
    """Return the file of a table.

    Raises:
        ValueError: If a text in it is no text that can be written (half surrogates).
    """
    try:
        raw = to_json({"format": FORMAT, **content}, inf_nan_mode="constants")
    except ValueError as error:
        raise ValueError(f"the table cannot be stored: {error}") from error
    packer = zlib.compressobj(1, zlib.DEFLATED, _GZIP)
    return packer.compress(raw) + packer.flush()


def unpacked(file: bytes) -> dict[str, Any]:
    """Return what a file says.

    Raises:
        ValueError: If it is not the file of a table, or too large when it is unpacked.
    """
    reader = zlib.decompressobj(_GZIP)
    try:
        raw = reader.decompress(file, UNPACKED_MAX_BYTES)
    except zlib.error as error:
        raise ValueError("this is not the file of a table") from error
    if not reader.eof:
        raise ValueError("this table is too large, or its file is cut off")
    content = from_json(raw)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError("this is not the file of a table")
    return content
