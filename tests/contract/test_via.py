"""Who did something, where the assistant did it for them: it stays with what was done, on every store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from pipulate._ids import new_id
from pipulate.crud.engine import Records
from pipulate.crud.resource import Resource
from pipulate.events import Bus
from pipulate.security.who import Who
from pipulate.storage import messages, runs
from pipulate.storage.keys import check_key
from pipulate.storage.ledger import Author, events
from pipulate.ui.done import TableLink
from pipulate.ui.messages import Names, event_line
from pipulate.ui.words import doer, person
from tests.support.store import Store

pytestmark = pytest.mark.anyio

AT = "2026-11-20T10:00:00.000000Z"


class Note(BaseModel):
    """A note."""

    text: str


def test_event_of_the_assistant_names_the_person_and_the_assistant(store: Store) -> None:
    by = Author("ann", AT, "tab-1", "assistant")
    row, _ = store.db.write_now(runs.start, new_id(), "flow", check_key("x"), "default", by)
    found = store.db.read_now(events, row.id)
    assert [(each.actor, each.data.get("via")) for each in found] == [("ann", "assistant")]


def test_event_of_a_person_names_nobody_else(store: Store) -> None:
    row, _ = store.db.write_now(runs.start, new_id(), "flow", check_key("x"), "default", Author("ann", AT))
    assert "via" not in store.db.read_now(events, row.id)[0].data


async def test_change_of_a_record_keeps_who_did_it_for_whom(store: Store) -> None:
    notes = Resource("notes", Note)
    assert notes.prepare() == []

    async def apart(call: Callable[[], Any]) -> Any:
        return call()

    records = Records(store.db, Bus(), store.clock, apart, store.files)
    records.resources = {"notes": notes}
    made = await records.create(notes, {"text": "a"}, "default", Who("ann", None, "assistant"))
    number = made.records[0].id
    await records.change(notes, number, {"text": "b"}, Who("ann"), seen=1)
    history = await records.history(notes, number)
    assert [(each.actor, each.via) for each in history] == [("ann", None), ("ann", "assistant")]
    operation = await records.operation_of(notes, made.operation)
    assert operation is not None
    assert operation.facts["via"] == "assistant"
    told = store.db.read_now(messages.before, messages.of_app("ann", "notes"))
    lines = [str(event_line(each, Names(None, {"notes": TableLink("Notes", "/notes")}), "ann")) for each in told]
    assert "You, with the assistant, added" in lines[0]
    assert "You changed" in lines[1]


def test_words_for_who_did_something_name_both() -> None:
    assert person("ann", "ann", "assistant") == "You, with the assistant"
    assert doer("ben", "ann", "assistant") == "ben, with the assistant,"
    assert doer("ann", "ann") == "You"
