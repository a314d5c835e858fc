"""A call as a model asks for it, for tests of what keeps it."""

from __future__ import annotations

from typing import Any

from pipulate._ids import new_id
from pipulate.storage.calls import CallRow
from tests.support.jobs import AT


def asked(conversation: str, **other: Any) -> CallRow:
    """Return a call that waits for Ada, with anything about it otherwise."""
    row = CallRow(
        id=new_id(), conversation=conversation, seq=0, question=1, answer=2, called="1-0", action="fill",
        effect="write", arguments={"value": "x"}, proposed=None, state="asked", asked_at=AT, actor="ada", model="m",
    )  # fmt: skip
    return row._replace(**other)
