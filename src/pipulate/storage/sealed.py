"""Secrets among stored values: how they are told apart, and how they are left out of what goes elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipulate.storage import journal

MARK = "$sealed"
"""A secret is stored as `{"$sealed": text}`; one that was left out as `{"$sealed": null}`."""


def is_sealed(value: Any) -> bool:
    """Tell whether a stored value is a secret."""
    return isinstance(value, Mapping) and value.keys() == {MARK}


def without_secrets(value: Any) -> Any:
    """Return a stored value in which every secret is left out; the value itself where it has none."""
    if is_sealed(value):
        return {MARK: None}
    if isinstance(value, Mapping):
        return {name: without_secrets(each) for name, each in value.items()}
    return [without_secrets(each) for each in value] if isinstance(value, list) else value


class Bare:
    """A journal without secrets, whose digests and files fit what is left.

    Attributes:
        events: The events, each as a dict of its columns.
        files: SHA-256 -> content, of the files that the events name now and did not name before.
        dropped: SHA-256 of the files they no longer name.
    """

    def __init__(self, events: Iterable[dict[str, Any]], read: Callable[[str], Mapping[str, Any]]) -> None:
        """Leave the secrets out.

        Args:
            events: The events, oldest first.
            read: Returns the value that is kept in the file of this name.
        """
        self._read = read
        self._digests: dict[str, str] = {}
        self.files: dict[str, bytes] = {}
        self.dropped: set[str] = set()
        self.events = [{**each, "data": self._data(each["data"])} for each in events]

    def _data(self, data: Mapping[str, Any]) -> dict[str, Any]:
        data = dict(data)
        if isinstance(data.get("value"), Mapping):
            data["value"], digest = self._value(data["value"], str(data.get("digest", "")))
            if "digest" in data:
                data["digest"] = digest
        if isinstance(data.get("reads"), Mapping):
            data["reads"] = {name: self._digests.get(seen, seen) for name, seen in data["reads"].items()}
        return data

    def _value(self, value: Mapping[str, Any], digest: str) -> tuple[Mapping[str, Any], str]:
        named = value.get("$file")
        whole = self._read(named["sha256"]) if isinstance(named, Mapping) else value
        bare = without_secrets(whole)
        if bare == whole:
            return value, digest
        raw = journal.serialised(bare).encode()
        self._digests[digest] = journal.digest_of(raw)
        if not isinstance(named, Mapping):
            return bare, self._digests[digest]
        sha256 = hashlib.sha256(raw).hexdigest()
        self.files[sha256] = raw
        self.dropped.add(named["sha256"])
        beside = {"files": value["files"]} if "files" in value else {}
        return {"$file": {"sha256": sha256, "bytes": len(raw)}, **beside}, self._digests[digest]
