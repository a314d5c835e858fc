"""Archives that somebody has changed."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

Entries = dict[str, bytes]


def entries_of(packed: bytes) -> Entries:
    """Return what is in an archive."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(entries: Entries | list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Make an archive, even with the same entry twice."""
    out = io.BytesIO()
    pairs = list(entries.items()) if isinstance(entries, dict) else entries
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # It warns of entries with the same name, which is the point.
        for name, content in pairs:
            archive.writestr(name, content)
    return out.getvalue()


def edited(archive: bytes, name: str, change: Callable[[Any], Any]) -> bytes:
    """Return an archive with one of its JSON entries changed."""
    entries = entries_of(archive)
    document = json.loads(entries[name])
    changed = change(document)
    entries[name] = json.dumps(document if changed is None else changed).encode()
    return packed(entries)


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    """Return an entry that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.external_attr = 0o120777 << 16
    return info, target.encode()


def deep(levels: int = 200_000) -> bytes:
    """Return JSON that is nested too deeply to be read."""
    return b"[" * levels + b"]" * levels
